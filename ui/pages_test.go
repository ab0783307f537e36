package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/html"

	"helpdesk/mail"
	"helpdesk/store"
)

// private are the pages that need signing in.
func private(o *office) []string {
	paths := []string{"/requests", "/requests?state=open", "/requests?q=password", "/ledger", "/ledger?outcome=request"}
	entries, err := o.store.Entries(o.t.Context(), store.EntryFilter{Limit: 100})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, e := range entries {
		paths = append(paths, fmt.Sprintf("/ledger/%d", e.ID))
	}
	requests, err := o.store.Requests(o.t.Context(), store.RequestFilter{})
	if err != nil {
		o.t.Fatal(err)
	}
	if len(entries) < 20 || len(requests) != 4 {
		o.t.Fatalf("the sample has %d entries and %d requests", len(entries), len(requests))
	}
	for _, r := range requests {
		paths = append(paths, "/requests/"+r.Key)
	}
	return paths
}

// Every page can be made in both languages, with nothing left unfilled, and
// nothing that a mail brought becomes part of the page.
func TestPages(t *testing.T) {
	for _, lang := range []string{"en", "ja"} {
		t.Run(lang, func(t *testing.T) {
			o := week(t, lang)
			cookie := o.signIn()
			for _, path := range append(private(o), "/") {
				w := o.do(http.MethodGet, path, "", cookie)
				body := w.Body.String()
				if w.Code != http.StatusOK {
					t.Errorf("%s: %d\n%s", path, w.Code, body)
				}
				checkPage(t, path, lang, body)
			}
			for path, code := range map[string]int{
				"/": 200, "/sign-in": 200, "/sign-in?token=x": 200, "/nowhere": 404, "/requests": 401,
			} {
				w := o.getOutside(path)
				if w.Code != code {
					t.Errorf("%s outside: %d, want %d", path, w.Code, code)
				}
				checkPage(t, path, lang, w.Body.String())
			}
		})
	}
}

func checkPage(t *testing.T, path, lang, body string) {
	t.Helper()
	if !strings.Contains(body, `<html lang="`+lang+`">`) {
		t.Errorf("%s: no language", path)
	}
	for _, bad := range []string{"<no value>", "%!", "ZgotmplZ"} {
		if strings.Contains(body, bad) {
			t.Errorf("%s: holds %s", path, bad)
		}
	}
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.TextNode {
			if found := keyLeft.FindString(n.Data); found != "" {
				t.Errorf("%s: a phrase is missing: %s", path, found)
			}
			continue
		}
		if slices.Contains([]string{"script", "iframe", "object", "embed", "style", "b", "svg", "base"}, n.Data) && n.Type == html.ElementNode {
			t.Errorf("%s: has <%s>", path, n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s: <%s %s>", path, n.Data, a.Key)
			}
			if slices.Contains([]string{"src", "href", "action"}, a.Key) && !strings.HasPrefix(a.Val, "/") && a.Val != "#content" {
				t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
			}
		}
	}
}

// What the hostile mail wrote is there to read, as text.
func TestHostileMailIsShownAsText(t *testing.T) {
	o := week(t, "en")
	requests, err := o.store.Requests(t.Context(), store.RequestFilter{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	body := o.get("/requests/" + requests[1].Key).Body.String()
	for _, want := range []string{
		"&lt;script&gt;alert(&#34;subject&#34;)&lt;/script&gt;{{.Deps}}", "&lt;/div&gt;&lt;/article&gt;&lt;script&gt;alert(&#39;body&#39;)", "&lt;img src=x onerror=alert(1)&gt;",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not shown", want)
		}
	}
}

func TestConversation(t *testing.T) {
	o := week(t, "en")
	body := o.get("/requests/SUP-1").Body.String()
	for _, want := range []string{
		`class="message is-customer"`, `class="message is-agent"`, `class="message is-note"`, "山田 花子", "Note, not sent to the customer",
		"nothing proves that the agent wrote it", "Show quoted text", `<img src="/pictures/`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not shown", want)
		}
	}
	shown, folded, ok := strings.Cut(body[strings.Index(body, "無事にログイン"):], "<details>")
	if !ok || strings.Contains(shown, "&gt; 山田様") || !strings.Contains(folded, "&gt; 山田様") {
		t.Errorf("quoted text is not folded: %s", shown)
	}
	if body := o.get("/requests/sup-1").Body.String(); !strings.Contains(body, "SUP-1") {
		t.Error("a key in small letters must lead to its request")
	}
	if body := o.get("/requests/SUP-2").Body.String(); !strings.Contains(body, `<dt>Mentions</dt><dd><a class="key" href="/requests/SUP-1">`) {
		t.Error("a request that mentions another must lead there")
	}
	if w := o.get("/requests/SUP-99"); w.Code != http.StatusNotFound {
		t.Errorf("an unknown request: %d", w.Code)
	}
}

func TestFold(t *testing.T) {
	for _, tt := range []struct {
		text, reply   string
		shown, folded string
		whole         bool
	}{
		{"a\n", "a", "a", "", false},
		{"a\n\n> b\n", "a\n", "a", "> b", false},
		{"a\n> b\nc", "a\nc", "a\nc", "a\n> b\nc", true},
		{"> b", "", "> b", "", false},
		{"", "", "", "", false},
	} {
		shown, folded, whole := fold(tt.text, tt.reply)
		if shown != tt.shown || folded != tt.folded || whole != tt.whole {
			t.Errorf("%q, %q: got %q, %q, %v", tt.text, tt.reply, shown, folded, whole)
		}
	}
}

func TestRequestsFilterAndSearch(t *testing.T) {
	o := week(t, "en")
	for query, want := range map[string][]string{
		"":                      {"SUP-1", "SUP-2", "SUP-3", "SAL-1"},
		"?state=waiting":        {"SAL-1"},
		"?state=open":           {"SUP-1", "SUP-2", "SUP-3"},
		"?state=resolved":       {},
		"?q=hamburg":            {"SAL-1"},
		"?q=%E7%94%BB%E9%9D%A2": {"SUP-1"}, // 画面
		"?q=nothing+fits":       {},
		"?state=nonsense":       {"SUP-1", "SUP-2", "SUP-3", "SAL-1"},
	} {
		body := o.get("/requests" + query).Body.String()
		for _, key := range []string{"SUP-1", "SUP-2", "SUP-3", "SAL-1"} {
			if got := strings.Contains(body, `href="/requests/`+key+`"`); got != slices.Contains(want, key) {
				t.Errorf("%q: %s listed: %v", query, key, got)
			}
		}
	}
	if w := o.get("/requests?q=sup-2"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/requests/SUP-2" {
		t.Errorf("a key typed in: %d %s", w.Code, w.Header().Get("Location"))
	}
}

func TestLedgerPages(t *testing.T) {
	o := newOffice(t, "en")
	for i := range ledgerPageSize + 5 {
		o.take(taken{desk: "SUP", outcome: "ignored", rule: "automatic", rawMissing: true,
			raw: text("n@example.net", "support@example.com", fmt.Sprintf("Number %d.", i), fmt.Sprintf("%d@example.net", i), "x")})
	}
	first := o.get("/ledger?outcome=ignored").Body.String()
	if strings.Count(first, "Number ") != ledgerPageSize || strings.Contains(first, "Number 4.") || strings.Contains(first, "Newest") {
		t.Error("the first page has not just the newest lines")
	}
	i := strings.Index(first, `href="/ledger?before=`)
	if i < 0 {
		t.Fatal("no way to older lines")
	}
	path, _, _ := strings.Cut(first[i+len(`href="`):], `"`)
	second := o.get(strings.ReplaceAll(path, "&amp;", "&")).Body.String()
	if strings.Count(second, "Number ") != 5 || !strings.Contains(second, "Number 0.") || strings.Contains(second, "before=") || !strings.Contains(second, `href="/ledger?outcome=ignored"`) {
		t.Errorf("the second page is not the rest:\n%s", second)
	}
	if body := o.get("/ledger?outcome=held").Body.String(); strings.Contains(body, "Number ") {
		t.Error("the filter does not filter")
	}
}

func TestEntryExplains(t *testing.T) {
	o := week(t, "en")
	var id int64
	for entry, raw := range o.raws {
		if strings.Contains(raw, "mailer-daemon") {
			id = entry
		}
	}
	body := o.get(fmt.Sprintf("/ledger/%d", id)).Body.String()
	for _, want := range []string{"A mail server reports", "Recipient: buchhaltung@kunde.example", "Status: 5.1.1", "/requests/SAL-1", "INBOX", "b1@mx.kunde.example"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	if strings.Contains(body, "outbox") {
		t.Error("an argument without words is shown")
	}
}

// Before signing in nothing that belongs to a customer is shown, wherever one looks.
func TestNothingPrivateOutside(t *testing.T) {
	for _, lang := range []string{"en", "ja"} {
		o := week(t, lang)
		o.status.Desks[0].Mailbox = o.part("failing", time.Hour, &mail.Error{Protocol: "imap", Server: "mail.example.com:993", Step: "login", Code: "AUTHENTICATIONFAILED", Text: "no mailbox for hanako.yamada@example.jp"})
		o.status.Warnings = []string{"20 mails from evil@example.net wait."}
		paths := append(private(o), "/", "/api/v1/status", "/healthz", "/sign-in", "/raw/13", "/files/1/1", "/pictures/1/1")
		secrets := []string{"hanako", "山田", "管理画面", "joerg", "Müller", "kunde.example", "Invoice", "SUP-1", "SAL-1", "evil@", "alert(", "priya", "Scan_0042", "aki@"}
		for _, path := range paths {
			w := o.getOutside(path)
			for _, secret := range secrets {
				if strings.Contains(w.Body.String(), secret) && !strings.Contains(path, secret) {
					t.Errorf("%s %s tells %q", lang, path, secret)
				}
			}
			open := path == "/" || path == "/api/v1/status" || path == "/healthz" || path == "/sign-in"
			if open != (w.Code == http.StatusOK) {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
		body := html.UnescapeString(o.getOutside("/").Body.String())
		for _, want := range []string{o.server.words.Rule("agent-unverified"), o.server.words.Outcome("quarantined"), o.status.Desks[0].Mailbox.Title, "no mailbox for …@…"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: %q should be visible to everybody", lang, want)
			}
		}
		if !strings.Contains(o.get("/").Body.String(), "no mailbox for hanako.yamada@example.jp") {
			t.Error("who has signed in must see the server's exact words")
		}
	}
}

// The failures that a set-up meets are explained on the first page.
func TestStatusExplainsFailures(t *testing.T) {
	for _, tt := range []struct {
		err      *mail.Error
		en, ja   string
		headline string
	}{
		{&mail.Error{Protocol: "imap", Server: "mail.example.com:993", Step: "dial", Err: syscall.ECONNREFUSED, Temporary: true},
			"nothing accepts connections at port 993", "ポート 993 では接続を受け付けていません", "1 connection needs attention"},
		{&mail.Error{Protocol: "imap", Server: "mail.example.com:993", Step: "login", Code: "AUTHENTICATIONFAILED", Text: "Authentication failed."},
			"[AUTHENTICATIONFAILED] Authentication failed.", "ユーザー名またはパスワードが拒否されました", "1 connection needs attention"},
		{&mail.Error{Protocol: "imap", Server: "mail.example.com:993", Step: "fetch", Err: errors.New("a new kind of trouble"), Temporary: true},
			"a new kind of trouble", "この応答は登録されていません", "1 connection needs attention"},
	} {
		for _, lang := range []string{"en", "ja"} {
			o := week(t, lang)
			o.status.Desks[1].Mailbox = o.part("failing", 3*time.Hour, tt.err)
			body := html.UnescapeString(o.getOutside("/").Body.String())
			want := tt.en
			if lang == "ja" {
				want = tt.ja
			} else if !strings.Contains(body, tt.headline) {
				t.Errorf("no headline %q", tt.headline)
			}
			if !strings.Contains(body, want) {
				t.Errorf("%s: %q is not on the page", lang, want)
			}
		}
	}
}

// A relay that several desks share is explained once.
func TestSharedRelayIsShownOnce(t *testing.T) {
	o := week(t, "en")
	broken := o.part("failing", time.Hour, &mail.Error{Protocol: "smtp", Server: "smtp.example.com:587", Step: "dial", Err: syscall.ECONNREFUSED})
	o.status.Desks[0].Relay, o.status.Desks[1].Relay = broken, broken
	if body := o.getOutside("/").Body.String(); strings.Count(body, broken.Title) != 1 || !strings.Contains(body, "1 connection needs attention") {
		t.Errorf("shown %d times", strings.Count(body, broken.Title))
	}
	o.status.Desks[1].Relay = o.part("ok", time.Hour, nil)
	if body := o.getOutside("/").Body.String(); strings.Count(body, broken.Title) != 1 || strings.Count(body, "<h3>Sending</h3>") != 2 {
		t.Error("relays of their own are shown with their desks")
	}
}

func TestStatusJSON(t *testing.T) {
	o := week(t, "en")
	o.status.Desks = o.status.Desks[:1]
	o.status.Desks[0].Mailbox = o.part("failing", time.Hour, &mail.Error{Protocol: "imap", Server: "mail.example.com:993", Step: "login", Code: "AUTHENTICATIONFAILED", Text: "Authentication failed."})
	o.status.Desks[0].Relay = PartStatus{State: "off"}
	w := o.getOutside("/api/v1/status")
	var got any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	part := []string{"cause", "last_poll", "next_poll", "remedy", "server_text", "since", "state", "title"}
	want := map[string][]string{
		"":              {"desks", "ledger", "ok", "outbox", "since", "version", "warnings"},
		"desks":         {"key", "mailbox", "name", "relay"},
		"desks.mailbox": part,
		"desks.relay":   part,
		"outbox":        {"failed", "sent_today", "waiting"},
		"ledger":        {"held", "quarantined", "reconciled_at", "skipped", "today", "total", "unaccounted"},
	}
	found := map[string][]string{}
	keys(got, "", found)
	for path, list := range want {
		if !slices.Equal(found[path], list) {
			t.Errorf("%q has %v, want %v", path, found[path], list)
		}
	}
	for _, piece := range []string{
		`"since": "2026-11-21T04:32:10Z"`, `"reconciled_at": null`, `"remedy": []`, `"last_poll": null`, `"warnings": []`, `"cause": "auth-bad-credentials"`,
		`"server_text": "[AUTHENTICATIONFAILED] Authentication failed."`,
	} {
		if !strings.Contains(w.Body.String(), piece) {
			t.Errorf("%s is missing in\n%s", piece, w.Body)
		}
	}
	var back Status
	if err := json.Unmarshal(w.Body.Bytes(), &back); err != nil || back.Desks[0].Mailbox.Cause != "auth-bad-credentials" {
		t.Errorf("reading it back: %v", err)
	}
}

func keys(v any, path string, found map[string][]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			found[path] = append(found[path], key)
			keys(inner, strings.TrimPrefix(path+"."+key, "."), found)
		}
		slices.Sort(found[path])
	case []any:
		for _, inner := range v {
			keys(inner, path, found)
		}
	}
}

// Who has signed in sees which mail could not be sent, why, and what to do.
func TestFailedMail(t *testing.T) {
	o := week(t, "en")
	body := html.UnescapeString(o.get("/").Body.String())
	for _, want := range []string{"Mail that could not be sent", "buchhaltung@kunde.example", "Recipient does not exist", "Other mail is not affected.", "550 5.1.1 <buchhaltung@kunde.example>", `href="/requests/SAL-1"`} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not shown", want)
		}
	}
}

func TestHealthz(t *testing.T) {
	o := newOffice(t, "en")
	if w := o.getOutside("/healthz"); w.Code != http.StatusOK {
		t.Errorf("%d", w.Code)
	}
	o.server.Healthy = func() bool { return false }
	if w := o.getOutside("/healthz"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a loop is down: %d", w.Code)
	}
	o.server.Healthy = nil
	o.store.Close()
	if w := o.getOutside("/healthz"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("the store is closed: %d", w.Code)
	}
	if w := o.getOutside("/"); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "Reload it in a moment") {
		t.Errorf("the page without a store: %d\n%s", w.Code, w.Body)
	}
}
