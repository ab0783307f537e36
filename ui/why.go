package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

// WhyDesk is what WhyAddress needs to know of a desk of the configuration.
type WhyDesk struct {
	Key, Name, Address string
	Provider           string   // preset of the mailbox, or ""
	Faults             []string // why the configuration keeps the mailbox closed, sentences
	PublicSignup       bool
	CustomerDomains    []string
	Agents             []mail.Address
	Ours               []string // addresses of the desk itself

	// Listed finds the entry of the allow or block list that counts for an
	// address, "" where there is none.
	Listed func(address string) (entry string, blocked bool)
}

// WhyQuestion is what WhyAddress is asked.
type WhyQuestion struct {
	Address string // as a person typed it
	Desks   []WhyDesk
	Running bool // the daemon runs
	Now     time.Time

	// Observed is what a desk, by its key, sees in observe mode, nil where it
	// does not observe.
	Observed func(desk string) *store.Store
}

// WhyAnswer says what helpdesk knows about "a customer wrote, and nothing
// happened". Page and `helpdesk why ADDRESS` show it.
type WhyAnswer struct {
	Address string
	Parts   []WhyPart
}

// WhyPart is one thing that was looked at.
type WhyPart struct {
	Title string
	Lines []WhyLine
}

// WhyLine is one thing that was found, in the words of the reader's language.
type WhyLine struct {
	Text    string
	More    []string // why, what to do, what a server said
	Bad     bool     // it keeps their mail from being answered, or our mail from reaching them
	Command string   // what mends it in a terminal; "": nothing
	EntryID int64    // line of the ledger that it is about; 0: none
	Request string   // key of the request that it is about
}

// whyMails is how many mails of each way are shown.
const whyMails = 20

// why is one question on its way to the answer.
type why struct {
	WhyQuestion
	store *store.Store
	words Words
	keys  []string         // all addresses of the person, the one asked for first
	ids   map[string]int64 // of the desks in the store, by address
}

// WhyAddress answers why somebody who wrote got no answer, in the order in
// which a mail goes: can it arrive, may they write, what became of their mails,
// what was sent to them. The error is the machine's; for text that is no
// address it is ErrNoAddress.
func WhyAddress(ctx context.Context, s *store.Store, words Words, q WhyQuestion) (WhyAnswer, error) {
	address, err := TypedAddress(q.Address)
	if err != nil {
		return WhyAnswer{}, ErrNoAddress
	}
	q.Address = address
	w := &why{WhyQuestion: q, store: s, words: words, ids: map[string]int64{}}
	desks, err := s.Desks(ctx)
	if err != nil {
		return WhyAnswer{}, fmt.Errorf("reading the desks: %w", err)
	}
	for _, d := range desks {
		w.ids[d.Address] = d.ID
	}
	if w.keys, err = s.PersonKeys(ctx, address); err != nil {
		return WhyAnswer{}, fmt.Errorf("reading the addresses of a person: %w", err)
	}
	answer := WhyAnswer{Address: address}
	for _, part := range []func(context.Context) (WhyPart, error){w.reach, w.person, w.mails, w.sent} {
		p, err := part(ctx)
		if err != nil {
			return WhyAnswer{}, err
		}
		if len(p.Lines) > 0 {
			answer.Parts = append(answer.Parts, p)
		}
	}
	return answer, nil
}

// ErrNoAddress says that what was asked for is no e-mail address.
var ErrNoAddress = errors.New("not an e-mail address")

// reach says whether mail can arrive at each desk now.
func (w *why) reach(ctx context.Context) (WhyPart, error) {
	part := WhyPart{Title: w.words.Text("why.reach")}
	if !w.Running {
		part.Lines = append(part.Lines, WhyLine{Text: w.words.Text("why.not-running"), Bad: true, Command: "helpdesk start"})
	}
	health, err := w.store.HealthAll(ctx)
	if err != nil {
		return part, fmt.Errorf("reading the state of the mailboxes: %w", err)
	}
	for _, d := range w.Desks {
		name := []string{"desk", d.Name, "address", d.Address}
		subject := "mailbox:" + strconv.FormatInt(w.ids[strings.ToLower(d.Address)], 10)
		i := slices.IndexFunc(health, func(h store.Health) bool { return h.Subject == subject })
		switch {
		case len(d.Faults) > 0:
			part.Lines = append(part.Lines, WhyLine{Text: w.words.Text("why.closed", name...), More: d.Faults, Bad: true, Command: "helpdesk check"})
		case i < 0:
			part.Lines = append(part.Lines, WhyLine{Text: w.words.Text("why.never-opened", name...), Bad: true, Command: "helpdesk test " + d.Key})
		default:
			part.Lines = append(part.Lines, w.mailbox(d, health[i]))
		}
	}
	return part, nil
}

// mailbox is the state of a mailbox as a line.
func (w *why) mailbox(d WhyDesk, h store.Health) WhyLine {
	p := Part(h, d.Provider, w.words.lang)
	args := []string{"desk", d.Name, "address", d.Address, "time", w.words.When(p.LastPoll, w.Now)}
	switch h.State {
	case "ok":
		return WhyLine{Text: w.words.Text("why.mailbox.ok", args...)}
	case "observing":
		return WhyLine{Text: w.words.Text("why.mailbox.observing", args...), Bad: true}
	}
	line := WhyLine{Text: w.words.Text("why.mailbox.bad", append(args, "state", w.words.State(h.State))...), Bad: true, Command: "helpdesk test " + d.Key}
	for _, text := range append([]string{p.Title, p.Text}, p.Remedy...) {
		if text != "" {
			line.More = append(line.More, text)
		}
	}
	if p.ServerText != "" {
		line.More = append(line.More, w.words.Text("status.server-said")+": "+p.ServerText)
	}
	return line
}

// person says who the address is to each desk.
func (w *why) person(ctx context.Context) (WhyPart, error) {
	part := WhyPart{Title: w.words.Text("why.person")}
	customer, err := w.store.Customer(ctx, w.Address)
	switch {
	case errors.Is(err, store.ErrNotFound):
		part.Lines = append(part.Lines, WhyLine{Text: w.words.Text("why.no-customer", "address", w.Address)})
	case err != nil:
		return part, fmt.Errorf("reading a customer: %w", err)
	default:
		part.Lines = append(part.Lines, WhyLine{Text: w.words.Text("why.customer", "person", nameOf(customer), "time", w.words.When(customer.First, w.Now))})
	}
	if len(w.keys) > 1 {
		part.Lines = append(part.Lines, WhyLine{Text: w.words.Text("why.same-person", "addresses", strings.Join(w.keys[1:], w.words.Text("list.comma")))})
	}
	for _, d := range w.Desks {
		line, err := w.at(ctx, d)
		if err != nil {
			return part, err
		}
		part.Lines = append(part.Lines, line)
	}
	suspended, err := w.suspension(ctx)
	part.Lines = append(part.Lines, suspended...)
	return part, err
}

func nameOf(c store.Customer) string {
	if c.Name == "" {
		return c.Address.Address
	}
	return c.Name + " <" + c.Address.Address + ">"
}

// at says what a mail from the address meets at one desk: the first of these
// that fits is also the one that decides.
func (w *why) at(ctx context.Context, d WhyDesk) (WhyLine, error) {
	key := mail.Address{Address: w.Address}.Key()
	args := []string{"desk", d.Name, "address", w.Address}
	say := func(slug string, more ...string) WhyLine {
		return WhyLine{Text: w.words.Text("why.at."+slug, append(args, more...)...)}
	}
	id := w.ids[strings.ToLower(d.Address)]
	known, err := w.store.KnownAt(ctx, id, key)
	if err != nil {
		return WhyLine{}, fmt.Errorf("reading who is a customer: %w", err)
	}
	blocked, err := w.store.BlockedAt(ctx, id, key)
	if err != nil {
		return WhyLine{}, fmt.Errorf("reading who is blocked: %w", err)
	}
	entry, blockedByList := "", false
	if d.Listed != nil {
		entry, blockedByList = d.Listed(key)
	}
	domain := domainOf(key, d.CustomerDomains)
	switch {
	case slices.ContainsFunc(d.Ours, func(a string) bool { return mail.Address{Address: a}.Key() == key }):
		return say("ours"), nil
	case entry != "" && blockedByList:
		line := say("block-list", "entry", entry)
		line.Bad = true
		return line, nil
	case blocked:
		line := say("spam")
		line.Bad, line.Command = true, "helpdesk customers unblock "+w.Address
		return line, nil
	case slices.ContainsFunc(d.Agents, func(a mail.Address) bool { return a.Key() == key }):
		return say("agent"), nil
	case entry != "":
		return say("allow-list", "entry", entry), nil
	case known:
		return say("known"), nil
	case domain != "":
		return say("domain", "domain", domain), nil
	case d.PublicSignup:
		return say("anybody"), nil
	}
	line := say("unknown")
	line.Bad, line.Command = true, "helpdesk customers add "+w.Address+" --desk "+d.Key
	return line, nil
}

// domainOf is the one of the domains that an address belongs to, also by a
// subdomain; "" for none.
func domainOf(key string, domains []string) string {
	_, host, _ := strings.Cut(key, "@")
	for _, d := range domains {
		if d = strings.ToLower(strings.TrimPrefix(d, "@")); host == d || strings.HasSuffix(host, "."+d) {
			return d
		}
	}
	return ""
}

// suspension says that nothing is sent to the person, why, and the way back.
func (w *why) suspension(ctx context.Context) ([]WhyLine, error) {
	all, err := w.store.Suspensions(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading suspended addresses: %w", err)
	}
	var lines []WhyLine
	for _, s := range all {
		if !slices.Contains(w.keys, s.Address) {
			continue
		}
		line := WhyLine{
			Text: w.words.Text("why.suspended", "address", s.Address), Bad: true, EntryID: s.LedgerID,
			More:    []string{w.words.Text("why.suspended.since", "time", w.words.When(s.At, w.Now), "status", s.Status)},
			Command: "helpdesk customers unsuspend " + s.Address,
		}
		sent, err := w.store.Outbox(ctx, store.OutboxFilter{To: s.Address, Limit: whyMails})
		if err != nil {
			return nil, fmt.Errorf("reading the outbox: %w", err)
		}
		if i := slices.IndexFunc(sent, func(l store.OutboxLine) bool { return l.Error != "" }); i >= 0 {
			line.More = append(line.More, w.words.Text("status.server-said")+": "+sent[i].Error)
		}
		line.More = append(line.More, w.words.Text("why.suspended.back"))
		lines = append(lines, line)
	}
	return lines, nil
}

// mails are the person's mails in the ledger; where there is none, what to look
// for elsewhere.
func (w *why) mails(ctx context.Context) (WhyPart, error) {
	part := WhyPart{Title: w.words.Text("why.mails")}
	var entries []store.Entry
	for _, key := range w.keys {
		some, err := w.store.Entries(ctx, store.EntryFilter{From: key, Limit: whyMails})
		if err != nil {
			return part, fmt.Errorf("reading the ledger: %w", err)
		}
		entries = append(entries, some...)
	}
	observed, err := w.observed(ctx)
	if err != nil {
		return part, err
	}
	part.Lines = append(part.Lines, observed...)
	if len(entries)+len(observed) == 0 {
		part.Lines = append(part.Lines, WhyLine{Text: w.words.Text("why.never", "address", w.Address), Bad: true, More: []string{w.words.Text("why.never.more")}})
		near, err := w.near(ctx)
		if err == nil && len(near) > 0 {
			part.Lines = append(part.Lines, WhyLine{Text: w.words.Text("why.near"), More: near})
		}
		return part, err
	}
	slices.SortFunc(entries, func(a, b store.Entry) int { return int(max(-1, min(1, b.ID-a.ID))) })
	for _, e := range entries[:min(len(entries), whyMails)] {
		line := WhyLine{
			Text: w.words.Text("why.mail", "id", strconv.FormatInt(e.ID, 10), "time", w.words.When(e.SeenAt, w.Now), "outcome", w.words.Outcome(e.Outcome), "subject", w.subject(e)),
			More: w.words.Reason(e), EntryID: e.ID, Request: e.Request,
		}
		if Takeable(e) {
			line.Bad, line.Command = true, "helpdesk retry "+strconv.FormatInt(e.ID, 10)
		}
		part.Lines = append(part.Lines, line)
	}
	return part, nil
}

func (w *why) subject(e store.Entry) string {
	if e.Subject == "" {
		return w.words.Text("requests.no-subject")
	}
	return e.Subject
}

// sent is what was sent to the person, newest first, and whether sending works.
func (w *why) sent(ctx context.Context) (WhyPart, error) {
	part := WhyPart{Title: w.words.Text("why.sent-to")}
	var lines []store.OutboxLine
	for _, key := range w.keys {
		some, err := w.store.Outbox(ctx, store.OutboxFilter{To: key, Limit: whyMails})
		if err != nil {
			return part, fmt.Errorf("reading the outbox: %w", err)
		}
		lines = append(lines, some...)
	}
	if len(lines) == 0 {
		part.Lines = []WhyLine{{Text: w.words.Text("why.nothing-sent")}}
		return part, nil
	}
	slices.SortFunc(lines, func(a, b store.OutboxLine) int { return int(max(-1, min(1, b.ID-a.ID))) })
	for _, l := range lines[:min(len(lines), whyMails)] {
		part.Lines = append(part.Lines, w.outboxLine(l))
	}
	return part, nil
}

func (w *why) outboxLine(l store.OutboxLine) WhyLine {
	state := l.State
	if l.Cause == store.CauseOvertaken {
		state = l.Cause
	}
	at := l.SentAt
	if at.IsZero() {
		at = l.CreatedAt
	}
	line := WhyLine{
		Text:    w.words.Text("why.sent-mail", "time", w.words.When(at, w.Now), "mail", w.words.Event(l.Event), "state", w.words.Text("outbox."+state)),
		Request: l.Request,
	}
	if l.State == store.OutboxSent || state == store.CauseOvertaken {
		return line
	}
	line.Bad = l.State != store.OutboxWaiting || l.Error != ""
	if l.Cause != "" {
		if text, ok := w.words.find("cause." + l.Cause); ok {
			line.More = append(line.More, text)
		} else {
			line.More = append(line.More, diagnose.Diagnosis{Cause: l.Cause}.In(w.words.lang).Title)
		}
	}
	if l.Error != "" {
		line.More = append(line.More, w.words.Text("status.server-said")+": "+l.Error)
	}
	if l.State == store.OutboxFailed || l.State == store.OutboxSuspended {
		line.Command = "helpdesk outbox retry " + strconv.FormatInt(l.ID, 10)
	}
	return line
}

// Outcomes are what can become of a mail, in the order in which they matter.
func Outcomes() []string { return outcomes() }

// TakeableOutcomes are those that a person may overrule by taking the mail.
func TakeableOutcomes() []string { return takeable() }
