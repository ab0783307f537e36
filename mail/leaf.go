package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
)

// flushSize is how much decoded content waits before it is hashed, in bytes.
const flushSize = 32 << 10

// classify decides whether a leaf is text to be read or an attachment.
func (w *walker) classify(n *node, ct, disp *params, parent string) {
	attached := disp.value == "attachment" || disp.value != "" && disp.value != "inline" && disp.value != "form-data"
	named := disp.get("filename", "") != "" || ct.get("name", "") != "" || disp.get("name", "") != ""
	switch n.typ {
	case "text/plain", "text/html", "text/enriched", "text/richtext", "application/xhtml+xml", "text/markdown", "text/x-markdown", "text/x-html":
		// A name alone does not make a body an attachment: the first text of a mail is often named.
		switch {
		case attached:
			return
		case named && parent != "multipart/alternative" && (disp.value == "inline" || w.leaves > 0):
			n.kind = kindShown
		case strings.Contains(n.typ, "html"):
			n.kind = kindHTML
		default:
			n.kind = kindPlain
		}
	case "message/rfc822", "message/global", "message/news":
		n.kind = kindMail
	case "message/delivery-status", "message/global-delivery-status", "text/rfc822-headers", "message/disposition-notification", "message/feedback-report", "text/rfc822-header", "message/rfc822-headers", "message/global-headers":
		n.kind = kindReport
	case "text/calendar":
		n.kind = kindReport
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		if strings.EqualFold(ct.plain("smime-type"), "enveloped-data") {
			w.problem(ProblemEncrypted)
		}
	}
	name := disp.get("filename", "")
	if name == "" {
		name = ct.get("name", "")
	}
	n.container = containerOf(n.typ, ct.plain("smime-type"), name)
	n.charset = ct.plain("charset")
	n.flowed = strings.EqualFold(ct.plain("format"), "flowed")
	n.delSp = strings.EqualFold(ct.plain("delsp"), "yes")
}

// leafReader takes a leaf's decoded bytes where they belong.
type leafReader struct {
	w      *walker
	n      *node
	isText bool
	keep   int   // bytes to keep in n.data
	hashed int   // of n.data, for text
	size   int64 // decoded
	target bool  // this leaf is the one to copy
	raw16  bool  // UTF-16: CR and LF bytes mean nothing alone
}

// leaf reads the body of a part that has no parts below it.
func (w *walker) leaf(n *node, ct, disp *params, parent string) stop {
	index := w.leaves
	n.leaf = index
	w.leaves++
	dec, known := newDecoder(n.header.first("Content-Transfer-Encoding"))
	if !known {
		w.problem(ProblemUnknownEncoding)
	}
	r := leafReader{w: w, n: n, isText: n.kind == kindPlain || n.kind == kindHTML, target: w.copyTo != nil && w.copyPart == index}
	r.raw16 = strings.Contains(strings.ToLower(n.charset), "16") || strings.Contains(strings.ToLower(n.charset), "32")
	if b, ok := dec.(*base64Decoder); ok {
		b.isText = r.isText
	}
	switch {
	case r.isText:
		r.keep = min(maxRawText, maxAllText-w.kept)
	case n.kind == kindReport || n.kind == kindMail || n.kind == kindShown:
		r.keep = min(maxReport, maxAllText-w.kept)
	case n.container != notContainer:
		r.keep = maxContainer
	}
	hit := r.read(dec)
	r.close(dec, hit.level < 0)
	if n.container == notContainer {
		w.kept += len(n.data)
	}
	switch {
	case w.copyTo != nil:
		if r.target && n.kind == kindPlain {
			w.uu, _ = splitUU(n.data) // the text as takeUU sees it, not as it is copied
		}
	case parent == "multipart/alternative" && (n.typ == "text/x-amp-html" || n.typ == "text/watch-html"):
		// One more form of the text, for programs that we are not.
		w.body.Write(w.file.Sum(nil))
	case !r.isText:
		a := w.attachment(n, ct, disp, index, r.size)
		if n.container == notContainer || !w.open(n, r.size) {
			w.addFile(a)
		}
	case n.kind == kindPlain:
		w.takeUU(n)
	}
	if r.target {
		w.copied = true
		w.in.stop()
	}
	return hit
}

// read decodes line by line up to a boundary or the end of the mail.
func (r *leafReader) read(dec decoder) stop {
	w := r.w
	switch {
	case r.isText && w.in.eof && len(w.bounds) == 0:
		r.n.data = make([]byte, 0, min(w.in.end-w.in.pos+2, r.keep))
	case r.isText:
		r.n.data = make([]byte, 0, 1024)
	case w.file == nil:
		w.file = sha256.New()
	default:
		w.file.Reset()
	}
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
		if r.isText {
			r.n.data = dec.line(r.n.data, line)
			if len(r.n.data)-r.hashed >= flushSize {
				r.flushText()
			}
			continue
		}
		w.out = dec.line(w.out, line)
		if len(w.out) >= flushSize {
			r.flushFile()
		}
	}
}

// close takes what is left and ends the leaf's share of the fingerprint.
func (r *leafReader) close(dec decoder, atEnd bool) {
	if r.isText {
		r.n.data = dec.finish(r.n.data, atEnd)
		r.flushText()
	} else {
		r.w.out = dec.finish(r.w.out, atEnd)
		r.flushFile()
	}
	if dec.damaged() {
		r.w.problem(damageOf(dec))
	}
}

func damageOf(dec decoder) string {
	switch dec.(type) {
	case *base64Decoder:
		return ProblemBadBase64
	case *uuencoded:
		return ProblemBadUuencode
	}
	return ProblemBadQuoted
}

// flushText hashes text as it comes and keeps no more of it than allowed. The
// fingerprint is over LF line ends, because servers differ in them.
func (r *leafReader) flushText() {
	fresh := r.n.data[r.hashed:]
	if r.target {
		r.w.copyOut(fresh)
	}
	if !r.raw16 {
		fresh = dropCR(fresh)
		r.n.data = r.n.data[:r.hashed+len(fresh)]
	}
	r.size += int64(len(fresh))
	r.w.body.Write(fresh)
	r.hashed = len(r.n.data)
	if r.hashed > r.keep {
		r.n.data = r.n.data[:r.keep]
		r.hashed = r.keep
		r.w.problem(ProblemTextTooLong)
	}
}

// dropCR removes in place each CR that stands before LF; a CR alone is a line
// end of its own.
func dropCR(b []byte) []byte {
	i := bytes.IndexByte(b, '\r')
	if i < 0 {
		return b
	}
	out := b[:i]
	for j := i; j < len(b); j++ {
		if b[j] != '\r' {
			out = append(out, b[j])
			continue
		}
		if j+1 < len(b) && b[j+1] != '\n' && b[j+1] != '\r' {
			out = append(out, '\n')
		}
	}
	return out
}

func (r *leafReader) flushFile() {
	w := r.w
	if r.target {
		w.copyOut(w.out)
	}
	r.size += int64(len(w.out))
	w.file.Write(w.out)
	if room := r.keep - len(r.n.data); room > 0 {
		r.n.data = append(r.n.data, w.out[:min(room, len(w.out))]...)
	}
	w.out = w.out[:0]
}

// copyOut writes to CopyPart's writer until that fails.
func (w *walker) copyOut(b []byte) {
	if w.copyErr == nil {
		_, w.copyErr = w.copyTo.Write(b)
	}
	if w.copyErr != nil {
		w.in.stop()
	}
}

// attachment describes a leaf that has just been read.
func (w *walker) attachment(n *node, ct, disp *params, index int, size int64) Attachment {
	var sum [sha256.Size]byte
	w.file.Sum(sum[:0])
	w.body.Write(sum[:])
	a := Attachment{Type: n.typ, Size: size, SHA256: hex.EncodeToString(sum[:]), Part: index}
	a.ContentID = cleanID(strings.Trim(n.header.get("Content-ID"), "<> \t"))
	a.Inline = disp.value == "inline" || disp.value == "" && a.ContentID != ""
	a.Name = attachmentName(n, ct, disp, index, w.fallback)
	if a.Type == "" {
		a.Type = "application/octet-stream"
	}
	return a
}

// CopyPart writes the decoded bytes of one leaf of a raw mail to w: part is
// Attachment.Part as Parse gave it for the same bytes. It streams. The error
// is the reader's, the writer's, or that there is no such part.
func CopyPart(w io.Writer, r io.Reader, part int) error {
	return copyPart(w, r, part)
}
