package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/store"
	"helpdesk/ui"
)

// do has the running daemon do something, as a command does.
func (o *office) do(act ui.Act) ui.ActAnswer {
	o.t.Helper()
	c, faults, err := config.Load(o.configPath(), os.LookupEnv)
	if err != nil || config.Refused(faults) {
		o.t.Fatalf("the test's configuration is wrong: %v %v", err, faults)
	}
	answer, err := daemon.DoAct(o.t.Context(), c, act)
	if err != nil {
		o.t.Fatalf("%s: %v", act.Name, err)
	}
	return answer
}

// becomes waits until a ledger line has an outcome.
func (o *office) becomes(n int, outcome, rule string) store.Entry {
	o.t.Helper()
	var e store.Entry
	o.eventually(fmt.Sprintf("line %d becomes %s", n, outcome), func(ctx context.Context) (bool, error) {
		var err error
		e, err = o.info.Store.Entry(ctx, int64(n))
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return e.Outcome == outcome && (rule == "" || e.Rule == rule), err
	})
	return e
}

// state waits until a request is in a state.
func (o *office) state(key, state string) store.Request {
	o.t.Helper()
	var r store.Request
	o.eventually(key+" is "+state, func(ctx context.Context) (bool, error) {
		var err error
		r, err = o.info.Store.RequestByKey(ctx, key)
		return err == nil && r.State == state, nil
	})
	return r
}

// delivered waits until nothing is left to be sent and the relay has delivered
// all that it accepted: from then on a mail that did not come was not sent.
func (o *office) delivered() {
	o.t.Helper()
	o.settled()
	o.eventually("the relay has delivered all", func(context.Context) (bool, error) { return o.relayEmpty() })
}

// answer is what a person's mail program makes when they answer a mail.
func answer(to *mail.Message, from, recipient, text string) string {
	return fmt.Sprintf("From: %s\nTo: %s\nSubject: Re: %s\nMessage-ID: <%d@%s>\nDate: %s\nIn-Reply-To: %s\nReferences: %s %s\n\n%s\n",
		from, recipient, strings.TrimPrefix(to.Header.Get("Subject"), "Re: "), time.Now().UnixNano(), "program.test", time.Now().Format(time.RFC1123Z),
		to.Header.Get("Message-ID"), to.Header.Get("References"), to.Header.Get("Message-ID"), text)
}

func newMail(from, to, subject, text string) string {
	return fmt.Sprintf("From: %s\nTo: %s\nSubject: %s\nMessage-ID: <%d@program.test>\nDate: %s\n\n%s\n", from, to, subject, time.Now().UnixNano(), time.Now().Format(time.RFC1123Z), text)
}

const support, taro, aki, ben = "support@mail.test", "taro@customer.test", "aki@mail.test", "ben@mail.test"

// A desk for known customers holds what others write, says so once, and takes
// all of it when the customer is added.
func TestRestrictedDesk(t *testing.T) {
	o := newOffice(t, func(s *officeSettings) { s.Desk = "public_signup = false\nanswer_unknown = true" })
	o.start()
	o.mailboxOK()
	o.send(taro, support, newMail("Taro <"+taro+">", support, "First question", "Does it work?"))
	o.becomes(1, "held", "unknown-sender")
	if m := o.inbox(taro, 1); m.Header.Get("Auto-Submitted") == "" || strings.Contains(body(t, m), "SUP-") {
		t.Errorf("the answer to an unknown sender: %v", m.Header)
	}
	o.send(taro, support, newMail("Taro <"+taro+">", support, "Second question", "And this?"))
	o.becomes(2, "held", "unknown-sender")
	o.delivered()
	if n := o.count(taro, "INBOX"); n != 1 {
		t.Errorf("%d mails to the unknown sender, one a week is enough", n)
	}
	if n := o.count(aki, "INBOX"); n != 0 {
		t.Errorf("agents were told %d times of held mail", n)
	}

	o.do(ui.Act{Name: ui.ActAddCustomer, Address: taro})
	for n, subject := range map[int]string{1: "First question", 2: "Second question"} {
		e := o.becomes(n, "request", "")
		if e.Subject != subject || e.Request != fmt.Sprintf("SUP-%d", n) {
			t.Errorf("line %d became %s %q, want the requests in the order of the mails", n, e.Request, e.Subject)
		}
	}
	o.inbox(aki, 2)
	o.inbox(taro, 3)
	o.delivered()
	if n, m := o.count(taro, "INBOX"), o.count(aki, "INBOX"); n != 3 || m != 2 {
		t.Errorf("%d mails to the customer, %d to the agent; want the two acknowledgements besides the first, and two notices", n, m)
	}
	o.send(taro, support, newMail("Taro <"+taro+">", support, "Third question", "Known now"))
	o.becomes(3, "request", "request")
	o.send("mallory@customer.test", support, newMail("mallory@customer.test", support, "Me too", "Hello"))
	e := o.becomes(4, "held", "unknown-sender")
	o.do(ui.Act{Name: ui.ActTake, IDs: []int64{e.ID}})
	o.becomes(4, "request", "")
}

// What an agent can do from their own mail program.
func TestAgentWorksByMail(t *testing.T) {
	o := newOffice(t, nil)
	o.start()
	o.mailboxOK()
	o.send(taro, support, newMail("Taro <"+taro+">", support, "The printer", "It does not print."))
	notice := o.inbox(aki, 1)
	o.inbox(taro, 1) // the acknowledgement

	o.send(aki, support, answer(notice, aki, support, "#assign ben\n#priority high"))
	o.eventually("the request is assigned", func(ctx context.Context) (bool, error) {
		r, err := o.info.Store.RequestByKey(ctx, "SUP-1")
		return err == nil && r.Assignee == ben && r.Fields["priority"] == "high", err
	})
	assigned := o.inbox(ben, 2)
	o.delivered()
	if n := o.count(taro, "INBOX"); n != 1 {
		t.Errorf("commands alone sent %d mails to the customer", n-1)
	}

	o.send(aki, support, answer(notice, aki, support, "#frobnicate\nThis must not go out."))
	told := o.inbox(aki, 2)
	if text := body(t, told); !strings.Contains(text, "frobnicate") || !strings.Contains(text, "#resolve") {
		t.Errorf("the agent is told:\n%s", text)
	}
	o.delivered()
	if n := o.count(taro, "INBOX"); n != 1 {
		t.Error("a mail with an unknown command was sent to the customer")
	}

	o.send(ben, support, answer(assigned, ben, support, "Please switch it on.\n\n#resolve"))
	sent := o.inbox(taro, 2)
	if text := body(t, sent); !strings.Contains(text, "Please switch it on.") || strings.Contains(text, "#resolve") || !strings.Contains(text, "> It does not print.") {
		t.Errorf("the customer got:\n%s", text)
	}
	o.state("SUP-1", store.StateResolved)

	o.send(taro, support, answer(sent, "Taro <"+taro+">", support, "It is on, and does not print."))
	o.state("SUP-1", store.StateOpen)
	o.send(ben, support, answer(assigned, ben, support, "#note only between us"))
	_, messages := o.request("SUP-1", 6)
	if last := messages[len(messages)-1]; last.Kind != store.KindNote || !strings.Contains(last.Reply, "only between us") {
		t.Errorf("the note became %s %q", last.Kind, last.Reply)
	}

	// The same words from a stranger, with a copy of the agent's notice in hand.
	before := o.count(taro, "INBOX")
	o.send("mallory@customer.test", support, answer(notice, "Aki <mallory@customer.test>", support, "#resolve\nPay here: evil.test"))
	o.send("mallory@customer.test", support, newMail(aki, support, "Re: The printer [SUP-1]", "Pay here: evil.test"))
	o.eventually("both are decided", func(ctx context.Context) (bool, error) {
		e, err := o.info.Store.Entries(ctx, store.EntryFilter{Limit: 2})
		return err == nil && len(e) == 2 && e[0].Outcome == "note" && strings.Contains(e[0].Rule, "unverified") && e[1].Rule == "request-mentions", err
	})
	o.delivered()
	if n := o.count(taro, "INBOX"); n != before {
		t.Errorf("%d mails of a stranger went to the customer", n-before)
	}
	if r := o.state("SUP-1", store.StateOpen); r.Requester.Address != taro {
		t.Errorf("the requester is %v", r.Requester)
	}
}

// Two desks of one office: one mail to both becomes one request in each, once,
// and they never talk to each other.
func TestTwoDesks(t *testing.T) {
	o := newOffice(t, nil)
	o.set.More = fmt.Sprintf(`
[[desk]]
name = "Sales"
key = "SAL"
address = "sales@mail.test"
agents = ["ben@mail.test"]
  [desk.mailbox]
  host = "%s"
  port = %s
  username = "sales@mail.test"
  password = "secret"
  trust = ["test"]
`, o.set.IMAPHost, o.set.IMAPPort)
	o.writeConfig()
	o.start()
	o.eventually("both mailboxes are polled", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && s.Desks[0].Mailbox.State == "ok" && s.Desks[1].Mailbox.State == "ok", err
	})
	raw := newMail("Taro <"+taro+">", support+", sales@mail.test", "To both of you", "Hello")
	o.send(taro, support, raw)
	o.send(taro, "sales@mail.test", raw)
	for _, key := range []string{"SUP-1", "SAL-1"} {
		r, _ := o.request(key, 1)
		people, err := o.info.Store.Participants(t.Context(), r.ID)
		if err != nil || len(people) != 1 {
			t.Errorf("%s has the participants %v %v", key, people, err)
		}
	}
	o.inbox(taro, 2)
	o.inbox(ben, 2)
	o.delivered()
	requests, err := o.info.Store.Requests(t.Context(), store.RequestFilter{})
	if err != nil || len(requests) != 2 {
		t.Errorf("%d requests, %v", len(requests), err)
	}
	if n, m := o.count(taro, "INBOX"), o.count(aki, "INBOX"); n != 2 || m != 1 {
		t.Errorf("%d mails to the customer and %d to the agent of one desk", n, m)
	}
	if a, b := o.count(support, "INBOX"), o.count("sales@mail.test", "INBOX"); a != 1 || b != 1 {
		t.Errorf("%d and %d mails in the desks' mailboxes: they wrote to each other", a, b)
	}
}

// An agent passes on what a customer wrote to them: the customer is the requester.
func TestForwardedMail(t *testing.T) {
	o := newOffice(t, func(s *officeSettings) { s.Desk = `authserv_id = "mx.mail.test"` })
	o.start()
	o.mailboxOK()
	const proof = "Authentication-Results: mx.mail.test; dmarc=pass header.from=mail.test\n"
	forwarded := "Please look after this.\n\n---------- Forwarded message ---------\nFrom: Taro Yamada <" + taro + ">\nDate: Sat, 21 Nov 2026 at 10:00\nSubject: Wrong invoice\nTo: <aki@mail.test>\n\nMy invoice is wrong.\n"
	o.send(aki, support, proof+newMail("Aki <"+aki+">", support, "Fwd: Wrong invoice", forwarded))
	r, _ := o.request("SUP-1", 1)
	if r.Requester.Address != taro {
		t.Errorf("the requester is %v", r.Requester)
	}
	o.inbox(taro, 1)
	notice := o.inbox(aki, 1)
	o.send(aki, support, answer(notice, "Aki <"+aki+">", support, "#mine"))
	o.eventually("the agent is the requester", func(ctx context.Context) (bool, error) {
		r, err := o.info.Store.RequestByKey(ctx, "SUP-1")
		return err == nil && r.Requester.Key() == aki, err
	})

	// Without the proof anybody could make us write to anybody.
	o.send("mallory@customer.test", support, newMail("Aki <"+aki+">", support, "Fwd: Wrong invoice", strings.ReplaceAll(forwarded, "Taro Yamada <"+taro+">", "Jiro <jiro@customer.test>")))
	r, _ = o.request("SUP-2", 1)
	if r.Requester.Key() != aki {
		t.Errorf("a forward without proof made a request of %v", r.Requester)
	}
	o.delivered()
	if n := o.count("jiro@customer.test", "INBOX"); n != 0 {
		t.Errorf("%d mails to somebody who was only named in a mail", n)
	}
}

// A mail that comes back for good stops mail to that address, until a person
// says that it is right.
func TestPermanentBounceSuspends(t *testing.T) {
	o := newOffice(t, nil)
	o.start()
	o.mailboxOK()
	const gone = "bounced@customer.test"
	o.send(taro, support, newMail("Gone <"+gone+">", support, "Hello", "Hello"))
	o.becomes(2, "bounce", "bounce") // of the acknowledgement
	suspended := func(ctx context.Context) (bool, error) { return o.info.Store.SuspendedAt(ctx, gone) }
	o.eventually("the address is suspended", suspended)
	o.delivered()
	agents := o.count(aki, "INBOX")
	o.send(taro, support, newMail("Gone <"+gone+">", support, "Hello again", "Hello"))
	o.becomes(3, "request", "request")
	o.delivered()
	lines, err := o.info.Store.Outbox(t.Context(), store.OutboxFilter{To: gone})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if l.Event == "received" && l.Request == "SUP-2" && l.State != store.OutboxSuspended || l.State == store.OutboxSent {
			t.Errorf("%s of %s to a suspended address is %s", l.Event, l.Request, l.State)
		}
	}
	if n := o.count(aki, "INBOX"); n != agents+1 {
		t.Errorf("%d notices, want the one of the new request: a bounce causes no mail", n-agents)
	}
	o.do(ui.Act{Name: ui.ActUnsuspend, Address: gone})
	if is, err := suspended(t.Context()); is || err != nil {
		t.Errorf("still suspended: %v %v", is, err)
	}
}
