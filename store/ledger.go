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

const entryColumns = `SELECT e.id, e.desk_id, ifnull(d.key, ''), e.mailbox_id,
	CASE WHEN b.id IS NULL THEN '' WHEN b.folder <> '' THEN b.folder WHEN instr(b.username, '@') THEN b.username ELSE b.username || '@' || b.host END,
	e.uidvalidity, e.uid, e.message_id, e.from_name, e.from_address, e.subject, e.seen_at, e.outcome, e.rule, e.reason, e.reason_args,
	e.passed, e.request_id, ifnull(r.key, ''), e.fingerprint, e.size, e.raw_state, e.problems
	FROM ledger e LEFT JOIN desks d ON d.id = e.desk_id LEFT JOIN mailboxes b ON b.id = e.mailbox_id
	LEFT JOIN requests r ON r.id = e.request_id `

func scanEntry(r *row) Entry {
	e := Entry{ID: r.int(), DeskID: r.int(), Desk: r.text(), MailboxID: r.int(), Mailbox: r.text(), UIDValidity: r.uint32(), UID: r.uint32()}
	e.MessageID, e.From = r.text(), mail.Address{Name: r.text(), Address: r.text()}
	e.Subject, e.SeenAt, e.Outcome, e.Rule, e.Reason = r.text(), r.time(), r.text(), r.text(), r.text()
	e.ReasonArgs, e.Passed, e.RequestID, e.Request = r.args(), r.words(), r.int(), r.text()
	e.Fingerprint, e.Size, e.RawState, e.Problems = r.hash(), r.int(), r.text(), r.words()
	return e
}

// Entry returns one line of the ledger.
func (v *View) Entry(ctx context.Context, id int64) (Entry, error) {
	return one(ctx, v, scanEntry, entryColumns+"WHERE e.id = ?", id)
}

// Entries returns the lines of the ledger that a filter chooses, newest first.
func (v *View) Entries(ctx context.Context, f EntryFilter) ([]Entry, error) {
	ids, err := v.entryIDs(ctx, f)
	if err != nil {
		return nil, err
	}
	numbers, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	return list(ctx, v, scanEntry, entryColumns+"WHERE e.id IN (SELECT value FROM json_each(?)) ORDER BY e.id DESC", numbers)
}

func (v *View) entryIDs(ctx context.Context, f EntryFilter) ([]int64, error) {
	below, n := page(f.Before, f.Limit)
	switch {
	case f.From != "":
		return list(ctx, v, (*row).int, `SELECT id FROM ledger WHERE from_id = (SELECT id FROM addresses WHERE key = ?) AND id < ?
			AND (? = 0 OR desk_id = ?) AND (? = '' OR outcome = ?) AND (? = '' OR rule = ?) ORDER BY id DESC LIMIT ?`,
			addressKey(f.From), below, f.DeskID, f.DeskID, f.Outcome, f.Outcome, f.Rule, f.Rule, n)
	case f.DeskID == 0 && f.Outcome == "" && f.Rule == "":
		return list(ctx, v, (*row).int, "SELECT id FROM ledger WHERE id < ? ORDER BY id DESC LIMIT ?", below, n)
	}
	// The counters know which outcomes each desk has had: a few dozen at most,
	// each with its own newest lines at the end of an index.
	counts, err := v.Counts(ctx)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, c := range counts {
		if f.DeskID != 0 && c.DeskID != f.DeskID || f.Outcome != "" && c.Outcome != f.Outcome {
			continue
		}
		some, err := list(ctx, v, (*row).int, "SELECT id FROM ledger WHERE desk_id = ? AND outcome = ? AND id < ? AND (? = '' OR rule = ?) ORDER BY id DESC LIMIT ?",
			c.DeskID, c.Outcome, below, f.Rule, f.Rule, n)
		if err != nil {
			return nil, err
		}
		ids = append(ids, some...)
	}
	return newest(ids, n), nil
}

// newest sorts ids and keeps the n highest.
func newest(ids []int64, n int64) []int64 {
	slices.SortFunc(ids, func(a, b int64) int { return int(max(-1, min(1, b-a))) })
	return ids[:min(n, int64(len(ids)))]
}

// EntryByFingerprint returns the ledger line under which a desk first took this
// content; the line itself may have expired.
func (v *View) EntryByFingerprint(ctx context.Context, deskID int64, fp [16]byte) (ledgerID int64, ok bool, err error) {
	ledgerID, err = one(ctx, v, (*row).int, "SELECT ledger_id FROM fingerprints WHERE desk_id = ? AND fingerprint = ?", deskID, fp[:])
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	return ledgerID, err == nil, err
}

// AddFingerprint keeps that a desk has taken this content; the first time counts.
func (t *Tx) AddFingerprint(deskID int64, fp [16]byte, ledgerID int64) error {
	_, err := t.exec("INSERT INTO fingerprints (desk_id, fingerprint, ledger_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", deskID, fp[:], ledgerID)
	if err != nil {
		return fmt.Errorf("keeping a fingerprint: %w", err)
	}
	return nil
}

// AddEntry adds a line to the ledger and sets its ID, and SeenAt when it is zero.
func (t *Tx) AddEntry(e *Entry) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("adding a line to the ledger: %w", err)
		}
	}()
	if e.SeenAt.IsZero() {
		e.SeenAt = t.now
	}
	if e.RawState == "" {
		e.RawState = RawNone
	}
	args, err := argsJSON(e.ReasonArgs)
	if err != nil {
		return err
	}
	from, err := t.address(e.From.Key())
	if err != nil {
		return err
	}
	if e.ID, err = t.next("ledger"); err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO ledger (id, desk_id, mailbox_id, uidvalidity, uid, message_id, from_name, from_address, from_id, subject, seen_at,
		outcome, rule, reason, reason_args, passed, request_id, fingerprint, size, raw_state, problems)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, e.DeskID, e.MailboxID, int64(e.UIDValidity), int64(e.UID), e.MessageID, e.From.Name, e.From.Address, from, e.Subject,
		millis(e.SeenAt), e.Outcome, e.Rule, e.Reason, args, strings.Join(e.Passed, " "), e.RequestID, hashOrNull(e.Fingerprint), e.Size,
		e.RawState, strings.Join(e.Problems, " "))
	t.countEntry(e.DeskID, e.Outcome, e.SeenAt, 1)
	return err
}

// UpdateEntry keeps what became of a mail that is taken again. e comes from
// Entry; everything but its place (desk, mailbox, position, SeenAt) is written.
func (t *Tx) UpdateEntry(e *Entry) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("changing line %d of the ledger: %w", e.ID, err)
		}
	}()
	args, err := argsJSON(e.ReasonArgs)
	if err != nil {
		return err
	}
	old, err := t.Entry(t.ctx, e.ID)
	if err != nil {
		return err
	}
	from, err := t.address(e.From.Key())
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE ledger SET message_id = ?, from_name = ?, from_address = ?, from_id = ?, subject = ?, outcome = ?, rule = ?, reason = ?,
		reason_args = ?, passed = ?, request_id = ?, fingerprint = ?, size = ?, raw_state = ?, problems = ? WHERE id = ?`,
		e.MessageID, e.From.Name, e.From.Address, from, e.Subject, e.Outcome, e.Rule, e.Reason, args, strings.Join(e.Passed, " "),
		e.RequestID, hashOrNull(e.Fingerprint), e.Size, e.RawState, strings.Join(e.Problems, " "), e.ID)
	t.countEntry(old.DeskID, old.Outcome, old.SeenAt, -1)
	t.countEntry(old.DeskID, e.Outcome, old.SeenAt, 1)
	return err
}

func (t *Tx) countEntry(deskID int64, outcome string, seen time.Time, n int64) {
	t.count(deskID, outcome, time.Time{}, n)
	t.count(deskID, outcome, seen, n)
}

// Counts returns for each desk and outcome how many mails there were in all and
// today; inside a Tx without what that Tx has added.
func (v *View) Counts(ctx context.Context) ([]Count, error) {
	return list(ctx, v, func(r *row) Count {
		return Count{DeskID: r.int(), Outcome: r.text(), Total: r.int(), Today: r.int()}
	}, `SELECT a.desk_id, a.name, a.n, ifnull(t.n, 0) FROM counters a
		LEFT JOIN counters t ON t.day = ? AND t.desk_id = a.desk_id AND t.name = a.name
		WHERE a.day = 0 AND a.name NOT GLOB 'outbox:*' ORDER BY a.desk_id, a.name`, v.day())
}

// addressKey is mail.Address.Key for an address alone.
func addressKey(address string) string { return mail.Address{Address: address}.Key() }
