package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

// States of a mailbox or relay, as the status shows them.
const (
	stateOK      = "ok"
	stateWaiting = "waiting" // not reached yet, or failing for a moment
	stateFailing = "failing" // tried again by itself
	stateStopped = "stopped" // a person must act
	stateOff     = "off"     // switched off in the configuration

	stateObserving = "observing" // it works, and is only looked at
)

// stepStore is the step of a failure of this computer, beside those of package mail.
const stepStore = "store"

// blip is how long a failure may last before it is called one: a server that is
// restarted is no news.
const blip = 3 * time.Minute

// health is the table of what works and what does not. It is in memory, and in
// the store for whoever looks after the program has ended and for the next run;
// what works is written and logged when its state changes, not at each poll.
type health struct {
	store   *store.Store
	now     func() time.Time
	log     *slog.Logger
	started time.Time
	changed chan struct{} // signalled when a part begins or ceases to fail

	mu    sync.Mutex
	parts map[string]store.Health
	seen  map[string]bool          // in this run the part was tried
	same  map[string]int           // how often the present failure came again
	wrong map[string]*config.Fault // what is wrong in our own files, where that is the failure
}

func newHealth(s *store.Store, now func() time.Time, log *slog.Logger) *health {
	return &health{
		store: s, now: now, log: log, started: now(), changed: make(chan struct{}, 1),
		parts: make(map[string]store.Health), seen: make(map[string]bool), same: make(map[string]int), wrong: make(map[string]*config.Fault),
	}
}

// load takes over what failed when the last run ended: it fails since then.
func (h *health) load(ctx context.Context) error {
	parts, err := h.store.HealthAll(ctx)
	if err != nil {
		return fmt.Errorf("reading the state of the parts: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range parts {
		if broken(p.State) {
			h.parts[p.Subject] = p
		}
	}
	return nil
}

// broken reports whether a state is one of something that does not work.
func broken(state string) bool { return state == stateFailing || state == stateStopped }

// working reports whether a state is one of something that works.
func working(state string) bool { return state == stateOK || state == stateObserving }

// begin is the start of a part: it waits for its first result, unless it failed
// when the last run ended.
func (h *health) begin(ctx context.Context, subject string) {
	if !broken(h.part(subject).State) {
		h.set(ctx, subject, stateWaiting)
	}
}

// set puts a part into a state without error: waiting, off or stopped.
func (h *health) set(ctx context.Context, subject, state string) {
	h.change(ctx, store.Health{Subject: subject, State: state})
}

// ok records a success and when the next attempt is due.
func (h *health) ok(ctx context.Context, subject string, next time.Time) {
	h.change(ctx, store.Health{Subject: subject, State: stateOK, LastPoll: h.now(), NextPoll: next})
}

// observing is ok for a mailbox that is only looked at.
func (h *health) observing(ctx context.Context, subject string, next time.Time) {
	h.change(ctx, store.Health{Subject: subject, State: stateObserving, LastPoll: h.now(), NextPoll: next})
}

// fail records a failure and when it is tried again.
func (h *health) fail(ctx context.Context, subject string, err error, next time.Time) {
	h.record(ctx, subject, stateFailing, err, next)
}

// stop records a failure after which nothing is tried before a person acts.
func (h *health) stop(ctx context.Context, subject string, err error) {
	h.record(ctx, subject, stateStopped, err, time.Time{})
}

func (h *health) record(ctx context.Context, subject, state string, err error, next time.Time) {
	var e *mail.Error
	if !errors.As(err, &e) {
		e = &mail.Error{Step: stepStore, Temporary: true, Err: err} // ours: a full disk, a file that cannot be read
	}
	var fault *config.Fault
	errors.As(err, &fault)
	h.mu.Lock()
	h.wrong[subject] = fault
	h.mu.Unlock()
	r := diagnose.Record(e)
	h.change(ctx, store.Health{
		Subject: subject, State: state, LastPoll: h.now(), NextPoll: next,
		Step: r.Step, Auth: r.Auth, Protocol: r.Protocol, Server: r.Server, Code: r.Code, Enhanced: r.Enhanced, Text: r.Text, Temporary: r.Temporary, Err: r.Err,
	})
}

func (h *health) change(ctx context.Context, n store.Health) {
	h.mu.Lock()
	old, known := h.parts[n.Subject]
	first := !h.seen[n.Subject] && broken(old.State) // it failed when the last run ended: that was logged then, not now
	same := known && !first && sameFailure(old, n)
	n.Since = h.now()
	if known && (old.State == n.State || broken(old.State) && broken(n.State)) {
		n.Since = old.Since
	}
	if n.LastPoll.IsZero() {
		n.LastPoll = old.LastPoll
	}
	h.parts[n.Subject] = n
	h.seen[n.Subject] = true
	again := h.same[n.Subject]
	if same {
		h.same[n.Subject]++
	} else {
		h.same[n.Subject] = 0
	}
	h.mu.Unlock()
	if !same {
		h.tell(old, n, known, again)
	}
	if broken(old.State) != broken(n.State) {
		signal(h.changed)
	}
	if same && !broken(n.State) {
		return
	}
	if err := h.store.Write(ctx, func(tx *store.Tx) error { return tx.PutHealth(n) }); err != nil && ctx.Err() == nil {
		h.log.Error("writing the state of a part", "part", n.Subject, "error", err)
	}
}

// sameFailure reports whether two states of a part are one to a reader of the
// log. Servers put a new number into each answer, so their words count only
// where nobody knows what they mean.
func sameFailure(a, b store.Health) bool {
	if a.State != b.State || a.Step != b.Step || a.Code != b.Code || a.Enhanced != b.Enhanced {
		return false
	}
	if a.Text == b.Text && a.Err == b.Err {
		return true
	}
	cause := diagnosis(a, "").Cause
	return cause != diagnose.Unknown && cause == diagnosis(b, "").Cause
}

// diagnosis explains a state of the table.
func diagnosis(h store.Health, provider string) diagnose.Diagnosis {
	return diagnose.ExplainStored(diagnose.Stored{
		Protocol: h.Protocol, Server: h.Server, Step: h.Step, Auth: h.Auth, Code: h.Code, Enhanced: h.Enhanced,
		Text: h.Text, Temporary: h.Temporary, Err: h.Err,
	}, provider)
}

// tell logs that a part is in another state than before. What came again and
// again was logged once; how often it was is told when it ends.
func (h *health) tell(old, n store.Health, known bool, again int) {
	if again > 0 && broken(old.State) {
		h.log.Warn("it failed the same way again", "part", old.Subject, "step", old.Step, "times", again, "since", old.Since)
	}
	switch {
	case n.State == stateStopped && n.Step != "":
		h.log.Warn("stopped: it is not tried again before a person acts", "part", n.Subject, "server", n.Server, "step", n.Step, "code", n.Code, "text", n.Text, "error", n.Err)
	case broken(n.State):
		h.log.Warn("failing", "part", n.Subject, "server", n.Server, "step", n.Step, "code", n.Code, "text", n.Text, "error", n.Err, "again", n.NextPoll)
	case known:
		h.log.Info("state", "part", n.Subject, "state", n.State)
	}
}

// fault is what is wrong in our own configuration where that is why a part
// fails, else nil: no server is to blame then.
func (h *health) fault(subject string) *config.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !broken(h.parts[subject].State) {
		return nil
	}
	return h.wrong[subject]
}

// part is the present state of one part.
func (h *health) part(subject string) store.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.parts[subject]
}

// shown is the state of a part as people are told: what fails for less than
// blip is still waited for, unless a person must act.
func (h *health) shown(subject, provider string) store.Health {
	p := h.part(subject)
	if p.State == stateFailing && !h.lasting(p, provider) {
		p.State = stateWaiting
	}
	return p
}

// lasting reports whether a part does not work for long enough, or for such a
// reason, that people are told. What failed when the last run ended has its
// blip again: networks come and go while a computer shuts down and starts.
func (h *health) lasting(p store.Health, provider string) bool {
	switch p.State {
	case stateStopped:
		return true
	case stateFailing:
	default:
		return false
	}
	h.mu.Lock()
	tried, fault := h.seen[p.Subject], h.wrong[p.Subject]
	h.mu.Unlock()
	if !tried && !p.NextPoll.After(h.now()) {
		return false // it is about to be tried
	}
	since := p.Since
	if since.Before(h.started) {
		since = h.started
	}
	return fault != nil || h.now().Sub(since) >= blip || diagnosis(p, provider).Retry == diagnose.RetryNever
}
