package daemon

import (
	"errors"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

const taro = "Taro <taro@customer.test>"

func nov(day, hour, minute int) time.Time {
	return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC)
}

// A customer who waits is called to mind once for each wait, after `remind` of
// office time: not over the weekend, and not on a holiday.
func TestReminder(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", `remind = "4h"
hours = ["mon-fri 09:00-17:30"]
holidays = ["2026-11-23"]`)
	n.take(n.letter(taro, "Printer"), "") // Friday at 15:00: two and a half hours are left
	var when []time.Time
	look := func() {
		if len(n.lines(desk.EventReminder)) > 2*len(when) {
			when = append(when, n.now)
		}
	}
	n.until(nov(24, 10, 0), 10*time.Minute, look)
	n.restart()
	n.until(nov(25, 18, 0), 10*time.Minute, look)
	if len(when) != 1 || !when[0].Equal(nov(24, 10, 30)) {
		t.Fatalf("agents were reminded at %v, want Tuesday at 10:30 once", when)
	}
	if n := len(n.lines(desk.EventReminder)); n != 2 {
		t.Errorf("%d mails remind two agents", n)
	}
	// An answer ends the wait, and the next mail begins another.
	n.now = nov(26, 9, 0)
	n.act(ui.Act{Name: ui.ActReply, Key: "SUP-1", Agent: "Aki", Text: "Try again."})
	n.until(nov(26, 16, 0), 30*time.Minute, look)
	if len(when) != 1 {
		t.Errorf("agents were reminded of an answered request at %v", when[1:])
	}
	n.now = nov(27, 9, 0)
	n.take(strings.Replace(n.letter(taro, "Re: [SUP-1] Printer"), "Hello", "Again", 1), "")
	n.until(nov(27, 17, 0), 10*time.Minute, look)
	if len(when) != 2 || !when[1].Equal(nov(27, 13, 0)) {
		t.Errorf("agents were reminded at %v, want once more on the 27th at 13:00", when)
	}
}

// Who reminds in the night reminds nobody: what became due while the program
// did not run is told in the morning.
func TestReminderInTheMorning(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "remind = \"1h\"\nhours = [\"mon-fri 09:00-17:30\"]")
	n.take(n.letter(taro, "Printer"), "") // Friday at 15:00
	n.now = nov(20, 22, 0)
	n.pass()
	n.now = nov(22, 12, 0)
	n.pass()
	if lines := n.lines(desk.EventReminder); len(lines) != 0 {
		t.Fatalf("outside of office hours %d mails remind", len(lines))
	}
	n.now = nov(23, 9, 0)
	n.pass()
	if lines := n.lines(desk.EventReminder); len(lines) != 2 {
		t.Errorf("on Monday morning %d mails remind two agents", len(lines))
	}
}

// A desk that only observes sends and changes nothing, whatever is due or asked for.
func TestObservingDeskIsLeftAlone(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "[limits]\nnotices_of_sender = 1", "public_signup = false\nallow = [\"jiro@customer.test\"]")
	held := n.take(n.letter(taro, "Printer"), "")
	for range 2 {
		n.take(n.letter("jiro@customer.test", "Screen"), "")
	}
	n.desk = "mode = \"observe\"\nremind = \"1m\"\nauto_close = \"1h\""
	n.restart()
	n.until(n.now.Add(5*time.Hour), 30*time.Minute, nil)
	if e := n.entry(held.ID); e.Outcome != desk.Held {
		t.Errorf("the held mail is %s", e.Outcome)
	}
	if n := len(n.lines(desk.EventDigest)) + len(n.lines(desk.EventReminder)); n != 0 {
		t.Errorf("%d mails were made", n)
	}
	for _, act := range []ui.Act{{Name: ui.ActTake, IDs: []int64{held.ID}}, {Name: ui.ActReply, Key: "SUP-1", Agent: "Aki", Text: "x"}, {Name: ui.ActObserved, Desk: "SUP", Choice: "take"}} {
		if got := slugs(n.act(act)); got != "!observing" {
			t.Errorf("%s: %s", act.Name, got)
		}
	}
}

// What waits for its customer for too long is resolved, and closed when it is
// too late to open it again.
func TestAutoClose(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "auto_close = \"3d\"\nreopen = \"2d\"")
	n.take(n.letter(taro, "Printer"), "")
	n.act(ui.Act{Name: ui.ActReply, Key: "SUP-1", Agent: "Aki", Text: "Try again."})
	answered := n.now
	n.until(answered.Add(3*day-time.Hour), 6*time.Hour, nil)
	n.now = answered.Add(3*day - time.Minute)
	n.pass()
	if r := n.request("SUP-1"); r.State != store.StateWaiting {
		t.Fatalf("after almost three days it is %s", r.State)
	}
	n.now = answered.Add(3*day + time.Minute)
	n.pass()
	r := n.request("SUP-1")
	if r.State != store.StateResolved || !r.ClosedAt.IsZero() {
		t.Fatalf("after three days it is %+v", r)
	}
	resolved := n.now
	n.now = resolved.Add(2*day - time.Minute)
	n.pass()
	if r := n.request("SUP-1"); !r.ClosedAt.IsZero() {
		t.Error("it was closed within its time to be opened again")
	}
	n.now = resolved.Add(2*day + time.Minute)
	n.pass()
	if r := n.request("SUP-1"); r.ClosedAt.IsZero() {
		t.Error("it can be opened again for ever")
	}
}

// Retention removes lines, mails and requests at night, and keeps what says
// which mails we had.
func TestRetention(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "[retention]\nledger = \"90d\"\nraw = \"30d\"\nrequests = \"60d\"", "reopen = \"1d\"")
	n.pass() // the first start
	raw := n.letter(taro, "Printer")
	entry := n.take(raw, "")
	n.write(func(tx *store.Tx) error { // of no request
		l := store.OutboxLine{DeskID: n.settings().ID, Event: desk.EventReceived, To: mail.Address{Address: "x@customer.test"}, MessageID: "x@example.com"}
		if err := tx.Queue(&l); err != nil {
			return err
		}
		return tx.SaveOutbox(store.OutboxLine{ID: l.ID, State: store.OutboxFailed})
	})
	n.act(ui.Act{Name: ui.ActResolve, Key: "SUP-1", Agent: "Aki"})
	n.write(func(tx *store.Tx) error { // what waits would keep its mail
		lines, err := tx.Outbox(t.Context(), store.OutboxFilter{State: store.OutboxWaiting})
		for _, l := range lines {
			l.State, l.SentAt = store.OutboxSent, n.now
			err = errors.Join(err, tx.SaveOutbox(l))
		}
		return err
	})
	n.now = n.now.Add(2 * day)
	n.pass()
	if _, _, err := n.d.store.OpenRaw(t.Context(), entry.ID); err != nil {
		t.Fatalf("the mail is gone after two days: %v", err)
	}
	start := nov(20, 15, 0)
	n.now = start.Add(31*day + time.Hour)
	n.pass()
	if _, _, err := n.d.store.OpenRaw(t.Context(), entry.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the mail of a closed request is there after 31 days: %v", err)
	}
	if e := n.entry(entry.ID); e.RawState != store.RawNone {
		t.Errorf("the line says that the mail is %s", e.RawState)
	}
	n.now = start.Add(63 * day)
	n.restart()
	n.pass()
	if _, err := n.d.store.RequestByKey(t.Context(), "SUP-1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the closed request is there after 63 days: %v", err)
	}
	n.now = start.Add(92 * day)
	n.pass()
	if _, err := n.d.store.Entry(t.Context(), entry.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the line is there after 92 days: %v", err)
	}
	if lines := n.lines(desk.EventReceived); len(lines) > 0 {
		t.Errorf("the outbox still has %+v", lines)
	}
	if known, err := n.d.store.KnownUIDs(t.Context(), n.box.ID, 1, 1); err != nil || len(known) != 1 {
		t.Errorf("positions that are known: %v %v", known, err)
	}
	if again := n.take(raw, ""); again.Outcome != desk.Duplicate {
		t.Errorf("the same mail is now taken as %s", again.Outcome)
	}
}

// Retention is the night's work, once.
func TestNights(t *testing.T) {
	for _, test := range []struct{ now, want time.Time }{
		{nov(20, 2, 59), nov(19, 3, 0)},
		{nov(20, 3, 0), nov(20, 3, 0)},
		{nov(20, 23, 0), nov(20, 3, 0)},
		{nov(1, 1, 0), time.Date(2026, 10, 31, 3, 0, 0, 0, time.UTC)},
	} {
		if got := lastAt(test.now, 3); !got.Equal(test.want) {
			t.Errorf("at %s the last night was %s", test.now, got)
		}
	}
	for _, test := range []struct{ now, want time.Time }{
		{nov(23, 8, 0), nov(23, 8, 0)}, // a Monday
		{nov(23, 7, 59), nov(16, 8, 0)},
		{nov(22, 23, 0), nov(16, 8, 0)},
		{nov(29, 7, 0), nov(23, 8, 0)},
	} {
		if got := lastMonday(test.now); !got.Equal(test.want) {
			t.Errorf("at %s the last summary was due at %s", test.now, got)
		}
	}
}

// Notices for a digest go together a quarter of an hour after the first of
// them, and none is lost where the program dies before they are sent.
func TestDigestByClock(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "[limits]\nnotices_of_sender = 2", "")
	for range 5 {
		n.take(n.letter(taro, "Printer"), "")
	}
	n.until(n.now.Add(14*time.Minute), time.Minute, nil)
	if lines := n.lines(desk.EventDigest); len(lines) != 0 {
		t.Fatalf("after 14 minutes there are %d digests", len(lines))
	}
	waiting := 0
	for _, l := range n.lines(desk.EventNew) {
		if l.State == store.OutboxDigest {
			waiting++
		}
	}
	if waiting != 6 {
		t.Fatalf("%d notices wait for a digest, want 3 for each agent", waiting)
	}
	n.now = n.now.Add(time.Minute)
	n.pass()
	n.restart() // before anything was sent
	n.pass()
	digests := n.lines(desk.EventDigest)
	if len(digests) != 2 {
		t.Fatalf("two agents got %d digests", len(digests))
	}
	for _, l := range digests {
		text := n.render(l)
		for _, key := range []string{"SUP-3", "SUP-4", "SUP-5"} {
			if l.State != store.OutboxWaiting || !strings.Contains(text, key) {
				t.Errorf("the digest is %s and does not name %s:\n%s", l.State, key, text)
			}
		}
	}
	n.until(n.now.Add(time.Hour), time.Minute, nil)
	if again := n.lines(desk.EventDigest); len(again) != 2 {
		t.Errorf("the same notices came in %d digests", len(again))
	}
}

// What is held is taken when the configuration lets its sender in.
func TestReleaseAtStart(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "public_signup = false")
	held := n.take(n.letter(taro, "Printer"), "")
	if held.Outcome != desk.Held || held.Rule != desk.RuleUnknown {
		t.Fatalf("the mail is %s by %s", held.Outcome, held.Rule)
	}
	n.restart()
	n.pass()
	if e := n.entry(held.ID); e.Outcome != desk.Held {
		t.Fatalf("nothing changed, and the mail is %s", e.Outcome)
	}
	n.desk = "public_signup = true"
	n.restart()
	n.pass()
	e := n.entry(held.ID)
	if e.Outcome != desk.Request || e.Request != "SUP-1" {
		t.Errorf("everybody may write now, and the mail is %s %s", e.Outcome, e.Request)
	}
	if lines := n.lines(desk.EventNew); len(lines) != 2 {
		t.Errorf("two agents got %d notices", len(lines))
	}
	n.restart()
	n.pass()
	if lines := n.lines(desk.EventNew); len(lines) != 2 {
		t.Errorf("a second start made it %d notices", len(lines))
	}
}
