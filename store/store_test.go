package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"helpdesk/mail"
)

// office is the zone of the tests' clock: its day begins before that of UTC.
var office = time.FixedZone("JST", 9*3600)

var start = time.Date(2026, 11, 21, 7, 30, 0, 0, office)

// clock is the time of a test's Store.
type clock struct{ now time.Time }

func (c *clock) add(d time.Duration) { c.now = c.now.Add(d) }

func open(t testing.TB) (*Store, *clock) {
	t.Helper()
	c := &clock{now: start}
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "helpdesk.db"), Options{Now: func() time.Time { return c.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s, c
}

// write runs fn in a transaction that must succeed.
func write(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// got fails the test when a read failed.
func got[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func pragma(t testing.TB, s *Store, name string) string {
	t.Helper()
	var value string
	write(t, s, func(tx *Tx) error {
		return tx.conn.query(tx.ctx, func(r *row) error {
			if n, ok := r.values[0].(int64); ok {
				b, err := json.Marshal(n)
				value = string(b)
				return err
			}
			value = r.text()
			return nil
		}, "PRAGMA "+name)
	})
	return value
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

func TestPragmas(t *testing.T) {
	s, _ := open(t)
	for name, want := range map[string]string{
		"page_size":      "4096",
		"auto_vacuum":    "2", // incremental
		"journal_mode":   "wal",
		"synchronous":    "2", // full
		"foreign_keys":   "1",
		"temp_store":     "2", // memory
		"application_id": "1751477360",
		"busy_timeout":   "5000",
		"encoding":       "UTF-8",
	} {
		if is := pragma(t, s, name); is != want {
			t.Errorf("%s is %s, want %s", name, is, want)
		}
	}
	// A connection opened again after a failure is like the first one.
	s.writer.conn.broken = errors.New("as if the disk had failed")
	if err := s.Write(t.Context(), func(*Tx) error { return nil }); err == nil {
		t.Fatal("a broken connection went on")
	}
	if is := pragma(t, s, "synchronous"); is != "2" {
		t.Errorf("synchronous of the second connection is %s", is)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	s, _ := open(t)
	err := s.readers.use(t.Context(), func(ctx context.Context, c *conn) error {
		_, err := c.exec(ctx, "INSERT INTO meta VALUES ('a', 'b')")
		return err
	})
	if err == nil || !Unavailable(err) {
		t.Fatalf("a reader wrote: %v", err)
	}
	if _, _, err := s.Meta(t.Context(), "a"); err != nil {
		t.Fatalf("reading after that: %v", err)
	}
}

// TestReaderGivesUp cancels a query that would never end, as a browser does
// that is closed.
func TestReaderGivesUp(t *testing.T) {
	s, _ := open(t)
	write(t, s, func(tx *Tx) error { return tx.SetMeta("a", "b") })
	for range 2 * maxReaders { // more often than there are connections
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := one(ctx, s.View, (*row).int, "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !Unavailable(err) {
			t.Fatalf("a query without end: %v", err)
		}
		if v, _, err := s.Meta(t.Context(), "a"); err != nil || v != "b" {
			t.Fatalf("the next one: %q, %v", v, err)
		}
	}
	// With all connections lent, waiting for one ends with the context as well.
	for range maxReaders {
		s.readers.lent <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Desks(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a free connection: %v", err)
	}
	for range maxReaders {
		<-s.readers.lent
	}
}

func TestFileIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("rights are those of the folder there")
	}
	s, _ := open(t)
	write(t, s, func(tx *Tx) error { return tx.SetMeta("a", "b") })
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(s.writer.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("helpdesk.db%s has rights %v", suffix, info.Mode())
		}
	}
}

func TestDSN(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "50%25?mode=memory#x&y.db", "ヘルプ.db", "a+b;c.db"} {
		if runtime.GOOS == "windows" && strings.Contains(name, "?") {
			continue
		}
		path := filepath.Join(t.TempDir(), name)
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		write(t, s, func(tx *Tx) error { return tx.SetMeta("name", name) })
		if v, ok, err := s.Meta(t.Context(), "name"); err != nil || !ok || v != name {
			t.Errorf("%s: read %q, %v", name, v, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s is not where it should be: %v", name, err)
		}
	}
	name, err := dsn("/data/a b/x?.db", "ro")
	if want := "file:///data/a%20b/x%3F.db?mode=ro"; err != nil || name != want && runtime.GOOS != "windows" {
		t.Errorf("%s, %v", name, err)
	}
}

func TestClose(t *testing.T) {
	s, _ := open(t)
	path := s.writer.path
	write(t, s, func(tx *Tx) error { return tx.SetMeta("a", "b") })
	if _, _, err := s.Meta(t.Context(), "a"); err != nil { // a reader is open as well
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); !os.IsNotExist(err) {
			t.Errorf("helpdesk.db%s was left behind: %v", suffix, err)
		}
	}
	if err := s.Write(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) || !Unavailable(err) {
		t.Errorf("writing after Close: %v", err)
	}
	if _, _, err := s.Meta(t.Context(), "a"); !errors.Is(err, ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
}

func TestOpenReadOnly(t *testing.T) {
	s, _ := open(t)
	write(t, s, func(tx *Tx) error { return tx.SetMeta("a", "b") })
	for _, daemon := range []string{"running", "stopped"} {
		if daemon == "stopped" {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r, err := OpenReadOnly(t.Context(), s.writer.path, Options{})
		if err != nil {
			t.Fatalf("with the daemon %s: %v", daemon, err)
		}
		if v, _, err := r.Meta(t.Context(), "a"); err != nil || v != "b" {
			t.Errorf("with the daemon %s: read %q, %v", daemon, v, err)
		}
		if err := r.Write(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrReadOnly) {
			t.Errorf("wrote: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("with the daemon %s: closing: %v", daemon, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.db")
	if _, err := OpenReadOnly(t.Context(), missing, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("reading a missing file made it")
	}
}

// TestReadOnlyLeavesNothingForeign reads as root what belongs to the service's
// user, with no daemon running: what is left must be usable by that user.
func TestReadOnlyLeavesNothingForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can own files for others")
	}
	s, _ := open(t)
	write(t, s, func(tx *Tx) error { return tx.SetMeta("a", "b") })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := s.writer.path
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Meta(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	checkOwner(t, path)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	checkOwner(t, path)
}

func TestCheckpointKeepsTheLogShort(t *testing.T) {
	s, _ := open(t)
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MB
	for range 72 {
		write(t, s, func(tx *Tx) error { return tx.SetMeta("big", big) })
	}
	info, err := os.Stat(s.writer.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 48<<20 {
		t.Errorf("the log is %d MB long", info.Size()>>20)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCheckpointer has only the checkpointer bring the log into the database.
func TestCheckpointer(t *testing.T) {
	s, _ := open(t)
	write(t, s, func(tx *Tx) error { return tx.conn.script(tx.ctx, "PRAGMA wal_autocheckpoint = 0") })
	for i := range 3 * checkpointPages * pageSize >> 20 {
		write(t, s, func(tx *Tx) error { return tx.SetMeta(fmt.Sprint(i), strings.Repeat("x", 1<<20)) })
	}
	write(t, s, func(tx *Tx) error { // let it end what it was asked for
		err := s.writer.check.close()
		s.writer.check = startCheckpointer(tx.ctx, s.writer.path)
		return err
	})
	info, err := os.Stat(s.writer.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() < checkpointPages*pageSize {
		t.Errorf("only %d bytes have reached the database", info.Size())
	}
}

func TestRest(t *testing.T) {
	s, _ := open(t)
	write(t, s, func(tx *Tx) error { return tx.SetMeta("a", strings.Repeat("x", 2<<20)) })
	used := func() (bytes int) {
		write(t, s, func(tx *Tx) (err error) {
			bytes, _, err = tx.conn.db.(sqlite.DBStatus).Status(sqlite.DBStatusCacheUsed, false)
			return err
		})
		return bytes
	}
	before := used()
	s.writer.rest()
	if after := used(); after > before/4 {
		t.Errorf("%d of %d bytes are still held", after, before)
	}
	if v, _, err := s.Meta(t.Context(), "a"); err != nil || len(v) != 2<<20 {
		t.Error(len(v), err)
	}
}

func TestNothingIsAnEmptyList(t *testing.T) {
	s, _ := open(t)
	for name, list := range map[string]any{
		"requests": got[[]Request](t)(s.Requests(t.Context(), RequestFilter{})),
		"search":   got[[]Request](t)(s.Requests(t.Context(), RequestFilter{Query: "x"})),
		"entries":  got[[]Entry](t)(s.Entries(t.Context(), EntryFilter{})),
		"outbox":   got[[]OutboxLine](t)(s.Outbox(t.Context(), OutboxFilter{})),
		"messages": got[[]Message](t)(s.Messages(t.Context(), 1)),
	} {
		if b, err := json.Marshal(list); err != nil || string(b) != "[]" {
			t.Errorf("%s: %s, %v", name, b, err)
		}
	}
}

func TestJSON(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 0, 0, 0, office)
	for _, c := range []struct {
		value any
		want  string
	}{
		{Entry{ID: 7, Desk: "SUP", Mailbox: "INBOX", UID: 12, MessageID: "a@b", From: mail.Address{Name: "N", Address: "c@d"}, Subject: "S", SeenAt: at,
			Outcome: "request", Rule: "r", Reason: "x", Request: "SUP-1"},
			`{"id":7,"desk":"SUP","mailbox":"INBOX","uid":12,"message_id":"a@b","from":"c@d","subject":"S","seen_at":"2026-11-20T23:00:00Z","outcome":"request","rule":"r","reason":"x","request":"SUP-1"}`},
		{Entry{}, `{"id":0,"desk":"","mailbox":"","uid":0,"message_id":"","from":"","subject":"","seen_at":"0001-01-01T00:00:00Z","outcome":"","rule":"","reason":"","request":""}`},
		{OutboxLine{ID: 3, Request: "SUP-1", Event: "received", To: mail.Address{Address: "c@d"}, MessageID: "m", State: OutboxWaiting, Attempts: 2, NextAt: at, Cause: "c", Error: "e"},
			`{"id":3,"request":"SUP-1","event":"received","to":"c@d","message_id":"m","state":"waiting","attempts":2,"next":"2026-11-20T23:00:00Z","cause":"c","error":"e"}`},
		{OutboxLine{State: OutboxSent, NextAt: at}, `{"id":0,"request":"","event":"","to":"","message_id":"","state":"sent","attempts":0,"next":null,"cause":"","error":""}`},
		{Request{ID: 1, Key: "SUP-1", Desk: "SUP", Created: at.UTC(), Updated: at.UTC(), Messages: 2, LinkedTo: 4},
			`{"key":"SUP-1","desk":"SUP","type":"","subject":"","state":"","requester":{"name":"","address":""},"assignee":"","created":"2026-11-20T23:00:00Z","updated":"2026-11-20T23:00:00Z","messages":2}`},
		{Message{LedgerID: 5, Kind: KindNote, At: at.UTC(), Attachments: []mail.Attachment{}},
			`{"ledger":5,"kind":"note","from":{"name":"","address":""},"at":"2026-11-20T23:00:00Z","text":"","reply":"","attachments":[]}`},
		{Participant{Address: mail.Address{Name: "N", Address: "c@d"}, Role: RoleCC}, `{"name":"N","address":"c@d","role":"cc"}`},
		{OutboxCounts{1, 2, 3}, `{"waiting":1,"failed":2,"sent_today":3}`},
	} {
		b, err := json.Marshal(c.value)
		if err != nil || string(b) != c.want {
			t.Errorf("got  %s, %v\nwant %s", b, err, c.want)
		}
	}
}

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
