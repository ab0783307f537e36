package daemon

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	_ "modernc.org/sqlite"

	"helpdesk/daemon/desk"
	"helpdesk/mail/loopback"
	"helpdesk/mail/send"
	"helpdesk/store"
)

// turn sends what is due once, as the deliverer's loop does.
func (p *postOffice) turn() error {
	p.t.Helper()
	lines, err := p.d.store.DueOutbox(p.t.Context(), p.d.ids, p.now(), 50)
	if err != nil {
		p.t.Fatal(err)
	}
	err = p.d.batch(p.t.Context(), lines)
	if err != nil {
		p.d.hangUp()
	}
	return err
}

// line is a line of the outbox as it is now.
func (p *postOffice) line(id int64) store.OutboxLine {
	p.t.Helper()
	lines, err := p.store.Outbox(p.t.Context(), store.OutboxFilter{Limit: 1000})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, l := range lines {
		if l.ID == id {
			return l
		}
	}
	p.t.Fatalf("line %d is not in the outbox", id)
	return store.OutboxLine{}
}

// closed closes at the end what a test without a running deliverer leaves open.
func (p *postOffice) closed() {
	p.t.Cleanup(func() {
		p.d.hangUp()
		if err := p.store.Close(); err != nil {
			p.t.Error(err)
		}
	})
}

// refusing answers one recipient with an error.
func refusing(address string, err error) func(string) error {
	return func(to string) error {
		if to == address {
			return err
		}
		return nil
	}
}

// A mail that the relay accepted and that could not be recorded is not sent a
// second time, and no other is sent before it is on record.
func TestAcceptedMailIsNotSentAgain(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	// The same post office over a database whose file the test knows.
	if err := p.store.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "helpdesk.db")
	s, err := store.Open(t.Context(), path, store.Options{Now: p.now})
	if err != nil {
		t.Fatal(err)
	}
	p.store, p.d.store, p.d.health = s, s, newHealth(s, p.now, p.d.log)
	p.d.account = newTestAccount("relay", s, p.now, wait)
	p.d.renderer = &desk.Renderer{Store: s, Signer: p.d.renderer.Signer}
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.EnsureDesk("support@example.com", "SUP", "Support")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	first, second := p.queue("taro@customer.test"), p.queue("jiro@customer.test")
	elsewhere := func(statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec(statement)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere(`CREATE TRIGGER refuse BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'nothing can be recorded'); END`)
	for range 3 {
		// Each time until the store is seen to fail, also where the loop is left and entered again.
		p.d.health.set(t.Context(), p.d.subject, stateWaiting)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.d.run(ctx) }()
		p.failing()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatalf("the deliverer ended with %v", err)
		}
	}
	if n := p.relay.Counts().Accepted; n != 1 {
		t.Errorf("the relay was given %d mails while nothing could be recorded, want 1", n)
	}
	elsewhere("DROP TRIGGER refuse")
	p.run()
	p.until(second, "the other mail is sent", state(store.OutboxSent))
	if l := p.line(first); l.State != store.OutboxSent || l.SentAt.IsZero() || l.Attempts != 1 {
		t.Errorf("the mail that was accepted is recorded as %+v", l)
	}
	if n := p.relay.Counts().Accepted; n != 2 {
		t.Errorf("the relay was given %d mails for two", n)
	}
}

// A relay that hangs up at every mail is at fault and not the mails: nothing is
// counted against them, and it is tried more and more seldom.
func TestRelayHangsUpAtEveryMail(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	p.closed()
	p.set(0, func(string) error { return loopback.ErrDrop }, nil)
	var ids []int64
	for range 30 {
		ids = append(ids, p.queue("taro@customer.test"))
	}
	var pauses []time.Duration
	for range 12 {
		err := p.turn()
		if err == nil {
			t.Fatal("a relay that hung up is said to work")
		}
		if errors.Is(err, errAgain) {
			if len(pauses) > 0 {
				t.Error("a connection is tried again at once, after others broke")
			}
			continue
		}
		pauses = append(pauses, p.d.attempts.next(err))
	}
	if last := pauses[len(pauses)-1]; len(pauses) != 11 || last < 3*time.Minute {
		t.Errorf("the pauses are %v, want one at once and then up to 5 minutes", pauses)
	}
	if n := p.relay.Counts().SMTPLogins; n != 12 {
		t.Errorf("%d log-ins for 12 turns", n)
	}
	for _, id := range ids {
		if l := p.line(id); l.Attempts != 0 || !l.FirstAt.IsZero() || l.State != store.OutboxWaiting {
			t.Errorf("counted against a mail: %+v", l)
		}
	}
	p.set(time.Hour, nil, nil)
	if err := p.turn(); err != nil {
		t.Fatal(err)
	}
	if n := p.relay.Counts().Accepted; n != 30 {
		t.Errorf("%d of 30 mails were sent when the relay worked again", n)
	}
}

// One mail that is answered with 421 again and again does not hold up the
// others, and in the end it is counted against that mail.
func TestOneMailAnswered421(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	p.closed()
	refuse := refusing("taro@customer.test", &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "try later"})
	p.set(0, refuse, nil)
	bad := p.queue("taro@customer.test")
	for n := range 5 {
		good := p.queue("jiro@customer.test")
		// It may cost one turn, as the relay itself may be closing.
		if err := p.turn(); err != nil {
			if err = p.turn(); err != nil {
				t.Fatalf("the turn after the 421 failed too: %v", err)
			}
		}
		if l := p.line(good); l.State != store.OutboxSent {
			t.Fatalf("mail %d to somebody else waits: %+v", n, l)
		}
		p.set(10*time.Minute, refuse, nil)
	}
	if l := p.line(bad); l.Attempts < 2 || l.State != store.OutboxWaiting || !strings.Contains(l.Error, "421 4.7.0 try later") {
		t.Errorf("the mail is recorded as %+v", l)
	}
}

// A line that waits while its address is suspended is not sent.
func TestSuspendedMeanwhileIsNotSent(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	p.closed()
	later := refusing("taro@customer.test", &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"})
	p.set(0, later, nil)
	id := p.queue("taro@customer.test")
	if err := p.turn(); err != nil {
		t.Fatal(err)
	}
	if l := p.line(id); l.Attempts != 1 || l.State != store.OutboxWaiting {
		t.Fatalf("the line is %+v", l)
	}
	if err := p.store.Write(t.Context(), func(tx *store.Tx) error { return tx.Suspend("taro@customer.test", 1, "5.1.1") }); err != nil {
		t.Fatal(err)
	}
	p.set(time.Hour, nil, nil)
	if err := p.turn(); err != nil {
		t.Fatal(err)
	}
	if l := p.line(id); l.State != store.OutboxSuspended || l.Cause != "suspended" || l.Attempts != 1 {
		t.Errorf("the line is %+v", l)
	}
	if n := p.relay.Counts().Accepted; n != 0 {
		t.Errorf("%d mails went to a suspended address", n)
	}
}

// Days without a relay are no tries: a mail that was tried twice, with days
// between, is tried again.
func TestDaysBetweenTwoTriesGiveNothingUp(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	p.closed()
	later := refusing("taro@customer.test", &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"})
	p.set(0, later, nil)
	id := p.queue("taro@customer.test")
	for n := 1; n <= triesAtLeast; n++ {
		if err := p.turn(); err != nil {
			t.Fatal(err)
		}
		l := p.line(id)
		if want := n < triesAtLeast; l.Attempts != n || (l.State == store.OutboxWaiting) != want {
			t.Fatalf("after try %d the line is %+v", n, l)
		}
		p.set(6*24*time.Hour, later, nil)
	}
}

// A relay that wants another login at a recipient concerns all mail: nothing is
// counted, and nothing is postponed.
func TestLoginWantedAtRecipient(t *testing.T) {
	for _, code := range []int{530, 535} {
		p := newPostOffice(t, nil)
		p.closed()
		p.set(0, refusing("taro@customer.test", &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "log in again"}), nil)
		id := p.queue("taro@customer.test")
		for range 3 {
			if err := p.turn(); err == nil || errors.Is(err, errAgain) {
				t.Errorf("%d gave %v, want a failure of the relay", code, err)
			}
		}
		if l := p.line(id); l.State != store.OutboxWaiting || l.Attempts != 0 || !l.NextAt.Equal(p.now()) {
			t.Errorf("%d was counted against the mail: %+v", code, l)
		}
		p.set(0, nil, nil)
		if err := p.turn(); err != nil {
			t.Fatal(err)
		}
		if l := p.line(id); l.State != store.OutboxSent {
			t.Errorf("the line is %+v", l)
		}
	}
}

// What is beyond the fuse's limit is held, and sent a minute later.
func TestFuseHoldsTheThirdMail(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, nil)
	p.closed()
	ids := []int64{p.queue("taro@customer.test"), p.queue("taro@customer.test"), p.queue("taro@customer.test")}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The fuse looks at the clock twice for each mail that goes out. At the
	// fifth look it holds the third mail, and we stop waiting for it.
	looks := 0
	p.d.fuse = &fuse{perMinute: 2, pauses: wait, now: func() time.Time {
		if looks++; looks == 5 {
			cancel()
		}
		return p.now()
	}}
	lines, err := p.store.DueOutbox(ctx, p.d.ids, p.now(), 50)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.d.batch(ctx, lines); !errors.Is(err, context.Canceled) {
		t.Errorf("the fuse held nothing: %v", err)
	}
	if n := p.relay.Counts().Accepted; n != 2 {
		t.Errorf("%d mails were sent, want 2", n)
	}
	p.set(time.Minute, nil, nil)
	if err := p.turn(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if l := p.line(id); l.State != store.OutboxSent {
			t.Errorf("a line is %+v", l)
		}
	}
}

// Told to stop while the relay is silent, the deliverer ends in a bounded time,
// whatever it waits for, and what it did is on record.
func TestStopWhileTheRelayIsSilent(t *testing.T) {
	for _, c := range []struct {
		name     string
		at       string // what we say when the relay falls silent; "": all is sent
		mails    int    // queued
		state    string // of the last one in the end
		attempts int    // counted against it
	}{
		{"at rest", "", 1, store.OutboxSent, 1},
		{"at the question whether it is there", "NOOP", 2, store.OutboxWaiting, 0},
		{"at the recipient", "RCPT", 1, store.OutboxWaiting, 0},
		{"after the text", ".\r\n", 1, store.OutboxWaiting, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, "")
			p := newPostOffice(t, func(s *send.Settings) {
				l.server = net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
				s.Port, s.IdleTimeout = l.port(), time.Hour
			})
			p.closed()
			silent := make(chan struct{})
			var once sync.Once
			var quiet, farewell atomic.Bool
			l.set(func(text string) verdict {
				if quiet.Load() && strings.HasPrefix(text, "QUIT") {
					farewell.Store(true)
				}
				if c.at != "" && strings.HasPrefix(text, c.at) {
					quiet.Store(true)
					once.Do(func() { close(silent) })
				}
				return pass
			}, func(string) verdict {
				if quiet.Load() {
					return drop
				}
				return pass
			})
			bound, done := context.WithTimeout(t.Context(), 30*time.Second)
			defer done()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var id int64
			for range c.mails {
				id = p.queue("taro@customer.test")
			}
			ended := make(chan error, 1)
			go func() { ended <- p.d.run(ctx) }()
			if c.at == "" {
				p.until(id, "the mail is sent", state(store.OutboxSent))
				quiet.Store(true)
				close(silent)
			}
			select {
			case <-silent:
			case <-bound.Done():
				t.Errorf("we never said %q", c.at)
			}
			cancel()
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("the deliverer ended with %v", err)
				}
			case <-bound.Done():
				t.Fatal("the deliverer does not end")
			}
			if farewell.Load() {
				t.Error("a goodbye was said to a relay that does not listen")
			}
			if line := p.line(id); line.State != c.state || line.Attempts != c.attempts {
				t.Errorf("the line is %+v", line)
			}
		})
	}
}
