package daemon_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/mail/loopback"
)

// oauthOffice is an office whose mailbox and relay sign in with OAuth2, at an
// authorization server of its own whose tokens Dovecot asks about.
type oauthOffice struct {
	*office
	provider *loopback.OAuth
	browser  *http.Client
}

const oauthTable = `  [%s.oauth]
  client_id = "helpdesk"
  auth_url = "%s/authorize"
  token_url = "%s/token"
  device_url = "%s/device"
  scopes = ["%s", "offline_access"]
`

// newOAuthOffice starts it with the daemon running and nobody signed in.
// protocol is imap or pop3, auth a mechanism or auto.
func newOAuthOffice(t *testing.T, protocol, auth string) *oauthOffice {
	t.Helper()
	o := &oauthOffice{}
	now := func() time.Time { return time.Now().Add(time.Duration(o.clock.Load())) }
	o.office = &office{}
	var err error
	if o.provider, err = loopback.NewOAuth(loopback.OAuthOptions{Strict: true, Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.provider.Close() })
	o.provider.SignIn("support@mail.test")
	o.office = newOfficeWith(t, loopback.HostOptions{OAuth: o.provider.URL + "/introspect"}, nil)
	text, err := os.ReadFile(o.configPath())
	if err != nil {
		t.Fatal(err)
	}
	table := func(where, scope string) string {
		return fmt.Sprintf("auth = %q\n", auth) + fmt.Sprintf(oauthTable, where, o.provider.URL, o.provider.URL, o.provider.URL, scope)
	}
	c := string(text)
	if protocol == "pop3" {
		_, imap := split(t, o.hosts.IMAPS)
		_, pop := split(t, o.hosts.POP3S)
		c = strings.Replace(c, "port = "+imap, "port = "+pop+"\n  protocol = \"pop3\"", 1)
		c = strings.Replace(strings.Replace(c, `after = "seen"`, `after = "keep"`, 1), "  idle = true\n", "", 1)
		c = strings.Replace(c, `poll = "1m"`, `poll = "5s"`, 1)
	}
	relay, rest, _ := strings.Cut(c, "[[trust]]")
	relay = strings.Replace(relay, "password = \"secret\"\n", "", 1) + table("relay", "smtp")
	rest = strings.Replace(rest, "  password = \"secret\"\n", "", 1) + table("desk.mailbox", protocol)
	if err := os.WriteFile(o.configPath(), []byte(relay+"[[trust]]"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	o.start()
	o.browser = o.signIn()
	o.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return o
}

// visit asks for a page, or sends a form, and returns what came and where it
// leads.
func (o *oauthOffice) visit(address string, form url.Values) (status int, page, next string) {
	o.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = o.info.PageURL + address
	}
	var r *http.Response
	var err error
	if form != nil {
		r, err = o.browser.PostForm(address, form)
	} else {
		r, err = o.browser.Get(address)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	if to, err := r.Location(); err == nil {
		next = to.String()
	}
	return r.StatusCode, string(b), next
}

// link finds an address on a page.
func (o *oauthOffice) link(page, pattern string) string {
	o.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		o.t.Fatalf("no %s on the page:\n%s", pattern, page)
	}
	return html.UnescapeString(m[1])
}

// works waits until mailbox and relay work.
func (o *oauthOffice) works() {
	o.t.Helper()
	o.eventually("mailbox and relay work", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && s.Desks[0].Mailbox.State == "ok" && s.Desks[0].Relay.State == "ok", err
	})
}

// TestAuthorizeOnThePage: nobody has signed in, the status says so; someone
// signs in on the page in this browser, and mail goes in and out at once.
func TestAuthorizeOnThePage(t *testing.T) {
	o := newOAuthOffice(t, "imap", "auto")
	o.eventually("that nobody has signed in is said", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && s.Desks[0].Mailbox.State == "stopped" && strings.HasPrefix(s.Desks[0].Mailbox.Cause, "oauth-"), err
	})
	if _, page, _ := o.visit("/", nil); !strings.Contains(page, `href="/authorize/SUP"`) {
		t.Errorf("the status does not lead to the sign-in:\n%s", page)
	}
	if _, page, _ := o.visit("/authorize/SUP", nil); !strings.Contains(page, "support@mail.test") || !strings.Contains(page, "Nobody has signed in") {
		t.Errorf("the sign-in page:\n%s", page)
	}
	code, _, next := o.visit("/authorize/SUP", url.Values{"way": {"browser"}})
	if code != http.StatusSeeOther {
		t.Fatal(code)
	}
	_, page, _ := o.visit(next, nil)
	link := o.link(page, `href="(`+regexp.QuoteMeta(o.provider.URL)+`[^"]*)"`)
	_, _, back := o.visit(link, nil)
	if !strings.HasPrefix(back, o.info.PageURL+"?") {
		t.Fatalf("the answer goes to %s", back)
	}
	if code, _, next = o.visit(back, nil); code != http.StatusSeeOther || strings.Contains(next, "code=") {
		t.Fatalf("%d %s", code, next)
	}
	if _, page, _ := o.visit(next, nil); !strings.Contains(page, "Done.") || strings.Contains(page, "You signed in as") {
		t.Errorf("after the sign-in:\n%s", page)
	}
	asked := len(o.provider.Asked())
	if code, _, _ := o.visit(back, nil); code != http.StatusConflict || len(o.provider.Asked()) != asked {
		t.Errorf("the answer a second time: %d", code)
	}
	o.works()
	o.send("taro@customer.test", "support@mail.test", "From: Taro <taro@customer.test>\nTo: support@mail.test\nSubject: Printer\nMessage-ID: <one@customer.test>\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n\nIt is broken.\n")
	o.request("SUP-1", 1)
	o.inbox("taro@customer.test", 1) // the relay took the acknowledgement

	// No token stands anywhere in the clear.
	for _, name := range []string{daemon.DatabaseFile, daemon.DatabaseFile + "-wal"} {
		b, err := os.ReadFile(filepath.Join(o.dir, "data", name))
		if err != nil {
			continue
		}
		for _, secret := range []string{"access-", "refresh-"} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s has a token", name)
			}
		}
	}
	// Signed in once, the next run needs nobody.
	o.stop()
	o.start()
	o.works()

	// A refusal stops everything, and a person's test asks once more.
	o.provider.Refuse(400, "invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked.")
	o.stop()
	o.clock.Add(int64(2 * time.Hour))
	o.start()
	o.eventually("mailbox and relay are stopped", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && s.Desks[0].Mailbox.State == "stopped" && s.Desks[0].Relay.State == "stopped", err
	})
	o.provider.Fault(nil)
	o.browser = o.signIn()
	o.visit("/test", url.Values{"part": {"mailbox:SUP"}, "kind": {"reach"}})
	o.visit("/test", url.Values{"part": {"relay"}, "kind": {"reach"}})
	o.works()
}

// TestAuthorizeStates: an answer counts once, for who began the sign-in, and
// for ten minutes.
func TestAuthorizeStates(t *testing.T) {
	o := newOAuthOffice(t, "imap", "auto")
	begin := func() (page, back string) {
		t.Helper()
		_, _, next := o.visit("/authorize/SUP", url.Values{"way": {"browser"}})
		_, page, _ = o.visit(next, nil)
		_, _, back = o.visit(o.link(page, `href="(`+regexp.QuoteMeta(o.provider.URL)+`[^"]*)"`), nil)
		return next, back
	}
	mine := o.browser
	page, back := begin()
	o.browser = o.signIn() // somebody else who is signed in to the page
	o.browser.CheckRedirect = mine.CheckRedirect
	if code, _, _ := o.visit(back, nil); code != http.StatusConflict {
		t.Errorf("somebody else's answer: %d", code)
	}
	if _, text, _ := o.visit(page, nil); !strings.Contains(text, "begun by somebody else") {
		t.Error("somebody else's sign-in is shown")
	}
	o.browser = &http.Client{CheckRedirect: mine.CheckRedirect} // nobody
	if code, _, _ := o.visit(back, nil); code != http.StatusUnauthorized {
		t.Errorf("without a session: %d", code)
	}
	o.browser = mine
	forged := regexp.MustCompile(`state=[^&]*`).ReplaceAllString(back, "state=forged")
	if code, _, _ := o.visit(forged, nil); code != http.StatusConflict {
		t.Errorf("a forged state: %d", code)
	}
	o.clock.Add(int64(11 * time.Minute))
	if code, _, _ := o.visit(back, nil); code != http.StatusConflict {
		t.Errorf("after eleven minutes: %d", code)
	}
	if len(o.provider.Asked()) != 0 {
		t.Error("the provider was asked for tokens")
	}

	// Refused at the provider, then pasted, as somebody else.
	o.provider.SignIn("")
	_, back = begin()
	_, _, next := o.visit(back, nil)
	if _, text, _ := o.visit(next, nil); !strings.Contains(text, "the user refused") || !strings.Contains(text, `value="device"`) {
		t.Errorf("after a refusal:\n%s", text)
	}
	o.provider.SignIn("boss@mail.test")
	page, back = begin()
	id, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	paste := func(address string) (int, string, string) {
		return o.visit("/authorize/SUP/address", url.Values{"sign-in": {id.Query().Get("sign-in")}, "address": {address}})
	}
	if code, text, _ := paste("https://provider.example/"); code != http.StatusUnprocessableEntity || !strings.Contains(text, "That is not the address") {
		t.Errorf("a wrong address: %d\n%s", code, text)
	}
	code, _, next := paste(" " + back + "\n")
	if code != http.StatusSeeOther {
		t.Fatalf("pasting: %d", code)
	}
	if _, text, _ := o.visit(next, nil); !strings.Contains(text, "You signed in as boss@mail.test") {
		t.Errorf("another user:\n%s", text)
	}
	if code, _, _ := paste(back); code != http.StatusConflict {
		t.Errorf("pasting twice: %d", code)
	}
	for path, want := range map[string]int{"/authorize/NONE": 404, "/authorize/SUP?sign-in=x": 200, "/authorize/SUP.relay": 200, "/authorize/relay": 200} {
		if code, _, _ := o.visit(path, nil); code != want {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// TestOAuthProtocols: real Dovecot and Postfix take our access tokens by each
// protocol and mechanism; the sign-in is by a device code.
func TestOAuthProtocols(t *testing.T) {
	for _, c := range []struct{ protocol, auth string }{{"imap", "xoauth2"}, {"imap", "oauthbearer"}, {"pop3", "xoauth2"}, {"pop3", "oauthbearer"}} {
		t.Run(c.protocol+" "+c.auth, func(t *testing.T) {
			o := newOAuthOffice(t, c.protocol, c.auth)
			_, _, next := o.visit("/authorize/relay", url.Values{"way": {"device"}}) // the same account
			_, page, _ := o.visit(next, nil)
			if !strings.Contains(page, `http-equiv="refresh"`) || !strings.Contains(page, o.provider.URL+"/enter") {
				t.Fatalf("the page of the code:\n%s", page)
			}
			asked := len(o.provider.Asked())
			if o.visit(next, nil); len(o.provider.Asked()) != asked {
				t.Error("asked again too soon")
			}
			o.provider.Approve(o.link(page, `<pre class="command">([^<]*)</pre>`), "support@mail.test")
			o.clock.Add(int64(6 * time.Second))
			if _, page, _ := o.visit(next, nil); !strings.Contains(page, "Done.") {
				t.Fatalf("after the code was entered:\n%s", page)
			}
			o.works()
			o.send("taro@customer.test", "support@mail.test", "From: Taro <taro@customer.test>\nTo: support@mail.test\nSubject: Printer\nMessage-ID: <one@customer.test>\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n\nIt is broken.\n")
			o.request("SUP-1", 1)
			o.inbox("taro@customer.test", 1)

			// The provider takes all access tokens back: the first refusal makes us
			// fetch a new one.
			o.provider.Revoke(false)
			o.stop()
			o.start()
			o.browser = o.signIn()
			asked = len(o.provider.Asked())
			o.eventually("a test with a new token goes well", func(context.Context) (bool, error) {
				_, mailbox, _ := o.visit("/test", url.Values{"part": {"mailbox:SUP"}, "kind": {"reach"}})
				_, relay, _ := o.visit("/test", url.Values{"part": {"relay"}, "kind": {"reach"}})
				return !strings.Contains(mailbox+relay, "is-bad"), nil
			})
			if n := len(o.provider.Asked()) - asked; n != 1 {
				t.Errorf("the provider was asked %d times", n)
			}
			o.works()
		})
	}
}
