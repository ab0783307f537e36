package daemon

import (
	"context"
	"fmt"
	"slices"

	"helpdesk/daemon/desk"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// begin finds out where we are in a mailbox that was just opened: a first
// start draws the line below which mail is old, a changed UIDVALIDITY is
// matched with what we know, anything else goes on where it stopped.
func (c *collector) begin(ctx context.Context, s fetch.Session) (store.Mailbox, error) {
	if c.observer != nil {
		return c.beginObserving(ctx, s)
	}
	state := s.State()
	var box store.Mailbox
	err := c.store.Write(ctx, func(tx *store.Tx) (err error) {
		box, err = c.mailbox(tx)
		return err
	})
	if err != nil {
		return box, fmt.Errorf("reading the mailbox's state: %w", err)
	}
	c.box.Store(box.ID)
	seen, err := c.seen(ctx, box)
	if err != nil {
		return box, err
	}
	switch {
	case box.OpenedAt.IsZero():
		return c.firstStart(ctx, s, box, seen)
	case box.UIDValidity != state.UIDValidity, state.UIDNext != 0 && state.UIDNext < box.NextUID:
		// The second is a server that was restored from a backup: it gives
		// numbers again that it gave before.
		if box, err = c.renumbered(ctx, s, box); err != nil {
			return box, err
		}
	}
	if seen != nil && seen.observing() {
		return c.goLive(ctx, s, box, seen)
	}
	return box, nil
}

// mailbox is ours as the store knows it.
func (c *collector) mailbox(tx *store.Tx) (store.Mailbox, error) {
	box, _, err := tx.EnsureMailbox(c.desk.ID, c.fetch.Protocol, c.fetch.Host, c.fetch.Username, c.fetch.Folder)
	return box, err
}

// saveMailbox keeps how far a mailbox was read. How far its import is, is kept
// by progress.
func (c *collector) saveMailbox(ctx context.Context, box store.Mailbox) error {
	if err := c.store.Write(ctx, func(tx *store.Tx) error { return saveMailbox(ctx, tx, box) }); err != nil {
		return fmt.Errorf("keeping the mailbox's state: %w", err)
	}
	return nil
}

func saveMailbox(ctx context.Context, tx *store.Tx, box store.Mailbox) error {
	kept, err := tx.MailboxByID(ctx, box.ID)
	if err != nil {
		return err
	}
	box.ImportTotal, box.ImportDone = kept.ImportTotal, kept.ImportDone
	return tx.SaveMailbox(box)
}

// line is the number that divides what lies there now, which is old, from
// whatever comes later. UIDNEXT of the SELECT tells it; a server that does not
// give it is asked for its last mail.
func (c *collector) line(ctx context.Context, s fetch.Session) (uint32, error) {
	state := s.State()
	if state.UIDNext != 0 {
		return state.UIDNext, nil
	}
	listed, err := s.List(ctx, 1)
	if err != nil {
		return 0, err
	}
	if n := min(len(listed), int(state.Messages)); n > 0 { // what came since the SELECT is new
		return listed[n-1].UID + 1, nil
	}
	return 1, nil
}

// firstStart draws the line. What was seen in observe mode before, a person is
// asked about, whatever the configuration says of old mail.
func (c *collector) firstStart(ctx context.Context, s fetch.Session, box store.Mailbox, seen *Observation) (store.Mailbox, error) {
	state := s.State()
	line, err := c.line(ctx, s)
	if err != nil {
		return box, err
	}
	if c.process && seen == nil {
		line = 1
	}
	box.OpenedAt, box.UIDValidity, box.SkipBelow, box.NextUID = c.now(), state.UIDValidity, line, line
	box.SkipDone = line <= 1 || state.Messages == 0
	c.log.Info("first start of a mailbox", "mailbox", c.subject, "messages", state.Messages, "old_below_uid", line)
	if seen == nil {
		return box, c.saveMailbox(ctx, box)
	}
	seen.First = true
	return box, c.drawLine(ctx, s, box, seen)
}

// skipBatch is how much old mail is recorded between two looks for new mail.
const skipBatch = 500

// skipSome records a batch of old mail, and notes when all of it is done.
func (c *collector) skipSome(ctx context.Context, s fetch.Session, box *store.Mailbox) error {
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
	if err := c.skip(ctx, s, *box, batch); err != nil {
		return err
	}
	if c.old = c.old[len(batch):]; len(c.old) > 0 {
		return nil
	}
	if err := c.importOld(ctx, *box); err != nil {
		return err
	}
	c.old, box.SkipDone = nil, true
	return c.saveMailbox(ctx, *box)
}

// skip records mails as old, by their headers.
func (c *collector) skip(ctx context.Context, s fetch.Session, box store.Mailbox, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	var mails []desk.Old
	if err := s.Headers(ctx, uids, func(uid uint32, size int64, header []byte) error {
		mails = append(mails, desk.Old{UID: uid, Size: size, Header: slices.Clone(header)})
		return nil
	}); err != nil {
		return err
	}
	return c.taker.Skip(ctx, box, mails)
}
