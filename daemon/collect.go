package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// collector brings the mail of one mailbox into the store: one login, many
// polls. It asks the server what lies there, takes what has no position yet,
// and tells the server only what is committed.
type collector struct {
	desk     *desk.Settings
	settings func() (fetch.Settings, error) // read at each log-in
	fetch    fetch.Settings                 // of the present session
	poll     time.Duration
	process  bool // backlog = "process": the first start takes the old mail too
	imports  bool // backlog = "import": it takes the old mail, and tells nobody
	store    *store.Store
	taker    *desk.Taker
	health   *health
	now      func() time.Time
	log      *slog.Logger
	taken    func(queued bool) // called after each commit
	kick     chan struct{}     // ends the wait for news
	observer *observer         // nil: the desk is live
	shadow   string            // file of the store for what is observed
	face     *face             // by which two desks with one mailbox show; nil: there is no other desk
	account  *account
	certs    *certificates
	subject  string // of the health table
	attempts backoff
	sparing  time.Time     // until then the connection is not held, see sparingFor
	logins   time.Duration // POP3: the least time between two log-ins that the provider allows; 0: not known
	login    time.Time     // of the last log-in
	idleLost int           // connections lost at IDLE
	came     int           // mails committed since the start
	news     int           // mails that the last listing showed for the first time
	again    int           // looks in a row that followed soon; see rest
	partial  bool          // the server lists a part of its mails at a time
	breaks   map[uint32]breakage
	refused  refusals
	swept    time.Time                 // when the whole mailbox was last looked through
	aside    map[uint32]store.Position // mails set aside that are tried again in this round
	old      []uint32                  // mails of before the first start, still to be recorded; nil: not listed yet
	careful  bool                      // one mail a command: the last fetch broke, nobody knows at which mail

	wishes     []wish            // mails that people want and that are still to be fetched; nil: not asked for
	wanted     map[uint32]wish   // those that are being fetched
	unsettled  bool              // what was observed is still to be listed, see settle
	reconciled time.Time         // when the mailbox was last compared with the ledger; zero: not read yet, or never
	uniqueIDs  map[uint32]string // of a POP3 maildrop, by number
	box        atomic.Int64      // the mailbox in the store; 0: not reached yet. The page reads it
}

// lastsFor is how long a session must last before the next one may follow at
// once: a server that throws us out after each log-in is left in peace.
const lastsFor = time.Minute

// idleLosses is how often a connection may be lost while it waits for news by
// IDLE; some firewalls cut it. From then on the mailbox is just polled.
const idleLosses = 3

// run keeps a session open until ctx ends. A session that fails is followed by
// another after a pause, when the account may be tried.
func (c *collector) run(ctx context.Context) error {
	c.health.begin(ctx, c.subject)
	defer c.observer.close(c.log)
	if err := c.tidyObserved(ctx); err != nil {
		return err
	}
	var at time.Time // not tried before
	for {
		if c.account.resting() {
			c.face.tried()
		}
		if err := c.account.admit(ctx, at); err != nil {
			return err
		}
		c.attempts.worked = c.attempts.worked || c.account.worked()
		err := c.session(ctx)
		c.face.tried()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fault := sameMailboxFault(err); fault != nil {
			c.health.stop(ctx, c.subject, fault)
			if err := c.account.wait(ctx, sameMailboxPause, c.account.kick); err != nil {
				return err
			}
			at = time.Time{}
			continue
		}
		if errors.Is(err, errSparing) {
			at = c.now().Add(max(c.poll, sparingPoll))
			continue
		}
		at = c.failed(ctx, err)
	}
}

// failed records that the mailbox does not work and returns when it is tried again.
func (c *collector) failed(ctx context.Context, err error) time.Time {
	if _, d, ok := explained(err, c.account.provider); ok && d.Cause == causeConnections {
		c.sparing = c.now().Add(sparingFor)
	}
	pause, stop := c.account.failed(ctx, err, &c.attempts)
	if stop != nil {
		c.health.stop(ctx, c.subject, stop)
		return time.Time{} // the account says when
	}
	at := c.apart(c.now().Add(pause))
	c.health.fail(ctx, c.subject, err, at)
	return at
}

// After a server said that there are too many connections, ours is closed
// between the looks for mail for so long, and the looks are so far apart.
const (
	sparingFor  = time.Hour
	sparingPoll = 5 * time.Minute
)

// errSparing ends a session in good order, see sparingFor.
var errSparing = errors.New("the connection is closed until the next look for mail")

// session is one connection, from log-in to its failure.
func (c *collector) session(ctx context.Context) (err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer func() {
		if fault := sameMailboxFault(context.Cause(ctx)); fault != nil {
			err = fault // another desk found out while we were busy
		}
		end(nil)
	}()
	if c.fetch, err = c.settings(); err != nil {
		return err
	}
	c.fetch.ReadOnly = c.observer != nil
	c.fetch.NoIdle = c.fetch.NoIdle || c.idleLost >= idleLosses
	c.fetch.Numbers = c.number
	c.fetch.Trace = c.account.trace(ctx, c.noting(c.certs.noteFor(c.subject)))
	defer func() {
		var e *mail.Error
		if errors.As(err, &e) && e.Step == mail.StepIdle && ctx.Err() == nil {
			c.idleLost++
		}
	}()
	s, err := fetch.Open(ctx, c.fetch)
	if err != nil {
		return err
	}
	defer s.Close()
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	c.old, c.wishes = nil, nil
	c.account.signedIn(ctx)
	opened := c.now()
	if err := c.introduce(ctx, s, end); err != nil {
		return err
	}
	box, err := c.begin(ctx, s)
	if err != nil {
		return err
	}
	for {
		if err := c.look(ctx, s, &box); err != nil {
			return err
		}
		if c.now().Sub(opened) >= lastsFor {
			c.attempts.reset()
		}
		c.works(ctx)
		if !box.SkipDone || c.unsettled || len(c.wishes) > 0 {
			continue // old mail is recorded or taken in batches between looks for new mail
		}
		if c.now().Before(c.sparing) {
			c.attempts.reset()
			return errSparing
		}
		if err := c.pause(ctx, s); err != nil {
			return err
		}
		if s.State().UIDValidity != box.UIDValidity { // by POP3 this was another session
			if box, err = c.begin(ctx, s); err != nil {
				return err
			}
		}
	}
}

// works notes that the mailbox was just looked into with success.
func (c *collector) works(ctx context.Context) {
	next := c.now().Add(c.poll)
	if c.observer != nil {
		c.health.observing(ctx, c.subject, next)
		return
	}
	c.health.ok(ctx, c.subject, next)
}

// pause waits for news, for the next look, or until somebody wants a look now.
// Where the provider counts the log-ins of POP3, people wait for the next one.
func (c *collector) pause(ctx context.Context, s fetch.Session) error {
	waiting, stop := context.WithCancel(ctx)
	kick := c.kick
	if c.maildrop() && c.logins > 0 {
		kick = nil
	}
	kicked, over := false, make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-kick:
			kicked = true
			stop()
		case <-waiting.Done():
		}
	}()
	err := s.Wait(waiting, c.rest(s))
	stop()
	<-over
	if kicked && ctx.Err() == nil && !s.Broken() && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// sweepEvery is how often the whole mailbox is compared with the positions, and
// not only what lies above the last one: a listing may leave a mail out.
const sweepEvery = time.Hour

// round takes what is new, then some of what people want, and records some of
// the old mail while that is not done. Mail that the server listed and did not
// send is asked for again.
func (c *collector) round(ctx context.Context, s fetch.Session, box *store.Mailbox) error {
	began := c.now()
	if err := c.reconcile(ctx, s, box); err != nil {
		return err
	}
	from := max(box.NextUID, 1)
	sweep := began.Sub(c.swept) >= sweepEvery
	if sweep {
		from = max(box.SkipBelow, 1)
	}
	listed, err := s.List(ctx, from)
	if err != nil {
		return err
	}
	fresh, err := c.unknown(ctx, *box, listed, from)
	if err != nil {
		return err
	}
	c.news = len(fresh)
	retries, err := c.store.DueRetries(ctx, box.ID, box.UIDValidity, c.now())
	if err != nil {
		return fmt.Errorf("reading mails set aside: %w", err)
	}
	again, err := c.listedAgain(ctx, s, retries)
	if err != nil {
		return err
	}
	missing, err := c.take(ctx, s, *box, append(again, fresh...))
	if err != nil {
		return err
	}
	next := box.NextUID
	if len(listed) > 0 {
		next = max(next, listed[len(listed)-1].UID+1)
	}
	for _, uid := range missing {
		next = min(next, uid)
	}
	if sweep {
		c.swept = began
	}
	if next != box.NextUID {
		box.NextUID = next
		if err := c.saveMailbox(ctx, *box); err != nil {
			return err
		}
	}
	if !box.SkipDone {
		if err := c.skipSome(ctx, s, box); err != nil || !box.SkipDone {
			return err
		}
	}
	if err := c.settle(ctx, *box); err != nil {
		return err
	}
	return c.takeWanted(ctx, s, *box)
}
