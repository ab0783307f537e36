package mail

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
)

// looksISO2022JP says whether the bytes switch to a Japanese character set
// (RFC 1468, and the sets that vendors added).
func looksISO2022JP(b []byte) bool {
	return bytes.Contains(b, []byte("\x1b$B")) || bytes.Contains(b, []byte("\x1b$@")) || bytes.Contains(b, []byte("\x1b$(")) ||
		bytes.Contains(b, []byte("\x1b(I")) || bytes.Contains(b, []byte("\x1b(J"))
}

// Sets that an escape sequence switches to.
const (
	jisASCII    = iota
	jisKanji    // JIS X 0208 with the rows of NEC and IBM
	jisExtra    // JIS X 0212
	jisKatakana // half-width, JIS X 0201
)

// decodeISO2022JP reads ISO-2022-JP with what vendors put into it: NEC's row
// 13 (circled numbers), the IBM extensions, half-width kana by escape, by
// shift-out and as raw 8-bit bytes, JIS X 0213's escape. Each run is handed to
// the EUC-JP table, whose code points are the same.
func decodeISO2022JP(b []byte) string {
	var out strings.Builder
	out.Grow(len(b) * 3 / 2)
	set, shifted := jisASCII, false
	euc := make([]byte, 0, len(b)+16)
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == 0x1b:
			n, next, ok := jisEscape(b[i:])
			i += n
			if ok {
				set, shifted = next, false
			}
		case c == 0x0e:
			shifted = true
			i++
		case c == 0x0f:
			shifted = false
			i++
		case c == '\n' || c == '\r':
			euc = append(euc, c)
			// A line ends in ASCII (RFC 1468); programs that forget the escape go on
			// in kanji, and what follows tells: so the set is kept.
			i++
		case set == jisKatakana || shifted:
			if c >= 0x21 && c <= 0x5f {
				euc = append(euc, 0x8e, c|0x80)
			} else {
				euc = append(euc, c&0x7f)
			}
			i++
		case (set == jisKanji || set == jisExtra) && c&0x7f > 0x20 && i+1 < len(b) && b[i+1]&0x7f > 0x20 && b[i+1] != 0x1b:
			if set == jisExtra {
				euc = append(euc, 0x8f)
			}
			euc = append(euc, c|0x80, b[i+1]|0x80)
			i += 2
		case c >= 0xa1 && c <= 0xdf:
			euc = append(euc, 0x8e, c)
			i++
		case c >= 0x80:
			i += appendRaw(&euc, b[i:])
		default:
			euc = append(euc, c)
			i++
		}
	}
	out.WriteString(with(japanese.EUCJP)(euc))
	return out.String()
}

// appendRaw takes 8-bit bytes that have no place here; U+FFFD stands for them
// by a byte that EUC-JP does not know.
func appendRaw(dst *[]byte, b []byte) int {
	*dst = append(*dst, 0xff)
	if _, n := utf8.DecodeRune(b); n > 1 {
		return n
	}
	return 1
}

// jisEscape reads the escape sequence that b begins with; ok is false for one
// that switches to nothing known, which is left out.
func jisEscape(b []byte) (n, set int, ok bool) {
	if len(b) < 3 {
		return 1, 0, false
	}
	switch string(b[1:3]) {
	case "(B", "(J", "(H", "(T":
		return 3, jisASCII, true
	case "(I":
		return 3, jisKatakana, true
	case "$B", "$@", "$A":
		return 3, jisKanji, true
	case "$(":
		if len(b) < 4 {
			return 3, 0, false
		}
		switch b[3] {
		case 'D':
			return 4, jisExtra, true
		case 'B', '@', 'O', 'Q', 'P':
			return 4, jisKanji, true
		}
		return 4, 0, false
	case "&@":
		return 3, 0, false
	}
	return 1, 0, false
}
