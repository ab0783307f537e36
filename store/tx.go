package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"helpdesk/mail"
)

var errOver = errors.New("the transaction is over")

// Tx is one caller's part of a transaction, valid until its function returns.
// The reading methods take a context as those of Store do and ignore it.
type Tx struct {
	*View
	conn *conn
	ctx  context.Context
	now  time.Time

	// Written once, by flush, however often they change.
	sequences map[string]int64
	counters  map[counter]int64

	// What is known without asking, so that the intake need not.
	addresses map[string]int64    // ids of the addresses met so far
	updated   map[int64]time.Time // last changes of the requests added
}

// counter names a line of the counters table.
type counter struct {
	deskID int64
	name   string
	day    int64
}

func (w *writer) newTx() *Tx {
	t := &Tx{
		conn: w.conn, ctx: w.ctx, now: w.now(),
		sequences: map[string]int64{}, counters: map[counter]int64{},
		addresses: map[string]int64{}, updated: map[int64]time.Time{},
	}
	t.View = &View{use: t.use, now: func() time.Time { return t.now }, zstd: w.zstd}
	return t
}

// Now is the one time of everything that this Tx does.
func (t *Tx) Now() time.Time { return t.now }

// use reads on the writing connection; a reader's impatience must not
// interrupt what others have written on it.
func (t *Tx) use(_ context.Context, fn func(context.Context, *conn) error) error {
	if t.conn == nil {
		return errOver
	}
	return fn(t.ctx, t.conn)
}

func (t *Tx) exec(query string, args ...any) (changed int64, err error) {
	if t.conn == nil {
		return 0, errOver
	}
	return t.conn.exec(t.ctx, query, args...)
}

// last returns the number that a sequence gave last, 0 before the first.
func (t *Tx) last(name string) (int64, error) {
	if n, ok := t.sequences[name]; ok {
		return n, nil
	}
	n, err := one(t.ctx, t.View, (*row).int, "SELECT last FROM sequences WHERE name = ?", name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, fmt.Errorf("reading the sequence %s: %w", name, err)
	}
	return n, nil
}

// next returns the next number of a sequence. A number is given once, also
// when what carried it is deleted; what is taken back was never given.
func (t *Tx) next(name string) (int64, error) {
	n, err := t.last(name)
	if err != nil {
		return 0, err
	}
	t.sequences[name] = n + 1
	return n + 1, nil
}

// count adds n to a counter; day is the zero time for "in all".
func (t *Tx) count(deskID int64, name string, day time.Time, n int64) {
	t.counters[counter{deskID, name, dayNumber(day.In(t.now.Location()))}] += n
}

// dayNumber writes a day as yyyymmdd, 0 for the zero time.
func dayNumber(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	y, m, d := t.Date()
	return int64(y)*10000 + int64(m)*100 + int64(d)
}

// address returns the number of an address, which need not be known yet.
func (t *Tx) address(key string) (int64, error) {
	if id, ok := t.addresses[key]; ok {
		return id, nil
	}
	last, err := t.last("address")
	if err != nil {
		return 0, err
	}
	id := last + 1
	added, err := t.exec("INSERT INTO addresses (id, key) VALUES (?, ?) ON CONFLICT DO NOTHING", id, key)
	switch {
	case err != nil:
		return 0, fmt.Errorf("adding an address: %w", err)
	case added == 1:
		t.sequences["address"] = id
	default:
		id, err = one(t.ctx, t.View, (*row).int, "SELECT id FROM addresses WHERE key = ?", key)
		if err != nil {
			return 0, fmt.Errorf("looking up an address: %w", err)
		}
	}
	t.addresses[key] = id
	return id, nil
}

// addressOrNone is the number of an address, 0 for none.
func (t *Tx) addressOrNone(a mail.Address) (int64, error) {
	if a.Key() == "" {
		return 0, nil
	}
	return t.address(a.Key())
}

// flush writes sequences and counters.
func (t *Tx) flush() error {
	for name, last := range t.sequences {
		_, err := t.exec("INSERT INTO sequences (name, last) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = excluded.last", name, last)
		if err != nil {
			return fmt.Errorf("writing the sequence %s: %w", name, err)
		}
	}
	for c, n := range t.counters {
		if n == 0 {
			continue
		}
		_, err := t.exec("INSERT INTO counters (desk_id, name, day, n) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
			c.deskID, c.name, c.day, n)
		if err != nil {
			return fmt.Errorf("writing the counter %s: %w", c.name, err)
		}
	}
	clear(t.counters)
	return nil
}
