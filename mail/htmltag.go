package mail

import (
	"html"
	"slices"
	"strings"
)

// Reading of HTML tags as programs write them, closed or not.

// markup reads the tag, comment or lone "<" that s begins with and returns
// what is behind it.
func (c *htmlConverter) markup(s string) string {
	if len(s) < 2 {
		c.text(s)
		return ""
	}
	switch {
	case strings.HasPrefix(s, "<!--"):
		// Outlook hides its own code in comments; <!--> is an empty one.
		if strings.HasPrefix(s, "<!-->") {
			return s[5:]
		}
		if !c.noComment {
			if end := strings.Index(s[4:], "-->"); end >= 0 {
				return s[4+end+3:]
			}
			c.noComment = true
		}
		if end := strings.IndexByte(s, '>'); end >= 0 {
			return s[end+1:]
		}
		return ""
	case s[1] == '!' || s[1] == '?':
		if end := strings.IndexByte(s, '>'); end >= 0 {
			return s[end+1:]
		}
		return ""
	case s[1] == '/' && len(s) > 2 && isLetter(s[2]):
		end := strings.IndexByte(s, '>')
		if end < 0 {
			c.text(s)
			return ""
		}
		c.close(tagName(s[2:]))
		return s[end+1:]
	case isLetter(s[1]):
		return c.start(s)
	}
	c.text("<")
	return s[1:]
}

// tagName is the name that s begins with, in lower case.
func tagName(s string) string {
	i := 0
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == ':' || s[i] == '-') {
		i++
	}
	return strings.ToLower(s[:i])
}

// start reads a start tag.
func (c *htmlConverter) start(s string) string {
	name := tagName(s[1:])
	end := tagEnd(s)
	if end < 0 {
		c.text(s) // no tag ends any more: text that happens to hold "<a"
		return ""
	}
	// <https://…> and <name@example.com> are written into HTML by careless programs.
	if after := s[1+len(name)]; after == '@' || after == '.' || strings.HasSuffix(name, ":") && strings.HasPrefix(s[1+len(name):], "//") || strings.HasPrefix(name, "mailto:") {
		c.text(s[:end+1])
		return s[end+1:]
	}
	attrs := s[1+len(name) : end]
	rest := s[end+1:]
	switch name {
	case "script", "style", "title", "noembed", "xml", "svg":
		return c.afterElement(rest, name)
	}
	c.open(name, attrs)
	return rest
}

// tagEnd finds the ">" of a tag, passing over quoted attribute values. A
// quote that is never closed does not swallow the text: then the first ">".
func tagEnd(s string) int {
	first := -1
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '>':
			return i
		case '"', '\'':
			if s[i-1] != '=' && !isSpace(s[i-1]) {
				continue
			}
			if first < 0 {
				first = strings.IndexByte(s[i:], '>')
				if first < 0 {
					return -1
				}
				first += i
			}
			n := strings.IndexByte(s[i+1:min(len(s), i+64<<10)], c)
			if n < 0 {
				return first
			}
			i += n + 1
		}
	}
	return first
}

// afterElement skips to behind the end tag of an element whose content is no
// text. Without an end tag nothing is skipped.
func (c *htmlConverter) afterElement(s, name string) string {
	if slices.Contains(c.unclosed, name) {
		return s
	}
	for from := 0; ; {
		i := strings.Index(s[from:], "</")
		if i < 0 {
			c.unclosed = append(c.unclosed, name)
			if name == "script" || name == "style" {
				return ""
			}
			return s
		}
		from += i + 2
		if len(s)-from >= len(name) && strings.EqualFold(s[from:from+len(name)], name) {
			end := strings.IndexByte(s[from:], '>')
			if end < 0 {
				return ""
			}
			return s[from+end+1:]
		}
	}
}

// attr returns an attribute's value, decoded, or "".
func attr(attrs, name string) string {
	for i := 0; i < len(attrs); {
		for i < len(attrs) && (isSpace(attrs[i]) || attrs[i] == '/') {
			i++
		}
		j := i
		for j < len(attrs) && !isSpace(attrs[j]) && attrs[j] != '=' && attrs[j] != '/' {
			j++
		}
		key := attrs[i:j]
		for j < len(attrs) && isSpace(attrs[j]) {
			j++
		}
		value := ""
		if j < len(attrs) && attrs[j] == '=' {
			value, j = attrValue(attrs, j+1)
		}
		if strings.EqualFold(key, name) {
			return html.UnescapeString(value)
		}
		if j == i {
			j++
		}
		i = j
	}
	return ""
}

func attrValue(s string, i int) (string, int) {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	if i < len(s) && (s[i] == '"' || s[i] == '\'') {
		end := strings.IndexByte(s[i+1:], s[i])
		if end < 0 {
			return s[i+1:], len(s)
		}
		return s[i+1 : i+1+end], i + end + 2
	}
	j := i
	for j < len(s) && !isSpace(s[j]) {
		j++
	}
	return s[i:j], j
}

// isHidden finds what a reader does not see: preview texts and the like.
func isHidden(attrs string) bool {
	i := strings.Index(attrs, "style")
	if i < 0 {
		return false
	}
	style := strings.ToLower(attr(attrs[i:], "style"))
	for {
		j := strings.Index(style, "display")
		if j < 0 {
			return false
		}
		style = strings.TrimLeft(style[j+7:], " ")
		if v, ok := strings.CutPrefix(style, ":"); ok && strings.HasPrefix(strings.TrimLeft(v, " "), "none") {
			return true
		}
	}
}

func isVoid(name string) bool {
	switch name {
	case "br", "img", "hr", "input", "meta", "link", "col", "area", "base", "wbr", "body", "html":
		return true
	}
	return false
}
