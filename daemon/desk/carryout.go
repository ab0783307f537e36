package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"helpdesk/mail"
	"helpdesk/store"
)

// requestFor makes the request of a decision, or returns the one it joins.
func (t *Taker) requestFor(ctx context.Context, tx *store.Tx, s *Settings, f *Facts, d *Decision) (store.Request, error) {
	var r store.Request
	if d.Outcome != Request {
		if d.Ref == nil {
			return r, nil
		}
		r, err := tx.RequestByID(ctx, d.Ref.RequestID)
		if err != nil {
			return r, fmt.Errorf("reading request %d: %w", d.Ref.RequestID, err)
		}
		return r, nil
	}
	key, err := tx.NextKey(s.Key)
	if err != nil {
		return r, fmt.Errorf("making a key: %w", err)
	}
	now := t.Now()
	r = store.Request{
		DeskID: s.ID, Key: key, Type: s.Type, Subject: clip(f.Mail.Subject, 500), State: store.StateOpen,
		Requester: d.Requester, Created: now, Updated: now,
	}
	if d.Ref != nil {
		r.LinkedTo = d.Ref.RequestID
	}
	if err := tx.AddRequest(&r); err != nil {
		return r, fmt.Errorf("making request %s: %w", key, err)
	}
	if _, err := tx.UpsertCustomer(d.Requester, now); err != nil {
		return r, fmt.Errorf("keeping the customer: %w", err)
	}
	if err := tx.AddParticipant(r.ID, store.Participant{Address: d.Requester, Role: store.RoleRequester}); err != nil {
		return r, fmt.Errorf("adding the requester: %w", err)
	}
	return r, nil
}

// maxParticipants bounds who gets an agent's answer: a mail to hundreds is a
// circular, and its readers did not ask.
const maxParticipants = 20

// addCopies makes those whom the customer wrote to beside us participants:
// not our own addresses, not agents (they are told anyway), not addresses
// that nobody reads.
func (q *queue) addCopies(ctx context.Context) error {
	m := q.f.Mail
	copies := append(slices.Clone(m.To), m.Cc...)
	if m.List || m.Spam || dmarcFail(m) || len(copies) > maxParticipants {
		return nil
	}
	for _, a := range copies {
		_, agent := q.s.Agent(a)
		if agent || q.s.Ours(a) || noReply(a) || a.Key() == q.request.Requester.Key() || !usable(a) {
			continue
		}
		if err := q.addParticipant(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (q *queue) addParticipant(ctx context.Context, a mail.Address) error {
	there, err := q.tx.Participants(ctx, q.request.ID)
	if err != nil {
		return fmt.Errorf("reading participants of %s: %w", q.request.Key, err)
	}
	if len(there) >= maxParticipants {
		return nil
	}
	if err := q.tx.AddParticipant(q.request.ID, store.Participant{Address: a, Role: store.RoleCC}); err != nil {
		return fmt.Errorf("adding %s to %s: %w", a.Address, q.request.Key, err)
	}
	return nil
}

// carryOut does what was decided beside the ledger: message, state, notices.
// It reports whether mail was queued.
func (t *Taker) carryOut(ctx context.Context, tx *store.Tx, s *Settings, f *Facts, d *Decision, request store.Request, entryID int64) (bool, error) {
	if d.Outcome == Bounced {
		if err := returned(tx, f, d, entryID); err != nil {
			return false, err
		}
	}
	if d.Kind == "" {
		return false, nil
	}
	m := f.Mail
	message := store.Message{
		RequestID: request.ID, LedgerID: entryID, Kind: d.Kind, From: m.From, At: t.Now(), Text: m.Text, Reply: m.Reply,
		Attachments: m.Attachments, MessageID: m.MessageID, Verified: d.Verified, Reason: d.Rule,
	}
	if agent, ok := s.Agent(m.From); ok && d.Kind == store.KindAgent {
		message.From = agent
	} else if d.Outcome == Request {
		message.From = d.Requester
	}
	if err := tx.AddMessage(&message); err != nil {
		return false, fmt.Errorf("adding the message: %w", err)
	}
	var err error
	q := &queue{t: t, tx: tx, s: s, f: f, request: request, message: message}
	switch d.Rule {
	case RuleMentions, RuleRequest:
		err = q.newRequest(ctx, d)
	case RuleReplyToken, RuleReplyMessageID, RuleReplySubject:
		err = q.customerWrote(ctx, d)
	case RuleAgentProof:
		switch d.Outcome {
		case Request:
			err = q.newRequest(ctx, d)
		case Reply:
			err = q.agentAnswered(ctx)
		}
	}
	if why := d.Args["not_sent"]; why != "" && d.Answer && err == nil {
		q.args = map[string]string{"why": why}
		err = q.add(ctx, EventNotSent, f.Mail.From, nil)
	}
	return q.queued, err
}

// returned marks the outbox line that came back, and suspends its address.
func returned(tx *store.Tx, f *Facts, d *Decision, entryID int64) error {
	if f.Bounce == nil {
		return nil
	}
	b := f.Mail.Bounce
	if b.Permanent {
		words := strings.TrimSpace(b.Status + " " + clip(b.Diagnostic, 500))
		if err := tx.MarkReturned(f.Bounce.ID, "bounced", words); err != nil {
			return err
		}
	}
	if d.Suspend != "" {
		if err := tx.Suspend(d.Suspend, entryID, b.Status); err != nil {
			return fmt.Errorf("suspending %s: %w", d.Suspend, err)
		}
	}
	return nil
}

// queue puts the mails of one message into the outbox, in its transaction.
type queue struct {
	t       *Taker
	tx      *store.Tx
	s       *Settings
	f       *Facts
	request store.Request
	message store.Message
	args    map[string]string // of the next line
	queued  bool
}

// newRequest: the customer gets an acknowledgement, all agents a notice.
func (q *queue) newRequest(ctx context.Context, d *Decision) error {
	if d.Answer {
		if err := q.add(ctx, EventReceived, q.request.Requester, []string{q.f.Mail.MessageID}); err != nil {
			return err
		}
	}
	if d.Rule != RuleAgentProof { // an agent who forwards a mail writes to colleagues, not to its readers
		if err := q.addCopies(ctx); err != nil {
			return err
		}
	}
	return q.addAgents(ctx, EventNew, q.s.Agents)
}

// customerWrote: it is our turn again; the assignee is told, or all agents
// while nobody is.
func (q *queue) customerWrote(ctx context.Context, d *Decision) error {
	from := q.f.Mail.From
	if from.Key() != q.request.Requester.Key() {
		if err := q.addParticipant(ctx, from); err != nil {
			return err
		}
	}
	if d.Rule == RuleReplyToken { // who has our mail may bring others in; a guessed subject or Message-ID may not
		if err := q.addCopies(ctx); err != nil {
			return err
		}
	}
	if err := q.update(ctx, store.StateOpen, q.request.Assignee); err != nil {
		return err
	}
	agents := q.s.Agents
	if assignee, ok := q.s.Agent(mail.Address{Address: q.request.Assignee}); ok {
		agents = []mail.Address{assignee}
	}
	return q.addAgents(ctx, EventCustomerWrote, agents)
}

// agentAnswered: customer and participants get the answer. The first to answer
// becomes the assignee, and the other agents are told so.
func (q *queue) agentAnswered(ctx context.Context) error {
	agent := q.message.From
	first := q.request.Assignee == ""
	if first {
		q.request.Assignee = agent.Key()
	}
	if err := q.update(ctx, store.StateWaiting, q.request.Assignee); err != nil {
		return err
	}
	participants, err := q.tx.Participants(ctx, q.request.ID)
	if err != nil {
		return fmt.Errorf("reading participants of %s: %w", q.request.Key, err)
	}
	references, err := q.customerReferences(ctx)
	if err != nil {
		return err
	}
	for _, p := range participants {
		if q.s.Ours(p.Address) || p.Key() == agent.Key() || !usable(p.Address) {
			continue
		}
		if err := q.add(ctx, EventAnswered, p.Address, references); err != nil {
			return err
		}
	}
	if !first {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(q.s.Agents), func(a mail.Address) bool { return a.Key() == agent.Key() })
	return q.addAgents(ctx, EventAnsweredBy, others)
}

func (q *queue) update(ctx context.Context, state, assignee string) error {
	r := q.request
	r.State, r.Assignee, r.Updated = state, assignee, q.message.At
	if err := q.tx.UpdateRequest(&r); err != nil {
		return fmt.Errorf("updating %s: %w", r.Key, err)
	}
	return nil
}

// customerReferences are the Message-IDs of what the customer wrote in this
// conversation, the latest last: their mail program shows one thread.
func (q *queue) customerReferences(ctx context.Context) ([]string, error) {
	ids, err := q.tx.CustomerMessageIDs(ctx, q.request.ID)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", q.request.Key, err)
	}
	const keep = 20 // the first and the latest are what mail programs look at
	if len(ids) > keep {
		ids = append(ids[:1], ids[len(ids)-keep+1:]...)
	}
	return ids, nil
}

// addAgents tells agents, save the one who wrote. Notices that no person wrote
// are not made while the relay is switched off.
func (q *queue) addAgents(ctx context.Context, event string, agents []mail.Address) error {
	for _, agent := range agents {
		if agent.Key() == q.f.Mail.From.Key() || agent.Key() == q.request.Requester.Key() {
			continue
		}
		if err := q.add(ctx, event, agent, nil); err != nil {
			return err
		}
	}
	return nil
}

// add queues one mail to one recipient. references are those of the
// customer's side; an agent's mails of one request hang below a root of their
// own, so that no customer's Message-ID and agent's token ever mix.
func (q *queue) add(ctx context.Context, event string, to mail.Address, references []string) error {
	person := event == EventAnswered
	if q.s.Silent && !person {
		return nil
	}
	_, domain, _ := strings.Cut(q.s.Address, "@")
	token := Token{RequestID: q.request.ID, MessageID: q.message.ID, Event: event, Agent: !person && event != EventReceived}
	line := store.OutboxLine{
		DeskID: q.s.ID, RequestID: q.request.ID, Event: event, MessageRow: q.message.ID, To: to,
		Automatic: event == EventReceived || event == EventNotSent,
		Args:      q.args,
		State:     store.OutboxWaiting, CreatedAt: q.t.Now(), NextAt: q.t.Now(),
	}
	if token.Agent {
		root := q.t.Signer.MessageID(Token{RequestID: q.request.ID, Event: "thread", Agent: true}, to, domain)
		line.InReplyTo, line.References = root, []string{root}
	} else if n := len(references); n > 0 {
		line.InReplyTo, line.References = references[n-1], references
	}
	line.MessageID = q.t.Signer.MessageID(token, to, domain)
	suspended, err := q.tx.SuspendedAt(ctx, to.Key())
	if err != nil {
		return fmt.Errorf("looking up suspended addresses: %w", err)
	}
	if suspended {
		line.State, line.Cause = store.OutboxSuspended, "suspended"
	}
	if err := q.tx.Queue(&line); err != nil {
		return fmt.Errorf("queueing %s to %s: %w", event, to.Address, err)
	}
	q.queued = q.queued || !suspended
	return nil
}
