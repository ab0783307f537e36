package daemon

import (
	"context"
	"errors"

	"helpdesk/daemon/config"
	"helpdesk/mail/connect"
)

var errNoTokens = errors.New("there is nobody here to give access tokens")

// person marks the context of a test that a person waits for.
type person struct{}

// byPerson makes log-ins below ctx ask the sign-in server also after a refusal
// that needs a person: here is one, who may have mended it there.
func byPerson(ctx context.Context) context.Context { return context.WithValue(ctx, person{}, true) }

// byToken makes a log-in to a server of the configuration one with OAuth2;
// where the server signs in by password it changes nothing.
func (d *daemon) byToken(l *connect.Login, server *config.Server) {
	if !server.OAuth.Used() {
		return
	}
	if d.tokens == nil {
		l.Token = func(context.Context) (string, error) { return "", errNoTokens }
		if d.tokensFor != nil {
			l.Token = d.tokensFor(server)
		}
		return
	}
	account, given := accountID(server), ""
	app := func() (OAuthAccount, error) { return accountOf(d.Config, server) }
	l.Token = func(ctx context.Context) (_ string, err error) {
		given, err = d.tokens.access(ctx, account, app, ctx.Value(person{}) != nil)
		return given, err
	}
	l.Refused = func() { d.tokens.refusedBy(account, given) }
}
