package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/mail/loopback"
	"helpdesk/ui"
)

const trialConfig = `data_dir = "data"
[relay]
host = "127.0.0.1"
port = %d
security = "none"
username = "support@example.com"
password = "secret"
[[desk]]
name = "Support"
key = "SUP"
address = "support@example.com"
  [desk.mailbox]
  host = "127.0.0.1"
  port = %d
  security = "none"
  username = "support@example.com"
  password = "secret"
  canary = "1h"
`

// bout is servers, an engine and what it told.
type bout struct {
	*loopback.Server
	*Trials
	t     *testing.T
	told  []string // "section", "+step" for a begin, "-step" or "!step" for an end, "note:slug", "trouble:cause"
	notes []ui.Note
	found map[string]error
}

func newBout(t *testing.T, options loopback.Options) *bout {
	t.Helper()
	servers, err := loopback.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { servers.Close() })
	for _, who := range []string{"support@example.com", "taro@customer.test"} {
		servers.AddUser(who, "secret")
	}
	b := &bout{Server: servers, t: t, found: make(map[string]error)}
	b.configure(fmt.Sprintf(trialConfig, servers.SMTP.Port, servers.IMAP.Port))
	return b
}

func (b *bout) configure(text string) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "helpdesk.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil || config.Refused(faults) {
		b.t.Fatalf("%v %v", err, faults)
	}
	b.Trials, err = NewTrials(b.t.Context(), TrialOptions{Config: c, Version: "test", Found: func(_ context.Context, part string, err error) { b.found[part] = err }})
	if err != nil {
		b.t.Fatal(err)
	}
	b.patience = 300 * time.Millisecond
}

func (b *bout) test(o ui.TestOrder) error {
	b.told, b.notes = nil, nil
	return b.Run(b.t.Context(), o, func(e ui.TestEvent) {
		switch {
		case e.Section != nil:
			b.told = append(b.told, e.Section.Kind)
		case e.Begin != "":
			b.told = append(b.told, "+"+e.Begin)
		case e.Stage != nil && e.Stage.Failed:
			b.told = append(b.told, "!"+e.Stage.Step)
		case e.Stage != nil:
			b.told = append(b.told, "-"+e.Stage.Step)
		case e.Trouble != nil:
			b.told = append(b.told, "trouble:"+e.Trouble.Cause)
		case e.Note != nil:
			b.told = append(b.told, "note:"+e.Note.Slug)
			b.notes = append(b.notes, *e.Note)
		}
	})
}

// wellOrdered reports whether each stage ended before the next began.
func wellOrdered(told []string) bool {
	open := ""
	for _, word := range told {
		switch word[0] {
		case '+':
			if open != "" {
				return false
			}
			open = word[1:]
		case '-', '!':
			if open != word[1:] {
				return false
			}
			open = ""
		}
	}
	return open == ""
}

func (b *bout) steps() string {
	var steps []string
	for _, word := range b.told {
		if word[0] != '+' {
			steps = append(steps, strings.TrimPrefix(word, "-"))
		}
	}
	return strings.Join(steps, " ")
}

func TestTrialOfMailbox(t *testing.T) {
	b := newBout(t, loopback.Options{})
	if err := b.Deliver("support@example.com", []byte("From: a@b\r\nSubject: x\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := b.test(ui.TestOrder{Part: "mailbox:SUP"}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"mailbox ", " dial ", " greeting ", " login ", " select ", " fetch ", " act ", " note:mailbox-works"} {
		if !strings.Contains(b.steps(), step) {
			t.Errorf("%q is missing in %s", step, b.steps())
		}
	}
	if !wellOrdered(b.told) {
		t.Errorf("told out of order: %v", b.told)
	}
	if err, known := b.found["mailbox:SUP"]; !known || err != nil {
		t.Errorf("found %v", b.found)
	}
	if mails, err := b.Messages("support@example.com", "INBOX"); err != nil || len(mails) != 1 || slices.Contains(mails[0].Flags, `\Seen`) {
		t.Errorf("the test changed the mailbox: %v %v", mails, err)
	}
	if n := b.Counts().IMAPLogins; n != 1 {
		t.Errorf("%d log-ins", n)
	}
}

// A refused log-in is explained, and is one attempt only.
func TestTrialOfWrongPassword(t *testing.T) {
	b := newBout(t, loopback.Options{})
	for part, count := range map[string]func(loopback.Counts) int64{
		"mailbox:SUP": func(c loopback.Counts) int64 { return c.IMAPRefused },
		"relay":       func(c loopback.Counts) int64 { return c.SMTPRefused },
	} {
		b.AddUser("support@example.com", "another")
		err := b.test(ui.TestOrder{Part: part})
		var e *mail.Error
		if !errors.As(err, &e) || e.Step != mail.StepLogin {
			t.Fatalf("%s: %v", part, err)
		}
		if n := count(b.Counts()); n != 1 {
			t.Errorf("%s: %d attempts", part, n)
		}
		if !strings.HasSuffix(b.steps(), "!login trouble:auth-bad-credentials") || !wellOrdered(b.told) {
			t.Errorf("%s: told %v", part, b.told)
		}
		if !errors.As(b.found[part], &e) {
			t.Errorf("%s: found %v", part, b.found)
		}
	}
	// A round trip that is not let into the mailbox sends nothing.
	if err := b.test(ui.TestOrder{Part: "mailbox:SUP", RoundTrip: true}); err == nil || b.Counts().SMTPConnections != 1 || b.Counts().Accepted != 0 {
		t.Errorf("%v, %+v", err, b.Counts())
	}
}

func TestTrialOfRelay(t *testing.T) {
	b := newBout(t, loopback.Options{OnRcpt: func(_, to string) error {
		if strings.HasPrefix(to, "nobody") {
			return errors.New("no")
		}
		return nil
	}})
	if err := b.test(ui.TestOrder{Part: "relay"}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(b.steps(), " mail-from rcpt-to note:relay-works") || b.Counts().Accepted != 0 {
		t.Errorf("%s, %+v", b.steps(), b.Counts())
	}
	if err := b.test(ui.TestOrder{Part: "relay", To: "taro@customer.test"}); err != nil {
		t.Fatal(err)
	}
	mails, err := b.Messages("taro@customer.test", "INBOX")
	if err != nil || len(mails) != 1 || !strings.Contains(string(mails[0].Raw), "This is a test message") || !strings.Contains(string(mails[0].Raw), "Auto-Submitted: auto-generated") {
		t.Errorf("the test message: %v %v", err, mails)
	}
	if !strings.HasPrefix(b.steps(), "message ") || !strings.HasSuffix(b.steps(), " data note:message-sent") {
		t.Error(b.steps())
	}
	if err := b.test(ui.TestOrder{Part: "relay", To: "nobody@customer.test"}); err == nil || !strings.Contains(b.steps(), "!rcpt-to trouble:") {
		t.Errorf("%v %s", err, b.steps())
	}
}

func TestTrialOfRoundTrip(t *testing.T) {
	b := newBout(t, loopback.Options{})
	if err := b.Deliver("support@example.com", []byte("From: a@b\r\nSubject: stays\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := b.test(ui.TestOrder{Part: "mailbox:SUP", RoundTrip: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.steps(), "mailbox ") || !strings.HasSuffix(b.steps(), " data round-trip arrived removed note:trip-works") || !wellOrdered(b.told) {
		t.Errorf("told %v", b.told)
	}
	mails, err := b.Messages("support@example.com", "INBOX")
	if err != nil || len(mails) != 1 || !strings.Contains(string(mails[0].Raw), "stays") || b.Counts().Accepted != 1 {
		t.Errorf("%v %v, %+v", err, mails, b.Counts())
	}
	if text := ui.WordsIn("en").TestNote(b.notes[len(b.notes)-1]); strings.ContainsAny(text, "{}") {
		t.Errorf("the note says %s", text)
	}
}

// A relay that accepts the mail and delivers none is found out. What others
// write meanwhile is not taken for it, nor is the report that it was not
// delivered.
func TestTrialOfLostMail(t *testing.T) {
	var b *bout
	b = newBout(t, loopback.Options{OnData: func(_ string, _ []string, data []byte) error {
		_, rest, _ := strings.Cut(string(data), "\r\nSubject: ")
		subject, _, _ := strings.Cut(rest, "\r\n")
		return errors.Join(
			b.Deliver("support@example.com", []byte("From: a@b\r\nMessage-ID: <1@b>\r\nSubject: helpdesk round trip\r\n\r\nx\r\n")),
			b.Deliver("support@example.com", []byte("From: postmaster@b\r\nMessage-ID: <2@b>\r\nSubject: Undeliverable: "+subject+"\r\n\r\nx\r\n")))
	}})
	b.configure(strings.Replace(fmt.Sprintf(trialConfig, b.SMTP.Port, b.IMAP.Port), `address = "support@example.com"`, `address = "taro@customer.test"`, 1))
	err := b.test(ui.TestOrder{Part: "mailbox:SUP", RoundTrip: true})
	var e *mail.Error
	if !errors.As(err, &e) || e.Step != ui.StageArrived || !strings.HasSuffix(b.steps(), "!arrived trouble:round-trip-lost") {
		t.Errorf("%v, told %v", err, b.told)
	}
	if mails, err := b.Messages("support@example.com", "INBOX"); err != nil || len(mails) != 2 {
		t.Errorf("%d mails lie there, %v", len(mails), err)
	}
}

func TestTrialsOneAtATime(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	b := newBout(t, loopback.Options{})
	b.configure(fmt.Sprintf(trialConfig, b.SMTP.Port, silent.Addr().(*net.TCPAddr).Port))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun, ended := make(chan struct{}, 10), make(chan error, 1)
	go func() {
		ended <- b.Run(ctx, ui.TestOrder{Part: "mailbox:SUP"}, func(e ui.TestEvent) {
			if e.Begin == mail.StepGreeting {
				begun <- struct{}{}
			}
		})
	}()
	<-begun
	if err := b.test(ui.TestOrder{Part: "mailbox:SUP"}); !errors.Is(err, ui.ErrTestBusy) {
		t.Errorf("a second test: %v", err)
	}
	if err := b.test(ui.TestOrder{Part: "relay"}); err != nil {
		t.Errorf("a test of another part: %v", err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("nobody looks any more: %v", err)
	}
	if _, told := b.found["mailbox:SUP"]; told {
		t.Errorf("a test that was broken off found %v", b.found)
	}
	if err := b.test(ui.TestOrder{Part: "mailbox:XYZ"}); err == nil {
		t.Error("a desk that is not there was tested")
	}
}

// The canary reports what fails as a part of its own, and stays away from
// servers that are known not to work.
func TestCanary(t *testing.T) {
	b := newBout(t, loopback.Options{})
	i := newIntake(t, "seen")
	r := &runningDesk{conf: &b.config.Desks[0], settings: i.c.desk, relay: "relay"}
	c := &canary{desk: r, every: time.Hour, trials: b.Trials, health: i.c.health, now: time.Now, wait: wait, subject: "canary:1"}
	works := func(works bool) {
		for _, part := range []string{r.mailbox(), r.relay} {
			if works {
				c.health.ok(t.Context(), part, time.Time{})
			} else {
				c.health.fail(t.Context(), part, errors.New("down"), time.Time{})
			}
		}
	}
	check := func(when string, state string, pause time.Duration, mails int64) {
		t.Helper()
		got, err := c.once(t.Context())
		if err != nil || got != pause || c.health.part("canary:1").State != state || b.Counts().Accepted != mails {
			t.Errorf("%s: next in %v, %v, %+v, %d mails sent", when, got, err, c.health.part("canary:1"), b.Counts().Accepted)
		}
	}
	works(false)
	check("servers that do not work", "", canaryAgain, 0)
	works(true)
	check("all is well", stateOK, time.Hour, 1)
	if len(b.found) != 0 {
		t.Errorf("a success was told: %v", b.found)
	}
	b.config.Desks[0].Address = "taro@customer.test" // the mail goes elsewhere from now on
	check("the mail is lost", stateFailing, canaryAgain, 2)
	if p := c.health.part("canary:1"); p.Step != ui.StageArrived {
		t.Errorf("%+v", p)
	}
	b.config.Desks[0].Address = "support@example.com"
	check("it works again", stateOK, time.Hour, 3)
}
