package store

import (
	"testing"
	"time"
)

func TestSignIns(t *testing.T) {
	s, _ := open(t)
	if got := got[SignIn](t)(s.SignIn(t.Context(), "relay")); got != (SignIn{Subject: "relay"}) {
		t.Errorf("of an unknown part %+v is known", got)
	}
	want := SignIn{Subject: "relay", Account: "abc", Worked: true, Refused: 3, Stopped: true, NextAt: start.Add(time.Hour)}
	for range 2 {
		write(t, s, func(tx *Tx) error { return tx.PutSignIn(want) })
		if got := got[SignIn](t)(s.SignIn(t.Context(), "relay")); !got.NextAt.Equal(want.NextAt) || got.Refused != want.Refused || got.Stopped != want.Stopped || got.Account != "abc" || !got.Worked {
			t.Errorf("got %+v, want %+v", got, want)
		}
		want.Refused, want.Stopped, want.NextAt = 0, false, time.Time{}
	}
}
