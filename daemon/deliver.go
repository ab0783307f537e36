package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/diagnose"
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
	fuse     *fuse
	now      func() time.Time
	log      *slog.Logger
	kick     chan struct{}
	subject  string // of the health table
	attempts backoff
	session  *send.Session
	unsaved  *store.OutboxLine // what became of a mail and could not be recorded
	broke    map[int64]int     // line at which the connection broke: value of sent then
	inRow    int               // connections that broke since the last real answer
	sent     int               // mails that the relay accepted
}

// linger is how long a connection without work is kept.
const linger = 20 * time.Second

// run sends what is due until ctx ends.
func (d *deliverer) run(ctx context.Context) error {
	d.health.set(ctx, d.subject, stateWaiting)
	defer func() {
		if d.session != nil {
			d.session.Abort()
			d.session = nil
		}
	}()
	stop := context.AfterFunc(ctx, func() { signal(d.kick) })
	defer stop()
	for reached := false; ; {
		if err := d.saveAgain(ctx); err != nil {
			return err
		}
		lines, err := d.store.DueOutbox(ctx, d.ids, d.now(), 50)
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		if len(lines) == 0 && reached {
			if err := d.rest(ctx); err != nil {
				return err
			}
			continue
		}
		// The first time the relay is tried without mail too: a wrong
		// password is seen when it was written, not when a customer waits.
		err = d.batch(ctx, lines)
		if reached = reached || err == nil; err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.hangUp()
		if errors.Is(err, errAgain) {
			continue
		}
		pause := d.attempts.next(err)
		d.health.fail(ctx, d.subject, err, d.now().Add(pause))
		if err := wait(ctx, pause, nil); err != nil {
			return err
		}
	}
}

// rest waits for the next due line or a kick; a connection that stays idle is
// closed, as servers do it to us.
func (d *deliverer) rest(ctx context.Context) error {
	pause := time.Hour
	next, err := d.store.NextDue(ctx, d.ids)
	if err != nil {
		return fmt.Errorf("reading the outbox: %w", err)
	}
	if !next.IsZero() {
		pause = max(next.Sub(d.now()), time.Millisecond)
	}
	if d.session != nil && pause > linger {
		began := time.Now()
		if err := wait(ctx, linger, d.kick); err != nil || time.Since(began) < linger {
			return err // kicked: there may be work
		}
		d.hangUp()
		return nil
	}
	return wait(ctx, pause, d.kick)
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
	if d.session, err = send.Open(ctx, settings); err != nil {
		d.session = nil
		return err
	}
	return nil
}

// one sends one line and records what came of it.
func (d *deliverer) one(ctx context.Context, line store.OutboxLine) error {
	s := d.desks[line.DeskID]
	suspended, err := d.store.SuspendedAt(ctx, line.To.Key())
	if err != nil {
		return fmt.Errorf("looking up suspended addresses: %w", err)
	}
	if suspended {
		line.State, line.Cause = store.OutboxSuspended, "suspended"
		return d.save(ctx, line)
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
	now := d.now()
	if err == nil {
		line.State, line.SentAt, line.Cause, line.Error = store.OutboxSent, now, "", ""
		line.Attempts++
		d.fuse.sent()
		d.sent++
		d.answered(ctx, line.ID)
		d.log.Info("sent", "outbox", line.ID, "event", line.Event, "request", line.Request)
		// The relay has it: this must be on record even when we are told to stop now.
		return d.save(context.WithoutCancel(ctx), line)
	}
	var e *mail.Error
	if !errors.As(err, &e) {
		e = &mail.Error{Protocol: "smtp", Step: mail.StepData, Temporary: true, Err: err}
	}
	if concernsRelay(e) {
		if err := d.broken(ctx, line, e); err != nil {
			return err
		}
	} else {
		d.answered(ctx, line.ID)
	}
	judge(&line, e, now)
	d.log.Warn("not sent", "outbox", line.ID, "event", line.Event, "request", line.Request, "state", line.State, "attempts", line.Attempts, "error", e)
	return d.save(context.WithoutCancel(ctx), line)
}

// answered notes that the relay gave a real answer about a mail: it works.
func (d *deliverer) answered(ctx context.Context, id int64) {
	d.inRow = 0
	delete(d.broke, id)
	d.works(ctx)
}

// broken handles a failure that looks like the relay's. Nothing is counted
// against the mail, and the others go first for a minute; but when the relay
// took another mail since it broke at this one, this one is to blame, and nil
// comes back. A single closed connection is the relay's right while it lay
// idle: one more is tried at once.
func (d *deliverer) broken(ctx context.Context, line store.OutboxLine, e *mail.Error) error {
	if e.Step == mail.StepLogin || e.Code == "530" || e.Code == "535" {
		return e
	}
	if sent, before := d.broke[line.ID]; before && d.sent > sent {
		delete(d.broke, line.ID)
		return nil
	} else if !before {
		if d.broke == nil {
			d.broke = make(map[int64]int)
		}
		d.broke[line.ID] = d.sent
	}
	d.inRow++
	if d.inRow == 1 && e.Code == "" {
		return errAgain
	}
	line.NextAt = d.now().Add(time.Minute)
	if err := d.save(ctx, line); err != nil {
		return err
	}
	return e
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
		if err := wait(ctx, pause, nil); err != nil {
			return err
		}
	}
	return nil
}

// triesAtLeast is how often a mail is tried before it is given up: days without
// a relay, or with this computer switched off, are no tries.
const triesAtLeast = 10

// data reports whether the mail's text was under way: the relay may have it.
func data(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Step == mail.StepData
}

// concernsRelay reports whether a failure is the relay's and not the mail's:
// the connection broke before the text was under way, the service closes
// (421), or it wants another login (530, 535, RFC 4954 section 6).
func concernsRelay(e *mail.Error) bool {
	switch e.Code {
	case "421", "530", "535":
		return true
	case "":
		return e.Step != mail.StepData
	}
	return false
}

// judge counts an attempt: a 5xx ends it, anything else is tried again with
// growing pauses for five days.
func judge(line *store.OutboxLine, e *mail.Error, now time.Time) {
	line.Attempts++
	if line.FirstAt.IsZero() {
		line.FirstAt = now
	}
	words := e.Text
	if words == "" && e.Err != nil {
		words = e.Err.Error()
	}
	line.Error = join(e.Code, e.Enhanced, words)
	line.Cause = diagnose.Explain(e, "").Cause
	switch {
	case !e.Temporary:
		line.State = store.OutboxFailed
	case now.Sub(line.FirstAt) >= giveUpAfter && line.Attempts >= triesAtLeast:
		line.State, line.Cause = store.OutboxFailed, "expired"
	default:
		line.NextAt = now.Add(retryPause(line.Attempts))
	}
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
