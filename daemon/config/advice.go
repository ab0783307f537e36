package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"helpdesk/mail/provider"
)

// preset checks the name of the provider, and says whether it makes sense to
// go on and look at the host.
func (v *validator) preset(key, protocol string, s *Server) bool {
	if s.Preset == "" {
		return true
	}
	p, ok := provider.Named(s.Preset)
	if !ok {
		v.fault(key+".preset", s.Preset, "preset-unknown", "near", strings.Join(nearPresets(s.Preset), ", "))
		return false
	}
	if endpoint(&p, protocol) == (provider.Endpoint{}) && s.Host == "" {
		v.fault(key+".preset", s.Preset, "preset-protocol", "name", p.Name, "protocol", protocolName(protocol))
		return false
	}
	if p.NeedsHost() && s.Host == "" {
		v.fault(key+".host", "", "preset-host", "name", p.Name, "what", p.En.Host, "what_ja", p.Ja.Host)
		return false
	}
	return true
}

// nearPresets are the presets that a person may have meant, the nearest first:
// also by the provider's own address, as "gmail.com".
func nearPresets(written string) []string {
	written = strings.ToLower(strings.TrimSpace(written))
	if p, ok := provider.ByDomain(written[strings.LastIndexByte(written, '@')+1:]); ok {
		return []string{p.Slug}
	}
	type candidate struct {
		slug string
		far  int
	}
	var all []candidate
	for _, p := range provider.All() {
		far := min(distance(written, p.Slug), distance(written, strings.ToLower(p.Name)))
		if len(written) > 2 && (strings.Contains(p.Slug, written) || strings.Contains(written, p.Slug)) {
			far = 1
		}
		all = append(all, candidate{p.Slug, far})
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.far, b.far) })
	var near []string
	for i, c := range all {
		if i < 3 || c.far < 3 && i < 8 {
			near = append(near, c.slug)
		}
	}
	return near
}

// portFits warns of ports that cannot be right: of another protocol, and of
// TLS spoken to a port that begins in the clear or the reverse.
func (v *validator) portFits(key, protocol string, s *Server) {
	usual := map[int]struct{ protocol, security string }{
		143: {IMAP, StartTLS}, 993: {IMAP, TLS}, 110: {POP3, StartTLS}, 995: {POP3, TLS},
		25: {"smtp", StartTLS}, 587: {"smtp", StartTLS}, 465: {"smtp", TLS},
	}
	port, known := usual[s.Port]
	switch {
	case !known || protocol != IMAP && protocol != POP3 && protocol != "smtp":
	case port.protocol != protocol:
		v.warn(key+".port", fmt.Sprint(s.Port), "port-protocol", "protocol", protocolName(port.protocol), "this", protocolName(protocol),
			"usual", fmt.Sprint(usualPort(protocol, s.Security)))
	case (port.security == TLS) != (s.Security == TLS):
		v.warn(key+".port", fmt.Sprint(s.Port), "port-security", "security", s.Security, "right", port.security,
			"usual", fmt.Sprint(usualPort(protocol, s.Security)))
	}
}

// signIn warns where the provider is known to want another way of signing in.
func (v *validator) signIn(key string, s *Server) {
	p, ok := s.known()
	if !ok {
		return
	}
	if p.Auth == provider.AuthOAuth2 && !s.OAuth.Used() && !slices.Contains(tokenAuth(), s.Auth) {
		v.warn(key+".password", "", "needs-oauth", "name", p.Name, "table", plain(key)+".oauth")
	}
	if p.Username == provider.UserAddress && s.Username != "" && !strings.Contains(s.Username, "@") {
		v.warn(key+".username", s.Username, "username-address", "name", p.Name)
	}
}

// otherProduct warns of a relay whose settings were carried over from another
// hosted product: it blocks strangers, or takes their mail and drops it.
func (v *validator) otherProduct(key string, s *Server) {
	if product, ok := provider.RelayOfOtherProduct(s.Host); ok {
		v.warn(key+".host", s.Host, "other-product", "name", product)
	}
}

func protocolName(protocol string) string { return strings.ToUpper(protocol) }
