package mail

import (
	"bytes"
	"errors"
	"io"
)

// windowSize is the most that is read ahead, in bytes. A line longer than that
// is handed on in pieces.
const windowSize = 64 << 10

// lines reads a mail line by line without holding more than a window of it.
// A line ends with LF or CRLF; in a mail without any LF, with CR.
type lines struct {
	r        io.Reader
	buf      []byte
	pos, end int
	eof      bool
	err      error // the reader's own error, io.EOF excluded
	midLine  bool  // the next piece goes on with a line that was begun
	mark     byte  // the byte that ends a line
}

// sized is what a reader in memory or over a file section says of its length.
type sized interface{ Size() int64 }

func newLines(r io.Reader) *lines {
	size := int64(windowSize)
	if s, ok := r.(sized); ok && s.Size()+1 < size {
		size = max(s.Size()+1, 512)
	}
	in := &lines{r: r, buf: make([]byte, size), mark: '\n'}
	for in.end < len(in.buf) && !in.eof {
		in.fill()
	}
	seen := in.buf[:in.end]
	if bytes.IndexByte(seen, '\n') < 0 && bytes.IndexByte(seen, '\r') >= 0 {
		in.mark = '\r'
	}
	return in
}

// fill reads once behind what is there; it moves the rest to the front first.
func (in *lines) fill() {
	if in.pos > 0 {
		copy(in.buf, in.buf[in.pos:in.end])
		in.end -= in.pos
		in.pos = 0
	}
	for empty := 0; !in.eof && in.end < len(in.buf); empty++ {
		n, err := in.r.Read(in.buf[in.end:])
		in.end += n
		if err != nil {
			in.eof = true
			if !errors.Is(err, io.EOF) {
				in.err = err
			}
		} else if n == 0 && empty > 100 {
			in.eof, in.err = true, io.ErrNoProgress
		}
		if n > 0 {
			return
		}
	}
}

// stop makes the rest of the mail unread.
func (in *lines) stop() { in.pos, in.end, in.eof = 0, 0, true }

// next returns the next line with its end, or a piece of a long one. whole
// is false when the piece goes on with a line begun before. The slice is valid
// until the next call.
func (in *lines) next() (line []byte, whole, ok bool) {
	whole = !in.midLine
	from := in.pos
	for {
		if i := bytes.IndexByte(in.buf[from:in.end], in.mark); i >= 0 {
			line = in.buf[in.pos : from+i+1]
			in.pos = from + i + 1
			in.midLine = false
			return line, whole, true
		}
		if in.eof {
			line = in.buf[in.pos:in.end]
			in.pos = in.end
			in.midLine = false
			return line, whole, len(line) > 0
		}
		if in.pos == 0 && in.end == len(in.buf) {
			return in.piece(), whole, true
		}
		from = in.end - in.pos
		in.fill()
	}
}

// piece cuts a piece off a line that is longer than the window. A
// quoted-printable escape is not cut in two, nor CR from its LF.
func (in *lines) piece() []byte {
	end := in.end
	for back := 1; back <= 2 && end-back > 0; back++ {
		if c := in.buf[in.end-back]; c == '=' || c == '\r' {
			end = in.end - back
		}
	}
	in.pos = end
	in.midLine = true
	return in.buf[:end]
}

// peek returns the line after the one last returned, without its end, as far as
// it lies in the window, and makes room for it when it can.
func (in *lines) peek() []byte {
	for {
		rest := in.buf[in.pos:in.end]
		if i := bytes.IndexByte(rest, in.mark); i >= 0 {
			return trimEOL(rest[:i])
		}
		if in.eof || (in.pos == 0 && in.end == len(in.buf)) {
			return trimEOL(rest)
		}
		in.fill()
	}
}

// trimEOL cuts line ends off, also doubled CR.
func trimEOL(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// peekSecond returns the line behind the one that peek returns, as far as it
// lies in the window; nil when the mail ends before it.
func (in *lines) peekSecond() []byte {
	for {
		rest := in.buf[in.pos:in.end]
		i := bytes.IndexByte(rest, in.mark)
		j := -1
		if i >= 0 {
			j = bytes.IndexByte(rest[i+1:], in.mark)
		}
		switch {
		case j >= 0:
			return trimEOL(rest[i+1 : i+1+j])
		case in.eof || (in.pos == 0 && in.end == len(in.buf)):
			if i < 0 || i+1 == len(rest) {
				return nil
			}
			return trimEOL(rest[i+1:])
		}
		in.fill()
	}
}
