package desk

import (
	"slices"
	"strings"

	"helpdesk/mail"
	"helpdesk/store"
)

// agentWithProof fits a mail of an agent who is proven: see there. An agent who
// is the customer of a conversation writes there as the customer, save for commands.
func agentWithProof(f *Facts) *Decision {
	p := proven(f)
	if p == nil {
		return nil
	}
	if passedOn(f.Mail) != nil && p.token == nil && p.dmarc && f.Sender.Key() != p.agent.Key() {
		d := request(f) // the text is the customer's: no commands; and the agent writes to colleagues, not to its readers
		d.Ref, d.Verified, d.Copies = first(f.Refs, anyRef), false, false
		d.arg("forwarded_by", p.agent.Address)
		return d
	}
	ref, how := p.token, "token"
	if ref == nil && p.dmarc {
		ref, how = first(f.Refs, anyRef), "dmarc"
	}
	if ref == nil && f.Digest {
		d := &Decision{Outcome: Ignored, Verified: true, Answer: true}
		d.arg("not_sent", NotSentDigest)
		return d
	}
	if ref == nil {
		return nil
	}
	if d := agentSays(f, ref, how); d != nil {
		d.arg("proof", how)
		return d
	}
	return nil
}

// agentSays is what an agent's mail in a conversation comes to.
func agentSays(f *Facts, ref *Ref, how string) *Decision {
	d := &Decision{Outcome: Note, Kind: store.KindNote, Ref: ref, Verified: true}
	if f.Mail.Automatic != "" {
		return d // out of office: no word of it is the agent's
	}
	d.Say, d.Commands = f.commands()
	asCustomer := ref.Part && (how == "dmarc" || ref.Asks)
	if asCustomer && len(d.Commands) == 0 {
		return nil
	}
	if len(d.Commands) > 0 {
		names := make([]string, len(d.Commands))
		for i, c := range d.Commands {
			names[i] = c.Name
		}
		d.arg("commands", strings.Join(names, ", "))
	}
	switch {
	case asCustomer || slices.ContainsFunc(d.Commands, forAgents):
	case len(d.Commands) > 0 && says(f.Mail, d.Say, false) == "": // a command alone
	case says(f.Mail, d.Say, true) == "":
		d.Answer = true
		d.arg("not_sent", NotSentEmpty)
	case ref.Unreachable:
		d.Answer = true
		d.arg("not_sent", NotSentNobody)
	case copied(f):
		d.Answer = true
		d.arg("not_sent", NotSentCopy)
	default:
		d.Outcome, d.Kind = Reply, store.KindAgent
	}
	return d
}

// copied reports whether an agent wrote to somebody else, with a copy for us:
// to a colleague about the customer, or to the customer, who has it then.
func copied(f *Facts) bool {
	return !slices.ContainsFunc(f.Mail.To, f.Desk.Ours) && slices.ContainsFunc(f.Mail.Cc, f.Desk.Ours)
}

// forAgents reports whether a command keeps the text beside it from customers,
// as one does that we do not know.
func forAgents(c Command) bool {
	switch c.Name {
	case CommandResolve, CommandReopen, CommandAssign, CommandPriority, CommandSet, CommandMerge:
		return false
	}
	return true
}

// commands reads what an agent wrote. Lines that are no command of ours stand
// among the commands as they were written: they are told to the agent.
func (f *Facts) commands() (say string, commands []Command) {
	var fields []string
	for _, field := range f.Desk.Type.Fields {
		fields = append(fields, field.Name)
	}
	say, commands, unknown := parseCommands(f.Mail.Reply, fields, f.Theirs)
	for _, line := range unknown {
		commands = append(commands, Command{Name: line})
	}
	return say, commands
}

// says is what of an agent's mail is for the customer: words, or else the name
// of a file. Beside a command a picture in the text is no more than the agent's
// signature; pictures says that it counts.
func says(m *mail.Message, text string, pictures bool) string {
	if !pictures {
		text = cid.ReplaceAllString(text, "")
	}
	if text = strings.TrimSpace(text); text != "" {
		return text
	}
	for _, a := range m.Attachments {
		if pictures || !a.Inline {
			return a.Name
		}
	}
	return ""
}

// agentWithoutProof keeps a mail that claims to be an agent's away from
// customers. Where it points to no conversation the sender is as any other, and
// an agent who is the customer of one has a customer's rights there. Beyond the
// rate it is held like anybody's: else a false agent could fill a conversation.
func agentWithoutProof(f *Facts) *Decision {
	if _, ok := f.Desk.Agent(f.Mail.From); !ok || proven(f) != nil || f.OverRate && !overruled(f) && !f.Quiet {
		return nil
	}
	ref := first(f.Refs, anyRef)
	if ref == nil || ref.Part && rightBy(f, *ref) != "" {
		return nil
	}
	d := &Decision{Outcome: Note, Kind: store.KindNote, Ref: ref, Answer: true}
	d.arg("not_sent", NotSentUnverified)
	if dmarcFailAt(f.Mail, f.Desk.AuthservID) && ownToken(f) != nil {
		d.arg("not_sent", NotSentDMARC)
	}
	return d
}

func anyRef(Ref) bool { return true }

func first(refs []Ref, fits func(Ref) bool) *Ref {
	if i := slices.IndexFunc(refs, fits); i >= 0 {
		return &refs[i]
	}
	return nil
}
