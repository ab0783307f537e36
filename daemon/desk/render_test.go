package desk

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// renderer writes the mails of a bench.
func (b *bench) renderer() *Renderer {
	week := func(store.OutboxLine) (Weekly, error) { return sampleWeeks(b.desk, b.desk.Language)[0].(Weekly), nil }
	alarm := func(store.OutboxLine) (Alarm, error) { return sampleAlarms(b.desk.Language)[0].(Alarm), nil }
	news := func(context.Context, store.OutboxLine) (News, error) {
		return sampleNews(b.desk, b.desk.Language)[0].(News), nil
	}
	return &Renderer{Store: b.taker.Store, Signer: b.taker.Signer, Alarm: alarm, Weekly: week, News: news}
}

// render writes a line of the outbox as it is sent, and reads it as its
// recipient does.
func (b *bench) render(line store.OutboxLine) (*mail.Outgoing, string, *mail.Message) {
	b.t.Helper()
	o, err := b.renderer().Render(b.t.Context(), b.desk, line, 0)
	if err != nil {
		b.t.Fatalf("%s: %v", line.Event, err)
	}
	raw := written(b.t, o)
	m, err := mail.Parse(strings.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	return o, raw, m
}

// header is the value of a header field of a raw mail, unfolded; "" for none.
func header(raw, name string) string {
	head, _, _ := strings.Cut(raw, "\n\n")
	for line := range strings.SplitSeq(strings.ReplaceAll(head, "\n ", " "), "\n") {
		if k, v, _ := strings.Cut(line, ":"); strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// conversation makes a request with an agent's answer and returns lines of
// every event about it.
func (b *bench) conversation() map[string]store.OutboxLine {
	b.t.Helper()
	first := b.take(posted("山田 太郎 <taro@customer.test>", "1@c", "Cc: hanako@customer.test", "It is broken.\n\nSecond line."))[0]
	lines := map[string]store.OutboxLine{}
	add := func(line store.OutboxLine, to mail.Address) {
		line.DeskID, line.To, line.CreatedAt, line.NextAt = b.desk.ID, to, b.now, b.now
		token := Token{RequestID: line.RequestID, MessageID: line.MessageRow, Event: line.Event, Agent: to.Address != "taro@customer.test"}
		line.MessageID = b.taker.Signer.MessageID(token, to, "example.com")
		err := b.taker.Store.Write(b.t.Context(), func(tx *store.Tx) error { return tx.Queue(&line) })
		if err != nil {
			b.t.Fatal(err)
		}
		lines[line.Event] = line
	}
	answer := store.Message{RequestID: first.RequestID, Kind: store.KindAgent, From: b.desk.Agents[0], Text: "The answer.", Reply: "The answer."}
	if err := b.taker.Store.Write(b.t.Context(), func(tx *store.Tx) error { return tx.AddMessage(&answer) }); err != nil {
		b.t.Fatal(err)
	}
	messages, err := b.taker.Store.Messages(b.t.Context(), first.RequestID)
	if err != nil {
		b.t.Fatal(err)
	}
	question, customer, agent := messages[0], mail.Address{Name: "山田 太郎", Address: "taro@customer.test"}, b.desk.Agents[1]
	references := []string{"1@c"}
	for _, event := range []string{EventReceived, EventAnswered, EventResolved, EventReopened} {
		line := store.OutboxLine{RequestID: first.RequestID, MessageRow: question.ID, Event: event, References: references, InReplyTo: "1@c"}
		if event == EventAnswered {
			line.MessageRow, line.Args = answer.ID, map[string]string{"resolved": "yes"}
		}
		add(line, customer)
	}
	add(store.OutboxLine{Event: EventHeld, References: references, InReplyTo: "1@c", Args: map[string]string{"subject": "Printer", "name": customer.Name}}, customer)
	results, err := json.Marshal([]Result{{Slug: "unknown-command", Args: map[string]string{"command": "resolv"}, Bad: true}})
	if err != nil {
		b.t.Fatal(err)
	}
	for event, args := range map[string]map[string]string{
		EventNew: nil, EventCustomerWrote: nil, EventAssigned: {"by": "aki@example.com"}, EventReminder: nil, EventAnsweredBy: nil,
		EventNotSent: {"why": "empty"}, EventCommands: {"results": string(results)}, EventBounced: {"address": "taro@customer.test", "words": "5.1.1 unknown"},
	} {
		row := question.ID
		if event == EventAnsweredBy || event == EventBounced {
			row = answer.ID
		}
		add(store.OutboxLine{RequestID: first.RequestID, MessageRow: row, Event: event, Args: args, References: []string{"root@example.com"}, InReplyTo: "root@example.com"}, agent)
	}
	held, err := json.Marshal([]heldSender{{Address: "robot@customer.test", Count: 12}})
	if err != nil {
		b.t.Fatal(err)
	}
	ids := []string{itoa(lines[EventNew].ID), itoa(lines[EventBounced].ID), itoa(lines[EventReminder].ID)}
	delete(lines, EventBounced)
	add(store.OutboxLine{Event: EventDigest, Args: map[string]string{"lines": strings.Join(ids, " "), "held": string(held)}}, agent)
	for _, event := range []string{EventAlarm, EventWeekly, EventFuse, EventQuarantine} {
		add(store.OutboxLine{Event: event}, mail.Address{Address: "admin@example.com"})
	}
	return lines
}

// Every event is written in both languages, with our texts and an office's,
// and says what it is about. Robots leave what is automatic alone; a person's
// answer is a person's mail. Nothing says that it comes from a list.
func TestEveryEventIsWritten(t *testing.T) {
	b := newBench(t, "")
	b.desk.BaseURL = "https://desk.example.com/"
	lines := b.conversation()
	for _, event := range texted() {
		if _, ok := lines[event]; !ok {
			t.Errorf("the test writes no %s", event)
		}
	}
	own := map[string]*Texts{"ours": nil}
	for name, kinds := range map[string][]string{"text": {"txt"}, "html": {"html"}, "both": {"txt", "html"}} {
		var err error
		if own[name], err = office(t, ownTexts(kinds...)); err != nil {
			t.Fatal(err)
		}
	}
	says := map[string]string{
		EventReceived: "山田 太郎", EventAnswered: "The answer.", EventNew: "It is broken.", EventCustomerWrote: "It is broken.", EventAssigned: "Aki", EventReminder: "It is broken.",
		EventAnsweredBy: "The answer.", EventNotSent: "SUP-1", EventCommands: "#resolv", EventDigest: "5.1.1 unknown",
	}
	for name, texts := range own {
		for _, language := range []string{"en", "ja"} {
			b.desk.Texts, b.desk.Language = texts, language
			for event, line := range lines {
				o, raw, m := b.render(line)
				if m.Subject == "" || !strings.Contains(m.Text, says[event]) || strings.Contains(raw, "<no value>") {
					t.Errorf("%s, %s in %s:\n%s\n%s", name, event, language, m.Subject, m.Text)
				}
				auto, suppress := header(raw, "Auto-Submitted"), header(raw, "X-Auto-Response-Suppress")
				want := mail.AutoGeneratedByEvent
				switch event {
				case EventReceived, EventResolved, EventReopened, EventHeld:
					want = mail.AutoReplied
				case EventAnswered:
					want = ""
				}
				if auto != want || (suppress == "All") != (want != "") {
					t.Errorf("%s: Auto-Submitted %q, X-Auto-Response-Suppress %q", event, auto, suppress)
				}
				head, _, _ := strings.Cut(strings.ToLower(raw), "\n\n")
				if strings.Contains("\n"+head, "\nprecedence:") || strings.Contains("\n"+head, "\nlist-") || o.EnvelopeFrom != b.desk.Address || header(raw, "X-Helpdesk-Loop") == "" {
					t.Errorf("%s: envelope sender %q, header:\n%s", event, o.EnvelopeFrom, head)
				}
				if o.From.Address != b.desk.Address || (o.EnvelopeTo != line.To.Address) {
					t.Errorf("%s: from %v to %s", event, o.From, o.EnvelopeTo)
				}
				if name == "ours" && (language == "ja") != strings.ContainsAny(strings.NewReplacer("山田 太郎", "", "複合機", "").Replace(o.Text), "すた。件") && event != EventAnswered {
					t.Errorf("%s is not in %s:\n%s", event, language, o.Text)
				}
			}
		}
	}
}

// Where mail to a customer comes from and is answered to: what the
// configuration says goes before the +address, which goes before the desk's
// own address. Agents' mail never carries the customer's token.
func TestWhereMailIsAnsweredTo(t *testing.T) {
	b := newBench(t, "")
	lines := b.conversation()
	token := b.taker.Signer.AddressToken(lines[EventAnswered].RequestID)
	for name, c := range map[string]struct {
		sender, replyTo string
		plus            bool
		customer, agent string // Reply-To
	}{
		"nothing set":       {"support@example.com", "", false, "", ""},
		"another sender":    {"desk@example.com", "", false, "support@example.com", "support@example.com"},
		"reply_to":          {"desk@example.com", "team@example.com", false, "team@example.com", "team@example.com"},
		"plus":              {"support@example.com", "", true, "support+" + token + "@example.com", ""},
		"plus and sender":   {"desk@example.com", "", true, "support+" + token + "@example.com", "support@example.com"},
		"plus and reply_to": {"desk@example.com", "team@example.com", true, "team@example.com", "team@example.com"},
	} {
		b.desk.Sender, b.desk.ReplyTo = mail.Address{Name: "Support", Address: c.sender}, mail.Address{Address: c.replyTo}
		plus := map[bool]string{true: "1"}[c.plus]
		if err := b.taker.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetMeta("plus:"+itoa(b.desk.ID), plus) }); err != nil {
			t.Fatal(err)
		}
		for event, line := range lines {
			if ToAdmin(event) {
				continue
			}
			want := c.agent
			if line.To.Address == "taro@customer.test" {
				want = c.customer
				if event == EventHeld && c.plus && c.replyTo == "" {
					want = c.agent // it belongs to no request
				}
			}
			o, raw, m := b.render(line)
			got := ""
			if len(m.ReplyTo) > 0 {
				got = m.ReplyTo[0].Address
			}
			if got != want || o.From.Address != c.sender || o.EnvelopeFrom != "support@example.com" {
				t.Errorf("%s, %s: answers go to %q, want %q; from %s, envelope %s\n%s", name, event, got, want, o.From.Address, o.EnvelopeFrom, raw)
			}
		}
	}
}

// A customer's mail is in their own language where the desk wants that; an
// agent's is in the desk's.
func TestLanguageOfMail(t *testing.T) {
	for _, c := range []struct {
		desk, customers, mail string
		customer, agent       bool // Japanese
	}{
		{"en", "desk", "ja", false, false},
		{"en", "mail", "ja", true, false},
		{"ja", "mail", "en", false, true},
		{"ja", "mail", "", true, true},
		{"ja", "desk", "en", true, true},
	} {
		b := newBench(t, "")
		lines := b.conversation()
		b.desk.Language, b.desk.CustomerLanguage = c.desk, c.customers
		request, err := b.taker.Store.RequestByID(t.Context(), lines[EventNew].RequestID)
		if err != nil {
			t.Fatal(err)
		}
		request.Language = c.mail
		if err := b.taker.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.UpdateRequest(&request) }); err != nil {
			t.Fatal(err)
		}
		for event, line := range lines {
			want := c.agent
			if line.To.Address == "taro@customer.test" {
				want = c.customer
			}
			if ToAdmin(event) {
				continue
			}
			if event == EventHeld {
				line.Args["language"] = c.mail
			}
			o, _, _ := b.render(line)
			if ja := strings.ContainsAny(o.Text, "すた"); ja != want {
				t.Errorf("%+v: %s:\n%s", c, event, o.Text)
			}
		}
	}
}

// A digest of a request that is gone since brings the others; one whose
// beginning is long shows the first lines.
func TestDigestMail(t *testing.T) {
	b := newBench(t, "")
	lines := b.conversation()
	digest := lines[EventDigest]
	digest.Args["lines"] = "999 " + itoa(lines[EventNew].ID) + strings.Repeat(" "+itoa(lines[EventNew].ID), beginnings)
	_, _, m := b.render(digest)
	if n := strings.Count(m.Text, "[SUP-1] Printer\n"); n != beginnings+1 {
		t.Errorf("%d notices", n)
	}
	if n := strings.Count(m.Text, "> It is broken.\n> Second line.\n"); n != beginnings-1 {
		t.Errorf("%d beginnings", n)
	}
	if !strings.Contains(m.Text, "<robot@customer.test>: 12 mails") {
		t.Errorf("nothing is said of held mail:\n%s", m.Text[len(m.Text)-600:])
	}
	if got := beginning("\n a \n\n" + strings.Repeat("x", 200) + "\nc\nd"); got != "> a\n> "+strings.Repeat("x", 99)+"…\n> c" {
		t.Errorf("%q", got)
	}
	// Its Message-ID belongs to the agent and to no request.
	token, agent, ok := b.taker.Signer.Read(digest.MessageID, b.desk.Agents)
	if !ok || !token.Agent || token.RequestID != 0 || agent.Address != "ben@example.com" || slices.Contains(digest.References, digest.MessageID) {
		t.Errorf("%+v %v %v", token, agent, ok)
	}
}

// Times are those of the office's clock.
func TestClock(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.Local).UTC()
	if en, ja := clock(at, "en"), clock(at, "ja"); en != "21 Nov 2026, 09:30" || ja != "2026年11月21日 09:30" {
		t.Errorf("%q %q", en, ja)
	}
}

// Mail about a conversation is written also when the raw mails, and the
// ledger's lines, are gone by the office's own rule.
func TestRenderWithoutRaw(t *testing.T) {
	for name, expire := range map[string]func(*store.Tx, time.Time) (int, error){
		"raw":    func(tx *store.Tx, before time.Time) (int, error) { return tx.ExpireRaw(t.Context(), before, 100) },
		"ledger": func(tx *store.Tx, before time.Time) (int, error) { return tx.ExpireLedger(t.Context(), before, 100) },
	} {
		b := newBench(t, "")
		lines := b.conversation()
		b.take("From: taro@customer.test\nMessage-ID: <7@c>\nSubject: File\nContent-Type: multipart/mixed; boundary=b\n\n" +
			"--b\n\nSee the file.\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n\nPDF\n--b--\n")
		file := b.lines()[len(b.lines())-1]
		if o, _, _ := b.render(file); len(o.Files) != 1 || file.Event != EventNew {
			t.Fatalf("%s has the files %v", file.Event, o.Files)
		}
		lines["file"] = file
		err := b.taker.Store.Write(t.Context(), func(tx *store.Tx) error {
			for _, l := range b.lines() { // what waits keeps its mail
				if l.State = store.OutboxSent; tx.SaveOutbox(l) != nil {
					t.Fatal("noting that a mail was sent")
				}
			}
			n, err := expire(tx, b.now.Add(time.Hour))
			if n == 0 {
				t.Errorf("%s: nothing expired", name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if _, raw, m := b.render(line); header(raw, "Thread-Index") != "" || m.Subject == "" {
				t.Errorf("%s: %s:\n%s", name, line.Event, raw)
			}
		}
	}
}
