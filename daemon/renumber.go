package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// renumbered handles a changed UIDVALIDITY (RFC 9051 section 2.3.1.1), or a
// POP3 maildrop of which no known mail is listed any more: every UID is void.
// What lies there is matched with what we know by size and header hash; the
// rest is new and is fetched, where the fingerprint still finds what was taken
// before.
func (c *collector) renumbered(ctx context.Context, s fetch.Session, box store.Mailbox) (store.Mailbox, error) {
	state := s.State()
	c.log.Warn("the server numbered the mailbox anew", "mailbox", c.subject, "uidvalidity_before", box.UIDValidity, "uidvalidity", state.UIDValidity)
	listed, err := s.List(ctx, 1)
	if err != nil {
		return box, err
	}
	r := &renumbering{
		c: c, box: box, uidvalidity: state.UIDValidity, guessed: c.maildrop(), used: make(map[int64]bool), there: make(map[uint32]store.Position),
	}
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
	if err := r.forgetPending(ctx); err != nil {
		return box, err
	}
	unfinished := !box.SkipDone
	box.UIDValidity, box.SkipBelow, box.SkipDone, box.NextUID = state.UIDValidity, 0, true, 1
	if unfinished { // all old mail that lies there has its line now
		if err := c.importOld(ctx, box); err != nil {
			return box, err
		}
	}
	return box, c.saveMailbox(ctx, box)
}

// renumbering carries positions over to a new UIDVALIDITY.
type renumbering struct {
	c           *collector
	box         store.Mailbox
	uidvalidity uint32
	used        map[int64]bool            // ledger lines of mails already found again: a mail has a position for each time it was numbered
	guessed     bool                      // nobody said that the numbers are new: it shows by the mails
	proved      bool                      // one of them was found again
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

// forgetPending drops what a POP3 server was still to be told of mails that did
// not come to light again: they are gone, or will be read as new ones. Its
// UIDVALIDITY is ours and does not come back.
func (r *renumbering) forgetPending(ctx context.Context) error {
	if !r.guessed {
		return nil
	}
	pending, err := r.c.store.Pending(ctx, r.box.ID, r.box.UIDValidity)
	if err != nil {
		return fmt.Errorf("reading what the server is to be told: %w", err)
	}
	uids := make([]uint32, len(pending))
	for i, p := range pending {
		uids[i] = p.UID
	}
	if err := r.c.store.Write(ctx, func(tx *store.Tx) error { return tx.ClearPending(r.box.ID, r.box.UIDValidity, uids) }); err != nil {
		return fmt.Errorf("forgetting what the server was to be told: %w", err)
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
	for _, m := range r.inOrder() {
		hash := mail.HeaderHash(m.Header)
		if p, ok := r.there[m.UID]; ok && p.Size == m.Size && (p.HeaderHash == hash || p.HeaderHash == [16]byte{}) {
			r.used[p.LedgerID] = true
			continue
		} else if ok {
			wrong = append(wrong, m.UID)
		}
		candidates, err := r.c.store.PositionsByHash(ctx, r.box.ID, r.uidvalidity, hash, m.Size)
		if err != nil {
			return fmt.Errorf("looking for a mail that got a new number: %w", err)
		}
		i := slices.IndexFunc(candidates, func(k store.KnownPosition) bool {
			return !r.used[k.LedgerID] && !(bare(m.Header) && (r.removed(k) || r.guessed && !r.proved))
		})
		switch {
		case i >= 0:
			r.proved = true
			r.used[candidates[i].LedgerID] = true
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

// inOrder is the batch with bare mails last, where they need the proof that
// another one gives: that a mail of the same words lies there is none, for it
// may be a new one. Without proof it is taken, rather twice than not at all.
func (r *renumbering) inOrder() []desk.Old {
	if !r.guessed {
		return r.batch
	}
	var named, unnamed []desk.Old
	for _, m := range r.batch {
		if bare(m.Header) {
			unnamed = append(unnamed, m)
		} else {
			named = append(named, m)
		}
	}
	return append(named, unnamed...)
}

// removed reports whether a mail was deleted or moved by us: what lies there
// with the same header is another one.
func (r *renumbering) removed(k store.KnownPosition) bool {
	kind := action(desk.Tell(r.c.desk, k.Outcome, store.RawWhole)).Kind
	return k.Pending == "" && (kind == "delete" || kind == "move")
}

// bare reports whether a header has neither Message-ID nor Date: of such a mail
// the fingerprint does not tell whether it was taken before.
func bare(header []byte) bool {
	m, err := mail.Parse(strings.NewReader(string(header)))
	return err == nil && m.Generated && m.Date.IsZero()
}

// before reports whether a mail was written before the first start. One
// without a date counts as old: silence about a new mail is seen on the page,
// an answer to an old one cannot be taken back.
func (r *renumbering) before(header []byte) bool {
	m, err := mail.Parse(strings.NewReader(string(header)))
	return err != nil || m.Date.IsZero() || m.Date.Before(r.box.OpenedAt)
}
