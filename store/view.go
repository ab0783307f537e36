package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// View is the reading side of a Store or a Tx. Where nothing is found a list is
// empty (not nil, so that its JSON is []), and a single thing is ErrNotFound.
type View struct {
	use  func(context.Context, func(context.Context, *conn) error) error
	now  func() time.Time
	zstd *zstdCodec
}

// list returns a value for each row of a query.
func list[T any](ctx context.Context, v *View, scan func(*row) T, query string, args ...any) ([]T, error) {
	var all []T
	err := v.use(ctx, func(ctx context.Context, c *conn) error {
		all = []T{}
		return c.query(ctx, func(r *row) error {
			all = append(all, scan(r))
			return nil
		}, query, args...)
	})
	return all, err
}

// one returns the value of the first row of a query, or ErrNotFound.
func one[T any](ctx context.Context, v *View, scan func(*row) T, query string, args ...any) (value T, err error) {
	all, err := list(ctx, v, scan, query, args...)
	switch {
	case err != nil:
		return value, err
	case len(all) == 0:
		return value, ErrNotFound
	}
	return all[0], nil
}

// page returns what a filter's Before and Limit mean.
func page(before int64, limit int) (below int64, n int64) {
	if before <= 0 {
		before = math.MaxInt64
	}
	if limit <= 0 {
		limit = 100
	}
	return before, int64(limit)
}

// jsonList writes numbers for json_each, with which SQLite takes a list as one
// argument.
func jsonList[T int64 | uint32 | string](values []T) (string, error) {
	b, err := json.Marshal(values)
	if err != nil {
		return "", fmt.Errorf("writing a list as JSON: %w", err)
	}
	return string(b), nil
}
