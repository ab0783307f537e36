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
)

// nightly removes, once a night, what is older than the configuration keeps.
func (h *housekeeping) nightly(ctx context.Context) error {
	night := lastAt(h.now().In(h.zone), nightHour)
	record := h.record
	if !record.Nightly.Before(night) {
		return nil
	}
	first := record.Nightly.IsZero() // the first start, in the middle of a day
	if !first {
		if err := h.expire(ctx); err != nil {
			return err
		}
	}
	record.Nightly = night
	return h.keep(ctx, record, nil)
}

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
	if err := h.store.Scrub(ctx); err != nil { // of a person who was forgotten
		return err
	}
	now := h.now()
	if keep := time.Duration(h.retention.Requests); keep > 0 {
		desks, err := h.store.Desks(ctx) // also those that are gone from the configuration
		if err != nil {
			return fmt.Errorf("reading the desks: %w", err)
		}
		for _, d := range desks {
			if err := h.inBatches(ctx, "requests", func(tx *store.Tx) (int, error) {
				return tx.ExpireRequests(ctx, d.ID, now.Add(-keep), expireBatch)
			}); err != nil {
				return err
			}
		}
	}
	if keep := time.Duration(h.retention.Raw); keep > 0 {
		if err := h.inBatches(ctx, "mails", func(tx *store.Tx) (int, error) { return tx.ExpireRaw(ctx, now.Add(-keep), expireBatch) }); err != nil {
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
	return h.inBatches(ctx, "outbox", func(tx *store.Tx) (int, error) { return tx.ExpireOutbox(ctx, now.Add(-keep), expireBatch) })
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
