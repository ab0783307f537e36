package mail

import "strings"

// maxAddresses bounds one address list.
const maxAddresses = 10_000

// parseAddresses reads an address list as people and programs write it. It
// follows RFC 5322 section 3.4 where the list does, and else finds what a
// reader would: names with bare commas, dots anywhere in the local part
// (Japanese carriers), semicolons as separators, encoded words that hold the
// whole address, addresses without "@". more says that the list was cut.
func parseAddresses(s, fallback string) (list []Address, more bool) {
	if s == "" {
		return nil, false
	}
	s = rawText(s, fallback) // raw Japanese text holds bytes that look like quotes and commas
	p := addressParser{s: s, fallback: fallback, lastSemicolon: strings.LastIndexByte(s, ';'), lastAngle: strings.LastIndexByte(s, '<'), lastClose: strings.LastIndexByte(s, '>')}
	for p.i < len(p.s) {
		if len(p.out) >= maxAddresses {
			return p.out, true
		}
		p.mailbox()
	}
	p.endList()
	return p.out, false
}

type addressParser struct {
	s, fallback string
	i           int
	out         []Address
	held        string // text before a comma that may be the first half of "Doe, John <a@x>"
	group       bool

	// Where the last of these stands, and whether one was found that is never
	// closed: no sign is looked for in vain twice.
	lastSemicolon, lastAngle, lastClose int
	openQuote, openComment              bool
}

// mailbox reads up to the next comma, semicolon or the end.
func (p *addressParser) mailbox() {
	var name strings.Builder // display name or bare address
	var comment, angle string
	hasAngle, wasQuoted := false, false
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == ',' || c == ';':
			p.i++
			if c == ';' && p.group {
				p.group = false
			}
			p.add(name.String(), comment, angle, hasAngle)
			return
		case c == '"':
			wasQuoted = p.quote(&name, hasAngle) || wasQuoted
		case c == '(' && !p.openComment:
			var text string
			var closed bool
			if text, p.i, closed = addressComment(p.s, p.i); !closed {
				p.openComment = true
				continue
			}
			if comment == "" {
				comment = text
			}
			name.WriteByte(' ')
		case c == '<' && !hasAngle:
			if p.i > p.lastClose {
				p.i++
				continue
			}
			end := p.i + strings.IndexByte(p.s[p.i:], '>')
			inner := strings.Trim(p.s[p.i+1:end], " \t<")
			if strings.TrimSpace(name.String()) == "" || strings.Contains(inner, "@") || end > p.lastAngle {
				angle, hasAngle = inner, true
			} else {
				name.WriteString(p.s[p.i : end+1])
			}
			p.i = end + 1
		case c == ':' && !hasAngle && !wasQuoted && p.beginsGroup(name.String()):
			p.group = true
			p.i++
			p.endList()
			return
		case c == '>' && hasAngle:
			p.i++
		default:
			name.WriteByte(c)
			p.i++
		}
	}
	p.add(name.String(), comment, angle, hasAngle)
}

// quote reads a quoted-string into name. A quoted local part keeps its quotes
// and gives false, as a quote does that is never closed.
func (p *addressParser) quote(name *strings.Builder, hasAngle bool) bool {
	v, end, ok := "", 0, false
	if !p.openQuote {
		v, end, ok = quoted(p.s, p.i)
	}
	if !ok {
		p.openQuote = true
		p.i++
		return false
	}
	local := end < len(p.s) && p.s[end] == '@' || !hasAngle && strings.HasSuffix(name.String(), ".")
	if local {
		v = p.s[p.i:end]
	}
	name.WriteString(v)
	p.i = end
	return !local
}

// beginsGroup says whether a colon ends a group's name: no "@" before it, and
// a semicolon somewhere behind.
func (p *addressParser) beginsGroup(name string) bool {
	if p.i > p.lastSemicolon && strings.Trim(p.s[p.i+1:], " ") != "" || len(name) > 1000 {
		return false
	}
	lower := strings.ToLower(strings.TrimSpace(name))
	return lower != "mailto" && lower != "smtp" && !strings.Contains(name, "@")
}

// addressComment reads the comment at s[i], nested ones too (RFC 5322 section 3.2.2).
func addressComment(s string, i int) (text string, end int, closed bool) {
	depth := 0
	var b strings.Builder
	for j := i; j < len(s); j++ {
		switch c := s[j]; {
		case c == '\\' && j+1 < len(s):
			j++
			b.WriteByte(s[j])
		case c == '(':
			if depth++; depth > 1 {
				b.WriteByte(c)
			}
		case c == ')':
			if depth--; depth == 0 {
				return strings.TrimSpace(b.String()), j + 1, true
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return "", i + 1, false
}

// add takes one member of the list.
func (p *addressParser) add(name, comment, angle string, hasAngle bool) {
	name = strings.TrimSpace(name)
	switch {
	case hasAngle && angle == "" && strings.Contains(name, "@"):
		p.flushHeld()
		p.bare(name, comment)
	case hasAngle:
		if p.held != "" {
			name, p.held = p.held+", "+name, ""
		}
		if name == "" {
			name = comment
		}
		p.put(name, angle)
	case name == "":
	case strings.Contains(name, "@"):
		p.flushHeld()
		p.bare(name, comment)
	case strings.Contains(comment, "@") && !strings.Contains(comment, " "):
		p.flushHeld()
		p.put(name, comment)
	case p.decodesToAddress(name):
	default:
		if len(p.held) > 1000 {
			p.flushHeld()
		}
		if p.held != "" {
			name = p.held + ", " + name
		}
		p.held = name
		if comment != "" {
			p.put(comment, p.held)
			p.held = ""
		}
	}
	if p.i >= len(p.s) {
		p.endList()
	}
}

// bare reads an address without angle brackets, and what else stands there.
func (p *addressParser) bare(name, comment string) {
	words := strings.Fields(name)
	if len(words) == 1 {
		p.put(comment, name)
		return
	}
	if joined := strings.Join(words, ""); joinable(words) {
		p.put(comment, joined)
		return
	}
	var rest []string
	found := false
	for _, w := range words {
		if at := strings.IndexByte(w, '@'); at > 0 && at < len(w)-1 && !strings.HasPrefix(w, "=?") {
			p.put(comment, strings.Trim(w, "<>[]\"'"))
			found = true
		} else {
			rest = append(rest, w)
		}
	}
	switch {
	case !found:
		p.put(comment, name)
	case len(rest) > 0 && comment == "" && len(p.out) > 0:
		p.out[len(p.out)-1].Name = p.text(strings.Join(rest, " "))
	}
}

// joinable says whether spaces stand only around dots and "@", where RFC 5322
// section 4.4 let them be.
func joinable(words []string) bool {
	for i := 1; i < len(words); i++ {
		before, after := words[i-1], words[i]
		if !strings.HasSuffix(before, ".") && !strings.HasSuffix(before, "@") && !strings.HasPrefix(after, ".") && !strings.HasPrefix(after, "@") {
			return false
		}
	}
	return true
}

// decodesToAddress takes an encoded word that holds name and address.
func (p *addressParser) decodesToAddress(name string) bool {
	if !strings.Contains(name, "=?") {
		return false
	}
	text := decodeWords(name, p.fallback)
	if !strings.Contains(text, "@") || strings.Contains(text, "=?") {
		return false
	}
	p.flushHeld()
	list, _ := parseAddresses(strings.Map(printable, text), "")
	p.out = append(p.out, list...)
	return true
}

// flushHeld turns held text into an entry of its own.
func (p *addressParser) flushHeld() {
	if p.held == "" {
		return
	}
	held := p.held
	p.held = ""
	for _, part := range strings.Split(held, ", ") {
		p.put("", part)
	}
}

func (p *addressParser) endList() {
	if p.i >= len(p.s) {
		p.flushHeld()
	}
}

// put adds an entry. Text without "@" that is no single word is a name.
func (p *addressParser) put(name, addr string) {
	name = p.text(name)
	addr = cleanAddress(addr, p.fallback)
	if !strings.Contains(addr, "@") && strings.ContainsAny(addr, " \t") || strings.Contains(addr, "=?") {
		if name == "" {
			name = p.text(addr)
		}
		addr = ""
	}
	if name == "" && addr == "" || isUndisclosed(name, addr) {
		return
	}
	p.out = append(p.out, Address{Name: name, Address: addr})
}

// isUndisclosed finds the words that stand for hidden recipients.
func isUndisclosed(name, addr string) bool {
	if strings.Contains(addr, "@") {
		return false
	}
	text := strings.ToLower(name + addr)
	return strings.Contains(text, "undisclosed") || strings.Contains(text, "unlisted-recipients") || strings.Contains(text, "unlisted recipients")
}

// text decodes a display name and takes quotes around the whole away.
func (p *addressParser) text(s string) string {
	s = strings.TrimSpace(decodeWords(strings.TrimSpace(s), p.fallback))
	if len(s) > 1 && (s[0] == '"' && s[len(s)-1] == '"' || s[0] == '\'' && s[len(s)-1] == '\'') {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	return collapse(strings.Map(printable, s))
}

// printable drops control characters; a line end becomes a space.
func printable(r rune) rune {
	switch {
	case r == '\n' || r == '\r' || r == '\t':
		return ' '
	case r < ' ' || r == 0x7f:
		return -1
	}
	return r
}

// collapse makes runs of spaces one.
func collapse(s string) string {
	if !strings.Contains(s, "  ") {
		return strings.Trim(s, " ")
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
}

// cleanAddress takes away what is wrapped around an addr-spec.
func cleanAddress(a, fallback string) string {
	if strings.Contains(a, "=?") {
		a = decodeWords(a, fallback)
	}
	a = rawText(a, fallback)
	a = strings.Map(printable, a)
	a = strings.Trim(a, " \t<>,;")
	if strings.HasPrefix(a, "@") { // RFC 5322 section 4.4: a source route
		if i := strings.IndexByte(a, ':'); i > 0 {
			a = a[i+1:]
		}
	}
	for _, prefix := range []string{"mailto:", "smtp:"} {
		if len(a) > len(prefix) && strings.EqualFold(a[:len(prefix)], prefix) {
			a = a[len(prefix):]
		}
	}
	if len(a) > 1 && (a[0] == '\'' || a[0] == '"') && a[len(a)-1] == a[0] {
		a = a[1 : len(a)-1]
	}
	if strings.Contains(a, "@") && strings.ContainsAny(a, " \t") && !strings.Contains(a, "\"") {
		a = strings.Join(strings.Fields(a), "")
	}
	return strings.TrimSuffix(a, ".")
}
