package desk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// carrying is a decision on its way: what it changes in the store beside the
// ledger, and what is sent because of it.
type carrying struct {
	queue
	in   *Incoming
	f    *Facts
	d    *Decision
	plan *plan     // of an agent's mail with proof; nil for any other
	at   time.Time // when the mail counts as written
}

// carry makes the request of a decision, or finds the one that it joins, and
// checks an agent's commands: what cannot be done makes the mail a note.
func (t *Taker) carry(ctx context.Context, tx *store.Tx, s *Settings, in *Incoming, f *Facts, d *Decision) (*carrying, error) {
	c := &carrying{queue: queue{t: t, tx: tx, s: s, by: f.Mail.From, quiet: f.Quiet}, in: in, f: f, d: d, at: t.Now()}
	if c.by.Key() == "" {
		c.by = nobody
	}
	if date := f.Mail.Date; in.Import && !date.IsZero() && date.Before(c.at) {
		c.at = date
	}
	if d.Outcome == Request {
		return c, c.newRequest()
	}
	if d.Ref == nil {
		return c, nil
	}
	var err error
	if c.request, err = tx.RequestByID(ctx, d.Ref.RequestID); err != nil {
		return nil, fmt.Errorf("reading request %d: %w", d.Ref.RequestID, err)
	}
	if c.request, err = t.merged(ctx, tx, c.request); err != nil {
		return nil, err
	}
	if d.Rule == RuleAgentProof {
		err = c.planCommands(ctx)
	}
	return c, err
}

// nobody stands for the sender of mails that name none: together they are held
// to the limits of one.
var nobody = mail.Address{Address: "unknown"}

// newRequest makes the request of a mail.
func (c *carrying) newRequest() error {
	key, err := c.tx.NextKey(c.s.Key)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	who := c.d.Requester
	r := store.Request{
		DeskID: c.s.ID, Key: key, Type: c.s.Type.Name, Subject: clip(c.f.Mail.Subject, 500), State: store.StateOpen,
		Requester: who, Created: c.at, Updated: c.at, Fields: c.s.Type.defaults(), AwaitingSince: c.at,
	}
	if c.s.CustomerLanguage == "mail" {
		r.Language = languageOf(c.f.Mail)
	}
	if c.d.Ref != nil {
		r.LinkedTo = c.d.Ref.RequestID
	}
	c.setAge(&r)
	if err := c.tx.AddRequest(&r); err != nil {
		return fmt.Errorf("making request %s: %w", key, err)
	}
	c.request = r
	if err := c.customer(who); err != nil {
		return err
	}
	if err := c.tx.AddParticipant(r.ID, store.Participant{Address: who, Role: store.RoleRequester}); err != nil {
		return fmt.Errorf("adding the requester: %w", err)
	}
	return nil
}

// setAge gives a request that is imported the state of its newest mail's age:
// nobody waits for an answer to old mail.
func (c *carrying) setAge(r *store.Request) {
	if !c.in.Import {
		return
	}
	r.AwaitingSince = time.Time{}
	if old := c.s.Reopen > 0 && c.t.Now().Sub(c.at) > c.s.Reopen; old {
		r.State, r.ResolvedAt, r.ClosedAt = store.StateResolved, c.at, c.at
	}
}

// customer keeps who wrote, and the name of the newest mail. With public
// sign-up their first mail makes them a customer of the desk. Mail that may
// bear anybody's name changes nothing.
func (c *carrying) customer(who mail.Address) error {
	m := c.f.Mail
	if !usable(who) || m.Spam || m.FromUnsure || dmarcFail(m) {
		return nil
	}
	if _, err := c.tx.UpsertCustomer(who, c.at); err != nil {
		return fmt.Errorf("keeping the customer: %w", err)
	}
	if c.s.PublicSignup && c.d.Outcome == Request && m.Automatic == "" {
		if err := c.tx.AddMember(c.s.ID, who, c.at); err != nil {
			return fmt.Errorf("keeping the customer: %w", err)
		}
	}
	return nil
}

// defaults are the values that a new request's fields begin with.
func (t RequestType) defaults() map[string]string {
	var fields map[string]string
	for _, f := range t.Fields {
		value := f.Default
		switch f.Name {
		case FieldSummary, FieldDescription, FieldAttachment:
			continue
		case FieldPriority:
			if value == "" && (len(f.Choices) == 0 || slices.Contains(f.Choices, "normal")) {
				value = "normal"
			}
		}
		if value == "" {
			continue
		}
		if fields == nil {
			fields = make(map[string]string)
		}
		fields[f.Name] = value
	}
	return fields
}

// planCommands checks what an agent's mail wants. It becomes a note where
// nothing of it is for the customer.
func (c *carrying) planCommands(ctx context.Context) error {
	agent, ok := c.s.Agent(c.f.Mail.From)
	if !ok || len(c.d.Commands) == 0 {
		return nil
	}
	var err error
	if c.plan, err = c.t.plan(ctx, c.tx, c.s, c.request, agent, c.d.Say, c.d.Commands); err != nil {
		return err
	}
	if c.plan.failed() {
		c.d.Outcome, c.d.Kind = Note, store.KindNote
		c.d.arg("not_sent", NotSentCommands)
	} else if c.plan.silent() { // #reopen of spam among them, which only the store knows
		c.d.Outcome, c.d.Kind = Note, store.KindNote
	}
	return nil
}

// NotSentCommands is why nothing of an agent's mail was sent or done: a command
// in it could not be done, or asked for help.
const NotSentCommands = "commands"

// out does what was decided: message, state, notices. The line of the ledger
// is written already.
func (c *carrying) out(ctx context.Context, entryID int64) error {
	switch {
	case c.d.Outcome == Probe && c.f.Plus:
		if err := c.tx.SetMeta(PlusKey(c.s.ID), itoa(c.t.Now().Unix())); err != nil {
			return fmt.Errorf("noting that mail to +addresses arrives: %w", err)
		}
	case c.d.Outcome == Held && c.d.Rule == RuleUnknown && c.d.Answer:
		return c.held(ctx, entryID)
	case c.d.Args["not_sent"] == NotSentDigest && c.d.Answer:
		c.message.ID = entryID
		return c.notSent(ctx)
	}
	if c.d.Outcome == Bounced {
		if err := c.returned(entryID); err != nil {
			return err
		}
	} else if err := c.reached(ctx); err != nil {
		return err
	}
	if c.d.Kind == "" {
		return nil
	}
	if err := c.addMessage(entryID); err != nil {
		return err
	}
	return c.follow(ctx)
}

// PlusKey is where the store keeps since when it is known that mail to a
// desk's +addresses arrives there (RFC 5233).
func PlusKey(deskID int64) string { return "plus:" + itoa(deskID) }

// held tells a sender whom we do not know that somebody looks at the mail first.
func (c *carrying) held(ctx context.Context, entryID int64) error {
	c.message.ID = entryID // tells the notice from all others
	line := c.line(EventHeld, c.f.Sender, false)
	line.MessageRow, line.InReplyTo, line.References = 0, c.f.Mail.MessageID, []string{c.f.Mail.MessageID}
	line.Args = map[string]string{"subject": clip(c.f.Mail.Subject, 200), "name": clip(c.f.Sender.Name, 200)}
	if c.s.CustomerLanguage == "mail" {
		line.Args["language"] = languageOf(c.f.Mail)
	}
	return c.put(ctx, &line)
}

// addMessage adds what the mail says to the conversation.
func (c *carrying) addMessage(entryID int64) error {
	m := c.f.Mail
	message := store.Message{
		RequestID: c.request.ID, LedgerID: entryID, Kind: c.d.Kind, From: m.From, At: c.at, Text: m.Text, Reply: m.Reply,
		Attachments: m.Attachments, MessageID: m.MessageID, Verified: c.d.Verified, Reason: c.d.Rule,
	}
	if agent, ok := c.s.Agent(m.From); ok && c.d.Verified {
		message.From = agent
	} else if c.d.Outcome == Request {
		message.From = c.d.Requester
	}
	// A note of commands alone keeps them; an answer never does, the customer reads this.
	if p := c.plan; p != nil && !p.failed() && (p.say != "" || c.d.Kind != store.KindNote) {
		message.Reply = p.say
	}
	if shown := passedOn(m); shown != nil && c.d.Args["forwarded_by"] != "" {
		message.Reply = shown.Text // what the agent wrote above it is for colleagues, and an answer quotes Reply
	}
	if err := c.tx.AddMessage(&message); err != nil {
		return fmt.Errorf("adding the message: %w", err)
	}
	c.message = message
	return nil
}

// follow does what a message in a conversation leads to.
func (c *carrying) follow(ctx context.Context) error {
	switch {
	case c.d.Outcome == Bounced:
		return c.bounced(ctx)
	case c.d.Outcome == Request:
		return c.tellNew(ctx)
	case c.d.Kind == store.KindCustomer:
		return c.customerWrote(ctx)
	case c.plan != nil && c.plan.failed():
		if !answerable(c.f) {
			return nil
		}
		return c.tellCommands(ctx, c.plan)
	case c.plan != nil:
		if err := c.perform(ctx, c.plan, c.d.Kind == store.KindAgent); err != nil {
			return err
		}
	case c.d.Kind == store.KindAgent:
		return c.perform(ctx, &plan{agent: c.message.From}, true)
	}
	if c.d.Args["not_sent"] == "" || !c.d.Answer {
		return nil
	}
	return c.notSent(ctx)
}

// notSent tells an agent, or whoever bears an agent's address, that nothing of
// their mail went to the customer.
func (c *carrying) notSent(ctx context.Context) error {
	c.args = maps.Clone(c.d.Args)
	c.args["why"], c.args["subject"] = c.d.Args["not_sent"], clip(c.f.Mail.Subject, 200)
	return c.toAgent(ctx, EventNotSent, c.f.Mail.From)
}

// responsible is the assignee, or all agents while there is none.
func (q *queue) responsible() []mail.Address {
	if assignee, ok := q.s.Agent(mail.Address{Address: q.request.Assignee}); ok {
		return []mail.Address{assignee}
	}
	return q.s.Agents
}

// tellNew: the customer gets an acknowledgement, all agents a notice; also the
// agent who forwarded the mail, who may want to say whose request it is.
func (c *carrying) tellNew(ctx context.Context) error {
	if c.d.Answer {
		if err := c.toCustomer(ctx, EventReceived, c.request.Requester, []string{c.f.Mail.MessageID}); err != nil {
			return err
		}
	}
	if c.d.Copies {
		if err := c.addCopies(ctx, c.f.Mail); err != nil {
			return err
		}
	}
	if forwarder, ok := c.s.Agent(c.f.Mail.From); ok && c.d.Rule == RuleAgentProof {
		if err := c.toAgent(ctx, EventNew, forwarder); err != nil {
			return err
		}
	}
	return c.toAgents(ctx, EventNew, c.s.Agents)
}

// customerWrote: it is our turn again. A request that was resolved is opened again.
func (c *carrying) customerWrote(ctx context.Context) error {
	m := c.f.Mail
	if err := c.customer(m.From); err != nil {
		return err
	}
	if !m.List && !m.FromUnsure {
		if err := c.addParticipant(ctx, m.From); err != nil {
			return err
		}
	}
	if c.d.Copies {
		if err := c.addCopies(ctx, m); err != nil {
			return err
		}
	}
	reopened := c.request.State == store.StateResolved
	c.state(store.StateOpen)
	if c.request.AwaitingSince.IsZero() {
		c.request.AwaitingSince, c.request.RemindedAt = c.at, time.Time{}
	}
	c.setAge(&c.request)
	if err := c.update(); err != nil {
		return err
	}
	if reopened && answerable(c.f) {
		references, err := c.customerReferences(ctx)
		if err != nil {
			return err
		}
		if err := c.toCustomer(ctx, EventReopened, m.From, references); err != nil {
			return err
		}
	}
	return c.toAgents(ctx, EventCustomerWrote, c.responsible())
}
