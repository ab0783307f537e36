package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"helpdesk/mail"
)

func desksOf(t *testing.T, s *Store, addresses ...string) (desks []Desk) {
	t.Helper()
	write(t, s, func(tx *Tx) error {
		for i, a := range addresses {
			d, err := tx.EnsureDesk(a, fmt.Sprintf("D%d", i+1), a)
			if err != nil {
				return err
			}
			desks = append(desks, d)
		}
		return nil
	})
	return desks
}

func addressesOf(all []Customer) (keys []string) {
	for _, c := range all {
		keys = append(keys, c.Key())
	}
	return keys
}

func TestMembers(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	desksOf(t, s, "one@x", "two@x", "three@x")
	add := func(desk int64, address string) func(*Tx) error {
		return func(tx *Tx) error { return tx.AddMember(desk, mail.Address{Address: address}, time.Time{}) }
	}
	remove := func(desk int64, address string, want bool) func(*Tx) error {
		return func(tx *Tx) error {
			is, err := tx.RemoveMember(desk, address)
			if is != want {
				t.Errorf("removing %s from %d: %v", address, desk, is)
			}
			return err
		}
	}
	merge := func(address, into string) func(*Tx) error {
		return func(tx *Tx) error { return tx.MergeCustomers(address, into) }
	}
	for _, c := range []struct {
		name  string
		step  func(*Tx) error
		known string // desks where A@x is known
	}{
		{"never seen", func(*Tx) error { return nil }, ""},
		{"a customer by an old mail only", func(tx *Tx) error {
			_, err := tx.UpsertCustomer(mail.Address{Address: "a@X"}, clock.now)
			return err
		}, ""},
		{"one desk", add(1, "A@x"), "1"},
		{"again", add(1, " a@x"), "1"},
		{"two desks", add(2, "a@x"), "1 2"},
		{"off one", remove(1, "a@X", true), "2"},
		{"off one that they are not at", remove(3, "a@x", false), "2"},
		{"every desk", add(0, "a@x"), "1 2 3"},
		{"every desk but one", remove(2, "a@x", true), "1 3"},
		{"off all", remove(0, "a@x", true), ""},
		{"off all, again", remove(0, "a@x", false), ""},
		{"off, never seen", remove(0, "nobody@x", false), ""},
		{"another address", add(3, "b@x"), ""},
		{"merged", merge("a@x", "b@x"), "3"},
		{"merged, their own too", add(1, "a@x"), "1 3"},
		{"a third, through the merged one", merge("c@x", "a@x"), "1 3"},
		{"known by the third", add(2, "c@x"), "1 2 3"},
		{"the person off", remove(0, "c@x", true), ""},
	} {
		write(t, s, c.step)
		known := []string{}
		for desk := range int64(3) {
			if got[bool](t)(s.KnownAt(ctx, desk+1, " A@x ")) {
				known = append(known, fmt.Sprint(desk+1))
			}
		}
		if is := fmt.Sprint(known); is != "["+c.known+"]" {
			t.Errorf("%s: known at %s, want %s", c.name, is, c.known)
		}
	}
}

func TestMergeCustomers(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	desksOf(t, s, "one@x", "two@x")
	write(t, s, func(tx *Tx) error {
		for i, a := range []string{"A@x", "b@x", "c@x", "d@x"} {
			if err := tx.AddMember(int64(i%2+1), mail.Address{Address: a}, start); err != nil {
				return err
			}
		}
		return tx.Suspend("c@x", 7, "5.1.1")
	})
	merge := func(address, into string) error {
		return s.Write(ctx, func(tx *Tx) error { return tx.MergeCustomers(address, into) })
	}
	check := func(name string, want ...string) {
		t.Helper()
		for _, of := range want {
			is := got[[]string](t)(s.PersonKeys(ctx, of))
			if is[0] != of {
				t.Errorf("%s: %s is not the first of %v", name, of, is)
			}
			slices.Sort(is)
			if !slices.Equal(is, want) {
				t.Errorf("%s: %s is %v, want %v", name, of, is, want)
			}
		}
	}
	for _, m := range [][2]string{{"a@x", "B@x"}, {"b@x", "c@x"}} { // A into B into C
		if err := merge(m[0], m[1]); err != nil {
			t.Fatal(err)
		}
	}
	check("a chain", "a@x", "b@x", "c@x")
	check("another person", "d@x")
	for _, m := range [][2]string{{"c@x", "a@x"}, {"a@x", "c@x"}, {"b@x", "b@x"}, {"c@x", "b@x"}} { // would be cycles
		if err := merge(m[0], m[1]); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprint("after ", m), "a@x", "b@x", "c@x")
		if n := got[[]int64](t)(list(ctx, s.View, (*row).int, `SELECT count(*) FROM customers c JOIN customers p ON p.id = c.person
			WHERE p.person <> 0`)); n[0] != 0 {
			t.Errorf("after %v: a person stands for another one", m)
		}
	}
	if err := merge("new@x", "a@x"); err != nil {
		t.Fatal(err)
	}
	check("an address that never wrote", "a@x", "b@x", "c@x", "new@x")
	if err := merge("a@x", "never@x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("into nobody: %v", err)
	}
	if err := merge(" ", "a@x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no address: %v", err)
	}
	if is := got[[]string](t)(s.PersonKeys(ctx, " Never@X")); !slices.Equal(is, []string{"never@x"}) {
		t.Errorf("nobody is %v", is)
	}
	// What is shown of each.
	a, c := got[Customer](t)(s.Customer(ctx, "a@x")), got[Customer](t)(s.Customer(ctx, "C@x"))
	if a.Person != "c@x" || a.Suspended != "" || !slices.Equal(a.Desks, []string{"D1", "D2"}) || a.Address.Address != "A@x" {
		t.Errorf("a: %+v", a)
	}
	if c.Person != "" || c.Suspended != "5.1.1" || !slices.Equal(c.Desks, a.Desks) {
		t.Errorf("c: %+v", c)
	}
	if is := addressesOf(got[[]Customer](t)(s.Customers(ctx, CustomerFilter{DeskID: 1}))); !slices.Equal(is, []string{"a@x", "b@x", "c@x", "new@x"}) {
		t.Errorf("known at the first desk: %v", is)
	}
}

func TestCustomerNames(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	wrote := func(name string) func(*Tx) error {
		return func(tx *Tx) error {
			_, err := tx.UpsertCustomer(mail.Address{Name: name, Address: "a@x"}, tx.Now())
			return err
		}
	}
	named := func(name string) func(*Tx) error {
		return func(tx *Tx) error { return tx.NameCustomer(" A@x", name) }
	}
	if err := s.Write(ctx, named("X")); !errors.Is(err, ErrNotFound) {
		t.Errorf("naming nobody: %v", err)
	}
	for _, c := range []struct {
		step  func(*Tx) error
		name  string
		named bool
	}{
		{func(tx *Tx) error { return tx.AddMember(0, mail.Address{Address: "a@x"}, time.Time{}) }, "", false},
		{func(tx *Tx) error { return tx.AddMember(0, mail.Address{Name: "Imported", Address: "a@x"}, tx.Now()) }, "Imported", false},
		{func(tx *Tx) error { return tx.AddMember(0, mail.Address{Name: "Again", Address: "a@x"}, tx.Now()) }, "Imported", false},
		{wrote("Mail"), "Mail", false},
		{wrote("山田"), "山田", false},
		{wrote(""), "山田", false},
		{named("By hand"), "By hand", true},
		{wrote("Other"), "By hand", true},
		{named(""), "By hand", false},
		{wrote("Newest"), "Newest", false},
	} {
		clock.add(time.Hour)
		write(t, s, c.step)
		if is := got[Customer](t)(s.Customer(ctx, "a@x")); is.Name != c.name || is.Named != c.named {
			t.Errorf("%q, %v, want %+v", is.Name, is.Named, c)
		}
	}
	is := got[Customer](t)(s.Customer(ctx, "a@x"))
	if !is.First.Equal(start.Add(4*time.Hour)) || !is.Last.Equal(clock.now) || !slices.Equal(is.Desks, []string{"*"}) {
		t.Errorf("a customer who was added before the first mail: %+v", is)
	}
}

func TestCustomers(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	desksOf(t, s, "one@x", "two@x")
	write(t, s, func(tx *Tx) error {
		for i, name := range []string{"山田太郎", "Bea Smith", "Cid", "Dan"} {
			if err := tx.AddMember(int64(i%3), mail.Address{Name: name, Address: fmt.Sprintf("%c@firm%d.example", 'd'-i, i)}, start); err != nil {
				return err
			}
		}
		_, err := tx.UpsertCustomer(mail.Address{Name: "Old", Address: "e@x"}, start)
		return err
	})
	for _, c := range []struct {
		f    CustomerFilter
		want string
	}{
		{CustomerFilter{}, "[a@firm3.example b@firm2.example c@firm1.example d@firm0.example e@x]"},
		{CustomerFilter{Limit: 2}, "[a@firm3.example b@firm2.example]"},
		{CustomerFilter{Limit: 2, After: " B@firm2.example"}, "[c@firm1.example d@firm0.example]"},
		{CustomerFilter{Query: "太郎"}, "[d@firm0.example]"},
		{CustomerFilter{Query: " SMITH "}, "[c@firm1.example]"},
		{CustomerFilter{Query: "firm"}, "[a@firm3.example b@firm2.example c@firm1.example d@firm0.example]"},
		{CustomerFilter{DeskID: 1}, "[a@firm3.example c@firm1.example d@firm0.example]"}, // 0 is every desk
		{CustomerFilter{DeskID: 2, Query: "cid"}, "[b@firm2.example]"},
		{CustomerFilter{DeskID: 2, Query: "%"}, "[]"},
	} {
		if is := fmt.Sprint(addressesOf(got[[]Customer](t)(s.Customers(ctx, c.f)))); is != c.want {
			t.Errorf("%+v: %s, want %s", c.f, is, c.want)
		}
	}
	if _, err := s.Customer(ctx, "support@example.com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an address that is no customer: %v", err)
	}
}

func TestBlockedAndSuspended(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	write(t, s, func(tx *Tx) error {
		return errors.Join(tx.Block(1, " Spam@X", 5, tx.Now()), tx.Suspend("B@x", 3, "5.1.1"))
	})
	clock.add(time.Hour)
	write(t, s, func(tx *Tx) error { return tx.Suspend("a@x", 0, "") })
	for desk, want := range map[int64]bool{1: true, 2: false} {
		if is := got[bool](t)(s.BlockedAt(ctx, desk, "spam@x ")); is != want {
			t.Errorf("blocked at %d: %v", desk, is)
		}
	}
	want := []Suspension{{"a@x", 0, "", start.Add(time.Hour).UTC()}, {"b@x", 3, "5.1.1", start.UTC()}}
	if is := got[[]Suspension](t)(s.Suspensions(ctx)); !slices.Equal(is, want) {
		t.Errorf("suspended %+v", is)
	}
	for _, want := range []bool{true, false} {
		write(t, s, func(tx *Tx) error {
			is, err := tx.Unblock(1, "SPAM@x")
			if is != want {
				t.Errorf("it was blocked: %v", is)
			}
			return err
		})
	}
	if got[bool](t)(s.BlockedAt(ctx, 1, "spam@x")) {
		t.Error("still blocked")
	}
}
