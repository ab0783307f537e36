package daemon

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
	"helpdesk/mail/send"
	"helpdesk/store"
)

// postOffice is a deliverer with a real store and a real relay in process,
// whose clock the test sets.
type postOffice struct {
	t     *testing.T
	d     *deliverer
	relay *loopback.Server
	store *store.Store

	mu   sync.Mutex
	time time.Time
	rcpt func(to string) error
	data func() error
}

func (p *postOffice) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.time
}

// wait lets the pauses of a relay that does not work go by: a moment of the
// real time for what the test's clock is moved on.
func (p *postOffice) wait(ctx context.Context, d time.Duration, kick <-chan struct{}) error {
	if err := wait(ctx, time.Millisecond, kick); err != nil {
		return err
	}
	p.mu.Lock()
	p.time = p.time.Add(d)
	p.mu.Unlock()
	return nil
}

// set changes what the relay answers, and moves the clock on.
func (p *postOffice) set(later time.Duration, rcpt func(string) error, data func() error) {
	p.mu.Lock()
	p.time, p.rcpt, p.data = p.time.Add(later), rcpt, data
	p.mu.Unlock()
	signal(p.d.kick)
}

func newPostOffice(t *testing.T, change func(*send.Settings)) *postOffice {
	t.Helper()
	p := &postOffice{t: t, time: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	var err error
	p.relay, err = loopback.Start(loopback.Options{
		RequireLogin: true,
		OnRcpt: func(_, to string) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.rcpt == nil {
				return nil
			}
			return p.rcpt(to)
		},
		OnData: func(string, []string, []byte) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.data == nil {
				return nil
			}
			return p.data()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.relay.Close() })
	for _, address := range []string{"support@example.com", "taro@customer.test", "jiro@customer.test"} {
		p.relay.AddUser(address, "secret")
	}
	p.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "helpdesk.db"), store.Options{Now: p.now})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := desk.NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	settings := send.Settings{Login: connect.Login{Username: "support@example.com", Password: "secret"}, Settings: connect.Settings{
		Protocol: "smtp", Host: p.relay.SMTP.Host, Port: p.relay.SMTP.Port, Security: connect.Plain, IdleTimeout: 5 * time.Second,
	}}
	if change != nil {
		change(&settings)
	}
	s := &desk.Settings{ID: 1, Key: "SUP", Name: "Support", Address: "support@example.com", Sender: mail.Address{Name: "Support", Address: "support@example.com"}}
	p.d = &deliverer{
		desks: map[int64]*desk.Settings{}, settings: func() (send.Settings, error) { return settings, nil }, store: p.store,
		renderer: &desk.Renderer{Store: p.store, Signer: signer}, health: newHealth(p.store, p.now, log), fuse: &fuse{now: p.now},
		now: p.now, wait: wait, log: log, kick: make(chan struct{}, 1), subject: "relay",
	}
	p.d.account = newTestAccount("relay", p.store, p.now, p.wait)
	if err := p.store.Write(t.Context(), func(tx *store.Tx) error {
		stored, err := tx.EnsureDesk(s.Address, s.Key, s.Name)
		s.ID = stored.ID
		return err
	}); err != nil {
		t.Fatal(err)
	}
	p.d.desks[s.ID], p.d.ids = s, []int64{s.ID}
	return p
}

// queue puts an acknowledgement into the outbox and returns its line's id.
func (p *postOffice) queue(to string) int64 {
	p.t.Helper()
	var id int64
	err := p.store.Write(p.t.Context(), func(tx *store.Tx) error {
		key, err := tx.NextKey("SUP")
		if err != nil {
			return err
		}
		r := store.Request{DeskID: p.d.ids[0], Key: key, Subject: "Hello", State: store.StateOpen, Requester: mail.Address{Address: to}, Created: p.now(), Updated: p.now()}
		if err := tx.AddRequest(&r); err != nil {
			return err
		}
		m := store.Message{RequestID: r.ID, Kind: store.KindCustomer, From: r.Requester, At: p.now(), Text: "Hello"}
		if err := tx.AddMessage(&m); err != nil {
			return err
		}
		l := store.OutboxLine{
			DeskID: p.d.ids[0], RequestID: r.ID, Event: desk.EventReceived, MessageRow: m.ID, To: r.Requester, MessageID: key + "@example.com",
			State: store.OutboxWaiting, CreatedAt: p.now(), NextAt: p.now(),
		}
		err = tx.Queue(&l)
		id = l.ID
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

// run delivers until the test ends.
func (p *postOffice) run() {
	ctx, cancel := context.WithCancel(p.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.d.run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			p.t.Errorf("the deliverer ended with: %v", err)
		}
		if err := p.store.Close(); err != nil {
			p.t.Error(err)
		}
	})
}

// until waits for a line to get into a condition.
func (p *postOffice) until(id int64, what string, holds func(store.OutboxLine) bool) store.OutboxLine {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		lines, err := p.store.Outbox(ctx, store.OutboxFilter{})
		if err != nil {
			p.t.Fatalf("%s: %v", what, err)
		}
		for _, l := range lines {
			if l.ID == id && holds(l) {
				return l
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			p.t.Fatalf("%s: it did not happen: %+v", what, lines)
		}
	}
}

func attempts(n int) func(store.OutboxLine) bool {
	return func(l store.OutboxLine) bool { return l.Attempts >= n }
}

func state(s string) func(store.OutboxLine) bool {
	return func(l store.OutboxLine) bool { return l.State == s }
}

// A 4xx is tried again with growing pauses, for five days; others go on.
func TestDeliverTemporary(t *testing.T) {
	p := newPostOffice(t, nil)
	refuse := func(to string) error {
		if to == "taro@customer.test" {
			return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "try later"}
		}
		return nil
	}
	p.set(0, refuse, nil)
	bad, good := p.queue("taro@customer.test"), p.queue("jiro@customer.test")
	p.run()
	p.until(good, "the other mail is sent", state(store.OutboxSent))
	var pauses []time.Duration
	started := p.now()
	for n := 1; ; n++ {
		l := p.until(bad, "the mail is tried again", func(l store.OutboxLine) bool { return l.Attempts >= n || l.State != store.OutboxWaiting })
		if l.State == store.OutboxFailed {
			if l.Cause != "expired" || !strings.Contains(l.Error, "450 4.2.1 try later") {
				t.Errorf("given up as %+v", l)
			}
			break
		}
		if l.Attempts != n || n > 100 {
			t.Fatalf("attempt %d left %+v", n, l)
		}
		pauses = append(pauses, l.NextAt.Sub(p.now()))
		p.set(l.NextAt.Sub(p.now()), refuse, nil)
	}
	if took := p.now().Sub(started); took < giveUpAfter || took > giveUpAfter+5*time.Hour {
		t.Errorf("given up after %s, want 5 days", took)
	}
	for i := 1; i < len(pauses); i++ {
		if pauses[i] < pauses[i-1] {
			t.Errorf("the pauses do not grow: %v", pauses[:i+1])
		}
	}
}

// A 5xx fails the line with the server's words.
func TestDeliverPermanent(t *testing.T) {
	p := newPostOffice(t, nil)
	id := p.queue("nobody@customer.test")
	p.run()
	if l := p.until(id, "the line fails", state(store.OutboxFailed)); !strings.Contains(l.Error, "550 5.1.1") || l.Attempts != 1 {
		t.Errorf("the line is %+v", l)
	}
}

// A relay that is down, closes or refuses the login counts nothing against a
// mail; all of it waits and goes when it works again.
func TestDeliverRelayFails(t *testing.T) {
	closing := func(string) error {
		return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "closing"}
	}
	for _, c := range []struct {
		name   string
		change func(*send.Settings)
		rcpt   func(string) error
		state  string
	}{
		{"nobody listens", func(s *send.Settings) { s.Port = 1 }, nil, stateFailing},
		{"the login is refused", func(s *send.Settings) { s.Password = "wrong" }, nil, stateStopped},
		{"the service closes", nil, closing, stateFailing},
		{"a login is wanted", func(s *send.Settings) { s.Anonymous = true }, nil, stateFailing},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPostOffice(t, c.change)
			p.set(0, c.rcpt, nil)
			ids := []int64{p.queue("taro@customer.test"), p.queue("jiro@customer.test")}
			p.run()
			h := p.failing()
			if c.state != h.State {
				t.Errorf("the relay is %s, want %s", h.State, c.state)
			}
			for _, id := range ids {
				if l := p.until(id, "the line waits", state(store.OutboxWaiting)); l.Attempts != 0 || !l.FirstAt.IsZero() {
					t.Errorf("an attempt was counted: %+v", l)
				}
			}
			if pause := h.NextPoll.Sub(h.LastPoll); c.state == stateFailing && (pause < time.Second || pause > 2*time.Minute) {
				t.Errorf("it is tried again after %s", pause)
			}
		})
	}
}

// failing waits until the relay is shown as failing.
func (p *postOffice) failing() store.Health {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if h := p.d.health.part("relay"); broken(h.State) {
			return h
		}
		if err := wait(ctx, 2*time.Millisecond, nil); err != nil {
			break
		}
	}
	p.t.Fatal("the relay is not shown as failing")
	return store.Health{}
}

// Where the answer after the text was lost the mail may have arrived: the
// retry has the same Message-ID. A connection that breaks at one mail again
// and again does not hold up the others.
func TestDeliverLostAnswer(t *testing.T) {
	p := newPostOffice(t, nil)
	once := true
	p.set(0, nil, func() error {
		if once {
			once = false
			return loopback.ErrDropDelivered
		}
		return nil
	})
	lost, other := p.queue("taro@customer.test"), p.queue("jiro@customer.test")
	p.run()
	p.until(other, "the other mail is sent", state(store.OutboxSent))
	p.until(lost, "the attempt is counted", attempts(1))
	p.set(time.Hour, nil, nil)
	p.until(lost, "it is sent again", state(store.OutboxSent))
	mails, err := p.relay.Messages("taro@customer.test", "INBOX")
	if err != nil || len(mails) != 2 {
		t.Fatalf("%d mails arrived, %v", len(mails), err)
	}
	for _, m := range mails {
		if !strings.Contains(string(m.Raw), "Message-ID: <SUP-1@example.com>") {
			t.Errorf("the Message-ID changed:\n%.500s", m.Raw)
		}
	}
	if n := p.relay.Counts().SMTPLogins; n > 3 {
		t.Errorf("%d log-ins for three mails: the connection is not used again", n)
	}
}

func TestDeliverBreaksAtOneMail(t *testing.T) {
	p := newPostOffice(t, nil)
	p.set(0, func(to string) error {
		if to == "taro@customer.test" {
			return loopback.ErrDrop
		}
		return nil
	}, nil)
	bad, good := p.queue("taro@customer.test"), p.queue("jiro@customer.test")
	p.run()
	p.until(good, "the other mail is sent", state(store.OutboxSent))
	p.set(2*time.Minute, func(to string) error {
		if to == "taro@customer.test" {
			return loopback.ErrDrop
		}
		return nil
	}, nil)
	p.until(bad, "the bad one is tried again later", attempts(1))
}

// The fuse holds what is beyond its limit and drops nothing.
func TestFuse(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	f := &fuse{perMinute: 3, now: func() time.Time { return now }}
	for range 3 {
		if f.pause() != 0 {
			t.Fatal("the fuse holds a mail within the limit")
		}
		f.sent()
		now = now.Add(10 * time.Second)
	}
	if got, want := f.pause(), 30*time.Second; got != want {
		t.Errorf("the fuse holds the fourth mail for %s, want %s", got, want)
	}
	now = now.Add(30 * time.Second)
	if f.pause() != 0 {
		t.Error("the fuse still holds after a minute")
	}
}
