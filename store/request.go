package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"helpdesk/mail"
)

const requestColumns = `SELECT r.id, r.desk_id, r.key, ifnull(d.key, ''), r.type, r.subject, r.state, r.requester_name, r.requester_address,
	r.assignee, r.created, r.updated, (SELECT count(*) FROM messages m WHERE m.request_id = r.id), r.linked_to FROM requests r LEFT JOIN desks d ON d.id = r.desk_id `

func scanRequest(r *row) Request {
	return Request{
		ID: r.int(), DeskID: r.int(), Key: r.text(), Desk: r.text(), Type: r.text(), Subject: r.text(), State: r.text(),
		Requester: mail.Address{Name: r.text(), Address: r.text()}, Assignee: r.text(),
		Created: r.time(), Updated: r.time(), Messages: int(r.int()), LinkedTo: r.int(),
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
	if f.DeskID == 0 && f.State == "" {
		return list(ctx, v, (*row).int, "SELECT id FROM requests WHERE id < ? ORDER BY id DESC LIMIT ?", below, n)
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
			some, err := list(ctx, v, (*row).int, "SELECT id FROM requests WHERE desk_id = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT ?",
				desk, state, below, n)
			if err != nil {
				return nil, err
			}
			ids = append(ids, some...)
		}
	}
	return newest(ids, n), nil
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

// AddRequest adds a request and sets its ID, and Created, Updated and State
// when they are zero.
func (t *Tx) AddRequest(r *Request) (err error) {
	if r.Created.IsZero() {
		r.Created = t.now
	}
	if r.Updated.IsZero() {
		r.Updated = r.Created
	}
	if r.State == "" {
		r.State = StateOpen
	}
	if r.ID, err = t.next("request"); err == nil {
		_, err = t.exec(`INSERT INTO requests (id, desk_id, key, type, subject, state, requester_name, requester_address, assignee,
			created, updated, linked_to) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.ID, r.DeskID, r.Key, r.Type, r.Subject, r.State, r.Requester.Name, r.Requester.Address, r.Assignee,
			millis(r.Created), millis(r.Updated), r.LinkedTo)
	}
	if err != nil {
		return fmt.Errorf("adding the request %s: %w", r.Key, err)
	}
	t.updated[r.ID] = r.Updated
	return nil
}

// UpdateRequest keeps type, subject, state, requester, assignee and link of a
// request, and Updated when it is later than the one kept.
func (t *Tx) UpdateRequest(r *Request) error {
	n, err := t.exec(`UPDATE requests SET type = ?, subject = ?, state = ?, requester_name = ?, requester_address = ?, assignee = ?,
		updated = max(updated, ?), linked_to = ? WHERE id = ?`,
		r.Type, r.Subject, r.State, r.Requester.Name, r.Requester.Address, r.Assignee, millis(r.Updated), r.LinkedTo, r.ID)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("changing the request %s: %w", r.Key, err)
	}
	return nil
}

// Participants returns who gets a request's mail, the requester first.
func (v *View) Participants(ctx context.Context, requestID int64) ([]Participant, error) {
	return list(ctx, v, func(r *row) Participant {
		return Participant{Address: mail.Address{Name: r.text(), Address: r.text()}, Role: r.text()}
	}, "SELECT name, address, role FROM participants WHERE request_id = ? ORDER BY role <> 'requester', key", requestID)
}

// AddParticipant adds someone to a request. Who is there already keeps the
// role, and gets the name if there was none.
func (t *Tx) AddParticipant(requestID int64, p Participant) error {
	_, err := t.exec(`INSERT INTO participants (request_id, key, name, address, role) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET name = excluded.name WHERE name = ''`, requestID, p.Key(), p.Name, p.Address.Address, p.Role)
	if err != nil {
		return fmt.Errorf("adding a participant: %w", err)
	}
	return nil
}

// UpsertCustomer keeps someone who wrote at a time and returns the number of
// the address. The name is that of the newest mail that has one.
func (t *Tx) UpsertCustomer(a mail.Address, at time.Time) (int64, error) {
	id, err := t.address(a.Key())
	if err == nil {
		_, err = t.exec(`INSERT INTO customers (id, name, address, first, last) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET last = max(last, excluded.last), first = min(first, excluded.first),
			name = iif(excluded.name <> '' AND (excluded.last >= last OR name = ''), excluded.name, name)`,
			id, a.Name, a.Address, millis(at), millis(at))
	}
	if err != nil {
		return 0, fmt.Errorf("keeping a customer: %w", err)
	}
	return id, nil
}
