package desk

import (
	"errors"
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

// spooled is a mail too large to be packed beforehand, whose text lies in a
// file that cannot be read any more when it is to be stored.
func (b *bench) spooled(raw string) *Incoming {
	b.t.Helper()
	b.uid++
	raw = strings.ReplaceAll(raw+strings.Repeat("0123456789abcdef\n", 100_000), "\n", "\r\n")
	path := filepath.Join(b.t.TempDir(), "spool")
	if err := os.WriteFile(path, []byte(raw), 0o600); err != nil {
		b.t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		b.t.Fatal(err)
	}
	in, err := b.taker.Prepare(&mail.Raw{
		UIDValidity: b.box.UIDValidity, UID: b.uid, Size: int64(len(raw)), Length: int64(len(raw)), Content: file, Close: func() {},
	})
	if err := errors.Join(err, file.Close()); err != nil {
		b.t.Fatal(err)
	}
	return in
}

// What the store rolled back was not taken, and the server hears nothing of it:
// with after = "delete" the mail would be gone.
func TestTakeReportsOnlyWhatIsCommitted(t *testing.T) {
	b := newBench(t, "")
	b.desk.After = "delete"
	batch := []*Incoming{b.incoming(posted("taro@customer.test", "1@c", "", "one")), b.spooled(posted("jiro@customer.test", "2@c", "", "two"))}
	taken, err := b.taker.Take(t.Context(), b.desk, b.box, batch)
	if !store.Unavailable(err) {
		t.Fatalf("a spool file that cannot be read gave %v", err)
	}
	if len(taken) != 0 {
		t.Errorf("of a batch that was rolled back %+v is reported", taken)
	}
	if entries, err := b.taker.Store.Entries(t.Context(), store.EntryFilter{}); err != nil || len(entries) != 0 {
		t.Errorf("the ledger holds %+v, %v", entries, err)
	}
	if pending, err := b.taker.Store.Pending(t.Context(), b.box.ID, b.box.UIDValidity); err != nil || len(pending) != 0 {
		t.Errorf("the server would be told %+v, %v", pending, err)
	}
}

// withSubject is a letter with another subject.
func withSubject(subject, raw string) string {
	return strings.Replace(raw, "Subject: Printer", "Subject: "+subject, 1)
}

// answer lets Aki answer a request by the token of her notice.
func (b *bench) answer(request, id string) {
	b.t.Helper()
	for _, l := range b.lines() {
		if l.Request == request && l.Event == EventNew && l.To.Key() == aki.Address {
			if e := b.take(posted(aki.Address, id, "In-Reply-To: <"+l.MessageID+">", "The password is sesame."))[0]; e.Outcome != Reply || e.Request != request {
				b.t.Fatalf("Aki's answer became %+v", e)
			}
			return
		}
	}
	b.t.Fatalf("Aki has no notice of %s: %v", request, b.outbox())
}

// A stranger who names a request, or the customer in Reply-To, brings nobody
// into the conversation: what an agent answers goes to the customer only.
func TestStrangerBringsNobodyIn(t *testing.T) {
	const copied = "Cc: mallory@evil.test"
	const failed = "\nAuthentication-Results: mx.example.com; dmarc=fail header.from=customer.test"
	for _, c := range []struct{ name, from, subject, more string }{
		{"the customer in Reply-To of a robot", "no-reply@evil.test", "[SUP-1] more", copied + "\nReply-To: taro@customer.test\nAuthentication-Results: mx.example.com; dmarc=pass header.from=evil.test"},
		{"the customer in Reply-To of a person", "mallory@evil.test", "[SUP-1] more", copied + "\nReply-To: taro@customer.test"},
		{"the customer in Reply-To of a form", "form@example.com", "[SUP-1] more", copied + "\nReply-To: taro@customer.test"},
		{"a guessed subject under the customer's name", "taro@customer.test", "[SUP-1] more", copied},
		{"a guessed subject that fails DMARC", "taro@customer.test", "[SUP-1] more", copied + failed},
		{"a known Message-ID under the customer's name", "taro@customer.test", "more", copied + "\nIn-Reply-To: <1@c>"},
		{"our Message-ID in a mail that fails DMARC", "taro@customer.test", "more", copied + "\nIn-Reply-To: <OURS>" + failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, "")
			b.take(posted("taro@customer.test", "1@c", "", "My secret"))
			more := strings.Replace(c.more, "OURS", b.lines()[0].MessageID, 1)
			entry := b.take(withSubject(c.subject, posted(c.from, "2@x", more, "any news?")))[0]
			// A false name has no part in a conversation; our own token is a right of its own.
			named := c.from == "taro@customer.test" && (!strings.Contains(more, failed) || strings.Contains(c.more, "OURS"))
			if joined := entry.Request == "SUP-1"; joined != named {
				t.Errorf("the mail became %s of %s by %s", entry.Outcome, entry.Request, entry.Rule)
			}
			before := len(b.lines())
			b.answer("SUP-1", "3@a")
			for _, l := range b.lines()[before:] {
				if l.Event == EventAnswered && l.To.Key() != "taro@customer.test" {
					t.Errorf("the agent's answer goes to %s", l.To.Address)
				}
			}
		})
	}
}

// Who has our mail may bring others in; spam, lists and circulars may not.
func TestCopiesJoin(t *testing.T) {
	circular := "Cc: hanako@customer.test"
	for i := range maxParticipants {
		circular += fmt.Sprintf(", p%d@customer.test", i)
	}
	for _, c := range []struct {
		name, more string
		want       bool
	}{
		{"a person", "Cc: hanako@customer.test", true},
		{"spam", "Cc: hanako@customer.test\nX-Spam-Flag: YES", false},
		{"a mailing list", "Cc: hanako@customer.test\nList-Post: <mailto:all@customer.test>", false},
		{"a mail that fails DMARC", "Cc: hanako@customer.test\nAuthentication-Results: mx.example.com; dmarc=fail header.from=customer.test", false},
		{"a circular", circular, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, "")
			if e := b.take(posted("taro@customer.test", "1@c", c.more, "Hello"))[0]; e.Outcome != Request {
				t.Fatalf("the mail became %+v", e)
			}
			b.answer("SUP-1", "2@a")
			if got := slices.Contains(b.outbox(), "answered hanako@customer.test"); got != c.want {
				t.Errorf("the one in copy gets the answer: %v, want %v; queued %v", got, c.want, b.outbox())
			}
		})
	}
}

// However many are brought in one by one, at most 20 get an agent's answer.
func TestParticipantsAreBounded(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("taro@customer.test", "1@c", "", "Hello"))
	ours := b.lines()[0].MessageID
	for i := range 3 {
		copies := "In-Reply-To: <" + ours + ">\nCc: x@customer.test"
		for k := range 10 {
			copies += fmt.Sprintf(", p%d.%d@customer.test", i, k)
		}
		if e := b.take(posted("taro@customer.test", fmt.Sprintf("more%d@c", i), copies, "more"))[0]; e.Rule != RuleReplyToken {
			t.Fatalf("the mail became %+v", e)
		}
	}
	b.answer("SUP-1", "2@a")
	answered := 0
	for _, l := range b.lines() {
		if l.Event == EventAnswered {
			answered++
		}
	}
	if answered != maxParticipants {
		t.Errorf("%d get the answer, want %d", answered, maxParticipants)
	}
}

// A result that a sender wrote into a value, a comment or a quoted string of
// Authentication-Results proves nothing.
func TestWrittenInResultsProveNothing(t *testing.T) {
	const host = "mx.example.com"
	message := func(values ...string) *mail.Message { return &mail.Message{From: aki, AuthResults: values} }
	for _, good := range []string{
		host + "; dmarc=pass header.from=example.com",
		"MX.Example.COM; spf=none (a; b) smtp.mailfrom=x; DMARC=Pass (p=reject) header.from=Example.com",
		host + ` 1; dkim=pass header.d="a;b"; dmarc=pass header.from=example.com`,
	} {
		if !dmarcPass(message(good), host) {
			t.Errorf("not believed: %s", good)
		}
	}
	for _, forged := range []string{
		`; spf=pass smtp.mailfrom="a; dmarc=pass; x"@evil.test; dmarc=fail header.from=example.com`,
		`; spf=pass smtp.mailfrom="a; dmarc=pass header.from=example.com; ("@evil.test; dmarc=fail header.from=example.com`,
		`; spf=pass smtp.mailfrom=a; dmarc=pass header.from=example.com; x@evil.test; dmarc=fail header.from=example.com`,
		`; spf=pass smtp.mailfrom="a\"; dmarc=pass header.from=example.com; x"@evil.test; dmarc=none header.from=example.com`,
		`; spf=none (a \) ; dmarc=pass header.from=example.com ); dkim=none`,
		`; spf=none (a (b) ; dmarc=pass header.from=example.com ); dkim=none`,
		`; spf=none ("); dmarc=pass header.from=example.com; (" ); dmarc=none header.from=example.com`,
		`; spf=none smtp.mailfrom="; dmarc=pass header.from=example.com`,
		`; dmarc=pass header.from=evil.test`,
		`; dmarc=pass header.from=example.com.evil.test`,
		`; dmarc=pass header.from=evil.test; dmarc=pass header.from=example.com`,
		`; dmarc=pass`,
		`; dmarc=bestguesspass header.from=example.com`,
		`; x-dmarc=pass header.from=example.com`,
		` dmarc=pass header.from=example.com`,
		`.evil.test; dmarc=pass header.from=example.com`,
		``,
	} {
		if dmarcPass(message(host+forged), host) {
			t.Errorf("an agent is proven by %s%s", host, forged)
		}
	}
	if dmarcPass(message(host+"; dmarc=none", host+"; dmarc=pass header.from=example.com"), host) {
		t.Error("an agent is proven by a line below the topmost one")
	}
}

// An agent's mail with such a result is kept from the customer.
func TestForgedAgentReachesNoCustomer(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("taro@customer.test", "1@c", "", "Hello"))
	forged := `Authentication-Results: mx.example.com; spf=pass smtp.mailfrom="a; dmarc=pass header.from=example.com; x"@evil.test; dmarc=fail header.from=example.com` +
		"\nAuthentication-Results: mx.example.com; dmarc=pass header.from=example.com"
	entry := b.take(withSubject("[SUP-1]", posted("aki@example.com", "2@x", forged, "Pay to this account.")))[0]
	if entry.Outcome != Note || entry.Rule != RuleAgentUnverified || len(b.outbox()) != 3 {
		t.Errorf("the forged answer became %s by %s; queued %v", entry.Outcome, entry.Rule, b.outbox()[3:])
	}
}

// forward is a customer's mail that Aki passes on, with proof that it is her.
func forward(id int, customer string) string {
	return withSubject("Fwd: Printer", posted("aki@example.com", fmt.Sprintf("f%d@a", id), "Authentication-Results: mx.example.com; dmarc=pass header.from=example.com",
		fmt.Sprintf("---------- Forwarded message ---------\nFrom: Taro <%s>\nDate: Sat, 21 Nov 2026\nSubject: Printer\nTo: aki@example.com\n\nIt is broken %d", customer, id)))
}

// Mail that an agent forwards is answered to the customer within the same
// bounds as the customer's own, and never to an address that nobody reads.
func TestForwardedMailIsCapped(t *testing.T) {
	b := newBench(t, "")
	for i := range b.desk.Limits.AutomaticDay + 2 {
		if e := b.take(forward(i, "taro@customer.test"))[0]; e.Outcome != Request || e.Rule != RuleAgentProof {
			t.Fatalf("a forwarded mail became %+v", e)
		}
	}
	received := 0
	for _, l := range b.outbox() {
		if l == "received taro@customer.test" {
			received++
		}
	}
	if received != b.desk.Limits.AutomaticHour {
		t.Errorf("%d acknowledgements within an hour, want %d", received, b.desk.Limits.AutomaticHour)
	}
	b.take(forward(99, "no-reply@shop.test"))
	if slices.Contains(b.outbox(), "received no-reply@shop.test") {
		t.Error("an acknowledgement goes to a no-reply address")
	}
}

// What a participant writes is shown to the agents under the participant's
// name, and not under the customer's.
func TestParticipantIsNamed(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("Taro <taro@customer.test>", "1@c", "Cc: Hanako <hanako@customer.test>", "Hello"))
	b.take(posted("Hanako <hanako@customer.test>", "2@c", "In-Reply-To: <1@c>", "I disagree."))
	lines := b.lines()
	notice := lines[len(lines)-1]
	if notice.Event != EventCustomerWrote {
		t.Fatalf("queued %v", b.outbox())
	}
	r := &Renderer{Store: b.taker.Store, Signer: b.taker.Signer}
	o, err := r.Render(t.Context(), b.desk, notice, 0)
	if err != nil {
		t.Fatal(err)
	}
	if o.From.Name != "Hanako (Support)" || !strings.Contains(o.Text, "Hanako <hanako@customer.test> wrote:") || strings.Contains(o.Text, "Taro <") {
		t.Errorf("Hanako's mail is shown as from %q:\n%s", o.From.Name, o.Text)
	}
}

// The answer to an address that mail came back from is not sent, and the others
// get theirs.
func TestSuspendedParticipantGetsNoAnswer(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("taro@customer.test", "1@c", "Cc: hanako@customer.test", "Hello"))
	if err := b.taker.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.Suspend("hanako@customer.test", 1, "5.1.1") }); err != nil {
		t.Fatal(err)
	}
	b.answer("SUP-1", "2@a")
	states := map[string]string{}
	for _, l := range b.lines() {
		if l.Event == EventAnswered {
			states[l.To.Address] = l.State + " " + l.Cause
		}
	}
	if states["hanako@customer.test"] != store.OutboxSuspended+" suspended" || states["taro@customer.test"] != store.OutboxWaiting+" " {
		t.Errorf("the lines are %v", states)
	}
}

// An agent who asks something is a customer: no notice of it goes back to them,
// and no agent's Message-ID, which would let anybody they show it to answer.
func TestAgentWhoAsksIsTheCustomer(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("aki@example.com", "1@a", "", "My own printer"))
	if got, want := b.outbox(), []string{"received aki@example.com", "new ben@example.com"}; !slices.Equal(got, want) {
		t.Fatalf("queued %v, want %v", got, want)
	}
	bens := b.lines()[1].MessageID
	b.take(posted("ben@example.com", "2@b", "In-Reply-To: <"+bens+">", "Switch it on."))
	own := "Authentication-Results: mx.example.com; dmarc=pass header.from=example.com"
	for i, more := range []string{"In-Reply-To: <" + b.lines()[0].MessageID + ">", "In-Reply-To: <" + b.lines()[0].MessageID + ">\n" + own, "In-Reply-To: <2@b>\n" + own} {
		if e := b.take(posted("aki@example.com", fmt.Sprintf("again%d@a", i), more, "Still broken"))[0]; e.Outcome != Reply || e.Rule == RuleAgentProof {
			t.Errorf("what the asking agent wrote became %s by %s", e.Outcome, e.Rule)
		}
	}
	for _, l := range b.lines() {
		if l.To.Address != "aki@example.com" {
			continue
		}
		if l.Event != EventReceived && l.Event != EventAnswered {
			t.Errorf("the asking agent gets %s", l.Event)
		}
		if tokens := strings.Join(append(l.References, l.InReplyTo, l.MessageID), " "); strings.Contains(tokens, "hd.a.") {
			t.Errorf("the asking agent gets an agent's Message-ID: %s", tokens)
		}
	}
}

// The key or a Message-ID of another desk's request opens nothing here: the
// mail is a plain request of this desk.
func TestOtherDesksRequestsAreOutOfReach(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("taro@customer.test", "1@c", "", "Hello"))
	lines := b.lines()
	other := *b.desk
	other.Key, other.Name, other.Address = "HR", "Staff", "staff@example.com"
	var box store.Mailbox
	if err := b.taker.Store.Write(t.Context(), func(tx *store.Tx) error {
		d, err := tx.EnsureDesk(other.Address, other.Key, other.Name)
		if err != nil {
			return err
		}
		other.ID = d.ID
		box, _, err = tx.EnsureMailbox(d.ID, "imap", "mail.example.com", "staff", "INBOX")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b.desk, b.box = &other, box
	for i, raw := range []string{
		withSubject("[SUP-1]", posted("taro@customer.test", "2@c", "", "more")),
		posted("taro@customer.test", "3@c", "In-Reply-To: <1@c>", "more"),
		posted("taro@customer.test", "4@c", "In-Reply-To: <"+lines[0].MessageID+">", "more"),
		posted("aki@example.com", "5@a", "In-Reply-To: <"+lines[1].MessageID+">", "more"),
	} {
		if e := b.take(raw)[0]; e.Outcome != Request || e.Rule != RuleRequest || e.Request != fmt.Sprintf("HR-%d", i+1) {
			t.Errorf("mail %d became %s of %s by %s", i+1, e.Outcome, e.Request, e.Rule)
		}
	}
	request, err := b.taker.Store.RequestByKey(t.Context(), "HR-1")
	if err != nil || request.LinkedTo != 0 {
		t.Errorf("the request is linked to another desk's: %+v, %v", request, err)
	}
}

// A mail that cannot be fetched is tried again after 1, 2, 4, 8, 16 and then
// every 24 hours, and stays one line of the ledger.
func TestSetAsideMoreAndMoreSeldom(t *testing.T) {
	b := newBench(t, "")
	var pauses []time.Duration
	var before store.Position
	for range 8 {
		if err := b.taker.SetAside(t.Context(), b.box, Unfetched{UID: 7, Size: 1000, Offset: 10, Why: "EOF", Before: before}); err != nil {
			t.Fatal(err)
		}
		positions, err := b.taker.Store.Positions(t.Context(), b.box.ID, b.box.UIDValidity, 1)
		if err != nil || len(positions) != 1 {
			t.Fatalf("the positions are %+v, %v", positions, err)
		}
		before = positions[0]
		pauses = append(pauses, before.RetryAt.Sub(b.now))
		b.now = before.RetryAt
	}
	const h = time.Hour
	if want := []time.Duration{h, 2 * h, 4 * h, 8 * h, 16 * h, 24 * h, 24 * h, 24 * h}; !slices.Equal(pauses, want) {
		t.Errorf("the pauses are %v, want %v", pauses, want)
	}
	entries, err := b.taker.Store.Entries(t.Context(), store.EntryFilter{})
	if err != nil || len(entries) != 1 || entries[0].ID != before.LedgerID || entries[0].Outcome != Quarantined {
		t.Errorf("the ledger holds %+v, %v", entries, err)
	}
}

// A mail that broke us counts as not taken: delivered again, it becomes a
// request, and only the third is a duplicate.
func TestQuarantinedMailIsTakenLater(t *testing.T) {
	b := newBench(t, `CREATE TRIGGER poison BEFORE INSERT ON messages WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'mended')
		BEGIN SELECT RAISE(ABORT, 'it broke us'); END`)
	raw := posted("taro@customer.test", "1@c", "", "Hello")
	if e := b.take(raw)[0]; e.Outcome != Quarantined {
		t.Fatalf("the mail became %+v", e)
	}
	if err := b.taker.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetMeta("mended", "yes") }); err != nil {
		t.Fatal(err)
	}
	again := b.take(raw, raw)
	if again[0].Outcome != Request || again[1].Outcome != Duplicate {
		t.Errorf("delivered again, it became %s and %s", again[0].Outcome, again[1].Outcome)
	}
}

// A mail without Message-ID and Date is a new one each time, also under another
// UIDVALIDITY: an alarm must not be lost because it once said the same.
func TestBareMailIsNeverADuplicate(t *testing.T) {
	b := newBench(t, "")
	bare := "From: taro@customer.test\nSubject: Alarm\n\nThe door is open.\n"
	b.take(bare)
	b.box.UIDValidity, b.uid, b.now = 2, 4711, b.now.Add(365*24*time.Hour)
	if e := b.take(bare)[0]; e.Outcome != Request || e.Request != "SUP-2" {
		t.Errorf("the new alarm became %s of %s", e.Outcome, e.Request)
	}
}
