package daemon

import (
	"context"
	"fmt"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// What is different with POP3. A session there is a snapshot of the maildrop,
// and deleting ends it: so what is committed is told at the end of a round, in
// one session where it can be, because providers limit the number of logins.

// maildrop reports whether the mailbox is read by POP3.
func (c *collector) maildrop() bool { return c.fetch.Protocol == "pop3" }

// number is fetch.Settings.Numbers.
func (c *collector) number(ctx context.Context, mails []fetch.UniqueID, partial bool) (fetch.Numbering, error) {
	listed := make([]store.UniqueID, len(mails))
	for i, m := range mails {
		listed[i] = store.UniqueID(m)
	}
	var n store.UniqueIDs
	err := c.home().Write(ctx, func(tx *store.Tx) error {
		box, err := c.mailbox(tx)
		if err == nil {
			n, err = tx.NumberUniqueIDs(box.ID, listed, partial)
		}
		return err
	})
	if err != nil {
		return fetch.Numbering{}, fmt.Errorf("keeping the unique-ids: %w", err)
	}
	c.uniqueIDs = make(map[uint32]string, len(mails))
	for i, uid := range n.UIDs {
		c.uniqueIDs[uid] = mails[i].ID
	}
	return fetch.Numbering(n), nil
}

// noting notes when the server was last logged in to, and passes the stages on.
func (c *collector) noting(next func(connect.Stage)) func(connect.Stage) {
	return func(s connect.Stage) {
		if s.Step == mail.StepLogin {
			c.login = c.now()
		}
		if next != nil {
			next(s)
		}
	}
}

// apart is when the maildrop may be tried after a failure, at the earliest at.
// Each try is a log-in, and some providers count them: one may follow at once,
// because a line may break, the others not sooner than the provider allows.
func (c *collector) apart(at time.Time) time.Time {
	if soonest := c.login.Add(c.logins); c.logins > 0 && c.attempts.failures > 1 && at.Before(soonest) {
		return soonest
	}
	return at
}

// look takes what is new and tells the server what is committed.
func (c *collector) look(ctx context.Context, s fetch.Session, box *store.Mailbox) error {
	if !c.maildrop() {
		if err := c.tellPending(ctx, s, *box); err != nil {
			return err
		}
		return c.round(ctx, s, box)
	}
	if err := c.round(ctx, s, box); err != nil || !box.SkipDone {
		return err
	}
	return c.tellPending(ctx, s, *box)
}

// tellTaken tells the server what was just committed, where this does not end
// the session.
func (c *collector) tellTaken(ctx context.Context, s fetch.Session, box store.Mailbox, taken []desk.Taken) error {
	if !c.maildrop() {
		return c.tell(ctx, s, box, taken)
	}
	c.came += len(taken)
	for _, t := range taken {
		delete(c.breaks, t.UID)
	}
	return nil
}

// A server that lists a part of its mails at a time is looked at again soon
// while there is news, but not without end: other parts of its limits, as
// Gmail's on the bytes of a day, are not told. Its LOGIN-DELAY is obeyed all the
// same, see fetch.Session.Wait.
const (
	againSoon = 10 * time.Second
	againMost = 100
)

// rest is how long to wait for the next look.
func (c *collector) rest(s fetch.Session) time.Duration {
	if !s.State().Partial || c.news == 0 || c.again >= againMost {
		c.again = 0
		return c.poll
	}
	c.again++
	return min(c.poll, againSoon)
}

// Old mail at a server that lists a part at a time comes to light after the
// first start, and only when what was listed before has been read: so it is read,
// and recorded as it would have been at the first start. It is known by the date
// at which that server received it, in its topmost Received field: before the
// first start. clockError is how wrong this computer's clock may be for that,
// and dateError how wrong the Date may be that the sender wrote, which counts
// where there is no such field. A mail with neither is new. Nothing is lost if
// that errs: the mail is in the ledger, stays where it lies and can be taken.
const (
	clockError = 10 * time.Minute
	dateError  = 24 * time.Hour
)

// receivedWithin is how far into a mail its topmost Received field ends, in bytes.
const receivedWithin = 64 << 10

// old reports whether a mail was clearly there before a moment.
func old(in *desk.Incoming, moment time.Time) bool {
	header := make([]byte, min(receivedWithin, in.Raw.Length))
	n, _ := in.Raw.Content.ReadAt(header, 0) // it was read a moment ago; without it the mail is new
	if at := mail.ReceivedAt(header[:n]); !at.IsZero() {
		return at.Before(moment.Add(-clockError))
	}
	return !in.Message.Date.IsZero() && in.Message.Date.Before(moment.Add(-dateError))
}
