package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// mergesMax bounds how many merges are followed.
const mergesMax = 10

// MergeRequest moves messages with their ledger lines, participants (the
// requester becomes one) and outbox lines of one request to another, and marks it as merged and
// resolved. Where the other was merged itself, they go to where that leads. The
// customer of the other waits for an answer since the earlier of both. It is an
// error when a request is merged into itself or was merged before.
func (t *Tx) MergeRequest(_ context.Context, from, into int64, at time.Time) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("merging request %d into %d: %w", from, into, err)
		}
	}()
	source, err := t.RequestByID(t.ctx, from)
	if err != nil {
		return err
	}
	target, err := t.mergeTarget(into)
	if err != nil {
		return err
	}
	switch {
	case source.MergedInto != 0:
		return errors.New("it was merged already")
	case source.ID == target.ID:
		return errors.New("it is the same request")
	}
	for _, id := range []int64{source.ID, target.ID} {
		if err := t.indexFirst(id); err != nil {
			return err
		}
	}
	if err := t.moveConversation(source.ID, target.ID); err != nil {
		return err
	}
	if w := source.AwaitingSince; !w.IsZero() && (target.AwaitingSince.IsZero() || w.Before(target.AwaitingSince)) {
		target.AwaitingSince = w
	}
	target.Updated = at
	source.State, source.ResolvedAt, source.AwaitingSince, source.MergedInto, source.Updated = StateResolved, at, time.Time{}, target.ID, at
	return errors.Join(t.UpdateRequest(&source), t.UpdateRequest(&target))
}

// mergeTarget follows merges from a request to where they lead.
func (t *Tx) mergeTarget(id int64) (Request, error) {
	for range mergesMax {
		r, err := t.RequestByID(t.ctx, id)
		if err != nil || r.MergedInto == 0 {
			return r, err
		}
		id = r.MergedInto
	}
	return Request{}, errors.New("too many merges one after the other")
}

func (t *Tx) moveConversation(from, into int64) error {
	_, err := t.exec(`INSERT INTO participants (request_id, key, name, address, role) SELECT ?, key, name, address, 'cc' FROM participants
		WHERE request_id = ? ON CONFLICT DO UPDATE SET name = excluded.name WHERE name = ''`, into, from)
	if err != nil {
		return fmt.Errorf("moving the participants: %w", err)
	}
	if _, err := t.exec("DELETE FROM participants WHERE request_id = ?", from); err != nil {
		return fmt.Errorf("moving the participants: %w", err)
	}
	for _, query := range []string{
		"UPDATE ledger SET request_id = ? WHERE id IN (SELECT ledger_id FROM messages WHERE request_id = ?)",
		"UPDATE messages SET request_id = ? WHERE request_id = ?",
		"UPDATE outbox SET request_id = ? WHERE request_id = ? AND request_id <> 0",
	} {
		if _, err := t.exec(query, into, from); err != nil {
			return fmt.Errorf("moving the conversation: %w", err)
		}
	}
	return nil
}

// SetFields keeps the fields of a request. ErrNotFound when there is no such request.
func (t *Tx) SetFields(requestID int64, fields map[string]string) error {
	text, err := argsJSON(fields)
	if err != nil {
		return err
	}
	n, err := t.exec("UPDATE requests SET fields = ?, updated = max(updated, ?) WHERE id = ?", text, millis(t.now), requestID)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("keeping the fields of request %d: %w", requestID, err)
	}
	return nil
}
