package store

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"helpdesk/mail"
)

func TestOutboxLine(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	l := OutboxLine{DeskID: 1, Request: "SUP-1", Event: "received", MessageRow: 3, To: mail.Address{Name: "C", Address: "C@x"}, MessageID: "m@x",
		InReplyTo: "a@x", References: []string{"b@x", "a@x"}, Args: map[string]string{"agent": "Aki", "b": "<\"日本\">"}, Automatic: true}
	write(t, s, func(tx *Tx) error {
		r := Request{Key: "SUP-1"}
		if err := tx.AddRequest(&r); err != nil {
			return err
		}
		l.RequestID = r.ID
		return tx.Queue(&l)
	})
	if l.State != OutboxWaiting || !l.CreatedAt.Equal(start) || !l.NextAt.Equal(start) {
		t.Errorf("defaults %+v", l)
	}
	l.CreatedAt, l.NextAt = start.UTC(), start.UTC()
	if is := got[[]OutboxLine](t)(s.OutboxByMessageID(ctx, "m@x")); !reflect.DeepEqual(is, []OutboxLine{l}) {
		t.Errorf("read  %+v\nwrote %+v", is, l)
	}
	l.Attempts, l.FirstAt, l.NextAt, l.Cause, l.Error = 1, start.UTC(), start.Add(time.Minute).UTC(), "greylisted", "450 later"
	write(t, s, func(tx *Tx) error { return tx.SaveOutbox(l) })
	l.Attempts, l.State, l.SentAt, l.Cause, l.Error = 2, OutboxSent, start.Add(time.Minute).UTC(), "", ""
	write(t, s, func(tx *Tx) error { return tx.SaveOutbox(l) })
	if is := got[[]OutboxLine](t)(s.OutboxByMessageID(ctx, "m@x")); !reflect.DeepEqual(is, []OutboxLine{l}) {
		t.Errorf("read  %+v\nwrote %+v", is, l)
	}

	// What the relay accepted is never sent again, whoever says so.
	again := l
	again.State = OutboxWaiting
	if err := s.Write(ctx, func(tx *Tx) error { return tx.SaveOutbox(again) }); err == nil || Unavailable(err) {
		t.Errorf("a sent mail waits again: %v", err)
	}
	if err := s.Write(ctx, func(tx *Tx) error { return tx.SaveOutbox(OutboxLine{ID: 9}) }); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := s.Write(ctx, func(tx *Tx) error { return tx.Queue(&OutboxLine{}) }); err == nil {
		t.Error("a mail without Message-ID was queued")
	}
}

func outboxIDs(all []OutboxLine) (ids []int64) {
	for _, l := range all {
		ids = append(ids, l.ID)
	}
	return ids
}

func TestOutboxLists(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	queue := func(desk int64, to string, automatic bool, next time.Duration) {
		write(t, s, func(tx *Tx) error {
			return tx.Queue(&OutboxLine{DeskID: desk, To: mail.Address{Address: to}, MessageID: "event@x", Automatic: automatic, NextAt: start.Add(next)})
		})
	}
	save := func(id int64, state string) {
		write(t, s, func(tx *Tx) error { return tx.SaveOutbox(OutboxLine{ID: id, State: state}) })
	}
	queue(1, "a@x", true, 3*time.Minute)     // 1
	queue(1, "b@x", false, 1*time.Minute)    // 2
	queue(2, "A@X", true, 2*time.Minute)     // 3
	queue(1, "a@x", false, 0)                // 4, sent
	queue(2, "c@x", true, 0)                 // 5, failed
	queue(3, "a@x", true, 30*time.Second)    // 6
	queue(1, "d@x", true, 60*time.Minute)    // 7, suspended
	queue(1, "agent@x", true, 1*time.Minute) // 8
	save(4, OutboxSent)
	save(5, OutboxFailed)
	save(7, OutboxSuspended)

	now := start.Add(2 * time.Minute)
	for _, c := range []struct {
		name string
		is   []OutboxLine
		want []int64
	}{
		{"due", got[[]OutboxLine](t)(s.DueOutbox(ctx, []int64{1, 2, 3}, now, 0)), []int64{6, 2, 8, 3}},
		{"due, two", got[[]OutboxLine](t)(s.DueOutbox(ctx, []int64{1, 2, 3}, now, 2)), []int64{6, 2}},
		{"due of two desks", got[[]OutboxLine](t)(s.DueOutbox(ctx, []int64{2, 1}, now, 9)), []int64{2, 8, 3}},
		{"due of none", got[[]OutboxLine](t)(s.DueOutbox(ctx, nil, now, 9)), nil},
		{"all", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{})), []int64{8, 7, 6, 5, 4, 3, 2, 1}},
		{"page", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{Before: 6, Limit: 2})), []int64{5, 4}},
		{"waiting", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{State: OutboxWaiting, Before: 8})), []int64{6, 3, 2, 1}},
		{"failed", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{State: OutboxFailed})), []int64{5}},
		{"suspended", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{State: OutboxSuspended})), []int64{7}},
		{"sent", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{State: OutboxSent})), []int64{4}},
		{"to", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{To: " A@x"})), []int64{6, 4, 3, 1}},
		{"to, page", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{To: "a@x", Before: 6, Limit: 2})), []int64{4, 3}},
		{"to, waiting", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{To: "a@x", State: OutboxWaiting})), []int64{6, 3, 1}},
		{"to nobody", got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{To: "z@x"})), nil},
		{"by Message-ID", got[[]OutboxLine](t)(s.OutboxByMessageID(ctx, "event@x")), []int64{1, 2, 3, 4, 5, 6, 7, 8}},
		{"by no Message-ID", got[[]OutboxLine](t)(s.OutboxByMessageID(ctx, "")), nil},
	} {
		if is := outboxIDs(c.is); !reflect.DeepEqual(is, c.want) {
			t.Errorf("%s: %v, want %v", c.name, is, c.want)
		}
	}
	for desks, want := range map[string]time.Duration{"[1 2 3]": 30 * time.Second, "[1 2]": time.Minute, "[2]": 2 * time.Minute} {
		var ids []int64
		for _, d := range []int64{1, 2, 3} {
			if fmt.Sprint([]int64{1, 2, 3}) == desks || d == 2 || desks == "[1 2]" && d == 1 {
				ids = append(ids, d)
			}
		}
		if is := got[time.Time](t)(s.NextDue(ctx, ids)); !is.Equal(start.Add(want)) {
			t.Errorf("desks %v: next due %v", ids, is)
		}
	}
	if is := got[time.Time](t)(s.NextDue(ctx, []int64{9})); !is.IsZero() {
		t.Errorf("next due of a desk with nothing: %v", is)
	}
	if is := got[OutboxCounts](t)(s.OutboxCounts(ctx)); is != (OutboxCounts{Waiting: 5, Failed: 1, SentToday: 1}) {
		t.Errorf("counts %+v", is)
	}
	clock.add(24 * time.Hour)
	save(5, OutboxWaiting)
	save(1, OutboxSent)
	if is := got[OutboxCounts](t)(s.OutboxCounts(ctx)); is != (OutboxCounts{Waiting: 5, Failed: 0, SentToday: 1}) {
		t.Errorf("counts of the next day %+v", is)
	}
}

func TestAutomaticSince(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	for i := range 6 { // at 0, 10, … 50 minutes; every third is a person's
		write(t, s, func(tx *Tx) error {
			return tx.Queue(&OutboxLine{To: mail.Address{Address: "A@x"}, MessageID: fmt.Sprint(i), Automatic: i%3 != 2})
		})
		clock.add(10 * time.Minute)
	}
	for _, c := range []struct {
		address string
		since   time.Duration
		want    int
	}{{"a@X", 0, 4}, {"a@x", 10 * time.Minute, 3}, {"a@x", 11 * time.Minute, 2}, {"a@x", time.Hour, 0}, {"b@x", 0, 0}} {
		if is := got[int](t)(s.AutomaticSince(ctx, c.address, start.Add(c.since))); is != c.want {
			t.Errorf("%s since %v: %d, want %d", c.address, c.since, is, c.want)
		}
	}
	// Inside a Tx what it has queued itself counts.
	write(t, s, func(tx *Tx) error {
		if err := tx.Queue(&OutboxLine{To: mail.Address{Address: "a@x"}, MessageID: "now", Automatic: true}); err != nil {
			return err
		}
		if is := got[int](t)(tx.AutomaticSince(ctx, "a@x", start)); is != 5 {
			t.Errorf("inside: %d", is)
		}
		return nil
	})
}

// TestCountersAgree compares the counters with the tables after a mixture of
// changes, some taken back.
func TestCountersAgree(t *testing.T) {
	s, clock := open(t)
	states := []string{OutboxWaiting, OutboxFailed, OutboxSuspended, OutboxSent}
	outcomes := []string{"request", "held", "ignored"}
	for i := range int64(60) {
		clock.add(time.Hour)
		err := s.Write(t.Context(), func(tx *Tx) error {
			e := Entry{DeskID: i%3 + 1, Outcome: outcomes[i%2]}
			l := OutboxLine{DeskID: i%3 + 1, MessageID: fmt.Sprint(i), State: states[i%3]}
			if err := errors.Join(tx.AddEntry(&e), tx.Queue(&l)); err != nil {
				return err
			}
			if i > 20 {
				old, err := tx.Entry(tx.ctx, i/2)
				if err != nil {
					return err
				}
				old.Outcome = outcomes[i%3]
				if err := tx.UpdateEntry(&old); err != nil {
					return err
				}
			}
			if i%3 == 1 {
				l.State = states[i%4]
				if err := tx.SaveOutbox(l); err != nil {
					return err
				}
			}
			if i%7 == 6 {
				return errFault
			}
			return nil
		})
		if (err != nil) != (i%7 == 6) {
			t.Fatal(err)
		}
	}
	triples := func(query string) (all []string) {
		return got[[]string](t)(list(t.Context(), s.View, func(r *row) string { return fmt.Sprint(r.int(), " ", r.text(), " ", r.int()) }, query))
	}
	is := triples("SELECT desk_id, name, n FROM counters WHERE day = 0 AND n <> 0 AND name <> 'outbox:sent' ORDER BY 1, 2")
	want := triples(`SELECT desk_id, outcome, count(*) FROM ledger GROUP BY 1, 2
		UNION ALL SELECT desk_id, 'outbox:' || state, count(*) FROM outbox WHERE state <> 'sent' GROUP BY 1, 2 ORDER BY 1, 2`)
	if !reflect.DeepEqual(is, want) {
		t.Errorf("the counters say %v,\nthe tables %v", is, want)
	}
	sent := triples("SELECT 0, '', ifnull(sum(n), 0) FROM counters WHERE name = 'outbox:sent'")
	if real := triples("SELECT 0, '', count(*) FROM outbox WHERE state = 'sent'"); !reflect.DeepEqual(sent, real) || sent[0] == "0  0" {
		t.Errorf("sent: the counters say %v, the table %v", sent, real)
	}
}
