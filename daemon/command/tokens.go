package command

import (
	"context"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
)

// heldTokens gives access tokens to a command's tests. The daemon is asked, or
// its place taken, only when a server wants one: most sign in by password.
type heldTokens struct {
	e      *env
	config *config.Config
	tokens *daemon.Tokens
}

// of is daemon.TrialOptions.Token.
func (h *heldTokens) of(server *config.Server) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if h.tokens == nil {
			var err error
			if h.tokens, err = daemon.OpenTokens(ctx, h.config, h.e.logger()); err != nil {
				return "", err
			}
		}
		return h.tokens.For(server)(ctx)
	}
}

// close gives the daemon's place back, where it was taken.
func (h *heldTokens) close() error {
	if h.tokens == nil {
		return nil
	}
	return h.tokens.Close()
}
