package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// script is what distinguishes a language's text in its single-byte charset
// from the same bytes in another charset.
type script struct {
	name   string
	e      encoding.Encoding
	table  *unicode.RangeTable
	common string // the letters that make up most of a text
	other  int    // what another of its letters is worth
	rare   string // letters that a text hardly has
	end    string // letters that stand at the end of a word only
}

// scripts are the single-byte charsets that guessCharset knows beside those of
// Latin and Cyrillic letters.
func scripts() []script {
	return []script{
		{"windows-1253", charmap.Windows1253, unicode.Greek, "αοιετνσηρπκλμςάίόέήώ", 6, "ΰΐϊϋ", "ς"},
		{"windows-1255", charmap.Windows1255, unicode.Hebrew, "יוהלאמרתבשנ", 6, "", "ךםןףץ"},
		{"windows-1256", charmap.Windows1256, unicode.Arabic, "اليمنورتبهةعدس", 4, "ہھےںپچژڈٹڑگ", "ةى"},
		{"windows-874", charmap.Windows874, unicode.Thai, "านรกอเงมยลวดทสตะปบคหแจพชขใไผโ่้ัีิ์ุำืู", 4, "ฃฅฆฌฎฏฐฑฒฬฦฤ", ""},
	}
}

// score judges text as scoreLetters does: points for 1000 characters above ASCII.
func (s *script) score(text string) int {
	sum, n := 0, 0
	prev := rune(' ')
	for _, r := range text {
		if r >= 0x80 {
			n++
			sum += s.letter(prev, r)
		} else if unicode.Is(s.table, prev) && isLetter(byte(r)) {
			sum -= 12 // two scripts in one word
		}
		prev = r
	}
	if n == 0 {
		return 0
	}
	return sum * 100 / n
}

func (s *script) letter(prev, r rune) int {
	own := unicode.Is(s.table, r)
	switch {
	case r == utf8.RuneError || r < 0xa0:
		return -20
	case strings.ContainsRune("\u00a0«»–—‘’“”…€،؟؛", r):
		return 5
	case !own:
		return -8
	case strings.ContainsRune(s.end, prev), prev < 0x80 && isLetter(byte(prev)):
		return -12
	case unicode.IsUpper(r) && unicode.IsLower(prev), strings.ContainsRune(s.rare, r), s.misplaced(prev, r):
		return -6
	case strings.ContainsRune(s.common, r):
		return 9
	}
	return s.other
}

// misplaced says whether a Thai vowel or tone mark stands where none can: they
// are written above, below or after a consonant, and some vowels before one.
func (s *script) misplaced(prev, r rune) bool {
	const leading = "เแโใไ"
	consonant := func(r rune) bool { return r >= 0x0e01 && r <= 0x0e2e }
	mark := func(r rune) bool { return r == 0x0e31 || r >= 0x0e34 && r <= 0x0e3a || r >= 0x0e47 && r <= 0x0e4e }
	switch {
	case s.table != unicode.Thai:
		return false
	case mark(r), r == 0x0e30, r == 0x0e32, r == 0x0e33:
		return !consonant(prev) && !mark(prev)
	}
	return strings.ContainsRune(leading, prev) && !consonant(r)
}

// turkishBonus prefers Turkish to Western Europe's charset, from which it
// differs in six letters: where these are and none of Iceland's vowels.
func turkishBonus(text string) int {
	if strings.ContainsAny(text, "ışğİŞĞ") && !strings.ContainsAny(text, "áéíóúæÁÉÍÓÚÆ") {
		return 200
	}
	return -1000
}
