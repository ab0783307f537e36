package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// ObservePath is the file of the store on which a desk's mail is tried in
// observe mode: its ledger is what would have become of the mails, its outbox
// what would have been sent.
func ObservePath(dataDir string, deskID int64) string {
	return filepath.Join(dataDir, "observe-"+strconv.FormatInt(deskID, 10)+".db")
}

// observedMails is how much of the mail that lies there already is looked at.
const observedMails = 200

// observer is what a collector has in observe mode. The mailbox is opened to be
// read only, and all that comes of its mail is written to a store of its own,
// which no relay reads. The store of the program gets nothing but an Observation.
type observer struct {
	home *store.Store
	seen Observation

	making sync.Mutex // held while shadow is replaced

	mu     sync.Mutex // the page reads shadow
	shadow *store.Store
}

// store is what was observed so far, nil where nothing is.
func (o *observer) store() *store.Store {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shadow
}

func (o *observer) set(shadow *store.Store) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shadow = shadow
}

// close ends the observation.
func (o *observer) close(log *slog.Logger) {
	shadow := o.store()
	if shadow == nil {
		return
	}
	o.set(nil)
	if err := shadow.Close(); err != nil {
		log.Error("closing what was observed", "error", err)
	}
}

// replace begins an observation anew.
func (o *observer) replace(ctx context.Context, path string, options store.Options, log *slog.Logger) (*store.Store, error) {
	o.making.Lock()
	defer o.making.Unlock()
	o.close(log)
	shadow, err := o.home.Shadow(ctx, path, options)
	if err != nil {
		return nil, err
	}
	o.set(shadow)
	return shadow, nil
}

// home is the store of the program, also in observe mode.
func (c *collector) home() *store.Store {
	if c.observer != nil {
		return c.observer.home
	}
	return c.store
}

// beginObserving goes on with what was begun in this run, unless the mailbox
// was numbered anew.
func (c *collector) beginObserving(ctx context.Context, s fetch.Session) (store.Mailbox, error) {
	state := s.State()
	var box store.Mailbox
	if c.observer.store() != nil {
		if err := c.store.Write(ctx, func(tx *store.Tx) (err error) {
			box, err = c.mailbox(tx)
			return err
		}); err != nil {
			return box, fmt.Errorf("reading the mailbox's state: %w", err)
		}
		if box.UIDValidity == state.UIDValidity && (state.UIDNext == 0 || state.UIDNext >= box.NextUID) {
			return box, nil
		}
	}
	return c.observeAnew(ctx, s)
}

// observeAnew draws the line below the newest mails that are not decided yet.
// A desk that was live before has taken some of them: those are left out.
func (c *collector) observeAnew(ctx context.Context, s fetch.Session) (store.Mailbox, error) {
	o, state := c.observer, s.State()
	var real store.Mailbox
	if err := o.home.Write(ctx, func(tx *store.Tx) (err error) {
		real, err = c.mailbox(tx)
		return err
	}); err != nil {
		return real, fmt.Errorf("reading the mailbox's state: %w", err)
	}
	listed, err := s.List(ctx, 1)
	if err != nil {
		return real, err
	}
	line, decided, err := c.undecided(ctx, real, state, listed)
	if err != nil {
		return real, err
	}
	shadow, err := o.replace(ctx, c.shadow, store.Options{Now: c.now}, c.log)
	if err != nil {
		return real, fmt.Errorf("making the store for what is observed: %w", err)
	}
	taker := *c.taker
	taker.Store = shadow
	c.store, c.taker = shadow, &taker
	var box store.Mailbox
	err = shadow.Write(ctx, func(tx *store.Tx) (err error) {
		if box, err = c.mailbox(tx); err != nil {
			return err
		}
		for _, p := range decided {
			if err := tx.AddPosition(store.Position{MailboxID: box.ID, UIDValidity: state.UIDValidity, UID: p.UID, Size: p.Size}); err != nil {
				return err
			}
		}
		box.OpenedAt, box.UIDValidity, box.SkipBelow, box.SkipDone, box.NextUID = c.now(), state.UIDValidity, line, true, line
		return tx.SaveMailbox(box)
	})
	if err != nil {
		return box, fmt.Errorf("preparing the store for what is observed: %w", err)
	}
	return box, c.observeSince(ctx, real.ID, state.UIDValidity, line)
}

// undecided finds from which number on the newest mails lie that became nothing
// yet, and those above it that did.
func (c *collector) undecided(ctx context.Context, real store.Mailbox, state fetch.State, listed []fetch.Listed) (line uint32, decided []store.Position, err error) {
	known := make(map[uint32]store.Position)
	if real.UIDValidity == state.UIDValidity {
		positions, err := c.observer.home.Positions(ctx, real.ID, state.UIDValidity, 1)
		if err != nil {
			return 0, nil, fmt.Errorf("reading positions: %w", err)
		}
		for _, p := range positions {
			known[p.UID] = p
		}
	}
	line = max(state.UIDNext, 1)
	if n := len(listed); n > 0 {
		line = max(line, listed[n-1].UID+1)
	}
	found := 0
	for i := len(listed) - 1; i >= 0 && found < observedMails; i-- {
		line = listed[i].UID
		p, ok := known[line]
		if ok && p.LedgerID != 0 {
			skipped, err := isSkipped(ctx, c.observer.home.View, p.LedgerID)
			if err != nil {
				return 0, nil, err
			}
			if !skipped {
				decided = append(decided, p)
				continue
			}
		}
		found++
	}
	return line, decided, nil
}

// takeMails takes mails. In observe mode each is taken at the time when it
// arrived: what is limited by the hour would not have been limited then.
func (c *collector) takeMails(ctx context.Context, box store.Mailbox, mails []*desk.Incoming) ([]desk.Taken, error) {
	if c.observer == nil {
		return c.taker.Take(ctx, c.desk, box, mails)
	}
	taken := make([]desk.Taken, 0, len(mails))
	for _, in := range mails {
		taker, at := *c.taker, arrival(in, c.now())
		taker.Now = func() time.Time { return at }
		one, err := taker.Take(ctx, c.desk, box, []*desk.Incoming{in})
		if taken = append(taken, one...); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// arrival is when a mail arrived: by what its server wrote, else when it was
// sent, but not later than now.
func arrival(in *desk.Incoming, now time.Time) time.Time {
	header := make([]byte, min(receivedWithin, in.Raw.Length))
	n, _ := in.Raw.Content.ReadAt(header, 0) // it was read a moment ago
	at := mail.ReceivedAt(header[:n])
	if at.IsZero() {
		at = in.Message.Date
	}
	if at.IsZero() || at.After(now) {
		return now
	}
	return at.In(now.Location())
}

// tidyObserved removes what a desk saw in observe mode when it is live and
// nobody is asked about it any more: it has people's mail in it.
func (c *collector) tidyObserved(ctx context.Context) error {
	if c.observer != nil || c.shadow == "" {
		return nil
	}
	if o, err := readObservation(ctx, c.store.View, c.desk.ID); err != nil || o != nil {
		return err
	}
	return removeObserved(c.shadow)
}

// removeObserved removes a store of what was observed, which nobody has open.
func removeObserved(path string) error {
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing what was observed: %w", err)
		}
	}
	return nil
}

// observedStore is what a desk of the configuration, by its key, sees in observe
// mode; nil where it does not.
func (d *daemon) observedStore(key string) *store.Store {
	for _, r := range d.desks {
		if r.conf.Key == key && r.collector != nil {
			return r.collector.observer.store()
		}
	}
	return nil
}
