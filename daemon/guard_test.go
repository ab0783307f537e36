package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/control"
	"helpdesk/mail"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

// newTestAccount is a guard whose settings do not change.
func newTestAccount(subject string, s *store.Store, now func() time.Time, wait func(context.Context, time.Duration, <-chan struct{}) error) *account {
	return &account{
		subject: subject, hash: func() (string, error) { return "same", nil }, store: s, now: now, wait: wait,
		log: slog.New(slog.DiscardHandler), kick: make(chan struct{}, 1),
	}
}

const wrongPassword = "[AUTHENTICATIONFAILED] Invalid credentials (Failure)"

// A password that worked is tried again more and more seldom, and a restart of
// the daemon gives no further attempt.
func TestRefusedAfterItWorked(t *testing.T) {
	t.Parallel()
	n := newInstallation(t)
	n.worked()
	before := n.imap.count()
	n.imap.set(wrongPassword)
	n.day()
	if tries := n.imap.count() - before; tries < 5 || tries > 12 {
		t.Errorf("%d attempts in 24 hours, want 5 to 12", tries)
	}
	if p := n.mailbox(); p.State != stateFailing || p.Cause != "auth-bad-credentials" || len(p.Remedy) == 0 || p.NextPoll.IsZero() {
		t.Errorf("the mailbox is shown as %+v", p)
	}
	// A success clears it.
	n.imap.set("")
	n.works(6 * time.Hour)
	at := n.imap.count()
	n.imap.set(wrongPassword)
	n.clock.run(t, 10*time.Minute, 1)
	n.clock.settled(t, 1)
	if tries := n.imap.count() - at; tries != 3 {
		t.Errorf("%d attempts within 10 minutes after it worked once more, want 3", tries)
	}
}

// A password that never worked is tried once; so is one that worked where the
// cause says that a person must act. The page says what to do.
func TestStops(t *testing.T) {
	for _, c := range []struct {
		name, words, cause string
		worked             bool
	}{
		{"never worked", wrongPassword, "auth-bad-credentials", false},
		{"never worked, words that nobody knows", "[AUTHENTICATIONFAILED] zzyzx", "auth-bad-credentials", false},
		{"web login", "[ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)", "auth-web-login-required", true},
		{"app password", "[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)", "auth-app-password-required", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := newInstallation(t)
			if c.worked {
				n.worked()
			}
			before := n.imap.count()
			n.imap.set(c.words)
			if !c.worked {
				n.start()
			}
			n.day()
			if tries := n.imap.count() - before; tries != 1 {
				t.Errorf("%d attempts in 24 hours, want 1", tries)
			}
			p := n.mailbox()
			if p.State != stateStopped || p.Cause != c.cause || len(p.Remedy) == 0 || !strings.Contains(strings.Join(p.Remedy, " "), "does not sign in any more") {
				t.Errorf("the mailbox is shown as %+v", p)
			}
		})
	}
}

// Another content of the password's file gives one attempt, without a restart;
// the same content, or a file that is gone for a moment, gives none.
func TestStopEndsWithTheSettings(t *testing.T) {
	t.Parallel()
	n := newInstallation(t)
	n.imap.set(wrongPassword)
	n.start()
	n.clock.run(t, 10*time.Minute, 1)
	n.password("secret")
	n.clock.run(t, 10*time.Minute, 1)
	if err := os.Rename(filepath.Join(n.dir, "password"), filepath.Join(n.dir, "away")); err != nil {
		t.Fatal(err)
	}
	n.clock.run(t, 10*time.Minute, 1)
	n.password("secret")
	n.clock.run(t, 10*time.Minute, 1)
	if tries := n.imap.count(); tries != 1 {
		t.Fatalf("%d attempts with one password, want 1", tries)
	}
	n.password("another")
	n.clock.run(t, time.Minute, 1)
	n.clock.settled(t, 1)
	if tries := n.imap.count(); tries != 2 {
		t.Errorf("%d attempts within a minute of the new password, want 1", tries-1)
	}
	n.clock.run(t, 12*time.Hour, 1)
	if tries := n.imap.count(); tries != 2 {
		t.Errorf("%d attempts with the new password, want 1", tries-1)
	}
	n.imap.set("")
	n.password("right")
	n.works(10 * time.Minute)
}

// A person's test that goes well ends a stop at once; one that is refused counts
// as the one attempt.
func TestStopEndsWithATest(t *testing.T) {
	t.Parallel()
	n := newInstallation(t)
	n.imap.set(wrongPassword)
	n.start()
	n.until("the mailbox is stopped", func() bool { return n.mailbox().State == stateStopped })
	client, err := control.Dial(filepath.Join(n.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	tell := func(err error) {
		t.Helper()
		tested, ok := NewTested("mailbox:SUP", err)
		if !ok {
			t.Fatalf("%v is no result of a test", err)
		}
		if err := client.Call(t.Context(), "POST", TestedPath, tested, nil); err != nil {
			t.Fatal(err)
		}
	}
	tell(&mail.Error{Protocol: "imap", Server: "x:993", Step: mail.StepLogin, Code: "AUTHENTICATIONFAILED", Text: "Invalid credentials"})
	tell(&mail.Error{Protocol: "imap", Server: "x:993", Step: mail.StepDial, Temporary: true, Err: errors.New("no route")})
	n.clock.run(t, 12*time.Hour, 1)
	if tries := n.imap.count(); tries != 1 || n.mailbox().State != stateStopped {
		t.Errorf("%d attempts after a test that was refused, and the state is %s", tries, n.mailbox().State)
	}
	n.imap.set("")
	tell(nil)
	n.until("the mailbox works after the test", func() bool { return n.mailbox().State == stateOK })
}

// A server that is slow to refuse is not asked once more for each restart that
// hits the moment before its answer.
func TestRestartsWhileTheServerIsSlow(t *testing.T) {
	t.Parallel()
	n := newInstallation(t)
	n.worked()
	before := n.imap.count()
	slow := make(chan struct{})
	defer close(slow)
	n.imap.mu.Lock()
	n.imap.slow = slow
	n.imap.mu.Unlock()
	for len(n.imap.tried) > 0 {
		<-n.imap.tried
	}
	n.imap.set(wrongPassword)
	n.clock.settled(t, 1)
	n.clock.run(t, 10*time.Second, 0) // the pause after the broken connection
	<-n.imap.tried
	n.stop()
	for range 20 {
		n.start()
		n.clock.mu.Lock()
		n.clock.time = n.clock.time.Add(5 * time.Second)
		n.clock.mu.Unlock()
		n.until("it is tried, or waits", func() bool {
			n.clock.mu.Lock()
			defer n.clock.mu.Unlock()
			return len(n.clock.waiters) > 0 || len(n.imap.tried) > 0
		})
		for len(n.imap.tried) > 0 {
			<-n.imap.tried
		}
		n.stop()
	}
	if tries := n.imap.count() - before; tries > 4 {
		t.Errorf("%d attempts by 20 restarts within two minutes, want at most 4", tries)
	}
}

// What a failure says about name and password.
func TestJudgeSignIn(t *testing.T) {
	for _, c := range []struct {
		name string
		err  mail.Error
		want signIn
	}{
		{"wrong password", mail.Error{Protocol: "imap", Step: mail.StepLogin, Code: "AUTHENTICATIONFAILED", Text: "Invalid credentials"}, signInRefused},
		{"wrong password at a relay", mail.Error{Protocol: "smtp", Step: mail.StepLogin, Code: "535", Enhanced: "5.7.8", Text: "authentication failed"}, signInRefused},
		{"no clear words", mail.Error{Protocol: "imap", Step: mail.StepLogin, Text: "zzyzx"}, signInRefused},
		{"no clear words, for the moment", mail.Error{Protocol: "imap", Step: mail.StepLogin, Text: "zzyzx", Temporary: true}, signInDoubtful},
		{"nobody looked at it", mail.Error{Protocol: "imap", Step: mail.StepLogin, Code: "UNAVAILABLE", Text: "Temporary authentication failure", Temporary: true}, signInPasses},
		{"nobody looked at it, relay", mail.Error{Protocol: "smtp", Step: mail.StepLogin, Code: "454", Enhanced: "4.7.0", Text: "Temporary authentication failure", Temporary: true}, signInPasses},
		{"the connection broke", mail.Error{Protocol: "imap", Step: mail.StepLogin, Temporary: true, Err: errors.New("EOF")}, signInPasses},
		{"out of reach", mail.Error{Protocol: "imap", Step: mail.StepDial, Temporary: true, Err: errors.New("refused")}, signInPasses},
		{"the login limit", mail.Error{Protocol: "pop3", Server: "outlook.office365.com:995", Step: mail.StepLogin, Text: "Exceeded the login limit for a 15 minute period. Reduce the frequency of requests to the POP3 server."}, signInLimited},
		{"too many connections", mail.Error{Protocol: "imap", Step: mail.StepLogin, Code: "LIMIT", Text: "Too many simultaneous connections. (Failure)", Temporary: true}, signInLimited},
		{"a revoked permission", mail.Error{Protocol: "oauth", Step: mail.StepToken, Auth: "oauth2", Code: "invalid_grant", Text: "AADSTS50173: The provided grant has expired due to it being revoked"}, signInStops},
		{"basic authentication off", mail.Error{Protocol: "smtp", Server: "smtp.office365.com:587", Step: mail.StepLogin, Auth: "password", Code: "535", Enhanced: "5.7.139", Text: "Authentication unsuccessful, basic authentication is disabled."}, signInStops},
		{"a folder", mail.Error{Protocol: "imap", Step: mail.StepSelect, Code: "NONEXISTENT", Text: "Unknown Mailbox: x"}, signInPasses},
		{"a recipient", mail.Error{Protocol: "smtp", Step: mail.StepRcptTo, Code: "550", Enhanced: "5.1.1", Text: "user unknown"}, signInPasses},
	} {
		d := diagnose.Explain(&c.err, "")
		if got := judgeSignIn(&c.err, d); got != c.want {
			t.Errorf("%s: judged as %d, want %d (cause %s, retry %s)", c.name, got, c.want, d.Cause, d.Retry)
		}
	}
}

// Too many connections lead to fewer: for an hour ours is not held between the
// looks for mail, and then it is again.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	n := newInstallation(t)
	n.imap.set("Too many simultaneous connections. (Failure)")
	n.start()
	n.clock.settled(t, 1)
	if p := n.mailbox(); p.Cause != causeConnections || p.State == stateStopped {
		t.Errorf("the mailbox is shown as %+v", p)
	}
	n.imap.set("")
	began := n.clock.now()
	n.works(10 * time.Minute)
	if took := n.clock.now().Sub(began); took < 3*time.Minute {
		t.Errorf("it was tried again after %s", took)
	}
	open := func() int {
		n.imap.mu.Lock()
		defer n.imap.mu.Unlock()
		return len(n.imap.conns)
	}
	n.clock.settled(t, 1) // a connection that is held waits for the server, not for the clock
	n.until("the connection is closed", func() bool { return open() == 0 })
	before := n.imap.count()
	n.clock.run(t, 40*time.Minute, 1)
	n.clock.settled(t, 1)
	if looks := n.imap.count() - before; looks < 6 || looks > 9 {
		t.Errorf("%d looks for mail in 40 minutes, want one every 5", looks)
	}
	for n.clock.now().Sub(began) < 2*time.Hour {
		n.clock.run(t, time.Minute, 0)
		if err := wait(t.Context(), 2*time.Millisecond, nil); err != nil {
			t.Fatal(err)
		}
	}
	n.until("the connection is held again", func() bool { return open() == 1 })
}

// `helpdesk status` gets the explanation at length, and its JSON does not have it.
func TestStatusAnswer(t *testing.T) {
	t.Parallel()
	n := newInstallation(t)
	n.imap.set(wrongPassword)
	n.start()
	n.until("the mailbox is stopped", func() bool { return n.mailbox().State == stateStopped })
	client, err := control.Dial(filepath.Join(n.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	var answer StatusAnswer
	if err := client.Call(t.Context(), "GET", StatusPath, nil, &answer); err != nil {
		t.Fatal(err)
	}
	s := answer.Complete()
	if s.Desks[0].Mailbox.Text == "" || s.Desks[0].Mailbox.Text != n.mailbox().Text {
		t.Errorf("the text is %q, want %q", s.Desks[0].Mailbox.Text, n.mailbox().Text)
	}
	if b, err := json.Marshal(s); err != nil || bytes.Contains(b, []byte(s.Desks[0].Mailbox.Text)) {
		t.Errorf("the JSON of the status has the text: %s, %v", b, err)
	}
}
