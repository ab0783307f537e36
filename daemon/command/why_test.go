package command

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/mail"
	"helpdesk/store"
)

// fillHealth says how the mailbox of a desk is.
func fillHealth(f *filled, states map[string]string) {
	f.write(func(tx *store.Tx) error {
		for key, state := range states {
			h := store.Health{Subject: fmt.Sprint("mailbox:", f.desk[key]), State: state, LastPoll: f.now.Add(-5 * time.Minute)}
			if state == "failing" {
				h.Step, h.Protocol, h.Code, h.Text = "login", "imap", "AUTHENTICATIONFAILED", "NO [AUTHENTICATIONFAILED] Invalid credentials"
			}
			if err := tx.PutHealth(h); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestWhyAddress asks for people of whom each has another story.
func TestWhyAddress(t *testing.T) {
	f := newFilled(t, "en")
	fillHealth(f, map[string]string{"SUP": "failing", "SAL": "ok"})
	taro := mail.Address{Name: "Taro", Address: "taro@customer.test"}
	r := f.request("SUP", taro, "Mouse\x1b[2J", "Broken", nil)
	f.write(func(tx *store.Tx) error {
		if err := tx.AddMember(f.desk["SUP"], taro, f.now); err != nil {
			return err
		}
		for _, e := range []store.Entry{
			{From: mail.Address{Address: "held@unknown.test"}, Outcome: "held", Rule: "unknown-sender"},
			{From: taro, Outcome: "bounce", Rule: "bounce"},
		} {
			e.DeskID, e.Subject = f.desk["SUP"], "Hello"
			if err := tx.AddEntry(&e); err != nil {
				return err
			}
			if e.Outcome == "bounce" {
				if err := tx.Suspend("taro@customer.test", e.ID, "5.1.1"); err != nil {
					return err
				}
			}
		}
		l := store.OutboxLine{DeskID: f.desk["SUP"], RequestID: r.ID, Event: "received", To: taro, MessageID: "one@example.com", Automatic: true}
		if err := tx.Queue(&l); err != nil {
			return err
		}
		l.State, l.Cause, l.Error = store.OutboxFailed, "bounced", "550 5.1.1 no such user"
		if err := tx.SaveOutbox(l); err != nil {
			return err
		}
		return tx.Block(f.desk["SUP"], "spammer@customer.test", r.ID, f.now)
	})
	for address, want := range map[string][]string{
		"TARO@customer.test": {
			"helpdesk is not running", "Support (support@example.com): Failing", "Invalid credentials", "helpdesk test SUP", "Sales (sales@example.com): the mailbox works",
			"Taro <taro@customer.test> is a customer", "Support: let in, a known customer", "Sales: let in, everybody may write", "Nothing is sent to taro@customer.test", "status 5.1.1",
			"550 5.1.1 no such user", "helpdesk customers unsuspend taro@customer.test", "New request", "(SUP-1)", "Acknowledgement to the customer, failed", "helpdesk outbox retry 1",
		},
		"held@unknown.test":     {"is no customer yet", "Support: not known there", "helpdesk customers add held@unknown.test --desk SUP", "Held", "helpdesk retry 2", "Nothing was sent to them"},
		"tarro@customer.test":   {"No mail from tarro@customer.test was ever seen", "spam folder", "These addresses were seen here", "taro@customer.test"},
		"tarro@custmer.test":    {"These addresses were seen here", "    taro@customer.test"},
		"a@partner.test":        {"Support: let in, partner.test is on the allow list"},
		"a@mx.partner.test":     {"Support: let in, partner.test is on the allow list"},
		"a@shop.partner.test":   {"! Support: shop.partner.test is on the block list"},
		"pest@customer.test":    {"! Support: pest@customer.test is on the block list"},
		"spammer@customer.test": {"! Support: an agent called their mail spam", "helpdesk customers unblock spammer@customer.test"},
		"aki@example.com":       {"Support: an agent.", "Sales: an agent."},
		"ben@example.com":       {"Support: an agent.", "Sales: let in, everybody may write"},
		"x@sub.member.test":     {"Support: let in, member.test is a domain of customers"},
		"support@example.com":   {"Support: this is an address of the desk itself"},
	} {
		out, _ := f.call(0, "why", address)
		wantAll(t, out, want...)
		wantNone(t, out, "why.", "\x1b", "act.")
	}
	out, _ := f.call(0, "why", "taro@customer.test")
	order := []string{"Can mail arrive?", "Who is it?", "Their mails", "What was sent to them"}
	last := -1
	for _, title := range order {
		if at := strings.Index(out, title); at <= last {
			t.Errorf("%q is not in its place:\n%s", title, out)
		} else {
			last = at
		}
	}
	f.call(exitUse, "why", "not@an@address")
	f.call(exitUse, "why", "x")
	f.call(exitFailed, "why", "999")
}

// A mailbox that the configuration keeps closed, and one that only observes.
func TestWhyClosedAndObserving(t *testing.T) {
	f := newFilled(t, "ja")
	fillHealth(f, map[string]string{"SUP": "observing", "SAL": "stopped"})
	text := strings.Replace(readFile(t, f.path), "  username = \"sales@example.com\"\n", "", 1)
	writeFile(t, f.path, text)
	out, _ := f.call(0, "why", "taro@customer.test")
	wantAll(t, out, "! Support（support@example.com）: 観察モード", "! Sales（sales@example.com）: 設定に誤り", "username", "迷惑メールフォルダー", "helpdesk check")
	wantNone(t, out, "why.")

	// What the desk saw of them is no mail that was never seen.
	writeFile(t, f.path, strings.Replace(text, "key = \"SUP\"\n", "key = \"SUP\"\nmode = \"observe\"\n", 1))
	f.read(func(s *store.Store) error {
		shadow, err := s.Shadow(t.Context(), daemon.ObservePath(filepath.Join(filepath.Dir(f.path), "data"), f.desk["SUP"]), store.Options{})
		if err != nil {
			return err
		}
		defer shadow.Close()
		return shadow.Write(t.Context(), func(tx *store.Tx) error {
			return tx.AddEntry(&store.Entry{DeskID: f.desk["SUP"], From: mail.Address{Address: "taro@customer.test"}, Subject: "こんにちは", Outcome: "request", Rule: "request"})
		})
	})
	out, _ = f.call(0, "why", "taro@customer.test")
	wantAll(t, out, "Support で観察のみ", "「新規依頼」", "こんにちは")
	wantNone(t, out, "why.", "迷惑メールフォルダー")
	if out, _ := f.call(0, "ledger"); !strings.Contains(out, "helpdesk ledger --observed") {
		t.Errorf("nothing points to what was observed: %s", out)
	}
}
