package desk

import "helpdesk/mail"

// agentRows are mails of agents and of those who pretend to be one.
func agentRows() []decided {
	akis := func(change ...func(*Ref)) func(*Facts) {
		r := Ref{By: ByAgentToken, Agent: aki}
		for _, c := range change {
			c(&r)
		}
		return refs(r)
	}
	bySubject := refs(Ref{By: BySubject})
	attached := func(inline bool) func(*Facts) {
		return message(func(m *mail.Message) { m.Reply, m.Attachments = "", []mail.Attachment{{Name: "a.png", Inline: inline}} })
	}
	addressed := func(to, cc string) func(*Facts) {
		return message(func(m *mail.Message) { m.To, m.Cc = []mail.Address{{Address: to}}, []mail.Address{{Address: cc}} })
	}
	const unverified, pinned = "not_sent=unverified", "no_answer=dmarc not_sent=unverified"
	return []decided{
		{"an agent answers by their own token", from(aki, akis()), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent answers by token, address in capitals", from(mail.Address{Address: "AKI@Example.com"}, akis()), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent answers a closed request by token", from(aki, akis(func(r *Ref) { r.Closed = true })), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent answers with nothing above the quoted mail", from(aki, akis(), text(" \n")), Note, RuleAgentProof, "note", true, "not_sent=empty proof=token"},
		{"an agent answers with a file only", from(aki, akis(), attached(false)), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent answers with a picture only", from(aki, akis(), attached(true)), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent answers a request without a sender", from(aki, akis(func(r *Ref) { r.Unreachable = true })), Note, RuleAgentProof, "note", true, "not_sent=nobody proof=token"},
		{"an agent answers a colleague with a copy for us", from(aki, akis(), addressed("boss@else.test", "support@example.com")), Note, RuleAgentProof, "note", true, "not_sent=copy proof=token"},
		{"an agent answers us with a copy for a colleague", from(aki, akis(), addressed("help@example.com", "boss@else.test")), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent answers us and us again in copy", from(aki, akis(), addressed("support+x@example.com", "support@example.com")), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent's answer by another address of ours", from(aki, akis(), addressed("office@else.test", "boss@else.test")), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent's command with a copy for us", from(aki, akis(), addressed("boss@else.test", "support@example.com"), text("#resolve")), Note, RuleAgentProof, "note", false, "commands=resolve proof=token"},
		{"an agent answers a digest", from(aki, func(f *Facts) { f.Digest = true }), Ignored, RuleAgentProof, "", true, "not_sent=digest"},
		{"an agent answers a digest and names a request", from(aki, func(f *Facts) { f.Digest = true }, bySubject), Ignored, RuleAgentProof, "", true, "not_sent=digest"},
		{"an agent answers a digest, names a request and passes DMARC", from(aki, func(f *Facts) { f.Digest = true }, bySubject, auth(agentPass)), Reply, RuleAgentProof, "agent", false, "proof=dmarc"},
		{"a stranger answers an agent's digest", from(stranger, func(f *Facts) { f.Digest = true }), Request, RuleRequest, "customer", true, ""},
		{"an agent with another agent's token", from(ben, akis()), Note, RuleAgentUnverified, "note", true, unverified},
		{"an agent with another agent's token and DMARC", from(ben, akis(), auth(agentPass)), Reply, RuleAgentProof, "agent", false, "proof=dmarc"},
		{"an agent with a known Message-ID only", from(aki, refs(Ref{By: ByMessageID})), Note, RuleAgentUnverified, "note", true, unverified},
		{"an agent with a customer's token only", from(aki, refs(Ref{By: ByCustomerToken})), Note, RuleAgentUnverified, "note", true, unverified},
		{"an agent with a subject only", from(aki, bySubject), Note, RuleAgentUnverified, "note", true, unverified},
		{"an agent with a subject only at a restricted desk", from(aki, bySubject, restricted), Note, RuleAgentUnverified, "note", true, unverified},
		{"an agent's subject and a command", from(aki, bySubject, text("#resolve")), Note, RuleAgentUnverified, "note", true, unverified},
		{"an agent with a subject and DMARC", from(aki, bySubject, auth(agentPass)), Reply, RuleAgentProof, "agent", false, "proof=dmarc"},
		{"a wanted mail of an agent without proof", from(aki, bySubject, wanted), Note, RuleAgentUnverified, "note", true, unverified},
		{"an imported mail of an agent without proof", from(aki, bySubject, quiet), Note, RuleAgentUnverified, "note", false, "no_answer=quiet not_sent=unverified"},

		{"DMARC told by our host in capitals", from(aki, bySubject, auth("MX.Example.COM; DMARC=Pass header.from=Example.com")), Reply, RuleAgentProof, "agent", false, "proof=dmarc"},
		{"DMARC told with a version", from(aki, bySubject, auth("mx.example.com 1; dmarc=pass header.from=example.com")), Reply, RuleAgentProof, "agent", false, "proof=dmarc"},
		{"DMARC told with another version", from(aki, bySubject, auth("mx.example.com 2; dmarc=pass header.from=example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC told with a comment", from(aki, bySubject, auth("mx.example.com (our host); dmarc=pass (p=none dis=none) header.from=example.com")), Reply, RuleAgentProof, "agent", false, "proof=dmarc"},
		{"DMARC told by somebody else's host", from(aki, bySubject, auth("evil.test; dmarc=pass header.from=example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC told by a host that begins as ours", from(aki, bySubject, auth("mx.example.com.evil.test; dmarc=pass header.from=example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC told by a host that ends as ours", from(aki, bySubject, auth("evil.mx.example.com; dmarc=pass header.from=example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC told by our host in a comment", from(aki, bySubject, auth("evil.test (mx.example.com); dmarc=pass header.from=example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC told by our host in the second clause", from(aki, bySubject, auth("; mx.example.com; dmarc=pass header.from=example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC told below the topmost line", from(aki, bySubject, message(func(m *mail.Message) {
			m.AuthResults = []string{"mx.example.com; dmarc=none", agentPass}
		})), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC told above a failure that the sender wrote", from(aki, bySubject, message(func(m *mail.Message) { m.AuthResults = []string{agentPass, agentFail} })), Reply, RuleAgentProof, "agent", false, "proof=dmarc"},
		{"DMARC pass for another domain", from(aki, bySubject, auth("mx.example.com; dmarc=pass header.from=evil.test")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC pass for a subdomain", from(aki, bySubject, auth("mx.example.com; dmarc=pass header.from=mail.example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC pass for two domains", from(aki, bySubject, auth("mx.example.com; dmarc=pass header.from=evil.test header.from=example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC pass of a domain that looks alike", from(mail.Address{Address: "aki@ex\u0430mple.com"}, bySubject, auth("mx.example.com; dmarc=pass header.from=ex\u0430mple.com")), Request, RuleMentions, "customer", true, ""},
		{"DMARC pass in a comment", from(aki, bySubject, auth("mx.example.com; dmarc=none (dmarc=pass header.from=example.com)")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC pass smuggled in by quotes", from(aki, bySubject, auth(`mx.example.com; spf=none smtp.mailfrom="a; dmarc=pass header.from=example.com; x"@evil.test; dmarc=none`)), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC pass beside another result", from(aki, bySubject, auth("mx.example.com; dmarc=pass header.from=example.com; dmarc=none header.from=example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC pass that names no domain", from(aki, bySubject, auth("mx.example.com; dmarc=pass")), Note, RuleAgentUnverified, "note", true, unverified},
		{"SPF and DKIM pass, no DMARC", from(aki, bySubject, auth("mx.example.com; spf=pass smtp.mailfrom=example.com; dkim=pass header.d=example.com")), Note, RuleAgentUnverified, "note", true, unverified},
		{"DMARC result hidden by an open parenthesis", from(aki, bySubject, auth(`mx.example.com; dmarc=pass header.from=example.com; spf=none smtp.mailfrom="("@evil.test; dmarc=fail header.from=example.com`)), Note, RuleAgentUnverified, "note", false, pinned},
		{"DMARC pass with no host that we believe", from(aki, bySubject, auth(agentPass), func(f *Facts) { f.Desk.AuthservID = "" }), Note, RuleAgentUnverified, "note", true, unverified},
		{"an agent by DMARC in a mail of several authors", from(aki, bySubject, auth(agentPass), unsure), Note, RuleAgentUnverified, "note", true, unverified},
		{"an agent by token in a mail of several authors", from(aki, akis(), unsure), Note, RuleAgentUnverified, "note", true, unverified},
		{"an agent by token whose mail fails DMARC at our host is told", from(aki, akis(), auth(agentFail)), Note, RuleAgentUnverified, "note", true, "not_sent=dmarc"},
		{"an agent by token whose mail fails DMARC at another host", from(aki, akis(), auth(evilFail)), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent by token whose mail fails DMARC, no host configured", from(aki, akis(), auth(agentFail), func(f *Facts) { f.Desk.AuthservID = "" }), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent who failed DMARC is told nothing", from(aki, bySubject, auth(agentFail)), Note, RuleAgentUnverified, "note", false, pinned},
		{"an agent's name and another address", from(mail.Address{Name: "aki@example.com", Address: "mallory@evil.test"}, bySubject), Request, RuleMentions, "customer", true, ""},
		{"an agent's address with a tag", from(mail.Address{Address: "aki+x@example.com"}, bySubject), Request, RuleMentions, "customer", true, ""},
		{"an agent's address by a sign that looks alike", from(mail.Address{Address: "a\u212ai@example.com"}, akis(), auth(agentPass)), Request, RuleMentions, "customer", true, ""},
		{"an agent's address as the sender behind a form", from(mail.Address{Address: "form@example.com"}, asker(aki), akis()), Request, RuleMentions, "customer", true, ""},

		{"an agent writes a new mail", from(aki), Request, RuleRequest, "customer", true, ""},
		{"an agent writes a new mail with DMARC and a command", from(aki, auth(agentPass), text("#resolve")), Request, RuleRequest, "customer", true, ""},
		{"an agent is the customer of that request", from(aki, refs(Ref{By: ByCustomerToken, Part: true})), Reply, RuleReplyToken, "customer", false, ""},
		{"an agent is the customer and passes DMARC", from(aki, refs(Ref{By: BySubject, Part: true}), auth(agentPass)), Reply, RuleReplySubject, "customer", false, ""},
		{"an agent is the customer and fails DMARC", from(aki, refs(Ref{By: BySubject, Part: true}), auth(agentFail)), Note, RuleAgentUnverified, "note", false, pinned},
		{"an agent is the customer and answers the notice", from(aki, akis(func(r *Ref) { r.Part, r.Asks = true, true })), Reply, RuleReplyMessageID, "customer", false, ""},
		{"an agent is the customer and commands", from(aki, akis(func(r *Ref) { r.Part, r.Asks = true, true }), text("#resolve\nDone.")), Note, RuleAgentProof, "note", false, "commands=resolve proof=token"},
		{"an agent in copy answers the notice", from(aki, akis(func(r *Ref) { r.Part = true })), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent forwards a customer's mail with DMARC", from(aki, auth(agentPass), forwardOf(taro), asker(taro)), Request, RuleAgentProof, "customer", true, "forwarded_by=aki@example.com"},
		{"an agent forwards a customer's mail that names a request", from(aki, auth(agentPass), forwardOf(taro), asker(taro), refs(Ref{By: BySubject, Part: true})), Request, RuleAgentProof, "customer", true, "forwarded_by=aki@example.com"},
		{"an agent forwards a mail at a restricted desk", from(aki, auth(agentPass), forwardOf(taro), asker(taro), restricted), Request, RuleAgentProof, "customer", true, "forwarded_by=aki@example.com"},
		{"an agent answers by token with a forwarded mail below", from(aki, akis(), auth(agentPass), forwardOf(taro), asker(taro)), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"an agent forwards a mail with commands in it", from(aki, auth(agentPass), forwardOf(taro), asker(taro), text("#spam\n#merge SUP-1")), Request, RuleAgentProof, "customer", true, "forwarded_by=aki@example.com"},
		{"an agent forwards a customer's mail without proof", from(aki, forwardOf(taro)), Request, RuleRequest, "customer", true, ""},
	}
}

// commandRows are agents' mails with commands, and what looks like some.
func commandRows() []decided {
	says := func(s string, change ...func(*Facts)) *Facts {
		return from(aki, append([]func(*Facts){refs(Ref{By: ByAgentToken, Agent: aki}), text(s)}, change...)...)
	}
	logo := message(func(m *mail.Message) { m.Attachments = []mail.Attachment{{Name: "logo.png", Inline: true}} })
	return []decided{
		{"a command alone", says("#resolve"), Note, RuleAgentProof, "note", false, "commands=resolve proof=token"},
		{"a command alone for nobody", says("#resolve", refs(Ref{By: ByAgentToken, Agent: aki, Unreachable: true})), Note, RuleAgentProof, "note", false, "commands=resolve proof=token"},
		{"a command and an answer", says("#resolve\nIt works again."), Reply, RuleAgentProof, "agent", false, "commands=resolve proof=token"},
		{"an answer and a command", says("It works again.\n\n#resolve"), Reply, RuleAgentProof, "agent", false, "commands=resolve proof=token"},
		{"a command and an answer for nobody", says("#resolve\nDone.", refs(Ref{By: ByAgentToken, Agent: aki, Unreachable: true})), Note, RuleAgentProof, "note", true, "commands=resolve not_sent=nobody proof=token"},
		{"two commands", says("＃担当 ben\n#PRIORITY high\n\nLooking into it."), Reply, RuleAgentProof, "agent", false, "commands=assign, priority proof=token"},
		{"a note", says("#note\nHe calls every day."), Note, RuleAgentProof, "note", false, "commands=note proof=token"},
		{"a note on its line", says("#メモ 毎日電話があります。"), Note, RuleAgentProof, "note", false, "commands=note proof=token"},
		{"spam with words", says("#spam\nThis one again."), Note, RuleAgentProof, "note", false, "commands=spam proof=token"},
		{"mine with words", says("#mine\nI ask this for myself."), Note, RuleAgentProof, "note", false, "commands=mine proof=token"},
		{"help with words", says("#help\nWhat can I do?"), Note, RuleAgentProof, "note", false, "commands=help proof=token"},
		{"an unknown command keeps the answer back", says("#resolv\nIt works again."), Note, RuleAgentProof, "note", false, "commands=#resolv proof=token"},
		{"a sentence behind a command that takes none", says("#resolve it when you can"), Note, RuleAgentProof, "note", false, "commands=#resolve it when you can proof=token"},
		{"a number is no command", says("#1 of the list is done."), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"a heading is no command", says("# Steps\nRestart it."), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"a command in the middle is none", says("Write\n#resolve\nin your answer."), Reply, RuleAgentProof, "agent", false, "proof=token"},
		{"a command by DMARC", from(aki, refs(Ref{By: BySubject}), auth(agentPass), text("#resolve")), Note, RuleAgentProof, "note", false, "commands=resolve proof=dmarc"},
		{"a command and the agent's logo", says("#resolve\n[cid:logo@x]", logo), Note, RuleAgentProof, "note", false, "commands=resolve proof=token"},
		{"a command and a file", says("#resolve", message(func(m *mail.Message) { m.Attachments = []mail.Attachment{{Name: "a.pdf"}} })), Reply, RuleAgentProof, "agent", false, "commands=resolve proof=token"},
		{"a field of the request type", says("#floor 3", func(f *Facts) { f.Desk.Type.Fields = []Field{{Name: "Floor"}} }), Note, RuleAgentProof, "note", false, "commands=set proof=token"},
		{"the customer's own last line", says("Yes.\n\nplease do\n#spam", func(f *Facts) { f.Theirs = []string{"spam"} }), Note, RuleAgentProof, "note", false, "commands=#spam proof=token"},
		{"a command in a customer's mail", from(taro, refs(Ref{By: ByCustomerToken, Part: true}), text("#resolve")), Reply, RuleReplyToken, "customer", false, ""},
	}
}
