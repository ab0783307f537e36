package fetch

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
)

// TestPOPLogin: what is said to servers of different offers, and how each of
// their refusals is understood.
func TestPOPLogin(t *testing.T) {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + testUser + "\x00" + testPassword))
	long := strings.Repeat("token", 100)
	bearer := base64.StdEncoding.EncodeToString([]byte("user=" + testUser + "\x01auth=Bearer " + long + "\x01\x01"))
	const stamp = "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>"
	for _, test := range []struct {
		name, greeting, caps string
		auth, token          string
		on                   map[string]func(*popClient, string) bool
		said                 []string // from the login to STAT
		want                 mail.Error
	}{
		{name: "PLAIN", said: []string{"AUTH PLAIN " + plain}},
		{name: "USER and PASS", caps: "USER|UIDL|TOP", said: []string{"USER " + testUser, "PASS " + testPassword}},
		{name: "an old server", caps: "-", said: []string{"USER " + testUser, "PASS " + testPassword}},
		{name: "LOGIN by questions", caps: "UIDL|TOP|SASL LOGIN", on: map[string]func(*popClient, string) bool{
			"AUTH": func(c *popClient, _ string) bool {
				for _, question := range []string{"Username:", "Password:"} {
					c.send("+ " + base64.StdEncoding.EncodeToString([]byte(question)))
					line, _ := c.in.ReadString('\n')
					c.commands = append(c.commands, strings.TrimSpace(line))
				}
				c.send("+OK")
				return true
			},
		}, said: []string{"AUTH LOGIN", base64.StdEncoding.EncodeToString([]byte(testUser)), base64.StdEncoding.EncodeToString([]byte(testPassword))}},
		{name: "APOP", greeting: stamp, caps: "UIDL|TOP|USER|SASL PLAIN LOGIN", said: []string{"APOP " + testUser + " " + apopDigest}},
		{name: "a timestamp, and USER and PASS are wanted", greeting: stamp, caps: "UIDL|TOP|USER", auth: "login", said: []string{"USER " + testUser, "PASS " + testPassword}},
		{name: "a token", caps: "UIDL|TOP|USER|SASL PLAIN XOAUTH2", token: long, on: map[string]func(*popClient, string) bool{"AUTH": questions("")}, said: []string{"AUTH XOAUTH2", bearer}},
		{name: "a token that is refused", caps: "UIDL|TOP|USER|SASL PLAIN XOAUTH2", token: long,
			on:   map[string]func(*popClient, string) bool{"AUTH": questions("", `{"status":"400","schemes":"Bearer"}`, "-ERR [AUTH] invalid grant")},
			said: []string{"AUTH XOAUTH2", bearer, ""},
			want: mail.Error{Code: "AUTH", Auth: "oauth2", Text: `invalid grant {"status":"400","schemes":"Bearer"}`}},
		{name: "a token, and nothing for it", caps: "UIDL|TOP|USER|SASL PLAIN", token: long, want: mail.Error{Auth: "oauth2", Err: mail.ErrMechanism}},
		{name: "no way in", caps: "UIDL|TOP|SASL GSSAPI", want: mail.Error{Auth: "password", Err: mail.ErrMechanism}},
		{name: "rubbish for a challenge", caps: "UIDL|TOP|SASL LOGIN", on: map[string]func(*popClient, string) bool{"AUTH": pop("+ %%%")},
			said: []string{"AUTH LOGIN", "*"}, want: mail.Error{}},
		{name: "[AUTH]", on: map[string]func(*popClient, string) bool{"AUTH": pop("-ERR [AUTH] wrong " + testPassword)}, want: mail.Error{Code: "AUTH", Auth: "password", Text: "wrong ***"}},
		{name: "[SYS/TEMP]", on: map[string]func(*popClient, string) bool{"AUTH": pop("-ERR [sys/temp] later")}, want: mail.Error{Code: "SYS/TEMP", Auth: "password", Text: "later", Temporary: true}},
		{name: "[SYS/PERM]", on: map[string]func(*popClient, string) bool{"AUTH": pop("-ERR [SYS/PERM] no")}, want: mail.Error{Code: "SYS/PERM", Auth: "password", Text: "no"}},
		{name: "[IN-USE]", on: map[string]func(*popClient, string) bool{"AUTH": pop("-ERR [IN-USE] busy")}, want: mail.Error{Code: "IN-USE", Auth: "password", Text: "busy", Temporary: true}},
		{name: "no code", caps: "USER|UIDL|TOP", on: map[string]func(*popClient, string) bool{"PASS": pop("-ERR Logon failure: unknown user name or bad password.")},
			said: []string{"USER " + testUser, "PASS " + testPassword}, want: mail.Error{Auth: "password", Text: "Logon failure: unknown user name or bad password."}},
		{name: "a bracket that is no code", on: map[string]func(*popClient, string) bool{"AUTH": pop(`-ERR [Error="a b"] x`)}, want: mail.Error{Auth: "password", Text: `[Error="a b"] x`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := servePOP(t, &popScript{greeting: test.greeting, caps: test.caps, on: test.on})
			set := server.settings()
			set.Auth = test.auth
			if test.token != "" {
				set.Password, set.Token = "", func(context.Context) (string, error) { return test.token, nil }
			}
			s, err := openPOP(t.Context(), set)
			if s != nil {
				defer s.Close()
			}
			var said []string
			for _, c := range server.received("") {
				if c != "CAPA" && c != "STAT" {
					said = append(said, c)
				}
			}
			if test.said != nil && !slices.Equal(said, test.said) {
				t.Errorf("we said %q, want %q", said, test.said)
			}
			if test.want == (mail.Error{}) && test.name != "rubbish for a challenge" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e := failure(t, err)
			if test.name == "rubbish for a challenge" {
				return
			}
			if e.Step != mail.StepLogin || e.Code != test.want.Code || e.Auth != test.want.Auth || e.Text != test.want.Text || e.Temporary != test.want.Temporary || !errors.Is(e.Err, test.want.Err) {
				t.Errorf("%+v, want %+v", e, test.want)
			}
		})
	}
}

// apopDigest is MD5 of the timestamp of RFC 1939 section 7 and testPassword.
const apopDigest = "37354bc73603437019baafce2d73cf51"

// questions sends challenges, and at the end +OK or the line that is no challenge.
func questions(texts ...string) func(*popClient, string) bool {
	return func(c *popClient, _ string) bool {
		for _, text := range texts {
			if strings.HasPrefix(text, "-ERR") {
				c.send(text)
				return true
			}
			c.send("+ " + base64.StdEncoding.EncodeToString([]byte(text)))
			line, _ := c.in.ReadString('\n')
			c.mu.Lock()
			c.commands = append(c.commands, strings.TrimSpace(line))
			c.mu.Unlock()
		}
		c.send("+OK")
		return true
	}
}

// TestPOPGreeting: servers of other kinds, and those that refuse at once.
func TestPOPGreeting(t *testing.T) {
	for greeting, want := range map[string]mail.Error{
		"* OK [CAPABILITY IMAP4rev1] ready":        {Text: "* OK [CAPABILITY IMAP4rev1] ready", Temporary: true, Err: errNotPOP3},
		"220 mail.example.com ESMTP":               {Text: "220 mail.example.com ESMTP", Temporary: true, Err: errNotPOP3},
		"-ERR [SYS/TEMP] too many connections":     {Code: "SYS/TEMP", Text: "too many connections", Temporary: true},
		"-ERR POP3 access is disabled\x07 for you": {Text: "POP3 access is disabled for you", Temporary: true},
	} {
		_, err := openPOP(t.Context(), servePOP(t, &popScript{greeting: greeting}).settings())
		if e := failure(t, err); e.Step != mail.StepGreeting || e.Code != want.Code || e.Text != want.Text || e.Temporary != want.Temporary || !errors.Is(e.Err, want.Err) {
			t.Errorf("%s: %+v", greeting, e)
		}
	}
}

// TestPOPStartTLS: without encryption no password is sent, and what someone put
// behind the go-ahead is not taken for the server's.
func TestPOPStartTLS(t *testing.T) {
	server := servePOP(t, &popScript{on: map[string]func(*popClient, string) bool{"STLS": pop("-ERR unknown command")}})
	set := server.settings()
	set.Security = "starttls"
	_, err := openPOP(t.Context(), set)
	if e := failure(t, err); e.Step != mail.StepStartTLS || !errors.Is(err, mail.ErrNoStartTLS) {
		t.Errorf("%+v", e)
	}
	if said := server.received(""); !slices.Equal(said, []string{"STLS"}) {
		t.Errorf("we said %q", said)
	}

	https := httptest.NewTLSServer(nil) // for its certificate
	defer https.Close()
	injecting := servePOP(t, &popScript{on: map[string]func(*popClient, string) bool{"STLS": func(c *popClient, _ string) bool {
		c.send("+OK begin", "+OK", "SASL LOGIN", ".", "+ VXNlcjo=") // all in one piece, before the handshake
		encrypted := tls.Server(c.conn, https.TLS)
		c.conn, c.in = encrypted, bufio.NewReader(encrypted)
		return true
	}}})
	set = injecting.settings()
	set.Security, set.Roots = "starttls", x509.NewCertPool()
	set.Roots.AddCert(https.Certificate())
	s := openPOPWith(t, set)
	if said := injecting.received(""); !s.conn.Encrypted() || len(said) != 4 || !strings.HasPrefix(said[2], "AUTH PLAIN ") {
		t.Errorf("we said %q", said)
	}
}

// A password with a line break, as from an environment variable, is no command.
func TestPOPLineBreakInPassword(t *testing.T) {
	server := servePOP(t, &popScript{caps: "UIDL|TOP|USER"}, popLetter{"x", letter(1)})
	set := server.settings()
	set.Password = "secret\r\nDELE 1"
	_, err := openPOP(t.Context(), set)
	if e := failure(t, err); e.Temporary || e.Step != mail.StepLogin || !errors.Is(err, errLineBreak) || len(server.received("DELE")) != 0 {
		t.Errorf("%+v, the server got %q", e, server.received(""))
	}
}
