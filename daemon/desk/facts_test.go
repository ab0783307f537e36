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

// What is looked up for a mail decides what becomes of it: each step is a mail
// after something that was kept in the store.
func TestFacts(t *testing.T) {
	later := func(d time.Duration) func(*twoDesks) { return func(o *twoDesks) { *o.clock = o.clock.Add(d) } }
	do := func(fn func(o *twoDesks, tx *store.Tx) error) func(*twoDesks) {
		return func(o *twoDesks) { o.write(func(tx *store.Tx) error { return fn(o, tx) }) }
	}
	flood := func(n int) func(*twoDesks) {
		return func(o *twoDesks) {
			for i := range n {
				o.send(fmt.Sprintf("From: taro@customer.test\nMessage-ID: <flood%d@c>\n\nHello %d", i, i))
			}
		}
	}
	resolve := do(func(o *twoDesks, tx *store.Tx) error {
		r, err := tx.RequestByID(o.t.Context(), o.request("SUP-1").ID)
		r.State, r.ResolvedAt = store.StateResolved, *o.clock
		if err == nil {
			err = tx.UpdateRequest(&r)
		}
		return err
	})
	knownHeld := func(o *twoDesks) {
		o.sales.desk.AnswerUnknown = true
		o.send("From: jiro@customer.test\nTo: sales@example.com\nMessage-ID: <held@c>\n\nHow much?")
	}
	all := func(steps ...func(*twoDesks)) []func(*twoDesks) { return steps }
	const day = 24 * time.Hour
	const token, agent = "\nIn-Reply-To: <{taro}>\n\nHello again", "From: aki@example.com\nIn-Reply-To: <{aki}>\n\n"
	for _, c := range []struct {
		name                string
		before              []func(*twoDesks)
		mail                string
		outcome, rule, args string
	}{
		{"blocked by an agent", all(do(func(o *twoDesks, tx *store.Tx) error { return tx.Block(o.desk.ID, "mallory@evil.test", 1, *o.clock) })), "From: MALLORY@evil.test\nSubject: x\n\nHello", Blocked, RuleBlocked, "spam=yes"},
		{"blocked at the other desk", all(do(func(o *twoDesks, tx *store.Tx) error {
			return tx.Block(o.sales.desk.ID, "mallory@evil.test", 1, *o.clock)
		})), "From: mallory@evil.test\n\nHello", Request, RuleRequest, ""},
		{"behind a form, blocked", all(do(func(o *twoDesks, tx *store.Tx) error { return tx.Block(o.desk.ID, "mallory@evil.test", 1, *o.clock) })), "From: form@example.com\nReply-To: mallory@evil.test\n\nHello", Blocked, RuleBlocked, "spam=yes"},

		{"the last mail within the rate", all(flood(28)), "From: taro@customer.test\n\nHello", Request, RuleRequest, "no_answer=cap-hour"},
		{"one mail over the rate", all(flood(29)), "From: taro@customer.test\n\nHello", Held, RuleRate, "rate=30"},
		{"one mail over the rate in the conversation", all(flood(29)), "From: taro@customer.test" + token, Held, RuleRate, "rate=30"},
		{"an hour after the flood", all(flood(29), later(time.Hour+time.Minute)), "From: taro@customer.test\n\nHello", Request, RuleRequest, ""},
		{"another sender after the flood", all(flood(29)), "From: jiro@customer.test\n\nHello", Request, RuleRequest, ""},
		{"no limit", all(func(o *twoDesks) { o.desk.Limits = Limits{} }, flood(40)), "From: taro@customer.test\n\nHello", Request, RuleRequest, ""},

		{"known at the restricted desk", nil, "From: hanako@customer.test\nTo: sales@example.com\n\nHello", Request, RuleRequest, ""},
		{"known at the other desk only", nil, "From: taro@customer.test\nTo: sales@example.com\n\nHello", Held, RuleUnknown, ""},
		{"another address of a known person", all(do(func(_ *twoDesks, tx *store.Tx) error {
			return tx.MergeCustomers("taro@customer.test", "hanako@customer.test")
		})), "From: taro@customer.test\nTo: sales@example.com\n\nHello", Request, RuleRequest, ""},
		{"held and told within the week", all(knownHeld), "From: jiro@customer.test\nTo: sales@example.com\n\nHello?", Held, RuleUnknown, "no_answer=told"},
		{"held and told a week ago", all(knownHeld, later(7*day+time.Minute)), "From: jiro@customer.test\nTo: sales@example.com\n\nHello?", Held, RuleUnknown, ""},
		{"all customers together got too much", all(func(o *twoDesks) { o.desk.Limits.AutomaticInAll = 4 }), "From: saburo@customer.test\n\nHello", Request, RuleRequest, "no_answer=cap-in-all"},
		{"and an hour later", all(func(o *twoDesks) { o.desk.Limits.AutomaticInAll = 4 }, later(time.Hour+time.Minute)), "From: saburo@customer.test\n\nHello", Request, RuleRequest, ""},

		{"another address of the customer, by subject", all(do(func(_ *twoDesks, tx *store.Tx) error {
			if _, err := tx.UpsertCustomer(mail.Address{Address: "taro@home.test"}, time.Time{}); err != nil {
				return err
			}
			return tx.MergeCustomers("taro@home.test", "taro@customer.test")
		})), "From: taro@home.test\nSubject: [SUP-1] x\n\nHello", Reply, RuleReplySubject, ""},
		{"resolved, in time", all(resolve, later(14*day)), "From: taro@customer.test" + token, Reply, RuleReplyToken, ""},
		{"resolved, too late", all(resolve, later(14*day+time.Minute)), "From: taro@customer.test" + token, Request, RuleMentions, "late=yes"},
		{"resolved, never too late", all(func(o *twoDesks) { o.desk.Reopen = 0 }, resolve, later(400*day)), "From: taro@customer.test" + token, Reply, RuleReplyToken, ""},
		{"resolved long ago, an agent answers", all(resolve, later(15*day)), agent + "And now?", Reply, RuleAgentProof, "proof=token"},
		{"the agent's own request, by the notice", all(do(func(o *twoDesks, tx *store.Tx) error { return tx.SetRequester(o.request("SUP-1").ID, aki) })), agent + "And now?", Reply, RuleReplyMessageID, ""},

		{"the token in the address of a copy", nil, "From: taro@customer.test\nTo: ben@elsewhere.test\nCc: Support <{plus}>\n\nHello again", Reply, RuleReplyToken, ""},
		{"the token in the address of delivery", nil, "From: taro@customer.test\nTo: list@customer.test\nDelivered-To: {plus}\n\nHello again", Reply, RuleReplyToken, ""},
		{"the token in the original address", nil, "From: taro@customer.test\nTo: list@customer.test\nX-Original-To: {plus}\n\nHello again", Reply, RuleReplyToken, ""},
		{"the second mail of a round trip", nil, "From: support@example.com\nTo: {plus}\nX-Helpdesk-Loop: {trial}\n\nTest", Probe, RuleProbe, ""},

		{"the customer's own line, quoted without a mark", all(func(o *twoDesks) {
			o.send("From: taro@customer.test\nIn-Reply-To: <{taro}>\n\nHello\n#spam")
		}), agent + "We look into it.\n\nHello\n#spam", Note, RuleAgentProof, "commands=#spam not_sent=commands proof=token"},
		{"the agent's own line", nil, agent + "We look into it.\n\n#resolve", Reply, RuleAgentProof, "commands=resolve proof=token"},
		{"a command in the quoted text", nil, agent + "We look into it.\n\n> Hello\n> #spam", Reply, RuleAgentProof, "proof=token"},
		{"a command in the quoted text alone", nil, agent + "> Hello\n> #resolve", Note, RuleAgentProof, "not_sent=empty proof=token"},
		{"a command in an original message", nil, agent + "We look into it.\n\n-----Original Message-----\nFrom: Taro <taro@customer.test>\nSent: Saturday\nTo: Support\nSubject: Hello\n\nHello\n#spam", Reply, RuleAgentProof, "proof=token"},
		{"a command in the signature", nil, agent + "We look into it.\n\n-- \nAki\n#resolve", Reply, RuleAgentProof, "proof=token"},
		{"a command in the HTML beside the text", nil, strings.TrimSuffix(agent, "\n") + "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nWe look into it.\n--b\nContent-Type: text/html\n\n<p>#resolve</p>\n--b--\n", Reply, RuleAgentProof, "proof=token"},
		{"a command in a mail of HTML", nil, strings.TrimSuffix(agent, "\n") + "Content-Type: text/html\n\n<p>#resolve</p><p>We did it.</p>\n", Reply, RuleAgentProof, "commands=resolve proof=token"},
		{"a command in the subject", nil, "From: aki@example.com\nSubject: #spam\nIn-Reply-To: <{aki}>\n\nWe look into it.", Reply, RuleAgentProof, "proof=token"},
		{"a command in a forwarded mail", nil, "From: aki@example.com\nSubject: Fwd: Hello\nAuthentication-Results: mx.example.com; dmarc=pass header.from=example.com\n\n---------- Forwarded message ---------\nFrom: Taro <taro@customer.test>\nDate: Sat, 21 Nov 2026\nSubject: Hello\nTo: aki@example.com\n\n#merge SUP-3\n", Request, RuleAgentProof, "forwarded_by=aki@example.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newTwoDesks(t)
			o.words["trial"] = o.taker.Signer.Plus(o.desk.ID, "x@y", *o.clock)
			for _, step := range c.before {
				step(o)
			}
			e := o.send(c.mail)
			if got := argsOf(Decision{Args: e.ReasonArgs}); e.Outcome != c.outcome || e.Rule != c.rule || got != c.args {
				t.Errorf("%s by %s (%s), want %s by %s (%s)", e.Outcome, e.Rule, got, c.outcome, c.rule, c.args)
			}
			r := o.request("SUP-1")
			if resolved := r.State == store.StateResolved; r.MergedInto != 0 || r.Spam || resolved != (strings.Contains(c.args, "resolve ") || strings.Contains(c.name, "too late")) && c.outcome != Reply {
				t.Errorf("SUP-1 became %+v", r)
			}
		})
	}
}

// Long headers, many addresses and many requests are looked at within bounds.
func TestRefsAreBounded(t *testing.T) {
	o := newTwoDesks(t)
	var ids, to []string
	for i := range 5000 {
		ids = append(ids, "<x"+itoa(int64(i))+"@y>")
		to = append(to, o.words["plus"], "a"+itoa(int64(i))+"@customer.test")
	}
	e := o.send("From: taro@customer.test\nTo: " + strings.Join(to, ", ") + "\nReferences: " + strings.Join(slices.Concat(ids, []string{"<" + o.words["taro"] + ">"}), "\n ") + "\nSubject: " + strings.Repeat("[SUP-1] ", 500) + "\n\nHello again")
	if e.Rule != RuleReplyToken || e.Request != "SUP-1" {
		t.Errorf("became %s of %s by %s", e.Outcome, e.Request, e.Rule)
	}
}
