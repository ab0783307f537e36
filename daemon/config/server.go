package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// server checks what mailbox and relay have in common.
func (v *validator) server(key string, s *Server, login bool) {
	if v.required(key+".host", s.Host) {
		v.host(key, s)
	}
	if s.Port < 1 || s.Port > 65535 {
		v.fault(key+".port", fmt.Sprint(s.Port), "bad-port")
	}
	v.oneOf(key+".security", s.Security, TLS, StartTLS, Plain)
	if s.Security == Plain && !s.AllowPlaintext && s.Host != "" && !loopback(s.Host) {
		v.fault(key+".security", s.Security, "plaintext")
	}
	if !v.notYet(key+".auth", s.Auth, "auto", "cram-md5", "scram-sha-256", "xoauth2", "oauthbearer") {
		v.oneOf(key+".auth", s.Auth, "auto", "plain", "login")
	}
	for i, name := range s.Trust {
		if !v.trustNamed(name) {
			v.fault(index(key+".trust", i+1), name, "trust-unknown")
		}
	}
	if login {
		v.login(key, s)
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
	for _, t := range v.c.Trust {
		if t.Name == name {
			return true
		}
	}
	return false
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
	switch sources {
	case 0:
		v.fault(key+".password", "", "missing-password")
	case 1:
		if _, err := s.ResolvePassword(); err != nil {
			f := asFault(err)
			f.Key = key + "." + f.Key
			located := newFault(f.Key, f.Value, f.Code)
			located.Args = f.Args
			v.faults = append(v.faults, located)
		}
	default:
		v.fault(key+".password", "", "two-passwords")
	}
}

// addresses finds what two desks claim: keys, addresses and aliases. The
// later desk is the one at fault, so that the earlier one goes on.
func (v *validator) addresses() {
	keys, owners := map[string]string{}, map[string]string{}
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
			first, taken := owners[k]
			switch {
			case k == "":
			case own[k]:
				v.fault(key, a, "address-repeated")
			case taken:
				v.fault(key, a, "address-taken", "first", first, "second", nameOf(d))
			default:
				owners[k] = nameOf(d)
			}
			own[k] = true
		}
	}
}

// mailboxes finds two desks that would read one mailbox. Case never tells two
// mailboxes apart in use, so it is ignored in the folder's name too.
func (v *validator) mailboxes() {
	owners := map[string]string{}
	for i := range v.c.Desks {
		d := &v.c.Desks[i]
		m := &d.Mailbox
		if m.Host == "" || m.Username == "" {
			continue
		}
		k := strings.ToLower(strings.TrimSuffix(m.Host, ".") + "\x00" + m.Username + "\x00" + m.Folder)
		if first, taken := owners[k]; taken {
			v.fault(deskKey(i, "mailbox.username"), m.Username, "mailbox-taken", "first", first, "second", nameOf(d), "folder", m.Folder, "host", m.Host)
			continue
		}
		owners[k] = nameOf(d)
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
