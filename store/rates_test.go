package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"helpdesk/mail"
)

func TestNthNewest(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	outcomes := []string{"request", "skipped", "reply", "duplicate", "held", "own", "ignored", "probe", "request"}
	for i, o := range outcomes { // a minute apart
		write(t, s, func(tx *Tx) error {
			e := Entry{DeskID: 1, From: mail.Address{Address: "A@x"}, Outcome: o}
			if err := tx.AddEntry(&e); err != nil {
				return err
			}
			e = Entry{DeskID: 2, From: mail.Address{Address: "a@x"}, Outcome: "request"}
			if i > 6 {
				e.From.Address = "b@x"
			}
			return tx.AddEntry(&e)
		})
		clock.add(time.Minute)
	}
	for _, c := range []struct {
		desk    int64
		address string
		n       int
		want    int // minutes after start; -1: fewer
	}{
		{1, " a@X", 1, 8}, {1, "a@x", 2, 6}, {1, "a@x", 3, 4}, {1, "a@x", 4, 2}, {1, "a@x", 5, 0}, {1, "a@x", 6, -1},
		{2, "a@x", 1, 6}, {2, "a@x", 8, -1}, {2, "b@x", 2, 7}, {1, "b@x", 1, -1}, {1, "nobody@x", 1, -1}, {1, "a@x", 0, 8},
	} {
		is := got[time.Time](t)(s.NthNewest(ctx, c.desk, c.address, c.n))
		if want := start.Add(time.Duration(c.want) * time.Minute); c.want < 0 && !is.IsZero() || c.want >= 0 && !is.Equal(want) {
			t.Errorf("%+v: %v", c, is)
		}
	}
	// Imported mail is as old as it says, however late it is seen.
	write(t, s, func(tx *Tx) error {
		return tx.AddEntry(&Entry{DeskID: 1, From: mail.Address{Address: "a@x"}, Outcome: "request", Reason: "old"})
	})
	if is := got[time.Time](t)(s.NthNewest(ctx, 1, "a@x", 1)); !is.Equal(start.Add(8 * time.Minute)) {
		t.Errorf("with an imported one: %v", is)
	}
	// A line that is taken in place counts from then on, at its own time.
	write(t, s, func(tx *Tx) error {
		e, err := tx.Entry(ctx, 3)
		e.Outcome = "request"
		if err != nil {
			return err
		}
		return tx.UpdateEntry(&e)
	})
	if is := got[time.Time](t)(s.NthNewest(ctx, 1, "a@x", 5)); !is.Equal(start.Add(time.Minute)) {
		t.Errorf("with the taken one: %v", is)
	}
}

func TestRates(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	type line struct {
		event, to, by, state string
		automatic            bool
	}
	for i, l := range []line{ // ten minutes apart
		{"received", "a@x", "", "", true},
		{"held", "A@x", "", "", true},
		{"new", "aki@x", "a@x", "", false},
		{"new", "aki@x", "A@x", "", false},
		{"customer-wrote", "aki@x", "b@x", "", false},
		{"new", "ben@x", "a@x", "", false},
		{"new", "aki@x", "a@x", OutboxDigest, false},
		{"digest", "aki@x", "", "", false},
		{"held", "a@x", "", OutboxSuspended, true},
		{"answered", "a@x", "", "", false},
	} {
		write(t, s, func(tx *Tx) error {
			q := OutboxLine{DeskID: 1, Event: l.event, To: mail.Address{Address: l.to}, CausedBy: l.by, State: l.state, Automatic: l.automatic, MessageID: fmt.Sprint(i)}
			return tx.Queue(&q)
		})
		clock.add(10 * time.Minute)
	}
	since := func(i int) time.Time { return start.Add(time.Duration(i) * 10 * time.Minute) }
	for _, c := range []struct {
		name string
		is   int
		want int
	}{
		{"in all", got[int](t)(s.AutomaticInAll(ctx, since(0))), 3},
		{"in all, later", got[int](t)(s.AutomaticInAll(ctx, since(1))), 2},
		{"in all, latest", got[int](t)(s.AutomaticInAll(ctx, since(9))), 0},
		{"held", got[int](t)(s.EventsSince(ctx, "held", " A@x", since(1))), 2},
		{"held, later", got[int](t)(s.EventsSince(ctx, "held", "a@x", since(2))), 1},
		{"answered", got[int](t)(s.EventsSince(ctx, "answered", "a@x", since(0))), 1},
		{"held to another", got[int](t)(s.EventsSince(ctx, "held", "b@x", since(0))), 0},
		{"caused", got[int](t)(s.CausedSince(ctx, " a@X", "AKI@x", since(0))), 2},
		{"caused, later", got[int](t)(s.CausedSince(ctx, "a@x", "aki@x", since(3))), 1},
		{"caused to another", got[int](t)(s.CausedSince(ctx, "a@x", "ben@x", since(0))), 1},
		{"caused by nobody", got[int](t)(s.CausedSince(ctx, "", "aki@x", since(0))), 0},
		{"notices", got[int](t)(s.NoticesSince(ctx, "aki@x", since(0))), 3},
		{"notices, later", got[int](t)(s.NoticesSince(ctx, "aki@x", since(4))), 1},
	} {
		if c.is != c.want {
			t.Errorf("%s: %d, want %d", c.name, c.is, c.want)
		}
	}
	if is := got[OutboxLine](t)(s.OutboxLineByID(ctx, 4)); is.CausedBy != "a@x" || is.Event != "new" {
		t.Errorf("read %+v", is)
	}
}

func TestDigest(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	for i, state := range []string{OutboxDigest, "", OutboxDigest, OutboxDigest} {
		write(t, s, func(tx *Tx) error {
			return tx.Queue(&OutboxLine{DeskID: int64(i/3) + 1, Event: "new", To: mail.Address{Address: "aki@x"}, State: state, MessageID: fmt.Sprint(i), Args: map[string]string{"who": "<\"あ\">"}})
		})
	}
	ids := func(state string, to string) []int64 {
		return outboxIDs(got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{State: state, To: to})))
	}
	check := func(name string, waiting, sent []int64, counts OutboxCounts) {
		t.Helper()
		for _, to := range []string{"", "aki@x"} {
			if is := ids(OutboxWaiting, to); !slices.Equal(is, waiting) {
				t.Errorf("%s: waiting %v, want %v", name, is, waiting)
			}
			if is := ids(OutboxSent, to); !slices.Equal(is, sent) {
				t.Errorf("%s: sent %v, want %v", name, is, sent)
			}
		}
		if is := got[OutboxCounts](t)(s.OutboxCounts(ctx)); is != counts {
			t.Errorf("%s: %+v, want %+v", name, is, counts)
		}
	}
	check("queued", []int64{4, 3, 2, 1}, nil, OutboxCounts{Waiting: 4})
	if is := outboxIDs(got[[]OutboxLine](t)(s.DueOutbox(ctx, []int64{1, 2}, start, 9))); !slices.Equal(is, []int64{2}) {
		t.Errorf("due %v", is)
	}
	if is := outboxIDs(got[[]OutboxLine](t)(s.DigestLines(ctx, 1))); !slices.Equal(is, []int64{1, 3}) {
		t.Errorf("for the digest %v", is)
	}
	write(t, s, func(tx *Tx) error {
		d := OutboxLine{DeskID: 1, Event: "digest", To: mail.Address{Address: "aki@x"}, MessageID: "digest"}
		if err := tx.Queue(&d); err != nil {
			return err
		}
		return tx.Digested([]int64{1, 2, 3}, d.ID) // 2 does not wait for one
	})
	check("digested", []int64{5, 4, 2}, []int64{3, 1}, OutboxCounts{Waiting: 3})
	one := got[OutboxLine](t)(s.OutboxLineByID(ctx, 1))
	if one.State != OutboxDigested || one.Args["digest"] != "5" || one.Args["who"] != "<\"あ\">" {
		t.Errorf("what came with it: %+v", one)
	}
	write(t, s, func(tx *Tx) error { return tx.SaveOutbox(OutboxLine{ID: 5, State: OutboxSent}) })
	check("sent", []int64{4, 2}, []int64{5, 3, 1}, OutboxCounts{Waiting: 2, SentToday: 1})
	if n := got[[]int64](t)(list(ctx, s.View, (*row).int, "SELECT n FROM counters WHERE name = 'outbox:digested'")); len(n) != 0 {
		t.Errorf("what is no mail of its own is counted: %v", n)
	}
	if err := s.Write(ctx, func(tx *Tx) error { return tx.SaveOutbox(OutboxLine{ID: 1, State: OutboxWaiting}) }); err == nil {
		t.Error("what came with a digest is sent again")
	}
	for state, want := range map[string]string{OutboxDigest: `"state":"waiting"`, OutboxDigested: `"state":"sent"`} {
		if is := string(got[[]byte](t)(OutboxLine{State: state}.MarshalJSON())); !containsAll(is, want, `"next":null`) {
			t.Errorf("%s is printed as %s", state, is)
		}
	}
}

func TestDropAndRetry(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	for i, state := range []string{"", OutboxDigest, OutboxFailed, OutboxSuspended, OutboxSent} {
		write(t, s, func(tx *Tx) error {
			l := OutboxLine{DeskID: 1, To: mail.Address{Address: fmt.Sprintf("to%d@x", i+1)}, MessageID: fmt.Sprint(i), State: state}
			if err := tx.Queue(&l); err != nil {
				return err
			}
			return tx.Suspend(l.To.Address, 0, "5.1.1")
		})
	}
	all := []int64{1, 2, 3, 4, 5, 99}
	act := func(fn func(*Tx, []int64) (int, error), want int) {
		t.Helper()
		write(t, s, func(tx *Tx) error {
			n, err := fn(tx, all)
			if n != want {
				t.Errorf("%d lines, want %d", n, want)
			}
			return err
		})
	}
	clock.add(time.Hour)
	act((*Tx).RetryOutbox, 2)
	if is := got[OutboxCounts](t)(s.OutboxCounts(ctx)); is != (OutboxCounts{Waiting: 4, SentToday: 1}) {
		t.Errorf("after retry %+v", is)
	}
	if is := outboxIDs(got[[]OutboxLine](t)(s.DueOutbox(ctx, []int64{1}, clock.now, 9))); !slices.Equal(is, []int64{1, 3, 4}) {
		t.Errorf("due %v", is)
	}
	for address, want := range map[string]bool{"to1@x": true, "to3@x": false, "to4@x": false, "to5@x": true} {
		if is := got[bool](t)(s.SuspendedAt(ctx, address)); is != want {
			t.Errorf("%s suspended: %v", address, is)
		}
	}
	act((*Tx).DropOutbox, 4)
	if is := got[OutboxCounts](t)(s.OutboxCounts(ctx)); is != (OutboxCounts{Failed: 4, SentToday: 1}) {
		t.Errorf("after drop %+v", is)
	}
	if is := got[OutboxLine](t)(s.OutboxLineByID(ctx, 2)); is.State != OutboxFailed || is.Cause != CauseDropped {
		t.Errorf("dropped %+v", is)
	}
}
