package desk

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// twoDesks are two desks on one store. Taro asks in SUP-1, which Jiro's SUP-2 was
// merged into and Ben answered; Mallory has a request of her own, SUP-3; Hanako's
// SAL-1 is at the second desk, where only known customers may write. Aki and
// Ben are agents of both.
type twoDesks struct {
	*bench
	sales *bench
	clock *time.Time
	words map[string]string // what mails may name in braces
	count int               // mails sent
}

func newTwoDesks(t *testing.T) *twoDesks {
	t.Helper()
	b := newBench(t, "")
	b.desk.Others = []string{"sales@example.com"}
	second := *b
	o := &twoDesks{bench: b, sales: &second, clock: &b.now}
	other := *b.desk
	other.Address, other.Key, other.Name, other.Aliases, other.Others = "sales@example.com", "SAL", "Sales", nil, []string{"support@example.com"}
	other.Sender, other.PublicSignup = mail.Address{Address: "sales@example.com"}, false
	o.sales.desk = &other
	o.write(func(tx *store.Tx) error {
		d, err := tx.EnsureDesk(other.Address, other.Key, other.Name)
		if err != nil {
			return err
		}
		other.ID = d.ID
		if o.sales.box, _, err = tx.EnsureMailbox(d.ID, "imap", "mail.example.com", "sales", "INBOX"); err != nil {
			return err
		}
		o.sales.box.OpenedAt, o.sales.box.UIDValidity = b.now, 1
		if err := tx.SaveMailbox(o.sales.box); err != nil {
			return err
		}
		return tx.AddMember(d.ID, mail.Address{Address: "hanako@customer.test"}, b.now)
	})
	b.take(posted("taro@customer.test", "taro1@c", "", "The password of our office is on the printer."))
	b.take(posted("jiro@customer.test", "jiro1@c", "", "Mine too."))
	b.take(posted("mallory@evil.test", "mallory1@e", "", "Hello."))
	o.sales.take(strings.ReplaceAll(posted("hanako@customer.test", "hanako1@c", "", "How much?"), "support@", "sales@"))
	key := func(event, to, request string) string {
		for _, l := range b.lines() {
			if l.Event == event && l.To.Address == to && l.Request == request {
				return l.MessageID
			}
		}
		t.Fatalf("there is no %s of %s to %s among %v", event, request, to, b.lines())
		return ""
	}
	o.words = map[string]string{
		"aki": key(EventNew, "aki@example.com", "SUP-1"), "ben": key(EventNew, "ben@example.com", "SUP-1"), "sales": key(EventNew, "aki@example.com", "SAL-1"),
		"taro": key(EventReceived, "taro@customer.test", "SUP-1"), "mallory": key(EventReceived, "mallory@evil.test", "SUP-3"), "hanako": key(EventReceived, "hanako@customer.test", "SAL-1"),
		"digest": b.taker.Signer.MessageID(Token{Agent: true, MessageID: -5, Event: EventDigest}, aki, "example.com"),
		"plus":   b.taker.Signer.PlusAddress(b.desk, b.request("SUP-1").ID), "plus3": b.taker.Signer.PlusAddress(b.desk, b.request("SUP-3").ID),
		"plain": "mx.example.com; dmarc=none",
	}
	id1, id3 := b.request("SUP-1").ID, b.request("SUP-3").ID
	o.words["aki3"] = strings.Replace(key(EventNew, "aki@example.com", "SUP-3"), "hd.a."+itoa(id3), "hd.a."+itoa(id1), 1)
	o.words["mallory-1"] = strings.Replace(o.words["mallory"], "hd.c."+itoa(id3), "hd.c."+itoa(id1), 1)
	o.words["plus3-1"] = strings.Replace(o.words["plus3"], itoa(id3)+"@", itoa(id1)+"@", 1)
	o.words["plus-sales"] = "sales+" + strings.TrimPrefix(o.words["plus"], "support+")
	o.words["plus-evil"] = strings.Replace(o.words["plus"], "example.com", "evil.test", 1)
	o.words["AKI"] = strings.ToUpper(o.words["aki"])
	o.words["cut"] = strings.Replace(o.words["aki"], "@", "a@", 1)
	for k, v := range map[string]string{"aki3": key(EventNew, "aki@example.com", "SUP-3"), "mallory-1": o.words["mallory"], "plus3-1": o.words["plus3"]} {
		if o.words[k] == v {
			t.Fatalf("the number in %s was not changed", v)
		}
	}
	b.answers("ben@example.com", store.OutboxLine{MessageID: o.words["ben"]}, "Which one?")
	o.write(func(tx *store.Tx) error {
		return tx.MergeRequest(t.Context(), b.request("SUP-2").ID, id1, b.now)
	})
	return o
}

func (o *twoDesks) write(fn func(*store.Tx) error) {
	o.t.Helper()
	if err := o.taker.Store.Write(o.t.Context(), fn); err != nil {
		o.t.Fatal(err)
	}
}

// send takes a mail at the desk that it is written to. What it does not say is added.
func (o *twoDesks) send(raw string) store.Entry {
	o.t.Helper()
	for k, v := range o.words {
		raw = strings.ReplaceAll(raw, "{"+k+"}", v)
	}
	o.count++
	header, body, _ := strings.Cut(raw, "\n\n")
	for _, line := range []string{"To: support@example.com", "Subject: Hello", "Date: Sat, 21 Nov 2026 12:00:00 +0900", fmt.Sprintf("Message-ID: <%d@spoof>", o.count)} {
		name, _, _ := strings.Cut(line, " ")
		if !strings.Contains("\n"+header, "\n"+name) {
			header += "\n" + line
		}
	}
	b := o.bench
	if strings.Contains(header, "To: sales@") {
		b = o.sales
	}
	return b.take(header + "\n\n" + body + "\n")[0]
}

// look is all that customers and commands may change.
type look struct {
	requests []string // state of each
	said     []string // messages of customers and agents in them
	sent     []string // to others than agents
	answered int      // by agents, in any request
}

func (o *twoDesks) look() look {
	o.t.Helper()
	var s look
	all, err := o.taker.Store.Requests(o.t.Context(), store.RequestFilter{Limit: 100})
	if err != nil {
		o.t.Fatal(err)
	}
	slices.Reverse(all)
	for i, r := range all {
		messages, err := o.taker.Store.Messages(o.t.Context(), r.ID)
		if err != nil {
			o.t.Fatal(err)
		}
		for _, m := range messages {
			if m.Kind == store.KindAgent {
				s.answered++
			}
			if m.Kind != store.KindNote && i < 4 {
				s.said = append(s.said, r.Key+" "+m.Kind+" "+m.From.Address)
			}
		}
		if i < 4 { // those of the office
			participants, err := o.taker.Store.Participants(o.t.Context(), r.ID)
			if err != nil {
				o.t.Fatal(err)
			}
			s.requests = append(s.requests, fmt.Sprint(r.Key, r.State, r.Subject, r.Requester, r.Assignee, r.Fields, r.MergedInto, r.Spam, r.ResolvedAt, participants))
		}
	}
	for _, who := range []string{"taro@customer.test", "mallory@evil.test"} {
		blocked, err := o.taker.Store.BlockedAt(o.t.Context(), o.desk.ID, who)
		if err != nil {
			o.t.Fatal(err)
		}
		s.requests = append(s.requests, fmt.Sprint(who, blocked))
	}
	suspended, err := o.taker.Store.Suspensions(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	s.requests = append(s.requests, fmt.Sprint(suspended))
	for _, l := range o.lines() {
		if _, agent := o.desk.Agent(l.To); !agent {
			s.sent = append(s.sent, l.Event+" "+l.Request+" "+l.To.Address)
		}
	}
	return s
}

// honest are the mails of those who have a right, and what each leads to.
func honest() map[string]struct {
	mail, rule string
	effect     func(before, after look) bool
} {
	type h = struct {
		mail, rule string
		effect     func(before, after look) bool
	}
	joined := func(who string) func(before, after look) bool {
		return func(before, after look) bool {
			return len(after.said) == len(before.said)+1 && slices.Contains(after.said[len(before.said)-4:], "SUP-1 customer "+who)
		}
	}
	answered := func(before, after look) bool {
		return after.answered == before.answered+1 && slices.Contains(after.sent[len(before.sent):], "answered SUP-1 taro@customer.test")
	}
	resolved := func(before, after look) bool {
		return strings.HasPrefix(after.requests[0], "SUP-1resolved") && strings.HasPrefix(before.requests[0], "SUP-1waiting")
	}
	const words = "\n\nPlease send it to me.\n"
	return map[string]h{
		"agent's token":      {"From: Aki <aki@example.com>\nIn-Reply-To: <{aki}>" + words, RuleAgentProof, answered},
		"agent's DMARC":      {"From: Aki <aki@example.com>\nSubject: [SUP-1] Hello\nAuthentication-Results: mx.example.com; dmarc=pass header.from=example.com" + words, RuleAgentProof, answered},
		"command":            {"From: Aki <aki@example.com>\nIn-Reply-To: <{aki}>\n\n#resolve\n", RuleAgentProof, resolved},
		"command by DMARC":   {"From: Aki <aki@example.com>\nSubject: [SUP-1] Hello\nAuthentication-Results: mx.example.com; dmarc=pass header.from=example.com\n\n#resolve\n", RuleAgentProof, resolved},
		"customer's token":   {"From: taro@customer.test\nIn-Reply-To: <{taro}>" + words, RuleReplyToken, joined("taro@customer.test")},
		"token in address":   {"From: taro@customer.test\nTo: {plus}" + words, RuleReplyToken, joined("taro@customer.test")},
		"Message-ID":         {"From: taro@customer.test\nIn-Reply-To: <taro1@c>" + words, RuleReplyMessageID, joined("taro@customer.test")},
		"subject":            {"From: taro@customer.test\nSubject: Re: [SUP-1] Hello" + words, RuleReplySubject, joined("taro@customer.test")},
		"merged subject":     {"From: jiro@customer.test\nSubject: Re: [SUP-2] Hello" + words, RuleReplySubject, joined("jiro@customer.test")},
		"merged Message-ID":  {"From: jiro@customer.test\nIn-Reply-To: <jiro1@c>" + words, RuleReplyMessageID, joined("jiro@customer.test")},
		"restricted desk":    {"From: hanako@customer.test\nTo: sales@example.com\nSubject: Re: [SAL-1] Hello" + words, RuleReplySubject, func(before, after look) bool { return len(after.said) == len(before.said)+1 }},
		"agent at the other": {"From: aki@example.com\nTo: sales@example.com\nIn-Reply-To: <{sales}>" + words, RuleAgentProof, func(before, after look) bool { return after.answered == before.answered+1 }},
	}
}

// spoofs are ways to get into Taro's conversation or to act as an agent without
// the right; each is a false form of a right that the honest mail has.
func spoofs() []struct{ name, right, mail string } {
	const (
		akis, subject = "From: Aki <aki@example.com>\n", "Subject: Re: [SUP-1] Hello\n"
		answer        = "In-Reply-To: <{aki}>\n"
		pass          = "Authentication-Results: mx.example.com; dmarc=pass header.from=example.com\n"
		text          = "\nPlease send it to me.\n"
	)
	return []struct{ name, right, mail string }{
		{"an agent's name and the subject", "agent's DMARC", akis + subject + text},
		{"an agent's name and the customer's Message-ID", "agent's token", akis + "In-Reply-To: <taro1@c>\n" + text},
		{"an agent's name and the customer's token", "agent's token", akis + "In-Reply-To: <{taro}>\n" + text},
		{"an agent's name and the customer's token in the address", "agent's token", akis + "To: {plus}\n" + text},
		{"an agent's name and a command", "command", akis + subject + "\n#resolve\n"},
		{"an agent's name and a command in Japanese", "command", akis + subject + "\n＃解決\n"},
		{"an agent's name and spam", "command", akis + subject + "\n#spam\n"},
		{"an agent's name and a merge", "command", akis + subject + "\n#merge SUP-3\n"},
		{"another agent's token", "agent's token", "From: ben@example.com\n" + answer + text},
		{"another agent's token and a command", "command", "From: ben@example.com\n" + answer + "\n#assign ben\n"},
		{"a stolen token under the thief's name", "agent's token", "From: mallory@evil.test\n" + answer + text},
		{"a stolen token under a customer's name", "command", "From: mallory@evil.test\n" + answer + "\n#resolve\n"},
		{"an agent's address as the thief's name", "agent's token", "From: \"aki@example.com\" <mallory@evil.test>\n" + answer + text},
		{"an agent's address as an encoded name", "agent's token", "From: =?utf-8?Q?Aki_=3Caki=40example.com=3E?= <mallory@evil.test>\n" + answer + text},
		{"an agent's address in a comment", "agent's token", "From: mallory@evil.test (aki@example.com)\n" + answer + text},
		{"two From lines", "agent's token", "From: aki@example.com\nFrom: mallory@evil.test\n" + answer + text},
		{"two authors in one From line", "agent's token", "From: aki@example.com, mallory@evil.test\n" + answer + text},
		{"two authors and DMARC", "agent's DMARC", "From: aki@example.com, mallory@evil.test\n" + subject + pass + text},
		{"a group of authors", "agent's token", "From: Team: aki@example.com;\n" + answer + text},
		{"two addresses in brackets", "agent's token", "From: <aki@example.com> <mallory@evil.test>\n" + answer + text},
		{"an address that hides another", "agent's DMARC", "From: mallory@evil.test <aki@example.com>\n" + subject + pass + text},
		{"the address in an encoded word", "agent's token", "From: =?utf-8?Q?aki=40example.com?=\n" + answer + text},
		{"a route before the address", "agent's token", "From: <@evil.test:aki@example.com>\n" + answer + text},
		{"no From, an agent as Sender", "agent's token", "Sender: aki@example.com\n" + answer + text},
		{"no From, an agent as Resent-From", "agent's token", "Resent-From: aki@example.com\n" + answer + text},
		{"no From, an agent as Return-Path", "agent's token", "Return-Path: <aki@example.com>\n" + answer + text},
		{"an agent as Reply-To", "agent's token", "From: mallory@evil.test\nReply-To: aki@example.com\n" + answer + text},
		{"an agent behind our own form", "agent's token", "From: no-reply@example.com\nReply-To: aki@example.com\n" + answer + text},
		{"a Kelvin sign in the address", "agent's token", "From: =?utf-8?Q?a=E2=84=AAi?= <a\u212ai@example.com>\n" + answer + text},
		{"a Cyrillic letter in the address", "agent's DMARC", "From: aki@ex\u0430mple.com\n" + subject + "Authentication-Results: mx.example.com; dmarc=pass header.from=ex\u0430mple.com\n" + text},
		{"a tag in the address", "agent's token", "From: aki+x@example.com\n" + answer + text},
		{"a stolen token and a mail that fails DMARC", "agent's token", akis + "Authentication-Results: mx.example.com; dmarc=fail header.from=example.com\n" + answer + text},
		{"DMARC told below the true line", "agent's DMARC", akis + subject + "Authentication-Results: mx.example.com; dmarc=none\n" + pass + text},
		{"DMARC told by another host", "agent's DMARC", akis + subject + "Authentication-Results: evil.test; dmarc=pass header.from=example.com\n" + text},
		{"DMARC told by a host that begins as ours", "agent's DMARC", akis + subject + "Authentication-Results: mx.example.com.evil.test; dmarc=pass header.from=example.com\n" + text},
		{"DMARC told by a host that ends as ours", "agent's DMARC", akis + subject + "Authentication-Results: a.mx.example.com; dmarc=pass header.from=example.com\n" + text},
		{"DMARC told in another version", "agent's DMARC", akis + subject + "Authentication-Results: mx.example.com 99; dmarc=pass header.from=example.com\n" + text},
		{"DMARC told by ARC", "agent's DMARC", akis + subject + "ARC-Authentication-Results: i=1; mx.example.com; dmarc=pass header.from=example.com\n" + text},
		{"DMARC told in a comment", "command by DMARC", akis + subject + "Authentication-Results: mx.example.com; dmarc=none (dmarc=pass header.from=example.com)\n\n#resolve\n"},
		{"DMARC told in an address", "agent's DMARC", akis + subject + "Authentication-Results: mx.example.com; spf=fail smtp.mailfrom=\"x; dmarc=pass header.from=example.com;\"@evil.test; dmarc=none\n" + text},
		{"DMARC told of a subdomain", "agent's DMARC", akis + subject + "Authentication-Results: mx.example.com; dmarc=pass header.from=mail.example.com\n" + text},
		{"DMARC told of the thief's domain", "command by DMARC", akis + subject + "Authentication-Results: mx.example.com; dmarc=pass header.from=evil.test\n\n#resolve\n"},
		{"DMARC told in the body", "command by DMARC", akis + subject + "\n" + pass + "#resolve\n"},
		{"the token of another request with the number changed", "agent's token", akis + "In-Reply-To: <{aki3}>\n" + text},
		{"the token of another desk's request and the subject", "agent's token", akis + "In-Reply-To: <{sales}>\n" + subject + text},
		{"the token in capitals", "agent's token", akis + "In-Reply-To: <{AKI}>\n" + subject + text},
		{"the token with a letter more", "agent's token", akis + "In-Reply-To: <{cut}>\n" + subject + text},
		{"the token as the mail's own Message-ID", "agent's token", akis + "Message-ID: <{aki}>\n" + subject + text},
		{"the token in the text", "agent's token", akis + subject + "\nIn-Reply-To: <{aki}>\n"},
		{"the token of a digest and the subject", "agent's token", akis + "In-Reply-To: <{digest}>\n" + subject + text},
		{"an agent's out of office", "command", akis + answer + "Auto-Submitted: auto-replied\n\n#resolve\n"},
		{"an agent's bounce", "command", akis + answer + "Return-Path: <>\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n#resolve\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; taro@customer.test\nAction: failed\nStatus: 5.1.1\n\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <taro1@c>\n\n--b--\n"},
		{"an agent's name at the other desk", "agent at the other", akis + "To: sales@example.com\nSubject: [SAL-1] Hello\n" + text},
		{"the token of this desk at the other", "agent at the other", akis + "To: sales@example.com\n" + answer + text},

		{"a forward by two authors", "agent's DMARC", "From: aki@example.com, mallory@evil.test\nSubject: Fwd: Hello\n" + pass + "\n---------- Forwarded message ---------\nFrom: Taro <taro@customer.test>\nDate: Sat, 21 Nov 2026\nSubject: Hello\nTo: aki@example.com\n\nIt is broken.\n"},
		{"a forward without proof", "agent's DMARC", akis + "Subject: Fwd: Hello\n\n---------- Forwarded message ---------\nFrom: Taro <taro@customer.test>\nDate: Sat, 21 Nov 2026\nSubject: Hello\nTo: aki@example.com\n\nIt is broken.\n"},

		{"a stranger names the request", "subject", "From: mallory@evil.test\n" + subject + text},
		{"a stranger answers the customer's mail", "Message-ID", "From: mallory@evil.test\nIn-Reply-To: <taro1@c>\n" + text},
		{"a stranger refers to the customer's mail", "Message-ID", "From: mallory@evil.test\nReferences: <x@y> <taro1@c>\n" + text},
		{"the customer as the stranger's name", "subject", "From: \"taro@customer.test\" <mallory@evil.test>\n" + subject + text},
		{"the customer as Reply-To", "subject", "From: mallory@evil.test\nReply-To: taro@customer.test\n" + subject + text},
		{"the customer behind our own form", "subject", "From: no-reply@example.com\nReply-To: taro@customer.test\n" + subject + text},
		{"the customer as Sender", "subject", "From: mallory@evil.test\nSender: taro@customer.test\n" + subject + text},
		{"no From, the customer as Sender", "subject", "Sender: taro@customer.test\n" + subject + text},
		{"no From, the customer as Return-Path", "Message-ID", "Return-Path: <taro@customer.test>\nIn-Reply-To: <taro1@c>\n" + text},
		{"the customer among two From lines", "subject", "From: taro@customer.test\nFrom: mallory@evil.test\n" + subject + text},
		{"the customer among two authors", "Message-ID", "From: taro@customer.test, mallory@evil.test\nIn-Reply-To: <taro1@c>\n" + text},
		{"the customer's name that fails DMARC, subject", "subject", "From: taro@customer.test\nAuthentication-Results: mx.example.com; dmarc=fail header.from=customer.test\n" + subject + text},
		{"the customer's name that fails DMARC, Message-ID", "Message-ID", "From: taro@customer.test\nAuthentication-Results: mx.example.com; dmarc=fail header.from=customer.test\nIn-Reply-To: <taro1@c>\n" + text},
		{"the customer with a tag", "subject", "From: taro+x@customer.test\n" + subject + text},
		{"the customer by a sign that looks alike", "subject", "From: t\u0430ro@customer.test\n" + subject + text},
		{"the customer's token with the number changed", "customer's token", "From: mallory@evil.test\nIn-Reply-To: <{mallory-1}>\n" + text},
		{"the address of another request with the number changed", "token in address", "From: mallory@evil.test\nTo: {plus3-1}\n" + text},
		{"the address of the other desk", "token in address", "From: mallory@evil.test\nTo: support@example.com, {plus-sales}\n" + text},
		{"the address at another domain", "token in address", "From: mallory@evil.test\nTo: support@example.com\nCc: {plus-evil}\n" + text},
		{"the address in the subject", "token in address", "From: mallory@evil.test\nSubject: {plus}\n" + text},
		{"the address as a Message-ID", "token in address", "From: mallory@evil.test\nIn-Reply-To: <{plus}>\n" + text},
		{"the address in the text", "token in address", "From: mallory@evil.test\n\nTo: {plus}\n"},
		{"the address as Reply-To", "token in address", "From: mallory@evil.test\nReply-To: {plus}\n" + text},
		{"the token of another desk's request", "customer's token", "From: mallory@evil.test\nIn-Reply-To: <{hanako}>\n" + subject + text},
		{"the notice's text in the mail", "agent's token", "From: mallory@evil.test\n" + "\n> [SUP-1] Hello\n> Reply to this mail to answer Taro.\n\n#resolve\n"},
		{"a merged request's subject", "merged subject", "From: mallory@evil.test\nSubject: [SUP-2] Hello\n" + text},
		{"a merged request's Message-ID", "merged Message-ID", "From: mallory@evil.test\nIn-Reply-To: <jiro1@c>\n" + text},
		{"a stranger's robot", "subject", "From: mallory@evil.test\nAuto-Submitted: auto-replied\n" + subject + text},
		{"a stranger at the restricted desk", "restricted desk", "From: mallory@evil.test\nTo: sales@example.com\nSubject: [SAL-1] Hello\n" + text},
		{"the customer's name at the restricted desk, failing DMARC", "restricted desk", "From: hanako@customer.test\nTo: sales@example.com\nSubject: [SAL-1] Hello\nAuthentication-Results: mx.example.com; dmarc=fail header.from=customer.test\n" + text},
	}
}

func TestSpoofing(all *testing.T) {
	rights := honest()
	tried := map[string]bool{}
	var o *twoDesks // one for all that change nothing
	for _, c := range spoofs() {
		all.Run(c.name, func(t *testing.T) {
			if _, ok := rights[c.right]; !ok {
				t.Fatalf("there is no right %q", c.right)
			}
			tried[c.right] = true
			if o == nil {
				o = newTwoDesks(all)
			}
			*o.clock = o.clock.Add(time.Hour) // each is the first one of its sender
			before := o.look()
			entry := o.send(c.mail)
			after := o.look()
			if !slices.Equal(before.requests, after.requests) {
				t.Errorf("%s by %s: the requests became\n%s, were\n%s", entry.Outcome, entry.Rule, strings.Join(after.requests, "\n"), strings.Join(before.requests, "\n"))
			}
			if !slices.Equal(before.said, after.said) || after.answered != before.answered {
				t.Errorf("%s by %s: the conversations hold %v, held %v", entry.Outcome, entry.Rule, after.said, before.said)
			}
			for _, l := range after.sent[len(before.sent):] { // no more than the acknowledgement of a new request, to whom the header names as its sender
				to, ok := strings.CutPrefix(l, "received "+entry.Request+" ")
				if header, _, _ := strings.Cut(c.mail, "\n\n"); entry.Outcome != Request || !ok || !strings.Contains(header, to) {
					t.Errorf("%s by %s: sent %s", entry.Outcome, entry.Rule, l)
				}
			}
			if entry.Outcome == Quarantined {
				t.Errorf("it broke us: %v", entry.ReasonArgs)
			}
			if t.Failed() {
				o = nil
			}
		})
	}
	for right, h := range rights {
		all.Run("honest "+right, func(t *testing.T) {
			o := newTwoDesks(t)
			before := o.look()
			if entry := o.send(h.mail); entry.Rule != h.rule || !h.effect(before, o.look()) {
				t.Errorf("%s by %s (%v), want %s; before %+v, after %+v", entry.Outcome, entry.Rule, entry.ReasonArgs, h.rule, before, o.look())
			}
			if !tried[right] {
				t.Error("no false form of it is tried")
			}
		})
	}
}
