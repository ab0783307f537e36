package daemon

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

const twoProviders = `data_dir = "data"
[relay]
preset = "microsoft365"
username = "support@office.example"
  [relay.oauth]
  client_id = "app"
  tenant = "office.example"
[[desk]]
name = "Support"
key = "SUP"
address = "support@office.example"
  [desk.mailbox]
  preset = "microsoft365"
  username = "Support@office.example"
    [desk.mailbox.oauth]
    client_id = "app"
    tenant = "office.example"
    client_secret_file = "SECRET"
    client_secret_expires = "2026-12-15"
[[desk]]
name = "Sales"
key = "SAL"
address = "sales@gmail.com"
  [desk.mailbox]
  preset = "gmail"
  username = "sales@gmail.com"
    [desk.mailbox.oauth]
    client_id = "google-app"
    client_secret_file = "SECRET"
  [desk.relay]
  preset = "gmail"
  username = "sales@gmail.com"
    [desk.relay.oauth]
    client_id = "google-app"
    client_secret_file = "SECRET"
[[desk]]
name = "Old"
key = "OLD"
address = "old@office.example"
  [desk.mailbox]
  host = "imap.office.example"
  username = "old@office.example"
  password = "secret"
  [desk.relay]
  host = "smtp.office.example"
  username = "old@office.example"
  password = "secret"
`

func loadProviders(t *testing.T) *config.Config {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "helpdesk.toml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(twoProviders, `"SECRET"`, "'"+secret+"'")), 0o600); err != nil {
		t.Fatal(err)
	}
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil || config.Refused(faults) {
		t.Fatal(err, faults)
	}
	return c
}

// Mailbox and relay of one user are one account, with the permissions of both.
func TestOAuthAccounts(t *testing.T) {
	c := loadProviders(t)
	named := func(name string) OAuthAccount {
		t.Helper()
		a, err := OAuthAccountNamed(c, name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return a
	}
	sup := named("SUP")
	want := []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send", "offline_access", "openid", "profile"}
	if !slices.Equal(sup.App.Scopes, want) || sup.Name != "SUP" || sup.User != "Support@office.example" || sup.App.ClientSecret != "s3cret" {
		t.Errorf("%+v", sup)
	}
	if !strings.Contains(sup.App.TokenURL, "/office.example/oauth2/v2.0/token") || !slices.Equal(sup.Ways(), []string{"device", "browser"}) {
		t.Errorf("%s, ways %q", sup.App.TokenURL, sup.Ways())
	}
	for _, same := range []string{"support", "Support@office.example", "relay", "sup.relay", "OLD.relay"} {
		if a, err := OAuthAccountNamed(c, same); same == "OLD.relay" {
			if !errors.Is(err, ErrNoOAuth) {
				t.Errorf("%s: %v", same, err)
			}
		} else if err != nil || a.ID != sup.ID || a.settings() == "" {
			t.Errorf("%s: %q %v", same, a.ID, err)
		}
	}
	sal := named("SAL")
	if !slices.Equal(sal.App.Scopes, []string{"email", "https://mail.google.com/", "openid"}) || !slices.Equal(sal.Ways(), []string{"browser"}) || sal.ID == sup.ID {
		t.Errorf("%+v", sal)
	}
	for origin, want := range map[string][2]string{
		"":                      {"http://localhost", "http://127.0.0.1"},
		"http://127.0.0.1:8025": {"http://localhost:8025", "http://127.0.0.1:8025"},
		"http://localhost:8025": {"http://localhost:8025", "http://localhost:8025"},
		"http://[::1]:8025":     {"http://localhost:8025", "http://[::1]:8025"},
	} {
		if got := [2]string{sup.Redirect(origin), sal.Redirect(origin)}; got != want {
			t.Errorf("%s: %q", origin, got)
		}
	}
	link, err := sal.App.Consent(sal.Redirect(""), sal.User)
	if err != nil || !strings.Contains(link.Link, "access_type=offline") || !strings.Contains(link.Link, "prompt=consent") || !strings.Contains(link.Link, "code_challenge_method=S256") {
		t.Errorf("%s %v", link.Link, err)
	}
	if link, err = sup.App.Consent(sup.Redirect(""), sup.User); err != nil || strings.Contains(link.Link, "prompt=") {
		t.Errorf("%s %v", link.Link, err)
	}
	for name, want := range map[string]error{"OLD": ErrNoOAuth, "NONE": ErrNoDesk, "": ErrNoDesk} {
		if _, err := OAuthAccountNamed(c, name); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// Another user, app, tenant or flow is another account.
	s := c.Desks[0].Mailbox.Server
	for _, change := range []func(*config.Server){
		func(s *config.Server) { s.Username = "x" }, func(s *config.Server) { s.OAuth.ClientID = "x" },
		func(s *config.Server) { s.OAuth.Tenant = "x" }, func(s *config.Server) { s.OAuth.Flow = config.FlowApp },
		func(s *config.Server) { s.OAuth.Provider = "x" },
	} {
		other := s
		if change(&other); accountID(&other) == accountID(&s) {
			t.Errorf("%+v is the same account", other.OAuth)
		}
	}
}

// Ends are called to mind weeks ahead, each once, in both languages.
func TestForecasts(t *testing.T) {
	c := loadProviders(t)
	s := newSignIns(t, loopback.OAuthOptions{})
	d := &daemon{Options: Options{Config: c, Now: s.clock, Logger: slog.New(slog.DiscardHandler)}, tokens: s.tokens}
	signIn := func(name string, ends time.Time) {
		t.Helper()
		a, err := OAuthAccountNamed(c, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.tokens.authorized(t.Context(), &a, connect.OAuthTokens{Access: "a", Refresh: "r", RefreshExpires: ends}); err != nil {
			t.Fatal(err)
		}
	}
	at := func(day string, want ...string) {
		t.Helper()
		when, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		s.pass(when.Sub(s.clock()))
		for _, lang := range []string{"en", "ja"} {
			c.Language = lang
			list, err := d.forecasts(t.Context())
			if err != nil || len(list) != len(want) {
				t.Fatalf("%s: %q %v, want %q", day, list, err, want)
			}
			for i, part := range want {
				if lang == "en" && !strings.Contains(list[i], part) {
					t.Errorf("%s: %q, want %q", day, list[i], part)
				}
			}
		}
	}
	at("2026-11-10") // nobody has signed in: the mailbox itself says so
	signIn("SUP", time.Time{})
	signIn("SAL", s.clock().Add(7*24*time.Hour))
	at("2026-11-10", "ends on 2026-11-17, because the Google project is in test mode")
	signIn("SAL", time.Time{})
	at("2026-11-14")
	at("2026-11-15", "client secret of Support@office.example ends on 2026-12-15")
	at("2026-12-15", "client secret of Support@office.example ended on 2026-12-15")
	c.Desks[0].Mailbox.OAuth.ClientSecretExpires = ""
	at("2027-01-08")
	at("2027-01-10", "not been used since 2026-11-10")
	signIn("SUP", time.Time{})
	signIn("SAL", s.clock().Add(180*24*time.Hour))
	at("2027-01-10")
	signIn("SAL", s.clock().Add(13*24*time.Hour))
	at("2027-01-10", "permission of sales@gmail.com ends on 2027-01-23. Sign in again")
}
