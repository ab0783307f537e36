package mail

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the most text that is derived from one mail, in bytes. The raw
// mail keeps all of it.
const maxText = 2 << 20

// texts fills Text and Reply from the parts that are to be read.
func (w *walker) texts(m *Message, root *node) {
	var t textBuilder
	t.w = w
	t.add(root)
	if len(t.pieces) == 0 {
		t.shown(root)
	}
	m.Text = t.join()
	if line := calendarLine(root, m.Text); line != "" {
		m.Text = strings.TrimRight(line+"\n\n"+m.Text, "\n")
	}
	if len(m.Text) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(m.Text[cut]) {
			cut--
		}
		m.Text = m.Text[:cut]
		w.problem(ProblemTextTooLong)
	}
}

// piece is the text of one part.
type textPiece struct {
	text string
	html bool
}

// textBuilder gathers the text of a tree in its order.
type textBuilder struct {
	w      *walker
	pieces []textPiece
}

func (t *textBuilder) add(n *node) {
	switch n.kind {
	case kindPlain:
		text := t.w.plainText(n)
		if isHTMLText(text) {
			t.put(htmlText(text), true)
			return
		}
		t.put(text, false)
	case kindHTML:
		t.put(t.w.htmlOf(n), true)
	case kindMixed, kindRelated:
		for _, kid := range n.kids {
			t.add(kid)
		}
	case kindAlternative:
		t.alternative(n)
	}
}

// shown takes, where a mail has no text of its own, what a mail program shows
// below it: named texts that are not marked as attachments, and attached mails.
func (t *textBuilder) shown(n *node) {
	switch {
	case n.kind == kindShown && (strings.Contains(n.typ, "html") || looksHTML(n.data)):
		t.put(t.w.htmlOf(n), true)
	case n.kind == kindShown:
		t.put(t.w.plainText(n), false)
	case n.kind == kindMail && t.w.nested < maxNested:
		t.put(t.w.attachedText(n.data), false)
	}
	for _, kid := range n.kids {
		t.shown(kid)
	}
}

// calendarLine is the line of the first invitation in the mail.
func calendarLine(n *node, text string) string {
	if n.kind == kindReport && n.typ == "text/calendar" {
		return invitation(n.data, text)
	}
	for _, kid := range n.kids {
		if line := calendarLine(kid, text); line != "" {
			return line
		}
	}
	return ""
}

// maxNested is how deep attached mails are opened for their text.
const maxNested = 4

// attachedText is an attached mail as its few header lines and its text.
func (w *walker) attachedText(data []byte) string {
	inner := newWalker(bytes.NewReader(data))
	inner.nested = w.nested + 1
	root, _ := inner.entity(true, 0, "")
	m := &Message{}
	inner.headers(m, root.header)
	inner.texts(m, root)
	if m.Text == "" {
		return ""
	}
	var b strings.Builder
	for _, name := range [...]string{"From", "Date", "To", "Subject"} {
		if v := root.header.first(name); v != "" {
			b.WriteString(name + ": " + strings.Map(printable, decodeWords(v, inner.fallback)) + "\n")
		}
	}
	return b.String() + "\n" + m.Text
}

func (t *textBuilder) put(text string, html bool) {
	if strings.TrimSpace(text) != "" {
		t.pieces = append(t.pieces, textPiece{text, html})
	}
}

// alternative takes the best of several forms of one text: plain where it says
// anything, else what the last readable form says (RFC 2046 section 5.1.4).
func (t *textBuilder) alternative(n *node) {
	for _, plain := range [...]bool{true, false} {
		var best *textBuilder
		for _, kid := range n.kids {
			if hasPlain(kid) != plain || !readable(kid) || plain && best != nil {
				continue
			}
			sub := &textBuilder{w: t.w}
			if sub.add(kid); len(sub.pieces) > 0 {
				best = sub
			}
		}
		if best != nil {
			t.pieces = append(t.pieces, best.pieces...)
			return
		}
	}
}

// readable says whether there is any text below.
func readable(n *node) bool {
	if n.kind == kindPlain || n.kind == kindHTML {
		return true
	}
	for _, kid := range n.kids {
		if readable(kid) {
			return true
		}
	}
	return false
}

func hasPlain(n *node) bool {
	if n.kind == kindPlain {
		return true
	}
	for _, kid := range n.kids {
		if hasPlain(kid) {
			return true
		}
	}
	return false
}

// join puts the pieces one below the other. An HTML piece that repeats the
// plain text before it is left out: some programs put both into one mixed.
func (t *textBuilder) join() string {
	switch len(t.pieces) {
	case 0:
		return ""
	case 1:
		return tidy(t.pieces[0].text)
	}
	var b strings.Builder
	prev := textPiece{}
	for _, p := range t.pieces {
		if p.html && !prev.html && prev.text != "" && (sameLetters(p.text, prev.text) || sameWords(prev.text, p.text)) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(tidy(p.text))
		prev = p
		if b.Len() > maxText {
			break
		}
	}
	return b.String()
}

// sameWords says whether two texts are forms of one: most words of each are
// words of the other. HTML has links and words for pictures beside it.
func sameWords(plain, converted string) bool {
	a, b := wordSet(plain), wordSet(converted)
	common := 0
	for w := range a {
		if b[w] {
			common++
		}
	}
	return common*5 >= len(a)*3 && common*2 >= len(b)
}

func wordSet(s string) map[string]bool {
	set := make(map[string]bool)
	for _, w := range strings.FieldsFunc(strings.ToLower(s[:min(len(s), sampleSize)]), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		set[w] = true
	}
	return set
}

// sameLetters compares two texts by their letters and digits alone.
func sameLetters(a, b string) bool {
	next := func(s string) (rune, string) {
		for i, r := range s {
			if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= 0x80 && r != 0xa0 {
				return r, s[i+utf8.RuneLen(r):]
			}
		}
		return 0, ""
	}
	for {
		var x, y rune
		x, a = next(a)
		y, b = next(b)
		if x != y {
			return false
		}
		if x == 0 {
			return true
		}
	}
}

// plainText decodes a plain part.
func (w *walker) plainText(n *node) string {
	text, problem := decodeCharset(n.charset, n.data)
	if problem != "" {
		w.problem(problem)
	}
	text = cleanText(text)
	if strings.Contains(text, "-----BEGIN PGP ") {
		text = w.unarmour(text)
	}
	if n.flowed {
		text = unflow(text, n.delSp)
	}
	if n.typ == "text/enriched" || n.typ == "text/richtext" {
		text = enrichedText(text)
	}
	return text
}

// htmlOf decodes an HTML part and converts it.
func (w *walker) htmlOf(n *node) string {
	label := n.charset
	if canonical(label) == "" {
		label = metaCharset(n.data)
	}
	text, problem := decodeCharset(label, n.data)
	if problem != "" {
		w.problem(problem)
	}
	if !strings.Contains(text, "<") && !strings.Contains(text, "&") {
		return cleanText(text) // plain text with a wrong label
	}
	return htmlText(cleanText(text))
}

// metaCharset finds the charset that an HTML text names for itself.
func metaCharset(b []byte) string {
	head := bytes.ToLower(b[:min(len(b), 2048)])
	i := bytes.Index(head, []byte("charset="))
	if i < 0 {
		return ""
	}
	rest := head[i+8:]
	rest = bytes.TrimLeft(rest, "\"' ")
	end := bytes.IndexAny(rest, "\"' ;/>\r\n")
	if end < 0 {
		return ""
	}
	return string(rest[:end])
}
