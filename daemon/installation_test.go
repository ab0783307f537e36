package daemon

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/ui"
)

// simulated is a clock that stands still until the test moves it, and on which
// the loops of a daemon wait.
type simulated struct {
	mu      sync.Mutex
	time    time.Time
	waiters []*waiter
	changed chan struct{} // closed and replaced when a waiter comes or goes
}

type waiter struct {
	until time.Time
	woken chan struct{}
}

func newSimulated() *simulated {
	return &simulated{time: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), changed: make(chan struct{})}
}

func (c *simulated) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

// news wakes whoever watches the waiters. The lock is held.
func (c *simulated) news() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// wait is what a daemon waits with.
func (c *simulated) wait(ctx context.Context, d time.Duration, kick <-chan struct{}) error {
	c.mu.Lock()
	w := &waiter{until: c.time.Add(d), woken: make(chan struct{})}
	c.waiters = append(c.waiters, w)
	c.news()
	c.mu.Unlock()
	var err error
	select {
	case <-w.woken:
		return nil
	case <-kick:
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = slices.DeleteFunc(c.waiters, func(other *waiter) bool { return other == w })
	c.news()
	return err
}

// settled waits until at least n loops wait beside the housekeeping, which
// always does: all that could happen has.
func (c *simulated) settled(t *testing.T, n int) {
	t.Helper()
	patience := time.NewTimer(20 * time.Second)
	defer patience.Stop()
	for {
		c.mu.Lock()
		enough, changed := len(c.waiters) > n, c.changed
		c.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-changed:
		case <-patience.C:
			t.Fatalf("fewer than %d loops wait", n)
		}
	}
}

// run moves the clock on for d, from one awaited moment to the next. At each of
// them at least n loops wait beside the housekeeping.
func (c *simulated) run(t *testing.T, d time.Duration, n int) {
	t.Helper()
	end := c.now().Add(d)
	for {
		c.settled(t, n)
		c.mu.Lock()
		next := end
		for _, w := range c.waiters {
			if w.until.Before(next) {
				next = w.until
			}
		}
		if next.After(c.time) {
			c.time = next
		}
		c.waiters = slices.DeleteFunc(c.waiters, func(w *waiter) bool {
			if w.until.After(c.time) {
				return false
			}
			close(w.woken)
			return true
		})
		over := !c.time.Before(end)
		c.news()
		c.mu.Unlock()
		if over {
			return
		}
	}
}

// fakeIMAP is a server with an empty mailbox that counts the log-ins.
type fakeIMAP struct {
	listener net.Listener

	mu     sync.Mutex
	refuse string // what it answers to a log-in; "": it takes all
	logins int    // attempts
	conns  map[net.Conn]bool
	slow   chan struct{} // not nil: a log-in is answered when it is closed
	tried  chan struct{} // told of each log-in
}

func newFakeIMAP(t *testing.T) *fakeIMAP {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeIMAP{listener: listener, conns: make(map[net.Conn]bool), tried: make(chan struct{}, 1000)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // closed
			}
			f.mu.Lock()
			f.conns[c] = true
			f.mu.Unlock()
			serving.Go(func() {
				f.serve(c)
				c.Close()
				f.mu.Lock()
				defer f.mu.Unlock()
				delete(f.conns, c)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		f.drop()
		serving.Wait()
	})
	return f
}

func (f *fakeIMAP) port() int { return f.listener.Addr().(*net.TCPAddr).Port }

// drop cuts all connections.
func (f *fakeIMAP) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.Close()
	}
	clear(f.conns)
}

// set changes what the server answers to a log-in and cuts all connections.
func (f *fakeIMAP) set(refuse string) {
	f.mu.Lock()
	f.refuse = refuse
	f.mu.Unlock()
	f.drop()
}

func (f *fakeIMAP) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logins
}

func (f *fakeIMAP) serve(c net.Conn) {
	in := bufio.NewScanner(c)
	say := func(format string, args ...any) { fmt.Fprintf(c, format+"\r\n", args...) }
	say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR IDLE] ready")
	for in.Scan() {
		tag, rest, _ := strings.Cut(in.Text(), " ")
		command := strings.ToUpper(rest)
		switch {
		case strings.HasPrefix(command, "CAPABILITY"):
			say("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR IDLE\r\n%s OK done", tag)
		case strings.HasPrefix(command, "AUTHENTICATE"), strings.HasPrefix(command, "LOGIN"):
			if strings.HasPrefix(command, "AUTH") && len(strings.Fields(rest)) < 3 {
				say("+ ")
				in.Scan()
			}
			f.mu.Lock()
			f.logins++
			refuse, slow := f.refuse, f.slow
			f.mu.Unlock()
			signal(f.tried)
			if slow != nil {
				<-slow
			}
			if refuse != "" {
				say("%s NO %s", tag, refuse)
			} else {
				say("%s OK [CAPABILITY IMAP4rev1 IDLE] signed in", tag)
			}
		case strings.HasPrefix(command, "SELECT"):
			say("* 0 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 1] ok\r\n* FLAGS (\\Seen)\r\n%s OK [READ-WRITE] selected", tag)
		case strings.HasPrefix(command, "IDLE"):
			say("+ idling")
			in.Scan()
			say("%s OK done", tag)
		case strings.HasPrefix(command, "LOGOUT"):
			say("* BYE\r\n%s OK bye", tag)
			c.Close()
		default:
			say("%s OK done", tag)
		}
	}
}

// installation is a daemon with a mailbox at a fakeIMAP and a clock of the
// test's, which can be started again and again.
type installation struct {
	t     *testing.T
	dir   string
	clock *simulated
	imap  *fakeIMAP
	relay string // lines of [relay]
	more  string // lines before it
	desks string // further desks

	moreDesk string // lines of the first desk
	log      bytes.Buffer
	logMu    sync.Mutex
	info     Info
	stop     func()
}

func (n *installation) Write(b []byte) (int, error) {
	n.logMu.Lock()
	defer n.logMu.Unlock()
	return n.log.Write(b)
}

func (n *installation) logged() string {
	n.logMu.Lock()
	defer n.logMu.Unlock()
	return n.log.String()
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	n := &installation{t: t, dir: t.TempDir(), clock: newSimulated(), imap: newFakeIMAP(t), relay: "enabled = false"}
	n.password("secret")
	t.Cleanup(func() {
		if n.stop != nil {
			n.stop()
		}
		if t.Failed() {
			t.Log(n.logged())
		}
	})
	return n
}

func (n *installation) password(text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, "password"), []byte(text+"\n"), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n *installation) start() {
	n.t.Helper()
	text := fmt.Sprintf(`data_dir = "data"
%s
[ui]
listen = "127.0.0.1:0"
[relay]
%s
[[agent]]
name = "Aki"
email = "aki@example.com"
[[desk]]
name = "Support"
key = "SUP"
address = "support@example.com"
agents = ["aki@example.com"]
%s
  [desk.mailbox]
  host = "127.0.0.1"
  port = %d
  security = "none"
  username = "support@example.com"
  password_file = "password"
%s`, n.more, n.relay, n.moreDesk, n.imap.port(), n.desks)
	path := filepath.Join(n.dir, "helpdesk.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil || config.Refused(faults) {
		n.t.Fatalf("the test's configuration is wrong: %v %v", err, faults)
	}
	ctx, cancel := context.WithCancel(n.t.Context())
	ready, ended := make(chan Info, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{
			Config: c, Version: "test", Now: n.clock.now, wait: n.clock.wait, Logger: slog.New(slog.NewTextHandler(n, nil)), Ready: func(i Info) { ready <- i },
		})
	}()
	select {
	case n.info = <-ready:
	case err := <-ended:
		cancel()
		n.t.Fatalf("the daemon did not start: %v", err)
	}
	n.stop = func() {
		n.stop = nil
		cancel()
		if err := <-ended; err != nil {
			n.t.Errorf("the daemon ended with: %v", err)
		}
	}
}

// mailbox is the desk's mailbox as the status shows it.
func (n *installation) mailbox() ui.PartStatus {
	n.t.Helper()
	return n.desk().Mailbox
}

func (n *installation) desk() ui.DeskStatus {
	n.t.Helper()
	s, err := n.info.Status(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return s.Desks[0]
}

// until waits for something that happens without the clock.
func (n *installation) until(what string, holds func() bool) {
	n.t.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			n.t.Fatalf("%s: it did not happen", what)
		}
	}
}

// worked starts the daemon and waits until its mailbox was read.
func (n *installation) worked() {
	n.t.Helper()
	n.start()
	n.until("the mailbox is read", func() bool { return n.mailbox().State == stateOK })
}

// works lets at most so much time go by until the mailbox works.
func (n *installation) works(within time.Duration) {
	n.t.Helper()
	for end := n.clock.now().Add(within); n.mailbox().State != stateOK; {
		if n.clock.now().After(end) {
			n.t.Fatalf("the mailbox does not work within %s", within)
		}
		n.clock.run(n.t, 5*time.Second, 0)
		if err := wait(n.t.Context(), 5*time.Millisecond, nil); err != nil {
			n.t.Fatal(err)
		}
	}
}

// day lets 24 hours go by, with restarts, while the mailbox does not work.
func (n *installation) day() {
	n.t.Helper()
	for range 15 {
		n.clock.run(n.t, 96*time.Minute, 1)
		n.stop()
		n.start()
	}
	n.clock.settled(n.t, 1)
}
