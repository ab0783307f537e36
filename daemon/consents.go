package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/ui"
)

const (
	consentLife = 10 * time.Minute // to sign in at the provider
	resultLife  = time.Hour        // to read how it went
	maxConsents = 100              // under way at once; the oldest go first

	consentGrace = 20 * time.Second // for the provider's answer when the browser has gone
)

// consents are the sign-ins at providers that people have begun on the page.
type consents struct {
	daemon *daemon

	mu  sync.Mutex
	all map[string]*consent // by ID
}

// consent is one of them. Who has busy may use the rest.
type consent struct {
	session string // who began it, and nobody else may go on with it
	origin  string // of the page that it was begun on
	state   string // of a browser's answer
	ends    time.Time

	busy    sync.Mutex
	account OAuthAccount
	way     string
	browser connect.Consent
	device  connect.DeviceCode
	next    time.Time // when the sign-in server may be asked again
	over    bool
	result  ui.SignIn
}

func newConsents(d *daemon) *consents { return &consents{daemon: d, all: make(map[string]*consent)} }

// pages is what the page needs to sign people in.
func (c *consents) pages() *ui.Authorizer {
	return &ui.Authorizer{Account: c.account, Begin: c.begin, Progress: c.progress, Finish: c.finish, Paste: c.paste, Origin: c.origin}
}

// named is an account of the configuration.
func (c *consents) named(name string) (OAuthAccount, error) {
	a, err := OAuthAccountNamed(c.daemon.Config, name)
	if errors.Is(err, ErrNoOAuth) || errors.Is(err, ErrNoDesk) {
		err = ui.ErrNoAccount
	}
	a.App.Now = c.daemon.Now
	return a, err
}

// account describes an account of the configuration.
func (c *consents) account(ctx context.Context, name string) (ui.Account, error) {
	a, err := c.named(name)
	if err != nil {
		return ui.Account{}, err
	}
	saved, err := c.daemon.tokens.peek(ctx, a.ID)
	if err != nil && !lostKey(err) {
		return ui.Account{}, err
	}
	out := ui.Account{Name: a.Name, User: a.User, Provider: a.ProviderName(), Since: saved.Authorized, Ways: a.Ways()}
	if stop := saved.Stopped; stop != nil && stop.Settings == a.settings() {
		out.Trouble = stop.err()
	} else if err != nil {
		out.Trouble = a.App.Refused(connect.OAuthKeyLost, err)
	}
	return out, nil
}

// begin begins a sign-in; way is one of the ui.Way constants. origin is where
// the page was reached when that was on this machine, as
// "http://127.0.0.1:8025": the provider's answer comes there. Without it the
// answer's address has to be pasted.
func (c *consents) begin(ctx context.Context, session, name, way, origin string) (id string, err error) {
	a, err := c.named(name)
	if err != nil {
		return "", err
	}
	one := &consent{session: session, origin: origin, account: a, way: way, ends: c.daemon.Now().Add(consentLife)}
	one.result = ui.SignIn{Account: a.Name, User: a.User, Provider: a.ProviderName(), Way: way}
	switch way {
	case ui.WayDevice:
		if one.device, err = a.App.Device(ctx); err != nil {
			return "", err
		}
		one.ends, one.next = one.device.Expires, c.daemon.Now().Add(one.device.Interval)
		one.result.Link, one.result.Code = one.device.Link, one.device.UserCode
	case ui.WayBrowser:
		if one.browser, err = a.App.Consent(a.Redirect(origin), a.User); err != nil {
			return "", err
		}
		one.state = one.browser.State
		one.result.Link, one.result.Paste = one.browser.Link, origin == ""
	default:
		return "", errors.New("there is no such way to sign in")
	}
	one.result.Expires = one.ends
	id = rand.Text()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep()
	c.all[id] = one
	return id, nil
}

// sweep forgets what is over, and the oldest where there are too many.
func (c *consents) sweep() {
	oldest := ""
	for id, one := range c.all {
		if c.daemon.Now().Sub(one.ends) > resultLife {
			delete(c.all, id)
		} else if oldest == "" || one.ends.Before(c.all[oldest].ends) {
			oldest = id
		}
	}
	if len(c.all) >= maxConsents {
		delete(c.all, oldest)
	}
}

// progress is how a sign-in goes. A device code is asked about as often as the
// provider allows.
func (c *consents) progress(ctx context.Context, session, id string) (ui.SignIn, error) {
	c.mu.Lock()
	one := c.all[id]
	c.mu.Unlock()
	if one == nil || one.session != session {
		return ui.SignIn{}, ui.ErrNoSignIn
	}
	one.busy.Lock()
	defer one.busy.Unlock()
	now := c.daemon.Now()
	switch {
	case one.over:
	case !now.Before(one.ends):
		return ui.SignIn{}, ui.ErrNoSignIn // nobody signed in in time: no fault of a server
	case one.way == ui.WayDevice && !now.Before(one.next):
		// The answer may hold the only tokens that this code ever gives: it is
		// taken also when the person reloads or closes the page meanwhile.
		asking, cancel := grace(ctx, consentGrace)
		defer cancel()
		got, err := one.account.App.Poll(asking, &one.device)
		one.next = now.Add(one.device.Interval)
		var e *mail.Error
		if errors.As(err, &e) && (e.Code == connect.OAuthPending || e.Temporary) || asking.Err() != nil {
			break
		}
		c.end(asking, one, got, err)
	}
	return one.result, nil
}

// finish takes the answer of a browser, each once.
func (c *consents) finish(ctx context.Context, session string, answer url.Values) (id string, err error) {
	one, id := c.byState(answer.Get("state"))
	if one == nil || one.session != session {
		return "", ui.ErrNoSignIn
	}
	one.busy.Lock()
	defer one.busy.Unlock()
	if one.over || !c.daemon.Now().Before(one.ends) {
		return "", ui.ErrNoSignIn
	}
	asking, cancel := grace(ctx, consentGrace) // a code counts once, whether the browser waits or not
	defer cancel()
	got, err := one.account.App.Exchange(asking, one.browser, answer)
	c.end(asking, one, got, err)
	return id, nil
}

// paste is finish for the address that a person copied from the browser.
func (c *consents) paste(ctx context.Context, session, address string) (id string, err error) {
	answer, err := connect.Pasted(address)
	if err != nil {
		return "", err
	}
	return c.finish(ctx, session, answer)
}

// end keeps what a sign-in brought, or why it brought nothing.
func (c *consents) end(ctx context.Context, one *consent, got connect.OAuthTokens, err error) {
	one.over = true
	if err == nil {
		err = c.daemon.authorized(ctx, &one.account, got)
	}
	one.result.Done = err == nil
	one.result.Failure = err
	if same, known := got.SignedIn(one.account.User); err == nil && known && !same {
		one.result.Other = got.Users[0]
	}
	if err != nil {
		c.daemon.Logger.Warn("signing in an account failed", "account", one.account.ID, "error", err)
	}
}

func (c *consents) byState(state string) (*consent, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, one := range c.all {
		if state != "" && one.state == state {
			return one, id
		}
	}
	return nil, ""
}

// origin is where the page was reached on which the sign-in of a state was
// begun; the provider may send the answer to another name of this machine.
func (c *consents) origin(state string) string {
	if one, _ := c.byState(state); one != nil {
		return one.origin
	}
	return ""
}

// err is the refusal again.
func (s *stoppedToken) err() *mail.Error {
	return &mail.Error{Protocol: "oauth", Server: s.Server, Step: mail.StepToken, Auth: "oauth2", Code: s.Code, Text: s.Text}
}

// Ways are the ways in which a person can sign in to the account, best first;
// none where no person has to.
func (a *OAuthAccount) Ways() []string {
	var ways []string
	if a.Flow != config.FlowUser {
		return nil
	}
	if a.App.DeviceURL != "" {
		ways = append(ways, ui.WayDevice)
	}
	if a.App.AuthURL != "" {
		ways = append(ways, ui.WayBrowser)
	}
	return ways
}

// Redirect is the address of this machine that the provider's answer goes to.
// origin is where it is awaited, "" where nobody awaits it and the address is
// copied from the browser. There is no path: Microsoft compares it with the
// registered "http://localhost", whose port alone may differ, and knows no
// "http://127.0.0.1".
func (a *OAuthAccount) Redirect(origin string) string {
	host, port := "127.0.0.1", ""
	if u, err := url.Parse(origin); err == nil && origin != "" {
		host, port = u.Hostname(), u.Port()
	}
	if a.Provider == config.Microsoft {
		host = "localhost"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return "http://" + host
}

// ProviderName is what people call the provider.
func (a *OAuthAccount) ProviderName() string { return providerName(a.Provider) }

func providerName(provider string) string {
	switch provider {
	case config.Microsoft:
		return "Microsoft"
	case config.Google:
		return "Google"
	}
	return provider
}
