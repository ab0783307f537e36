package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/control"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

// Paths of the control port for OAuth2. The account, with its settings, comes
// from the command: its configuration file may be newer than the daemon's.
const (
	TokenPath     = "/token"     // POST: an access token
	AuthorizePath = "/authorize" // POST: what a person's sign-in brought
)

type tokenRequest struct {
	Account OAuthAccount
	Tokens  *connect.OAuthTokens `json:",omitempty"` // to keep
}

// tokenAnswer has a token or an error.
type tokenAnswer struct {
	Token string           `json:",omitempty"`
	Error *diagnose.Stored `json:",omitempty"`
}

// Tokens is how a command gets and keeps OAuth2 tokens: from the running daemon,
// or, where none runs, from the store, whose lock it then has until Close.
type Tokens struct {
	config *config.Config
	client *control.Client // nil: no daemon runs
	local  *tokens
	close  func() error
}

// OpenTokens finds the daemon that runs for the configuration, or takes its place.
func OpenTokens(ctx context.Context, c *config.Config, log *slog.Logger) (*Tokens, error) {
	client, err := control.Dial(c.DataDir)
	if err == nil {
		return &Tokens{config: c, client: client, close: func() error { return nil }}, nil
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return nil, err
	}
	lock, err := control.AcquireLock(c.DataDir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(c.DataDir, DatabaseFile)
	s, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database: %w", err), lock.Release())
	}
	t := &Tokens{config: c, local: newTokens(s, c.DataDir, time.Now, log)}
	t.close = func() error { return errors.Join(s.Close(), lock.Release()) }
	if err := leaveToOwner(c.DataDir, path); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// Running reports whether a daemon runs.
func (t *Tokens) Running() bool { return t.client != nil }

// Close gives the lock back, where it was taken.
func (t *Tokens) Close() error { return t.close() }

// For is connect.Login.Token for a server of the configuration, nil where it
// signs in by password. A person waits for it: what was refused before is tried
// once more.
func (t *Tokens) For(server *config.Server) func(context.Context) (string, error) {
	if !server.OAuth.Used() {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		a, err := accountOf(t.config, server)
		if err != nil {
			return "", err
		}
		return t.Access(ctx, a)
	}
}

// Access is a valid access token of an account, as For gives it.
func (t *Tokens) Access(ctx context.Context, a OAuthAccount) (string, error) {
	if t.client == nil {
		return t.local.access(ctx, a.ID, func() (OAuthAccount, error) { return a, nil }, true)
	}
	var answer tokenAnswer
	if err := t.client.Call(ctx, http.MethodPost, TokenPath, tokenRequest{Account: a}, &answer); err != nil {
		return "", err
	}
	return answer.Token, answer.err()
}

// Authorized keeps what a person's sign-in brought; a running daemon goes on
// with it at once.
func (t *Tokens) Authorized(ctx context.Context, a OAuthAccount, got connect.OAuthTokens) error {
	if t.client == nil {
		return t.local.authorized(ctx, &a, got)
	}
	var answer tokenAnswer
	if err := t.client.Call(ctx, http.MethodPost, AuthorizePath, tokenRequest{Account: a, Tokens: &got}, &answer); err != nil {
		return err
	}
	return answer.err()
}

// err is the error as the daemon had it. Its class stays readable for mail/diagnose.
func (a tokenAnswer) err() error {
	if a.Error == nil {
		return nil
	}
	e := &mail.Error{
		Protocol: a.Error.Protocol, Server: a.Error.Server, Step: a.Error.Step, Auth: a.Error.Auth,
		Code: a.Error.Code, Enhanced: a.Error.Enhanced, Text: a.Error.Text, Temporary: a.Error.Temporary,
	}
	if a.Error.Err != "" {
		e.Err = errors.New(a.Error.Err)
	}
	return e
}

// tokenHandlers answer TokenPath and AuthorizePath.
func (d *daemon) tokenHandlers(mux *http.ServeMux) {
	handle := func(path string, act func(context.Context, *tokenRequest) (string, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			var in tokenRequest
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Account.ID == "" {
				http.Error(w, "the request cannot be read", http.StatusBadRequest)
				return
			}
			var out tokenAnswer
			var server *mail.Error
			var err error
			if in.Account.App.Roots, err = d.Config.Roots(nil); err == nil {
				out.Token, err = act(r.Context(), &in)
			}
			if errors.As(err, &server) {
				stored := diagnose.Record(server)
				out.Error = &stored
			} else if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			d.answer(w, out)
		})
	}
	handle(TokenPath, func(ctx context.Context, in *tokenRequest) (string, error) {
		return d.tokens.access(ctx, in.Account.ID, func() (OAuthAccount, error) { return in.Account, nil }, true)
	})
	handle(AuthorizePath, func(ctx context.Context, in *tokenRequest) (string, error) {
		if in.Tokens == nil {
			return "", errors.New("there is nothing to keep")
		}
		return "", d.authorized(ctx, &in.Account, *in.Tokens)
	})
}

// authorized keeps what a sign-in brought, and lets the mailboxes and relays of
// the account try at once.
func (d *daemon) authorized(ctx context.Context, a *OAuthAccount, got connect.OAuthTokens) error {
	if err := d.tokens.authorized(ctx, a, got); err != nil {
		return err
	}
	d.Logger.Info("an account was signed in", "account", a.ID)
	return d.tryAgain(ctx, a.ID)
}

// tryAgain ends the pauses of the mailboxes and relays of an account.
func (d *daemon) tryAgain(ctx context.Context, account string) error {
	for _, r := range d.desks {
		for subject, server := range map[string]*config.Server{r.mailbox(): &r.conf.Mailbox.Server, r.relay: &r.conf.Relay.Server} {
			if !server.OAuth.Used() || accountID(server) != account {
				continue
			}
			if err := d.retryNow(ctx, subject); err != nil {
				return err
			}
		}
	}
	return nil
}
