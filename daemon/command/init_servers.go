package command

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"helpdesk/daemon/config"
	"helpdesk/mail/provider"
)

// chooseServers finds the servers of the address: by the flags, by looking for
// them, or by asking.
func (i *initer) chooseServers(ctx context.Context) error {
	named := i.presetFlag != "" || i.imapFlag != "" || i.pop3Flag != "" || i.smtpFlag != ""
	if named {
		return i.byFlags(ctx)
	}
	domain := i.Address[strings.LastIndexByte(i.Address, '@')+1:]
	i.say("looking", "domain", domain)
	found, err := provider.Discover(ctx, i.discovery(), i.Address)
	if err != nil {
		return i.wrong("not-address", "value", i.Address)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for n := range found {
		c := &found[n]
		if c.SMTP.Host == "" || c.IMAP.Host == "" && c.POP3.Host == "" {
			continue // one half of what is needed: the person names both
		}
		if i.yes && !i.trusted(c) {
			return i.wrong("not-confirmed")
		}
		used, err := i.propose(ctx, c, domain)
		if used || err != nil {
			return err
		}
	}
	if i.yes {
		return i.wrong("no-servers", "domain", domain)
	}
	if len(found) == 0 {
		i.say("not-found", "domain", domain)
	}
	return i.askServers(ctx)
}

// trusted says whether a password may go to what was found without a person
// having looked at it. DNS can be forged on the way: what it says counts only
// where it stays within the domain or leads to a provider that we know.
func (i *initer) trusted(c *provider.Candidate) bool {
	switch c.Source {
	case provider.SourcePreset, provider.SourceMX, provider.SourceAutoconfig:
		return true
	case provider.SourceSRV:
		domain := i.Address[strings.LastIndexByte(i.Address, '@')+1:]
		for _, e := range []provider.Endpoint{c.IMAP, c.POP3, c.SMTP} {
			_, known := provider.ByHost(e.Host)
			if e.Host != "" && !known && !strings.HasSuffix("."+e.Host, "."+strings.ToLower(domain)) {
				return false
			}
		}
		return true
	}
	return false
}

// propose shows a candidate and asks whether it is right.
func (i *initer) propose(ctx context.Context, c *provider.Candidate, domain string) (used bool, err error) {
	name := ""
	if c.Provider != nil {
		name = c.Provider.Name
	}
	i.print("")
	i.say("found-"+c.Source, "name", name, "domain", domain)
	if p := c.Provider; p != nil && (c.Source == provider.SourcePreset || c.Source == provider.SourceMX) {
		filled, err := i.fillHost(ctx, *p)
		if err != nil {
			return false, err
		}
		c.IMAP, c.POP3, c.SMTP = filled.IMAP, filled.POP3, filled.SMTP
	}
	if err := i.use(ctx, c); err != nil {
		return false, err
	}
	i.show()
	if i.yes {
		return true, nil
	}
	return i.confirm(ctx, "ask-use")
}

// use takes the servers of c. IMAP is preferred to POP3.
func (i *initer) use(ctx context.Context, c *provider.Candidate) error {
	i.In, i.Out = initServer{Endpoint: c.IMAP, Username: c.Username}, initServer{Endpoint: c.SMTP, Username: c.UsernameSMTP}
	if i.POP3 = c.IMAP.Host == ""; i.POP3 {
		i.In.Endpoint = c.POP3
	}
	i.provider, i.Preset = c.Provider, ""
	if c.Provider != nil {
		i.Preset = c.Provider.Slug
	}
	if i.userFlag != "" {
		i.In.Username, i.Out.Username = i.userFlag, i.userFlag
		return nil
	}
	if i.In.Username != "" {
		return nil
	}
	user, err := i.ask(ctx, question{key: "ask-user", flag: "--username"})
	i.In.Username, i.Out.Username = user, user
	return err
}

// fillHost asks for the server where each customer has another one.
func (i *initer) fillHost(ctx context.Context, p provider.Provider) (provider.Provider, error) {
	p = p.For(i.Address)
	if !p.NeedsHost() {
		return p, nil
	}
	host, err := i.ask(ctx, question{
		key: "ask-host", pairs: []string{"name", p.Name, "what", p.In(i.Language).Host}, flag: "--imap",
		check: func(answer string) (string, error) {
			e, _, err := i.server(p.WithHost(answer).IMAP.Host, 993)
			return e.Host, err
		},
	})
	return p.WithHost(host), err
}

// show prints the chosen servers.
func (i *initer) show() {
	protocol := "IMAP"
	if i.POP3 {
		protocol = "POP3"
	}
	i.say("server-in", "server", i.In.String(), "protocol", protocol, "security", i.text("security-"+i.In.Security))
	i.say("server-out", "server", i.Out.String(), "security", i.text("security-"+i.Out.Security))
	if i.Out.Username == i.In.Username {
		i.say("server-user", "user", i.In.Username)
	} else {
		i.say("server-user-out", "user", i.In.Username, "out", i.Out.Username)
	}
}

// byFlags takes the servers from the command line.
func (i *initer) byFlags(ctx context.Context) error {
	var c provider.Candidate
	if i.presetFlag != "" {
		p, ok := provider.Named(strings.ToLower(i.presetFlag))
		if !ok {
			return i.wrong("not-preset", "value", i.presetFlag, "near", nearPresets(i.presetFlag))
		}
		if i.imapFlag == "" && i.pop3Flag == "" {
			var err error
			if p, err = i.fillHost(ctx, p); err != nil {
				return err
			}
		}
		c = provider.Candidate{Provider: &p, IMAP: p.IMAP, POP3: p.POP3, SMTP: p.SMTP, Username: p.User(i.Address), UsernameSMTP: p.UserSMTP(i.Address)}
	} else {
		c.Username, c.UsernameSMTP = i.Address, i.Address
	}
	for _, flag := range []struct {
		value string
		port  int
		to    *provider.Endpoint
	}{{i.imapFlag, 993, &c.IMAP}, {i.pop3Flag, 995, &c.POP3}, {i.smtpFlag, 587, &c.SMTP}} {
		if flag.value == "" {
			continue
		}
		e, _, err := i.server(flag.value, flag.port)
		if err != nil {
			return err
		}
		*flag.to = e
	}
	if i.pop3Flag != "" && i.imapFlag == "" {
		c.IMAP = provider.Endpoint{}
	}
	if err := i.complete(ctx, &c); err != nil {
		return err
	}
	i.say("found-flags")
	if err := i.use(ctx, &c); err != nil {
		return err
	}
	i.show()
	return nil
}

// askServers has the person name the servers, or the provider.
func (i *initer) askServers(ctx context.Context) error {
	var c provider.Candidate
	if err := i.complete(ctx, &c); err != nil {
		return err
	}
	if c.Provider == nil {
		c.Username, c.UsernameSMTP = i.Address, i.Address
	}
	if err := i.use(ctx, &c); err != nil {
		return err
	}
	i.show()
	return nil
}

// complete asks for what c lacks.
func (i *initer) complete(ctx context.Context, c *provider.Candidate) error {
	if c.IMAP.Host == "" && c.POP3.Host == "" {
		var preset *provider.Provider
		_, err := i.ask(ctx, question{key: "ask-in", flag: "--imap", check: func(answer string) (string, error) {
			if p, ok := provider.Named(strings.ToLower(answer)); ok {
				preset = &p
				return answer, nil
			}
			e, pop3, err := i.server(answer, 993)
			if c.IMAP, c.POP3 = e, (provider.Endpoint{}); pop3 {
				c.IMAP, c.POP3 = provider.Endpoint{}, e
			}
			return answer, err
		}})
		if err != nil {
			return err
		}
		if preset != nil {
			p, err := i.fillHost(ctx, *preset)
			*c = provider.Candidate{Provider: &p, IMAP: p.IMAP, POP3: p.POP3, SMTP: p.SMTP, Username: p.User(i.Address), UsernameSMTP: p.UserSMTP(i.Address)}
			return err
		}
	}
	if c.SMTP.Host == "" {
		_, err := i.ask(ctx, question{key: "ask-out", flag: "--smtp", check: func(answer string) (string, error) {
			e, _, err := i.server(answer, 587)
			c.SMTP = e
			return answer, err
		}})
		if err != nil {
			return err
		}
	}
	if p, ok := provider.ByHost(c.IMAP.Host + c.POP3.Host); ok && c.Provider == nil {
		c.Provider = &p
	}
	return nil
}

// server reads "imap.example.com:993"; the port says how the connection is
// encrypted, or what stands behind it: "/tls", "/starttls", and on this
// computer "/none".
func (i *initer) server(written string, standard int) (e provider.Endpoint, pop3 bool, err error) {
	address, security, _ := strings.Cut(strings.ToLower(strings.TrimSpace(written)), "/")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, strconv.Itoa(standard)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || host == "" || strings.ContainsAny(host, " \t@:{}") && !isIP(host) {
		return e, false, i.wrong("not-server", "value", written)
	}
	if security == "" {
		security = map[int]string{993: config.TLS, 995: config.TLS, 465: config.TLS, 143: config.StartTLS, 110: config.StartTLS, 587: config.StartTLS, 25: config.StartTLS}[n]
	}
	switch {
	case security == config.Plain && host != "localhost" && !isLoopback(host):
		return e, false, i.wrong("not-encrypted", "value", written)
	case security != config.TLS && security != config.StartTLS && security != config.Plain:
		return e, false, i.wrong("not-server", "value", written)
	}
	return provider.Endpoint{Host: host, Port: n, Security: security}, n == 995 || n == 110, nil
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// nearPresets names some providers, those that begin as what was written first.
func nearPresets(written string) string {
	var near, others []string
	for _, p := range provider.All() {
		if written != "" && strings.HasPrefix(p.Slug, strings.ToLower(written[:1])) {
			near = append(near, p.Slug)
		} else {
			others = append(others, p.Slug)
		}
	}
	near = append(near, others...)
	return strings.Join(near[:min(8, len(near))], ", ")
}
