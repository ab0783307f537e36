package mail

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// encodedWord is one =?charset?encoding?text?= (RFC 2047 section 2).
type encodedWord struct {
	charset string
	data    []byte
	end     int // index behind it
}

// decodeWords turns a header value into text: encoded words are decoded, also
// inside quotes and next to other text, where RFC 2047 section 5 forbids them
// and mail programs put them. Neighbours in one charset are joined before they
// are decoded, because many programs split a character between two words.
// Raw 8-bit text is taken as UTF-8, else as fallback, else guessed.
func decodeWords(s, fallback string) string {
	if !strings.Contains(s, "=?") {
		return rawText(s, fallback)
	}
	var b strings.Builder
	var pending encodedWord // decoded bytes that wait for a neighbour
	flush := func() {
		if pending.data != nil {
			text, _ := decodeCharset(pending.charset, pending.data)
			b.WriteString(text)
			pending = encodedWord{}
		}
	}
	for len(s) > 0 {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		word, ok := parseWord(s[i:])
		if !ok {
			flush()
			b.WriteString(rawText(s[:i+2], fallback))
			s = s[i+2:]
			continue
		}
		between := s[:i]
		if pending.data == nil || strings.Trim(between, " \t\r\n") != "" {
			flush()
			b.WriteString(rawText(between, fallback))
		}
		if pending.data != nil && strings.EqualFold(pending.charset, word.charset) {
			pending.data = append(pending.data, word.data...)
		} else {
			flush()
			pending = word
		}
		s = s[i+word.end:]
	}
	flush()
	b.WriteString(rawText(s, fallback))
	return b.String()
}

// rawText is the text of a header's bytes that are not encoded.
func rawText(s, fallback string) string {
	if isASCII(s) && strings.IndexByte(s, 0x1b) < 0 {
		return s
	}
	if utf8.ValidString(s) && strings.IndexByte(s, 0x1b) < 0 {
		return s
	}
	text, _ := decodeCharset(fallback, []byte(s))
	return text
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// maxWord is the longest encoded word that is read, in bytes; RFC 2047 allows
// 75, programs write whole subjects.
const maxWord = 16 << 10

// parseWord reads the encoded word that s begins with. Spaces inside the text
// and a missing last "=" are forgiven.
func parseWord(s string) (encodedWord, bool) {
	var w encodedWord
	q1 := strings.IndexByte(s[2:], '?')
	if q1 <= 0 || q1 > 60 {
		return w, false
	}
	charset := s[2 : 2+q1]
	if strings.ContainsAny(charset, " \t\r\n\"<>") {
		return w, false
	}
	charset, _, _ = strings.Cut(charset, "*") // RFC 2231 section 5: language
	rest := s[2+q1+1:]
	if len(rest) < 2 || rest[1] != '?' {
		return w, false
	}
	text := rest[2:min(len(rest), maxWord)]
	end := strings.Index(text, "?=")
	// A Q text may hold "=?" escapes such as "?=3D=?="; the end is followed by no hex digit then.
	for rest[0]|0x20 == 'q' && end >= 0 && end+4 <= len(text) && isHex(text[end+2]) && isHex(text[end+3]) {
		more := strings.Index(text[end+2:], "?=")
		if more < 0 || strings.ContainsAny(text[end:end+2+more], " \t\r\n") {
			break
		}
		end += 2 + more
	}
	if end < 0 {
		return w, false
	}
	if next := strings.Index(text[:end], "=?"); next > 0 && strings.Count(text[next:end], "?") >= 3 {
		return w, false // unfinished: another word begins before this one ends
	}
	w.charset = charset
	w.end = 2 + q1 + 1 + 2 + end + 2
	switch rest[0] | 0x20 {
	case 'q':
		w.data = decodeQ(text[:end])
	case 'b':
		w.data = decodeB(text[:end])
	default:
		return w, false
	}
	return w, true
}

func isHex(c byte) bool { return unhex(c) < 16 }

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// decodeQ decodes the "Q" encoding (RFC 2047 section 4.2); what is no escape
// stays as it is.
func decodeQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		case c == '\r' || c == '\n':
		default:
			out = append(out, c)
		}
	}
	return out
}

// decodeB decodes base64 and forgives missing padding and foreign characters.
func decodeB(s string) []byte {
	if out, err := base64.StdEncoding.DecodeString(s); err == nil {
		return out
	}
	var d base64Decoder
	return d.finish(d.decode(make([]byte, 0, len(s)*3/4+3), []byte(s)), true)
}
