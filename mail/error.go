package mail

import (
	"fmt"
	"strings"
)

// Steps of a conversation with a server, in the order in which they are gone
// through. They name where an Error happened.
const (
	StepResolve      = "resolve"
	StepDial         = "dial"
	StepProxy        = "proxy"
	StepTLS          = "tls"
	StepGreeting     = "greeting"
	StepCapabilities = "capabilities"
	StepStartTLS     = "starttls"
	StepLogin        = "login"
	StepSelect       = "select"
	StepList         = "list"
	StepFetch        = "fetch"
	StepAct          = "act" // store flags, move, delete
	StepIdle         = "idle"
	StepEHLO         = "ehlo"
	StepMailFrom     = "mail-from"
	StepRcptTo       = "rcpt-to"
	StepData         = "data"

	// StepToken is the fetching of an access token from the token endpoint of
	// an OAuth2 provider; its errors have the protocol "oauth".
	StepToken = "token"
)

// Error is the failure of a conversation with a mail server. Whoever shows it
// asks mail/diagnose for cause and remedy; nobody matches its text elsewhere.
type Error struct {
	Protocol  string // "imap", "pop3", "smtp" or "oauth"
	Server    string // "host:port"
	Step      string // one of the Step constants
	Auth      string // how we signed in: "password", "oauth2", "" before or without that
	Code      string // response code of IMAP or POP3 as "AUTHENTICATIONFAILED", SMTP reply code as "550", OAuth error as "invalid_grant", else ""
	Enhanced  string // enhanced status code as "5.1.1" (RFC 3463), else ""
	Text      string // the server's own words, without passwords and tokens; "" when it said nothing
	Temporary bool   // trying again may help; an unknown failure is temporary
	Err       error  // the cause below: net, tls and syscall errors stay reachable by errors.As
}

// Error names server, step and the server's words. Example:
// imap mail.example.com:993: login: [AUTHENTICATIONFAILED] Authentication failed.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s", e.Protocol, e.Server, e.Step)
	if e.Code != "" {
		if e.Protocol != "smtp" {
			fmt.Fprintf(&b, ": [%s]", e.Code)
		} else {
			fmt.Fprintf(&b, ": %s", e.Code)
		}
	}
	if e.Enhanced != "" {
		b.WriteString(" " + e.Enhanced)
	}
	switch {
	case e.Text != "":
		b.WriteString(": " + e.Text)
	case e.Err != nil:
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause below.
func (e *Error) Unwrap() error { return e.Err }
