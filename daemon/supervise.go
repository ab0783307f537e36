package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// supervisor runs the long loops of the daemon. A loop that ends with an error
// or panics is started again after a pause, so that one broken part never
// stops the others.
type supervisor struct {
	log *slog.Logger
	wg  sync.WaitGroup

	mu    sync.Mutex
	down  map[string]string // loops that wait to be started again, and why
	loops int
}

// start runs loop until ctx ends. Only the end of ctx ends it for good.
func (s *supervisor) start(ctx context.Context, name string, loop func(context.Context) error) {
	s.mu.Lock()
	s.loops++
	s.mu.Unlock()
	s.wg.Go(func() {
		var pauses backoff
		for ctx.Err() == nil {
			started := time.Now()
			err := guard(ctx, loop)
			if ctx.Err() != nil {
				return
			}
			if time.Since(started) > 10*time.Minute {
				pauses.reset()
			}
			pause := pauses.next(err)
			s.note(name, fmt.Sprint(err))
			s.log.Error("a loop ended and is started again", "loop", name, "error", err, "after", pause)
			if wait(ctx, pause, nil) != nil {
				return
			}
			s.note(name, "")
		}
	})
}

func (s *supervisor) note(name, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down == nil {
		s.down = make(map[string]string)
	}
	if why == "" {
		delete(s.down, name)
	} else {
		s.down[name] = why
	}
}

// healthy reports whether all loops run.
func (s *supervisor) healthy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.down) == 0
}

// guard turns a panic into an error that names where it happened.
func guard(ctx context.Context, loop func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return loop(ctx)
}
