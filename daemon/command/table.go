package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/width"
)

// printJSON writes v indented, as people and programs can read it.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table prints rows in columns. limits are the widest that each column may
// get; 0 is no limit. Widths are those of a terminal, where a Japanese
// character takes two places.
func table(w io.Writer, limits []int, rows [][]string) error {
	widths := make([]int, len(limits))
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
			if limits[i] > 0 {
				row[i] = cut(row[i], limits[i])
			}
			widths[i] = max(widths[i], columns(row[i]))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-columns(cell)+2))
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// printable keeps control characters of a stranger's mail off the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return ' '
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
