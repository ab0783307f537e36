package mail

import (
	"bytes"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// looksISO2022KR says whether the bytes announce a Korean or Chinese set that
// shift-out switches to (RFC 1557, RFC 1922).
func looksISO2022KR(b []byte) bool {
	return bytes.Contains(b, []byte("\x1b$)C")) || bytes.Contains(b, []byte("\x1b$)A"))
}

// decodeISO2022KR reads ISO-2022-KR and the GB 2312 part of ISO-2022-CN: in
// between shift-out and shift-in the bytes are those of EUC without the high
// bit. A header that announces no set means the Korean one.
func decodeISO2022KR(b []byte) string {
	var out strings.Builder
	set := encoding.Encoding(korean.EUCKR)
	for len(b) > 0 {
		switch {
		case bytes.HasPrefix(b, []byte("\x1b$)C")):
			set, b = korean.EUCKR, b[4:]
		case bytes.HasPrefix(b, []byte("\x1b$)A")):
			set, b = simplifiedchinese.GBK, b[4:]
		case b[0] == 0x0f:
			b = b[1:]
		case b[0] == 0x0e:
			n := bytes.IndexAny(b, "\x0f\x1b\n") // a line ends the shift (RFC 1557)
			if n < 0 {
				n = len(b)
			}
			out.WriteString(with(set)(highBits(b[1:n])))
			b = b[n:]
		default:
			n := bytes.IndexAny(b[1:], "\x0e\x0f\x1b") + 1
			if n == 0 {
				n = len(b)
			}
			out.WriteString(with(set)(b[:n])) // ASCII; where it is not, some programs left out the shift
			b = b[n:]
		}
	}
	return out.String()
}

func highBits(b []byte) []byte {
	high := bytes.Clone(b)
	for i, c := range high {
		if c > ' ' && c < 0x7f {
			high[i] = c | 0x80
		}
	}
	return high
}
