package desk

import (
	"strconv"
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
	Plus      bool              // and to the desk's address with a token in it, which the server takes then
	Bounce    *store.OutboxLine // the outbox line that a delivery report is about
	Refs      []Ref             // conversations it points to, the nearest first
	Digest    bool              // it answers a digest of the agent in From, by its own Message-ID
	Theirs    []string          // lines in the mail of the customer whom an agent answers that look like commands

	AutomaticHour, AutomaticDay int // automatic mails queued to the sender in the last hour and day
	AutomaticInAll              int // and to anybody in the last hour
	Suspended                   bool

	Wanted    bool // a person wants it: whatever would set it aside is passed over
	ByRule    bool // with Wanted: of that only its age, and that it was seen before
	Old       bool // it lay there at the first start, and a person wants it now
	Quiet     bool // nobody is told of it: old mail that is imported or wanted quietly
	Known     bool // the sender is a customer of this desk
	Blocked   bool // an agent called the sender's mail spam
	OverRate  bool // the sender sent more within an hour than Limits.Mails
	HeldSince bool // the sender was told within a week that mail is held
	Now       time.Time
}

// Ref is a conversation that a mail points to, and by what right.
type Ref struct {
	RequestID int64
	Key       string
	By        string       // one of the By constants
	Agent     mail.Address // whose token it is, for ByAgentToken
	Part      bool         // the sender is the requester or a participant
	Asks      bool         // the sender is the requester

	Unreachable bool // nobody in it has an address to answer to
	Closed      bool // it is resolved for longer than Settings.Reopen
}

// How a mail points to a conversation.
const (
	ByAgentToken    = "agent-token"    // our Message-ID for one agent
	ByCustomerToken = "customer-token" // our Message-ID for customers, or the token in our address
	ByMessageID     = "message-id"     // the Message-ID of a mail in the conversation
	BySubject       = "subject"        // [SUP-12] in the subject
)

// Why an agent's mail was not sent to the customer, the values of the argument not_sent.
const (
	NotSentUnverified = "unverified" // nothing proves that the agent wrote it
	NotSentDMARC      = "dmarc"      // it has the agent's own token, but our receiving host says that the address is a false one
	NotSentEmpty      = "empty"      // it says nothing
	NotSentNobody     = "nobody"     // the customer's mail named no sender
	NotSentDigest     = "digest"     // it answers a digest: that is about several requests
	NotSentCopy       = "copy"       // it was written to somebody else, with a copy for us
)

// Decision is what becomes of a mail. Args are of the rule's sentence:
//
//	allow       entry of the allow list that let automatic mail through
//	block       entry of the block list that names the sender
//	commands    what an agent's mail asks for, as "resolve, assign"
//	forwarded_by  address of the agent who passed a customer's mail on
//	keep        "yes": automatic mail is kept by the desk's settings
//	kind        what automatic mail it is, mail.Message.Automatic
//	late        "yes": it answers a request too late to open it again
//	no_answer   why the sender gets no automatic mail: see silence and limit
//	not_sent    why an agent's mail was not sent: the NotSent constants
//	outbox, recipient, status  of a bounce
//	proof       how an agent is proven: "token" or "dmarc"
//	rate        how many mails of one sender are taken in an hour
//	spam        "yes": an agent called mail of this sender spam
type Decision struct {
	Outcome string
	Rule    string
	Args    map[string]string
	Passed  []string // the rules that were passed over

	Ref       *Ref         // the conversation it joins (reply, note) or mentions (request)
	Kind      string       // of the message it becomes: customer, agent, note; "" makes none
	Requester mail.Address // who asks, for a request
	Verified  bool         // an agent's mail with proof
	Answer    bool         // the sender may get automatic mail about it
	Suspend   string       // address to suspend, after a permanent bounce
	Commands  []Command    // of an agent with proof; lines that are no command of ours among them
	Say       string       // what an agent's mail says beside commands
	Copies    bool         // whom it was sent to beside us may become participants
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
		{RuleBlocked, blocked},
		{RuleAutomaticReply, automaticReply},
		{RuleAutomatic, automatic},
		{RuleAgentProof, agentWithProof},
		{RuleAgentUnverified, agentWithoutProof},
		{RuleRate, rate},
		{RuleReplyToken, replyBy(ByCustomerToken)},
		{RuleReplyMessageID, replyBy(ByMessageID)},
		{RuleReplySubject, replyBy(BySubject)},
		{RuleUnknown, unknown},
		{RuleMentions, mentions},
		{RuleRequest, request},
	}
}

// Decide says what becomes of a mail. It is pure: the same facts always give
// the same decision.
func Decide(f *Facts) Decision { return decide(f, rules()) }

func decide(f *Facts, table []rule) Decision {
	var passed []string
	for _, r := range table {
		if d := r.fits(f); d != nil {
			d.Rule, d.Passed = r.name, passed
			d.limit(f)
			return *d
		}
		passed = append(passed, r.name)
	}
	panic("desk: the last rule fits every mail")
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
	if f.Skipped == 0 || f.Wanted {
		return nil
	}
	return &Decision{Outcome: Skipped}
}

// probe fits the mails of a round trip, also where one arrives twice.
func probe(f *Facts) *Decision {
	if f.Probe.IsZero() {
		return nil
	}
	return &Decision{Outcome: Probe}
}

// duplicate fits what was taken before, also what a person wants: they have it.
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
	if f.Bounce.RequestID != 0 && f.Bounce.DeskID == f.Desk.ID { // agents of another desk hear nothing of it
		d.Ref = &Ref{RequestID: f.Bounce.RequestID, Key: f.Bounce.Request}
		if f.Bounce.Cause != CauseBounced { // else it was told: anybody who got our mail can make more reports
			d.Kind = store.KindNote
		}
	}
	// The address itself is bad only where the server says so (RFC 3463,
	// X.1.X) and for good; a full mailbox or a spam filter passes.
	// The administrator's is not suspended: a warning on the page says it, and the
	// next mail to them is tried all the same.
	if b.Permanent && strings.HasPrefix(b.Status, "5.1.") && !ToAdmin(f.Bounce.Event) {
		d.Suspend = f.Bounce.To.Key()
	}
	return d
}

// overruled reports whether a person takes the mail whatever the rules say.
func overruled(f *Facts) bool { return f.Wanted && !f.ByRule }

// blocked fits senders on the block list, and those whose mail an agent called
// spam, also where they answer us. An agent who is proven is never blocked:
// whoever writes under an agent's address would else silence the agent.
func blocked(f *Facts) *Decision {
	if overruled(f) || proven(f) != nil {
		return nil
	}
	for _, a := range authors(f) {
		if entry, yes, _ := f.Desk.verdict(a); yes {
			d := &Decision{Outcome: Blocked}
			d.arg("block", entry)
			return d
		}
	}
	if !f.Blocked {
		return nil
	}
	d := &Decision{Outcome: Blocked}
	d.arg("spam", "yes")
	return d
}

// automaticReply is a note for agents by any right to the conversation: an
// automatic reply quotes our Message-ID, or comes from someone who is part of it.
func automaticReply(f *Facts) *Decision {
	switch f.Mail.Automatic {
	case mail.AutoReply, mail.Challenge:
	default:
		return nil
	}
	if overruled(f) {
		return nil
	}
	if ref := first(f.Refs, func(r Ref) bool { return r.By == ByAgentToken || r.By == ByCustomerToken || part(f, r) }); ref != nil {
		return &Decision{Outcome: Note, Kind: store.KindNote, Ref: ref}
	}
	return &Decision{Outcome: Ignored}
}

// automatic sets aside what a program wrote unasked. Where it is to be kept it
// makes a request, linked to the one it points to: it never joins as a person's
// reply. The allow list lets nobody in whose name may be a false one.
func automatic(f *Facts) *Decision {
	if f.Mail.Automatic == "" || overruled(f) {
		return nil
	}
	d := &Decision{Outcome: Ignored}
	entry, _, allowed := f.Desk.verdict(f.Mail.From)
	switch {
	case allowed && !dmarcFail(f.Mail) && !f.Mail.FromUnsure:
		d = request(f)
		d.arg("allow", entry)
	case f.Desk.KeepAutomatic && unknown(f) != nil:
		return nil // a header by which a mail calls itself automatic opens no door
	case f.Desk.KeepAutomatic:
		d = request(f)
		d.arg("keep", "yes")
	}
	if d.Outcome == Request && rate(f) != nil {
		return nil
	}
	d.arg("kind", f.Mail.Automatic)
	if d.Outcome == Request {
		d.Ref, d.Copies = first(f.Refs, anyRef), false
	}
	return d
}

// rate holds what one sender writes beyond the limit, also in a conversation.
func rate(f *Facts) *Decision {
	if !f.OverRate || overruled(f) || f.Quiet || proven(f) != nil {
		return nil
	}
	d := &Decision{Outcome: Held}
	d.arg("rate", strconv.Itoa(f.Desk.Limits.Mails))
	return d
}

// replyBy lets a mail into an open conversation by one right. An agent's token
// in a customer's mail is the Message-ID of a mail in the conversation, no more.
func replyBy(by string) func(*Facts) *Decision {
	return func(f *Facts) *Decision {
		ref := first(f.Refs, func(r Ref) bool { return rightBy(f, r) == by && !r.Closed })
		if ref == nil {
			return nil
		}
		// Who has our mail may bring others in; a guessed subject or Message-ID may not.
		return &Decision{Outcome: Reply, Kind: store.KindCustomer, Ref: ref, Copies: by == ByCustomerToken}
	}
}

// rightBy is the right by which a mail may join a conversation as a customer's,
// "" for none.
func rightBy(f *Facts, r Ref) string {
	switch {
	case r.By == ByCustomerToken:
		return r.By
	case !part(f, r):
		return ""
	case r.By == ByAgentToken:
		return ByMessageID
	}
	return r.By
}

// part reports whether the sender is part of a conversation, and nothing says
// that the sender's name is a false one. What fails DMARC, or has an author
// who may be read as another, joins by our own token only.
func part(f *Facts, r Ref) bool { return r.Part && !f.Mail.FromUnsure && !dmarcFail(f.Mail) }

// unknown holds the first mail of a sender whom the desk does not know, unless
// they answer our mail or a conversation of theirs.
func unknown(f *Facts) *Decision {
	if overruled(f) || known(f) || first(f.Refs, func(r Ref) bool { return rightBy(f, r) != "" }) != nil {
		return nil
	}
	return &Decision{Outcome: Held, Answer: f.Desk.AnswerUnknown}
}

// known reports whether a sender may ask at this desk.
func known(f *Facts) bool {
	if f.Desk.PublicSignup || f.Known || listed(f.Desk.CustomerDomains, f.Sender) != "" {
		return true
	}
	_, agent := f.Desk.Agent(f.Sender)
	_, _, allowed := f.Desk.verdict(f.Sender)
	return agent || allowed
}

// mentions makes a request of its own that is linked to the one it names: a
// stranger never joins a conversation (promise 7), and who is part of one may be too late.
func mentions(f *Facts) *Decision {
	if len(f.Refs) == 0 {
		return nil
	}
	d := request(f)
	if late := first(f.Refs, func(r Ref) bool { return r.Closed && rightBy(f, r) != "" }); late != nil {
		d.Ref = late
		d.arg("late", "yes")
		return d
	}
	d.Ref = &f.Refs[0]
	return d
}

func request(f *Facts) *Decision {
	return &Decision{
		Outcome: Request, Kind: store.KindCustomer, Requester: f.Sender, Answer: true, Copies: true, Verified: proven(f) != nil,
	}
}
