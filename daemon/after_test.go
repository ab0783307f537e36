package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/store"
)

func plain(i int) string {
	return fmt.Sprintf("From: P%[1]d <p%[1]d@customer.test>\nTo: support@mail.test\nSubject: Plain %[1]d\nMessage-ID: <p%[1]d@customer.test>\nDate: Sat, 21 Nov 2026 12:00:00 +0900\n\ntext %[1]d\n", i)
}

const robot = "From: Robot <robot@customer.test>\nTo: support@mail.test\nSubject: Away\nMessage-ID: <robot@customer.test>\nAuto-Submitted: auto-replied\nDate: Sat, 21 Nov 2026 12:00:00 +0900\n\nI am away.\n"

// TestAfter: what the server is told after the commit, for each `after`.
func TestAfter(t *testing.T) {
	for after, want := range map[string]map[string]int{
		"keep":   {"INBOX": 2},
		"seen":   {"INBOX": 2},
		"move":   {"INBOX": 0, "Helpdesk/Done": 1, "Helpdesk/Ignored": 1},
		"delete": {"INBOX": 1}, // an ignored mail is never deleted
	} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, func(s *officeSettings) { s.After = after })
			o.start()
			o.mailboxOK()
			o.send("p1@customer.test", "support@mail.test", plain(1))
			o.send("robot@customer.test", "support@mail.test", robot)
			o.request("SUP-1", 1)
			o.recorded("ignored", 1)
			for folder, n := range want {
				o.eventually(fmt.Sprintf("%d mails lie in %s", n, folder), func(context.Context) (bool, error) {
					return o.count("support@mail.test", folder) == n, nil
				})
			}
			if after == "seen" {
				o.eventually("both are marked as seen", func(context.Context) (bool, error) {
					return len(o.flagged("S")) == 2, nil
				})
			} else if after == "keep" {
				o.stop()
				if seen := o.flagged("S"); len(seen) != 0 {
					t.Errorf("%v were marked as seen", seen)
				}
			}
		})
	}
}

// flagged lists the files of the desk's inbox with a Maildir flag.
func (o *office) flagged(flag string) []string {
	o.t.Helper()
	var found []string
	for _, name := range o.files() {
		if _, flags, ok := strings.Cut(name, ":2,"); ok && strings.Contains(flags, flag) {
			found = append(found, name)
		}
	}
	return found
}

// TestLargeMail: of a mail larger than max_size the header and the beginning
// make a request with a note; the mail stays on the server, also with
// after = "delete".
func TestLargeMail(t *testing.T) {
	o := newOffice(t, func(s *officeSettings) { s.MaxSize, s.After = "100kB", "delete" })
	o.start()
	o.mailboxOK()
	large := plain(1) + "The beginning.\n" + strings.Repeat("filling words of a very long mail\n", 10000)
	o.send("p1@customer.test", "support@mail.test", large)
	o.send("p2@customer.test", "support@mail.test", plain(2))
	o.request("SUP-2", 1)
	requests, err := o.info.Store.Requests(t.Context(), store.RequestFilter{})
	if err != nil {
		t.Fatal(err)
	}
	large1 := slices.IndexFunc(requests, func(r store.Request) bool { return r.Subject == "Plain 1" })
	if large1 < 0 {
		t.Fatalf("the large mail is not among the requests: %+v", requests)
	}
	_, messages := o.request(requests[large1].Key, 1)
	if !strings.Contains(messages[0].Text, "The beginning.") || len(messages[0].Text) > 200<<10 {
		t.Errorf("of the large mail %d characters were taken: %.100s", len(messages[0].Text), messages[0].Text)
	}
	entry, err := o.info.Store.Entry(t.Context(), messages[0].LedgerID)
	if err != nil || entry.RawState != store.RawTruncated || entry.Size < 300<<10 {
		t.Errorf("the ledger says %+v, %v", entry, err)
	}
	o.inbox("aki@mail.test", 2)
	notices, err := o.hosts.Mailbox("aki@mail.test", "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(bytes.Join(notices, nil), []byte("stayed in the mailbox")) {
		t.Error("the agents are not told that the mail is longer")
	}
	o.eventually("only the large mail is left", func(context.Context) (bool, error) {
		return o.count("support@mail.test", "INBOX") == 1, nil
	})
}

// TestOutage: mail that arrives while the desk does not run, was read by a
// person, or was delivered while the relay was down is taken and answered.
func TestOutage(t *testing.T) {
	o := newOffice(t, nil)
	o.start()
	o.mailboxOK()
	o.stop()
	for i := range 3 {
		o.send("p@customer.test", "support@mail.test", plain(i))
	}
	o.eventually("the mails have arrived", func(context.Context) (bool, error) { return o.count("support@mail.test", "INBOX") == 3, nil })
	o.markSeen()
	working := o.set.RelayPort
	o.set.RelayPort = "1" // nobody listens there
	o.writeConfig()
	o.start()
	o.request("SUP-3", 1)
	o.eventually("the relay's failure is explained", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && s.Desks[0].Relay.State != "ok" && s.Desks[0].Relay.Cause == "net-refused", err
	})
	lines, err := o.info.Store.Outbox(t.Context(), store.OutboxFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if l.Attempts != 0 || l.State != store.OutboxWaiting {
			t.Errorf("a dead relay was counted against the mail: %+v", l)
		}
	}
	o.stop()
	o.set.RelayPort = working
	o.writeConfig()
	o.start()
	o.settled()
	o.inbox("taro@customer.test", 3)
	o.inbox("aki@mail.test", 3)
}

// TestRefusedMove: a server that refuses to move mail holds up nothing. The
// status says so, and the mail is moved when the server lets it.
func TestRefusedMove(t *testing.T) {
	t.Parallel()
	o := newOffice(t, func(s *officeSettings) { s.After, s.Idle, s.Poll = "move", false, "5s" })
	inTheWay := filepath.Join(o.hosts.Dir, "mail", "mail.test", "support", ".Helpdesk.Done")
	if err := os.MkdirAll(filepath.Dir(inTheWay), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o.start()
	o.mailboxOK()
	o.send("p1@customer.test", "support@mail.test", plain(1))
	o.request("SUP-1", 1)
	o.send("p2@customer.test", "support@mail.test", plain(2))
	o.request("SUP-2", 1)
	o.eventually("the status says that the server refuses", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && len(s.Warnings) == 1 && s.Desks[0].Mailbox.State == "ok", err
	})
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	o.eventually("both mails are moved", func(context.Context) (bool, error) {
		o.clock.Add(int64(time.Minute)) // the quarter of an hour begins with the last refusal, whenever that was
		return o.count("support@mail.test", "Helpdesk/Done") == 2, nil
	})
	o.eventually("the warning is gone", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && len(s.Warnings) == 0, err
	})
}
