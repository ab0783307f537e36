package store

import (
	"context"
	"errors"
	"time"
)

// NthNewest returns when the n-th newest mail of a sender was seen at a desk
// (1: the newest), not counting old mail (also that was imported), duplicates
// and our own; zero when there are fewer.
func (v *View) NthNewest(ctx context.Context, deskID int64, address string, n int) (time.Time, error) {
	at, err := one(ctx, v, (*row).time, `SELECT seen_at FROM ledger INDEXED BY ledger_by_sender
		WHERE from_id = (SELECT id FROM addresses WHERE key = ?) AND desk_id = ? AND outcome NOT IN ('skipped', 'duplicate', 'own', 'probe') AND reason <> 'import'
		ORDER BY id DESC LIMIT 1 OFFSET ?`, addressKey(address), deskID, int64(max(n, 1)-1))
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
	n, err := one(ctx, v, (*row).int, `SELECT count(*) FROM outbox INDEXED BY outbox_by_recipient
		WHERE to_id = (SELECT id FROM addresses WHERE key = ?) AND automatic IN (0, 1) AND created_at >= ?
		AND caused_by <> 0 AND state NOT IN ('digest', 'digested')`, addressKey(agent), millis(since))
	return int(n), err
}
