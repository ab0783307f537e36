package desk

import (
	"slices"
	"testing"

	"helpdesk/mail"
)

// What a decision says beside outcome and rule: what it joins or is linked to,
// who asks, who may be brought in, and what an agent said.
func TestDecision(t *testing.T) {
	akis, named := Ref{By: ByAgentToken, Agent: aki}, Ref{By: BySubject, Part: true}
	forward := func(f *Facts) { f.Mail.Forwarded, f.Sender = &mail.Forwarded{From: taro}, taro }
	type said struct {
		ref       int64 // request that it joins or is linked to
		requester string
		verified  bool
		copies    bool
		say       string
		commands  []Command
	}
	for _, c := range []struct {
		name  string
		facts *Facts
		want  said
	}{
		{"a new request", from(taro), said{requester: "taro@customer.test", copies: true}},
		{"an agent's new request", from(aki), said{requester: "aki@example.com", copies: true}},
		{"a proven agent's new request", from(aki, auth(agentPass)), said{requester: "aki@example.com", verified: true, copies: true}},
		{"a form's", from(mail.Address{Address: "form@example.com"}, asker(taro)), said{requester: "taro@customer.test", copies: true}},
		{"a forward", from(aki, auth(agentPass), forward), said{requester: "taro@customer.test"}},
		{"a forward that names a request", from(aki, auth(agentPass), forward, refs(named), text("#spam")), said{ref: 7, requester: "taro@customer.test"}},
		{"mentions", from(stranger, refs(Ref{By: BySubject}, Ref{By: ByMessageID})), said{ref: 7, requester: "stranger@elsewhere.test", copies: true}},
		{"mentions one, too late for another", from(taro, refs(Ref{By: BySubject}, Ref{By: ByMessageID, Part: true, Closed: true})), said{ref: 8, requester: "taro@customer.test", copies: true}},
		{"kept automatic mail", from(taro, automaticMail(mail.Bulk), keep, refs(named)), said{ref: 7, requester: "taro@customer.test"}},
		{"a reply by token", from(stranger, refs(Ref{By: ByCustomerToken})), said{ref: 7, copies: true}},
		{"a reply by Message-ID", from(taro, refs(Ref{By: ByMessageID, Part: true})), said{ref: 7}},
		{"a reply by subject", from(taro, refs(Ref{By: BySubject}, named)), said{ref: 8}},
		{"out of office", from(taro, automaticMail(mail.AutoReply), refs(Ref{By: BySubject}, named)), said{ref: 8}},
		{"an agent's answer", from(aki, refs(Ref{By: BySubject}, akis), text("Hello\n#resolve")), said{ref: 8, verified: true, say: "Hello", commands: []Command{{Name: CommandResolve}}}},
		{"an agent's answer by DMARC", from(aki, refs(Ref{By: ByMessageID}, Ref{By: BySubject}), auth(agentPass)), said{ref: 7, verified: true, say: "Some words."}},
		{"an agent's note", from(aki, refs(akis), text("#note\nHello")), said{ref: 7, verified: true, say: "Hello", commands: []Command{{Name: CommandNote}}}},
		{"an unknown command among good ones", from(aki, refs(akis), text("#resolve\n#frob\nHello")), said{ref: 7, verified: true, say: "Hello", commands: []Command{{Name: CommandResolve}, {Name: "#frob"}}}},
		{"an agent's out of office", from(aki, refs(akis), automaticMail(mail.AutoReply), wanted, text("#resolve")), said{ref: 7, verified: true}},
		{"an agent without proof", from(aki, refs(named, Ref{By: ByMessageID}), auth(agentFail), text("#resolve")), said{ref: 7}},
		{"held", from(stranger, restricted, refs(Ref{By: BySubject})), said{}},
	} {
		d := Decide(c.facts)
		got := said{requester: d.Requester.Address, verified: d.Verified, copies: d.Copies, say: d.Say, commands: d.Commands}
		if d.Ref != nil {
			got.ref = d.Ref.RequestID
		}
		if same := slices.Equal(got.commands, c.want.commands); got.ref != c.want.ref || got.requester != c.want.requester || got.verified != c.want.verified ||
			got.copies != c.want.copies || got.say != c.want.say || !same {
			t.Errorf("%s: got %+v, want %+v (by %s)", c.name, got, c.want, d.Rule)
		}
	}
}
