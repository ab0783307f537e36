package store

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// maxReaders bounds the connections that read at the same time.
const maxReaders = 4

var readerPragmas = [...]string{"busy_timeout = 5000", "temp_store = MEMORY", "cache_size = -1024"}

// pool lends connections that can only read. They are opened when they are
// first needed.
type pool struct {
	path string
	// lent holds one entry for each connection in use or about to be opened;
	// idle those that wait.
	lent chan struct{}
	idle chan *conn
	done chan struct{}
}

func newPool(path string) *pool {
	return &pool{
		path: path,
		lent: make(chan struct{}, maxReaders),
		idle: make(chan *conn, maxReaders),
		done: make(chan struct{}),
	}
}

// use lends fn a connection.
func (p *pool) use(ctx context.Context, fn func(context.Context, *conn) error) error {
	select {
	case p.lent <- struct{}{}:
	case <-p.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.lent }()
	c, err := p.get(ctx)
	if err != nil {
		return err
	}
	err = fn(ctx, c)
	if c.broken != nil { // the next one starts from the file again
		return errors.Join(err, c.close())
	}
	p.idle <- c
	return err
}

func (p *pool) get(ctx context.Context) (*conn, error) {
	select {
	case c := <-p.idle:
		return c, nil
	default:
	}
	// SQLite calls a missing file "out of memory" or "unable to open": ask first.
	if _, err := os.Stat(p.path); err != nil {
		return nil, fmt.Errorf("looking for the file: %w", err)
	}
	return openConn(ctx, p.path, "ro", readerPragmas[:]...)
}

// close waits for the connections that are lent and closes all.
func (p *pool) close() error {
	close(p.done)
	for range maxReaders {
		p.lent <- struct{}{}
	}
	var errs []error
	for {
		select {
		case c := <-p.idle:
			errs = append(errs, c.close())
		default:
			return errors.Join(errs...)
		}
	}
}
