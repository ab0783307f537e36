package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"helpdesk/mail"
)

// passwordAuth and tokenAuth are the values of Server.Auth beside auto: ways of
// signing in with a password, and with a token of OAuth2.
func passwordAuth() []string { return []string{"plain", "login", "cram-md5", "scram-sha-256"} }
func tokenAuth() []string    { return []string{"xoauth2", "oauthbearer"} }

// server checks what mailbox and relay have in common. protocol is imap, pop3 or smtp.
func (v *validator) server(key, protocol string, s *Server, login bool) {
	if v.preset(key, protocol, s) && v.required(key+".host", s.Host) {
		v.host(key, s)
	}
	if s.Port < 1 || s.Port > 65535 {
		v.fault(key+".port", fmt.Sprint(s.Port), "bad-port")
	}
	v.oneOf(key+".security", s.Security, TLS, StartTLS, Plain)
	if s.Security == Plain && !s.AllowPlaintext && s.Host != "" && !loopback(s.Host) {
		v.fault(key+".security", s.Security, "plaintext")
	}
	v.portFits(key, protocol, s)
	v.oneOf(key+".auth", s.Auth, slices.Concat([]string{"auto"}, passwordAuth(), tokenAuth())...)
	for i, name := range s.Trust {
		if !v.trustNamed(name) {
			v.fault(index(key+".trust", i+1), name, "trust-unknown")
		}
	}
	v.clientKey(key+".client_key", s.ClientKey)
	v.proxy(key+".proxy", string(s.Proxy))
	if login {
		v.login(key, s)
		v.oauth(key, s)
		v.signIn(key, s)
	}
}

// clientKey checks the name; that the file can be read is told at [[key]].
func (v *validator) clientKey(key, name string) {
	if name == "" {
		return
	}
	i := slices.IndexFunc(v.c.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		v.fault(key, name, "client-key-unknown")
		return
	}
	if h, err := v.c.Keys[i].read(); err == nil && len(h.pairs) == 0 {
		v.fault(key, name, "key-none", "file", v.c.Keys[i].File)
	}
}

// proxy checks the address. It is not shown: it may hold a password.
func (v *validator) proxy(key, proxy string) {
	if proxy == "" || proxy == "none" {
		return
	}
	u, err := url.Parse(proxy)
	if err != nil || !slices.Contains([]string{"socks5", "socks5h", "http"}, u.Scheme) || u.Hostname() == "" || u.Port() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		v.fault(key, "", "bad-proxy")
	}
}

// host tells a host name from an address that was copied with more around it.
func (v *validator) host(key string, s *Server) {
	_, err := netip.ParseAddr(s.Host)
	name, port, found := strings.Cut(s.Host, ":")
	switch {
	case err == nil: // an IP address
	case found && allDigits(port) && name != "":
		v.fault(key+".host", s.Host, "host-port", "host", name, "port", port)
	case strings.ContainsAny(s.Host, " \t/@:[]\\,;") || strings.Contains(s.Host, "　"):
		v.fault(key+".host", s.Host, "bad-host")
	}
}

func (v *validator) trustNamed(name string) bool {
	return slices.ContainsFunc(v.c.Trust, func(t Trust) bool { return t.Name == name }) ||
		slices.ContainsFunc(v.c.Keys, func(k Key) bool { return k.Name == name })
}

// login checks user name and password: exactly one source, and one that works.
func (v *validator) login(key string, s *Server) {
	if s.Username == "" {
		code := "missing-username"
		if strings.HasSuffix(key, "mailbox") {
			code = "missing"
		}
		v.fault(key+".username", "", code)
	}
	sources := 0
	for _, set := range []bool{s.Password != "", s.PasswordFile != "", s.PasswordEnv != ""} {
		if set {
			sources++
		}
	}
	switch {
	case s.OAuth.Used() && sources > 0:
		at := ".password_env"
		if s.Password != "" {
			at = ".password"
		} else if s.PasswordFile != "" {
			at = ".password_file"
		}
		v.fault(key+at, "", "oauth-and-password", "table", plain(key)+".oauth")
	case s.OAuth.Used():
		if slices.Contains(passwordAuth(), s.Auth) {
			v.fault(key+".auth", s.Auth, "auth-not-oauth", "table", plain(key)+".oauth")
		}
	case slices.Contains(tokenAuth(), s.Auth):
		v.fault(key+".auth", s.Auth, "auth-needs-oauth", "table", plain(key)+".oauth")
	case sources == 0:
		v.fault(key+".password", "", "missing-password")
	case sources == 1:
		if _, err := s.ResolvePassword(); err != nil {
			v.nested(key, err)
		}
	default:
		v.fault(key+".password", "", "two-passwords")
	}
}

// nested adds the fault of a part, whose key is counted from the table at key.
func (v *validator) nested(key string, err error) {
	f := asFault(err)
	located := newFault(join(key, f.Key), f.Value, f.Code)
	located.Args = f.Args
	v.faults = append(v.faults, located)
}

// addresses finds what two desks claim: keys, addresses and aliases. The
// later desk is the one at fault, so that the earlier one goes on.
func (v *validator) addresses() {
	type claim struct {
		desk    int
		written string
	}
	keys, owners := map[string]string{}, map[string]claim{}
	for i := range v.c.Desks {
		d := &v.c.Desks[i]
		if first, taken := keys[d.Key]; taken {
			v.fault(deskKey(i, "key"), d.Key, "key-taken", "first", first, "second", nameOf(d))
		} else if d.Key != "" {
			keys[d.Key] = nameOf(d)
		}
		own := map[string]bool{}
		for j, a := range append([]string{d.Address}, d.Aliases...) {
			key, k := deskKey(i, "address"), addressKey(a)
			if j > 0 {
				key = index(deskKey(i, "aliases"), j)
			}
			first, taken := owners[mail.Address{Address: a}.GmailKey()]
			switch {
			case k == "":
			case own[k]:
				v.fault(key, a, "address-repeated")
			case !taken:
				owners[mail.Address{Address: a}.GmailKey()] = claim{i, a}
			case first.desk == i: // another spelling of its own
			case addressKey(first.written) == k:
				v.fault(key, a, "address-taken", "first", nameOf(&v.c.Desks[first.desk]), "second", nameOf(d))
			default:
				v.fault(key, a, "address-same", "first", nameOf(&v.c.Desks[first.desk]), "second", nameOf(d), "other", first.written)
			}
			own[k] = true
		}
	}
}

// loopback says whether host names this machine without asking a name server.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// servers lists every server that the file describes, with key and desk.
func (c *Config) servers() []serverAt {
	all := []serverAt{{"relay", 0, &c.Relay.Server}}
	for i := range c.Desks {
		d := &c.Desks[i]
		all = append(all, serverAt{deskKey(i, "mailbox"), i + 1, &d.Mailbox.Server})
		if d.OwnRelay {
			all = append(all, serverAt{deskKey(i, "relay"), i + 1, &d.Relay.Server})
		}
	}
	return all
}

type serverAt struct {
	key  string
	desk int
	*Server
}
