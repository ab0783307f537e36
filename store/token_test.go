package store

import (
	"errors"
	"testing"
)

func TestToken(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	if _, _, err := s.Token(ctx, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("before the first: %v", err)
	}
	write(t, s, func(tx *Tx) error {
		return errors.Join(tx.SaveToken("a", []byte("one")), tx.SaveToken("b", []byte("two")), tx.SaveToken("a", []byte{0, 1}))
	})
	sealed, saved, err := s.Token(ctx, "a")
	if err != nil || string(sealed) != "\x00\x01" || !saved.Equal(start) {
		t.Errorf("%q %v %v", sealed, saved, err)
	}
	if sealed, _, err := s.Token(ctx, "b"); err != nil || string(sealed) != "two" {
		t.Errorf("another account: %q %v", sealed, err)
	}
}
