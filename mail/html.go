package mail

import (
	"html"
	"strconv"
	"strings"
)

// htmlText converts HTML to the text that a person would read: paragraphs and
// rows on lines of their own, lists with dashes, quotes with "> ", links with
// their address where it differs from the words, inline pictures as
// [cid:…]. It reads the source once, in linear time, whatever it holds.
func htmlText(s string) string {
	out := convertHTML(s, true)
	if strings.TrimSpace(out) == "" {
		out = convertHTML(s, false) // everything was marked as hidden
	}
	return out
}

func convertHTML(s string, hide bool) string {
	c := htmlConverter{hide: hide}
	c.out.Grow(len(s)/3 + 64)
	c.run(s)
	c.endLink()
	return c.out.String()
}

// htmlConverter is the state between two tags.
type htmlConverter struct {
	out     strings.Builder
	hide    bool
	line    int  // bytes written to the current line, beside its quote marks
	blank   int  // line ends waiting to be written
	space   bool // white space waiting to be written
	started bool
	pre     int
	quote   int
	quoteAt int    // length of out when the last quote began
	quotes  []bool // for each open blockquote: does it quote
	lists   []int  // for each open list: the next number, or -1
	skipTag string // content of this element is left out
	skipN   int    // how deep it is nested
	href    string
	linked  int // where the link's words begin in out

	noComment bool     // no "-->" follows any more: it is not looked for again
	unclosed  []string // elements whose end tag does not follow any more
}

// run goes through the source once.
func (c *htmlConverter) run(s string) {
	for len(s) > 0 && c.out.Len() < 2*maxText {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			c.text(s)
			return
		}
		if i > 0 {
			c.text(s[:i])
			s = s[i:]
		}
		s = c.markup(s)
	}
}

// open acts on a start tag.
func (c *htmlConverter) open(name, attrs string) {
	if c.skipTag != "" {
		if name == c.skipTag && !strings.HasSuffix(attrs, "/") {
			c.skipN++
		}
		return
	}
	if c.hide && attrs != "" && isHidden(attrs) && !isVoid(name) {
		c.skipTag, c.skipN = name, 1
		return
	}
	switch name {
	case "br":
		c.newline()
	case "p", "ul", "ol", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "table", "pre", "fieldset", "hr", "figure", "center":
		c.block(name)
		if name == "pre" {
			c.pre++
		}
	case "div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "address", "form", "option", "body", "tbody", "thead", "nav", "main", "aside", "caption", "figcaption", "legend", "o:p":
		if name != "o:p" {
			c.freshLine()
		}
	case "td", "th":
		if c.line > 0 {
			c.space = true
		}
	case "blockquote":
		c.openQuote(attrs)
	case "img":
		c.image(attrs)
	case "a":
		c.endLink()
		c.href, c.linked = strings.TrimSpace(attr(attrs, "href")), c.out.Len()
	}
	switch name {
	case "ul":
		c.lists = append(c.lists, -1)
	case "ol":
		c.lists = append(c.lists, 1)
	case "li":
		c.bullet()
	}
}

// block begins a paragraph of its own.
func (c *htmlConverter) block(name string) {
	c.freshLine()
	inList := len(c.lists) > 0 && (name == "ul" || name == "ol" || name == "p")
	if c.started && c.out.Len() == c.quoteAt {
		return // the first paragraph of a quote needs no empty line above it
	}
	if c.started && !inList && name != "table" && name != "center" && c.blank < 2 {
		c.blank = 2
	}
}

// freshLine ends the current line, if anything stands on it.
func (c *htmlConverter) freshLine() {
	c.space = false
	if c.line > 0 && c.blank == 0 {
		c.blank = 1
	}
}

// newline is <br>: it always counts.
func (c *htmlConverter) newline() {
	c.space = false
	if c.started {
		if c.line == 0 && c.blank == 0 {
			c.blank = 1
		} else {
			c.blank++
		}
	}
}

func (c *htmlConverter) openQuote(attrs string) {
	c.freshLine()
	style := strings.ToLower(attr(attrs, "style"))
	// Mail programs indent by blockquote too: a border of none and no bar at the left.
	bare := strings.Contains(style, "border:none") || strings.Contains(style, "border: none") || strings.Contains(style, "border-width:0") || strings.Contains(style, "border: 0")
	indent := bare && !strings.Contains(style, "border-left") && attr(attrs, "type") == "" && attr(attrs, "class") == ""
	c.quotes = append(c.quotes, !indent)
	if !indent {
		c.quote++
		c.quoteAt = c.out.Len()
	}
}

func (c *htmlConverter) closeQuote() {
	c.freshLine()
	if n := len(c.quotes); n > 0 {
		if c.quotes[n-1] {
			c.quote--
		}
		c.quotes = c.quotes[:n-1]
	}
}

func (c *htmlConverter) bullet() {
	n := len(c.lists)
	if n == 0 {
		c.word("- ")
		return
	}
	mark := "- "
	if c.lists[n-1] > 0 {
		mark = strconv.Itoa(c.lists[n-1]) + ". "
		c.lists[n-1]++
	}
	c.word(strings.Repeat("  ", min(n-1, 10)) + mark)
	c.line = 0 // an empty item is no line yet
}

// image writes an inline picture's place, or the words that stand for another.
func (c *htmlConverter) image(attrs string) {
	src := strings.TrimSpace(attr(attrs, "src"))
	if len(src) > 4 && strings.EqualFold(src[:4], "cid:") {
		c.word("[cid:" + strings.Trim(src[4:], "<> ") + "]")
		return
	}
	if alt := strings.TrimSpace(attr(attrs, "alt")); alt != "" && len(alt) < 300 {
		c.word(strings.Join(strings.Fields(alt), " "))
	}
}

// close acts on an end tag.
func (c *htmlConverter) close(name string) {
	if c.skipTag != "" {
		if name == c.skipTag {
			if c.skipN--; c.skipN == 0 {
				c.skipTag = ""
			}
		}
		return
	}
	switch name {
	case "a":
		c.endLink()
	case "blockquote":
		c.closeQuote()
	case "pre":
		c.pre = max(c.pre-1, 0)
		c.block(name)
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "fieldset", "figure":
		c.block(name)
	case "ul", "ol":
		c.lists = c.lists[:max(len(c.lists)-1, 0)]
		c.block(name)
	case "div", "tr", "li", "table", "dt", "dd", "dl", "section", "article", "header", "footer", "address", "form", "center", "option", "caption", "nav", "main", "aside":
		c.freshLine()
	}
}

// endLink writes the address of a link where the words do not say it.
func (c *htmlConverter) endLink() {
	href := c.href
	c.href = ""
	if href == "" || strings.HasPrefix(href, "#") || c.linked > c.out.Len() {
		return
	}
	shown := strings.TrimSpace(c.out.String()[c.linked:])
	lower := strings.ToLower(href[:min(len(href), 12)])
	if shown == "" || strings.HasPrefix(lower, "javascript:") || strings.HasPrefix(lower, "data:") || strings.HasPrefix(lower, "cid:") || sameLink(shown, href) {
		return
	}
	if strings.HasPrefix(lower, "tel:") && strings.ContainsAny(shown, "0123456789") {
		return
	}
	c.space = true
	c.word("<" + strings.Join(strings.Fields(href), "") + ">")
}

// sameLink says whether the words of a link are its address.
func sameLink(shown, href string) bool {
	strip := func(s string) string {
		s = strings.ToLower(strings.TrimSpace(s))
		for _, p := range []string{"mailto:", "https://", "http://", "www.", "<", "tel:"} {
			s = strings.TrimPrefix(s, p)
		}
		if i := strings.IndexByte(s, '?'); i > 0 && strings.Contains(s[:i], "@") {
			s = s[:i]
		}
		return strings.TrimRight(s, "/> ")
	}
	return strip(shown) == strip(href)
}

// text writes character data.
func (c *htmlConverter) text(s string) {
	if c.skipTag != "" {
		return
	}
	if strings.IndexByte(s, '&') >= 0 {
		s = html.UnescapeString(s)
	}
	if c.pre > 0 {
		c.preText(s)
		return
	}
	if c.line == 0 || c.blank > 0 {
		// A paragraph of nothing but a no-break space is how programs write an empty line.
		if strings.Contains(s, "\u00a0") && strings.Trim(s, " \t\r\n\u00a0") == "" {
			if c.started {
				c.blank = max(c.blank, 2)
			}
			return
		}
	}
	s = strings.ReplaceAll(s, "\u00a0", " ")
	for len(s) > 0 {
		i := 0
		for i < len(s) && (isSpace(s[i]) || s[i] == '\f') {
			i++
		}
		if i > 0 {
			c.space = c.space || c.line > 0
			s = s[i:]
			continue
		}
		for i < len(s) && !isSpace(s[i]) && s[i] != '\f' {
			i++
		}
		c.word(s[:i])
		s = s[i:]
	}
}

// preText keeps lines and spaces.
func (c *htmlConverter) preText(s string) {
	for len(s) > 0 {
		line, rest, found := strings.Cut(s, "\n")
		if line = strings.TrimRight(line, "\r"); line != "" {
			c.word(line)
		}
		if found {
			c.newline()
		}
		s = rest
	}
}

// word writes what stands together, behind the line ends, quote marks and
// space that wait.
func (c *htmlConverter) word(s string) {
	if s == "" {
		return
	}
	if c.blank > 0 && c.started {
		for n := min(c.blank, 3); n > 0; n-- {
			if n < min(c.blank, 3) {
				c.marks(false)
			}
			c.out.WriteByte('\n')
		}
		c.line, c.space = 0, false
	}
	if c.blank > 0 || !c.started {
		c.marks(true)
	}
	c.blank, c.started = 0, true
	if c.space && c.line > 0 {
		c.out.WriteByte(' ')
		c.line++
	}
	c.space = false
	c.out.WriteString(s)
	c.line += len(s)
}

// marks writes the quote marks of a line.
func (c *htmlConverter) marks(text bool) {
	if c.quote == 0 {
		return
	}
	for range min(c.quote, 20) {
		c.out.WriteByte('>')
	}
	if text {
		c.out.WriteByte(' ')
	}
}
