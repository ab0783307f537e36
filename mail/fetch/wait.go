package fetch

import (
	"context"
	"errors"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"helpdesk/mail"
)

// wake is why a wait ended.
type wake int

const (
	wakeNews wake = iota
	wakeElapsed
	wakeRenew
	wakeCancelled
	wakeLost
)

var errClosed = errors.New("the server closed the connection")

// Wait returns when there is news, when max has passed, or when ctx ends. In
// the last case it returns ctx.Err(), and the Session goes on working unless
// the server does not answer in time; any other error is of the connection.
//
// News come by IDLE (RFC 2177) where the server offers it and Settings.NoIdle
// is not set. Elsewhere the server is asked, by NOOP, when max has passed.
// News is a hint: some servers forget to tell, so list from time to time.
func (s *imapSession) Wait(ctx context.Context, max time.Duration) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	end := time.NewTimer(max)
	defer end.Stop()
	for {
		select {
		case <-s.wire.heard.news: // came with the answer to an earlier command
			return nil
		default:
		}
		why, err := s.doze(ctx, end.C)
		switch {
		case why == wakeCancelled:
			return ctx.Err()
		case err != nil:
			return err
		case why == wakeElapsed && !s.idles():
			return s.gently(ctx, func() error { return s.client.Noop().Wait() })
		case why == wakeNews, why == wakeElapsed:
			return nil
		}
	}
}

// idles reports whether Wait uses IDLE.
func (s *imapSession) idles() bool { return !s.noIdle && s.offers(imap.CapIdle) }

// doze waits once, in IDLE if possible, for no longer than period.
func (s *imapSession) doze(ctx context.Context, end <-chan time.Time) (wake, error) {
	var cmd *imapclient.IdleCommand
	if s.idles() {
		err := s.gently(ctx, func() (err error) {
			cmd, err = s.client.Idle()
			return err
		})
		switch {
		case ctx.Err() != nil && cmd == nil:
			return wakeCancelled, nil
		case err != nil && s.conn.Failure() == nil:
			s.noIdle = true // offered, and refused or answered without a go-ahead
		case err != nil:
			return wakeLost, err
		}
	}
	renew := time.NewTimer(s.period)
	defer renew.Stop()
	why := wakeLost
	select {
	case <-s.wire.heard.news:
		why = wakeNews
	case <-end:
		why = wakeElapsed
	case <-renew.C:
		why = wakeRenew
	case <-ctx.Done():
		why = wakeCancelled
	case <-s.client.Closed():
	}
	var err error
	if cmd != nil {
		// Also after the connection was lost: the command holds a lock.
		err = s.gently(ctx, func() error { return errors.Join(cmd.Close(), cmd.Wait()) })
	}
	if why == wakeLost && err == nil {
		err = s.explain(context.WithoutCancel(ctx), mail.StepIdle, errClosed)
	}
	return why, err
}

// gently is exchange for Wait: the end of ctx does not close the connection,
// it shortens the silence that is allowed.
func (s *imapSession) gently(ctx context.Context, exchange func() error) error {
	s.wire.heard.listen()
	s.conn.SetIdle(s.settings.IdleTimeout)
	shortened := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(shortened)
		s.conn.SetIdle(byeTimeout)
	})
	err := exchange()
	if !stop() {
		<-shortened
	}
	s.conn.SetIdle(0)
	return s.explain(context.WithoutCancel(ctx), mail.StepIdle, err)
}
