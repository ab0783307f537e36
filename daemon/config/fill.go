package config

import (
	"path/filepath"
	"slices"
	"time"

	"helpdesk/mail/provider"
)

// Fill sets what follows from other keys and is not set: what a preset says,
// ports by security, languages and relays of desks. Load has done it; it is
// for a Config made in code.
func (c *Config) Fill() { c.fill(func(string) bool { return false }) }

func (c *Config) fill(set func(key string) bool) {
	for i := range c.Trust {
		if tidy, ok := fingerprint(c.Trust[i].Fingerprint); ok {
			c.Trust[i].Fingerprint = tidy
		}
	}
	if c.observesOnly() && c.Relay.Host == "" && c.Relay.Preset == "" && !set("relay.enabled") {
		c.Relay.Enabled = false // nothing is sent anyway
	}
	c.Relay.complete("smtp", below(set, "relay"))
	for i := range c.Desks {
		d := &c.Desks[i]
		if len(d.RequestTypes) == 1 && d.Mailbox.RequestType == standardType && !set(deskKey(i, "mailbox.request_type")) {
			d.Mailbox.RequestType = d.RequestTypes[0].Name
		}
		if d.Language == "" && !set(deskKey(i, "language")) {
			d.Language = c.Language
		}
		d.Mailbox.complete(below(set, deskKey(i, "mailbox")))
		own := below(set, deskKey(i, "relay"))
		switch {
		case !d.OwnRelay:
			d.Relay = c.Relay
		case own("host") || own("preset"):
			d.Relay.inherit(&c.Relay, own)
			d.Relay.complete("smtp", own)
		default: // its server is filled in already; the preset has no say in what is left out here
			d.Relay.inherit(&c.Relay, own)
			d.Relay.complete("smtp", func(key string) bool { return own(key) || key == "host" || key == "security" })
		}
	}
	for _, s := range c.servers() {
		for _, k := range c.Keys {
			if k.Name == s.ClientKey && k.Name != "" {
				s.keyFile = k.File
			}
		}
	}
	for i := range c.Desks {
		if d := &c.Desks[i]; !d.OwnRelay {
			d.Relay.keyFile = c.Relay.keyFile
		}
	}
}

// observesOnly says that no desk sends anything.
func (c *Config) observesOnly() bool {
	return len(c.Desks) > 0 && !slices.ContainsFunc(c.Desks, func(d Desk) bool { return d.Mode != ModeObserve })
}

// below asks set for the keys of one table.
func below(set func(string) bool, table string) func(string) bool {
	return func(key string) bool { return set(join(table, key)) }
}

// complete fills in what the preset says, the usual port, and the sign-in.
func (s *Server) complete(protocol string, set func(key string) bool) {
	if p, ok := provider.Named(s.Preset); ok {
		e := endpoint(&p, protocol)
		if s.Host == "" && !set("host") && !p.NeedsHost() {
			s.Host = e.Host
		}
		if !set("security") && e.Security != "" {
			s.Security = e.Security
		}
		if s.Port == 0 && !set("port") && s.Security == e.Security {
			s.Port = e.Port
		}
	}
	if s.Port == 0 && !set("port") {
		s.Port = usualPort(protocol, s.Security)
	}
	s.OAuth.fill(protocol, s)
}

// Defaults of a POP3 mailbox, where they differ from those of IMAP. Nothing
// can be marked or moved there, and many servers allow few sessions.
const pollPOP3 = Duration(5 * time.Minute)

// complete is for the mailbox: beside what its server has, what is otherwise with POP3.
func (m *Mailbox) complete(set func(key string) bool) {
	m.Server.complete(m.Protocol, set)
	if m.Protocol != POP3 {
		return
	}
	standard := DefaultDesk().Mailbox
	if m.After == standard.After && !set("after") {
		m.After = AfterKeep
	}
	if m.Poll == standard.Poll && !set("poll") {
		m.Poll = pollPOP3
		if p, ok := m.known(); ok {
			m.Poll = max(m.Poll, Duration(p.PollPOP3))
		}
	}
}

// known is the provider of the server, by preset or else by host name.
func (s *Server) known() (provider.Provider, bool) {
	if s.Preset != "" {
		return provider.Named(s.Preset)
	}
	return provider.ByHost(s.Host)
}

// Provider is the slug of the provider (see mail/provider) whose server this
// is, by preset or else by host name; "" for one that is not known.
func (s *Server) Provider() string {
	p, _ := s.known()
	return p.Slug
}

// endpoint is the provider's server for protocol; zero when it offers none.
func endpoint(p *provider.Provider, protocol string) provider.Endpoint {
	switch protocol {
	case IMAP:
		return p.IMAP
	case POP3:
		return p.POP3
	case "smtp":
		return p.SMTP
	}
	return provider.Endpoint{}
}

// usualPort is the port that goes with protocol and security: RFC 8314 for
// implicit TLS, RFC 9051 for IMAP, RFC 1939 for POP3, RFC 6409 for mail
// submission; a relay without encryption is one of the house, on port 25.
func usualPort(protocol, security string) int {
	ports := [3]int{993, 143, 143} // of IMAP, and of what is no protocol: that is a fault of its own
	switch protocol {
	case POP3:
		ports = [3]int{995, 110, 110}
	case "smtp":
		ports = [3]int{465, 25, 587}
	}
	switch security {
	case TLS:
		return ports[0]
	case Plain:
		return ports[1]
	}
	return ports[2]
}

// inherit completes a [desk.relay] from [relay]. With a host or preset of its
// own it is another server: then nothing that belongs to the server is taken
// over, so that no password goes to a host it was not written for.
func (r *Relay) inherit(from *Relay, set func(key string) bool) {
	if !set("host") && !set("preset") {
		own := r.Server
		r.Server = from.Server
		if set("port") || set("security") {
			r.Port = own.Port
		}
		keep(set, "security", &r.Security, own.Security)
		keep(set, "allow_plaintext", &r.AllowPlaintext, own.AllowPlaintext)
		keep(set, "auth", &r.Auth, own.Auth)
		keep(set, "trust", &r.Trust, own.Trust)
		keep(set, "client_key", &r.ClientKey, own.ClientKey)
		keep(set, "proxy", &r.Proxy, own.Proxy)
		r.inheritSignIn(&own, set)
		if !set("anonymous") {
			r.Anonymous = from.Anonymous
		}
	}
	inherit(set, "enabled", &r.Enabled, from.Enabled)
	inherit(set, "helo", &r.Helo, from.Helo)
	inherit(set, "from", &r.From, from.From)
	inherit(set, "reply_to", &r.ReplyTo, from.ReplyTo)
	inherit(set, "max_per_minute", &r.MaxPerMinute, from.MaxPerMinute)
}

// inheritSignIn: who has another user name has another password, but the
// application that is registered for OAuth2 can be the same; who has a way of
// signing in of their own has none of the other's.
func (r *Relay) inheritSignIn(own *Server, set func(key string) bool) {
	password := set("password") || set("password_file") || set("password_env")
	if password || set("username") || set("oauth") {
		r.Password, r.PasswordFile, r.PasswordEnv = own.Password, own.PasswordFile, own.PasswordEnv
	}
	if password || set("oauth") {
		r.OAuth = own.OAuth
	}
	keep(set, "username", &r.Username, own.Username)
}

func keep[T any](set func(string) bool, key string, to *T, own T) {
	if set(key) {
		*to = own
	}
}

func inherit[T any](set func(string) bool, key string, to *T, from T) {
	if !set(key) {
		*to = from
	}
}

// absolute makes paths independent of the working directory: they are
// relative to the configuration file. A Windows service starts in System32.
func (c *Config) absolute(dir string) {
	paths := []*string{&c.DataDir}
	for i := range c.Trust {
		paths = append(paths, &c.Trust[i].File)
	}
	for i := range c.Keys {
		paths = append(paths, &c.Keys[i].File, &c.Keys[i].PasswordFile)
	}
	servers := []*Server{&c.Relay.Server}
	for i := range c.Desks {
		servers = append(servers, &c.Desks[i].Relay.Server, &c.Desks[i].Mailbox.Server)
		paths = append(paths, &c.Desks[i].Notify.Templates)
	}
	for _, s := range servers {
		paths = append(paths, &s.PasswordFile, &s.OAuth.ClientSecretFile, &s.OAuth.ServiceAccountFile, &s.keyFile)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// readEnv keeps the passwords and secrets that are in the environment.
func (c *Config) readEnv(env Env) {
	if env == nil {
		return
	}
	for _, s := range c.servers() {
		if s.PasswordEnv != "" {
			value, _ := env(s.PasswordEnv)
			s.FromEnv = Secret(value)
		}
		if s.OAuth.ClientSecretEnv != "" {
			value, _ := env(s.OAuth.ClientSecretEnv)
			s.OAuth.SecretFromEnv = Secret(value)
		}
	}
	for i := range c.Desks {
		if d := &c.Desks[i]; !d.OwnRelay {
			d.Relay.FromEnv, d.Relay.OAuth.SecretFromEnv = c.Relay.FromEnv, c.Relay.OAuth.SecretFromEnv
		}
	}
}
