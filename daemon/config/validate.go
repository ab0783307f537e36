package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	netmail "net/mail"

	"helpdesk/mail"
)

// Smallest values that make sense.
const (
	minPoll    = Duration(5 * time.Second)
	minMaxSize = Size(64 << 10)
	minCanary  = Duration(15 * time.Minute) // slower relays and POP3 pauses would overlap
)

// Validate returns every fault and warning of c, which is complete (see Fill).
// Faults of a Config made in code have neither file nor line.
func Validate(c *Config) []Fault {
	faults := validate(c)
	c.nameDesks(faults)
	return faults
}

func (c *Config) nameDesks(faults []Fault) {
	for i := range faults {
		if d := faults[i].Desk; d > 0 && d <= len(c.Desks) {
			faults[i].Name = c.Desks[d-1].Name
		}
	}
}

func validate(c *Config) []Fault {
	v := &validator{c: c, stores: map[string]bool{}}
	v.oneOf("language", c.Language, English, Japanese)
	v.required("data_dir", c.DataDir)
	v.admin()
	v.ui()
	v.trusts()
	v.keys()
	v.relay("relay", &c.Relay)
	v.limits()
	v.retention()
	v.agents()
	if len(c.Desks) == 0 {
		v.fault("desk", "", "no-desk")
	}
	for i := range c.Desks {
		v.desk(fmt.Sprintf("desk[%d]", i+1), &c.Desks[i])
	}
	v.addresses()
	v.mailboxes()
	return v.faults
}

type validator struct {
	c      *Config
	stores map[string]bool // names of [[trust]] and [[key]] so far
	faults []Fault
}

func (v *validator) fault(key, value, code string, args ...string) {
	v.faults = append(v.faults, newFault(key, value, code, args...))
}

func (v *validator) warn(key, value, code string, args ...string) {
	f := newFault(key, value, code, args...)
	f.Warning = true
	v.faults = append(v.faults, f)
}

func (v *validator) required(key, value string) bool {
	if strings.TrimSpace(value) == "" {
		v.fault(key, "", "missing")
		return false
	}
	return true
}

func (v *validator) oneOf(key, value string, allowed ...string) {
	for _, a := range allowed {
		if a == value {
			return
		}
	}
	v.fault(key, value, "not-one-of", "allowed", strings.Join(allowed, ", "))
}

func (v *validator) admin() {
	if v.c.Admin == "" || !v.address("admin", v.c.Admin) {
		return
	}
	if desk := v.deskAddresses()[addressKey(v.c.Admin)]; desk != "" {
		v.fault("admin", v.c.Admin, "admin-is-desk", "desk", desk)
	}
}

func (v *validator) ui() {
	host, port, err := net.SplitHostPort(v.c.UI.Listen)
	ip, ipErr := netip.ParseAddr(host)
	switch {
	case err != nil || !allDigits(port) || (ipErr != nil && !strings.EqualFold(host, "localhost") && host != ""):
		v.fault("ui.listen", v.c.UI.Listen, "bad-listen")
	case host == "" || (ipErr == nil && !ip.IsLoopback()):
		v.fault("ui.listen", v.c.UI.Listen, "listen-beyond")
	}
	if b := v.c.UI.BaseURL; b != "" {
		u, err := url.Parse(b)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			v.fault("ui.base_url", b, "bad-url")
		}
	}
}

func (v *validator) agents() {
	seen, desks := map[string]bool{}, v.deskAddresses()
	for i, a := range v.c.Agents {
		key := fmt.Sprintf("agent[%d]", i+1)
		v.required(key+".name", a.Name)
		if !v.required(key+".email", a.Email) || !v.address(key+".email", a.Email) {
			continue
		}
		switch k := addressKey(a.Email); {
		case seen[k]:
			v.fault(key+".email", a.Email, "agent-twice")
		case desks[k] != "":
			v.fault(key+".email", a.Email, "agent-is-desk", "desk", desks[k])
		default:
			seen[k] = true
		}
	}
}

// deskAddresses maps every address and alias to its desk's name.
func (v *validator) deskAddresses() map[string]string {
	all := map[string]string{}
	for _, d := range v.c.Desks {
		for _, a := range append([]string{d.Address}, d.Aliases...) {
			if a != "" && all[addressKey(a)] == "" {
				all[addressKey(a)] = nameOf(&d)
			}
		}
	}
	return all
}

func (v *validator) desk(key string, d *Desk) {
	v.required(key+".name", d.Name)
	switch {
	case !v.required(key+".key", d.Key):
	case regexp.MustCompile(`^[A-Z][A-Z0-9]{0,9}-[0-9]+$`).MatchString(d.Key):
		v.fault(key+".key", d.Key, "key-is-request", "example", d.Key[:strings.IndexByte(d.Key, '-')])
	case !regexp.MustCompile(`^[A-Z][A-Z0-9]{0,9}$`).MatchString(d.Key):
		v.fault(key+".key", d.Key, "bad-key")
	}
	if v.required(key+".address", d.Address) {
		v.address(key+".address", d.Address)
	}
	for i, a := range d.Aliases {
		v.address(index(key+".aliases", i+1), a)
	}
	if d.Language != v.c.Language { // else told once, at the top
		v.oneOf(key+".language", d.Language, English, Japanese)
	}
	v.deskAgents(key, d)
	v.oneOf(key+".automatic", d.Automatic, AutomaticIgnore, AutomaticKeep)
	v.oneOf(key+".mode", d.Mode, ModeLive, ModeObserve)
	v.oneOf(key+".customer_language", d.CustomerLanguage, LanguageOfDesk, LanguageOfMail)
	v.people(key, d)
	v.course(key, d)
	v.notify(key, d)
	v.requestTypes(key, d)
	if strings.ContainsAny(d.AuthservID, " \t@/;") {
		v.fault(key+".authserv_id", d.AuthservID, "bad-host")
	}
	v.named(key+".from", d.From)
	v.named(key+".reply_to", d.ReplyTo)
	if d.OwnRelay {
		v.relay(key+".relay", &d.Relay)
	}
	v.mailbox(key+".mailbox", d)
}

func (v *validator) deskAgents(key string, d *Desk) {
	known := map[string]bool{}
	for _, a := range v.c.Agents {
		known[addressKey(a.Email)] = true
	}
	seen := map[string]bool{}
	for i, a := range d.Agents {
		at, k := index(key+".agents", i+1), addressKey(a)
		switch {
		case seen[k]:
			v.fault(at, a, "agent-listed-twice")
		case !known[k]:
			v.fault(at, a, "agent-unknown")
		}
		seen[k] = true
	}
	if len(d.Agents) == 0 {
		v.warn(key+".agents", "", "no-agents")
	}
}

func (v *validator) mailbox(key string, d *Desk) {
	m := &d.Mailbox
	v.oneOf(key+".protocol", m.Protocol, IMAP, POP3)
	v.server(key, m.Protocol, &m.Server, true)
	v.required(key+".folder", m.Folder)
	if m.Poll < minPoll {
		v.fault(key+".poll", m.Poll.String(), "too-small", "least", minPoll.String())
	}
	if m.MaxSize < minMaxSize {
		v.fault(key+".max_size", m.MaxSize.String(), "too-small", "least", minMaxSize.String())
	}
	if m.Protocol == POP3 {
		v.pop3(key, m)
	} else {
		v.oneOf(key+".after", m.After, AfterKeep, AfterSeen, AfterMove, AfterDelete)
	}
	if m.After == AfterMove && m.Protocol != POP3 && v.required(key+".move_to", m.MoveTo) && strings.EqualFold(m.MoveTo, m.Folder) {
		v.fault(key+".move_to", m.MoveTo, "move-into-itself")
	}
	v.oneOf(key+".backlog", m.Backlog, BacklogSkip, BacklogImport, BacklogProcess)
	switch {
	case m.Canary == 0:
	case m.Canary < minCanary:
		v.fault(key+".canary", m.Canary.String(), "too-small", "least", minCanary.String())
	case !d.Relay.Enabled:
		v.fault(key+".canary", m.Canary.String(), "canary-relay")
	}
}

// pop3 checks what POP3 has not: it knows one folder and no marks.
func (v *validator) pop3(key string, m *Mailbox) {
	switch m.After {
	case AfterKeep, AfterDelete:
	case AfterSeen, AfterMove:
		v.fault(key+".after", m.After, "pop3-after")
	default:
		v.oneOf(key+".after", m.After, AfterKeep, AfterDelete)
	}
	if m.Folder != "" && !strings.EqualFold(m.Folder, "INBOX") {
		v.fault(key+".folder", m.Folder, "pop3-folder")
	}
	p, ok := m.known()
	if !ok {
		return
	}
	if p.OAuth != nil && p.OAuth.Name == Google {
		v.warn(key+".protocol", m.Protocol, "pop3-archive", "name", p.Name)
	}
	if p.PollPOP3 > 0 {
		v.warn(key+".protocol", m.Protocol, "pop3-limit", "name", p.Name, "pause", Duration(p.PollPOP3).String())
		if m.Poll < Duration(p.PollPOP3) {
			v.warn(key+".poll", m.Poll.String(), "poll-limit", "name", p.Name, "pause", Duration(p.PollPOP3).String())
		}
	}
}

func (v *validator) relay(key string, r *Relay) {
	if r.Enabled || r.Host != "" || r.Preset != "" {
		v.server(key, "smtp", &r.Server, !r.Anonymous)
		v.otherProduct(key, &r.Server)
	}
	if strings.ContainsAny(r.Helo, " \t@/") {
		v.fault(key+".helo", r.Helo, "bad-host")
	}
	v.named(key+".from", r.From)
	v.named(key+".reply_to", r.ReplyTo)
	if r.MaxPerMinute < 1 {
		v.fault(key+".max_per_minute", fmt.Sprint(r.MaxPerMinute), "too-small", "least", "1")
	}
}

// named checks "a@b" or "Name <a@b>"; "" is allowed.
func (v *validator) named(key, value string) {
	if _, ok := parseNamed(value); value != "" && !ok {
		v.fault(key, value, "bad-named")
	}
}

func (v *validator) address(key, value string) bool {
	if !plausible(value) {
		v.fault(key, value, "bad-address")
		return false
	}
	return true
}

// plausible accepts what mail servers in use accept, also the unquoted dots
// of Japanese carriers (a..b.@docomo.ne.jp), and refuses what no address is.
func plausible(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= 254 &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`<>()[],;:\"　＠`, r) }) &&
		!strings.ContainsRune(s[:at], '@') && s[at+1] != '.' && !strings.HasSuffix(s, ".")
}

// parseNamed reads "a@b" or "Name <a@b>" (RFC 5322 section 3.4).
func parseNamed(s string) (mail.Address, bool) {
	if plausible(s) {
		return mail.Address{Address: s}, true
	}
	a, err := netmail.ParseAddress(s)
	if err != nil || !plausible(a.Address) {
		return mail.Address{}, false
	}
	return mail.Address{Name: a.Name, Address: a.Address}, true
}

func addressKey(s string) string { return mail.Address{Address: s}.Key() }

// nameOf is what people call a desk.
func nameOf(d *Desk) string {
	for _, n := range []string{d.Name, d.Key, d.Address} {
		if n != "" {
			return n
		}
	}
	return "?"
}

func allDigits(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}
