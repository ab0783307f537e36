package mail

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// Parse reads a raw mail. It never fails on its bytes: whatever they are, the
// Message says what a person would read in them, and names in Problems what
// was wrong. The error is the reader's own, and then the Message holds what
// was read before it. A mail of any size is read in bounded memory.
func Parse(r io.Reader) (*Message, error) {
	w := newWalker(r)
	root, _ := w.entity(true, 0, "")
	for !w.in.eof {
		w.skip() // a reader's error at the very end still counts
	}
	m := w.message(root)
	if w.in.err != nil {
		return m, fmt.Errorf("reading the mail: %w", w.in.err)
	}
	return m, nil
}

// copyPart is CopyPart for a part of the MIME tree.
func copyPart(dst io.Writer, r io.Reader, part int) error {
	if part >= subPart {
		return copyContained(dst, r, part)
	}
	w := newWalker(r)
	w.copyTo, w.copyPart = dst, part
	w.entity(true, 0, "")
	switch {
	case w.copyErr != nil:
		return fmt.Errorf("writing part %d: %w", part, w.copyErr)
	case w.in.err != nil:
		return fmt.Errorf("reading the mail: %w", w.in.err)
	case !w.copied:
		return fmt.Errorf("copying part %d: %w", part, errNoPart)
	}
	return nil
}

// message puts together what the walk has found.
func (w *walker) message(root *node) *Message {
	m := &Message{To: []Address{}, Cc: []Address{}, ReplyTo: []Address{}, InReplyTo: []string{}, References: []string{}}
	h := root.header
	w.headers(m, h)
	w.texts(m, root)
	m.Attachments = w.files
	w.hashes(m, h)
	w.judge(m, root)
	m.Problems = w.problems
	if m.Attachments == nil {
		m.Attachments = []Attachment{}
	}
	if m.Problems == nil {
		m.Problems = []string{}
	}
	return m
}

// headers fills what the mail's own header says.
func (w *walker) headers(m *Message, h header) {
	m.Subject = w.subject(h)
	m.From = w.from(h)
	m.FromUnsure = !w.sureFrom(h, m.From)
	m.To = w.addresses(h, "To")
	m.Cc = w.addresses(h, "Cc")
	m.ReplyTo = w.addresses(h, "Reply-To")
	m.InReplyTo = orEmpty(parseMessageIDs(h.get("In-Reply-To")))
	m.References = orEmpty(parseMessageIDs(h.get("References")))
	m.MessageID = messageID(h.first("Message-ID"))
	switch date := h.first("Date"); {
	case date == "":
		w.problem(ProblemNoDate)
	default:
		var ok bool
		if m.Date, ok = parseDate(date); !ok {
			w.problem(ProblemBadDate)
			m.Date = time.Time{}
		}
	}
	if path, ok := returnPath(h); ok {
		m.ReturnPath = path
	}
	m.Loop = validUTF8(h.all("X-Helpdesk-Loop"))
	m.AuthResults = validUTF8(h.all("Authentication-Results"))
	m.Spam = isSpam(h)
	for _, name := range [...]string{"Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"} {
		for _, v := range h.all(name) {
			if a := cleanAddress(v, ""); strings.Contains(a, "@") && len(m.DeliveredTo) < maxDelivered {
				m.DeliveredTo = append(m.DeliveredTo, a)
			}
		}
	}
}

// maxDelivered bounds Message.DeliveredTo; a mail that is passed on has a few.
const maxDelivered = 20

// validUTF8 makes values that may hold any bytes valid UTF-8.
func validUTF8(list []string) []string {
	for i := range list {
		list[i] = strings.ToValidUTF8(list[i], "\uFFFD")
	}
	return list
}

// subject decodes the Subject to one line.
func (w *walker) subject(h header) string {
	s := decodeWords(h.first("Subject"), w.fallback)
	return strings.TrimSpace(strings.Map(printable, s))
}

// from is the first author who has an address; Sender stands in for none.
func (w *walker) from(h header) Address {
	fields := h.all("From")
	if len(fields) > 1 {
		w.problem(ProblemManyFrom)
	}
	var best Address
	for _, name := range [...]string{"From", "Sender", "Resent-From", "X-Original-From"} {
		for _, v := range h.all(name) {
			list, _ := parseAddresses(v, w.fallback)
			for _, a := range list {
				if strings.Contains(a.Address, "@") {
					return a
				}
				if best == (Address{}) {
					best = a
				}
			}
		}
		if name == "From" && best == (Address{}) {
			w.problem(ProblemNoFrom)
		}
		if best != (Address{}) {
			return best
		}
	}
	return best
}

// sureFrom says whether every program reads the same author in a mail: there
// is one From field (RFC 5322 section 3.6), and beside quoted strings and
// comments it holds nothing that could be another address. The server that
// checked DMARC may else have checked somebody else's (RFC 7489 section 6.6.1).
func (w *walker) sureFrom(h header, a Address) bool {
	fields := h.all("From")
	if len(fields) != 1 || !strings.Contains(a.Address, "@") {
		return false
	}
	v := rawText(fields[0], w.fallback)
	var bare strings.Builder
	for i := 0; i < len(v); {
		switch {
		case v[i] == '"':
			_, end, ok := quoted(v, i)
			if !ok {
				return false
			}
			if end < len(v) && v[end] == '@' {
				bare.WriteString(v[i:end]) // a quoted local part
			}
			i = end
		case v[i] == '(':
			_, end, closed := addressComment(v, i)
			if !closed {
				return false
			}
			i = end
		default:
			bare.WriteByte(v[i])
			i++
		}
	}
	s := strings.TrimSpace(bare.String())
	if strings.HasSuffix(s, ">") {
		name, rest, _ := strings.Cut(s, "<")
		for _, word := range strings.Fields(name) {
			encoded := strings.HasPrefix(word, "=?") && strings.HasSuffix(word, "?=")
			if !encoded && strings.ContainsAny(word, "@,;:>") {
				return false
			}
		}
		s = strings.TrimSpace(strings.TrimSuffix(rest, ">"))
	}
	return s == a.Address
}

// addresses joins all fields of that name.
func (w *walker) addresses(h header, name string) []Address {
	out := []Address{}
	for i := range h {
		if !strings.EqualFold(h[i].name, name) {
			continue
		}
		list, more := parseAddresses(unfold(h[i].value), w.fallback)
		out = append(out, list...)
		if more || len(out) > maxAddresses {
			w.problem(ProblemTooManyAddresses)
			out = out[:min(len(out), maxAddresses)]
		}
	}
	return out
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// returnPath reads the topmost Return-Path; the null path is "<>".
func returnPath(h header) (string, bool) {
	if !h.has("Return-Path") {
		return "", false
	}
	v := strings.TrimSpace(h.get("Return-Path"))
	if v == "<>" || v == "" {
		return "<>", true
	}
	return cleanAddress(v, ""), true
}

// isSpam reads the marks of SpamAssassin, rspamd, Microsoft and others.
func isSpam(h header) bool {
	for _, name := range [...]string{"X-Spam-Flag", "X-Spam", "X-Spam-Status"} {
		if v := strings.ToLower(h.get(name)); strings.HasPrefix(v, "yes") || v == "true" || v == "spam" {
			return true
		}
	}
	if v := h.get("X-MS-Exchange-Organization-SCL"); len(v) == 1 && v[0] >= '5' && v[0] <= '9' {
		return true
	}
	return strings.Contains(h.get("X-Forefront-Antispam-Report"), "SFV:SPM")
}

// hashes fills the fingerprints, and the identifier of a mail that has none.
func (w *walker) hashes(m *Message, h header) {
	four := appendFour(w.scratch[:0], h)
	m.HeaderHash = half(four)
	n := len(four)
	four = w.body.Sum(four)
	m.Fingerprint = half(four[:n+16])
	if m.MessageID == "" {
		w.problem(ProblemNoMessageID)
		m.Generated = true
		m.MessageID = hex.EncodeToString(m.Fingerprint[:]) + "@generated.invalid"
	}
}
