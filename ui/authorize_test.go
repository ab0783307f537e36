package ui

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
)

// signInAtProvider is a program in which one sign-in is under way.
type signInAtProvider struct {
	account  Account
	signIn   SignIn
	session  string
	finished []string // codes that came
}

func (p *signInAtProvider) authorizer() *Authorizer {
	return &Authorizer{
		Account: func(_ context.Context, name string) (Account, error) {
			if name != p.account.Name {
				return Account{}, ErrNoAccount
			}
			return p.account, nil
		},
		Begin: func(_ context.Context, session, _, way, _ string) (string, error) {
			if way != WayDevice && way != WayBrowser {
				return "", errors.New("no such way")
			}
			p.session = session
			return "one", nil
		},
		Progress: func(_ context.Context, session, id string) (SignIn, error) {
			if session != p.session || id != "one" {
				return SignIn{}, ErrNoSignIn
			}
			return p.signIn, nil
		},
		Finish: func(_ context.Context, session string, answer url.Values) (string, error) {
			if session != p.session || answer.Get("state") != "S" {
				return "", ErrNoSignIn
			}
			p.finished = append(p.finished, answer.Get("code"))
			return "one", nil
		},
		Paste: func(context.Context, string, string) (string, error) { return "one", nil },
		Origin: func(state string) string {
			if state == "S" {
				return "http://127.0.0.1:8025"
			}
			return ""
		},
	}
}

func newSigningOffice(t *testing.T, lang string) (*office, *signInAtProvider) {
	o := newOffice(t, lang)
	p := &signInAtProvider{account: Account{Name: "SUP", User: "support@example.com", Provider: "Microsoft", Ways: []string{WayDevice, WayBrowser}}}
	p.signIn = SignIn{Account: "SUP", User: "support@example.com", Provider: "Microsoft"}
	o.server.Authorize = p.authorizer()
	o.page = o.server.Handler()
	return o, p
}

// TestCallback: the provider's answer comes as a visit from another site, under
// the name of this machine that the provider knows, and without the session's
// cookie. It is passed on until the session is there, and used once.
func TestCallback(t *testing.T) {
	o, p := newSigningOffice(t, "en")
	c := o.signIn()
	if w := o.do(http.MethodPost, "/authorize/SUP", "way=browser", c); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/authorize/SUP?sign-in=one" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
	}
	visit := func(host, path string, cookie *http.Cookie, site string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = host
		r.Header.Set("Sec-Fetch-Site", site)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		if cookie != nil {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		o.page.ServeHTTP(w, r)
		return w
	}
	const answer = "/?code=C1%2Fx&state=S"
	const on = `content="0; url=http://127.0.0.1:8025/oauth/callback?code=C1%2Fx&amp;state=S"`
	for _, older := range []*http.Cookie{nil, o.signIn()} {
		if w := visit("localhost:8025", answer, older, "cross-site"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), on) {
			t.Errorf("under another name, with the session %v: %d\n%s", older, w.Code, w.Body)
		}
	}
	w := visit("127.0.0.1:8025", "/oauth/callback?code=C1%2Fx&state=S", nil, "cross-site")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `http-equiv="refresh" content="0"`) || len(p.finished) != 0 {
		t.Errorf("without the cookie: %d\n%s", w.Code, w.Body)
	}
	w = visit("127.0.0.1:8025", "/oauth/callback?code=C1%2Fx&state=S", c, "same-origin")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/authorize/SUP?sign-in=one" || len(p.finished) != 1 || p.finished[0] != "C1/x" {
		t.Errorf("with the cookie: %d %s %q", w.Code, w.Header().Get("Location"), p.finished)
	}
	if w := visit("127.0.0.1:8025", "/?code=C&state=unknown", c, "cross-site"); w.Code != http.StatusConflict {
		t.Errorf("an unknown state: %d", w.Code)
	}
	if w := visit("127.0.0.1:8025", "/?code=C&state=S", nil, "none"); w.Code != http.StatusUnauthorized || len(p.finished) != 1 {
		t.Errorf("typed in by nobody: %d", w.Code)
	}
	if w := visit("127.0.0.1:8025", "/?state=S", c, "none"); w.Code != http.StatusOK {
		t.Errorf("the first page: %d", w.Code)
	}
}

// Nobody sees or begins a sign-in without being signed in to the page, or from
// another site.
func TestAuthorizeIsPrivate(t *testing.T) {
	o, p := newSigningOffice(t, "en")
	for _, path := range []string{"/authorize/SUP", "/authorize/SUP?sign-in=one"} {
		if w := o.getOutside(path); w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "support@example.com") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, path := range []string{"/authorize/SUP", "/authorize/SUP/address"} {
		if w := o.do(http.MethodPost, path, "way=browser", nil); w.Code != http.StatusUnauthorized || p.session != "" {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	c := o.signIn()
	r := httptest.NewRequest(http.MethodPost, "/authorize/SUP", strings.NewReader("way=device"))
	r.Host = listen
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.AddCookie(c)
	w := httptest.NewRecorder()
	if o.page.ServeHTTP(w, r); w.Code != http.StatusForbidden || p.session != "" {
		t.Errorf("from another site: %d", w.Code)
	}
}

// The page in all its states, in both languages: nothing missing, nothing run,
// nothing loaded from outside.
func TestAuthorizePage(t *testing.T) {
	for _, lang := range []string{"en", "ja"} {
		o, p := newSigningOffice(t, lang)
		c := o.signIn()
		o.do(http.MethodPost, "/authorize/SUP", "way=device", c)
		show := func(path string) string {
			t.Helper()
			w := o.do(http.MethodGet, path, "", c)
			body := w.Body.String()
			if w.Code != http.StatusOK || strings.Contains(body, "authorize.") || strings.Contains(body, "<script") {
				t.Errorf("%s: %d\n%s", path, w.Code, body)
			}
			if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self'") || !strings.Contains(policy, "default-src 'none'") {
				t.Error(policy)
			}
			return body
		}
		contains := func(body string, all ...string) {
			t.Helper()
			for _, part := range all {
				if !strings.Contains(body, part) {
					t.Errorf("%q is missing in\n%s", part, body)
				}
			}
		}
		contains(show("/authorize/SUP"), `value="device"`, `value="browser"`)
		p.account.Since = o.now.Add(-time.Hour)
		p.account.Trouble = &mail.Error{Protocol: "oauth", Server: "login.microsoftonline.com:443", Step: mail.StepToken, Auth: "oauth2", Code: "invalid_grant", Text: "AADSTS700082: <b>expired</b>"}
		contains(show("/authorize/SUP"), "AADSTS700082: &lt;b&gt;", "<ol>")
		p.signIn.Code, p.signIn.Link, p.signIn.Way, p.signIn.Expires = "ABCD1234", "https://microsoft.com/devicelogin", WayDevice, o.now.Add(15*time.Minute)
		contains(show("/authorize/SUP?sign-in=one"), "ABCD1234", `http-equiv="refresh" content="5"`, `href="https://microsoft.com/devicelogin"`)
		p.signIn.Code, p.signIn.Way, p.signIn.Link = "", WayBrowser, "https://login.example/?a=1&b=2"
		contains(show("/authorize/SUP?sign-in=one"), `href="https://login.example/?a=1&amp;b=2"`, `action="/authorize/SUP/address"`)
		p.signIn.Failure = p.account.Trouble
		contains(show("/authorize/SUP?sign-in=one"), "AADSTS700082", `value="device"`)
		p.signIn.Failure, p.signIn.Done, p.signIn.Other = nil, true, "boss@example.com"
		if body := show("/authorize/SUP?sign-in=one"); strings.Contains(body, `http-equiv="refresh"`) || !strings.Contains(body, "boss@example.com") {
			t.Errorf("in the end:\n%s", body)
		}
		p.account.Ways, p.account.Trouble = nil, nil
		if body := show("/authorize/SUP"); strings.Contains(body, `class="ways"`) {
			t.Errorf("where nobody has to sign in:\n%s", body)
		}
	}
}

func TestLoopbackOrigin(t *testing.T) {
	for host, want := range map[string]string{
		"127.0.0.1:8025": "http://127.0.0.1:8025", "localhost:9000": "http://localhost:9000", "[::1]:8025": "http://[::1]:8025",
		"desk.example.com": "", "192.168.1.5:8025": "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		if got := loopbackOrigin(r); got != want {
			t.Errorf("%s: %q", host, got)
		}
	}
}
