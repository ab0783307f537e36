package connect_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

// provider starts an authorization server and makes the app that asks it, on
// the clock of the test.
func provider(t *testing.T, o loopback.OAuthOptions) (*loopback.OAuth, *connect.OAuthApp, *clock) {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	if o.Now == nil {
		o.Now = c.Now
	}
	s, err := loopback.NewOAuth(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SignIn("support@mail.test")
	return s, &connect.OAuthApp{
		ClientID: "helpdesk", ClientSecret: o.ClientSecret, AuthURL: s.URL + "/authorize", TokenURL: s.URL + "/token", DeviceURL: s.URL + "/device",
		Scopes: []string{"imap", "smtp", "offline_access"}, Roots: s.Pool, Now: c.Now, Proxy: "none",
	}, c
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time               { return c.now }
func (c *clock) pass(d time.Duration)         { c.now = c.now.Add(d) }
func (c *clock) in(d time.Duration) time.Time { return c.now.Add(d) }

// consent follows the link as a browser does, up to the address that the
// answer goes to.
func consent(t *testing.T, s *loopback.OAuth, link string) url.Values {
	t.Helper()
	client := http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Pool}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r, err := client.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	to, err := r.Location()
	if err != nil {
		words, _ := io.ReadAll(r.Body)
		t.Fatalf("%s: %s %s", link, r.Status, words)
	}
	return to.Query()
}

// failure is the *mail.Error that err must be.
func failure(t *testing.T, err error) *mail.Error {
	t.Helper()
	var e *mail.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *mail.Error", err)
	}
	if e.Protocol != "oauth" || e.Step != mail.StepToken || e.Auth != "oauth2" || e.Server == "" {
		t.Errorf("%+v", e)
	}
	return e
}

func TestOAuthConsent(t *testing.T) {
	for _, secret := range []string{"", "s3cret/+ value"} {
		s, app, c := provider(t, loopback.OAuthOptions{ClientSecret: secret, Strict: true, TLS: true, RefreshLife: 7 * 24 * time.Hour})
		begun, err := app.Consent("http://localhost:1234", "support@mail.test")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(begun.Link, "login_hint=support%40mail.test") || strings.Contains(begun.Link, "prompt=") {
			t.Error(begun.Link)
		}
		answer := consent(t, s, begun.Link)
		tokens, err := app.Exchange(t.Context(), begun, answer)
		if err != nil {
			t.Fatal(err)
		}
		if tokens.Access == "" || tokens.Refresh == "" || !tokens.Expires.Equal(c.in(time.Hour)) || !tokens.RefreshExpires.Equal(c.in(7*24*time.Hour)) {
			t.Errorf("%q %q %v %v", tokens.Access, tokens.Refresh, tokens.Expires, tokens.RefreshExpires)
		}
		if same, known := tokens.SignedIn("Support@Mail.test"); !same || !known {
			t.Errorf("signed in: %q", tokens.Users)
		}
		if same, known := tokens.SignedIn("other@mail.test"); same || !known {
			t.Error("somebody else counts as the same")
		}
		next, err := app.Refresh(t.Context(), tokens.Refresh)
		if err != nil || next.Refresh == tokens.Refresh || next.Access == tokens.Access {
			t.Fatalf("refreshing: %v", err)
		}
		if e := failure(t, func() error { _, err := app.Refresh(t.Context(), tokens.Refresh); return err }()); e.Code != "invalid_grant" || e.Temporary {
			t.Errorf("a refresh token used twice: %v", e)
		}
		// The code counts once.
		if e := failure(t, func() error { _, err := app.Exchange(t.Context(), begun, answer); return err }()); e.Code != "invalid_grant" {
			t.Errorf("a code used twice: %v", e)
		}
	}
}

func TestOAuthConsentRefused(t *testing.T) {
	s, app, _ := provider(t, loopback.OAuthOptions{})
	begin := func() connect.Consent {
		t.Helper()
		begun, err := app.Consent("http://127.0.0.1:1234", "")
		if err != nil {
			t.Fatal(err)
		}
		return begun
	}
	// Another state is another sign-in: its code goes nowhere.
	one, two := begin(), begin()
	asked := len(s.Asked())
	_, err := app.Exchange(t.Context(), one, consent(t, s, two.Link))
	if e := failure(t, err); !errors.Is(e, connect.ErrState) || len(s.Asked()) != asked {
		t.Errorf("the answer of another sign-in: %v", e)
	}
	if _, err := app.Exchange(t.Context(), connect.Consent{}, url.Values{"code": {"x"}}); !errors.Is(err, connect.ErrState) {
		t.Errorf("no sign-in at all: %v", err)
	}
	// A stolen code is worth nothing without the verifier.
	stolen := begin()
	code := consent(t, s, stolen.Link)
	thief := begin()
	code.Set("state", thief.State)
	if _, err := app.Exchange(t.Context(), thief, code); failure(t, err).Code != "invalid_grant" {
		t.Errorf("another verifier: %v", err)
	}
	s.SignIn("")
	refused := begin()
	_, err = app.Exchange(t.Context(), refused, consent(t, s, refused.Link))
	if e := failure(t, err); e.Code != "access_denied" || e.Text != "the user refused" || e.Temporary {
		t.Errorf("%+v", e)
	}
	// Google gives no refresh token unless asked.
	s.Fault(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"access_token":"a","expires_in":3600}`)
	})
	s.SignIn("support@mail.test")
	short := begin()
	_, err = app.Exchange(t.Context(), short, consent(t, s, short.Link))
	if e := failure(t, err); e.Code != connect.OAuthConsentRequired {
		t.Errorf("without a refresh token: %v", e)
	}
	app.AuthURL = "https://accounts.google.com/o/oauth2/v2/auth"
	if link := begin().Link; !strings.Contains(link, "access_type=offline") || !strings.Contains(link, "prompt=consent") {
		t.Error(link)
	}
}

func TestOAuthPasted(t *testing.T) {
	for text, want := range map[string]string{
		"http://localhost/?code=C1&state=S":                  "C1",
		"  http://127.0.0.1:1/?state=S&code=C%2F1&scope=a\n": "C/1",
		"http://localhost?state=S&co\r\n  de=C1":             "C1",
		`"http://localhost/?code=C1&state=S#"`:               "C1",
		"code=C1&state=S":                                    "C1",
		"http://localhost/?error=access_denied&state=S":      "",
	} {
		if v, err := connect.Pasted(text); err != nil || v.Get("code") != want || v.Get("state") != "S" {
			t.Errorf("%q: %v %v", text, v, err)
		}
	}
	for _, text := range []string{"", "C1", "https://accounts.google.com/o/oauth2/v2/auth?state=S&client_id=x", "http://localhost/?code=C1", "http://localhost/?code=%zz&state=S", strings.Repeat("x", 1<<20)} {
		if _, err := connect.Pasted(text); err == nil {
			t.Errorf("%.40q was taken", text)
		}
	}
}

func TestOAuthDevice(t *testing.T) {
	s, app, c := provider(t, loopback.OAuthOptions{})
	begin := func() connect.DeviceCode {
		t.Helper()
		d, err := app.Device(t.Context())
		if err != nil || d.UserCode == "" || d.Link != s.URL+"/enter" || d.Interval != 5*time.Second || !d.Expires.Equal(c.in(15*time.Minute)) {
			t.Fatalf("%+v %v", d, err)
		}
		return d
	}
	poll := func(d *connect.DeviceCode) *mail.Error {
		t.Helper()
		_, err := app.Poll(t.Context(), d)
		return failure(t, err)
	}
	d := begin()
	c.pass(d.Interval)
	if e := poll(&d); e.Code != connect.OAuthPending || !e.Temporary {
		t.Errorf("%v", e)
	}
	// Too soon: the pause grows, and the server must be obeyed from then on.
	if e := poll(&d); e.Code != connect.OAuthPending || d.Interval != 10*time.Second {
		t.Errorf("%v, interval %v", e, d.Interval)
	}
	s.Refuse(503, "temporarily_unavailable", "")
	c.pass(d.Interval)
	if e := poll(&d); e.Code == "" || !e.Temporary {
		t.Errorf("%v", e)
	}
	s.Fault(nil)
	s.Approve(d.UserCode, "support@mail.test")
	c.pass(d.Interval)
	tokens, err := app.Poll(t.Context(), &d)
	if err != nil || tokens.Refresh == "" || tokens.Users[0] != "support@mail.test" {
		t.Fatalf("%v %v", tokens.Users, err)
	}

	d = begin()
	s.Approve(d.UserCode, "")
	c.pass(d.Interval)
	if e := poll(&d); e.Code != "access_denied" || e.Temporary {
		t.Errorf("%v", e)
	}
	d = begin()
	c.pass(15 * time.Minute)
	asked := len(s.Asked())
	if e := poll(&d); e.Code != "expired_token" || e.Temporary || len(s.Asked()) != asked {
		t.Errorf("%v", e)
	}
	app.DeviceURL = ""
	if _, err := app.Device(t.Context()); err == nil {
		t.Error("a device code without an endpoint")
	}
}

func TestOAuthClientCredentials(t *testing.T) {
	s, app, _ := provider(t, loopback.OAuthOptions{ClientSecret: "s3cret", BasicOnly: true})
	tokens, err := app.ClientCredentials(t.Context())
	if err != nil || tokens.Access == "" || tokens.Refresh != "" {
		t.Fatal(err)
	}
	// Refused in the form, told so, and sent in the header.
	if forms := s.Asked(); len(forms) != 2 || forms[0].Get("client_secret") != "s3cret" || forms[1].Has("client_secret") || forms[1].Get("scope") != "imap smtp offline_access" {
		t.Errorf("%v", forms)
	}
	app.ClientSecret = "wrong-secret"
	_, err = app.ClientCredentials(t.Context())
	if e := failure(t, err); e.Code != "invalid_client" || e.Temporary || strings.Contains(e.Error(), "wrong-secret") || !strings.Contains(e.Text, "***") {
		t.Errorf("%v", e)
	}
}

// accountKey is a service account's key file.
func accountKey(t *testing.T, tokenURL string) ([]byte, *rsa.PublicKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "desk@project.iam.gserviceaccount.com", "private_key_id": "k1", "token_uri": tokenURL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return file, &key.PublicKey
}

func TestOAuthServiceAccount(t *testing.T) {
	file, public := accountKey(t, "https://unused.example/token")
	_, app, c := provider(t, loopback.OAuthOptions{ServiceAccount: "desk@project.iam.gserviceaccount.com", ServiceKey: public})
	app.ServiceAccountKey, app.Subject = file, "support@mail.test"
	if tokens, err := app.ServiceAccount(t.Context()); err != nil || tokens.Access == "" {
		t.Fatal(err)
	}
	other, _ := accountKey(t, "")
	app.ServiceAccountKey = other
	_, err := app.ServiceAccount(t.Context())
	if e := failure(t, err); e.Code != "invalid_grant" || e.Text != "Invalid JWT Signature." {
		t.Errorf("another key: %v", e)
	}
	app.ServiceAccountKey = file
	app.Now = func() time.Time { return c.now.Add(-2 * time.Hour) }
	_, err = app.ServiceAccount(t.Context())
	if e := failure(t, err); !strings.Contains(e.Text, "short-lived") {
		t.Errorf("a slow clock: %v", e)
	}
	for _, wrong := range []string{"", "{}", `{"type":"authorized_user","client_email":"x"}`, `{"type":"service_account","client_email":"x","private_key":"no"}`} {
		app.ServiceAccountKey = []byte(wrong)
		_, err := app.ServiceAccount(t.Context())
		if e := failure(t, err); e.Temporary || !strings.Contains(e.Error(), "service_account_file") {
			t.Errorf("%q: %v", wrong, e)
		}
	}
}
