package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"helpdesk/mail"
)

// TestOpenCancelled: the end of the context ends Open at once.
func TestOpenCancelled(t *testing.T) {
	for _, command := range []string{"CAPABILITY", "AUTHENTICATE", "SELECT"} {
		ctx, cancel := context.WithCancel(t.Context())
		server := serve(t, &script{on: map[string]func(*client, string){command: func(c *client, _ string) {
			cancel()
			_, _ = io.Copy(io.Discard, c.conn)
		}}})
		_, err := openIMAP(ctx, server.settings())
		if failure(t, err); !errors.Is(err, context.Canceled) {
			t.Errorf("at %s: %v", command, err)
		}
	}
}

// TestOpenSilent: a server that says nothing is given up after the time-out.
func TestOpenSilent(t *testing.T) {
	for command, step := range map[string]string{
		"": mail.StepGreeting, "CAPABILITY": mail.StepCapabilities, "AUTHENTICATE": mail.StepLogin, "SELECT": mail.StepSelect,
	} {
		server := &script{on: map[string]func(*client, string){command: func(c *client, _ string) {
			_, _ = io.Copy(io.Discard, c.conn)
		}}}
		if command == "" {
			server.greeting = silence
		}
		set := serve(t, server).settings()
		if command == "" || command == "CAPABILITY" {
			set.DialTimeout = 100 * time.Millisecond
		} else {
			set.IdleTimeout = 100 * time.Millisecond
		}
		_, err := openIMAP(t.Context(), set)
		timeout := net.Error(nil)
		if e := failure(t, err); !errors.As(err, &timeout) || !timeout.Timeout() || !e.Temporary || e.Step != step {
			t.Errorf("at %q: %v", command, err)
		}
	}
}

// TestCloseUnblocks: Close from another goroutine ends what is under way, also
// inside a mail.
func TestCloseUnblocks(t *testing.T) {
	for name, beginning := range map[string]string{"answer": "", "mail": "* 1 FETCH (UID 5 BODY[] {10}\r\nabc"} {
		asked := make(chan struct{})
		s := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, _ string) {
			c.raw(beginning)
			close(asked)
			_, _ = io.Copy(io.Discard, c.conn)
		}}}).open()
		go func() {
			<-asked
			s.Close()
		}()
		_, missing, err := fetch(t.Context(), s, 5)
		failure(t, err)
		if broken := (*Interrupted)(nil); errors.As(err, &broken) || !errors.Is(err, net.ErrClosed) || len(missing) != 1 {
			t.Errorf("%s: %v, missing %v", name, err, missing)
		}
	}
}

// TestFetchCancelled: a cancelled Fetch is no fault of the mail.
func TestFetchCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, _ string) {
		c.raw("* 1 FETCH (UID 5 BODY[] {10}\r\nabc")
		cancel()
		_, _ = io.Copy(io.Discard, c.conn)
	}}}).open()
	_, _, err := fetch(ctx, s, 5)
	if broken := (*Interrupted)(nil); errors.As(err, &broken) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	failure(t, err)
}

// TestAlerts: what the server said of its own accord belongs to the refusal
// that it came with, and to no later one.
func TestAlerts(t *testing.T) {
	s := serve(t, &script{on: on{
		"SELECT":    does("* 1 EXISTS", "* OK [ALERT] maintenance tonight", "OK done"),
		"UID FETCH": does("* NO [ALERT] disk failure", "* NO [ALERT] disk failure", "NO sorry"),
		"UID STORE": says("not that one"), "NOOP": done,
	}}).open()
	_, err := s.List(t.Context(), 1)
	if e := failure(t, err); e.Text != "sorry; disk failure" {
		t.Errorf("%q", e.Text)
	}
	err = s.Acknowledge(t.Context(), Action{Kind: ActionSeen}, []uint32{5})
	if e := failure(t, err); e.Text != "sorry; disk failure" { // of the look at what is left
		t.Errorf("%q", e.Text)
	}
	err = s.run(t.Context(), mail.StepAct, func() error { return s.client.Create("x", nil).Wait() })
	if err != nil {
		t.Error(err)
	}
	err = s.run(t.Context(), mail.StepAct, func() error { return s.client.Store(uidSets([]Listed{{UID: 5}})[0], &imap.StoreFlags{}, nil).Close() })
	if e := failure(t, err); e.Text != "not that one" {
		t.Errorf("%q", e.Text)
	}
}

// TestByeAtRest: what the server said when it closed an idle connection is in
// the error of the next call.
func TestByeAtRest(t *testing.T) {
	s := serve(t, &script{on: map[string]func(*client, string){"SELECT": func(c *client, _ string) {
		c.ok("done")
		c.send("* BYE Autologout; idle for too long")
		c.hangUp()
	}}}).open()
	_, err := s.List(t.Context(), 1)
	if e := failure(t, err); e.Text != "Autologout; idle for too long" || !e.Temporary || e.Step != mail.StepList {
		t.Errorf("%+v", e)
	}
}
