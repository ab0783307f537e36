package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"helpdesk/mail/fetch"
	"helpdesk/store"
)

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
	c.aside, c.wanted = make(map[uint32]store.Position, len(retries)), make(map[uint32]wish)
	for _, p := range retries {
		c.aside[p.UID] = p
		if err := c.stillWanted(ctx, p); err != nil {
			return nil, err
		}
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
