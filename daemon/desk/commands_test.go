package desk

import (
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// request reads a request.
func (b *bench) request(key string) store.Request {
	b.t.Helper()
	r, err := b.taker.Store.RequestByKey(b.t.Context(), key)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// messages lists a conversation as "kind address: reply".
func (b *bench) messages(key string) []string {
	b.t.Helper()
	all, err := b.taker.Store.Messages(b.t.Context(), b.request(key).ID)
	if err != nil {
		b.t.Fatal(err)
	}
	list := make([]string, len(all))
	for i, m := range all {
		list[i] = m.Kind + " " + m.From.Address + ": " + strings.TrimSpace(m.Reply)
	}
	return list
}

// line is the newest line of an event to an address.
func (b *bench) line(event, to string) store.OutboxLine {
	b.t.Helper()
	lines := b.lines()
	for _, l := range slices.Backward(lines) {
		if l.Event == event && l.To.Address == to {
			return l
		}
	}
	b.t.Fatalf("there is no %s to %s among %v", event, to, b.outbox())
	return store.OutboxLine{}
}

// since lists what was queued while fn ran.
func (b *bench) since(fn func()) []string {
	b.t.Helper()
	n := len(b.lines())
	fn()
	return b.outbox()[n:]
}

// answers takes an agent's reply to a notice.
func (b *bench) answers(agent string, notice store.OutboxLine, text string) store.Entry {
	b.t.Helper()
	b.n++
	return b.take(posted(agent, "agent"+itoa(b.n)+"@a", "In-Reply-To: <"+notice.MessageID+">", text))[0]
}

// customerSays takes a customer's answer to the newest mail that they got.
func (b *bench) customerSays(address, text string) store.Entry {
	b.t.Helper()
	b.n++
	last := ""
	for _, l := range b.lines() {
		if l.To.Address == address {
			last = l.MessageID
		}
	}
	return b.take(posted(address, "customer"+itoa(b.n)+"@c", "In-Reply-To: <"+last+">", text))[0]
}

// asked is a desk with a request SUP-1 of Taro, whose type has two fields.
func asked(t *testing.T) (*bench, store.OutboxLine) {
	t.Helper()
	b := newBench(t, "")
	b.desk.Type.Fields = []Field{
		{Name: FieldSummary}, {Name: FieldDescription}, {Name: FieldPriority, Default: "normal"},
		{Name: "Floor", Choices: []string{"Ground", "First"}}, {Name: "部署", Default: "営業"},
	}
	b.take(posted("Taro <taro@customer.test>", "1@c", "", "It is broken."))
	return b, b.line(EventNew, "aki@example.com")
}

func TestCommands(t *testing.T) {
	type want struct {
		outcome  string
		queued   []string
		state    string
		assignee string
		fields   string // "name=value" that must be there
		bad      string // slugs of what could not be done
	}
	const taro, answered, byBen = "taro@customer.test", "answered taro@customer.test", "answered-by ben@example.com"
	commands := []string{"commands aki@example.com"}
	for _, c := range []struct {
		name, text string
		want       want
	}{
		{"an answer", "Switch it on.", want{Reply, []string{answered, byBen}, "waiting", "aki@example.com", "Floor=", ""}},
		{"a note", "#note\nHe is angry.", want{Note, nil, "open", "", "", ""}},
		{"a note in Japanese, wide", "怒っています。\n＃メモ", want{Note, nil, "open", "", "", ""}},
		{"resolved with words", "Switch it on.\n\n#resolve", want{Reply, []string{answered, byBen}, "resolved", "aki@example.com", "", ""}},
		{"resolved, first line", "#RESOLVE\nSwitch it on.", want{Reply, []string{answered, byBen}, "resolved", "aki@example.com", "", ""}},
		{"resolved without words", "#resolve", want{Note, []string{"resolved " + taro}, "resolved", "", "", ""}},
		{"resolved in Japanese", "#解決", want{Note, []string{"resolved " + taro}, "resolved", "", "", ""}},
		{"resolved with a note", "#note\n#resolve\nWe shall not answer.", want{Note, []string{"resolved " + taro}, "resolved", "", "", ""}},
		{"assigned by name", "#assign ben", want{Note, []string{"assigned ben@example.com"}, "open", "ben@example.com", "", ""}},
		{"assigned by address", "#assign BEN@example.com", want{Note, []string{"assigned ben@example.com"}, "open", "ben@example.com", "", ""}},
		{"assigned in Japanese, wide", "＃担当　Ｂｅｎ", want{Note, []string{"assigned ben@example.com"}, "open", "ben@example.com", "", ""}},
		{"assigned with an answer", "Ben will help you.\n#assign Ben", want{Reply, []string{"assigned ben@example.com", answered}, "waiting", "ben@example.com", "", ""}},
		{"assigned to the writer", "#assign aki", want{Note, nil, "open", "aki@example.com", "", ""}},
		{"assigned to nobody known", "Soon.\n#assign carol", want{Note, commands, "open", "", "", "agent-unknown"}},
		{"priority", "#priority HIGH", want{Note, nil, "open", "", "priority=high", ""}},
		{"priority in Japanese", "#優先度 高", want{Note, nil, "open", "", "priority=high", ""}},
		{"no such priority", "Soon.\n#priority purple", want{Note, commands, "open", "", "priority=normal", "choice-unknown"}},
		{"a field", "#set Floor: first", want{Note, nil, "open", "", "Floor=First", ""}},
		{"a field in Japanese, wide colon", "＃設定　部署：総務", want{Note, nil, "open", "", "部署=総務", ""}},
		{"a field by its name", "#floor ground", want{Note, nil, "open", "", "Floor=Ground", ""}},
		{"no such choice", "#set Floor: Third", want{Note, commands, "open", "", "", "choice-unknown"}},
		{"no such field", "#set Colour: red", want{Note, commands, "open", "", "", "field-unknown"}},
		{"a field that is the mail itself", "#set description: nothing", want{Note, commands, "open", "", "", "field-fixed"}},
		{"an unknown command stops the answer", "Switch it on.\n#reslove", want{Note, commands, "open", "", "", "unknown-command"}},
		{"nothing is done beside an unknown one", "Switch it on.\n#resolve\n#priority high\n#frobnicate now", want{Note, commands, "open", "", "priority=normal", "unknown-command"}},
		{"help", "#help", want{Note, commands, "open", "", "", ""}},
		{"help stops all else", "Switch it on.\n#resolve\n#ヘルプ", want{Note, commands, "open", "", "", ""}},
		{"two that contradict", "#resolve\n#reopen", want{Note, commands, "open", "", "", "contradiction"}},
		{"spam", "#spam", want{Note, nil, "resolved", "", "", ""}},
		{"spam with words: nothing goes to the customer", "Go away!\n#迷惑", want{Note, nil, "resolved", "", "", ""}},
		{"mine, but nobody forwarded it", "#mine", want{Note, commands, "open", "", "", "not-forwarded"}},
		{"merged into nothing", "#merge SUP-99", want{Note, commands, "open", "", "", "request-unknown"}},
		{"merged into itself", "#merge SUP-1", want{Note, commands, "open", "", "", "merge-itself"}},
		{"a number is no command", "#1 is done\nThanks", want{Reply, []string{answered, byBen}, "waiting", "aki@example.com", "", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, notice := asked(t)
			var entry store.Entry
			queued := b.since(func() { entry = b.answers("aki@example.com", notice, c.text) })
			r := b.request("SUP-1")
			got := want{outcome: entry.Outcome, queued: queued, state: r.State, assignee: r.Assignee}
			if entry.Outcome != c.want.outcome || !slices.Equal(got.queued, c.want.queued) || r.State != c.want.state || r.Assignee != c.want.assignee {
				t.Errorf("became %+v (%v), want %+v", got, entry.ReasonArgs, c.want)
			}
			if name, value, ok := strings.Cut(c.want.fields, "="); ok && r.Fields[name] != value {
				t.Errorf("field %s is %q, want %q of %v", name, r.Fields[name], value, r.Fields)
			}
			if slices.Equal(c.want.queued, commands) {
				results, err := ReadResults(b.line(EventCommands, "aki@example.com"))
				var slugs []string
				for _, one := range results {
					slugs = append(slugs, one.Slug)
				}
				if err != nil || strings.Join(slugs, " ") != c.want.bad {
					t.Errorf("the agent is told %v, %v; want %q", results, err, c.want.bad)
				}
				if !strings.Contains(strings.Join(b.messages("SUP-1"), "\n"), "note aki@example.com: "+strings.SplitN(c.text, "\n", 2)[0]) {
					t.Errorf("what the agent wrote is not kept: %v", b.messages("SUP-1"))
				}
			}
			for _, m := range b.messages("SUP-1")[1:] {
				if strings.HasPrefix(m, "agent") && strings.ContainsAny(m, "#＃") && !strings.Contains(m, "#1") {
					t.Errorf("a command is part of the answer: %s", m)
				}
			}
		})
	}
}

// A new request has its type's values; #set summary renames it.
func TestFieldsBeginWithDefaults(t *testing.T) {
	b, notice := asked(t)
	if r := b.request("SUP-1"); r.Fields["priority"] != "normal" || r.Fields["部署"] != "営業" || len(r.Fields) != 2 || r.Type != "Email request" {
		t.Errorf("a new request has %v", r.Fields)
	}
	b.answers("aki@example.com", notice, "#set summary: Printer on fire")
	if r := b.request("SUP-1"); r.Subject != "Printer on fire" || r.Fields["priority"] != "normal" {
		t.Errorf("it is now %+v", r)
	}
}

// A notice names the fields that somebody set, the priority also where the
// request type does not list it, and none that are as every request begins.
func TestFieldsInNotices(t *testing.T) {
	for name, own := range map[string][]Field{"priority listed": {{Name: FieldPriority}, {Name: "Floor"}}, "nothing listed": nil} {
		b := newBench(t, "")
		b.desk.Type.Fields = own
		b.take(posted("Taro <taro@customer.test>", "1@c", "", "It is broken."))
		notice := b.line(EventNew, "aki@example.com")
		if o, _, _ := b.render(notice); strings.Contains(o.Text, "priority:") {
			t.Errorf("%s: the notice of a new request names a priority that nobody set:\n%s", name, o.Text)
		}
		b.answers("aki@example.com", notice, "#priority high\n#assign ben")
		for language, want := range map[string]string{"en": "\npriority: high\n", "ja": "\n優先度: 高\n"} {
			b.desk.Language = language
			if o, _, _ := b.render(b.line(EventAssigned, "ben@example.com")); !strings.Contains(o.Text, want) {
				t.Errorf("%s: the notice does not name the priority %q:\n%s", name, want, o.Text)
			}
		}
	}
}

// What an agent calls spam is resolved, its sender blocked, until it is reopened.
func TestSpamAndBack(t *testing.T) {
	b, notice := asked(t)
	b.answers("aki@example.com", notice, "#spam")
	blocked, err := b.taker.Store.BlockedAt(t.Context(), b.desk.ID, "taro@customer.test")
	if r := b.request("SUP-1"); err != nil || !blocked || !r.Spam || r.State != store.StateResolved {
		t.Fatalf("after #spam: blocked %v, %v, %+v", blocked, err, r)
	}
	if said := b.messages("SUP-1"); said[len(said)-1] != "note aki@example.com: #spam" {
		t.Errorf("colleagues do not see what was done: %v", said)
	}
	var again store.Entry
	if queued := b.since(func() { again = b.customerSays("taro@customer.test", "Buy!") }); again.Outcome != Blocked || len(queued) != 0 {
		t.Errorf("the next mail became %s by %s, queued %v", again.Outcome, again.Rule, queued)
	}
	queued := b.since(func() { b.answers("aki@example.com", notice, "#reopen\nSorry, a mistake.") })
	if blocked, err = b.taker.Store.BlockedAt(t.Context(), b.desk.ID, "taro@customer.test"); err != nil || blocked || len(queued) != 0 {
		t.Errorf("after #reopen: blocked %v, %v, queued %v", blocked, err, queued)
	}
	if r := b.request("SUP-1"); r.Spam || r.State != store.StateOpen {
		t.Errorf("after #reopen: %+v", r)
	}
}

// An answer may be a file alone: the commands beside it do not reach the customer.
func TestCommandsBesideAFile(t *testing.T) {
	b, notice := asked(t)
	e := b.take("From: Aki <aki@example.com>\nTo: support@example.com\nSubject: Re: Printer\nMessage-ID: <1@a>\nIn-Reply-To: <" + notice.MessageID + ">\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
		"--b\nContent-Type: text/plain\n\n#resolve\n#priority high\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=plan.pdf\n\nPDF\n--b--\n")[0]
	if e.Outcome != Reply || b.request("SUP-1").State != store.StateResolved {
		t.Fatalf("it became %+v, %+v", e, b.request("SUP-1"))
	}
	if text := b.written(EventAnswered, "taro@customer.test"); strings.Contains(text, "#") {
		t.Errorf("the customer reads\n%s", text)
	}
}

// A resolved request is opened again by the customer's reply, within the time
// that is set; later a reply makes a new request that is linked to it.
func TestReopen(t *testing.T) {
	b, notice := asked(t)
	b.answers("aki@example.com", notice, "Switch it on.\n#resolve")
	b.now = b.now.Add(13 * 24 * time.Hour)
	queued := b.since(func() { b.customerSays("taro@customer.test", "It went off again.") })
	if want := []string{"reopened taro@customer.test", "customer-wrote aki@example.com"}; !slices.Equal(queued, want) {
		t.Errorf("queued %v, want %v", queued, want)
	}
	r := b.request("SUP-1")
	if r.State != store.StateOpen || !r.ResolvedAt.IsZero() || !r.AwaitingSince.Equal(b.now) {
		t.Errorf("reopened as %+v", r)
	}
	b.answers("aki@example.com", notice, "#resolve")
	if r := b.request("SUP-1"); !r.AwaitingSince.IsZero() || !r.ResolvedAt.Equal(b.now) {
		t.Errorf("resolved as %+v", r)
	}
	for _, c := range []struct{ text, want string }{
		{"#resolve", ""}, {"#reopen", "reopened taro@customer.test"}, {"#reopen", ""},
		{"#reopen\nWe look again.", "answered taro@customer.test"}, {"#resolve", "resolved taro@customer.test"}, {"#再開", "reopened taro@customer.test"},
		{"#resolve", "resolved taro@customer.test"},
	} {
		b.now = b.now.Add(time.Hour)
		if queued := b.since(func() { b.answers("aki@example.com", notice, c.text) }); strings.Join(queued, ", ") != c.want {
			t.Errorf("%s queued %v, want %s", c.text, queued, c.want)
		}
	}
	b.now = b.now.Add(15 * 24 * time.Hour)
	var late store.Entry
	queued = b.since(func() { late = b.customerSays("taro@customer.test", "It is off.") })
	if late.Outcome != Request || late.Request != "SUP-2" || late.ReasonArgs["late"] != "yes" {
		t.Errorf("a late reply became %+v", late)
	}
	if want := []string{"received taro@customer.test", "new aki@example.com", "new ben@example.com"}; !slices.Equal(queued, want) {
		t.Errorf("queued %v, want %v", queued, want)
	}
	if second := b.request("SUP-2"); second.LinkedTo != r.ID || b.request("SUP-1").State != store.StateResolved {
		t.Errorf("the new request is %+v", second)
	}
}

// Who answers first has it; the other is told, and may answer all the same.
func TestTwoAgents(t *testing.T) {
	b, _ := asked(t)
	b.answers("aki@example.com", b.line(EventNew, "aki@example.com"), "Yes.")
	queued := b.since(func() { b.answers("ben@example.com", b.line(EventNew, "ben@example.com"), "No.") })
	if !slices.Equal(queued, []string{"answered taro@customer.test"}) || b.request("SUP-1").Assignee != "aki@example.com" {
		t.Errorf("queued %v, assigned to %s", queued, b.request("SUP-1").Assignee)
	}
	queued = b.since(func() { b.answers("ben@example.com", b.line(EventNew, "ben@example.com"), "#assign ben") })
	if len(queued) != 0 || b.request("SUP-1").Assignee != "ben@example.com" {
		t.Errorf("queued %v, assigned to %s", queued, b.request("SUP-1").Assignee)
	}
	if queued = b.since(func() { b.customerSays("taro@customer.test", "Which?") }); !slices.Equal(queued, []string{"customer-wrote ben@example.com"}) {
		t.Errorf("queued %v", queued)
	}
}

// An answer that also gives the request to a colleague is told to the third.
func TestThirdAgentIsTold(t *testing.T) {
	b := newBench(t, "")
	b.desk.Agents = append(b.desk.Agents, mail.Address{Name: "Chie", Address: "chie@example.com"})
	b.take(posted("taro@customer.test", "1@c", "", "Hi"))
	queued := b.since(func() {
		b.answers("aki@example.com", b.line(EventNew, "aki@example.com"), "Ben will help.\n#assign ben")
	})
	if want := []string{"assigned ben@example.com", "answered taro@customer.test", "answered-by chie@example.com"}; !slices.Equal(queued, want) {
		t.Errorf("queued %v, want %v", queued, want)
	}
}

// Two requests become one; an answer by a token of the first lands in the second.
func TestMerge(t *testing.T) {
	b, notice := asked(t)
	b.take(posted("Hanako <hanako@customer.test>", "2@c", "", "The printer!"))
	old := b.line(EventReceived, "taro@customer.test")
	queued := b.since(func() { b.answers("aki@example.com", notice, "Both of you: switch it on.\n#merge sup-2") })
	if want := []string{"answered hanako@customer.test", "answered taro@customer.test", "answered-by ben@example.com"}; !slices.Equal(sorted(queued), sorted(want)) {
		t.Errorf("queued %v, want %v", queued, want)
	}
	first, second := b.request("SUP-1"), b.request("SUP-2")
	if first.MergedInto != second.ID || first.State != store.StateResolved || second.State != store.StateWaiting || len(b.messages("SUP-2")) != 3 {
		t.Errorf("merged: %+v, %+v, %v", first, second, b.messages("SUP-2"))
	}
	if line := b.line(EventAnswered, "taro@customer.test"); line.Request != "SUP-2" {
		t.Errorf("the answer belongs to %s", line.Request)
	}
	reply := b.take(posted("taro@customer.test", "3@c", "In-Reply-To: <"+old.MessageID+">", "It works."))[0]
	if reply.Outcome != Reply || reply.Request != "SUP-2" {
		t.Errorf("an answer by the old token became %s of %s by %s", reply.Outcome, reply.Request, reply.Rule)
	}
	answer := b.answers("aki@example.com", notice, "Good.")
	if answer.Outcome != Reply || answer.Request != "SUP-2" {
		t.Errorf("an agent's answer by the old token became %s of %s", answer.Outcome, answer.Request)
	}
	if e := b.answers("aki@example.com", notice, "#merge SUP-1"); e.ReasonArgs["not_sent"] != NotSentCommands {
		t.Errorf("merging it into what is part of it: %+v", e)
	}
}

// Who had the first request has the one that it became part of; a resolved one
// is open again then.
func TestMergeKeepsTheAssignee(t *testing.T) {
	b, notice := asked(t)
	b.take(posted("Hanako <hanako@customer.test>", "2@c", "", "The printer!"))
	b.answers("aki@example.com", notice, "#assign ben")
	for _, l := range b.lines() {
		if l.Request == "SUP-2" && l.Event == EventNew && l.To.Key() == "aki@example.com" {
			b.answers("aki@example.com", l, "#resolve")
		}
	}
	queued := b.since(func() { b.answers("aki@example.com", notice, "#統合 SUP-2") })
	if r := b.request("SUP-2"); r.Assignee != "ben@example.com" || r.State != store.StateOpen || r.AwaitingSince.IsZero() || len(queued) != 0 {
		t.Errorf("it is %+v, queued %v", r, queued)
	}
}

// An agent who forwards a customer's mail gets the notice too, and may say that
// the request is their own.
func TestForwardIsMine(t *testing.T) {
	b := newBench(t, "")
	b.desk.AuthservID = "mx.example.com"
	forward := "Authentication-Results: mx.example.com; dmarc=pass header.from=example.com\n" +
		"From: Aki <aki@example.com>\nTo: support@example.com\nCc: boss@else.test\nSubject: Fwd: Printer\nDate: Sat, 21 Nov 2026 12:00:00 +0900\nMessage-ID: <f@a>\n\n" +
		"---------- Forwarded message ---------\nFrom: Taro <taro@customer.test>\nDate: Fri, 20 Nov 2026 12:00:00 +0900\nSubject: Printer\nTo: <aki@example.com>\n\nIt is broken.\n"
	entry := b.take(forward)[0]
	if entry.Outcome != Request || b.request("SUP-1").Requester.Address != "taro@customer.test" {
		t.Fatalf("the forward became %+v", entry)
	}
	if want := []string{"received taro@customer.test", "new aki@example.com", "new ben@example.com"}; !slices.Equal(b.outbox(), want) {
		t.Fatalf("queued %v, want %v", b.outbox(), want)
	}
	if e := b.answers("ben@example.com", b.line(EventNew, "ben@example.com"), "#mine"); e.ReasonArgs["not_sent"] != NotSentCommands {
		t.Errorf("another agent's #mine became %+v", e)
	}
	queued := b.since(func() { b.answers("aki@example.com", b.line(EventNew, "aki@example.com"), "#自分") })
	r := b.request("SUP-1")
	people, err := b.taker.Store.Participants(t.Context(), r.ID)
	if err != nil || r.Requester.Address != "aki@example.com" || len(people) != 1 || people[0].Role != store.RoleRequester || len(queued) != 0 {
		t.Errorf("the request is %+v of %v, %v; queued %v", r, people, err, queued)
	}
}
