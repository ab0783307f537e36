package mail

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"strings"
)

// Limits of one mail. What lies beyond is still in the raw mail.
const (
	maxParts   = 10_000
	maxDepth   = 50
	maxRawText = 4 << 20   // bytes kept of one text part before it becomes text
	maxAllText = 8 << 20   // of all text parts together
	maxReport  = 256 << 10 // bytes kept of an attached mail or delivery report
)

// walker goes through a mail once, part by part.
type walker struct {
	in       *lines
	bounds   []string // "--" and the boundary of each open multipart, outermost first
	parts    int
	leaves   int
	kept     int // bytes of text kept so far
	body     hash.Hash
	file     hash.Hash
	files    []Attachment
	problems []string
	fallback string // charset of raw 8-bit headers

	scratch []byte // for header blocks
	starts  []int
	out     []byte // decoded bytes on their way to a hash

	nested   int // how many attached mails this one is inside
	copyPart int // leaf to write to copyTo, when that is set
	copyTo   io.Writer
	copyErr  error
	copied   bool
	uu       []containedFile // in the text of the leaf copyPart
}

// stop is why the reading of an entity ended: a boundary line of the multipart
// at level (an index in bounds), or the end of the mail (level -1).
type stop struct {
	level   int
	closing bool
}

// kind is what a node is for the choice of the text.
type kind int

const (
	kindNone kind = iota // nothing to read: an attachment
	kindPlain
	kindHTML
	kindMixed
	kindAlternative
	kindRelated
	kindShown  // a named text that programs show below the mail: its text where there is no other
	kindReport // message/delivery-status and the like, kept for the bounce
	kindMail   // message/rfc822, the beginning kept
)

// node is one entity of the mail, as far as its text matters.
type node struct {
	kind    kind
	header  header
	typ     string // media type
	charset string
	flowed  bool
	delSp   bool
	data    []byte
	leaf    int // its number, when it is a leaf
	kids    []*node

	container containerKind
}

func newWalker(r io.Reader) *walker {
	return &walker{in: newLines(r), body: sha256.New(), copyPart: -1, scratch: make([]byte, 0, 2048), starts: make([]int, 0, 24)}
}

// problem names something wrong, once.
func (w *walker) problem(slug string) {
	for _, p := range w.problems {
		if p == slug {
			return
		}
	}
	w.problems = append(w.problems, slug)
}

// boundary says which open multipart a line is a boundary of, innermost first.
func (w *walker) boundary(line []byte) (stop, bool) {
	if len(w.bounds) == 0 {
		return stop{}, false
	}
	n := len(line)
	for n > 0 && isSpace(line[n-1]) {
		n--
	}
	line = line[:n]
	for i := len(w.bounds) - 1; i >= 0; i-- {
		b := w.bounds[i]
		if len(line) < len(b) || string(line[:len(b)]) != b {
			continue
		}
		switch rest := line[len(b):]; {
		case len(rest) == 0:
			return stop{level: i}, true
		case len(rest) >= 2 && rest[0] == '-' && rest[1] == '-' && (len(rest) == 2 || len(rest) < 8 && !isLetter(rest[2]) && !isDigit(rest[2])):
			return stop{level: i, closing: true}, true
		}
	}
	return stop{}, false
}

// entity reads a header block and the body behind it.
func (w *walker) entity(top bool, depth int, parent string) (*node, stop) {
	w.parts++
	h, hit, stopped := w.readHeader(top)
	if stopped && !top {
		return &node{header: h, leaf: -1}, hit
	}
	n := &node{header: h, leaf: -1}
	if top {
		w.fallback = charsetOf(h)
	}
	end := w.bodyOf(n, depth, parent)
	return n, end
}

// charsetOf is the charset that a header names for its body, for raw 8-bit
// bytes in the header itself.
func charsetOf(h header) string {
	ct := parseParams(h.get("Content-Type"))
	return ct.plain("charset")
}

// bodyOf reads the body that belongs to n.header.
func (w *walker) bodyOf(n *node, depth int, parent string) stop {
	ct := parseParams(rawText(n.header.first("Content-Type"), w.fallback))
	n.typ = mediaType(ct.value)
	if n.typ == "" {
		if ct.value != "" {
			w.problem(ProblemBadType)
		}
		n.typ = "text/plain"
		if parent == "multipart/digest" {
			n.typ = "message/rfc822"
		}
	}
	if strings.HasPrefix(n.typ, "multipart/") {
		if depth < maxDepth {
			return w.multipart(n, &ct, depth)
		}
		w.problem(ProblemTooDeep)
		n.typ = "application/octet-stream"
	}
	disp := parseParams(rawText(n.header.first("Content-Disposition"), w.fallback))
	w.classify(n, &ct, &disp, parent)
	return w.leaf(n, &ct, &disp, parent)
}

// mediaType mends a media type: "text" alone, a missing half, letters that do
// not belong there.
func mediaType(v string) string {
	main, sub, ok := strings.Cut(v, "/")
	switch {
	case !ok && (main == "text" || main == "plain"):
		return "text/plain"
	case !ok && main == "html":
		return "text/html"
	case !ok && main == "multipart":
		return "multipart/mixed"
	case main == "" || sub == "":
		return ""
	}
	if i := strings.IndexAny(sub, "/;:"); i > 0 {
		v = v[:len(main)+1+i]
	}
	return v
}

// multipart reads the parts between the boundaries (RFC 2046 section 5.1).
func (w *walker) multipart(n *node, ct *params, depth int) stop {
	switch n.typ {
	case "multipart/alternative":
		n.kind = kindAlternative
	case "multipart/related":
		n.kind = kindRelated
	default:
		n.kind = kindMixed
	}
	if n.typ == "multipart/encrypted" {
		w.problem(ProblemEncrypted)
	}
	level := len(w.bounds)
	boundary := strings.TrimRight(ct.plain("boundary"), " \t\r\n")
	if boundary == "" {
		// A bound that no line is, until one is found in the text.
		boundary = "\x00"
		w.problem(ProblemNoBoundary)
	}
	w.bounds = append(w.bounds, "--"+boundary)
	hit := w.preamble(n, level, boundary)
	closed := false
	for hit.level == level && !w.full() {
		if hit.closing {
			closed = true
			hit = w.skip()
			continue
		}
		closed = false
		var kid *node
		kid, hit = w.entity(false, depth+1, n.typ)
		n.kids = append(n.kids, kid)
	}
	if !closed && len(n.kids) > 0 {
		w.problem(ProblemOpenBoundary)
	}
	w.bounds = w.bounds[:level]
	if hit.level >= level {
		hit = w.skip()
	}
	return hit
}

// full says that the limit of parts is reached; the rest stays unread.
func (w *walker) full() bool {
	if w.parts >= maxParts {
		w.problem(ProblemTooManyParts)
		w.in.stop()
		return true
	}
	return w.copied || w.copyErr != nil
}

// preamble reads up to the first boundary. A multipart without any becomes
// one text; a boundary other than the declared one is recognised by the header
// that follows it.
func (w *walker) preamble(n *node, level int, boundary string) stop {
	text := &node{kind: kindPlain, typ: "text/plain", leaf: w.leaves, header: n.header}
	text.charset = charsetOf(n.header)
	dec, _ := newDecoder(n.header.get("Content-Transfer-Encoding"))
	for {
		line, whole, ok := w.in.next()
		if !ok {
			return w.unparted(n, text, dec, level, stop{level: -1})
		}
		if whole && len(line) > 2 && line[0] == '-' && line[1] == '-' {
			if hit, ok := w.boundary(line); ok {
				if hit.level < level {
					return w.unparted(n, text, dec, level, hit)
				}
				return hit
			}
			if found := w.undeclared(line, boundary == "\x00"); found != "" {
				w.problem(ProblemNoBoundary)
				w.bounds[level] = found
				return stop{level: level}
			}
		}
		if len(text.data) < maxRawText {
			text.data = dec.line(text.data, line)
		}
	}
}

// undeclared recognises a boundary line by the part header behind it; where
// none was declared, an empty line behind a long one is enough.
func (w *walker) undeclared(line []byte, none bool) string {
	next := w.in.peek()
	if none && len(next) == 0 && len(line) > 12 && bytes.IndexByte(trimEOL(line), ' ') < 0 && len(bytes.Trim(trimEOL(line), "-=_*")) > 6 {
		return strings.TrimRight(string(line), " \t\r\n")
	}
	if len(next) < 9 || !strings.EqualFold(string(next[:8]), "content-") || fieldName(next) == nil {
		return ""
	}
	return strings.TrimRight(string(line), " \t\r\n")
}

// unparted makes the text of a multipart that has no parts its one part.
func (w *walker) unparted(n, text *node, dec decoder, level int, hit stop) stop {
	w.problem(ProblemNoBoundary)
	text.data = dec.finish(text.data, hit.level < 0)
	w.leaves++
	w.body.Write(text.data)
	if strings.TrimSpace(string(text.data)) != "" {
		if looksHTML(text.data) {
			text.kind = kindHTML
		}
		if level > 0 {
			text.kind = kindShown
		}
		n.kids = append(n.kids, text)
		n.kind = kindMixed
	}
	return hit
}

// skip passes over an epilogue.
func (w *walker) skip() stop {
	for {
		line, whole, ok := w.in.next()
		if !ok {
			return stop{level: -1}
		}
		if whole && len(line) > 2 && line[0] == '-' && line[1] == '-' {
			if hit, ok := w.boundary(line); ok {
				return hit
			}
		}
	}
}
