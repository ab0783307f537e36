package store

import (
	"context"
	"fmt"
)

// PutReconciliation keeps a comparison in the place of the mailbox's last one.
func (t *Tx) PutReconciliation(r Reconciliation) error {
	_, err := t.exec("INSERT OR REPLACE INTO reconciliations (mailbox_id, at, listed, missing, unaccounted) VALUES (?, ?, ?, ?, ?)",
		r.MailboxID, millis(r.At), int64(r.Listed), int64(r.Missing), int64(r.Unaccounted))
	if err != nil {
		return fmt.Errorf("keeping the reconciliation of mailbox %d: %w", r.MailboxID, err)
	}
	return nil
}

// Reconciliations returns the latest comparison of each mailbox.
func (v *View) Reconciliations(ctx context.Context) ([]Reconciliation, error) {
	return list(ctx, v, func(r *row) Reconciliation {
		return Reconciliation{MailboxID: r.int(), At: r.time(), Listed: int(r.int()), Missing: int(r.int()), Unaccounted: int(r.int())}
	}, "SELECT mailbox_id, at, listed, missing, unaccounted FROM reconciliations ORDER BY mailbox_id")
}
