package daemon

import (
	"context"
	"errors"
	"strings"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

// take takes mails of the ledger that were set aside.
func (a *Acts) take(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	if len(act.IDs) == 0 {
		return only(bad("take-none")), nil
	}
	var done []ui.ActResult
	for _, id := range act.IDs {
		one, err := a.takeOne(ctx, id, act.Quiet)
		if err != nil {
			return nil, err
		}
		done = append(done, one)
	}
	return done, nil
}

func (a *Acts) takeOne(ctx context.Context, id int64, quiet bool) (ui.ActResult, error) {
	number := figure(int(id))
	entry, err := a.store.Entry(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return bad("no-entry", "id", number), nil
	}
	if err != nil {
		return ui.ActResult{}, err
	}
	s := a.deskWith(entry.DeskID)
	switch {
	case s == nil:
		return bad("desk-gone", "desk", entry.Desk), nil
	case a.still[s.ID]:
		return bad("observing", "desk", s.Key), nil
	case !ui.Takeable(entry) && entry.Request != "":
		return bad("taken-before", "id", number, "request", entry.Request), nil
	case !ui.Takeable(entry):
		return bad("not-aside", "id", number), nil
	}
	box, err := a.store.MailboxByID(ctx, entry.MailboxID)
	if err != nil {
		return ui.ActResult{}, err
	}
	taken, fetch, err := a.taker.TakeAgain(ctx, s, box, id, quiet)
	if errors.Is(err, desk.ErrGone) {
		return bad("take-gone", "id", number), nil
	}
	if err != nil {
		return ui.ActResult{}, err
	}
	if fetch {
		a.look(s.ID)
		return good("take-fetch", "id", number), nil
	}
	a.taken(taken.Queued)
	if entry, err = a.store.Entry(ctx, id); err != nil {
		return ui.ActResult{}, err
	}
	switch entry.Outcome {
	case desk.Request, desk.Reply, desk.Note:
		return good("taken-"+entry.Outcome, "id", number, "request", entry.Request), nil
	case desk.Quarantined:
		return bad("take-broken", "id", number), nil
	}
	return bad("take-other", "id", number), nil
}

// release takes the mail of these people that was held because nobody knew
// them; no keys: of all whom the configuration lets in now.
func (a *Acts) release(ctx context.Context, keys []string) (int, error) {
	n := 0
	var errs []error
	for _, s := range a.desks {
		if a.still[s.ID] {
			continue
		}
		some, err := a.taker.Release(ctx, s, keys)
		if some > 0 {
			a.taken(true)
			a.look(s.ID)
		}
		n, errs = n+some, append(errs, err)
	}
	return n, errors.Join(errs...)
}

// byHand answers, notes, resolves or reopens.
func (a *Acts) byHand(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	request, err := a.store.RequestByKey(ctx, act.Key)
	if errors.Is(err, store.ErrNotFound) {
		return only(bad("no-request", "key", strings.TrimSpace(act.Key))), nil
	}
	if err != nil {
		return nil, err
	}
	s := a.deskWith(request.DeskID)
	switch {
	case s == nil:
		return only(bad("desk-gone", "desk", request.Desk)), nil
	case a.still[s.ID]:
		return only(bad("observing", "desk", s.Key)), nil
	}
	agent, no, ok := agentOf(s, request, act.Agent)
	if !ok {
		return only(no), nil
	}
	by := desk.ByHand{Key: request.Key, Agent: agent, Say: strings.TrimSpace(act.Text)}
	switch act.Name {
	case ui.ActNote:
		by.Note = true
	case ui.ActResolve:
		by.Commands = []desk.Command{{Name: "resolve"}}
	case ui.ActReopen:
		by.Say, by.Commands = "", []desk.Command{{Name: "reopen"}}
	}
	if by.Say == "" && by.Commands == nil {
		return only(bad("no-text")), nil
	}
	results, err := a.taker.ByHand(ctx, s, by)
	if err != nil {
		return nil, err
	}
	a.taken(true)
	var done []ui.ActResult
	for _, r := range results {
		done = append(done, ui.ActResult{Slug: r.Slug, Args: r.Args, Bad: r.Bad})
	}
	return done, nil
}

// agentOf is who acts: the agent whom a person calls so; for "" the assignee, or
// the only agent there is.
func agentOf(s *desk.Settings, request store.Request, named string) (mail.Address, ui.ActResult, bool) {
	named = strings.TrimSpace(named)
	var names []string
	for _, agent := range s.Agents {
		name := agent.Name
		if name == "" {
			name = agent.Address
		}
		names = append(names, name)
	}
	list := strings.Join(names, ", ")
	var found []mail.Address
	if named != "" {
		found = s.AgentsCalled(named)
	}
	switch {
	case named != "" && len(found) == 1:
		return found[0], ui.ActResult{}, true
	case named != "" && len(found) > 1:
		return mail.Address{}, bad("which-agent", "agents", strings.Join(addresses(found), ", ")), false
	case named != "":
		return mail.Address{}, bad("no-agent", "agent", named, "agents", list, "desk", s.Key), false
	}
	if agent, ok := s.Agent(mail.Address{Address: request.Assignee}); ok {
		return agent, ui.ActResult{}, true
	}
	if len(s.Agents) == 1 {
		return s.Agents[0], ui.ActResult{}, true
	}
	return mail.Address{}, bad("which-agent", "agents", list), false
}

func addresses(list []mail.Address) (all []string) {
	for _, a := range list {
		all = append(all, a.Address)
	}
	return all
}
