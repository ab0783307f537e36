package daemon_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"helpdesk/store"
)

// TestImport: with backlog = "import" all old mail is taken, each once and in
// the order in which it came, while the process is killed again and again; nobody
// is told, and mail that comes meanwhile is taken first.
func TestImport(t *testing.T) {
	const threads, each, kills = 100, 5, 6
	o := newOffice(t, func(s *officeSettings) { s.Backlog, s.Idle, s.Poll = "import", false, "5s" })
	for n := range each {
		for i := range threads {
			answers := ""
			if n > 0 {
				answers = fmt.Sprintf("In-Reply-To: <t%d.0@customer.test>\r\n", i)
			}
			raw := fmt.Sprintf("From: T%[1]d <t%[1]d@customer.test>\r\nTo: support@mail.test\r\nSubject: Thread %[1]d\r\nMessage-ID: <t%[1]d.%[2]d@customer.test>\r\n%[3]sDate: %02[4]d Nov 2026 12:00:00 +0900\r\n\r\nText %[2]d\r\n",
				i, n, answers, n+2)
			if err := o.hosts.Deliver(support, []byte(raw)); err != nil {
				t.Fatal(err)
			}
		}
	}
	interrupted := 0
	var done int
	for range kills {
		cmd, _ := o.child()
		pause := time.NewTimer(200*time.Millisecond + rand.N(300*time.Millisecond))
		<-pause.C
		kill(t, cmd)
		s := o.readStore()
		box, err := s.MailboxByID(t.Context(), 1)
		if err != nil {
			continue // not reached yet
		}
		if box.ImportDone < done {
			t.Errorf("%d mails were imported, after %d", box.ImportDone, done)
		}
		if done = box.ImportDone; done > 0 && done < threads*each {
			interrupted++
		}
	}
	t.Logf("%d of %d kills in the middle, %d mails imported then", interrupted, kills, done)
	o.send("p1@customer.test", support, plain(1))
	o.start()
	o.eventually("all is taken", func(ctx context.Context) (bool, error) {
		all, err := o.info.Store.Requests(ctx, store.RequestFilter{Limit: 1000})
		if err != nil || len(all) <= threads {
			return false, err
		}
		s, err := o.info.Status(ctx)
		return s.Desks[0].Import == nil, err
	})
	o.settled()
	if all, events := o.queuedLines(); all != 3 || events["received"] != 1 {
		t.Errorf("queued: %v, want the three mails about the new one", events)
	}
	requests, err := o.info.Store.Requests(t.Context(), store.RequestFilter{Limit: 1000})
	if err != nil || len(requests) != threads+1 {
		t.Fatalf("%d requests, %v, want %d", len(requests), err, threads+1)
	}
	for _, r := range requests {
		if r.Subject == "Plain 1" {
			continue
		}
		messages, err := o.info.Store.Messages(t.Context(), r.ID)
		if err != nil || len(messages) != each {
			t.Errorf("%s has %d messages, %v", r.Key, len(messages), err)
			continue
		}
		for n, m := range messages {
			if want := time.Date(2026, 11, n+2, 3, 0, 0, 0, time.UTC); !m.At.Equal(want) {
				t.Errorf("message %d of %s is of %v, want %v", n, r.Key, m.At, want)
			}
		}
		if !r.Created.Equal(messages[0].At) || !r.AwaitingSince.IsZero() {
			t.Errorf("%s: %+v", r.Key, r)
		}
	}
	entries, err := o.info.Store.Entries(t.Context(), store.EntryFilter{Limit: 1000})
	if err != nil || len(entries) != threads*each+1 {
		t.Errorf("the ledger has %d lines, %v", len(entries), err)
	}
	box, err := o.info.Store.MailboxByID(t.Context(), 1)
	if err != nil || box.ImportTotal != threads*each || box.ImportDone != box.ImportTotal {
		t.Errorf("imported: %d of %d, %v", box.ImportDone, box.ImportTotal, err)
	}
}
