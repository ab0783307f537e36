package fetch

import (
	"context"
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// TestPOPDelete: a mail is deleted when QUIT was answered with +OK, not before.
func TestPOPDelete(t *testing.T) {
	first := true
	once := func(do func(c *popClient)) func(*popClient, string) bool {
		first = true
		return func(c *popClient, _ string) bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			if !first {
				return false
			}
			first = false
			do(c)
			return true
		}
	}
	hang := func(c *popClient) { c.conn.Close() }
	for _, test := range []struct {
		name    string
		command string
		do      func(c *popClient)
		broken  bool
		left    int // after the attempt that failed
	}{
		{"hung up at DELE", "DELE", hang, true, 2},
		{"hung up at QUIT", "QUIT", hang, true, 2},
		{"QUIT is answered, not heard", "QUIT", func(c *popClient) {
			c.drop = c.drop[1:]
			c.conn.Close()
		}, true, 1},
		{"QUIT refused", "QUIT", func(c *popClient) { c.send("-ERR [SYS/TEMP] some deleted messages not removed"); c.conn.Close() }, false, 2},
		{"DELE refused", "DELE", func(c *popClient) { c.send("-ERR locked") }, false, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := servePOP(t, &popScript{on: map[string]func(*popClient, string) bool{test.command: once(test.do)}}, popLetter{"x", letter(1)}, popLetter{"y", letter(2)})
			set := server.settings()
			s := openPOPWith(t, set)
			err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{1})
			if e := failure(t, err); e.Step != mail.StepAct || s.Broken() != test.broken || len(server.left()) != test.left {
				t.Errorf("%+v, broken %v, %d left", e, s.Broken(), len(server.left()))
			}
			if test.broken {
				s = openPOPWith(t, set)
			}
			if err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{1}); err != nil {
				t.Error(err)
			}
			if left := server.left(); len(left) != 1 || left[0].id != "y" {
				t.Errorf("left are %v", left)
			}
		})
	}
	server := servePOP(t, &popScript{}, popLetter{"x", letter(1)})
	s := server.open()
	if err := s.Acknowledge(t.Context(), Action{Kind: ActionSeen}, []uint32{1}); err == nil {
		t.Error("a mail was marked as seen by POP3")
	}
	if err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{7}); err != nil || len(server.received("QUIT")) != 0 {
		t.Errorf("a mail that is gone: %v, and the session was ended", err)
	}
}

// TestPOPNumbersOfOneSession: after another client deleted a mail, the numbers
// of the next session are others, and the right mails are fetched and deleted.
func TestPOPNumbersOfOneSession(t *testing.T) {
	server := servePOP(t, &popScript{}, popLetter{"x", letter(1)}, popLetter{"y", letter(2)}, popLetter{"z", letter(3)})
	s := server.open()
	if err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{1}); err != nil {
		t.Fatal(err)
	}
	mails, missing, err := []got(nil), []uint32(nil), error(nil)
	missing, err = s.Fetch(t.Context(), []Listed{{UID: 1}, {UID: 3}}, collect(&mails)) // in a session of its own
	if err != nil || !slices.Equal(missing, []uint32{1}) || len(mails) != 1 || mails[0].Text != letter(3) {
		t.Errorf("%v, missing %v, %v", mails, missing, err)
	}
	if err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{1, 2}); err != nil {
		t.Fatal(err)
	}
	if left := server.left(); len(left) != 1 || left[0].id != "z" {
		t.Errorf("left are %v", left)
	}
}

// TestPOPWait: each poll is a session of its own; a server that wants to be
// left alone for longer is; a refused login is an error.
func TestPOPWait(t *testing.T) {
	logins := 0
	server := servePOP(t, &popScript{caps: "UIDL|TOP|USER|LOGIN-DELAY 900 USER", on: map[string]func(*popClient, string) bool{"PASS": func(c *popClient, _ string) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch logins++; logins {
		case 3, 4:
			c.send("-ERR [LOGIN-DELAY] minimum time between mail checks violation")
			return true
		case 7:
			c.send("-ERR [IN-USE] Do you have another POP session running?")
			return true
		}
		return false
	}}})
	s := server.open()
	var pauses []time.Duration
	s.pause = func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d.Round(time.Minute))
		return nil
	}
	if delay := s.State().LoginDelay; delay != 15*time.Minute {
		t.Errorf("LOGIN-DELAY is %s", delay)
	}
	for _, max := range []time.Duration{5 * time.Minute, 20 * time.Minute, 5 * time.Minute} {
		if err := s.Wait(t.Context(), max); err != nil {
			t.Fatal(err)
		}
	}
	want := []time.Duration{15 * time.Minute, 20 * time.Minute, 40 * time.Minute, 80 * time.Minute, 80 * time.Minute}
	if !slices.Equal(pauses, want) {
		t.Errorf("pauses of %v, want %v", pauses, want)
	}
	err := s.Wait(t.Context(), time.Hour)
	if e := failure(t, err); e.Code != "IN-USE" || !e.Temporary || e.Step != mail.StepLogin || !s.Broken() {
		t.Errorf("%+v", e)
	}
	if n := len(server.received("QUIT")); n != 4 {
		t.Errorf("%d sessions were ended by QUIT, want 4", n)
	}
}

// TestPOPWaitEnds: the end of the context and Close end a rest.
func TestPOPWaitEnds(t *testing.T) {
	server := servePOP(t, &popScript{})
	s, err := openPOP(t.Context(), server.settings())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := s.Wait(ctx, long); !errors.Is(err, context.Canceled) || s.Broken() {
		t.Errorf("cancelled: %v", err)
	}
	if list, err := s.List(t.Context(), 1); err != nil || len(list) != 0 {
		t.Errorf("afterwards: %v, %v", list, err)
	}
	time.AfterFunc(20*time.Millisecond, func() { s.Close() })
	if err := s.Wait(t.Context(), long); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := s.List(t.Context(), 1); err == nil {
		t.Error("a closed session lists")
	}
	ended := len(server.received("QUIT"))
	if err := server.open().Close(); err != nil || len(server.received("QUIT")) != ended+1 {
		t.Errorf("Close does not say goodbye: %v", err)
	}
}

// TestPOPNamedAnew: other ids between two sessions of a visit are found by Wait;
// elsewhere the visit is ended, because the numbers at hand mean nothing any more.
func TestPOPNamedAnew(t *testing.T) {
	server := servePOP(t, &popScript{}, popLetter{"x", letter(1)}, popLetter{"y", letter(2)})
	set, known := server.settings(), new(numbers)
	set.Numbers = known.give
	s := openPOPWith(t, set)
	known.again = 1
	if err := s.Wait(t.Context(), time.Hour); err != nil || s.State().UIDValidity != 2 {
		t.Fatalf("%v, %+v", err, s.State())
	}
	if err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{1}); err != nil {
		t.Fatal(err)
	}
	known.again = 2
	if _, err := s.List(t.Context(), 1); !errors.Is(err, errNewIDs) || !s.Broken() {
		t.Errorf("%v", err)
	}
}

// TestPOPTrace tells the stages by their names, and no password.
func TestPOPTrace(t *testing.T) {
	server := servePOP(t, &popScript{greeting: "+OK Gpop ready for requests"}, popLetter{"x", letter(1)})
	var steps []string
	facts := map[string]string{}
	set := server.settings()
	set.Trace = &connect.Trace{End: func(stage connect.Stage) {
		steps = append(steps, stage.Step)
		for _, f := range stage.Facts {
			facts[stage.Step+" "+f.Name] = f.Value
		}
		if stage.Err != nil || strings.Contains(stage.Said, "s3cret") {
			t.Errorf("%+v", stage)
		}
	}}
	s := openPOPWith(t, set)
	if _, _, err := wholeDrop(t, s); err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{1}); err != nil {
		t.Fatal(err)
	}
	want := []string{mail.StepResolve, mail.StepDial, mail.StepGreeting, mail.StepCapabilities, mail.StepLogin, mail.StepSelect, mail.StepFetch, mail.StepAct}
	if steps = slices.DeleteFunc(steps, func(s string) bool { return s == mail.StepResolve }); !reflect.DeepEqual(steps, want[1:]) {
		t.Errorf("stages %v", steps)
	}
	for name, value := range map[string]string{"login mechanism": "PLAIN", "select unique-ids": "UIDL", "select messages": "1", "capabilities offers": "UIDL, TOP, USER, SASL PLAIN, RESP-CODES"} {
		if facts[name] != value {
			t.Errorf("%s is %q, want %q", name, facts[name], value)
		}
	}
	if !s.State().Partial {
		t.Error("Gmail is not known to list a part at a time")
	}
}

// TestPOPOldSnapshot: a session that lasts long lists from a new one after a
// while, so that new mail does not wait for the end of it.
func TestPOPOldSnapshot(t *testing.T) {
	server := servePOP(t, &popScript{}, popLetter{"x", letter(1)})
	s := server.open()
	server.deliver(popLetter{"y", letter(2)})
	for _, want := range []int{1, 2} {
		if list, err := s.List(t.Context(), 1); err != nil || len(list) != want {
			t.Errorf("%v, %v; want %d mails", list, err, want)
		}
		s.loggedIn = s.loggedIn.Add(-snapshotAge)
	}
}
