package daemon

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/store"
	"helpdesk/ui"
)

// Acts carry out what people do on the page and by commands. They are the same
// in the running daemon and under the lock, where none runs.
type Acts struct {
	store *store.Store
	taker *desk.Taker
	desks []*desk.Settings // of the configuration
	still map[int64]bool   // desks that only observe: nothing is done there
	now   func() time.Time
	taken func(queued bool)  // called after each commit, as by a collector
	look  func(deskID int64) // lets the collector of a desk look into its mailbox now

	scrubAtOnce int64 // size of a database, in bytes, up to which it is written anew while a person waits

	dataDir   string
	observers map[string]*observer // of the desks that observe now, by the file of what they observe
}

// Do carries out one act. What a person can mend is a result with Bad; the
// error is the machine's.
func (a *Acts) Do(ctx context.Context, act ui.Act) (ui.ActAnswer, error) {
	do, ok := map[string]func(context.Context, ui.Act) ([]ui.ActResult, error){
		ui.ActTake:            a.take,
		ui.ActReply:           a.byHand,
		ui.ActNote:            a.byHand,
		ui.ActResolve:         a.byHand,
		ui.ActReopen:          a.byHand,
		ui.ActAddCustomer:     a.addCustomer,
		ui.ActRemoveCustomer:  a.removeCustomer,
		ui.ActImportCustomers: a.importCustomers,
		ui.ActNameCustomer:    a.nameCustomer,
		ui.ActMergeCustomer:   a.mergeCustomer,
		ui.ActForgetCustomer:  a.forgetCustomer,
		ui.ActUnsuspend:       a.unsuspend,
		ui.ActUnblock:         a.unblock,
		ui.ActRetryOutbox:     a.retryOutbox,
		ui.ActDropOutbox:      a.dropOutbox,
		ui.ActObserved:        a.observed,
	}[act.Name]
	if !ok {
		return ui.ActAnswer{Done: []ui.ActResult{bad("unknown", "name", act.Name)}}, nil
	}
	done, err := do(ctx, act)
	if err != nil {
		return ui.ActAnswer{}, fmt.Errorf("doing %s: %w", act.Name, err)
	}
	if done == nil {
		done = []ui.ActResult{}
	}
	return ui.ActAnswer{Done: done}, nil
}

// good is something that was done; pairs are the arguments of its words.
func good(slug string, pairs ...string) ui.ActResult {
	r := ui.ActResult{Slug: slug}
	for i := 0; i < len(pairs); i += 2 {
		if r.Args == nil {
			r.Args = make(map[string]string)
		}
		r.Args[pairs[i]] = pairs[i+1]
	}
	return r
}

// bad is something that could not be done.
func bad(slug string, pairs ...string) ui.ActResult {
	r := good(slug, pairs...)
	r.Bad = true
	return r
}

// only is the answer of one result.
func only(r ui.ActResult) []ui.ActResult { return []ui.ActResult{r} }

// deskNamed finds a desk of the configuration by key, name or address. ok is
// false when there is none; then the result says which ones there are.
func (a *Acts) deskNamed(name string) (s *desk.Settings, no ui.ActResult, ok bool) {
	name = strings.TrimSpace(name)
	i := slices.IndexFunc(a.desks, func(s *desk.Settings) bool {
		return strings.EqualFold(s.Key, name) || strings.EqualFold(s.Name, name) || strings.EqualFold(s.Address, name)
	})
	if i < 0 {
		var names []string
		for _, s := range a.desks {
			names = append(names, s.Key)
		}
		return nil, bad("no-desk", "desk", name, "desks", strings.Join(names, ", ")), false
	}
	return a.desks[i], ui.ActResult{}, true
}

// deskOf is deskNamed for an act that may be for all desks: "" is the ID 0.
func (a *Acts) deskOf(name string) (id int64, no ui.ActResult, ok bool) {
	if strings.TrimSpace(name) == "" {
		return 0, no, true
	}
	s, no, ok := a.deskNamed(name)
	if !ok {
		return 0, no, false
	}
	return s.ID, no, true
}

// deskWith is the desk of the configuration with an ID of the store, nil when
// it is gone from there.
func (a *Acts) deskWith(id int64) *desk.Settings {
	if i := slices.IndexFunc(a.desks, func(s *desk.Settings) bool { return s.ID == id }); i >= 0 {
		return a.desks[i]
	}
	return nil
}

// write is one transaction of an act.
func (a *Acts) write(ctx context.Context, fn func(tx *store.Tx) error) error {
	return a.store.Write(ctx, fn)
}

func figure(n int) string { return strconv.Itoa(n) }

func (a *Acts) unsuspend(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	address, no, ok := typed(act.Address)
	if !ok {
		return only(no), nil
	}
	there := false
	err := a.write(ctx, func(tx *store.Tx) (err error) {
		if there, err = tx.SuspendedAt(ctx, address.Key()); err != nil || !there {
			return err
		}
		return tx.Unsuspend(address.Key())
	})
	if err != nil {
		return nil, err
	}
	if !there {
		return only(bad("not-suspended", "address", address.Address)), nil
	}
	return only(good("unsuspended", "address", address.Address)), nil
}

func (a *Acts) unblock(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	address, no, ok := typed(act.Address)
	if !ok {
		return only(no), nil
	}
	id, no, ok := a.deskOf(act.Desk)
	if !ok {
		return only(no), nil
	}
	var at []string
	err := a.write(ctx, func(tx *store.Tx) error {
		at = nil
		for _, s := range a.desks {
			if id != 0 && s.ID != id {
				continue
			}
			there, err := tx.Unblock(s.ID, address.Key())
			if err != nil {
				return err
			}
			if there {
				at = append(at, s.Key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(at) == 0 {
		return only(bad("not-blocked", "address", address.Address)), nil
	}
	return only(good("unblocked", "address", address.Address, "desk", strings.Join(at, ", "))), nil
}
