package store

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"helpdesk/mail"
)

// forgetful is a store with the mail of many customers and of one person with
// two addresses, in every place where mail leaves something.
type forgetful struct {
	s       *Store
	own     Request // the person's
	other   Request // another customer's, in which the person took part
	entries map[string]int64
	kept    int64 // message of the other customer
}

var (
	zacharias = mail.Address{Name: "Zacharias Quill", Address: "Zacharias@Quillfeather.example"}
	private   = mail.Address{Name: "Zachy", Address: "zq-private@freemail.example"}
	neighbour = mail.Address{Name: "Nora Neighbour", Address: "nora@office.example"}
	aki       = mail.Address{Name: "Aki", Address: "aki@example.com"}
)

// traces are what must not be found: parts of words, because an index leaves
// out what a word has in common with the one before it.
var traces = []string{"acharias", "uillfeather", "zq-private", "lographicum", "achy", "ebstuhl"}

const secret = "xylographicum" // a word of the person's mail; Webstuhl is in the subjects

func (f *forgetful) mail(tx *Tx, name string, from mail.Address, outcome string, request int64, text string, args map[string]string) (int64, error) {
	subject := "Webstuhl"
	if name == "others" {
		subject = "Order"
	}
	e := Entry{DeskID: 1, MailboxID: 1, UIDValidity: 77, UID: uint32(5000 + len(f.entries)), MessageID: name + "." + from.Key(), From: from, Subject: subject,
		Outcome: outcome, Rule: "rule", RequestID: request, Fingerprint: [16]byte{9, byte(len(f.entries))}, RawState: RawWhole, ReasonArgs: args}
	if err := tx.AddEntry(&e); err != nil {
		return 0, err
	}
	f.entries[name] = e.ID
	raw := fmt.Sprintf("From: %s <%s>\r\nSubject: %s\r\n\r\n%s", from.Name, from.Address, subject, strings.Repeat(text+" and more of it\r\n", 200))
	p, err := f.s.Pack(section([]byte(raw)))
	if err == nil {
		err = tx.PutRaw(e.ID, p)
	}
	if err == nil {
		err = tx.AddFingerprint(1, e.Fingerprint, e.ID)
	}
	if err == nil {
		err = tx.AddPosition(Position{MailboxID: 1, UIDValidity: 77, UID: e.UID, LedgerID: e.ID, HeaderHash: e.Fingerprint})
	}
	return e.ID, err
}

func (f *forgetful) message(tx *Tx, entry int64, request int64, kind string, from mail.Address, text string) (int64, error) {
	m := Message{RequestID: request, LedgerID: entry, Kind: kind, From: from, Text: text, Reply: text, MessageID: fmt.Sprint(entry, from.Key())}
	err := tx.AddMessage(&m)
	return m.ID, err
}

func fillForgetful(t *testing.T) *forgetful {
	t.Helper()
	s, _ := open(t)
	fillStore(t, s, 200)
	f := &forgetful{s: s, entries: map[string]int64{}}
	steps := []func(*Tx) error{
		func(tx *Tx) (err error) {
			for _, r := range []*Request{&f.own, &f.other} {
				*r = Request{DeskID: 1, Subject: "Webstuhl", Requester: zacharias}
				if r == &f.other {
					r.Subject, r.Requester, r.LinkedTo = "Order", neighbour, f.own.ID
				}
				if r.Key, err = tx.NextKey("SUP"); err != nil {
					return err
				}
				if err := tx.AddRequest(r); err != nil {
					return err
				}
			}
			return nil
		},
		f.conversation, f.aside, f.outbox,
		func(tx *Tx) error {
			for _, p := range []struct {
				request int64
				who     mail.Address
				role    string
			}{{f.own.ID, zacharias, RoleRequester}, {f.other.ID, neighbour, RoleRequester}, {f.other.ID, private, RoleCC}, {f.other.ID, zacharias, RoleCC}} {
				if err := tx.AddParticipant(p.request, Participant{Address: p.who, Role: p.role}); err != nil {
					return err
				}
			}
			for _, a := range []mail.Address{zacharias, private, neighbour} {
				if _, err := tx.UpsertCustomer(a, tx.Now()); err != nil {
					return err
				}
				if err := tx.AddMember(1, a, tx.Now()); err != nil {
					return err
				}
			}
			return tx.MergeCustomers(private.Address, zacharias.Address)
		},
	}
	for _, step := range steps {
		write(t, s, step)
	}
	for n := 1; n > 0; {
		n = got[int](t)(s.IndexNext(t.Context(), 7))
	}
	return f
}

// conversation: the person's request with an answer that quotes them, and
// another customer's in which they wrote.
func (f *forgetful) conversation(tx *Tx) error {
	for _, m := range []struct {
		name    string
		request int64
		kind    string
		from    mail.Address
		text    string
	}{
		{"first", f.own.ID, KindCustomer, zacharias, "The Webstuhl " + secret},
		{"second", f.own.ID, KindCustomer, private, "Zachy again, " + secret},
		{"answer", f.own.ID, KindAgent, aki, "Dear Zacharias, on " + secret},
		{"others", f.other.ID, KindCustomer, neighbour, "my printer is broken"},
		{"joined", f.other.ID, KindCustomer, private, "mine too " + secret},
		{"unverified", f.other.ID, KindNote, zacharias, "a note of " + secret},
	} {
		entry, err := f.mail(tx, m.name, m.from, "reply", m.request, m.text, nil)
		if err != nil {
			return err
		}
		id, err := f.message(tx, entry, m.request, m.kind, m.from, m.text)
		if err != nil {
			return err
		}
		if m.name == "others" {
			f.kept = id
		}
	}
	return nil
}

// aside: mail that became no message, and lists of addresses.
func (f *forgetful) aside(tx *Tx) error {
	daemon := mail.Address{Name: "MAILER-DAEMON", Address: "postmaster@relay.example"}
	for _, m := range []struct {
		name, outcome string
		from          mail.Address
		args          map[string]string
	}{
		{"held", "held", private, nil},
		{"bounce", "bounce", daemon, map[string]string{"recipient": " zacharias@quillfeather.EXAMPLE"}},
		{"suspending", "bounce", daemon, nil},
		{"copy", "own", mail.Address{Address: "support@example.com"}, nil},
	} {
		if _, err := f.mail(tx, m.name, m.from, m.outcome, 0, "about "+secret, m.args); err != nil {
			return err
		}
	}
	copied, err := tx.Entry(tx.ctx, f.entries["copy"])
	if err != nil {
		return err
	}
	copied.MessageID = "to-zacharias@example.com"
	for _, err := range []error{
		tx.UpdateEntry(&copied), tx.Suspend(private.Address, f.entries["suspending"], "5.1.1"), tx.Block(1, zacharias.Address, f.own.ID, tx.Now()),
		tx.Want(f.entries["held"], Wish{}),
		tx.PutHealth(Health{Subject: "relay", State: "failing", Text: "550 <zacharias@quillfeather.example> unknown", Err: "x"}),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *forgetful) outbox(tx *Tx) error {
	for i, l := range []OutboxLine{
		{RequestID: f.own.ID, To: zacharias, MessageID: "to-zacharias@example.com", Event: "received", State: OutboxSent},
		{RequestID: f.own.ID, To: aki, Event: "new", CausedBy: zacharias.Address, Args: map[string]string{"who": zacharias.Name}, State: OutboxFailed},
		{RequestID: f.other.ID, To: private, Event: "answered", State: OutboxSuspended},
		{RequestID: f.other.ID, To: aki, Event: "customer-wrote", CausedBy: private.Address, Args: map[string]string{"who": private.Name}, State: OutboxDigest},
		{RequestID: f.other.ID, To: aki, Event: "reminder", Args: map[string]string{"who": neighbour.Name}},
		{To: aki, Event: "digest", Args: map[string]string{"lines": "4 5", "held": `[{"address":"zq-private@freemail.example","name":"Zachy","count":3}]`}},
	} {
		l.DeskID = 1
		if l.MessageID == "" {
			l.MessageID = fmt.Sprintf("line%d@example.com", i)
		}
		if err := tx.Queue(&l); err != nil {
			return err
		}
	}
	return nil
}

// dump returns everything that the tables hold, raw mails unpacked.
func dump(t *testing.T, s *Store) string {
	t.Helper()
	var b strings.Builder
	ctx := t.Context()
	for _, table := range got[[]string](t)(list(ctx, s.View, (*row).text, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'search'")) {
		rows := got[[]string](t)(list(ctx, s.View, func(r *row) string {
			var line strings.Builder
			for _, v := range r.values {
				if b, ok := v.([]byte); ok {
					v = string(b)
				}
				fmt.Fprint(&line, v, " ")
			}
			return line.String()
		}, "SELECT * FROM "+table))
		fmt.Fprintf(&b, "%s: %s\n", table, strings.Join(rows, "\n"))
	}
	for _, p := range got[[]piece](t)(list(ctx, s.View, func(r *row) piece {
		return piece{codec: r.int(), length: r.int(), data: append([]byte(nil), r.bytes()...)}
	}, "SELECT codec, length, data FROM raw")) {
		b.Write(got[[]byte](t)(s.zstd.unpack(p)))
	}
	return b.String()
}

func found(text string) (all []string) {
	text = strings.ToLower(text)
	for _, trace := range traces {
		if strings.Contains(text, trace) {
			all = append(all, trace)
		}
	}
	return all
}

// bytesOf returns the file and its log as they lie on the disk.
func bytesOf(t *testing.T, s *Store) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{s.readers.path, s.readers.path + "-wal"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

func TestForgetPersonLeavesNothing(t *testing.T) {
	f := fillForgetful(t)
	s, ctx := f.s, t.Context()
	for name, text := range map[string]string{"tables": dump(t, s), "file": bytesOf(t, s)} {
		if is := found(text); len(is) != len(traces) {
			t.Fatalf("the %s have only %q before: this test proves nothing", name, is)
		}
	}
	var forgotten Forgotten
	write(t, s, func(tx *Tx) (err error) {
		forgotten, err = tx.ForgetPerson(ctx, " zq-PRIVATE@freemail.example")
		return err
	})
	if want := (Forgotten{Addresses: 2, Requests: 1, Messages: 5, Mails: 9}); forgotten != want {
		t.Errorf("forgot %+v, want %+v", forgotten, want)
	}
	if err := s.Scrub(ctx); err != nil {
		t.Fatal(err)
	}
	if is := found(dump(t, s)); len(is) > 0 {
		t.Errorf("the tables still have %q", is)
	}
	if is := found(bytesOf(t, s)); len(is) > 0 {
		t.Errorf("the file still has %q", is)
	}
	if check := pragma(t, s, "integrity_check"); check != "ok" {
		t.Error(check)
	}
	f.checkRest(t)
}

// checkRest looks at what must have stayed.
func (f *forgetful) checkRest(t *testing.T) {
	t.Helper()
	s, ctx := f.s, t.Context()
	if is := got[[]Message](t)(s.Messages(ctx, f.other.ID)); len(is) != 1 || is[0].ID != f.kept {
		t.Errorf("messages of the other customer: %+v", is)
	}
	if is := got[[]Participant](t)(s.Participants(ctx, f.other.ID)); len(is) != 1 || is[0].Key() != neighbour.Key() {
		t.Errorf("participants %+v", is)
	}
	if is := got[Request](t)(s.RequestByID(ctx, f.other.ID)); is.LinkedTo != 0 || is.Messages != 1 {
		t.Errorf("the other request %+v", is)
	}
	if r, _, err := s.OpenRaw(ctx, f.entries["others"]); err != nil {
		t.Errorf("the other customer's mail: %v", err)
	} else if err := r.Close(); err != nil {
		t.Error(err)
	}
	if ids := got[[]int64](t)(s.Search(ctx, "printer", 0)); len(ids) == 0 || ids[0] != f.other.ID {
		t.Errorf("search finds %v", ids)
	}
	if ids := got[[]int64](t)(s.Search(ctx, secret, 0)); len(ids) != 0 {
		t.Errorf("search finds %v", ids)
	}
	f.checkLedger(t)
	write(t, s, func(tx *Tx) error {
		key, err := tx.NextKey("SUP")
		if key == f.own.Key || err != nil {
			t.Errorf("next key %s, %v", key, err)
		}
		again := Request{Key: key, DeskID: 1, Requester: neighbour}
		if err := tx.AddRequest(&again); err != nil {
			return err
		}
		if again.ID <= f.other.ID {
			t.Errorf("the number %d is used again", again.ID)
		}
		return nil
	})
	if is := got[OutboxCounts](t)(s.OutboxCounts(ctx)); is.Failed != 0 || is.Waiting != 402 {
		t.Errorf("counts %+v", is)
	}
	if is := got[[]OutboxLine](t)(s.OutboxByMessageID(ctx, "line5@example.com")); len(is) != 1 || len(is[0].Args) != 1 || is[0].Args["lines"] != "4 5" {
		t.Errorf("the digest that named them among others: %+v", is)
	}
	if known := got[bool](t)(s.KnownAt(ctx, 1, private.Address)); known {
		t.Error("still known")
	}
	if is := got[Customer](t)(s.Customer(ctx, neighbour.Address)); len(is.Desks) != 1 {
		t.Errorf("the neighbour %+v", is)
	}
}

// checkLedger: it still says that there were mails, and knows them again.
func (f *forgetful) checkLedger(t *testing.T) {
	t.Helper()
	s, ctx := f.s, t.Context()
	for name, id := range f.entries {
		e := got[Entry](t)(s.Entry(ctx, id))
		if e.Outcome == "" || e.Fingerprint == [16]byte{} || e.SeenAt.IsZero() {
			t.Errorf("the line of %s lost what says nothing: %+v", name, e)
		}
		if gone := name != "others"; gone != (e.RawState == RawNone) || gone != (e.Subject == "") {
			t.Errorf("the line of %s: %+v", name, e)
		}
		if _, again := got2(t)(s.EntryByFingerprint(ctx, 1, e.Fingerprint)); !again {
			t.Errorf("the mail %s would be taken again", name)
		}
	}
	if is := got[[]Entry](t)(s.Entries(ctx, EntryFilter{From: aki.Address})); len(is) != 1 {
		t.Errorf("the agent's own line is unnamed: %+v", is)
	}
}

// got2 is got for a read that says whether there is something.
func got2(t *testing.T) func(int64, bool, error) (int64, bool) {
	return func(id int64, ok bool, err error) (int64, bool) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return id, ok
	}
}
