package loopback

import (
	"bufio"
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/textproto"
)

// write sends the items of one mail.
func (m *listed) write(w *imapserver.FetchResponseWriter, options *imap.FetchOptions) error {
	w.WriteUID(m.uid)
	if options.Flags {
		w.WriteFlags(m.flags)
	}
	if options.InternalDate {
		w.WriteInternalDate(m.at)
	}
	if options.RFC822Size {
		w.WriteRFC822Size(int64(len(m.raw)))
	}
	if options.Envelope {
		// A header that cannot be read has an empty envelope.
		header, _ := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(m.raw)))
		w.WriteEnvelope(imapserver.ExtractEnvelope(header))
	}
	if options.BodyStructure != nil {
		w.WriteBodyStructure(imapserver.ExtractBodyStructure(bytes.NewReader(m.raw)))
	}
	for _, s := range options.BodySection {
		content := section(m.raw, s)
		literal := w.WriteBodySection(s, int64(len(content)))
		_, err := literal.Write(content)
		if err := errors.Join(err, literal.Close()); err != nil {
			return errors.Join(err, w.Close()) // Close lets go of the connection's encoder
		}
	}
	return w.Close()
}

// section cuts what BODY[…] names out of a mail. The whole, the header and the
// text are the mail's own bytes even where the header is broken; the parts of a
// multipart are found by the library.
func section(raw []byte, s *imap.FetchItemBodySection) []byte {
	if len(s.Part) > 0 {
		return imapserver.ExtractBodySection(bytes.NewReader(raw), s)
	}
	header, text := split(raw)
	content := raw
	switch {
	case s.Specifier == imap.PartSpecifierText:
		content = text
	case s.Specifier == imap.PartSpecifierHeader && len(s.HeaderFields) > 0:
		content = append(fields(header, s.HeaderFields, true), "\r\n"...)
	case s.Specifier == imap.PartSpecifierHeader && len(s.HeaderFieldsNot) > 0:
		content = append(fields(header, s.HeaderFieldsNot, false), "\r\n"...)
	case s.Specifier == imap.PartSpecifierHeader:
		content = raw[:len(raw)-len(text)]
	}
	if s.Partial != nil {
		from := min(max(s.Partial.Offset, 0), int64(len(content)))
		to := min(from+max(s.Partial.Size, 0), int64(len(content)))
		content = content[from:to]
	}
	return content
}

// split returns the header without the empty line that ends it, and the text.
func split(raw []byte) (header, text []byte) {
	for rest := raw; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if len(bytes.TrimRight(line, "\r")) == 0 {
			return raw[:len(raw)-len(rest)], after
		}
		rest = after
	}
	return raw, nil
}

// fields returns the header fields that are, or are not, among names, with
// their folded lines. A line that is no field goes with the one before it.
func fields(header []byte, names []string, among bool) []byte {
	var kept []byte
	keep := false
	for line := range bytes.Lines(header) {
		name, _, found := bytes.Cut(line, []byte(":"))
		if folded := line[0] == ' ' || line[0] == '\t'; found && !folded {
			keep = among == slices.ContainsFunc(names, func(n string) bool {
				return strings.EqualFold(n, string(bytes.TrimSpace(name)))
			})
		}
		if keep {
			kept = append(kept, line...)
		}
	}
	return kept
}
