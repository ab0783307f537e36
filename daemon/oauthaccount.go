package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	"helpdesk/daemon/config"
	"helpdesk/mail/connect"
)

// OAuthAccount is one OAuth2 sign-in. Mailbox and relay of one user share it:
// one permission, for what both need.
type OAuthAccount struct {
	ID       string   // provider, client, tenant and user; the name in the store
	Name     string   // as `helpdesk authorize` takes it: "SUP", "relay", "SUP.relay"
	User     string   // the user name of the mailbox
	Provider string   // "microsoft", "google", another one of mail/provider, or the host of the token endpoint
	Flow     string   // one of the config.Flow constants
	Needs    []string // scopes that the server needs by which the account was asked for; App has those of all of them
	App      connect.OAuthApp
}

// place is a server of the configuration and what `helpdesk authorize` calls it.
type place struct {
	name   string
	server *config.Server
}

// places lists the servers that are signed in to, mailboxes first.
func places(c *config.Config) []place {
	var all []place
	for i := range c.Desks {
		d := &c.Desks[i]
		all = append(all, place{d.Key, &d.Mailbox.Server})
	}
	if c.Relay.Enabled && !c.Relay.Anonymous {
		all = append(all, place{"relay", &c.Relay.Server})
	}
	for i := range c.Desks {
		if d := &c.Desks[i]; d.OwnRelay && d.Relay.Enabled && !d.Relay.Anonymous {
			all = append(all, place{d.Key + ".relay", &d.Relay.Server})
		}
	}
	return slices.DeleteFunc(all, func(p place) bool { return !p.server.OAuth.Used() })
}

// ErrNoOAuth says that a mailbox or relay signs in by password.
var ErrNoOAuth = errors.New("it has no [oauth] table: it signs in by password, and there is nothing to authorize")

// ErrNoDesk says that a name is none of the configuration's.
var ErrNoDesk = errors.New("there is no such desk in the configuration (write its key, as SUP, or relay)")

// OAuthAccountNamed is the account of a mailbox or relay. name is the key, name
// or address of a desk (its mailbox, or where only its relay uses OAuth2,
// that), "relay", or "DESK.relay" for the relay that the desk uses.
func OAuthAccountNamed(c *config.Config, name string) (OAuthAccount, error) {
	if strings.EqualFold(name, "relay") {
		return firstAccount(c, name, "relay")
	}
	wanted, relayOnly := strings.CutSuffix(name, ".relay")
	for i := range c.Desks {
		d := &c.Desks[i]
		if !strings.EqualFold(wanted, d.Key) && !strings.EqualFold(wanted, d.Name) && !strings.EqualFold(wanted, d.Address) {
			continue
		}
		relay := "relay"
		if d.OwnRelay {
			relay = d.Key + ".relay"
		}
		if relayOnly {
			return firstAccount(c, name, relay)
		}
		return firstAccount(c, name, d.Key, relay)
	}
	return OAuthAccount{}, fmt.Errorf("%s: %w", name, ErrNoDesk)
}

// firstAccount is the account of the first of these places that has one.
func firstAccount(c *config.Config, name string, wanted ...string) (OAuthAccount, error) {
	all := places(c)
	for _, w := range wanted {
		if i := slices.IndexFunc(all, func(p place) bool { return p.name == w }); i >= 0 {
			return accountOf(c, all[i].server)
		}
	}
	return OAuthAccount{}, fmt.Errorf("%s: %w", name, ErrNoOAuth)
}

// accountID names the account of a server.
func accountID(s *config.Server) string {
	o := &s.OAuth
	parts := []string{providerOf(o), o.ClientID, strings.ToLower(o.Tenant), strings.ToLower(s.Username)}
	if o.Flow != config.FlowUser {
		parts = append(parts, o.Flow) // a permission of another kind
	}
	for i, p := range parts {
		parts[i] = url.QueryEscape(p)
	}
	return strings.Join(parts, " ")
}

func providerOf(o *config.OAuth) string {
	if u, err := url.Parse(o.TokenURL); o.Provider == "" && err == nil {
		return u.Host
	}
	return o.Provider
}

// accountOf reads the account of a server, its secret and key files included:
// a changed file counts from then on. The error is a *config.Fault where a file
// cannot be read.
func accountOf(c *config.Config, s *config.Server) (OAuthAccount, error) {
	o := &s.OAuth
	a := OAuthAccount{ID: accountID(s), User: s.Username, Provider: providerOf(o), Flow: o.Flow, Needs: o.Scopes}
	secret, err := o.ResolveSecret()
	if err != nil {
		return a, err
	}
	// Of the server's own `trust` nothing is taken: it may name the mail
	// server's certificate alone, and the sign-in server has another.
	roots, err := c.Roots(nil)
	if err != nil {
		return a, err
	}
	a.App = connect.OAuthApp{
		ClientID: o.ClientID, ClientSecret: secret, AuthURL: o.AuthURL, TokenURL: o.TokenURL, DeviceURL: o.DeviceURL,
		Subject: s.Username, Proxy: string(s.Proxy), Roots: roots,
	}
	for _, p := range places(c) {
		if accountID(p.server) != a.ID {
			continue
		}
		if a.Name == "" {
			a.Name = p.name
		}
		a.App.Scopes = append(a.App.Scopes, p.server.OAuth.Scopes...)
	}
	switch {
	case o.Flow == config.FlowServiceAccount:
		if a.App.ServiceAccountKey, err = readKeyFile(o.ServiceAccountFile); err != nil {
			return a, err
		}
	case o.Flow == config.FlowUser && o.Provider == config.Microsoft:
		// Who signed in, to be compared with the mailbox. Microsoft's own
		// libraries ask for these two always.
		a.App.Scopes = append(a.App.Scopes, "openid", "profile")
	case o.Flow == config.FlowUser && o.Provider == config.Google:
		a.App.Scopes = append(a.App.Scopes, "openid", "email")
	}
	slices.Sort(a.App.Scopes)
	a.App.Scopes = slices.Compact(a.App.Scopes)
	return a, nil
}

// maxKeyFile bounds a service account's key file, in bytes; they have 2.4 kB.
const maxKeyFile = 64 << 10

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading service_account_file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("reading service_account_file: %w", err)
	}
	return b, nil
}

// settings is a hash of all that the provider judges: what was refused for good
// is asked for again when it changes.
func (a *OAuthAccount) settings() string {
	h := sha256.New()
	for _, text := range append([]string{a.App.ClientID, a.App.ClientSecret, a.App.TokenURL, string(a.App.ServiceAccountKey)}, a.App.Scopes...) {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
