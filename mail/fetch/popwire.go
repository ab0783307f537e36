package fetch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"helpdesk/mail"
)

// popReply is the line in which a server says whether a command succeeded
// (RFC 1939 section 3).
type popReply struct {
	ok   bool
	code string // response code, upper case, as "IN-USE" (RFC 2449 section 8, RFC 3206); ""
	text string // the server's words, without the response code
}

// parsePOP reads a status line. A bracket that holds no response code, as
// Microsoft's [Error="…"], is left in the text, and so is the APOP timestamp.
func parsePOP(line string) (popReply, bool) {
	var r popReply
	rest := line
	switch {
	case len(line) >= 3 && strings.EqualFold(line[:3], "+OK"):
		r.ok, rest = true, line[3:]
	case len(line) >= 4 && strings.EqualFold(line[:4], "-ERR"):
		rest = line[4:]
	default:
		return popReply{}, false
	}
	r.text = strings.TrimSpace(rest)
	if inner, after, found := strings.Cut(strings.TrimPrefix(r.text, "["), "]"); found && strings.HasPrefix(r.text, "[") && isAtom(inner) {
		r.code, r.text = strings.ToUpper(inner), strings.TrimSpace(after)
	}
	return r, true
}

// popLine is the longest line of a server that is no part of a mail, in bytes.
// RFC 2449 section 4 allows 512.
const popLine = 8 << 10

// maxDrop bounds a listing, in lines.
const maxDrop = 1 << 20

var (
	errPOPLine = errors.New("the server sent a line that is too long")
	errTooLong = errors.New("the server lists more than any maildrop has")
	errNotPOP3 = fmt.Errorf("the server does not answer as a POP3 server: %w", mail.ErrOtherProtocol)
)

// popWire reads what a POP3 server says.
//
// A line ends with CRLF, and nothing else ends a mail but CRLF, dot, CRLF: a
// bare LF may be part of a mail, on a server that keeps it as it came, and who
// sent it must not be able to end it early and to continue in the server's
// voice. Only a server that ends its own status line with a bare LF is read by
// LF alone.
type popWire struct {
	in     *bufio.Reader
	bareLF bool
}

func newPOPWire(r io.Reader) *popWire { return &popWire{in: bufio.NewReaderSize(r, 32<<10)} }

// line reads one line that is no part of a mail, without its end.
func (w *popWire) line() (string, error) {
	line, err := w.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull), len(line) > popLine:
		return "", errPOPLine
	case err != nil:
		return "", err
	}
	return string(bytes.TrimRight(line, "\r\n")), nil
}

// status reads a status line.
func (w *popWire) status() (line string, r popReply, err error) {
	raw, err := w.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull), len(raw) > popLine:
		return "", r, errPOPLine
	case err != nil:
		return "", r, err
	}
	w.bareLF = !bytes.HasSuffix(raw, []byte("\r\n"))
	line = string(bytes.TrimRight(raw, "\r\n"))
	r, ok := parsePOP(line)
	if !ok {
		return line, r, errNotPOP3
	}
	return line, r, nil
}

// block reads the lines of a multi-line answer that is no mail, up to its dot.
func (w *popWire) block(fn func(line string)) error {
	for range maxDrop {
		line, err := w.line()
		if err != nil {
			return err
		}
		if line == "." {
			return nil
		}
		fn(strings.TrimPrefix(line, "."))
	}
	return errTooLong
}

// body reads a mail up to its dot and hands it over piece by piece, without
// the dots that were put in front of its own (RFC 1939 section 3). A line may
// be of any length. Its error is the connection's, or fn's, which ends it in
// the middle.
func (w *popWire) body(fn func(piece []byte) error) error {
	begins, cr := true, false // at the beginning of a line; after a CR
	for {
		piece, err := w.in.ReadSlice('\n')
		ended, cut := err == nil, err != nil && !errors.Is(err, bufio.ErrBufferFull)
		if begins && len(piece) > 0 && piece[0] == '.' {
			if ended && (string(piece) == ".\r\n" || w.bareLF && string(piece) == ".\n") {
				return nil
			}
			piece = piece[1:]
		}
		if cut {
			return errors.Join(err, fn(piece)) // counted, for whoever asks how far it came
		}
		crlf := bytes.HasSuffix(piece, []byte("\r\n")) || len(piece) == 1 && cr
		begins = ended && (w.bareLF || crlf)
		cr = piece[len(piece)-1] == '\r'
		if err := fn(piece); err != nil {
			return err
		}
	}
}

// readable is a text of the server without what cannot be shown.
func readable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) {
			return -1
		}
		return r
	}, text[:min(len(text), maxText)])
}
