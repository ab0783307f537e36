package store

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"helpdesk/mail"
)

func TestWanted(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	desksOf(t, s, "one@x")
	write(t, s, func(tx *Tx) error {
		m, _, err := tx.EnsureMailbox(1, "imap", "h", "u", "INBOX")
		if err != nil {
			return err
		}
		m.UIDValidity, m.ImportTotal, m.ImportDone = 8, 100, 7
		if err := tx.SaveMailbox(m); err != nil {
			return err
		}
		if is := got[Mailbox](t)(tx.MailboxByID(ctx, m.ID)); is != m {
			t.Errorf("read %+v, wrote %+v", is, m)
		}
		for _, p := range []Position{
			{MailboxID: 1, UIDValidity: 7, UID: 1, LedgerID: 11}, {MailboxID: 1, UIDValidity: 8, UID: 5, LedgerID: 11},
			{MailboxID: 1, UIDValidity: 8, UID: 6, LedgerID: 12, Pending: "seen"}, {MailboxID: 1, UIDValidity: 8, UID: 7, LedgerID: 13},
			{MailboxID: 1, UIDValidity: 7, UID: 9, LedgerID: 14}, {MailboxID: 2, UIDValidity: 8, UID: 6, LedgerID: 12}, {MailboxID: 1, UIDValidity: 8, UID: 8},
		} {
			if err := tx.AddPosition(p); err != nil {
				return err
			}
		}
		return errors.Join(tx.Want(12, Wish{Quiet: true}), tx.Want(14, Wish{ByRule: true}), tx.Want(99, Wish{}))
	})
	clock.add(time.Minute)
	write(t, s, func(tx *Tx) error { return tx.Want(11, Wish{ByRule: true}) })
	check := func(name string, want ...string) {
		t.Helper()
		positions, wishes, err := s.Wanted(ctx, 1, 8)
		if err != nil {
			t.Fatal(err)
		}
		is := []string{}
		for _, p := range positions {
			is = append(is, fmt.Sprint(p.LedgerID, " at ", p.UID, p.Pending, " ", wishes[p.LedgerID]))
		}
		if !slices.Equal(is, want) {
			t.Errorf("%s: %q, want %q", name, is, want)
		}
	}
	check("wanted", "12 at 6seen {true false}", "11 at 5 {false true}")
	write(t, s, func(tx *Tx) error { return tx.Want(12, Wish{}) })
	check("wanted again, aloud", "11 at 5 {false true}", "12 at 6seen {false false}")
	wish, wanted, err := s.WantedEntry(ctx, 12)
	if !wanted || wish != (Wish{}) || err != nil {
		t.Error(wanted, wish, err)
	}
	write(t, s, func(tx *Tx) error { return tx.Unwant(12) })
	check("one less", "11 at 5 {false true}")
	if _, wanted, err := s.WantedEntry(ctx, 12); wanted || err != nil {
		t.Error(wanted, err)
	}
	for id, uid := range map[int64]uint32{11: 5, 12: 6, 13: 7} {
		if p := got[Position](t)(s.PositionOf(ctx, id)); p.UID != uid || p.UIDValidity != 8 || p.LedgerID != id {
			t.Errorf("line %d lies at %+v", id, p)
		}
	}
	for _, id := range []int64{14, 99, 0} { // of the last UIDVALIDITY; never seen; not decided
		if p, err := s.PositionOf(ctx, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("line %d lies at %+v, %v", id, p, err)
		}
	}
}

func TestMovesAndReconciliations(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	m := Move{LedgerID: 3, MailboxID: 1, UIDValidity: 8, Folder: "Done", At: start.UTC()}
	write(t, s, func(tx *Tx) error { return tx.AddMove(m) })
	clock.add(time.Hour)
	m.Folder = "Ignored"
	write(t, s, func(tx *Tx) error {
		return tx.AddMove(Move{LedgerID: 3, MailboxID: 1, UIDValidity: 8, Folder: "Ignored"})
	})
	m.At = clock.now.UTC()
	if is := got[Move](t)(s.MoveOf(ctx, 3)); is != m {
		t.Errorf("%+v", is)
	}
	if _, err := s.MoveOf(ctx, 4); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	r := []Reconciliation{{1, start.UTC(), 100, 3, 1}, {2, start.UTC(), 5, 0, 0}}
	write(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutReconciliation(r[1]), tx.PutReconciliation(Reconciliation{MailboxID: 1, Listed: 7}), tx.PutReconciliation(r[0]))
	})
	if is := got[[]Reconciliation](t)(s.Reconciliations(ctx)); !reflect.DeepEqual(is, r) {
		t.Errorf("%+v", is)
	}
}

func TestHeldFrom(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	desksOf(t, s, "one@x", "two@x")
	for _, e := range []Entry{
		{DeskID: 1, Outcome: "held", Rule: "unknown-sender", From: mail.Address{Address: "A@x"}},
		{DeskID: 2, Outcome: "held", Rule: "unknown-sender", From: mail.Address{Address: "b@x"}},
		{DeskID: 1, Outcome: "held", Rule: "rate", From: mail.Address{Address: "a@x"}},
		{DeskID: 1, Outcome: "request", Rule: "unknown-sender", From: mail.Address{Address: "a@x"}},
		{DeskID: 2, Outcome: "held", Rule: "unknown-sender", From: mail.Address{Address: "a@x"}},
		{DeskID: 1, Outcome: "held", Rule: "unknown-sender", From: mail.Address{Address: "c@x"}},
	} {
		write(t, s, func(tx *Tx) error { return tx.AddEntry(&e) })
	}
	for _, c := range []struct {
		desk  int64
		keys  []string
		after int64
		limit int
		want  string
	}{
		{0, nil, 0, 0, "[1 2 5 6]"}, {0, nil, 1, 2, "[2 5]"}, {1, nil, 0, 0, "[1 6]"}, {0, []string{"a@x"}, 0, 0, "[1 5]"},
		{2, []string{"a@x", "b@x"}, 0, 0, "[2 5]"}, {2, []string{"a@x", "b@x"}, 2, 0, "[5]"}, {0, []string{"z@x"}, 0, 0, "[]"}, {3, nil, 0, 0, "[]"},
	} {
		if is := fmt.Sprint(append([]int64{}, entryIDs(got[[]Entry](t)(s.HeldFrom(ctx, c.desk, "unknown-sender", c.keys, c.after, c.limit)))...)); is != c.want {
			t.Errorf("%+v: %s", c, is)
		}
	}
	for f, want := range map[EntryFilter]string{
		{Outcome: "held", Rule: "rate"}:                        "[3]",
		{Rule: "unknown-sender", DeskID: 1}:                    "[6 4 1]",
		{Rule: "unknown-sender"}:                               "[6 5 4 2 1]",
		{Rule: "rate", From: "a@x"}:                            "[3]",
		{Outcome: "held", Rule: "unknown-sender", From: "B@x"}: "[2]",
	} {
		if is := fmt.Sprint(entryIDs(got[[]Entry](t)(s.Entries(ctx, f)))); is != want {
			t.Errorf("%+v: %s, want %s", f, is, want)
		}
	}
}
