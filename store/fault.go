package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// PanicError is what Write returns when its function panicked. The Store and
// the other writes of the group are unharmed.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// SchemaError says that a database does not fit this program.
type SchemaError struct {
	Have int // the database's schema; 0: there is none
	Want int // this program's schema
	// Foreign is set when the file is a database of another program.
	Foreign bool
}

func (e *SchemaError) Error() string {
	switch {
	case e.Foreign:
		return "this file is a database of another program: set data_dir to a folder of helpdesk's own"
	case e.Have > e.Want:
		return fmt.Sprintf("the database was written by a newer helpdesk (schema %d, this program knows %d): "+
			"install the newer version again, or restore a backup from before the update", e.Have, e.Want)
	default:
		return fmt.Sprintf("the database was written by an older helpdesk (schema %d, this program needs %d): "+
			"start the service once, it brings the database up to date", e.Have, e.Want)
	}
}

// Unavailable says that err is the storage's fault or that of the moment, not
// that of what was to be stored: a full or failing disk, a locked, read-only or
// damaged database, a closed Store, a cancelled context. The same write may
// succeed later, and nothing may be set aside because of it.
func Unavailable(err error) bool {
	var path *fs.PathError
	return unavailableCode(err) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, ErrClosed) || errors.Is(err, ErrReadOnly) || errors.As(err, &path)
}

// unavailableCode says the same of SQLite's own errors only
// (https://www.sqlite.org/rescode.html).
func unavailableCode(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT:
		return true
	}
	return false
}
