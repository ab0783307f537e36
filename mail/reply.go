package mail

import (
	"strings"
	"unicode/utf8"
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
	return r.assemble(end)
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
	if len(s) < 6 || (isLetter(s[0]) || s[0] >= 0x80) && !strings.HasSuffix(s, ":") && !strings.HasSuffix(s, "：") && !strings.HasPrefix(s, "─") && !strings.HasPrefix(s, "—") && !strings.HasPrefix(s, "【") {
		return markNone // neither framed by signs nor ended by a colon
	}
	bare := strings.Trim(s, "-_=*~# \t\u00a0>【】[]<:：.|─—–")
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
	if strings.HasPrefix(s, "--") || strings.HasPrefix(s, "__") || strings.HasPrefix(s, "==") || strings.HasPrefix(s, "**") || strings.HasPrefix(s, "##") || strings.HasPrefix(s, "──") || strings.HasPrefix(s, "- -") {
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

// headerBlock is the lines From, Sent, To, Subject above a quoted mail.
type headerBlock struct {
	value [roleOther + 1]string
	end   int // first line behind it
	lines int
}

func (b *headerBlock) roles() int {
	n := 0
	for role := roleFrom; role <= roleSubject; role++ {
		if b.value[role] != "" {
			n++
		}
	}
	return n
}

// holds says whether the lines are a header block and not a form: sender and
// date, or sender and two others; with a rule above, two are enough.
func (b headerBlock) holds(ruled bool) bool {
	n := b.roles()
	from := b.value[roleFrom] != ""
	switch {
	case from && n >= 3:
		return true
	case from && b.value[roleDate] != "" && (ruled || strings.Contains(b.value[roleFrom], "@") && hasTime(b.value[roleDate])):
		return true
	case from && n >= 2 && ruled:
		return true
	case !from && n >= 3 && b.value[roleDate] != "" && b.value[roleSubject] != "" && ruled:
		return true
	}
	return false
}

// ruled says whether a line of dashes or the like stands right above.
func (r *replyReader) ruled(i int) bool {
	j := i - 1
	for j >= 0 && r.blank(j) && i-j < 3 {
		j--
	}
	return j >= 0 && isRule(r.lines[j])
}

// isRule knows a line drawn with dashes, underscores or equal signs.
func isRule(line string) bool {
	s := strings.Trim(line, " \t\u00a0*")
	return len(s) >= 4 && strings.Trim(s, "-_=─━—–") == ""
}

// aboveRule moves the cut at i above the line that is drawn over it.
func (r *replyReader) aboveRule(i int) int {
	j := i - 1
	for j >= 0 && r.blank(j) {
		j--
	}
	if j >= 0 && isRule(r.lines[j]) {
		return j
	}
	return i
}

// headerBlock reads the block that may begin at line i.
func (r *replyReader) headerBlock(i int) headerBlock {
	b := headerBlock{end: i}
	loose, blanks := 0, 0
	for j := i; j < len(r.lines) && j < i+24; j++ {
		if r.blank(j) {
			if blanks++; blanks > 1 || b.lines == 0 {
				break
			}
			continue
		}
		role, value := blockLine(r.lines[j])
		if role == roleNone {
			// A long list of addresses goes on in the next lines.
			if blanks > 0 || b.lines == 0 || loose >= 6 || len(r.lines[j]) > 400 || r.quoted[j] {
				break
			}
			loose++
			if b.value[roleSubject] != "" && b.roles() >= 3 && loose > 2 {
				break
			}
			continue
		}
		if role != roleOther && b.value[role] != "" && role != roleCc {
			break // a second From: another block
		}
		if value == "" {
			value = " "
		}
		if b.value[role] == "" {
			b.value[role] = value
		}
		loose, blanks = 0, 0
		b.lines++
		b.end = j + 1
	}
	return b
}

// blockLine reads "Key: value" where the key is one of a header block.
func blockLine(line string) (role int, value string) {
	line = strings.TrimLeft(line, " \t\u00a0*_|・■")
	i := strings.IndexByte(line, ':')
	wide := strings.Index(line, "：")
	size := 1
	if wide >= 0 && (i < 0 || wide < i) {
		i, size = wide, len("：")
	}
	if i <= 0 || i > 40 {
		return roleNone, ""
	}
	key := strings.ToLower(strings.Trim(line[:i], " \t\u00a0\u202f\u3000*_[]【】"))
	if strings.Contains(key, "\u3000") || strings.Contains(key, " ") {
		if spaced := strings.NewReplacer("\u3000", "", " ", "").Replace(key); key[0] >= 0x80 && blockKeys[spaced] != roleNone {
			key = spaced // 件　名
		}
	}
	role = blockKeys[key]
	if role == roleNone {
		return roleNone, ""
	}
	return role, strings.Trim(line[i+size:], " \t\u00a0\u3000*")
}

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
	if !colon && (len(last) > 12 && strings.IndexAny(last, "@0123456789") < 0 || !endsWrote(last)) {
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
		return startsLikeAttribution(text)
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

func (r *replyReader) emptyBefore(end int) bool {
	for i := 0; i < end; i++ {
		if !r.blank(i) && !isRule(r.lines[i]) {
			return false
		}
	}
	return true
}
