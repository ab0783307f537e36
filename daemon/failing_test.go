package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"helpdesk/store"
)

// TestFailing: what is wrong is said in words, in the status and on the page,
// and the daemon goes on.
func TestFailing(t *testing.T) {
	for _, c := range []struct {
		name, cause, state string
		change             func(*office)
	}{
		{"unreachable server", "net-refused", "failing", func(o *office) { o.set.IMAPPort = "1" }},
		{"refused login", "auth-bad-credentials", "stopped", func(o *office) { o.set.Password = "wrong-password" }},
		{"wrong certificate", "tls-hostname-mismatch", "failing", func(o *office) { o.set.IMAPHost, o.set.IMAPPort = split(o.t, otherName(o.t, o.hosts.IMAPS)) }},
		{"unknown certificate", "tls-unknown-authority", "failing", func(o *office) {
			other := newOtherCertificate(o.t)
			if err := os.WriteFile(o.set.CertFile, other, 0o600); err != nil {
				o.t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, nil)
			c.change(o)
			o.writeConfig()
			o.start()
			o.eventually("what is wrong is shown", func(ctx context.Context) (bool, error) {
				s, err := o.info.Status(ctx)
				return err == nil && s.Desks[0].Mailbox.Cause == c.cause, err
			})
			o.clock.Store(int64(4 * time.Minute)) // no blip any more
			o.eventually("the mailbox is shown as failing", func(ctx context.Context) (bool, error) {
				s, err := o.info.Status(ctx)
				if err != nil || s.Desks[0].Mailbox.State != c.state {
					return false, err
				}
				part := s.Desks[0].Mailbox
				if part.Cause != c.cause || part.Title == "" || len(part.Remedy) == 0 {
					t.Errorf("the status says %+v, want the cause %s", part, c.cause)
				}
				page := o.page("/")
				if !strings.Contains(page, part.Title) || strings.Contains(page, "wrong-password") {
					t.Errorf("the page does not say %q, or shows the password:\n%s", part.Title, page)
				}
				return true, nil
			})
			if got := o.page("/healthz"); !strings.Contains(got, "ok") {
				t.Errorf("/healthz says %q", got)
			}
		})
	}
}

// otherName makes a server reachable under an address that its certificate
// does not name.
func otherName(t *testing.T, server string) string {
	return proxy(t, "127.0.0.2:0", server, func(to, from net.Conn) { io.Copy(to, from) })
}

// proxy passes connections on to a server; answers passes what the server says.
func proxy(t *testing.T, listen, server string, answers func(to, from net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return // closed
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				in.Close()
				return
			}
			both := func() { in.Close(); out.Close() }
			go func() { defer both(); io.Copy(out, in) }()
			go func() { defer both(); answers(in, out) }()
		}
	}()
	return listener.Addr().String()
}

// TestConnectionBreaks: a mail at which the connection breaks twice is set
// aside, the others are taken, and it is tried again later by itself.
func TestConnectionBreaks(t *testing.T) {
	t.Parallel()
	const mark = "THE-LINE-BREAKS-HERE"
	var cut atomic.Bool
	cut.Store(true)
	o := newOffice(t, func(s *officeSettings) { s.Backlog, s.Idle, s.Poll, s.IMAPSecurity = "process", false, "5s", "none" })
	o.set.IMAPHost, o.set.IMAPPort = split(t, proxy(t, "127.0.0.1:0", o.hosts.IMAP, func(to, from net.Conn) {
		in := bufio.NewReader(from)
		for {
			line, err := in.ReadBytes('\n')
			if cut.Load() && bytes.Contains(line, []byte(mark)) {
				return
			}
			if _, writeErr := to.Write(line); err != nil || writeErr != nil {
				return
			}
		}
	}))
	o.writeConfig()
	for i := range 3 {
		raw := plain(i)
		if i == 1 {
			raw += mark + "\nthe end\n"
		}
		if err := o.hosts.Deliver("support@mail.test", []byte(strings.ReplaceAll(raw, "\n", "\r\n"))); err != nil {
			t.Fatal(err)
		}
	}
	o.start()
	o.recorded("quarantined", 1)
	o.recorded("request", 2)
	entries, err := o.info.Store.Entries(t.Context(), store.EntryFilter{Outcome: "quarantined"})
	if err != nil || len(entries) != 1 || entries[0].Rule != "quarantined-connection" {
		t.Fatalf("the mail set aside is %+v, %v", entries, err)
	}
	cut.Store(false)
	o.clock.Store(int64(2 * time.Hour))
	o.recorded("request", 3)
	o.recorded("quarantined", 0)
	if entry, err := o.info.Store.Entry(t.Context(), entries[0].ID); err != nil || entry.Outcome != "request" {
		t.Errorf("the line of the mail is %+v, %v: want the same line with another outcome", entry, err)
	}
}

// TestListingLeavesOut: a mail that a listing left out once is found when the
// mailbox is looked through as a whole.
func TestListingLeavesOut(t *testing.T) {
	t.Parallel()
	var left atomic.Int32 // listings without it: that of the look, and that of the comparison with the ledger
	o := newOffice(t, func(s *officeSettings) { s.Backlog, s.Idle, s.Poll, s.IMAPSecurity = "process", false, "5s", "none" })
	o.set.IMAPHost, o.set.IMAPPort = split(t, proxy(t, "127.0.0.1:0", o.hosts.IMAP, func(to, from net.Conn) {
		in := bufio.NewReader(from)
		for {
			line, err := in.ReadBytes('\n')
			if bytes.Contains(line, []byte("FETCH (UID 2 ")) && bytes.Contains(line, []byte("RFC822.SIZE")) && left.Add(1) <= 2 {
				continue
			}
			if _, writeErr := to.Write(line); err != nil || writeErr != nil {
				return
			}
		}
	}))
	o.writeConfig()
	for i := range 3 {
		if err := o.hosts.Deliver("support@mail.test", []byte(strings.ReplaceAll(plain(i), "\n", "\r\n"))); err != nil {
			t.Fatal(err)
		}
	}
	o.start()
	o.recorded("request", 2)
	if left.Load() == 0 {
		t.Fatal("no listing was shortened")
	}
	o.clock.Store(int64(2 * time.Hour))
	o.recorded("request", 3)
}

// TestStop: told to stop, all of it ends within 5 seconds, also while mail is
// taken and sent, and nothing is lost.
func TestStop(t *testing.T) {
	t.Parallel()
	const mails = 300
	o := newOffice(t, func(s *officeSettings) { s.Backlog, s.Agents, s.Top = "process", nil, noLimits })
	for i := range mails {
		if err := o.hosts.Deliver("support@mail.test", []byte(plain(i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, pause := range []time.Duration{0, 30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond} {
		o.start()
		timer := time.NewTimer(pause)
		<-timer.C
		began := time.Now()
		o.stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("stopping took %s", took)
		}
	}
	o.start()
	o.recorded("request", mails)
	o.settled()
	o.inbox("taro@customer.test", mails)
	o.eventually("Postfix has delivered all", func(context.Context) (bool, error) { return o.relayEmpty() })
	if n := o.count("taro@customer.test", "INBOX"); n != mails {
		t.Errorf("%d acknowledgements, want %d: a stop in good order sends none twice", n, mails)
	}
}
