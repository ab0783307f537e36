package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MarkReturned keeps that a mail came back after the relay had accepted it: the
// line has failed, and when it was sent stays on record.
func (t *Tx) MarkReturned(id int64, cause, words string) error {
	old, err := one(t.ctx, t.View, scanOutbox, outboxColumns+"WHERE o.id = ?", id)
	if err == nil {
		_, err = t.exec("UPDATE outbox SET state = ?, cause = ?, error = ? WHERE id = ?", OutboxFailed, cause, words, id)
	}
	if err != nil {
		return fmt.Errorf("keeping that the mail of outbox line %d came back: %w", id, err)
	}
	if old.State != OutboxSent { // sent today is what was sent, also when it came back
		t.countOutbox(old.DeskID, old.State, time.Time{}, -1)
	}
	t.countOutbox(old.DeskID, OutboxFailed, time.Time{}, 1)
	return nil
}

// SkippedByHash returns the ledger line of a mail with this header hash that
// lay in the mailbox at its first start, wherever in it and under whatever
// number it was then. ok is false when there is none.
func (v *View) SkippedByHash(ctx context.Context, mailboxID int64, hash [16]byte) (ledgerID int64, ok bool, err error) {
	if hash == [16]byte{} {
		return 0, false, nil
	}
	ledgerID, err = one(ctx, v, (*row).int, `SELECT l.id FROM positions p INDEXED BY positions_by_hash JOIN ledger l ON l.id = p.ledger_id
		WHERE p.mailbox_id = ? AND p.header_hash = ? AND l.outcome = 'skipped' LIMIT 1`, mailboxID, hash[:])
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	return ledgerID, err == nil, err
}
