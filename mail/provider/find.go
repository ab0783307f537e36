package provider

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
)

//go:embed data/*.toml
var files embed.FS

// All returns every provider, by slug.
func All() []Provider { return slices.Clone(facts().providers) }

// Named returns the provider that preset names.
func Named(slug string) (Provider, bool) {
	i, found := slices.BinarySearchFunc(facts().providers, slug, func(p Provider, slug string) int { return strings.Compare(p.Slug, slug) })
	if !found {
		return Provider{}, false
	}
	return facts().providers[i], true
}

// ByHost returns the provider that a server's name belongs to.
func ByHost(host string) (Provider, bool) { return at(facts().hosts, host) }

// ByDomain returns the provider of an address's domain.
func ByDomain(domain string) (Provider, bool) {
	i, found := facts().domains[tidy(domain)]
	if !found {
		return Provider{}, false
	}
	return facts().providers[i], true
}

// ByMX returns the provider that keeps the mailboxes of a domain with this MX host.
func ByMX(host string) (Provider, bool) { return at(facts().mx, host) }

// OAuthNamed returns the authorization server that provider = "…" in an
// [oauth] table names: "google", "microsoft", ….
func OAuthNamed(name string) (*OAuth, bool) {
	o, found := facts().oauth[name]
	return o, found
}

// at finds the entry for host or for the longest ".suffix" of it.
func at(index map[string]int, host string) (Provider, bool) {
	for rest := tidy(host); rest != ""; {
		if i, found := index[rest]; found {
			return facts().providers[i], true
		}
		dot := strings.IndexByte(rest[1:], '.')
		if dot < 0 {
			break
		}
		rest = rest[1+dot:]
	}
	return Provider{}, false
}

// tidy is a host name as the data has it.
func tidy(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// book is the data, read.
type book struct {
	providers          []Provider // by slug
	hosts, domains, mx map[string]int
	oauth              map[string]*OAuth
}

// facts is the embedded data, read once. A mistake in it cannot come from
// outside; the tests would have found it.
var facts = sync.OnceValue(func() *book {
	b, err := read(files)
	if err != nil {
		panic("provider: " + err.Error())
	}
	return b
})

// entry is a provider as the data has it.
type entry struct {
	Provider
	OAuthName string `toml:"oauth"`
}

// file is one file of the data.
type file struct {
	Provider []entry
	OAuth    map[string]*OAuth
	Shared   struct{ Auth, Username map[string]bilingual }
}

// bilingual are words that several providers have in common.
type bilingual struct{ En, Ja Words }

func read(dir fs.FS) (*book, error) {
	names, err := fs.Glob(dir, "data/*.toml")
	if err != nil {
		return nil, err
	}
	var all file
	for _, name := range names {
		var f file
		meta, err := toml.DecodeFS(dir, name, &f)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if unknown := meta.Undecoded(); len(unknown) > 0 {
			return nil, fmt.Errorf("reading %s: no such key: %v", name, unknown)
		}
		all.Provider = append(all.Provider, f.Provider...)
		if f.OAuth != nil {
			all.OAuth, all.Shared = f.OAuth, f.Shared
		}
	}
	return all.index()
}

// index completes the entries and makes them findable.
func (f *file) index() (*book, error) {
	b := &book{hosts: map[string]int{}, domains: map[string]int{}, mx: map[string]int{}, oauth: f.OAuth}
	for name, o := range f.OAuth {
		o.Name = name
	}
	slices.SortFunc(f.Provider, func(x, y entry) int { return strings.Compare(x.Slug, y.Slug) })
	for i, e := range f.Provider {
		p := e.Provider
		if e.OAuthName != "" {
			p.OAuth = f.OAuth[e.OAuthName]
			if p.OAuth == nil {
				return nil, fmt.Errorf("%s: no authorization server %q", p.Slug, e.OAuthName)
			}
		}
		if p.Hosts == nil {
			p.Hosts = hostsOf(p.IMAP, p.POP3, p.SMTP)
		}
		auth, user := f.Shared.Auth[p.Auth], f.Shared.Username[p.Username]
		p.En = p.En.with(auth.En, user.En, p.Name)
		p.Ja = p.Ja.with(auth.Ja, user.Ja, p.Name)
		b.providers = append(b.providers, p)
		for _, claim := range []struct {
			index map[string]int
			names []string
		}{{b.hosts, p.Hosts}, {b.domains, p.Domains}, {b.mx, p.MX}} {
			for _, name := range claim.names {
				if first, taken := claim.index[name]; taken {
					return nil, fmt.Errorf("%s and %s both claim %s", b.providers[first].Slug, p.Slug, name)
				}
				claim.index[name] = i
			}
		}
	}
	return b, nil
}

// with completes the words of one provider by those that it has in common
// with others. Its own steps replace the common ones.
func (w Words) with(auth, user Words, name string) Words {
	if len(w.Before) == 0 {
		for _, step := range auth.Before {
			w.Before = append(w.Before, strings.ReplaceAll(step, "{name}", name))
		}
	}
	w.Notes = slices.Concat(user.Notes, w.Notes)
	return w
}

// hostsOf are the hosts of servers; of "{server}.example.com" it is all below
// example.com, and of "mail.{domain}" nothing is known.
func hostsOf(servers ...Endpoint) []string {
	var hosts []string
	for _, s := range servers {
		host := s.Host
		if i := strings.IndexByte(host, '}'); i >= 0 {
			host = host[i+1:]
		}
		if host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
