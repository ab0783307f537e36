package daemon

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	ourmail "helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
	"helpdesk/store"
	"helpdesk/ui"
)

const outage = "[UNAVAILABLE] Temporary authentication failure"

// alarmInstallation is an installation with an administrator and a relay.
type alarmInstallation struct {
	*installation
	relay *loopback.Server
	rcpt  atomic.Value // func(from, to string) error
	loops int          // of the alarms and the relays
	seen  int          // mails of the administrator that the test has read
}

func newAlarmInstallation(t *testing.T) *alarmInstallation {
	t.Helper()
	a := &alarmInstallation{installation: newInstallation(t), loops: 2}
	a.rcpt.Store(func(string, string) error { return nil })
	a.relay = newRelay(t, loopback.Options{OnRcpt: func(from, to string) error { return a.rcpt.Load().(func(string, string) error)(from, to) }})
	a.more = "admin = \"admin@example.com\"\nnotify.weekly = false"
	a.installation.relay = relayLines(a.relay)
	return a
}

func newRelay(t *testing.T, o loopback.Options) *loopback.Server {
	t.Helper()
	s, err := loopback.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.AddUser("admin@example.com", "secret")
	s.AddUser("relay@example.com", "secret")
	return s
}

func relayLines(s *loopback.Server) string {
	return fmt.Sprintf("host = %q\nport = %d\nsecurity = \"none\"\nusername = \"relay@example.com\"\npassword = \"secret\"\n", s.SMTP.Host, s.SMTP.Port)
}

// both waits until mailbox and relay work.
func (a *alarmInstallation) both() {
	a.t.Helper()
	a.start()
	a.until("mailbox and relay work", func() bool { d := a.desk(); return d.Mailbox.State == stateOK && d.Relay.State == stateOK })
}

// mails are how many mails the administrator has.
func (a *alarmInstallation) mails(s *loopback.Server) int {
	a.t.Helper()
	list, err := s.Messages("admin@example.com", "INBOX")
	if err != nil {
		a.t.Fatal(err)
	}
	return len(list)
}

// next waits for the administrator's next mail.
func (a *alarmInstallation) next(s *loopback.Server) (*mail.Message, string) {
	a.t.Helper()
	a.seen++
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	list, err := s.WaitMessages(ctx, "admin@example.com", "INBOX", a.seen)
	if err != nil {
		a.t.Fatal(err)
	}
	raw := list[a.seen-1].Raw
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		a.t.Fatal(err)
	}
	return m, textOf(a.t, raw)
}

// pass lets time go by. The loops of the alarms and of the relays wait whenever
// there is nothing to do, and so do those of failing mailboxes.
func (a *alarmInstallation) pass(d time.Duration, failing int) {
	a.t.Helper()
	a.clock.run(a.t, d, a.loops+failing)
	a.clock.settled(a.t, a.loops+failing)
}

// recovered makes the mailbox work again and lets the daemon find out.
func (a *alarmInstallation) recovered() {
	a.t.Helper()
	a.imap.set("")
	a.works(10 * time.Minute)
}

// A blip is no alarm; what lasts is one mail, and its end another, whatever is
// restarted meanwhile.
func TestAlarm(t *testing.T) {
	t.Parallel()
	a := newAlarmInstallation(t)
	a.both()
	a.imap.set(outage)
	a.pass(time.Minute, 1)
	if p := a.mailbox(); p.State != stateWaiting || p.Cause == "" || p.Title == "" {
		t.Errorf("after a minute the mailbox is shown as %+v", p)
	}
	a.recovered()
	a.pass(time.Hour, 0)
	if n := a.mails(a.relay); n != 0 {
		t.Fatalf("a blip is told in %d mails", n)
	}
	a.imap.set(outage)
	began := a.clock.now()
	a.pass(4*time.Minute, 1)
	if p := a.mailbox(); p.State != stateFailing || p.Since.Sub(began) > time.Minute {
		t.Errorf("after four minutes the mailbox is shown as %+v", p)
	}
	m, text := a.next(a.relay)
	if h := m.Header; h.Get("Auto-Submitted") != "auto-generated" || h.Get("X-Helpdesk-Loop") == "" || !strings.Contains(h.Get("From"), "support@example.com") ||
		!strings.Contains(h.Get("Subject"), "not working") || !strings.Contains(h.Get("Subject"), "Support") || h.Get("To") != "<admin@example.com>" && h.Get("To") != "admin@example.com" {
		t.Errorf("the mail's header is %v", h)
	}
	for _, want := range []string{"Support: mailbox", "127.0.0.1:", began.Format("2006-01-02 15:04"), "What to do", "1. ", "Temporary authentication failure", a.info.PageURL} {
		if !strings.Contains(text, want) {
			t.Errorf("the mail does not say %q:\n%s", want, text)
		}
	}
	for range 3 {
		a.stop()
		a.start()
		a.pass(30*time.Minute, 1)
	}
	if n := a.mails(a.relay); n != 1 {
		t.Fatalf("one failure was told in %d mails", n)
	}
	a.recovered()
	m, text = a.next(a.relay)
	if !strings.Contains(m.Header.Get("Subject"), "works again") || !strings.Contains(text, began.Format("2006-01-02 15:04")) || strings.Contains(text, "could not tell you") {
		t.Errorf("the second mail is %v\n%s", m.Header, text)
	}
	a.pass(time.Hour, 0)
	a.stop()
	a.both()
	a.pass(time.Hour, 0)
	if n := a.mails(a.relay); n != 2 {
		t.Errorf("failure and end were told in %d mails", n)
	}
	if s, err := a.info.Status(t.Context()); err != nil || len(s.Warnings) != 0 {
		t.Errorf("the page warns: %v %v", s.Warnings, err)
	}
	log := a.logged()
	if n := strings.Count(log, "msg=failing"); n > 9 || !strings.Contains(log, "it failed the same way again") {
		t.Errorf("the failures are logged %d times:\n%s", n, log)
	}
}

// Where a person must act it is told at once, in the language of the
// configuration.
func TestAlarmAtOnce(t *testing.T) {
	t.Parallel()
	a := newAlarmInstallation(t)
	a.more += "\nlanguage = \"ja\""
	a.imap.set(wrongPassword)
	a.start()
	a.until("the mailbox is stopped", func() bool { d := a.desk(); return d.Mailbox.State == stateStopped && d.Relay.State == stateOK })
	a.pass(time.Minute, 1)
	m, text := a.next(a.relay)
	if !strings.Contains(decoded(m.Header.Get("Subject")), "動作していません") || !strings.Contains(text, "Invalid credentials") || !strings.Contains(text, "ログインを停止しています") {
		t.Errorf("the mail is %q\n%s", decoded(m.Header.Get("Subject")), text)
	}
	t.Log(text)
}

// While no relay works the page says that the administrator does not know; when
// it works again one mail tells both.
func TestAlarmOfTheRelay(t *testing.T) {
	t.Parallel()
	a := newAlarmInstallation(t)
	a.both()
	// Mailbox and relay have one password, and it is changed at the provider.
	a.relay.AddUser("relay@example.com", "changed")
	a.imap.set(outage)
	a.pass(10*time.Minute, 1)
	if p := a.desk().Relay; p.State != stateFailing || p.Cause != "auth-bad-credentials" {
		t.Errorf("the relay is shown as %+v", p)
	}
	a.pass(10*time.Minute, 1)
	s, err := a.info.Status(t.Context())
	if err != nil || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "could not be told by mail") {
		t.Errorf("the page warns: %q, %v", s.Warnings, err)
	}
	a.stop()
	a.start()
	a.relay.AddUser("relay@example.com", "secret")
	a.imap.set("")
	for range 300 {
		if d := a.desk(); d.Mailbox.State == stateOK && d.Relay.State == stateOK {
			break
		}
		a.pass(time.Minute, 0)
	}
	a.pass(20*time.Minute, 0)
	m, text := a.next(a.relay)
	if !strings.Contains(m.Header.Get("Subject"), "works again") || !strings.Contains(text, "Support: sending") || !strings.Contains(text, "Support: mailbox") || strings.Count(text, "could not tell you earlier") != 2 {
		t.Errorf("the mail is %v\n%s", m.Header, text)
	}
	t.Log(text)
	a.pass(time.Hour, 0)
	if n := a.mails(a.relay); n != 1 {
		t.Errorf("it was told in %d mails, want one that tells both", n)
	}
	if s, err := a.info.Status(t.Context()); err != nil || len(s.Warnings) != 0 {
		t.Errorf("afterwards the page warns: %q, %v", s.Warnings, err)
	}
}

// What fails beside a relay that works is told through that one.
func TestAlarmThroughAnotherRelay(t *testing.T) {
	t.Parallel()
	a := newAlarmInstallation(t)
	a.loops++
	other, second := newRelay(t, loopback.Options{}), newFakeIMAP(t)
	a.desks = fmt.Sprintf(`
[[desk]]
name = "Sales"
key = "SAL"
address = "sales@example.com"
agents = ["aki@example.com"]
  [desk.mailbox]
  host = "127.0.0.1"
  port = %d
  security = "none"
  username = "sales@example.com"
  password_file = "password"
  [desk.relay]
  %s`, second.port(), relayLines(other))
	a.both()
	a.until("the second relay works", func() bool {
		s, err := a.info.Status(t.Context())
		return err == nil && s.Desks[1].Relay.State == stateOK
	})
	a.relay.AddUser("relay@example.com", "changed")
	a.imap.set(outage)
	a.pass(20*time.Minute, 1)
	_, text := a.next(other)
	for !strings.Contains(text, "Support: mailbox") || !strings.Contains(text, "Support: sending") {
		var more string
		a.pass(10*time.Minute, 1)
		_, more = a.next(other)
		text += more
	}
	if s, err := a.info.Status(t.Context()); err != nil || len(s.Warnings) != 0 {
		t.Errorf("the page warns: %q, %v", s.Warnings, err)
	}
	a.pass(12*time.Hour, 1)
	if n := a.mails(other); n > 2 || a.mails(a.relay) != 0 {
		t.Errorf("it was told in %d and %d mails", n, a.mails(a.relay))
	}
}

// A mail to the administrator that is refused is a warning on the page and no
// further mail.
func TestAlarmIsRefused(t *testing.T) {
	t.Parallel()
	a := newAlarmInstallation(t)
	var tries atomic.Int32
	a.rcpt.Store(func(string, string) error {
		tries.Add(1)
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such administrator"}
	})
	a.both()
	a.imap.set(outage)
	a.pass(24*time.Hour, 1)
	s, err := a.info.Status(t.Context())
	if err != nil || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "no such administrator") || tries.Load() != 1 || s.Desks[0].Relay.State != stateOK {
		t.Errorf("%d attempts, the relay is %s, the page warns: %q, %v", tries.Load(), s.Desks[0].Relay.State, s.Warnings, err)
	}
	// The next news is tried, and clears the warning.
	a.rcpt.Store(func(string, string) error { return nil })
	a.recovered()
	a.pass(10*time.Minute, 0)
	a.next(a.relay)
	a.pass(10*time.Minute, 0)
	if s, err := a.info.Status(t.Context()); err != nil || len(s.Warnings) != 0 {
		t.Errorf("the page warns: %q, %v", s.Warnings, err)
	}
}

// A mailbox that fails and works in turns does not fill the administrator's.
func TestAlarmOfAFlappingMailbox(t *testing.T) {
	t.Parallel()
	a := newAlarmInstallation(t)
	a.both()
	began := a.clock.now()
	for range 60 {
		a.imap.set(outage)
		a.pass(3*time.Minute+30*time.Second, 1)
		a.recovered()
	}
	a.pass(20*time.Minute, 0)
	if took, n := a.clock.now().Sub(began), a.mails(a.relay); n > alarmsHour*(int(took/time.Hour)+1) || n > alarmsDay || n < alarmsHour {
		t.Errorf("%d mails within %s", n, took)
	}
}

// A server's certificate that ends within 30 days is called to mind.
func TestCertificateWarning(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	stage := func(days ...int) connect.Stage {
		s := connect.Stage{TLS: &connect.TLSFacts{}}
		for i, n := range days {
			s.TLS.Chain = append(s.TLS.Chain, connect.CertificateFacts{Subject: fmt.Sprintf("cert%d.example.com", i), Expiry: now.Add(time.Duration(n) * 24 * time.Hour)})
		}
		return s
	}
	var c certificates
	name := func(string) string { return "Support: mailbox" }
	for _, one := range []struct {
		days []int
		want string // "": no warning
	}{
		{[]int{31, 400}, ""},
		{[]int{29, 400}, "cert0.example.com"},
		{[]int{90, 12}, "vouches"},
		{[]int{90, 400}, ""}, // it was renewed
	} {
		c.noteFor("mailbox:1")(stage(one.days...))
		for _, lang := range []string{"en", "ja"} {
			list := c.warnings(now, name, lang)
			if one.want == "" && len(list) != 0 || one.want != "" && (len(list) != 1 || lang == "en" && !strings.Contains(list[0], one.want) || !strings.Contains(list[0], "Support: mailbox")) {
				t.Errorf("%v days: %q", one.days, list)
			}
		}
	}
	c.noteFor("mailbox:1")(connect.Stage{Step: "login"})
	var none *certificates
	if none.noteFor("x") != nil {
		t.Error("nobody to tell is told")
	}
}

// The state of a desk's relay is that of its sender where only that is refused.
func TestSenderIsShownWithTheDesk(t *testing.T) {
	t.Parallel()
	a := newAlarmInstallation(t)
	a.both()
	a.rcpt.Store(func(_, to string) error {
		if to != "admin@example.com" {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 60}, Message: "Client does not have permissions to send as this sender"}
		}
		return nil
	})
	line := store.OutboxLine{DeskID: 1, Event: "received", To: ourmail.Address{Address: "taro@customer.test"}, MessageID: "x@example.com"}
	if err := a.info.Store.Write(t.Context(), func(tx *store.Tx) error { return queueReceived(tx, &line, a.clock.now()) }); err != nil {
		t.Fatal(err)
	}
	a.stop()
	a.start()
	var p ui.PartStatus
	a.until("the sender is refused", func() bool { p = a.desk().Relay; return p.Cause != "" })
	if p.Cause != "smtp-sender-not-permitted" || p.State != stateFailing || len(p.Remedy) == 0 {
		t.Errorf("the relay is shown as %+v", p)
	}
}

// queueReceived queues an acknowledgement.
func queueReceived(tx *store.Tx, l *store.OutboxLine, now time.Time) error {
	key, err := tx.NextKey("SUP")
	if err != nil {
		return err
	}
	r := store.Request{DeskID: l.DeskID, Key: key, Subject: "Hello", State: store.StateOpen, Requester: l.To, Created: now, Updated: now}
	if err := tx.AddRequest(&r); err != nil {
		return err
	}
	m := store.Message{RequestID: r.ID, Kind: store.KindCustomer, From: l.To, At: now, Text: "Hello"}
	if err := tx.AddMessage(&m); err != nil {
		return err
	}
	l.RequestID, l.MessageRow, l.CreatedAt, l.NextAt = r.ID, m.ID, now, now
	return tx.Queue(l)
}

func decoded(header string) string {
	text, err := new(mime.WordDecoder).DecodeHeader(header)
	if err != nil {
		return header
	}
	return text
}

// textOf is the plain text of a mail.
func textOf(t *testing.T, raw []byte) string {
	t.Helper()
	m, err := ourmail.Parse(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m.Text
}

// The certificate that a relay shows is known from the daily work.
func TestCertificateOfTheRelay(t *testing.T) {
	t.Parallel()
	a := newAlarmInstallation(t)
	relay := newRelay(t, loopback.Options{TLS: true}) // its certificate is good for 30 days
	a.clock.time = time.Now().Add(-24 * time.Hour)
	file := filepath.Join(a.dir, "relay.pem")
	if err := os.WriteFile(file, relay.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	a.more += fmt.Sprintf("\n[[trust]]\nname = \"relay\"\nfile = %q\n", file)
	a.installation.relay = strings.Replace(relayLines(relay), `"none"`, `"starttls"`, 1)
	a.both()
	s, err := a.info.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = "certificate of the mail server"
	if strings.Contains(strings.Join(s.Warnings, "\n"), want) {
		t.Errorf("31 days before its end: %q", s.Warnings)
	}
	a.clock.run(t, 3*24*time.Hour, 2)
	if s, err := a.info.Status(t.Context()); err != nil || !strings.Contains(strings.Join(s.Warnings, "\n"), want) || !strings.Contains(strings.Join(s.Warnings, "\n"), "28 days") {
		t.Errorf("28 days before its end: %q, %v", s.Warnings, err)
	}
}
