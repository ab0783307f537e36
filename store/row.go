package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// row reads the columns of one row in their order. The first column of an
// unexpected type or content is remembered and fails the query.
type row struct {
	values []driver.Value
	next   int
	err    error
}

func column[T any](r *row) (v T) {
	x := r.values[r.next]
	r.next++
	if x == nil {
		return v
	}
	v, ok := x.(T)
	if !ok && r.err == nil {
		r.err = fmt.Errorf("reading column %d: %T instead of %T", r.next, x, v)
	}
	return v
}

func (r *row) int() int64      { return column[int64](r) }
func (r *row) uint32() uint32  { return uint32(r.int()) }
func (r *row) bool() bool      { return column[int64](r) != 0 }
func (r *row) text() string    { return column[string](r) }
func (r *row) bytes() []byte   { return column[[]byte](r) }
func (r *row) time() time.Time { return fromMillis(column[int64](r)) }
func (r *row) words() []string { return strings.Fields(column[string](r)) }
func (r *row) hash() (h [16]byte) {
	copy(h[:], column[[]byte](r))
	return h
}

// json reads a column that is empty or JSON.
func (r *row) json(into any) {
	s := r.text()
	if s == "" {
		return
	}
	if err := json.Unmarshal([]byte(s), into); err != nil && r.err == nil {
		r.err = fmt.Errorf("reading column %d: %w", r.next, err)
	}
}

func (r *row) args() (m map[string]string) {
	r.json(&m)
	return m
}

// millis and fromMillis turn times into what is stored and back; 0 is "never".
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// hashOrNull stores an unknown hash as NULL, which no index keeps.
func hashOrNull(h [16]byte) any {
	if h == [16]byte{} {
		return nil
	}
	return h[:]
}

// argsJSON stores arguments; their keys are sorted, so equal ones look equal.
func argsJSON(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "", nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("writing arguments as JSON: %w", err)
	}
	return string(b), nil
}
