package fetch

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

// TestProbeChangesNothing: with a real Dovecot, whatever is to become of mails.
func TestProbeChangesNothing(t *testing.T) {
	h := dovecot(t, ".", []string{testUser})[0]
	h.deliver(letter(1))
	h.deliver(letter(2) + strings.Repeat("a long line\r\n", 200_000))
	s := h.open(t, connect.TLS)
	set, stages := traced(s.settings)
	for _, test := range []struct {
		after Action
		facts string // of the last stage
	}{
		{Action{}, "messages=2 size=2600"},
		{Action{Kind: ActionSeen}, "action=seen"},
		{Action{Kind: ActionDelete}, "action=delete move=UIDPLUS"},
		{Action{Kind: ActionMove, Folder: "Support/Done"}, "action=move move=MOVE folder=Support.Done exists=no"},
		{Action{Kind: ActionMove, Folder: "INBOX"}, "action=move move=MOVE folder=INBOX exists=yes"},
	} {
		*stages = nil
		if err := Probe(t.Context(), set, test.after); err != nil {
			t.Errorf("%+v: %v", test.after, err)
		}
		want := "dial tls greeting capabilities login capabilities select fetch"
		if test.after.Kind != "" {
			want += " act"
		}
		got := ""
		for _, f := range (*stages)[len(*stages)-1].Facts {
			got += " " + f.Name + "=" + f.Value
		}
		if steps(*stages) != want || !strings.HasPrefix(strings.TrimSpace(got), test.facts) {
			t.Errorf("%+v: %s, %s", test.after, steps(*stages), got)
		}
		if f := fact(*stages, mail.StepSelect, "messages"); f != "2" {
			t.Errorf("%s messages", f)
		}
	}
	list, err := s.List(t.Context(), 1)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, m := range list {
		for _, flag := range m.Flags {
			if flag != `\Recent` {
				t.Errorf("mail %d has the flag %s", m.UID, flag)
			}
		}
	}
	if h.folder("Support.Done") != 0 {
		t.Error("a mail was moved")
	}
	set.Folder = "Nowhere"
	*stages = nil
	err = Probe(t.Context(), set, Action{})
	if e := failure(t, err); e.Step != mail.StepSelect || !strings.HasSuffix(steps(*stages), " select!") {
		t.Errorf("%v, %s", err, steps(*stages))
	}
}

// TestProbeNames what only odd servers have.
func TestProbeNames(t *testing.T) {
	const noCode = "IMAP4rev1 AUTH=PLAIN"
	move := Action{Kind: ActionMove, Folder: "Done"}
	for _, test := range []struct {
		name   string
		server *script
		after  Action
		step   string // "": goes well
		is     error
		text   string
		fact   string // of the stage act
	}{
		{"read-only", &script{on: on{"SELECT": does("* 0 EXISTS", "OK [READ-ONLY] ok")}}, move, mail.StepAct, mail.ErrReadOnly, "", ""},
		{"read-only, and nothing to do", &script{on: on{"SELECT": does("* 0 EXISTS", "OK [READ-ONLY] ok")}}, Action{}, "", nil, "", ""},
		{"empty folder", &script{on: on{"SELECT": does("* 0 EXISTS", "OK [READ-WRITE] ok")}}, move, "", nil, "", "MOVE"},
		{"without MOVE and UIDPLUS", &script{capabilities: noCode, on: on{"SELECT": does("* 0 EXISTS", "OK ok")}}, move, "", nil, "", "COPY"},
		{"deletes by a flag", &script{capabilities: noCode, on: on{"SELECT": does("* 0 EXISTS", "OK ok")}}, Action{Kind: ActionDelete}, "", nil, "", "FLAG"},
		{"Microsoft without a licence", &script{on: on{"SELECT": does("BAD User is authenticated but not connected.")}}, move,
			mail.StepSelect, nil, "User is authenticated but not connected.", ""},
		{"Gmail's throttle", &script{on: on{"SELECT": does("* 0 EXISTS", "OK [THROTTLED] ok")}}, move, "", nil, "", "MOVE"},
		{"hangs up at our name", &script{on: on{"ID": func(c *client, _ string) { c.conn.Close() }}}, move, mail.StepCapabilities, nil, "", ""},
		{"FETCH refused", &script{on: on{"FETCH": says("[SERVERBUG] sorry")}}, move, mail.StepFetch, nil, "sorry", ""},
		{"no right to look", &script{on: on{"SELECT": does("* 0 EXISTS", "OK ok"), "STATUS": says("[NOPERM] not yours")}}, move, mail.StepAct, nil, "not yours", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, test.server)
			set, stages := traced(server.settings())
			err := Probe(t.Context(), set, test.after)
			if test.step == "" {
				if err != nil || fact(*stages, mail.StepAct, "move") != test.fact {
					t.Errorf("%v, %+v", err, *stages)
				}
				return
			}
			e := failure(t, err)
			if e.Step != test.step || e.Text != test.text || test.is != nil && (!errors.Is(err, test.is) || e.Temporary) {
				t.Errorf("%+v", e)
			}
			if last := (*stages)[len(*stages)-1]; last.Step != test.step || last.Err != e {
				t.Errorf("%+v", last)
			}
		})
	}
}

// TestTokenOverIMAP: the response goes with the command or after the question,
// an empty one is an empty line, and the server's reasons are in the error.
func TestTokenOverIMAP(t *testing.T) {
	const access = "ya29.a0AfH6SMBx-secret"
	reasons := base64.StdEncoding.EncodeToString([]byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`))
	first := base64.StdEncoding.EncodeToString([]byte("user=" + testUser + "\x01auth=Bearer " + access + "\x01\x01"))
	for _, capabilities := range []string{"IMAP4rev1 AUTH=XOAUTH2 SASL-IR", "IMAP4rev1 AUTH=XOAUTH2"} {
		for _, accepts := range []bool{true, false} {
			server := serve(t, &script{capabilities: capabilities, on: on{"AUTHENTICATE": func(c *client, args string) {
				name, response, _ := strings.Cut(args, " ")
				if !strings.Contains(capabilities, "SASL-IR") {
					c.send("+ ")
					response = c.line()
				}
				if name != "XOAUTH2" || response != first {
					c.bad("what? " + args + " " + response)
					return
				}
				if !accepts {
					c.send("+ " + reasons)
					if line := c.line(); line != "" {
						c.bad("not an empty line: " + line)
						return
					}
					c.no("[AUTHENTICATIONFAILED] Invalid credentials (Failure) for " + access)
					return
				}
				c.ok("in")
			}}})
			set, stages := traced(server.settings())
			told := 0
			set.Password, set.Refused = "", func() { told++ }
			set.Token = func(context.Context) (string, error) { return access, nil }
			err := Probe(t.Context(), set, Action{})
			if accepts {
				// The script has no mails to fetch in earnest; the login is what counts.
				if e := (*mail.Error)(nil); errors.As(err, &e) && e.Step == mail.StepLogin || told != 0 {
					t.Errorf("%s: %v", capabilities, err)
				}
				continue
			}
			e := failure(t, err)
			if e.Step != mail.StepLogin || e.Code != "AUTHENTICATIONFAILED" || e.Auth != "oauth2" || told != 1 ||
				e.Text != `Invalid credentials (Failure) for *** {"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}` {
				t.Errorf("%s: %+v", capabilities, e)
			}
			if got := steps(*stages); got != "dial greeting capabilities token login!" {
				t.Errorf("stages %s", got)
			}
			for _, s := range *stages {
				if strings.Contains(s.Said, access) || strings.Contains(s.Said, first) {
					t.Errorf("the token is in %+v", s)
				}
			}
		}
	}
}

// TestQuestionsInClearText: LOGIN at a server that does not encode them.
func TestQuestionsInClearText(t *testing.T) {
	var answers []string
	server := serve(t, &script{capabilities: "IMAP4rev1 AUTH=LOGIN", on: on{"AUTHENTICATE": func(c *client, _ string) {
		for _, question := range []string{"+ User Name:", "+"} {
			c.send(question)
			answer, err := base64.StdEncoding.DecodeString(c.line())
			if err != nil {
				c.bad("no base64")
				return
			}
			answers = append(answers, string(answer))
		}
		c.ok("in")
	}}})
	set := server.settings()
	s, err := Open(t.Context(), set)
	if err != nil || len(answers) != 2 || answers[0] != testUser || answers[1] != testPassword {
		t.Fatalf("%q, %v", answers, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestPlainPortThatWaitsForTLS is the port of imaps with security = "none".
func TestPlainPortThatWaitsForTLS(t *testing.T) {
	h := loopback.NeedHosts(t, loopback.HostOptions{NoRelay: true, Users: []loopback.HostUser{{Address: testUser, Password: testPassword}}})
	for protocol, address := range map[string]string{"imap": h.IMAPS, "pop3": h.POP3S} {
		for _, security := range []connect.Security{connect.Plain, connect.StartTLS} {
			set := at(Settings{Settings: connect.Settings{Protocol: protocol, Security: security, DialTimeout: 300 * time.Millisecond, Roots: h.Pool},
				Login: connect.Login{Username: testUser, Password: testPassword}}, address)
			_, err := Open(t.Context(), set)
			if e := failure(t, err); e.Step != mail.StepGreeting || !errors.Is(err, mail.ErrTLSExpected) || e.Temporary {
				t.Errorf("%s %s: %+v", protocol, security, e)
			}
		}
	}
}

// TestLimits of a real Dovecot: a full mailbox, too many connections, and a
// client certificate that is missing.
func TestLimits(t *testing.T) {
	a, err := loopback.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	users := []loopback.HostUser{{Address: testUser, Password: testPassword}}
	h := loopback.NeedHosts(t, loopback.HostOptions{NoRelay: true, Users: users, Quota: 40 << 10, MaxConnections: 2})
	set := at(Settings{Settings: connect.Settings{Protocol: "imap", Security: connect.TLS, Roots: h.Pool},
		Login: connect.Login{Username: testUser, Password: testPassword}, SpoolDir: t.TempDir()}, h.IMAPS)
	if err := h.Deliver(testUser, []byte(letter(1)+strings.Repeat("x", 100<<10)+"\r\n")); err != nil {
		t.Fatal(err)
	}
	s, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.makeFolder(t.Context(), "Done"); err != nil {
		t.Fatal(err)
	}
	err = s.run(t.Context(), mail.StepAct, func() error {
		_, err := s.client.Copy(uidSets([]Listed{{UID: 1}})[0], "Done").Wait()
		return err
	})
	if e := failure(t, err); e.Code != "OVERQUOTA" {
		t.Errorf("%+v", e)
	}
	other, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, err = openIMAP(t.Context(), set)
	if e := failure(t, err); e.Step != mail.StepLogin || !strings.Contains(e.Text, "Maximum number of connections") {
		t.Errorf("%+v", e)
	}

	demanding := loopback.NeedHosts(t, loopback.HostOptions{NoRelay: true, Users: users, ClientCAs: a.PEM})
	set = at(set, demanding.IMAPS)
	set.Roots = demanding.Pool
	if _, err = Open(t.Context(), set); failure(t, err).Text != "Client didn't present valid SSL certificate" {
		t.Error(err)
	}
	mine, err := a.Sign(time.Now().Add(time.Hour), "desk")
	if err != nil {
		t.Fatal(err)
	}
	set.Keys = append(set.Keys, mine)
	if s, err := Open(t.Context(), set); err != nil {
		t.Error(err)
	} else if err := s.Close(); err != nil {
		t.Error(err)
	}
}
