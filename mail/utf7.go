package mail

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeUTF7 reads UTF-7 (RFC 2152). A "+" that begins no base64 stays.
func decodeUTF7(b []byte) string {
	var out strings.Builder
	out.Grow(len(b))
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == '+' && i+1 < len(b) && b[i+1] == '-':
			out.WriteByte('+')
			i += 2
		case c == '+':
			i += 1 + writeUTF7Run(&out, b[i+1:])
		case c < 0x80:
			out.WriteByte(c)
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			out.WriteRune(r)
			i += n
		}
	}
	return out.String()
}

// writeUTF7Run writes what a base64 run means and returns its length, with
// the "-" that ends it.
func writeUTF7Run(out *strings.Builder, b []byte) int {
	var units []uint16
	bits, n := uint32(0), 0
	i := 0
	for ; i < len(b) && b[i] != '='; i++ {
		v := base64Values[b[i]]
		if v >= 64 {
			break
		}
		bits = bits<<6 | uint32(v)
		if n += 6; n >= 16 {
			n -= 16
			units = append(units, uint16(bits>>n))
		}
	}
	if i == 0 {
		out.WriteByte('+')
		return 0
	}
	out.WriteString(string(utf16.Decode(units)))
	if i < len(b) && b[i] == '-' {
		i++
	}
	return i
}
