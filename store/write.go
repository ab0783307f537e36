package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"modernc.org/sqlite"
)

const (
	// maxGroup bounds how many writes share a transaction, and with that how
	// long the first of them waits.
	maxGroup = 128
	// idleAfter is how long nothing is written before memory is given back.
	idleAfter = time.Minute
)

// writer owns the one connection that writes.
type writer struct {
	path string
	ctx  context.Context // never cancelled: an interrupted write would take the whole group with it
	now  func() time.Time
	zstd *zstdCodec
	conn *conn // nil after a failure of the storage: opened anew for the next group

	jobs  chan *job
	alone chan *work
	stop  chan struct{}
	ended chan struct{} // closed when run is over
	check *checkpointer
	pages int // written since the last checkpoint was asked for
}

// job is one call of Write.
type job struct {
	ctx  context.Context
	fn   func(*Tx) error
	done chan error // buffered: the answer never waits
}

// Write calls fn with a transaction and returns when what fn did is on disk,
// or fn's error, or why it could not be kept. Calls that wait at the same time
// share one transaction and one synchronization of the disk; a fn that fails or
// panics (*PanicError) takes back only what it did itself. fn runs in another
// goroutine, one at a time, and should only read and write tx: no network, and
// no call of Write. ctx ends the wait before fn begins, not after.
func (s *Store) Write(ctx context.Context, fn func(tx *Tx) error) error {
	if s.writer == nil {
		return ErrReadOnly
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case s.writer.jobs <- j:
		return s.writer.wait(j)
	case <-s.writer.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns the answer to a job that was handed over. There is none only
// when its function ended the writer's goroutine (runtime.Goexit, which a
// test's FailNow calls).
func (w *writer) wait(j *job) error {
	select {
	case err := <-j.done:
		return err
	case <-w.ended:
	}
	select {
	case err := <-j.done:
		return err
	default:
		return ErrClosed
	}
}

// run commits groups of jobs until the Store is closed.
func (w *writer) run() {
	defer close(w.ended)
	idle := time.NewTimer(idleAfter)
	defer idle.Stop()
	for {
		select {
		case <-w.stop:
			return
		case j := <-w.jobs:
			w.commit(w.gather(j))
			idle.Reset(idleAfter)
		case a := <-w.alone:
			a.done <- w.outside(a.fn)
		case <-idle.C:
			w.rest()
		}
	}
}

// rest gives back the memory that nothing has needed for a while.
func (w *writer) rest() {
	if w.conn == nil {
		return
	}
	if err := w.conn.script(w.ctx, "PRAGMA shrink_memory"); err != nil {
		_ = w.drop(err) // the next write opens the database again and meets what is wrong
	}
}

// gather collects the jobs that wait now, in their order.
func (w *writer) gather(first *job) []*job {
	group := []*job{first}
	for len(group) < maxGroup {
		select {
		case j := <-w.jobs:
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

// commit runs a group in one transaction and answers each job when all is
// done. A failure of the storage costs the jobs that ran before it in the same
// transaction; the others of the group get another one.
func (w *writer) commit(group []*job) {
	errs := make([]error, len(group))
	var passed []int // in the open transaction
	fail := func(err error) {
		for _, i := range passed {
			errs[i] = err
		}
		passed = nil
	}
	for i, j := range group {
		if errs[i] = w.attempt(j, len(passed) == 0); errs[i] == nil {
			passed = append(passed, i)
		} else if w.conn == nil {
			fail(errs[i])
		}
	}
	if len(passed) > 0 {
		if _, err := w.conn.exec(w.ctx, "COMMIT"); err != nil {
			fail(w.drop(fmt.Errorf("committing: %w", err)))
		}
		w.countPages()
	}
	for i, j := range group {
		j.done <- errs[i]
	}
}

// attempt runs one job in the group's transaction, which the first one begins;
// the others have a savepoint, so that they can be taken back alone.
func (w *writer) attempt(j *job, first bool) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	if err := w.connect(); err != nil {
		return err
	}
	begin, keep, undo := "SAVEPOINT part", "RELEASE part", "ROLLBACK TO part; RELEASE part"
	if first {
		begin, keep, undo = "BEGIN IMMEDIATE", "", "ROLLBACK"
	}
	if _, err := w.conn.exec(w.ctx, begin); err != nil {
		return w.drop(fmt.Errorf("beginning a transaction: %w", err))
	}
	err := w.call(j)
	switch {
	case w.conn.broken != nil: // also when the function looked away
		return w.drop(err)
	case err != nil:
		if uerr := w.conn.script(w.ctx, undo); uerr != nil {
			return w.drop(errors.Join(err, fmt.Errorf("taking it back: %w", uerr)))
		}
		return err
	case keep != "":
		if _, err := w.conn.exec(w.ctx, keep); err != nil {
			return w.drop(fmt.Errorf("ending a part of the transaction: %w", err))
		}
	}
	return nil
}

// connect opens the connection anew after a failure.
func (w *writer) connect() (err error) {
	if w.conn != nil {
		return nil
	}
	if w.conn, err = openConn(w.ctx, w.path, "rw", writerPragmas[:]...); err != nil {
		return fmt.Errorf("opening the database again: %w", err)
	}
	return nil
}

// call runs the job's function and writes what its Tx has put off.
func (w *writer) call(j *job) (err error) {
	tx := w.newTx()
	defer func() {
		tx.conn = nil // whoever kept it finds it closed
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if err := j.fn(tx); err != nil {
		return err
	}
	return tx.flush()
}

// drop closes the connection, which takes back everything not committed: after
// a failure of the storage nobody knows in which state its transaction is. It
// returns err, which says what failed.
func (w *writer) drop(err error) error {
	if broken := w.conn.broken; broken != nil && !errors.Is(err, broken) {
		err = errors.Join(broken, err)
	}
	err = errors.Join(err, w.conn.close())
	w.conn = nil
	return err
}

// countPages asks for a checkpoint when enough was written.
func (w *writer) countPages() {
	if w.conn == nil {
		return
	}
	n, _, err := w.conn.db.(sqlite.DBStatus).Status(sqlite.DBStatusCacheWrite, true)
	if err != nil { // only for an unknown counter: then count commits
		n = checkpointPages / 8
	}
	if w.pages += n; w.pages >= checkpointPages {
		w.pages = 0
		w.check.ask()
	}
}

// close ends run, the checkpointer and the connection, in this order.
func (w *writer) close() error {
	close(w.stop)
	<-w.ended
	err := w.check.close()
	if w.conn != nil {
		err = errors.Join(err, w.conn.close())
	}
	return err
}
