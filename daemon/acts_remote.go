package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/control"
	"helpdesk/daemon/desk"
	"helpdesk/store"
	"helpdesk/ui"
)

// ActPath is the path of the control port for acts: POST ui.Act, answered by ui.ActAnswer.
const ActPath = "/act"

// DoAct has the running daemon do something, or does it in its place, under
// the lock. What a person can mend is a result with Bad.
func DoAct(ctx context.Context, c *config.Config, act ui.Act) (ui.ActAnswer, error) {
	client, err := control.Dial(c.DataDir)
	if err == nil {
		var answer ui.ActAnswer
		err := client.Call(ctx, http.MethodPost, ActPath, act, &answer)
		return answer, err
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return ui.ActAnswer{}, err
	}
	return doAlone(ctx, c, act)
}

// doAlone does an act where no daemon runs. Mail that is queued leaves when
// one does.
func doAlone(ctx context.Context, c *config.Config, act ui.Act) (answer ui.ActAnswer, err error) {
	lock, err := control.AcquireLock(c.DataDir)
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	path := filepath.Join(c.DataDir, DatabaseFile)
	s, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		return answer, fmt.Errorf("opening the database: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := leaveToOwner(c.DataDir, path); err != nil {
		return answer, err
	}
	acts, err := actsAlone(ctx, c, s)
	if err != nil {
		return answer, err
	}
	before, err := s.OutboxCounts(ctx)
	if err != nil {
		return answer, fmt.Errorf("counting the outbox: %w", err)
	}
	if answer, err = acts.Do(ctx, act); err != nil {
		return answer, err
	}
	after, err := s.OutboxCounts(ctx)
	if err != nil {
		return answer, fmt.Errorf("counting the outbox: %w", err)
	}
	if after.Waiting > before.Waiting {
		answer.Done = append(answer.Done, good("not-running"))
	}
	return answer, nil
}

// actsAlone makes the acts of a daemon that has no loops.
func actsAlone(ctx context.Context, c *config.Config, s *store.Store) (*Acts, error) {
	d := &daemon{Options: Options{Config: c, Now: time.Now}, store: s}
	var err error
	if d.signer, err = d.signingKey(ctx); err != nil {
		return nil, err
	}
	if d.spoolDir, err = sweepSpool(c.DataDir); err != nil {
		return nil, err
	}
	if err := control.GiveToOwner(c.DataDir, d.spoolDir); err != nil {
		return nil, fmt.Errorf("leaving the spool to its owner: %w", err)
	}
	var desks []*desk.Settings
	for i := range c.Desks {
		one, err := d.ensureDesk(ctx, &c.Desks[i])
		if err != nil {
			return nil, err
		}
		desks = append(desks, one)
	}
	acts := d.newActs(desks)
	acts.taken, acts.look = func(bool) {}, func(int64) {} // there is nobody to wake
	return acts, nil
}

// leaveToOwner leaves the files of the database to the owner of data_dir: the
// service's user must be able to open them.
func leaveToOwner(dir, path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := control.GiveToOwner(dir, path+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("leaving the database to its owner: %w", err)
		}
	}
	return nil
}

// newActs makes the acts of the daemon. desks are those of the configuration,
// in its order.
func (d *daemon) newActs(desks []*desk.Settings) *Acts {
	a := &Acts{
		store: d.store, taker: &desk.Taker{Store: d.store, Signer: d.signer, Now: d.Now, Spool: d.spoolDir}, desks: desks, still: make(map[int64]bool), now: d.Now,
		taken: d.taken, look: d.lookNow, scrubAtOnce: scrubAtOnce, dataDir: d.Config.DataDir, observers: make(map[string]*observer),
	}
	for _, r := range d.desks {
		if r.collector != nil && r.collector.observer != nil {
			a.observers[r.collector.shadow] = r.collector.observer
		}
	}
	for i, s := range desks {
		a.still[s.ID] = d.Config.Desks[i].Mode == config.ModeObserve
	}
	return a
}

// lookNow lets the collector of a desk look into its mailbox now.
func (d *daemon) lookNow(deskID int64) {
	for _, r := range d.desks {
		if r.settings.ID == deskID && r.collector != nil {
			signal(r.collector.kick)
		}
	}
}

// actHandler answers ActPath.
func (d *daemon) actHandler(w http.ResponseWriter, r *http.Request) {
	var act ui.Act
	if err := json.NewDecoder(r.Body).Decode(&act); err != nil {
		http.Error(w, "the request cannot be read", http.StatusBadRequest)
		return
	}
	answer, err := d.acts.Do(r.Context(), act)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	d.answer(w, answer)
}
