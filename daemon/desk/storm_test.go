package desk

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

func folder(t *testing.T, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range all {
		names = append(names, filepath.Join(dir, one.Name()))
	}
	return names
}

// tally counts the lines of the outbox by event, address and state.
func (b *bench) tally() map[string]int {
	b.t.Helper()
	all := make(map[string]int)
	for before := int64(0); ; {
		lines, err := b.taker.Store.Outbox(b.t.Context(), store.OutboxFilter{Before: before, Limit: 1000})
		if err != nil {
			b.t.Fatal(err)
		}
		if len(lines) == 0 {
			return all
		}
		for _, l := range lines {
			all[l.Event+" "+l.To.Address+" "+l.State]++
			before = l.ID
		}
	}
}

// Beyond ten in an hour the notices that one sender causes come as one digest,
// none missing and none twice.
func TestNoticesBecomeADigest(t *testing.T) {
	b := newBench(t, "")
	b.desk.Limits.Mails = 0
	var raws []string
	for i := range 100 {
		raws = append(raws, posted("storm@customer.test", fmt.Sprintf("%d@c", i), "", "again"))
	}
	b.take(raws...)
	got := b.tally()
	for _, agent := range []string{"aki@example.com", "ben@example.com"} {
		if got["new "+agent+" waiting"] != 10 || got["new "+agent+" digest"] != 90 {
			t.Errorf("%s got %v", agent, got)
		}
	}
	if got["received storm@customer.test waiting"] != 5 {
		t.Errorf("the sender gets %v", got)
	}
	for i, want := range []bool{true, false} {
		if queued, err := b.taker.Digests(t.Context(), b.desk); err != nil || queued != want {
			t.Errorf("digests, %d: %v, %v", i, queued, err)
		}
	}
	got = b.tally()
	for _, agent := range []string{"aki@example.com", "ben@example.com"} {
		if got["digest "+agent+" waiting"] != 1 || got["new "+agent+" digested"] != 90 || got["new "+agent+" digest"] != 0 {
			t.Errorf("%s got %v", agent, got)
		}
	}
	keys := make(map[string]bool)
	for _, id := range strings.Fields(b.line(EventDigest, "aki@example.com").Args["lines"]) {
		var n int64
		if _, err := fmt.Sscan(id, &n); err != nil {
			t.Fatal(err)
		}
		line, err := b.taker.Store.OutboxLineByID(t.Context(), n)
		if err != nil || line.Args["digest"] != itoa(b.line(EventDigest, "aki@example.com").ID) {
			t.Fatalf("line %d: %+v, %v", n, line, err)
		}
		keys[line.Request] = true
	}
	if len(keys) != 90 || keys["SUP-10"] || !keys["SUP-11"] || !keys["SUP-100"] {
		t.Errorf("the digest names %d requests", len(keys))
	}
	// An hour later the sender's mail is told at once again.
	b.now = b.now.Add(61 * time.Minute)
	if queued := b.since(func() { b.take(posted("storm@customer.test", "later@c", "", "again")) }); len(queued) != 3 || b.line(EventNew, "aki@example.com").State != store.OutboxWaiting {
		t.Errorf("queued %v", queued)
	}
}

// Sixty notices in an hour are enough for an agent, whoever causes them.
func TestDigestOfMany(t *testing.T) {
	b := newBench(t, "")
	var raws []string
	for i := range 70 {
		raws = append(raws, posted(fmt.Sprintf("c%d@customer.test", i), fmt.Sprintf("%d@c", i), "", "Hello"))
	}
	b.take(raws...)
	if got := b.tally(); got["new aki@example.com waiting"] != 60 || got["new aki@example.com digest"] != 10 {
		t.Errorf("queued %v", got)
	}
}

// A digest is bounded; what is beyond it comes in the next one.
func TestDigestIsBounded(t *testing.T) {
	b := newBench(t, "")
	b.desk.Limits = Limits{NoticesOfSender: 1}
	b.desk.Agents = b.desk.Agents[:1]
	var raws []string
	for i := range 502 {
		raws = append(raws, posted("storm@customer.test", fmt.Sprintf("%d@c", i), "Precedence: list\nList-Id: <x.y>", "again"))
	}
	b.take(raws...)
	if _, err := b.taker.Digests(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	if got := b.tally(); got["digest aki@example.com waiting"] != 2 || got["new aki@example.com digested"] != 501 {
		t.Errorf("queued %v", got)
	}
	last := b.line(EventDigest, "aki@example.com")
	if n := len(strings.Fields(last.Args["lines"])); n != 1 {
		t.Errorf("the second digest has %d lines", n)
	}
}

// A hostile auto-responder that strips every header writes without end: what it
// gets, and what agents get of it, is bounded in the hour and the day, also
// when the program starts anew; the rest is held, and said so in a digest.
func TestStormOfOneSender(t *testing.T) {
	b := newBench(t, "")
	n := 0
	storm := func(mails int) {
		for range mails / 100 {
			var raws []string
			for range 100 {
				n++
				raws = append(raws, posted("robot@hostile.test", fmt.Sprintf("%d@r", n), "", "I am away"))
			}
			b.take(raws...)
			b.now = b.now.Add(time.Second)
		}
		if _, err := b.taker.Digests(t.Context(), b.desk); err != nil {
			t.Fatal(err)
		}
	}
	storm(600)
	check := func(received, told, requests int) {
		t.Helper()
		got := b.tally()
		if got["received robot@hostile.test waiting"] != received || got["new aki@example.com waiting"] != told {
			t.Errorf("after %d mails: %v", n, got)
		}
		if len(b.lines()) > 300 {
			t.Errorf("%d lines in the outbox", len(b.lines()))
		}
		held, err := b.taker.Store.HeldFrom(t.Context(), b.desk.ID, RuleRate, []string{"robot@hostile.test"}, 0, 100000)
		if err != nil || len(held) != n-requests {
			t.Errorf("%d of %d are held, want %d: %v", len(held), n, n-requests, err)
		}
	}
	check(5, 10, 30)
	if line := b.line(EventDigest, "aki@example.com"); !strings.Contains(line.Args["held"], `"count":570`) || len(strings.Fields(line.Args["lines"])) != 20 {
		t.Errorf("the digest says %v", line.Args)
	}
	b.reopen()
	storm(400)
	check(5, 10, 30)
	if line := b.line(EventDigest, "ben@example.com"); !strings.Contains(line.Args["held"], `"count":400`) || line.Args["lines"] != "" {
		t.Errorf("the next digest says %v", line.Args)
	}
	b.now = b.now.Add(2 * time.Hour)
	storm(100)
	check(10, 20, 60)
	b.now = b.now.Add(2 * time.Hour)
	storm(100)
	check(10, 30, 90)
	// Held mail waits until somebody takes it.
	held, err := b.taker.Store.HeldFrom(t.Context(), b.desk.ID, RuleRate, nil, 0, 1)
	if err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	if e := b.takeAgain(held[0].ID, false); e.Outcome != Request {
		t.Errorf("taken as %+v", e)
	}
}

// The desk of another product, which answers each mail and names itself a
// program nowhere, is silent after one answer of ours where its answers show to
// what they answer, and after five where they show nothing.
func TestOtherProductsDesk(t *testing.T) {
	const other = "help@other.test"
	for name, c := range map[string]struct {
		answer        func(m *mail.Message) string // its header to a mail of ours
		ours, reopens int
	}{
		"with our Message-ID": {func(m *mail.Message) string {
			return "Subject: [#7] We have your request\nIn-Reply-To: <" + m.MessageID + ">"
		}, 1, 1},
		"with our subject": {func(m *mail.Message) string { return "Subject: [#7] Received: " + m.Subject }, 1, 1},
		"with nothing":     {func(*mail.Message) string { return "Subject: [#7] We have your request" }, 5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "")
			answered, mails := 0, 1
			exchange := func() { // until nobody has anything to answer
				for {
					var to []store.OutboxLine
					for _, l := range b.lines() {
						if l.To.Address == other {
							to = append(to, l)
						}
					}
					if len(to) == answered {
						return
					}
					if answered > 20 {
						t.Fatalf("they do not stop: %v", b.tally())
					}
					for _, l := range to[answered:] {
						_, _, m := b.render(l)
						answered++
						mails++
						b.take(fmt.Sprintf("From: Help <%s>\nTo: support@example.com\n%s\nMessage-ID: <%d@other.test>\n\nThank you, mail %[3]d.\n", other, c.answer(m), mails))
					}
				}
			}
			b.take(posted(other, "1@other.test", "", "We ask you something."))
			exchange()
			if answered != c.ours || mails != c.ours+1 {
				t.Errorf("%d mails of ours and %d of theirs, want %d and %d", answered, mails, c.ours, c.ours+1)
			}
			b.now = b.now.Add(2 * time.Hour)
			b.answers("aki@example.com", b.line(EventNew, "aki@example.com"), "#resolve")
			exchange()
			if n := b.tally()["reopened "+other+" waiting"]; n != c.reopens || answered > 10 {
				t.Errorf("after it is resolved: %d mails of ours, %d because it was opened again, want at most 10 and %d", answered, n, c.reopens)
			}
		})
	}
}

// A storm within a conversation is held as well; an agent with proof is not.
func TestStormInAConversation(t *testing.T) {
	b, notice := asked(t)
	last := b.line(EventReceived, "taro@customer.test").MessageID
	for i := range 35 {
		e := b.take(posted("taro@customer.test", fmt.Sprintf("s%d@c", i), "In-Reply-To: <"+last+">", "and"))[0]
		if want := map[bool]string{true: Reply, false: Held}[i < 29]; e.Outcome != want {
			t.Fatalf("mail %d became %s by %s, want %s", i+2, e.Outcome, e.Rule, want)
		}
	}
	for i := range 35 {
		if e := b.answers("aki@example.com", notice, fmt.Sprint("Answer ", i)); e.Outcome != Reply {
			t.Fatalf("answer %d became %s by %s", i, e.Outcome, e.Rule)
		}
	}
	if got := b.tally(); got["answered taro@customer.test waiting"] != 35 {
		t.Errorf("a person's answers are capped: %v", got)
	}
}

// Automatic mail to all customers together is capped too.
func TestAutomaticMailInAll(t *testing.T) {
	b := newBench(t, "")
	b.desk.Limits.AutomaticInAll = 20
	var raws []string
	for i := range 30 {
		raws = append(raws, posted(fmt.Sprintf("c%d@customer.test", i), fmt.Sprintf("%d@c", i), "", "Hello"))
	}
	b.take(raws...)
	received := func() (n int) {
		for what, count := range b.tally() {
			if strings.HasPrefix(what, EventReceived) || strings.HasPrefix(what, EventResolved) {
				n += count
			}
		}
		return n
	}
	if n := received(); n != 20 {
		t.Errorf("%d automatic mails, want 20", n)
	}
	if _, err := b.taker.ByHand(t.Context(), b.desk, ByHand{Key: "SUP-1", Agent: mail.Address{Address: "aki@example.com"}, Commands: []Command{{Name: "resolve"}}}); err != nil {
		t.Fatal(err)
	}
	if n := received(); n != 20 || b.request("SUP-1").State != store.StateResolved {
		t.Errorf("%d automatic mails, want 20; SUP-1 is %s", n, b.request("SUP-1").State)
	}
}

// What a desk switched off is not made; a relay that is switched off keeps
// agents' answers only.
func TestMutedAndSilent(t *testing.T) {
	b, notice := asked(t)
	b.desk.Muted = map[string]bool{EventReceived: true, EventNew: true}
	if queued := b.since(func() { b.take(posted("hanako@customer.test", "2@c", "", "Hi")) }); len(queued) != 0 {
		t.Errorf("queued %v", queued)
	}
	b.desk.Muted, b.desk.Silent = nil, true
	queued := b.since(func() {
		b.take(posted("jiro@customer.test", "3@c", "", "Hi"))
		b.answers("aki@example.com", notice, "Yes.\n#assign ben")
	})
	if !slices.Equal(queued, []string{"answered taro@customer.test"}) {
		t.Errorf("queued %v", queued)
	}
	if again, err := b.taker.Digests(t.Context(), b.desk); err != nil || again {
		t.Errorf("a digest while the relay is off: %v, %v", again, err)
	}
}

// A digest is made in one piece: where it fails nothing has changed, and the
// next one brings all of it.
func TestDigestFails(t *testing.T) {
	b := newBench(t, `CREATE TRIGGER full BEFORE UPDATE ON outbox WHEN NEW.state = 'digested' AND (SELECT count(*) FROM outbox WHERE event = 'digest') > 1
		AND (SELECT count(*) FROM meta WHERE key = 'repaired') = 0 BEGIN SELECT RAISE(ABORT, 'it failed'); END`)
	b.desk.Limits.NoticesOfSender = 1
	for i := range 5 {
		b.take(posted("storm@customer.test", fmt.Sprintf("%d@c", i), "", "again"))
	}
	before := b.tally()
	if queued, err := b.taker.Digests(t.Context(), b.desk); err == nil || queued {
		t.Errorf("it did not fail: %v, %v", queued, err)
	}
	if got := b.tally(); fmt.Sprint(got) != fmt.Sprint(before) || got["new ben@example.com digest"] != 4 {
		t.Errorf("after the failure: %v, before it %v", got, before)
	}
	b.write(func(tx *store.Tx) error { return tx.SetMeta("repaired", "yes") })
	if queued, err := b.taker.Digests(t.Context(), b.desk); err != nil || !queued {
		t.Errorf("repaired: %v, %v", queued, err)
	}
	if got := b.tally(); got["digest ben@example.com waiting"] != 1 || got["new ben@example.com digested"] != 4 {
		t.Errorf("repaired: %v", got)
	}
}

// A reply to a digest cannot be sent to anybody; the agent is told so. What an
// agent's robot asks again and again is answered five times an hour.
func TestRepliesThatAreNotSent(t *testing.T) {
	b, notice := asked(t)
	b.desk.Limits.NoticesOfSender = 1
	b.take(posted("taro@customer.test", "2@c", "", "again"))
	if _, err := b.taker.Digests(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	queued := b.since(func() { b.answers("aki@example.com", b.line(EventDigest, "aki@example.com"), "Which one?") })
	if line := b.line(EventNotSent, "aki@example.com"); !slices.Equal(queued, []string{"not-sent aki@example.com"}) || line.Args["why"] != NotSentDigest {
		t.Errorf("queued %v with %v", queued, line.Args)
	}
	for range 7 {
		b.answers("aki@example.com", notice, "#help")
		b.now = b.now.Add(time.Minute)
	}
	if got := b.tally(); got["commands aki@example.com waiting"]+got["not-sent aki@example.com waiting"] != 5 {
		t.Errorf("the agent got %v", got)
	}
}
