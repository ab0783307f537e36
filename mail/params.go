package mail

import (
	"sort"
	"strconv"
	"strings"
)

// params is a value with parameters, as of Content-Type and
// Content-Disposition (RFC 2045 section 5.1, RFC 2183, RFC 2231).
type params struct {
	value string // lower case, without white space
	list  []param
}

type param struct{ name, value string }

// get returns the parameter as plain text: RFC 2231 continuations joined, its
// charset and percent escapes decoded, encoded words decoded too.
func (p *params) get(name, fallback string) string {
	if v, ok := p.extended(name); ok {
		return v
	}
	for _, q := range p.list {
		if strings.EqualFold(q.name, name) && q.value != "" {
			return decodeWords(q.value, fallback)
		}
	}
	return ""
}

// plain returns a parameter as it stands, for boundaries and charsets.
func (p *params) plain(name string) string {
	for _, q := range p.list {
		if strings.EqualFold(q.name, name) {
			return q.value
		}
	}
	if v, ok := p.extended(name); ok {
		return v
	}
	return ""
}

// section is one piece of a continued parameter (RFC 2231 section 3).
type section struct {
	n       int
	value   string
	encoded bool
}

// extended joins name*=, name*0=, name*0*=, name*1… in their numbers' order.
func (p *params) extended(name string) (string, bool) {
	var found []section
	for _, q := range p.list {
		if len(q.name) <= len(name) || q.name[len(name)] != '*' || !strings.EqualFold(q.name[:len(name)], name) {
			continue
		}
		rest := q.name[len(name)+1:]
		s := section{value: q.value}
		if rest == "" {
			s.encoded = true
		} else {
			rest, s.encoded = strings.CutSuffix(rest, "*")
			n, err := strconv.Atoi(rest)
			if err != nil || n < 0 {
				continue
			}
			s.n = n
		}
		found = append(found, s)
	}
	if len(found) == 0 {
		return "", false
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].n < found[j].n })
	return joinSections(found), true
}

func joinSections(found []section) string {
	charset := ""
	var data []byte
	for i, s := range found {
		v := s.value
		if i == 0 && s.encoded {
			// charset'language'text; some programs leave the quotes out.
			if cs, rest, ok := strings.Cut(v, "'"); ok {
				if _, text, ok := strings.Cut(rest, "'"); ok {
					charset, v = cs, text
				}
			}
		}
		if s.encoded || charset != "" && strings.IndexByte(v, '%') >= 0 {
			data = appendUnescaped(data, v)
		} else {
			data = append(data, v...)
		}
	}
	if charset == "" && strings.Contains(string(data), "=?") {
		return decodeWords(string(data), "")
	}
	text, _ := decodeCharset(charset, data)
	return text
}

// appendUnescaped decodes %XX; what is no escape stays.
func appendUnescaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

// maxParams bounds the parameters of one field; nothing in use comes near.
const maxParams = 500

// parseParams reads a value with parameters and forgives what is common:
// unquoted values with spaces, missing semicolons at the end, quotes that are
// never closed, comments.
func parseParams(s string) params {
	var p params
	i := strings.IndexByte(s, ';')
	if i < 0 {
		i = len(s)
	}
	p.value = cleanValue(s[:i])
	for i < len(s) && len(p.list) < maxParams {
		i++ // the semicolon
		for i < len(s) && (isSpace(s[i]) || s[i] == ';') {
			i++
		}
		eq := strings.IndexAny(s[i:], "=;")
		if eq < 0 {
			break
		}
		if s[i+eq] == ';' {
			i += eq
			continue
		}
		name := strings.TrimRight(s[i:i+eq], " \t\r\n")
		i += eq + 1
		for i < len(s) && isSpace(s[i]) {
			i++
		}
		var value string
		value, i = paramValue(s, i)
		p.list = append(p.list, param{name, value})
	}
	return p
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// cleanValue cuts comments and anything behind the first word off.
func cleanValue(s string) string {
	s, _, _ = strings.Cut(s, "(")
	s = strings.Trim(s, " \t\r\n\"'<>,")
	if i := strings.IndexAny(s, " \t\r\n,"); i > 0 {
		s = s[:i]
	}
	return strings.ToLower(s)
}

// paramValue reads a quoted or bare value from s[i:] and returns the index of
// the semicolon behind it, or len(s).
func paramValue(s string, i int) (string, int) {
	if i < len(s) && s[i] == '"' {
		if v, end, ok := quoted(s, i); ok {
			next := strings.IndexByte(s[end:], ';')
			if next < 0 {
				return v + bareTail(s[end:]), len(s)
			}
			return v + bareTail(s[end:end+next]), end + next
		}
		i++
	}
	end := strings.IndexByte(s[i:], ';')
	if end < 0 {
		end = len(s) - i
	}
	v := strings.Trim(s[i:i+end], " \t\r\n")
	if j := strings.Index(v, " ("); j > 0 && strings.HasSuffix(v, ")") && strings.IndexByte(v[:j], '.') < 0 {
		v = strings.TrimRight(v[:j], " \t") // a comment
	}
	return strings.TrimSuffix(v, "\""), i + end
}

// bareTail is what follows a closed quote up to the semicolon: part of the
// value when it holds encoded words (file names cut into several quotes), else dropped.
func bareTail(s string) string {
	s = strings.Trim(s, " \t\r\n")
	if strings.HasPrefix(s, "\"=?") {
		return strings.Trim(s, "\"")
	}
	return ""
}

// quoted reads the quoted-string at s[i] (RFC 5322 section 3.2.4). A backslash
// that escapes neither quote nor backslash stays: it is a Windows path.
func quoted(s string, i int) (value string, end int, ok bool) {
	j := i + 1
	for j < len(s) && s[j] != '"' && s[j] != '\\' {
		j++
	}
	if j < len(s) && s[j] == '"' {
		return s[i+1 : j], j + 1, true
	}
	var b strings.Builder
	for j = i + 1; j < len(s); j++ {
		switch c := s[j]; {
		case c == '"':
			return b.String(), j + 1, true
		case c == '\\' && j+1 < len(s) && (s[j+1] == '"' || s[j+1] == '\\' || s[j+1] == '(' || s[j+1] == ')'):
			j++
			b.WriteByte(s[j])
		default:
			b.WriteByte(c)
		}
	}
	return "", i, false
}
