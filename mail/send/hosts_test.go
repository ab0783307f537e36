package send

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

const desk = "support@mail.test"

// traced returns settings that record their stages.
func traced(settings Settings) (Settings, *[]connect.Stage) {
	stages := new([]connect.Stage)
	settings.Trace = &connect.Trace{End: func(s connect.Stage) { *stages = append(*stages, s) }}
	return settings, stages
}

// steps are the stages' names, with "!" behind one that failed.
func steps(stages []connect.Stage) string {
	names := make([]string, len(stages))
	for i, s := range stages {
		if names[i] = s.Step; s.Err != nil {
			names[i] += "!"
		}
	}
	return strings.Join(names, " ")
}

// users of the real servers.
var users = []loopback.HostUser{{Address: desk, Password: "s3cret-word"}, {Address: "kunde@customer.test", Password: "x"}}

// to are the settings for a port of a real Postfix.
func to(t *testing.T, h *loopback.Hosts, address string, security connect.Security) Settings {
	t.Helper()
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return Settings{
		Settings: connect.Settings{Host: host, Port: port, Security: security, Roots: h.Pool, IdleTimeout: 20 * time.Second},
		Login:    connect.Login{Username: desk, Password: "s3cret-word"}, Helo: "desk.mail.test",
	}
}

func mailFrom(from, recipient string) *mail.Outgoing {
	o := letter()
	o.EnvelopeFrom, o.EnvelopeTo, o.From = from, recipient, mail.Address{Address: from}
	return o
}

// TestMechanisms signs in to a real Postfix in every way that it offers.
func TestMechanisms(t *testing.T) {
	h := loopback.NeedHosts(t, loopback.HostOptions{Users: users, Mechanisms: "plain login cram-md5 scram-sha-256"})
	for _, test := range []struct {
		security        connect.Security
		auth, mechanism string
	}{
		{connect.TLS, "auto", "SCRAM-SHA-256"},
		{connect.StartTLS, "", "SCRAM-SHA-256"},
		{connect.TLS, "plain", "PLAIN"},
		{connect.TLS, "login", "LOGIN"},
		{connect.TLS, "cram-md5", "CRAM-MD5"},
		{connect.StartTLS, "scram-sha-256", "SCRAM-SHA-256"},
		{connect.Plain, "cram-md5", "CRAM-MD5"},
	} {
		t.Run(fmt.Sprintf("%s %s", test.security, test.auth), func(t *testing.T) {
			address, begin := h.SMTPS, "dial tls greeting ehlo login"
			switch test.security {
			case connect.StartTLS:
				address, begin = h.Submission, "dial greeting ehlo starttls tls ehlo login"
			case connect.Plain:
				address, begin = h.SMTP, "dial greeting ehlo login"
			}
			settings, stages := traced(to(t, h, address, test.security))
			settings.Auth = test.auth
			s := mustOpen(t, settings)
			if err := s.Probe(t.Context(), desk, "kunde@customer.test"); err != nil {
				t.Error(err)
			}
			if err := s.Send(t.Context(), mailFrom(desk, "kunde@customer.test")); err != nil {
				t.Error(err)
			}
			if got := steps(*stages); got != begin+" mail-from rcpt-to mail-from rcpt-to data" {
				t.Errorf("stages %s", got)
			}
			for _, stage := range *stages {
				if stage.Step == mail.StepLogin && (stage.Facts[0].Value != test.mechanism || !strings.Contains(stage.Said, "235 2.7.0")) {
					t.Errorf("%+v, want %s", stage, test.mechanism)
				}
			}
			*stages = nil
			settings.Password = "wr0ng-word"
			_, err := open(t, settings)
			if e := expect(t, err, mail.StepLogin, "535", "5.7.8", false); e.Auth != "password" || steps(*stages) != begin+"!" || (*stages)[len(*stages)-1].Err != e {
				t.Errorf("%+v, stages %s", e, steps(*stages))
			}
			for _, stage := range *stages {
				if strings.Contains(stage.Said, "wr0ng") {
					t.Errorf("%+v", stage)
				}
			}
		})
	}
}

// TestRefusedAtEachCommand by a real Postfix, each in its own stage.
func TestRefusedAtEachCommand(t *testing.T) {
	h := loopback.NeedHosts(t, loopback.HostOptions{Users: users, Faults: true, OwnSender: true, NoOpenRelay: true, MaxSize: 200_000})
	const customer = "kunde@customer.test"
	anonymous := to(t, h, h.SMTP, connect.Plain)
	anonymous.Anonymous = true
	submission := to(t, h, h.Submission, connect.StartTLS)
	large := mailFrom(desk, customer)
	large.Text = strings.Repeat("a line of text\n", 20_000)
	for _, test := range []struct {
		name, when, address, reply string
		settings                   Settings
		mail                       *mail.Outgoing
		step, code, enhanced       string
	}{
		{"greeting 5xx", "CONNECT", "", "554 5.7.1 blocked", anonymous, mailFrom(desk, customer), mail.StepGreeting, "554", "5.7.1"},
		{"greeting 4xx", "CONNECT", "", "421 4.7.0 too many connections", anonymous, mailFrom(desk, customer), mail.StepGreeting, "421", "4.7.0"},
		{"EHLO 5xx", "EHLO", "", "550 5.7.1 no such name", anonymous, mailFrom(desk, customer), mail.StepEHLO, "550", "5.7.1"},
		{"EHLO 4xx", "EHLO", "", "450 4.7.1 try later", anonymous, mailFrom(desk, customer), mail.StepEHLO, "450", "4.7.1"},
		{"MAIL FROM 5xx", "MAIL", desk, "550 5.7.1 sender refused", submission, mailFrom(desk, customer), mail.StepMailFrom, "550", "5.7.1"},
		{"MAIL FROM 4xx", "MAIL", desk, "451 4.3.0 try later", submission, mailFrom(desk, customer), mail.StepMailFrom, "451", "4.3.0"},
		{"RCPT TO 5xx", "RCPT", customer, "550 5.1.1 no such user", submission, mailFrom(desk, customer), mail.StepRcptTo, "550", "5.1.1"},
		{"greylisted", "RCPT", customer, "450 4.2.0 Greylisted", submission, mailFrom(desk, customer), mail.StepRcptTo, "450", "4.2.0"},
		{"DATA 5xx", "DATA", desk, "554 5.7.1 no data", submission, mailFrom(desk, customer), mail.StepData, "554", "5.7.1"},
		{"DATA 4xx", "DATA", desk, "451 4.7.1 later", submission, mailFrom(desk, customer), mail.StepData, "451", "4.7.1"},
		{"after the data 5xx", "END-OF-MESSAGE", desk, "550 5.7.1 spam", submission, mailFrom(desk, customer), mail.StepData, "550", "5.7.1"},
		{"after the data 4xx", "END-OF-MESSAGE", desk, "452 4.3.1 disk full", submission, mailFrom(desk, customer), mail.StepData, "452", "4.3.1"},
		{"not one's own sender", "", "", "", submission, mailFrom("kunde@customer.test", customer), mail.StepMailFrom, "553", "5.7.1"},
		{"relay denied", "", "", "", anonymous, mailFrom("x@other.test", "someone@elsewhere.test"), mail.StepRcptTo, "554", "5.7.1"},
		{"too large", "", "", "", submission, large, mail.StepMailFrom, "", "5.3.4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.when != "" {
				h.FaultAt(test.when, test.address, test.reply)
				defer h.FaultAt(test.when, test.address, "")
			}
			settings, stages := traced(test.settings)
			s, err := open(t, settings)
			if err == nil {
				err = s.Send(t.Context(), test.mail)
			}
			e := expect(t, err, test.step, test.code, test.enhanced, strings.HasPrefix(test.code, "4"))
			if e == nil || test.code == "" {
				return
			}
			last := (*stages)[len(*stages)-1]
			if last.Err != e || last.Step != test.step || !strings.Contains(last.Said, test.code) {
				t.Errorf("last stage %+v", last)
			}
			if n := strings.Count(steps(*stages), "!"); n != 1 {
				t.Errorf("stages %s", steps(*stages))
			}
			if test.step != mail.StepMailFrom && test.step != mail.StepRcptTo {
				return
			}
			*stages = nil // Probe finds it, too, and leaves the connection usable
			if err := s.Probe(t.Context(), test.mail.EnvelopeFrom, test.mail.EnvelopeTo); err == nil || !strings.HasSuffix(steps(*stages), test.step+"!") {
				t.Errorf("%v, stages %s", err, steps(*stages))
			}
			if err := s.Probe(t.Context(), "kunde@customer.test", "other"+customer); err == nil {
				t.Error("a second probe finds nothing wrong")
			}
			if !s.Alive(t.Context()) {
				t.Error("the connection was lost")
			}
		})
	}
	s, stages := traced(anonymous)
	session := mustOpen(t, s)
	if err := session.Probe(t.Context(), "", desk); err != nil {
		t.Errorf("the null sender: %v", err)
	}
	*stages = nil
	if err := session.Probe(t.Context(), desk, "no address"); err == nil || steps(*stages) != "rcpt-to!" {
		t.Errorf("%v, stages %s", err, steps(*stages))
	}
}

// TestCertificates of a real Postfix.
func TestCertificates(t *testing.T) {
	a, err := loopback.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	mine, err := a.Sign(time.Now().Add(time.Hour), "desk")
	if err != nil {
		t.Fatal(err)
	}
	expired, err := a.Sign(time.Now().Add(-time.Hour), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := loopback.PEM(expired)
	if err != nil {
		t.Fatal(err)
	}
	h := loopback.NeedHosts(t, loopback.HostOptions{Users: users, ClientCAs: a.PEM, CertPEM: cert, KeyPEM: key})
	for name, reach := range map[string]func() (string, connect.Security){
		"smtps": func() (string, connect.Security) { return h.SMTPS, connect.TLS }, "submission": func() (string, connect.Security) { return h.Submission, connect.StartTLS },
	} {
		address, security := reach()
		settings := to(t, h, address, security)
		settings.Roots = a.Pool
		_, err := open(t, settings)
		expect(t, err, mail.StepTLS, "", "", false)
		settings.Pins = []string{connect.Fingerprint(expired.Leaf)}
		_, err = open(t, settings)
		var e *mail.Error
		if !errors.As(err, &e) || e.Code != "421" || !strings.Contains(e.Text, "No client certificate presented") {
			t.Errorf("%s: %v", name, err)
		}
		settings.Keys = append(settings.Keys, mine)
		settings, stages := traced(settings)
		mustOpen(t, settings)
		for _, stage := range *stages {
			if stage.Step == mail.StepTLS && (stage.TLS == nil || stage.TLS.Own == nil || stage.TLS.Own.Subject != "CN=desk") {
				t.Errorf("%s: %+v", name, stage)
			}
		}
	}
	old := loopback.NeedHosts(t, loopback.HostOptions{Users: users, OldTLS: true})
	_, err = open(t, to(t, old, old.SMTPS, connect.TLS))
	var version *mail.OldTLSError
	if !errors.As(err, &version) || version.Version != "TLS 1.1" {
		t.Errorf("%v", err)
	}
	_, err = open(t, to(t, old, old.Submission, connect.StartTLS))
	if !errors.As(err, &version) {
		t.Errorf("%v", err)
	}
}

// TestAnonymousSaysNoName: also where signing in is offered and there is a name.
func TestAnonymousSaysNoName(t *testing.T) {
	server := (&script{t: t}).start()
	settings := server.settings
	settings.Username, settings.Password = "bob-the-name", "secret"
	if err := mustOpen(t, settings).Send(t.Context(), letter()); err != nil {
		t.Error(err)
	}
	if said := server.lines(); strings.Contains(said, "AUTH") || strings.Contains(said, "bob-the-name") || !strings.Contains(said, "EHLO [127.0.0.1]\n") {
		t.Errorf("said\n%s", said)
	}
}

// TestNoPasswordInTheClear: beyond loopback nothing of it is sent unencrypted
// unless that is allowed. (The mails stay on this machine all the same.)
func TestNoPasswordInTheClear(t *testing.T) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.To4() == nil || n.IP.IsLoopback() {
			continue
		}
		server := (&script{t: t, host: n.IP.String(), answers: map[string]string{"EHLO": "250-relay\r\n250 AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256"}}).start()
		settings := server.settings
		settings.Anonymous, settings.Username, settings.Password = false, bob, "secret"
		for _, auth := range []string{"auto", "plain", "login", "cram-md5", "scram-sha-256"} {
			settings.Auth = auth
			if _, err := open(t, settings); !errors.Is(err, mail.ErrPlaintext) {
				t.Errorf("%s: %v", auth, err)
			}
		}
		if strings.Contains(server.lines(), "AUTH") {
			t.Errorf("said\n%s", server.lines())
		}
		settings.Auth, settings.AllowPlaintext = "plain", true
		mustOpen(t, settings)
		return
	}
	t.Skip("this machine has no address beyond loopback")
}
