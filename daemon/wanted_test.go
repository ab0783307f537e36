package daemon_test

import (
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
