package desk

import (
	"slices"
	"strings"

	"helpdesk/mail"
)

// listed returns the entry of a list that names an address: the address
// itself, else its domain or the longest domain above it. "" for none.
func listed(list []string, a mail.Address) string {
	key := a.Key()
	if slices.Contains(list, key) && strings.Contains(key, "@") {
		return key
	}
	for domain := domainOf(a); domain != ""; {
		if slices.Contains(list, domain) {
			return domain
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
	return ""
}

// verdict is what the two lists say of an address: the entry that names it
// more closely counts, and blocks where both do so alike.
func (s *Settings) verdict(a mail.Address) (entry string, blocked, allowed bool) {
	allow, block := listed(s.Allow, a), listed(s.Block, a)
	switch {
	case block != "" && closeness(block) >= closeness(allow):
		return block, true, false
	case allow != "":
		return allow, false, true
	}
	return "", false, false
}

// Listed is the entry of the allow or block list that counts for an address,
// "" where none names it.
func (s *Settings) Listed(a mail.Address) (entry string, blocked bool) {
	entry, blocked, _ = s.verdict(a)
	return entry, blocked
}

// closeness orders the entries that name one address.
func closeness(entry string) int {
	if strings.Contains(entry, "@") {
		return 1 << 16
	}
	return len(entry)
}

// authors are those whose names stand on a mail: who wrote it, and who asks.
func authors(f *Facts) []mail.Address {
	if f.Sender.Key() == f.Mail.From.Key() {
		return []mail.Address{f.Sender}
	}
	return []mail.Address{f.Mail.From, f.Sender}
}
