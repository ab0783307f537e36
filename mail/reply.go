package mail

import (
	"strings"
)

// The reply part is what the writer of a mail added: the text without the
// quoted mail and without signature. In doubt text is kept.

// replyReader is a text as its lines, with what is known of each.
type replyReader struct {
	text   string
	lines  []string
	quoted []bool // begins with a quote mark
	intro  []bool // an attribution line
	drop   []bool // signature
}

// maxReplyLines bounds the look at single lines; a longer text is its own reply.
const maxReplyLines = 100_000

// newReplyReader splits a text into its lines; nil when they are too many.
func newReplyReader(text string) *replyReader {
	n := strings.Count(text, "\n") + 1
	if text == "" || n > maxReplyLines {
		return nil
	}
	marks := make([]bool, 3*n)
	r := &replyReader{text: text, lines: strings.Split(text, "\n"), quoted: marks[:n:n], intro: marks[n : 2*n : 2*n], drop: marks[2*n:]}
	r.markQuoted()
	return r
}

// replyPart returns what the writer of text added. answers says that the mail
// answers another one.
func replyPart(text string, answers bool) string {
	r := newReplyReader(text)
	if r == nil {
		return text
	}
	return r.reply(answers)
}

func (r *replyReader) reply(answers bool) string {
	end, certain := r.cut()
	if answers && end == len(r.lines) {
		end = r.belowMobile()
	}
	if !certain && r.emptyBefore(end) {
		end = len(r.lines) // nothing above it: perhaps a form, and not a quoted mail
	}
	reply := r.assemble(end)
	if reply == "" && end == len(r.lines) && !r.anyQuoted(0) {
		return r.text // nothing but what looks like a signature
	}
	return reply
}

// markQuoted finds the lines that begin with a quote mark.
func (r *replyReader) markQuoted() {
	for i, l := range r.lines {
		l = strings.TrimLeft(l, " \t\u00a0")
		switch {
		case l == "":
		case l[0] == '>':
			r.quoted[i] = !strings.HasPrefix(l, ">From ") && !(i > 0 && !r.quoted[i-1] && closesAddress(r.lines[i-1], l))
		case strings.HasPrefix(l, "＞") || strings.HasPrefix(l, "》"):
			r.quoted[i] = true
		}
	}
	for i, l := range r.lines { // mbox writes >From for From: among quotes it is one
		if strings.HasPrefix(l, ">From ") && (i > 0 && r.quoted[i-1] || i+1 < len(r.lines) && r.quoted[i+1]) {
			r.quoted[i] = true
		}
	}
}

// closesAddress says whether a line is the end of an attribution that was
// broken inside an address: "skrev Test <test@example.com" and ">:".
func closesAddress(before, line string) bool {
	open := strings.LastIndexByte(before, '<')
	return open >= 0 && strings.IndexByte(before[open:], '>') < 0 && strings.IndexByte(before[open:], '@') > 0 && strings.HasSuffix(strings.TrimRight(line, " \t"), ":")
}

func (r *replyReader) blank(i int) bool {
	return strings.Trim(r.lines[i], " \t\u00a0\u3000\u200b") == ""
}

// next returns the first line from i on that is not empty, or len.
func (r *replyReader) next(i int) int {
	for i < len(r.lines) && r.blank(i) {
		i++
	}
	return i
}

// cut returns the line from which on the mail is quoted without marks, or the
// number of lines. On the way it marks the attribution lines above quotes.
// certain is false when the cut rests on a header block or an attribution alone.
func (r *replyReader) cut() (end int, certain bool) {
	for i := 0; i < len(r.lines); i++ {
		if r.quoted[i] || r.blank(i) {
			continue
		}
		if kind := markLine(r.lines[i]); kind != markNone && r.markHolds(i, kind) {
			return i, true
		}
		if b := r.headerBlock(i); b.holds(r.ruled(i)) {
			return r.aboveRule(i), false
		}
		first, n, strong := r.attribution(i)
		if n == 0 {
			continue
		}
		after := r.next(first + n)
		if after < len(r.lines) && r.quoted[after] {
			for j := first; j < after; j++ {
				r.intro[j] = true
			}
			i = after - 1
			continue
		}
		if strong && after < len(r.lines) {
			return first, false
		}
	}
	return len(r.lines), true
}

// Kinds of lines that stand above a quoted or passed on mail.
const (
	markNone = iota
	markOriginal
	markForward
)

// markLine knows "-----Original Message-----" and its like.
func markLine(line string) int {
	if len(line) > 200 || len(line) < 6 {
		return markNone
	}
	s := strings.TrimSpace(line)
	if len(s) < 6 || (isLetter(s[0]) || s[0] >= 0x80) && !strings.HasSuffix(s, ":") && !strings.HasSuffix(s, "：") && !strings.HasPrefix(s, "─") && !strings.HasPrefix(s, "—") && !strings.HasPrefix(s, "【") && !strings.HasPrefix(s, "‐") && !strings.HasPrefix(s, "–") && !strings.HasPrefix(s, "－") && !strings.HasPrefix(s, "━") {
		return markNone // neither framed by signs nor ended by a colon
	}
	bare := strings.Trim(s, "-_=*~# \t\u00a0>【】[]<:：.|─—–‐－━")
	if bare == "" || len(bare) > 120 {
		return markNone
	}
	framed := len(s)-len(bare) >= 2 && !isLetter(s[0])
	low := strings.ToLower(bare)
	if framed && (strings.HasSuffix(low, "above this line") || low == "original") {
		return markOriginal
	}
	for _, m := range originalMarks {
		if low == m && (framed || m == "original message") {
			return markOriginal
		}
	}
	for _, m := range forwardMarks {
		if low == m || framed && strings.HasPrefix(low, m) {
			return markForward
		}
	}
	return markNone
}

// markHolds asks more of a mark without dashes: a header block behind it.
func (r *replyReader) markHolds(i, kind int) bool {
	s := strings.TrimSpace(r.lines[i])
	if strings.HasPrefix(s, "--") || strings.HasPrefix(s, "__") || strings.HasPrefix(s, "==") || strings.HasPrefix(s, "**") || strings.HasPrefix(s, "##") || strings.HasPrefix(s, "──") || strings.HasPrefix(s, "‐‐") || strings.HasPrefix(s, "––") || strings.HasPrefix(s, "－－") || strings.HasPrefix(s, "━━") || strings.HasPrefix(s, "- -") {
		return true
	}
	after := r.next(i + 1)
	if after >= len(r.lines) {
		return false
	}
	if kind == markForward && (r.quoted[after] || strings.HasSuffix(s, ":")) {
		return true
	}
	b := r.headerBlock(after)
	return b.roles() >= 2
}

func (r *replyReader) emptyBefore(end int) bool {
	for i := 0; i < end; i++ {
		if !r.blank(i) && !isRule(r.lines[i]) {
			return false
		}
	}
	return true
}
