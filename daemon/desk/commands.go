package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/text/width"

	"helpdesk/mail"
	"helpdesk/store"
)

// Result is one thing that an agent's command did or could not do: a slug,
// whose words are "act.<slug>" in the page's words, and what they name.
type Result struct {
	Slug string            `json:"slug"`
	Args map[string]string `json:"args,omitempty"`
	Bad  bool              `json:"bad,omitempty"` // it could not be done; then nothing at all was done
}

// ReadResults returns what a line of EventCommands tells the agent.
func ReadResults(line store.OutboxLine) ([]Result, error) {
	var all []Result
	if words := line.Args["results"]; words != "" {
		if err := json.Unmarshal([]byte(words), &all); err != nil {
			return nil, fmt.Errorf("reading the results in outbox line %d: %w", line.ID, err)
		}
	}
	return all, nil
}

// plan is what an agent's commands come to, checked against the store before
// anything is done: either all of it can be done, or none of it is.
type plan struct {
	t       *Taker
	tx      *store.Tx
	s       *Settings
	agent   mail.Address
	request store.Request
	say     string // to the customer, or to agents where note is set

	note     bool
	help     bool
	mine     bool
	spam     bool
	state    string            // "", store.StateResolved or store.StateOpen
	assign   *mail.Address     // nil: as it is; the zero address: nobody
	merge    *store.Request    // nil: no
	subject  string            // "": as it is
	fields   map[string]string // that change
	results  []Result
	commands int // how many there are
}

// plan checks an agent's commands. It changes nothing.
func (t *Taker) plan(ctx context.Context, tx *store.Tx, s *Settings, request store.Request, agent mail.Address, say string, commands []Command) (*plan, error) {
	p := &plan{t: t, tx: tx, s: s, agent: agent, request: request, say: strings.TrimSpace(say), commands: len(commands)}
	for _, c := range commands {
		if err := p.check(ctx, c); err != nil {
			return nil, fmt.Errorf("checking #%s: %w", c.Name, err)
		}
	}
	return p, nil
}

// failed reports whether nothing is to be done: something cannot be, or the
// agent asked for help.
func (p *plan) failed() bool {
	return p.help || slices.ContainsFunc(p.results, func(r Result) bool { return r.Bad })
}

// silent reports whether nothing of what the agent wrote is for the customer.
func (p *plan) silent() bool {
	spam := p.request.Spam || p.merge != nil && p.merge.Spam
	return p.note || p.spam || spam && p.state == store.StateOpen
}

// bad are the results that an agent must be told.
func (p *plan) bad() []Result {
	return slices.DeleteFunc(slices.Clone(p.results), func(r Result) bool { return !r.Bad })
}

func (p *plan) done(slug string, pairs ...string)   { p.result(false, slug, pairs) }
func (p *plan) cannot(slug string, pairs ...string) { p.result(true, slug, pairs) }

func (p *plan) result(bad bool, slug string, pairs []string) {
	r := Result{Slug: slug, Bad: bad, Args: map[string]string{"key": p.request.Key}}
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Args[pairs[i]] = pairs[i+1]
	}
	p.results = append(p.results, r)
}

func (p *plan) check(ctx context.Context, c Command) error {
	arg := strings.TrimSpace(c.Arg)
	switch c.Name {
	case CommandNote:
		p.note = true
	case CommandHelp:
		p.help = true
	case CommandResolve:
		p.checkState(store.StateResolved, "resolved")
	case CommandReopen:
		p.checkState(store.StateOpen, "reopened")
	case CommandSpam:
		p.checkSpam()
	case CommandAssign:
		p.checkAssign(arg)
	case CommandPriority:
		p.checkField(FieldPriority, arg)
	case CommandSet:
		name, value, _ := strings.Cut(strings.ReplaceAll(arg, "：", ":"), ":")
		p.checkField(strings.TrimSpace(name), strings.TrimSpace(value))
	case CommandMerge:
		return p.checkMerge(ctx, arg)
	case CommandMine:
		return p.checkMine(ctx)
	default:
		if straysNote(c.Name) {
			p.cannot("note-inside")
			return nil
		}
		if p.field(c.Name) == nil {
			p.cannot("unknown-command", "command", clip(strings.TrimLeft(c.Name, "#＃"), 40))
			return nil
		}
		p.checkField(c.Name, strings.TrimSpace(strings.TrimLeft(arg, ":：")))
	}
	return nil
}

func (p *plan) checkState(state, slug string) {
	if p.state != "" && p.state != state || p.spam && state == store.StateOpen {
		p.cannot("contradiction")
		return
	}
	p.state = state
	if already := (p.request.State == store.StateResolved) == (state == store.StateResolved) && !p.request.Spam; already {
		slug += "-already"
	}
	p.done(slug)
}

// checkSpam: what is spam is no agent's and none of our own.
func (p *plan) checkSpam() {
	who := p.request.Requester
	if _, agent := p.s.Agent(who); agent || p.s.Ours(who) || !usable(who) {
		p.cannot("spam-ours", "address", who.Address)
		return
	}
	if p.state == store.StateOpen {
		p.cannot("contradiction")
		return
	}
	p.spam, p.state = true, store.StateResolved
	p.done("spam", "address", who.Address)
}

// checkAssign finds the agent whose the request is to be. Without a name it is
// the one who writes; "-" is nobody.
func (p *plan) checkAssign(who string) {
	who = strings.TrimPrefix(folded(who), "@")
	switch who {
	case "":
		p.assigned(p.agent)
		return
	case "-", "nobody", "なし":
		p.assign = &mail.Address{}
		p.done("unassigned")
		return
	}
	switch found := p.s.AgentsCalled(who); len(found) {
	case 1:
		p.assigned(found[0])
	case 0:
		p.cannot("agent-unknown", "agent", clip(who, 80), "agents", p.agents())
	default:
		p.cannot("agent-ambiguous", "agent", clip(who, 80), "agents", p.agents())
	}
}

func (p *plan) assigned(a mail.Address) {
	p.assign = &a
	p.done("assigned", "agent", label(a))
}

func (p *plan) agents() string {
	names := make([]string, len(p.s.Agents))
	for i, a := range p.s.Agents {
		names[i] = label(a)
	}
	return strings.Join(names, ", ")
}

// label is a person's name, or the address where there is none.
func label(a mail.Address) string {
	if a.Name != "" {
		return a.Name
	}
	return a.Address
}

// folded is what two spellings of a word have in common: case, and the wide
// forms that a Japanese keyboard makes.
func folded(s string) string { return strings.ToLower(strings.TrimSpace(width.Fold.String(s))) }

// checkMerge finds the request that this one is to become part of.
func (p *plan) checkMerge(ctx context.Context, key string) error {
	key = strings.Trim(folded(key), "[] ")
	into, err := p.tx.RequestByKey(ctx, key)
	if err == nil {
		into, err = p.t.merged(ctx, p.tx, into)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		p.cannot("request-unknown", "request", clip(key, 40))
	case err != nil:
		return fmt.Errorf("reading %s: %w", key, err)
	case into.DeskID != p.s.ID:
		p.cannot("merge-other-desk", "request", into.Key)
	case into.ID == p.request.ID:
		p.cannot("merge-itself", "request", into.Key)
	default:
		p.merge = &into
		p.done("merged", "into", into.Key)
	}
	return nil
}

// maxMerges bounds how many merges are followed; more is a circle.
const maxMerges = 10

// merged is the request that a request became part of, or itself.
func (t *Taker) merged(ctx context.Context, tx *store.Tx, r store.Request) (store.Request, error) {
	for i := 0; r.MergedInto != 0 && i < maxMerges; i++ {
		into, err := tx.RequestByID(ctx, r.MergedInto)
		if err != nil {
			return r, fmt.Errorf("reading what %s was merged into: %w", r.Key, err)
		}
		r = into
	}
	return r, nil
}

// checkMine: only who forwarded a mail to the desk may say that the request is
// their own.
func (p *plan) checkMine(ctx context.Context) error {
	for id := int64(math.MaxInt64); ; {
		var err error
		if id, err = p.tx.CustomerMessageBefore(ctx, p.request.ID, id); errors.Is(err, store.ErrNotFound) {
			break
		} else if err != nil {
			return fmt.Errorf("reading %s: %w", p.request.Key, err)
		}
		m, err := p.tx.Message(ctx, id)
		if err != nil {
			return fmt.Errorf("reading %s: %w", p.request.Key, err)
		}
		if m.Reason != RuleAgentProof || m.LedgerID == 0 {
			continue
		}
		entry, err := p.tx.Entry(ctx, m.LedgerID)
		if errors.Is(err, store.ErrNotFound) { // expired
			continue
		} else if err != nil {
			return fmt.Errorf("reading the mail that was forwarded: %w", err)
		}
		if entry.From.Key() == p.agent.Key() {
			p.mine = true
			p.done("mine")
			return nil
		}
	}
	p.cannot("not-forwarded")
	return nil
}

// field is the field of the desk's request type with a name, nil for none.
// Every type has a priority.
func (p *plan) field(name string) *Field {
	name = folded(name)
	for i := range p.s.Type.Fields {
		if f := &p.s.Type.Fields[i]; folded(f.Name) == name && name != FieldPriority {
			return f
		}
	}
	if name != FieldPriority {
		return nil
	}
	f := Field{Name: FieldPriority}
	for _, own := range p.s.Type.Fields {
		if folded(own.Name) == FieldPriority {
			f = own
		}
	}
	if len(f.Choices) == 0 {
		f.Choices = []string{"low", "normal", "high"}
	}
	return &f
}

// priorityJa is our own priority that a Japanese word means; any other word stays as it is.
func priorityJa(word string) string {
	switch word {
	case "低", "低い":
		return "low"
	case "中", "普通", "通常":
		return "normal"
	case "高", "高い", "至急", "緊急":
		return "high"
	}
	return word
}

const maxField = 500 // characters of a field's value

func (p *plan) checkField(name, value string) {
	f := p.field(name)
	if f == nil && folded(name) == FieldSummary {
		f = &Field{Name: FieldSummary} // every type has one, also where it is not listed
	}
	if f == nil {
		names := []string{FieldPriority}
		for _, own := range p.s.Type.Fields {
			if !slices.Contains([]string{FieldDescription, FieldAttachment, FieldPriority}, own.Name) {
				names = append(names, own.Name)
			}
		}
		p.cannot("field-unknown", "field", clip(name, 40), "fields", strings.Join(names, ", "))
		return
	}
	switch value = clip(value, maxField); {
	case f.Name == FieldDescription || f.Name == FieldAttachment || f.Name == FieldSummary && value == "":
		p.cannot("field-fixed", "field", f.Name)
		return
	case f.Name == FieldSummary:
		p.subject = value
		p.done("set", "field", f.Name, "value", value)
		return
	}
	if len(f.Choices) > 0 && (value != "" || f.Name == FieldPriority) {
		i := slices.IndexFunc(f.Choices, func(c string) bool { return folded(c) == folded(value) })
		if i < 0 && f.Name == FieldPriority {
			i = slices.Index(f.Choices, priorityJa(value))
		}
		if i < 0 {
			p.cannot("choice-unknown", "field", f.Name, "value", clip(value, 40), "choices", strings.Join(f.Choices, ", "))
			return
		}
		value = f.Choices[i]
	}
	if p.fields == nil {
		p.fields = make(map[string]string)
	}
	p.fields[f.Name] = value
	p.done("set", "field", f.Name, "value", value)
}
