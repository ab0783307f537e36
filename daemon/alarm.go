package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
)

// alarms tell the administrator by mail what does not work, and what works
// again: once each, also across restarts, and never of a blip. Their mails go
// through the outbox like all others. There is one under way at a time, and
// what happens meanwhile is in the next one, so that an outage of everything is
// not a mail for each desk. A mail to the administrator that fails or comes
// back makes a warning on the page and nothing else.
type alarms struct {
	admin  mail.Address // "": nobody is told
	parts  []watched
	store  *store.Store
	signer *desk.Signer
	health *health
	now    func() time.Time
	wait   func(context.Context, time.Duration, <-chan struct{}) error
	log    *slog.Logger
	queued func() // wakes the relays

	mu      sync.Mutex // the page reads
	record  alarmRecord
	kept    string // the record as the store has it
	noRelay bool   // something is to be told, and no relay works
}

// watched is a mailbox, a relay or a desk's sender, and the desks that use it.
type watched struct {
	subject  string
	provider string
	desks    []*runningDesk
}

// alarmRecord is what was told, and what is being told. It is kept in the store.
type alarmRecord struct {
	Parts map[string]*alarmed `json:"parts"`
	Line  string              `json:"line,omitempty"` // Message-ID of the mail under way
	Desk  int64               `json:"desk,omitempty"` // whose relay it takes
	Sent  []time.Time         `json:"sent,omitempty"` // when mails were queued, within the last day
	Lost  string              `json:"lost,omitempty"` // why the last one did not reach the administrator
}

// alarmed is a part that does not work, or works again and nobody was told yet.
type alarmed struct {
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until,omitzero"` // zero: it still does not
	Told    bool         `json:"told"`           // that it does not work
	Telling string       `json:"telling,omitempty"`
	Failure store.Health `json:"failure"`
}

// Values of alarmed.Telling.
const (
	tellFailing = "failing"
	tellWorking = "working"
	tellBoth    = "both" // that it did not work could not be told while it did not
)

// alarmKey is where the store has the record.
const alarmKey = "alarms"

const (
	alarmLook  = 20 * time.Second // how often what fails is looked at
	alarmEvery = 5 * time.Minute  // the least time between two mails
	alarmsHour = 6                // what is told in an hour at most, however much comes and goes
	alarmsDay  = 24
	alarmLate  = time.Hour // a mail that the other side puts off holds up the next one for so long
)

func (d *daemon) newAlarms() *alarms {
	a := &alarms{
		store: d.store, signer: d.signer, health: d.health, now: d.Now, wait: d.wait, log: d.Logger,
		queued: func() { d.taken(true) },
	}
	if d.Config.Admin != "" && d.Config.Notify.Failures {
		a.admin = mail.Address{Address: d.Config.Admin}
	}
	relays := make(map[string]int)
	for _, r := range d.desks {
		a.parts = append(a.parts, watched{r.mailbox(), r.conf.Mailbox.Provider(), []*runningDesk{r}})
		if subject := r.canary(); subject != "" {
			a.parts = append(a.parts, watched{subject, r.conf.Mailbox.Provider(), []*runningDesk{r}})
		}
	}
	for _, r := range d.desks {
		if !r.conf.Relay.Enabled {
			continue
		}
		if i, there := relays[r.relay]; there {
			a.parts[i].desks = append(a.parts[i].desks, r)
		} else {
			relays[r.relay] = len(a.parts)
			a.parts = append(a.parts, watched{r.relay, r.conf.Relay.Provider(), []*runningDesk{r}})
		}
		a.parts = append(a.parts, watched{senderOf(r.settings.ID), r.conf.Relay.Provider(), []*runningDesk{r}})
	}
	return a
}

func (a *alarms) run(ctx context.Context) error {
	if a.admin.Address == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := a.read(ctx); err != nil {
		return err
	}
	for {
		if err := a.look(ctx); err != nil {
			return err
		}
		if err := a.wait(ctx, alarmLook, a.health.changed); err != nil {
			return err
		}
	}
}

// read takes over what the last run told.
func (a *alarms) read(ctx context.Context) error {
	text, ok, err := a.store.Meta(ctx, alarmKey)
	if err != nil {
		return fmt.Errorf("reading what the administrator was told: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.record, a.kept = alarmRecord{}, text
	if ok {
		if err := json.Unmarshal([]byte(text), &a.record); err != nil {
			return fmt.Errorf("reading what the administrator was told: %w", err)
		}
	}
	if a.record.Parts == nil {
		a.record.Parts = make(map[string]*alarmed)
	}
	return nil
}

// look compares what works with what was told, and queues a mail where that
// differs.
func (a *alarms) look(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watch()
	free, err := a.settle(ctx)
	if err != nil {
		return err
	}
	a.noRelay = false
	if untold := a.untold(); free && len(untold) > 0 && a.mayTell() {
		if r := a.relayFor(untold); r != nil {
			return a.tell(ctx, r, untold)
		}
		a.noRelay = true
	}
	return a.keep(ctx)
}

// watch notes which parts do not work for long enough to be told, and which
// work again.
func (a *alarms) watch() {
	configured := make(map[string]bool)
	for _, w := range a.parts {
		configured[w.subject] = true
		h, p := a.health.part(w.subject), a.record.Parts[w.subject]
		switch {
		case a.health.lasting(h, w.provider) && p == nil:
			a.record.Parts[w.subject] = &alarmed{Since: h.Since, Failure: h}
		case a.health.lasting(h, w.provider):
			p.Until = time.Time{}
			if !p.Told {
				p.Failure = h
			}
		case p != nil && working(h.State) && p.Until.IsZero():
			p.Until = h.Since
		}
	}
	for subject := range a.record.Parts {
		if !configured[subject] || a.health.part(subject).State == stateOff {
			delete(a.record.Parts, subject)
		}
	}
}

// untold are the parts of which the administrator does not know the last news.
func (a *alarms) untold() (list []watched) {
	for _, w := range a.parts {
		if p := a.record.Parts[w.subject]; p != nil && (!p.Told || !p.Until.IsZero()) {
			list = append(list, w)
		}
	}
	return list
}

// settle looks what became of the mail under way. free says that none is.
func (a *alarms) settle(ctx context.Context) (free bool, err error) {
	if a.record.Line == "" {
		return true, nil
	}
	lines, err := a.store.OutboxByMessageID(ctx, a.record.Line)
	if err != nil {
		return false, fmt.Errorf("reading the mail to the administrator: %w", err)
	}
	if len(lines) == 0 {
		a.told(false)
		return true, nil
	}
	line := lines[len(lines)-1] // one that was taken back in the same moment has its Message-ID too
	switch line.State {
	case store.OutboxSent:
		a.record.Lost = ""
		a.told(true)
	case store.OutboxWaiting:
		return a.waiting(ctx, line)
	default: // it is not tried again, and what it said is not either
		a.record.Lost = line.Error
		if a.record.Lost == "" {
			a.record.Lost = line.Cause
		}
		a.log.Warn("a mail to the administrator was not delivered", "outbox", line.ID, "error", a.record.Lost)
		a.told(true)
	}
	return true, nil
}

// waiting sees to a mail that is not sent yet. Where its relay is out of reach
// it is taken back: another relay may work, and when this one works again the
// news is another.
func (a *alarms) waiting(ctx context.Context, line store.OutboxLine) (free bool, err error) {
	i := slices.IndexFunc(a.parts, func(w watched) bool {
		return strings.HasPrefix(w.subject, "relay") && slices.ContainsFunc(w.desks, func(r *runningDesk) bool { return r.settings.ID == a.record.Desk && !r.observes() })
	})
	h := store.Health{State: stateOff}
	if i >= 0 {
		h = a.health.part(a.parts[i].subject)
	}
	reached := h.Step == mail.StepMailFrom || h.Step == mail.StepRcptTo || h.Step == mail.StepData
	switch {
	case h.State == stateOff, broken(h.State) && (!reached || a.relayFor(a.untold()) != nil):
		line.State, line.Cause = store.OutboxSuspended, store.CauseOvertaken
		if err := a.store.Write(ctx, func(tx *store.Tx) error { return tx.SaveOutbox(line) }); err != nil {
			return false, fmt.Errorf("taking back a mail to the administrator: %w", err)
		}
		a.told(false)
		a.record.Sent = a.record.Sent[:max(0, len(a.record.Sent)-1)]
		return true, nil
	case line.Attempts > 0 && a.now().Sub(line.CreatedAt) >= alarmLate:
		a.told(true)
		return true, nil
	}
	return false, nil
}

// told ends the mail under way: what it said is known now, or not.
func (a *alarms) told(known bool) {
	a.record.Line, a.record.Desk = "", 0
	for subject, p := range a.record.Parts {
		telling := p.Telling
		p.Telling = ""
		switch {
		case telling == "" || !known:
		case telling == tellFailing:
			p.Told = true
		case p.Until.IsZero(): // it fails again: that is news
			p.Told, p.Since = false, a.health.part(subject).Since
		default:
			delete(a.record.Parts, subject)
		}
	}
}

// mayTell reports whether one more mail is not too many.
func (a *alarms) mayTell() bool {
	now, hour := a.now(), 0
	a.record.Sent = slices.DeleteFunc(a.record.Sent, func(at time.Time) bool { return now.Sub(at) >= 24*time.Hour })
	for _, at := range a.record.Sent {
		if now.Sub(at) < time.Hour {
			hour++
		}
	}
	n := len(a.record.Sent)
	return n == 0 || now.Sub(a.record.Sent[n-1]) >= alarmEvery && hour < alarmsHour && n < alarmsDay
}

// relayFor finds a desk through whose relay mail goes out now: one of those
// concerned where possible. A desk that observes sends nothing.
func (a *alarms) relayFor(concerned []watched) *runningDesk {
	for _, w := range slices.Concat(concerned, a.parts) {
		for _, r := range w.desks {
			if r.conf.Relay.Enabled && !r.observes() && a.health.part(r.relay).State == stateOK && !broken(a.health.part(senderOf(r.settings.ID)).State) {
				return r
			}
		}
	}
	return nil
}

// telling is what a mail says of a part, as it stands in the outbox.
type telling struct {
	Subject string       `json:"subject"`
	What    string       `json:"what"`
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until,omitzero"`
	Failure store.Health `json:"failure"`
}

// tell queues one mail about all parts that are to be told.
func (a *alarms) tell(ctx context.Context, r *runningDesk, parts []watched) error {
	var list []telling
	for _, w := range parts {
		p := a.record.Parts[w.subject]
		switch {
		case p.Until.IsZero():
			p.Telling = tellFailing
		case p.Told:
			p.Telling = tellWorking
		default:
			p.Telling = tellBoth
		}
		list = append(list, telling{w.subject, p.Telling, p.Since, p.Until, p.Failure})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("writing what the administrator is told: %w", err)
	}
	now := a.now()
	_, domain, _ := strings.Cut(r.settings.Address, "@")
	line := store.OutboxLine{
		DeskID: r.settings.ID, Event: desk.EventAlarm, To: a.admin, MessageID: a.signer.AlarmMessageID(a.admin, now.UnixMilli(), domain),
		Args: map[string]string{"parts": string(text)}, State: store.OutboxWaiting, CreatedAt: now, NextAt: now,
	}
	a.record.Line, a.record.Desk, a.record.Sent = line.MessageID, r.settings.ID, append(a.record.Sent, now)
	record, err := json.Marshal(a.record)
	if err != nil {
		return fmt.Errorf("writing what the administrator is told: %w", err)
	}
	err = a.store.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.Queue(&line), tx.SetMeta(alarmKey, string(record)))
	})
	if err != nil {
		a.told(false) // none of it is on record
		return fmt.Errorf("queueing a mail to the administrator: %w", err)
	}
	a.kept = string(record)
	a.queued()
	return nil
}

// keep writes the record where it changed.
func (a *alarms) keep(ctx context.Context) error {
	record, err := json.Marshal(a.record)
	if err == nil && string(record) != a.kept {
		if err = a.store.Write(ctx, func(tx *store.Tx) error { return tx.SetMeta(alarmKey, string(record)) }); err == nil {
			a.kept = string(record)
		}
	}
	if err != nil {
		return fmt.Errorf("keeping what the administrator was told: %w", err)
	}
	return nil
}
