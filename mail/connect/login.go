package connect

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"helpdesk/mail"
)

// Login is how to sign in to a server. The same for IMAP, POP3 and SMTP.
type Login struct {
	Username string
	Password string
	Auth     string // auto (or ""), plain, login, cram-md5, scram-sha-256, xoauth2, oauthbearer

	// Token gives a valid OAuth2 access token; nil: sign in by password. Its
	// errors are *mail.Error of protocol "oauth" and mail.StepToken.
	Token func(ctx context.Context) (string, error)

	// Refused is called when the server did not accept Token's token, so that
	// the next call of Token gets another; may be nil.
	Refused func()
}

// What Attempt.Auth and mail.Error.Auth say.
const (
	authPassword = "password"
	authOAuth2   = "oauth2"
)

// Attempt is one log-in: a sasl.Client that notes what goes over it. There is
// never a second one after a refusal, by another mechanism or not: a few of
// them lock the account.
type Attempt struct {
	// Mechanism is its SASL name as "PLAIN" or, of the protocol's own way, the
	// name that Client was given.
	Mechanism string
	Own       bool // it is the protocol's own way; Start and Next are not for it

	login     Login
	conn      *Conn
	sasl      sasl.Client
	challenge string // what the server said against a token
}

// Client begins a log-in by the best mechanism of those that the server offers
// (SASL names), or by the one that l.Auth names. own are the ways to log in
// without SASL that the server has, best first, as IMAP's "LOGIN command";
// they are taken where no mechanism is left and Auth does not exclude a plain
// password.
//
// It fetches the access token (stage mail.StepToken) and begins the stage
// mail.StepLogin, which the caller ends:
//
//	err = attempt.Failed(…)
//	conn.End(err, attempt.Fact())
//
// Nothing is sent when it fails: not to a server that offers nothing suitable
// (mail.ErrNoLogin, mail.ErrMechanism), and not over an unencrypted connection
// (mail.ErrPlaintext). The latter holds for CRAM-MD5 and SCRAM too: who
// listens could try passwords against what they send.
func (l Login) Client(ctx context.Context, c *Conn, offered, own []string) (*Attempt, error) {
	a := &Attempt{login: l, conn: c}
	if err := a.choose(offered, own); err != nil {
		c.Begin(mail.StepLogin)
		e := c.settings.Error(mail.StepLogin, err)
		e.Auth, e.Temporary = a.Auth(), false
		c.End(e)
		return nil, e
	}
	secret := l.Password
	if l.Token != nil {
		c.Begin(mail.StepToken)
		token, err := l.Token(ctx)
		c.End(err)
		if err != nil {
			return nil, err
		}
		secret = token
	}
	c.Secret(secret)
	c.Secret("\x00" + l.Username + "\x00" + secret) // as PLAIN sends it, whichever mechanism this is
	a.sasl = mechanism(a.Mechanism, l.Username, secret, c.settings.Host, c.settings.Port)
	c.Begin(mail.StepLogin)
	return a, nil
}

// Auth is how it signs in, as mail.Error.Auth.
func (a *Attempt) Auth() string {
	if a.login.Token != nil {
		return authOAuth2
	}
	return authPassword
}

// Preferences of auto. XOAUTH2 comes first because it is what the providers'
// manuals describe and what all other programs use. On an encrypted connection
// CRAM-MD5 is the last: it protects the password from listeners, of whom there
// are none, and demands of the server to keep it readable. Without encryption
// (on this machine, or because allow_plaintext says so) this protection counts.
var (
	byToken     = []string{"XOAUTH2", "OAUTHBEARER"}
	byPassword  = []string{"SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5"}
	unencrypted = []string{"SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"}
)

// choose sets Mechanism and Own.
func (a *Attempt) choose(offered, own []string) error {
	if a.login.Username == "" {
		return mail.ErrNoUsername
	}
	if err := a.conn.PasswordAllowed(); err != nil {
		return err
	}
	candidates := byPassword
	switch {
	case a.login.Token != nil:
		candidates, own = byToken, nil
	case !a.conn.encrypted:
		candidates = unencrypted
	}
	wanted := strings.ToUpper(a.login.Auth)
	auto := wanted == "" || wanted == "AUTO"
	for _, name := range candidates {
		if (auto || wanted == name) && slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, name) }) {
			a.Mechanism = name
			return nil
		}
	}
	if len(own) > 0 && (auto || wanted == "PLAIN" || wanted == "LOGIN") {
		a.Mechanism, a.Own = own[0], true
		return nil
	}
	if len(offered) == 0 {
		return mail.ErrNoLogin
	}
	return fmt.Errorf("%w; it offers %s", mail.ErrMechanism, strings.ToUpper(strings.Join(offered, ", ")))
}

// Start begins the exchange (sasl.Client).
func (a *Attempt) Start() (string, []byte, error) {
	name, first, err := a.sasl.Start()
	a.secret(first)
	return name, first, err
}

// Next answers the server's question (sasl.Client).
func (a *Attempt) Next(challenge []byte) ([]byte, error) {
	if a.login.Token != nil { // the only question to a token is why it is not accepted
		a.challenge = string(challenge)
	}
	response, err := a.sasl.Next(challenge)
	a.secret(response)
	return response, err
}

// secret keeps what we send out of what is shown of the conversation. A user
// name alone is no secret.
func (a *Attempt) secret(response []byte) {
	if text := string(response); text != a.login.Username {
		a.conn.Secret(text)
	}
}

// Failed completes the error of this log-in, nil when there is none: with how
// we signed in, and with what the server said against a token. It looks, too,
// whether a server that accepted us has proved itself, where the mechanism
// asks for it.
func (a *Attempt) Failed(err error) error {
	if proving, ok := a.sasl.(interface{ proved() bool }); err == nil && ok && !a.Own && !proving.proved() {
		e := a.conn.settings.Error(mail.StepLogin, mail.ErrServerProof)
		e.Auth, e.Temporary = authPassword, false
		return e
	}
	var e *mail.Error
	if !errors.As(err, &e) {
		return err
	}
	e.Auth = a.Auth()
	if errors.Is(e.Err, mail.ErrServerProof) {
		e.Temporary = false
	}
	if words := a.words(); words != "" && !strings.Contains(e.Text, words) {
		e.Text = strings.TrimSpace(e.Text + " " + words)
	}
	if e.Auth == authOAuth2 && e.Err == nil && !e.Temporary && a.login.Refused != nil {
		a.login.Refused()
	}
	return err
}

// words are what the server said against the token: JSON as
// {"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}
// (RFC 7628 section 3.2.2).
func (a *Attempt) words() string {
	var short bytes.Buffer
	if err := json.Compact(&short, []byte(a.challenge)); err != nil {
		return a.conn.Scrub(printable(a.challenge))
	}
	return printable(a.conn.Scrub(short.String()))
}

// Fact tells the mechanism, for the stage.
func (a *Attempt) Fact() Fact { return Fact{"mechanism", a.Mechanism} }

// encode is base64 as SASL profiles use it.
func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
