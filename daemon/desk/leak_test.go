package desk

import (
	"slices"
	"strings"
	"testing"

	"helpdesk/store"
)

const passesDMARC = "Authentication-Results: mx.example.com; dmarc=pass header.from=example.com\n"

// written is the newest mail of an event to an address, as it goes out.
func (b *bench) written(event, to string) string {
	b.t.Helper()
	r := &Renderer{Store: b.taker.Store, Signer: b.taker.Signer}
	o, err := r.Render(b.t.Context(), b.desk, b.line(event, to), 0)
	if err != nil {
		b.t.Fatal(err)
	}
	return o.Text
}

// What an agent writes above a customer's mail that they pass on to the desk is
// for colleagues: the answer to the customer quotes what the customer wrote.
func TestForwardersWordsStayInside(t *testing.T) {
	const header = "From: Jiro <jiro@other.test>\nDate: Fri, 20 Nov 2026 10:00:00 +0900\nSubject: Order\nTo: <aki@example.com>\n\nWhere is it?"
	for name, body := range map[string]string{
		"Gmail":               "Who takes this fool?\n\n---------- Forwarded message ---------\n" + header,
		"Apple":               "Who takes this fool?\n\n> Begin forwarded message:\n> \n> " + strings.ReplaceAll(header, "\n", "\n> "),
		"Outlook":             "Who takes this fool?\n\n________________________________\n" + header,
		"nothing added":       "---------- Forwarded message ---------\n" + header,
		"Japanese":            "この fool をお願いします。\n\n---------- 転送メッセージ ----------\n" + header,
		"a signature between": "Who takes this fool?\n\n-- \nAki, who calls nobody a fool\n\n---------- Forwarded message ---------\n" + header,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "")
			e := b.take(passesDMARC + "From: Aki <aki@example.com>\nTo: support@example.com\nSubject: Fwd: Order\nMessage-ID: <f@a>\n\n" + body + "\n")[0]
			if e.Outcome != Request || b.request("SUP-1").Requester.Address != "jiro@other.test" {
				t.Fatalf("the forward became %+v", e)
			}
			if notice := b.written(EventNew, "ben@example.com"); strings.Contains(body, "fool") && !strings.Contains(notice, "fool") {
				t.Errorf("colleagues do not read what Aki wrote:\n%s", notice)
			}
			b.answers("ben@example.com", b.line(EventNew, "ben@example.com"), "Tomorrow.")
			if text := b.written(EventAnswered, "jiro@other.test"); strings.Contains(text, "fool") || !strings.Contains(text, "> Where is it?") || strings.Contains(text, "aki@example.com") {
				t.Errorf("the customer reads\n%s", text)
			}
		})
	}
}

// So it is where the customer's mail is attached: then there is nothing to quote.
func TestForwardedAsAttachment(t *testing.T) {
	b := newBench(t, "")
	b.take(passesDMARC + "From: Aki <aki@example.com>\nTo: support@example.com\nSubject: Fwd: Order\nMessage-ID: <f@a>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
		"--b\nContent-Type: text/plain\n\nWho takes this fool?\n--b\nContent-Type: message/rfc822\n\nFrom: Jiro <jiro@other.test>\nTo: aki@example.com\nSubject: Order\n\nWhere is it?\n--b--\n")
	b.answers("ben@example.com", b.line(EventNew, "ben@example.com"), "Tomorrow.")
	if text := b.written(EventAnswered, "jiro@other.test"); strings.Contains(text, "fool") || strings.Contains(text, ">") {
		t.Errorf("the customer reads\n%s", text)
	}
}

// Who passes our notice on to a colleague, with a copy for us, does not write to
// the customer; nor does the colleague, who answers all.
func TestNoticePassedOn(t *testing.T) {
	b, notice := asked(t)
	forward := func(to string) []string {
		b.n++
		return b.since(func() {
			b.take("From: Aki <aki@example.com>\n" + to + "\nSubject: Fwd: [SUP-1] Printer\nMessage-ID: <f" + itoa(b.n) + "@a>\nReferences: <" + notice.MessageID + ">\n\n" +
				"Boss, what a fool.\n\n-------- Forwarded Message --------\nSubject: [SUP-1] Printer\nDate: Sat, 21 Nov 2026 12:00:00 +0900\nFrom: Taro (Support) <support@example.com>\nTo: aki@example.com\n\nIt is broken.\n")
		})
	}
	if got := forward("To: boss@else.test\nCc: support@example.com"); !slices.Equal(got, []string{"not-sent aki@example.com"}) {
		t.Errorf("queued %v", got)
	}
	if text := b.written(EventNotSent, "aki@example.com"); !strings.Contains(text, "You wrote to somebody about SUP-1") {
		t.Errorf("Aki reads\n%s", text)
	}
	discuss := b.since(func() {
		b.take(passesDMARC + "From: Ben <ben@example.com>\nTo: aki@example.com\nCc: support@example.com\nSubject: Re: Fwd: [SUP-1] Printer\nMessage-ID: <re@a>\nReferences: <" + notice.MessageID + ">\n\nI think so too.\n")
	})
	if !slices.Equal(discuss, []string{"not-sent ben@example.com"}) {
		t.Errorf("what Ben answers queued %v", discuss)
	}
	if got := forward("To: support@example.com"); !slices.Contains(got, "answered taro@customer.test") {
		t.Errorf("written to us it queued %v", got)
	}
}

// An answer that quotes a mail which the customer had passed on is an answer,
// and no forward of that mail: its author hears nothing.
func TestAnswerThatQuotesAForward(t *testing.T) {
	const passed = "Please see below.\n\n---------- Forwarded message ---------\nFrom: Jiro <jiro@other.test>\nDate: Fri, 20 Nov 2026 10:00:00 +0900\nSubject: Invoice\nTo: <taro@customer.test>\n\nPay now."
	for _, subject := range []string{"Re: [SUP-1] Printer", "RE: [SUP-1] Printer", "AW: [SUP-1] Printer", "Re[2]: [SUP-1] Printer", "返信: [SUP-1] Printer"} {
		b := newBench(t, "")
		b.take(posted("Taro <taro@customer.test>", "1@c", "", passed))
		e := b.take(passesDMARC + "From: Aki <aki@example.com>\nTo: support@example.com\nSubject: " + subject + "\nMessage-ID: <a@a>\n\nDo not pay.\n\n> " + strings.ReplaceAll(passed, "\n", "\n> ") + "\n")[0]
		if e.Outcome != Reply || e.Request != "SUP-1" {
			t.Errorf("%s became %s of %s by %s", subject, e.Outcome, e.Request, e.Rule)
		}
		if got := b.outbox(); slices.Contains(got, "received jiro@other.test") {
			t.Errorf("%s queued %v", subject, got)
		}
	}
}

// Where nobody but ourselves is in a conversation, an agent is told that the
// answer went nowhere.
func TestAnswerToOurselves(t *testing.T) {
	b := newBench(t, "")
	b.take(posted("Support <support@example.com>", "1@c", "", "Hello"))
	if e := b.answers("aki@example.com", b.line(EventNew, "aki@example.com"), "Who are you?"); e.Outcome != Note || e.ReasonArgs["not_sent"] != NotSentNobody {
		t.Errorf("the answer became %+v", e)
	}
}

// A delivery report of a mail that is still to be sent is a false one: who is in
// copy knows its Message-ID.
func TestBounceBeforeItWasSent(t *testing.T) {
	b, notice := asked(t)
	b.answers("aki@example.com", notice, "Switch it on.")
	line := b.line(EventAnswered, "taro@customer.test")
	b.take(returned(line.MessageID, line.To.Address))
	if got := b.line(EventAnswered, "taro@customer.test"); got.State != store.OutboxWaiting {
		t.Errorf("the answer is %s", got.State)
	}
	if suspended, err := b.taker.Store.SuspendedAt(t.Context(), "taro@customer.test"); err != nil || suspended {
		t.Errorf("suspended: %v, %v", suspended, err)
	}
}

// What an agent meant for a note is never sent: not either where the sign
// stands above a signature that nothing marks as one.
func TestNoteAboveASignature(t *testing.T) {
	b, notice := asked(t)
	queued := b.since(func() { b.answers("aki@example.com", notice, "He is a fool.\n#note\n\nAki\nSupport team") })
	if !slices.Equal(queued, []string{"commands aki@example.com"}) {
		t.Errorf("queued %v", queued)
	}
	if text := b.written(EventCommands, "aki@example.com"); !strings.Contains(text, "#note stands within your text") {
		t.Errorf("Aki reads\n%s", text)
	}
}

// An agent learns, with the next digest, that an answer waits because nothing is
// sent to the customer's address.
func TestAnswerToASuspendedAddress(t *testing.T) {
	b, notice := asked(t)
	b.answers("aki@example.com", notice, "Switch it on.")
	b.bounce(b.line(EventAnswered, "taro@customer.test"))
	b.answers("aki@example.com", notice, "And?")
	if got := b.tally(); got["bounced aki@example.com digest"] != 2 {
		t.Errorf("queued %v", got)
	}
	if line := b.line(EventBounced, "aki@example.com"); line.Args["address"] != "taro@customer.test" {
		t.Errorf("the line says %v", line.Args)
	}
}

// Reports of a mail that are told already make no more notes and lines.
func TestBounceAgainAndAgain(t *testing.T) {
	b, notice := asked(t)
	b.answers("aki@example.com", notice, "Switch it on.")
	line := b.line(EventAnswered, "taro@customer.test")
	b.bounce(line)
	n := len(b.messages("SUP-1"))
	for i := range 20 {
		b.take(strings.Replace(returned(line.MessageID, line.To.Address), "<b@mx.test>", "<again"+itoa(int64(i))+"@mx.test>", 1))
	}
	if got := b.tally(); got["bounced aki@example.com digest"] != 1 || len(b.messages("SUP-1")) != n {
		t.Errorf("20 reports more queued %v and left %d notes", got, len(b.messages("SUP-1"))-n)
	}
}

// An agent whose address failed once is reached again, when they answer what we sent there.
func TestSuspendedAgentAnswers(t *testing.T) {
	b, notice := asked(t)
	b.bounce(notice)
	at := func() bool {
		suspended, err := b.taker.Store.SuspendedAt(t.Context(), "aki@example.com")
		if err != nil {
			t.Fatal(err)
		}
		return suspended
	}
	if !at() {
		t.Fatal("the report suspends nobody")
	}
	b.take(posted("aki@example.com", "x@a", "", "Hello"))
	if !at() {
		t.Error("a mail without our token lifts the suspension")
	}
	b.answers("aki@example.com", notice, "#note I am here")
	if at() {
		t.Error("still suspended")
	}
}

// What an agent writes beside #reopen of spam is for nobody, also where the
// spam is what the request becomes part of: it is not said to be an answer.
func TestMergeIntoSpamAndReopen(t *testing.T) {
	b, first := asked(t)
	b.take(posted("jiro@customer.test", "2@c", "", "Mine too."))
	b.answers("aki@example.com", first, "#spam")
	var second store.OutboxLine
	for _, l := range b.lines() {
		if l.Event == EventNew && l.Request == "SUP-2" && l.To.Address == "aki@example.com" {
			second = l
		}
	}
	entry := b.answers("aki@example.com", second, "It was none.\n#merge SUP-1\n#reopen")
	if r := b.request("SUP-1"); entry.Outcome != Note || r.Spam || r.State != store.StateOpen {
		t.Errorf("it became %s by %s (%v); SUP-1 is %s, spam %v", entry.Outcome, entry.Rule, entry.ReasonArgs, r.State, r.Spam)
	}
}

// A request that another one becomes part of keeps its fields, but for those
// that are set beside it.
func TestMergeKeepsTheFields(t *testing.T) {
	b, notice := asked(t)
	b.take(posted("Hanako <hanako@customer.test>", "2@c", "", "The printer!"))
	b.answers("aki@example.com", b.line(EventNew, "aki@example.com"), "#floor First")
	b.answers("aki@example.com", notice, "#priority high\n#merge SUP-2")
	if got := b.request("SUP-2").Fields; got["Floor"] != "First" || got["priority"] != "high" {
		t.Errorf("SUP-2 has %v", got)
	}
}

// Where answers come back to is ours, whoever is said to be in copy.
func TestReplyToIsOurs(t *testing.T) {
	b := newBench(t, "")
	b.desk.ReplyTo.Address = "answers@example.com"
	b.take(posted("taro@customer.test", "1@c", "Cc: answers@example.com", "Hello"))
	b.answers("aki@example.com", b.line(EventNew, "aki@example.com"), "Hello")
	if got := b.outbox(); slices.Contains(got, "answered answers@example.com") {
		t.Errorf("queued %v", got)
	}
}
