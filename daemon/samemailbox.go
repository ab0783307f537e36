package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/mail/fetch"
)

// Two desks of which each has a mailbox, and which reach the same one by other
// names, would take each mail twice. The configuration finds what the names
// tell (config.Desk.Closed); here it is what the server shows: the same
// UIDVALIDITY (by POP3 the same unique-ids) and the same newest mails, compared
// by number, size and the whole header. The header has Received and Delivered-To
// in it, so one mail to two mailboxes is two. The desk that comes later in the
// file is stopped.

const (
	faceMails        = 10               // mails that are compared once a mailbox is opened
	faceKept         = 50               // that are remembered
	firstTry         = 30 * time.Second // how long a desk waits for those before it in the file to be reached
	firstMail        = 3 * time.Second  // how long it waits for one that shows no mail yet, before it takes its own
	sameMailboxPause = time.Hour        // until a stopped desk looks again
)

// faces are the mailboxes of all desks, in the order of the file.
type faces struct {
	mu  sync.Mutex
	all []*face
}

// face is what a desk's mailbox shows of itself.
type face struct {
	of      *faces
	desk    string        // its name
	reached chan struct{} // closed when the first try to reach it is over

	// Guarded by faces.mu:
	over             bool // reached is closed
	protocol, folder string
	uidvalidity      uint32
	mails            map[string]look
	order            []string // keys of mails, the oldest first
	stop             context.CancelCauseFunc
	changed          chan struct{} // closed and replaced with each mail
	waited           bool          // for the first mail of another desk
}

// look is how a mail looks.
type look struct {
	size   int64
	header [sha256.Size]byte
}

// add makes room for a desk's mailbox.
func (f *faces) add(desk string) *face {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := &face{of: f, desk: desk, reached: make(chan struct{}), changed: make(chan struct{})}
	f.all = append(f.all, one)
	return one
}

// tried notes that the first try to reach the mailbox is over.
func (f *face) tried() {
	if f == nil {
		return
	}
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	f.end()
}

func (f *face) end() {
	if !f.over {
		f.over = true
		close(f.reached)
	}
}

// earlier are the mailboxes of the desks before this one.
func (f *face) earlier() []*face {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	return slices.Clone(f.of.all[:slices.Index(f.of.all, f)])
}

// show keeps which mailbox it is, and compares it with the others. It returns
// the fault of this desk; a later one is stopped.
func (f *face) show(protocol, folder string, uidvalidity uint32, mails map[string]look, stop context.CancelCauseFunc) error {
	f.of.mu.Lock()
	if f.protocol != protocol || f.folder != folder || f.uidvalidity != uidvalidity {
		f.mails, f.order = make(map[string]look), nil
	}
	f.protocol, f.folder, f.uidvalidity, f.stop, f.waited = protocol, folder, uidvalidity, stop, false
	f.of.mu.Unlock()
	return f.note(mails)
}

// note keeps mails and compares them.
func (f *face) note(mails map[string]look) error {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	for id, l := range mails {
		if _, known := f.mails[id]; !known {
			f.order = append(f.order, id)
		}
		f.mails[id] = l
	}
	for len(f.order) > faceKept {
		delete(f.mails, f.order[0])
		f.order = f.order[1:]
	}
	close(f.changed)
	f.changed = make(chan struct{})
	f.end()
	mine := slices.Index(f.of.all, f)
	for i, other := range f.of.all {
		if other == f || !f.same(other) {
			continue
		}
		if i < mine {
			return twin(other, f)
		}
		if other.stop != nil {
			other.stop(twin(f, other))
		}
	}
	return nil
}

// like reports whether two mailboxes may be one: nothing but their mails can tell.
func (f *face) like(other *face) bool {
	return f.mails != nil && other.mails != nil && f.protocol == other.protocol && strings.EqualFold(f.folder, other.folder) && f.uidvalidity == other.uidvalidity
}

// same reports whether two mailboxes are one: they have a mail in common, and
// all that they have in common look the same. Which of their mails each desk saw
// depends on when it looked.
func (f *face) same(other *face) bool {
	if !f.like(other) {
		return false
	}
	common := 0
	for id, l := range f.mails {
		theirs, ok := other.mails[id]
		if ok && theirs != l {
			return false
		}
		if ok {
			common++
		}
	}
	return common > 0
}

// silent is a mailbox before this one that may be the same and has shown no
// mail yet, with what tells when it does; nil where there is none.
func (f *face) silent() <-chan struct{} {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	for _, other := range f.of.all[:slices.Index(f.of.all, f)] {
		if !f.waited && f.like(other) && len(other.mails) == 0 {
			f.waited = true
			return other.changed
		}
	}
	return nil
}

// twin is the fault of a desk whose mailbox an earlier one reads.
func twin(first, second *face) *config.Fault {
	return &config.Fault{Key: "mailbox", Code: "mailbox-shown-same", Args: map[string]string{"first": first.desk, "second": second.desk, "folder": second.folder}}
}

// sameMailboxFault is the fault that an error is made of, nil for any other error.
func sameMailboxFault(err error) *config.Fault {
	var fault *config.Fault
	if errors.As(err, &fault) && fault.Code == "mailbox-shown-same" {
		return fault
	}
	return nil
}

// introduce compares the mailbox that was just opened with those of the other
// desks. A desk waits a moment for those before it: which comes first must not
// depend on which server is faster.
func (c *collector) introduce(ctx context.Context, s fetch.Session, stop context.CancelCauseFunc) error {
	if c.face == nil || s.State().Partial { // which lists other mails each time
		c.face.tried()
		return nil
	}
	mails, err := c.newest(ctx, s)
	if err != nil {
		return err
	}
	deadline := c.now().Add(firstTry)
	for _, other := range c.face.earlier() {
		if left := deadline.Sub(c.now()); left > 0 {
			if err := c.account.wait(ctx, left, other.reached); err != nil {
				return err
			}
		}
	}
	uidvalidity := s.State().UIDValidity
	if c.maildrop() {
		uidvalidity = 0 // ours, not the server's
	}
	return c.face.show(c.fetch.Protocol, c.fetch.Folder, uidvalidity, mails, stop)
}

// newest are the looks of the newest mails.
func (c *collector) newest(ctx context.Context, s fetch.Session) (map[string]look, error) {
	state := s.State()
	from := uint32(1)
	if state.UIDNext > 10*faceMails {
		from = state.UIDNext - 10*faceMails // the whole of a large mailbox is a long listing
	}
	listed, err := s.List(ctx, from)
	if err == nil && len(listed) == 0 && from > 1 {
		listed, err = s.List(ctx, 1)
	}
	if err != nil {
		return nil, err
	}
	listed = listed[max(0, len(listed)-faceMails):]
	uids, sizes := make([]uint32, len(listed)), make(map[uint32]int64)
	for i, l := range listed {
		uids[i], sizes[l.UID] = l.UID, l.Size
	}
	mails := make(map[string]look, len(listed))
	err = s.WholeHeaders(ctx, uids, func(uid uint32, _ int64, header []byte) error {
		mails[c.faceID(uid)] = look{sizes[uid], sha256.Sum256(bytes.TrimRight(header, "\r\n"))}
		return nil
	})
	return mails, err
}

// faceID is what both desks call a mail.
func (c *collector) faceID(uid uint32) string {
	if c.maildrop() {
		return c.uniqueIDs[uid]
	}
	return strconv.FormatUint(uint64(uid), 10)
}

// headerMost is how much of a header is compared, in bytes: what fetch gives of one.
const headerMost = 256 << 10

// recognise compares mails that are about to be taken with what other desks
// have. It returns the fault of this desk when it has no mailbox of its own.
func (c *collector) recognise(ctx context.Context, batch []*desk.Incoming) error {
	if c.face == nil || c.partial {
		return nil
	}
	mails := make(map[string]look, len(batch))
	for _, in := range batch {
		b := make([]byte, min(headerMost, in.Raw.Length))
		n, _ := in.Raw.Content.ReadAt(b, 0) // it was read a moment ago
		mails[c.faceID(in.Raw.UID)] = look{in.Raw.Size, sha256.Sum256(bytes.TrimRight(wholeHeader(b[:n]), "\r\n"))}
	}
	if shown := c.face.silent(); shown != nil {
		if err := c.account.wait(ctx, firstMail, shown); err != nil {
			return err
		}
	}
	return c.face.note(mails)
}

// wholeHeader is what stands before the first empty line.
func wholeHeader(b []byte) []byte {
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(b, []byte(end)); i >= 0 {
			return b[:i]
		}
	}
	return b
}
