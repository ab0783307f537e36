package desk

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"helpdesk/mail"
	"helpdesk/store"
)

var (
	aki      = mail.Address{Name: "Aki", Address: "aki@example.com"}
	ben      = mail.Address{Name: "Ben", Address: "ben@example.com"}
	taro     = mail.Address{Name: "Taro", Address: "taro@customer.test"}
	stranger = mail.Address{Address: "stranger@elsewhere.test"}
)

func testDesk() *Settings {
	return &Settings{
		ID: 1, Key: "SUP", Name: "Support", Address: "support@example.com", Aliases: []string{"help@example.com"},
		Sender: mail.Address{Name: "Support", Address: "support@example.com"}, Agents: []mail.Address{aki, ben}, AuthservID: "mx.example.com",
		PublicSignup: true, Reopen: 14 * 24 * time.Hour,
		Limits: Limits{AutomaticHour: 5, AutomaticDay: 10, AutomaticInAll: 200, NoticesOfSender: 10, Notices: 60, Mails: 30},
	}
}

// from gives the facts of a plain mail of a person.
func from(a mail.Address, change ...func(*Facts)) *Facts {
	f := &Facts{Desk: testDesk(), Sender: a, Mail: &mail.Message{From: a, MessageID: "m@x", Subject: "Hello", Reply: "Some words."}}
	for _, c := range change {
		c(f)
	}
	return f
}

func refs(r ...Ref) func(*Facts) {
	return func(f *Facts) {
		for i := range r {
			r[i].RequestID, r[i].Key = int64(7+i), "SUP-7"
		}
		f.Refs = r
	}
}

func automaticMail(kind string) func(*Facts) { return func(f *Facts) { f.Mail.Automatic = kind } }
func auth(v string) func(*Facts)             { return func(f *Facts) { f.Mail.AuthResults = []string{v} } }
func message(c func(*mail.Message)) func(*Facts) {
	return func(f *Facts) { c(f.Mail) }
}
func text(s string) func(*Facts)        { return func(f *Facts) { f.Mail.Reply = s } }
func block(list ...string) func(*Facts) { return func(f *Facts) { f.Desk.Block = list } }
func allow(list ...string) func(*Facts) { return func(f *Facts) { f.Desk.Allow = list } }
func asker(a mail.Address) func(*Facts) { return func(f *Facts) { f.Sender = a } }
func bouncing(status string) func(*Facts) {
	return func(f *Facts) {
		f.Mail.Automatic, f.Mail.Bounce = mail.BounceMail, &mail.Bounce{Recipient: "x@y", Status: status, Permanent: status[0] == '5'}
	}
}
func forwardOf(a mail.Address) func(*Facts) {
	return func(f *Facts) { f.Mail.Forwarded = &mail.Forwarded{From: a} }
}

func wanted(f *Facts)     { f.Wanted = true }
func byRule(f *Facts)     { f.ByRule = true }
func quiet(f *Facts)      { f.Quiet = true }
func old(f *Facts)        { f.Old = true }
func keep(f *Facts)       { f.Desk.KeepAutomatic = true }
func restricted(f *Facts) { f.Desk.PublicSignup = false }
func tell(f *Facts)       { f.Desk.AnswerUnknown = true }
func overRate(f *Facts)   { f.OverRate = true }
func unsure(f *Facts)     { f.Mail.FromUnsure = true }
func spam(f *Facts)       { f.Mail.Spam = true }
func calledSpam(f *Facts) { f.Blocked = true }
func unlimited(f *Facts)  { f.Desk.Limits = Limits{} }

// What our receiving host says of an agent's and of a customer's mail.
const (
	agentPass, agentFail   = "mx.example.com; spf=pass; dmarc=pass header.from=example.com", "mx.example.com; dmarc=fail (p=none) header.from=example.com"
	customerFail, evilFail = "mx.example.com; dmarc=fail header.from=customer.test", "mx.evil.test; dmarc=fail header.from=example.com"
)

// decided is one row of the table of mails.
type decided struct {
	name    string
	facts   *Facts
	outcome string
	rule    string
	kind    string // of the message
	answer  bool
	args    string // all of them, as "a=b c=d"
}

func argsOf(d Decision) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(d.Args)) {
		list = append(list, k+"="+d.Args[k])
	}
	return strings.Join(list, " ")
}

func TestDecide(t *testing.T) {
	rows := slices.Concat(firstRows(), automaticRows(), agentRows(), commandRows(), customerRows(), answerRows())
	if len(rows) < 120 {
		t.Errorf("the table has %d rows", len(rows))
	}
	words := map[string]any{}
	if source, err := os.ReadFile("../../ui/words.toml"); err != nil {
		t.Fatal(err)
	} else if err := toml.Unmarshal(source, &words); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(c.facts)
			got := decided{c.name, c.facts, d.Outcome, d.Rule, d.Kind, d.Answer, argsOf(d)}
			if got != c {
				t.Errorf("got  %+v\nwant %+v", got, c)
			}
			if slices.Contains(d.Passed, d.Rule) {
				t.Errorf("the rule %s stands among those passed over: %v", d.Rule, d.Passed)
			}
			if names[c.name] {
				t.Error("another row has this name")
			}
			names[c.name] = true
			for k, v := range d.Args {
				if words["arg."+k+"."+v] == nil && words["arg."+k] == nil && k != "outbox" {
					t.Errorf("there are no words for the argument %s=%s", k, v)
				}
			}
		})
	}
	tableIsNeeded(t, rows, words)
}

// led is what a decision leads to, without the name of its rule.
func led(d Decision) string {
	return fmt.Sprint(d.Outcome, d.Kind, d.Answer, d.Verified, d.Ref != nil, d.Suspend)
}

// tableIsNeeded demands that each rule and outcome occurs and has words, that
// without a rule some mail becomes something else, and that no two neighbours
// can change places, save those of which only one can fit a mail.
func tableIsNeeded(t *testing.T, rows []decided, words map[string]any) {
	last := rule{"nothing", func(*Facts) *Decision { return &Decision{} }}
	byRule, byOutcome := map[string]int{}, map[string]int{}
	for _, c := range rows {
		byRule[c.rule]++
		byOutcome[c.outcome]++
	}
	for _, o := range []string{Skipped, Duplicate, Own, Probe, Bounced, Ignored, Blocked, Held, Reply, Note, Request} {
		if byOutcome[o] == 0 || words["outcome."+o] == nil {
			t.Errorf("the outcome %s occurs %d times; words: %v", o, byOutcome[o], words["outcome."+o])
		}
	}
	exclusive := [][2]string{{RuleAgentProof, RuleAgentUnverified}, {RuleAgentUnverified, RuleRate}, {RuleReplySubject, RuleUnknown}}
	table := rules()
	for i, r := range table {
		if byRule[r.name] == 0 || words["rule."+r.name+".fits"] == nil || words["rule."+r.name+".passed"] == nil {
			t.Errorf("the rule %s decides %d mails; words: %v, %v", r.name, byRule[r.name], words["rule."+r.name+".fits"], words["rule."+r.name+".passed"])
		}
		without := append(slices.Delete(slices.Clone(table), i, i+1), last)
		if !slices.ContainsFunc(rows, func(c decided) bool { return led(decide(c.facts, without)) != led(Decide(c.facts)) }) {
			t.Errorf("without the rule %s every mail becomes the same", r.name)
		}
		if i == 0 || slices.Contains(exclusive, [2]string{table[i-1].name, r.name}) {
			continue
		}
		swapped := append(slices.Clone(table), last)
		swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
		if !slices.ContainsFunc(rows, func(c decided) bool { return decide(c.facts, swapped).Rule != c.rule }) {
			t.Errorf("no mail tells whether %s comes before %s", table[i-1].name, r.name)
		}
	}
}

// Only a permanent failure of the address itself suspends it.
func TestDecideSuspends(t *testing.T) {
	for _, c := range []struct {
		status    string
		permanent bool
		want      string
	}{
		{"5.1.1", true, "taro@customer.test"},
		{"5.1.10", true, "taro@customer.test"},
		{"5.1.1", false, ""},
		{"5.2.2", true, ""},
		{"5.7.1", true, ""},
		{"4.1.1", false, ""},
		{"", true, ""},
	} {
		f := from(stranger, message(func(m *mail.Message) {
			m.Bounce = &mail.Bounce{Recipient: "else@where.test", Status: c.status, Permanent: c.permanent}
		}), func(f *Facts) { f.Bounce = &store.OutboxLine{ID: 9, To: taro} })
		if got := Decide(f).Suspend; got != c.want {
			t.Errorf("status %q, permanent %v: suspends %q, want %q", c.status, c.permanent, got, c.want)
		}
	}
}
