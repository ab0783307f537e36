package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
)

// migrationFiles are applied in their order and never changed once released:
// a new database takes the same way as an old one.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID marks the file as helpdesk's (PRAGMA application_id, set by
// the first migration).
const applicationID = 0x68656c70

// migrations returns the schema's steps: number n leads from version n to n+1.
func migrations() ([]string, error) {
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		return nil, fmt.Errorf("listing the migrations: %w", err)
	}
	var steps []string
	for n := range entries {
		b, err := migrationFiles.ReadFile(fmt.Sprintf("migrations/%d.sql", n+1))
		if err != nil {
			return nil, fmt.Errorf("reading migration %d: %w", n+1, err)
		}
		steps = append(steps, string(b))
	}
	return steps, nil
}

// number returns the one integer that query yields.
func (c *conn) number(ctx context.Context, query string) (n int64, err error) {
	err = c.query(ctx, func(r *row) error { n = r.int(); return nil }, query)
	return n, err
}

// schema returns the database's schema version, and an error when it is not
// one of ours or newer than want.
func (c *conn) schema(ctx context.Context, want int) (int, error) {
	have, err := c.number(ctx, "PRAGMA user_version")
	if err != nil {
		return 0, fmt.Errorf("reading the schema version: %w", err)
	}
	id, err := c.number(ctx, "PRAGMA application_id")
	if err != nil {
		return 0, fmt.Errorf("reading the application id: %w", err)
	}
	tables, err := c.number(ctx, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, fmt.Errorf("counting the tables: %w", err)
	}
	switch {
	case tables > 0 && id != applicationID:
		return 0, &SchemaError{Have: int(have), Want: want, Foreign: true}
	case have > int64(want):
		return 0, &SchemaError{Have: int(have), Want: want}
	}
	return int(have), nil
}

// wantSchema fails unless the schema is exactly this program's.
func (c *conn) wantSchema(ctx context.Context) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	have, err := c.schema(ctx, len(steps))
	if err == nil && have < len(steps) {
		err = &SchemaError{Have: have, Want: len(steps)}
	}
	return err
}

// migrate brings the schema up to date, each step in one transaction.
func (c *conn) migrate(ctx context.Context, steps []string) error {
	have, err := c.schema(ctx, len(steps))
	if err != nil {
		return err
	}
	for n := have; n < len(steps); n++ {
		script := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\n;PRAGMA user_version = %d;\nCOMMIT", steps[n], n+1)
		if err := c.script(ctx, script); err != nil {
			err = fmt.Errorf("bringing the schema from version %d to %d: %w", n, n+1, err)
			return errors.Join(err, c.script(ctx, "ROLLBACK"))
		}
	}
	return nil
}
