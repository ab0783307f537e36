package store

import (
	"errors"
	"testing"

	"helpdesk/mail"
)

// TestMarkReturned has mails come back that were sent, that wait and that have
// failed: each is one failed line, and what was sent today stays counted.
func TestMarkReturned(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	for _, state := range []string{OutboxSent, OutboxWaiting, OutboxFailed} {
		l := OutboxLine{DeskID: 1, MessageID: state, To: mail.Address{Address: "c@x"}}
		write(t, s, func(tx *Tx) error {
			if err := tx.Queue(&l); err != nil || state == OutboxWaiting {
				return err
			}
			l.State = state
			return tx.SaveOutbox(l)
		})
		write(t, s, func(tx *Tx) error { return tx.MarkReturned(l.ID, "unknown-recipient", "550 5.1.1 no such user") })
		is := got[[]OutboxLine](t)(s.OutboxByMessageID(ctx, state))
		if len(is) != 1 || is[0].State != OutboxFailed || is[0].Cause != "unknown-recipient" || is[0].Error != "550 5.1.1 no such user" {
			t.Errorf("%s: %+v", state, is)
		}
		if state == OutboxSent && !is[0].SentAt.Equal(start) {
			t.Errorf("when it was sent is forgotten: %v", is[0].SentAt)
		}
	}
	if is := got[OutboxCounts](t)(s.OutboxCounts(ctx)); is != (OutboxCounts{Waiting: 0, Failed: 3, SentToday: 1}) {
		t.Errorf("counts %+v", is)
	}
	if err := s.Write(ctx, func(tx *Tx) error { return tx.MarkReturned(99, "", "") }); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestSkippedByHash(t *testing.T) {
	s, _ := open(t)
	var skipped Entry
	write(t, s, func(tx *Tx) error {
		for i, outcome := range []string{"request", "skipped"} {
			e := Entry{DeskID: 1, Outcome: outcome}
			if err := tx.AddEntry(&e); err != nil {
				return err
			}
			p := Position{MailboxID: 1, UIDValidity: 5, UID: uint32(i + 1), LedgerID: e.ID, HeaderHash: [16]byte{byte(i + 1)}}
			if err := tx.AddPosition(p); err != nil {
				return err
			}
			skipped = e
		}
		return nil
	})
	for _, c := range []struct {
		name    string
		mailbox int64
		hash    [16]byte
		want    int64
	}{
		{"skipped", 1, [16]byte{2}, skipped.ID},
		{"taken", 1, [16]byte{1}, 0},
		{"another mailbox", 2, [16]byte{2}, 0},
		{"no hash", 1, [16]byte{}, 0},
	} {
		id, ok, err := s.SkippedByHash(t.Context(), c.mailbox, c.hash)
		if err != nil || id != c.want || ok != (c.want != 0) {
			t.Errorf("%s: %d, %v, %v", c.name, id, ok, err)
		}
	}
}
