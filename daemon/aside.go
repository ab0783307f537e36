package daemon

import (
	"context"
	"errors"
	"fmt"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// breakage is where the connection broke in a mail, and how often there.
type breakage struct {
	offset int64
	count  int
	came   int // collector.came at the first time
}

// How often the connection must break at a mail before it is set aside: in the
// middle of it, at the same byte; or before its first byte, where it may be
// the server that is ill and not the mail.
const (
	breaksWithin = 2
	breaksBefore = 4
)

// Values of breakage.offset where no byte of the mail came.
const (
	notBegun = -1 // the connection broke
	notSent  = -2 // the server went on without it
)

// broke handles a fetch that failed. A mail at which the connection broke
// twice at the same byte is set aside; when nobody knows which mail it was,
// the next fetches ask for one at a time until it shows.
func (c *collector) broke(ctx context.Context, box store.Mailbox, chunk []fetch.Listed, err error) error {
	var server *mail.Error
	if ctx.Err() != nil || !errors.As(err, &server) {
		return err // ours, as a full spool: no mail is to blame
	}
	var interrupted *fetch.Interrupted
	uid, offset, enough := uint32(0), int64(notBegun), breaksBefore
	if errors.As(err, &interrupted) && interrupted.Started {
		uid, offset, enough = interrupted.UID, interrupted.Offset, breaksWithin
	} else if len(chunk) == 1 {
		uid = chunk[0].UID
	}
	if uid == 0 {
		c.careful = true
		return err
	}
	b := c.breaks[uid]
	if b.offset != offset || b.count == 0 {
		b = breakage{offset: offset, came: c.came}
	}
	b.count++
	c.breaks[uid] = b
	// Before its first byte it is the mail that is to blame only when others
	// came through meanwhile, or when it was set aside before.
	if b.count < enough || (offset == notBegun && c.came == b.came && c.aside[uid].Breaks == 0) {
		return err
	}
	return errors.Join(err, c.setAside(ctx, box, chunk, uid, offset, err.Error()))
}

// unsent counts how often the server listed a mail and did not send it; the
// second time it is set aside as one at which the connection breaks.
func (c *collector) unsent(ctx context.Context, box store.Mailbox, chunk []fetch.Listed, missing []uint32) (again []uint32, err error) {
	for _, uid := range missing {
		if b := c.breaks[uid]; b.count == 0 || b.offset != notSent {
			c.breaks[uid] = breakage{offset: notSent, count: 1}
			again = append(again, uid)
		} else if err := c.setAside(ctx, box, chunk, uid, 0, "the server lists this mail and does not send it"); err != nil {
			return nil, err
		}
	}
	return again, nil
}

// setAside records that a mail cannot be fetched, so that the others go on,
// and when it is tried again: after an hour, then twice as long each time, at
// most a day.
func (c *collector) setAside(ctx context.Context, box store.Mailbox, chunk []fetch.Listed, uid uint32, offset int64, why string) error {
	delete(c.breaks, uid)
	for _, l := range chunk {
		if l.UID != uid {
			continue
		}
		before := c.aside[uid]
		if w, ok := c.wanted[uid]; ok {
			before.LedgerID = w.line // it has its line already
		}
		if err := c.taker.SetAside(ctx, box, desk.Unfetched{UID: uid, Size: l.Size, Offset: offset, Why: why, Before: before}); err != nil {
			return fmt.Errorf("setting aside the mail with UID %d: %w", uid, err)
		}
		c.log.Warn("mail set aside", "mailbox", c.subject, "uid", uid, "offset", offset, "reason", why)
	}
	return nil
}
