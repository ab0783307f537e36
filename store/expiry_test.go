package store

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// TestExpireLedgerUnfetched: a mail that is still tried keeps its line, on which
// the next try writes; so many of them hold up nothing else.
func TestExpireLedgerUnfetched(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	aged(t, s, clock, "quarantined", "quarantined", "quarantined", "ignored")
	write(t, s, func(tx *Tx) error {
		return errors.Join(tx.SetRetry(1, 7, 1, clock.now, 90), tx.SetRetry(1, 7, 2, clock.now, 90))
	})
	expire(t, s, 2, func(tx *Tx) (int, error) { return tx.ExpireLedger(ctx, clock.now.Add(time.Hour), 2) })
	if is := entryIDs(got[[]Entry](t)(s.Entries(ctx, EntryFilter{}))); !slices.Equal(is, []int64{2, 1}) {
		t.Errorf("lines %v are left", is)
	}
}

// TestExpireLedgerCounts: what can be taken is counted as long as it can be.
func TestExpireLedgerCounts(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	aged(t, s, clock, "held", "quarantined", "ignored", "request", "skipped", "held")
	expire(t, s, 2, func(tx *Tx) (int, error) { return tx.ExpireLedger(ctx, start.Add(5*24*time.Hour), 2) })
	totals := map[string]int64{}
	for _, c := range got[[]Count](t)(s.Counts(ctx)) {
		totals[c.Outcome] = c.Total
	}
	for outcome, want := range map[string]int64{"held": 1, "quarantined": 0, "ignored": 1, "request": 1, "skipped": 1} {
		if totals[outcome] != want {
			t.Errorf("%s: %d, want %d", outcome, totals[outcome], want)
		}
	}
}

// TestExpireRawToBeSent: an answer that waits for its relay needs the mail with
// the files in it.
func TestExpireRawToBeSent(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	aged(t, s, clock, "request", "request", "ignored")
	line := OutboxLine{ID: 1}
	write(t, s, func(tx *Tx) (err error) {
		messages, err := tx.Messages(ctx, 1)
		if err != nil {
			return err
		}
		line = OutboxLine{DeskID: 1, RequestID: 1, MessageRow: messages[0].ID, Event: "answered", To: neighbour, MessageID: "answer"}
		return tx.Queue(&line)
	})
	all := func(tx *Tx) (int, error) { return tx.ExpireRaw(ctx, clock.now.Add(time.Hour), 2) }
	expire(t, s, 2, all)
	if is := raws(t, s, 3); !slices.Equal(is, []int64{1}) {
		t.Errorf("raw mails %v are left", is)
	}
	line.State = OutboxSent
	write(t, s, func(tx *Tx) error { return tx.SaveOutbox(line) })
	expire(t, s, 2, all)
	if is := raws(t, s, 3); len(is) != 0 {
		t.Errorf("raw mails %v are left", is)
	}
}
