package store

import (
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestMigrate5 brings a database with data from version 4 up to date: who had
// asked stays known, where they had asked.
func TestMigrate5(t *testing.T) {
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.db")
	old := rawConn(t, path)
	ctx := t.Context()
	if err := old.migrate(ctx, steps[:4]); err != nil {
		t.Fatal(err)
	}
	const at = "1763000000000"
	if err := old.script(ctx, `
		INSERT INTO sequences VALUES ('request', 4), ('message', 2), ('address', 5), ('outbox', 2), ('ledger', 3), ('key:SUP', 4);
		INSERT INTO desks VALUES (1, 'support@x', 'SUP', 'Support'), (2, 'it@x', 'IT', 'IT');
		INSERT INTO mailboxes VALUES (1, 1, 'imap', 'h', 'u', 'INBOX', 5, 7, 10, 1, 12);
		INSERT INTO addresses VALUES (1, 'ann@x'), (2, 'bob@x'), (3, 'aki@x'), (4, ''), (5, 'cid@x');
		INSERT INTO customers VALUES (1, 'Ann', 'Ann@X', `+at+`, `+at+`), (2, 'Bob', 'bob@x', 1, 2), (5, 'Cid', 'cid@x', 1, 2);
		INSERT INTO requests VALUES
			(1, 1, 'SUP-1', 'Email request', 'Printer', 'open', 'Ann', 'Ann@X', '', 1000, 2000, 0),
			(2, 2, 'IT-1', 'Email request', 'Login', 'resolved', 'Ann', ' ann@x', 'aki@x', 1000, 3000, 1),
			(3, 1, 'SUP-2', 'Email request', 'Nobody', 'waiting', '', '', '', 1000, 4000, 0),
			(4, 1, 'SUP-3', 'Email request', 'Bill', 'waiting', 'Bob', 'bob@x', 'aki@x', 1000, 5000, 0);
		INSERT INTO messages VALUES (1, 1, 1, 'customer', 'Ann', 'Ann@X', 1000, 'm1@x', 1, 1, '', '', NULL, 0, 'text');
		INSERT INTO participants VALUES (1, 'ann@x', 'Ann', 'Ann@X', 'requester');
		INSERT INTO ledger VALUES (1, 1, 1, 7, 10, 'm1@x', 'Ann', 'Ann@X', 1, 'Printer', 1000, 'request', 'request', '', '', '', 1, NULL, 5, 'none', ''),
			(2, 1, 1, 7, 1, 'm0@x', 'Bob', 'bob@x', 2, 'Old', 1000, 'skipped', 'first-start', '', '', '', 0, NULL, 5, 'none', '');
		INSERT INTO positions VALUES (1, 7, 10, 1, 5, NULL, 0, 0);
		INSERT INTO outbox VALUES (1, 1, 1, 'received', 1, 'Ann', 'Ann@X', 1, 'o1@x', '', '', '', 1, 'waiting', 0, 1000, 1000, 0, 0, '', ''),
			(2, 1, 1, 'new', 1, 'Aki', 'aki@x', 3, 'o2@x', '', '', '', 0, 'sent', 1, 1000, 1000, 1000, 1000, '', '');
		INSERT INTO counters VALUES (1, 'outbox:waiting', 0, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := old.close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		address string
		desk    int64
		known   bool
	}{{"ann@x", 1, true}, {"ANN@x", 2, true}, {"bob@x", 1, true}, {"bob@x", 2, false}, {"cid@x", 1, false}, {"aki@x", 1, false}, {"", 1, false}} {
		if is := got[bool](t)(s.KnownAt(ctx, c.desk, c.address)); is != c.known {
			t.Errorf("%+v: known %v", c, is)
		}
	}
	for id, want := range map[int64]time.Time{1: {}, 2: fromMillis(3000), 3: {}, 4: {}} {
		is := got[Request](t)(s.RequestByID(ctx, id))
		if !is.ResolvedAt.Equal(want) || !is.ClosedAt.IsZero() || is.Fields != nil || !is.AwaitingSince.IsZero() || is.MergedInto != 0 || is.Spam {
			t.Errorf("request %+v", is)
		}
	}
	if is := got[[]Request](t)(s.RequestsOf(ctx, []string{"ann@x"})); len(is) != 2 || is[0].ID != 2 {
		t.Errorf("requests of an old requester: %+v", is)
	}
	if is := got[Customer](t)(s.Customer(ctx, "ann@x")); is.Name != "Ann" || is.Named || !slices.Equal(is.Desks, []string{"SUP", "IT"}) {
		t.Errorf("%+v", is)
	}
	if is := got[[]Request](t)(s.RequestsToClose(ctx, 2, fromMillis(3001), 9)); len(is) != 1 {
		t.Errorf("to close: %+v", is)
	}
	if is := got[OutboxLine](t)(s.OutboxLineByID(ctx, 2)); is.CausedBy != "" || is.State != OutboxSent {
		t.Errorf("%+v", is)
	}
	if is := got[Mailbox](t)(s.MailboxByID(ctx, 1)); is.ImportTotal != 0 || is.NextUID != 12 {
		t.Errorf("%+v", is)
	}
	if is := got[Position](t)(s.PositionOf(ctx, 1)); is.UID != 10 {
		t.Errorf("%+v", is)
	}
}
