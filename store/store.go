// Package store keeps everything that helpdesk knows in one SQLite file:
// desks, mailboxes and how far they were read, the ledger, raw mail, requests
// and their messages, the outbox, health, and the search index. There is no
// SQL outside of it.
//
// A Store has one writing connection, owned by one goroutine that puts all
// waiting writes into one transaction (see Store.Write), and a few connections
// that can only read. All that can be read is a method of View, which both a
// Store and a Tx have: inside a Tx it sees what the Tx has written.
//
// Stored are slugs, arguments and servers' words, never finished sentences.
// Times are kept in milliseconds and come back in UTC.
package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrNotFound is returned for what is not there.
var ErrNotFound = errors.New("not found")

// ErrClosed is returned by a Store that was closed.
var ErrClosed = errors.New("the store is closed")

// ErrReadOnly is returned by a write to a Store from OpenReadOnly.
var ErrReadOnly = errors.New("the store was opened for reading only")

// Options of Open and OpenReadOnly.
type Options struct {
	Now func() time.Time // nil: time.Now; its location says when a day begins
}

// Store is an open database. Its methods may be called by many goroutines.
type Store struct {
	*View
	readers  *pool
	writer   *writer // nil: for reading only
	zstd     *zstdCodec
	indexing sync.Mutex // one IndexNext at a time
	closing  func() error
}

// Open opens the database at path, makes it where there is none, and brings
// its schema up to date. A schema newer than this program's is refused with a
// *SchemaError. The caller sees to it that only one process writes.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	s, err := newStore(path, o)
	if err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	if s.writer, err = openWriter(ctx, path, s.View.now, s.zstd); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database %s: %w", path, err), s.Close())
	}
	return s, nil
}

// OpenReadOnly opens the database at path for commands that only read; a
// daemon may be writing to it at the same time. A schema of another version
// than this program's is refused with a *SchemaError.
func OpenReadOnly(ctx context.Context, path string, o Options) (*Store, error) {
	s, err := newStore(path, o)
	if err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	err = s.readers.use(ctx, func(ctx context.Context, c *conn) error { return c.wantSchema(ctx) })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database %s: %w", path, err), s.Close())
	}
	return s, nil
}

func newStore(path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	z, err := newZstdCodec()
	if err != nil {
		return nil, fmt.Errorf("preparing the compression: %w", err)
	}
	s := &Store{readers: newPool(path), zstd: z}
	s.View = &View{use: s.readers.use, now: o.Now, zstd: z}
	s.closing = sync.OnceValue(s.close)
	return s, nil
}

// Close waits for the writes that are under way, answers those still waiting
// with ErrClosed, and closes the file. The writing connection goes last: it
// puts what is left in the write-ahead log into the database. A second Close
// does nothing.
func (s *Store) Close() error { return s.closing() }

func (s *Store) close() error {
	err := s.readers.close()
	if s.writer != nil {
		err = errors.Join(err, s.writer.close())
	}
	s.zstd.close()
	if err != nil {
		return fmt.Errorf("closing the database: %w", err)
	}
	return nil
}
