package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// perform does what was planned and checked, for the message that q holds,
// which is already in the conversation. answer is false for a note.
func (q *queue) perform(ctx context.Context, p *plan, answer bool) error {
	if p.merge != nil {
		if err := q.merge(ctx, *p.merge); err != nil {
			return err
		}
	}
	if p.mine {
		if err := q.mine(p.agent); err != nil {
			return err
		}
	}
	if p.fields != nil {
		if err := q.setFields(p.fields); err != nil {
			return err
		}
	}
	if p.subject != "" {
		q.request.Subject = p.subject
	}
	before, free := q.request.State, q.request.Assignee == ""
	if err := q.assign(ctx, p); err != nil {
		return err
	}
	if p.spam || q.request.Spam && p.state == store.StateOpen {
		if err := q.spam(p.spam); err != nil {
			return err
		}
		answer, p.state = false, ""
	}
	if answer {
		if p.state == store.StateResolved {
			q.args = map[string]string{"resolved": "yes"}
		}
		if free && p.assign == nil {
			q.request.Assignee = p.agent.Key()
		}
		if err := q.answer(ctx, free); err != nil {
			return err
		}
	}
	q.state(p.state)
	if err := q.update(); err != nil {
		return err
	}
	if answer {
		return nil // it says what the notice would say
	}
	return q.tellState(ctx, p.state, before)
}

// merge makes the request part of another one, which goes on.
func (q *queue) merge(ctx context.Context, into store.Request) error {
	from, now := q.request, q.message.At
	if err := q.tx.MergeRequest(ctx, from.ID, into.ID, now); err != nil {
		return fmt.Errorf("merging %s into %s: %w", from.Key, into.Key, err)
	}
	if into.State == store.StateResolved || from.State == store.StateOpen {
		into.State, into.ResolvedAt, into.ClosedAt = store.StateOpen, time.Time{}, time.Time{}
	}
	if into.Assignee == "" {
		into.Assignee = from.Assignee
	}
	if at := from.AwaitingSince; !at.IsZero() && (into.AwaitingSince.IsZero() || at.Before(into.AwaitingSince)) {
		into.AwaitingSince, into.RemindedAt = at, from.RemindedAt
	}
	q.request, q.message.RequestID = into, into.ID
	return nil
}

// mine makes the agent who forwarded a mail the one who asks.
func (q *queue) mine(agent mail.Address) error {
	who := q.request.Requester
	if err := q.tx.SetRequester(q.request.ID, agent); err != nil {
		return fmt.Errorf("making %s the requester of %s: %w", agent.Address, q.request.Key, err)
	}
	if who.Key() != agent.Key() {
		if err := q.tx.RemoveParticipant(q.request.ID, who.Address); err != nil {
			return fmt.Errorf("taking %s out of %s: %w", who.Address, q.request.Key, err)
		}
	}
	q.request.Requester = agent
	return nil
}

func (q *queue) setFields(fields map[string]string) error {
	all := maps.Clone(q.request.Fields)
	if all == nil {
		all = make(map[string]string)
	}
	maps.Copy(all, fields)
	if err := q.tx.SetFields(q.request.ID, all); err != nil {
		return fmt.Errorf("setting fields of %s: %w", q.request.Key, err)
	}
	q.request.Fields = all
	return nil
}

// assign gives the request to an agent, who is told.
func (q *queue) assign(ctx context.Context, p *plan) error {
	if p.assign == nil {
		return nil
	}
	before := q.request.Assignee
	q.request.Assignee = p.assign.Key()
	if q.request.Assignee == "" || q.request.Assignee == before || q.request.Assignee == q.by.Key() {
		return nil
	}
	q.args = map[string]string{"by": p.agent.Address}
	defer func() { q.args = nil }()
	return q.toAgent(ctx, EventAssigned, *p.assign)
}

// spam notes that a request is spam and lets its sender write no more, or
// takes that back. The customer is told nothing of either.
func (q *queue) spam(yes bool) error {
	who := q.request.Requester.Key()
	q.request.Spam = yes
	if yes {
		q.state(store.StateResolved)
		if err := q.tx.Block(q.s.ID, who, q.request.ID, q.message.At); err != nil {
			return fmt.Errorf("blocking %s: %w", who, err)
		}
		return nil
	}
	q.state(store.StateOpen)
	if _, err := q.tx.Unblock(q.s.ID, who); err != nil {
		return fmt.Errorf("unblocking %s: %w", who, err)
	}
	return nil
}

// state sets the state of the request and the times that hang on it; "" leaves it.
func (q *queue) state(state string) {
	r := &q.request
	switch state {
	case "":
		return
	case store.StateResolved:
		if r.State != state {
			r.ResolvedAt = q.message.At
		}
		r.AwaitingSince, r.RemindedAt = time.Time{}, time.Time{}
	default:
		r.ResolvedAt, r.ClosedAt = time.Time{}, time.Time{}
	}
	r.State = state
}

// tellState tells the requester that the request was resolved or opened again.
func (q *queue) tellState(ctx context.Context, state, before string) error {
	resolved := before == store.StateResolved
	event := ""
	switch {
	case state == store.StateResolved && !resolved:
		event = EventResolved
	case state == store.StateOpen && resolved:
		event = EventReopened
	default:
		return nil
	}
	return q.toRequester(ctx, event)
}

func (q *queue) toRequester(ctx context.Context, event string) error {
	references, err := q.customerReferences(ctx)
	if err != nil {
		return err
	}
	return q.toCustomer(ctx, event, q.request.Requester, references)
}

// answer sends an agent's words to customer and participants. The other agents
// are told of the first answer, so that nobody writes another one.
func (q *queue) answer(ctx context.Context, first bool) error {
	agent := q.message.From
	q.state(store.StateWaiting)
	q.request.AwaitingSince, q.request.RemindedAt = time.Time{}, time.Time{}
	participants, err := q.tx.Participants(ctx, q.request.ID)
	if err != nil {
		return fmt.Errorf("reading participants of %s: %w", q.request.Key, err)
	}
	references, err := q.customerReferences(ctx)
	if err != nil {
		return err
	}
	for _, p := range participants {
		if p.Key() == agent.Key() {
			continue
		}
		if err := q.toCustomer(ctx, EventAnswered, p.Address, references); err != nil {
			return err
		}
	}
	if len(q.kept) > 0 { // or the agent would take the answer for sent
		q.args = map[string]string{"address": strings.Join(q.kept, ", ")}
		if err := q.toAgent(ctx, EventBounced, agent); err != nil {
			return err
		}
		q.args = nil
	}
	if !first {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(q.s.Agents), func(a mail.Address) bool {
		return a.Key() == agent.Key() || a.Key() == q.request.Assignee // who was given it knows
	})
	return q.toAgents(ctx, EventAnsweredBy, others)
}

// tellCommands answers an agent whose commands could not be done, or who asked
// for help. Nothing else was done.
func (q *queue) tellCommands(ctx context.Context, p *plan) error {
	q.args = make(map[string]string)
	defer func() { q.args = nil }()
	if p.help {
		q.args["help"] = "yes"
	}
	if bad := p.bad(); len(bad) > 0 {
		words, err := json.Marshal(bad)
		if err != nil {
			return fmt.Errorf("writing what could not be done: %w", err)
		}
		q.args["results"] = string(words)
	}
	return q.toAgent(ctx, EventCommands, p.agent)
}
