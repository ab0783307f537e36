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
	pauses    func(context.Context, time.Duration, <-chan struct{}) error // how it waits

	mu     sync.Mutex
	recent []time.Time // when mail went out, within the last minute
	since  time.Time   // each mail had to wait since then; zero: the last one had not
}

// wait returns when one more mail may go out.
func (f *fuse) wait(ctx context.Context) error {
	for first := true; ; first = false {
		pause := f.pause()
		if first {
			f.note(pause > 0)
		}
		if pause <= 0 {
			return ctx.Err()
		}
		if err := f.pauses(ctx, pause, nil); err != nil {
			return err
		}
	}
}

// note keeps since when mail has to wait.
func (f *fuse) note(waits bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !waits:
		f.since = time.Time{}
	case f.since.IsZero():
		f.since = f.now()
	}
}

// holds is since when the fuse holds mail back, zero while it does not.
func (f *fuse) holds() time.Time {
	if f.pause() <= 0 {
		return time.Time{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since
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
