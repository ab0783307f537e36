package diagnose

import (
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// How much of a text is looked at, in bytes. An answer of a server has a line
// or a few; the trace of a program is shorter without its frames.
const (
	longest = 4 << 10
	rawest  = 64 << 10 // before the frames are taken out
)

// clip leaves beginning and end of what is too long: traces name the reason first
// (Go, Java) or last (Python).
func clip(s string) string {
	if len(s) <= longest {
		return s
	}
	begin, end := s[:longest*3/4], s[len(s)-longest/4:]
	if utf8.ValidString(s) {
		begin, end = strings.ToValidUTF8(begin, ""), strings.ToValidUTF8(end, "") // a character that was cut through
	}
	return begin + "\n…\n" + end
}

// frame is a line of a stack trace: of Java, .NET and Node, and of Python.
var frame = regexp.MustCompile(`(?m)^\s+(?:at .*|File ".*", line \d+.*|\.{3} \d+ more)$\n?`)

// legible undoes what programs and the way here did to a server's words:
// escapes of Go (%q), Python, JSON, HTML and URLs, foreign charsets, base64.
func legible(text string) string {
	text = text[:min(len(text), rawest)]
	text = clip(strings.TrimSpace(strings.TrimPrefix(frame.ReplaceAllString(text, ""), "\ufeff")))
	if strings.Contains(text, "error_description=") {
		if plain, err := url.QueryUnescape(text); err == nil {
			text = plain
		}
	}
	if strings.Contains(text, "&") {
		text = html.UnescapeString(text)
	}
	text = clip(decoded(unescaped(text)))
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r):
			return ' '
		}
		return r
	}, text)
	return strings.TrimSpace(withoutSecrets(withChallenge(text)))
}

// unescaped replaces \n, \", \xe4 and \u00e4. Bytes become bytes again: a
// reply in GBK that was printed with %q is GBK afterwards.
func unescaped(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
		case 't':
			b.WriteByte('\t')
		case '"', '\'', '\\', '/':
			b.WriteByte(s[i])
		case 'x', 'u', 'U':
			i += hex(&b, s[i], s[i+1:])
		default:
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// hex writes the byte or character that kind ('x', 'u' or 'U') and the digits
// after it stand for, and tells how many digits it used.
func hex(b *strings.Builder, kind byte, digits string) int {
	n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[kind]
	if len(digits) >= n {
		if value, err := strconv.ParseUint(digits[:n], 16, 32); err == nil {
			if kind == 'x' {
				b.WriteByte(byte(value))
			} else {
				b.WriteRune(rune(value))
			}
			return n
		}
	}
	b.WriteByte('\\')
	b.WriteByte(kind)
	return 0
}

// decoded makes UTF-8 of bytes without a label. QQ and 163 answer in GBK,
// Japanese servers in Shift_JIS or EUC-JP, old European ones in Latin-1.
func decoded(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	for _, from := range []encoding.Encoding{japanese.ShiftJIS, japanese.EUCJP} {
		if text, ok := all(from, s); ok && kana(text) >= 2 {
			return text
		}
	}
	if pairs(s) {
		if text, ok := all(simplifiedchinese.GB18030, s); ok {
			return text
		}
	}
	if text, ok := all(charmap.Windows1252, s); ok {
		return text
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

func all(from encoding.Encoding, s string) (string, bool) {
	text, err := from.NewDecoder().String(s)
	return text, err == nil && !strings.ContainsRune(text, utf8.RuneError)
}

// kana counts hiragana and full-width katakana: a text in Japanese has some, a
// text in another charset that was taken for Japanese hardly ever.
func kana(s string) int {
	n := 0
	for _, r := range s {
		if r >= 0x3041 && r <= 0x30fe {
			n++
		}
	}
	return n
}

// pairs says that bytes beyond ASCII come by twos, as in GBK; accented letters
// of Latin-1 stand alone among others.
func pairs(s string) bool {
	run, odd, even := 0, 0, 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] >= 0x80 {
			run++
			continue
		}
		if run%2 == 1 {
			odd++
		} else if run > 0 {
			even++
		}
		run = 0
	}
	return even > odd
}

var challenge = regexp.MustCompile(`\beyJ[A-Za-z0-9+/_-]{8,}={0,2}`)

// withChallenge adds the words inside of a base64 JSON answer: what Google and
// Microsoft say when they refuse an access token (XOAUTH2, RFC 7628).
func withChallenge(s string) string {
	for _, found := range challenge.FindAllString(s, 3) {
		plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(found, "="))
		if err == nil && utf8.Valid(plain) && !strings.Contains(string(plain), `"alg"`) { // not an access token
			s += "\n" + string(plain)
		}
	}
	return s
}

var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(?i)(\bauth(?:enticate)? (?:plain|login|xoauth2|oauthbearer|cram-md5) +)(?:[a-z0-9+/]{12,}={0,2}|[a-z0-9+/]{6,}={1,2})`),
	regexp.MustCompile(`(?m)((?:^|[ \t])(?:PASS|LOGIN "?[^\s"]+@[^\s"]+"?) +)\S+$`),
	regexp.MustCompile(`(?i)((?:client_secret|refresh_token|access_token|client_assertion|password|code_verifier)["']?(?:=|: ?)["']?)[^\s"'&,;]{6,}`),
	regexp.MustCompile(`(?i)(\bbearer )[a-z0-9._~+/=-]{16,}`),
}

// withoutSecrets strikes out what a client says to sign in: people paste whole
// protocols.
func withoutSecrets(s string) string {
	for _, secret := range secrets {
		s = secret.ReplaceAllString(s, "$1…")
	}
	return s
}
