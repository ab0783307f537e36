package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"helpdesk/mail"
)

const (
	beginning   = 1 << 20   // bytes read of a mail that is larger than MaxSize
	headerLimit = 256 << 10 // bytes kept of the four header lines
	headerChunk = 500       // mails asked for in one command by Headers
)

// Interrupted is the error of Fetch when the connection broke, or the server
// fell silent, before the command was answered. It wraps a *mail.Error.
type Interrupted struct {
	UID     uint32 // the mail at which it happened; 0: not known
	Offset  int64  // bytes of it that were read
	Started bool   // it was being sent; else it is the one that was to come next
	Err     error
}

// Error names the mail and the cause. Example:
// mail 4711 broke off after 8192 bytes: imap mail.example.com:993: fetch: EOF.
func (e *Interrupted) Error() string {
	return fmt.Sprintf("mail %d broke off after %d bytes: %v", e.UID, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *Interrupted) Unwrap() error { return e.Err }

// Fetch reads mails, in as few commands as possible, and calls fn with each as
// it arrives. fn owns the mail and closes it; it must not use the Session. An
// error of fn ends Fetch, after the server's answer was read to its end, and
// is returned as it is.
//
// missing are the UIDs that were asked for and that fn did not get, also when
// err is not nil; without err the server has no such mails any more, or does
// not hand them out. Mails that nobody asked for are dropped.
//
// With Interrupted and other errors of the connection the Session is of no
// more use; after a refusal (NO, BAD) it is.
func (s *imapSession) Fetch(ctx context.Context, mails []Listed, fn func(*mail.Raw) error) (missing []uint32, err error) {
	s.busy.Lock()
	defer s.busy.Unlock()
	var whole, large []Listed
	for _, m := range mails {
		if s.settings.MaxSize > 0 && m.Size > s.settings.MaxSize {
			large = append(large, m)
		} else {
			whole = append(whole, m)
		}
	}
	keep := int64(beginning)
	if s.settings.MaxSize > 0 {
		keep = min(keep, s.settings.MaxSize)
	}
	limit := bodyLimit{max: s.settings.MaxSize, keep: keep, dir: s.settings.SpoolDir}
	first := s.newFetching(whole, limit, func(r received, m Listed) error {
		return fn(s.raw(r, m, r.body.length < r.body.literal))
	})
	// A partial fetch that comes back shorter than asked for is a whole mail,
	// whatever size the server states for it.
	second := s.newFetching(large, limit, func(r received, m Listed) error {
		return fn(s.raw(r, m, r.body.length >= keep))
	})
	if err = first.run(ctx, &imap.FetchItemBodySection{Peek: true}); err == nil {
		err = second.run(ctx, &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: keep}})
	}
	return append(first.missing(), second.missing()...), err
}

// raw makes a mail of what was received; m is what was known of it before.
func (s *imapSession) raw(r received, m Listed, truncated bool) *mail.Raw {
	size := r.size
	if size < 0 {
		size = max(m.Size, r.body.literal)
	}
	flags := r.flags
	if flags == nil {
		flags = m.Flags
	}
	return &mail.Raw{
		UIDValidity: s.State().UIDValidity,
		UID:         r.uid,
		Flags:       flags,
		Size:        size,
		Content:     r.body.content,
		Length:      r.body.length,
		Truncated:   truncated,
		Close:       r.body.close,
	}
}

// Headers calls fn with Message-ID, Date, From and Subject of the mails, as
// they stand in the header, ended by a blank line. size is as the server
// states it, -1 if it does not. Mails that are gone are left out.
func (s *imapSession) Headers(ctx context.Context, uids []uint32, fn func(uid uint32, size int64, header []byte) error) error {
	return s.headers(ctx, uids, []string{"MESSAGE-ID", "DATE", "FROM", "SUBJECT"}, fn)
}

// WholeHeaders calls fn with all of the header of the mails, up to
// headerLimit bytes; otherwise it is what Headers is.
func (s *imapSession) WholeHeaders(ctx context.Context, uids []uint32, fn func(uid uint32, size int64, header []byte) error) error {
	return s.headers(ctx, uids, nil, fn)
}

// headers reads fields of headers; no fields are all of them.
func (s *imapSession) headers(ctx context.Context, uids []uint32, fields []string, fn func(uid uint32, size int64, header []byte) error) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	section := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: fields, Peek: true}
	limit := bodyLimit{max: headerLimit, keep: headerLimit}
	pass := func(r received, _ Listed) error {
		defer r.drop()
		header, err := io.ReadAll(io.NewSectionReader(r.body.content, 0, r.body.length))
		if err != nil {
			return fmt.Errorf("reading a header: %w", err)
		}
		return fn(r.uid, r.size, header)
	}
	for len(uids) > 0 {
		n := min(len(uids), headerChunk)
		asked := make([]Listed, n)
		for i, uid := range uids[:n] {
			asked[i].UID = uid
		}
		if err := s.newFetching(asked, limit, pass).run(ctx, section); err != nil {
			return err
		}
		uids = uids[n:]
	}
	return nil
}

// fetching is one FETCH command under way.
type fetching struct {
	s      *imapSession
	limit  bodyLimit
	pass   func(received, Listed) error
	asked  []Listed
	open   map[uint32]Listed // asked for and not received yet
	cut    *received         // the mail at which the connection broke
	failed error             // of pass or of this machine
}

func (s *imapSession) newFetching(asked []Listed, limit bodyLimit, pass func(received, Listed) error) *fetching {
	f := &fetching{s: s, limit: limit, pass: pass, asked: asked, open: make(map[uint32]Listed, len(asked))}
	for _, m := range asked {
		f.open[m.UID] = m
	}
	return f
}

// run sends the command and hands over what comes.
func (f *fetching) run(ctx context.Context, section *imap.FetchItemBodySection) error {
	if len(f.open) == 0 {
		return nil
	}
	options := &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true, BodySection: []*imap.FetchItemBodySection{section}}
	for _, set := range uidSets(f.asked) {
		err := f.s.exchange(ctx, mail.StepFetch, func() error {
			f.s.strays.open(f.limit)
			return f.drain(f.s.client.Fetch(set, options))
		})
		switch {
		case f.failed != nil:
			return f.failed
		case hasCode(err, "EXPUNGEISSUED"): // some were removed meanwhile (RFC 5530)
		case err != nil:
			return f.interrupted(ctx, err)
		}
	}
	return nil
}

// drain reads the answer to its end, whatever happens.
func (f *fetching) drain(cmd *imapclient.FetchCommand) error {
	err := each(cmd, f.limit, func(r received) {
		f.take(r)
		for _, r := range f.s.strays.collect(false) {
			f.take(r)
		}
	})
	for _, r := range f.s.strays.collect(true) {
		f.take(r)
	}
	return err
}

// take hands a mail over if it was asked for, is complete and is the first of
// its UID.
func (f *fetching) take(r received) {
	if r.broken && f.cut == nil {
		f.cut = &r
	}
	if r.problem != nil && f.failed == nil {
		f.failed = r.problem
	}
	m, asked := f.open[r.uid]
	if r.body == nil || !asked || f.failed != nil {
		r.drop()
		return
	}
	delete(f.open, r.uid)
	f.failed = f.pass(r, m)
}

// missing are the UIDs that were asked for and not received, in that order.
func (f *fetching) missing() []uint32 {
	var uids []uint32
	for _, m := range f.asked {
		if _, open := f.open[m.UID]; open {
			uids = append(uids, m.UID)
		}
	}
	return uids
}

// interrupted names the mail at which the connection broke: the one that was
// being sent, else the first that was to come. It is nobody's fault when we
// closed the connection ourselves, and the server's when it refused.
func (f *fetching) interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil || isRefusal(err) || errors.Is(err, net.ErrClosed) {
		return err
	}
	missing := f.missing()
	if len(missing) == 0 {
		return err
	}
	e := &Interrupted{UID: slices.Min(missing), Err: err} // mails come in ascending order
	if f.cut != nil {
		e.Offset, e.Started = f.cut.offset, true
		if e.UID = f.cut.uid; e.UID == 0 && len(missing) == 1 {
			e.UID = missing[0] // the UID was to come after the body
		}
	}
	return e
}
