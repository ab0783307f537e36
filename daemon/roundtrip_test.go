package daemon_test

import (
	"context"
	"io"
	"net/mail"
	"strings"
	"testing"

	"helpdesk/store"
)

// TestRoundTrip is the main job: a customer's mail becomes a request, is
// acknowledged, the agents are told, an agent's answer from their own mail
// program reaches the customer, whose reply joins the same request.
func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*officeSettings)
	}{
		{"IDLE and TLS and submission with login", nil},
		{"polling and STARTTLS and relay without login", func(s *officeSettings) {
			s.Idle, s.Poll, s.IMAPSecurity = false, "5s", "starttls"
			s.RelayUser, s.RelaySecurity = "", "none"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, func(s *officeSettings) {
				if c.change != nil {
					c.change(s)
				}
			})
			if o.set.IMAPSecurity == "starttls" {
				o.set.IMAPHost, o.set.IMAPPort = split(t, o.hosts.IMAP)
				o.set.RelayHost, o.set.RelayPort = split(t, o.hosts.SMTP)
				o.writeConfig()
			}
			o.start()
			o.mailboxOK()
			roundTrip(t, o)
		})
	}
}

func roundTrip(t *testing.T, o *office) {
	o.send("taro@customer.test", "support@mail.test", `From: Taro <taro@customer.test>
To: support@mail.test
Subject: Printer is broken
Date: Sat, 21 Nov 2026 12:00:00 +0900
Message-ID: <first@customer.test>

The printer prints nothing. The secret word is gazebo.
`)
	request, _ := o.request("SUP-1", 1)
	if request.Requester.Address != "taro@customer.test" || request.Subject != "Printer is broken" || request.State != store.StateOpen {
		t.Errorf("the request is %+v", request)
	}

	ack := o.inbox("taro@customer.test", 1)
	text := body(t, ack)
	if h := ack.Header; h.Get("Auto-Submitted") != "auto-replied" || h.Get("In-Reply-To") != "<first@customer.test>" || !strings.Contains(h.Get("Subject"), "[SUP-1]") {
		t.Errorf("the acknowledgement's header is %v", ack.Header)
	}
	if strings.Contains(text, "gazebo") {
		t.Error("the acknowledgement echoes what the sender wrote")
	}

	notice := o.inbox("aki@mail.test", 1)
	o.inbox("ben@mail.test", 1)
	if h := notice.Header; h.Get("Auto-Submitted") != "auto-generated" || strings.Contains(h.Get("From"), "taro@customer.test") || !strings.Contains(body(t, notice), "gazebo") {
		t.Errorf("the agent's notice has the header %v", notice.Header)
	}

	o.send("aki@mail.test", "support@mail.test", reply(notice, "Aki <aki@mail.test>", "a1@mail.test", "Please switch it on."))
	answer := o.inbox("taro@customer.test", 2)
	text = body(t, answer)
	if h := answer.Header; h.Get("Auto-Submitted") != "" || h.Get("In-Reply-To") != "<first@customer.test>" || !strings.Contains(h.Get("From"), "support@mail.test") {
		t.Errorf("the answer's header is %v", answer.Header)
	}
	if !strings.Contains(text, "Please switch it on.") || strings.Contains(text, "Reply to this mail to answer") {
		t.Errorf("the answer reads: %s", text)
	}
	token := strings.Trim(notice.Header.Get("Message-ID"), "<>")
	for name, values := range answer.Header {
		if strings.Contains(strings.Join(values, " "), token) {
			t.Errorf("the customer sees the agent's token in %s", name)
		}
	}
	if b := body(t, o.inbox("ben@mail.test", 2)); !strings.Contains(b, "aki answered SUP-1") {
		t.Errorf("the other agent is told: %s", b)
	}

	o.send("taro@customer.test", "support@mail.test", reply(answer, "Taro <taro@customer.test>", "second@customer.test", "Thank you, it works."))
	request, messages := o.request("SUP-1", 3)
	if request.Assignee != "aki@mail.test" || request.State != store.StateOpen || len(messages) != 3 {
		t.Errorf("the request is %+v with %d messages", request, len(messages))
	}
	if got := strings.TrimSpace(messages[2].Reply); got != "Thank you, it works." {
		t.Errorf("the customer's reply is understood as %q", got)
	}
	if b := body(t, o.inbox("aki@mail.test", 2)); !strings.Contains(b, "Thank you, it works.") {
		t.Errorf("the assignee is told: %s", b)
	}
	o.settled()
	if n := o.count("ben@mail.test", "INBOX"); n != 2 {
		t.Errorf("the other agent got %d mails, want 2: after the first answer only the assignee is told", n)
	}
	if n := o.count("taro@customer.test", "INBOX"); n != 2 {
		t.Errorf("the customer got %d mails, want 2", n)
	}
}

// settled waits until the outbox is empty.
func (o *office) settled() {
	o.t.Helper()
	o.eventually("the outbox is empty", func(ctx context.Context) (bool, error) {
		counts, err := o.info.Store.OutboxCounts(ctx)
		return counts.Waiting == 0, err
	})
}

// body is the whole text of a mail below its header, as it is.
func body(t *testing.T, m *mail.Message) string {
	t.Helper()
	b, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "=\r\n", "")
}

// reply is what a mail program makes of an answer to a mail.
func reply(to *mail.Message, from, id, text string) string {
	h := to.Header
	references := strings.TrimSpace(h.Get("References") + " " + h.Get("Message-ID"))
	return "From: " + from + "\nTo: support@mail.test\nSubject: Re: " + strings.TrimPrefix(h.Get("Subject"), "Re: ") +
		"\nDate: Sat, 21 Nov 2026 13:00:00 +0900\nMessage-ID: <" + id + ">\nIn-Reply-To: " + h.Get("Message-ID") + "\nReferences: " + references +
		"\n\n" + text + "\n\nOn Sat, 21 Nov 2026, Support wrote:\n> quoted text\n> Reply to this mail to answer\n"
}

// TestForgedAgent: a From line of an agent and a Message-ID that the forger
// knows reach no customer; the real agent hears of it.
func TestForgedAgent(t *testing.T) {
	o := newOffice(t, nil)
	o.start()
	o.mailboxOK()
	o.send("taro@customer.test", "support@mail.test", "From: taro@customer.test\nTo: support@mail.test\nSubject: My order\nMessage-ID: <known@customer.test>\nDate: Sat, 21 Nov 2026 12:00:00 +0900\n\nWhere is it?\n")
	ack := o.inbox("taro@customer.test", 1)
	o.inbox("aki@mail.test", 1)
	for i, forged := range []string{
		"In-Reply-To: <known@customer.test>",           // of the customer's mail
		"In-Reply-To: " + ack.Header.Get("Message-ID"), // the customer's token
		"X-Nothing: none",                              // subject only
	} {
		o.send("mallory@customer.test", "support@mail.test", "From: Aki <aki@mail.test>\nTo: support@mail.test\nSubject: Re: [SUP-1] My order\nMessage-ID: <forged-"+
			string(rune('a'+i))+"@customer.test>\nDate: Sat, 21 Nov 2026 12:30:00 +0900\n"+forged+"\n\nPay to my account instead.\n")
	}
	_, messages := o.request("SUP-1", 4)
	for _, m := range messages[1:] {
		if m.Kind != store.KindNote || m.Verified {
			t.Errorf("the forged mail became a message of kind %q, verified %v", m.Kind, m.Verified)
		}
	}
	if b := body(t, o.inbox("aki@mail.test", 2)); strings.Contains(b, "Pay to my account") {
		t.Errorf("the agent's warning repeats the forged text: %s", b)
	}
	o.settled()
	if n := o.count("taro@customer.test", "INBOX"); n != 1 {
		t.Errorf("the customer got %d mails, want the acknowledgement only", n)
	}
}
