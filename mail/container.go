package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Files inside other parts: in winmail.dat (TNEF), uuencoded in a text, in a
// mail that is signed as a whole (S/MIME). Attachment.Part of such a file is
// the leaf plus its number, from 1, times subPart.

// subPart is above the largest number of a leaf.
const subPart = 1 << 14

// maxContainer is the most that is read of such a part, in bytes; it is in
// memory while it is opened.
const maxContainer = 8 << 20

// containedFile is one file inside another part.
type containedFile struct {
	name, typ, contentID string
	inline               bool
	data                 []byte
}

// containerKind is how such a part is opened.
type containerKind int

const (
	notContainer containerKind = iota
	tnefContainer
	smimeContainer
)

// containerOf says whether a leaf is opened.
func containerOf(typ, smimeType, name string) containerKind {
	name = strings.ToLower(name)
	switch typ {
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return tnefContainer
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		if !strings.EqualFold(smimeType, "enveloped-data") {
			return smimeContainer
		}
	case "application/octet-stream":
		if name == "winmail.dat" || name == "win.dat" {
			return tnefContainer
		}
	}
	return notContainer
}

// open reads what a leaf holds. replaced says that the leaf itself is no
// attachment then: a reader wants the files, not winmail.dat.
func (w *walker) open(n *node, size int64) (replaced bool) {
	data := n.data
	n.data = nil
	switch n.container {
	case tnefContainer:
		t := parseTNEF(data)
		if !t.ok || size > maxContainer {
			w.problem(ProblemUnreadableTNEF)
			return false
		}
		for i := range t.files {
			w.addFile(t.files[i].attach(n.leaf, i+1))
		}
		w.tnefText(n, &t)
		return len(t.files) > 0 || len(n.kids) > 0
	case smimeContainer:
		content := signedContent(data)
		if content == nil {
			w.problem(ProblemEncrypted)
			return false
		}
		if w.nested < maxNested {
			w.openSigned(n, content)
		}
	}
	return false
}

// addFile takes an attachment into the list, up to maxParts of them.
func (w *walker) addFile(a Attachment) {
	if len(w.files) >= maxParts {
		w.problem(ProblemTooManyParts)
		return
	}
	w.files = append(w.files, a)
}

// tnefText makes the text of a TNEF readable where the mail has no other.
func (w *walker) tnefText(n *node, t *tnef) {
	kid := &node{kind: kindShown, leaf: -1}
	switch {
	case t.text != "":
		kid.typ, kid.charset, kid.data = "text/plain", "utf-8", []byte(t.text)
	case len(t.html) > 0:
		kid.typ, kid.data = "text/html", t.html
	case len(t.rtf) > 0:
		kid.typ, kid.charset, kid.data = "text/plain", "utf-8", []byte(rtfText(expandRTF(t.rtf)))
	}
	if len(kid.data) > 0 && w.kept+len(kid.data) <= maxAllText {
		w.kept += len(kid.data)
		n.kids = append(n.kids, kid)
	}
}

// openSigned reads the mail inside a signed message as if it stood there.
func (w *walker) openSigned(n *node, content []byte) {
	inner := newWalker(bytes.NewReader(content))
	inner.nested, inner.fallback, inner.kept, inner.parts = w.nested+1, w.fallback, w.kept, w.parts
	root, _ := inner.entity(true, 0, "")
	w.kept, w.parts = inner.kept, inner.parts
	n.kids = append(n.kids, root)
	n.kind = kindMixed
	for _, a := range inner.files {
		if a.Part < subPart {
			a.Part = n.leaf + (a.Part+1)*subPart
			w.addFile(a)
		}
	}
}

// takeUU takes uuencoded files out of a plain text.
func (w *walker) takeUU(n *node) {
	files, rest := splitUU(n.data)
	for i := range files {
		w.addFile(files[i].attach(n.leaf, i+1))
	}
	n.data = rest
}

// attach describes a contained file as an attachment.
func (f *containedFile) attach(leaf, n int) Attachment {
	sum := sha256.Sum256(f.data)
	a := Attachment{Name: safeName(f.name), Type: strings.ToLower(f.typ), Size: int64(len(f.data)), SHA256: hex.EncodeToString(sum[:]), Inline: f.inline, ContentID: f.contentID, Part: leaf + n*subPart}
	if a.Type == "" || !strings.Contains(a.Type, "/") {
		a.Type = typeByName(a.Name)
	}
	if a.Name == "" {
		a.Name = fmt.Sprintf("part-%d-%d%s", leaf+1, n, extension(a.Type))
	}
	return a
}

// typeByName is the media type of the endings that matter to a reader.
func typeByName(name string) string {
	ext := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	switch ext {
	case "jpg", "jpeg":
		return "image/jpeg"
	case "png", "gif", "bmp", "tiff", "webp":
		return "image/" + ext
	case "pdf", "zip", "rtf":
		return "application/" + ext
	case "txt", "log":
		return "text/plain"
	case "htm", "html":
		return "text/html"
	case "doc":
		return "application/msword"
	case "xls":
		return "application/vnd.ms-excel"
	}
	return "application/octet-stream"
}

// errNoPart is CopyPart's answer to a number that the mail does not have.
var errNoPart = errors.New("the mail has no such part")

// copyContained is CopyPart for a file inside another part.
func copyContained(dst io.Writer, r io.Reader, part int) error {
	leaf, n := part%subPart, part/subPart
	w := newWalker(r)
	var held bytes.Buffer
	w.copyTo, w.copyPart = &limitedBuffer{&held}, leaf
	root, _ := w.entity(true, 0, "")
	if w.in.err != nil {
		return fmt.Errorf("reading the mail: %w", w.in.err)
	}
	found := findLeaf(root, leaf)
	if !w.copied || found == nil {
		return fmt.Errorf("copying part %d: %w", part, errNoPart)
	}
	var data []byte
	switch found.container {
	case tnefContainer:
		t := parseTNEF(held.Bytes())
		if n <= len(t.files) {
			data = t.files[n-1].data
		}
	case smimeContainer:
		if content := signedContent(held.Bytes()); content != nil {
			return CopyPart(dst, bytes.NewReader(content), n-1)
		}
	default:
		if n <= len(w.uu) {
			data = w.uu[n-1].data
		}
	}
	if data == nil {
		return fmt.Errorf("copying part %d: %w", part, errNoPart)
	}
	if _, err := dst.Write(data); err != nil {
		return fmt.Errorf("writing part %d: %w", part, err)
	}
	return nil
}

// limitedBuffer keeps the first maxContainer bytes.
type limitedBuffer struct{ *bytes.Buffer }

func (b limitedBuffer) Write(p []byte) (int, error) {
	if room := maxContainer - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// findLeaf returns the node of a leaf.
func findLeaf(n *node, leaf int) *node {
	if n.leaf == leaf && len(n.kids) == 0 {
		return n
	}
	for _, kid := range n.kids {
		if found := findLeaf(kid, leaf); found != nil {
			return found
		}
	}
	return nil
}

// splitUU takes uuencoded files out of a text and returns them and the rest.
func splitUU(text []byte) (files []containedFile, rest []byte) {
	if !bytes.HasPrefix(text, []byte("begin ")) && !bytes.Contains(text, []byte("\nbegin ")) {
		return nil, text
	}
	begin := 0
	for begin < len(text) {
		line := lineAt(text, begin)
		name, ok := uuBegin(line)
		if !ok {
			rest = append(rest, text[begin:begin+len(line)]...)
			begin += len(line)
			continue
		}
		data, n, ok := uuBody(text[begin+len(line):])
		if !ok {
			rest = append(rest, line...)
			begin += len(line)
			continue
		}
		files = append(files, containedFile{name: name, data: data})
		begin += len(line) + n
	}
	return files, rest
}

func lineAt(b []byte, i int) []byte {
	if j := bytes.IndexByte(b[i:], '\n'); j >= 0 {
		return b[i : i+j+1]
	}
	return b[i:]
}

// uuBegin reads "begin 644 name".
func uuBegin(line []byte) (name string, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimRight(string(line), " \r\n"), "begin ")
	if !ok {
		return "", false
	}
	mode, name, ok := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !ok || len(mode) < 3 || len(mode) > 4 || strings.Trim(mode, "01234567") != "" || strings.TrimSpace(name) == "" {
		return "", false
	}
	return rawText(strings.TrimSpace(name), ""), true
}

// uuBody decodes up to the line "end" and returns the length of what it read.
func uuBody(b []byte) (data []byte, n int, ok bool) {
	data = []byte{}
	for first := true; n < len(b); first = false {
		raw := lineAt(b, n)
		line := bytes.TrimRight(raw, "\r\n")
		if string(bytes.TrimSpace(line)) == "end" {
			return data, n + len(raw), !first
		}
		if len(line) > 0 && (line[0] < ' ' || line[0] > '`') || len(line) > 90 {
			return nil, 0, false
		}
		var fits bool
		if data, fits = appendUU(data, line); !fits || first && len(line) < 2 {
			return nil, 0, false
		}
		n += len(raw)
	}
	return data, n, len(data) > 0
}
