package mail

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// sampleSize is how much text is looked at to guess its charset, in bytes.
const sampleSize = 16 << 10

// contradicts says whether the bytes are plainly in another charset than the
// declared single-byte one: UTF-8 or Shift_JIS called ISO-8859-1.
func contradicts(cs charset, b []byte) (charset, bool) {
	if !strings.HasPrefix(cs.name, "windows-125") && !strings.HasPrefix(cs.name, "iso-8859-") {
		return charset{}, false
	}
	good, bad := countUTF8(b)
	if bad == 0 && good > 0 {
		return charset{"utf-8", decodeUTF8, true}, true
	}
	if cs.name == "windows-1252" && c1Share(b) {
		if guess, ok := guessCharset(b); ok && guess.strict {
			return guess, true
		}
	}
	return charset{}, false
}

// c1Share says whether bytes of 0x80 to 0x9f, seldom in Western text, are
// common among those above ASCII.
func c1Share(b []byte) bool {
	high, c1 := 0, 0
	for _, c := range b {
		if c >= 0x80 {
			high++
			if c < 0xa0 && c != 0x91 && c != 0x92 && c != 0x93 && c != 0x94 && c != 0x96 && c != 0x97 && c != 0x85 && c != 0x80 && c != 0x95 {
				c1++
			}
		}
	}
	return c1 >= 2 && c1*6 >= high
}

// guessUTF16 finds UTF-16 without a label by its zero bytes.
func guessUTF16(b []byte) (charset, bool) {
	if len(b) < 4 {
		return charset{}, false
	}
	even, odd := zeros(b[:min(len(b), 1024)])
	half := min(len(b), 1024) / 2
	if even+odd == 0 || max(even, odd)*10 < half*7 || min(even, odd)*10 > half {
		return charset{}, false
	}
	return charset{"utf-16", func(b []byte) string { return decodeUTF16("utf-16", b) }, false}, true
}

// guessCharset tells by statistics what bytes that are no UTF-8 are: each
// candidate's text is scored by how much of it is common in its language.
func guessCharset(b []byte) (charset, bool) {
	if guess, ok := guessUTF16(b); ok {
		return guess, true
	}
	sample := highLines(b)
	best, score, few := charset{}, 0, fewAmongLatin(sample)
	for _, c := range []struct {
		name  string
		e     encoding.Encoding
		judge func(rune) int
	}{
		{"shift_jis", japanese.ShiftJIS, japaneseRune},
		{"euc-jp", japanese.EUCJP, japaneseRune},
		{"gb18030", simplifiedchinese.GB18030, chineseRune},
		{"big5", traditionalchinese.Big5, chineseRune},
		{"euc-kr", korean.EUCKR, koreanRune},
		{"windows-1251", charmap.Windows1251, nil},
		{"koi8-r", charmap.KOI8R, nil},
		{"windows-1252", charmap.Windows1252, nil},
		{"windows-1250", charmap.Windows1250, nil},
		{"iso-8859-2", charmap.ISO8859_2, nil},
		{"windows-1254", charmap.Windows1254, nil},
	} {
		if few && (c.judge != nil || c.name == "windows-1251" || c.name == "koi8-r") {
			continue
		}
		text := with(c.e)(sample)
		var n int
		if c.judge != nil {
			n = scoreRunes(text, c.judge)
			if n > 0 {
				n += legacyBonus(c.name, sample)
			}
		} else {
			n = scoreLetters(text)
		}
		if c.name == "windows-1254" {
			n += turkishBonus(text)
		}
		if n > score {
			best, score = charset{c.name, with(c.e), c.judge != nil}, n
		}
	}
	for _, s := range scripts() {
		if few {
			break
		}
		if n := s.score(with(s.e)(sample)); n > score {
			best, score = charset{s.name, with(s.e), false}, n
		}
	}
	return best, score > 0
}

// fewAmongLatin says whether at most three letters beyond ASCII stand among many
// within it: accents, and no word of another script.
func fewAmongLatin(b []byte) bool {
	high, letters := 0, 0
	for _, c := range b {
		switch {
		case c >= 0xc0:
			high++
		case c >= 0x80:
			return false // no letter of Western Europe
		case isLetter(c):
			letters++
		}
	}
	return high <= 3 && letters >= 4*high
}

// highLines gathers the lines that hold bytes above ASCII, so that a long
// English part does not hide a short foreign one.
func highLines(b []byte) []byte {
	if len(b) <= sampleSize {
		return b
	}
	var out []byte
	for len(b) > 0 && len(out) < sampleSize {
		i := 0
		for i < len(b) && b[i] != '\n' {
			i++
		}
		line := b[:min(i+1, len(b))]
		b = b[len(line):]
		if !isASCIIBytes(line) {
			out = append(out, line[:min(len(line), sampleSize)]...)
		}
	}
	return out
}

// scoreRunes adds up what each character above ASCII is worth, as points for
// 1000 of its bytes; a broken one costs much.
func scoreRunes(text string, judge func(rune) int) int {
	sum, n := 0, 0
	for _, r := range text {
		switch {
		case r == utf8.RuneError:
			sum -= 30
			n++
		case r >= 0x80:
			sum += judge(r)
			n++
		case r < ' ' && r != '\n' && r != '\r' && r != '\t':
			sum -= 10
		}
	}
	if n == 0 {
		return 0
	}
	return sum * 100 / n
}

func japaneseRune(r rune) int {
	switch {
	case r >= 0x3041 && r <= 0x3096: // Hiragana
		return 12
	case r >= 0x30a1 && r <= 0x30fc: // Katakana
		return 9
	case r == '、' || r == '。' || r == '「' || r == '」' || r == '・':
		return 9
	case r >= 0x4e00 && r <= 0x9fff:
		return 5
	case r >= 0xff61 && r <= 0xff9f: // half-width kana: what wrong guesses give
		return -3
	case r >= 0xff00 && r <= 0xff5e || r >= 0x3000 && r <= 0x303f || r >= 0x2460 && r <= 0x2473:
		return 5
	case r >= 0xe000 && r <= 0xf8ff:
		return -8
	}
	return -2
}

func chineseRune(r rune) int {
	switch {
	case strings.ContainsRune(commonChinese, r):
		return 13
	case r == '，' || r == '。' || r == '：' || r == '！' || r == '、' || r == '？':
		return 10
	case r >= 0x4e00 && r <= 0x9fff:
		return 5
	case r >= 0xff00 && r <= 0xff5e || r >= 0x3000 && r <= 0x303f:
		return 4
	case r >= 0x3041 && r <= 0x30fc: // kana in GB: EUC-JP read wrongly
		return 0
	case r >= 0xe000 && r <= 0xf8ff:
		return -10
	}
	return -4
}

// commonChinese are the most frequent characters of both scripts.
const commonChinese = "的一是不了在人有我他这這个個们們中来來上大为為和国國地到以说說时時要就出会會可也你对對生能而子那得于於着下自之年过過发發后後作里如家多好请請您谢謝问問邮郵件客服公司"

func koreanRune(r rune) int {
	switch {
	case strings.ContainsRune("이다는을의에가하고니를습한기로은지사", r):
		return 12
	case r >= 0xac00 && r <= 0xd7a3:
		return 8
	case r >= 0x4e00 && r <= 0x9fff:
		return 1
	case r >= 0x3131 && r <= 0x318e || r >= 0x3000 && r <= 0x303f:
		return 3
	}
	return -4
}

// legacyBonus holds against a multi-byte charset that the bytes are not paired
// as its are. Western text has single bytes above ASCII among letters; the
// Chinese and Korean sets in use have both bytes of a character high.
func legacyBonus(name string, b []byte) int {
	high, alone, low, letters, runs, inWord := 0, 0, 0, 0, 0, 0
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			if isLetter(b[i]) {
				letters++
			}
			i++
			continue
		}
		from := i
		for i < len(b) && b[i] >= 0x80 {
			if b[i] < 0xa1 {
				low++
			}
			i++
		}
		high += i - from
		runs++
		switch n := i - from; {
		case n == 1:
			alone++
		case n == 2 && from > 0 && isLetter(b[from-1]) && i < len(b) && isLetter(b[i]):
			inWord++ // as two umlauts in a word
		}
	}
	switch name {
	case "shift_jis":
		if low*8 < high {
			return -1500 // its first bytes are mostly below 0xa0
		}
	case "big5":
		if alone*2 >= high || low*10 > high || inWord*2 >= runs || alone*5 > high && high*2 < letters {
			return -1500
		}
	default:
		if alone*5 > high || low*5 > high || inWord*2 >= runs {
			return -1500
		}
	}
	return 0
}

// scoreLetters judges text of a single-byte charset: words whose letters fit
// together (one script, capitals only in front) are worth points.
func scoreLetters(text string) int {
	sum, n := 0, 0
	prev := rune(' ')
	for _, r := range text {
		switch {
		case r >= 0x80:
			n++
			sum += letterScore(prev, r)
		case isCyrillic(prev) && r|0x20 >= 'a' && r|0x20 <= 'z':
			sum -= 12 // two scripts in one word
		}
		prev = r
	}
	if n == 0 {
		return 0
	}
	return sum * 100 / n
}

func isCyrillic(r rune) bool { return r >= 0x400 && r <= 0x4ff }

func letterScore(prev, r rune) int {
	lower := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 0xdf && r <= 0xff && r != 0xf7 }
	switch {
	case isCyrillic(r) && prev|0x20 >= 'a' && prev|0x20 <= 'z':
		return -12
	case r == 0x451: // seldom written; a pound sign read as KOI8
		return 4
	case r >= 0x430 && r <= 0x44f || r == 0x456 || r == 0x457 || r == 0x454: // Cyrillic small
		if strings.ContainsRune("оеаинтсрвл", r) {
			return 9
		}
		return 6
	case r >= 0x410 && r <= 0x42f || r == 0x406:
		if prev >= 0x430 && prev <= 0x44f {
			return -6 // a capital behind a small letter: KOI8 read as 1251
		}
		return 4
	case (r == 0xbf || r == 0xa1) && prev <= ' ': // Spanish
		return 7
	case lower(r) && (prev < 0x80):
		return 7
	case lower(r):
		return 1
	case r >= 0x100 && r <= 0x17f && prev < 0x80: // Polish, Czech, Hungarian
		return 6
	case r >= 0xc0 && r <= 0xde:
		if lower(prev) {
			return -3
		}
		return 4
	case r == 0x2019 || r == 0x201c || r == 0x201d || r == 0x2013 || r == 0xa0 || r == 0x20ac || r == 0x2026 || r == 0xbb || r == 0xab || r == 0xb0 || r == 0xa3 || r == 0x2018 || r == 0x2022:
		return 5
	case r < 0xa0 || r == utf8.RuneError:
		return -20
	}
	return -3
}
