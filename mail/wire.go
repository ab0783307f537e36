package mail

import (
	"encoding/base64"
	"errors"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

func validID(id string) bool {
	return id != "" && len(id) <= maxIDBytes &&
		!strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' })
}

// beyondASCII counts bytes.
func beyondASCII(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			n++
		}
	}
	return n
}

// encodeText makes a header text ASCII (RFC 2047): readable quoted words where
// little is beyond ASCII, else base64. Text that looks encoded, and words too
// long for a line, are encoded as well.
func encodeText(s string) string {
	beyond := beyondASCII(s)
	long := slices.ContainsFunc(strings.Fields(s), func(word string) bool { return len(word) > 300 })
	switch {
	case 4*beyond > len(s) || strings.Contains(s, "=?") || long:
		return base64Words(s)
	case beyond > 0:
		return mime.QEncoding.Encode("utf-8", s)
	}
	return s
}

func base64Words(s string) string {
	var words []string
	for len(s) > 0 {
		n := min(len(s), 36) // 60 bytes as a word, which fits behind "Subject: "
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, " ")
}

// oneLine makes s one line of at most limit runes without control characters,
// so that nobody's name or subject begins a header field.
func oneLine(s string, limit int) string {
	s = collapse(strings.Map(printable, strings.ToValidUTF8(s, "\uFFFD")))
	if utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit-1]) + "…"
	}
	return s
}

// wireAddress is an address as SMTP takes it, quoted where it must be: Japanese
// carriers gave out "a..b.@docomo.ne.jp".
func wireAddress(address string) (wire string, ascii bool, err error) {
	addr, ascii, err := parseAddress(address)
	if err != nil {
		return "", false, err
	}
	return strings.TrimSuffix(strings.TrimPrefix(addr.String(), "<"), ">"), ascii, nil
}

var errNoAddress = errors.New("not an address")

// parseAddress splits at the last @, unquotes the local part and makes the
// domain ASCII.
func parseAddress(address string) (a *netmail.Address, ascii bool, err error) {
	address = strings.TrimSpace(address)
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || len(address) > 320 || !utf8.ValidString(address) {
		return nil, false, errNoAddress
	}
	local, domain := address[:at], address[at+1:]
	quotedLocal := len(local) > 2 && local[0] == '"' && local[len(local)-1] == '"'
	if quotedLocal {
		local = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(local[1 : len(local)-1])
	}
	wrong := func(r rune) bool {
		return r < ' ' || r == 0x7f || !quotedLocal && strings.ContainsRune(` <>()[]\,;:@"`, r)
	}
	if strings.ContainsFunc(local, wrong) {
		return nil, false, errNoAddress
	}
	if beyondASCII(domain) > 0 {
		if domain, err = idna.Lookup.ToASCII(domain); err != nil {
			return nil, false, errNoAddress
		}
	}
	if !validDomain(domain) {
		return nil, false, errNoAddress
	}
	return &netmail.Address{Address: local + "@" + domain}, beyondASCII(local) == 0, nil
}

func validDomain(domain string) bool {
	literal := strings.HasPrefix(domain, "[") && strings.HasSuffix(domain, "]")
	for _, label := range strings.Split(domain, ".") {
		if label == "" {
			return false
		}
	}
	return !strings.ContainsFunc(domain, func(r rune) bool {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_'
		return !letter && !(literal && (r == '[' || r == ']' || r == ':'))
	})
}
