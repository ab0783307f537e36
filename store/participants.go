package store

import (
	"context"
	"fmt"

	"helpdesk/mail"
)

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

// RemoveParticipant takes somebody out of a request.
func (t *Tx) RemoveParticipant(requestID int64, address string) error {
	if _, err := t.exec("DELETE FROM participants WHERE request_id = ? AND key = ?", requestID, addressKey(address)); err != nil {
		return fmt.Errorf("taking %s out of a request: %w", address, err)
	}
	return nil
}

// SetRequester changes who asks. Who asked before stays as a participant.
func (t *Tx) SetRequester(requestID int64, a mail.Address) error {
	r, err := t.RequestByID(t.ctx, requestID)
	if err != nil {
		return fmt.Errorf("reading request %d: %w", requestID, err)
	}
	r.Requester = a
	if err := t.UpdateRequest(&r); err != nil {
		return err
	}
	if err := t.AddParticipant(requestID, Participant{Address: a, Role: RoleRequester}); err != nil {
		return err
	}
	if _, err := t.exec("UPDATE participants SET role = iif(key = ?, 'requester', 'cc') WHERE request_id = ?", a.Key(), requestID); err != nil {
		return fmt.Errorf("changing who asks in %s: %w", r.Key, err)
	}
	return nil
}
