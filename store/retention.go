package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Each Expire method removes at most limit of what is older than a time, oldest
// first, and reports how many it removed: its caller calls it in one
// transaction after the other until that is less than limit, so that the
// intake never waits long.

// ExpireLedger removes ledger lines seen before a time, with their raw mail
// where no message of a request came from it. Positions and fingerprints stay,
// and so do the lines of mails that lay there at the first start: by them such
// a mail is known when the server gives its mails other numbers. A mail that the
// server does not send keeps its line while it is tried. What was set aside and
// can be taken no more is no longer counted; what became of the others is.
func (t *Tx) ExpireLedger(_ context.Context, before time.Time, limit int) (int, error) {
	ids, err := t.expiredEntries(before, int64(limit))
	if err == nil {
		err = t.discount(ids)
	}
	if err != nil {
		return 0, fmt.Errorf("reading which ledger lines expire: %w", err)
	}
	if _, err := t.removeRaw(ids); err != nil {
		return 0, err
	}
	numbers, err := jsonList(ids)
	if err != nil {
		return 0, err
	}
	for _, query := range []string{
		"DELETE FROM wanted WHERE ledger_id IN (SELECT value FROM json_each(?))",
		"DELETE FROM moved WHERE ledger_id IN (SELECT value FROM json_each(?))",
		"DELETE FROM ledger WHERE id IN (SELECT value FROM json_each(?))",
	} {
		if _, err := t.exec(query, numbers); err != nil {
			return 0, fmt.Errorf("removing ledger lines: %w", err)
		}
	}
	return len(ids), nil
}

// expiredEntries returns the oldest lines that may go: of each desk and outcome
// the oldest stand first in an index, and ids ascend with time.
func (t *Tx) expiredEntries(before time.Time, limit int64) ([]int64, error) {
	counts, err := t.Counts(t.ctx)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, c := range counts {
		if c.Outcome == "skipped" {
			continue
		}
		some, err := list(t.ctx, t.View, (*row).int, `SELECT s.id FROM (SELECT id, seen_at FROM ledger WHERE desk_id = ? AND outcome = ?
			AND NOT EXISTS (SELECT 1 FROM positions p WHERE p.ledger_id = ledger.id AND p.ledger_id <> 0 AND p.retry_at > 0)
			ORDER BY id LIMIT ?) s WHERE s.seen_at < ?`, c.DeskID, c.Outcome, limit, millis(before))
		if err != nil {
			return nil, err
		}
		ids = append(ids, some...)
	}
	slices.Sort(ids)
	return ids[:min(limit, int64(len(ids)))], nil
}

// discount takes lines out of the totals that say how much is set aside now.
func (t *Tx) discount(ids []int64) error {
	numbers, err := jsonList(ids)
	if err != nil {
		return err
	}
	aside, err := list(t.ctx, t.View, func(r *row) counter { return counter{deskID: r.int(), name: r.text()} },
		"SELECT desk_id, outcome FROM ledger WHERE id IN (SELECT value FROM json_each(?)) AND outcome IN ('held', 'quarantined')", numbers)
	for _, c := range aside {
		t.count(c.deskID, c.name, time.Time{}, -1)
	}
	return err
}

// ExpireRaw removes raw mails seen before a time, also those of requests; their
// ledger lines stay with RawNone. Where the line has expired, the time of the
// message counts. What is still to be sent keeps the mail with its attachments.
func (t *Tx) ExpireRaw(_ context.Context, before time.Time, limit int) (n int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("removing raw mails: %w", err)
		}
	}()
	for next := int64(0); n < limit; {
		id, err := one(t.ctx, t.View, (*row).int, "SELECT id FROM raw WHERE id >= ? ORDER BY id LIMIT 1", next)
		if errors.Is(err, ErrNotFound) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		entry := id / piecesMax
		at, err := one(t.ctx, t.View, (*row).time, `SELECT seen_at FROM ledger WHERE id = ?
			UNION ALL SELECT max(at) FROM messages WHERE ledger_id = ? AND ledger_id <> 0 LIMIT 1`, entry, entry)
		if err != nil {
			return n, err
		}
		if !at.Before(before) { // ids ascend with time: the others are newer
			return n, nil
		}
		next = (entry + 1) * piecesMax
		waiting, err := list(t.ctx, t.View, (*row).int, `SELECT o.id FROM messages m CROSS JOIN outbox o ON o.request_id = m.request_id AND o.request_id <> 0
			WHERE m.ledger_id = ? AND m.ledger_id <> 0 AND o.message_row = m.id AND o.state = 'waiting' LIMIT 1`, entry)
		if err != nil {
			return n, err
		}
		if len(waiting) > 0 {
			continue
		}
		if _, err := t.dropRaw(entry); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// ExpireRequests removes requests of a desk that are closed since before a
// time: messages, raw mails, participants, outbox lines, index. One that was
// merged into another stays as long as that one, because replies find their way
// by it.
func (t *Tx) ExpireRequests(_ context.Context, deskID int64, before time.Time, limit int) (int, error) {
	ids, err := list(t.ctx, t.View, (*row).int, `SELECT id FROM requests r WHERE r.desk_id = ? AND r.closed_at > 0 AND r.closed_at < ?
		AND (r.merged_into = 0 OR NOT EXISTS (SELECT 1 FROM requests i WHERE i.id = r.merged_into)) ORDER BY r.closed_at LIMIT ?`,
		deskID, millis(before), int64(limit))
	if err == nil {
		_, _, err = t.removeRequests(ids)
	}
	if err != nil {
		return 0, fmt.Errorf("removing closed requests: %w", err)
	}
	return len(ids), nil
}

// ExpireOutbox removes lines made before a time that do not wait.
func (t *Tx) ExpireOutbox(_ context.Context, before time.Time, limit int) (int, error) {
	type line struct {
		id    int64
		at    time.Time
		state string
	}
	var ids []int64
	for after := int64(0); ; { // ids ascend with time
		some, err := list(t.ctx, t.View, func(r *row) line { return line{r.int(), r.time(), r.text()} },
			"SELECT id, created_at, state FROM outbox WHERE id > ? ORDER BY id LIMIT ?", after, int64(limit))
		if err != nil {
			return 0, fmt.Errorf("reading which outbox lines expire: %w", err)
		}
		for _, l := range some {
			if !l.at.Before(before) || len(ids) == limit {
				return len(ids), t.removeOutbox(ids)
			}
			if l.state != OutboxWaiting && l.state != OutboxDigest {
				ids = append(ids, l.id)
			}
			after = l.id
		}
		if len(some) < limit {
			return len(ids), t.removeOutbox(ids)
		}
	}
}
