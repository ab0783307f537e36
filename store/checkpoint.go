package store

import (
	"context"
	"errors"
	"fmt"
)

// checkpointPages is how many pages are written to the log before they are
// brought into the database: 8 MB. The log file is used again from its start
// and stays about that large.
const checkpointPages = 2048

// checkpointer brings the write-ahead log into the database while the writer
// goes on, so that no write waits for the disk's random access.
type checkpointer struct {
	path  string
	asked chan struct{}
	ended chan error
	conn  *conn // nil until first needed and after a failure
}

func startCheckpointer(ctx context.Context, path string) *checkpointer {
	k := &checkpointer{path: path, asked: make(chan struct{}, 1), ended: make(chan error, 1)}
	go k.run(ctx)
	return k
}

// ask wants a checkpoint soon and does not wait for it.
func (k *checkpointer) ask() {
	select {
	case k.asked <- struct{}{}:
	default:
	}
}

// run makes checkpoints until close. One that fails leaves the log as it was;
// the next one, or the writer's own, has to deal with the same fault.
func (k *checkpointer) run(ctx context.Context) {
	var last error
	for range k.asked {
		if last = k.checkpoint(ctx); last != nil && k.conn != nil {
			last = errors.Join(last, k.conn.close())
			k.conn = nil
		}
	}
	if k.conn != nil {
		last = errors.Join(last, k.conn.close())
	}
	k.ended <- last
}

func (k *checkpointer) checkpoint(ctx context.Context) (err error) {
	if k.conn == nil {
		k.conn, err = openConn(ctx, k.path, "rw", "busy_timeout = 0", "synchronous = FULL", "cache_size = -64")
		if err != nil {
			return fmt.Errorf("opening the database for a checkpoint: %w", err)
		}
	}
	if err := k.conn.query(ctx, func(*row) error { return nil }, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		return fmt.Errorf("making a checkpoint: %w", err)
	}
	return nil
}

// close ends run and returns the error of the last checkpoint.
func (k *checkpointer) close() error {
	close(k.asked)
	return <-k.ended
}
