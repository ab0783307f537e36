package daemon

import (
	"context"
	"errors"
	"strconv"
	"time"

	"helpdesk/store"
	"helpdesk/ui"
)

// canary sends a mail from a desk to itself every so often and waits for it in
// the desk's mailbox: a relay can accept all mail and deliver none, and a
// mailbox can be read with success while nothing arrives in it any more. What
// it finds is a line of the health table, with the alarm that these have.
type canary struct {
	desk     *runningDesk
	every    time.Duration
	trials   *Trials
	health   *health
	accounts map[string]*account // by subject
	now      func() time.Time
	wait     func(context.Context, time.Duration, <-chan struct{}) error
	subject  string // of the health table
}

// Pauses of a canary beside its own rhythm.
const (
	canaryFirst = time.Minute     // after the start, and after a test that was under way
	canaryAgain = 5 * time.Minute // after a failure: one mail may be late by accident
)

func (d *daemon) newCanary(r *runningDesk, trials *Trials) *canary {
	return &canary{
		desk: r, every: time.Duration(r.conf.Mailbox.Canary), trials: trials, health: d.health, accounts: d.accounts, now: d.Now, wait: wait, subject: r.canary(),
	}
}

// canary is the health subject of a desk's scheduled round trip, "" where there is none.
func (d *runningDesk) canary() string {
	if d.conf.Mailbox.Canary <= 0 || d.collector == nil || !d.conf.Relay.Enabled || d.observes() {
		return ""
	}
	return "canary:" + strconv.FormatInt(d.settings.ID, 10)
}

// run goes around until ctx ends.
func (c *canary) run(ctx context.Context) error {
	pause := canaryFirst
	if !broken(c.health.part(c.subject).State) {
		c.health.change(ctx, store.Health{Subject: c.subject, State: stateWaiting, NextPoll: c.now().Add(pause)})
	}
	for {
		if err := c.wait(ctx, pause, nil); err != nil {
			return err
		}
		var err error
		if pause, err = c.once(ctx); err != nil {
			return err
		}
	}
}

// once makes a round trip and says when the next is due. While mailbox or
// relay are known not to work there is none: they have alarms of their own,
// and an account is not tried beside its pauses.
func (c *canary) once(ctx context.Context) (time.Duration, error) {
	for _, part := range []string{c.desk.mailbox(), c.desk.relay} {
		if a := c.accounts[part]; c.health.part(part).State != stateOK || a != nil && a.resting() {
			return canaryAgain, nil
		}
	}
	err := c.trials.roundTripQuietly(ctx, c.desk.conf)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, ui.ErrTestBusy):
		return canaryFirst, nil
	case err != nil:
		pause := min(c.every, canaryAgain)
		c.health.fail(ctx, c.subject, err, c.now().Add(pause))
		return pause, nil
	}
	c.health.ok(ctx, c.subject, c.now().Add(c.every))
	return c.every, nil
}
