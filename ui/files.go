package ui

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"helpdesk/mail"
	"helpdesk/store"
)

// maxPicture is the size up to which a picture is shown in the conversation.
const maxPicture = 2 << 20 // bytes

// showable reports whether an attachment is a small picture of a kind that
// browsers decode and that cannot hold a script; SVG can.
func showable(a mail.Attachment) bool {
	return a.Size <= maxPicture && slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, a.Type)
}

// attachment sends one attachment, cut out of the stored mail, as a download.
func (s *Server) attachment(w http.ResponseWriter, r *http.Request) {
	m, a, ok := s.part(w, r)
	if !ok {
		return
	}
	raw, _, err := s.Store.OpenRaw(r.Context(), m.LedgerID)
	if s.missing(w, r, "opening a mail", err) {
		return
	}
	defer s.closeRaw(raw)
	download(w, a.Name, "application/octet-stream")
	body := &counted{w: w}
	if err := mail.CopyPart(body, raw, a.Part); err != nil && r.Context().Err() == nil {
		s.Logger.Warn("sending an attachment", "ledger", m.LedgerID, "part", a.Part, "error", err)
		if body.n == 0 {
			w.Header().Del("Content-Disposition")
			s.fault(w, r, http.StatusInternalServerError, "error.file")
			return
		}
		panic(http.ErrAbortHandler) // too late to say so: a broken download must look broken
	}
}

// picture sends a small picture to be shown. What it is decides its content,
// not what the mail calls it.
func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	m, a, ok := s.part(w, r)
	if !ok {
		return
	}
	content, err := s.readPicture(r.Context(), m.LedgerID, a)
	if s.missing(w, r, "reading a picture", err) {
		return
	}
	a.Type = http.DetectContentType(content)
	if !showable(a) {
		s.fault(w, r, http.StatusNotFound, "error.not-found")
		return
	}
	w.Header().Set("Content-Type", a.Type)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	s.write(w, content)
}

func (s *Server) readPicture(ctx context.Context, ledgerID int64, a mail.Attachment) ([]byte, error) {
	if !showable(a) {
		return nil, store.ErrNotFound
	}
	raw, _, err := s.Store.OpenRaw(ctx, ledgerID)
	if err != nil {
		return nil, err
	}
	defer s.closeRaw(raw)
	var content bytes.Buffer
	if err := mail.CopyPart(&limited{w: &content, left: maxPicture}, raw, a.Part); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}

// part finds the attachment that the path names, or answers that it cannot.
func (s *Server) part(w http.ResponseWriter, r *http.Request) (store.Message, mail.Attachment, bool) {
	n, ok := id(r.PathValue("message"))
	part, err := strconv.Atoi(r.PathValue("part"))
	if ok && err == nil {
		m, err := s.Store.Message(r.Context(), n)
		if err == nil {
			i := slices.IndexFunc(m.Attachments, func(a mail.Attachment) bool { return a.Part == part })
			if i >= 0 && m.LedgerID != 0 {
				return m, m.Attachments[i], true
			}
			err = store.ErrNotFound
		}
		s.missing(w, r, "reading a message", err)
		return store.Message{}, mail.Attachment{}, false
	}
	s.fault(w, r, http.StatusNotFound, "error.not-found")
	return store.Message{}, mail.Attachment{}, false
}

// rawMail sends a whole mail as it arrived.
func (s *Server) rawMail(w http.ResponseWriter, r *http.Request) {
	e, ok := s.entry(w, r)
	if !ok {
		return
	}
	raw, size, err := s.Store.OpenRaw(r.Context(), e.ID)
	if s.missing(w, r, "opening a mail", err) {
		return
	}
	defer s.closeRaw(raw)
	download(w, "mail-"+strconv.FormatInt(e.ID, 10)+".eml", "message/rfc822")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	if _, err := io.Copy(w, raw); err != nil && r.Context().Err() == nil {
		s.Logger.Warn("sending a mail", "ledger", e.ID, "error", err)
		panic(http.ErrAbortHandler) // a broken download must look broken
	}
}

// download makes the answer a file to be saved, never to be opened here.
func download(w http.ResponseWriter, name, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", disposition(name))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
}

// disposition names a file, also one whose name is not ASCII (RFC 6266).
func disposition(name string) string {
	if value := mime.FormatMediaType("attachment", map[string]string{"filename": name}); value != "" {
		return value
	}
	return "attachment"
}

func (s *Server) closeRaw(raw io.Closer) {
	if err := raw.Close(); err != nil {
		s.Logger.Warn("closing a stored mail", "error", err)
	}
}

// counted knows whether anything was written yet.
type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// limited refuses to write more than it was told.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, fmt.Errorf("a picture is larger than it was said to be: %w", store.ErrNotFound)
	}
	return l.w.Write(p)
}
