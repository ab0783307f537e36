package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
	"helpdesk/store"
)

// signIns is an installation with one OAuth2 account, whose daemon can be
// killed and started again.
type signIns struct {
	t       *testing.T
	server  *loopback.OAuth
	dir     string
	mu      sync.Mutex
	now     time.Time
	store   *store.Store
	tokens  *tokens
	account OAuthAccount
}

func newSignIns(t *testing.T, o loopback.OAuthOptions) *signIns {
	t.Helper()
	s := &signIns{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	o.Now = s.clock
	var err error
	if s.server, err = loopback.NewOAuth(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.server.Close() })
	s.server.SignIn("support@mail.test")
	s.account = OAuthAccount{ID: "account", Name: "SUP", User: "support@mail.test", Flow: config.FlowUser, App: connect.OAuthApp{
		ClientID: "helpdesk", ClientSecret: o.ClientSecret, AuthURL: s.server.URL + "/authorize", TokenURL: s.server.URL + "/token",
		DeviceURL: s.server.URL + "/device", Scopes: []string{"imap", "smtp"}, Proxy: "none", Now: s.clock,
	}}
	s.start()
	t.Cleanup(func() { s.store.Close() })
	return s
}

func (s *signIns) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *signIns) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// start is a new process on the same data_dir.
func (s *signIns) start() {
	s.t.Helper()
	if s.store != nil {
		s.store.Close()
	}
	var err error
	if s.store, err = store.Open(s.t.Context(), filepath.Join(s.dir, DatabaseFile), store.Options{Now: s.clock}); err != nil {
		s.t.Fatal(err)
	}
	s.tokens = newTokens(s.store, s.dir, s.clock, slog.New(slog.NewTextHandler(s.t.Output(), nil)))
}

// authorize is a person who signs in.
func (s *signIns) authorize() {
	s.t.Helper()
	begun, err := s.account.App.Consent("http://localhost:1", "")
	if err != nil {
		s.t.Fatal(err)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(begun.Link)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	back, err := r.Location()
	if err != nil {
		s.t.Fatal(err)
	}
	got, err := s.account.App.Exchange(s.t.Context(), begun, back.Query())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.tokens.authorized(s.t.Context(), &s.account, got); err != nil {
		s.t.Fatal(err)
	}
}

func (s *signIns) app() (OAuthAccount, error) { return s.account, nil }

func (s *signIns) access() (string, error) {
	return s.tokens.access(s.t.Context(), s.account.ID, s.app, false)
}

func (s *signIns) token() string {
	s.t.Helper()
	token, err := s.access()
	if err != nil || token == "" {
		s.t.Fatalf("no access token: %v", err)
	}
	return token
}

// refused is the error that access must give.
func (s *signIns) refused(code string) *mail.Error {
	s.t.Helper()
	token, err := s.access()
	var e *mail.Error
	if token != "" || !errors.As(err, &e) || e.Code != code || e.Protocol != "oauth" || e.Step != mail.StepToken || e.Auth != "oauth2" || e.Server == "" {
		s.t.Fatalf("%q, %v; want %s", token, err, code)
	}
	return e
}

func TestTokenIsRefreshedBeforeItsEnd(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{Strict: true})
	if e := s.refused(connect.OAuthConsentRequired); e.Temporary || !errors.Is(e, errNobody) {
		t.Errorf("before anybody signed in: %v", e)
	}
	s.authorize()
	first, asked := s.token(), len(s.server.Asked())
	s.pass(54 * time.Minute)
	if s.token() != first || len(s.server.Asked()) != asked {
		t.Error("a good token was replaced")
	}
	s.start() // a restart asks nobody either
	if s.token() != first || len(s.server.Asked()) != asked {
		t.Error("a good token was replaced after a restart")
	}
	s.pass(time.Minute)
	second := s.token()
	if second == first {
		t.Error("the token was not replaced five minutes before its end")
	}
	for range 5 { // each time with the newest refresh token: an old one counts no more
		s.pass(time.Hour)
		s.token()
	}
}

// Ten who want a token at once are one question.
func TestTokenSingleFlight(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{Strict: true})
	s.authorize()
	s.pass(time.Hour)
	asked := len(s.server.Asked())
	var all sync.WaitGroup
	got := make([]string, 10)
	for i := range got {
		all.Go(func() {
			token, err := s.access()
			if err != nil {
				t.Error(err)
			}
			got[i] = token
		})
	}
	all.Wait()
	for _, token := range got {
		if token != got[0] || token == "" {
			t.Errorf("%q", got)
		}
	}
	if n := len(s.server.Asked()) - asked; n != 1 {
		t.Errorf("the sign-in server was asked %d times", n)
	}
}

// Killed right after an access token was handed out, the rotated refresh token
// is on the disk: the next process goes on.
func TestRotatedTokenIsSavedBeforeUse(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{Strict: true})
	s.authorize()
	for range 3 {
		s.pass(time.Hour)
		s.token()
		s.start()
	}
	s.pass(time.Hour)
	s.token()
}

// What cannot be saved is not used, and not lost either.
func TestTokenIsNotUsedUnsaved(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{Strict: true})
	s.authorize()
	s.pass(time.Hour)
	writable := s.tokens.store
	readOnly, err := store.OpenReadOnly(t.Context(), filepath.Join(s.dir, DatabaseFile), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	s.tokens.store = readOnly // as a full disk
	asked := len(s.server.Asked())
	for range 3 {
		if token, err := s.access(); !errors.Is(err, store.ErrReadOnly) || token != "" {
			t.Fatalf("used without being saved: %q %v", token, err)
		}
	}
	if n := len(s.server.Asked()) - asked; n != 1 {
		t.Errorf("asked %d times", n)
	}
	s.tokens.store = writable
	s.token()
	s.pass(time.Hour)
	s.token() // the refresh token that waited for the disk counts
}

// A kill between the answer and the disk loses the answer. Where the provider
// lets the old refresh token live beside the new one, nothing is lost; where
// not, a person is asked, and the provider is left in peace.
func TestKilledBetweenRefreshAndSave(t *testing.T) {
	for _, strict := range []bool{false, true} {
		s := newSignIns(t, loopback.OAuthOptions{Strict: strict})
		s.authorize()
		s.pass(time.Hour)
		before, _, err := s.store.Token(t.Context(), s.account.ID)
		if err != nil {
			t.Fatal(err)
		}
		s.token()
		if err := s.store.Write(t.Context(), func(tx *store.Tx) error { return tx.SaveToken(s.account.ID, before) }); err != nil {
			t.Fatal(err)
		}
		s.start()
		if !strict {
			s.token()
			continue
		}
		s.refused("invalid_grant")
		asked := len(s.server.Asked())
		s.start()
		s.pass(24 * time.Hour)
		if e := s.refused("invalid_grant"); !strings.Contains(e.Text, "revoked") || len(s.server.Asked()) != asked {
			t.Errorf("asked again after a refusal: %v", e)
		}
		s.authorize()
		s.token()
	}
}

// A refusal that needs a person is kept, across restarts, until someone signs
// in, someone presses Test, or the settings change.
func TestRefusalStays(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{ClientSecret: "right"})
	s.authorize()
	s.pass(time.Hour)
	s.server.Refuse(400, "invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.")
	s.refused("invalid_grant")
	asked := len(s.server.Asked())
	for range 10 {
		s.pass(time.Hour)
		s.refused("invalid_grant")
		s.start()
	}
	if n := len(s.server.Asked()) - asked; n != 0 {
		t.Errorf("asked %d times more", n)
	}
	s.server.Fault(nil)
	if _, err := s.tokens.access(t.Context(), s.account.ID, s.app, true); err != nil {
		t.Errorf("a person's test: %v", err)
	}
	s.token()

	s.pass(time.Hour)
	s.server.Refuse(401, "invalid_client", "AADSTS7000222: The provided client secret keys are expired.")
	s.refused("invalid_client")
	s.server.Fault(nil)
	s.refused("invalid_client")
	s.account.App.ClientSecret, asked = "another", len(s.server.Asked())
	if s.refused("invalid_client"); len(s.server.Asked()) == asked {
		t.Error("other settings were not tried")
	}
	s.account.App.ClientSecret = "right"
	s.token()
}

// What passes is asked again after a pause, however many want a token.
func TestTemporaryFailure(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{})
	s.authorize()
	s.pass(time.Hour)
	s.server.Fault(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	asked := len(s.server.Asked())
	for range 5 {
		if e := s.refused(""); !e.Temporary {
			t.Fatal(e)
		}
	}
	if n := len(s.server.Asked()) - asked; n != 1 {
		t.Errorf("asked %d times within the pause", n)
	}
	s.server.Fault(nil)
	s.pass(tokenPauseSlow)
	s.token()
}

// An access token that a mail server refuses is replaced once, not each time.
func TestRefusedAccessToken(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{Strict: true})
	s.authorize()
	first := s.token()
	s.tokens.refusedBy(s.account.ID, first)
	second := s.token()
	if second == first {
		t.Fatal("the refused token was given again")
	}
	s.tokens.refusedBy(s.account.ID, first) // said late by another mailbox of the account
	if s.token() != second {
		t.Error("the new token was replaced")
	}
	s.tokens.refusedBy(s.account.ID, second)
	if s.token() != second {
		t.Error("replaced twice within a quarter of an hour")
	}
	s.pass(forcedEvery)
	if s.token() == second {
		t.Error("not replaced after a quarter of an hour")
	}
	s.pass(forcedEvery)
	s.tokens.refusedBy(s.account.ID, s.token())
	s.server.Revoke(true)
	s.refused("invalid_grant") // and not the old access token, which has half an hour left
	s.refused("invalid_grant")
}

// A permission for less than is needed now says so.
func TestMoreScopes(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{})
	s.authorize()
	s.account.App.Scopes = []string{"imap", "pop", "smtp"}
	s.account.Needs = []string{"imap"}
	s.pass(time.Hour)
	s.token() // what was agreed to goes on
	s.account.Needs = []string{"pop"}
	asked := len(s.server.Asked())
	if e := s.refused(connect.OAuthConsentRequired); !errors.Is(e, errMoreScope) || len(s.server.Asked()) != asked {
		t.Error(e)
	}
	s.authorize()
	s.token()
	s.account.App.Scopes, s.account.Needs = []string{"imap"}, []string{"imap"} // less is fine
	s.token()
}

// A computer that starts with a clock behind the time does not hold on to an
// access token that the mail server refuses.
func TestClockPutBack(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{Strict: true})
	s.authorize()
	s.tokens.refusedBy(s.account.ID, s.token())
	was := s.token() // forced now
	s.pass(-forcedEvery / 5)
	s.tokens.refusedBy(s.account.ID, was)
	next := s.token()
	if next == was {
		t.Error("a refused token is given because the last one was replaced in the future")
	}
	s.pass(-24 * time.Hour)
	if s.token() == next {
		t.Error("a token that came tomorrow counts as good")
	}
}

// The app's own permissions need no person, and survive a lost key.
func TestClientCredentials(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{ClientSecret: "secret"})
	s.account.Flow = config.FlowApp
	first := s.token()
	s.start()
	if s.token() != first {
		t.Error("a good token was replaced")
	}
	if err := os.Remove(filepath.Join(s.dir, KeyFile)); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.token()
}

// Who waits for a token does not wait for ever for who asks.
func TestWaitingForATokenEnds(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{})
	s.authorize()
	s.pass(time.Hour)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.server.Fault(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, `{"access_token":"late","expires_in":3600}`)
	})
	first := make(chan error, 1)
	go func() { _, err := s.access(); first <- err }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.tokens.access(ctx, s.account.ID, s.app, false); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Error(err)
	}
}
