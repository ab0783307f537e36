package daemon

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

// salesDesk is a second desk, which comes first in the configuration.
const salesDesk = `[[desk]]
name = "Sales"
key = "SAL"
address = "sales@example.com"
agents = ["aki@example.com"]
public_signup = false
  [desk.mailbox]
  host = "127.0.0.1"
  port = 1144
  security = "none"
  username = "sales@example.com"
  password = "secret"
`

// held has a mail held at a desk.
func (n *house) held(r *runningDesk, from, subject string) store.Entry {
	n.t.Helper()
	var box store.Mailbox
	n.write(func(tx *store.Tx) (err error) {
		box, _, err = tx.EnsureMailbox(r.settings.ID, "imap", "127.0.0.1", r.settings.Address, "INBOX")
		if err == nil && box.UIDValidity == 0 {
			box.OpenedAt, box.UIDValidity = n.now, 1
			err = tx.SaveMailbox(box)
		}
		return err
	})
	n.uid++
	taken, err := n.d.acts.taker.Take(n.t.Context(), r.settings, box, []*desk.Incoming{n.incoming(n.letter(from, subject))})
	if err != nil || len(taken) != 1 || taken[0].Outcome != desk.Held {
		n.t.Fatal(taken, err)
	}
	return n.entry(taken[0].Entry)
}

// Who becomes a customer of one desk stays unknown at the others: their mail
// there is still held.
func TestCustomerOfOneDesk(t *testing.T) {
	t.Parallel()
	n := newHouse(t, salesDesk, "public_signup = false")
	sales, support := n.d.desks[0], n.d.desks[1]
	for _, step := range []struct {
		act  ui.Act
		from string
	}{
		{ui.Act{Name: ui.ActAddCustomer, Desk: "SUP", Address: "taro@customer.test"}, taro},
		{ui.Act{Name: ui.ActImportCustomers, Desk: "SUP", People: []ui.Customer{{Address: "hanako@customer.test"}}}, hanako},
	} {
		there, here := n.held(sales, step.from, "To sales"), n.held(support, step.from, "To support")
		n.act(step.act)
		if e := n.entry(here.ID); e.Outcome != desk.Request {
			t.Errorf("%s: at their desk the mail of the new customer is %s", step.act.Name, e.Outcome)
		}
		if e := n.entry(there.ID); e.Outcome != desk.Held {
			t.Errorf("%s: at another desk the mail of the new customer is %s", step.act.Name, e.Outcome)
		}
	}
}

// All addresses of a person become known at once, and so is their mail taken.
func TestHeldMailOfOtherAddresses(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "public_signup = false")
	mail1 := n.take(n.letter("Taro <taro@home.test>", "From home"), "")
	n.write(func(tx *store.Tx) error {
		if err := tx.AddMember(0, mail.Address{Address: "taro@customer.test"}, n.now); err != nil {
			return err
		}
		if _, err := tx.RemoveMember(0, "taro@customer.test"); err != nil {
			return err
		}
		return tx.MergeCustomers("taro@home.test", "taro@customer.test")
	})
	answer := n.act(ui.Act{Name: ui.ActAddCustomer, Address: "taro@customer.test"})
	if e := n.entry(mail1.ID); e.Outcome != desk.Request || !slices.ContainsFunc(answer.Done, func(r ui.ActResult) bool { return r.Slug == "held-taken" }) {
		t.Errorf("the mail from the other address is %s: %s", e.Outcome, slugs(answer))
	}
}

// A held mail whose text is damaged keeps no other from being taken, nor the
// housekeeping from its work.
func TestDamagedHeldMail(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "public_signup = false")
	first := n.take(n.letter(taro, "Damaged"), "")
	second := n.take(n.letter(taro, "Printer"), "")
	n.close()
	db, err := sql.Open("sqlite", filepath.Join(n.config().DataDir, DatabaseFile))
	if err == nil {
		_, err = db.Exec("DELETE FROM raw WHERE id = (SELECT min(id) FROM raw)")
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	n.desk = "public_signup = false\ncustomer_domains = [\"customer.test\"]"
	n.open()
	n.pass()
	if a, b := n.entry(first.ID).Outcome, n.entry(second.ID).Outcome; a != desk.Held || b != desk.Request {
		t.Errorf("the damaged mail is %s, the other one %s", a, b)
	}
	n.pass()
}
