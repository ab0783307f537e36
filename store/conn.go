package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// conn is one connection to the file with the statements it has prepared. It
// uses the driver without database/sql: that costs a fifth of the time of a
// write, and its pool would have to be held back from doing what a pool does.
// A conn is used by one goroutine at a time.
type conn struct {
	db    driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue // reused

	// broken is the first error that was the storage's fault. SQLite may have
	// rolled the transaction back because of it, and what came after would be
	// committed statement by statement, so nothing more is done until reset.
	broken error
}

// dsn names the file for SQLite. What means something in a URI is escaped; a
// drive letter gets a slash before it.
func dsn(path, mode string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding the absolute path: %w", err)
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: url.Values{"mode": {mode}}.Encode()}
	return u.String(), nil
}

// openConn connects with mode "rw" or "ro". The pragmas are run one by one, in
// their order: the driver would sort them if they stood in the name, and then
// the page size comes too late.
func openConn(ctx context.Context, path, mode string, pragmas ...string) (*conn, error) {
	name, err := dsn(path, mode)
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, fmt.Errorf("reading the connection's settings: %w", err)
	}
	db, err := connector.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	c := &conn{db: db, stmts: map[string]driver.Stmt{}}
	for _, p := range pragmas {
		if err := c.script(ctx, "PRAGMA "+p); err != nil {
			return nil, errors.Join(fmt.Errorf("setting %s: %w", p, err), c.close())
		}
	}
	return c, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.db.Close())...)
}

// prepare returns the statement for a query and its arguments as the driver
// wants them. Arguments are int64, string, []byte or nil.
func (c *conn) prepare(ctx context.Context, query string, args []any) (driver.Stmt, []driver.NamedValue, error) {
	if c.broken != nil {
		return nil, nil, c.broken
	}
	s, ok := c.stmts[query]
	if !ok {
		var err error
		if s, err = c.db.(driver.ConnPrepareContext).PrepareContext(ctx, query); err != nil {
			return nil, nil, c.failed(err)
		}
		c.stmts[query] = s
	}
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s, c.args, nil
}

// failed keeps the first error that is the storage's fault. An end of the
// context is not: it comes from the reader that gave up.
func (c *conn) failed(err error) error {
	if c.broken == nil && unavailableCode(err) {
		c.broken = err
	}
	return err
}

// exec runs a statement that returns no rows and reports how many it changed.
func (c *conn) exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	s, named, err := c.prepare(ctx, query, args)
	if err != nil {
		return 0, err
	}
	res, err := s.(driver.StmtExecContext).ExecContext(ctx, named)
	if err != nil {
		return 0, c.failed(err)
	}
	return res.RowsAffected()
}

// script runs statements that are not kept, as those of a migration.
func (c *conn) script(ctx context.Context, sql string) error {
	_, err := c.db.(driver.ExecerContext).ExecContext(ctx, sql, nil)
	if err != nil {
		return c.failed(err)
	}
	return nil
}

// query calls each for every row. each must not use c.
func (c *conn) query(ctx context.Context, each func(*row) error, query string, args ...any) (err error) {
	s, named, err := c.prepare(ctx, query, args)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, named)
	if err != nil {
		return c.failed(err)
	}
	defer func() {
		if cerr := rows.Close(); err == nil && cerr != nil {
			err = c.failed(cerr)
		}
	}()
	r := row{values: make([]driver.Value, len(rows.Columns()))}
	for {
		switch err := rows.Next(r.values); {
		case err == io.EOF:
			return nil
		case err != nil:
			return c.failed(err)
		}
		if err := ctx.Err(); err != nil { // the driver looks at it only before the first row
			return err
		}
		r.next, r.err = 0, nil
		if err := each(&r); err != nil {
			return err
		}
		if r.err != nil {
			return r.err
		}
	}
}
