package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
)

// housekeeping does what the clock asks for: digests, reminders, the end of
// requests that nobody answers, retention, and the administrator's mails beside
// the alarms. It looks each minute what is due; what it has done is in the
// store, so that a restart neither repeats nor forgets it. Everything is many
// small transactions, between which mail is taken.
type housekeeping struct {
	desks     []*runningDesk
	retention config.Retention
	notify    config.AdminNotify
	admin     mail.Address // "": nobody is told
	zone      *time.Location
	store     *store.Store
	taker     *desk.Taker
	signer    *desk.Signer
	health    *health
	alarms    *alarms
	fuses     map[string]*fuse // by health subject of the relay
	now       func() time.Time
	wait      func(context.Context, time.Duration, <-chan struct{}) error
	log       *slog.Logger
	queued    func() // wakes the relays
	release   func(ctx context.Context, keys []string) (int, error)
	scrub     func(ctx context.Context) error // of the store

	released bool                // see letIn
	digested map[int64]time.Time // when digests of a desk were made last
	wrong    time.Time           // since then the last weekly figures are of a later time, see weekly
	record   houseRecord
	kept     string // the record as the store has it
}

// houseRecord is what was done last. It is kept in the store.
type houseRecord struct {
	Nightly     time.Time        `json:"nightly,omitzero"` // the night whose retention is done
	Weekly      time.Time        `json:"weekly,omitzero"`  // the last summary goes up to then
	Totals      map[string]int64 `json:"totals,omitempty"` // mails by outcome up to then
	Outbox      int64            `json:"outbox,omitempty"` // newest line of the outbox then
	Downtimes   []downtime       `json:"downtimes,omitempty"`
	Fuse        time.Time        `json:"fuse,omitzero"`        // the administrator was told of it
	Quarantine  int64            `json:"quarantine,omitempty"` // newest mail of which the administrator was told
	Quarantined time.Time        `json:"quarantined,omitzero"` // and when that was
}

// houseKey is where the store has the record.
const houseKey = "housekeeping"

const (
	houseEvery  = time.Minute
	digestEvery = 15 * time.Minute // how long a notice waits for others before they go as a digest
)

func (d *daemon) newHousekeeping() *housekeeping {
	h := &housekeeping{
		desks: d.desks, retention: d.Config.Retention, notify: d.Config.Notify, zone: d.Now().Location(),
		store: d.store, taker: d.acts.taker, signer: d.signer, health: d.health, alarms: d.alarms, fuses: d.fuses,
		now: d.Now, wait: d.wait, log: d.Logger, queued: func() { d.taken(true) }, release: d.acts.release,
		scrub: d.store.Scrub, digested: make(map[int64]time.Time),
	}
	if d.Config.Admin != "" {
		h.admin = mail.Address{Address: d.Config.Admin}
	}
	if name := d.Config.Desks[0].Timezone; name != "" {
		if zone, err := time.LoadLocation(name); err == nil { // else its desk is closed, and says so
			h.zone = zone
		}
	}
	return h
}

func (h *housekeeping) run(ctx context.Context) error {
	if err := h.read(ctx); err != nil {
		return err
	}
	for {
		if err := h.pass(ctx); err != nil {
			return err
		}
		if err := h.wait(ctx, houseEvery, nil); err != nil {
			return err
		}
	}
}

// pass does what is due. What fails keeps nothing else from being done.
func (h *housekeeping) pass(ctx context.Context) error {
	errs := []error{h.letIn(ctx)}
	for _, r := range h.desks {
		if r.observes() {
			continue // nothing is sent or changed
		}
		errs = append(errs, h.digests(ctx, r), h.reminders(ctx, r), h.close(ctx, r))
	}
	errs = append(errs, h.nightly(ctx), h.downtimes(ctx), h.tellFuse(ctx), h.tellQuarantine(ctx), h.weekly(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs...)
}

// letIn takes held mail once after the start: the configuration may let in now
// whom it did not when the last run ended.
func (h *housekeeping) letIn(ctx context.Context) error {
	if h.released {
		return nil
	}
	n, err := h.release(ctx, nil)
	if store.Unavailable(err) || ctx.Err() != nil {
		return fmt.Errorf("taking held mail: %w", err)
	} else if err != nil {
		h.log.Error("some held mail cannot be taken", "error", err) // nor at the next look
	}
	h.released = true
	if n > 0 {
		h.log.Info("held mail was taken, because its senders are known now", "number", n)
	}
	return nil
}

// digests sends the notices of a desk together, of which the oldest waits long
// enough. Mail that is held because too much of it came has no notice, and is
// looked for as often.
func (h *housekeeping) digests(ctx context.Context, r *runningDesk) error {
	lines, err := h.store.DigestLines(ctx, r.settings.ID)
	if err != nil {
		return fmt.Errorf("reading notices for a digest: %w", err)
	}
	now, since := h.now(), h.digested[r.settings.ID]
	if len(lines) > 0 {
		since = lines[0].CreatedAt
	}
	if waits := now.Sub(since); waits >= 0 && waits < digestEvery { // below 0 the clock was wrong
		return nil
	}
	h.digested[r.settings.ID] = now
	queued, err := h.taker.Digests(ctx, r.settings)
	if queued {
		h.queued()
	}
	if err != nil {
		return fmt.Errorf("making digests of %s: %w", r.settings.Key, err)
	}
	return nil
}

// reminders tell agents of customers who wait for longer than `remind` of
// office time. They go while the office works, when somebody can act.
func (h *housekeeping) reminders(ctx context.Context, r *runningDesk) error {
	after, now := time.Duration(r.conf.Remind), h.now()
	if after <= 0 {
		return nil
	}
	hours := r.conf.OfficeHours()
	if !hours.Inside(now) {
		return nil
	}
	waiting, err := h.store.RequestsToRemind(ctx, r.settings.ID, now.Add(time.Millisecond-after))
	if err != nil {
		return fmt.Errorf("reading unanswered requests: %w", err)
	}
	for _, request := range waiting {
		if hours.Between(request.AwaitingSince, now) < after {
			break // the others wait for less
		}
		if err := h.taker.Remind(ctx, r.settings, request); err != nil {
			return fmt.Errorf("reminding of %s: %w", request.Key, err)
		}
		h.queued()
	}
	return nil
}

// close resolves what waits for its customer for too long, and closes what is
// resolved for long enough.
func (h *housekeeping) close(ctx context.Context, r *runningDesk) error {
	n, err := h.taker.Close(ctx, r.settings)
	if n > 0 {
		h.queued()
	}
	if err != nil {
		return fmt.Errorf("closing requests of %s: %w", r.settings.Key, err)
	}
	return nil
}

// read takes over what the last run did.
func (h *housekeeping) read(ctx context.Context) error {
	text, ok, err := h.store.Meta(ctx, houseKey)
	if err != nil {
		return fmt.Errorf("reading what was done last: %w", err)
	}
	h.record, h.kept = houseRecord{}, text
	if ok {
		if err := json.Unmarshal([]byte(text), &h.record); err != nil {
			return fmt.Errorf("reading what was done last: %w", err)
		}
	}
	return nil
}

// keep writes a new record where it differs, and what belongs to it, at once.
func (h *housekeeping) keep(ctx context.Context, record houseRecord, with func(tx *store.Tx) error) error {
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("keeping what was done: %w", err)
	}
	if string(text) == h.kept && with == nil {
		return nil
	}
	if err := h.store.Write(ctx, func(tx *store.Tx) error {
		if with != nil {
			if err := with(tx); err != nil {
				return err
			}
		}
		return tx.SetMeta(houseKey, string(text))
	}); err != nil {
		return fmt.Errorf("keeping what was done: %w", err)
	}
	h.record, h.kept = record, string(text)
	return nil
}
