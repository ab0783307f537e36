// Package desk says what becomes of a mail. Decide is a pure function from
// what is known about a mail (Facts) to a Decision; Take gathers the facts,
// carries the decisions out and queues the notices, all in one transaction
// for a batch; Render writes a queued notice as a mail when it is sent.
//
// The network is in none of them. Rules are tried in the order of the list in
// decide.go; the first that fits decides.
package desk

import (
	"slices"
	"strings"

	"helpdesk/mail"
)

// Settings is what a desk is, as deciding and writing need it.
type Settings struct {
	ID         int64 // of the desk in the store
	Key        string
	Name       string
	Address    string
	Aliases    []string
	Others     []string       // addresses of the other desks of this program
	Language   string         // "en" or "ja": the language of notices
	Agents     []mail.Address // who answers
	AuthservID string         // whose Authentication-Results we believe; "" believes none (RFC 8601 section 5)
	Sender     mail.Address   // From of notices: the desk's name and address, or what the configuration says
	ReplyTo    mail.Address   // zero: answers go to the sender
	BaseURL    string         // of the page, for links in agents' notices; "" gives no links
	Type       string         // name of the request type of the mailbox
	After      string         // keep, seen, move or delete
	MoveTo     string
	Silent     bool // the relay is switched off: automatic notices are not made, agents' answers wait
}

// Agent returns the agent with that address.
func (s *Settings) Agent(a mail.Address) (mail.Address, bool) {
	key := a.Key()
	for _, agent := range s.Agents {
		if agent.Key() == key {
			return agent, true
		}
	}
	return mail.Address{}, false
}

// Ours reports whether an address is a desk's own, this one's or another's.
func (s *Settings) Ours(a mail.Address) bool {
	key := a.Key()
	if key == strings.ToLower(s.Address) || key == s.Sender.Key() {
		return true
	}
	for _, alias := range slices.Concat(s.Aliases, s.Others) {
		if key == strings.ToLower(alias) {
			return true
		}
	}
	return false
}

// Outcomes of a mail, as they stand in the ledger.
const (
	Skipped     = "skipped"
	Duplicate   = "duplicate"
	Own         = "own"
	Probe       = "probe" // the mail of a round trip
	Bounced     = "bounce"
	Ignored     = "ignored"
	Reply       = "reply"
	Note        = "note"
	Request     = "request"
	Quarantined = "quarantined"
)

// Rules, as they stand in the ledger, in the order in which they are tried.
const (
	RuleFirstStart      = "first-start"
	RuleProbe           = "probe"
	RuleDuplicate       = "duplicate"
	RuleOwn             = "own"
	RuleBounce          = "bounce"
	RuleAutomaticReply  = "automatic-reply"
	RuleAutomatic       = "automatic"
	RuleAgentProof      = "agent-proof"
	RuleAgentUnverified = "agent-unverified"
	RuleReplyToken      = "reply-token"
	RuleReplyMessageID  = "reply-message-id"
	RuleReplySubject    = "reply-subject"
	RuleMentions        = "request-mentions"
	RuleRequest         = "request"

	// Beside the list: what kept a mail from being decided at all.
	RuleBroken     = "quarantined-broken"
	RuleConnection = "quarantined-connection"
)

// Events that cause a mail, as they stand in the outbox.
const (
	EventReceived      = "received"       // to the customer: we have your mail
	EventNew           = "new"            // to agents: a new request
	EventCustomerWrote = "customer-wrote" // to agents: the customer wrote again
	EventAnswered      = "answered"       // to customer and participants: the agent's answer
	EventAnsweredBy    = "answered-by"    // to the other agents: Aki took it
	EventNotSent       = "not-sent"       // to an agent: your answer could not be verified and was not sent
	EventAlarm         = "alarm"          // to the administrator: what fails, and what works again
)
