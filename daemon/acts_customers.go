package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

// typed reads an address that a person typed.
func typed(text string) (mail.Address, ui.ActResult, bool) {
	text = strings.TrimSpace(text)
	address, err := ui.TypedAddress(text)
	if err != nil {
		return mail.Address{}, bad("bad-address", "address", text), false
	}
	return mail.Address{Address: address}, ui.ActResult{}, true
}

// addCustomer makes somebody a customer, and takes what waits from them.
func (a *Acts) addCustomer(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	address, no, ok := typed(act.Address)
	if !ok {
		return only(no), nil
	}
	id, no, ok := a.deskOf(act.Desk)
	if !ok {
		return only(no), nil
	}
	address.Name = strings.TrimSpace(act.Title)
	if err := a.write(ctx, func(tx *store.Tx) error { return a.member(tx, id, address) }); err != nil {
		return nil, err
	}
	done := only(good("customer-added", "address", address.Address))
	if id != 0 {
		done = only(good("customer-added-at", "address", address.Address, "desk", a.deskWith(id).Key))
	}
	return a.released(ctx, done, address.Key())
}

// member adds a customer; a name that a person gave stays.
func (a *Acts) member(tx *store.Tx, deskID int64, address mail.Address) error {
	if err := tx.AddMember(deskID, address, a.now()); err != nil || address.Name == "" {
		return err
	}
	return tx.NameCustomer(address.Key(), address.Name)
}

// released adds what became of the held mail of a new customer, with all
// addresses of the person; key "": of all customers.
func (a *Acts) released(ctx context.Context, done []ui.ActResult, key string) ([]ui.ActResult, error) {
	var keys []string
	var err error
	if key != "" {
		if keys, err = a.store.PersonKeys(ctx, key); err != nil {
			return nil, err
		}
	}
	n, err := a.release(ctx, keys)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		done = append(done, good("held-taken", "n", figure(n)))
	}
	return done, nil
}

// importCustomers adds the customers of a list. Rows without a good address are
// named, the others count.
func (a *Acts) importCustomers(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	id, no, ok := a.deskOf(act.Desk)
	if !ok {
		return only(no), nil
	}
	var right []mail.Address
	var wrong []ui.ActResult
	for i, row := range act.People {
		address, _, ok := typed(row.Address)
		if !ok {
			wrong = append(wrong, bad("bad-row", "row", figure(i+1), "address", strings.TrimSpace(row.Address)))
			continue
		}
		address.Name = strings.TrimSpace(row.Name)
		right = append(right, address)
	}
	const batch = 500 // mail that comes meanwhile does not wait for thousands of rows
	for rest := right; len(rest) > 0; {
		n := min(batch, len(rest))
		if err := a.write(ctx, func(tx *store.Tx) error {
			for _, address := range rest[:n] {
				if err := a.member(tx, id, address); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	done := append(only(good("customers-imported", "n", figure(len(right)))), wrong...)
	return a.released(ctx, done, "")
}

func (a *Acts) removeCustomer(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	address, no, ok := typed(act.Address)
	if !ok {
		return only(no), nil
	}
	id, no, ok := a.deskOf(act.Desk)
	if !ok {
		return only(no), nil
	}
	there := false
	if err := a.write(ctx, func(tx *store.Tx) (err error) {
		there, err = tx.RemoveMember(id, address.Key())
		return err
	}); err != nil {
		return nil, err
	}
	if !there {
		return only(bad("no-customer", "address", address.Address)), nil
	}
	return only(good("customer-removed", "address", address.Address)), nil
}

func (a *Acts) nameCustomer(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	address, no, ok := typed(act.Address)
	if !ok {
		return only(no), nil
	}
	name := strings.TrimSpace(act.Title)
	there, err := a.customerWrite(ctx, address.Key(), func(tx *store.Tx) error { return tx.NameCustomer(address.Key(), name) })
	switch {
	case err != nil:
		return nil, err
	case !there:
		return only(bad("no-customer", "address", address.Address)), nil
	case name == "":
		return only(good("customer-unnamed", "address", address.Address)), nil
	}
	return only(good("customer-named", "address", address.Address, "name", name)), nil
}

// customerWrite does something with a customer that is there.
func (a *Acts) customerWrite(ctx context.Context, key string, fn func(tx *store.Tx) error) (there bool, err error) {
	err = a.write(ctx, func(tx *store.Tx) error {
		there = false
		if _, err := tx.Customer(ctx, key); errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		there = true
		return fn(tx)
	})
	return there, err
}

func (a *Acts) mergeCustomer(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	address, no, ok := typed(act.Address)
	if !ok {
		return only(no), nil
	}
	into, no, ok := typed(act.Into)
	if !ok {
		return only(no), nil
	}
	if address.Key() == into.Key() {
		return only(bad("merge-same", "address", address.Address)), nil
	}
	missing := ""
	if err := a.write(ctx, func(tx *store.Tx) error {
		missing = ""
		for _, one := range []mail.Address{address, into} {
			if _, err := tx.Customer(ctx, one.Key()); errors.Is(err, store.ErrNotFound) {
				missing = one.Address
				return nil
			} else if err != nil {
				return err
			}
		}
		return tx.MergeCustomers(address.Key(), into.Key())
	}); err != nil {
		return nil, err
	}
	if missing != "" {
		return only(bad("no-customer", "address", missing)), nil
	}
	done := only(good("customer-merged", "address", address.Address, "into", into.Address))
	return a.released(ctx, done, into.Key())
}

func (a *Acts) forgetCustomer(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	address, no, ok := typed(act.Address)
	if !ok {
		return only(no), nil
	}
	for _, s := range a.desks {
		if _, agent := s.Agent(address); agent || s.Ours(address) {
			return only(bad("forget-ours", "address", address.Address)), nil
		}
	}
	known, err := a.known(ctx, address)
	if err != nil {
		return nil, err
	}
	keys, err := a.store.PersonKeys(ctx, address.Key())
	if err != nil {
		return nil, err
	}
	var gone store.Forgotten
	if err := a.write(ctx, func(tx *store.Tx) (err error) {
		gone, err = tx.ForgetPerson(ctx, address.Key())
		return err
	}); err != nil {
		return nil, err
	}
	if err := a.forgetObserved(ctx, keys); err != nil {
		return nil, err
	}
	size, err := a.store.Size(ctx)
	if err != nil {
		return nil, err
	}
	later := size > a.scrubAtOnce
	if !later {
		if err := a.store.Scrub(ctx); err != nil {
			return nil, fmt.Errorf("the person is forgotten, but copies stay in the database file until this succeeds tonight: %w", err)
		}
	}
	if !known && gone.Requests+gone.Messages+gone.Mails == 0 {
		return only(bad("no-customer", "address", address.Address)), nil
	}
	done := only(good("customer-forgotten", "address", address.Address, "addresses", figure(gone.Addresses),
		"requests", figure(gone.Requests), "messages", figure(gone.Messages), "mails", figure(gone.Mails)))
	if later {
		done = append(done, good("forgotten-tonight"))
	}
	return done, nil
}

// scrubAtOnce is what Acts.scrubAtOnce usually is: a few seconds, in which no
// mail is taken. A larger database is written anew at night, see housekeeping.
const scrubAtOnce = 64 << 20

// known reports whether somebody is a customer, wrote to us, was written to, or
// stands in the requests of others.
func (a *Acts) known(ctx context.Context, address mail.Address) (bool, error) {
	if _, err := a.store.Customer(ctx, address.Key()); !errors.Is(err, store.ErrNotFound) {
		return err == nil, err
	}
	entries, err := a.store.Entries(ctx, store.EntryFilter{From: address.Key(), Limit: 1})
	if err != nil || len(entries) > 0 {
		return err == nil, err
	}
	lines, err := a.store.Outbox(ctx, store.OutboxFilter{To: address.Key(), Limit: 1})
	if err != nil || len(lines) > 0 {
		return err == nil, err
	}
	traces, err := a.store.TracesOf(ctx, []string{address.Key()})
	return len(traces.Messages)+len(traces.Copies)+len(traces.Blocked) > 0, err
}
