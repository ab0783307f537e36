package diagnose

import (
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// fold brings text into the form in which the rules compare it: lower case,
// one width, no accents (servers write "boite" and "boîte"), plain quotation
// marks and single spaces.
func fold(s string) string {
	return strings.Join(strings.Fields(bare(strings.ToLower(s))), " ")
}

// bare takes off accents and widths.
func bare(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 0x300 && r <= 0x36f { // combining accents; those of kana and Hangul lie elsewhere and are joined again below
			return -1
		}
		return r
	}, norm.NFKD.String(s))
	return letters.Replace(norm.NFC.String(s))
}

// evident is what of a text is looked at, folded. .NET puts two guesses of its
// own before the server's words.
func evident(s string) string {
	s = fold(clip(s))
	if _, words, found := strings.Cut(s, "the server response was: "); found {
		return words
	}
	return s
}

// letters have no accent to take off in Unicode, but people leave it off.
var letters = strings.NewReplacer(
	"ß", "ss", "ø", "o", "ł", "l", "đ", "d", "æ", "ae", "œ", "oe", "ı", "i",
	"‘", "'", "’", "'", "´", "'", "`", "'", "“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`,
)

// What is in a server's words but does not mean anything: a host called
// spam.example.com, a link, the codes that begin each line of a long reply.
var (
	linkOrAddress = regexp.MustCompile(`https?://\S+|[^\s<>:;,()\[\]"']+@[^\s<>:;,()\[\]"']*|\b[a-z0-9_-]+(?:\.[a-z0-9_-]+){2,}\b`)
	ipAddress     = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	replyCodes    = regexp.MustCompile(`(?:^|\s)[2-5]\d\d-|(?:^|\s)[2-5]\d\d[- ]#?[245]\.\d{1,3}\.\d{1,3}\b|^[2-5]\d\d\b|#?\b[245]\.\d{1,3}\.\d{1,3}\b`)
)

// wordsOf is folded text without links, addresses and codes, and with "ip
// address" for one: what word families are looked for in.
func wordsOf(folded string) string {
	s := replyCodes.ReplaceAllString(folded, " ")
	s = linkOrAddress.ReplaceAllString(ipAddress.ReplaceAllString(s, " ip address "), " ")
	return strings.Join(strings.Fields(s), " ")
}
