package mail

import (
	"strings"
)

// Plain text: what is taken off and put right in it.

// unarmour takes the frame of an inline PGP signature off (RFC 4880 section 7);
// encrypted text is named as such and stays.
func (w *walker) unarmour(text string) string {
	const begin, sign, end = "-----BEGIN PGP SIGNED MESSAGE-----", "\n-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"
	if strings.HasPrefix(strings.TrimLeft(text, " \n"), "-----BEGIN PGP MESSAGE-----") {
		w.problem(ProblemEncrypted)
		return text
	}
	i := strings.Index(text, begin)
	if i < 0 {
		return text
	}
	before, body := text[:i], text[i+len(begin):]
	_, body, ok := strings.Cut(body, "\n\n") // behind the lines Hash: …
	if !ok {
		return text
	}
	after := ""
	if j := strings.Index(body, sign); j >= 0 {
		if k := strings.Index(body[j:], end); k >= 0 {
			after = body[j+k+len(end):]
		}
		body = body[:j]
	}
	body = strings.ReplaceAll("\n"+body, "\n- ", "\n")[1:]
	return before + body + after
}

// cleanText makes line ends LF and drops control characters that mean nothing.
func cleanText(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return strings.TrimPrefix(s, "\uFEFF")
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\r':
			if i+1 >= len(s) || s[i+1] != '\n' {
				b.WriteByte('\n')
			}
		case c == '\f' || c == '\v':
			b.WriteByte('\n')
		case c < ' ' && c != '\n' && c != '\t' || c == 0x7f:
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimPrefix(b.String(), "\uFEFF")
}

// tidy cuts empty lines at both ends off and white space at the end.
func tidy(s string) string {
	s = strings.TrimRight(s, " \t\n\u00a0\u3000")
	for {
		i := strings.IndexByte(s, '\n')
		if i < 0 || strings.Trim(s[:i], " \t\u00a0\u3000") != "" {
			return s
		}
		s = s[i+1:]
	}
}

// looksHTML says whether bytes that nobody labelled are an HTML page.
func looksHTML(b []byte) bool { return isHTMLText(string(b[:min(len(b), 1024)])) }

// isHTMLText says whether a text called plain is in fact a whole HTML page.
func isHTMLText(s string) bool {
	s = strings.TrimLeft(s, " \t\n\ufeff")
	if len(s) < 7 || s[0] != '<' {
		return false
	}
	head := strings.ToLower(s[:min(len(s), 200)])
	for _, tag := range []string{"<!doctype html", "<html", "<head>", "<body"} {
		if strings.HasPrefix(head, tag) {
			return true
		}
	}
	if strings.HasPrefix(head, "<div") || strings.HasPrefix(head, "<p>") || strings.HasPrefix(head, "<table") || strings.HasPrefix(head, "<br") || strings.HasPrefix(head, "<meta") || strings.HasPrefix(head, "<span") || strings.HasPrefix(head, "<font") || strings.HasPrefix(head, "<p ") {
		tail := strings.TrimRight(s[max(0, len(s)-100):], " \t\n")
		return strings.HasSuffix(tail, ">")
	}
	return false
}

// unflow joins the lines of format=flowed (RFC 3676 section 4): a line that
// ends with a space goes on in the next one of the same quote depth.
func unflow(s string, delSp bool) string {
	var b strings.Builder
	b.Grow(len(s))
	open, depth := false, 0
	for len(s) > 0 {
		line, rest, _ := strings.Cut(s, "\n")
		s = rest
		quote := 0
		for quote < len(line) && line[quote] == '>' {
			quote++
		}
		content := line[quote:]
		stuffed := strings.HasPrefix(content, " ")
		if stuffed {
			content = content[1:]
		}
		signature := content == "-- " || content == "--"
		if open && (quote != depth || signature) {
			b.WriteByte('\n')
			open = false
		}
		if !open && quote > 0 {
			b.WriteString(strings.Repeat(">", quote))
			if content != "" {
				b.WriteByte(' ')
			}
		}
		open = strings.HasSuffix(content, " ") && !signature
		if open && delSp {
			content = content[:len(content)-1]
		}
		b.WriteString(content)
		if !open {
			b.WriteByte('\n')
		}
		depth = quote
	}
	return b.String()
}

// enrichedText takes the commands of text/enriched away (RFC 1896).
func enrichedText(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '<' {
			b.WriteByte(s[i])
			continue
		}
		if strings.HasPrefix(s[i:], "<<") {
			b.WriteByte('<')
			i++
			continue
		}
		end := strings.IndexByte(s[i:], '>')
		if end < 0 || end > 60 {
			b.WriteByte('<')
			continue
		}
		if strings.EqualFold(s[i:i+end+1], "<param>") {
			if close := strings.Index(strings.ToLower(s[i:min(len(s), i+500)]), "</param>"); close > 0 {
				end = close + len("</param>") - 1
			}
		}
		i += end
	}
	return b.String()
}
