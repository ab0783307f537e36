package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// SignIn is what is known about signing in to the account of a mailbox or a
// relay. It outlives the process, so that a restart gives no further attempt.
type SignIn struct {
	Subject string    // as Health.Subject
	Account string    // hash of the account's settings; another one makes the rest void
	Worked  bool      // the server took these settings at least once
	Refused int       // refusals in a row
	Stopped bool      // not tried again before the settings change or a person asks for it
	NextAt  time.Time // not tried before; zero: at once
}

// SignIn returns what is known about a part; of one that is not known, its
// subject alone.
func (v *View) SignIn(ctx context.Context, subject string) (SignIn, error) {
	s, err := one(ctx, v, func(r *row) SignIn {
		return SignIn{Subject: r.text(), Account: r.text(), Worked: r.bool(), Refused: int(r.int()), Stopped: r.bool(), NextAt: r.time()}
	}, "SELECT subject, account, worked, refused, stopped, next_at FROM sign_ins WHERE subject = ?", subject)
	if errors.Is(err, ErrNotFound) {
		return SignIn{Subject: subject}, nil
	}
	return s, err
}

// PutSignIn keeps what is known about a part in the place of what was.
func (t *Tx) PutSignIn(s SignIn) error {
	_, err := t.exec("INSERT OR REPLACE INTO sign_ins (subject, account, worked, refused, stopped, next_at) VALUES (?, ?, ?, ?, ?, ?)",
		s.Subject, s.Account, flag(s.Worked), int64(s.Refused), flag(s.Stopped), millis(s.NextAt))
	if err != nil {
		return fmt.Errorf("keeping the sign-ins of %s: %w", s.Subject, err)
	}
	return nil
}
