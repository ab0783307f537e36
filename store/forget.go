package store

import (
	"context"
	"fmt"
	"slices"
)

// wholeTable marks the queries for which a whole table is read, because no index
// is kept for what is done once in a year.
const wholeTable = " /* the whole table */"

// ForgetPerson removes what is known of all addresses of a person: their
// requests with all messages, what they wrote in others' requests and their
// places there, raw mails, reports about mail to them, outbox lines to them and
// about what they wrote, the customer, the search index. The ledger keeps its
// lines without names, subjects and words, and the fingerprints, so that a mail
// that comes again is a duplicate. Kept is what others wrote in requests of
// their own, also where they quote the person, and what somebody answered as an
// agent. Copies in the file go with the next Scrub. It is no error when nothing
// is known of the address.
func (t *Tx) ForgetPerson(_ context.Context, address string) (f Forgotten, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("forgetting a person: %w", err)
		}
	}()
	p, err := t.person(address)
	if err != nil {
		return f, err
	}
	lines, err := t.linesAbout(p)
	if err != nil {
		return f, err
	}
	entries, err := t.entriesAbout(p, lines)
	if err != nil {
		return f, err
	}
	messages, mails, err := t.removeRequests(p.requests)
	if err != nil {
		return f, err
	}
	more, err := t.removeMessages(p.messages)
	if err != nil {
		return f, err
	}
	if err := t.removeOutbox(lines); err != nil {
		return f, err
	}
	rest, err := t.removeRaw(entries)
	if err != nil {
		return f, err
	}
	if err := t.blank(entries, p); err != nil {
		return f, err
	}
	if err := t.removeAddresses(p); err != nil {
		return f, err
	}
	f = Forgotten{Addresses: len(p.keys), Requests: len(p.requests), Messages: messages + len(p.messages), Mails: mails + more + rest}
	return f, t.SetMeta(scrubWanted, "yes")
}

// person is what a person's data is found by.
type person struct {
	keys     []string
	ids      []int64 // of the addresses
	requests []int64 // that they asked for
	messages []int64 // of theirs in others' requests

	keyList, idList, requestList, messageList string // the same for json_each
}

func (t *Tx) person(address string) (p person, err error) {
	if p.keys, err = t.PersonKeys(t.ctx, address); err != nil {
		return p, fmt.Errorf("reading the addresses: %w", err)
	}
	p.keys = slices.DeleteFunc(p.keys, func(key string) bool { return key == "" })
	if p.keyList, err = jsonList(p.keys); err != nil {
		return p, err
	}
	if p.ids, err = list(t.ctx, t.View, (*row).int, "SELECT id FROM addresses WHERE key IN (SELECT value FROM json_each(?))", p.keyList); err != nil {
		return p, fmt.Errorf("reading the addresses: %w", err)
	}
	if p.idList, err = jsonList(p.ids); err != nil {
		return p, err
	}
	p.requests, err = list(t.ctx, t.View, (*row).int,
		"SELECT id FROM requests WHERE requester_id IN (SELECT value FROM json_each(?)) AND requester_id <> 0", p.idList)
	if err != nil {
		return p, fmt.Errorf("reading the requests: %w", err)
	}
	if p.requestList, err = jsonList(p.requests); err != nil {
		return p, err
	}
	p.messages, err = list(t.ctx, t.View, (*row).int, `SELECT id FROM messages WHERE lower(trim(from_address)) IN (SELECT value FROM json_each(?))
		AND kind <> 'agent' AND request_id NOT IN (SELECT value FROM json_each(?))`+wholeTable, p.keyList, p.requestList)
	if err != nil {
		return p, fmt.Errorf("reading the messages: %w", err)
	}
	p.messageList, err = jsonList(p.messages)
	return p, err
}

// linesAbout returns the outbox lines to a person and those that others get
// because of what the person wrote.
func (t *Tx) linesAbout(p person) ([]int64, error) {
	lines, err := list(t.ctx, t.View, (*row).int, `SELECT id FROM outbox WHERE to_id IN (SELECT value FROM json_each(?))
		UNION ALL SELECT id FROM outbox WHERE caused_by IN (SELECT value FROM json_each(?)) AND caused_by <> 0
		UNION ALL SELECT id FROM outbox WHERE request_id IN (SELECT value FROM json_each(?)) AND request_id <> 0
		UNION ALL SELECT o.id FROM messages m CROSS JOIN outbox o ON o.request_id = m.request_id AND o.request_id <> 0
			WHERE m.id IN (SELECT value FROM json_each(?)) AND o.message_row = m.id`,
		p.idList, p.idList, p.requestList, p.messageList)
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// entriesAbout returns the ledger lines of the person's mails, of all mails in
// their requests, of our own mails that came to us as well, and of reports
// about mail to them.
func (t *Tx) entriesAbout(p person, lines []int64) ([]int64, error) {
	numbers, err := jsonList(lines)
	if err != nil {
		return nil, err
	}
	entries, err := list(t.ctx, t.View, (*row).int, `SELECT id FROM ledger WHERE from_id IN (SELECT value FROM json_each(?))
		OR request_id IN (SELECT value FROM json_each(?))
		OR message_id IN (SELECT message_id FROM outbox WHERE id IN (SELECT value FROM json_each(?)) AND message_id <> '')
		OR reason_args <> '' AND EXISTS (SELECT 1 FROM json_each(reason_args) a WHERE lower(trim(a.value)) IN (SELECT value FROM json_each(?)))`+wholeTable,
		p.idList, p.requestList, numbers, p.keyList)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	more, err := list(t.ctx, t.View, (*row).int, `SELECT ledger_id FROM messages WHERE request_id IN (SELECT value FROM json_each(?)) AND ledger_id <> 0
		UNION SELECT ledger_id FROM messages WHERE id IN (SELECT value FROM json_each(?)) AND ledger_id <> 0
		UNION SELECT ledger_id FROM suspended WHERE key IN (SELECT value FROM json_each(?)) AND ledger_id <> 0`, p.requestList, p.messageList, p.keyList)
	if err != nil {
		return nil, fmt.Errorf("reading the messages: %w", err)
	}
	entries = append(entries, more...)
	slices.Sort(entries)
	return slices.Compact(entries), nil
}

// blank leaves of ledger lines what says nothing about anybody. Who else wrote
// one of these mails, as an agent who answered, stays named.
func (t *Tx) blank(entries []int64, p person) error {
	numbers, err := jsonList(entries)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE ledger SET message_id = '', subject = '', reason_args = '',
		request_id = iif(request_id IN (SELECT value FROM json_each(?)), 0, request_id) WHERE id IN (SELECT value FROM json_each(?))`, p.requestList, numbers)
	if err == nil {
		_, err = t.exec(`UPDATE ledger SET from_name = '', from_address = '', from_id = 0 WHERE id IN (SELECT value FROM json_each(?))
			AND from_id IN (SELECT value FROM json_each(?))`, numbers, p.idList)
	}
	if err == nil {
		_, err = t.exec("DELETE FROM wanted WHERE ledger_id IN (SELECT value FROM json_each(?))", numbers)
	}
	if err != nil {
		return fmt.Errorf("blanking the ledger: %w", err)
	}
	return nil
}

// removeAddresses removes a person's addresses and what hangs on them alone.
func (t *Tx) removeAddresses(p person) error {
	const named = "(SELECT 1 FROM json_each(?1) k WHERE instr(lower(v.value), k.value))"
	for _, d := range []struct{ query, list string }{
		// A digest to an agent lists many people: what it says of this one goes, with its neighbours.
		{`UPDATE outbox SET args = (SELECT json_group_object(v.key, v.value) FROM json_each(args) v WHERE NOT EXISTS ` + named + `)
			WHERE args <> '' AND EXISTS (SELECT 1 FROM json_each(args) v WHERE EXISTS ` + named + ")" + wholeTable, p.keyList},
		{"DELETE FROM participants WHERE key IN (SELECT value FROM json_each(?))" + wholeTable, p.keyList},
		{"DELETE FROM members WHERE customer_id IN (SELECT value FROM json_each(?))", p.idList},
		{"DELETE FROM customers WHERE id IN (SELECT value FROM json_each(?))", p.idList},
		{"DELETE FROM suspended WHERE key IN (SELECT value FROM json_each(?))", p.keyList},
		{"DELETE FROM blocked WHERE key IN (SELECT value FROM json_each(?))" + wholeTable, p.keyList},
		{"UPDATE health SET text = '', err = '' WHERE EXISTS (SELECT 1 FROM json_each(?) WHERE instr(lower(text || ' ' || err), value))", p.keyList},
		{"DELETE FROM addresses WHERE id IN (SELECT value FROM json_each(?))", p.idList},
	} {
		if _, err := t.exec(d.query, d.list); err != nil {
			return fmt.Errorf("removing the addresses: %w", err)
		}
	}
	for _, key := range p.keys {
		delete(t.addresses, key)
	}
	return nil
}
