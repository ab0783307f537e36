package desk

import (
	"unicode"

	"helpdesk/mail"
)

// languageOf is the language that a mail is written in, by its letters: "ja",
// "en", or "" for another or too little to tell. A Japanese mail has kana, save
// where it is a few words; a long one in Chinese characters alone is Chinese.
// "en" stands for all languages of Latin letters: who writes one of them reads
// English rather than Japanese.
func languageOf(m *mail.Message) string {
	const enough = 4000 // letters: quoted mail and signatures come behind them
	kana, han, latin, other := 0, 0, 0, 0
	for _, text := range []string{m.Subject, m.Reply} {
		n := 0
		for _, r := range text {
			if !unicode.IsLetter(r) {
				continue
			}
			if n++; n > enough {
				break
			}
			switch {
			case unicode.In(r, unicode.Hiragana, unicode.Katakana):
				kana++
			case unicode.Is(unicode.Han, r):
				han++
			case unicode.Is(unicode.Latin, r):
				latin++
			default:
				other++
			}
		}
	}
	const word = 3 // Latin letters that say as much as one of the others: names, addresses and product names stand in Japanese text
	switch {
	case kana == 0 && han > 20, other > latin && other > kana+han:
		return ""
	case (kana+han)*word > latin && kana+han > 0:
		return "ja"
	case latin >= 2 && latin > other:
		return "en"
	}
	return ""
}
