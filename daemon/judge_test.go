package daemon

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/send"
	"helpdesk/store"
)

func answer(code int, enhanced smtp.EnhancedCode, words string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: words}
}

// What is said of the recipient or the mail ends or delays that mail; what
// concerns relay, configuration or quota lets all of it wait, whatever its code.
func TestJudgedByConcern(t *testing.T) {
	for _, c := range []struct {
		name     string
		err      *smtp.SMTPError
		cause    string
		relay    bool // the relay is at fault
		state    string
		attempts int
	}{
		{"no such recipient", answer(550, smtp.EnhancedCode{5, 1, 1}, "User unknown"), "smtp-recipient-unknown", false, store.OutboxFailed, 1},
		{"full, for good by its code", answer(552, smtp.EnhancedCode{5, 2, 2}, "Mailbox is full"), "smtp-recipient-mailbox-full", false, store.OutboxWaiting, 1},
		{"greylisted", answer(451, smtp.EnhancedCode{4, 7, 1}, "Greylisted, please try again later"), "smtp-greylisted", false, store.OutboxWaiting, 1},
		{"spam", answer(554, smtp.EnhancedCode{5, 7, 1}, "Message rejected as spam by content filtering"), "smtp-content-spam", false, store.OutboxFailed, 1},
		{"daily limit", answer(550, smtp.EnhancedCode{5, 4, 5}, "Daily user sending limit exceeded. For more information on Gmail sending limits go to https://support.google.com/a/answer/166852"), "smtp-sending-quota", true, store.OutboxWaiting, 0},
		{"relay denied", answer(554, smtp.EnhancedCode{5, 7, 1}, "<taro@customer.test>: Relay access denied"), "smtp-relay-denied", true, store.OutboxWaiting, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPostOffice(t, nil)
			p.closed()
			p.set(0, refusing("taro@customer.test", c.err), nil)
			id := p.queue("taro@customer.test")
			err := p.turn()
			if (err != nil) != c.relay {
				t.Errorf("the turn ended with %v", err)
			}
			l := p.line(id)
			if l.State != c.state || l.Attempts != c.attempts || l.Cause != c.cause || !strings.Contains(l.Error, c.err.Message[:12]) {
				t.Errorf("the line is %+v", l)
			}
			if state := p.d.health.part("relay").State; !c.relay && state != stateOK {
				t.Errorf("a fault of the mail makes the relay %s", state)
			}
			p.set(5*time.Hour, nil, nil)
			if err := p.turn(); err != nil {
				t.Fatal(err)
			}
			if l := p.line(id); (l.State == store.OutboxSent) != (c.state == store.OutboxWaiting) || l.State == store.OutboxSent && (l.Cause != "" || l.Error != "") {
				t.Errorf("later the line is %+v", l)
			}
		})
	}
}

// A relay that is out of quota is left in peace for as long as it says, shown
// with cause and remedy, and then all mail goes out.
func TestRelayNamesItsPause(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	limit := answer(450, smtp.EnhancedCode{4, 7, 0}, "Sending limit exceeded, try again in 40 minutes")
	p.set(0, func(string) error { return limit }, nil)
	ids := []int64{p.queue("taro@customer.test"), p.queue("jiro@customer.test")}
	began := p.now()
	var pauses []time.Duration
	p.d.account.wait = func(ctx context.Context, d time.Duration, kick <-chan struct{}) error {
		p.mu.Lock()
		pauses = append(pauses, d)
		if p.time.Sub(began) >= 40*time.Minute {
			p.rcpt = nil
		}
		p.mu.Unlock()
		return p.wait(ctx, d, kick)
	}
	p.run()
	for _, id := range ids {
		if l := p.until(id, "it is sent", state(store.OutboxSent)); l.Attempts != 1 {
			t.Errorf("the pause was counted: %+v", l)
		}
	}
	if took := p.now().Sub(began); took < 40*time.Minute || took > 2*time.Hour {
		t.Errorf("it took %s, want about the 40 minutes that the relay asked for (%d pauses)", took, len(pauses))
	}
}

// A mail that is refused in the relay's name while others pass is tried again
// for days, and neither ended at once nor a reason to stop the others.
func TestOneMailRefusedInTheRelaysName(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	p.closed()
	denied := refusing("taro@customer.test", answer(554, smtp.EnhancedCode{5, 7, 1}, "Relay access denied"))
	p.set(0, denied, nil)
	bad := p.queue("taro@customer.test")
	for n := range 12 {
		good := p.queue("jiro@customer.test")
		for range 2 {
			if err := p.turn(); err == nil {
				break
			} else if n > 0 {
				t.Errorf("round %d: the mail that is to blame stops the others: %v", n, err)
			}
		}
		if l := p.line(good); l.State != store.OutboxSent {
			t.Fatalf("round %d: another mail waits: %+v", n, l)
		}
		p.set(13*time.Hour, denied, nil)
	}
	if l := p.line(bad); l.State != store.OutboxFailed || l.Cause != "expired" || !strings.Contains(l.Error, "Relay access denied") || l.Attempts < triesAtLeast {
		t.Errorf("after six days the mail is %+v", l)
	}
}

// A relay that puts off one mail after the other is at fault, and from then on
// nothing is counted.
func TestRelayPutsEverythingOff(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	p.closed()
	later := answer(451, smtp.EnhancedCode{4, 3, 0}, "Temporary lookup failure")
	p.set(0, func(string) error { return later }, nil)
	var ids []int64
	for range 10 {
		ids = append(ids, p.queue("taro@customer.test"))
	}
	failed := 0
	for range 12 {
		if p.turn() != nil {
			failed++
		}
		p.set(2*time.Minute, func(string) error { return later }, nil)
	}
	counted := 0
	for _, id := range ids {
		counted += p.line(id).Attempts
	}
	if failed < 11 || counted != deferredRelay {
		t.Errorf("%d of 12 turns failed, and %d attempts were counted, want %d", failed, counted, deferredRelay)
	}
	p.set(time.Hour, nil, nil)
	if err := p.turn(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if l := p.line(id); l.State != store.OutboxSent {
			t.Errorf("the line is %+v", l)
		}
	}
}

// A relay that does not let one desk send goes on with the others that share
// it; the desk's mail waits, uncounted, and is tried ever more seldom.
func TestSenderRefused(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	p.closed()
	other := &desk.Settings{Key: "IT", Name: "IT", Address: "it@example.com", Sender: mail.Address{Name: "IT", Address: "it@example.com"}}
	if err := p.store.Write(t.Context(), func(tx *store.Tx) error {
		stored, err := tx.EnsureDesk(other.Address, other.Key, other.Name)
		other.ID = stored.ID
		return err
	}); err != nil {
		t.Fatal(err)
	}
	p.d.desks[other.ID] = other
	first := p.d.ids[0]
	p.d.ids = append(p.d.ids, other.ID)
	queueForOther := func() int64 {
		t.Helper()
		p.d.ids[0], p.d.ids[1] = p.d.ids[1], p.d.ids[0] // queue takes the first
		defer func() { p.d.ids[0], p.d.ids[1] = p.d.ids[1], p.d.ids[0] }()
		return p.queue("jiro@customer.test")
	}
	denied := answer(550, smtp.EnhancedCode{5, 7, 60}, "SMTP; Client does not have permissions to send as this sender")
	refuse := refusing("taro@customer.test", denied)
	p.set(0, refuse, nil)
	bad, more := p.queue("taro@customer.test"), p.queue("taro@customer.test")
	good := queueForOther()
	tries := 0
	p.set(0, func(to string) error {
		err := refuse(to)
		if err != nil {
			tries++
		}
		return err
	}, nil)
	p.mu.Lock()
	counting := p.rcpt
	p.mu.Unlock()
	for range 24 * 60 {
		if lines, err := p.store.DueOutbox(t.Context(), p.d.free(), p.now(), 50); err != nil {
			t.Fatal(err)
		} else if err := p.d.batch(t.Context(), lines); err != nil {
			t.Fatalf("the relay is said not to work: %v", err)
		}
		p.set(time.Minute, counting, nil)
	}
	for _, id := range []int64{bad, more} {
		if l := p.line(id); l.State != store.OutboxWaiting || l.Attempts != 0 || l.Cause != "smtp-sender-not-permitted" && l.ID == bad {
			t.Errorf("the line is %+v", l)
		}
	}
	if l := p.line(good); l.State != store.OutboxSent {
		t.Errorf("the other desk's mail is %+v", l)
	}
	if tries < 5 || tries > 30 {
		t.Errorf("the sender was tried %d times in a day", tries)
	}
	h, relay := p.d.health.part(senderOf(first)), p.d.health.part("relay")
	if h.State != stateFailing || relay.State != stateOK || p.d.health.part(senderOf(other.ID)).State != "" {
		t.Errorf("the sender is %+v, the relay %+v", h, relay)
	}
	p.set(3*time.Hour, nil, nil)
	if err := p.turn(); err != nil {
		t.Fatal(err)
	}
	if l := p.line(bad); l.State != store.OutboxSent || p.d.health.part(senderOf(first)).State != stateOK {
		t.Errorf("when the sender is allowed the line is %+v, the sender %+v", l, p.d.health.part(senderOf(first)))
	}
}

// A relay that was out of reach is tried without mail, too, until it works.
func TestRelayIsTriedWithoutMail(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	original := p.d.settings
	down := false
	p.d.settings = func() (send.Settings, error) {
		s, err := original()
		p.mu.Lock()
		defer p.mu.Unlock()
		if down {
			s.Port = 1
		}
		return s, err
	}
	p.run()
	p.until(p.queue("jiro@customer.test"), "the relay works", state(store.OutboxSent))
	p.mu.Lock()
	down = true
	p.mu.Unlock()
	p.relay.DropConnections()
	id := p.queue("jiro@customer.test")
	signal(p.d.kick)
	p.failing()
	taken := p.line(id)
	taken.State = store.OutboxSuspended // it was the only one
	if err := p.store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveOutbox(taken) }); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	down = false
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for p.d.health.part("relay").State != stateOK {
		if err := wait(ctx, time.Millisecond, nil); err != nil {
			t.Fatal("a relay that works again is not seen to")
		}
	}
}

// The pauses of each kind of failure, by what the server says.
func TestBackoff(t *testing.T) {
	const slack = 3 * time.Minute
	refusedDial := &mail.Error{Protocol: "imap", Step: mail.StepDial, Temporary: true, Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		name   string
		err    error
		worked bool
		first  time.Duration // at least, and at most a third more
		last   time.Duration // after many, at most
		day    int           // at most so many in a day; 0: any number
	}{
		{"our own", errors.New("a locked database"), false, 3750 * time.Millisecond, 5 * time.Minute, 0},
		{"network", &mail.Error{Protocol: "imap", Step: mail.StepDial, Temporary: true, Err: context.DeadlineExceeded}, false, 3750 * time.Millisecond, 5 * time.Minute, 0},
		{"a missing folder", &mail.Error{Protocol: "imap", Step: mail.StepSelect, Code: "NONEXISTENT", Text: "Unknown Mailbox: x"}, false, 45 * time.Second, 2 * time.Hour, 25},
		{"the same of a server that worked", &mail.Error{Protocol: "imap", Step: mail.StepSelect, Code: "NONEXISTENT", Text: "Unknown Mailbox: x"}, true, 45 * time.Second, 15 * time.Minute, 0},
		{"a closed port", refusedDial, false, 45 * time.Second, 2 * time.Hour, 25},
		{"a closed port of a server that worked", refusedDial, true, 3750 * time.Millisecond, 15 * time.Minute, 120},
		{"too many connections", &mail.Error{Protocol: "imap", Step: mail.StepLogin, Text: "Too many simultaneous connections. (Failure)"}, true, 3*time.Minute + 45*time.Second, 4 * time.Hour, 15},
		{"a named pause", &mail.Error{Protocol: "imap", Step: mail.StepSelect, Text: "Request is throttled. Suggested Backoff Time: 5400000 milliseconds"}, true, 90 * time.Minute, 5 * time.Hour, 15},
	} {
		b := backoff{worked: c.worked}
		first := b.next(c.err)
		if first < c.first || first > c.first+c.first/3+time.Minute {
			t.Errorf("%s: the first pause is %s, want about %s", c.name, first, c.first)
		}
		total, tries, last := first, 1, first
		for total < 24*time.Hour {
			last = b.next(c.err)
			total += last
			tries++
		}
		if last > c.last+slack || last < c.last/2 {
			t.Errorf("%s: after a day the pause is %s, want up to %s", c.name, last, c.last)
		}
		if c.day > 0 && tries > c.day {
			t.Errorf("%s: %d attempts in a day, want at most %d", c.name, tries, c.day)
		}
		b.reset()
		if again := b.next(c.err); again > c.first+c.first/3+time.Minute {
			t.Errorf("%s: after a success the pause is %s", c.name, again)
		}
	}
}
