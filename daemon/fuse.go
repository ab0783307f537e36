package daemon

import (
	"context"
	"sync"
	"time"
)

// fuse holds mail back when more than a set number went out within a minute:
// whatever goes wrong, it goes wrong slowly. Nothing is dropped.
type fuse struct {
	perMinute int // 0: no fuse
	now       func() time.Time

	mu     sync.Mutex
	recent []time.Time // when mail went out, within the last minute
}

// wait returns when one more mail may go out.
func (f *fuse) wait(ctx context.Context) error {
	for {
		pause := f.pause()
		if pause <= 0 {
			return ctx.Err()
		}
		if err := wait(ctx, pause, nil); err != nil {
			return err
		}
	}
}

// pause is how long the fuse holds the next mail, 0 while it does not.
func (f *fuse) pause() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for len(f.recent) > 0 && now.Sub(f.recent[0]) >= time.Minute {
		f.recent = f.recent[1:]
	}
	if f.perMinute <= 0 || len(f.recent) < f.perMinute {
		return 0
	}
	return time.Minute - now.Sub(f.recent[0])
}

// sent counts a mail.
func (f *fuse) sent() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent = append(f.recent, f.now())
}
