package daemon

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"helpdesk/daemon/desk"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// Mails that people want, and whose text is only on the server: old mail that
// was skipped, of which one wants this mail or all of it (backlog = "import").
// Each has its line in the ledger, which is kept; whoever took it takes the
// wish away in the same transaction, so that a kill repeats and loses nothing.

// wish is a mail that somebody wants.
type wish struct {
	fetch.Listed
	line int64 // of the ledger
	store.Wish
	old bool // of an import
}

// wantedBatch is how many of them are fetched between two looks for new mail.
const wantedBatch = 100

// takeWanted fetches and takes some of the mails that people want. Those that
// somebody waits for come before those of an import, which are taken oldest first.
func (c *collector) takeWanted(ctx context.Context, s fetch.Session, box store.Mailbox) error {
	if c.observer != nil {
		return nil
	}
	select {
	case <-c.kick: // somebody wants one more, perhaps of those that an import fetches
		c.wishes = nil
	default:
	}
	if len(c.wishes) == 0 {
		if err := c.readWishes(ctx, s, box); err != nil || len(c.wishes) == 0 {
			return err
		}
	}
	batch := c.wishes[:min(len(c.wishes), wantedBatch)]
	c.wishes = c.wishes[len(batch):]
	c.aside, c.wanted = nil, make(map[uint32]wish, len(batch))
	mails := make([]fetch.Listed, len(batch))
	for i, w := range batch {
		mails[i], c.wanted[w.UID] = w.Listed, w
	}
	if _, err := c.take(ctx, s, box, mails); err != nil {
		return err
	}
	if !batch[len(batch)-1].old {
		return nil
	}
	return c.progress(ctx, box, len(c.wishes))
}

// readWishes asks the store what people want, and the server whether it is
// there. What is gone from the mailbox cannot be had any more.
func (c *collector) readWishes(ctx context.Context, s fetch.Session, box store.Mailbox) error {
	c.wishes = nil
	positions, wishes, err := c.store.Wanted(ctx, box.ID, box.UIDValidity)
	if err != nil {
		return fmt.Errorf("reading which mails people want: %w", err)
	}
	kept, err := c.store.MailboxByID(ctx, box.ID)
	if err != nil {
		return fmt.Errorf("reading the mailbox's state: %w", err)
	}
	importing := kept.ImportDone < kept.ImportTotal
	if len(positions) == 0 {
		if importing { // ended between the last batch and its note
			return c.progress(ctx, box, 0)
		}
		return nil
	}
	slices.SortFunc(positions, func(a, b store.Position) int { return cmp.Compare(a.UID, b.UID) })
	listed, err := s.List(ctx, positions[0].UID)
	if err != nil {
		return err
	}
	var gone []int64
	for _, p := range positions {
		i, there := slices.BinarySearchFunc(listed, p.UID, func(l fetch.Listed, uid uint32) int { return cmp.Compare(l.UID, uid) })
		switch {
		case !p.RetryAt.IsZero(): // set aside: it is tried again with the others of its kind
		case there:
			c.wishes = append(c.wishes, wish{Listed: listed[i], line: p.LedgerID, Wish: wishes[p.LedgerID], old: importing && wishes[p.LedgerID].Quiet})
		case !s.State().Partial:
			gone = append(gone, p.LedgerID)
		}
	}
	slices.SortStableFunc(c.wishes, func(a, b wish) int {
		if a.old == b.old {
			return 0
		} else if b.old {
			return -1
		}
		return 1
	})
	return c.unwant(ctx, gone)
}

// unwant notes that mails cannot be had any more.
func (c *collector) unwant(ctx context.Context, lines []int64) error {
	if len(lines) == 0 {
		return nil
	}
	c.log.Warn("mails that somebody wants are gone from the mailbox", "mailbox", c.subject, "ledger", lines)
	if err := c.store.Write(ctx, func(tx *store.Tx) error {
		for _, line := range lines {
			if err := tx.Unwant(line); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("noting that mails are gone: %w", err)
	}
	return nil
}

// stillWanted looks up whether a mail that was set aside is one that somebody wants.
func (c *collector) stillWanted(ctx context.Context, p store.Position) error {
	how, wanted, err := c.store.WantedEntry(ctx, p.LedgerID)
	if err != nil {
		return fmt.Errorf("reading whether somebody wants a mail: %w", err)
	}
	if wanted {
		c.wanted[p.UID] = wish{line: p.LedgerID, Wish: how}
	}
	return nil
}

// describe says what is known of a mail that was just fetched, beside its text.
func (c *collector) describe(in *desk.Incoming, box store.Mailbox) {
	uid := in.Raw.UID
	in.Entry = c.aside[uid].LedgerID
	if w, ok := c.wanted[uid]; ok {
		in.Entry, in.Wanted, in.ByRule, in.Quiet, in.Import = w.line, true, w.ByRule, w.Quiet, w.old
		return
	}
	if c.partial && !c.process && old(in, box.OpenedAt) {
		in.Old, in.Import = !c.imports, c.imports
	}
}
