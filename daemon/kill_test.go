package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/store"
)

// child runs the daemon as a process of its own.
func (o *office) child() (*exec.Cmd, *bytes.Buffer) {
	o.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childConfig+"="+o.configPath())
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { cmd.Process.Kill() }) // it has ended unless the test failed
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		o.t.Fatalf("the daemon did not start: %v\n%s", err, log.String())
	}
	return cmd, &log
}

// kill ends a child without warning.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // its error says "killed"
}

// TestKilled kills the process again and again while it takes 2,000 mails and
// sends notifications: 2,000 requests come of it, every mail is moved, each is
// acknowledged, and more than once only where a kill hit the moment between
// the relay's answer and its record.
func TestKilled(t *testing.T) {
	const mails, kills = 2000, 40
	o := newOffice(t, func(s *officeSettings) {
		s.After, s.Backlog, s.Agents, s.Top = "move", "process", []string{"aki"}, noLimits
		s.RelayUser, s.RelaySecurity = "", "none"
	})
	o.set.RelayHost, o.set.RelayPort = split(t, o.hosts.SMTP)
	o.writeConfig()
	busy := 0 // kills that hit while mail was under way, in or out
	for killed := range kills {
		for i := killed * mails / kills; i < (killed+1)*mails/kills; i++ {
			raw := fmt.Sprintf("From: K%[1]d <k%[1]d@customer.test>\r\nTo: support@mail.test\r\nSubject: Mail %[1]d\r\nMessage-ID: <k%[1]d@customer.test>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0900\r\n\r\nText of mail %[1]d\r\n", i)
			if err := o.hosts.Deliver("support@mail.test", []byte(raw)); err != nil {
				t.Fatal(err)
			}
		}
		cmd, _ := o.child()
		pause := time.NewTimer(rand.N(500 * time.Millisecond))
		<-pause.C
		kill(t, cmd)
		if o.underWay() {
			busy++
		}
	}
	cmd, log := o.child()
	s := o.readStore()
	o.eventually("all mails are taken, moved and answered", func(ctx context.Context) (bool, error) {
		counts, err := s.OutboxCounts(ctx)
		if err != nil || counts.Waiting > 0 {
			return false, err
		}
		return o.count("support@mail.test", "INBOX") == 0 && o.count("support@mail.test", "Helpdesk/Done") >= mails, nil
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	kill(t, cmd)

	if n := o.count("support@mail.test", "Helpdesk/Done"); n != mails {
		t.Errorf("%d mails lie in Helpdesk/Done, want %d\n%s", n, mails, log.String())
	}
	subjects := make(map[string]int)
	requests, err := s.Requests(t.Context(), store.RequestFilter{Limit: 2 * mails})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		subjects[r.Subject]++
	}
	if len(requests) != mails || len(subjects) != mails {
		t.Errorf("%d requests with %d subjects, want %d of both", len(requests), len(subjects), mails)
	}
	entries, err := s.Entries(t.Context(), store.EntryFilter{Limit: 2 * mails})
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != mails {
		t.Errorf("the ledger has %d lines, want %d: one for each mail", len(entries), mails)
	}
	acks := o.acknowledgements()
	twice := 0
	for i := range mails {
		n := acks[fmt.Sprintf("<k%d@customer.test>", i)]
		if n == 0 {
			t.Errorf("mail %d got no acknowledgement", i)
		}
		twice += max(0, n-1)
	}
	if busy < kills/2 {
		t.Errorf("only %d of %d kills hit while mail was under way", busy, kills)
	}
	t.Logf("%d kills, %d of them while mail was under way: %d requests, %d acknowledgements, %d of them a second time because they were in flight at a kill", kills, busy, len(requests), len(acks)+twice, twice)
	if twice > kills {
		t.Errorf("%d acknowledgements came twice, more than the %d kills can explain", twice, kills)
	}
}

// underWay reports whether mail lies in the inbox untaken, or in the outbox unsent.
func (o *office) underWay() bool {
	o.t.Helper()
	if o.count("support@mail.test", "INBOX") > 0 {
		return true
	}
	s, err := store.OpenReadOnly(o.t.Context(), filepath.Join(o.dir, "data", daemon.DatabaseFile), store.Options{})
	if err != nil {
		o.t.Fatal(err)
	}
	defer s.Close()
	counts, err := s.OutboxCounts(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	return counts.Waiting > 0
}

// readStore opens the daemon's database beside it.
func (o *office) readStore() *store.Store {
	o.t.Helper()
	s, err := store.OpenReadOnly(o.t.Context(), filepath.Join(o.dir, "data", daemon.DatabaseFile), store.Options{})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			o.t.Error(err)
		}
	})
	return s
}

// acknowledgements counts what came to the customers, by the mail it answers.
func (o *office) acknowledgements() map[string]int {
	o.t.Helper()
	o.settledRelay()
	mails, err := o.hosts.Mailbox("taro@customer.test", "INBOX")
	if err != nil {
		o.t.Fatal(err)
	}
	acks := make(map[string]int)
	for _, raw := range mails {
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			o.t.Fatal(err)
		}
		acks[m.Header.Get("In-Reply-To")]++
	}
	return acks
}

// settledRelay waits until Postfix has delivered all it accepted: the number
// of mails at the customers no longer changes while its queue is empty.
func (o *office) settledRelay() {
	o.t.Helper()
	o.eventually("Postfix has delivered all", func(context.Context) (bool, error) { return o.relayEmpty() })
}
