package desk

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/store"
)

// takeAgain takes a line of the ledger as a person does, and returns the line.
func (b *bench) takeAgain(id int64, quiet bool) store.Entry {
	b.t.Helper()
	if _, fetch, err := b.taker.TakeAgain(b.t.Context(), b.desk, b.box, id, quiet); err != nil || fetch {
		b.t.Fatalf("taking line %d: to be fetched %v, %v", id, fetch, err)
	}
	return b.entry(id)
}

func (b *bench) entry(id int64) store.Entry {
	b.t.Helper()
	entry, err := b.taker.Store.Entry(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return entry
}

// ledger counts the lines of the ledger.
func (b *bench) ledger() int {
	b.t.Helper()
	all, err := b.taker.Store.Entries(b.t.Context(), store.EntryFilter{Limit: 100000})
	if err != nil {
		b.t.Fatal(err)
	}
	return len(all)
}

// pending is what the server is told of a UID; "-" where it has no position.
func (b *bench) pending(uid uint32) string {
	b.t.Helper()
	all, err := b.taker.Store.Positions(b.t.Context(), b.box.ID, b.box.UIDValidity, uid)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(all) == 0 || all[0].UID != uid {
		return "-"
	}
	return all[0].Pending
}

// write changes the store as another part of the program does.
func (b *bench) write(fn func(tx *store.Tx) error) {
	b.t.Helper()
	if err := b.taker.Store.Write(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

// arrive takes one mail at a UID.
func (b *bench) arrive(in *Incoming) Taken {
	b.t.Helper()
	taken, err := b.taker.Take(b.t.Context(), b.desk, b.box, []*Incoming{in})
	if err != nil {
		b.t.Fatal(err)
	}
	return taken[0]
}

// At a desk that knows its customers a stranger's mail is held. When the
// stranger is added it is taken in full, once, its line updated in place.
func TestHeldUntilAdded(t *testing.T) {
	b := newBench(t, "")
	b.desk.PublicSignup, b.desk.AnswerUnknown = false, true
	entries := b.take(posted("Taro <taro@customer.test>", "1@c", "", "It is broken."), posted("taro@customer.test", "2@c", "", "Hello?"),
		posted("eve@else.test", "3@c", "", "And I?"))
	for _, e := range entries {
		if e.Outcome != Held || e.Rule != RuleUnknown || e.RawState != store.RawWhole {
			t.Fatalf("became %+v", e)
		}
	}
	if want := []string{"held taro@customer.test", "held eve@else.test"}; !slices.Equal(b.outbox(), want) {
		t.Errorf("queued %v, want %v", b.outbox(), want)
	}
	if got := b.pending(1); got != "move:Helpdesk/Attention" {
		t.Errorf("the server is told %q", got)
	}
	b.write(func(tx *store.Tx) error {
		return tx.AddMember(b.desk.ID, mail.Address{Address: "taro@customer.test"}, b.now)
	})
	lines := b.ledger()
	queued := b.since(func() {
		if n, err := b.taker.Release(t.Context(), b.desk, []string{"taro@customer.test"}); err != nil || n != 2 {
			t.Errorf("released %d, %v", n, err)
		}
	})
	if want := []string{"received taro@customer.test", "new aki@example.com", "new ben@example.com"}; !slices.Equal(queued, append(want, want...)) {
		t.Errorf("queued %v", queued)
	}
	if e := b.entry(entries[0].ID); e.Outcome != Request || e.Request != "SUP-1" || b.ledger() != lines || b.entry(entries[2].ID).Outcome != Held {
		t.Errorf("the line is %+v, %d lines instead of %d", e, b.ledger(), lines)
	}
	if got := b.pending(1); got != "move:Helpdesk/Done" {
		t.Errorf("the server is told %q", got)
	}
	for range 2 {
		queued = b.since(func() {
			if n, err := b.taker.Release(t.Context(), b.desk, []string{"taro@customer.test"}); err != nil || n != 0 {
				t.Errorf("released %d more, %v", n, err)
			}
			b.takeAgain(entries[0].ID, false)
		})
		if len(queued) != 0 || b.entry(entries[0].ID).Request != "SUP-1" {
			t.Errorf("taken twice: %v", queued)
		}
	}
	// Whom the configuration lets in now is released without being named.
	b.desk.CustomerDomains = []string{"else.test"}
	if n, err := b.taker.Release(t.Context(), b.desk, nil); err != nil || n != 1 || b.entry(entries[2].ID).Outcome != Request {
		t.Errorf("released %d, %v", n, err)
	}
}

// Two that want the same held mail at once get one request.
func TestReleaseAtOnce(t *testing.T) {
	b := newBench(t, "")
	b.desk.PublicSignup = false
	id := b.take(posted("taro@customer.test", "1@c", "", "It is broken."))[0].ID
	done := make(chan error, 4)
	for range cap(done) {
		go func() {
			_, _, err := b.taker.TakeAgain(t.Context(), b.desk, b.box, id, false)
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := len(b.outbox()); n != 3 {
		t.Errorf("%d mails were queued, want 3: %v", n, b.outbox())
	}
}

// What was ignored, blocked or held is taken when a person wants it, and then
// told to the server as any other; automatic mail is never answered.
func TestWant(t *testing.T) {
	for _, c := range []struct {
		name, from, more, after string
		block                   []string
		outcome, pending        string
		queued                  []string
	}{
		{"a newsletter", "news@shop.test", "Precedence: bulk", "delete", nil, Ignored, "delete", []string{"new aki@example.com", "new ben@example.com"}},
		{"a newsletter, seen", "news@shop.test", "Precedence: bulk", "seen", nil, Ignored, "seen", []string{"new aki@example.com", "new ben@example.com"}},
		{"a blocked sender", "eve@else.test", "", "delete", []string{"else.test"}, Blocked, "delete", []string{"received eve@else.test", "new aki@example.com", "new ben@example.com"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, "")
			b.desk.After, b.desk.Block = c.after, c.block
			entry := b.take(posted(c.from, "1@c", c.more, "Words"))[0]
			if entry.Outcome != c.outcome || len(b.outbox()) != 0 {
				t.Fatalf("became %+v, queued %v", entry, b.outbox())
			}
			if got := b.pending(1); c.after == "delete" && got != "" {
				t.Errorf("the server is told %q of what was set aside", got)
			}
			if e := b.takeAgain(entry.ID, false); e.Outcome != Request || e.Request != "SUP-1" || e.ID != entry.ID || b.ledger() != 1 {
				t.Errorf("taken as %+v", e)
			}
			if !slices.Equal(b.outbox(), c.queued) || b.pending(1) != c.pending {
				t.Errorf("queued %v, told %q; want %v, %q", b.outbox(), b.pending(1), c.queued, c.pending)
			}
			counts, err := b.taker.Store.Counts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, count := range counts {
				if count.Outcome == c.outcome && count.Total != 0 {
					t.Errorf("%d are counted as %s", count.Total, c.outcome)
				}
			}
		})
	}
}

// What was set aside is left as it lies, never deleted, and goes where people
// look for it.
func TestTell(t *testing.T) {
	for _, c := range []struct{ outcome, seen, deleted, moved string }{
		{Request, "seen", "delete", "move:H/Done"},
		{Reply, "seen", "delete", "move:H/Done"},
		{Held, "", "", "move:H/Attention"},
		{Quarantined, "", "", "move:H/Attention"},
		{Ignored, "seen", "", "move:H/Ignored"},
		{Blocked, "seen", "", "move:H/Ignored"},
		{Skipped, "", "", ""},
	} {
		tell := func(after string) string {
			return Tell(&Settings{After: after, MoveTo: "H"}, c.outcome, store.RawWhole)
		}
		if tell("seen") != c.seen || tell("delete") != c.deleted || tell("move") != c.moved || tell("keep") != "" {
			t.Errorf("%s: %q, %q, %q", c.outcome, tell("seen"), tell("delete"), tell("move"))
		}
	}
	if got := Tell(&Settings{After: "delete"}, Request, store.RawTruncated); got != "" {
		t.Errorf("a mail of which we have the beginning: %q", got)
	}
}

// Taken quietly nobody is told.
func TestWantQuietly(t *testing.T) {
	b := newBench(t, "")
	id := b.take(posted("news@shop.test", "1@c", "Precedence: bulk", "Words"))[0].ID
	if e := b.takeAgain(id, true); e.Outcome != Request || len(b.outbox()) != 0 {
		t.Errorf("taken as %+v, queued %v", e, b.outbox())
	}
}

// The text of old mail is not here: it is marked as wanted, and taken when the
// collector has fetched it.
func TestWantSkipped(t *testing.T) {
	b := newBench(t, "")
	old := posted("taro@customer.test", "old@c", "", "from last year")
	header, _, _ := strings.Cut(strings.ReplaceAll(old, "\n", "\r\n"), "\r\n\r\n")
	if err := b.taker.Skip(t.Context(), b.box, []Old{{UID: 1, Size: 1, Header: []byte(header + "\r\n\r\n")}}); err != nil {
		t.Fatal(err)
	}
	entries, err := b.taker.Store.Entries(t.Context(), store.EntryFilter{})
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	id := entries[0].ID
	taken, fetch, err := b.taker.TakeAgain(t.Context(), b.desk, b.box, id, false)
	if err != nil || !fetch || taken.Outcome != Skipped {
		t.Fatalf("%+v, to be fetched %v, %v", taken, fetch, err)
	}
	wanted, _, err := b.taker.Store.Wanted(t.Context(), b.box.ID, 1)
	if err != nil || len(wanted) != 1 || wanted[0].UID != 1 {
		t.Fatalf("wanted are %v, %v", wanted, err)
	}
	in := b.incoming(old)
	in.Wanted, in.Entry = true, id
	if got := b.arrive(in); got.Outcome != Request || got.Entry != id || b.ledger() != 1 {
		t.Errorf("taken as %+v", got)
	}
	if want := []string{"new aki@example.com", "new ben@example.com"}; !slices.Equal(b.outbox(), want) {
		t.Errorf("queued %v, want %v: no automatic mail about old mail", b.outbox(), want)
	}
	if _, still, err := b.taker.Store.WantedEntry(t.Context(), id); err != nil || still {
		t.Errorf("it is still wanted: %v, %v", still, err)
	}
	if got := b.arrive(in); got.Outcome != Request || len(b.outbox()) != 2 {
		t.Errorf("fetched twice: %+v, %v", got, b.outbox())
	}
	b.write(func(tx *store.Tx) error { return tx.ForgetPositions(b.box.ID, 1, []uint32{2}) })
	if err := b.taker.Skip(t.Context(), b.box, []Old{{UID: 2, Size: 1, Header: []byte("Message-ID: <gone@c>\r\n\r\n")}}); err != nil {
		t.Fatal(err)
	}
	b.write(func(tx *store.Tx) error { return tx.ForgetPositions(b.box.ID, 1, []uint32{2}) })
	if _, _, err := b.taker.TakeAgain(t.Context(), b.desk, b.box, id+1, false); !errors.Is(err, ErrGone) {
		t.Errorf("what the server does not list any more: %v", err)
	}
}

// A large mail is read back through a file, which is gone afterwards.
func TestWantLarge(t *testing.T) {
	b := newBench(t, "")
	b.taker.Spool = t.TempDir()
	raw := posted("news@shop.test", "1@c", "Precedence: bulk", strings.Repeat("Words and words.\n", 100_000))
	id := b.take(raw)[0].ID
	if e := b.takeAgain(id, false); e.Outcome != Request || e.RawState != store.RawWhole {
		t.Errorf("taken as %+v", e)
	}
	if m := b.messages("SUP-1"); len(m) != 1 || len(m[0]) < 1_000_000 {
		t.Errorf("%d messages", len(m))
	}
	if left := folder(t, b.taker.Spool); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A mail that a person drags back from the folder that we moved it to is
// taken: only where the server confirmed our move, its numbers are still the
// same, and it is that very mail.
func TestDraggedBack(t *testing.T) {
	news := posted("news@shop.test", "1@c", "Precedence: bulk\nReceived: from shop.test; Sat, 21 Nov 2026 12:00:00 +0900", "Words")
	again := strings.Replace(news, "12:00:00 +0900\nPrecedence", "12:00:00 +0900\nPrecedence", 1)
	for _, c := range []struct {
		name  string
		raw   string
		setup func(*bench, store.Entry)
		want  string
	}{
		{"our move was confirmed", again, confirmed(1), Request},
		{"it was not confirmed", again, func(*bench, store.Entry) {}, Duplicate},
		{"the mailbox was numbered anew", again, func(b *bench, e store.Entry) { confirmed(1)(b, e); b.box.UIDValidity = 2 }, Duplicate},
		{"it was delivered a second time", strings.Replace(news, "12:00:00 +0900\n\n", "12:00:09 +0900\n\n", 1), confirmed(1), Duplicate},
		{"mail is not moved any more", again, func(b *bench, e store.Entry) { confirmed(1)(b, e); b.desk.After = "seen" }, Duplicate},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, "")
			first := b.take(news)[0]
			if first.Outcome != Ignored {
				t.Fatalf("became %+v", first)
			}
			c.setup(b, first)
			got := b.arrive(b.incoming(c.raw))
			if got.Outcome != c.want {
				t.Fatalf("became %+v, want %s", got, c.want)
			}
			if c.want == Request {
				if got.Entry != first.ID || got.Pending != "move:Helpdesk/Done" || b.ledger() != 1 || b.pending(1) != "-" {
					t.Errorf("taken as %+v, its old place has %q", got, b.pending(1))
				}
				confirmed(2)(b, first)
				if once := b.arrive(b.incoming(c.raw)); once.Outcome != Duplicate || len(b.outbox()) != 2 {
					t.Errorf("dragged back from Done: %+v, %v", once, b.outbox())
				}
			}
		})
	}
}

// confirmed notes that the server moved the mail at a UID.
func confirmed(uid uint32) func(*bench, store.Entry) {
	return func(b *bench, e store.Entry) {
		b.write(func(tx *store.Tx) error {
			if err := tx.ClearPending(b.box.ID, b.box.UIDValidity, []uint32{uid}); err != nil {
				return err
			}
			return tx.AddMove(store.Move{LedgerID: e.ID, MailboxID: b.box.ID, UIDValidity: b.box.UIDValidity, Folder: "Helpdesk/Ignored", At: b.now})
		})
	}
}

// Held and quarantined mail dragged back is taken in the same way.
func TestDraggedBackFromAttention(t *testing.T) {
	b := newBench(t, `CREATE TRIGGER poison BEFORE INSERT ON messages WHEN NEW.text LIKE '%poison%' AND (SELECT count(*) FROM moved) = 0 BEGIN SELECT RAISE(ABORT, 'it broke us'); END`)
	poison := posted("b@customer.test", "2@c", "", "This is poison.")
	first := b.take(poison)[0]
	if first.Outcome != Quarantined {
		t.Fatalf("became %+v", first)
	}
	confirmed(1)(b, first)
	if got := b.arrive(b.incoming(poison)); got.Outcome != Request || got.Entry != first.ID || b.ledger() != 1 {
		t.Errorf("the quarantined mail became %+v, %d lines", got, b.ledger())
	}
	b.desk.PublicSignup = false
	stranger := posted("eve@else.test", "3@c", "", "Hello")
	held := b.take(stranger)[0]
	confirmed(3)(b, held)
	if got := b.arrive(b.incoming(stranger)); got.Outcome != Request || got.Entry != held.ID {
		t.Errorf("the held mail became %+v", got)
	}
}

// A mail that lies in Attention is taken from the store; the server is told
// nothing of the place where it lay before.
func TestWantWhatWasMoved(t *testing.T) {
	b := newBench(t, "")
	b.desk.PublicSignup = false
	held := b.take(posted("eve@else.test", "3@c", "", "Hello"))[0]
	confirmed(1)(b, held)
	if e := b.takeAgain(held.ID, false); e.Outcome != Request || b.pending(1) != "" {
		t.Errorf("taken as %+v, the server is told %q", e, b.pending(1))
	}
}
