package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const positionColumns = `SELECT p.mailbox_id, p.uidvalidity, p.uid, p.ledger_id, p.size, p.header_hash, p.retry_at, p.breaks,
	ifnull(w.action, '') FROM positions p LEFT JOIN pending w USING (mailbox_id, uidvalidity, uid) `

func scanPosition(r *row) Position {
	p := Position{MailboxID: r.int(), UIDValidity: r.uint32(), UID: r.uint32()}
	p.LedgerID, p.Size, p.HeaderHash = r.int(), r.int(), r.hash()
	p.RetryAt, p.Breaks, p.Pending = r.time(), int(r.int()), r.text()
	return p
}

// HighestUID returns the highest UID that has a position, 0 for none.
func (v *View) HighestUID(ctx context.Context, mailboxID int64, uidvalidity uint32) (uint32, error) {
	uid, err := one(ctx, v, (*row).uint32,
		"SELECT uid FROM positions WHERE mailbox_id = ? AND uidvalidity = ? ORDER BY uid DESC LIMIT 1", mailboxID, int64(uidvalidity))
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return uid, err
}

// Positions returns the positions with UIDs from a number on, ascending.
func (v *View) Positions(ctx context.Context, mailboxID int64, uidvalidity, from uint32) ([]Position, error) {
	return list(ctx, v, scanPosition, positionColumns+"WHERE p.mailbox_id = ? AND p.uidvalidity = ? AND p.uid >= ? ORDER BY p.uid",
		mailboxID, int64(uidvalidity), int64(from))
}

// KnownUIDs returns just the UIDs of Positions, four bytes each.
func (v *View) KnownUIDs(ctx context.Context, mailboxID int64, uidvalidity, from uint32) ([]uint32, error) {
	return list(ctx, v, (*row).uint32, "SELECT uid FROM positions WHERE mailbox_id = ? AND uidvalidity = ? AND uid >= ? ORDER BY uid",
		mailboxID, int64(uidvalidity), int64(from))
}

// Pending returns the positions of which the server is still to be told
// something, ascending.
func (v *View) Pending(ctx context.Context, mailboxID int64, uidvalidity uint32) ([]Position, error) {
	return list(ctx, v, scanPosition, `SELECT p.mailbox_id, p.uidvalidity, p.uid, p.ledger_id, p.size, p.header_hash, p.retry_at, p.breaks,
		w.action FROM pending w CROSS JOIN positions p USING (mailbox_id, uidvalidity, uid)
		WHERE w.mailbox_id = ? AND w.uidvalidity = ? ORDER BY w.uid`, mailboxID, int64(uidvalidity))
}

// DueRetries returns the positions that were set aside until now or earlier,
// longest overdue first.
func (v *View) DueRetries(ctx context.Context, mailboxID int64, uidvalidity uint32, now time.Time) ([]Position, error) {
	return list(ctx, v, scanPosition, positionColumns+
		"WHERE p.mailbox_id = ? AND p.uidvalidity = ? AND p.retry_at > 0 AND p.retry_at <= ? ORDER BY p.retry_at",
		mailboxID, int64(uidvalidity), millis(now))
}

// PositionsByHash returns where a mail with this header hash and size was seen
// in the mailbox under another UIDVALIDITY.
func (v *View) PositionsByHash(ctx context.Context, mailboxID int64, exceptUIDValidity uint32, hash [16]byte, size int64) ([]KnownPosition, error) {
	if hash == [16]byte{} {
		return nil, nil
	}
	return list(ctx, v, func(r *row) KnownPosition {
		return KnownPosition{Position: scanPosition(r), Outcome: r.text()}
	}, `SELECT p.mailbox_id, p.uidvalidity, p.uid, p.ledger_id, p.size, p.header_hash, p.retry_at, p.breaks,
		ifnull(w.action, ''), ifnull(l.outcome, '')
		FROM positions p INDEXED BY positions_by_hash LEFT JOIN pending w USING (mailbox_id, uidvalidity, uid) LEFT JOIN ledger l ON l.id = p.ledger_id
		WHERE p.mailbox_id = ? AND p.header_hash = ? AND p.uidvalidity <> ? AND p.size = ?`,
		mailboxID, hash[:], int64(exceptUIDValidity), size)
}

// AddPosition keeps a position, also in the place of what was known about it.
func (t *Tx) AddPosition(p Position) error {
	uid := int64(p.UID)
	added, err := t.exec(`INSERT INTO positions (mailbox_id, uidvalidity, uid, ledger_id, size, header_hash, retry_at, breaks)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		p.MailboxID, int64(p.UIDValidity), uid, p.LedgerID, p.Size, hashOrNull(p.HeaderHash), millis(p.RetryAt), int64(p.Breaks))
	if err == nil && added == 0 {
		_, err = t.exec(`UPDATE positions SET ledger_id = ?, size = ?, header_hash = ?, retry_at = ?, breaks = ?
			WHERE mailbox_id = ? AND uidvalidity = ? AND uid = ?`,
			p.LedgerID, p.Size, hashOrNull(p.HeaderHash), millis(p.RetryAt), int64(p.Breaks), p.MailboxID, int64(p.UIDValidity), uid)
		if err == nil && p.Pending == "" {
			_, err = t.exec("DELETE FROM pending WHERE mailbox_id = ? AND uidvalidity = ? AND uid = ?", p.MailboxID, int64(p.UIDValidity), uid)
		}
	}
	if err == nil && p.Pending != "" {
		_, err = t.exec("INSERT OR REPLACE INTO pending (mailbox_id, uidvalidity, uid, action) VALUES (?, ?, ?, ?)",
			p.MailboxID, int64(p.UIDValidity), uid, p.Pending)
	}
	if err != nil {
		return fmt.Errorf("keeping the position %d: %w", uid, err)
	}
	return nil
}

// ClearPending keeps that the server was told what was pending for these UIDs.
func (t *Tx) ClearPending(mailboxID int64, uidvalidity uint32, uids []uint32) error {
	numbers, err := jsonList(uids)
	if err != nil {
		return err
	}
	_, err = t.exec("DELETE FROM pending WHERE mailbox_id = ? AND uidvalidity = ? AND uid IN (SELECT value FROM json_each(?))",
		mailboxID, int64(uidvalidity), numbers)
	if err != nil {
		return fmt.Errorf("keeping that the server was told: %w", err)
	}
	return nil
}

// SetRetry keeps when a position is to be fetched again (zero: not) and how
// often the connection broke there. ErrNotFound when there is no such position.
func (t *Tx) SetRetry(mailboxID int64, uidvalidity, uid uint32, at time.Time, breaks int) error {
	n, err := t.exec("UPDATE positions SET retry_at = ?, breaks = ? WHERE mailbox_id = ? AND uidvalidity = ? AND uid = ?",
		millis(at), int64(breaks), mailboxID, int64(uidvalidity), int64(uid))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("keeping when to fetch UID %d again: %w", uid, err)
	}
	return nil
}
