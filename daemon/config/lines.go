package config

import (
	"strconv"
	"strings"
)

// locate maps each key of a TOML text to its line, counted from 1. Elements of
// arrays are counted from 1 too: desk[2].mailbox.port, desk[1].agents[3]. The
// TOML library keeps no positions of keys. It has accepted the text before, so
// this reads on trust and only has to see where keys and values begin and end.
func locate(text string) map[string]int {
	s := &scanner{text: text, line: 1, lines: map[string]int{}, count: map[string]int{}}
	for s.skipSpace(); s.pos < len(s.text); s.skipSpace() {
		if s.peek() == '[' {
			s.header()
		} else {
			s.pair(s.table)
		}
	}
	return s.lines
}

type scanner struct {
	text  string
	pos   int
	line  int
	table string         // path of the table we are in
	lines map[string]int // what locate returns
	count map[string]int // elements seen of each array of tables
}

func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// next takes one byte and counts lines. It never runs past the end, so that
// even a text that TOML refuses would end.
func (s *scanner) next() byte {
	c := s.peek()
	if s.pos < len(s.text) {
		s.pos++
	}
	if c == '\n' {
		s.line++
	}
	return c
}

// skipSpace passes spaces, line ends, comments and commas.
func (s *scanner) skipSpace() {
	for s.pos < len(s.text) {
		switch c := s.peek(); {
		case c == '#':
			for s.pos < len(s.text) && s.peek() != '\n' {
				s.next()
			}
		case c <= ' ', c == ',', strings.HasPrefix(s.text[s.pos:], "\ufeff"):
			s.next()
		case c == 0xbb && s.pos == 1, c == 0xbf && s.pos == 2: // rest of the byte order mark
			s.next()
		default:
			return
		}
	}
}

// header reads [a.b] or [[a.b]].
func (s *scanner) header() {
	line := s.line
	s.next()
	array := s.peek() == '['
	if array {
		s.next()
	}
	names := s.key()
	for s.peek() == ']' {
		s.next()
	}
	path := s.resolve("", names[:len(names)-1])
	last := join(path, names[len(names)-1])
	if array {
		s.note(last, line)
		s.count[last]++
	}
	s.table = s.element(last)
	s.note(s.table, line)
}

// pair reads key = value inside the table at path.
func (s *scanner) pair(path string) {
	line := s.line
	names := s.key()
	if s.peek() != '=' {
		s.next() // not TOML; go on
		return
	}
	s.next()
	path = s.resolve(path, names[:len(names)-1])
	key := join(path, names[len(names)-1])
	s.note(key, line)
	s.value(key)
}

// resolve appends names to path; an array of tables stands for its last element.
func (s *scanner) resolve(path string, names []string) string {
	for _, n := range names {
		path = s.element(join(path, n))
		s.note(path, s.line)
	}
	return path
}

func (s *scanner) element(path string) string {
	if n := s.count[path]; n > 0 {
		return index(path, n)
	}
	return path
}

// note keeps the first line of a path.
func (s *scanner) note(path string, line int) {
	if s.lines[path] == 0 {
		s.lines[path] = line
	}
}

// key reads a dotted key up to its = or ].
func (s *scanner) key() []string {
	var names []string
	for {
		s.skipSpace()
		if c := s.peek(); c == '"' || c == '\'' {
			names = append(names, s.str())
		} else {
			start := s.pos
			for s.pos < len(s.text) && !strings.ContainsRune(" \t\r\n.=]#,}", rune(s.peek())) {
				s.next()
			}
			names = append(names, s.text[start:s.pos])
		}
		s.skipSpace()
		if s.peek() != '.' {
			return names
		}
		s.next()
	}
}

// value passes a value, and notes the keys and elements inside it.
func (s *scanner) value(path string) {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.next()
	}
	switch s.peek() {
	case '"', '\'':
		s.str()
	case '[':
		s.next()
		n := 0
		for s.skipSpace(); s.pos < len(s.text) && s.peek() != ']'; s.skipSpace() {
			n++
			s.note(index(path, n), s.line)
			s.value(index(path, n))
		}
		s.next()
	case '{':
		s.next()
		for s.skipSpace(); s.pos < len(s.text) && s.peek() != '}'; s.skipSpace() {
			s.pair(path)
		}
		s.next()
	default:
		start := s.pos
		for s.pos < len(s.text) && !strings.ContainsRune(",]}#\n", rune(s.peek())) {
			s.next()
		}
		if s.pos == start {
			s.next()
		}
	}
}

// str passes a string of any of TOML's four kinds. What it returns is the
// text between the quotes, which is right for keys without escapes.
func (s *scanner) str() string {
	quote := s.text[s.pos : s.pos+1]
	end := quote
	if strings.HasPrefix(s.text[s.pos:], strings.Repeat(quote, 3)) {
		end = strings.Repeat(quote, 3)
	}
	for range end {
		s.next()
	}
	start := s.pos
	for s.pos < len(s.text) && !strings.HasPrefix(s.text[s.pos:], end) {
		if s.next() == '\\' && quote == `"` {
			s.next()
		}
	}
	inner := s.text[start:s.pos]
	for range end {
		s.next()
	}
	for len(end) == 3 && s.peek() == quote[0] { // """ may be preceded by two more quotes
		s.next()
	}
	return inner
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func index(path string, n int) string { return path + "[" + strconv.Itoa(n) + "]" }
