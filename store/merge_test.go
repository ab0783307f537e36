package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
)

// conversation adds a request of somebody with a mail, an outbox line and a
// ledger line.
func conversation(t *testing.T, s *Store, subject string, from mail.Address) (r Request) {
	t.Helper()
	write(t, s, func(tx *Tx) (err error) {
		r = Request{DeskID: 1, Subject: subject, Requester: from, AwaitingSince: tx.Now()}
		if r.Key, err = tx.NextKey("SUP"); err != nil {
			return err
		}
		if err := tx.AddRequest(&r); err != nil {
			return err
		}
		e := Entry{DeskID: 1, From: from, Subject: subject, Outcome: "request", RequestID: r.ID}
		if err := tx.AddEntry(&e); err != nil {
			return err
		}
		m := Message{RequestID: r.ID, LedgerID: e.ID, Kind: KindCustomer, From: from, Text: "text of " + subject, MessageID: subject + "@x"}
		if err := tx.AddMessage(&m); err != nil {
			return err
		}
		return errors.Join(
			tx.AddParticipant(r.ID, Participant{Address: from, Role: RoleRequester}),
			tx.AddParticipant(r.ID, Participant{Address: mail.Address{Name: "Copy", Address: "copy@x"}, Role: RoleCC}),
			tx.Queue(&OutboxLine{DeskID: 1, RequestID: r.ID, MessageRow: m.ID, To: from, MessageID: "re-" + subject + "@x", Event: "received"}))
	})
	return r
}

// TestMergeRequest merges A into B into C, before and after they are indexed.
func TestMergeRequest(t *testing.T) {
	for _, indexed := range []bool{false, true} {
		t.Run(fmt.Sprint("indexed ", indexed), func(t *testing.T) {
			s, clock := open(t)
			ctx := t.Context()
			a := conversation(t, s, "apple", mail.Address{Name: "Ann", Address: "ann@x"})
			clock.add(time.Hour)
			c := conversation(t, s, "cherry", mail.Address{Name: "Cid", Address: "cid@x"})
			b := conversation(t, s, "banana", mail.Address{Name: "Bob", Address: "bob@x"})
			if indexed {
				indexAll(t, s)
			}
			merge := func(from, into int64) error {
				return s.Write(ctx, func(tx *Tx) error { return tx.MergeRequest(ctx, from, into, tx.Now()) })
			}
			clock.add(time.Hour)
			if err := errors.Join(merge(a.ID, b.ID), merge(b.ID, c.ID)); err != nil {
				t.Fatal(err)
			}
			for _, pair := range [][2]int64{{a.ID, c.ID}, {c.ID, c.ID}, {c.ID, a.ID}, {c.ID, b.ID}, {a.ID, a.ID}, {9, c.ID}, {c.ID, 9}} {
				if err := merge(pair[0], pair[1]); err == nil {
					t.Errorf("%d into %d: a cycle, or what is not there", pair[0], pair[1])
				}
			}
			d := conversation(t, s, "date", mail.Address{Address: "dan@x"})
			if err := merge(d.ID, a.ID); err != nil { // goes to where A went
				t.Fatal(err)
			}
			indexAll(t, s)
			checkMerged(t, s, c.ID, map[int64]int64{a.ID: b.ID, b.ID: c.ID, d.ID: c.ID})
			if is := got[Request](t)(s.RequestByID(ctx, c.ID)); !is.AwaitingSince.Equal(start) || is.State != StateOpen || !is.Updated.Equal(clock.now) {
				t.Errorf("what they were merged into: %+v", is)
			}
		})
	}
}

func checkMerged(t *testing.T, s *Store, into int64, merged map[int64]int64) {
	t.Helper()
	ctx := t.Context()
	for id, to := range merged {
		is := got[Request](t)(s.RequestByID(ctx, id))
		if is.MergedInto != to || is.State != StateResolved || is.ResolvedAt.IsZero() || !is.AwaitingSince.IsZero() || is.Messages != 0 {
			t.Errorf("merged %+v", is)
		}
		if is := got[[]Participant](t)(s.Participants(ctx, id)); len(is) != 0 {
			t.Errorf("participants stayed: %+v", is)
		}
	}
	people := []string{}
	for _, p := range got[[]Participant](t)(s.Participants(ctx, into)) {
		people = append(people, p.Role+" "+p.Key())
	}
	if want := []string{"requester cid@x", "cc ann@x", "cc bob@x", "cc copy@x", "cc dan@x"}; !slices.Equal(people, want) {
		t.Errorf("participants %v", people)
	}
	if is := got[[]Message](t)(s.Messages(ctx, into)); len(is) != 4 {
		t.Errorf("%d messages", len(is))
	}
	for _, fruit := range []string{"apple", "banana", "cherry", "date"} {
		if is := got[[]OutboxLine](t)(s.OutboxByMessageID(ctx, "re-"+fruit+"@x")); len(is) != 1 || is[0].RequestID != into {
			t.Errorf("outbox of %s: %+v", fruit, is)
		}
		if is := got[[]MessageRequest](t)(s.RequestsByMessageIDs(ctx, []string{fruit + "@x"})); len(is) != 1 || is[0].RequestID != into {
			t.Errorf("a reply to %s goes to %+v", fruit, is)
		}
		if is := got[[]int64](t)(s.Search(ctx, fruit, 0)); !slices.Equal(is, []int64{into}) {
			t.Errorf("search finds %s in %v", fruit, is)
		}
	}
	if is := got[[]int64](t)(s.Search(ctx, "SUP-1", 0)); !slices.Equal(is, []int64{into}) { // the key that the customer knows
		t.Errorf("search finds the first key in %v", is)
	}
	for _, e := range got[[]Entry](t)(s.Entries(ctx, EntryFilter{})) {
		if e.RequestID != into {
			t.Errorf("ledger line %+v", e)
		}
	}
}

func TestRequesterAndFields(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	r := conversation(t, s, "apple", mail.Address{Name: "Ann", Address: "ann@x"})
	clock.add(time.Hour)
	write(t, s, func(tx *Tx) error {
		return errors.Join(tx.SetRequester(r.ID, mail.Address{Name: "Copy", Address: "COPY@x"}), tx.SetFields(r.ID, map[string]string{"place": "東京"}))
	})
	is := got[Request](t)(s.RequestByID(ctx, r.ID))
	if is.Requester.Key() != "copy@x" || is.Fields["place"] != "東京" || !is.Updated.Equal(clock.now) {
		t.Errorf("%+v", is)
	}
	roles := func() string {
		var all []string
		for _, p := range got[[]Participant](t)(s.Participants(ctx, r.ID)) {
			all = append(all, p.Role+" "+p.Key())
		}
		return strings.Join(all, ", ")
	}
	if is := roles(); is != "requester copy@x, cc ann@x" {
		t.Error(is)
	}
	write(t, s, func(tx *Tx) error { return tx.RemoveParticipant(r.ID, " ANN@x") })
	if is := roles(); is != "requester copy@x" {
		t.Error(is)
	}
	for keys, want := range map[string]int{"ann@x": 0, "copy@x": 1} {
		if is := got[[]Request](t)(s.RequestsOf(ctx, []string{keys, "z@x"})); len(is) != want {
			t.Errorf("requests of %s: %d", keys, len(is))
		}
	}
	for _, err := range []error{
		s.Write(ctx, func(tx *Tx) error { return tx.SetRequester(9, mail.Address{Address: "a@x"}) }),
		s.Write(ctx, func(tx *Tx) error { return tx.SetFields(9, nil) }),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	}
}
