package store

import (
	"context"
	"errors"
	"time"
)

// nthDepth is how many of a sender's newest lines NthNewest looks at.
const nthDepth = 1000

// NthNewest returns when the n-th newest mail of a sender was seen at a desk
// (1: the newest), not counting old mail (also that was imported), duplicates
// and our own; zero when there are fewer among the sender's newest thousand
// ledger lines. So no old mail, however much, makes it slow, and there is no
// index to be kept for each mail.
func (v *View) NthNewest(ctx context.Context, deskID int64, address string, n int) (time.Time, error) {
	at, err := one(ctx, v, (*row).time, `SELECT s.seen_at FROM (SELECT id, desk_id, outcome, reason, seen_at FROM ledger
			WHERE from_id = (SELECT id FROM addresses WHERE key = ?) ORDER BY id DESC LIMIT ?) s
		WHERE s.desk_id = ? AND s.outcome NOT IN ('skipped', 'duplicate', 'own', 'probe') AND s.reason <> 'old'
		ORDER BY s.id DESC LIMIT 1 OFFSET ?`, addressKey(address), int64(nthDepth), deskID, int64(max(n, 1)-1))
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	return at, err
}

// AutomaticInAll counts the automatic mails to anybody since a time.
func (v *View) AutomaticInAll(ctx context.Context, since time.Time) (int, error) {
	n, err := one(ctx, v, (*row).int, "SELECT count(*) FROM outbox WHERE created_at >= ? AND automatic = 1", millis(since))
	return int(n), err
}

// EventsSince counts the lines of an event to an address since a time, whatever
// became of them.
func (v *View) EventsSince(ctx context.Context, event, to string, since time.Time) (int, error) {
	n, err := one(ctx, v, (*row).int, `SELECT count(*) FROM outbox WHERE to_id = (SELECT id FROM addresses WHERE key = ?)
		AND automatic IN (0, 1) AND created_at >= ? AND event = ?`, addressKey(to), millis(since), event)
	return int(n), err
}

// CausedSince counts the notices to an agent that one sender caused since a
// time, those for a digest not counted.
func (v *View) CausedSince(ctx context.Context, sender, agent string, since time.Time) (int, error) {
	n, err := one(ctx, v, (*row).int, `SELECT count(*) FROM outbox INDEXED BY outbox_by_cause
		WHERE caused_by = (SELECT id FROM addresses WHERE key = ?) AND caused_by <> 0
		AND to_id = (SELECT id FROM addresses WHERE key = ?) AND created_at >= ? AND state NOT IN ('digest', 'digested')`,
		addressKey(sender), addressKey(agent), millis(since))
	return int(n), err
}

// NoticesSince counts the notices to an agent since a time that have a sender
// who caused them, those for a digest not counted.
func (v *View) NoticesSince(ctx context.Context, agent string, since time.Time) (int, error) {
	n, err := one(ctx, v, (*row).int, `SELECT count(*) FROM outbox INDEXED BY outbox_notices
		WHERE to_id = (SELECT id FROM addresses WHERE key = ?) AND created_at >= ?
		AND caused_by <> 0 AND state <> 'digest' AND state <> 'digested'`, addressKey(agent), millis(since))
	return int(n), err
}
