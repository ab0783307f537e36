package connect

import (
	"bytes"
	"strings"
	"unicode"
)

const (
	maxWords    = 2 << 10 // bytes kept in all
	maxWordLine = 512     // bytes kept of one line
)

// words keeps the last lines that a server sent, without the secrets.
type words struct {
	secrets secrets
	lines   []string
	total   int // lines ever kept
	size    int
	partial []byte // a line that has not ended yet
}

// write takes bytes as they arrive and adds the lines that they complete.
func (w *words) write(p []byte) {
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		w.add(string(w.grow(p[:i])))
		w.partial = w.partial[:0]
		p = p[i+1:]
	}
	w.grow(p)
}

// grow appends to the unfinished line what still fits.
func (w *words) grow(p []byte) []byte {
	// As long as a line may be: a secret that is cut off could not be found.
	if room := maxLine - len(w.partial); len(p) > room {
		p = p[:room]
	}
	w.partial = append(w.partial, p...)
	return w.partial
}

// add keeps a line and drops the oldest beyond maxWords.
func (w *words) add(line string) {
	line = printable(w.secrets.scrub(line))
	if line == "" {
		return
	}
	w.lines = append(w.lines, line)
	w.total++
	for w.size += len(line) + 1; w.size > maxWords; w.lines = w.lines[1:] {
		w.size -= len(w.lines[0]) + 1
	}
}

func (w *words) String() string { return w.since(0) }

// since gives the lines kept after the first n.
func (w *words) since(n int) string {
	s := strings.Join(w.lines[max(0, len(w.lines)-(w.total-n)):], "\n")
	if rest := printable(w.secrets.scrub(string(w.partial))); rest != "" {
		s = strings.TrimPrefix(s+"\n"+rest, "\n")
	}
	return s
}

// printable cuts a line to length and drops what a terminal or a page would
// not show as text.
func printable(line string) string {
	if len(line) > maxWordLine {
		line = line[:maxWordLine]
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) && r != '\t' {
			return -1
		}
		return r
	}, line))
}
