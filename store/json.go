package store

import (
	"encoding/json"
	"time"
)

// MarshalJSON gives a row of `helpdesk ledger`.
func (e Entry) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID        int64     `json:"id"`
		Desk      string    `json:"desk"`
		Mailbox   string    `json:"mailbox"`
		UID       uint32    `json:"uid"`
		MessageID string    `json:"message_id"`
		From      string    `json:"from"`
		Subject   string    `json:"subject"`
		SeenAt    time.Time `json:"seen_at"`
		Outcome   string    `json:"outcome"`
		Rule      string    `json:"rule"`
		Reason    string    `json:"reason"`
		Request   string    `json:"request"`
	}{
		e.ID, e.Desk, e.Mailbox, e.UID, e.MessageID, e.From.Address, e.Subject, e.SeenAt.UTC(),
		e.Outcome, e.Rule, e.Reason, e.Request,
	})
}

// MarshalJSON gives a row of `helpdesk outbox list`; next is null for a line
// that does not wait for a time. What comes with a digest waits, what came with
// one is sent.
func (l OutboxLine) MarshalJSON() ([]byte, error) {
	var next *time.Time
	if l.State == OutboxWaiting && !l.NextAt.IsZero() {
		at := l.NextAt.UTC()
		next = &at
	}
	state := l.State
	switch state {
	case OutboxDigest:
		state = OutboxWaiting
	case OutboxDigested:
		state = OutboxSent
	}
	return json.Marshal(struct {
		ID        int64      `json:"id"`
		Request   string     `json:"request"`
		Event     string     `json:"event"`
		To        string     `json:"to"`
		MessageID string     `json:"message_id"`
		State     string     `json:"state"`
		Attempts  int        `json:"attempts"`
		Next      *time.Time `json:"next"`
		Cause     string     `json:"cause"`
		Error     string     `json:"error"`
	}{l.ID, l.Request, l.Event, l.To.Address, l.MessageID, state, l.Attempts, next, l.Cause, l.Error})
}
