package daemon

import (
	"context"
	"fmt"
	"time"
)

// index keeps the search index up with the messages. It waits until a burst
// of mail is over, so that taking mail is never slowed by it.
func (d *daemon) index(ctx context.Context) error {
	const batch, quiet, most = 100, 2 * time.Second, time.Minute
	for {
		for {
			n, err := d.store.IndexNext(ctx, batch)
			if err != nil {
				return fmt.Errorf("indexing messages for the search: %w", err)
			}
			if n < batch {
				break
			}
		}
		if err := wait(ctx, time.Hour, d.newMail); err != nil {
			return err
		}
		for waited := time.Duration(0); waited < most; waited += quiet {
			if err := wait(ctx, quiet, nil); err != nil {
				return err
			}
			if len(d.newMail) == 0 {
				break
			}
			<-d.newMail
		}
	}
}
