package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

// The week in figures goes on Monday morning, once whatever is restarted, and
// also where nothing happened.
func TestWeekly(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "")
	n.pass()
	for i := range 3 {
		n.take(n.letter(fmt.Sprintf("Taro <taro%d@customer.test>", i), "Printer"), "")
	}
	n.take(n.letter(taro, "Broken"), "boom")
	n.now = n.now.Add(2 * time.Hour)
	n.act(ui.Act{Name: ui.ActReply, Key: "SUP-1", Agent: "Aki", Text: "Try again."})
	n.act(ui.Act{Name: ui.ActResolve, Key: "SUP-2", Agent: "Aki"})
	for _, l := range n.lines(desk.EventAnswered) {
		l.State = store.OutboxSent
		n.write(func(tx *store.Tx) error { return tx.SaveOutbox(l) })
	}
	n.until(nov(23, 7, 0), time.Hour, nil)
	n.now = nov(23, 7, 59)
	n.restart()
	n.pass()
	if lines := n.lines(desk.EventWeekly); len(lines) != 0 {
		t.Fatalf("before Monday at 8 there are %d summaries", len(lines))
	}
	// While no relay works it waits to be said.
	n.now = nov(23, 8, 0)
	n.d.health.fail(t.Context(), "relay", &mail.Error{Protocol: "smtp", Step: mail.StepDial, Temporary: true}, n.now)
	n.pass()
	if lines := n.lines(desk.EventWeekly); len(lines) != 0 {
		t.Fatal("it was queued while no relay works")
	}
	n.now = nov(23, 8, 10)
	n.pass()
	n.d.health.ok(t.Context(), "relay", time.Time{})
	n.pass()
	for range 3 {
		n.restart()
		n.until(n.now.Add(time.Hour), 10*time.Minute, nil)
	}
	lines := n.lines(desk.EventWeekly)
	if len(lines) != 1 || lines[0].To.Address != "admin@example.com" {
		t.Fatalf("the summaries are %+v", lines)
	}
	text := n.render(lines[0])
	t.Log(text)
	w, err := n.d.weeklyText(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	want := desk.WeeklyDesk{
		Name: "Support", Mails: 4, New: 3, Answers: 1, Resolved: 1, Open: 1, Waiting: 1, Quarantined: 1, Oldest: "SUP-3 (2 days)", FirstAnswer: "2 h 0 min",
	}
	if len(w.Desks) != 1 || w.Desks[0] != want {
		t.Errorf("the figures are\n%+v, want\n%+v", w.Desks, want)
	}
	if len(w.Failures) != 1 || !strings.Contains(w.Failures[0], "10 min") && !strings.Contains(w.Failures[0], "has not worked") {
		t.Errorf("what failed is told as %q", w.Failures)
	}
	n.until(nov(30, 8, 1), time.Hour, nil)
	lines = n.lines(desk.EventWeekly)
	if len(lines) != 2 {
		t.Fatalf("a week later there are %d summaries", len(lines))
	}
	if w, err = n.d.weeklyText(lines[0]); err != nil || w.Desks[0].Mails != 0 || w.Desks[0].New != 0 || w.Desks[0].Answers != 0 || w.Desks[0].Open != 1 {
		t.Errorf("the quiet week is %+v %v", w.Desks, err)
	}
}

// The administrator is told of a fuse that holds for more than a moment, once a
// day at most.
func TestFuseMail(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "")
	f := n.d.fuses["relay"]
	f.perMinute = 1
	// Whoever waits at the fuse lets 20 seconds go by.
	storm := func(d time.Duration) {
		for end := n.now.Add(d); n.now.Before(end); {
			f.sent()
			f.note(f.pause() > 0)
			n.now = n.now.Add(20 * time.Second)
			n.pass()
		}
	}
	storm(40 * time.Second)
	if lines := n.lines(desk.EventFuse); len(lines) != 0 {
		t.Fatalf("a moment is told in %d mails", len(lines))
	}
	storm(10 * time.Hour)
	n.restart()
	f = n.d.fuses["relay"]
	f.perMinute = 1
	storm(10 * time.Hour)
	lines := n.lines(desk.EventFuse)
	if len(lines) != 1 {
		t.Fatalf("a day is told in %d mails", len(lines))
	}
	text := n.render(lines[0])
	t.Log(text)
	for _, want := range []string{"Support: sending", "2026-11-20 15:00"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	storm(5 * time.Hour)
	if lines := n.lines(desk.EventFuse); len(lines) != 2 {
		t.Errorf("the next day there are %d mails", len(lines))
	}
	n.now = n.now.Add(48 * time.Hour)
	f.note(false) // this one did not wait
	f.sent()
	n.pass()
	if lines := n.lines(desk.EventFuse); len(lines) != 2 {
		t.Error("a fuse that holds nothing is told")
	}
}

// Mails that could not be taken are told together, once each, and at most one
// mail an hour.
func TestQuarantineMail(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "")
	n.pass()
	for i := range 3 {
		n.take(n.letter(taro, fmt.Sprintf("Broken %d", i)), "boom")
	}
	n.pass()
	lines := n.lines(desk.EventQuarantine)
	if len(lines) != 1 {
		t.Fatalf("three mails are told in %d mails", len(lines))
	}
	n.now = n.now.Add(time.Minute)
	n.take(n.letter(taro, "Broken again"), "boom")
	n.until(n.now.Add(50*time.Minute), 10*time.Minute, nil)
	n.restart()
	n.pass()
	if lines := n.lines(desk.EventQuarantine); len(lines) != 1 {
		t.Fatalf("within the hour there are %d mails", len(lines))
	}
	n.until(n.now.Add(5*time.Hour), 10*time.Minute, nil)
	lines = n.lines(desk.EventQuarantine)
	if len(lines) != 2 {
		t.Fatalf("there are %d mails, want 2", len(lines))
	}
	first, second := n.render(lines[1]), n.render(lines[0])
	t.Log(first)
	for _, want := range []string{"Broken 0", "Broken 1", "Broken 2", "taro@customer.test"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first does not name %s", want)
		}
	}
	if strings.Contains(second, "Broken 0") || !strings.Contains(second, "Broken again") {
		t.Errorf("the second is:\n%s", second)
	}
	// Its own bounce follows nothing, and it goes out whatever came back before.
	if !desk.ToAdmin(desk.EventQuarantine) || !desk.ToAdmin(desk.EventFuse) || !desk.ToAdmin(desk.EventWeekly) || desk.ToAdmin(desk.EventNew) {
		t.Error("whose mail is the administrator's is not known")
	}
	n.d.Config.Notify.Quarantine = false
	n.h = n.d.newHousekeeping()
	if err := n.h.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.take(n.letter(taro, "Broken at last"), "boom")
	n.now = n.now.Add(2 * time.Hour)
	n.pass()
	if lines := n.lines(desk.EventQuarantine); len(lines) != 2 {
		t.Error("it is told although it is switched off")
	}
}

// The running daemon sends it through the relay, once across a restart.
func TestWeeklyIsSent(t *testing.T) {
	t.Parallel()
	a := newAlarmInstallation(t)
	a.more = `admin = "admin@example.com"`
	a.both()
	a.pass(43*time.Hour, 0) // it is Saturday noon
	if n := a.mails(a.relay); n != 0 {
		t.Fatalf("%d mails came before Monday at 8", n)
	}
	a.pass(2*time.Hour, 0)
	m, text := a.next(a.relay)
	if h := m.Header; !strings.Contains(h.Get("Subject"), "the week from 21 November 2026") || h.Get("Auto-Submitted") != "auto-generated" || h.Get("X-Helpdesk-Loop") == "" || !strings.Contains(text, "== Support ==") {
		t.Errorf("it is %v\n%s", m.Header, text)
	}
	a.stop()
	a.both()
	a.pass(3*time.Hour, 0)
	if n := a.mails(a.relay); n != 1 {
		t.Errorf("the week was told in %d mails", n)
	}
}
