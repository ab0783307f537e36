package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// pageSize cannot be changed later. Measured with the mix of the intake at
// 200,000 mails: 4 kB pages write 78 kB a mail (log and database), 8 kB
// ones 122, 16 kB ones 186, because most pages of a batch are leaves of
// indexes that got one entry; an empty store shows no difference.
const pageSize = 4096

// writerPragmas are in the order in which they must be set: page size and
// vacuum count only before the first table and before the switch to WAL. The
// automatic checkpoint only steps in where the checkpointer is too slow.
var writerPragmas = [...]string{
	"busy_timeout = 5000",
	fmt.Sprintf("page_size = %d", pageSize),
	"auto_vacuum = INCREMENTAL",
	"journal_mode = WAL",
	"synchronous = FULL",
	"foreign_keys = 1",
	"temp_store = MEMORY",
	"cache_size = -4096",
	fmt.Sprintf("wal_autocheckpoint = %d", 4*checkpointPages),
	"journal_size_limit = 67108864",
}

func openWriter(ctx context.Context, path string, now func() time.Time, z *zstdCodec) (*writer, error) {
	if err := touch(path); err != nil {
		return nil, err
	}
	c, err := openConn(ctx, path, "rw", writerPragmas[:]...)
	if err != nil {
		return nil, err
	}
	steps, err := migrations()
	if err == nil {
		err = c.migrate(ctx, steps)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	w := &writer{
		path: path, ctx: context.WithoutCancel(ctx), now: now, zstd: z, conn: c,
		jobs: make(chan *job), alone: make(chan *work), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	w.check = startCheckpointer(w.ctx, path)
	go w.run()
	return w, nil
}

// touch makes a new, empty database that only its owner can read; SQLite gives
// the log beside it the same rights. A database that is there is not opened:
// closing it again would drop the locks of this process.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("making the file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("making the file: %w", err)
	}
	return nil
}
