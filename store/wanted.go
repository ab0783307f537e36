package store

import (
	"context"
	"errors"
	"fmt"
)

// Wish says how a mail is wanted.
type Wish struct {
	Quiet  bool // nobody is told of it
	ByRule bool // it becomes what the rules say; else it is taken whatever they say
}

// Want marks a mail whose text must still be fetched as wanted by a person.
func (t *Tx) Want(ledgerID int64, w Wish) error {
	if _, err := t.exec("INSERT OR REPLACE INTO wanted (ledger_id, quiet, by_rule, at) VALUES (?, ?, ?, ?)", ledgerID, flag(w.Quiet), flag(w.ByRule), millis(t.now)); err != nil {
		return fmt.Errorf("keeping that the mail of ledger line %d is wanted: %w", ledgerID, err)
	}
	return nil
}

// Unwant takes Want back: the mail was taken, or cannot be.
func (t *Tx) Unwant(ledgerID int64) error {
	if _, err := t.exec("DELETE FROM wanted WHERE ledger_id = ?", ledgerID); err != nil {
		return fmt.Errorf("keeping that the mail of ledger line %d is no longer wanted: %w", ledgerID, err)
	}
	return nil
}

// Wanted returns the positions of the mails of a mailbox that a person wants,
// in the order in which they were wanted, and how (by ledger line).
func (v *View) Wanted(ctx context.Context, mailboxID int64, uidvalidity uint32) ([]Position, map[int64]Wish, error) {
	wishes := map[int64]Wish{}
	positions, err := list(ctx, v, func(r *row) Position {
		p := scanPosition(r)
		wishes[p.LedgerID] = Wish{Quiet: r.bool(), ByRule: r.bool()}
		return p
	}, `SELECT p.mailbox_id, p.uidvalidity, p.uid, p.ledger_id, p.size, p.header_hash, p.retry_at, p.breaks, ifnull(w.action, ''), wanted.quiet, wanted.by_rule
		FROM wanted CROSS JOIN positions p ON p.ledger_id = wanted.ledger_id AND p.ledger_id <> 0
		LEFT JOIN pending w USING (mailbox_id, uidvalidity, uid)
		WHERE p.mailbox_id = ? AND p.uidvalidity = ? ORDER BY wanted.at, wanted.ledger_id`, mailboxID, int64(uidvalidity))
	return positions, wishes, err
}

// WantedEntry reports whether a person wants the mail of a ledger line, and how.
func (v *View) WantedEntry(ctx context.Context, ledgerID int64) (w Wish, wanted bool, err error) {
	w, err = one(ctx, v, func(r *row) Wish { return Wish{Quiet: r.bool(), ByRule: r.bool()} },
		"SELECT quiet, by_rule FROM wanted WHERE ledger_id = ?", ledgerID)
	if errors.Is(err, ErrNotFound) {
		return w, false, nil
	}
	return w, err == nil, err
}

// PositionOf returns where a mail of the ledger lies; ErrNotFound when the
// server no longer lists it.
func (v *View) PositionOf(ctx context.Context, ledgerID int64) (Position, error) {
	return one(ctx, v, scanPosition, positionColumns+`JOIN mailboxes b ON b.id = p.mailbox_id AND b.uidvalidity = p.uidvalidity
		WHERE p.ledger_id = ? AND p.ledger_id <> 0 ORDER BY p.uid DESC LIMIT 1`, ledgerID)
}

// AddMove notes a move that the server confirmed; the newest counts. At is now
// when it is zero.
func (t *Tx) AddMove(m Move) error {
	if m.At.IsZero() {
		m.At = t.now
	}
	_, err := t.exec("INSERT OR REPLACE INTO moved (ledger_id, mailbox_id, uidvalidity, folder, at) VALUES (?, ?, ?, ?, ?)",
		m.LedgerID, m.MailboxID, int64(m.UIDValidity), m.Folder, millis(m.At))
	if err != nil {
		return fmt.Errorf("keeping that the mail of ledger line %d was moved: %w", m.LedgerID, err)
	}
	return nil
}

// MoveOf returns where a mail was moved to; ErrNotFound when no move was confirmed.
func (v *View) MoveOf(ctx context.Context, ledgerID int64) (Move, error) {
	return one(ctx, v, func(r *row) Move {
		return Move{LedgerID: r.int(), MailboxID: r.int(), UIDValidity: r.uint32(), Folder: r.text(), At: r.time()}
	}, "SELECT ledger_id, mailbox_id, uidvalidity, folder, at FROM moved WHERE ledger_id = ?", ledgerID)
}
