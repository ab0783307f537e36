package desk

import (
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/store"
)

// An agent's answer that came back for good is a note, and a line of the next
// digest; the way back is a mail of that customer which answers ours.
func TestAnswerCameBack(t *testing.T) {
	b, notice := asked(t)
	b.answers("aki@example.com", notice, "Switch it on.")
	b.bounce(b.line(EventAnswered, "taro@customer.test"))
	if got := b.tally(); got["bounced aki@example.com digest"] != 1 || got["bounced ben@example.com digest"] != 0 {
		t.Errorf("queued %v", got)
	}
	if line := b.line(EventBounced, "aki@example.com"); line.Args["address"] != "taro@customer.test" || !strings.Contains(line.Args["words"], "no such user") {
		t.Errorf("the line says %v", line.Args)
	}
	b.answers("aki@example.com", notice, "And?")
	if state := b.line(EventAnswered, "taro@customer.test").State; state != store.OutboxSuspended {
		t.Errorf("the next answer is %s", state)
	}
	b.bounce(b.line(EventNew, "ben@example.com"))
	if got := b.tally(); got["bounced aki@example.com digest"] != 2 { // the answer, and the one that waits
		t.Errorf("a notice that came back caused %v", got)
	}
	b.customerSays("taro@customer.test", "I am here!")
	if suspended, err := b.taker.Store.SuspendedAt(t.Context(), "taro@customer.test"); err != nil || suspended {
		t.Errorf("suspended: %v, %v", suspended, err)
	}
	b.answers("aki@example.com", notice, "Good.")
	if state := b.line(EventAnswered, "taro@customer.test").State; state != store.OutboxWaiting {
		t.Errorf("the answer after that is %s", state)
	}
}

// bounce takes the report that a mail of ours came back for good.
func (b *bench) bounce(line store.OutboxLine) {
	b.t.Helper()
	b.n++
	line.State = store.OutboxSent
	b.write(func(tx *store.Tx) error { return tx.SaveOutbox(line) })
	b.take(strings.Replace(returned(line.MessageID, line.To.Address), "<b@mx.test>", "<b"+itoa(b.n)+"@mx.test>", 1))
}

// returned is the report of a server that a mail of ours came back for good.
func returned(messageID, to string) string {
	return "Return-Path: <>\nFrom: MAILER-DAEMON@mx.test\nTo: support@example.com\nSubject: Undelivered Mail Returned to Sender\nMessage-ID: <b@mx.test>\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\nNo such user.\n\n--b\nContent-Type: message/delivery-status\n\n" +
		"Reporting-MTA: dns; mx.test\n\nFinal-Recipient: rfc822; " + to + "\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n\n--b\nContent-Type: message/rfc822\n\n" +
		"From: support@example.com\nTo: " + to + "\nMessage-ID: <" + messageID + ">\nSubject: Re\n\nx\n\n--b--\n"
}

// Requests that wait for their customer are resolved, those that are resolved
// are closed, and agents are reminded of customers who wait: each once.
func TestCloseAndRemind(t *testing.T) {
	b, notice := asked(t)
	b.desk.AutoClose = 7 * 24 * time.Hour
	remind := func() []string {
		return b.since(func() {
			if err := b.taker.Remind(t.Context(), b.desk, b.request("SUP-1")); err != nil {
				t.Fatal(err)
			}
		})
	}
	b.now = b.now.Add(5 * time.Hour)
	if got := remind(); !slices.Equal(got, []string{"reminder aki@example.com", "reminder ben@example.com"}) || len(remind()) != 0 {
		t.Errorf("reminded %v, then %v", got, remind())
	}
	if since := b.line(EventReminder, "ben@example.com").Args["since"]; since != itoa(b.request("SUP-1").AwaitingSince.Unix()) {
		t.Errorf("waiting since %s", since)
	}
	b.answers("aki@example.com", notice, "Switch it on.")
	closing := func() (int, []string) {
		n := 0
		queued := b.since(func() {
			var err error
			if n, err = b.taker.Close(t.Context(), b.desk); err != nil {
				t.Fatal(err)
			}
		})
		return n, queued
	}
	if n, queued := closing(); n != 0 || len(queued) != 0 || len(remind()) != 0 {
		t.Errorf("closed %d too early, %v", n, queued)
	}
	b.now = b.now.Add(8 * 24 * time.Hour)
	if n, queued := closing(); n != 1 || !slices.Equal(queued, []string{"resolved taro@customer.test"}) || b.request("SUP-1").State != store.StateResolved {
		t.Errorf("closed %d, queued %v", n, queued)
	}
	b.now = b.now.Add(15 * 24 * time.Hour)
	if n, queued := closing(); n != 1 || len(queued) != 0 || !b.request("SUP-1").ClosedAt.Equal(b.now) {
		t.Errorf("closed %d, queued %v", n, queued)
	}
	if n, _ := closing(); n != 0 {
		t.Errorf("closed %d again", n)
	}
	if e := b.customerSays("taro@customer.test", "Hello again"); e.Request != "SUP-2" {
		t.Errorf("a reply to a closed request became %+v", e)
	}
}
