package store

import (
	"context"
	"time"
)

// RequestsToRemind returns requests of a desk, longest waiting first, whose
// customer waits since before a time and of which agents were not reminded.
func (v *View) RequestsToRemind(ctx context.Context, deskID int64, before time.Time) ([]Request, error) {
	return list(ctx, v, scanRequest, requestColumns+`WHERE r.desk_id = ? AND r.awaiting_since > 0 AND r.awaiting_since < ? AND r.reminded_at = 0
		ORDER BY r.awaiting_since, r.id`, deskID, millis(before))
}

// RequestsToClose returns requests of a desk that were resolved before a time
// and are not closed, longest resolved first, at most limit.
func (v *View) RequestsToClose(ctx context.Context, deskID int64, before time.Time, limit int) ([]Request, error) {
	_, n := page(0, limit)
	return list(ctx, v, scanRequest, requestColumns+`WHERE r.desk_id = ? AND r.state = 'resolved' AND r.closed_at = 0 AND r.resolved_at < ?
		ORDER BY r.resolved_at, r.id LIMIT ?`, deskID, millis(before), n)
}

// RequestsWaiting returns requests of a desk in StateWaiting that were not
// changed since a time, longest unchanged first, at most limit.
func (v *View) RequestsWaiting(ctx context.Context, deskID int64, before time.Time, limit int) ([]Request, error) {
	_, n := page(0, limit)
	return list(ctx, v, scanRequest, requestColumns+"WHERE r.desk_id = ? AND r.state = 'waiting' AND r.updated < ? ORDER BY r.updated, r.id LIMIT ?",
		deskID, millis(before), n)
}

// RequestsOf returns all requests whose requester has one of these addresses
// (keys), newest first.
func (v *View) RequestsOf(ctx context.Context, keys []string) ([]Request, error) {
	wanted, err := jsonList(keys)
	if err != nil {
		return nil, err
	}
	return list(ctx, v, scanRequest, requestColumns+`WHERE r.requester_id IN (SELECT id FROM addresses WHERE key IN (SELECT value FROM json_each(?)))
		AND r.requester_id <> 0 ORDER BY r.id DESC`, wanted)
}
