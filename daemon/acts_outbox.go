package daemon

import (
	"context"

	"helpdesk/store"
	"helpdesk/ui"
)

// retryOutbox lets mail be sent again that was given up or held back.
func (a *Acts) retryOutbox(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	n := 0
	if err := a.write(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.RetryOutbox(act.IDs)
		return err
	}); err != nil {
		return nil, err
	}
	if n > 0 {
		a.taken(true)
	}
	return outboxDone("outbox-retried", "outbox-not-retried", n, len(act.IDs)), nil
}

// dropOutbox takes mail back that is not sent yet.
func (a *Acts) dropOutbox(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	n := 0
	if err := a.write(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.DropOutbox(act.IDs)
		return err
	}); err != nil {
		return nil, err
	}
	return outboxDone("outbox-dropped", "outbox-not-dropped", n, len(act.IDs)), nil
}

// outboxDone says how many lines something was done with, and with how many it
// was not.
func outboxDone(did, didNot string, n, of int) []ui.ActResult {
	var done []ui.ActResult
	if n > 0 {
		done = append(done, good(did, "n", figure(n)))
	}
	if n < of || of == 0 {
		done = append(done, bad(didNot, "n", figure(of-n)))
	}
	return done
}
