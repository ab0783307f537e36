package mail

import (
	"strings"
	"unicode/utf8"
)

// The lines "On … wrote:" above a quoted mail.

// What stands behind the last word of an attribution, without and with its colon.
const (
	trailing      = " \t\u00a0\u202f-*"
	trailingColon = trailing + ":："
)

// attribution looks for "On … wrote:" that ends at line i, up to four lines
// long. strong says that it is one also without quoted lines behind it.
func (r *replyReader) attribution(i int) (first, n int, strong bool) {
	last := strings.TrimRight(r.lines[i], trailing)
	last = strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(last, "&gt;"), "<"), " ")
	colon := strings.HasSuffix(last, ":") || strings.HasSuffix(last, "：")
	if !colon && strings.HasSuffix(last, ">") && isDigit(last[0]) && len(last) < 200 && strings.Contains(last, "@") && hasDay(last) {
		return i, 1, false // 2011/7/1 Anna <a@example.com>
	}
	if !colon && (len(last) > 12 && !strings.ContainsAny(last, "@0123456789") || !endsWrote(last)) {
		return 0, 0, false
	}
	text := ""
	for first = i; first >= 0 && first > i-4; first-- {
		if r.quoted[first] || r.blank(first) || r.intro[first] {
			break
		}
		text = strings.TrimSpace(r.lines[first]) + " " + text
		if len(text) > 600 {
			break
		}
		if isAttribution(text, colon) {
			return first, i - first + 1, true
		}
	}
	// A weak one, to be believed above quoted lines only.
	body := strings.ToLower(strings.TrimSpace(r.lines[i]))
	if len(body) < 160 && endsWrote(strings.TrimRight(body, trailingColon)) {
		first = i
		for first > 0 && i-first < 2 && !r.blank(first-1) && !r.quoted[first-1] && len(body) < 24 {
			first--
		}
		return first, i - first + 1, false
	}
	if colon && len(body) < 200 && strings.Contains(body, "@") && startsLikeAttribution(body) {
		return i, 1, false // Quoting Anna <a@example.com>:
	}
	return 0, 0, false
}

// endsWrote says whether a line ends with the verb of an attribution.
func endsWrote(s string) bool {
	s = strings.TrimRight(s, trailingColon)
	if len(s) > 40 {
		cut := len(s) - 40
		for cut < len(s) && !utf8.RuneStart(s[cut]) {
			cut++
		}
		s = s[cut:]
	}
	if s = strings.ToLower(s); s == "" {
		return false
	}
	for _, w := range wroteByEnd[s[len(s)-1]] {
		if !strings.HasSuffix(s, w) {
			continue
		}
		before := s[:len(s)-len(w)]
		if before == "" || w[0] >= 0x80 {
			return true
		}
		if r, _ := utf8.DecodeLastRuneInString(before); r == ' ' || r == '>' || r == ')' || r == '"' || r == ',' || r == '\u00a0' || r == '\'' || r == ']' {
			return true
		}
	}
	return false
}

// isAttribution judges joined lines: a date, and a verb at the end or a sender's
// address with a verb or the colon behind it.
func isAttribution(text string, colon bool) bool {
	if !hasTime(text) && !hasDay(text) {
		return false
	}
	trimmed := strings.TrimRight(text, trailingColon+"<")
	if endsWrote(trimmed) {
		return startsLikeAttribution(text) && !isOwn(text)
	}
	if !colon {
		return false
	}
	at := strings.IndexByte(text, '@')
	if at < 0 {
		return hasWrote(text) && startsLikeAttribution(text) && len(text) < 200
	}
	return strings.HasSuffix(trimmed, ">") || strings.HasSuffix(trimmed, ")") || strings.HasSuffix(trimmed, "]") || hasWrote(text)
}

// isOwn finds the writer telling of a mail of their own: "On 5 May I wrote:".
func isOwn(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, " i wrote") || strings.Contains(lower, "schrieb ich") || strings.Contains(lower, "ich geschrieben") || strings.Contains(lower, "j'ai écrit") || strings.Contains(lower, " we wrote") || strings.Contains(lower, "я написал") || strings.Contains(lower, "я писал")
}

// startsLikeAttribution keeps sentences such as "I saw what he wrote:" out: an
// attribution begins with a capital, a digit, a weekday or a sign.
func startsLikeAttribution(text string) bool {
	lower := strings.ToLower(strings.TrimLeft(text, " \t-*>\"'"))
	for _, p := range [...]string{"i ", "we ", "he ", "she ", "you ", "as ", "here ", "this ", "that ", "the ", "what ", "ich ", "wir ", "je ", "nous "} {
		if strings.HasPrefix(lower, p) {
			return false
		}
	}
	return true
}

func hasWrote(text string) bool {
	lower := " " + strings.ToLower(text)
	for _, w := range wroteWords {
		if i := strings.Index(lower, w); i > 0 && (w[0] >= 0x80 || lower[i-1] == ' ') {
			return true
		}
	}
	return false
}

// hasTime finds a clock time.
func hasTime(s string) bool {
	for i := 1; i+2 < len(s); i++ {
		if (s[i] == ':' || s[i] == '.' || s[i] == 'h') && isDigit(s[i-1]) && isDigit(s[i+1]) && isDigit(s[i+2]) {
			return true
		}
	}
	return strings.Contains(s, "時") || strings.Contains(s, "시 ")
}

// hasDay finds a year, or numbers parted by slashes, dots or dashes.
func hasDay(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			continue
		}
		v, end := digits(s, i)
		if end-i == 4 && v >= 1970 && v < 2100 {
			return true
		}
		if end-i <= 2 && end+1 < len(s) && (s[end] == '/' || s[end] == '.' || s[end] == '-') && isDigit(s[end+1]) {
			return true
		}
		i = end
	}
	return false
}
