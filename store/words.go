package store

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Text in Chinese, Japanese and Korean has no spaces to find words by. What the
// search index is given instead are all pairs of neighbouring characters of
// such a run and its last character alone: 東京都 becomes 東京 京都 都. Looking
// for 東京都 is looking for 東京 followed by 京都, and looking for 京 is looking
// for what begins with 京. Everything else is left to SQLite's unicode61.
// Both sides are folded by NFKC first: half-width kana and full-width letters
// are what they look like.

// maxTerms bounds what a query may ask for at once.
const maxTerms = 32

func isCJK(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r == 'ー' || r == '〆': // of no script, part of words all the same
		return true
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// indexText returns text as the search index wants it.
func indexText(text string) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/8)
	writePairs(&b, norm.NFKC.String(text), false)
	return b.String()
}

// writePairs writes text with pairs in the place of its CJK runs. In a query
// the text may go on where it ends: open leaves out the last character alone
// where it belongs to a pair.
func writePairs(b *strings.Builder, text string, open bool) {
	var last rune // of the run we are in, 0: none
	var single bool
	for _, r := range text {
		if isCJK(r) {
			if last != 0 {
				b.WriteRune(last)
				b.WriteRune(r)
			}
			b.WriteByte(' ')
			single, last = last == 0, r
			continue
		}
		if last != 0 {
			b.WriteRune(last)
			b.WriteByte(' ')
			last = 0
		}
		if r < ' ' {
			r = ' '
		}
		b.WriteRune(r)
	}
	if last != 0 && (!open || single) {
		b.WriteRune(last)
	}
}

// matchQuery turns what a person typed into an FTS5 expression: every word must
// occur, as the beginning of a word or inside of a CJK run; "words in quotes"
// must stand together as they are. It returns "" when nothing can be looked for.
func matchQuery(typed string) string {
	var terms []string
	for i, part := range strings.Split(norm.NFKC.String(typed), `"`) {
		words := strings.Fields(part)
		if i%2 == 1 { // inside quotes
			words = []string{part}
		}
		for _, w := range words {
			if len(terms) == maxTerms || !strings.ContainsFunc(w, isWord) {
				continue
			}
			var b strings.Builder
			b.WriteByte('"')
			writePairs(&b, w, true)
			b.WriteByte('"')
			if i%2 == 0 || endsInSingle(w) {
				b.WriteByte('*')
			}
			terms = append(terms, b.String())
		}
	}
	return strings.Join(terms, " ")
}

// isWord reports what unicode61 makes tokens of.
func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// endsInSingle reports whether a word ends in one CJK character alone, which
// can only be found as the beginning of a pair.
func endsInSingle(w string) bool {
	runes := []rune(w)
	n := len(runes)
	return n > 0 && isCJK(runes[n-1]) && (n == 1 || !isCJK(runes[n-2]))
}
