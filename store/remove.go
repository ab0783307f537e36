package store

import "fmt"

// What belongs together is removed together. Ids are lists of which a few
// hundred fit into one transaction.

// removeRequests removes requests with all that is theirs: messages, raw mails
// that no other request needs, participants, outbox lines, the search index.
// Ledger lines stay, and requests that point to them no longer do. It reports
// how many messages and raw mails there were.
func (t *Tx) removeRequests(ids []int64) (messages, mails int, err error) {
	numbers, err := jsonList(ids)
	if err != nil {
		return 0, 0, err
	}
	all, err := list(t.ctx, t.View, (*row).int, "SELECT id FROM messages WHERE request_id IN (SELECT value FROM json_each(?))", numbers)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the messages: %w", err)
	}
	lines, err := list(t.ctx, t.View, (*row).int, "SELECT id FROM outbox WHERE request_id IN (SELECT value FROM json_each(?)) AND request_id <> 0", numbers)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the outbox: %w", err)
	}
	if err := t.removeOutbox(lines); err != nil {
		return 0, 0, err
	}
	if mails, err = t.removeMessages(all); err != nil {
		return 0, 0, err
	}
	for _, query := range []string{
		"DELETE FROM participants WHERE request_id IN (SELECT value FROM json_each(?))",
		"UPDATE requests SET linked_to = 0 WHERE linked_to IN (SELECT value FROM json_each(?)) AND linked_to <> 0",
		"UPDATE requests SET merged_into = 0 WHERE merged_into IN (SELECT value FROM json_each(?)) AND merged_into <> 0",
		"DELETE FROM requests WHERE id IN (SELECT value FROM json_each(?))",
	} {
		if _, err := t.exec(query, numbers); err != nil {
			return 0, 0, fmt.Errorf("removing requests: %w", err)
		}
	}
	return len(all), mails, nil
}

// removeMessages removes messages, the outbox lines that carry them, and their
// raw mails. It reports how many of these there were.
func (t *Tx) removeMessages(ids []int64) (mails int, err error) {
	numbers, err := jsonList(ids)
	if err != nil {
		return 0, err
	}
	lines, err := list(t.ctx, t.View, (*row).int, `SELECT o.id FROM messages m CROSS JOIN outbox o ON o.request_id = m.request_id AND o.request_id <> 0
		WHERE m.id IN (SELECT value FROM json_each(?)) AND o.message_row = m.id`, numbers)
	if err != nil {
		return 0, fmt.Errorf("reading the outbox: %w", err)
	}
	if err := t.removeOutbox(lines); err != nil {
		return 0, err
	}
	entries, err := list(t.ctx, t.View, (*row).int, "SELECT DISTINCT ledger_id FROM messages WHERE id IN (SELECT value FROM json_each(?)) AND ledger_id <> 0", numbers)
	if err != nil {
		return 0, fmt.Errorf("reading the messages: %w", err)
	}
	for _, query := range []string{
		"DELETE FROM search WHERE rowid IN (SELECT id FROM search_docsize WHERE id IN (SELECT value FROM json_each(?)))",
		"UPDATE ledger SET request_id = 0 WHERE id IN (SELECT ledger_id FROM messages WHERE id IN (SELECT value FROM json_each(?)))",
		"DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))",
	} {
		if _, err := t.exec(query, numbers); err != nil {
			return 0, fmt.Errorf("removing messages: %w", err)
		}
	}
	return t.removeRaw(entries)
}

// removeOutbox removes lines. What was sent on a day stays counted.
func (t *Tx) removeOutbox(ids []int64) error {
	numbers, err := jsonList(ids)
	if err != nil {
		return err
	}
	type was struct {
		desk  int64
		state string
	}
	old, err := list(t.ctx, t.View, func(r *row) was { return was{r.int(), r.text()} },
		"SELECT desk_id, state FROM outbox WHERE id IN (SELECT value FROM json_each(?))", numbers)
	if err == nil {
		_, err = t.exec("DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))", numbers)
	}
	if err != nil {
		return fmt.Errorf("removing outbox lines: %w", err)
	}
	for _, w := range old {
		if w.state != OutboxSent {
			t.countOutbox(w.desk, w.state, t.now, -1)
		}
	}
	return nil
}

// removeRaw removes the raw mails of ledger lines, but for those that a message
// came from. It reports how many there were.
func (t *Tx) removeRaw(entries []int64) (mails int, err error) {
	numbers, err := jsonList(entries)
	if err != nil {
		return 0, err
	}
	free, err := list(t.ctx, t.View, (*row).int, `SELECT value FROM json_each(?)
		WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.ledger_id = value AND m.ledger_id <> 0)`, numbers)
	if err != nil {
		return 0, fmt.Errorf("reading which raw mails are needed: %w", err)
	}
	for _, id := range free {
		removed, err := t.dropRaw(id)
		if err != nil {
			return 0, err
		}
		if removed {
			mails++
		}
	}
	return mails, nil
}

// dropRaw removes the raw mail of a ledger line and reports whether there was one.
func (t *Tx) dropRaw(ledgerID int64) (bool, error) {
	n, err := t.exec("DELETE FROM raw WHERE id BETWEEN ? AND ?", ledgerID*piecesMax, ledgerID*piecesMax+piecesMax-1)
	if err == nil && n > 0 {
		_, err = t.exec("UPDATE ledger SET raw_state = 'none' WHERE id = ?", ledgerID)
	}
	if err != nil {
		return false, fmt.Errorf("removing the raw mail of ledger line %d: %w", ledgerID, err)
	}
	return n > 0, nil
}
