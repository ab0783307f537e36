package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// BlockedAt reports whether agents called mail of an address spam at a desk.
func (v *View) BlockedAt(ctx context.Context, deskID int64, address string) (bool, error) {
	_, err := one(ctx, v, (*row).int, "SELECT at FROM blocked WHERE desk_id = ? AND key = ?", deskID, addressKey(address))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Block keeps that agents called mail of an address spam, for which request.
func (t *Tx) Block(deskID int64, address string, requestID int64, at time.Time) error {
	_, err := t.exec("INSERT OR REPLACE INTO blocked (desk_id, key, request_id, at) VALUES (?, ?, ?, ?)",
		deskID, addressKey(address), requestID, millis(at))
	if err != nil {
		return fmt.Errorf("blocking %s: %w", address, err)
	}
	return nil
}

// Unblock lets an address write again and reports whether it was blocked.
func (t *Tx) Unblock(deskID int64, address string) (bool, error) {
	n, err := t.exec("DELETE FROM blocked WHERE desk_id = ? AND key = ?", deskID, addressKey(address))
	if err != nil {
		return false, fmt.Errorf("letting %s write again: %w", address, err)
	}
	return n > 0, nil
}

// Suspensions returns the addresses to which nothing is sent, newest first.
func (v *View) Suspensions(ctx context.Context) ([]Suspension, error) {
	return list(ctx, v, func(r *row) Suspension {
		return Suspension{Address: r.text(), LedgerID: r.int(), Status: r.text(), At: r.time()}
	}, "SELECT key, ledger_id, status, at FROM suspended ORDER BY at DESC, key")
}
