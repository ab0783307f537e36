package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"helpdesk/daemon/desk"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// reconcile compares the whole mailbox with the ledger, at the first look after
// nightHour. A mail that the ledger does not know is taken; below the line of
// the first start it is recorded as skipped. Positions of mails that are not in
// the mailbox any more are dropped.
func (c *collector) reconcile(ctx context.Context, s fetch.Session, box *store.Mailbox) error {
	if c.observer != nil || !box.SkipDone {
		return nil
	}
	due, err := c.reconciliationDue(ctx, box.ID)
	if err != nil || !due {
		return err
	}
	began := c.now()
	all, err := s.List(ctx, 1)
	if err != nil {
		return err
	}
	complete := !s.State().Partial && len(all) >= int(s.State().Messages)
	listed := slices.DeleteFunc(slices.Clone(all), func(l fetch.Listed) bool { return l.UID >= box.NextUID }) // the others came since the last look
	positions, err := c.store.Positions(ctx, box.ID, box.UIDValidity, 1)
	if err != nil {
		return fmt.Errorf("reading positions: %w", err)
	}
	missing, gone := compare(listed, positions, box.NextUID)
	if err := c.takeMissing(ctx, s, *box, missing); err != nil {
		return err
	}
	if complete {
		if err := c.dropPositions(ctx, *box, gone); err != nil {
			return err
		}
	}
	r := store.Reconciliation{MailboxID: box.ID, At: began, Listed: len(listed), Missing: len(missing)}
	if len(missing) > 0 {
		if positions, err = c.store.Positions(ctx, box.ID, box.UIDValidity, 1); err != nil {
			return fmt.Errorf("reading positions: %w", err)
		}
		missing, _ = compare(listed, positions, box.NextUID)
		r.Unaccounted = len(missing)
		c.log.Warn("mails were missing in the ledger", "mailbox", c.subject, "missing", r.Missing, "unaccounted", r.Unaccounted)
	}
	if err := c.store.Write(ctx, func(tx *store.Tx) error { return tx.PutReconciliation(r) }); err != nil {
		return fmt.Errorf("keeping the comparison with the ledger: %w", err)
	}
	c.reconciled, c.swept = began, began
	return nil
}

// reconciliationDue reports whether the last night's comparison is still to be made.
func (c *collector) reconciliationDue(ctx context.Context, mailboxID int64) (bool, error) {
	if c.reconciled.IsZero() {
		latest, err := c.store.Reconciliations(ctx)
		if err != nil {
			return false, fmt.Errorf("reading the last comparison with the ledger: %w", err)
		}
		for _, r := range latest {
			if r.MailboxID == mailboxID {
				c.reconciled = r.At
			}
		}
	}
	return c.reconciled.Before(lastAt(c.now(), nightHour)) || ahead(c.reconciled, c.now()), nil
}

// compare says which listed mails the ledger does not know, and of which known
// ones, below next, the mails are not listed.
func compare(listed []fetch.Listed, positions []store.Position, next uint32) (missing []fetch.Listed, gone []store.Position) {
	for _, l := range listed {
		for len(positions) > 0 && positions[0].UID < l.UID {
			gone = append(gone, positions[0])
			positions = positions[1:]
		}
		if len(positions) == 0 || positions[0].UID != l.UID {
			missing = append(missing, l)
			continue
		}
		if p := positions[0]; p.LedgerID == 0 && p.RetryAt.IsZero() {
			missing = append(missing, l)
		}
		positions = positions[1:]
	}
	for _, p := range positions {
		if p.UID < next {
			gone = append(gone, p)
		}
	}
	return missing, gone
}

// takeMissing takes mails that the ledger did not know, and records those as
// skipped that lay there at the first start.
func (c *collector) takeMissing(ctx context.Context, s fetch.Session, box store.Mailbox, missing []fetch.Listed) error {
	var old []uint32
	var fresh []fetch.Listed
	for _, l := range missing {
		if l.UID < box.SkipBelow {
			old = append(old, l.UID)
		} else {
			fresh = append(fresh, l)
		}
	}
	for len(old) > 0 {
		batch := old[:min(len(old), skipBatch)]
		old = old[len(batch):]
		if err := c.skip(ctx, s, box, batch); err != nil {
			return err
		}
	}
	c.aside, c.wanted = nil, nil
	_, err := c.take(ctx, s, box, fresh)
	return err
}

// dropPositions forgets where mails lay that are not in the mailbox any more.
// Those of mails that were skipped or broke us stay: nothing but its header
// tells such a mail when it comes back.
func (c *collector) dropPositions(ctx context.Context, box store.Mailbox, gone []store.Position) error {
	for len(gone) > 0 {
		batch := gone[:min(len(gone), skipBatch)]
		gone = gone[len(batch):]
		if err := c.store.Write(ctx, func(tx *store.Tx) error {
			var uids []uint32
			for _, p := range batch {
				entry, err := tx.Entry(ctx, p.LedgerID)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				if entry.Outcome != desk.Skipped && entry.Outcome != desk.Quarantined {
					uids = append(uids, p.UID)
				}
			}
			return tx.ForgetPositions(box.ID, box.UIDValidity, uids)
		}); err != nil {
			return fmt.Errorf("forgetting where mails lay: %w", err)
		}
	}
	return nil
}
