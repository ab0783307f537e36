package desk

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"helpdesk/mail"
	"helpdesk/store"
)

// bench is a desk with a real store for a test, and a clock that it sets.
type bench struct {
	t     *testing.T
	path  string // of the database
	taker *Taker
	desk  *Settings
	box   store.Mailbox
	now   time.Time
	uid   uint32
	n     int64 // tells the Message-IDs of mails from each other
}

// newBench opens a store in a scratch folder. sql, if not empty, is run on
// its database before.
func newBench(t *testing.T, statements string) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	path := filepath.Join(t.TempDir(), "helpdesk.db")
	b.path = path
	open := b.open
	s := open()
	if statements != "" {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statements); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		s = open()
	}
	t.Cleanup(func() {
		if err := b.taker.Store.Close(); err != nil {
			t.Error(err)
		}
	})
	signer, err := NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	b.taker = &Taker{Store: s, Signer: signer, Now: func() time.Time { return b.now }}
	b.desk = testDesk()
	b.desk.Type, b.desk.After, b.desk.MoveTo = RequestType{Name: "Email request"}, "move", "Helpdesk"
	b.desk.PublicSignup, b.desk.Reopen = true, 14*24*time.Hour
	b.desk.Limits = Limits{AutomaticHour: 5, AutomaticDay: 10, AutomaticInAll: 200, NoticesOfSender: 10, Notices: 60, Mails: 30}
	err = s.Write(t.Context(), func(tx *store.Tx) error {
		d, err := tx.EnsureDesk(b.desk.Address, b.desk.Key, b.desk.Name)
		if err != nil {
			return err
		}
		b.desk.ID = d.ID
		b.box, _, err = tx.EnsureMailbox(d.ID, "imap", "mail.example.com", "support", "INBOX")
		if err != nil {
			return err
		}
		b.box.OpenedAt, b.box.UIDValidity = b.now, 1
		return tx.SaveMailbox(b.box)
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) open() *store.Store {
	b.t.Helper()
	s, err := store.Open(b.t.Context(), b.path, store.Options{Now: func() time.Time { return b.now }})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// reopen is the program that starts anew.
func (b *bench) reopen() {
	b.t.Helper()
	if err := b.taker.Store.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.taker.Store = b.open()
}

// incoming makes a mail as it comes from the fetch.
func (b *bench) incoming(raw string) *Incoming {
	b.t.Helper()
	b.uid++
	raw = strings.ReplaceAll(raw, "\n", "\r\n")
	in, err := b.taker.Prepare(&mail.Raw{
		UIDValidity: b.box.UIDValidity, UID: b.uid, Size: int64(len(raw)), Length: int64(len(raw)), Content: strings.NewReader(raw), Close: func() {},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return in
}

// take takes mails as one batch and returns their ledger lines.
func (b *bench) take(raws ...string) []store.Entry {
	b.t.Helper()
	var batch []*Incoming
	for _, raw := range raws {
		batch = append(batch, b.incoming(raw))
	}
	taken, err := b.taker.Take(b.t.Context(), b.desk, b.box, batch)
	if err != nil {
		b.t.Fatal(err)
	}
	var entries []store.Entry
	for _, one := range taken {
		entry, err := b.taker.Store.Entry(b.t.Context(), one.Entry)
		if err != nil {
			b.t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	return entries
}

// outbox lists what waits, oldest first, as "event to-address".
func (b *bench) outbox() []string {
	b.t.Helper()
	lines := b.lines()
	list := make([]string, len(lines))
	for i, l := range lines {
		list[i] = l.Event + " " + l.To.Address
	}
	return list
}

func (b *bench) lines() []store.OutboxLine {
	b.t.Helper()
	lines, err := b.taker.Store.Outbox(b.t.Context(), store.OutboxFilter{Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Reverse(lines)
	return lines
}

func posted(from, id, more, text string) string {
	if more != "" {
		more += "\n"
	}
	return "From: " + from + "\nTo: support@example.com\nSubject: Printer\nDate: Sat, 21 Nov 2026 12:00:00 +0900\nMessage-ID: <" + id + ">\n" + more + "\n" + text + "\n"
}

func TestTakeConversation(t *testing.T) {
	b := newBench(t, "")
	first := b.take(posted("Taro <taro@customer.test>", "1@c", "", "It is broken."))[0]
	if first.Outcome != Request || first.Request != "SUP-1" {
		t.Fatalf("the first mail became %+v", first)
	}
	if got, want := b.outbox(), []string{"received taro@customer.test", "new aki@example.com", "new ben@example.com"}; !slices.Equal(got, want) {
		t.Errorf("queued %v, want %v", got, want)
	}
	lines := b.lines()
	if lines[1].MessageID == lines[2].MessageID || lines[0].InReplyTo != "1@c" {
		t.Errorf("Message-IDs %q and %q, in reply to %q", lines[1].MessageID, lines[2].MessageID, lines[0].InReplyTo)
	}
	answer := b.take(posted("Aki <aki@example.com>", "2@a", "In-Reply-To: <"+lines[1].MessageID+">", "Switch it on."))[0]
	if answer.Outcome != Reply || answer.Rule != RuleAgentProof || answer.Request != "SUP-1" {
		t.Errorf("the answer became %+v", answer)
	}
	if got, want := b.outbox()[3:], []string{"answered taro@customer.test", "answered-by ben@example.com"}; !slices.Equal(got, want) {
		t.Errorf("queued %v, want %v", got, want)
	}
	again := b.take(posted("Aki <aki@example.com>", "3@a", "In-Reply-To: <"+lines[1].MessageID+">", "And?"), posted("taro@customer.test", "4@c", "References: <x@y> <"+b.lines()[3].MessageID+">", "Thanks"))
	if again[0].Rule != RuleAgentProof || again[1].Rule != RuleReplyToken {
		t.Errorf("became %s and %s", again[0].Rule, again[1].Rule)
	}
	if got, want := b.outbox()[5:], []string{"answered taro@customer.test", "customer-wrote aki@example.com"}; !slices.Equal(got, want) {
		t.Errorf("queued %v, want %v", got, want)
	}
	for _, l := range b.lines() {
		if tokens := strings.Join(append(l.References, l.InReplyTo, l.MessageID), " "); l.To.Address == "taro@customer.test" && strings.Contains(tokens, "hd.a.") {
			t.Errorf("an agent's token goes to the customer: %+v", l)
		}
	}
}

func TestTakeTwice(t *testing.T) {
	b := newBench(t, "")
	same := posted("taro@customer.test", "1@c", "", "It is broken.")
	entries := b.take(same, "Received: from elsewhere\n"+same, posted("taro@customer.test", "1@c", "", "Other words."))
	got := []string{entries[0].Outcome, entries[1].Outcome, entries[2].Outcome}
	if want := []string{Request, Duplicate, Request}; !slices.Equal(got, want) {
		t.Errorf("outcomes %v, want %v: the same content by another way is one mail, other content under the same Message-ID is another", got, want)
	}
	// Without Message-ID and Date two mails of the same words are two mails.
	bare := "From: taro@customer.test\nSubject: Hi\n\nCall me.\n"
	entries = b.take(bare, bare)
	if entries[0].Outcome != Request || entries[1].Outcome != Request {
		t.Errorf("two bare mails became %s and %s", entries[0].Outcome, entries[1].Outcome)
	}
}

// One bad mail never stops the others: it is set aside with its raw text.
func TestTakeSetsAside(t *testing.T) {
	b := newBench(t, `CREATE TRIGGER poison BEFORE INSERT ON messages WHEN NEW.text LIKE '%poison%' BEGIN SELECT RAISE(ABORT, 'it broke us'); END`)
	raw := posted("b@customer.test", "2@c", "", "This is poison.")
	entries := b.take(posted("a@customer.test", "1@c", "", "one"), raw, posted("c@customer.test", "3@c", "", "three"))
	got := []string{entries[0].Outcome, entries[1].Outcome, entries[2].Outcome}
	if want := []string{Request, Quarantined, Request}; !slices.Equal(got, want) {
		t.Fatalf("outcomes %v, want %v", got, want)
	}
	if entries[2].Request != "SUP-2" {
		t.Errorf("the third mail is %s: the key of the one set aside was lost", entries[2].Request)
	}
	stored, _, err := b.taker.Store.OpenRaw(t.Context(), entries[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	if text, err := io.ReadAll(stored); err != nil || !bytes.Equal(text, []byte(strings.ReplaceAll(raw, "\n", "\r\n"))) {
		t.Errorf("of the mail set aside %d bytes were kept, %v", len(text), err)
	}
	positions, err := b.taker.Store.Pending(t.Context(), b.box.ID, b.box.UIDValidity)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, p := range positions {
		told = append(told, fmt.Sprintf("%d %s", p.UID, p.Pending))
	}
	if want := []string{"1 move:Helpdesk/Done", "2 move:Helpdesk/Attention", "3 move:Helpdesk/Done"}; !slices.Equal(told, want) {
		t.Errorf("the server is told %v, want %v", told, want)
	}
	if n := len(b.outbox()); n != 6 {
		t.Errorf("%d mails were queued, want 6", n)
	}
}

// A full disk takes nothing and sets nothing aside: all is tried again.
func TestTakeStopsWhenTheStoreFails(t *testing.T) {
	b := newBench(t, `CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'x'); END; DROP TRIGGER full;`)
	if err := b.taker.Store.Close(); err != nil {
		t.Fatal(err)
	}
	taken, err := b.taker.Take(t.Context(), b.desk, b.box, []*Incoming{b.incomingUnpacked(posted("a@customer.test", "1@c", "", "one"))})
	if err == nil || len(taken) != 0 {
		t.Errorf("a closed store took %v, %v", taken, err)
	}
}

func (b *bench) incomingUnpacked(raw string) *Incoming {
	b.t.Helper()
	m, err := mail.Parse(strings.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	return &Incoming{Raw: &mail.Raw{UID: 1, Content: strings.NewReader(raw), Length: int64(len(raw)), Close: func() {}}, Message: m}
}

// At most 5 automatic mails an hour and 10 a day go to one address.
func TestAutomaticMailIsCapped(t *testing.T) {
	b := newBench(t, "")
	received := func() int {
		n := 0
		for _, l := range b.outbox() {
			if strings.HasPrefix(l, EventReceived) {
				n++
			}
		}
		return n
	}
	write := func(n int) {
		for i := range n {
			b.take(posted("Storm@customer.test", fmt.Sprintf("%d.%d@c", b.now.Unix(), i), "", "again"))
		}
	}
	write(7)
	if n := received(); n != 5 {
		t.Errorf("%d acknowledgements in the first hour, want 5", n)
	}
	b.now = b.now.Add(61 * time.Minute)
	write(7)
	if n := received(); n != 10 {
		t.Errorf("%d acknowledgements after the second hour, want 10", n)
	}
	b.now = b.now.Add(61 * time.Minute)
	write(1)
	if n := received(); n != 10 {
		t.Errorf("%d acknowledgements within a day, want 10", n)
	}
	b.now = b.now.Add(24 * time.Hour)
	write(1)
	if n := received(); n != 11 {
		t.Errorf("%d acknowledgements after a day, want 11", n)
	}
}

// A delivery report is tied to its outbox line, suspends a bad address, and
// causes no mail.
func TestTakeBounce(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("taro@customer.test", "1@c", "", "Hello"))
	ack := b.lines()[0]
	report := "Return-Path: <>\nFrom: MAILER-DAEMON@mx.test\nTo: support@example.com\nSubject: Undelivered Mail Returned to Sender\nMessage-ID: <b1@mx.test>\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\nNo such user.\n\n--b\nContent-Type: message/delivery-status\n\n" +
		"Reporting-MTA: dns; mx.test\n\nFinal-Recipient: rfc822; taro@customer.test\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n\n--b\nContent-Type: message/rfc822\n\n" +
		"From: support@example.com\nTo: taro@customer.test\nMessage-ID: <" + ack.MessageID + ">\nSubject: Re\n\nx\n\n--b--\n"
	ack.State = store.OutboxSent
	if err := b.taker.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveOutbox(ack) }); err != nil {
		t.Fatal(err)
	}
	before := len(b.lines())
	entry := b.take(report)[0]
	if entry.Outcome != Bounced || entry.Request != "SUP-1" {
		t.Errorf("the report became %+v", entry)
	}
	lines := b.lines()
	if len(lines) != before {
		t.Errorf("a bounce caused mail: %v", b.outbox())
	}
	if counts, err := b.taker.Store.OutboxCounts(t.Context()); err != nil || counts.Failed != 1 || counts.SentToday != 1 {
		t.Errorf("counted as %+v, %v", counts, err)
	}
	if lines[0].State != store.OutboxFailed || lines[0].SentAt.IsZero() || !strings.Contains(lines[0].Error, "no such user") {
		t.Errorf("the line of the mail that came back is %+v", lines[0])
	}
	if suspended, err := b.taker.Store.SuspendedAt(t.Context(), "taro@customer.test"); err != nil || !suspended {
		t.Errorf("the address is suspended: %v, %v", suspended, err)
	}
}

// What is rendered for an answer passes attachments up to the relay's size.
func TestRenderFiles(t *testing.T) {
	b := newBench(t, "")
	raw := "From: taro@customer.test\nTo: support@example.com\nSubject: Files\nDate: Sat, 21 Nov 2026 12:00:00 +0900\nMessage-ID: <1@c>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
		"--b\nContent-Type: text/plain\n\nSee the files.\n--b\nContent-Type: text/csv; name=small.csv\nContent-Disposition: attachment; filename=small.csv\n\na,b\n" +
		"--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=large.txt\n\n" + strings.Repeat("0123456789abcdef\n", 100000) + "--b--\n"
	b.take(raw)
	r := &Renderer{Store: b.taker.Store, Signer: b.taker.Signer}
	notice := b.lines()[1]
	for _, c := range []struct {
		max   int64
		files []string
	}{
		{0, []string{"small.csv", "large.txt"}},
		{10 << 20, []string{"small.csv", "large.txt"}},
		{1 << 20, []string{"small.csv"}},
	} {
		o, err := r.Render(t.Context(), b.desk, notice, c.max)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range o.Files {
			names = append(names, f.Name)
		}
		if !slices.Equal(names, c.files) {
			t.Errorf("with a relay of %d bytes the files are %v, want %v", c.max, names, c.files)
		}
		if listed := strings.Contains(o.Text, "large.txt"); listed == (len(c.files) == 2) {
			t.Errorf("with a relay of %d bytes the text says:\n%s", c.max, o.Text)
		}
		var content bytes.Buffer
		if err := o.Files[0].Write(&content); err != nil || strings.TrimSpace(content.String()) != "a,b" {
			t.Errorf("the attached file holds %q, %v", content.String(), err)
		}
	}
}

// Those in copy get the agent's answer too; we, agents and robots are no participants.
func TestParticipants(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("taro@customer.test", "1@c", "Cc: Hanako <hanako@customer.test>, HELP@example.com, ben@example.com, no-reply@shop.test", "Hello"))
	b.take(posted("aki@example.com", "2@a", "In-Reply-To: <"+b.lines()[1].MessageID+">", "Answer"))
	if got, want := b.outbox()[3:], []string{"answered taro@customer.test", "answered hanako@customer.test", "answered-by ben@example.com"}; !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("queued %v, want %v", got, want)
	}
	lines := b.lines()[3:5]
	if lines[0].MessageID != lines[1].MessageID {
		t.Error("customer and participant got different Message-IDs for one event")
	}
	r := &Renderer{Store: b.taker.Store, Signer: b.taker.Signer}
	o, err := r.Render(t.Context(), b.desk, lines[1], 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.To) != 1 || o.To[0].Address != "taro@customer.test" || len(o.Cc) != 1 || o.Cc[0].Address != "hanako@customer.test" {
		t.Errorf("the answer is shown as to %v, cc %v", o.To, o.Cc)
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// Our own mail that comes back, by a forwarding rule or an alias, is known by
// its mark, also when a relay gave it another Message-ID; a mail with a mark
// that somebody made up is as any other.
func TestOwnMailComesBack(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("taro@customer.test", "1@c", "", "Hello"))
	r := &Renderer{Store: b.taker.Store, Signer: b.taker.Signer}
	for _, line := range b.lines() {
		o, err := r.Render(t.Context(), b.desk, line, 0)
		if err != nil {
			t.Fatal(err)
		}
		composed, err := mail.Compose(o)
		if err != nil {
			t.Fatal(err)
		}
		var raw bytes.Buffer
		if _, err := composed.WriteTo(&raw); err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(raw.String(), "\r\n", "\n")
		text = strings.Replace(text, "Message-ID: <"+line.MessageID+">", "Message-ID: <changed."+line.MessageID+">", 1)
		if entry := b.take(text)[0]; entry.Outcome != Own {
			t.Errorf("our mail %s became %s by %s", line.Event, entry.Outcome, entry.Rule)
		}
	}
	if entry := b.take(posted("taro@customer.test", "2@c", "X-Helpdesk-Loop: 1 made@up aaaaaaaaaaaaaaaa", "Hello again"))[0]; entry.Outcome != Request {
		t.Errorf("a mail with a false mark became %s", entry.Outcome)
	}
	if n := len(b.outbox()); n != 6 {
		t.Errorf("%d mails were queued, want 6", n)
	}
}

// A mail that is on the server only because it was too large stays there, also
// when it comes a second time and after = "delete".
func TestLargeDuplicateIsNotDeleted(t *testing.T) {
	b := newBench(t, "")
	b.desk.After = "delete"
	pending := func(raw *Incoming) string {
		taken, err := b.taker.Take(t.Context(), b.desk, b.box, []*Incoming{raw})
		if err != nil {
			t.Fatal(err)
		}
		return taken[0].Outcome + " " + taken[0].Pending
	}
	large := func() *Incoming {
		in := b.incoming(posted("taro@customer.test", "1@c", "", "the beginning"))
		in.Raw.Truncated = true
		return in
	}
	if got := pending(large()); got != "request " {
		t.Errorf("a large mail: %q", got)
	}
	if got := pending(large()); got != "duplicate " {
		t.Errorf("the same large mail again: %q, want it to stay", got)
	}
	small := posted("taro@customer.test", "2@c", "", "whole")
	if got := pending(b.incoming(small)) + ", " + pending(b.incoming(small)); got != "request delete, duplicate delete" {
		t.Errorf("a small mail twice: %q", got)
	}
}

// A mail that was ignored is not deleted either when the server lists it a
// second time, under another number or unique-id.
func TestDuplicateOfIgnoredMailIsNotDeleted(t *testing.T) {
	b := newBench(t, "")
	b.desk.After = "delete"
	news := posted("news@shop.test", "1@c", "Precedence: bulk", "Buy now")
	for _, want := range []string{Ignored, Duplicate} {
		taken, err := b.taker.Take(t.Context(), b.desk, b.box, []*Incoming{b.incoming(news)})
		if err != nil || taken[0].Outcome != want || taken[0].Pending != "" {
			t.Errorf("%+v, %v; want %s, and that it stays", taken, err, want)
		}
	}
}

// Mail of before the first start that comes back with another number or size
// is still old; a new mail of the same sender is not.
func TestOldMailComesBack(t *testing.T) {
	b := newBench(t, "")
	old := posted("taro@customer.test", "old@c", "", "from last year")
	header, _, _ := strings.Cut(old, "\n\n")
	if err := b.taker.Skip(t.Context(), b.box, []Old{{UID: 900, Size: 1, Header: []byte(header + "\r\n\r\n")}}); err != nil {
		t.Fatal(err)
	}
	taken, err := b.taker.Take(t.Context(), b.desk, b.box, []*Incoming{b.incoming("Received: by the new server\n" + old), b.incoming(posted("taro@customer.test", "new@c", "", "from last year"))})
	if err != nil {
		t.Fatal(err)
	}
	if taken[0].Outcome != Skipped || taken[0].Pending != "" || taken[1].Outcome != Request {
		t.Errorf("taken as %+v", taken)
	}
	if n := len(b.outbox()); n != 3 {
		t.Errorf("%d mails were queued, want those of the new mail only", n)
	}
	counts, err := b.taker.Store.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		if c.Outcome == Skipped && c.Total != 1 {
			t.Errorf("%d mails are counted as skipped, want 1", c.Total)
		}
	}
}

// Reply-To names whom to answer where a form wrote the mail; it never opens a
// conversation, for anybody can write it.
func TestReplyTo(t *testing.T) {
	b := newBench(t, "")
	form := b.take(posted("wordpress@example.com", "1@w", "Reply-To: Taro <taro@customer.test>", "by the form"))[0]
	request, err := b.taker.Store.RequestByKey(t.Context(), form.Request)
	if err != nil || request.Requester.Address != "taro@customer.test" || b.outbox()[0] != "received taro@customer.test" {
		t.Errorf("the form's request is %+v, %v; queued %v", request, err, b.outbox())
	}
	for _, forged := range []string{"no-reply@evil.test", "mallory@evil.test", "wordpress@example.com"} {
		entry := b.take(strings.Replace(posted(forged, "2@"+forged, "Reply-To: taro@customer.test", "let me in"), "Subject: Printer", "Subject: Re: [SUP-1]", 1))[0]
		if entry.Request == "SUP-1" {
			t.Errorf("%s with the customer's Reply-To joined SUP-1 by %s", forged, entry.Rule)
		}
	}
}

// A mail without a sender becomes a request that says it cannot be answered;
// an agent who answers is told so.
func TestNoSender(t *testing.T) {
	b := newBench(t, "")
	b.take("Subject: Hello\nDate: Sat, 21 Nov 2026 12:00:00 +0900\nMessage-ID: <1@c>\n\nIs anybody there?\n")
	if got, want := b.outbox(), []string{"new aki@example.com", "new ben@example.com"}; !slices.Equal(got, want) {
		t.Fatalf("queued %v, want %v", got, want)
	}
	r := &Renderer{Store: b.taker.Store, Signer: b.taker.Signer}
	o, err := r.Render(t.Context(), b.desk, b.lines()[0], 0)
	if err != nil || !strings.Contains(o.Text, "names no sender") || strings.Contains(o.Text, "to answer ;") {
		t.Errorf("the notice says %v, %v", o, err)
	}
	entry := b.take(posted("aki@example.com", "2@a", "In-Reply-To: <"+b.lines()[0].MessageID+">", "Yes."))[0]
	if got := b.outbox()[2:]; entry.Outcome != Note || !slices.Equal(got, []string{"not-sent aki@example.com"}) {
		t.Errorf("the answer became %s, queued %v", entry.Outcome, got)
	}
	if o, err = r.Render(t.Context(), b.desk, b.lines()[2], 0); err != nil || !strings.Contains(o.Text, "names no sender") {
		t.Errorf("the agent is told %v, %v", o, err)
	}
}
