package loopback

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	aki   = "aki@example.com"
	hello = "From: bob@example.net\r\nSubject: Hello\r\n\r\nLine one\r\n.starts with a dot\r\n"
)

func start(t *testing.T, options Options) *Server {
	t.Helper()
	s, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.AddUser(aki, "secret")
	return s
}

func dialSMTP(t *testing.T, s *Server) *smtp.Client {
	t.Helper()
	c, err := smtp.Dial(s.SMTP.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func submit(c *smtp.Client, to, raw string) error {
	return c.SendMail("bob@example.net", []string{to}, strings.NewReader(raw))
}

func inbox(t *testing.T, s *Server) []Message {
	t.Helper()
	messages, err := s.Messages(aki, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

func TestSMTPDeliversWithTraceFields(t *testing.T) {
	s := start(t, Options{})
	if err := submit(dialSMTP(t, s), "Aki@Example.com", hello); err != nil {
		t.Fatal(err)
	}
	got := inbox(t, s)
	if len(got) != 1 {
		t.Fatalf("%d mails in INBOX, want 1", len(got))
	}
	raw := string(got[0].Raw)
	if !strings.HasPrefix(raw, "Return-Path: <bob@example.net>\r\nReceived: from ") || !strings.HasSuffix(raw, "\r\n"+hello) {
		t.Errorf("delivered as\n%s", raw)
	}
	if n := s.Counts(); n.Accepted != 1 || n.SMTPConnections != 1 || n.SMTPLogins != 0 {
		t.Errorf("counts %+v", n)
	}
}

func TestSMTPUnknownRecipient(t *testing.T) {
	s := start(t, Options{})
	var refused *smtp.SMTPError
	err := submit(dialSMTP(t, s), "nobody@example.com", hello)
	if !errors.As(err, &refused) || refused.Code != 550 || refused.EnhancedCode != (smtp.EnhancedCode{5, 1, 1}) {
		t.Errorf("got %v, want 550 5.1.1", err)
	}
}

func TestSMTPHooks(t *testing.T) {
	greylisted := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Greylisted"}
	tests := []struct {
		name      string
		options   Options
		code      int // 0: the connection broke
		delivered int
	}{
		{"reply to RCPT", Options{OnRcpt: func(string, string) error { return greylisted }}, 451, 0},
		{"reply to DATA", Options{OnData: func(string, []string, []byte) error { return greylisted }}, 451, 0},
		{"cut at RCPT", Options{OnRcpt: func(string, string) error { return ErrDrop }}, 0, 0},
		{"cut after DATA", Options{OnData: func(string, []string, []byte) error { return ErrDrop }}, 0, 0},
		{"cut after delivery", Options{OnData: func(string, []string, []byte) error { return ErrDropDelivered }}, 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, test.options)
			err := submit(dialSMTP(t, s), aki, hello)
			var reply *smtp.SMTPError
			switch {
			case err == nil:
				t.Error("the mail was accepted")
			case test.code == 0 && errors.As(err, &reply):
				t.Errorf("answered %v, want a broken connection", reply)
			case test.code != 0 && (!errors.As(err, &reply) || reply.Code != test.code):
				t.Errorf("got %v, want %d", err, test.code)
			}
			if n := len(inbox(t, s)); n != test.delivered {
				t.Errorf("%d mails delivered, want %d", n, test.delivered)
			}
		})
	}
}

func TestSMTPLogin(t *testing.T) {
	s := start(t, Options{RequireLogin: true})
	var refused *smtp.SMTPError
	if err := submit(dialSMTP(t, s), aki, hello); !errors.As(err, &refused) || refused.Code != 530 {
		t.Errorf("without login: %v, want 530", err)
	}
	if err := dialSMTP(t, s).Auth(sasl.NewPlainClient("", aki, "wrong")); !errors.As(err, &refused) || refused.Code != 535 {
		t.Errorf("wrong password: %v, want 535", err)
	}
	for _, client := range []sasl.Client{sasl.NewPlainClient("", aki, "secret"), sasl.NewLoginClient(aki, "secret"), &slowLogin{}} {
		c := dialSMTP(t, s)
		if err := c.Auth(client); err != nil {
			t.Errorf("login: %v", err)
		}
		if err := submit(c, aki, hello); err != nil {
			t.Errorf("after login: %v", err)
		}
	}
	if n := s.Counts(); n.SMTPLogins != 3 || n.SMTPRefused != 1 {
		t.Errorf("counts %+v, want 3 logins and 1 refused", n)
	}
}

// slowLogin waits for both questions of LOGIN, as Outlook does.
type slowLogin struct{}

func (*slowLogin) Start() (string, []byte, error) { return "LOGIN", nil, nil }
func (*slowLogin) Next(challenge []byte) ([]byte, error) {
	answers := map[string]string{"Username:": aki, "Password:": "secret"}
	return []byte(answers[string(challenge)]), nil
}

func TestSMTPSize(t *testing.T) {
	s := start(t, Options{MaxSize: 1000})
	c := dialSMTP(t, s)
	if size, ok := c.MaxMessageSize(); !ok || size != 1000 {
		t.Errorf("SIZE %d announced, want 1000", size)
	}
	var refused *smtp.SMTPError
	if err := submit(c, aki, hello+strings.Repeat("x", 1000)); !errors.As(err, &refused) || refused.Code != 552 {
		t.Errorf("too large: %v, want 552", err)
	}
}

func TestTLS(t *testing.T) {
	s := start(t, Options{TLS: true})
	config := &tls.Config{RootCAs: s.Pool(), ServerName: "localhost"}
	implicit, err := smtp.DialTLS(s.SMTPS.String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer implicit.Close()
	explicit, err := smtp.DialStartTLS(s.SMTP.String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer explicit.Close()
	for name, c := range map[string]*smtp.Client{"implicit": implicit, "STARTTLS": explicit} {
		if err := submit(c, aki, hello); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !bytes.Contains(s.CertPEM(), []byte("BEGIN CERTIFICATE")) {
		t.Error("no PEM")
	}
	if plain := start(t, Options{}); plain.CertPEM() != nil || plain.Pool() != nil || plain.SMTPS != (Addr{}) {
		t.Error("a server without TLS shows a certificate or a TLS port")
	}
}

func TestWaitMessages(t *testing.T) {
	s := start(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		messages, _ := s.WaitMessages(ctx, aki, "INBOX", 2)
		done <- len(messages)
	}()
	for range 2 {
		if err := s.Deliver(aki, []byte(hello)); err != nil {
			t.Fatal(err)
		}
	}
	if n := <-done; n != 2 {
		t.Errorf("%d mails seen, want 2", n)
	}
	cancel()
	if _, err := s.WaitMessages(ctx, aki, "Later", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled wait: %v", err)
	}
	if err := s.Deliver("nobody@example.com", nil); err == nil {
		t.Error("delivered to nobody")
	}
}

func TestCloseEndsConnections(t *testing.T) {
	s := start(t, Options{TLS: true})
	var conns []net.Conn
	for _, addr := range []Addr{s.IMAP, s.SMTP, s.IMAPS, s.SMTPS} {
		conn, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	readAll := func(conn net.Conn) {
		t.Helper()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Error("the connection was left open")
		}
	}
	first := make([]byte, 1)
	if _, err := conns[0].Read(first); err != nil { // it is served
		t.Fatal(err)
	}
	s.DropConnections()
	readAll(conns[0])
	again, err := net.Dial("tcp", s.IMAP.String())
	if err != nil {
		t.Fatalf("after DropConnections: %v", err)
	}
	defer again.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, conn := range append(conns[1:], again) {
		readAll(conn)
	}
	if _, err := net.Dial("tcp", s.SMTP.String()); err == nil {
		t.Error("the port is still open")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}
