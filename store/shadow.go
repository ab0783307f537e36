package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// shadowed are the tables that a shadow begins with, and which of their rows.
// The sequences are among them, so that no request of a shadow has the number of
// a real one, by which real mail would find it.
var shadowed = [...]struct{ table, rows string }{
	{"sequences", ""}, {"meta", "WHERE key NOT IN ('" + indexedTo + "', '" + scrubWanted + "')"},
	{"desks", ""}, {"mailboxes", ""},
	{"addresses", "WHERE id IN (SELECT id FROM customers)"}, {"customers", ""}, {"members", ""},
	{"suspended", ""}, {"blocked", ""},
}

// Shadow makes a store at path with the same desks, mailboxes, customers,
// members, suspended and blocked addresses and the same signing key, and no
// mail: what observing a mailbox is tried on. A file that is there is replaced;
// nobody may have it open.
func (s *Store) Shadow(ctx context.Context, path string, o Options) (_ *Store, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("making the shadow %s: %w", path, err)
		}
	}()
	same, err := samePath(path, s.readers.path)
	if err != nil {
		return nil, err
	}
	if same {
		return nil, errors.New("it needs a file of its own")
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("removing the last one: %w", err)
		}
	}
	shadow, err := Open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	for _, from := range shadowed {
		if err := s.copyTable(ctx, shadow, from.table, from.rows); err != nil {
			return nil, errors.Join(fmt.Errorf("copying %s: %w", from.table, err), shadow.Close())
		}
	}
	return shadow, nil
}

func samePath(a, b string) (bool, error) {
	a, err := filepath.Abs(a)
	if err != nil {
		return false, fmt.Errorf("finding the absolute path: %w", err)
	}
	if b, err = filepath.Abs(b); err != nil {
		return false, fmt.Errorf("finding the absolute path: %w", err)
	}
	return a == b, nil
}

// copyTable copies rows as they are: both stores have the same schema.
func (s *Store) copyTable(ctx context.Context, to *Store, table, rows string) error {
	all, err := list(ctx, s.View, func(r *row) []driver.Value { return append([]driver.Value(nil), r.values...) }, "SELECT * FROM "+table+" "+rows)
	if err != nil || len(all) == 0 {
		return err
	}
	add := "INSERT OR REPLACE INTO " + table + " VALUES (" + strings.TrimSuffix(strings.Repeat("?, ", len(all[0])), ", ") + ")"
	return to.Write(ctx, func(tx *Tx) error {
		for _, values := range all {
			args := make([]any, len(values))
			for i, v := range values {
				args[i] = v
			}
			if _, err := tx.exec(add, args...); err != nil {
				return err
			}
		}
		return nil
	})
}
