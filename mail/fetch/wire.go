package fetch

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// lineLimit is the longest line of a response, in bytes, literals not counted.
const lineLimit = 64 << 10

var errLineTooLong = fmt.Errorf("the server sent a line of more than %d bytes", lineLimit)

// wire stands between the connection and go-imap's client. That client ends
// the connection at an unknown response, a blank line, a flag with a bracket,
// a response code that it cannot read or an item that was not asked for, and
// it throws away what the server says beside its answers. wire keeps the
// latter, and passes on only tagged answers, CAPABILITY, EXISTS, EXPUNGE and
// the parts of FETCH that we ask for, each spelled in one way.
type wire struct {
	net.Conn
	in      *bufio.Reader
	out     []byte // for the client
	given   int    // how much of out it has
	literal int64  // bytes of a literal to be passed on after out
	skip    int64  // bytes of a literal to be thrown away
	fetch   *fetchLine
	ignored bool // inside a response that is thrown away, after a literal
	heard   heard
	note    func(string) // keeps a line as the server's words
	broken  atomic.Pointer[error]
	inSASL  atomic.Bool // AUTHENTICATE is under way
}

// newWire begins with a greeting of our own that names the capabilities.
func newWire(conn net.Conn, g greeting, note func(string)) *wire {
	w := &wire{Conn: conn, in: bufio.NewReaderSize(conn, lineLimit), note: note}
	w.heard.news = make(chan struct{}, 1)
	w.heard.setCapabilities(capabilities(g.capabilities))
	kind := "OK"
	if g.preauth {
		kind = "PREAUTH"
	}
	w.emit("* ", kind, " ", w.capabilityCode(w.heard.capabilities), "\r\n")
	return w
}

// failure is what was wrong with the server's lines, nil if nothing was.
func (w *wire) failure() error {
	if err := w.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// Read gives the client what it may see.
func (w *wire) Read(p []byte) (int, error) {
	for {
		switch {
		case w.broken.Load() != nil: // the client tries again after an error
			return 0, w.failure()
		case w.given < len(w.out):
			n := copy(p, w.out[w.given:])
			if w.given += n; w.given == len(w.out) {
				w.out, w.given = w.out[:0], 0
			}
			return n, nil
		case w.literal > 0:
			n, err := w.in.Read(p[:min(int64(len(p)), w.literal)])
			w.literal -= int64(n)
			return n, err
		case w.skip > 0:
			n, err := io.CopyN(io.Discard, w.in, w.skip)
			w.skip -= n
			if err != nil {
				return 0, err
			}
		default:
			if err := w.next(); err != nil {
				return 0, err
			}
		}
	}
}

// next reads one line and decides what becomes of it.
func (w *wire) next() error {
	line, err := w.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		err = errLineTooLong
		w.broken.Store(&err)
		return err
	}
	line = bytes.TrimRight(line, "\r\n")
	if err != nil {
		if text, ok := strings.CutPrefix(string(line), "* "); ok && w.fetch == nil && !w.ignored {
			w.untaggedStatus(text) // cut off, but it may say why
		}
		return err
	}
	switch {
	case w.fetch != nil:
		w.feed(line)
	case w.ignored:
		w.ignore(line)
	case len(line) == 0:
	case line[0] == '+':
		w.emit("+ ", w.question(strings.TrimLeft(string(line[1:]), " ")), "\r\n")
	case bytes.HasPrefix(line, []byte("* ")):
		w.untagged(line)
	default:
		w.tagged(string(line))
	}
	return nil
}

// question is a continuation request. In a SASL exchange the client wants
// base64, "=" for nothing; some servers ask for the user name in clear text.
func (w *wire) question(text string) string {
	if !w.inSASL.Load() {
		return text
	}
	text = strings.TrimSpace(text)
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return cmp.Or(text, "=")
}

// Write passes on what the client says. An empty SASL response is an empty
// line, and "=" only with the command itself (RFC 4959 section 3); the client
// writes "=" in both cases.
func (w *wire) Write(p []byte) (int, error) {
	if w.inSASL.Load() && string(p) == "=\r\n" {
		n, err := w.Conn.Write(p[1:])
		return min(n+1, len(p)), err
	}
	return w.Conn.Write(p)
}

// emit queues text for the client.
func (w *wire) emit(parts ...string) {
	for _, p := range parts {
		w.out = append(w.out, p...)
	}
}

// untagged takes a line that begins with "* ".
func (w *wire) untagged(line []byte) {
	first, rest, _ := bytes.Cut(line[2:], []byte(" "))
	if n, err := strconv.ParseUint(string(first), 10, 32); err == nil {
		w.numbered(uint32(n), rest, line)
		return
	}
	text := string(line[2:])
	switch kind := strings.ToUpper(string(first)); kind {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		w.untaggedStatus(text)
	case "CAPABILITY":
		list := capabilities(strings.Fields(string(rest)))
		w.heard.setCapabilities(list)
		w.emit("* CAPABILITY ", strings.Join(list, " "), "\r\n")
	case "LIST":
		if m := listLine.FindStringSubmatch(text); m != nil {
			w.heard.hierarchy(unquote(m[1]))
		}
		w.ignore(line)
	case "NAMESPACE":
		if m := namespaceLine.FindStringSubmatch(text); m != nil {
			w.heard.namespace(unquote(m[1]))
		}
		w.ignore(line)
	default:
		w.ignore(line)
	}
}

var (
	listLine      = regexp.MustCompile(`^(?i:LIST) \([^)]*\) (?:"((?:[^"\\]|\\.)*)"|(?i:NIL)) `)
	namespaceLine = regexp.MustCompile(`^(?i:NAMESPACE) \(\("((?:[^"\\]|\\.)*)"`)
)

// unquote resolves the escapes of a quoted string.
func unquote(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s)
}

// numbered takes EXISTS, EXPUNGE and FETCH.
func (w *wire) numbered(n uint32, rest, line []byte) {
	kind, rest, _ := bytes.Cut(rest, []byte(" "))
	number := strconv.FormatUint(uint64(n), 10)
	switch strings.ToUpper(string(kind)) {
	case "EXISTS":
		w.heard.messages(n, false)
		w.emit("* ", number, " EXISTS\r\n")
	case "EXPUNGE":
		w.heard.messages(n, true)
		w.emit("* ", number, " EXPUNGE\r\n")
	case "FETCH":
		w.emit("* ", number, " FETCH (")
		w.fetch = &fetchLine{}
		w.feed(bytes.TrimLeft(rest, " "))
	default:
		w.ignore(line)
	}
}

// ignore throws a response away, with the literals in it.
func (w *wire) ignore(line []byte) {
	_, size, ok := cutLiteral(line)
	w.ignored, w.skip = ok, size
}

// untaggedStatus takes what the server says by itself.
func (w *wire) untaggedStatus(text string) {
	w.note("* " + text)
	st, ok := parseStatus(text)
	if !ok {
		return
	}
	w.heard.status(st, false)
	w.emit("* ", st.kind)
	if st.code == "CAPABILITY" {
		list := capabilities(strings.Fields(st.args))
		w.heard.setCapabilities(list)
		w.emit(" ", w.capabilityCode(list))
	}
	w.emit("\r\n")
}

// tagged takes the answer to a command. A line that is none is thrown away.
func (w *wire) tagged(line string) {
	tag, text, _ := strings.Cut(line, " ")
	st, ok := parseStatus(text)
	if !ok || !clientTag.MatchString(tag) {
		return
	}
	w.note(line)
	w.heard.status(st, true)
	w.emit(tag, " ", st.kind)
	switch {
	case st.code == "CAPABILITY":
		list := capabilities(strings.Fields(st.args))
		w.heard.setCapabilities(list)
		w.heard.endLogin()
		w.emit(" ", w.capabilityCode(list))
	case st.code == "COPYUID" && copyArgs.MatchString(st.args):
		w.emit(" [COPYUID ", st.args, "]")
	case st.kind == "OK":
		// After a login whose answer does not name the capabilities the
		// client would ask for them on its own, beside our next command.
		if list, login := w.heard.endLogin(); login {
			w.emit(" ", w.capabilityCode(list))
		}
	}
	w.emit("\r\n")
}

var (
	clientTag = regexp.MustCompile(`^T[0-9]+$`)
	copyArgs  = regexp.MustCompile(`^[0-9]{1,10} [0-9:,]+ [0-9:,]+$`)
)

// capabilityCode is the response code for list, which the client wants to hold
// something.
func (w *wire) capabilityCode(list []string) string {
	if len(list) == 0 {
		list = capabilities(nil)
	}
	return "[CAPABILITY " + strings.Join(list, " ") + "]"
}

// capabilities puts a list into the form that we and the client read: upper
// case, no oddities, and what IMAP4rev2 includes named one by one. A server
// that speaks rev1 too is taken for a rev1 server, because the client would
// send folder names in UTF-8 to the other without enabling it first
// (RFC 9051 appendix A).
func capabilities(list []string) []string {
	out := []string{"IMAP4REV1"}
	for _, c := range list {
		if c = strings.ToUpper(c); isAtom(c) && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	if i := slices.Index(out, "IMAP4REV2"); i > 0 {
		for _, c := range []string{"IDLE", "MOVE", "NAMESPACE", "UIDPLUS", "SASL-IR"} {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
		if slices.ContainsFunc(list, func(c string) bool { return strings.EqualFold(c, "IMAP4rev1") }) {
			out = slices.Delete(out, i, i+1)
		}
	}
	return out
}

// cutLiteral splits a line that announces a literal, as in `BODY[] {12}`
// (RFC 9051 section 4.3), into what comes before and the literal's size.
func cutLiteral(line []byte) (before []byte, size int64, ok bool) {
	open := bytes.LastIndexByte(line, '{')
	if open < 0 || line[len(line)-1] != '}' {
		return line, 0, false
	}
	digits := strings.TrimSuffix(string(line[open+1:len(line)-1]), "+")
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return line, 0, false
	}
	return line[:open], int64(n), true
}
