package daemon

import (
	"context"
	"time"
)

// wait returns after d, earlier when kick is signalled or ctx ends. A nil kick
// never comes. It returns ctx's error.
func wait(ctx context.Context, d time.Duration, kick <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-kick:
	case <-timer.C:
	}
	return nil
}

// signal wakes whoever waits on a kick channel of one place; a kick that is
// not yet taken stands for this one too.
func signal(kick chan<- struct{}) {
	select {
	case kick <- struct{}{}:
	default:
	}
}
