package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// queue puts the mails that one message causes into the outbox, in its
// transaction.
type queue struct {
	t       *Taker
	tx      *store.Tx
	s       *Settings
	by      mail.Address // who caused it: the sender of the mail, or the agent who acts
	quiet   bool         // nobody is told
	request store.Request
	message store.Message
	args    map[string]string // of the next lines
	queued  bool              // mail waits to be sent
	kept    []string          // addresses of the answer that nothing is sent to
}

// toAgents tells agents, save the one who caused it and one who is the
// customer of this request.
func (q *queue) toAgents(ctx context.Context, event string, agents []mail.Address) error {
	for _, agent := range agents {
		if agent.Key() == q.by.Key() || agent.Key() == q.request.Requester.Key() {
			continue
		}
		if err := q.toAgent(ctx, event, agent); err != nil {
			return err
		}
	}
	return nil
}

// toAgent queues a notice to one agent. An agent's mails of one request hang
// below a root of their own, so that no customer's Message-ID and agent's
// token ever mix. What one sender causes beyond the limits comes with a digest.
func (q *queue) toAgent(ctx context.Context, event string, agent mail.Address) error {
	root := q.t.Signer.MessageID(Token{RequestID: q.request.ID, Event: "thread", Agent: true}, agent, q.domain())
	line := q.line(event, agent, true)
	line.InReplyTo, line.References = root, []string{root}
	switch {
	case line.Automatic:
		if capped, err := q.capped(ctx, agent, false); err != nil || capped {
			return err
		}
	case event == EventBounced:
		line.State = store.OutboxDigest // a bounce causes no mail of its own
	default:
		line.CausedBy = q.by.Key()
		over, err := q.overNotices(ctx, agent)
		if err != nil {
			return err
		}
		if over {
			line.State = store.OutboxDigest
		}
	}
	return q.put(ctx, &line)
}

// toCustomer queues a mail to a customer or participant. references are the
// Message-IDs of what they wrote.
func (q *queue) toCustomer(ctx context.Context, event string, to mail.Address, references []string) error {
	if q.s.Ours(to) || !usable(to) {
		return nil // we would answer ourselves
	}
	line := q.line(event, to, false)
	if n := len(references); n > 0 {
		line.InReplyTo, line.References = references[n-1], references
	}
	if event == EventResolved || event == EventReopened { // the others were decided with the caps in mind
		if noReply(to) {
			return nil
		}
		if capped, err := q.capped(ctx, to, true); err != nil || capped {
			return err
		}
	}
	return q.put(ctx, &line)
}

func (q *queue) line(event string, to mail.Address, agent bool) store.OutboxLine {
	token := Token{RequestID: q.request.ID, MessageID: q.message.ID, Event: event, Agent: agent}
	return store.OutboxLine{
		DeskID: q.s.ID, RequestID: q.request.ID, Event: event, MessageRow: q.message.ID, To: to,
		MessageID: q.t.Signer.MessageID(token, to, q.domain()), Automatic: automaticEvent(event), Args: q.args,
		State: store.OutboxWaiting, CreatedAt: q.t.Now(), NextAt: q.t.Now(),
	}
}

// automaticEvent reports whether a mail of an event counts for the caps: no
// person wrote it, and a robot may answer it.
func automaticEvent(event string) bool {
	switch event {
	case EventReceived, EventResolved, EventReopened, EventHeld, EventNotSent, EventCommands:
		return true
	}
	return false
}

// put queues a line, unless its event is switched off. While the relay is
// switched off only what a person wrote waits for it.
func (q *queue) put(ctx context.Context, line *store.OutboxLine) error {
	if q.quiet || q.s.Muted[line.Event] || q.s.Silent && line.Event != EventAnswered {
		return nil
	}
	suspended, err := q.tx.SuspendedAt(ctx, line.To.Key())
	if err != nil {
		return fmt.Errorf("looking up suspended addresses: %w", err)
	}
	if suspended {
		line.State, line.Cause = store.OutboxSuspended, "suspended"
		if line.Event == EventAnswered {
			q.kept = append(q.kept, line.To.Address)
		}
	}
	if err := q.tx.Queue(line); err != nil {
		return fmt.Errorf("queueing %s to %s: %w", line.Event, line.To.Address, err)
	}
	q.queued = q.queued || line.State == store.OutboxWaiting
	return nil
}

// overNotices reports whether an agent got as many notices within an hour as
// one sender, or all together, may cause.
func (q *queue) overNotices(ctx context.Context, agent mail.Address) (bool, error) {
	since := q.t.Now().Add(-time.Hour)
	if limit := q.s.Limits.NoticesOfSender; limit > 0 {
		n, err := q.tx.CausedSince(ctx, q.by.Key(), agent.Key(), since)
		if err != nil {
			return false, fmt.Errorf("counting notices: %w", err)
		}
		if n >= limit {
			return true, nil
		}
	}
	if limit := q.s.Limits.Notices; limit > 0 {
		n, err := q.tx.NoticesSince(ctx, agent.Key(), since)
		if err != nil {
			return false, fmt.Errorf("counting notices: %w", err)
		}
		return n >= limit, nil
	}
	return false, nil
}

// capped reports whether an address got all the automatic mail that it may
// get. An agent's are not withheld because strangers got many.
func (q *queue) capped(ctx context.Context, to mail.Address, customer bool) (bool, error) {
	now, limits := q.t.Now(), q.s.Limits
	for _, c := range []struct {
		limit int
		since time.Duration
	}{{limits.AutomaticHour, time.Hour}, {limits.AutomaticDay, 24 * time.Hour}} {
		if c.limit == 0 {
			continue
		}
		n, err := q.tx.AutomaticSince(ctx, to.Key(), now.Add(-c.since))
		if err != nil {
			return false, fmt.Errorf("counting automatic mail: %w", err)
		}
		if n >= c.limit {
			return true, nil
		}
	}
	if !customer || limits.AutomaticInAll == 0 {
		return false, nil
	}
	n, err := q.tx.AutomaticInAll(ctx, now.Add(-time.Hour))
	if err != nil {
		return false, fmt.Errorf("counting automatic mail: %w", err)
	}
	return n >= limits.AutomaticInAll, nil
}

func (q *queue) domain() string {
	_, domain, _ := strings.Cut(q.s.Address, "@")
	return domain
}

// maxParticipants bounds who gets an agent's answer: a mail to hundreds is a
// circular, and its readers did not ask.
const maxParticipants = 20

// addCopies makes those whom a customer wrote to beside us participants:
// not our own addresses, not agents (they are told anyway), not addresses
// that nobody reads.
func (q *queue) addCopies(ctx context.Context, m *mail.Message) error {
	copies := slices.Concat(m.To, m.Cc)
	if m.List || m.Spam || dmarcFail(m) || len(copies) > maxParticipants {
		return nil
	}
	for _, a := range copies {
		if err := q.addParticipant(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (q *queue) addParticipant(ctx context.Context, a mail.Address) error {
	if _, agent := q.s.Agent(a); agent || q.s.Ours(a) || noReply(a) || !usable(a) || a.Key() == q.request.Requester.Key() {
		return nil
	}
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

// update keeps what changed in the request.
func (q *queue) update() error {
	q.request.Updated = q.message.At
	if err := q.tx.UpdateRequest(&q.request); err != nil {
		return fmt.Errorf("updating %s: %w", q.request.Key, err)
	}
	return nil
}
