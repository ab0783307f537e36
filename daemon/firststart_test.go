package daemon_test

import (
	"context"
	"fmt"
	"testing"

	"helpdesk/store"
)

func oldMail(i int) string {
	return fmt.Sprintf("From: Old <old%[1]d@customer.test>\nTo: support@mail.test\nSubject: Old %[1]d\nMessage-ID: <old%[1]d@customer.test>\nDate: Mon, 02 Nov 2026 12:00:00 +0900\n\nold mail %[1]d\n", i)
}

// TestOldMail: mail that lay in the mailbox before the first start is recorded
// and left alone, also when UIDVALIDITY changes and after a restart; what
// comes later is taken.
func TestOldMail(t *testing.T) {
	const old = 500
	o := newOffice(t, nil)
	for i := range old {
		if err := o.hosts.Deliver("support@mail.test", []byte(oldMail(i))); err != nil {
			t.Fatal(err)
		}
	}
	o.start()
	o.recorded("skipped", old)
	o.stop()
	if err := o.hosts.NewUIDValidity("support@mail.test", "INBOX"); err != nil {
		t.Fatal(err)
	}
	o.start()
	o.mailboxOK()
	o.stop()
	o.start()
	o.mailboxOK()
	for i := range 5 {
		o.send("taro@customer.test", "support@mail.test", fmt.Sprintf("From: New <new%[1]d@customer.test>\nTo: support@mail.test\nSubject: New %[1]d\nMessage-ID: <new%[1]d@customer.test>\nDate: Sat, 21 Nov 2026 12:00:00 +0900\n\nnew mail\n", i))
	}
	o.request("SUP-5", 1)
	o.settled()
	requests, err := o.info.Store.Requests(t.Context(), store.RequestFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(requests) != 5 {
		t.Errorf("%d requests, want 5: %v", len(requests), requests)
	}
	o.recorded("skipped", old)
	lines, err := o.info.Store.Outbox(t.Context(), store.OutboxFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if l.To.Address[:3] == "old" {
			t.Errorf("a mail about old mail was queued: %+v", l)
		}
	}
	if want := 5 * 3; len(lines) != want {
		t.Errorf("%d mails were queued, want %d", len(lines), want)
	}
}

// recorded waits until the ledger has n lines of an outcome, and no more.
func (o *office) recorded(outcome string, n int64) {
	o.t.Helper()
	o.eventually(fmt.Sprintf("%d mails are %s", n, outcome), func(ctx context.Context) (bool, error) {
		counts, err := o.info.Store.Counts(ctx)
		if err != nil {
			return false, err
		}
		for _, c := range counts {
			if c.Outcome == outcome && c.Total > n {
				return false, fmt.Errorf("%d mails are %s, want %d", c.Total, outcome, n)
			} else if c.Outcome == outcome {
				return c.Total == n, nil
			}
		}
		return n == 0, nil
	})
}
