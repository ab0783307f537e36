package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// begin finds out where we are in a mailbox that was just opened: a first
// start draws the line below which mail is old, a changed UIDVALIDITY is
// matched with what we know, anything else goes on where it stopped.
func (c *collector) begin(ctx context.Context, s *fetch.Session) (store.Mailbox, error) {
	state := s.State()
	var box store.Mailbox
	err := c.store.Write(ctx, func(tx *store.Tx) (err error) {
		box, _, err = tx.EnsureMailbox(c.desk.ID, "imap", c.fetch.Host, c.fetch.Username, c.fetch.Folder)
		return err
	})
	if err != nil {
		return box, fmt.Errorf("reading the mailbox's state: %w", err)
	}
	switch {
	case box.OpenedAt.IsZero():
		return c.firstStart(ctx, s, box)
	case box.UIDValidity != state.UIDValidity, state.UIDNext != 0 && state.UIDNext < box.NextUID:
		// The second is a server that was restored from a backup: it gives
		// numbers again that it gave before.
		return c.renumbered(ctx, s, box)
	}
	return box, nil
}

// firstStart draws the line: all that lies there now is old, whatever comes
// later is new. UIDNEXT of the SELECT tells it; a server that does not give it
// is asked for its last mail.
func (c *collector) firstStart(ctx context.Context, s *fetch.Session, box store.Mailbox) (store.Mailbox, error) {
	state := s.State()
	line := state.UIDNext
	if line == 0 {
		listed, err := s.List(ctx, 1)
		if err != nil {
			return box, err
		}
		line = 1
		if n := min(len(listed), int(state.Messages)); n > 0 { // what came since the SELECT is new
			line = listed[n-1].UID + 1
		}
	}
	if c.process {
		line = 1
	}
	box.OpenedAt, box.UIDValidity, box.SkipBelow, box.NextUID = c.now(), state.UIDValidity, line, line
	box.SkipDone = line <= 1 || state.Messages == 0
	c.log.Info("first start of a mailbox", "mailbox", c.subject, "messages", state.Messages, "old_below_uid", line)
	return box, c.saveMailbox(ctx, box)
}

// skipBatch is how much old mail is recorded between two looks for new mail.
const skipBatch = 500

// skipSome records a batch of old mail, and notes when all of it is done.
func (c *collector) skipSome(ctx context.Context, s *fetch.Session, box *store.Mailbox) error {
	if c.old == nil {
		listed, err := s.List(ctx, 1)
		if err != nil {
			return err
		}
		known, err := c.store.KnownUIDs(ctx, box.ID, box.UIDValidity, 1)
		if err != nil {
			return fmt.Errorf("reading positions: %w", err)
		}
		c.old = []uint32{}
		for _, l := range listed {
			if _, found := slices.BinarySearch(known, l.UID); !found && l.UID < box.SkipBelow {
				c.old = append(c.old, l.UID)
			}
		}
	}
	batch := c.old[:min(len(c.old), skipBatch)]
	var mails []desk.Old
	if len(batch) > 0 {
		err := s.Headers(ctx, batch, func(uid uint32, size int64, header []byte) error {
			mails = append(mails, desk.Old{UID: uid, Size: size, Header: slices.Clone(header)})
			return nil
		})
		if err != nil {
			return err
		}
		if err := c.taker.Skip(ctx, *box, mails); err != nil {
			return err
		}
	}
	if c.old = c.old[len(batch):]; len(c.old) == 0 {
		c.old, box.SkipDone = nil, true
		return c.saveMailbox(ctx, *box)
	}
	return nil
}

// renumbered handles a changed UIDVALIDITY (RFC 9051 section 2.3.1.1): every
// UID is void. What lies there is matched with what we know by size and
// header hash; the rest is new and is fetched, where the fingerprint still
// finds what was taken before.
func (c *collector) renumbered(ctx context.Context, s *fetch.Session, box store.Mailbox) (store.Mailbox, error) {
	state := s.State()
	c.log.Warn("the server numbered the mailbox anew", "mailbox", c.subject, "uidvalidity_before", box.UIDValidity, "uidvalidity", state.UIDValidity)
	listed, err := s.List(ctx, 1)
	if err != nil {
		return box, err
	}
	r := &renumbering{c: c, box: box, uidvalidity: state.UIDValidity, used: make(map[store.Position]bool), there: make(map[uint32]store.Position)}
	positions, err := c.store.Positions(ctx, box.ID, state.UIDValidity, 1)
	if err != nil {
		return box, fmt.Errorf("reading positions: %w", err)
	}
	for _, p := range positions {
		r.there[p.UID] = p
	}
	uids := make([]uint32, len(listed))
	for i, l := range listed {
		uids[i] = l.UID
	}
	if err := r.forgetUnlisted(ctx, uids); err != nil {
		return box, err
	}
	for len(uids) > 0 {
		n := min(len(uids), skipBatch)
		if err := s.Headers(ctx, uids[:n], r.match); err != nil {
			return box, err
		}
		if err := r.commit(ctx); err != nil {
			return box, err
		}
		uids = uids[n:]
	}
	box.UIDValidity, box.SkipBelow, box.SkipDone, box.NextUID = state.UIDValidity, 0, true, 1
	return box, c.saveMailbox(ctx, box)
}

// renumbering carries positions over to a new UIDVALIDITY.
type renumbering struct {
	c           *collector
	box         store.Mailbox
	uidvalidity uint32
	used        map[store.Position]bool   // old positions already found again
	there       map[uint32]store.Position // positions of the new UIDVALIDITY: of a renumbering that was cut off, or of a time when the server had it before
	batch       []desk.Old
}

// forgetUnlisted drops positions whose mails are gone: their numbers may be
// given to new mails.
func (r *renumbering) forgetUnlisted(ctx context.Context, listed []uint32) error {
	var gone []uint32
	for uid := range r.there {
		if _, found := slices.BinarySearch(listed, uid); !found {
			gone = append(gone, uid)
			delete(r.there, uid)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := r.c.store.Write(ctx, func(tx *store.Tx) error { return tx.ForgetPositions(r.box.ID, r.uidvalidity, gone) }); err != nil {
		return fmt.Errorf("forgetting old numbers: %w", err)
	}
	return nil
}

// match collects a batch; the store must not be asked inside of a FETCH.
func (r *renumbering) match(uid uint32, size int64, header []byte) error {
	r.batch = append(r.batch, desk.Old{UID: uid, Size: size, Header: slices.Clone(header)})
	return nil
}

func (r *renumbering) commit(ctx context.Context) error {
	var found []store.Position
	var wrong []uint32 // numbers that belonged to other mails
	var old []desk.Old
	told := make(map[uint32][]uint32) // by UIDVALIDITY: what was pending there is pending here now
	for _, m := range r.batch {
		hash := mail.HeaderHash(m.Header)
		if p, ok := r.there[m.UID]; ok && p.Size == m.Size && (p.HeaderHash == hash || p.HeaderHash == [16]byte{}) {
			continue
		} else if ok {
			wrong = append(wrong, m.UID)
		}
		candidates, err := r.c.store.PositionsByHash(ctx, r.box.ID, r.uidvalidity, hash, m.Size)
		if err != nil {
			return fmt.Errorf("looking for a mail that got a new number: %w", err)
		}
		i := slices.IndexFunc(candidates, func(k store.KnownPosition) bool { return !r.used[k.Position] })
		switch {
		case i >= 0:
			r.used[candidates[i].Position] = true
			p := candidates[i].Position
			if p.Pending != "" {
				told[p.UIDValidity] = append(told[p.UIDValidity], p.UID)
			}
			p.UIDValidity, p.UID = r.uidvalidity, m.UID
			found = append(found, p)
		case !r.box.SkipDone && r.before(m.Header):
			// The first start was not finished: what was written before it is old.
			old = append(old, m)
		}
	}
	r.batch = r.batch[:0]
	box := r.box
	box.UIDValidity = r.uidvalidity
	if len(wrong) > 0 {
		if err := r.c.store.Write(ctx, func(tx *store.Tx) error { return tx.ForgetPositions(box.ID, r.uidvalidity, wrong) }); err != nil {
			return fmt.Errorf("forgetting old numbers: %w", err)
		}
	}
	if len(old) > 0 {
		if err := r.c.taker.Skip(ctx, box, old); err != nil {
			return err
		}
	}
	if err := r.c.store.Write(ctx, func(tx *store.Tx) error {
		for _, p := range found {
			if err := tx.AddPosition(p); err != nil {
				return err
			}
		}
		for uidvalidity, uids := range told {
			if err := tx.ClearPending(box.ID, uidvalidity, uids); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("keeping new numbers: %w", err)
	}
	return nil
}

// before reports whether a mail was written before the first start. One
// without a date counts as old: silence about a new mail is seen on the page,
// an answer to an old one cannot be taken back.
func (r *renumbering) before(header []byte) bool {
	m, err := mail.Parse(strings.NewReader(string(header)))
	return err != nil || m.Date.IsZero() || m.Date.Before(r.box.OpenedAt)
}

// tellPending tells the server what was committed and not yet told, because
// the connection or the process ended in between, or because it refused. After
// a refusal it is asked again every quarter of an hour.
func (c *collector) tellPending(ctx context.Context, s *fetch.Session, box store.Mailbox) error {
	pending, err := c.store.Pending(ctx, box.ID, box.UIDValidity)
	if err != nil {
		return fmt.Errorf("reading what the server is to be told: %w", err)
	}
	taken := make([]desk.Taken, 0, len(pending))
	for _, p := range pending {
		if c.refused.wait(p.Pending, c.now()) {
			continue
		}
		taken = append(taken, desk.Taken{UID: p.UID, Pending: p.Pending})
	}
	return c.tell(ctx, s, box, taken)
}

// refusalPause is how long nothing more is asked of a server that refused it.
const refusalPause = 15 * time.Minute

// refusals are the acts that the server refuses, and until when it is left in
// peace. The page reads them while the collector runs.
type refusals struct {
	mu   sync.Mutex
	acts map[string]refusal
}

type refusal struct {
	err   *mail.Error
	until time.Time
}

func (r *refusals) set(act string, err *mail.Error, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.acts == nil {
		r.acts = make(map[string]refusal)
	}
	r.acts[act] = refusal{err, until}
}

func (r *refusals) clear(act string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.acts, act)
}

// wait reports whether the server refused an act and is not to be asked yet.
func (r *refusals) wait(act string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused, ok := r.acts[act]
	return ok && now.Before(refused.until)
}

// any is one of the refusals, nil when there is none.
func (r *refusals) any() *mail.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if acts := slices.Sorted(maps.Keys(r.acts)); len(acts) > 0 {
		return r.acts[acts[0]].err
	}
	return nil
}

// tell marks, moves or deletes mails on the server, after the commit only
// (promise 2), and notes that it is done.
func (c *collector) tell(ctx context.Context, s *fetch.Session, box store.Mailbox, taken []desk.Taken) error {
	acts := make(map[string][]uint32)
	c.came += len(taken)
	for _, t := range taken {
		delete(c.breaks, t.UID)
		if t.Pending != "" {
			acts[t.Pending] = append(acts[t.Pending], t.UID)
		}
	}
	for _, act := range slices.Sorted(maps.Keys(acts)) {
		err := s.Acknowledge(ctx, action(act), acts[act])
		var refusal *mail.Error
		if err != nil && !s.Broken() && ctx.Err() == nil && errors.As(err, &refusal) {
			// The mail is taken and safe; that it lies where it lay holds up nobody.
			c.log.Warn("the server refuses what it was told", "mailbox", c.subject, "act", act, "mails", len(acts[act]), "error", err)
			c.refused.set(act, refusal, c.now().Add(refusalPause))
			continue
		} else if err != nil {
			return err
		}
		c.refused.clear(act)
		if err := c.store.Write(ctx, func(tx *store.Tx) error {
			return tx.ClearPending(box.ID, box.UIDValidity, acts[act])
		}); err != nil {
			return fmt.Errorf("noting what the server was told: %w", err)
		}
	}
	return nil
}

// action reads what desk.Tell wrote.
func action(pending string) fetch.Action {
	kind, folder, _ := strings.Cut(pending, ":")
	return fetch.Action{Kind: kind, Folder: folder}
}
