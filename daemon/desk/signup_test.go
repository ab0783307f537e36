package desk

import (
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// Our +address is known to work when the mail that was sent to it arrives.
func TestPlusAddress(t *testing.T) {
	b := newBench(t, "")
	o, err := ProbeMail(b.desk, b.taker.Signer, b.now)
	if err != nil {
		t.Fatal(err)
	}
	value := func() bool {
		_, ok, err := b.taker.Store.Meta(t.Context(), PlusKey(b.desk.ID))
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	b.take(posted("support@example.com", "p1@x", "X-Helpdesk-Loop: "+o.Loop, "Probe"))
	if value() {
		t.Error("the mail to the address itself counts as one to the +address")
	}
	plus := b.taker.Signer.Plus(b.desk.ID, "p2@x", b.now)
	if e := b.take(posted("support@example.com", "p2@x", "X-Helpdesk-Loop: "+plus, "Probe"))[0]; e.Outcome != Probe || !value() {
		t.Errorf("it became %s by %s, known %v", e.Outcome, e.Rule, value())
	}
}

// With public sign-up the first mail makes the sender a customer of the desk;
// spam, which may bear anybody's name, does not.
func TestFirstMailSignsUp(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("Taro <taro@customer.test>", "1@c", "", "Hi"), posted("Eve <eve@else.test>", "2@c", "X-Spam-Flag: YES", "Buy"))
	for address, want := range map[string]bool{"taro@customer.test": true, "eve@else.test": false} {
		if known, err := b.taker.Store.KnownAt(t.Context(), b.desk.ID, address); err != nil || known != want {
			t.Errorf("%s is known: %v, %v", address, known, err)
		}
	}
	name := func() string {
		c, err := b.taker.Store.Customer(t.Context(), "taro@customer.test")
		if err != nil {
			t.Fatal(err)
		}
		return c.Name
	}
	b.now = b.now.Add(time.Minute)
	b.take(posted("Taro Yamada <taro@customer.test>", "3@c", "", "Hi"))
	if name() != "Taro Yamada" {
		t.Errorf("the name is %q, want that of the newest mail", name())
	}
	b.now = b.now.Add(time.Minute)
	b.take(posted("Cheap Pills <taro@customer.test>", "4@c", "X-Spam-Flag: YES", "Hi"))
	b.write(func(tx *store.Tx) error { return tx.NameCustomer("taro@customer.test", "Mr Yamada") })
	b.take(posted("T. <taro@customer.test>", "5@c", "", "Hi"))
	if name() != "Mr Yamada" {
		t.Errorf("the name is %q, want the one set by hand", name())
	}
}

// One mail to two desks makes one request in each, once.
func TestTwoDesks(t *testing.T) {
	b := newBench(t, "")
	raw := strings.Replace(posted("taro@customer.test", "1@c", "", "Hi"), "To: support@example.com", "To: support@example.com, sales@example.com", 1)
	sales := *b.desk
	sales.Key, sales.Name, sales.Address, sales.Sender = "SAL", "Sales", "sales@example.com", mail.Address{Address: "sales@example.com"}
	sales.Aliases, sales.Others, b.desk.Others = nil, []string{"support@example.com"}, []string{"sales@example.com"}
	box := b.box
	b.write(func(tx *store.Tx) error {
		d, err := tx.EnsureDesk(sales.Address, sales.Key, sales.Name)
		if err != nil {
			return err
		}
		sales.ID = d.ID
		if box, _, err = tx.EnsureMailbox(d.ID, "imap", "mail.example.com", "sales", "INBOX"); err != nil {
			return err
		}
		box.OpenedAt, box.UIDValidity = b.now, 1
		return tx.SaveMailbox(box)
	})
	for range 2 {
		b.take(raw)
		if _, err := b.taker.Take(t.Context(), &sales, box, []*Incoming{b.incoming(raw)}); err != nil {
			t.Fatal(err)
		}
	}
	got := b.outbox()
	if want := []string{"received taro@customer.test", "new aki@example.com", "new ben@example.com"}; !slices.Equal(got, append(want, want...)) {
		t.Errorf("queued %v", got)
	}
	for _, key := range []string{"SUP-1", "SAL-1"} {
		people, err := b.taker.Store.Participants(t.Context(), b.request(key).ID)
		if err != nil || len(people) != 1 {
			t.Errorf("in %s are %v, %v", key, people, err)
		}
	}
}

// Whoever answers, who asks stays the same: somebody in copy, a colleague to
// whom our mail was passed on, another address of the same person, an agent.
func TestRequesterStays(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("Taro <taro@customer.test>", "1@c", "Cc: hanako@customer.test", "It is broken."))
	received, notice := b.line(EventReceived, "taro@customer.test"), b.line(EventNew, "aki@example.com")
	if err := b.taker.Store.Write(t.Context(), func(tx *store.Tx) error {
		return tx.MergeCustomers("taro@home.test", "taro@customer.test")
	}); err != nil {
		t.Fatal(err)
	}
	b.take(
		posted("hanako@customer.test", "2@c", "In-Reply-To: <1@c>", "Here too."),
		posted("jiro@customer.test", "3@c", "In-Reply-To: <"+received.MessageID+">", "And here."),
		posted("Taro <taro@home.test>", "4@c", "In-Reply-To: <1@c>", "I am at home now."),
	)
	b.answers("aki@example.com", notice, "Try again.")
	request := b.request("SUP-1")
	messages, err := b.taker.Store.Messages(t.Context(), request.ID)
	if err != nil || len(messages) != 5 || request.Requester.Address != "taro@customer.test" {
		t.Errorf("%d messages in it (%v), asked by %v", len(messages), err, request.Requester)
	}
}
