package daemon

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail/loopback"
	"helpdesk/store"
	"helpdesk/ui"
)

// TestPlusMail: a round trip that went well sends a second mail, to the desk's
// address with a word behind a +. That it is refused changes nothing.
func TestPlusMail(t *testing.T) {
	for _, taken := range []bool{true, false} {
		b := newBout(t, loopback.Options{})
		if taken {
			b.AddUser("support+hdprobe@example.com", "secret")
		}
		due := 0
		b.plus = func(context.Context, int64) bool { due++; return true }
		if err := b.test(ui.TestOrder{Part: "mailbox:SUP", RoundTrip: true}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.steps(), " data round-trip arrived removed note:trip-works") || due != 1 {
			t.Errorf("told %v, asked %d times", b.told, due)
		}
		for part, err := range b.found {
			if err != nil {
				t.Errorf("%s: %v", part, err)
			}
		}
		if !taken {
			if n := b.Counts().Accepted; n != 1 {
				t.Errorf("the server took %d mails", n)
			}
			continue
		}
		mails, err := b.Messages("support+hdprobe@example.com", "INBOX")
		if err != nil || len(mails) != 1 || !strings.Contains(string(mails[0].Raw), "plus ") {
			t.Errorf("%d mails came, %v", len(mails), err)
		}
	}
}

// TestPlusDue: such a mail is sent once a month, until one arrives.
func TestPlusDue(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "helpdesk.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := &daemon{store: s}
	d.Now = func() time.Time { return now }
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {time.Hour, false}, {29 * day, false}, {day, true}, {day, false}} {
		now = now.Add(step.after)
		if got := d.plusDue(t.Context(), 1); got != step.want {
			t.Errorf("%s: due is %t", now, got)
		}
	}
	now = now.Add(60 * day)
	if err := s.Write(t.Context(), func(tx *store.Tx) error { return tx.SetMeta(desk.PlusKey(1), "1") }); err != nil {
		t.Fatal(err)
	}
	if d.plusDue(t.Context(), 1) || !d.plusDue(t.Context(), 2) {
		t.Error("it arrived at one desk, and not at the other")
	}
}
