package daemon

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

// A database that cannot be written anew, as on a full disk, is tried once a
// night, and keeps nothing else from being removed.
func TestNightlyWithoutRoom(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "[retention]\nledger = \"1d\"", "")
	n.pass()
	e := n.take(n.letter(taro, "Printer"), "")
	tries := 0
	n.h.scrub = func(context.Context) error {
		tries++
		return errors.New("database or disk is full")
	}
	n.until(n.now.Add(48*time.Hour), 10*time.Minute, nil)
	if tries != 2 {
		t.Errorf("it was tried %d times in two nights", tries)
	}
	if _, err := n.d.store.Entry(t.Context(), e.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the ledger was not tidied: %v", err)
	}
}

// What was sent is known for a month however short the ledger is kept: bounces
// come days later, and limits count by it.
func TestOutboxIsKeptForAMonth(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "[retention]\nledger = \"1d\"", "")
	n.pass()
	n.take(n.letter(taro, "Printer"), "")
	lines := n.lines(desk.EventReceived)
	if len(lines) != 1 {
		t.Fatal("nothing was to be sent")
	}
	line := lines[0]
	line.State = store.OutboxSent
	n.write(func(tx *store.Tx) error { return tx.SaveOutbox(line) })
	n.until(n.now.Add(10*24*time.Hour), time.Hour, nil)
	if len(n.lines(desk.EventReceived)) != 1 {
		t.Error("a mail of ten days ago is not known any more")
	}
	n.until(n.now.Add(25*24*time.Hour), time.Hour, nil)
	if len(n.lines(desk.EventReceived)) != 0 {
		t.Error("a mail of five weeks ago is still known")
	}
}

// A clock that was wrong for a while and was put right stops nothing: digests,
// the nightly work, the weekly figures and the mails to the administrator.
func TestClockThatWasWrong(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "[retention]\nledger = \"1d\"", "")
	n.pass()
	right := n.now
	n.now = n.now.AddDate(1, 0, 0)
	n.take(n.letter(taro, "Broken"), "boom")
	n.write(func(tx *store.Tx) error {
		return tx.Queue(&store.OutboxLine{DeskID: n.settings().ID, Event: desk.EventNew, To: mail.Address{Address: "aki@example.com"}, MessageID: "x@y", State: store.OutboxDigest})
	})
	n.pass()
	weekly, quarantine := len(n.lines(desk.EventWeekly)), len(n.lines(desk.EventQuarantine))
	n.now = right
	n.restart()
	n.until(n.now.Add(20*time.Minute), 5*time.Minute, nil)
	if len(n.lines(desk.EventDigest)) != 1 {
		t.Error("a notice waits for a year to come with a digest")
	}
	n.take(n.letter(taro, "Broken again"), "boom")
	n.until(n.now.Add(2*time.Hour), 10*time.Minute, nil)
	if len(n.lines(desk.EventQuarantine)) != quarantine+1 {
		t.Error("the administrator is not told of mails that could not be taken")
	}
	e := n.take(n.letter(taro, "Printer"), "")
	n.until(n.now.Add(10*24*time.Hour), time.Hour, nil)
	if _, err := n.d.store.Entry(t.Context(), e.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the nights passed without work: %v", err)
	}
	if len(n.lines(desk.EventWeekly)) != weekly+2 { // on 23 and 30 November
		t.Errorf("%d weekly mails, want %d", len(n.lines(desk.EventWeekly)), weekly+2)
	}
}

// Agents learn of mail that is held because too much of it came also where no
// notice waits for a digest.
func TestDigestOfHeldMailAlone(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "[limits]\nmails_of_sender = 2", "")
	n.pass()
	for i := range 5 {
		n.take(n.letter(taro, fmt.Sprint("Printer ", i)), "")
	}
	n.until(n.now.Add(20*time.Minute), time.Minute, nil)
	if lines := n.lines(desk.EventDigest); len(lines) != 2 {
		t.Errorf("%d digests, want one for each of two agents", len(lines))
	}
	n.until(n.now.Add(2*time.Hour), time.Minute, nil)
	if lines := n.lines(desk.EventDigest); len(lines) != 2 {
		t.Errorf("%d digests after two hours without news", len(lines))
	}
}

// A large database is written anew at night, when nobody waits for it.
func TestForgetInALargeDatabase(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "")
	n.pass()
	tries := 0
	n.h.scrub = func(ctx context.Context) error {
		tries++
		return n.d.store.Scrub(ctx)
	}
	n.take(n.letter(taro, "Printer"), "")
	n.d.acts.scrubAtOnce = 1
	if got := slugs(n.act(ui.Act{Name: ui.ActForgetCustomer, Address: "taro@customer.test"})); got != "customer-forgotten forgotten-tonight" {
		t.Errorf("the answer is %s", got)
	}
	n.until(n.now.Add(20*time.Hour), time.Hour, nil)
	if wanted, _, err := n.d.store.Meta(t.Context(), "scrub.wanted"); err != nil || wanted != "" || tries != 1 {
		t.Errorf("in the night it was tried %d times, and is still wanted: %q %v", tries, wanted, err)
	}
}

// A computer without a clock begins in the past and jumps to the present: no
// weekly mail comes because of that.
func TestClockThatBeginsInThePast(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "")
	n.pass()
	n.until(n.now.Add(4*24*time.Hour), time.Hour, nil)
	right, weekly := n.now, len(n.lines(desk.EventWeekly))
	if weekly != 1 {
		t.Fatalf("%d weekly mails", weekly)
	}
	n.now = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	n.restart()
	n.until(n.now.Add(10*time.Minute), time.Minute, nil)
	n.now = right
	n.until(n.now.Add(24*time.Hour), time.Hour, nil)
	if now := len(n.lines(desk.EventWeekly)); now != weekly {
		t.Errorf("%d weekly mails more", now-weekly)
	}
}
