package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"helpdesk/mail"
)

const outboxColumns = `SELECT o.id, o.desk_id, o.request_id, ifnull(r.key, ''), o.event, o.message_row, o.to_name, o.to_address, o.message_id,
	o.in_reply_to, o.refs, o.args, o.automatic, o.state, o.attempts, o.next_at, o.created_at, o.first_at, o.sent_at, o.cause, o.error,
	ifnull((SELECT a.key FROM addresses a WHERE a.id = o.caused_by), '') FROM outbox o LEFT JOIN requests r ON r.id = o.request_id `

func scanOutbox(r *row) OutboxLine {
	return OutboxLine{
		ID: r.int(), DeskID: r.int(), RequestID: r.int(), Request: r.text(), Event: r.text(), MessageRow: r.int(),
		To: mail.Address{Name: r.text(), Address: r.text()}, MessageID: r.text(), InReplyTo: r.text(), References: r.words(), Args: r.args(),
		Automatic: r.bool(), State: r.text(), Attempts: int(r.int()), NextAt: r.time(), CreatedAt: r.time(), FirstAt: r.time(), SentAt: r.time(),
		Cause: r.text(), Error: r.text(), CausedBy: r.text(),
	}
}

// OutboxByMessageID returns every line with a Message-ID: customers and
// participants share one for each event.
func (v *View) OutboxByMessageID(ctx context.Context, id string) ([]OutboxLine, error) {
	return list(ctx, v, scanOutbox, outboxColumns+"WHERE o.message_id = ? ORDER BY o.id", id)
}

// DueOutbox returns the lines of these desks that wait and are due, longest due
// first.
func (v *View) DueOutbox(ctx context.Context, deskIDs []int64, now time.Time, limit int) ([]OutboxLine, error) {
	_, n := page(0, limit)
	var due []OutboxLine
	for _, desk := range deskIDs {
		some, err := list(ctx, v, scanOutbox, outboxColumns+
			"WHERE o.desk_id = ? AND o.state = 'waiting' AND o.next_at <= ? ORDER BY o.next_at, o.id LIMIT ?", desk, millis(now), n)
		if err != nil {
			return nil, err
		}
		due = append(due, some...)
	}
	slices.SortFunc(due, func(a, b OutboxLine) int {
		return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.ID, b.ID))
	})
	return due[:min(n, int64(len(due)))], nil
}

// NextDue returns when the first waiting line of these desks is due; zero when
// none waits.
func (v *View) NextDue(ctx context.Context, deskIDs []int64) (next time.Time, err error) {
	for _, desk := range deskIDs {
		at, err := one(ctx, v, (*row).time, "SELECT next_at FROM outbox WHERE desk_id = ? AND state = 'waiting' ORDER BY next_at LIMIT 1", desk)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return time.Time{}, err
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	return next, nil
}

// Outbox returns the lines that a filter chooses, newest first.
func (v *View) Outbox(ctx context.Context, f OutboxFilter) ([]OutboxLine, error) {
	ids, err := v.outboxIDs(ctx, f)
	if err != nil {
		return nil, err
	}
	numbers, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	return list(ctx, v, scanOutbox, outboxColumns+"WHERE o.id IN (SELECT value FROM json_each(?)) ORDER BY o.id DESC", numbers)
}

func (v *View) outboxIDs(ctx context.Context, f OutboxFilter) ([]int64, error) {
	below, n := page(f.Before, f.Limit)
	// A notice that comes with a digest waits, and one that came is sent.
	digest := map[string]string{OutboxWaiting: OutboxDigest, OutboxSent: OutboxDigested}[f.State]
	switch {
	case f.To != "":
		// Both halves of what went to an address are in the order of time.
		var ids []int64
		for _, automatic := range []bool{false, true} {
			some, err := list(ctx, v, (*row).int, `SELECT id FROM outbox WHERE to_id = (SELECT id FROM addresses WHERE key = ?)
				AND automatic = ? AND id < ? AND (? = '' OR state IN (?, ?)) ORDER BY created_at DESC, id DESC LIMIT ?`,
				addressKey(f.To), flag(automatic), below, f.State, f.State, digest, n)
			if err != nil {
				return nil, err
			}
			ids = append(ids, some...)
		}
		return newest(ids, n), nil
	case f.State == "" || f.State == OutboxSent: // nearly all are sent: the newest are found at once
		return list(ctx, v, (*row).int, "SELECT id FROM outbox WHERE id < ? AND (? = '' OR state IN (?, ?)) ORDER BY id DESC LIMIT ?",
			below, f.State, f.State, digest, n)
	case f.State == OutboxWaiting:
		return v.waitingIDs(ctx, below, n)
	default:
		return list(ctx, v, (*row).int, `SELECT id FROM outbox WHERE state = ? AND state IN ('failed', 'suspended') AND id < ?
			ORDER BY id DESC LIMIT ?`, f.State, below, n)
	}
}

// waitingIDs looks into the queues of each desk that has one, of what is sent by
// itself and of what comes with a digest.
func (v *View) waitingIDs(ctx context.Context, below, n int64) ([]int64, error) {
	desks, err := list(ctx, v, (*row).int, `SELECT DISTINCT desk_id FROM counters
		WHERE day = 0 AND name IN ('outbox:waiting', 'outbox:digest') AND n > 0`)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, desk := range desks {
		for _, query := range []string{
			"SELECT id FROM outbox INDEXED BY outbox_by_due WHERE desk_id = ? AND state = 'waiting' AND id < ? ORDER BY id DESC LIMIT ?",
			"SELECT id FROM outbox INDEXED BY outbox_digest WHERE desk_id = ? AND state = 'digest' AND id < ? ORDER BY id DESC LIMIT ?",
		} {
			some, err := list(ctx, v, (*row).int, query, desk, below, n)
			if err != nil {
				return nil, err
			}
			ids = append(ids, some...)
		}
	}
	return newest(ids, n), nil
}

// AutomaticSince returns how many automatic mails to an address were queued at
// that time or later.
func (v *View) AutomaticSince(ctx context.Context, address string, since time.Time) (int, error) {
	n, err := one(ctx, v, (*row).int, `SELECT count(*) FROM outbox
		WHERE to_id = (SELECT id FROM addresses WHERE key = ?) AND automatic = 1 AND created_at >= ?`, addressKey(address), millis(since))
	return int(n), err
}

// OutboxCounts returns how many lines wait, have failed and were sent today;
// inside a Tx without what that Tx has changed.
func (v *View) OutboxCounts(ctx context.Context) (c OutboxCounts, err error) {
	c, err = one(ctx, v, func(r *row) OutboxCounts {
		return OutboxCounts{Waiting: r.int(), Failed: r.int(), SentToday: r.int()}
	}, `SELECT ifnull(sum(n) FILTER (WHERE day = 0 AND name IN ('outbox:waiting', 'outbox:digest')), 0), ifnull(sum(n) FILTER (WHERE day = 0 AND name = 'outbox:failed'), 0),
		ifnull(sum(n) FILTER (WHERE day <> 0 AND name = 'outbox:sent'), 0) FROM counters WHERE day IN (0, ?)`, v.day())
	return c, err
}

// Queue adds a mail to be sent and sets its ID, and CreatedAt, NextAt and State
// when they are zero. It must have its Message-ID.
func (t *Tx) Queue(l *OutboxLine) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("queueing a mail: %w", err)
		}
	}()
	if l.MessageID == "" {
		return errors.New("it has no Message-ID")
	}
	if l.CreatedAt.IsZero() {
		l.CreatedAt = t.now
	}
	if l.NextAt.IsZero() {
		l.NextAt = l.CreatedAt
	}
	if l.State == "" {
		l.State = OutboxWaiting
	}
	args, err := argsJSON(l.Args)
	if err != nil {
		return err
	}
	to, err := t.address(l.To.Key())
	if err != nil {
		return err
	}
	by, err := t.addressOrNone(mail.Address{Address: l.CausedBy})
	if err != nil {
		return err
	}
	if l.ID, err = t.next("outbox"); err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO outbox (id, desk_id, request_id, event, message_row, to_name, to_address, to_id, message_id,
		in_reply_to, refs, args, automatic, state, next_at, created_at, attempts, first_at, sent_at, cause, error, caused_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, '', ?)`,
		l.ID, l.DeskID, l.RequestID, l.Event, l.MessageRow, l.To.Name, l.To.Address, to, l.MessageID,
		l.InReplyTo, strings.Join(l.References, " "), args, flag(l.Automatic), l.State, millis(l.NextAt), millis(l.CreatedAt), l.Cause, by)
	t.countOutbox(l.DeskID, l.State, l.CreatedAt, 1)
	return err
}

// SaveOutbox keeps what became of trying to send a line: State, Attempts,
// NextAt, FirstAt, SentAt, Cause and Error. A line that was sent stays so.
func (t *Tx) SaveOutbox(l OutboxLine) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeping the state of outbox line %d: %w", l.ID, err)
		}
	}()
	old, err := one(t.ctx, t.View, scanOutbox, outboxColumns+"WHERE o.id = ?", l.ID)
	if err != nil {
		return err
	}
	switch {
	case old.State == OutboxSent && l.State == OutboxSent:
		return nil // a commit that was reported as failed had been written
	case old.State == OutboxSent, old.State == OutboxDigested:
		return errors.New("it was sent already")
	}
	if l.State == OutboxSent && l.SentAt.IsZero() {
		l.SentAt = t.now
	}
	_, err = t.exec("UPDATE outbox SET state = ?, attempts = ?, next_at = ?, first_at = ?, sent_at = ?, cause = ?, error = ? WHERE id = ?",
		l.State, int64(l.Attempts), millis(l.NextAt), millis(l.FirstAt), millis(l.SentAt), l.Cause, l.Error, l.ID)
	t.countOutbox(old.DeskID, old.State, time.Time{}, -1)
	t.countOutbox(old.DeskID, l.State, l.SentAt, 1)
	return err
}

// countOutbox counts lines by state: what was sent by day, the others in all.
// What came with a digest is no mail of its own and counted nowhere.
func (t *Tx) countOutbox(deskID int64, state string, at time.Time, n int64) {
	switch state {
	case OutboxDigested:
		return
	case OutboxSent:
	default:
		at = time.Time{}
	}
	t.count(deskID, "outbox:"+state, at, n)
}
