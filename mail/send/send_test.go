package send

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/emersion/go-smtp"

	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

const bob = "bob@example.net"

func letter() *mail.Outgoing {
	return &mail.Outgoing{
		MessageID: "sup-1.1@desk.example.com", Date: time.Unix(1_800_000_000, 0),
		EnvelopeFrom: "support@example.com", EnvelopeTo: bob,
		From: mail.Address{Address: "support@example.com"}, To: []mail.Address{{Address: bob}},
		Subject: "Hello", Text: "one\n.two\n..\n",
	}
}

func open(t *testing.T, settings Settings) (*Session, error) {
	t.Helper()
	s, err := Open(t.Context(), settings)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func mustOpen(t *testing.T, settings Settings) *Session {
	t.Helper()
	s, err := open(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// relay is a loopback server with a customer, and the settings to use it.
func relay(t *testing.T, options loopback.Options) (*loopback.Server, Settings) {
	t.Helper()
	server, err := loopback.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	server.AddUser(bob, "secret")
	return server, Settings{Anonymous: true, Settings: connect.Settings{
		Host: server.SMTP.Host, Port: server.SMTP.Port, Security: connect.Plain, Roots: server.Pool(), IdleTimeout: 20 * time.Second,
	}}
}

func received(t *testing.T, server *loopback.Server) []loopback.Message {
	t.Helper()
	messages, err := server.Messages(bob, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

func TestSendDeliversOverOneConnection(t *testing.T) {
	server, settings := relay(t, loopback.Options{})
	s := mustOpen(t, settings)
	const size = 3 << 20
	for i := range 3 {
		o := letter()
		if i == 2 {
			o.Files = []mail.File{{Name: "a.bin", Type: "application/octet-stream", Size: size, Write: func(w io.Writer) error {
				_, err := io.CopyN(w, zeros{}, size)
				return err
			}}}
		}
		if err := s.Send(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if !s.Alive(t.Context()) {
			t.Fatal("the session died after a mail that was accepted")
		}
	}
	got := received(t, server)
	if n := server.Counts(); len(got) != 3 || n.SMTPConnections != 1 || n.SMTPLogins != 0 {
		t.Fatalf("%d mails, counts %+v", len(got), n)
	}
	m, err := mail.Parse(strings.NewReader(string(got[0].Raw)))
	if err != nil || m.Text != "one\n.two\n..\n" && m.Text != "one\n.two\n.." || m.MessageID != letter().MessageID {
		t.Errorf("arrived as %+v, %v", m, err)
	}
	m, err = mail.Parse(strings.NewReader(string(got[2].Raw)))
	if err != nil || len(m.Attachments) != 1 || m.Attachments[0].Size != size {
		t.Errorf("arrived as %+v, %v", m, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func expect(t *testing.T, err error, step, code, enhanced string, temporary bool) *mail.Error {
	t.Helper()
	var e *mail.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *mail.Error", err)
	}
	if e.Protocol != "smtp" || e.Server == "" || e.Step != step || e.Code != code || e.Temporary != temporary || enhanced != "" && e.Enhanced != enhanced {
		t.Errorf("got %+v, want step %s, code %q %s, temporary %v", *e, step, code, enhanced, temporary)
	}
	return e
}

// Every command answered in every bad way.
func TestEveryStep(t *testing.T) {
	steps := []struct {
		verb, step string
		opening    bool // the failure is Open's
	}{
		{"GREETING", mail.StepGreeting, true},
		{"EHLO", mail.StepEHLO, true},
		{"STARTTLS", mail.StepStartTLS, true},
		{"AUTH", mail.StepLogin, true},
		{"MAIL", mail.StepMailFrom, false},
		{"RCPT", mail.StepRcptTo, false},
		{"DATA", mail.StepData, false},
		{"DOT", mail.StepData, false},
	}
	faults := []struct {
		answer, code, enhanced, text string
		temporary, alive             bool
	}{
		{"451 4.7.1 Greylisted, come back", "451", "4.7.1", "Greylisted, come back", true, true},
		{"550-5.7.26 Not\r\n550-5.7.26 today,\r\n550 5.7.26 thanks", "550", "5.7.26", "Not today, thanks", false, true},
		{"554 no enhanced code 5.7.1", "554", "", "no enhanced code 5.7.1", false, true},
		{"421 4.3.2 shutting down", "421", "4.3.2", "shutting down", true, false},
		{cut, "", "", "", true, false},
		{silent, "", "", "", true, false},
		{"HTTP/1.1 400 Bad Request", "", "", "", true, false},
		{"250-never\r\n" + strings.Repeat("250-ending\r\n", 1000), "", "", "", true, false},
		{strings.Repeat("250 x", 5000), "", "", "", true, false},
	}
	for _, step := range steps {
		for _, fault := range faults {
			t.Run(step.verb+" "+fault.answer[:min(len(fault.answer), 12)], func(t *testing.T) {
				server := (&script{t: t, answers: map[string]string{step.verb: fault.answer}}).start()
				settings := server.settings
				if fault.answer == silent {
					settings.IdleTimeout = 50 * time.Millisecond
				}
				switch step.verb {
				case "STARTTLS":
					settings.Security = connect.StartTLS
				case "AUTH":
					settings.Anonymous, settings.Username, settings.Password = false, bob, "secret"
				}
				s, err := open(t, settings)
				if !step.opening {
					if err != nil {
						t.Fatal(err)
					}
					err = s.Send(t.Context(), letter())
				}
				e := expect(t, err, step.step, fault.code, fault.enhanced, fault.temporary)
				if e.Text != fault.text {
					t.Errorf("text %q, want %q", e.Text, fault.text)
				}
				var timeout net.Error
				if fault.answer == silent && (!errors.As(err, &timeout) || !timeout.Timeout()) {
					t.Errorf("cause %v, want a time-out", e.Err)
				}
				if strings.HasPrefix(fault.answer, "250-never") && !errors.Is(err, errTooLong) {
					t.Errorf("cause %v, want %v", e.Err, errTooLong)
				}
				if fault.answer == cut && !errors.Is(err, io.EOF) {
					t.Errorf("cause %v, want EOF", e.Err)
				}
				if step.opening {
					return
				}
				if s.Alive(t.Context()) != fault.alive {
					t.Errorf("alive is %v", s.Alive(t.Context()))
				}
				if fault.alive && step.verb != "DOT" && !strings.Contains(server.lines(), "RSET") {
					t.Error("the transaction was not reset")
				}
			})
		}
	}
}

// Once accepted a mail is sent, whatever the connection does afterwards.
func TestAcceptedIsAccepted(t *testing.T) {
	for _, after := range []string{cut, silent, "500 what?", "421 bye"} {
		server := (&script{t: t, answers: map[string]string{"RSET": after, "NOOP": after, "QUIT": after}}).start()
		settings := server.settings
		if after == silent {
			settings.IdleTimeout = 100 * time.Millisecond
		}
		s := mustOpen(t, settings)
		if !s.Alive(t.Context()) {
			t.Error("a new session is not alive")
		}
		if err := s.Send(t.Context(), letter()); err != nil {
			t.Errorf("NOOP %s: %v", after, err)
		}
		if s.Alive(t.Context()) {
			t.Errorf("NOOP %s: still alive", after)
		}
		if err := s.Close(); err != nil {
			t.Errorf("NOOP %s: %v", after, err)
		}
	}
}

// A relay that has read enough says why and closes; its words are not lost.
func TestRefusedInTheMiddleOfTheData(t *testing.T) {
	server := (&script{t: t, answers: map[string]string{"EARLY": "552 5.3.4 Too big"}}).start()
	const size = 8 << 20
	o := letter()
	o.Files = []mail.File{{Name: "a", Write: func(w io.Writer) error { // its size is a lie, else it would not begin
		_, err := io.CopyN(w, zeros{}, size)
		return err
	}}}
	s := mustOpen(t, server.settings)
	if e := expect(t, s.Send(t.Context(), o), mail.StepData, "552", "5.3.4", false); e.Text != "Too big" || s.Alive(t.Context()) {
		t.Errorf("text %q, alive %v", e.Text, s.Alive(t.Context()))
	}
}

func TestLostAnswerIsTemporaryAndWithoutCode(t *testing.T) {
	var sent atomic.Bool // each connection has a goroutine of its own
	server, settings := relay(t, loopback.Options{OnData: func(string, []string, []byte) error {
		if !sent.Swap(true) {
			return loopback.ErrDropDelivered
		}
		return nil
	}})
	s := mustOpen(t, settings)
	expect(t, s.Send(t.Context(), letter()), mail.StepData, "", "", true)
	if s.Alive(t.Context()) {
		t.Error("alive without a connection")
	}
	if err := mustOpen(t, settings).Send(t.Context(), letter()); err != nil {
		t.Fatal(err)
	}
	for _, m := range received(t, server) {
		if !strings.Contains(string(m.Raw), "\r\nMessage-ID: <"+letter().MessageID+">\r\n") {
			t.Errorf("another Message-ID:\n%s", m.Raw)
		}
	}
}

func TestRefusedRecipientLeavesTheSessionUsable(t *testing.T) {
	server, settings := relay(t, loopback.Options{OnRcpt: func(_, to string) error {
		if strings.HasPrefix(to, "slow") {
			return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "Later"}
		}
		return nil
	}})
	s := mustOpen(t, settings)
	gone, slow := letter(), letter()
	gone.EnvelopeTo, slow.EnvelopeTo = "gone@example.net", "slow@example.net"
	e := expect(t, s.Send(t.Context(), gone), mail.StepRcptTo, "550", "5.1.1", false)
	if !strings.Contains(e.Text, "User unknown") {
		t.Errorf("text %q", e.Text)
	}
	expect(t, s.Send(t.Context(), slow), mail.StepRcptTo, "450", "4.2.0", true)
	if err := s.Send(t.Context(), letter()); err != nil {
		t.Error(err)
	}
	if n := server.Counts().SMTPConnections; n != 1 || len(received(t, server)) != 1 {
		t.Errorf("%d connections, %d mails", n, len(received(t, server)))
	}
}

func TestSizeOfTheRelay(t *testing.T) {
	server, settings := relay(t, loopback.Options{MaxSize: 2000})
	s := mustOpen(t, settings)
	if s.MaxSize() != 2000 {
		t.Errorf("MaxSize %d", s.MaxSize())
	}
	o := letter()
	o.Files = []mail.File{{Name: "a", Size: 3000, Write: func(io.Writer) error { return errors.New("read for nothing") }}}
	if err := s.Send(t.Context(), o); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	} else {
		expect(t, err, mail.StepMailFrom, "", "5.3.4", false)
	}
	if err := s.Send(t.Context(), letter()); err != nil || len(received(t, server)) != 1 {
		t.Errorf("the next mail: %v", err)
	}
	for offer, want := range map[string]int64{"SIZE": 0, "SIZE 0": 0, "SIZE x": 0, "size 5": 5, "8BITMIME": 0} {
		server := (&script{t: t, answers: map[string]string{"EHLO": "250-hi\r\n250 " + offer}}).start()
		if got := mustOpen(t, server.settings).MaxSize(); got != want {
			t.Errorf("%s: %d, want %d", offer, got, want)
		}
	}
}

func TestUnwritableMail(t *testing.T) {
	server, settings := relay(t, loopback.Options{})
	s := mustOpen(t, settings)
	recipient, sender, eai, id := letter(), letter(), letter(), letter()
	recipient.EnvelopeTo, sender.EnvelopeFrom, eai.EnvelopeTo, id.MessageID = "bob", "desk", "鈴木@example.net", ""
	expect(t, s.Send(t.Context(), recipient), mail.StepRcptTo, "", "5.1.3", false)
	expect(t, s.Send(t.Context(), sender), mail.StepMailFrom, "", "5.1.7", false)
	expect(t, s.Send(t.Context(), eai), mail.StepRcptTo, "", "5.6.7", false)
	expect(t, s.Send(t.Context(), id), mail.StepData, "", "5.6.0", false)
	if len(received(t, server)) != 0 {
		t.Error("something was delivered")
	}
	server, settings = relay(t, loopback.Options{SMTPUTF8: true})
	server.AddUser("鈴木@example.net", "secret")
	if err := mustOpen(t, settings).Send(t.Context(), eai); err != nil {
		t.Errorf("SMTPUTF8: %v", err)
	}
}

// A mail that cannot be read to its end is not delivered as a half.
func TestUnreadableFile(t *testing.T) {
	ended := make(chan string, 1)
	server := &script{t: t}
	server.seen = func(event string) {
		if event == "." || event == "data broke off" {
			ended <- event
		}
	}
	s := mustOpen(t, server.start().settings)
	o := letter()
	o.Files = []mail.File{{Name: "a", Size: 3, Write: func(io.Writer) error { return io.ErrUnexpectedEOF }}}
	err := s.Send(t.Context(), o)
	if expect(t, err, mail.StepData, "", "", true); !errors.Is(err, io.ErrUnexpectedEOF) || s.Alive(t.Context()) {
		t.Errorf("got %v, alive %v", err, s.Alive(t.Context()))
	}
	if how := <-ended; how != "data broke off" {
		t.Errorf("the data ended with %q", how)
	}
}

func TestWordsOfTheServer(t *testing.T) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String("邮箱不存在")
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]string{
		"550 " + gbk:                 "邮箱不存在",
		"550 5.1.1 ない":               "ない",
		"550 caf\xe9":                "caf?",
		"550 a\x1b[31mb\x00c":        "a [31mb c",
		"550":                        "",
		"550 ":                       "",
		"550-a\r\n550":               "a",
		"550 5.1 2.0.0 x":            "5.1 2.0.0 x",
		"550-first\r\n550 5.7.1 two": "first two",
	} {
		server := (&script{t: t, answers: map[string]string{"RCPT": answer}}).start()
		e := expect(t, mustOpen(t, server.settings).Send(t.Context(), letter()), mail.StepRcptTo, "550", "", false)
		if e.Text != want {
			t.Errorf("%q is %q, want %q", answer, e.Text, want)
		}
	}
}

func TestEnvelopeOnTheWire(t *testing.T) {
	server := (&script{t: t}).start()
	s := mustOpen(t, server.settings)
	o := letter()
	o.EnvelopeFrom, o.EnvelopeTo = "", "a..b.@docomo.ne.jp"
	if err := s.Send(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if want := "MAIL FROM:<> SIZE="; !strings.Contains(server.lines(), want) {
		t.Errorf("no %s in\n%s", want, server.lines())
	}
	if want := "\nRCPT TO:<\"a..b.\"@docomo.ne.jp>\nDATA\n.\n"; !strings.Contains(server.lines()+"\n", want) {
		t.Errorf("no %s in\n%s", want, server.lines())
	}
}

func TestContextEndsASilentConversation(t *testing.T) {
	for _, verb := range []string{"EHLO", "MAIL", "DOT"} {
		ctx, cancel := context.WithCancel(t.Context())
		server := &script{t: t, answers: map[string]string{verb: silent}}
		server.seen = func(seen string) {
			if seen == verb || verb == "DOT" && seen == "DATA" {
				cancel()
			}
		}
		start := time.Now()
		s, err := Open(ctx, server.start().settings)
		if err == nil {
			err = s.Send(ctx, letter())
			if s.Alive(t.Context()) {
				t.Errorf("%s: alive", verb)
			}
		}
		var e *mail.Error
		if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || !e.Temporary {
			t.Errorf("%s: %v", verb, err)
		}
		if waited := time.Since(start); waited > 10*time.Second { // half the allowed silence
			t.Errorf("%s: ended after %v", verb, waited)
		}
	}
}
