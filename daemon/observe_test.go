package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"helpdesk/daemon"
	"helpdesk/store"
	"helpdesk/ui"
)

const observe = `mode = "observe"`

// tree is all that lies in a user's Maildir, with names and contents, but for
// what Dovecot notes for itself.
func (o *office) tree(user string) map[string]string {
	o.t.Helper()
	files := map[string]string{}
	dir := filepath.Join(o.hosts.Dir, "mail", "mail.test", user)
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(e.Name(), "dovecot"):
			return nil
		case e.IsDir():
			files[path] = "directory"
			return nil
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	}); err != nil {
		o.t.Fatal(err)
	}
	return files
}

// recent is how many mails of an inbox nobody has opened it for yet.
func (o *office) recent(address string) uint32 {
	o.t.Helper()
	c, err := imapclient.DialInsecure(o.hosts.IMAP, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(address, "secret").Wait(); err != nil {
		o.t.Fatal(err)
	}
	data, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true, NumUnseen: true}).Wait()
	if err != nil {
		o.t.Fatal(err)
	}
	return *data.NumUnseen
}

// observedDesk waits until a desk observes and has looked at n mails.
func (o *office) observedDesk(n int) ui.DeskStatus {
	o.t.Helper()
	var one ui.DeskStatus
	o.eventually(fmt.Sprintf("%d mails are observed", n), func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		if err != nil {
			return false, err
		}
		one = s.Desks[0]
		return one.Mailbox.State == "observing" && one.Observed != nil && one.Observed.Mails >= n, nil
	})
	if one.Observed.Mails != n || one.Observed.Asked {
		o.t.Errorf("observed is %+v, want %d mails", *one.Observed, n)
	}
	return one
}

// shadow reads what was observed.
func (o *office) shadow() (entries []store.Entry, mails []store.OutboxLine) {
	o.t.Helper()
	s, err := store.OpenReadOnly(o.t.Context(), daemon.ObservePath(filepath.Join(o.dir, "data"), 1), store.Options{})
	if err != nil {
		o.t.Fatal(err)
	}
	defer s.Close()
	entries, err1 := s.Entries(o.t.Context(), store.EntryFilter{Limit: 1000})
	mails, err2 := s.Outbox(o.t.Context(), store.OutboxFilter{Limit: 10000})
	if err := errors.Join(err1, err2); err != nil {
		o.t.Fatal(err)
	}
	return entries, mails
}

// asked waits until the desk is live and asks about n mails.
func (o *office) asked(n int) {
	o.t.Helper()
	o.eventually(fmt.Sprintf("a person is asked about %d mails", n), func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		if err != nil {
			return false, err
		}
		one := s.Desks[0]
		return one.Mailbox.State == "ok" && one.Observed != nil && one.Observed.Asked && one.Observed.Mails == n, nil
	})
}

// queuedLines is how many mails were queued in all, and of an event.
func (o *office) queuedLines() (all int, events map[string]int) {
	o.t.Helper()
	lines, err := o.info.Store.Outbox(o.t.Context(), store.OutboxFilter{Limit: 10000})
	if err != nil {
		o.t.Fatal(err)
	}
	events = map[string]int{}
	for _, l := range lines {
		events[l.Event]++
	}
	return len(lines), events
}

// TestObserve: a desk that observes shows what would become of the newest mails
// and what would be sent, and changes nothing: not a byte on the server, nothing
// in the ledger, no mail. When it is live, a person is asked.
func TestObserve(t *testing.T) {
	const lies, looked = 300, 200
	o := newOffice(t, func(s *officeSettings) { s.Desk, s.After = observe, "move" })
	deliver := func(raw string) {
		t.Helper()
		if err := o.hosts.Deliver(support, []byte(strings.ReplaceAll(raw, "\n", "\r\n"))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range lies - 1 {
		deliver(oldMail(i))
	}
	deliver(robot)
	before := o.tree("support")
	o.start()
	first := o.observedDesk(looked)
	entries, mails := o.shadow()
	outcomes := map[string]int{}
	for _, e := range entries {
		outcomes[e.Outcome]++
	}
	if len(entries) != looked || outcomes["request"] != looked-1 || outcomes["ignored"] != 1 {
		t.Errorf("what would have become of the mails: %v", outcomes)
	}
	if want := 3 * (looked - 1); len(mails) != want { // received, and new to two agents
		t.Errorf("%d mails would have been sent, want %d", len(mails), want)
	}
	if !strings.Contains(o.page("/"), "200 mails were looked at") {
		t.Error("the page does not say that the desk observes")
	}

	// Again after a restart, with mail that came meanwhile, and when the
	// mailbox is numbered anew.
	o.stop()
	o.start()
	if again := o.observedDesk(looked); !again.Observed.Since.Equal(first.Observed.Since) {
		t.Errorf("observing since %v, after a restart since %v", first.Observed.Since, again.Observed.Since)
	}
	if after := o.tree("support"); !maps.Equal(before, after) {
		t.Errorf("the mailbox has changed: %d files before, %d now", len(before), len(after))
	}
	if n := o.recent(support); n != lies {
		t.Errorf("%d mails are unread, want %d", n, lies)
	}
	deliver(plain(1))
	o.observedDesk(looked + 1)
	before = o.tree("support")
	o.stop()
	if err := o.hosts.NewUIDValidity(support, "INBOX"); err != nil {
		t.Fatal(err)
	}
	o.start()
	o.observedDesk(looked)
	if entries, _ := o.shadow(); len(entries) != looked || entries[0].Subject != "Plain 1" {
		t.Errorf("numbered anew, %d mails are observed, the newest is %q", len(entries), entries[0].Subject)
	}
	if after := o.tree("support"); !maps.Equal(before, after) {
		t.Error("the mailbox has changed")
	}
	if all, _ := o.queuedLines(); all != 0 {
		t.Errorf("%d mails were queued", all)
	}
	if entries, err := o.info.Store.Entries(t.Context(), store.EntryFilter{}); err != nil || len(entries) != 0 {
		t.Errorf("the ledger has %d lines, %v", len(entries), err)
	}
	for _, address := range []string{taro, aki, ben} {
		if n := o.count(address, "INBOX"); n != 0 {
			t.Errorf("%d mails came to %s", n, address)
		}
	}
	o.stop()

	// Live: nothing becomes of what was observed, or came before the switch.
	deliver(plain(2))
	o.set.Desk = ""
	o.writeConfig()
	o.start()
	o.recorded("skipped", lies+2)
	o.asked(looked + 1)
	o.send("p3@customer.test", support, plain(3))
	o.request("SUP-1", 1)
	o.settled()
	if all, events := o.queuedLines(); all != 3 {
		t.Errorf("queued: %v, want the three mails about the new one", events)
	}

	if done := o.do(ui.Act{Name: ui.ActObserved, Desk: "SUP", Choice: "take"}).Done[0]; done.Bad || done.Args["n"] != fmt.Sprint(looked+1) {
		t.Errorf("taking what was observed: %+v", done)
	}
	o.eventually("all of it is taken", func(ctx context.Context) (bool, error) {
		requests, err := o.info.Store.Requests(ctx, store.RequestFilter{Limit: 1000})
		return len(requests) == looked+1, err
	})
	o.recorded("ignored", 1) // the robot becomes what the page said
	o.recorded("request", looked+1)
	if _, events := o.queuedLines(); events["received"] != 1 || events["new"] < 2*20 {
		t.Errorf("queued: %v; want notices to agents, and none to customers but for the new mail", events)
	}
	if done := o.do(ui.Act{Name: ui.ActObserved, Desk: "SUP", Choice: "take"}).Done[0]; !done.Bad || done.Slug != "observed-none" {
		t.Errorf("answered a second time: %+v", done)
	}
}

// TestObservedChoices: what was observed can be left alone, or taken quietly;
// a desk that was live before goes on where it was.
func TestObservedChoices(t *testing.T) {
	for choice, requests := range map[string]int{"leave": 2, "import": 5} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, nil)
			o.start()
			o.mailboxOK()
			o.send("p1@customer.test", support, plain(1))
			o.request("SUP-1", 1)
			o.settled()
			o.stop()

			o.set.Desk = observe
			o.writeConfig()
			o.start()
			for i := range 3 {
				o.send("old@customer.test", support, oldMail(i))
			}
			o.observedDesk(3) // not the one that was taken before
			o.stop()
			o.set.Desk = ""
			o.writeConfig()
			o.start()
			o.asked(3)
			o.recorded("skipped", 3)
			queued, _ := o.queuedLines()
			o.do(ui.Act{Name: ui.ActObserved, Desk: "SUP", Choice: choice})
			if choice == "import" {
				o.eventually("all of it is imported", func(ctx context.Context) (bool, error) {
					all, err := o.info.Store.Requests(ctx, store.RequestFilter{})
					return len(all) == requests-1, err
				})
			}
			if now, events := o.queuedLines(); now != queued {
				t.Errorf("queued: %v", events)
			}
			o.send("p2@customer.test", support, plain(2))
			o.request(fmt.Sprintf("SUP-%d", requests), 1)
			o.settled()
			all, err := o.info.Store.Requests(t.Context(), store.RequestFilter{})
			if err != nil || len(all) != requests {
				t.Errorf("%d requests, %v, want %d", len(all), err, requests)
			}
			for _, r := range all {
				if strings.HasPrefix(r.Subject, "Old") && !r.Created.Equal(time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)) {
					t.Errorf("%s was made at %v, want the date of its mail", r.Key, r.Created)
				}
			}
			o.stop()
			o.start()
			o.mailboxOK()
			if s, err := o.info.Status(t.Context()); err != nil || s.Desks[0].Observed != nil {
				t.Errorf("the question is asked again: %+v, %v", s.Desks[0].Observed, err)
			}
			o.recorded("skipped", map[string]int64{"leave": 3}[choice])
		})
	}
}
