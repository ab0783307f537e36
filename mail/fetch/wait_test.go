package fetch

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"helpdesk/mail"
)

// idles answers IDLE, sends lines, and ends at DONE.
func idles(lines ...string) func(*client, string) {
	return func(c *client, _ string) {
		c.send("+ idling")
		for _, line := range lines {
			c.send(line)
		}
		if got := c.line(); got == "DONE" {
			c.ok("done")
		}
	}
}

func TestWait(t *testing.T) {
	t.Run("news", func(t *testing.T) {
		s := serve(t, &script{on: on{"IDLE": idles("* OK still here", "* 4 EXISTS", "* 1 RECENT")}}).open()
		s.wire.heard.readNews()
		if err := s.Wait(t.Context(), long); err != nil {
			t.Error(err)
		}
		if got := s.State().Messages; got != 4 {
			t.Errorf("%d messages", got)
		}
		if mails, _, err := fetch(t.Context(), s, 5); err != nil || mails != nil {
			t.Errorf("afterwards: %v, %v", mails, err)
		}
	})
	t.Run("news before the wait", func(t *testing.T) {
		server := serve(t, &script{on: on{"UID FETCH": does("* 5 EXISTS", "OK done")}})
		s := server.open()
		if _, err := s.List(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(t.Context(), long); err != nil || server.received("IDLE") != nil {
			t.Errorf("%v after %q", err, server.received(""))
		}
	})
	t.Run("fewer mails are no news", func(t *testing.T) {
		server := serve(t, &script{on: on{"IDLE": idles("* 2 EXPUNGE", "* 2 EXISTS", "* 1 FETCH (FLAGS (\\Seen))")}})
		s := server.open()
		s.wire.heard.readNews()
		started := time.Now()
		if err := s.Wait(t.Context(), 50*time.Millisecond); err != nil || time.Since(started) < 50*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(started))
		}
	})
	t.Run("renewed", func(t *testing.T) {
		server := serve(t, &script{on: on{"IDLE": inTurn(idles(), idles(), idles("* 9 EXISTS"))}})
		s := server.open()
		s.period = 20 * time.Millisecond
		s.wire.heard.readNews()
		if err := s.Wait(t.Context(), long); err != nil {
			t.Error(err)
		}
		if got := server.received("IDLE"); len(got) != 3 {
			t.Errorf("%d times IDLE", len(got))
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := serve(t, &script{on: on{"IDLE": func(c *client, args string) {
			c.send("+ idling")
			cancel()
			if c.line() == "DONE" {
				c.ok("done")
			}
		}}}).open()
		s.wire.heard.readNews()
		if err := s.Wait(ctx, long); err != context.Canceled {
			t.Error(err)
		}
		if _, err := s.List(t.Context(), 1); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := serve(t, &script{on: on{"IDLE": idles()}}).open()
		s.wire.heard.readNews()
		if err := s.Wait(ctx, long); err != context.Canceled {
			t.Error(err)
		}
		if _, err := s.List(t.Context(), 1); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("lost", func(t *testing.T) {
		s := serve(t, &script{on: on{"IDLE": func(c *client, _ string) {
			c.send("+ idling", "* BYE Server shutting down.")
			c.hangUp()
		}}}).open()
		s.wire.heard.readNews()
		err := s.Wait(t.Context(), long)
		if e := failure(t, err); e.Step != mail.StepIdle || e.Text != "Server shutting down." || !errors.Is(err, io.EOF) {
			t.Errorf("%+v", e)
		}
	})
	t.Run("closed by us", func(t *testing.T) {
		var s *imapSession
		s = serve(t, &script{on: on{"IDLE": func(c *client, _ string) {
			c.send("+ idling")
			s.Close()
		}}}).open()
		s.wire.heard.readNews()
		failure(t, s.Wait(t.Context(), long))
	})
	t.Run("IDLE refused", func(t *testing.T) {
		for _, answer := range []func(*client, string){says("not for you"), done} {
			server := serve(t, &script{on: on{"IDLE": answer}})
			s := server.open()
			s.wire.heard.readNews()
			for range 2 {
				if err := s.Wait(t.Context(), 10*time.Millisecond); err != nil {
					t.Error(err)
				}
			}
			if i, n := server.received("IDLE"), server.received("NOOP"); len(i) != 1 || len(n) != 2 {
				t.Errorf("%d times IDLE, %d times NOOP", len(i), len(n))
			}
		}
	})
	t.Run("IDLE not answered", func(t *testing.T) {
		server := serve(t, &script{on: on{"IDLE": func(c *client, _ string) { _, _ = io.Copy(io.Discard, c.conn) }}})
		set := server.settings()
		set.IdleTimeout = 100 * time.Millisecond
		s, err := openIMAP(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.wire.heard.readNews()
		if e := failure(t, s.Wait(t.Context(), long)); e.Step != mail.StepIdle {
			t.Errorf("%+v", e)
		}
	})
}

// TestWaitWithoutIdle: NOOP at the end of the wait, and no time-out in it.
func TestWaitWithoutIdle(t *testing.T) {
	server := serve(t, &script{on: on{"NOOP": does("* 4 EXISTS", "OK done")}})
	set := server.settings()
	set.NoIdle = true
	set.IdleTimeout = 100 * time.Millisecond
	s, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.wire.heard.readNews()
	if err := s.Wait(t.Context(), 250*time.Millisecond); err != nil { // silence is allowed at rest
		t.Fatal(err)
	}
	if got := s.State().Messages; got != 4 || len(server.received("NOOP")) != 1 || server.received("IDLE") != nil {
		t.Errorf("%d messages after %q", got, server.received(""))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.wire.heard.readNews()
	if err := s.Wait(ctx, long); err != context.Canceled {
		t.Error(err)
	}
}
