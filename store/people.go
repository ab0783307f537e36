package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"helpdesk/mail"
)

// A person is one customer, or several that were merged: all of them name one
// of them in their column person, which itself names none. Every address has
// its own memberships; what counts is what the person has.

// personOf chooses the customers.id of a person's customers; its argument is
// the id of the one that the others name.
const personOf = "(SELECT ? UNION ALL SELECT id FROM customers WHERE person = ? AND person <> 0)"

// root returns the customer that stands for the person with an address.
func (v *View) root(ctx context.Context, address string) (int64, error) {
	return one(ctx, v, (*row).int, `SELECT iif(c.person <> 0, c.person, c.id) FROM addresses a JOIN customers c ON c.id = a.id
		WHERE a.key = ?`, addressKey(address))
}

// KnownAt reports whether somebody is a customer of a desk: the address, or
// another one of the same person, is a member of it or of every desk.
func (v *View) KnownAt(ctx context.Context, deskID int64, address string) (bool, error) {
	root, err := v.root(ctx, address)
	if err == nil {
		_, err = one(ctx, v, (*row).int, "SELECT 1 FROM members WHERE desk_id IN (0, ?) AND customer_id IN "+personOf+" LIMIT 1", deskID, root, root)
	}
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// samePerson chooses the customers.id of the person of customer c.
const samePerson = `(SELECT iif(c.person <> 0, c.person, c.id) UNION ALL
	SELECT p.id FROM customers p WHERE p.person = iif(c.person <> 0, c.person, c.id) AND p.person <> 0)`

// customerColumns take the desks from all addresses of the person.
const customerColumns = `SELECT c.name, c.address, c.first, c.last, c.named, ifnull((SELECT p.address FROM customers p WHERE p.id = c.person), ''),
	ifnull((SELECT group_concat(key, ' ') FROM (SELECT DISTINCT iif(m.desk_id = 0, '*', d.key) AS key FROM members m LEFT JOIN desks d ON d.id = m.desk_id
		WHERE m.customer_id IN ` + samePerson + ` ORDER BY m.desk_id)), ''),
	ifnull((SELECT iif(s.status = '', '5.0.0', s.status) FROM suspended s WHERE s.key = a.key), '')
	FROM addresses a CROSS JOIN customers c ON c.id = a.id `

func scanCustomer(r *row) Customer {
	return Customer{
		Address: mail.Address{Name: r.text(), Address: r.text()}, First: r.time(), Last: r.time(), Named: r.bool(), Person: r.text(),
		Desks: r.words(), Suspended: r.text(),
	}
}

// Customer returns one customer; ErrNotFound when the address is none.
func (v *View) Customer(ctx context.Context, address string) (Customer, error) {
	return one(ctx, v, scanCustomer, customerColumns+"WHERE a.key = ?", addressKey(address))
}

// Customers returns the customers that a filter chooses, by address.
func (v *View) Customers(ctx context.Context, f CustomerFilter) ([]Customer, error) {
	_, n := page(0, f.Limit)
	query, args := customerColumns+"WHERE a.key > ?", []any{addressKey(f.After)}
	if q := strings.ToLower(strings.TrimSpace(f.Query)); q != "" {
		query += " AND (instr(a.key, ?) OR instr(lower(c.name), ?))"
		args = append(args, q, q)
	}
	if f.DeskID != 0 {
		query += ` AND EXISTS (SELECT 1 FROM members m WHERE m.desk_id IN (0, ?) AND m.customer_id IN ` + samePerson + ")"
		args = append(args, f.DeskID)
	}
	return list(ctx, v, scanCustomer, query+" ORDER BY a.key LIMIT ?", append(args, n)...)
}

// PersonKeys returns all addresses (keys) of the person with an address, that
// address first; it alone when nothing is known of it.
func (v *View) PersonKeys(ctx context.Context, address string) ([]string, error) {
	key := addressKey(address)
	root, err := v.root(ctx, address)
	if errors.Is(err, ErrNotFound) {
		return []string{key}, nil
	}
	if err != nil {
		return nil, err
	}
	others, err := list(ctx, v, (*row).text, "SELECT key FROM addresses WHERE id IN "+personOf+" AND key <> ? ORDER BY key", root, root, key)
	return append([]string{key}, others...), err
}

// UpsertCustomer keeps someone who wrote at a time and returns the number of
// the address. The name is that of the newest mail that has one, unless
// somebody set it.
func (t *Tx) UpsertCustomer(a mail.Address, at time.Time) (int64, error) {
	id, err := t.address(a.Key())
	if err == nil {
		_, err = t.exec(`INSERT INTO customers (id, name, address, first, last) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET last = max(last, excluded.last), first = iif(first = 0, excluded.first, min(first, excluded.first)),
			name = iif(named = 0 AND excluded.name <> '' AND (excluded.last >= last OR name = ''), excluded.name, name)`,
			id, a.Name, a.Address, millis(at), millis(at))
	}
	if err != nil {
		return 0, fmt.Errorf("keeping a customer: %w", err)
	}
	return id, nil
}

// AddMember makes an address a customer of a desk, of every desk for 0; the
// customer is made where there is none. at is first and last of a new one, zero
// when they have not written yet; who is there keeps both, and gets the name if
// there was none.
func (t *Tx) AddMember(deskID int64, a mail.Address, at time.Time) error {
	id, err := t.address(a.Key())
	if err == nil {
		_, err = t.exec(`INSERT INTO customers (id, name, address, first, last) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE name = '' AND named = 0`, id, a.Name, a.Address, millis(at), millis(at))
	}
	if err == nil {
		_, err = t.exec("INSERT INTO members (customer_id, desk_id, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", id, deskID, millis(t.now))
	}
	if err != nil {
		return fmt.Errorf("adding the customer %s: %w", a.Address, err)
	}
	return nil
}

// RemoveMember takes a person, by any of the addresses, off a desk, off all of
// them for 0. Who was a customer of every desk stays one of the others. It
// reports whether the person was there.
func (t *Tx) RemoveMember(deskID int64, address string) (removed bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("taking the customer %s off: %w", address, err)
		}
	}()
	root, err := t.root(t.ctx, address)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if deskID != 0 {
		_, err = t.exec(`INSERT INTO members (customer_id, desk_id, at) SELECT m.customer_id, d.id, m.at FROM members m JOIN desks d
			WHERE m.desk_id = 0 AND m.customer_id IN `+personOf+" ON CONFLICT DO NOTHING", root, root)
		if err != nil {
			return false, err
		}
	}
	n, err := t.exec("DELETE FROM members WHERE customer_id IN "+personOf+" AND (desk_id IN (0, ?) OR ? = 0)", root, root, deskID, deskID)
	return n > 0, err
}

// NameCustomer sets a customer's name by hand: mails do not change it any more.
// An empty name lets them again. ErrNotFound when the address is no customer.
func (t *Tx) NameCustomer(address, name string) error {
	n, err := t.exec("UPDATE customers SET name = iif(? = '', name, ?), named = ? WHERE id = (SELECT id FROM addresses WHERE key = ?)",
		name, name, flag(name != ""), addressKey(address))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("naming the customer %s: %w", address, err)
	}
	return nil
}

// MergeCustomers makes address, with all that were merged with it, other
// addresses of the person with into. An address that never wrote is made a
// customer by that; ErrNotFound when into is none. Requests keep their
// requesters. Two addresses of one person stay as they are.
func (t *Tx) MergeCustomers(address, into string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("merging the customer %s into %s: %w", address, into, err)
		}
	}()
	if addressKey(address) == "" {
		return ErrNotFound
	}
	to, err := t.root(t.ctx, into)
	if err != nil {
		return err
	}
	from, err := t.root(t.ctx, address)
	if errors.Is(err, ErrNotFound) {
		if from, err = t.address(addressKey(address)); err == nil {
			_, err = t.exec("INSERT INTO customers (id, name, address, first, last) VALUES (?, '', ?, 0, 0)", from, strings.TrimSpace(address))
		}
	}
	if err != nil || from == to {
		return err
	}
	_, err = t.exec("UPDATE customers SET person = ? WHERE id IN "+personOf, to, from, from)
	return err
}

// Traces is what is kept of a person beside their own requests, the ledger and
// the outbox.
type Traces struct {
	Messages []Message // that they wrote in requests of others, oldest first
	Copies   []string  // keys of the requests of others in which they take part
	Blocked  []string  // keys of the desks whose agents called their mail spam
}

// TracesOf finds the traces of a person by all their addresses (keys). It reads
// whole tables: it does not rely on the ledger, whose lines expire.
func (v *View) TracesOf(ctx context.Context, keys []string) (t Traces, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("reading what is kept of a person: %w", err)
		}
	}()
	wanted, err := jsonList(slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return key == "" }))
	if err != nil {
		return t, err
	}
	t.Messages, err = list(ctx, v, scanMessage, messageColumns+`WHERE lower(trim(from_address)) IN (SELECT value FROM json_each(?1))
		AND request_id NOT IN (SELECT r.id FROM requests r WHERE r.requester_id <> 0
			AND r.requester_id IN (SELECT id FROM addresses WHERE key IN (SELECT value FROM json_each(?1)))) ORDER BY id`+wholeTable, wanted)
	if err != nil {
		return t, err
	}
	t.Copies, err = list(ctx, v, (*row).text, `SELECT DISTINCT r.key FROM participants p CROSS JOIN requests r ON r.id = p.request_id
		WHERE p.key IN (SELECT value FROM json_each(?)) AND p.role <> 'requester' ORDER BY r.id`+wholeTable, wanted)
	if err != nil {
		return t, err
	}
	t.Blocked, err = list(ctx, v, (*row).text, `SELECT DISTINCT d.key FROM blocked b CROSS JOIN desks d ON d.id = b.desk_id
		WHERE b.key IN (SELECT value FROM json_each(?)) ORDER BY d.key`+wholeTable, wanted)
	return t, err
}
