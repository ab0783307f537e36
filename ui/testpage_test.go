package ui

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// bench is an office whose tests do what the test of the page wants.
type bench struct {
	*office
	run    func(context.Context, TestOrder, func(TestEvent)) error
	served *httptest.Server
	cookie *http.Cookie
}

func newBench(t *testing.T, lang string) *bench {
	t.Helper()
	b := &bench{office: newOffice(t, lang)}
	b.server.Tests = &Tests{
		Targets: func() []Target {
			return []Target{
				{Part: "mailbox:SUP", Desks: []string{"Support"}, Address: "support@example.com", Protocol: "imap", Server: "imap.example.com:993", Username: "support@example.com", Trips: true, State: PartStatus{State: "stopped", Title: "Wrong password"}},
				{Part: "mailbox:SAL", Desks: []string{"Sales"}, Protocol: "imap", Server: "imap.example.com:993", Off: true},
				{Part: "relay", Desks: []string{"Support", "Sales"}, Address: "support@example.com", Protocol: "smtp", Server: "smtp.example.com:587"},
			}
		},
		Run: func(ctx context.Context, o TestOrder, tell func(TestEvent)) error { return b.run(ctx, o, tell) },
	}
	b.page = b.server.Handler()
	b.served = httptest.NewServer(b.page)
	t.Cleanup(b.served.Close)
	b.cookie = b.signIn()
	return b
}

// post starts a test as a browser does, and returns when its page begins.
func (b *bench) post(ctx context.Context, form url.Values) *http.Response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.served.URL+"/test", strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.AddCookie(b.cookie)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

// Each stage is on its way to the browser while the next one has no answer yet.
func TestStagesAreStreamed(t *testing.T) {
	b := newBench(t, "en")
	answered := make(chan struct{})
	b.run = func(ctx context.Context, o TestOrder, tell func(TestEvent)) error {
		if o != (TestOrder{Part: "mailbox:SUP"}) {
			t.Errorf("ordered %+v", o)
		}
		tell(TestEvent{Section: &TestSection{Kind: SectionMailbox, Desk: "Support", Server: "imap.example.com:993"}})
		tell(TestEvent{Begin: "resolve"})
		tell(TestEvent{Stage: &TestStage{Step: "resolve", Took: 12 * time.Millisecond, Facts: []TestFact{{"addresses", "192.0.2.7"}}}})
		tell(TestEvent{Begin: "login"})
		select {
		case <-answered:
		case <-ctx.Done():
			t.Error("nobody read the first stages while the second was under way")
		}
		tell(TestEvent{Stage: &TestStage{Step: "login", Failed: true, Said: "NO <b>wrong</b> password"}})
		tell(TestEvent{Trouble: &PartStatus{State: "failing", Title: "Wrong password", Remedy: []string{"Write the right one."}}})
		return errors.New("told already")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	w := b.post(ctx, url.Values{"part": {"mailbox:SUP"}, "kind": {"reach"}})
	defer w.Body.Close()
	read := bufio.NewReader(w.Body)
	page := ""
	for !strings.Contains(page, `<span class="busy">under way</span>`) || !strings.Contains(page, "Sign in<") {
		piece := make([]byte, 512)
		n, err := read.Read(piece)
		if page += string(piece[:n]); err != nil {
			t.Fatalf("the page ended with %v:\n%s", err, page)
		}
	}
	for _, want := range []string{"<!DOCTYPE html>", "Mailbox of Support at imap.example.com:993", "Look up the server", "0.01 s", "192.0.2.7"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing before the answer:\n%s", want, page)
		}
	}
	if strings.Contains(page, "Wrong password") {
		t.Error("the end was told before it came")
	}
	close(answered)
	rest, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	page += string(rest)
	for _, want := range []string{"NO &lt;b&gt;wrong&lt;/b&gt; password", "Write the right one.", "Test again", "</html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing at the end:\n%s", want, page)
		}
	}
	for _, element := range []string{"section", "ol", "li", "div", "dl", "details", "main", "form"} {
		if open, closed := strings.Count(page, "<"+element+">")+strings.Count(page, "<"+element+" "), strings.Count(page, "</"+element+">"); open != closed {
			t.Errorf("<%s> is opened %d times and closed %d times", element, open, closed)
		}
	}
	if w.StatusCode != http.StatusOK || !strings.Contains(w.Header.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(page, "<script") {
		t.Errorf("%d %v", w.StatusCode, w.Header)
	}
}

// A test ends when nobody looks any more.
func TestTestEndsWithItsReader(t *testing.T) {
	b := newBench(t, "en")
	ended := make(chan error, 1)
	b.run = func(ctx context.Context, _ TestOrder, tell func(TestEvent)) error {
		tell(TestEvent{Begin: "dial"})
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return ctx.Err()
	}
	ctx, leave := context.WithCancel(t.Context())
	w := b.post(ctx, url.Values{"part": {"mailbox:SUP"}})
	defer w.Body.Close()
	leave()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the test goes on without its reader")
	}
}

func TestTestOrders(t *testing.T) {
	b := newBench(t, "en")
	var order TestOrder
	b.run = func(_ context.Context, o TestOrder, _ func(TestEvent)) error { order = o; return nil }
	for _, c := range []struct {
		form string
		code int
		want TestOrder
	}{
		{"part=mailbox:SUP&kind=reach", 200, TestOrder{Part: "mailbox:SUP"}},
		{"part=mailbox:SUP&kind=round-trip", 200, TestOrder{Part: "mailbox:SUP", RoundTrip: true}},
		{"part=relay&kind=message&to=+aki%40example.com+", 200, TestOrder{Part: "relay", To: "aki@example.com"}},
		{"part=relay&kind=reach&to=aki%40example.com", 200, TestOrder{Part: "relay"}},
		{"part=relay:SUP&kind=reach", 200, TestOrder{Part: "relay"}}, // a desk's button on the first page
		{"part=mailbox:SAL&kind=reach", 404, TestOrder{}},            // off
		{"part=mailbox:XYZ&kind=reach", 404, TestOrder{}},
		{"part=relay&kind=round-trip", 404, TestOrder{}},
		{"part=mailbox:SUP&kind=message&to=aki%40example.com", 404, TestOrder{}},
		{"", 404, TestOrder{}},
		{"part=relay&kind=message&to=", 422, TestOrder{}},
		{"part=relay&kind=message&to=nobody", 422, TestOrder{}},
		{"part=relay&kind=message&to=a%40b,c%40d", 422, TestOrder{}},
		{"part=relay&kind=message&to=a%40b%0d%0aRCPT+TO:<c%40d>", 422, TestOrder{}},
	} {
		order = TestOrder{}
		w := b.do(http.MethodPost, "/test", c.form, b.cookie)
		if w.Code != c.code || order != c.want {
			t.Errorf("%s: %d, ordered %+v", c.form, w.Code, order)
		}
	}
	if w := b.do(http.MethodPost, "/test", "part=relay", nil); w.Code != http.StatusUnauthorized {
		t.Errorf("without signing in: %d", w.Code)
	}
	if w := b.do(http.MethodGet, "/test", "", nil); w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "imap.example.com") {
		t.Errorf("the list without signing in: %d", w.Code)
	}
}

// Whatever a test ends with, the page says so and ends as a page.
func TestTestsThatEndOddly(t *testing.T) {
	b := newBench(t, "ja")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"another one is under way": {ErrTestBusy, "すでにテスト中です"},
		"our own fault":            {errors.New("disk on fire"), "ログを確認"},
		"nothing":                  {nil, "もう一度テストする"},
	} {
		b.run = func(_ context.Context, _ TestOrder, tell func(TestEvent)) error {
			tell(TestEvent{Section: &TestSection{Kind: SectionRelay}})
			tell(TestEvent{Begin: "dial"}) // and never ended
			return c.err
		}
		page := b.do(http.MethodPost, "/test", "part=relay", b.cookie).Body.String()
		if !strings.Contains(page, c.want) || !strings.Contains(page, "</html>") || strings.Contains(page, "disk on fire") || strings.Count(page, "<li>") != strings.Count(page, "</li>") {
			t.Errorf("%s:\n%s", name, page)
		}
	}
}

func TestTestPageLists(t *testing.T) {
	b := newBench(t, "en")
	page := b.do(http.MethodGet, "/test", "", b.cookie).Body.String()
	for _, want := range []string{"Mailbox <span", "Sending <span", "Support, Sales", "imap.example.com:993 · support@example.com", "Wrong password", "Switched off", `name="to"`, "Round trip"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing:\n%s", want, page)
		}
	}
	if strings.Count(page, `value="round-trip"`) != 1 {
		t.Error("the round trip is offered for a mailbox that is on, and nowhere else")
	}
	// The first page leads to the test of what fails, for who has signed in.
	b.status.Desks = []DeskStatus{{Key: "SUP", Name: "Support", Mailbox: PartStatus{State: "stopped", Title: "Wrong password"}, Relay: PartStatus{State: "ok"}}}
	if first := b.do(http.MethodGet, "/", "", b.cookie).Body.String(); strings.Count(first, "Test again") != 1 || !strings.Contains(first, `value="mailbox:SUP"`) {
		t.Errorf("the first page has no button:\n%s", first)
	}
	if first := b.getOutside("/").Body.String(); strings.Contains(first, "Test again") || strings.Contains(first, `href="/test"`) {
		t.Error("the first page offers a test to who has not signed in")
	}
}
