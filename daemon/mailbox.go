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
	state := s.State()
	var box store.Mailbox
	err := c.store.Write(ctx, func(tx *store.Tx) (err error) {
		box, err = c.mailbox(tx)
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

// mailbox is ours as the store knows it.
func (c *collector) mailbox(tx *store.Tx) (store.Mailbox, error) {
	box, _, err := tx.EnsureMailbox(c.desk.ID, c.fetch.Protocol, c.fetch.Host, c.fetch.Username, c.fetch.Folder)
	return box, err
}

// firstStart draws the line: all that lies there now is old, whatever comes
// later is new. UIDNEXT of the SELECT tells it; a server that does not give it
// is asked for its last mail.
func (c *collector) firstStart(ctx context.Context, s fetch.Session, box store.Mailbox) (store.Mailbox, error) {
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
