package mail

import (
	"bytes"
	"strings"
)

// maxHeader is the most that is kept of one header block, in bytes. Mails in
// use stay below 100 kB; what comes behind is skipped and named as a problem.
const maxHeader = 1 << 20

// field is one header field; its value is as it stood, folded.
type field struct{ name, value string }

// header is a header block in its order.
type header []field

// get returns the first field of that name, unfolded and trimmed.
func (h header) get(name string) string {
	for i := range h {
		if strings.EqualFold(h[i].name, name) {
			return unfold(h[i].value)
		}
	}
	return ""
}

// first returns the first field of that name which is not empty.
func (h header) first(name string) string {
	for i := range h {
		if strings.EqualFold(h[i].name, name) {
			if v := unfold(h[i].value); v != "" {
				return v
			}
		}
	}
	return ""
}

// has says whether there is a field of that name, even an empty one.
func (h header) has(name string) bool {
	for i := range h {
		if strings.EqualFold(h[i].name, name) {
			return true
		}
	}
	return false
}

// all returns the values of all fields of that name, unfolded.
func (h header) all(name string) []string {
	var out []string
	for i := range h {
		if strings.EqualFold(h[i].name, name) {
			out = append(out, unfold(h[i].value))
		}
	}
	return out
}

// unfold joins the lines of a folded value (RFC 5322 section 2.2.3) and trims it.
func unfold(v string) string {
	v = strings.Trim(v, " \t\r\n")
	if strings.IndexByte(v, '\n') < 0 && strings.IndexByte(v, '\r') < 0 {
		return v
	}
	var b strings.Builder
	b.Grow(len(v))
	for i := 0; i < len(v); i++ {
		switch c := v[i]; c {
		case '\r', '\n':
			// The white space behind the line end stays; a line end without any is one space.
			if next := i + 1; next < len(v) && v[next] != ' ' && v[next] != '\t' && v[next] != '\n' && v[next] != '\r' {
				b.WriteByte(' ')
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// fieldName returns the name that a header line begins with, or "".
// Space before the colon is allowed (RFC 5322 section 4.5.8).
func fieldName(line []byte) []byte {
	i := bytes.IndexByte(line, ':')
	if i <= 0 || i > 200 {
		return nil
	}
	name := bytes.TrimRight(line[:i], " \t")
	for _, c := range name {
		if c <= ' ' || c > '~' {
			return nil
		}
	}
	if bytes.HasPrefix(line[i:], []byte("://")) {
		return nil
	}
	return name
}

func isBlank(line []byte) bool { return len(bytes.TrimLeft(line, " \t\r\n")) == 0 }

// headerReader gathers one header block from a mail.
type headerReader struct {
	w      *walker
	raw    []byte // the field being gathered and those before it
	starts []int  // where the fields begin in raw
	full   bool
}

// readHeader reads a header block. When a boundary comes instead of the empty
// line, it is returned as the stop. top is true for the mail's own header.
func (w *walker) readHeader(top bool) (header, stop, bool) {
	h := headerReader{w: w, raw: w.scratch[:0], starts: w.starts[:0]}
	hit, stopped := h.read(top)
	out := h.fields()
	w.scratch, w.starts = h.raw[:0], h.starts[:0]
	return out, hit, stopped
}

func (h *headerReader) read(top bool) (stop, bool) {
	w := h.w
	for {
		if w.in.midLine {
			line, whole, _ := w.in.next()
			h.add(line, whole)
			continue
		}
		next := w.in.peek()
		if len(next) == 0 && w.in.pos >= w.in.end && w.in.eof {
			return stop{level: -1}, true
		}
		if len(next) > 1 && next[0] == '-' && next[1] == '-' {
			if hit, ok := w.boundary(next); ok {
				w.in.next()
				return hit, true
			}
		}
		if len(next) == 0 && (len(h.starts) > 0 || !top) {
			w.in.next()
			return stop{}, false
		}
		if len(h.starts) == 0 && top && isBlank(next) {
			w.in.next()
			continue
		}
		if len(h.starts) > 0 && isBlank(next) && h.endsIndented() {
			w.in.next()
			return stop{}, false
		}
		if h.bodyBegins(next, top) {
			return stop{}, false
		}
		line, whole, _ := w.in.next()
		h.add(line, whole)
	}
}

// endsIndented says whether a line of nothing but space ends the header: when
// neither a field nor the rest of one follows.
func (h *headerReader) endsIndented() bool {
	after := h.w.in.peekSecond()
	return len(after) == 0 || after[0] != ' ' && after[0] != '\t' && fieldName(after) == nil
}

// bodyBegins says whether a line of the header block is the body's first,
// because the empty line between them is missing.
func (h *headerReader) bodyBegins(line []byte, top bool) bool {
	if line[0] == ' ' || line[0] == '\t' {
		if !isBlank(line) {
			return len(h.starts) == 0 && !top
		}
		return false
	}
	if fieldName(line) != nil || isMboxFrom(line) {
		return false
	}
	if len(h.starts) == 0 && !top {
		h.w.problem(ProblemNoHeader)
		return true
	}
	after := h.w.in.peekSecond()
	if after != nil && len(after) == 0 || fieldName(after) != nil || len(after) > 0 && (after[0] == ' ' || after[0] == '\t') && len(h.starts) > 0 {
		return false
	}
	if top && h.senderFollows() {
		return false // several lines of junk inside the header
	}
	if len(h.starts) == 0 {
		h.w.problem(ProblemNoHeader)
	} else {
		h.w.problem(ProblemNoEmptyLine)
	}
	return true
}

// lookAhead is how far the header is searched behind lines of junk, in bytes.
const lookAhead = 2048

// senderFollows says whether From or Subject, neither of which was there yet,
// comes within a few lines and before any empty one.
func (h *headerReader) senderFollows() bool {
	for _, start := range h.starts {
		if isSenderField(h.raw[start:]) {
			return false
		}
	}
	in := h.w.in
	rest := in.buf[in.pos:min(in.end, in.pos+lookAhead)]
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte{in.mark})
		if isBlank(line) {
			return false
		}
		if isSenderField(line) {
			return true
		}
		rest = after
	}
	return false
}

func isSenderField(line []byte) bool {
	name := fieldName(line)
	return bytes.EqualFold(name, []byte("from")) || bytes.EqualFold(name, []byte("subject"))
}

func isMboxFrom(line []byte) bool {
	return bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))
}

// add takes one line into the block.
func (h *headerReader) add(line []byte, whole bool) {
	if h.full {
		return
	}
	if len(h.raw)+len(line) > maxHeader {
		h.full = true
		h.w.problem(ProblemHeaderTooLong)
		return
	}
	switch {
	case !whole || line[0] == ' ' || line[0] == '\t':
		if len(h.starts) > 0 {
			h.raw = append(h.raw, line...)
		}
		return
	case isMboxFrom(line) && fieldName(line) == nil:
		return
	case fieldName(line) == nil:
		h.w.problem(ProblemNoColon)
		// Some programs break a line without indenting the rest.
		if n := len(h.starts); n > 0 && goesOn(h.raw[h.starts[n-1]:]) {
			h.raw = append(h.raw, line...)
		}
		return
	}
	h.addField(line)
}

// goesOn says whether a field wants more: a list or parameters that end with
// their separator, or a subject.
func goesOn(field []byte) bool {
	rest := bytes.TrimRight(field, " \t\r\n")
	return bytes.HasSuffix(rest, []byte(";")) || bytes.HasSuffix(rest, []byte(",")) || bytes.EqualFold(fieldName(field), []byte("subject"))
}

// addField takes a line that begins a field; fields that are parted by a bare
// CR are taken apart.
func (h *headerReader) addField(line []byte) {
	body := trimEOL(line)
	for {
		i := bytes.IndexByte(body, '\r')
		if i < 0 || fieldName(body[i+1:]) == nil {
			break
		}
		h.starts = append(h.starts, len(h.raw))
		h.raw = append(h.raw, body[:i]...)
		body = body[i+1:]
		h.w.problem(ProblemBareCR)
	}
	h.starts = append(h.starts, len(h.raw))
	h.raw = append(h.raw, body...)
	h.raw = append(h.raw, '\n')
}

// fields makes the block's fields, all on one copy of the bytes.
func (h *headerReader) fields() header {
	if len(h.starts) == 0 {
		return nil
	}
	all := string(h.raw)
	out := make(header, len(h.starts))
	for i, from := range h.starts {
		to := len(all)
		if i+1 < len(h.starts) {
			to = h.starts[i+1]
		}
		name, value, _ := strings.Cut(all[from:to], ":")
		out[i] = field{name: strings.TrimRight(name, " \t"), value: value}
	}
	return out
}
