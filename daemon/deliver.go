package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/send"
	"helpdesk/store"
)

// deliverer empties the outbox of the desks that share a relay, one mail after
// the other over one connection.
type deliverer struct {
	desks    map[int64]*desk.Settings
	ids      []int64
	settings func() (send.Settings, error) // read at each connection
	store    *store.Store
	renderer *desk.Renderer
	health   *health
	account  *account
	certs    *certificates
	fuse     *fuse
	now      func() time.Time
	wait     func(context.Context, time.Duration, <-chan struct{}) error
	log      *slog.Logger
	kick     chan struct{}
	subject  string // of the health table
	attempts backoff
	session  *send.Session
	unsaved  *store.OutboxLine  // what became of a mail and could not be recorded
	broke    map[int64]accepted // line that the relay would not take, not for its own sake: what it had accepted then
	held     map[int64]*hold    // by desk: the relay refuses its sender
	inRow    int                // connections that broke since the last real answer
	deferred int                // mails in a row of which the relay said that it cannot take them just now
	accepted map[int64]int      // mails that the relay accepted, by desk; 0: in all
}

// linger is how long a connection without work is kept.
const linger = 20 * time.Second

// run sends what is due until ctx ends.
func (d *deliverer) run(ctx context.Context) error {
	d.health.begin(ctx, d.subject)
	defer func() {
		if d.session != nil {
			d.session.Abort()
			d.session = nil
		}
	}()
	stop := context.AfterFunc(ctx, func() { signal(d.kick) })
	defer stop()
	var at time.Time // not tried before
	for reached := false; ; {
		if err := d.account.admit(ctx, at); err != nil {
			return err
		}
		d.attempts.worked = d.attempts.worked || d.account.worked()
		if err := d.saveAgain(ctx); err != nil {
			return err
		}
		lines, err := d.store.DueOutbox(ctx, d.free(), d.now(), 50)
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		if len(lines) == 0 && reached {
			if err := d.rest(ctx); err != nil {
				return err
			}
			continue
		}
		// The first time, and after it was not reached, the relay is tried without
		// mail too: a wrong password is seen when it was written, not when a
		// customer waits, and so is that it works again.
		err = d.batch(ctx, lines)
		if err == nil {
			reached = true
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.hangUp()
		if errors.Is(err, errAgain) {
			continue
		}
		reached = reached && overMail(err)
		at = d.failed(ctx, err)
	}
}

// failed records that the relay does not work and returns when it is tried again.
func (d *deliverer) failed(ctx context.Context, err error) time.Time {
	pause, stop := d.account.failed(ctx, err, &d.attempts)
	if stop != nil {
		d.health.stop(ctx, d.subject, stop)
		return time.Time{} // the account says when
	}
	at := d.now().Add(pause)
	d.health.fail(ctx, d.subject, err, at)
	return at
}

// overMail reports whether a failure came while a mail was handed over: the
// next mail is the one to see whether it has passed.
func overMail(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && (e.Step == mail.StepMailFrom || e.Step == mail.StepRcptTo || e.Step == mail.StepData)
}

// rest waits for the next due line or a kick; a connection that stays idle is
// closed, as servers do it to us.
func (d *deliverer) rest(ctx context.Context) error {
	pause := time.Hour
	next, err := d.store.NextDue(ctx, d.free())
	if err != nil {
		return fmt.Errorf("reading the outbox: %w", err)
	}
	if freed := d.nextFree(); next.IsZero() || !freed.IsZero() && freed.Before(next) {
		next = freed
	}
	if !next.IsZero() {
		pause = max(next.Sub(d.now()), time.Millisecond)
	}
	if d.session != nil && pause > linger {
		began := d.now()
		if err := d.wait(ctx, linger, d.kick); err != nil || d.now().Sub(began) < linger {
			return err // kicked: there may be work
		}
		d.hangUp()
		return nil
	}
	return d.wait(ctx, pause, d.kick)
}

// stopGrace is how long a mail under way may take to end when we are told to
// stop: one that is cut off may arrive twice.
const stopGrace = 3 * time.Second

// grace is a context that ends d after ctx does.
func grace(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return longer, func() { stop(); cancel() }
}

func (d *deliverer) hangUp() {
	if d.session != nil {
		d.session.Close()
		d.session = nil
	}
}

// errAgain says that the connection was lost and a fresh one is worth a try at once.
var errAgain = errors.New("the relay closed the connection")

// batch sends lines, or just tries the relay where there are none. It returns an error only where the relay or the store
// failed; then nothing is counted against the mail (all of it waits).
func (d *deliverer) batch(ctx context.Context, lines []store.OutboxLine) error {
	if len(lines) == 0 {
		if err := d.connect(ctx); err != nil {
			return err
		}
		d.works(ctx)
	}
	for _, line := range lines {
		if d.holds(line.DeskID) {
			continue
		}
		if err := d.fuse.wait(ctx); err != nil {
			return err
		}
		if err := d.connect(ctx); err != nil {
			return err
		}
		if err := d.one(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

func (d *deliverer) works(ctx context.Context) {
	d.attempts.reset()
	d.health.ok(ctx, d.subject, time.Time{})
}

// connect sees to it that there is a session that works.
func (d *deliverer) connect(ctx context.Context) error {
	if d.session != nil && d.session.Alive(ctx) {
		return nil
	}
	d.hangUp()
	settings, err := d.settings()
	if err != nil {
		return err
	}
	settings.Trace = d.account.trace(ctx, d.certs.noteFor(d.subject))
	if d.session, err = send.Open(ctx, settings); err != nil {
		d.session = nil
		return err
	}
	d.account.signedIn(ctx)
	return nil
}

// one sends one line and records what came of it.
func (d *deliverer) one(ctx context.Context, line store.OutboxLine) error {
	s := d.desks[line.DeskID]
	if !desk.ToAdmin(line.Event) { // a bounce must not keep the next alarm away
		suspended, err := d.store.SuspendedAt(ctx, line.To.Key())
		if err != nil {
			return fmt.Errorf("looking up suspended addresses: %w", err)
		}
		if suspended {
			line.State, line.Cause = store.OutboxSuspended, "suspended"
			return d.save(ctx, line)
		}
	}
	o, err := d.renderer.Render(ctx, s, line, d.session.MaxSize())
	if err != nil {
		if store.Unavailable(err) || ctx.Err() != nil {
			return err
		}
		line.State, line.Cause, line.Error = store.OutboxFailed, "cannot-write", err.Error()
		d.log.Error("a mail cannot be written", "outbox", line.ID, "event", line.Event, "error", err)
		return d.save(ctx, line)
	}
	sending, cancel := grace(ctx, stopGrace)
	err = d.session.Send(sending, o)
	cancel()
	if err != nil && ctx.Err() != nil && !data(err) {
		return ctx.Err() // we stop; the relay did not accept it
	}
	if err != nil {
		return d.refused(ctx, line, err)
	}
	line.State, line.SentAt, line.Cause, line.Error = store.OutboxSent, d.now(), "", ""
	line.Attempts++
	d.fuse.sent()
	d.taken(ctx, line)
	d.log.Info("sent", "outbox", line.ID, "event", line.Event, "request", line.Request)
	// The relay has it: this must be on record even when we are told to stop now.
	return d.save(context.WithoutCancel(ctx), line)
}

// saveAgain records what could not be recorded before. Until it can, nothing
// is sent: the same mail would be sent again and again.
func (d *deliverer) saveAgain(ctx context.Context) error {
	for d.unsaved != nil {
		err := d.save(ctx, *d.unsaved)
		if err == nil {
			d.unsaved = nil
			break
		}
		pause := d.attempts.next(err)
		d.health.fail(ctx, d.subject, err, d.now().Add(pause))
		if err := d.account.wait(ctx, pause, nil); err != nil {
			return err
		}
	}
	return nil
}

func join(parts ...string) string {
	s := ""
	for _, p := range parts {
		if p != "" && s != "" {
			s += " "
		}
		s += p
	}
	return s
}

func (d *deliverer) save(ctx context.Context, line store.OutboxLine) error {
	if err := d.store.Write(ctx, func(tx *store.Tx) error { return tx.SaveOutbox(line) }); err != nil {
		d.unsaved = &line
		return fmt.Errorf("recording what became of a mail: %w", err)
	}
	return nil
}
