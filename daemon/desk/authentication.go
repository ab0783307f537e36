package desk

import (
	"slices"
	"strings"

	"helpdesk/mail"
)

// dmarcPass reports whether the receiving host that we believe says that the
// mail passes DMARC for the domain of its From line. Only the topmost
// Authentication-Results counts: whoever sent the mail may have written
// others below it (RFC 8601 section 5).
func dmarcPass(m *mail.Message, authservID string) bool {
	if authservID == "" || len(m.AuthResults) == 0 {
		return false
	}
	id, results := authResults(m.AuthResults[0])
	if !strings.EqualFold(id, authservID) {
		return false
	}
	_, domain, _ := strings.Cut(m.From.Key(), "@")
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
// mail fails DMARC. It only ever keeps us silent, so any host is believed.
func dmarcFail(m *mail.Message) bool {
	if len(m.AuthResults) == 0 {
		return false
	}
	_, results := authResults(m.AuthResults[0])
	return slices.ContainsFunc(results, func(r authResult) bool { return r.method == "dmarc" && r.result == "fail" })
}

// severalFrom reports whether the mail names several authors: none of them is
// proven by a token or by DMARC.
func severalFrom(m *mail.Message) bool { return slices.Contains(m.Problems, "several-from") }

type authResult struct{ method, result, headerFrom string }

// authResults reads an Authentication-Results value: "id; method=result
// ptype.property=value …; …" with comments in parentheses (RFC 8601 section
// 2.2). Values may be quoted, and a sender can choose what stands in them.
func authResults(value string) (id string, results []authResult) {
	for i, clause := range strings.Split(withoutComments(value), ";") {
		fields := strings.Fields(clause)
		if len(fields) == 0 {
			continue
		}
		if i == 0 {
			id = fields[0]
			continue
		}
		method, result, ok := strings.Cut(strings.ToLower(fields[0]), "=")
		if !ok {
			continue
		}
		r := authResult{method: method, result: result}
		for _, property := range fields[1:] {
			if name, v, ok := strings.Cut(strings.ToLower(property), "="); ok && name == "header.from" {
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
