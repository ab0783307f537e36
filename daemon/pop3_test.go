package daemon_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"helpdesk/store"
)

// popOffice is an office whose mailbox is read from Dovecot by POP3.
func popOffice(t *testing.T, change func(*officeSettings)) *office {
	t.Helper()
	o := newOffice(t, func(s *officeSettings) {
		s.Protocol, s.Idle, s.Poll, s.After = "pop3", false, "5s", "keep"
		if change != nil {
			change(s)
		}
	})
	o.set.IMAPHost, o.set.IMAPPort = split(t, o.hosts.POP3S)
	if o.set.IMAPSecurity != "tls" {
		o.set.IMAPHost, o.set.IMAPPort = split(t, o.hosts.POP3)
	}
	o.writeConfig()
	return o
}

func question(n int) string {
	return fmt.Sprintf("From: Taro <taro@customer.test>\nTo: support@mail.test\nSubject: question %d\nDate: Sat, 21 Nov 2026 12:00:00 +0900\nMessage-ID: <q%d@customer.test>\n\nHow?\n", n, n)
}

// requests is how many there are.
func (o *office) requests() (n int) {
	o.t.Helper()
	all, err := o.info.Store.Requests(o.t.Context(), store.RequestFilter{})
	if err != nil {
		o.t.Fatal(err)
	}
	return len(all)
}

// TestPOP3RoundTrip is TestRoundTrip by POP3.
func TestPOP3RoundTrip(t *testing.T) {
	for _, after := range []string{"keep", "delete"} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			o := popOffice(t, func(s *officeSettings) {
				if s.After = after; after == "delete" {
					s.IMAPSecurity = "starttls"
				}
			})
			o.start()
			o.mailboxOK()
			roundTrip(t, o)
			want := map[string]int{"keep": 3, "delete": 0}[after]
			o.eventually("the maildrop is as it is to be", func(context.Context) (bool, error) { return o.count("support@mail.test", "INBOX") == want, nil })
			o.stop()
			o.start()
			o.mailboxOK()
			if o.requests() != 1 || o.count("taro@customer.test", "INBOX") != 2 {
				t.Errorf("after a restart there are %d requests, and the customer has %d mails", o.requests(), o.count("taro@customer.test", "INBOX"))
			}
		})
	}
}

// TestPOP3FirstStart: old mail is left alone, also after the server has given
// all mails other ids.
func TestPOP3FirstStart(t *testing.T) {
	t.Parallel()
	o := popOffice(t, nil)
	for n := range 3 {
		o.send("taro@customer.test", "support@mail.test", question(n))
	}
	if _, err := o.hosts.WaitMailbox(t.Context(), "support@mail.test", "INBOX", 3); err != nil {
		t.Fatal(err)
	}
	o.start()
	o.mailboxOK()
	o.send("taro@customer.test", "support@mail.test", question(3))
	o.request("SUP-1", 1)
	o.inbox("taro@customer.test", 1)
	o.stop()
	if err := o.hosts.NewUIDValidity("support@mail.test", "INBOX"); err != nil {
		t.Fatal(err)
	}
	o.start()
	o.mailboxOK()
	o.send("taro@customer.test", "support@mail.test", question(4))
	o.request("SUP-2", 1)
	o.inbox("taro@customer.test", 2)
	o.settled()
	if n := o.count("taro@customer.test", "INBOX"); n != 2 || o.requests() != 2 {
		t.Errorf("the customer got %d mails, and there are %d requests; want 2 and 2", n, o.requests())
	}
	entries, err := o.info.Store.Entries(t.Context(), store.EntryFilter{Outcome: "skipped"})
	if err != nil || len(entries) != 3 {
		t.Errorf("%d mails are recorded as old, %v", len(entries), err)
	}
}

// TestPOP3KilledBeforeQuit: what is committed is not lost and does not come
// twice when all ends before QUIT reaches the server.
func TestPOP3KilledBeforeQuit(t *testing.T) {
	t.Parallel()
	o := popOffice(t, func(s *officeSettings) { s.After, s.IMAPSecurity = "delete", "none" })
	var broken atomic.Bool
	broken.Store(true)
	o.set.IMAPHost, o.set.IMAPPort = split(t, cutAtQuit(t, o.hosts.POP3, &broken))
	o.writeConfig()
	o.start()
	o.mailboxOK()
	o.send("taro@customer.test", "support@mail.test", question(1))
	o.request("SUP-1", 1)
	o.eventually("the server could not be told", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && s.Desks[0].Mailbox.State != "ok", err
	})
	o.stop()
	if n := o.count("support@mail.test", "INBOX"); n != 1 {
		t.Errorf("%d mails lie there, want 1: QUIT never came", n)
	}
	broken.Store(false)
	o.start()
	o.eventually("the mail is deleted", func(context.Context) (bool, error) { return o.count("support@mail.test", "INBOX") == 0, nil })
	o.settled()
	if n := o.count("taro@customer.test", "INBOX"); n != 1 || o.requests() != 1 {
		t.Errorf("the customer got %d mails, and there are %d requests", n, o.requests())
	}
}

// cutAtQuit is a way to server on which a QUIT behind a DELE does not arrive
// while broken is set.
func cutAtQuit(t *testing.T, server string, broken *atomic.Bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				in.Close()
				continue
			}
			both := func() { in.Close(); out.Close() }
			go func() { defer both(); _, _ = io.Copy(in, out) }()
			go func() {
				defer both()
				buf, marked := make([]byte, 4096), false
				for {
					n, err := in.Read(buf)
					said := string(buf[:n])
					marked = marked || strings.HasPrefix(said, "DELE")
					if err != nil || broken.Load() && marked && strings.HasPrefix(said, "QUIT") {
						return
					}
					if _, err := out.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}
