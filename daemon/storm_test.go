package daemon_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/store"
)

// second starts another installation of ours on the same mail servers: the
// desk of another office.
func (o *office) second(address, key string) *office {
	o.t.Helper()
	other := &office{t: o.t, hosts: o.hosts, dir: o.t.TempDir(), set: o.set}
	other.writeConfig()
	c := strings.NewReplacer(`address = "support@mail.test"`, `address = "`+address+`"`, `key = "SUP"`, `key = "`+key+`"`).Replace(other.config())
	i := strings.Index(c, "[desk.mailbox]")
	other.write(c[:i] + strings.Replace(c[i:], `username = "support@mail.test"`, `username = "`+address+`"`, 1))
	return other
}

// Two desks that write to each other stop after two mails.
func TestTwoInstancesDoNotTalk(t *testing.T) {
	o := newOffice(t, nil)
	other := o.second("sales@mail.test", "SAL")
	o.start()
	other.start()
	o.mailboxOK()
	other.mailboxOK()
	o.send("sales@mail.test", support, newMail("Sales <sales@mail.test>", support, "A question of ours", "Hello"))
	o.inbox("sales@mail.test", 1) // our acknowledgement
	other.becomes(1, "ignored", "automatic-reply")
	for _, one := range []*office{o, other} {
		one.delivered()
	}
	if a, b := o.count(support, "INBOX"), o.count("sales@mail.test", "INBOX"); a+b > 2 {
		t.Errorf("%d and %d mails: they talk to each other", a, b)
	}
}

// storm is how many mails the hostile program sends.
const storm = 10_000

// A program that answers every mail, strips every header that tells it from a
// person, and besides writes on its own: it gets 10 answers at most, an agent
// gets 10 notices at most, and every mail is in the ledger.
func TestHostileAutoResponder(t *testing.T) {
	o := newOffice(t, func(s *officeSettings) { s.Agents = []string{"aki"}; s.Idle = false; s.Poll = "5s" })
	o.start()
	o.mailboxOK()
	const hostile = "mallory@customer.test"
	ctx, cancel := context.WithCancel(t.Context())
	var answering sync.WaitGroup
	answering.Go(func() { // it answers what we send
		for n := 1; ; n++ {
			mails, err := o.hosts.WaitMailbox(ctx, hostile, "INBOX", n)
			if err != nil {
				return // the test is over
			}
			if err := o.sendPlain(hostile, support, strings.ReplaceAll(fmt.Sprintf("From: %s\nTo: %s\nSubject: I am away %d\nMessage-ID: <away%d@customer.test>\n\n%d bytes read.\n", hostile, support, n, n, len(mails[n-1])), "\n", "\r\n")); err != nil {
				t.Errorf("the hostile program cannot send: %v", err)
				return
			}
		}
	})
	defer answering.Wait()
	defer cancel()
	for i := range storm {
		raw := fmt.Sprintf("From: Mallory <%s>\r\nTo: %s\r\nSubject: Away %d\r\nMessage-ID: <storm%d@customer.test>\r\nDate: %s\r\n\r\nI am away, mail %d.\r\n",
			hostile, support, i, i, time.Now().Add(-time.Duration(i)*time.Second).Format(time.RFC1123Z), i)
		if err := o.hosts.Deliver(support, []byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
	o.eventually("every mail is in the ledger", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && s.Ledger.Total >= storm, err
	})
	o.eventually("all mail that is due is delivered", func(ctx context.Context) (bool, error) { // a digest is not due yet
		lines, err := o.info.Store.Outbox(ctx, store.OutboxFilter{State: store.OutboxWaiting})
		if err != nil || slices.ContainsFunc(lines, func(l store.OutboxLine) bool { return l.State == store.OutboxWaiting }) {
			return false, err
		}
		return o.relayEmpty()
	})
	answers, notices := o.count(hostile, "INBOX"), o.count(aki, "INBOX")
	t.Logf("%d mails: %d answers, %d notices", storm, answers, notices)
	if answers == 0 || answers > 10 {
		t.Errorf("%d answers to the hostile program, want 1 to 10", answers)
	}
	if notices == 0 || notices > 10 {
		t.Errorf("%d notices to the agent, want 1 to 10", notices)
	}
	counts, err := o.info.Store.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]int64{}
	for _, c := range counts {
		outcomes[c.Outcome] += c.Total
	}
	if made := outcomes["request"] + outcomes["reply"]; made > 30 || outcomes["held"] < storm-30 {
		t.Errorf("they became %v: all beyond 30 an hour should be held", outcomes)
	}

	// Nothing of it is hidden: the notices that were not sent one by one come
	// with a digest.
	o.clock.Store(int64(20 * time.Minute))
	o.eventually("the digest is sent", func(ctx context.Context) (bool, error) {
		lines, err := o.info.Store.Outbox(ctx, store.OutboxFilter{To: aki, Limit: 1})
		return err == nil && len(lines) == 1 && lines[0].Event == "digest" && lines[0].State == store.OutboxSent, err
	})
	if waiting, err := o.info.Store.DigestLines(t.Context(), 1); err != nil || len(waiting) > 0 {
		t.Errorf("%d notices still wait for a digest, %v", len(waiting), err)
	}
	// Somebody else is served as ever.
	o.send(taro, support, newMail("Taro <"+taro+">", support, "A question", "Am I heard?"))
	o.inbox(taro, 1)
}
