package fetch

import (
	"bytes"
	"strconv"
	"strings"
)

// fetchLine rewrites one FETCH response (RFC 9051 section 7.5.2) on its way to
// the client, which may come in several lines with literals between them. It
// lets UID, FLAGS, RFC822.SIZE and the body section pass; of the latter there
// is never more than one in a command, so it is always called BODY[].
type fetchLine struct {
	written bool // an item was passed on
	depth   int  // open brackets of a value that is thrown away
}

// feed takes the next line of the FETCH response under way.
func (w *wire) feed(line []byte) {
	before, size, literal := cutLiteral(line)
	f := w.fetch
	rest := before
	if f.depth > 0 {
		rest = f.dropList(rest)
	}
	for {
		rest = bytes.TrimLeft(rest, " (")
		if f.depth > 0 || len(rest) == 0 || rest[0] == ')' {
			break
		}
		var name string
		name, rest = cutName(rest)
		rest = bytes.TrimLeft(rest, " ")
		if literal && len(rest) == 0 {
			if name == "BODY[]" {
				w.item("BODY[] {", strconv.FormatInt(size, 10), "}\r\n")
				w.literal = size
				return
			}
			break
		}
		var value []byte
		value, rest = f.cutValue(rest)
		w.pass(name, string(value))
	}
	if literal {
		w.skip = size
		return
	}
	// The end of the response; also of one that was cut short, so that what
	// came is not lost.
	w.emit(")\r\n")
	w.fetch = nil
}

// item queues one item for the client.
func (w *wire) item(parts ...string) {
	if w.fetch.written {
		w.emit(" ")
	}
	w.fetch.written = true
	w.emit(parts...)
}

// pass queues an item if it was asked for and is well-formed.
func (w *wire) pass(name, value string) {
	switch name {
	case "UID":
		if n, err := strconv.ParseUint(value, 10, 32); err == nil && n > 0 {
			w.item("UID ", value)
		}
	case "RFC822.SIZE":
		if _, err := strconv.ParseUint(value, 10, 63); err == nil {
			w.item("RFC822.SIZE ", value)
		}
	case "FLAGS":
		w.item("FLAGS (", strings.Join(flags(value), " "), ")")
	case "BODY[]":
		if strings.HasPrefix(value, `"`) || strings.EqualFold(value, "NIL") {
			w.item("BODY[] ", value)
		}
	}
}

// flags are the well-formed ones of a list in brackets.
func flags(list string) []string {
	var out []string
	for _, flag := range strings.Fields(strings.Trim(list, "()")) {
		if name := strings.TrimPrefix(flag, `\`); name != "" && !strings.ContainsFunc(name, oddInFlag) {
			out = append(out, flag)
		}
	}
	return out
}

// oddInFlag reports whether r cannot stand in an atom (RFC 9051 section 9).
func oddInFlag(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){}%*"\]`, r)
}

// cutName splits off the name of an item. A section with all its arguments is
// "BODY[]".
func cutName(b []byte) (name string, rest []byte) {
	end := bytes.IndexAny(b, " ([)")
	if end < 0 {
		return strings.ToUpper(string(b)), nil
	}
	name = strings.ToUpper(string(b[:end]))
	if end == 0 || b[end] != '[' {
		return name, b[max(end, 1):]
	}
	rest = b[end+1:]
	for quoted := false; len(rest) > 0; rest = rest[1:] {
		if rest[0] == '"' {
			quoted = !quoted
		} else if rest[0] == ']' && !quoted {
			rest = rest[1:]
			break
		}
	}
	if len(rest) > 0 && rest[0] == '<' { // the origin of a partial fetch
		if i := bytes.IndexByte(rest, '>'); i > 0 {
			rest = rest[i+1:]
		}
	}
	return name + "[]", rest
}

// cutValue splits off an item's value: a list, a quoted string or an atom. A
// list that does not end on this line is counted in depth.
func (f *fetchLine) cutValue(b []byte) (value, rest []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	switch b[0] {
	case '(':
		rest = f.dropList(b)
		return b[:len(b)-len(rest)], rest
	case '"':
		end, closed := quotedEnd(b)
		if !closed {
			return nil, nil
		}
		return b[:end], b[end:]
	}
	if end := bytes.IndexAny(b, " )"); end >= 0 {
		return b[:end], b[end:]
	}
	return b, nil
}

// dropList goes to the end of a list.
func (f *fetchLine) dropList(b []byte) (rest []byte) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			end, _ := quotedEnd(b[i:])
			i += end - 1
		case '(':
			f.depth++
		case ')':
			if f.depth--; f.depth == 0 {
				return b[i+1:]
			}
		}
	}
	return nil
}

// quotedEnd is the length of the quoted string at the beginning of b, and
// whether it ends in b.
func quotedEnd(b []byte) (n int, closed bool) {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1, true
		}
	}
	return len(b), false
}
