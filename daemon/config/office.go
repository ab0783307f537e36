package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Smallest values that make sense where a time span is not 0, which is off.
const (
	minRetention = day
	minAutoClose = Duration(time.Hour)
	minRemind    = Duration(time.Minute)
)

// limits checks [limits]: 0 is possible, and worth a warning.
func (v *validator) limits() {
	l, usual := &v.c.Limits, &Default().Limits
	for _, at := range []struct {
		key           string
		number, usual int
	}{
		{"automatic_per_hour", l.AutomaticPerHour, usual.AutomaticPerHour}, {"automatic_per_day", l.AutomaticPerDay, usual.AutomaticPerDay},
		{"automatic_in_all", l.AutomaticInAll, usual.AutomaticInAll}, {"notices_of_sender", l.NoticesOfSender, usual.NoticesOfSender},
		{"notices", l.Notices, usual.Notices}, {"mails_of_sender", l.MailsOfSender, usual.MailsOfSender},
	} {
		switch {
		case at.number < 0:
			v.fault("limits."+at.key, fmt.Sprint(at.number), "too-small", "least", "0")
		case at.number == 0:
			v.warn("limits."+at.key, "0", "no-limit", "usual", fmt.Sprint(at.usual))
		}
	}
}

func (v *validator) retention() {
	r := &v.c.Retention
	v.spanOrOff("retention.ledger", r.Ledger, minRetention)
	v.spanOrOff("retention.raw", r.Raw, minRetention)
	v.spanOrOff("retention.requests", r.Requests, minRetention)
}

// spanOrOff checks a time span where 0 is off.
func (v *validator) spanOrOff(key string, d, least Duration) {
	if d != 0 && d < least {
		v.fault(key, d.String(), "too-small-or-off", "least", least.String())
	}
}

// people checks who may write to a desk.
func (v *validator) people(key string, d *Desk) {
	for i, domain := range d.CustomerDomains {
		if !plausibleDomain(domain) {
			v.fault(index(key+".customer_domains", i+1), domain, "bad-domain", "domain", domainIn(domain))
		}
	}
	v.listed(key+".allow", d.Allow)
	v.listed(key+".block", d.Block)
	if d.PublicSignup && len(d.CustomerDomains) > 0 {
		v.warn(key+".customer_domains", strings.Join(d.CustomerDomains, ", "), "domains-open")
	}
	for i, entry := range d.Block {
		at := index(key+".block", i+1)
		if slices.ContainsFunc(d.Allow, func(allowed string) bool { return addressKey(allowed) == addressKey(entry) }) {
			v.warn(at, entry, "allowed-and-blocked")
		}
		if agent := d.agentBlocked(entry); agent != "" {
			v.warn(at, entry, "agent-blocked", "agent", agent)
		}
	}
}

func (v *validator) listed(key string, list []string) {
	for i, entry := range list {
		if !plausible(entry) && !plausibleDomain(entry) {
			v.fault(index(key, i+1), entry, "bad-listed", "domain", domainIn(entry))
		}
	}
}

// agentBlocked is an agent of the desk whose mail an entry of block keeps out; "" for none.
func (d *Desk) agentBlocked(entry string) string {
	for _, a := range d.Agents {
		if covers(entry, a) && !slices.ContainsFunc(d.Allow, func(e string) bool { return addressKey(e) == addressKey(a) }) {
			return a
		}
	}
	return ""
}

// covers says that an entry of a list is this address, its domain, or a domain above that.
func covers(entry, address string) bool {
	entry, address = addressKey(entry), addressKey(address)
	return entry == address || !strings.Contains(entry, "@") && strings.HasSuffix("."+domainOf(address), "."+entry)
}

// plausibleDomain accepts what can be behind the @ of an address.
func plausibleDomain(s string) bool {
	return plausible("a@"+s) && !strings.ContainsAny(s, "*/@")
}

// domainIn is the domain that was meant: in "@example.com", "*.example.com" and "https://example.com/".
func domainIn(s string) string {
	_, after, found := strings.Cut(s, "://")
	if found {
		s = after
	}
	s, _, _ = strings.Cut(s[strings.LastIndexByte(s, '@')+1:], "/")
	s = strings.Trim(s, " *.")
	if !plausibleDomain(s) {
		return "example.com"
	}
	return s
}

// course checks when a request is closed, and when agents are reminded of it.
func (v *validator) course(key string, d *Desk) {
	v.spanOrOff(key+".auto_close", d.AutoClose, minAutoClose)
	v.spanOrOff(key+".remind", d.Remind, minRemind)
	for i, s := range d.Hours {
		if _, _, err := parseHours(s); err != nil {
			v.fault(index(key+".hours", i+1), s, "bad-hours")
		}
	}
	for i, s := range d.Holidays {
		if _, err := parseHoliday(s); err != nil {
			v.fault(index(key+".holidays", i+1), s, "bad-holiday")
		}
	}
	if _, err := parseZone(d.Timezone); err != nil {
		v.fault(key+".timezone", d.Timezone, "bad-timezone")
	}
}

func (v *validator) notify(key string, d *Desk) {
	if !d.Notify.Answered {
		v.warn(key+".notify.answered", "false", "answers-off")
	}
	dir := d.Notify.Templates
	if dir == "" {
		return
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		v.fault(key+".notify.templates", dir, "no-folder")
	}
}

// Origin says where an address of a desk's mail is written.
type Origin string

// Values of Origin.
const (
	FromDesk    Origin = "desk"    // the desk's own key
	FromRelay   Origin = "relay"   // that of the relay
	FromAddress Origin = "address" // neither: the desk's address
)

// SenderOrigin is where Sender comes from.
func (d *Desk) SenderOrigin() Origin { return origin(d.From, d.Relay.From) }

// ReplyOrigin is where ReplyAddress comes from; FromAddress when answers go to the sender.
func (d *Desk) ReplyOrigin() Origin { return origin(d.ReplyTo, d.Relay.ReplyTo) }

func origin(own, relays string) Origin {
	if _, ok := parseNamed(own); ok {
		return FromDesk
	}
	if _, ok := parseNamed(relays); ok {
		return FromRelay
	}
	return FromAddress
}
