// Package provider knows the mail providers: where their servers are, what
// they demand of a program, and what their users have to switch on first. The
// facts are data (data/*.toml) and carry the month in which they were true.
// Of a provider that it does not know, Discover finds the servers.
package provider

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Provider is one mail service. What All, Named and the others return is
// shared: do not change it.
type Provider struct {
	Slug  string   // as preset = "…" in helpdesk.toml names it
	Name  string   // as people call it
	Hosts []string // host names of its servers: exact, or ".example.com" for all below
	// Domains are the parts after the @ of its own addresses.
	Domains []string
	MX      []string // MX host names of customers' own domains, written as Hosts

	IMAP, POP3, SMTP Endpoint // a zero Endpoint: not offered

	Username string // UserAddress, UserLocal (the part before the @) or UserAccount (a name of its own)
	// UsernameSMTP is the form of the name for sending where it is another; "": the same.
	UsernameSMTP string   `toml:"username_smtp"`
	Auth         string   // "password", "app-password" or "oauth2": what programs must sign in with
	OAuth        *OAuth   `toml:"-"`     // nil: not offered
	AsOf         string   `toml:"as_of"` // month in which the facts were looked up, "2026-11"
	Links        []string // the provider's own pages about it
	En, Ja       Words

	PollPOP3 time.Duration `toml:"poll_pop3"` // the shortest pause between POP3 sessions that it allows; 0: not known
}

// In gives the words in lang, "en" or "ja"; any other is taken as "en".
func (p *Provider) In(lang string) Words {
	if lang == "ja" {
		return p.Ja
	}
	return p.En
}

// User is the name to sign in with at the mailbox of an address; "" where the
// provider gives out names that have nothing to do with it.
func (p *Provider) User(address string) string { return userName(p.Username, address) }

// UserSMTP is User for sending.
func (p *Provider) UserSMTP(address string) string {
	if p.UsernameSMTP != "" {
		return userName(p.UsernameSMTP, address)
	}
	return p.User(address)
}

func userName(form, address string) string {
	switch form {
	case UserAddress:
		return address
	case UserLocal:
		local, _, _ := strings.Cut(address, "@")
		return local
	}
	return ""
}

// NeedsHost says that each customer has another server: a host contains a
// {placeholder}, and Words.Host says what stands there.
func (p *Provider) NeedsHost() bool {
	return p.IMAP.placeholder() != "" || p.POP3.placeholder() != "" || p.SMTP.placeholder() != ""
}

// For returns p with {domain} in its hosts replaced by the domain of address.
func (p Provider) For(address string) Provider {
	domain := address[strings.LastIndexByte(address, '@')+1:]
	for _, e := range []*Endpoint{&p.IMAP, &p.POP3, &p.SMTP} {
		e.Host = strings.ReplaceAll(e.Host, "{domain}", domain)
	}
	return p
}

// WithHost returns p with value in the place of the {placeholder} of its hosts.
// A whole host name is taken too: "sv123.xserver.jp" for "{server}.xserver.jp".
func (p Provider) WithHost(value string) Provider {
	p.IMAP, p.POP3, p.SMTP = p.IMAP.fill(value), p.POP3.fill(value), p.SMTP.fill(value)
	return p
}

// Values of Provider.Username.
const (
	UserAddress = "address"
	UserLocal   = "local"
	UserAccount = "account"
)

// Values of Provider.Auth.
const (
	AuthPassword    = "password"
	AuthAppPassword = "app-password"
	AuthOAuth2      = "oauth2"
)

// Endpoint is a server as a program reaches it.
type Endpoint struct {
	Host     string // may contain one {placeholder}, see Provider.NeedsHost
	Port     int
	Security string // TLS or StartTLS
}

// Values of Endpoint.Security.
const (
	TLS      = "tls"      // from the first byte
	StartTLS = "starttls" // begun in the clear
)

// UnmarshalText reads "imap.example.com:993 tls", as it stands in the data.
func (e *Endpoint) UnmarshalText(text []byte) error {
	address, security, _ := strings.Cut(string(text), " ")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("reading the server %q: %w", text, err)
	}
	if security != TLS && security != StartTLS {
		return fmt.Errorf("reading the server %q: it ends with neither tls nor starttls", text)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("reading the server %q: %w", text, err)
	}
	*e = Endpoint{Host: host, Port: n, Security: security}
	return nil
}

// String is host:port.
func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// placeholder is the name between the braces in Host, with them; "" for none.
func (e Endpoint) placeholder() string {
	begin := strings.IndexByte(e.Host, '{')
	if begin < 0 {
		return ""
	}
	return e.Host[begin : begin+strings.IndexByte(e.Host[begin:], '}')+1]
}

// covers says whether host is one of those that "{server}.example.com" stands for.
func (e Endpoint) covers(host string) bool {
	after, ok := strings.CutPrefix(e.Host, e.placeholder())
	return ok && strings.HasPrefix(after, ".") && strings.HasSuffix(host, after) && len(host) > len(after)
}

func (e Endpoint) fill(value string) Endpoint {
	hole := e.placeholder()
	if hole == "" {
		return e
	}
	before, after, _ := strings.Cut(e.Host, hole)
	value = strings.ToLower(strings.TrimSpace(value))
	value = strings.TrimSuffix(strings.TrimPrefix(value, before), after)
	e.Host = before + value + after
	return e
}

// OAuth are the endpoints of its authorization server (RFC 6749, RFC 8628).
// "{tenant}" in a URL stands for the tenant.
type OAuth struct {
	Name        string   // as provider = "…" in [desk.mailbox.oauth] names it
	AuthURL     string   `toml:"auth_url"`
	TokenURL    string   `toml:"token_url"`
	DeviceURL   string   `toml:"device_url"` // "": no device flow for mail
	Tenant      string   `toml:"tenant"`     // stands for {tenant} where none is configured
	IMAPScopes  []string `toml:"imap_scopes"`
	POP3Scopes  []string `toml:"pop3_scopes"`
	SMTPScopes  []string `toml:"smtp_scopes"`
	ExtraScopes []string `toml:"extra_scopes"` // as offline_access
	AppScopes   []string `toml:"app_scopes"`   // for client credentials; empty: not offered
}

// Words are what a person has to do or know, in one language.
type Words struct {
	Host   string   // what stands in the {placeholder} of its hosts; "" where there is none
	Before []string // steps before the first sign-in, in order
	Notes  []string // what else to know
}
