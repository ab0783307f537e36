package store

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"helpdesk/mail"
)

func TestShadow(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	fillStore(t, s, 20)
	write(t, s, func(tx *Tx) error {
		return errors.Join(tx.SetMeta("signing_key", "k"), tx.Block(1, "spam@x", 1, start), tx.Suspend("gone@x", 1, "5.1.1"),
			tx.AddMember(1, mail.Address{Name: "Ann", Address: "ann@x"}, start), tx.AddMember(0, mail.Address{Address: "b@x"}, time.Time{}),
			tx.MergeCustomers("b@x", "ann@x"), tx.NameCustomer("ann@x", "By hand"))
	})
	path := filepath.Join(t.TempDir(), "observe-1.db")
	options := Options{Now: func() time.Time { return clock.now }}
	for range 2 { // the second replaces the first, with what was observed
		shadow, err := s.Shadow(ctx, path, options)
		if err != nil {
			t.Fatal(err)
		}
		checkShadow(t, s, shadow)
		r := Request{DeskID: 1}
		write(t, shadow, func(tx *Tx) (err error) {
			if r.Key, err = tx.NextKey("SUP"); err != nil {
				return err
			}
			return errors.Join(tx.AddRequest(&r), tx.AddEntry(&Entry{DeskID: 1}))
		})
		if r.ID != 21 || r.Key != "SUP-21" { // no token of a real request leads to it
			t.Errorf("the first request of a shadow is %d, %s", r.ID, r.Key)
		}
		if err := shadow.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(got[[]Request](t)(s.Requests(ctx, RequestFilter{}))); n != 20 {
		t.Errorf("the real store has %d requests", n)
	}
	if _, err := s.Shadow(ctx, s.readers.path, options); err == nil {
		t.Error("a store is its own shadow")
	}
	if _, err := os.Stat(s.readers.path); err != nil {
		t.Error(err)
	}
}

func checkShadow(t *testing.T, s, shadow *Store) {
	t.Helper()
	ctx := t.Context()
	for name, read := range map[string]func(*Store) any{
		"desks":       func(s *Store) any { return got[[]Desk](t)(s.Desks(ctx)) },
		"mailbox":     func(s *Store) any { return got[Mailbox](t)(s.MailboxByID(ctx, 2)) },
		"customers":   func(s *Store) any { return got[[]Customer](t)(s.Customers(ctx, CustomerFilter{})) },
		"known":       func(s *Store) any { return got[bool](t)(s.KnownAt(ctx, 2, "ann@x")) },
		"blocked":     func(s *Store) any { return got[bool](t)(s.BlockedAt(ctx, 1, "spam@x")) },
		"suspensions": func(s *Store) any { return got[[]Suspension](t)(s.Suspensions(ctx)) },
		"key": func(s *Store) any {
			value, ok, err := s.Meta(ctx, "signing_key")
			return []any{value, ok, err}
		},
	} {
		if want, is := read(s), read(shadow); !reflect.DeepEqual(is, want) {
			t.Errorf("%s: %+v, the real store has %+v", name, is, want)
		}
	}
	for name, n := range map[string]int{
		"entries":  len(got[[]Entry](t)(shadow.Entries(ctx, EntryFilter{}))),
		"requests": len(got[[]Request](t)(shadow.Requests(ctx, RequestFilter{}))),
		"outbox":   len(got[[]OutboxLine](t)(shadow.Outbox(ctx, OutboxFilter{}))),
	} {
		if n != 0 {
			t.Errorf("%d %s", n, name)
		}
	}
	if n := got[int](t)(shadow.IndexNext(ctx, 1)); n != 0 {
		t.Error("there is something to index")
	}
	write(t, shadow, func(tx *Tx) error { // numbers of addresses go on as well
		_, err := tx.UpsertCustomer(mail.Address{Address: "new@x"}, start)
		return err
	})
	if is := got[Customer](t)(shadow.Customer(ctx, "new@x")); is.Address.Address != "new@x" {
		t.Errorf("%+v", is)
	}
}
