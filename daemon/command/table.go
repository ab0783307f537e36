package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// printJSON writes v indented, as people and programs can read it.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// screen is how many places a line of a table may take.
const screen = 80

// table prints rows in columns, the first row is the headings. limits are the
// widest that each column may get; one of them may be 0: that column gets what
// the others leave of the screen. Widths are those of a terminal, where a
// Japanese character takes two places.
func table(w io.Writer, limits []int, rows [][]string) error {
	widths := make([]int, len(limits))
	left := screen - 2*(len(limits)-1)
	for i, limit := range limits {
		for _, row := range rows {
			row[i] = strings.TrimSpace(printable(row[i]))
			if limit > 0 {
				row[i] = cut(row[i], limit)
			}
			widths[i] = max(widths[i], columns(row[i]))
		}
		if limit > 0 {
			left -= widths[i]
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			room := widths[i]
			if limits[i] == 0 {
				room = min(room, left)
				cell = cut(cell, room)
			}
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", max(0, room-columns(cell))+2))
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// printable keeps control characters of a stranger's mail off the terminal,
// and those that turn the direction of writing round.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || (r >= 0x7f && r < 0xa0) || r == '\u2028' || r == '\u2029':
			return ' '
		case r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200e' || r == '\u200f' || r == '\u061c':
			return -1
		}
		return r
	}, s)
}

// columns is how many places a string takes on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += places(r)
	}
	return n
}

func places(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0 // drawn over the character before it, or not at all
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut shortens a string to n places.
func cut(s string, n int) string {
	if columns(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if used+places(r) > n-1 {
			return s[:i] + "…"
		}
		used += places(r)
	}
	return s
}
