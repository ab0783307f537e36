package config

import (
	"slices"
	"strings"

	"helpdesk/mail"
	"helpdesk/mail/provider"
)

// mailboxes finds two desks that would read one mailbox, also where it has
// other names. The later desk is the one at fault, so that the earlier one goes on.
func (v *validator) mailboxes() {
	var read []*Desk
	for i := range v.c.Desks {
		d := &v.c.Desks[i]
		m := &d.Mailbox
		if m.Host == "" || m.Username == "" {
			continue
		}
		first := slices.IndexFunc(read, func(other *Desk) bool { return sameMailbox(other, d) })
		if first < 0 {
			read = append(read, d)
			continue
		}
		code, other := "mailbox-taken", read[first]
		if !strings.EqualFold(other.Mailbox.Username, m.Username) || !strings.EqualFold(other.Mailbox.Host, m.Host) {
			code = "mailbox-same"
		}
		v.fault(deskKey(i, "mailbox.username"), m.Username, code, "first", nameOf(other), "second", nameOf(d), "folder", m.Folder, "host", m.Host,
			"other", other.Mailbox.Username, "otherhost", other.Mailbox.Host)
	}
}

// sameMailbox reports whether two desks read the same folder of the same
// account. POP3 reads the INBOX of IMAP. Case never tells two folders or
// accounts apart in use, so it is ignored.
func sameMailbox(a, b *Desk) bool {
	return strings.EqualFold(folderOf(&a.Mailbox), folderOf(&b.Mailbox)) && sameServer(&a.Mailbox, &b.Mailbox) && sameUser(a, b)
}

func folderOf(m *Mailbox) string {
	if m.Protocol == POP3 {
		return "INBOX"
	}
	return m.Folder
}

// sameServer reports whether two mailboxes are at the same server, whatever
// protocol and port. Behind one loopback address there can be tunnels to
// several servers, one on each port that is not a usual one.
func sameServer(a, b *Mailbox) bool {
	if serverOf(a) != serverOf(b) {
		return false
	}
	usual := func(m *Mailbox) bool { return slices.Contains([]int{143, 993, 110, 995}, m.Port) }
	return !loopback(a.Host) || a.Port == b.Port || a.Protocol != b.Protocol || usual(a) && usual(b)
}

// serverOf is one name for all names of a server: a provider's hosts are one,
// and so are imap.example.com and pop.example.com.
func serverOf(m *Mailbox) string {
	host := strings.TrimSuffix(strings.ToLower(m.Host), ".")
	if loopback(host) {
		return "localhost"
	}
	p, known := provider.ByHost(host)
	whole := strings.Contains(m.Username, "@") // else another server may know another "support"
	if known && !p.NeedsHost() && p.IMAP.Host != "" && (whole || slices.Contains([]string{p.IMAP.Host, p.POP3.Host}, host)) {
		return p.IMAP.Host
	}
	for _, service := range []string{"pop.", "pop3.", "imap4."} {
		if rest, ok := strings.CutPrefix(host, service); ok {
			return "imap." + rest
		}
	}
	return host
}

// sameUser reports whether two desks sign in to the same account of a server.
// Many servers take the part before the @ for the whole address; it is then
// that of the desk's own domain.
func sameUser(a, b *Desk) bool {
	ua, ub := userOf(&a.Mailbox), userOf(&b.Mailbox)
	return ua == ub || wholeUser(ua, a) == ub || ua == wholeUser(ub, b)
}

func wholeUser(user string, d *Desk) string {
	if strings.Contains(user, "@") {
		return user
	}
	return user + "@" + domainOf(addressKey(d.Address))
}

// userOf is one name for all names of an account. Google ignores what is
// behind a +, and at Gmail the dots; in a domain of a company's own dots count.
func userOf(m *Mailbox) string {
	user := addressKey(m.Username)
	if serverOf(m) != "imap.gmail.com" {
		return user
	}
	local, domain, found := strings.Cut(mail.Address{Address: user}.GmailKey(), "@")
	local, _, _ = strings.Cut(local, "+")
	if !found { // "support" alone is support@gmail.com
		return strings.ReplaceAll(local, ".", "") + "@gmail.com"
	}
	return local + "@" + domain
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
