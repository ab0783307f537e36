package desk

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// What mail programs do to a subject before they compare it.
var (
	gmailPrefix    = regexp.MustCompile(`^(?i:(re|fwd?)\s*:|\[[^\]]*\])\s*`) // also what stands in brackets
	exchangePrefix = regexp.MustCompile(`^[^:\s\d]{1,3}: *`)                 // MS-OXCMAIL section 2.2.3.2.6.1
)

func gmailSubject(s string) string {
	for gmailPrefix.MatchString(s) {
		s = gmailPrefix.ReplaceAllString(s, "")
	}
	return strings.TrimSpace(s)
}

// seen is a mail as a mail program sorts it into a conversation.
type seen struct {
	id, subject  string
	references   []string
	topic, index string // Thread-Topic and Thread-Index as they stand
}

func seenOf(t *testing.T, raw string) seen {
	t.Helper()
	m, err := mail.Parse(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	s := seen{id: m.MessageID, subject: m.Subject, references: slices.Concat(m.InReplyTo, m.References), index: header(raw, "Thread-Index")}
	if topic := header(raw, "Thread-Topic"); topic != "" {
		decoded, err := mail.Parse(strings.NewReader("Subject: " + topic + "\n\n"))
		if err != nil {
			t.Fatal(err)
		}
		s.topic = decoded.Subject
	}
	return s
}

// refers reports whether a mail refers to one of those before it, or to what
// one of them refers to.
func (s seen) refers(before []seen) bool {
	return slices.ContainsFunc(before, func(b seen) bool {
		return slices.ContainsFunc(s.references, func(id string) bool { return id == b.id || slices.Contains(b.references, id) })
	})
}

func (s seen) gmail(before []seen) bool {
	return s.refers(before) && gmailSubject(s.subject) == gmailSubject(before[0].subject)
}

// appleMail goes by References, and takes a mail for an answer by its subject.
func (s seen) appleMail(before []seen) bool {
	return s.refers(before) && strings.HasPrefix(strings.ToLower(s.subject), "re:")
}

// outlook is the conversation's identity: the GUID of Thread-Index, else the topic.
func (s seen) outlook() string {
	if raw, err := base64.StdEncoding.DecodeString(s.index); err == nil && len(raw) >= 22 && raw[0] == 1 {
		return fmt.Sprintf("%x", raw[6:22])
	}
	return s.outlookWithoutIndex()
}

// outlookWithoutIndex is the same where Outlook does not trust Thread-Index:
// what PidTagConversationIndexTracking says is in no header.
func (s seen) outlookWithoutIndex() string {
	normal := exchangePrefix.ReplaceAllString(s.subject, "")
	if s.topic != "" && strings.HasSuffix(s.subject, s.topic) {
		normal = s.topic
	}
	return strings.ToUpper(strings.TrimSpace(normal))
}

// outlookIndex is a Thread-Index as Outlook begins a conversation with.
func outlookIndex() string {
	return base64.StdEncoding.EncodeToString(append([]byte{1, 0xdc, 0x5a, 1, 2, 3}, []byte("sixteen bytes id")...))
}

// begun is the subject that a conversation began with, as Outlook has it.
func begun(subject string) string {
	for exchangePrefix.MatchString(subject) {
		subject = exchangePrefix.ReplaceAllString(subject, "")
	}
	return strings.TrimSpace(subject)
}

// sendTo renders what waits for an address since the last time.
func (b *bench) sendTo(address string, from int) []string {
	b.t.Helper()
	var raws []string
	for _, line := range b.lines()[from:] {
		if line.To.Address == address {
			_, raw, _ := b.render(line)
			raws = append(raws, raw)
		}
	}
	return raws
}

// A whole exchange is one conversation to the customer, in Gmail, Apple Mail
// and Outlook, and one of their own to each agent: our acknowledgement, answer,
// word that it is resolved and that it is open again, the customer's answers
// between them, whatever the customer's subject and mail program.
func TestOneConversation(t *testing.T) {
	for _, subject := range []string{
		"Printer", "Re: Printer", "RE: Re: Fwd: Printer", "複合機が動きません", "Re: [Ticket#77] Printer", "[Ticket#77] Printer", "AW: Drucker", "AW: WG: Drucker",
		"  spaces around ", "複合機　故障", "Printer: jam", "件名：プリンター", "Fw:Printer", strings.Repeat("long ", 20) + "subject",
	} {
		for _, program := range []string{"gmail", "outlook"} {
			t.Run(subject+" "+program, func(t *testing.T) { exchange(t, subject, program) })
		}
	}
}

func exchange(t *testing.T, subject, program string) {
	b := newBench(t, "")
	more := "Subject: " + subject
	if program == "outlook" {
		more += "\nThread-Topic: " + begun(subject) + "\nThread-Index: " + outlookIndex()
	}
	question := strings.Replace(posted("Taro <taro@customer.test>", "1@c", more, "It is broken."), "Subject: Printer\n", "", 1)
	if first := b.take(question)[0]; first.Outcome != Request {
		t.Fatalf("%+v", first)
	}
	customer, agent := []seen{seenOf(t, question)}, []seen{}
	from := 0
	look := func() {
		t.Helper()
		for _, raw := range b.sendTo("taro@customer.test", from) {
			s := seenOf(t, raw)
			if !s.gmail(customer) || !s.appleMail(customer) {
				t.Errorf("%q: gmail %v, Apple %v; references %v", s.subject, s.gmail(customer), s.appleMail(customer), s.references)
			}
			// Another program's mail that was an answer already has a topic of its own making.
			if known := program == "outlook" || topic(subject) == subject; known && (s.outlook() != customer[0].outlook() || s.outlookWithoutIndex() != customer[0].outlookWithoutIndex()) {
				t.Errorf("%q: Outlook %s, %s, want %s, %s; topic %q", s.subject, s.outlook(), s.outlookWithoutIndex(), customer[0].outlook(), customer[0].outlookWithoutIndex(), s.topic)
			}
			if last := customer[len(customer)-1]; last.id[0] != 'h' && !slices.Contains(s.references, last.id) || !slices.Contains(s.references, "1@c") {
				t.Errorf("%q refers to %v, neither to the first nor to the latest", s.subject, s.references)
			}
			customer = append(customer, s)
		}
		for _, raw := range b.sendTo("aki@example.com", from) {
			s := seenOf(t, raw)
			if len(agent) > 0 && (!s.gmail(agent) || s.outlook() != agent[0].outlook()) {
				t.Errorf("to the agent %q: gmail %v; references %v", s.subject, s.gmail(agent), s.references)
			}
			if strings.Contains(fmt.Sprint(s.references), "@c") {
				t.Errorf("to the agent: refers to %v", s.references)
			}
			agent = append(agent, s)
		}
		from = len(b.lines())
	}
	look()
	n := 1
	replyAs := func(who string, to seen, text string) {
		t.Helper()
		n++
		head := "References: " + "<" + strings.Join(append(slices.Clone(to.references), to.id), "> <") + ">\nIn-Reply-To: <" + to.id + ">"
		if who != "aki@example.com" && program == "outlook" {
			head = "In-Reply-To: <" + to.id + ">\nThread-Topic: " + begun(subject) + "\nThread-Index: " + to.index
		}
		raw := strings.Replace(posted(who, fmt.Sprintf("%d@c", n), head, text), "Subject: Printer", "Subject: "+"RE: "+strings.TrimPrefix(to.subject, "Re: "), 1)
		if entry := b.take(raw)[0]; (entry.Outcome != Reply && entry.Rule != RuleAgentProof) || entry.Request != "SUP-1" {
			t.Fatalf("the reply to %q became %+v", to.subject, entry)
		}
		if who != "aki@example.com" {
			customer = append(customer, seenOf(t, raw))
		}
		look()
	}
	latest := func(list []seen) seen { return list[len(list)-1] }
	replyAs("aki@example.com", latest(agent), "Switch it on.")
	replyAs("taro@customer.test", latest(customer), "Still broken.")
	replyAs("aki@example.com", latest(agent), "Here you are.\n\n#resolve")
	replyAs("taro@customer.test", latest(customer), "Again.")
	replyAs("aki@example.com", latest(agent), "#resolve")
	replyAs("taro@customer.test", latest(customer), "And again.")
	if want := []string{EventReceived, EventAnswered, EventAnswered, EventReopened, EventResolved, EventReopened}; !slices.Equal(b.eventsTo("taro@customer.test"), want) {
		t.Errorf("the customer was sent %v", b.eventsTo("taro@customer.test"))
	}
	subjects := map[string]bool{}
	for _, s := range customer {
		if s.id[0] == 'h' { // ours
			subjects[s.subject] = true
		}
	}
	if len(subjects) != 1 {
		t.Errorf("mails to the customer have the subjects %v", subjects)
	}
	if id := b.lines()[0].RequestID; id == 0 {
		t.Error("no request")
	}
}

func (b *bench) eventsTo(address string) []string {
	var events []string
	for _, line := range b.lines() {
		if line.To.Address == address && !ToAdmin(line.Event) {
			events = append(events, line.Event)
		}
	}
	return events
}

// An answer finds its request again whatever the customer's mail program
// leaves of ours.
func TestAnswersComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		keep func(our seen, replyTo string) (headers string)
		rule string
	}{
		"Gmail: the whole chain": {func(our seen, _ string) string {
			return "Subject: Re: " + our.subject + "\nIn-Reply-To: <" + our.id + ">\nReferences: <1@c> <" + our.id + ">\nTo: support@example.com"
		}, RuleReplyToken},
		"Outlook: In-Reply-To and a Thread-Index": {func(our seen, _ string) string {
			return "Subject: RE: " + strings.TrimPrefix(our.subject, "Re: ") + "\nIn-Reply-To: <" + our.id + ">\nThread-Index: " + outlookIndex() + "\nTo: support@example.com"
		}, RuleReplyToken},
		"Outlook to Exchange: our Message-ID is replaced": {func(our seen, _ string) string {
			return "Subject: RE: " + strings.TrimPrefix(our.subject, "Re: ") + "\nIn-Reply-To: <AM0PR@outlook.test>\nReferences: <1@c> <AM0PR@outlook.test>\nTo: support@example.com"
		}, RuleReplyMessageID},
		"a phone: nothing but the subject": {func(our seen, _ string) string {
			return "Subject: Re: " + our.subject + "\nTo: support@example.com"
		}, RuleReplySubject},
		"in Japanese": {func(our seen, _ string) string {
			return "Subject: 返信: " + our.subject + "\nTo: support@example.com"
		}, RuleReplySubject},
		"a program that writes wide letters": {func(our seen, _ string) string {
			return "Subject: Re：" + our.subject + "\nTo: support@example.com"
		}, RuleReplySubject},
		"another subject, to the address with the token": {func(_ seen, replyTo string) string {
			return "Subject: once more\nTo: " + replyTo
		}, RuleReplyToken},
		"the same in capitals": {func(_ seen, replyTo string) string {
			return "Subject: once more\nTo: " + strings.ToUpper(replyTo)
		}, RuleReplyToken},
	} {
		b := newBench(t, "")
		if err := b.taker.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetMeta("plus:"+itoa(b.desk.ID), "1") }); err != nil {
			t.Fatal(err)
		}
		b.take(posted("Taro <taro@customer.test>", "1@c", "", "It is broken."))
		_, raw, m := b.render(b.lines()[0])
		reply := "From: taro@customer.test\nDate: Sat, 21 Nov 2026 12:05:00 +0900\nMessage-ID: <2@c>\n" + c.keep(seenOf(t, raw), m.ReplyTo[0].Address) + "\n\nThanks.\n"
		if entry := b.take(reply)[0]; entry.Outcome != Reply || entry.Rule != c.rule || entry.Request != "SUP-1" {
			t.Errorf("%s: became %s by %s in %q\n%s", name, entry.Outcome, entry.Rule, entry.Request, reply)
		}
	}
}

func TestTopic(t *testing.T) {
	for subject, want := range map[string]string{
		"Printer": "Printer", "Re: Printer": "Printer", "RE: re: FW: Fwd:Printer": "Printer", "Re[2]: Printer": "Printer", "Re：プリンター": "プリンター",
		"Re: [SUP-3] Printer": "Printer", "[sup-3] Re: [SUP-4] Printer": "Printer", "[Ticket#3] Printer": "[Ticket#3] Printer", "AW: Drucker": "AW: Drucker",
		"Report: x": "Report: x", "Reply": "Reply", "": "", "Re:": "", "  a  b ": "a  b", "複合機　故障": "複合機　故障", "Printer [SUP-3]": "Printer [SUP-3]",
	} {
		if got := topic(subject); got != want {
			t.Errorf("%q has the topic %q, want %q", subject, got, want)
		}
	}
}

// A subject that a stranger could make others click on is not in mail that
// they can make us send, nor in its header; in an agent's answer it is, and
// joins the customer's own mail.
func TestConversationWithALink(t *testing.T) {
	b := newBench(t, "")
	question := strings.Replace(posted("Taro <taro@customer.test>", "1@c", "", "It is broken."), "Printer", "www.evil.test is down", 1)
	b.take(question)
	_, received, _ := b.render(b.lines()[0])
	if strings.Contains(received, "evil") {
		t.Errorf("the acknowledgement shows what it must not:\n%s", received)
	}
	b.take(posted("aki@example.com", "2@a", "In-Reply-To: <"+b.lines()[1].MessageID+">", "We look."))
	for _, raw := range b.sendTo("taro@customer.test", 1) {
		if s := seenOf(t, raw); !s.gmail([]seen{seenOf(t, question)}) || s.outlook() != "WWW.EVIL.TEST IS DOWN" {
			t.Errorf("the answer %q stands beside the conversation", s.subject)
		}
	}
}

// Who answers a digest is told that nobody got the answer, also who answers
// that; neither becomes a request.
func TestAnswerToADigest(t *testing.T) {
	b := newBench(t, "")
	digest := b.conversation()[EventDigest]
	n := len(b.lines())
	b.take(posted("ben@example.com", "8@a", "In-Reply-To: <"+digest.MessageID+">", "Please wait.\n\n#resolve"))
	told := b.lines()[n:]
	if len(told) != 1 || told[0].Event != EventNotSent || told[0].To.Address != "ben@example.com" {
		t.Fatalf("queued %+v", told)
	}
	_, _, m := b.render(told[0])
	if m.Subject != "Your reply was not sent" || !strings.Contains(m.Text, "several notices") {
		t.Errorf("%s\n%s", m.Subject, m.Text)
	}
	entry := b.take(posted("ben@example.com", "9@a", "In-Reply-To: <"+told[0].MessageID+">\nReferences: <"+told[0].References[0]+">", "Oh."))[0]
	if entry.RequestID != 0 || entry.Outcome == Request {
		t.Errorf("an answer to that became %+v", entry)
	}
}

// An agent learns that a new request answers one that was resolved too long ago.
func TestLateAnswerIsSaid(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("Taro <taro@customer.test>", "1@c", "", "It is broken."))
	b.take(posted("aki@example.com", "2@a", "In-Reply-To: <"+b.lines()[1].MessageID+">", "#resolve"))
	b.now = b.now.Add(30 * 24 * time.Hour)
	n := len(b.lines())
	b.take(posted("Taro <taro@customer.test>", "3@c", "In-Reply-To: <"+b.lines()[0].MessageID+">", "Again."))
	for _, line := range b.lines()[n:] {
		if _, _, m := b.render(line); line.Event == EventNew && !strings.Contains(m.Text, "It answers SUP-1, which was resolved too long ago") {
			t.Errorf("the notice says\n%s", m.Text)
		}
	}
	if len(b.lines()) == n {
		t.Error("nobody was told")
	}
}
