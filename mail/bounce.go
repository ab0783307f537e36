package mail

import (
	"strings"
)

// bounceOf reads a delivery status report, or returns nil. It trusts the
// standard form (RFC 3464) where it is there, and else knows the free forms of
// the mail servers in use by sender, subject and text.
func bounceOf(m *Message, h header, reports []*node) *Bounce {
	b, standard, decided := statusReport(reports)
	if decided && b == nil {
		return nil // reports of success only
	}
	if isChallenge(m, h) {
		return nil
	}
	if b == nil {
		if !looksBounced(m, h, reports) {
			return nil
		}
		b = &Bounce{}
	}
	notice, copied := splitCopy(m.Text)
	if !standard || b.Recipient == "" || b.Diagnostic == "" || b.Status == "" {
		completeFromText(b, m, h, notice)
	}
	if b.OriginalMessageID == "" {
		b.OriginalMessageID = originalID(reports, copied, m)
	}
	if strings.HasSuffix(b.Status, ".0.0") { // the words often say more
		if meant := meantStatus(strings.ToLower(b.Diagnostic), b.Status); meant != "" {
			b.Status = meant
		}
	}
	if b.Status != "" {
		b.Permanent = b.Status[0] == '5'
	}
	if standardDelay(b, notice, m.Subject) {
		b.Permanent = false
	}
	return b
}

// statusReport reads message/delivery-status parts. decided says that there
// was one which tells what happened; then a nil Bounce means success.
func statusReport(reports []*node) (b *Bounce, standard, decided bool) {
	for _, r := range reports {
		if r.typ != "message/delivery-status" && r.typ != "message/global-delivery-status" {
			continue
		}
		found, told := readStatus(r.data)
		decided = decided || told
		if found != nil && (b == nil || rank(found) > rank(b)) {
			b = found
		}
	}
	return b, b != nil, decided
}

// rank orders the recipients of one report: a failure says more than a delay.
func rank(b *Bounce) int {
	n := 0
	if b.Permanent {
		n += 2
	}
	if b.Recipient != "" {
		n++
	}
	return n
}

// readStatus reads the groups of fields of one delivery status (RFC 3464
// section 2). Some programs leave the group of the message out, some the empty
// line between the groups.
func readStatus(data []byte) (b *Bounce, told bool) {
	text, _ := decodeCharset("", data)
	text = strings.ReplaceAll(text, "\r", "")
	for _, group := range strings.Split(text, "\n\n") {
		if strings.TrimSpace(group) == "" {
			continue
		}
		h := blockHeader([]byte(strings.TrimLeft(group, "\n") + "\n\n"))
		action := strings.ToLower(firstWord(h.get("Action")))
		if action == "" && !h.has("Final-Recipient") && !h.has("Original-Recipient") && !h.has("Status") {
			continue
		}
		switch action {
		case "delivered", "relayed", "expanded":
			told = true
			continue
		}
		told = true
		found := &Bounce{
			Recipient:  recipientOf(h),
			Status:     enhancedStatus(h.get("Status")),
			Diagnostic: diagnosticOf(h.get("Diagnostic-Code")),
			Permanent:  action == "failed",
		}
		if code := enhancedStatus(found.Diagnostic); code != "" && (found.Status == "" || strings.HasSuffix(found.Status, ".0.0")) && (found.Status == "" || code[0] == found.Status[0]) {
			found.Status = code // the remote server's own code says more than 5.0.0
		}
		if action == "delayed" {
			found.Permanent = false
			if strings.HasPrefix(found.Status, "5") {
				found.Status = ""
			}
		}
		if b == nil || rank(found) > rank(b) {
			b = found
		}
	}
	return b, told
}

// recipientOf prefers the address that the mail was sent to over the one that
// it was forwarded to.
func recipientOf(h header) string {
	for _, name := range [...]string{"Original-Recipient", "Final-Recipient", "X-Actual-Recipient"} {
		v := h.get(name)
		if _, rest, ok := strings.Cut(v, ";"); ok {
			v = rest
		}
		v = strings.TrimSpace(v)
		if i := strings.IndexByte(v, '<'); i >= 0 {
			v, _, _ = strings.Cut(v[i+1:], ">")
		}
		if a := cleanAddress(v, ""); strings.Contains(a, "@") {
			return a
		}
	}
	return ""
}

// diagnosticOf takes the type before the server's words away.
func diagnosticOf(v string) string {
	if kind, rest, ok := strings.Cut(v, ";"); ok && len(kind) < 20 && !strings.ContainsAny(strings.TrimSpace(kind), " <") {
		v = rest
	}
	return flatLine(v)
}

func flatLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(printable, rawText(s, ""))), " ")
}

// enhancedStatus finds the first enhanced status code, as 5.1.1 (RFC 3463).
func enhancedStatus(s string) string {
	for i := 0; i+4 < len(s); i++ {
		c := s[i]
		if c != '2' && c != '4' && c != '5' || s[i+1] != '.' || i > 0 && (isDigit(s[i-1]) || s[i-1] == '.' || isLetter(s[i-1])) {
			continue
		}
		_, j := digits(s, i+2)
		if j == i+2 || j > i+5 || j >= len(s) || s[j] != '.' {
			continue
		}
		_, k := digits(s, j+1)
		if k == j+1 || k > j+4 || k < len(s) && (s[k] == '.' && k+1 < len(s) && isDigit(s[k+1]) || isLetter(s[k])) {
			continue
		}
		if c != '2' {
			return s[i:k]
		}
	}
	return ""
}

// standardDelay says whether a report only warns that delivery takes longer.
func standardDelay(b *Bounce, notice, subject string) bool {
	if strings.HasPrefix(b.Status, "5") && b.Permanent {
		return false
	}
	s := strings.ToLower(subject)
	if strings.Contains(s, "delay") || strings.HasPrefix(s, "warning: could not send") || strings.Contains(s, "still being retried") || strings.Contains(s, "(delay)") {
		return true
	}
	n := strings.ToLower(notice[:min(len(notice), 3000)])
	return strings.Contains(n, "this is a warning message only") || strings.Contains(n, "you do not need to resend") || strings.Contains(n, "delivery will continue to be attempted") || strings.Contains(n, "still trying to deliver")
}

// copyMarks are the lines behind which the free forms put the original mail.
var copyMarks = []string{
	"------ this is a copy of", "--- below this line is a copy of the message", "----- original message follows", "original message follows", "--- original message follows", "----- unsent message follows", "--- undelivered message follows",
	"----- message header follows", "----- original message -----", "----- message follows", "received headers", "--- the forwarded message follows", "---------- message header", "------ original headers", "message headers follow", "----- unmodified message", "the first 100 lines of the original", "----- original message header", "|------------------------- message log", "----------------------- original message", "----- unsent message below", "--------- returned mail follows", "--------returned mail follows",
	"original message headers:", "diagnostic information for administrators:",
}

// splitCopy parts a notice from the original mail that is copied below it.
func splitCopy(text string) (notice, copied string) {
	rest, offset := text, 0
	for len(rest) > 0 && offset < 64<<10 {
		line, after, _ := strings.Cut(rest, "\n")
		l := strings.ToLower(strings.TrimSpace(line))
		for _, mark := range copyMarks {
			if strings.HasPrefix(l, mark) && mark != "diagnostic information for administrators:" {
				return text[:offset], after
			}
		}
		if offset > 0 && (strings.HasPrefix(l, "received: ") || strings.HasPrefix(l, "return-path: ")) {
			return text[:offset], rest
		}
		offset += len(line) + 1
		rest = after
	}
	return text, ""
}

// originalID finds the Message-ID of the mail that bounced.
func originalID(reports []*node, copied string, m *Message) string {
	for _, r := range reports {
		if r.kind == kindMail || strings.Contains(r.typ, "header") {
			if id := messageID(blockHeader(r.data).get("Message-ID")); id != "" {
				return id
			}
		}
	}
	if id := idInText(copied); id != "" {
		return id
	}
	if id := idInText(m.Text); id != "" {
		return id
	}
	if len(m.InReplyTo) > 0 {
		return m.InReplyTo[0]
	}
	if n := len(m.References); n > 0 {
		return m.References[n-1]
	}
	return ""
}

// idInText finds a line Message-ID: in a copied header.
func idInText(text string) string {
	for len(text) > 0 {
		line, rest, _ := strings.Cut(text, "\n")
		line = strings.TrimLeft(line, " \t>|")
		if len(line) > 11 && strings.EqualFold(line[:11], "message-id:") {
			next, _, _ := strings.Cut(rest, "\n")
			if id := messageID(strings.TrimSpace(line[11:])); strings.Contains(id, "@") {
				return id
			}
			if id := messageID(strings.TrimSpace(next)); strings.Contains(id, "@") {
				return id
			}
		}
		text = rest
	}
	return ""
}
