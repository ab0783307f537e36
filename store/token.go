package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const tokenQuery = "SELECT sealed, saved FROM tokens WHERE account = ?"

type sealedToken struct {
	bytes []byte
	saved time.Time
}

// Token returns what SaveToken kept for an account and when; ErrNotFound when
// there is nothing.
func (v *View) Token(ctx context.Context, account string) (sealed []byte, saved time.Time, err error) {
	t, err := one(ctx, v, func(r *row) sealedToken { return sealedToken{r.bytes(), r.time()} }, tokenQuery, account)
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("reading the saved sign-in: %w", err)
	}
	return t.bytes, t.saved, err
}

// SaveToken keeps the OAuth2 tokens of an account in the place of its last
// ones. The caller has encrypted them.
func (t *Tx) SaveToken(account string, sealed []byte) error {
	if _, err := t.exec("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?)", account, sealed, millis(t.now)); err != nil {
		return fmt.Errorf("keeping the sign-in: %w", err)
	}
	return nil
}
