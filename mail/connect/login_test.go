package connect

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"helpdesk/mail"
)

// conn is a connection for tests that need no server.
func conn(encrypted bool, ip string) *Conn {
	return &Conn{raw: at{addr: &net.TCPAddr{IP: net.ParseIP(ip)}}, encrypted: encrypted, settings: Settings{Protocol: "smtp", Host: "mail.test", Port: 465}}
}

func token(text string, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return text, err }
}

// TestMechanismIsChosen: nothing but the choice is made here; that each works
// is shown with Dovecot, in mail/fetch and mail/send.
func TestMechanismIsChosen(t *testing.T) {
	const all = "GSSAPI LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 OAUTHBEARER XOAUTH2"
	tests := []struct {
		auth, offered, own string
		token              bool
		encrypted          bool
		want               string
		err                error
	}{
		{"", all, "", false, true, "SCRAM-SHA-256", nil},
		{"auto", all, "", false, false, "SCRAM-SHA-256", nil},
		{"auto", "CRAM-MD5 LOGIN plain", "", false, true, "PLAIN", nil},
		{"auto", "CRAM-MD5 LOGIN PLAIN", "", false, false, "CRAM-MD5", nil},
		{"auto", "CRAM-MD5 LOGIN", "", false, true, "LOGIN", nil},
		{"auto", "CRAM-MD5", "", false, true, "CRAM-MD5", nil},
		{"auto", "XOAUTH2", "", false, true, "", mail.ErrMechanism},
		{"auto", "", "", false, true, "", mail.ErrNoLogin},
		{"auto", "XOAUTH2", "LOGIN command", false, true, "LOGIN command", nil},
		{"auto", "PLAIN", "LOGIN command", false, true, "PLAIN", nil},
		{"plain", "LOGIN", "LOGIN command", false, true, "LOGIN command", nil},
		{"cram-md5", "LOGIN", "LOGIN command", false, true, "", mail.ErrMechanism},
		{"scram-sha-256", all, "", false, true, "SCRAM-SHA-256", nil},
		{"login", all, "", false, true, "LOGIN", nil},
		{"plain", "LOGIN", "", false, true, "", mail.ErrMechanism},
		{"auto", all, "", true, true, "XOAUTH2", nil},
		{"oauthbearer", all, "", true, true, "OAUTHBEARER", nil},
		{"auto", "OAUTHBEARER PLAIN", "", true, true, "OAUTHBEARER", nil},
		{"auto", "PLAIN LOGIN", "LOGIN command", true, true, "", mail.ErrMechanism},
		{"xoauth2", all, "", false, true, "", mail.ErrMechanism}, // no token
	}
	for _, test := range tests {
		l := Login{Username: "desk", Password: "secret", Auth: test.auth}
		if test.token {
			l.Token = token("ya29.token", nil)
		}
		var own []string
		if test.own != "" {
			own = []string{test.own}
		}
		a, err := l.Client(t.Context(), conn(test.encrypted, "127.0.0.1"), strings.Fields(test.offered), own)
		if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if err != nil {
			e := err.(*mail.Error)
			if e.Step != mail.StepLogin || e.Temporary || e.Auth != map[bool]string{true: "oauth2", false: "password"}[test.token] {
				t.Errorf("%+v: %+v", test, e)
			}
			continue
		}
		if a.Mechanism != test.want || a.Own != (test.own == test.want && test.own != "") {
			t.Errorf("%+v: %s, own %v", test, a.Mechanism, a.Own)
		}
	}
}

// TestNothingSecretInTheClear: whatever the mechanism, and also through a proxy
// on this machine, which sends it on into the network.
func TestNothingSecretInTheClear(t *testing.T) {
	proxied := conn(false, "127.0.0.1")
	proxied.proxied = true
	for name, c := range map[string]*Conn{"network": conn(false, "192.0.2.1"), "proxy": proxied} {
		for _, auth := range []string{"auto", "plain", "login", "cram-md5", "scram-sha-256", "xoauth2"} {
			l := Login{Username: "desk", Password: "secret", Auth: auth}
			if auth == "xoauth2" {
				l.Token = func(context.Context) (string, error) {
					t.Error("the token was fetched")
					return "", nil
				}
			}
			if _, err := l.Client(t.Context(), c, []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2"}, []string{"own"}); !errors.Is(err, mail.ErrPlaintext) {
				t.Errorf("%s, %s: %v", name, auth, err)
			}
		}
	}
	if _, err := (Login{Password: "secret"}).Client(t.Context(), conn(true, "127.0.0.1"), []string{"PLAIN"}, nil); !errors.Is(err, mail.ErrNoUsername) {
		t.Errorf("no user name: %v", err)
	}
}

// exchanged plays the server's side: what the client answers to each question.
func exchanged(t *testing.T, l Login, offered string, questions ...string) (*Attempt, []string) {
	t.Helper()
	a, err := l.Client(t.Context(), conn(true, "192.0.2.1"), []string{offered}, nil)
	if err != nil {
		t.Fatal(err)
	}
	name, first, err := a.Start()
	if err != nil || name != offered {
		t.Fatalf("%s, %v", name, err)
	}
	answers := []string{string(first)}
	for _, question := range questions {
		answer, err := a.Next([]byte(question))
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, string(answer))
	}
	return a, answers
}

func TestMechanismsAnswer(t *testing.T) {
	l := Login{Username: "tim", Password: "tanstaaftanstaaf"}
	withToken := Login{Username: "a=b,c@x.test", Token: token("vF9dft4qmT", nil)}
	for _, test := range []struct {
		login     Login
		name      string
		questions []string
		want      []string
	}{
		{l, "PLAIN", nil, []string{"\x00tim\x00tanstaaftanstaaf"}},
		{l, "LOGIN", []string{"ユーザー名", ""}, []string{"", "tim", "tanstaaftanstaaf"}},
		// RFC 2195 section 2
		{l, "CRAM-MD5", []string{"<1896.697170952@postoffice.reston.mci.net>"}, []string{"", "tim b913a602c7eda7a495b4e6e7334d3890"}},
		{withToken, "XOAUTH2", []string{`{"status":"400"}`}, []string{"user=a=b,c@x.test\x01auth=Bearer vF9dft4qmT\x01\x01", ""}},
		// RFC 7628 section 4.1 and 4.3
		{withToken, "OAUTHBEARER", []string{`{"status":"invalid_token"}`},
			[]string{"n,a=a=3Db=2Cc@x.test,\x01host=mail.test\x01port=465\x01auth=Bearer vF9dft4qmT\x01\x01", "\x01"}},
	} {
		_, got := exchanged(t, test.login, test.name, test.questions...)
		if strings.Join(got, "|") != strings.Join(test.want, "|") {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	for name, mechanism := range map[string]interface{ Next([]byte) ([]byte, error) }{
		"LOGIN": &questions{}, "CRAM-MD5": &cramMD5{answered: true},
	} {
		if _, err := mechanism.Next([]byte("more?")); err == nil {
			t.Errorf("%s answers without end", name)
		}
	}
}

// TestSCRAM is the example of RFC 7677 section 3, and what is wrong in others.
func TestSCRAM(t *testing.T) {
	const (
		nonce    = "rOprNGfwEbeRWgbNEkqO"
		question = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
		proof    = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
		verdict  = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
	)
	begun := func() *scram {
		return &scram{username: "user", password: "pencil", nonce: nonce, first: "n=user,r=" + nonce}
	}
	s := begun()
	if answer, err := s.Next([]byte(question)); err != nil || string(answer) != proof || s.proved() {
		t.Fatalf("%s, %v, proved %v", answer, err, s.proved())
	}
	if answer, err := s.Next([]byte(verdict)); err != nil || len(answer) != 0 || !s.proved() {
		t.Fatalf("%s, %v, proved %v", answer, err, s.proved())
	}
	for _, bad := range []string{"", "e=other-error", strings.Replace(question, nonce, "x"+nonce, 1), "r=" + nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		strings.Replace(question, "i=4096", "i=999999999", 1), strings.Replace(question, "i=4096", "i=0", 1), strings.Replace(question, "s=W", "s=*", 1), "m=x," + question} {
		if answer, err := begun().Next([]byte(bad)); err == nil {
			t.Errorf("%q is answered with %q", bad, answer)
		}
	}
	// What a wrong password is told by is not that the server failed to prove itself.
	s = begun()
	if _, err := s.Next([]byte(question)); err != nil {
		t.Fatal(err)
	}
	if answer, err := s.Next([]byte("e=invalid-proof")); err != nil || len(answer) != 0 || s.proved() {
		t.Errorf("%s, %v, proved %v", answer, err, s.proved())
	}
	for _, bad := range []string{"", "v=", "v=AAAA", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="} {
		s := begun()
		if _, err := s.Next([]byte(question)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Next([]byte(bad)); !errors.Is(err, mail.ErrServerProof) || s.proved() {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// A server that says yes without having proved anything.
	a, _ := exchanged(t, Login{Username: "user", Password: "pencil"}, "SCRAM-SHA-256")
	var e *mail.Error
	if err := a.Failed(nil); !errors.As(err, &e) || !errors.Is(err, mail.ErrServerProof) || e.Temporary || e.Auth != "password" {
		t.Errorf("%v", err)
	}
	plain, _ := exchanged(t, Login{Username: "user", Password: "pencil"}, "PLAIN")
	if err := plain.Failed(nil); err != nil {
		t.Error(err)
	}
}

// TestTokenRefused: the error holds what the server said against the token,
// and the keeper of the token is told.
func TestTokenRefused(t *testing.T) {
	told := 0
	l := Login{Username: "desk", Token: token("ya29.token", nil), Refused: func() { told++ }}
	a, _ := exchanged(t, l, "XOAUTH2", `{ "status":"400", "schemes":"Bearer", "scope":"https://mail.google.com/", "seen":"ya29.token" }`)
	e := &mail.Error{Step: mail.StepLogin, Code: "AUTHENTICATIONFAILED", Text: "Invalid credentials (Failure)"}
	if err := a.Failed(e); err != e || e.Auth != "oauth2" || told != 1 ||
		e.Text != `Invalid credentials (Failure) {"status":"400","schemes":"Bearer","scope":"https://mail.google.com/","seen":"***"}` {
		t.Errorf("%+v, told %d", e, told)
	}
	busy := &mail.Error{Step: mail.StepLogin, Code: "UNAVAILABLE", Temporary: true}
	if a.Failed(busy) != busy || told != 1 || a.Failed(nil) != nil {
		t.Errorf("told %d", told)
	}

	refused := &mail.Error{Protocol: "oauth", Step: mail.StepToken, Code: "invalid_grant"}
	l.Token = token("", refused)
	c := conn(true, "192.0.2.1")
	var stages []Stage
	c.settings.Trace = &Trace{End: func(s Stage) { stages = append(stages, s) }}
	if _, err := l.Client(t.Context(), c, []string{"XOAUTH2"}, nil); err != refused {
		t.Errorf("%v", err)
	}
	if len(stages) != 1 || stages[0].Step != mail.StepToken || stages[0].Err != refused {
		t.Errorf("%+v", stages)
	}
}

// TestSecretsAreHidden: in whatever form a server repeats them.
func TestSecretsAreHidden(t *testing.T) {
	l := Login{Username: "desk@x.test", Password: `pa"ss\word`}
	a, answers := exchanged(t, l, "CRAM-MD5", "<1@x>")
	c := a.conn
	long := strings.Repeat("tokenpart", 80)
	c.Secret(long)
	for _, line := range []string{
		l.Password, encode(l.Password), `LOGIN "desk" "pa\"ss\\word"`, encode("\x00" + l.Username + "\x00" + l.Password),
		answers[1], encode(answers[1]), "user=x auth=Bearer " + long[:400], encode(long),
	} {
		c.Note("500 you said " + line)
		got := c.ServerWords()[strings.LastIndex("\n"+c.ServerWords(), "\n"):]
		if !strings.Contains(got, hidden) || strings.Contains(got, "ss") || strings.Contains(got, "tokenpart") || len(got) > 60 {
			t.Errorf("%q is shown as %q", line, got)
		}
	}
	if got := c.Scrub("535 desk@x.test: wrong"); got != "535 desk@x.test: wrong" {
		t.Errorf("%q", got)
	}
}
