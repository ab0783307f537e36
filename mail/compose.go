package mail

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

const (
	maxSubjectRunes = 500
	maxNameRunes    = 200
	maxReferences   = 20  // the first, which names the conversation, and the last
	maxIDBytes      = 900 // a line has at most 998 (RFC 5322 section 2.1.1)
)

// AddressError says which address of an Outgoing cannot be written to.
type AddressError struct {
	Field   string // "From", "EnvelopeFrom" or "EnvelopeTo"
	Address string
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("%s: %q is not an e-mail address", e.Field, e.Address)
}

// Composed is a mail ready to be written, and its envelope.
type Composed struct {
	From, To string // for MAIL FROM and RCPT TO, without <>; From is empty for the null sender
	SMTPUTF8 bool   // the envelope needs the SMTPUTF8 extension (RFC 6531)

	msg *gomail.Msg
	out *sink // where WriteTo is writing
}

// Compose turns an Outgoing into a mail: multipart/alternative of text and
// HTML, related with its inline pictures, mixed with the other files. It adds
// no header field that names this host or program. Domains are written in
// ASCII (IDNA); an address in a header that is none is left out, as is one with
// a local part beyond ASCII unless the envelope has one too. The error is an
// *AddressError, or that MessageID is missing.
func Compose(o *Outgoing) (*Composed, error) {
	c := &Composed{}
	if err := c.envelope(o); err != nil {
		return nil, err
	}
	from := c.list([]Address{o.From})
	if len(from) == 0 {
		return nil, &AddressError{"From", o.From.Address}
	}
	if !validID(o.MessageID) {
		return nil, fmt.Errorf("composing a mail: %q is not a Message-ID", o.MessageID)
	}
	to := c.list(o.To)
	if len(to) == 0 {
		to = c.list([]Address{{Address: o.EnvelopeTo}})
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.SetAddrHeaderFromMailAddress(gomail.HeaderFrom, from...)
	m.SetAddrHeaderFromMailAddress(gomail.HeaderTo, to...)
	if cc := c.list(o.Cc); len(cc) > 0 {
		m.SetAddrHeaderFromMailAddress(gomail.HeaderCc, cc...)
	}
	if replyTo := c.list(o.ReplyTo); len(replyTo) > 0 {
		m.SetAddrHeaderFromMailAddress(gomail.HeaderReplyTo, replyTo...)
	}
	setHeader(m, o)
	setBody(m, o)
	c.addFiles(m, o)
	c.msg = m
	return c, nil
}

// WriteTo writes the mail with CRLF line ends; it may be called again. An error
// of File.Write is returned as it is, wrapped.
func (c *Composed) WriteTo(w io.Writer) (int64, error) { return c.write(&sink{w: w}) }

// Size is how many bytes WriteTo writes if the files are as large as they say.
// It reads no file.
func (c *Composed) Size() int64 {
	n, err := c.write(&sink{w: io.Discard, measuring: true})
	if err != nil { // nothing here can fail; without a size the server decides
		return 0
	}
	return n
}

func (c *Composed) write(out *sink) (int64, error) {
	c.out = out
	if _, err := c.msg.WriteTo(out); err != nil {
		return out.n, fmt.Errorf("writing the mail: %w", err)
	}
	return out.n, nil
}

// sink counts what is written.
type sink struct {
	w         io.Writer
	n         int64
	measuring bool // files are only counted
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.n += int64(n)
	return n, err
}

func (c *Composed) envelope(o *Outgoing) error {
	var ascii bool
	var err error
	if c.To, ascii, err = wireAddress(o.EnvelopeTo); err != nil {
		return &AddressError{"EnvelopeTo", o.EnvelopeTo}
	}
	c.SMTPUTF8 = !ascii
	if o.EnvelopeFrom == "" {
		return nil
	}
	if c.From, ascii, err = wireAddress(o.EnvelopeFrom); err != nil {
		return &AddressError{"EnvelopeFrom", o.EnvelopeFrom}
	}
	c.SMTPUTF8 = c.SMTPUTF8 || !ascii
	return nil
}

// list makes the addresses of a header field.
func (c *Composed) list(addresses []Address) []*netmail.Address {
	var list []*netmail.Address
	for _, a := range addresses {
		addr, ascii, err := parseAddress(a.Address)
		if err != nil || !ascii && !c.SMTPUTF8 {
			continue
		}
		// What looks like an encoded word would be decoded by the reader's program.
		addr.Name = strings.ReplaceAll(oneLine(a.Name, maxNameRunes), "=?", "= ?")
		list = append(list, addr)
	}
	return list
}

func setHeader(m *gomail.Msg, o *Outgoing) {
	m.SetGenHeader(gomail.HeaderSubject, encodeText(oneLine(o.Subject, maxSubjectRunes)))
	m.SetMessageIDWithValue(o.MessageID)
	m.SetDateWithValue(o.Date)
	if validID(o.InReplyTo) {
		m.SetGenHeader(gomail.HeaderInReplyTo, "<"+o.InReplyTo+">")
	}
	if references := boundedReferences(o.References); len(references) > 0 {
		m.SetGenHeader(gomail.HeaderReferences, strings.Join(references, " "))
	}
	if topic := oneLine(o.ThreadTopic, maxSubjectRunes); topic != "" {
		m.SetGenHeader("Thread-Topic", encodeText(topic))
	}
	if o.ThreadIndex != "" {
		m.SetGenHeader("Thread-Index", oneLine(o.ThreadIndex, maxIDBytes))
	}
	if o.AutoSubmitted != "" {
		m.SetGenHeader("Auto-Submitted", oneLine(o.AutoSubmitted, maxNameRunes))
		// Exchange and Outlook answer with vacation notices in spite of RFC 3834.
		m.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	}
	if o.Loop != "" {
		m.SetGenHeader("X-Helpdesk-Loop", oneLine(o.Loop, maxNameRunes))
	}
}

// boundedReferences keeps the first and the last of a long chain (RFC 5322
// section 3.6.4 allows to leave some out; servers limit the header).
func boundedReferences(ids []string) []string {
	var list []string
	for _, id := range ids {
		if validID(id) {
			list = append(list, "<"+id+">")
		}
	}
	if len(list) > maxReferences {
		list = slices.Delete(list, 1, len(list)-maxReferences+1)
	}
	return list
}

func setBody(m *gomail.Msg, o *Outgoing) {
	if o.Text != "" || o.HTML == "" {
		text := bodyText(o.Text)
		m.SetBodyString(gomail.TypeTextPlain, text, gomail.WithPartEncoding(bodyEncoding(text)))
	}
	if o.HTML != "" {
		html := bodyText(o.HTML)
		m.AddAlternativeString(gomail.TypeTextHTML, html, gomail.WithPartEncoding(bodyEncoding(html)))
	}
}

// bodyText makes CRLF line ends and valid UTF-8 without NUL, which servers reject.
func bodyText(s string) string {
	return strings.NewReplacer("\r\n", "\r\n", "\n", "\r\n", "\r", "\r\n", "\x00", "").Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

// bodyEncoding takes the shorter one: a byte beyond ASCII costs three in
// quoted-printable, and four thirds in base64.
func bodyEncoding(s string) gomail.Encoding {
	if 6*beyondASCII(s) > len(s) {
		return gomail.EncodingB64
	}
	return gomail.EncodingQP
}

// addFiles puts pictures that the HTML can show beside it, and all else behind.
func (c *Composed) addFiles(m *gomail.Msg, o *Outgoing) {
	var embeds, attachments []*gomail.File
	for _, f := range o.Files {
		id := strings.Trim(oneLine(f.ContentID, maxIDBytes), "<>")
		inline := f.Inline && o.HTML != "" && validID(id)
		file := &gomail.File{
			Header: fileHeader(f, inline),
			Writer: func(io.Writer) (int64, error) { return 0, c.writeFile(f) },
		}
		if inline {
			file.Header.Set("Content-ID", "<"+id+">")
			embeds = append(embeds, file)
		} else {
			attachments = append(attachments, file)
		}
	}
	m.SetEmbeds(embeds)
	m.SetAttachments(attachments)
}

// writeFile streams a file as base64 to where the mail is being written. It
// goes past the writer that go-mail offers, because that one holds the whole
// encoded file in memory.
func (c *Composed) writeFile(f File) error {
	if c.out.measuring {
		encoded := (f.Size + 2) / 3 * 4
		c.out.n += encoded + (encoded+lineBytes-1)/lineBytes*2
		return nil
	}
	lines := &lineBreaker{w: c.out}
	encoder := base64.NewEncoder(base64.StdEncoding, lines)
	if err := f.Write(encoder); err != nil {
		return fmt.Errorf("reading %q: %w", f.Name, err)
	}
	return errors.Join(encoder.Close(), lines.end())
}

// lineBytes is the length of a line of base64 (RFC 2045 section 6.8).
const lineBytes = 76

// lineBreaker puts a CRLF after every lineBytes bytes.
type lineBreaker struct {
	w    io.Writer
	line [lineBytes + 2]byte
	n    int
}

func (l *lineBreaker) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := copy(l.line[l.n:lineBytes], p)
		l.n += n
		p = p[n:]
		if l.n == lineBytes {
			if err := l.end(); err != nil {
				return written, err
			}
		}
		written += n
	}
	return written, nil
}

// end ends the line, if one was begun.
func (l *lineBreaker) end() error {
	if l.n == 0 {
		return nil
	}
	n := copy(l.line[l.n:], "\r\n")
	_, err := l.w.Write(l.line[:l.n+n])
	l.n = 0
	return err
}

// fileHeader names the file twice: RFC 2231 in the disposition, and for older
// programs an encoded word in the type.
func fileHeader(f File, inline bool) textproto.MIMEHeader {
	typ, _, err := mime.ParseMediaType(f.Type)
	if kind, _, found := strings.Cut(typ, "/"); err != nil || !found || kind == "multipart" || kind == "message" {
		typ = "application/octet-stream" // RFC 2046 section 5.2.1 forbids base64 on message/rfc822
	}
	name := oneLine(f.Name, maxNameRunes)
	if name == "" {
		name = "attachment"
	}
	disposition := "attachment"
	if inline {
		disposition = "inline"
	}
	return textproto.MIMEHeader{
		"Content-Type":              {typ + ";\r\n name=\"" + strings.ReplaceAll(encodeText(quotable(name)), " ", "\r\n ") + "\""},
		"Content-Disposition":       {disposition + nameParameter("filename", name)},
		"Content-Transfer-Encoding": {"base64"},
	}
}

func quotable(s string) string { return strings.NewReplacer(`"`, "'", `\`, "_").Replace(s) }

// nameParameter writes a parameter as RFC 2231 wants it, in pieces that fit a line.
func nameParameter(key, value string) string {
	if beyondASCII(value) == 0 {
		return ";\r\n " + key + "=\"" + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(value) + "\""
	}
	var b strings.Builder
	piece, width := 0, 1<<10
	for _, r := range value { // a piece ends between letters: not every program joins the bytes first
		escaped := escape(r)
		if width+len(escaped) > 70 {
			start := fmt.Sprintf("%s*%d*=", key, piece)
			if piece == 0 {
				start += "utf-8''"
			}
			b.WriteString(";\r\n " + start)
			piece, width = piece+1, len(start)
		}
		b.WriteString(escaped)
		width += len(escaped)
	}
	return b.String()
}

// escape writes one letter of an extended parameter (RFC 2231 section 7).
func escape(r rune) string {
	if r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
		return string(r)
	}
	var b strings.Builder
	for _, c := range []byte(string(r)) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
