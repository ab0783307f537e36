package daemon

import (
	"context"
	"fmt"
	"time"

	"helpdesk/store"
)

const (
	nightHour   = 3   // o'clock: nobody waits for the database then
	expireBatch = 200 // lines that are removed in one transaction
	mailBatch   = 20  // the same where they have large mails

	// keepSent is how long it is known at least what was sent: bounces come days
	// later, and limits count it.
	keepSent = 30 * 24 * time.Hour
)

// nightly removes, once a night, what is older than the configuration keeps.
func (h *housekeeping) nightly(ctx context.Context) error {
	night := lastAt(h.now().In(h.zone), nightHour)
	record := h.record
	if !record.Nightly.Before(night) && !ahead(record.Nightly, h.now()) {
		return nil
	}
	first := record.Nightly.IsZero() // the first start, in the middle of a day
	if !first {
		if err := h.expire(ctx); err != nil {
			return err
		}
		// It holds up the intake, and fails where there is no room for it: once a
		// night is often enough.
		if err := h.scrub(ctx); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			h.log.Error("copies of what was removed stay in the database file until the next night", "error", err)
		}
	}
	record.Nightly = night
	return h.keep(ctx, record, nil)
}

// ahead reports whether a time that was noted lies so far ahead that the clock
// must have been wrong then.
func ahead(at, now time.Time) bool { return at.Sub(now) > 24*time.Hour }

// lastAt is the latest moment up to now at which the clock showed an hour.
func lastAt(now time.Time, hour int) time.Time {
	y, m, d := now.Date()
	at := time.Date(y, m, d, hour, 0, 0, 0, now.Location())
	if at.After(now) {
		at = time.Date(y, m, d-1, hour, 0, 0, 0, now.Location())
	}
	return at
}

// expire removes what is too old, in this order: requests, with all that
// belongs to them; the mails as they arrived; the ledger, and the outbox with it.
func (h *housekeeping) expire(ctx context.Context) error {
	now := h.now()
	if keep := time.Duration(h.retention.Requests); keep > 0 {
		desks, err := h.store.Desks(ctx) // also those that are gone from the configuration
		if err != nil {
			return fmt.Errorf("reading the desks: %w", err)
		}
		for _, d := range desks {
			if err := h.inBatches(ctx, "requests", func(tx *store.Tx) (int, error) {
				return tx.ExpireRequests(ctx, d.ID, now.Add(-keep), mailBatch)
			}); err != nil {
				return err
			}
		}
	}
	if keep := time.Duration(h.retention.Raw); keep > 0 {
		if err := h.inBatches(ctx, "mails", func(tx *store.Tx) (int, error) { return tx.ExpireRaw(ctx, now.Add(-keep), mailBatch) }); err != nil {
			return err
		}
	}
	keep := time.Duration(h.retention.Ledger)
	if keep <= 0 {
		return nil
	}
	if err := h.inBatches(ctx, "ledger", func(tx *store.Tx) (int, error) { return tx.ExpireLedger(ctx, now.Add(-keep), expireBatch) }); err != nil {
		return err
	}
	return h.inBatches(ctx, "outbox", func(tx *store.Tx) (int, error) {
		return tx.ExpireOutbox(ctx, now.Add(-max(keep, keepSent)), expireBatch)
	})
}

// inBatches repeats a removal, each in a transaction of its own, until there is
// nothing left to remove.
func (h *housekeeping) inBatches(ctx context.Context, what string, remove func(tx *store.Tx) (int, error)) error {
	for all := 0; ; {
		n := 0
		if err := h.store.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = remove(tx)
			return err
		}); err != nil {
			return fmt.Errorf("removing old %s: %w", what, err)
		}
		if all += n; n == 0 {
			if all > 0 {
				h.log.Info("removed what is older than [retention] says", "what", what, "number", all)
			}
			return nil
		}
	}
}
