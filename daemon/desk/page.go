package desk

import (
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	link = regexp.MustCompile(`https?://[^\s<>"'）」】、。]+[^\s<>"'）」】、。.,;:!?)]`)
	cid  = regexp.MustCompile(`\[cid:([^\]\s]+)\]`)
)

// page writes a text as an HTML mail. The text is the one source of both parts,
// so they cannot tell different stories.
func page(text string, pictures map[string]bool) string {
	return `<!DOCTYPE html><html><head><meta charset="utf-8"></head><body style="font-family:sans-serif;font-size:15px;line-height:1.5">` + "\n" +
		body(text, pictures) + "</body></html>\n"
}

// body writes a text as HTML: the same words, links to click, quoted lines
// marked, and inline pictures where the text names them, else at the end.
func body(text string, pictures map[string]bool) string {
	var b strings.Builder
	quoted := false
	shown := make(map[string]bool)
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		rest, isQuote := strings.CutPrefix(line, ">")
		if isQuote != quoted {
			if isQuote {
				b.WriteString(`<blockquote style="margin:0 0 0 4px;padding-left:10px;border-left:2px solid #ccc;color:#555">`)
			} else {
				b.WriteString("</blockquote>")
			}
			quoted = isQuote
		}
		if isQuote {
			line = strings.TrimPrefix(rest, " ")
		}
		b.WriteString(inline(line, pictures, shown))
		b.WriteString("<br>\n")
	}
	if quoted {
		b.WriteString("</blockquote>")
	}
	for _, id := range slices.Sorted(maps.Keys(pictures)) {
		if !shown[id] {
			b.WriteString(picture(id) + "<br>\n")
		}
	}
	return b.String()
}

// inline escapes a line and sets links and pictures.
func inline(line string, pictures, shown map[string]bool) string {
	var b strings.Builder
	at := 0
	for _, span := range link.FindAllStringIndex(line, -1) {
		u := html.EscapeString(line[span[0]:span[1]])
		b.WriteString(withPictures(line[at:span[0]], pictures, shown) + `<a href="` + u + `">` + u + `</a>`)
		at = span[1]
	}
	b.WriteString(withPictures(line[at:], pictures, shown))
	return b.String()
}

func withPictures(s string, pictures, shown map[string]bool) string {
	return cid.ReplaceAllStringFunc(html.EscapeString(s), func(mark string) string {
		id := html.UnescapeString(cid.FindStringSubmatch(mark)[1])
		if !pictures[id] {
			return mark
		}
		shown[id] = true
		return picture(id)
	})
}

func picture(id string) string {
	return `<img src="cid:` + html.EscapeString(id) + `" alt="" style="max-width:100%">`
}
