package daemon_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"helpdesk/store"
	"helpdesk/ui"
)

// TestWanted: old mail of which only the header was ever read is fetched as soon
// as somebody wants it, with or without a daemon; its line is kept.
func TestWanted(t *testing.T) {
	t.Parallel()
	o := newOffice(t, func(s *officeSettings) { s.Poll = "1h" })
	for i := range 3 {
		if err := o.hosts.Deliver(support, []byte(oldMail(i))); err != nil {
			t.Fatal(err)
		}
	}
	o.start()
	o.recorded("skipped", 3)
	o.mailboxOK()
	o.do(ui.Act{Name: ui.ActTake, IDs: []int64{2}})
	o.becomes(2, "request", "")
	o.inbox(aki, 1)
	o.settled()
	if all, events := o.queuedLines(); all != 2 || events["new"] != 2 {
		t.Errorf("queued: %v, want notices to the two agents and nothing to the customer", events)
	}
	o.stop()
	o.do(ui.Act{Name: ui.ActTake, IDs: []int64{3}, Quiet: true})
	o.start()
	o.becomes(3, "request", "")
	o.settled()
	if all, events := o.queuedLines(); all != 2 {
		t.Errorf("queued: %v, want nothing more", events)
	}
	entries, err := o.info.Store.Entries(t.Context(), store.EntryFilter{})
	if err != nil || len(entries) != 3 || entries[2].Outcome != "skipped" {
		t.Errorf("the ledger: %+v, %v", entries, err)
	}
}

// TestWantedWhileImporting: what somebody wants does not wait for the end of an
// import, nor is it taken as quietly as the mail of the import.
func TestWantedWhileImporting(t *testing.T) {
	t.Parallel()
	const old = 4000
	o := newOffice(t, func(s *officeSettings) { s.Backlog, s.Poll = "import", "1h" })
	if err := o.hosts.Deliver(support, []byte(oldMail(0))); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(o.files()[0])
	for i := 1; i < old; i++ {
		name := fmt.Sprintf("%d.M%dP1.host", 1700000000+i, i)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(oldMail(i)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	o.start()
	var one ui.DeskStatus
	o.eventually("the import is under way", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		one = s.Desks[0]
		return one.Import != nil && one.Import.Done > 0, err
	})
	o.do(ui.Act{Name: ui.ActTake, IDs: []int64{old}})
	o.becomes(old, "request", "")
	s, err := o.info.Status(t.Context())
	if one = s.Desks[0]; err != nil || one.Import == nil || one.Import.Done > old*3/4 {
		t.Errorf("the mail that somebody wants comes after the others: %+v %v", one.Import, err)
	}
	o.settled()
	if all, events := o.queuedLines(); all != 2 || events["new"] != 2 {
		t.Errorf("queued: %v, want notices to the two agents", events)
	}
}
