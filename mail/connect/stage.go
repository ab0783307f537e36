package connect

import (
	"errors"
	"time"

	"helpdesk/mail"
)

// Stage is one step of reaching a server, as it went. Fetching, sending and
// testing go through the same stages; a Trace is told of each.
type Stage struct {
	Step  string        // one of the mail.Step constants
	Took  time.Duration // zero while it is under way
	Said  string        // what the server said in it, without passwords and tokens; lines divided by "\n"
	Facts []Fact        // what is worth knowing about it, as the addresses of the host
	TLS   *TLSFacts     // of a handshake, also of one that failed at the certificate; else nil
	Err   *mail.Error   // nil when it went well
}

// Fact is something that a stage found out. Name is a slug: "address" (that
// was dialled), "family" ("IPv6", "IPv4"), "addresses" (of the host), "proxy",
// "mechanism" (of the login), "offers" (capabilities), "folder" (as the server
// calls it), "exists" (whether the folder does: "yes", "no"), "messages",
// "size" (of the mail that was read, in bytes), "action" ("seen", "delete",
// "move"), "move" (how: "MOVE", "UIDPLUS", "COPY", "FLAG").
type Fact struct{ Name, Value string }

// TLSFacts are what a person wants to know of an encrypted connection.
type TLSFacts struct {
	Version     string // "TLS 1.3"
	Cipher      string
	Chain       []CertificateFacts // as the server showed it, its own first
	Fingerprint string             // of its own: "sha256:" and 64 hex digits, as [[trust]] takes it
	Own         *CertificateFacts  // the client certificate that we showed; else nil
}

// CertificateFacts describe one certificate.
type CertificateFacts struct {
	Subject, Issuer   string
	Names             []string // DNS names and IP addresses
	NotBefore, Expiry time.Time
}

// Trace is told of the stages of a conversation as they begin and end, in
// order, by the goroutine that has the conversation. Nil functions are not
// called, and a nil *Trace traces nothing.
type Trace struct {
	Begin func(step string)
	End   func(Stage)
}

// stage is the one under way. Begin and End are called by the goroutine that
// has the conversation.
type stage struct {
	step    string // "": none
	started time.Time
	heard   int // lines of the server before it
	tls     *TLSFacts
}

// Begin begins a stage of the conversation; one that is under way still ends
// with that, as having gone well.
func (c *Conn) Begin(step string) {
	if c.stage.step != "" {
		c.End(nil)
	}
	c.mu.Lock()
	c.stage = stage{step: step, started: time.Now(), heard: c.words.total}
	c.mu.Unlock()
	if t := c.settings.Trace; t != nil && t.Begin != nil {
		t.Begin(step)
	}
}

// End ends the stage under way and tells Settings.Trace of it, with what the
// server said since Begin. err is nil or wraps a *mail.Error; another one is
// made one. Without a stage under way it does nothing.
func (c *Conn) End(err error, facts ...Fact) {
	if c.stage.step == "" {
		return
	}
	ended := Stage{Step: c.stage.step, Took: time.Since(c.stage.started), TLS: c.stage.tls}
	c.mu.Lock()
	ended.Said = c.words.since(c.stage.heard)
	c.stage = stage{}
	c.mu.Unlock()
	for _, f := range facts {
		if f.Value != "" {
			ended.Facts = append(ended.Facts, Fact{f.Name, c.Scrub(f.Value)})
		}
	}
	if err != nil && !errors.As(err, &ended.Err) {
		ended.Err = c.settings.Error(ended.Step, err)
	}
	if t := c.settings.Trace; t != nil && t.End != nil {
		t.End(ended)
	}
}
