package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// tellPending tells the server what was committed and not yet told, because
// the connection or the process ended in between, or because it refused. After
// a refusal it is asked again every quarter of an hour.
func (c *collector) tellPending(ctx context.Context, s fetch.Session, box store.Mailbox) error {
	if c.observer != nil {
		return nil
	}
	pending, err := c.store.Pending(ctx, box.ID, box.UIDValidity)
	if err != nil {
		return fmt.Errorf("reading what the server is to be told: %w", err)
	}
	taken := make([]desk.Taken, 0, len(pending))
	for _, p := range pending {
		if c.refused.wait(actOf(p.Pending), c.now()) {
			continue
		}
		taken = append(taken, desk.Taken{UID: p.UID, Entry: p.LedgerID, Pending: p.Pending})
	}
	return c.tell(ctx, s, box, taken)
}

// refusalPause is how long nothing more is asked of a server that refused it.
const refusalPause = 15 * time.Minute

// refusals are the acts that the server refuses, and until when it is left in
// peace. The page reads them while the collector runs.
type refusals struct {
	mu   sync.Mutex
	acts map[string]refusal
}

type refusal struct {
	err   *mail.Error
	until time.Time
}

func (r *refusals) set(act string, err *mail.Error, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.acts == nil {
		r.acts = make(map[string]refusal)
	}
	r.acts[act] = refusal{err, until}
}

func (r *refusals) clear(act string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.acts, act)
}

// wait reports whether the server refused an act and is not to be asked yet.
func (r *refusals) wait(act string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused, ok := r.acts[act]
	return ok && now.Before(refused.until)
}

// any is one of the refusals, nil when there is none.
func (r *refusals) any() *mail.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if acts := slices.Sorted(maps.Keys(r.acts)); len(acts) > 0 {
		return r.acts[acts[0]].err
	}
	return nil
}

// tell marks, moves or deletes mails on the server, after the commit only
// (promise 2), and notes that it is done.
func (c *collector) tell(ctx context.Context, s fetch.Session, box store.Mailbox, taken []desk.Taken) error {
	acts, lines := make(map[string][]uint32), make(map[uint32]int64)
	c.came += len(taken)
	for _, t := range taken {
		delete(c.breaks, t.UID)
		if t.Pending != "" && !later(t.Pending, c.now()) {
			acts[actOf(t.Pending)] = append(acts[actOf(t.Pending)], t.UID)
			lines[t.UID] = t.Entry
		}
	}
	if c.observer != nil {
		return c.noteSeen(ctx, box, taken)
	}
	for _, act := range slices.Sorted(maps.Keys(acts)) {
		done, moved, err := carryOut(ctx, s, action(act), acts[act])
		if noteErr := c.noteTold(ctx, box, action(act), done, moved, lines); noteErr != nil {
			return errors.Join(noteErr, err)
		}
		var refusal *mail.Error
		if err != nil && !s.Broken() && ctx.Err() == nil && errors.As(err, &refusal) {
			// The mail is taken and safe; that it lies where it lay holds up nobody.
			c.log.Warn("the server refuses what it was told", "mailbox", c.subject, "act", act, "mails", len(acts[act]), "error", err)
			c.refused.set(act, refusal, c.now().Add(refusalPause))
			continue
		} else if err != nil {
			return err
		}
		c.refused.clear(act)
	}
	return nil
}

// carryOut tells the server. done are the mails of which it need not be told
// any more, also where there is an error; moved are those that it says it moved.
func carryOut(ctx context.Context, s fetch.Session, a fetch.Action, uids []uint32) (done, moved []uint32, err error) {
	if a.Kind != fetch.ActionMove {
		if err := s.Acknowledge(ctx, a, uids); err != nil {
			return nil, nil, err
		}
		return uids, nil, nil
	}
	if moved, err = s.Move(ctx, a.Folder, uids); err != nil {
		return moved, moved, err
	}
	return uids, moved, nil
}

// noteTold notes what the server was told, and which moves it confirmed: only a
// mail that we know to have lain in a folder can have been taken back from there
// by a person.
func (c *collector) noteTold(ctx context.Context, box store.Mailbox, a fetch.Action, done, moved []uint32, lines map[uint32]int64) error {
	if len(done) == 0 {
		return nil
	}
	err := c.store.Write(ctx, func(tx *store.Tx) error {
		if c.maildrop() { // where nothing but deleting is told
			if err := tx.DeletedUniqueIDs(box.ID, done); err != nil {
				return err
			}
		}
		for _, uid := range moved {
			if err := tx.AddMove(store.Move{LedgerID: lines[uid], MailboxID: box.ID, UIDValidity: box.UIDValidity, Folder: a.Folder, At: c.now()}); err != nil {
				return err
			}
		}
		return tx.ClearPending(box.ID, box.UIDValidity, done)
	})
	if err != nil {
		return fmt.Errorf("noting what the server was told: %w", err)
	}
	return nil
}

// actOf is what the server is told, without the time from which on.
func actOf(pending string) string {
	if action(pending).Kind == fetch.ActionDelete {
		return fetch.ActionDelete
	}
	return pending
}

// later reports whether the time of an act that desk.Later wrote has not come.
func later(pending string, now time.Time) bool {
	a := action(pending)
	from, err := strconv.ParseInt(a.Folder, 10, 64)
	return a.Kind == fetch.ActionDelete && err == nil && now.Unix() < from
}

// action reads what desk.Tell wrote.
func action(pending string) fetch.Action {
	kind, folder, _ := strings.Cut(pending, ":")
	return fetch.Action{Kind: kind, Folder: folder}
}
