package store

import (
	"context"
	"time"
)

// ResolvedSince counts the requests of a desk that were resolved at a time or
// later and still are.
func (v *View) ResolvedSince(ctx context.Context, deskID int64, since time.Time) (int, error) {
	// What is closed by now was closed after it was resolved, so both parts are short.
	n, err := one(ctx, v, (*row).int, `SELECT
		(SELECT count(*) FROM requests WHERE desk_id = ? AND state = 'resolved' AND closed_at = 0 AND resolved_at >= ?) +
		(SELECT count(*) FROM requests WHERE desk_id = ? AND closed_at > 0 AND closed_at >= ? AND resolved_at >= ?)`,
		deskID, millis(since), deskID, millis(since), millis(since))
	return int(n), err
}
