package desk

import (
	"slices"
	"strings"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// Facts is all that deciding needs to know of a mail. Gathering them is
// facts.go's work; Decide itself looks nothing up.
type Facts struct {
	Mail   *mail.Message
	Desk   *Settings
	Sender mail.Address // who asks: see sender in facts.go

	Skipped   int64             // ledger line of this mail from the first start, 0 when there is none
	Duplicate int64             // ledger line of the same content, 0 when there is none
	Own       bool              // it carries our loop mark for this desk
	Probe     time.Time         // when we sent it to try the round trip; zero: it is no such mail
	Bounce    *store.OutboxLine // the outbox line that a delivery report is about
	Refs      []Ref             // conversations it points to, the nearest first

	AutomaticHour, AutomaticDay int // automatic mails queued to the sender in the last hour and day
	Suspended                   bool
}

// Ref is a conversation that a mail points to, and by what right.
type Ref struct {
	RequestID int64
	Key       string
	By        string       // one of the By constants
	Agent     mail.Address // whose token it is, for ByAgentToken
	Part      bool         // the sender is the requester or a participant

	Unreachable bool // nobody in it has an address to answer to
}

// How a mail points to a conversation.
const (
	ByAgentToken    = "agent-token"    // our Message-ID for one agent
	ByCustomerToken = "customer-token" // our Message-ID for customers
	ByMessageID     = "message-id"     // the Message-ID of a mail in the conversation
	BySubject       = "subject"        // [SUP-12] in the subject
)

// Why an agent's mail was not sent to the customer, the values of the argument not_sent.
const (
	NotSentUnverified = "unverified" // nothing proves that the agent wrote it
	NotSentEmpty      = "empty"      // it says nothing
	NotSentNobody     = "nobody"     // the customer's mail named no sender
)

// Caps on automatic mail to one address (promise 6).
const (
	CapHour = 5
	CapDay  = 10
)

// Decision is what becomes of a mail.
type Decision struct {
	Outcome string
	Rule    string
	Args    map[string]string // of the rule's sentence
	Passed  []string          // the rules that were passed over

	Ref       *Ref         // the conversation it joins (reply, note) or mentions (request)
	Kind      string       // of the message it becomes: customer, agent, note; "" makes none
	Requester mail.Address // who asks, for a request
	Verified  bool         // an agent's mail with proof
	Answer    bool         // the sender may get automatic mail about it
	Suspend   string       // address to suspend, after a permanent bounce
}

// rule is one line of the table. It returns nil when it does not fit.
type rule struct {
	name string
	fits func(*Facts) *Decision
}

// rules is the table, first fit decides.
func rules() []rule {
	return []rule{
		{RuleFirstStart, firstStart},
		{RuleProbe, probe},
		{RuleDuplicate, duplicate},
		{RuleOwn, own},
		{RuleBounce, bounce},
		{RuleAutomaticReply, automaticReply},
		{RuleAutomatic, automatic},
		{RuleAgentProof, agentWithProof},
		{RuleAgentUnverified, agentWithoutProof},
		{RuleReplyToken, replyBy(ByCustomerToken)},
		{RuleReplyMessageID, replyBy(ByMessageID)},
		{RuleReplySubject, replyBy(BySubject)},
		{RuleMentions, mentions},
		{RuleRequest, request},
	}
}

// Decide says what becomes of a mail. It is pure: the same facts always give
// the same decision.
func Decide(f *Facts) Decision {
	var passed []string
	for _, r := range rules() {
		if d := r.fits(f); d != nil {
			d.Rule, d.Passed = r.name, passed
			d.limit(f)
			return *d
		}
		passed = append(passed, r.name)
	}
	panic("desk: the last rule fits every mail")
}

// limit takes back the right to automatic mail where the cap is reached or
// the address is suspended, and says so.
func (d *Decision) limit(f *Facts) {
	if !d.Answer {
		return
	}
	reason := ""
	switch {
	case f.Suspended:
		reason = "suspended"
	case f.AutomaticHour >= CapHour:
		reason = "cap-hour"
	case f.AutomaticDay >= CapDay:
		reason = "cap-day"
	}
	if reason != "" {
		d.Answer = false
		d.arg("no_answer", reason)
	}
}

func (d *Decision) arg(key, value string) {
	if d.Args == nil {
		d.Args = make(map[string]string)
	}
	d.Args[key] = value
}

// firstStart fits a mail of before the first start that comes back with a new
// number: a person moved it out and in, or the mailbox moved to another server.
func firstStart(f *Facts) *Decision {
	if f.Skipped == 0 {
		return nil
	}
	return &Decision{Outcome: Skipped}
}

// probe fits the mail of a round trip, also where it arrives twice.
func probe(f *Facts) *Decision {
	if f.Probe.IsZero() {
		return nil
	}
	return &Decision{Outcome: Probe}
}

func duplicate(f *Facts) *Decision {
	if f.Duplicate == 0 {
		return nil
	}
	return &Decision{Outcome: Duplicate}
}

func own(f *Facts) *Decision {
	if !f.Own {
		return nil
	}
	return &Decision{Outcome: Own}
}

// bounce takes every delivery report; only one that names a mail of ours by
// its signed Message-ID does something.
func bounce(f *Facts) *Decision {
	if f.Mail.Bounce == nil && f.Mail.Automatic != mail.BounceMail {
		return nil
	}
	d := &Decision{Outcome: Bounced}
	b := f.Mail.Bounce
	if b == nil {
		return d
	}
	d.arg("recipient", b.Recipient)
	d.arg("status", b.Status)
	if f.Bounce == nil {
		return d
	}
	d.arg("outbox", itoa(f.Bounce.ID))
	if f.Bounce.RequestID != 0 {
		d.Ref = &Ref{RequestID: f.Bounce.RequestID, Key: f.Bounce.Request}
		d.Kind = store.KindNote
	}
	// The address itself is bad only where the server says so (RFC 3463,
	// X.1.X) and for good; a full mailbox or a spam filter passes.
	// The administrator's is not suspended: a warning on the page says it, and the
	// next alarm is tried all the same.
	if b.Permanent && strings.HasPrefix(b.Status, "5.1.") && f.Bounce.Event != EventAlarm {
		d.Suspend = f.Bounce.To.Key()
	}
	return d
}

func automaticReply(f *Facts) *Decision {
	switch f.Mail.Automatic {
	case mail.AutoReply, mail.Challenge:
	default:
		return nil
	}
	// A note for agents, by any right to the conversation: an automatic
	// reply quotes our Message-ID, or comes from someone who is part of it.
	if ref := first(f.Refs, func(r Ref) bool { return r.By == ByAgentToken || r.By == ByCustomerToken || r.Part }); ref != nil {
		return &Decision{Outcome: Note, Kind: store.KindNote, Ref: ref}
	}
	return &Decision{Outcome: Ignored}
}

func automatic(f *Facts) *Decision {
	if f.Mail.Automatic == "" {
		return nil
	}
	d := &Decision{Outcome: Ignored}
	d.arg("kind", f.Mail.Automatic)
	return d
}

// agentWithProof fits a mail of an agent that carries this agent's own token,
// or that our receiving host found to pass DMARC. An agent who is the customer
// of a conversation writes there as the customer.
func agentWithProof(f *Facts) *Decision {
	agent, ok := f.Desk.Agent(f.Mail.From)
	if !ok || severalFrom(f.Mail) {
		return nil
	}
	ref := first(f.Refs, func(r Ref) bool { return r.By == ByAgentToken && r.Agent.Key() == agent.Key() })
	dmarc := dmarcPass(f.Mail, f.Desk.AuthservID)
	if ref == nil && dmarc {
		ref = first(f.Refs, func(Ref) bool { return true })
		if ref != nil && ref.Part {
			return nil
		}
	}
	if ref != nil && saysNothing(f.Mail) {
		d := &Decision{Outcome: Note, Kind: store.KindNote, Ref: ref, Verified: true, Answer: answerable(f)}
		d.arg("not_sent", NotSentEmpty)
		return d
	}
	if ref != nil && ref.Unreachable {
		d := &Decision{Outcome: Note, Kind: store.KindNote, Ref: ref, Verified: true, Answer: answerable(f)}
		d.arg("not_sent", NotSentNobody)
		return d
	}
	if ref != nil {
		return &Decision{Outcome: Reply, Kind: store.KindAgent, Ref: ref, Verified: true}
	}
	if dmarc && f.Sender.Key() != agent.Key() {
		d := &Decision{Outcome: Request, Kind: store.KindCustomer, Requester: f.Sender, Answer: answerable(f)}
		d.arg("forwarded_by", agent.Address)
		return d
	}
	return nil
}

// agentWithoutProof keeps a mail that claims to be an agent's away from
// customers. Where it points to no conversation the sender is as any other.
func agentWithoutProof(f *Facts) *Decision {
	if _, ok := f.Desk.Agent(f.Mail.From); !ok {
		return nil
	}
	ref := first(f.Refs, func(Ref) bool { return true })
	if ref == nil || ref.Part {
		return nil
	}
	d := &Decision{Outcome: Note, Kind: store.KindNote, Ref: ref, Answer: answerable(f)}
	d.arg("not_sent", NotSentUnverified)
	return d
}

// saysNothing reports whether an agent's mail has no answer in it: nothing was
// written above the quoted mail, and no file is attached.
func saysNothing(m *mail.Message) bool {
	return strings.TrimSpace(m.Reply) == "" && len(m.Attachments) == 0
}

func replyBy(by string) func(*Facts) *Decision {
	return func(f *Facts) *Decision {
		ref := first(f.Refs, func(r Ref) bool {
			return (r.By == by || by == ByMessageID && r.By == ByAgentToken) && (r.Part || by == ByCustomerToken)
		})
		if ref == nil {
			return nil
		}
		return &Decision{Outcome: Reply, Kind: store.KindCustomer, Ref: ref}
	}
}

// mentions makes a request of its own that is linked to the one it names: a
// stranger never joins a conversation (promise 7).
func mentions(f *Facts) *Decision {
	if len(f.Refs) == 0 {
		return nil
	}
	d := request(f)
	d.Ref = &f.Refs[0]
	return d
}

func request(f *Facts) *Decision {
	return &Decision{Outcome: Request, Kind: store.KindCustomer, Requester: f.Sender, Answer: answerable(f)}
}

// answerable reports whether the sender may get automatic mail at all. Spam
// and mail that fails DMARC may bear anybody's name; a list would spread the
// answer; a mail without a usable sender has nobody to answer; our own
// addresses would answer us.
func answerable(f *Facts) bool {
	m := f.Mail
	return usable(f.Sender) && !m.Spam && !m.List && m.ReturnPath != "<>" && !dmarcFail(m) &&
		!f.Desk.Ours(f.Sender) && !noReply(f.Sender)
}

func first(refs []Ref, fits func(Ref) bool) *Ref {
	if i := slices.IndexFunc(refs, fits); i >= 0 {
		return &refs[i]
	}
	return nil
}
