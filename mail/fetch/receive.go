package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// received is what one FETCH response held, in whatever order.
type received struct {
	uid     uint32
	size    int64 // RFC822.SIZE; -1 when it was not told
	flags   []string
	body    *body // nil: none came
	broken  bool  // the connection broke inside the body
	offset  int64 // bytes of the body that were read
	problem error // this machine could not keep the body
}

// body is the content of a mail, in memory or in a spool file.
type body struct {
	content io.ReaderAt
	length  int64 // bytes kept
	literal int64 // bytes that the server sent
	close   func()
}

// receive reads a response to its end, also when its body cannot be kept: the
// client reads nothing else until then. When the connection breaks inside the
// body it stops, and neither the message nor its command may be touched again:
// they would read the literal on, while the client's goroutine, which takes
// the literal for finished, reads the same buffer.
func receive(m *imapclient.FetchMessageData, limit bodyLimit) received {
	r := received{size: -1}
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			r.uid = uint32(item.UID)
		case imapclient.FetchItemDataRFC822Size:
			r.size = item.Size
		case imapclient.FetchItemDataFlags:
			r.flags = flagNames(item.Flags)
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil || r.body != nil || r.problem != nil {
				continue // Next reads over what is left of a literal
			}
			r.body, r.offset, r.problem = limit.read(item.Literal)
			if errors.Is(r.problem, errCut) {
				r.broken, r.problem = true, nil
				return r
			}
		}
	}
	return r
}

// each calls fn with the responses to a command and returns the command's error.
func each(cmd *imapclient.FetchCommand, limit bodyLimit, fn func(received)) error {
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		r := receive(m, limit)
		fn(r)
		if r.broken {
			return errCut
		}
	}
	return cmd.Close()
}

// drop frees what is not handed over.
func (r received) drop() {
	if r.body != nil {
		r.body.close()
	}
}

// flagNames copies flags; none are nil.
func flagNames(flags []imap.Flag) []string {
	if len(flags) == 0 {
		return nil
	}
	names := make([]string, len(flags))
	for i, f := range flags {
		names[i] = string(f)
	}
	return names
}

// bodyLimit says how bodies are kept.
type bodyLimit struct {
	max  int64 // of a body above it only keep bytes are kept; 0: no limit
	keep int64
	dir  string // for spool files
}

// noBodies is the limit where bodies are not asked for: of one that comes all the
// same, nothing is kept.
func noBodies() bodyLimit { return bodyLimit{max: 1} }

// errCut marks a literal that ended before its announced size.
var errCut = errors.New("the connection broke inside a mail")

// read reads a literal to its end and requires that it has its announced
// size. offset is the number of bytes read.
func (l bodyLimit) read(literal imap.LiteralReader) (b *body, offset int64, err error) {
	size := literal.Size()
	kept := size
	if l.max > 0 && size > l.max {
		kept = min(size, l.keep)
	}
	if kept <= memoryLimit {
		b, offset, err = readMemory(literal, kept)
	} else {
		b, offset, err = readSpool(literal, kept, l.dir)
	}
	if err == nil {
		b.literal = size
		var rest int64
		rest, err = io.Copy(io.Discard, literal)
		if offset += rest; err != nil || offset != size {
			b.close()
			return nil, offset, errCut
		}
	}
	return b, offset, err
}

func readMemory(r io.Reader, n int64) (*body, int64, error) {
	buf := make([]byte, n)
	got, err := io.ReadFull(r, buf)
	if err != nil {
		return nil, int64(got), errCut
	}
	return &body{content: bytes.NewReader(buf), length: n, close: func() {}}, n, nil
}

// readSpool writes n bytes of r to a file that only we can read (os.CreateTemp
// makes it 0600) and that close removes.
func readSpool(r io.Reader, n int64, dir string) (*body, int64, error) {
	f, err := os.CreateTemp(dir, "mail-*.eml")
	if err != nil {
		return nil, 0, fmt.Errorf("making a spool file: %w", err)
	}
	var once sync.Once
	// Windows removes no open file, hence the order. What is left behind is
	// swept at the next start.
	remove := func() { once.Do(func() { _, _ = f.Close(), os.Remove(f.Name()) }) }
	counted := &counter{r: io.LimitReader(r, n)}
	written, err := io.Copy(f, counted)
	switch {
	case err == nil && written == n:
		return &body{content: f, length: n, close: remove}, n, nil
	case err == nil || counted.failed:
		err = errCut
	default:
		err = fmt.Errorf("writing a spool file: %w", err)
	}
	remove()
	return nil, counted.n, err
}

// counter tells a failure to read from one to write, which io.Copy does not.
type counter struct {
	r      io.Reader
	n      int64
	failed bool
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.failed = err != nil && err != io.EOF
	return n, err
}

// strays takes the FETCH responses that the client cannot give to a command:
// those of mails that were not asked for, second ones of the same mail, and
// those in which the UID comes after the body. It reads each to its end and
// keeps it when a Fetch is under way.
type strays struct {
	mu      sync.Mutex
	limit   *bodyLimit // nil: nothing is kept
	reading sync.WaitGroup
	found   []received
}

// open starts keeping.
func (s *strays) open(limit bodyLimit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = &limit
}

// take is the client's handler; each call has a goroutine of its own. One with
// a body begins before the client can read on, so it is counted in reading
// before the answer to the command arrives.
func (s *strays) take(m *imapclient.FetchMessageData) {
	s.mu.Lock()
	if s.limit == nil {
		s.mu.Unlock()
		receive(m, noBodies()).drop()
		return
	}
	limit := *s.limit
	s.reading.Add(1)
	s.mu.Unlock()
	defer s.reading.Done()
	r := receive(m, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = append(s.found, r)
}

// collect returns what was found so far; at the end it waits for those that
// are still being read, and stops keeping.
func (s *strays) collect(end bool) []received {
	if end {
		s.mu.Lock()
		s.limit = nil
		s.mu.Unlock()
		s.reading.Wait()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.found
	s.found = nil
	return found
}
