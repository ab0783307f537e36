package store

import (
	"context"
	"errors"
	"fmt"
)

// scrubWanted is the meta key that says that something was removed for good
// and that the file still holds copies of it.
const scrubWanted = "scrub.wanted"

// Scrub writes the whole file anew if ForgetPerson removed something since the
// last time, so that no byte of it is left. Rows that are deleted stay in the
// file until their room is used again: in freed pages, in the gaps of pages
// from which rows were moved when a tree was balanced (these SQLite's
// secure_delete does not reach, and nobody knows where they are), in the older
// parts of the search index, where a deletion is only a mark, and in the
// write-ahead log. So the index is merged into one part, VACUUM copies what is
// alive, and the log is emptied. Nothing else is written meanwhile: about a
// minute for each gigabyte, and free room of twice the file's size. What fails
// is done by the next Scrub; calling it when there is nothing to do costs nothing.
func (s *Store) Scrub(ctx context.Context) error {
	_, wanted, err := s.Meta(ctx, scrubWanted)
	if err != nil || !wanted {
		return err
	}
	if s.writer == nil {
		return ErrReadOnly
	}
	if err := s.writer.do(ctx, scrub); err != nil {
		return fmt.Errorf("writing the database anew: %w", err)
	}
	return nil
}

// Size is how large the database is, in bytes: what Scrub has to write.
func (s *Store) Size(ctx context.Context) (int64, error) {
	return one(ctx, s.View, (*row).int, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
}

func scrub(ctx context.Context, c *conn) (err error) {
	// In memory the copy would be as large as the file.
	if err := c.script(ctx, "PRAGMA temp_store = FILE"); err != nil {
		return fmt.Errorf("having the copy made in a file: %w", err)
	}
	defer func() {
		if cerr := c.script(ctx, "PRAGMA temp_store = MEMORY"); cerr != nil {
			err = errors.Join(err, cerr)
		}
	}()
	if err := c.script(ctx, "INSERT INTO search (search) VALUES ('optimize')"); err != nil {
		return fmt.Errorf("merging the search index: %w", err)
	}
	if err := c.script(ctx, "VACUUM"); err != nil {
		return fmt.Errorf("copying what is alive: %w", err)
	}
	if err := truncateLog(ctx, c); err != nil {
		return err
	}
	if err := c.script(ctx, "DELETE FROM meta WHERE key = '"+scrubWanted+"'"); err != nil {
		return fmt.Errorf("keeping that it is done: %w", err)
	}
	return nil
}

// truncateLog brings the log into the database and empties its file.
func truncateLog(ctx context.Context, c *conn) error {
	busy, err := c.number(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err == nil && busy != 0 {
		err = errors.New("somebody is still reading an older state")
	}
	if err != nil {
		return fmt.Errorf("emptying the log: %w", err)
	}
	return nil
}

// work is what the writer does outside of any transaction.
type work struct {
	fn   func(context.Context, *conn) error
	done chan error // buffered: the answer never waits
}

// do has fn called by the writer between two groups; ctx ends the wait before
// that, not after.
func (w *writer) do(ctx context.Context, fn func(context.Context, *conn) error) error {
	a := &work{fn: fn, done: make(chan error, 1)}
	select {
	case w.alone <- a:
		return <-a.done
	case <-w.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outside calls fn with the writer's connection.
func (w *writer) outside(fn func(context.Context, *conn) error) error {
	if err := w.connect(); err != nil {
		return err
	}
	err := fn(w.ctx, w.conn)
	if w.conn.broken != nil {
		return w.drop(err)
	}
	return err
}
