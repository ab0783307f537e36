package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"helpdesk/mail"
)

const requestColumns = `SELECT r.id, r.desk_id, r.key, ifnull(d.key, ''), r.type, r.subject, r.state, r.requester_name, r.requester_address,
	r.assignee, r.created, r.updated, (SELECT count(*) FROM messages m WHERE m.request_id = r.id), r.linked_to,
	r.fields, r.language, r.awaiting_since, r.reminded_at, r.resolved_at, r.closed_at, r.merged_into, r.spam
	FROM requests r LEFT JOIN desks d ON d.id = r.desk_id `

func scanRequest(r *row) Request {
	return Request{
		ID: r.int(), DeskID: r.int(), Key: r.text(), Desk: r.text(), Type: r.text(), Subject: r.text(), State: r.text(),
		Requester: mail.Address{Name: r.text(), Address: r.text()}, Assignee: r.text(),
		Created: r.time(), Updated: r.time(), Messages: int(r.int()), LinkedTo: r.int(),
		Fields: r.args(), Language: r.text(), AwaitingSince: r.time(), RemindedAt: r.time(), ResolvedAt: r.time(), ClosedAt: r.time(),
		MergedInto: r.int(), Spam: r.bool(),
	}
}

// RequestByID returns one request.
func (v *View) RequestByID(ctx context.Context, id int64) (Request, error) {
	return one(ctx, v, scanRequest, requestColumns+"WHERE r.id = ?", id)
}

// RequestByKey returns the request with a key in any spelling, also one with a
// prefix that its desk no longer uses.
func (v *View) RequestByKey(ctx context.Context, key string) (Request, error) {
	return one(ctx, v, scanRequest, requestColumns+"WHERE r.key = ?", strings.TrimSpace(key))
}

// Requests returns the requests that a filter chooses, newest first.
func (v *View) Requests(ctx context.Context, f RequestFilter) ([]Request, error) {
	ids, err := v.requestIDs(ctx, f)
	if err != nil {
		return nil, err
	}
	numbers, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	return list(ctx, v, scanRequest, requestColumns+"WHERE r.id IN (SELECT value FROM json_each(?)) ORDER BY r.id DESC", numbers)
}

func (v *View) requestIDs(ctx context.Context, f RequestFilter) ([]int64, error) {
	below, n := page(f.Before, f.Limit)
	if f.Query != "" {
		return v.searchRequests(ctx, f, below, n)
	}
	where, args := f.conditions()
	read := func(start string, first ...any) ([]int64, error) {
		all := append(append(append([]any{}, first...), args...), below, n)
		return list(ctx, v, (*row).int, "SELECT r.id FROM requests r WHERE "+start+where+" AND r.id < ? ORDER BY r.id DESC LIMIT ?", all...)
	}
	switch {
	case f.Requester != "", f.Assignee != "" && f.Assignee != nobody, f.DeskID == 0 && f.State == "":
		return read("true")
	}
	desks := []int64{f.DeskID}
	if f.DeskID == 0 {
		all, err := list(ctx, v, (*row).int, "SELECT id FROM desks")
		if err != nil {
			return nil, err
		}
		desks = all
	}
	states := []string{f.State}
	if f.State == "" {
		states = []string{StateOpen, StateWaiting, StateResolved}
	}
	// Each pair has its newest at the end of a part of the index.
	var ids []int64
	for _, desk := range desks {
		for _, state := range states {
			some, err := read("r.desk_id = ? AND r.state = ?", desk, state)
			if err != nil {
				return nil, err
			}
			ids = append(ids, some...)
		}
	}
	return newest(ids, n), nil
}

// nobody is the assignee of requests that have none.
const nobody = "-"

// conditions returns what a filter asks of requests r beside words and page,
// each part beginning with " AND ", and its arguments.
func (f *RequestFilter) conditions() (where string, args []any) {
	add := func(part string, value ...any) {
		where += " AND " + part
		args = append(args, value...)
	}
	if f.Requester != "" {
		add("r.requester_id = (SELECT id FROM addresses WHERE key = ?) AND r.requester_id <> 0", addressKey(f.Requester))
	}
	switch f.Assignee {
	case "":
	case nobody:
		add("r.assignee = ''")
	default:
		add("r.assignee = ? AND r.assignee <> ''", addressKey(f.Assignee))
	}
	if f.DeskID != 0 {
		add("r.desk_id = ?", f.DeskID)
	}
	if f.State != "" {
		add("r.state = ?", f.State)
	}
	if !f.UpdatedBefore.IsZero() {
		add("r.updated < ?", millis(f.UpdatedBefore))
	}
	return where, args
}

// NextKey returns the key of the next request: SUP-1, SUP-2, … for SUP. No key
// is given twice, also when its request was deleted; desks with the same prefix
// share the numbers.
func (t *Tx) NextKey(prefix string) (string, error) {
	n, err := t.next("key:" + strings.ToUpper(prefix))
	if err != nil {
		return "", fmt.Errorf("giving a request its key: %w", err)
	}
	return fmt.Sprintf("%s-%d", prefix, n), nil
}

// AddRequest adds a request and sets its ID, and Created, Updated, State and
// ResolvedAt where they are missing.
func (t *Tx) AddRequest(r *Request) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("adding the request %s: %w", r.Key, err)
		}
	}()
	if r.Created.IsZero() {
		r.Created = t.now
	}
	if r.Updated.IsZero() {
		r.Updated = r.Created
	}
	if r.State == "" {
		r.State = StateOpen
	}
	r.tidy(r.Updated)
	fields, err := argsJSON(r.Fields)
	if err != nil {
		return err
	}
	requester, err := t.addressOrNone(r.Requester)
	if err != nil {
		return err
	}
	if r.ID, err = t.next("request"); err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO requests (id, desk_id, key, type, subject, state, requester_name, requester_address, requester_id, assignee,
		created, updated, linked_to, fields, language, awaiting_since, reminded_at, resolved_at, closed_at, merged_into, spam)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.DeskID, r.Key, r.Type, r.Subject, r.State, r.Requester.Name, r.Requester.Address, requester, r.Assignee,
		millis(r.Created), millis(r.Updated), r.LinkedTo, fields, r.Language, millis(r.AwaitingSince), millis(r.RemindedAt),
		millis(r.ResolvedAt), millis(r.ClosedAt), r.MergedInto, flag(r.Spam))
	if err != nil {
		return err
	}
	t.updated[r.ID] = r.Updated
	return nil
}

// tidy keeps the times of a request in step with its state, for callers that
// change the state alone.
func (r *Request) tidy(at time.Time) {
	switch {
	case r.State != StateResolved:
		r.ResolvedAt, r.ClosedAt = time.Time{}, time.Time{}
	case r.ResolvedAt.IsZero():
		r.ResolvedAt = at
	}
	if r.AwaitingSince.IsZero() {
		r.RemindedAt = time.Time{}
	}
}

// UpdateRequest keeps a request that was read before, but for its key, desk and
// Created; Updated when it is later than the one kept. One that is resolved
// without a time is resolved now, and one that is not has neither ResolvedAt
// nor ClosedAt; without AwaitingSince there is no RemindedAt.
func (t *Tx) UpdateRequest(r *Request) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("changing the request %s: %w", r.Key, err)
		}
	}()
	r.tidy(t.now)
	fields, err := argsJSON(r.Fields)
	if err != nil {
		return err
	}
	requester, err := t.addressOrNone(r.Requester)
	if err != nil {
		return err
	}
	n, err := t.exec(`UPDATE requests SET type = ?, subject = ?, state = ?, requester_name = ?, requester_address = ?, requester_id = ?, assignee = ?,
		updated = max(updated, ?), linked_to = ?, fields = ?, language = ?, awaiting_since = ?, reminded_at = ?, resolved_at = ?, closed_at = ?,
		merged_into = ?, spam = ? WHERE id = ?`,
		r.Type, r.Subject, r.State, r.Requester.Name, r.Requester.Address, requester, r.Assignee, millis(r.Updated), r.LinkedTo,
		fields, r.Language, millis(r.AwaitingSince), millis(r.RemindedAt), millis(r.ResolvedAt), millis(r.ClosedAt),
		r.MergedInto, flag(r.Spam), r.ID)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}
