package mail

import (
	"bytes"
	"strings"
)

// judge fills what follows from the whole mail: what bounced, whether a
// program wrote it, what was forwarded, and the reply part.
func (w *walker) judge(m *Message, root *node) {
	h := root.header
	m.List = isList(h)
	reports := reportParts(root, nil)
	m.Bounce = bounceOf(m, h, reports)
	switch {
	case m.Bounce != nil:
		m.Automatic = BounceMail
	default:
		m.Automatic = automatic(m, h, reports)
	}
	m.Reply = m.Text
	r := newReplyReader(m.Text)
	if m.Bounce == nil {
		m.Forwarded = forwarded(m, r, reports)
	}
	if r != nil {
		m.Reply = r.reply(len(m.InReplyTo) > 0 || len(m.References) > 0)
	}
	if m.Reply == "" && m.Forwarded != nil {
		m.Reply = m.Text // passed on without a word: what is passed on is what they have to say
	}
}

// reportParts gathers the parts that a report is made of: statuses, and mails
// or headers that are attached.
func reportParts(n *node, out []*node) []*node {
	if n.kind == kindReport || n.kind == kindMail {
		out = append(out, n)
	}
	for _, kid := range n.kids {
		out = reportParts(kid, out)
	}
	return out
}

// blockHeader reads the header block that a text begins with: of an attached
// mail, of text/rfc822-headers, of a delivery status group.
func blockHeader(data []byte) header {
	w := walker{in: newLines(bytes.NewReader(data[:min(len(data), windowSize)]))}
	h, _, _ := w.readHeader(true)
	return h
}

// attachedSubject is the subject of the mail that an attached one begins with.
func attachedSubject(data []byte) string {
	return strings.TrimSpace(strings.Map(printable, decodeWords(blockHeader(data).get("Subject"), "")))
}
