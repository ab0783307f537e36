package send

import (
	"errors"
	"net"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

func TestOpenSecuritiesAndLogins(t *testing.T) {
	server, plain := relay(t, loopback.Options{TLS: true, RequireLogin: true})
	starttls, implicit := plain, plain
	starttls.Security, starttls.Host = connect.StartTLS, "localhost"
	implicit.Security, implicit.Port = connect.TLS, server.SMTPS.Port
	logins := int64(0)
	for name, settings := range map[string]Settings{"none": plain, "starttls": starttls, "tls": implicit} {
		for _, auth := range []string{"", "auto", "plain", "login"} {
			settings.Anonymous, settings.Username, settings.Password, settings.Auth = false, bob, "secret", auth
			s, err := open(t, settings)
			if err != nil {
				t.Errorf("%s %q: %v", name, auth, err)
				continue
			}
			if err := s.Send(t.Context(), letter()); err != nil {
				t.Errorf("%s %q: %v", name, auth, err)
			}
			logins++
		}
	}
	if n := server.Counts(); n.SMTPLogins != logins || n.Accepted != logins || n.SMTPRefused != 0 {
		t.Errorf("counts %+v, want %d", n, logins)
	}
	s := mustOpen(t, plain) // anonymous
	var e *mail.Error
	if err := s.Send(t.Context(), letter()); !errors.As(err, &e) || e.Step != mail.StepMailFrom || e.Code != "530" || e.Temporary {
		t.Errorf("anonymous: %v", err)
	}
	if n := server.Counts(); n.SMTPLogins != logins {
		t.Error("an anonymous session logged in")
	}
}

func TestOpenFailures(t *testing.T) {
	_, noTLS := relay(t, loopback.Options{})
	_, withTLS := relay(t, loopback.Options{TLS: true})
	login := func(s Settings, auth, password string) Settings {
		s.Anonymous, s.Username, s.Auth, s.Password = false, bob, auth, password
		return s
	}
	starttls := noTLS
	starttls.Security = connect.StartTLS
	untrusted := withTLS
	untrusted.Security, untrusted.Roots = connect.StartTLS, noTLS.Roots
	closed := noTLS
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Port = listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	noUsername := noTLS
	noUsername.Anonymous = false
	injection := noTLS
	injection.Helo = "desk\r\nMAIL FROM:<x@y.z>"
	refusing := (&script{t: t, answers: map[string]string{"EHLO": "550 we do not know you"}}).start().settings
	noAuth := (&script{t: t, answers: map[string]string{"EHLO": "250 relay"}}).start().settings
	tests := []struct {
		name      string
		settings  Settings
		step      string
		code      string
		temporary bool
		cause     error
	}{
		{"closed port", closed, mail.StepDial, "", true, nil},
		{"no STARTTLS", starttls, mail.StepStartTLS, "", false, mail.ErrNoStartTLS},
		{"unknown certificate", untrusted, mail.StepTLS, "", false, nil},
		{"wrong password", login(noTLS, "", "guess"), mail.StepLogin, "535", false, nil},
		{"wrong password by LOGIN", login(noTLS, "login", "guess"), mail.StepLogin, "535", false, nil},
		{"mechanism not offered", login(noTLS, "cram-md5", "secret"), mail.StepLogin, "", false, mail.ErrMechanism},
		{"no login offered", login(noAuth, "", "secret"), mail.StepLogin, "", false, mail.ErrNoLogin},
		{"no user name", noUsername, mail.StepLogin, "", false, mail.ErrNoUsername},
		{"refused by name", refusing, mail.StepEHLO, "550", false, nil},
		{"two lines in helo", injection, mail.StepEHLO, "", false, errInjection},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := open(t, test.settings)
			expect(t, err, test.step, test.code, "", test.temporary)
			if test.cause != nil && !errors.Is(err, test.cause) {
				t.Errorf("cause %v, want %v", err, test.cause)
			}
			if err != nil && (strings.Contains(err.Error(), "guess") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

func TestPasswordIsNotRepeated(t *testing.T) {
	for _, auth := range []string{"plain", "login"} {
		const refusal = "535 you said AGJvYkBleGFtcGxlLm5ldABzZWNyZXQ= or c2VjcmV0, that is secret"
		answers := map[string]string{"AUTH": refusal, "RESPONSE": refusal}
		if auth == "login" {
			answers["AUTH"] = "334 not base64 at all"
		}
		settings := (&script{t: t, answers: answers}).start().settings
		settings.Anonymous, settings.Username, settings.Password, settings.Auth = false, bob, "secret", auth
		_, err := open(t, settings)
		e := expect(t, err, mail.StepLogin, "535", "", false)
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "ABzZWNyZXQ") || !strings.Contains(e.Text, "***") {
			t.Errorf("%s: %v", auth, err)
		}
	}
}

// Answers slipped in behind the go-ahead, before TLS, are not taken for the
// server's.
func TestStartTLSInjection(t *testing.T) {
	config, pool := certificate(t)
	server := (&script{t: t, tls: config, answers: map[string]string{
		"STARTTLS": "220 go ahead\r\n250-relay.example.com\r\n250-SIZE 77\r\n250 X-INJECTED",
	}}).start()
	settings := server.settings
	settings.Security, settings.Roots = connect.StartTLS, pool
	s, err := open(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	if _, injected := s.offers["X-INJECTED"]; injected || s.MaxSize() != 0 {
		t.Errorf("the injected answer was believed: %v", s.offers)
	}
	if _, old := s.offers["STARTTLS"]; old || s.offers["AUTH"] != "PLAIN" {
		t.Errorf("offers after TLS: %v", s.offers)
	}
	if err := s.Send(t.Context(), letter()); err != nil {
		t.Error(err)
	}
}

func TestOldServers(t *testing.T) {
	old := (&script{t: t, answers: map[string]string{"EHLO": "500 unknown command"}}).start()
	if err := mustOpen(t, old.settings).Send(t.Context(), letter()); err != nil {
		t.Errorf("HELO: %v", err)
	}
	if strings.Contains(old.lines(), "SIZE") || !strings.Contains(old.lines(), "HELO [127.0.0.1]") {
		t.Errorf("said\n%s", old.lines())
	}
	exchange := (&script{t: t, answers: map[string]string{"EHLO": "250-hi\r\n250 AUTH=LOGIN", "AUTH": "334 VXNlcm5hbWU6"}}).start()
	settings := exchange.settings
	settings.Anonymous, settings.Username, settings.Password, settings.Helo = false, bob, "secret", "desk.example.com"
	mustOpen(t, settings)
	if !strings.Contains(exchange.lines(), "EHLO desk.example.com\nAUTH LOGIN\n") {
		t.Errorf("said\n%s", exchange.lines())
	}
}
