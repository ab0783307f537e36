package store

import (
	"context"
	"fmt"
	"strconv"
)

// OutboxLineByID returns one line of the outbox.
func (v *View) OutboxLineByID(ctx context.Context, id int64) (OutboxLine, error) {
	return one(ctx, v, scanOutbox, outboxColumns+"WHERE o.id = ?", id)
}

// DigestLines returns the notices of a desk that wait for a digest, oldest first.
func (v *View) DigestLines(ctx context.Context, deskID int64) ([]OutboxLine, error) {
	return list(ctx, v, scanOutbox, outboxColumns+"WHERE o.desk_id = ? AND o.state = 'digest' ORDER BY o.id", deskID)
}

// Digested notes that lines came with the digest of another line. Lines that do
// not wait for a digest stay as they are.
func (t *Tx) Digested(ids []int64, digest int64) error {
	_, err := t.change(ids, []string{OutboxDigest}, OutboxDigested,
		"args = json_set(iif(args = '', '{}', args), '$.digest', ?)", strconv.FormatInt(digest, 10))
	if err != nil {
		return fmt.Errorf("keeping what a digest brings: %w", err)
	}
	return nil
}

// CauseDropped is the cause of a line that a person took back.
const CauseDropped = "dropped"

// DropOutbox takes lines back that are not sent: they have failed, because of
// CauseDropped. It reports how many.
func (t *Tx) DropOutbox(ids []int64) (int, error) {
	n, err := t.change(ids, []string{OutboxWaiting, OutboxDigest, OutboxFailed, OutboxSuspended}, OutboxFailed, "cause = ?, error = ''", CauseDropped)
	if err != nil {
		return n, fmt.Errorf("taking mail back: %w", err)
	}
	return n, nil
}

// RetryOutbox lets failed or suspended lines be sent again, now and as if for
// the first time, and lifts the suspension of their addresses. It reports how many.
func (t *Tx) RetryOutbox(ids []int64) (int, error) {
	numbers, err := jsonList(ids)
	if err == nil {
		_, err = t.exec(`DELETE FROM suspended WHERE key IN (SELECT a.key FROM outbox o JOIN addresses a ON a.id = o.to_id
			WHERE o.id IN (SELECT value FROM json_each(?)) AND o.state IN ('failed', 'suspended'))`, numbers)
	}
	n := 0
	if err == nil {
		n, err = t.change(ids, []string{OutboxFailed, OutboxSuspended}, OutboxWaiting,
			"attempts = 0, next_at = ?, first_at = 0, sent_at = 0, cause = '', error = ''", millis(t.now))
	}
	if err != nil {
		return n, fmt.Errorf("sending mail again: %w", err)
	}
	return n, nil
}

// change gives those lines that are in one of the states from the state to, and
// sets what else is said. It reports how many.
func (t *Tx) change(ids []int64, from []string, to, set string, value any) (int, error) {
	numbers, err := jsonList(ids)
	if err != nil {
		return 0, err
	}
	states, err := jsonList(from)
	if err != nil {
		return 0, err
	}
	const chosen = " WHERE id IN (SELECT value FROM json_each(?)) AND state IN (SELECT value FROM json_each(?))"
	type was struct {
		desk  int64
		state string
	}
	old, err := list(t.ctx, t.View, func(r *row) was { return was{r.int(), r.text()} }, "SELECT desk_id, state FROM outbox"+chosen, numbers, states)
	if err != nil {
		return 0, err
	}
	if _, err := t.exec("UPDATE outbox SET state = ?, "+set+chosen, to, value, numbers, states); err != nil {
		return 0, err
	}
	for _, w := range old {
		t.countOutbox(w.desk, w.state, t.now, -1)
		t.countOutbox(w.desk, to, t.now, 1)
	}
	return len(old), nil
}
