package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

const (
	// refreshEarly is how long before its end an access token is replaced.
	refreshEarly = 5 * time.Minute
	// forcedEvery is how often an access token that a mail server refuses is
	// replaced before its end: the fault may not be the token's.
	forcedEvery = 15 * time.Minute
	// unsaidLife is how long an access token is used whose life was not said.
	unsaidLife = 10 * time.Minute
	// Pauses after a failure in which the sign-in server is not asked again,
	// however many mailboxes want to.
	tokenPause     = 30 * time.Second
	tokenPauseSlow = 15 * time.Minute
)

var (
	errNobody    = errors.New("nobody has signed in for this account yet")
	errMoreScope = errors.New("the account was signed in for less than it is used for now")
)

// tokens gives access tokens to whoever signs in with OAuth2. It is the one
// that asks the sign-in servers: once for all who wait, never again after a
// refusal that needs a person, and never with a new refresh token that is not
// on the disk yet.
type tokens struct {
	store *store.Store
	key   *tokenKey
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	sources map[string]*tokenSource // by account
	bad     map[string]string       // by account: the access token that a mail server refused last
	seen    map[string]savedToken   // what the page shows of accounts, without waiting for a sign-in server
}

// tokenSource is what is known of one account. Who has busy may use the rest.
type tokenSource struct {
	busy    chan struct{}
	known   bool // saved was read from the store
	saved   savedToken
	unsaved bool  // saved is newer than the store
	lost    error // why what the store has cannot be read
	pause   time.Time
	failed  error  // why there is a pause
	with    string // hash of the settings that failed; others are tried at once
}

// savedToken is what is kept of an account, sealed.
type savedToken struct {
	Tokens     connect.OAuthTokens
	Scopes     []string // that were asked for when a person signed in
	Authorized time.Time
	Got        time.Time // when the access token came
	Forced     time.Time // when a refused access token was last replaced
	Stopped    *stoppedToken
}

// stoppedToken is a refusal that needs a person.
type stoppedToken struct {
	Server, Code, Text string
	Settings           string // hash of the settings that were refused
	At                 time.Time
}

func newTokens(s *store.Store, dataDir string, now func() time.Time, log *slog.Logger) *tokens {
	return &tokens{store: s, key: &tokenKey{dataDir: dataDir}, now: now, log: log, sources: make(map[string]*tokenSource), bad: make(map[string]string), seen: make(map[string]savedToken)}
}

// lock waits for an account and reads what is saved of it.
func (t *tokens) lock(ctx context.Context, account string) (*tokenSource, error) {
	t.mu.Lock()
	s := t.sources[account]
	if s == nil {
		s = &tokenSource{busy: make(chan struct{}, 1)}
		t.sources[account] = s
	}
	t.mu.Unlock()
	select {
	case s.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := t.read(ctx, account, s); err != nil {
		s.unlock()
		return nil, err
	}
	return s, nil
}

func (s *tokenSource) unlock() { <-s.busy }

// read fetches what the store has of an account, once. What cannot be opened
// any more counts as nothing, with the reason.
func (t *tokens) read(ctx context.Context, account string, s *tokenSource) error {
	if s.known {
		return nil
	}
	sealed, _, err := t.store.Token(ctx, account)
	if errors.Is(err, store.ErrNotFound) {
		s.known = true
		return nil
	}
	if err != nil {
		return err
	}
	plain, err := t.key.open(account, sealed)
	if err == nil && json.Unmarshal(plain, &s.saved) != nil {
		s.saved, err = savedToken{}, errSealed
	}
	switch {
	case lostKey(err):
		t.log.Error("the saved sign-in of an account is lost", "account", account, "error", err)
		s.lost = err
	case err != nil:
		return err
	default:
		t.show(account, s)
	}
	s.known = true
	return nil
}

// save keeps what is known of an account. It is not interrupted: a refresh
// token that was replaced may be the only one that counts.
func (t *tokens) save(ctx context.Context, account string, s *tokenSource) error {
	s.unsaved = true
	plain, err := json.Marshal(&s.saved)
	if err != nil {
		return fmt.Errorf("keeping the sign-in: %w", err)
	}
	sealed, err := t.key.seal(account, plain)
	if err != nil {
		return err
	}
	if err := t.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.SaveToken(account, sealed) }); err != nil {
		return err
	}
	s.unsaved, s.lost = false, nil
	t.show(account, s)
	return nil
}

func (t *tokens) show(account string, s *tokenSource) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen[account] = s.saved
}

// access is a valid access token of an account, whose settings app reads.
// person says that someone waits for it: then what was refused before is tried
// once more.
func (t *tokens) access(ctx context.Context, account string, app func() (OAuthAccount, error), person bool) (string, error) {
	s, err := t.lock(ctx, account)
	if err != nil {
		return "", err
	}
	defer s.unlock()
	if s.unsaved {
		if err := t.save(ctx, account, s); err != nil {
			return "", err
		}
	}
	a, err := app()
	if err != nil {
		return "", err
	}
	if t.distrusted(account, s) {
		s.saved.Forced, s.saved.Tokens.Access = t.now(), ""
	}
	if t.fresh(s) && t.covered(&a, s) {
		return s.saved.Tokens.Access, nil
	}
	if err := t.renew(ctx, &a, s, person); err != nil {
		return "", err
	}
	return s.saved.Tokens.Access, nil
}

// fresh reports whether the access token will be good for a while. One with a
// short life is replaced after half of it.
func (t *tokens) fresh(s *tokenSource) bool {
	saved := &s.saved
	if saved.Tokens.Access == "" {
		return false
	}
	end := saved.Tokens.Expires
	if end.IsZero() {
		end = saved.Got.Add(unsaidLife)
	}
	early := min(refreshEarly, end.Sub(saved.Got)/2)
	now := t.now()
	return now.Before(end.Add(-early)) && !now.Before(saved.Got.Add(-refreshEarly)) // a clock that was put back says nothing
}

// covered reports whether what the person agreed to is all that the server needs
// which the token is for. A mailbox that works goes on while a relay that was
// added to its account waits for somebody to sign in again.
func (t *tokens) covered(a *OAuthAccount, s *tokenSource) bool {
	if a.Flow != config.FlowUser {
		return slices.Equal(s.saved.Scopes, a.App.Scopes)
	}
	for _, scope := range a.Needs {
		if !slices.Contains(s.saved.Scopes, scope) {
			return false
		}
	}
	return true
}

// renew gets a new access token, and saves it with what came along before
// anybody may use it.
func (t *tokens) renew(ctx context.Context, a *OAuthAccount, s *tokenSource, person bool) error {
	if !person {
		if stop := s.saved.Stopped; stop != nil && stop.Settings == a.settings() {
			return stop.err()
		}
		if t.now().Before(s.pause) && s.with == a.settings() {
			return s.failed
		}
	}
	// When we are told to stop, an answer that is on its way is still taken:
	// it may hold the only refresh token that counts.
	asking, cancel := grace(ctx, stopGrace)
	defer cancel()
	got, err := t.ask(asking, a, s)
	if err != nil {
		return t.refused(ctx, a, s, err)
	}
	if got.Users == nil {
		got.Users = s.saved.Tokens.Users
	}
	if got.RefreshExpires.IsZero() && got.Refresh == s.saved.Tokens.Refresh {
		got.RefreshExpires = s.saved.Tokens.RefreshExpires
	}
	s.saved.Tokens, s.saved.Got, s.saved.Stopped = got, t.now(), nil
	if a.Flow != config.FlowUser {
		s.saved.Scopes = a.App.Scopes
	}
	s.pause, s.failed = time.Time{}, nil
	return t.save(ctx, a.ID, s)
}

// ask asks the sign-in server in the way of the account.
func (t *tokens) ask(ctx context.Context, a *OAuthAccount, s *tokenSource) (connect.OAuthTokens, error) {
	app := a.App
	app.Now = t.now
	switch {
	case a.Flow == config.FlowApp:
		return app.ClientCredentials(ctx)
	case a.Flow == config.FlowServiceAccount:
		return app.ServiceAccount(ctx)
	case s.lost != nil:
		return connect.OAuthTokens{}, app.Refused(connect.OAuthKeyLost, s.lost)
	case s.saved.Tokens.Refresh == "":
		return connect.OAuthTokens{}, app.Refused(connect.OAuthConsentRequired, errNobody)
	case !t.covered(a, s):
		return connect.OAuthTokens{}, app.Refused(connect.OAuthConsentRequired, errMoreScope)
	}
	return app.Refresh(ctx, s.saved.Tokens.Refresh)
}

// refused remembers a failure: one that needs a person for good, any other for
// a moment.
func (t *tokens) refused(ctx context.Context, a *OAuthAccount, s *tokenSource, err error) error {
	var e *mail.Error
	if !errors.As(err, &e) || ctx.Err() != nil {
		return err
	}
	d := diagnose.Explain(e, "")
	s.pause, s.failed, s.with = t.now().Add(tokenPause), err, a.settings()
	if d.Retry == diagnose.RetrySlow {
		s.pause = t.now().Add(tokenPauseSlow)
	}
	needsPerson := e.Code != "" && !e.Temporary && (d.Cause == diagnose.Unknown || d.Retry == diagnose.RetryNever)
	if !needsPerson || e.Err != nil { // what we found ourselves needs no asking, and nothing to be kept
		return err
	}
	s.saved.Stopped = &stoppedToken{Server: e.Server, Code: e.Code, Text: e.Text, Settings: a.settings(), At: t.now()}
	if saveErr := t.save(ctx, a.ID, s); saveErr != nil {
		t.log.Error("keeping that an account needs a person", "account", a.ID, "error", saveErr)
	}
	return err
}

// refusedBy is for a mail server that did not accept the access token given:
// the next one asked for is a new one, but not more often than forcedEvery.
func (t *tokens) refusedBy(account, given string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bad[account] = given
}

// distrusted reports whether the access token is one that a mail server refused
// and that is to be replaced now.
func (t *tokens) distrusted(account string, s *tokenSource) bool {
	t.mu.Lock()
	bad := t.bad[account]
	t.mu.Unlock()
	since := t.now().Sub(s.saved.Forced)
	return bad != "" && bad == s.saved.Tokens.Access && (since >= forcedEvery || since < 0) // below 0: the clock was put back
}

// authorized keeps what a person's sign-in brought.
func (t *tokens) authorized(ctx context.Context, a *OAuthAccount, got connect.OAuthTokens) error {
	s, err := t.lock(ctx, a.ID)
	if err != nil {
		return err
	}
	defer s.unlock()
	now := t.now()
	s.saved = savedToken{Tokens: got, Scopes: a.App.Scopes, Authorized: now, Got: now}
	s.pause, s.failed, s.lost = time.Time{}, nil, nil
	return t.save(ctx, a.ID, s)
}

// peek is what is saved of an account, for the page.
func (t *tokens) peek(ctx context.Context, account string) (savedToken, error) {
	t.mu.Lock()
	seen, ok := t.seen[account]
	t.mu.Unlock()
	if ok {
		return seen, nil
	}
	s, err := t.lock(ctx, account)
	if err != nil {
		return savedToken{}, err
	}
	defer s.unlock()
	return s.saved, s.lost
}
