package daemon

import (
	"context"
	"errors"
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
	stateWaiting = "waiting" // not reached yet
	stateFailing = "failing" // tried again by itself
	stateStopped = "stopped" // a person must act
	stateOff     = "off"     // switched off in the configuration
)

// stepStore is the step of a failure of this computer, beside those of package mail.
const stepStore = "store"

// health is the table of what works and what does not. It is in memory, and in
// the store for whoever looks after the program has ended; it is written and
// logged when a state changes, not at each poll.
type health struct {
	store *store.Store
	now   func() time.Time
	log   *slog.Logger

	mu    sync.Mutex
	parts map[string]store.Health
	same  map[string]int           // how often the present failure was seen
	wrong map[string]*config.Fault // what is wrong in our own files, where that is the failure
}

func newHealth(s *store.Store, now func() time.Time, log *slog.Logger) *health {
	return &health{store: s, now: now, log: log, parts: make(map[string]store.Health), same: make(map[string]int), wrong: make(map[string]*config.Fault)}
}

// set puts a part into a state without error: waiting, off or stopped.
func (h *health) set(ctx context.Context, subject, state string) {
	h.change(ctx, store.Health{Subject: subject, State: state})
}

// ok records a success and when the next attempt is due.
func (h *health) ok(ctx context.Context, subject string, next time.Time) {
	h.change(ctx, store.Health{Subject: subject, State: stateOK, LastPoll: h.now(), NextPoll: next})
}

// fail records a failure and when it is tried again.
func (h *health) fail(ctx context.Context, subject string, err error, next time.Time) {
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
		Subject: subject, State: stateFailing, LastPoll: h.now(), NextPoll: next,
		Step: r.Step, Protocol: r.Protocol, Server: r.Server, Code: r.Code, Enhanced: r.Enhanced, Text: r.Text, Temporary: r.Temporary, Err: r.Err,
	})
}

func (h *health) change(ctx context.Context, n store.Health) {
	h.mu.Lock()
	old, known := h.parts[n.Subject]
	same := known && old.State == n.State && old.Step == n.Step && old.Code == n.Code && old.Text == n.Text && old.Err == n.Err
	n.Since = h.now()
	if known && old.State == n.State {
		n.Since = old.Since
	}
	if n.LastPoll.IsZero() {
		n.LastPoll = old.LastPoll
	}
	h.parts[n.Subject] = n
	if same {
		h.same[n.Subject]++
	} else {
		h.same[n.Subject] = 0
	}
	h.mu.Unlock()
	if same {
		return
	}
	if n.State == stateFailing {
		h.log.Warn("failing", "part", n.Subject, "server", n.Server, "step", n.Step, "code", n.Code, "text", n.Text, "error", n.Err, "again", n.NextPoll)
	} else if known {
		h.log.Info("state", "part", n.Subject, "state", n.State)
	}
	if err := h.store.Write(ctx, func(tx *store.Tx) error { return tx.PutHealth(n) }); err != nil && ctx.Err() == nil {
		h.log.Error("writing the state of a part", "part", n.Subject, "error", err)
	}
}

// fault is what is wrong in our own configuration where that is why a part
// fails, else nil: no server is to blame then.
func (h *health) fault(subject string) *config.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.parts[subject].State != stateFailing {
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
