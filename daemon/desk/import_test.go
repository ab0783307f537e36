package desk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"helpdesk/store"
)

// Old mail is imported with its own dates: nobody is told, nothing is capped or
// held as too much, and what is old is closed.
func TestImport(t *testing.T) {
	b := newBench(t, "")
	dated := func(id, more string, at time.Time) *Incoming {
		raw := posted("Taro <taro@customer.test>", id, more, "It is broken.")
		in := b.incoming(strings.Replace(raw, "Sat, 21 Nov 2026 12:00:00 +0900", at.Format(time.RFC1123Z), 1))
		in.Import = true
		return in
	}
	long, recent := b.now.AddDate(0, -3, 0), b.now.AddDate(0, 0, -5)
	var batch []*Incoming
	for i := range 40 {
		batch = append(batch, dated(fmt.Sprintf("%d@c", i), "", long.Add(time.Duration(i)*time.Minute)))
	}
	batch = append(batch, dated("recent@c", "", recent), dated("reply@c", "In-Reply-To: <0@c>", recent), dated("future@c", "", b.now.AddDate(1, 0, 0)))
	taken, err := b.taker.Take(t.Context(), b.desk, b.box, batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, one := range taken {
		if want := map[bool]string{true: Reply, false: Request}[i == 41]; one.Outcome != want {
			t.Errorf("mail %d became %s by %s, want %s", i, one.Outcome, b.entry(one.Entry).Rule, want)
		}
	}
	if lines := b.lines(); len(lines) != 0 {
		t.Fatalf("queued %v", b.outbox())
	}
	second := b.request("SUP-2")
	if second.State != store.StateResolved || second.ClosedAt.IsZero() || !second.Created.Equal(long.Add(time.Minute).Truncate(time.Second)) || !second.Updated.Equal(second.Created) {
		t.Errorf("an old request is %+v", second)
	}
	first := b.request("SUP-1")
	if first.State != store.StateOpen || !first.ClosedAt.IsZero() || !first.AwaitingSince.IsZero() || !first.Updated.Equal(recent) || first.Messages != 2 {
		t.Errorf("a request with a recent mail is %+v", first)
	}
	if future := b.request("SUP-42"); !future.Created.Equal(b.now) || future.State != store.StateOpen {
		t.Errorf("a mail of the future is %+v", future)
	}
	// Mail that comes now is not held for what was imported.
	if e := b.take(posted("taro@customer.test", "now@c", "", "Now"))[0]; e.Outcome != Request || len(b.outbox()) != 3 {
		t.Errorf("new mail became %s by %s, queued %v", e.Outcome, e.Rule, b.outbox())
	}
}

// Imported mail of a sender whom we do not know is held; also when it is
// released nobody is told of it.
func TestImportedAndHeld(t *testing.T) {
	b := newBench(t, "")
	b.desk.PublicSignup, b.desk.AnswerUnknown = false, true
	in := b.incoming(strings.Replace(posted("taro@customer.test", "1@c", "", "Hi"), "21 Nov 2026", "21 Mar 2026", 1))
	in.Import = true
	if got := b.arrive(in); got.Outcome != Held {
		t.Fatalf("became %+v", got)
	}
	b.write(func(tx *store.Tx) error { return tx.AddMember(b.desk.ID, taro, b.now) })
	if n, err := b.taker.Release(t.Context(), b.desk, []string{"taro@customer.test"}); err != nil || n != 1 {
		t.Fatalf("released %d, %v", n, err)
	}
	if r := b.request("SUP-1"); len(b.lines()) != 0 || r.Created.Month() != time.March || r.ClosedAt.IsZero() {
		t.Errorf("released as %+v, queued %v", r, b.outbox())
	}
}
