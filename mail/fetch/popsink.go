package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
)

// popSink keeps a mail whose size nobody knows before its end: in memory up to
// memoryLimit, then in a spool file; of one above limit.max only the beginning.
type popSink struct {
	limit bodyLimit
	most  int64 // bytes after which the server is taken for one that never ends; 0: any
	n     int64 // bytes received
	lines int64
	buf   bytes.Buffer
	file  *os.File
	err   error // of the file: the rest is read all the same, and thrown away
}

var errEndless = errors.New("the server does not come to the end of the mail")

// write takes the next piece.
func (k *popSink) write(piece []byte) error {
	if k.most > 0 && k.n+int64(len(piece)) > k.most {
		k.n = k.most // where it is given up is the same place each time
		return errEndless
	}
	k.n += int64(len(piece))
	k.lines += int64(bytes.Count(piece, []byte("\n")))
	room := int64(len(piece))
	if k.limit.max > 0 {
		room = min(room, max(k.limit.max-(k.n-int64(len(piece))), 0))
	}
	if piece = piece[:room]; len(piece) == 0 || k.err != nil {
		return nil
	}
	if k.file == nil && k.buf.Len()+len(piece) > memoryLimit {
		if k.file, k.err = os.CreateTemp(k.limit.dir, "mail-*.eml"); k.err != nil {
			k.err = fmt.Errorf("making a spool file: %w", k.err)
			return nil
		}
		k.spool(k.buf.Bytes())
		k.buf = bytes.Buffer{}
	}
	if k.file != nil {
		k.spool(piece)
	} else {
		k.buf.Write(piece)
	}
	return nil
}

func (k *popSink) spool(b []byte) {
	if k.err != nil {
		return
	}
	if _, err := k.file.Write(b); err != nil {
		k.err = fmt.Errorf("writing a spool file: %w", err)
	}
}

// body is what was kept; the error is this machine's.
func (k *popSink) body() (*body, error) {
	if k.err != nil {
		k.drop()
		return nil, k.err
	}
	length := k.n
	if k.limit.max > 0 && k.n > k.limit.max {
		length = min(k.limit.keep, k.limit.max)
	}
	b := &body{length: length, literal: k.n, close: func() {}}
	if k.file == nil {
		b.content = bytes.NewReader(k.buf.Bytes()[:length])
		return b, nil
	}
	b.content = k.file
	b.close = sync.OnceFunc(k.drop)
	return b, nil
}

// drop removes the spool file. Windows removes no open file, hence the order;
// what is left behind is swept at the next start.
func (k *popSink) drop() {
	if k.file != nil {
		_, _ = k.file.Close(), os.Remove(k.file.Name())
	}
}
