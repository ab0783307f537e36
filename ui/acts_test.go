package ui

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// withActs gives the page buttons and returns what they were asked for.
func (o *office) withActs() *[]Act {
	var asked []Act
	o.server.Act = func(_ context.Context, a Act) (ActAnswer, error) {
		asked = append(asked, a)
		return ActAnswer{Done: []ActResult{{Slug: "taken", Args: map[string]string{"n": "2"}}}}, nil
	}
	o.page = o.server.Handler()
	return &asked
}

// held adds a mail of somebody who is no customer.
func (o *office) held(from, subject string) store.Entry {
	_, e := o.take(taken{desk: "SUP", ago: time.Minute, outcome: "held", rule: "unknown-sender", passed: passedByRequest,
		raw: text(from, "support@example.com", subject, subject+"@x.example", "Hello")})
	return e
}

func TestTakeOnThePage(t *testing.T) {
	o := week(t, "en")
	asked := o.withActs()
	one, two := o.held("Ann <ann@stranger.example>", "first"), o.held("Bob <bob@stranger.example>", "second")
	body := o.get("/ledger?outcome=held").Body.String()
	for _, e := range []store.Entry{one, two} {
		if !strings.Contains(body, fmt.Sprintf(`name="id" value="%d"`, e.ID)) {
			t.Errorf("line %d cannot be chosen:\n%s", e.ID, body)
		}
	}
	if !strings.Contains(body, `name="back" value="/ledger?outcome=held"`) {
		t.Error("the form does not lead back")
	}
	if strings.Contains(o.get("/ledger?outcome=request").Body.String(), `type="checkbox"`) {
		t.Error("requests can be taken again")
	}

	w := o.do(http.MethodPost, "/acts", url.Values{"act": {"take"}, "id": {fmt.Sprint(one.ID), fmt.Sprint(two.ID)}, "quiet": {"1"}, "back": {"/ledger?outcome=held"}}.Encode(), o.signIn())
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `href="/ledger?outcome=held"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if len(*asked) != 1 || (*asked)[0].Name != ActTake || !slices.Equal((*asked)[0].IDs, []int64{one.ID, two.ID}) || !(*asked)[0].Quiet {
		t.Errorf("asked for %+v", *asked)
	}
}

func TestEntryOffersWhatFits(t *testing.T) {
	o := week(t, "en")
	o.withActs()
	held := o.held("Ann <ann@stranger.example>", "first")
	_, spam := o.take(taken{desk: "SUP", outcome: "blocked", rule: "blocked", args: map[string]string{"spam": "SUP-1"}, raw: text("x@spam.example", "support@example.com", "Buy", "s@x", "x")})
	_, listed := o.take(taken{desk: "SUP", outcome: "blocked", rule: "blocked", args: map[string]string{"entry": "spam.example"}, raw: text("y@spam.example", "support@example.com", "Buy", "s2@x", "x")})
	_, request := o.take(taken{desk: "SUP", outcome: "request", rule: "request", kind: "customer", raw: text("z@x.example", "support@example.com", "Hi", "z@x", "x")})
	for _, c := range []struct {
		entry store.Entry
		acts  string
	}{{held, "take customer-add"}, {spam, "take unblock"}, {listed, "take"}, {request, ""}} {
		body := o.get(fmt.Sprintf("/ledger/%d", c.entry.ID)).Body.String()
		var found []string
		for _, act := range pageActs() {
			if strings.Contains(body, `name="act" value="`+act+`"`) {
				found = append(found, act)
			}
		}
		if strings.Join(found, " ") != c.acts {
			t.Errorf("line %d (%s) offers %q, want %q", c.entry.ID, c.entry.Outcome, found, c.acts)
		}
	}
}

// What changes something needs a person who has signed in, on this page, and
// one of the page's own acts.
func TestActsAreGuarded(t *testing.T) {
	o := week(t, "en")
	asked := o.withActs()
	cookie := o.signIn()
	good := url.Values{"act": {"take"}, "id": {"1"}}
	if w := o.do(http.MethodPost, "/acts", good.Encode(), nil); w.Code == http.StatusOK {
		t.Errorf("without signing in: %d", w.Code)
	}
	if w := o.do(http.MethodGet, "/acts?"+good.Encode(), "", cookie); w.Code == http.StatusOK {
		t.Errorf("by GET: %d", w.Code)
	}
	for _, form := range []url.Values{
		{"act": {"customer-forget"}, "address": {"a@b.example"}}, {"act": {"reply"}, "key": {"SUP-1"}, "text": {"x"}}, {"act": {"outbox-drop"}, "id": {"1"}},
		{"act": {""}}, {"act": {"take"}, "id": {"x"}}, {"act": {"take"}, "id": {"-1"}},
	} {
		if w := o.do(http.MethodPost, "/acts", form.Encode(), cookie); w.Code != http.StatusBadRequest {
			t.Errorf("%v: %d", form, w.Code)
		}
	}
	if w := o.do(http.MethodPost, "/acts", url.Values{"act": {"take"}}.Encode(), cookie); !strings.Contains(w.Body.String(), o.server.words.Text("act.take-none")) {
		t.Errorf("nothing chosen: %s", w.Body)
	}
	if len(*asked) != 0 {
		t.Errorf("it was done all the same: %+v", *asked)
	}
	if w := o.do(http.MethodPost, "/acts", good.Encode(), cookie); w.Code != http.StatusOK || len(*asked) != 1 {
		t.Errorf("the honest one: %d", w.Code)
	}
}

func TestBackStaysOnThisPage(t *testing.T) {
	for path, want := range map[string]string{
		"/ledger?outcome=held": "/ledger?outcome=held", "/": "/", "": "/", "//evil.example/x": "/", "https://evil.example": "/",
		`/\evil.example`: "/", "javascript:alert(1)": "/", "ledger": "/", "/requests/SUP-1": "/requests/SUP-1",
	} {
		if got := back(path); got != want {
			t.Errorf("%q leads to %q, want %q", path, got, want)
		}
	}
}

func TestObservedPage(t *testing.T) {
	for _, lang := range []string{"en", "ja"} {
		o := week(t, lang)
		shadow := week(t, lang)
		o.server.Observed = func(key string) *store.Store {
			if key == "SUP" {
				return shadow.store
			}
			return nil
		}
		o.withActs()
		request, e := shadow.take(taken{desk: "SUP", outcome: "request", rule: "request", kind: "customer", raw: text("Eve <eve@x.example>", "support@example.com", "Only looked at", "e@x", "x")})
		shadow.write(func(tx *store.Tx) error {
			messages, err := tx.Messages(t.Context(), request)
			if err != nil {
				return err
			}
			return tx.Queue(&store.OutboxLine{DeskID: e.DeskID, RequestID: request, MessageRow: messages[0].ID, Event: "received", State: store.OutboxWaiting,
				To: mail.Address{Address: "eve@x.example"}, MessageID: "r@x", CreatedAt: o.now, NextAt: o.now})
		})
		body := o.get("/observed/SUP").Body.String()
		checkPage(t, "/observed/SUP", lang, body)
		for _, want := range []string{"Only looked at", o.server.words.Event("received"), "eve@x.example", o.server.words.Text("observed.no-mail")} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: %q is missing", lang, want)
			}
		}
		if w := o.get("/observed/SAL"); w.Code != http.StatusNotFound {
			t.Errorf("a desk that does not observe: %d", w.Code)
		}
		if w := o.getOutside("/observed/SUP"); strings.Contains(w.Body.String(), "eve@") {
			t.Error("shown without signing in")
		}
	}
}

func TestStatusAsksAboutObservedMail(t *testing.T) {
	o := week(t, "en")
	o.withActs()
	o.status.Desks[0].Observed = &Observed{Mails: 7, Asked: true}
	o.status.Desks[1].Import = &Progress{Done: 1200, Total: 5000}
	o.status.Ledger.Held, o.status.Ledger.ReconciledAt = 3, o.now.Add(-2*time.Hour)
	compared := "Compared with the mailbox " + o.server.words.When(o.status.Ledger.ReconciledAt, o.now) + ": 0 unaccounted."
	body := o.get("/").Body.String()
	for _, want := range []string{`name="choice" value="leave"`, `name="choice" value="import"`, `name="choice" value="take"`, "7 mails", `<progress value="1200" max="5000">`, "1,200 of 5,000", "3 mails are held", compared} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(o.getOutside("/").Body.String(), `name="choice"`) {
		t.Error("a stranger may choose")
	}
}

func TestSuspendedAddresses(t *testing.T) {
	o := week(t, "en")
	o.withActs()
	o.write(func(tx *store.Tx) error { return tx.Suspend("gone@kunde.example", 3, "5.1.1") })
	body := o.get("/").Body.String()
	if !strings.Contains(body, "gone@kunde.example") || !strings.Contains(body, `name="act" value="unsuspend"`) {
		t.Errorf("no way back: %s", body)
	}
	if strings.Contains(o.getOutside("/").Body.String(), "gone@") {
		t.Error("the address is shown to strangers")
	}
}

func TestWhyPage(t *testing.T) {
	for _, lang := range []string{"en", "ja"} {
		o := week(t, lang)
		o.server.WhyDesks = []WhyDesk{{Key: "SUP", Name: "Support", Address: "support@example.com"}}
		o.held("Ann <ann@stranger.example>", "Where is my parcel")
		if body := o.get("/ledger").Body.String(); !strings.Contains(body, `action="/why"`) {
			t.Errorf("%s: the ledger has no field for it", lang)
		}
		body := o.get("/why?address=Ann%40Stranger.example").Body.String()
		for _, want := range []string{"Where is my parcel", o.server.words.Text("why.at.unknown", "desk", "Support", "address", "ann@stranger.example")} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: %q is missing", lang, want)
			}
		}
		checkPage(t, "/why", lang, body)
		if body := o.get("/why?address=nobody").Body.String(); !strings.Contains(body, o.server.words.Text("cli.bad-address", "address", "nobody")) {
			t.Errorf("%s: what is no address is not said to be none", lang)
		}
		if strings.Contains(o.getOutside("/why?address=ann%40stranger.example").Body.String(), "parcel") {
			t.Errorf("%s: shown without signing in", lang)
		}
	}
}
