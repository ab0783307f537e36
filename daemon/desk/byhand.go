package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"helpdesk/mail"
	"helpdesk/store"
)

// ByHand is what an agent does to a request without writing a mail.
type ByHand struct {
	Key      string // of the request
	Agent    mail.Address
	Say      string // answer or note; "" for none
	Note     bool   // Say is for agents only
	Commands []Command
}

// RuleByHand is the reason of a message that came by no mail.
const RuleByHand = "by-hand"

// ByHand does what an agent wants by a command or the page, by the same rules
// as the commands in an agent's mail: all of it or, where a result is bad,
// nothing. A request that is not of this desk is store.ErrNotFound.
func (t *Taker) ByHand(ctx context.Context, s *Settings, by ByHand) (results []Result, err error) {
	err = t.Store.Write(ctx, func(tx *store.Tx) error {
		results, err = t.byHand(ctx, tx, s, by)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("changing %s: %w", by.Key, err)
	}
	return results, nil
}

func (t *Taker) byHand(ctx context.Context, tx *store.Tx, s *Settings, by ByHand) ([]Result, error) {
	request, err := tx.RequestByKey(ctx, by.Key)
	if err == nil {
		request, err = t.merged(ctx, tx, request)
	}
	if err == nil && request.DeskID != s.ID {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	commands := by.Commands
	if by.Note {
		commands = append(slices.Clone(commands), Command{Name: CommandNote})
	}
	p, err := t.plan(ctx, tx, s, request, by.Agent, by.Say, commands)
	if err != nil {
		return nil, err
	}
	agent, ok := s.Agent(by.Agent)
	if !ok {
		p.cannot("agent-unknown", "agent", by.Agent.Address, "agents", p.agents())
		return p.bad(), nil
	}
	p.agent = agent
	answer := p.say != "" && !p.silent()
	if err := p.checkByHand(ctx, answer); err != nil || p.failed() {
		return p.bad(), err
	}
	message := store.Message{
		RequestID: request.ID, Kind: store.KindNote, From: agent, At: t.Now(), Text: p.written(by.Commands), Reply: p.say,
		Verified: true, Reason: RuleByHand,
	}
	if answer {
		message.Kind = store.KindAgent
	}
	if err := tx.AddMessage(&message); err != nil {
		return nil, fmt.Errorf("adding the message: %w", err)
	}
	q := &queue{t: t, tx: tx, s: s, by: agent, request: request, message: message}
	return p.results, q.perform(ctx, p, answer)
}

// checkByHand adds what a mail need not be checked for, and what was said.
func (p *plan) checkByHand(ctx context.Context, answer bool) error {
	switch {
	case answer && slices.ContainsFunc(strings.Split(p.say, "\n"), straysNote):
		p.cannot("note-inside") // who is used to mail wants a note
	case answer:
		participants, err := p.tx.Participants(ctx, p.request.ID)
		if err != nil {
			return fmt.Errorf("reading participants of %s: %w", p.request.Key, err)
		}
		reachable := func(a store.Participant) bool { return usable(a.Address) && !p.s.Ours(a.Address) }
		if !slices.ContainsFunc(participants, reachable) {
			p.cannot("nobody")
			return nil
		}
		p.results = slices.Insert(p.results, 0, Result{Slug: "answered", Args: map[string]string{"key": p.request.Key}})
	case p.say != "":
		p.results = slices.Insert(p.results, 0, Result{Slug: "noted", Args: map[string]string{"key": p.request.Key}})
	case len(p.results) == 0 && !p.help:
		p.cannot("empty")
	}
	return nil
}

// written is what the agent did, as it would stand in a mail.
func (p *plan) written(commands []Command) string {
	var lines []string
	if p.say != "" {
		lines = append(lines, p.say)
	}
	for _, c := range commands {
		lines = append(lines, strings.TrimSpace("#"+c.Name+" "+c.Arg))
	}
	return strings.Join(lines, "\n")
}
