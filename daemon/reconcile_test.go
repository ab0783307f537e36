package daemon_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"helpdesk/store"
)

// TestReconciliation: what the ledger has lost is found in the night, and
// neither answered a second time nor taken where it was old.
func TestReconciliation(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	for i := range 4 {
		if err := o.hosts.Deliver(support, []byte(oldMail(i))); err != nil {
			t.Fatal(err)
		}
	}
	o.start()
	o.recorded("skipped", 4)
	reconciled := func(what string, holds func(store.Reconciliation) bool) store.Reconciliation {
		t.Helper()
		var last store.Reconciliation
		o.eventually(what, func(ctx context.Context) (bool, error) {
			all, err := o.info.Store.Reconciliations(ctx)
			if len(all) == 1 {
				last = all[0]
			}
			return len(all) == 1 && holds(last), err
		})
		return last
	}
	first := reconciled("the first comparison", func(r store.Reconciliation) bool { return r.Listed == 4 && r.Missing == 0 && r.Unaccounted == 0 })
	for i := range 5 {
		o.send("p@customer.test", support, plain(i))
	}
	o.request("SUP-5", 1)
	o.settled()
	queued, _ := o.queuedLines()
	o.stop()
	o.change("DELETE FROM positions WHERE uid IN (2, 6, 8)") // an old one, and two that were taken
	o.change("DELETE FROM ledger WHERE uid = 9")             // taken, and known by nothing but its content
	o.change("DELETE FROM positions WHERE uid = 9")
	o.clock.Add(int64(24 * time.Hour))
	o.start()
	last := reconciled("the next night's comparison", func(r store.Reconciliation) bool { return r.At.After(first.At) })
	if last.Listed != 9 || last.Missing != 4 || last.Unaccounted != 0 {
		t.Errorf("the comparison found %+v", last)
	}
	o.mailboxOK()
	o.settled()
	if now, events := o.queuedLines(); now != queued {
		t.Errorf("queued: %v", events)
	}
	requests, err := o.info.Store.Requests(t.Context(), store.RequestFilter{})
	if err != nil || len(requests) != 5 {
		t.Errorf("%d requests, %v", len(requests), err)
	}
	duplicates, err := o.info.Store.Entries(t.Context(), store.EntryFilter{Outcome: "duplicate"})
	if err != nil || len(duplicates) != 3 {
		t.Errorf("%d duplicates, %v", len(duplicates), err)
	}
	s, err := o.info.Status(t.Context())
	if err != nil || s.Ledger.Unaccounted != 0 || !s.Ledger.ReconciledAt.Equal(last.At) {
		t.Errorf("the page says %+v, %v", s.Ledger, err)
	}

	// What is gone from the mailbox is forgotten, but for old mail.
	o.stop()
	o.remove()
	o.clock.Add(int64(24 * time.Hour))
	o.start()
	reconciled("the third night's comparison", func(r store.Reconciliation) bool { return r.Listed == 0 })
	positions, err := o.info.Store.Positions(t.Context(), last.MailboxID, o.uidvalidity(last.MailboxID), 1)
	if err != nil || len(positions) != 4 {
		t.Errorf("%d positions are kept, %v, want those of the old mail", len(positions), err)
	}
}

// remove deletes all mail of the desk's inbox, as a person does.
func (o *office) remove() {
	o.t.Helper()
	c, err := imapclient.DialInsecure(o.hosts.IMAP, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	defer c.Close()
	err = errors.Join(c.Login(support, "secret").Wait(), second(c.Select("INBOX", nil).Wait()))
	if err == nil {
		all := imap.SeqSet{imap.SeqRange{Start: 1}}
		err = errors.Join(c.Store(all, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(), c.Expunge().Close())
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) uidvalidity(mailboxID int64) uint32 {
	o.t.Helper()
	box, err := o.info.Store.MailboxByID(o.t.Context(), mailboxID)
	if err != nil {
		o.t.Fatal(err)
	}
	return box.UIDValidity
}
