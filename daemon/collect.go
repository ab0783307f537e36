package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	store    *store.Store
	taker    *desk.Taker
	health   *health
	now      func() time.Time
	log      *slog.Logger
	taken    func(queued bool) // called after each commit
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
	var at time.Time // not tried before
	for {
		if err := c.account.admit(ctx, at); err != nil {
			return err
		}
		c.attempts.worked = c.attempts.worked || c.account.worked()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
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
	if c.fetch, err = c.settings(); err != nil {
		return err
	}
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
	c.old = nil
	c.account.signedIn(ctx)
	opened := c.now()
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
		c.health.ok(ctx, c.subject, c.now().Add(c.poll))
		if !box.SkipDone {
			continue // old mail is recorded in batches between looks for new mail
		}
		if c.now().Before(c.sparing) {
			c.attempts.reset()
			return errSparing
		}
		if err := s.Wait(ctx, c.rest(s)); err != nil {
			return err
		}
		if s.State().UIDValidity != box.UIDValidity { // by POP3 this was another session
			if box, err = c.begin(ctx, s); err != nil {
				return err
			}
		}
	}
}

// sweepEvery is how often the whole mailbox is compared with the positions, and
// not only what lies above the last one: a listing may leave a mail out.
const sweepEvery = time.Hour

// round takes what is new, and records some of the old mail while that is not
// done. Mail that the server listed and did not send is asked for again.
func (c *collector) round(ctx context.Context, s fetch.Session, box *store.Mailbox) error {
	began := c.now()
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
	if !box.SkipDone {
		if err := c.skipSome(ctx, s, box); err != nil {
			return err
		}
	}
	if next != box.NextUID {
		box.NextUID = next
		return c.saveMailbox(ctx, *box)
	}
	return nil
}

func (c *collector) saveMailbox(ctx context.Context, box store.Mailbox) error {
	if err := c.store.Write(ctx, func(tx *store.Tx) error { return tx.SaveMailbox(box) }); err != nil {
		return fmt.Errorf("keeping the mailbox's state: %w", err)
	}
	return nil
}

// unknown are the listed mails without a position, and not older than the
// first start.
func (c *collector) unknown(ctx context.Context, box store.Mailbox, listed []fetch.Listed, from uint32) ([]fetch.Listed, error) {
	if len(listed) == 0 {
		return nil, nil
	}
	known, err := c.store.KnownUIDs(ctx, box.ID, box.UIDValidity, from)
	if err != nil {
		return nil, fmt.Errorf("reading positions: %w", err)
	}
	var fresh []fetch.Listed
	for _, l := range listed {
		for len(known) > 0 && known[0] < l.UID {
			known = known[1:]
		}
		if (len(known) == 0 || known[0] != l.UID) && l.UID >= box.SkipBelow {
			fresh = append(fresh, l)
		}
	}
	return fresh, nil
}

// listedAgain finds which mails set aside are still in the mailbox.
func (c *collector) listedAgain(ctx context.Context, s fetch.Session, retries []store.Position) ([]fetch.Listed, error) {
	var again []fetch.Listed
	c.aside = make(map[uint32]store.Position, len(retries))
	for _, p := range retries {
		c.aside[p.UID] = p
		listed, err := s.List(ctx, p.UID)
		if err != nil {
			return nil, err
		}
		if len(listed) > 0 && listed[0].UID == p.UID {
			again = append(again, listed[0])
		} else if s.State().Partial {
			continue // it may be listed another time
		} else if err := c.store.Write(ctx, func(tx *store.Tx) error {
			return tx.SetRetry(p.MailboxID, p.UIDValidity, p.UID, time.Time{}, p.Breaks)
		}); err != nil {
			return nil, fmt.Errorf("forgetting a mail that is gone: %w", err)
		}
	}
	return again, nil
}

// Bounds of one FETCH command: between commands the server is told what is
// committed, so a chunk also bounds how much is told late.
const (
	chunkMails = 500
	chunkBytes = 32 << 20
)

// take fetches mails and takes them, chunk by chunk. It returns those that the
// server listed and did not send.
func (c *collector) take(ctx context.Context, s fetch.Session, box store.Mailbox, mails []fetch.Listed) (missing []uint32, err error) {
	if len(mails) == 0 {
		return nil, nil
	}
	c.partial = s.State().Partial
	p := c.startPipeline(ctx, box)
	defer func() {
		if stopErr := p.stop(); err == nil {
			err = stopErr
		}
		if err == nil {
			err = c.tellTaken(ctx, s, box, p.committed())
		}
	}()
	// Suspects last: what breaks the connection must not keep the others away.
	slices.SortStableFunc(mails, func(a, b fetch.Listed) int { return c.breaks[a.UID].count - c.breaks[b.UID].count })
	for len(mails) > 0 {
		n := c.chunk(mails)
		lost, err := s.Fetch(ctx, mails[:n], p.add)
		if err != nil {
			p.drain()
			if cause := context.Cause(p.ctx); cause != nil {
				return nil, cause // the store failed, not the server
			}
			c.came += len(p.committed()) // they came through; the server is told in the next session
			return nil, c.broke(ctx, box, mails[:n], err)
		}
		if cause := context.Cause(p.ctx); cause != nil {
			return nil, cause
		}
		lost, err = c.unsent(ctx, box, mails[:n], lost)
		if err != nil {
			return nil, err
		}
		missing = append(missing, lost...)
		if err := c.tellTaken(ctx, s, box, p.committed()); err != nil {
			return nil, err
		}
		mails = mails[n:]
	}
	c.careful = false
	return missing, nil
}

// chunk is how many of the mails the next command asks for.
func (c *collector) chunk(mails []fetch.Listed) int {
	if c.careful {
		return 1
	}
	var bytes int64
	for i, m := range mails {
		if bytes += m.Size; i > 0 && (bytes > chunkBytes || i >= chunkMails || c.breaks[m.UID].count > 0) {
			return i
		}
	}
	return len(mails)
}
