package ui

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Tests is what the test page asks of the running program. `helpdesk test` has
// the same engine below it and prints the same events.
type Tests struct {
	// Targets lists what can be tested.
	Targets func() []Target
	// Run tests until it is done, fails or ctx ends, and tells what happens as
	// it happens. ErrTestBusy when a test of the same part is under way.
	Run func(ctx context.Context, o TestOrder, tell func(TestEvent)) error
}

// ErrTestBusy says that the part is being tested already.
var ErrTestBusy = errors.New("this is being tested already")

// Target is a mailbox or a relay.
type Target struct {
	Part     string // "mailbox:SUP", "relay" (which desks share) or "relay:SUP" (a desk's own)
	Desks    []string
	Address  string // of the desk; the first one's where several share a relay
	Protocol string // imap, pop3 or smtp
	Server   string // host:port
	Username string // "" signs in as nobody
	Off      bool   // switched off, or closed by a fault of the configuration
	Trips    bool   // a mailbox whose desk can send a mail to itself
	State    PartStatus
}

// Mailbox reports whether the target is one, and not a relay.
func (t Target) Mailbox() bool { return t.Protocol != "smtp" }

// TestOrder is what is to be tested, and how far.
type TestOrder struct {
	Part      string
	To        string // of a relay: send a test message to this address
	RoundTrip bool   // of a mailbox: send a mail to it and wait for its arrival
}

// Parts of a test, the values of TestEvent.Section.
const (
	SectionMailbox   = "mailbox"    // reaching the mailbox
	SectionRelay     = "relay"      // reaching the relay
	SectionMessage   = "message"    // sending a test message
	SectionRoundTrip = "round-trip" // a mail from the desk to itself
)

// Stages of a test beside the steps of package mail.
const (
	StageArrived = "arrived" // the mail of a round trip lies in the mailbox
	StageRemoved = "removed" // it was deleted there
)

// TestEvent is one thing that a test tells. One field is set.
type TestEvent struct {
	Section *TestSection // a part of the test begins
	Begin   string       // a stage begins: a step of package mail or a Stage constant
	Stage   *TestStage   // the stage that began last has ended
	Trouble *PartStatus  // what is wrong and what to do; the test ends after it
	Note    *Note        // what else to know
}

// TestSection is a part of a test.
type TestSection struct {
	Kind   string // one of the Section constants
	Part   string // as Target.Part
	Desk   string
	Server string // host:port
}

// Note is a sentence for the reader: a phrase "test.note.…" and what is put into it.
type Note struct {
	Slug  string
	Pairs []string
	Good  bool // it says that something works
}

// TestStage is a stage that has ended.
type TestStage struct {
	Step   string        `json:"step"`
	Failed bool          `json:"failed"`
	Took   time.Duration `json:"-"`
	Said   string        `json:"said"` // the server's words, lines divided by "\n"
	Facts  []TestFact    `json:"facts"`
	TLS    *TestTLS      `json:"tls"`
}

// MarshalJSON writes the time in milliseconds and absent facts as [].
func (s TestStage) MarshalJSON() ([]byte, error) {
	type plain TestStage
	if s.Facts == nil {
		s.Facts = []TestFact{}
	}
	return json.Marshal(struct {
		plain
		MS int64 `json:"ms"`
	}{plain(s), s.Took.Milliseconds()})
}

// TestFact is what a stage found out; names are those of mail/connect.
type TestFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// TestTLS is what is to be known of an encrypted connection.
type TestTLS struct {
	Version     string            `json:"version"`
	Cipher      string            `json:"cipher"`
	Chain       []TestCertificate `json:"chain"`
	Fingerprint string            `json:"fingerprint"` // as [[trust]] takes it
	Own         *TestCertificate  `json:"own"`         // that we showed
}

// TestCertificate is one certificate.
type TestCertificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names"`
	NotBefore time.Time `json:"not_before"`
	Expiry    time.Time `json:"expiry"`
}
