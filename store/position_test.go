package store

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestDesksAndMailboxes(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	var desk, again, other Desk
	var box, same, moved, saved Mailbox
	write(t, s, func(tx *Tx) (err error) {
		if desk, err = tx.EnsureDesk(" Support@Example.com", "SUP", "Support"); err != nil {
			return err
		}
		if again, err = tx.EnsureDesk("support@example.com", "HELP", "Help"); err != nil {
			return err
		}
		if other, err = tx.EnsureDesk("it@example.com", "IT", "IT"); err != nil {
			return err
		}
		var first, second, third bool
		box, first, err = tx.EnsureMailbox(desk.ID, "imap", "Mail.Example.com", "support", "INBOX")
		if err != nil {
			return err
		}
		same, second, err = tx.EnsureMailbox(desk.ID, "imap", "mail.example.com", "support", "INBOX")
		if err != nil {
			return err
		}
		if !first || !second {
			t.Error("a mailbox that was never opened successfully is not new")
		}
		box.OpenedAt, box.UIDValidity, box.SkipBelow, box.SkipDone, box.NextUID = start.UTC(), 4294967295, 4000000000, true, 4000000001
		if err = tx.SaveMailbox(box); err != nil {
			return err
		}
		if saved, third, err = tx.EnsureMailbox(desk.ID, "imap", "mail.example.com", "support", "INBOX"); err != nil {
			return err
		}
		if third {
			t.Error("a mailbox that was opened is new")
		}
		moved, third, err = tx.EnsureMailbox(desk.ID, "imap", "mail.example.com", "support", "Tickets")
		if !third {
			t.Error("another folder is not new")
		}
		return err
	})
	if desk.ID != again.ID || again.Key != "HELP" || again.Name != "Help" || again.Address != "support@example.com" || other.ID == desk.ID {
		t.Errorf("desks %+v %+v %+v", desk, again, other)
	}
	if all := got[[]Desk](t)(s.Desks(ctx)); !slices.Equal(all, []Desk{again, other}) {
		t.Errorf("desks %+v", all)
	}
	if d, err := s.DeskByID(ctx, other.ID); err != nil || d != other {
		t.Errorf("%+v, %v", d, err)
	}
	if same.ID != box.ID || moved.ID == box.ID || saved != box {
		t.Errorf("mailboxes %+v %+v %+v %+v", box, same, moved, saved)
	}
	if b, err := s.MailboxByID(ctx, box.ID); err != nil || b != box {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := s.MailboxByID(ctx, 99); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := s.Write(ctx, func(tx *Tx) error { return tx.SaveMailbox(Mailbox{ID: 99}) }); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestPositions(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	at := func(uid uint32, change ...func(*Position)) Position {
		p := Position{MailboxID: 1, UIDValidity: 5, UID: uid, LedgerID: int64(uid), Size: 1000, HeaderHash: [16]byte{1, byte(uid)}}
		for _, c := range change {
			c(&p)
		}
		return p
	}
	seen := func(p *Position) { p.Pending = "seen" }
	aside := func(p *Position) { p.LedgerID, p.RetryAt, p.Breaks = 0, start.UTC(), 2 }
	all := []Position{
		at(1), at(2, seen), at(7, aside), at(9, func(p *Position) { p.Pending = "move:Helpdesk/完了" }),
		at(4294967295, func(p *Position) { p.HeaderHash = [16]byte{} }),
	}
	write(t, s, func(tx *Tx) error {
		for _, p := range append(slices.Clone(all), at(3, func(p *Position) { p.UIDValidity = 6 }), at(4, func(p *Position) { p.MailboxID = 2 })) {
			if err := tx.AddPosition(p); err != nil {
				return err
			}
		}
		return nil
	})
	if is := got[[]Position](t)(s.Positions(ctx, 1, 5, 0)); !reflect.DeepEqual(is, all) {
		t.Errorf("positions %+v", is)
	}
	if is := got[[]Position](t)(s.Positions(ctx, 1, 5, 8)); !reflect.DeepEqual(is, all[3:]) {
		t.Errorf("positions from 8 %+v", is)
	}
	if is := got[[]uint32](t)(s.KnownUIDs(ctx, 1, 5, 2)); !slices.Equal(is, []uint32{2, 7, 9, 4294967295}) {
		t.Errorf("known %v", is)
	}
	if is := got[uint32](t)(s.HighestUID(ctx, 1, 5)); is != 4294967295 {
		t.Errorf("highest %d", is)
	}
	if is := got[uint32](t)(s.HighestUID(ctx, 1, 99)); is != 0 {
		t.Errorf("highest of none %d", is)
	}
	if is := got[[]Position](t)(s.Pending(ctx, 1, 5)); !reflect.DeepEqual(is, []Position{all[1], all[3]}) {
		t.Errorf("pending %+v", is)
	}
	if is := got[[]Position](t)(s.DueRetries(ctx, 1, 5, start.Add(-time.Second))); len(is) != 0 {
		t.Errorf("due too early %+v", is)
	}
	if is := got[[]Position](t)(s.DueRetries(ctx, 1, 5, start)); !reflect.DeepEqual(is, all[2:3]) {
		t.Errorf("due %+v", is)
	}

	write(t, s, func(tx *Tx) error {
		if err := tx.ClearPending(1, 5, []uint32{2, 3, 77}); err != nil {
			return err
		}
		if err := tx.SetRetry(1, 5, 7, start.Add(time.Hour), 3); err != nil {
			return err
		}
		// The one set aside is taken after all, and 9 has been dealt with.
		if err := tx.AddPosition(at(7, seen)); err != nil {
			return err
		}
		return tx.AddPosition(at(9))
	})
	if is := got[[]Position](t)(s.Pending(ctx, 1, 5)); !reflect.DeepEqual(is, []Position{at(7, seen)}) {
		t.Errorf("pending after all that %+v", is)
	}
	if is := got[[]Position](t)(s.DueRetries(ctx, 1, 5, start.Add(24*time.Hour))); len(is) != 0 {
		t.Errorf("due after all that %+v", is)
	}
	err := s.Write(ctx, func(tx *Tx) error { return tx.SetRetry(1, 5, 8, start, 1) })
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("retry of an unknown UID: %v", err)
	}
}

func TestPositionsByHash(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	old := Position{MailboxID: 1, UIDValidity: 5, UID: 3, Size: 1000, HeaderHash: [16]byte{7}}
	write(t, s, func(tx *Tx) error {
		e := Entry{DeskID: 1, Outcome: "skipped"}
		if err := tx.AddEntry(&e); err != nil {
			return err
		}
		old.LedgerID = e.ID
		other, aside := old, old
		other.UID, other.Size = 4, 1001
		aside.UID, aside.LedgerID = 6, 0
		return errors.Join(tx.AddPosition(old), tx.AddPosition(other), tx.AddPosition(aside))
	})
	is := got[[]KnownPosition](t)(s.PositionsByHash(ctx, 1, 6, [16]byte{7}, 1000))
	if len(is) != 2 || is[0].Position != old || is[0].Outcome != "skipped" || is[1].UID != 6 || is[1].Outcome != "" {
		t.Errorf("found %+v", is)
	}
	for name, none := range map[string][]KnownPosition{
		"the present UIDVALIDITY": got[[]KnownPosition](t)(s.PositionsByHash(ctx, 1, 5, [16]byte{7}, 1000)),
		"another mailbox":         got[[]KnownPosition](t)(s.PositionsByHash(ctx, 2, 6, [16]byte{7}, 1000)),
		"another size":            got[[]KnownPosition](t)(s.PositionsByHash(ctx, 1, 6, [16]byte{7}, 999)),
		"another hash":            got[[]KnownPosition](t)(s.PositionsByHash(ctx, 1, 6, [16]byte{8}, 1000)),
		"no hash":                 got[[]KnownPosition](t)(s.PositionsByHash(ctx, 1, 6, [16]byte{}, 1000)),
	} {
		if len(none) != 0 {
			t.Errorf("%s: found %+v", name, none)
		}
	}
}
