package daemon

import (
	"context"
	"errors"
	"fmt"

	"helpdesk/daemon/desk"
	"helpdesk/store"
	"helpdesk/ui"
)

// importOld makes all old mail wanted, quietly, where the configuration says
// backlog = "import": from then on takeWanted fetches it. It is called when all
// of it has its line in the ledger and before that is on record, so that a kill
// in between only repeats it. Mail that a person is asked about is left out.
func (c *collector) importOld(ctx context.Context, box store.Mailbox) error {
	if !c.imports {
		return nil
	}
	seen, err := c.seen(ctx, box)
	if err != nil {
		return err
	}
	if seen != nil && !seen.First {
		return nil // it is not the mailbox's first start
	}
	positions, err := c.store.Positions(ctx, box.ID, box.UIDValidity, 1)
	if err != nil {
		return fmt.Errorf("reading positions: %w", err)
	}
	var lines []int64
	for _, p := range positions {
		if seen == nil || !seen.asksAbout(box, p.UID) {
			lines = append(lines, p.LedgerID)
		}
	}
	n, err := want(ctx, c.store, lines, true)
	if err != nil {
		return err
	}
	return c.startImport(ctx, box, n)
}

// want makes those mails of the ledger that were skipped and nothing else
// wanted, and returns how many there were. It may be repeated.
func want(ctx context.Context, s *store.Store, lines []int64, quiet bool) (int, error) {
	n := 0
	for len(lines) > 0 {
		batch := lines[:min(len(lines), skipBatch)]
		lines = lines[len(batch):]
		some := 0
		if err := s.Write(ctx, func(tx *store.Tx) (err error) {
			some, err = wantSkipped(ctx, tx, batch, quiet)
			return err
		}); err != nil {
			return n, fmt.Errorf("noting which old mail is wanted: %w", err)
		}
		n += some
	}
	return n, nil
}

// wantSkipped wants old mail of which nobody chose a single one: each becomes
// what the rules say, a newsletter is no request.
func wantSkipped(ctx context.Context, tx *store.Tx, lines []int64, quiet bool) (n int, err error) {
	for _, line := range lines {
		if skipped, err := isSkipped(ctx, tx.View, line); err != nil {
			return n, err
		} else if !skipped {
			continue
		}
		if err := tx.Want(line, store.Wish{Quiet: quiet, ByRule: true}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// outcomeOf is what became of a mail of the ledger, "" where its line has expired.
func outcomeOf(ctx context.Context, v *store.View, line int64) (string, error) {
	entry, err := v.Entry(ctx, line)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("reading ledger line %d: %w", line, err)
	}
	return entry.Outcome, nil
}

// isSkipped reports whether a line of the ledger is one of old mail.
func isSkipped(ctx context.Context, v *store.View, line int64) (bool, error) {
	outcome, err := outcomeOf(ctx, v, line)
	return outcome == desk.Skipped, err
}

// startImport notes how much there is to import.
func (c *collector) startImport(ctx context.Context, box store.Mailbox, n int) error {
	if err := c.store.Write(ctx, func(tx *store.Tx) error {
		kept, err := tx.MailboxByID(ctx, box.ID)
		if err != nil {
			return err
		}
		kept.ImportTotal, kept.ImportDone = n, 0
		return tx.SaveMailbox(kept)
	}); err != nil {
		return fmt.Errorf("noting how much is to be imported: %w", err)
	}
	c.log.Info("old mail is imported", "mailbox", c.subject, "mails", n)
	return nil
}

// importOf is how far the import of a desk's old mail is, as far as its mailbox
// was reached in this run; nil when none is under way.
func (d *daemon) importOf(ctx context.Context, r *runningDesk) (*ui.Progress, error) {
	if r.collector == nil || r.collector.box.Load() == 0 {
		return nil, nil
	}
	box, err := d.store.MailboxByID(ctx, r.collector.box.Load())
	if err != nil {
		return nil, fmt.Errorf("reading how far an import is: %w", err)
	}
	if box.ImportDone >= box.ImportTotal {
		return nil, nil
	}
	return &ui.Progress{Done: box.ImportDone, Total: box.ImportTotal}, nil
}

// progress notes how much of an import is left.
func (c *collector) progress(ctx context.Context, box store.Mailbox, left int) error {
	if err := c.store.Write(ctx, func(tx *store.Tx) error {
		kept, err := tx.MailboxByID(ctx, box.ID)
		if err != nil {
			return err
		}
		kept.ImportTotal = max(kept.ImportTotal, left)
		kept.ImportDone = kept.ImportTotal - left
		return tx.SaveMailbox(kept)
	}); err != nil {
		return fmt.Errorf("noting how far the import is: %w", err)
	}
	return nil
}
