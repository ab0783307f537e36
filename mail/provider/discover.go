package provider

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/idna"
)

// How a Candidate was found: values of Candidate.Source, in the order in which they are proposed.
const (
	SourcePreset     = "preset"     // the address's domain is a provider's own
	SourceMX         = "mx"         // the domain's mail goes to a known provider
	SourceSRV        = "srv"        // the domain says so in DNS (RFC 6186, RFC 8314)
	SourceAutoconfig = "autoconfig" // a web server of the domain says so, as Thunderbird asks it
	SourceGuess      = "guess"      // usual names that answered, with a certificate that fits
)

// Candidate is what may be the servers of an address. Nothing of it is proven:
// a person looks at it before a password is sent anywhere.
type Candidate struct {
	Source           string
	Provider         *Provider // nil: not one of the known ones
	IMAP, POP3, SMTP Endpoint  // zero: not found
	Username         string    // for the mailbox; "": not known
	UsernameSMTP     string
}

// Network is what Discover asks. The domain of the address is told to the
// resolver and to servers of that domain, and to nobody else: no directory of
// a third party is asked.
type Network struct {
	Resolver Resolver
	HTTP     *http.Client
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Roots    *x509.CertPool // for guessed servers; nil: the system's
	Timeout  time.Duration  // of each question; 0: 8 s
}

// Resolver is the part of *net.Resolver that is needed.
type Resolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

const defaultTimeout = 8 * time.Second

// Discover finds candidates for the servers of an address, the
// likeliest first. A preset of the address's domain is the only one then:
// nobody is asked. What one candidate lacks is filled in from the next. Without
// any it returns nil; the error is for what is no e-mail address.
func Discover(ctx context.Context, n Network, address string) ([]Candidate, error) {
	local, domain, err := split(address)
	if err != nil {
		return nil, err
	}
	address = local + "@" + domain
	if p, ok := ByDomain(domain); ok {
		return []Candidate{of(SourcePreset, &p, address)}, nil
	}
	if n.Timeout <= 0 {
		n.Timeout = defaultTimeout
	}
	s := search{Network: n, address: address, domain: domain}
	var mx, srv, auto []Candidate
	var exchangers []string
	var asked sync.WaitGroup
	asked.Go(func() { mx, exchangers = s.byMX(ctx) })
	asked.Go(func() { srv = s.bySRV(ctx) })
	asked.Go(func() { auto = s.autoconfig(ctx) })
	asked.Wait()
	found := slices.Concat(mx, srv, auto)
	if len(mx) == 0 && !complete(found) {
		found = append(found, s.guess(ctx, exchangers)...)
	}
	return fillUp(found), nil
}

// search is one run of Discover.
type search struct {
	Network
	address, domain string
}

// of makes a provider's own data a candidate.
func of(source string, p *Provider, address string) Candidate {
	full := p.For(address)
	return Candidate{
		Source: source, Provider: &full, IMAP: full.IMAP, POP3: full.POP3, SMTP: full.SMTP,
		Username: p.User(address), UsernameSMTP: p.UserSMTP(address),
	}
}

// byMX finds the provider that receives the domain's mail, and returns the
// hosts that do, as guesses for a server of one's own.
func (s *search) byMX(ctx context.Context) (found []Candidate, hosts []string) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	records, err := s.Resolver.LookupMX(ctx, s.domain+".")
	if err != nil {
		return nil, nil // a domain without mail servers, or no DNS: there is nothing to propose
	}
	for _, r := range records[:min(len(records), 10)] {
		host := tidy(r.Host)
		if !validHost(host) {
			continue
		}
		hosts = append(hosts, host)
		p, ok := ByMX(host)
		if !ok || len(found) > 0 {
			continue
		}
		if p.IMAP.covers(host) {
			p = p.WithHost(host)
		}
		found = append(found, of(SourceMX, &p, s.address))
	}
	return found, hosts
}

// bySRV asks DNS for the services of the domain. A target "." says that there
// is none (RFC 2782).
func (s *search) bySRV(ctx context.Context) []Candidate {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	services := []struct{ name, security string }{
		{"imaps", TLS}, {"imap", StartTLS}, {"pop3s", TLS}, {"pop3", StartTLS}, {"submissions", TLS}, {"submission", StartTLS},
	}
	answers := make([]Endpoint, len(services))
	var asked sync.WaitGroup
	for i, service := range services {
		asked.Go(func() {
			_, records, err := s.Resolver.LookupSRV(ctx, service.name, "tcp", s.domain+".")
			if err != nil || len(records) == 0 {
				return
			}
			host := tidy(records[0].Target) // sorted by priority, and by weight at random
			if validHost(host) && records[0].Port > 0 {
				answers[i] = Endpoint{Host: host, Port: int(records[0].Port), Security: service.security}
			}
		})
	}
	asked.Wait()
	c := Candidate{
		Source: SourceSRV, IMAP: firstOf(answers[0:2]), POP3: firstOf(answers[2:4]), SMTP: firstOf(answers[4:6]),
		Username: s.address, UsernameSMTP: s.address, // RFC 6186 section 4: the whole address first
	}
	return s.known(c)
}

func firstOf(answers []Endpoint) Endpoint {
	for _, e := range answers {
		if e != (Endpoint{}) {
			return e
		}
	}
	return Endpoint{}
}

// known drops a candidate without any server, and finds out whose they are.
func (s *search) known(c Candidate) []Candidate {
	if c.IMAP.Host == "" && c.POP3.Host == "" && c.SMTP.Host == "" {
		return nil
	}
	for _, e := range []Endpoint{c.IMAP, c.POP3, c.SMTP} {
		if p, ok := ByHost(e.Host); ok {
			c.Provider = &p
			break
		}
	}
	return []Candidate{c}
}

// complete says whether mail can be read and sent with what was found.
func complete(found []Candidate) bool {
	var in, out bool
	for _, c := range found {
		in = in || c.IMAP.Host != "" || c.POP3.Host != ""
		out = out || c.SMTP.Host != ""
	}
	return in && out
}

// fillUp gives each candidate what it lacks from the next that has it. It is
// then only as trustworthy as that.
func fillUp(found []Candidate) []Candidate {
	for i := range found {
		c := &found[i]
		for _, next := range found[i+1:] {
			if c.IMAP.Host == "" && c.POP3.Host == "" && (next.IMAP.Host != "" || next.POP3.Host != "") {
				c.IMAP, c.POP3, c.Username, c.Source = next.IMAP, next.POP3, next.Username, lessTrusted(c.Source, next.Source)
			}
			if c.SMTP.Host == "" && next.SMTP.Host != "" {
				c.SMTP, c.UsernameSMTP, c.Source = next.SMTP, next.UsernameSMTP, lessTrusted(c.Source, next.Source)
			}
		}
	}
	return found
}

// lessTrusted is the source of which less is proven. A web server shows a
// certificate for its name, DNS nothing.
func lessTrusted(a, b string) string {
	order := []string{SourcePreset, SourceMX, SourceAutoconfig, SourceSRV, SourceGuess}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// split takes an address apart; the domain comes in the form of DNS.
func split(address string) (local, domain string, err error) {
	parsed, err := mail.ParseAddress(address)
	if err != nil {
		return "", "", fmt.Errorf("%q is no e-mail address: %w", address, err)
	}
	at := strings.LastIndexByte(parsed.Address, '@')
	domain, err = idna.Lookup.ToASCII(parsed.Address[at+1:])
	if err != nil || !validHost(domain) {
		return "", "", fmt.Errorf("%q is no e-mail address: %q is no domain of the internet", address, parsed.Address[at+1:])
	}
	return parsed.Address[:at], tidy(domain), nil
}

var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// validHost says whether a name from outside can be a server of the internet.
func validHost(host string) bool {
	return len(host) <= 253 && hostName.MatchString(strings.ToLower(host))
}
