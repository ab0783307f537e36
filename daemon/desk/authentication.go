package desk

import (
	"slices"
	"strings"

	"helpdesk/mail"
)

// proof is what shows that an agent wrote a mail.
type proof struct {
	agent mail.Address
	token *Ref // the conversation whose own token of this agent it answers; nil: none
	dmarc bool // our receiving host says that it passes DMARC for the agent's domain
}

// proven says what shows that an agent wrote the mail; nil where nothing does.
// Either the mail answers this agent's own Message-ID, which nobody else was
// sent, under the agent's address; or our receiving host vouches for the domain.
//
// A mail of which our receiving host says that it fails DMARC is not proven,
// not even by the token: whoever is in copy of an agent's mail can read the
// token there, and the host has just said that the address is a false one.
// Where no host is configured no such word is believed: many an office's own
// mail fails DMARC, and then its agents have nothing but the token.
func proven(f *Facts) *proof {
	agent, ok := f.Desk.Agent(f.Mail.From)
	if !ok || f.Mail.FromUnsure || dmarcFailAt(f.Mail, f.Desk.AuthservID) {
		return nil
	}
	p := &proof{agent: agent, token: ownToken(f), dmarc: dmarcPass(f.Mail, f.Desk.AuthservID)}
	if p.token == nil && !p.dmarc && !f.Digest {
		return nil
	}
	return p
}

// ownToken is the conversation whose own token of the agent in From a mail carries.
func ownToken(f *Facts) *Ref {
	return first(f.Refs, func(r Ref) bool { return r.By == ByAgentToken && r.Agent.Key() == f.Mail.From.Key() })
}

// dmarcPass reports whether the receiving host that we believe says that the
// mail passes DMARC for the domain of its From line. Only the topmost
// Authentication-Results counts: whoever sent the mail may have written
// others below it (RFC 8601 section 5).
func dmarcPass(m *mail.Message, authservID string) bool {
	id, results := topResults(m)
	if authservID == "" || !strings.EqualFold(id, authservID) {
		return false
	}
	domain := domainOf(m.From)
	passed := false
	for _, r := range results {
		if r.method != "dmarc" {
			continue
		}
		if r.result != "pass" || domain == "" || r.headerFrom != domain {
			return false
		}
		passed = true
	}
	return passed
}

// dmarcFail reports whether the topmost Authentication-Results says that the
// mail fails DMARC. It only ever keeps us silent and its sender out of
// conversations that a name or a subject leads to, so any host is believed.
func dmarcFail(m *mail.Message) bool {
	_, results := topResults(m)
	return slices.ContainsFunc(results, func(r authResult) bool { return r.method == "dmarc" && r.result == "fail" })
}

// dmarcFailAt is dmarcFail as told by the receiving host that we believe.
func dmarcFailAt(m *mail.Message, authservID string) bool {
	id, _ := topResults(m)
	return authservID != "" && strings.EqualFold(id, authservID) && dmarcFail(m)
}

// topResults reads the topmost Authentication-Results.
func topResults(m *mail.Message) (id string, results []authResult) {
	if len(m.AuthResults) == 0 {
		return "", nil
	}
	return authResults(m.AuthResults[0])
}

// domainOf is the domain of an address, in lower case and without a dot behind it.
func domainOf(a mail.Address) string {
	key := a.Key()
	return strings.TrimRight(key[strings.LastIndexByte(key, '@')+1:], ".")
}

type authResult struct{ method, result, headerFrom string }

// authResults reads an Authentication-Results value: "id version;
// method=result ptype.property=value …; …" with comments in parentheses (RFC
// 8601 section 2.2). Values may be quoted, and a sender can choose what stands
// in them. Another version than 1 says nothing that we know how to read.
func authResults(value string) (id string, results []authResult) {
	for i, clause := range strings.Split(withoutComments(value), ";") {
		fields := strings.Fields(clause)
		if i == 0 && (len(fields) == 0 || !strings.Contains(fields[0], "=")) { // Microsoft 365 writes no host: nobody's results
			if len(fields) == 0 || len(fields) > 1 && fields[1] != "1" {
				return "", nil
			}
			id = fields[0]
			continue
		}
		if len(fields) == 0 {
			continue
		}
		method, result, ok := strings.Cut(strings.ToLower(fields[0]), "=")
		if !ok {
			continue
		}
		r := authResult{method: method, result: result}
		for _, property := range fields[1:] {
			name, v, ok := strings.Cut(strings.ToLower(property), "=")
			switch {
			case !ok || name != "header.from":
			case r.headerFrom != "" && r.headerFrom != v:
				r.headerFrom = "?" // two domains: neither
			default:
				r.headerFrom = v
			}
		}
		results = append(results, r)
	}
	return id, results
}

// withoutComments drops comments (RFC 5322 section 3.2.2) and the contents of
// quoted strings, in which ; and ( mean nothing.
func withoutComments(s string) string {
	var b strings.Builder
	depth, quoted, escaped := 0, false, false
	for _, r := range s {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && (quoted || depth > 0):
			escaped = true
		case depth == 0 && r == '"':
			quoted = !quoted
		case quoted:
		case r == '(':
			depth++
		case r == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}
