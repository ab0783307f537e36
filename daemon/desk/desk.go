// Package desk says what becomes of a mail. Decide is a pure function from
// what is known about a mail (Facts) to a Decision; Take gathers the facts,
// carries the decisions out and queues the notices, all in one transaction
// for a batch; Render writes a queued notice as a mail when it is sent. What
// comes by no mail goes the same way: ByHand does what an agent wants on the
// page or by a command, TakeAgain and Release take what was set aside, and
// Digests, Remind and Close do what the clock brings.
//
// The network is in none of them. Rules are tried in the order of the list in
// decide.go; the first that fits decides.
package desk

import (
	"slices"
	"strings"
	"time"

	"helpdesk/mail"
)

// Settings is what a desk is, as deciding and writing need it.
type Settings struct {
	ID         int64 // of the desk in the store
	Key        string
	Name       string
	Address    string
	Aliases    []string
	Others     []string       // addresses of the other desks of this program, and those they send from and are answered at
	Language   string         // "en" or "ja": the language of notices
	Agents     []mail.Address // who answers
	AuthservID string         // whose Authentication-Results we believe; "" believes none (RFC 8601 section 5)
	Sender     mail.Address   // From of notices: the desk's name and address, or what the configuration says
	ReplyTo    mail.Address   // zero: answers go to the sender
	BaseURL    string         // of the page, for links in agents' notices; "" gives no links
	Type       RequestType    // of the mailbox
	After      string         // keep, seen, move or delete
	MoveTo     string
	Silent     bool // the relay is switched off: automatic notices are not made, agents' answers wait

	PublicSignup     bool            // false: only customers that are known, or of CustomerDomains
	CustomerDomains  []string        // domains, lower case; each includes its subdomains
	Allow, Block     []string        // addresses or domains, lower case; a domain includes its subdomains
	KeepAutomatic    bool            // automatic mail becomes a request, without an answer
	AnswerUnknown    bool            // an unknown sender is told once a week that the mail is held
	Reopen           time.Duration   // a reply within it opens a resolved request again; 0: always
	AutoClose        time.Duration   // requests that wait for their customer that long are resolved; 0: never
	CustomerLanguage string          // "mail": that of the customer's own mail; else the desk's
	Muted            map[string]bool // events that are not sent
	Texts            *Texts          // nil: our own
	Limits           Limits
}

// RequestType is what customers can ask for, with fields.
type RequestType struct {
	Name   string
	Fields []Field
}

// Field is one field of a request type.
type Field struct {
	Name    string
	Default string
	Choices []string // nil: any text
}

// Limits keep a mistake or an attack from becoming a storm. 0 is no limit.
type Limits struct {
	AutomaticHour   int // automatic mails to one customer in an hour
	AutomaticDay    int // and in a day
	AutomaticInAll  int // automatic mails to all customers in an hour
	NoticesOfSender int // notices to one agent that one sender causes in an hour; the others come with a digest
	Notices         int // notices to one agent in an hour; the others come with a digest
	Mails           int // mails of one sender in an hour; the others are held
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

// AgentsCalled returns the agents that a person means: the one with that
// address, else those of that name, else those with that word in the name or
// before the @. Any other number than one is for the person to mend.
func (s *Settings) AgentsCalled(who string) []mail.Address {
	who = folded(who)
	var named, like []mail.Address
	for _, a := range s.Agents {
		local, _, _ := strings.Cut(a.Key(), "@")
		switch {
		case a.Key() == who:
			return []mail.Address{a}
		case folded(a.Name) == who:
			named = append(named, a)
		case local == who || slices.Contains(strings.Fields(folded(a.Name)), who):
			like = append(like, a)
		}
	}
	if len(named) > 0 {
		return named
	}
	return like
}

// Ours reports whether an address is a desk's own, this one's or another's,
// however it is spelt and whatever stands behind a + in it: the token of a
// request may.
func (s *Settings) Ours(a mail.Address) bool {
	key := a.GmailKey()
	untagged, _ := withoutTag(a)
	is := func(own string) bool {
		own = mail.Address{Address: own}.GmailKey()
		return own != "" && (own == key || own == untagged)
	}
	return is(s.Address) || is(s.Sender.Address) || is(s.ReplyTo.Address) || slices.ContainsFunc(s.Aliases, is) || slices.ContainsFunc(s.Others, is)
}

// Outcomes of a mail, as they stand in the ledger.
const (
	Skipped     = "skipped"
	Duplicate   = "duplicate"
	Own         = "own"
	Probe       = "probe" // the mail of a round trip
	Bounced     = "bounce"
	Ignored     = "ignored"
	Blocked     = "blocked"
	Held        = "held"
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
	RuleBlocked         = "blocked"
	RuleAutomaticReply  = "automatic-reply"
	RuleAutomatic       = "automatic"
	RuleAgentProof      = "agent-proof"
	RuleAgentUnverified = "agent-unverified"
	RuleRate            = "rate" // more mails of one sender than Limits.Mails
	RuleReplyToken      = "reply-token"
	RuleReplyMessageID  = "reply-message-id"
	RuleReplySubject    = "reply-subject"
	RuleUnknown         = "unknown-sender"
	RuleMentions        = "request-mentions"
	RuleRequest         = "request"

	// Beside the list: what kept a mail from being decided at all.
	RuleBroken     = "quarantined-broken"
	RuleConnection = "quarantined-connection"
)

// Events that cause a mail, as they stand in the outbox.
const (
	EventReceived      = "received"       // to the customer: we have your mail
	EventAnswered      = "answered"       // to customer and participants: the agent's answer
	EventResolved      = "resolved"       // to the customer: we take it for done
	EventReopened      = "reopened"       // to the customer: your mail opened it again
	EventHeld          = "held"           // to a sender whom we do not know: somebody looks at it first
	EventNew           = "new"            // to agents: a new request
	EventCustomerWrote = "customer-wrote" // to agents: the customer wrote again
	EventAssigned      = "assigned"       // to an agent: it is yours
	EventAnsweredBy    = "answered-by"    // to the other agents: Aki took it
	EventBounced       = "bounced"        // to agents, with a digest only: your answer came back
	EventReminder      = "reminder"       // to agents: this customer still waits
	EventDigest        = "digest"         // to an agent: several notices in one mail
	EventNotSent       = "not-sent"       // to an agent: your answer was not sent
	EventCommands      = "commands"       // to an agent: what the commands in your mail did, could not do, or #help
	EventAlarm         = "alarm"          // to the administrator: what fails, and what works again
	EventWeekly        = "weekly"         // to the administrator: the week in figures
)

// Fields of every request type whose value is the mail itself.
const (
	FieldSummary     = "summary"
	FieldDescription = "description"
	FieldAttachment  = "attachment"
	FieldPriority    = "priority" // its choices, where the type names none, are low, normal and high
)
