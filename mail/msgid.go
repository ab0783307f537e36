package mail

import "strings"

// maxIDs bounds one list of message identifiers.
const maxIDs = 1000

// parseMessageIDs finds the message identifiers of References, In-Reply-To or
// Message-ID (RFC 5322 section 3.6.4) and passes over what else stands there.
func parseMessageIDs(s string) []string {
	var out []string
	rest := s
	for len(out) < maxIDs {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		rest = rest[i+1:]
		end := strings.IndexAny(rest, "<>")
		if end < 0 {
			end = len(rest)
		}
		if id := cleanID(rest[:end]); id != "" {
			out = append(out, id)
		}
		if end < len(rest) && rest[end] == '>' {
			end++
		}
		rest = rest[end:]
	}
	if len(out) > 0 {
		return out
	}
	// Without any brackets: every word that has the form of one.
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == ',' || r == ';' || r == '<' || r == '>' }) {
		if id := cleanID(w); strings.Contains(id, "@") && len(id) > 1 && len(out) < maxIDs {
			out = append(out, id)
		}
	}
	return out
}

// cleanID takes white space, which folding puts into long identifiers, away.
func cleanID(id string) string {
	id = strings.Trim(id, " \t\"'")
	if strings.ContainsAny(id, " \t\r\n") {
		id = strings.Join(strings.Fields(id), "")
	}
	return strings.ToValidUTF8(id, "\uFFFD")
}

// messageID reads the Message-ID field; a value without brackets counts whole.
func messageID(s string) string {
	if ids := parseMessageIDs(s); len(ids) > 0 {
		return ids[0]
	}
	return cleanID(strings.Trim(s, "<>"))
}
