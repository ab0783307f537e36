package desk

import (
	"context"
	"errors"
	"fmt"

	"helpdesk/store"
)

// closeBatch is how many requests one transaction of Close changes.
const closeBatch = 100

// Close resolves requests that wait for their customer for longer than
// Settings.AutoClose, and closes those that are resolved for longer than
// Settings.Reopen. It returns how many requests it changed.
func (t *Taker) Close(ctx context.Context, s *Settings) (n int, err error) {
	for _, step := range []func(context.Context, *store.Tx, *Settings) (int, error){t.resolveWaiting, t.closeResolved} {
		for {
			var done int
			err := t.Store.Write(ctx, func(tx *store.Tx) (err error) {
				done, err = step(ctx, tx, s)
				return err
			})
			if err != nil {
				return n, fmt.Errorf("closing requests of %s: %w", s.Key, err)
			}
			if n += done; done < closeBatch {
				break
			}
		}
	}
	return n, nil
}

// resolveWaiting resolves requests whose customer does not answer, and says so.
func (t *Taker) resolveWaiting(ctx context.Context, tx *store.Tx, s *Settings) (int, error) {
	if s.AutoClose <= 0 {
		return 0, nil
	}
	now := t.Now()
	requests, err := tx.RequestsWaiting(ctx, s.ID, now.Add(-s.AutoClose), closeBatch)
	if err != nil {
		return 0, fmt.Errorf("reading requests that wait: %w", err)
	}
	for _, r := range requests {
		q := &queue{t: t, tx: tx, s: s, request: r}
		if q.message.ID, err = newestMessage(ctx, tx, r); err != nil {
			return 0, err
		}
		q.message.At = now
		q.state(store.StateResolved)
		if err := q.update(); err != nil {
			return 0, err
		}
		if err := q.toRequester(ctx, EventResolved); err != nil {
			return 0, err
		}
	}
	return len(requests), nil
}

// closeResolved closes requests for good: an answer makes a new one from then on.
func (t *Taker) closeResolved(ctx context.Context, tx *store.Tx, s *Settings) (int, error) {
	if s.Reopen <= 0 {
		return 0, nil
	}
	now := t.Now()
	requests, err := tx.RequestsToClose(ctx, s.ID, now.Add(-s.Reopen), closeBatch)
	if err != nil {
		return 0, fmt.Errorf("reading resolved requests: %w", err)
	}
	for _, r := range requests {
		r.ClosedAt = now
		if err := tx.UpdateRequest(&r); err != nil {
			return 0, fmt.Errorf("closing %s: %w", r.Key, err)
		}
	}
	return len(requests), nil
}

// newestMessage is the id of a request's newest message, 0 when it has none.
func newestMessage(ctx context.Context, tx *store.Tx, r store.Request) (int64, error) {
	id, err := tx.NewestMessage(ctx, r.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("reading %s: %w", r.Key, err)
	}
	return id, nil
}

// Remind tells the assignee of a request, or all agents while there is none,
// that its customer still waits for an answer. It does so once for each time
// that the customer begins to wait.
func (t *Taker) Remind(ctx context.Context, s *Settings, request store.Request) error {
	return t.Store.Write(ctx, func(tx *store.Tx) error {
		r, err := tx.RequestByID(ctx, request.ID)
		if err != nil {
			return fmt.Errorf("reading %s: %w", request.Key, err)
		}
		if r.DeskID != s.ID || r.AwaitingSince.IsZero() || !r.RemindedAt.IsZero() {
			return nil // answered meanwhile, or done
		}
		q := &queue{t: t, tx: tx, s: s, request: r, by: r.Requester, args: map[string]string{"since": itoa(r.AwaitingSince.Unix())}}
		if q.by.Key() == "" {
			q.by = nobody
		}
		q.message.ID, err = tx.CustomerMessageBefore(ctx, r.ID, 1<<62)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("reading %s: %w", r.Key, err)
		}
		if err := q.toAgents(ctx, EventReminder, q.responsible()); err != nil {
			return err
		}
		r.RemindedAt = t.Now()
		if err := tx.UpdateRequest(&r); err != nil {
			return fmt.Errorf("noting the reminder of %s: %w", r.Key, err)
		}
		return nil
	})
}
