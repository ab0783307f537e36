package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rawConn opens a connection for a test that bypasses Open.
func rawConn(t *testing.T, path string) *conn {
	t.Helper()
	if err := touch(path); err != nil {
		t.Fatal(err)
	}
	c, err := openConn(t.Context(), path, "rw", writerPragmas[:]...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// schemaOf describes everything in the file that a migration can change.
func schemaOf(t *testing.T, c *conn) []string {
	t.Helper()
	var all []string
	err := c.query(t.Context(), func(r *row) error {
		all = append(all, fmt.Sprint(r.text(), " ", r.text(), ": ", strings.Join(strings.Fields(r.text()), " ")))
		return nil
	}, "SELECT type, name, ifnull(sql, '') FROM sqlite_schema ORDER BY type, name")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"user_version", "application_id", "page_size", "auto_vacuum"} {
		n, err := c.number(t.Context(), "PRAGMA "+p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(p, " ", n))
	}
	return all
}

// TestMigratedEqualsFresh makes a database of each version, puts rows into it,
// and lets Open bring it up to date.
func TestMigratedEqualsFresh(t *testing.T) {
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	fresh := rawConn(t, filepath.Join(t.TempDir(), "fresh.db"))
	defer fresh.close()
	if err := fresh.migrate(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	want := schemaOf(t, fresh)
	for version := 1; version <= len(steps); version++ {
		path := filepath.Join(t.TempDir(), "old.db")
		old := rawConn(t, path)
		if err := old.migrate(t.Context(), steps[:version]); err != nil {
			t.Fatal(err)
		}
		if err := old.script(t.Context(), "INSERT INTO desks VALUES (1, 'a@b', 'SUP', 'Support'); INSERT INTO meta VALUES ('kept', 'yes')"); err != nil {
			t.Fatal(err)
		}
		if err := old.close(); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatalf("from version %d: %v", version, err)
		}
		if v, _, err := s.Meta(t.Context(), "kept"); err != nil || v != "yes" {
			t.Errorf("from version %d: rows are gone: %q, %v", version, v, err)
		}
		if is := schemaOf(t, s.writer.conn); !slices.Equal(is, want) {
			t.Errorf("from version %d:\n%s\nfresh:\n%s", version, strings.Join(is, "\n"), strings.Join(want, "\n"))
		}
		if check := pragma(t, s, "integrity_check"); check != "ok" {
			t.Errorf("from version %d: %s", version, check)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestMigrationIsOneTransaction(t *testing.T) {
	c := rawConn(t, filepath.Join(t.TempDir(), "x.db"))
	defer c.close()
	first := "PRAGMA application_id = 1751477360; CREATE TABLE a (x)"
	if err := c.migrate(t.Context(), []string{first}); err != nil {
		t.Fatal(err)
	}
	before := schemaOf(t, c)
	err := c.migrate(t.Context(), []string{first, "CREATE TABLE b (x); CREATE TABLE a (y)"})
	if err == nil || !strings.Contains(err.Error(), "from version 1 to 2") {
		t.Fatalf("a failing migration: %v", err)
	}
	if after := schemaOf(t, c); !slices.Equal(before, after) {
		t.Errorf("half of it was kept: %v", after)
	}
	if err := c.migrate(t.Context(), []string{first, "CREATE TABLE b (x)"}); err != nil {
		t.Errorf("the repaired migration: %v", err)
	}
}

func TestSchemaRefused(t *testing.T) {
	ways := map[string]func(context.Context, string, Options) (*Store, error){"Open": Open, "OpenReadOnly": OpenReadOnly}
	for _, c := range []struct {
		name, sql string
		words     string
		only      string // the way that refuses it; "": both
	}{
		{"newer", "PRAGMA user_version = 99", "written by a newer helpdesk (schema 99", ""},
		{"older", "PRAGMA user_version = 0", "start the service once", "OpenReadOnly"},
		{"foreign", "PRAGMA application_id = 7", "of another program", ""},
	} {
		for name, way := range ways {
			if c.only != "" && c.only != name {
				continue
			}
			path := filepath.Join(t.TempDir(), "x.db")
			s, err := Open(t.Context(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			before := schemaOf(t, s.writer.conn)
			if err := s.writer.conn.script(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = way(t.Context(), path, Options{})
			var schema *SchemaError
			if !errors.As(err, &schema) || !strings.Contains(err.Error(), c.words) || Unavailable(err) {
				t.Errorf("%s of a %s database: %v", name, c.name, err)
			}
			raw := rawConn(t, path)
			if after := schemaOf(t, raw); len(after) != len(before) {
				t.Errorf("%s changed a %s database", name, c.name)
			}
			if err := raw.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
