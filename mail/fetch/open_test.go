package fetch

import (
	"encoding/base64"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// does sends lines before the tagged answer.
func does(lines ...string) func(*client, string) {
	return func(c *client, _ string) {
		c.send(lines[:len(lines)-1]...)
		c.send(c.tag + " " + lines[len(lines)-1])
	}
}

func TestOpen(t *testing.T) {
	server := serve(t, &script{})
	s := server.open()
	if got, want := s.State(), (State{UIDValidity: 42, UIDNext: 8, Messages: 3}); got != want {
		t.Errorf("state %+v, want %+v", got, want)
	}
	secret := base64.StdEncoding.EncodeToString([]byte("\x00" + testUser + "\x00" + testPassword))
	want := []string{
		"CAPABILITY", `ID ("name" "helpdesk" "version" "0")`, "AUTHENTICATE PLAIN " + secret, "CAPABILITY",
		`ID ("name" "helpdesk" "version" "0")`, "SELECT INBOX",
	}
	if got := server.received(""); !reflect.DeepEqual(got, want) {
		t.Errorf("commands %q, want %q", got, want)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := server.received("LOGOUT"); len(got) != 1 {
		t.Errorf("%d times LOGOUT", len(got))
	}
	if strings.Contains(s.conn.ServerWords(), secret) || !strings.Contains(s.conn.ServerWords(), "* BYE see you") {
		t.Errorf("words %q", s.conn.ServerWords())
	}
}

// TestOpenWays: other servers that are fine.
func TestOpenWays(t *testing.T) {
	const plain = "AUTHENTICATE PLAIN"
	tests := []struct {
		name   string
		server *script
		folder string
		want   []string // beginnings of the commands
	}{
		{"capabilities in the greeting and in the login's answer", &script{
			greeting: "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi",
			on:       map[string]func(*client, string){"AUTHENTICATE": does("OK [CAPABILITY IMAP4rev1 ID] in")},
		}, "", []string{plain, "ID ", "SELECT"}},
		{"capabilities untagged before the login's answer", &script{
			greeting: "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi",
			on:       map[string]func(*client, string){"AUTHENTICATE": does("* CAPABILITY IMAP4rev1 IDLE", "OK in")},
		}, "", []string{plain, "SELECT"}},
		{"no initial response", &script{
			capabilities: "IMAP4rev1 AUTH=PLAIN",
			on: map[string]func(*client, string){"AUTHENTICATE": func(c *client, args string) {
				c.send("+")
				if secret := c.line(); args != "PLAIN" || secret == "" {
					c.bad("expected a response")
					return
				}
				c.ok("in")
			}},
		}, "", []string{"CAPABILITY", plain, "CAPABILITY", "SELECT"}},
		{"LOGIN only", &script{capabilities: "IMAP4rev1 AUTH=GSSAPI"}, "",
			[]string{"CAPABILITY", `LOGIN "support@mail.test" "s3cret-\"pass\"word"`, "CAPABILITY", "SELECT"}},
		{"PREAUTH", &script{greeting: "* PREAUTH [CAPABILITY IMAP4rev1] you are in"}, "", []string{"SELECT"}},
		{"ID refused", &script{on: map[string]func(*client, string){"ID": does("BAD no")}}, "",
			[]string{"CAPABILITY", "ID", plain, "CAPABILITY", "ID", "SELECT"}},
		{"ID answered oddly", &script{on: map[string]func(*client, string){"ID": does(`* ID ("a" {1}`, `x "b")`, "* ID NIL", "OK")}}, "",
			[]string{"CAPABILITY", "ID", plain, "CAPABILITY", "ID", "SELECT"}},
		{"both revisions, a Japanese folder", &script{capabilities: "IMAP4rev2 IMAP4rev1 AUTH=PLAIN SASL-IR LITERAL-"}, "日本",
			[]string{"CAPABILITY", plain, "CAPABILITY", `SELECT "&ZeVnLA-"`}},
		{"odd capabilities", &script{capabilities: `  IMAP4rev1  AUTH=PLAIN SASL-IR X"Y] (Z) AUTH= `}, "",
			[]string{"CAPABILITY", plain, "CAPABILITY", "SELECT"}},
		{"no UIDNEXT, odd flags", &script{on: map[string]func(*client, string){
			"SELECT": does(`* FLAGS (\Seen a]b "x)`, "* 0 EXISTS", "* OK [UIDVALIDITY 7] x", `* OK [PERMANENTFLAGS (a]b`, "OK [READ-WRITE] ok")}},
			"", []string{"CAPABILITY", "ID", plain, "CAPABILITY", "ID", "SELECT"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, test.server)
			set := server.settings()
			set.Folder = test.folder
			s, err := openIMAP(t.Context(), set)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			got := server.received("")
			for i := range got {
				if i >= len(test.want) || !strings.HasPrefix(got[i], test.want[i]) {
					t.Errorf("commands %q, want %q", got, test.want)
					break
				}
			}
			if len(got) < len(test.want) {
				t.Errorf("commands %q, want %q", got, test.want)
			}
		})
	}
}

// TestOpenFails: what goes wrong is named with its step and the server's words.
func TestOpenFails(t *testing.T) {
	drops := func(lines ...string) func(*client, string) {
		return func(c *client, _ string) { c.send(lines...); c.hangUp() }
	}
	tests := []struct {
		name      string
		server    *script
		security  connect.Security
		step      string
		code      string
		text      string
		temporary bool
		is        error
	}{
		{"no IMAP server", &script{greeting: "220 smtp.mail.test ESMTP"}, "", mail.StepGreeting, "", "220 smtp.mail.test ESMTP", true, errNotIMAP},
		{"turned away", &script{greeting: "* BYE [UNAVAILABLE] Too many connections"}, "", mail.StepGreeting, "UNAVAILABLE", "Too many connections", true, nil},
		{"wrong password", &script{on: on{"AUTHENTICATE": says("[AUTHENTICATIONFAILED] Authentication failed.")}}, "",
			mail.StepLogin, "AUTHENTICATIONFAILED", "Authentication failed.", false, nil},
		{"refused without a code", &script{capabilities: "IMAP4rev1", on: on{"LOGIN": says("Login failed")}}, "",
			mail.StepLogin, "", "Login failed", false, nil},
		{"BAD", &script{on: on{"AUTHENTICATE": does("BAD what?")}}, "", mail.StepLogin, "", "what?", false, nil},
		{"not now", &script{on: on{"AUTHENTICATE": says("[UNAVAILABLE] Try later")}}, "", mail.StepLogin, "UNAVAILABLE", "Try later", true, nil},
		{"Gmail's web login", &script{on: on{"AUTHENTICATE": does("* NO [WEBALERT https://accounts.google.com/x?y=z] Web login required.", "NO [ALERT] Please log in via your web browser")}}, "",
			mail.StepLogin, "ALERT", "Please log in via your web browser; [WEBALERT https://accounts.google.com/x?y=z] Web login required.", false, nil},
		{"a code with arguments", &script{on: on{"AUTHENTICATE": says("[WEBALERT https://x.test] Web login required.")}}, "",
			mail.StepLogin, "WEBALERT", "[WEBALERT https://x.test] Web login required.", false, nil},
		{"Microsoft's brackets", &script{on: on{"AUTHENTICATE": says(`[Error="AccountDisabled (x)" Y] AUTHENTICATE failed.`)}}, "",
			mail.StepLogin, "", `[Error="AccountDisabled (x)" Y] AUTHENTICATE failed.`, false, nil},
		{"BYE at the login", &script{on: on{"AUTHENTICATE": drops("* BYE [ALERT] Too many log-ins")}}, "",
			mail.StepLogin, "ALERT", "Too many log-ins", true, io.EOF},
		{"BYE without a line end", &script{on: on{"AUTHENTICATE": func(c *client, _ string) { c.raw("* BYE gone"); c.hangUp() }}}, "",
			mail.StepLogin, "", "gone", true, io.EOF},
		{"password echoed", &script{capabilities: "IMAP4rev1", on: on{"LOGIN": says("user " + testUser + " with " + testPassword + " unknown")}}, "",
			mail.StepLogin, "", "user " + testUser + " with *** unknown", false, nil},
		{"PLAIN echoed", &script{on: on{"AUTHENTICATE": func(c *client, args string) { c.bad("Error in IMAP command " + args) }}}, "",
			mail.StepLogin, "", "Error in IMAP command PLAIN ***", false, nil},
		{"LOGIN echoed", &script{capabilities: "IMAP4rev1", on: on{"LOGIN": func(c *client, args string) { c.bad("Error in IMAP command LOGIN " + args) }}}, "",
			mail.StepLogin, "", `Error in IMAP command LOGIN "` + testUser + `" "***"`, false, nil},
		{"very long text", &script{on: on{"AUTHENTICATE": says("a\x00b" + strings.Repeat("x", 5000))}}, "",
			mail.StepLogin, "", "ab" + strings.Repeat("x", maxText-3), false, nil},
		{"LOGINDISABLED", &script{capabilities: "IMAP4rev1 LOGINDISABLED AUTH=GSSAPI"}, "", mail.StepLogin, "", "", false, mail.ErrMechanism},
		{"another challenge", &script{on: on{"AUTHENTICATE": does("+ c29tZXRoaW5n", "NO")}}, "", mail.StepLogin, "", "", true, nil},
		{"no such folder", &script{on: on{"SELECT": says("[NONEXISTENT] Mailbox doesn't exist: INBOX")}}, "",
			mail.StepSelect, "NONEXISTENT", "Mailbox doesn't exist: INBOX", false, nil},
		{"no SELECT without ID", &script{on: on{"SELECT": says("SELECT Unsafe Login. Please contact kefu@188.com for help")}}, "",
			mail.StepSelect, "", "SELECT Unsafe Login. Please contact kefu@188.com for help", true, nil},
		{"endless line", &script{on: on{"SELECT": func(c *client, _ string) { c.raw("* OK " + strings.Repeat("x", lineLimit)) }}}, "",
			mail.StepSelect, "", "", true, errLineTooLong},
		{"endless preamble", &script{on: on{"CAPABILITY": func(c *client, _ string) {
			for range 2 * maxPreamble {
				c.send("* OK wait")
			}
		}}}, "", mail.StepCapabilities, "", "", true, errTooMuch},
		{"endless greeting", &script{greeting: strings.Repeat("x", 10000)}, "", mail.StepGreeting, "", "", true, connect.ErrLineTooLong},
		{"no capabilities", &script{on: on{"CAPABILITY": does("BAD what?")}}, "", mail.StepCapabilities, "", "what?", true, nil},
		{"no STARTTLS", &script{on: on{"STARTTLS": does("BAD Unknown command")}}, connect.StartTLS, mail.StepStartTLS, "", "Unknown command", false, mail.ErrNoStartTLS},
		{"BYE at STARTTLS", &script{on: on{"STARTTLS": drops("* BYE overload")}}, connect.StartTLS, mail.StepStartTLS, "", "overload", true, nil},
		{"hang-up at STARTTLS", &script{on: on{"STARTTLS": drops("* OK moment")}}, connect.StartTLS, mail.StepStartTLS, "", "", true, io.EOF},
		{"PREAUTH before TLS", &script{greeting: "* PREAUTH in"}, connect.StartTLS, mail.StepStartTLS, "", "", true, errPreauth},
		{"STARTTLS, then no TLS", &script{on: on{"STARTTLS": func(c *client, _ string) {
			c.ok("go")
			_, _ = c.in.Peek(1) // what is sent sooner is thrown away
			c.send("* OK hello")
		}}}, connect.StartTLS, mail.StepTLS, "", "", false, nil},
		{"no TLS", &script{}, connect.TLS, mail.StepTLS, "", "", false, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, test.server)
			set := server.settings()
			if test.security != "" {
				set.Security = test.security
			}
			s, err := openIMAP(t.Context(), set)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			e := failure(t, err)
			if e.Step != test.step || e.Code != test.code || e.Text != test.text || e.Temporary != test.temporary {
				t.Errorf("got %+v", e)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			if e.Protocol != "imap" || e.Server != server.listener.Addr().String() {
				t.Errorf("%s at %s", e.Protocol, e.Server)
			}
		})
	}
}

// TestPasswordThatIsAWord: taking it out of the server's words must not take
// the sense out of its answers.
func TestPasswordThatIsAWord(t *testing.T) {
	for _, word := range []string{"OK", "NO", "T", "1", "CAPABILITY", "AUTH=PLAIN", " ", "*"} {
		server := serve(t, &script{})
		set := server.settings()
		set.Password = word
		s, err := openIMAP(t.Context(), set)
		if err != nil {
			t.Errorf("%q: %v", word, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		refusing := serve(t, &script{on: on{"AUTHENTICATE": says("[AUTHENTICATIONFAILED] sorry")}})
		set.Port = refusing.settings().Port
		_, err = openIMAP(t.Context(), set)
		if e := failure(t, err); e.Code != "AUTHENTICATIONFAILED" || e.Step != mail.StepLogin {
			t.Errorf("%q: %+v", word, e)
		}
	}
}

// TestNoPasswordInTheClear: beyond loopback no password is sent unencrypted
// unless that is allowed. (The mails stay on this machine all the same.)
func TestNoPasswordInTheClear(t *testing.T) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	beyond := ""
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			beyond = n.IP.String()
		}
	}
	if beyond == "" {
		t.Skip("this machine has no address beyond loopback")
	}
	for _, capabilities := range []string{"IMAP4rev1 AUTH=PLAIN", "IMAP4rev1"} {
		server := serve(t, &script{host: beyond, capabilities: capabilities})
		set := server.settings()
		_, err = openIMAP(t.Context(), set)
		if e := failure(t, err); !errors.Is(err, connect.ErrPlaintext) || e.Step != mail.StepLogin || e.Temporary {
			t.Errorf("%+v", e)
		}
		if got := server.received(""); !reflect.DeepEqual(got, []string{"CAPABILITY"}) {
			t.Errorf("sent %q", got)
		}
		set.AllowPlaintext = true
		s, err := openIMAP(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFolderNames: a folder written with "/" is found under the server's name.
func TestFolderNames(t *testing.T) {
	server := serve(t, &script{on: on{
		"LIST": does(`* LIST (\Noselect) "." ""`, "OK"), "NAMESPACE": does(`* NAMESPACE (("INBOX." ".")) NIL NIL`, "OK"),
		"SELECT": func(c *client, args string) {
			if args == `"INBOX.Support.Neu"` {
				c.usual("SELECT")
				return
			}
			c.no("no such folder " + args)
		},
	}})
	set := server.settings()
	set.Folder = "Support/Neu"
	s, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	set.Folder = "Other"
	_, err = openIMAP(t.Context(), set)
	if e := failure(t, err); e.Text != `no such folder "Other"` || e.Step != mail.StepSelect {
		t.Errorf("%+v", e)
	}
}

// TestStartTLSInjection: what someone in between sends before the handshake is
// not taken for the server's.
func TestStartTLSInjection(t *testing.T) {
	server := serve(t, &script{on: map[string]func(*client, string){"STARTTLS": func(c *client, _ string) {
		c.raw(c.tag + " OK go\r\n* OK [CAPABILITY IMAP4rev1 INJECTED] x\r\n")
		hello, err := c.in.Peek(3)
		if err != nil || hello[0] != 0x16 { // a TLS handshake record
			c.t.Errorf("after STARTTLS the client sent %q, %v", hello, err)
		}
		c.hangUp()
	}}})
	set := server.settings()
	set.Security = connect.StartTLS
	if _, err := openIMAP(t.Context(), set); failure(t, err).Step != mail.StepTLS {
		t.Error(err)
	}
}
