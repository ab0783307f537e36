package daemon_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"helpdesk/daemon"
	"helpdesk/store"
)

// drag moves all mail of a folder to the inbox, as a person does in a mail program.
func (o *office) drag(folder string) {
	o.t.Helper()
	c, err := imapclient.DialInsecure(o.hosts.IMAP, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	defer c.Close()
	err = errors.Join(c.Login(support, "secret").Wait(), second(c.Select(folder, nil).Wait()))
	if err == nil {
		_, err = c.Move(imap.SeqSet{imap.SeqRange{Start: 1}}, "INBOX").Wait()
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// lies waits until n mails lie in a folder, and none in the inbox.
func (o *office) lies(n int, folder string) {
	o.t.Helper()
	o.eventually(fmt.Sprintf("%d mails lie in %s, and that is on record", n, folder), func(ctx context.Context) (bool, error) {
		pending, err := o.info.Store.Pending(ctx, 1, o.uidvalidity(1))
		return o.count(support, folder) == n && o.count(support, "INBOX") == 0 && len(pending) == 0, err
	})
}

// lines is how many lines the ledger has.
func (o *office) lines() int {
	o.t.Helper()
	entries, err := o.info.Store.Entries(o.t.Context(), store.EntryFilter{})
	if err != nil {
		o.t.Fatal(err)
	}
	return len(entries)
}

// TestDraggedBack: a mail that a person moves back to the inbox from where we
// had put it aside is taken; one that was taken is not taken again, and none is
// where the move is not on record.
func TestDraggedBack(t *testing.T) {
	t.Parallel()
	o := newOffice(t, func(s *officeSettings) {
		s.After, s.Desk = "move", "customer_domains = [\"mail.test\"]\npublic_signup = false"
	})
	o.start()
	o.mailboxOK()
	o.send("robot@customer.test", support, robot)
	o.becomes(1, "ignored", "")
	o.lies(1, "Helpdesk/Ignored")
	o.send("p1@customer.test", support, plain(1))
	o.becomes(2, "held", "unknown-sender")
	o.lies(1, "Helpdesk/Attention")

	o.drag("Helpdesk/Ignored")
	o.becomes(1, "request", "")
	o.lies(1, "Helpdesk/Done")
	o.drag("Helpdesk/Attention")
	o.becomes(2, "request", "")
	o.lies(2, "Helpdesk/Done")
	if n := o.lines(); n != 2 {
		t.Errorf("the ledger has %d lines, want those of the two mails", n)
	}
	o.settled()
	requests, err := o.info.Store.Requests(t.Context(), store.RequestFilter{})
	if err != nil || len(requests) != 2 {
		t.Errorf("%d requests, %v", len(requests), err)
	}
	queued, _ := o.queuedLines()

	// From Done nothing comes of it, as often as a person does it.
	for _, folder := range []string{"Helpdesk/Done", "Helpdesk/Ignored"} {
		n := o.lines()
		o.drag(folder)
		o.eventually("both are seen again", func(context.Context) (bool, error) { return o.lines() == n+2, nil })
		o.lies(2, "Helpdesk/Ignored")
	}
	o.settled()
	if now, events := o.queuedLines(); now != queued {
		t.Errorf("queued: %v", events)
	}
}

// change changes the daemon's database while it does not run.
func (o *office) change(statement string, args ...any) {
	o.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(o.dir, "data", daemon.DatabaseFile))
	if err != nil {
		o.t.Fatal(err)
	}
	_, err = db.ExecContext(o.t.Context(), statement, args...)
	if err := errors.Join(err, db.Close()); err != nil {
		o.t.Fatalf("%s: %v", statement, err)
	}
}

// TestDraggedBackUnproved: nothing happens where the server did not confirm the
// move, because we died in between, and where UIDVALIDITY has changed since.
func TestDraggedBackUnproved(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*office){
		"died after the move": func(o *office) {
			o.change("INSERT OR REPLACE INTO pending SELECT mailbox_id, uidvalidity, uid, 'move:Helpdesk/Ignored' FROM positions")
			o.change("DELETE FROM moved")
		},
		"numbered anew": func(o *office) {
			if err := o.hosts.NewUIDValidity(support, "INBOX"); err != nil {
				o.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, func(s *officeSettings) { s.After = "move" })
			o.start()
			o.mailboxOK()
			o.send("robot@customer.test", support, robot)
			o.becomes(1, "ignored", "")
			o.lies(1, "Helpdesk/Ignored")
			o.stop()
			meanwhile(o)
			o.start()
			o.mailboxOK()
			o.drag("Helpdesk/Ignored")
			o.becomes(2, "duplicate", "")
			o.lies(1, "Helpdesk/Ignored")
			if e := o.becomes(1, "ignored", ""); e.RequestID != 0 {
				t.Errorf("the mail became %+v", e)
			}
			if all, _ := o.queuedLines(); all != 0 {
				t.Errorf("%d mails were queued", all)
			}
		})
	}
}
