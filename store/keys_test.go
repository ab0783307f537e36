package store

import (
	"errors"
	"fmt"
	"testing"
)

// newKeys opens a request for each prefix and returns the keys.
func newKeys(t *testing.T, s *Store, prefixes ...string) []string {
	t.Helper()
	var keys []string
	write(t, s, func(tx *Tx) error {
		for _, p := range prefixes {
			key, err := tx.NextKey(p)
			if err != nil {
				return err
			}
			keys = append(keys, key)
			if err := tx.AddRequest(&Request{DeskID: 1, Key: key}); err != nil {
				return err
			}
		}
		return nil
	})
	return keys
}

func TestNextKey(t *testing.T) {
	s, _ := open(t)
	check := func(what string, is []string, want ...string) {
		t.Helper()
		if fmt.Sprint(is) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", what, is, want)
		}
	}
	check("first keys", newKeys(t, s, "SUP", "SUP", "IT", "SUP"), "SUP-1", "SUP-2", "IT-1", "SUP-3")
	check("another spelling shares the numbers, as both resolve", newKeys(t, s, "sup"), "sup-4")

	write(t, s, func(tx *Tx) error {
		_, err := tx.exec("DELETE FROM requests WHERE key >= 'SUP-3' OR key = 'IT-1'")
		return err
	})
	check("after the newest were deleted", newKeys(t, s, "SUP", "IT"), "SUP-5", "IT-2")
	write(t, s, func(tx *Tx) error { _, err := tx.exec("DELETE FROM requests"); return err })
	check("after all were deleted", newKeys(t, s, "SUP", "IT"), "SUP-6", "IT-3")

	err := s.Write(t.Context(), func(tx *Tx) error {
		if _, err := tx.NextKey("SUP"); err != nil {
			return err
		}
		return errFault
	})
	if !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	check("after one was taken back", newKeys(t, s, "SUP"), "SUP-7")

	path := s.writer.path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check("after a restart", newKeys(t, s, "SUP", "IT"), "SUP-8", "IT-4")

	// A key that is given twice by some other fault is refused, not stored.
	if err := s.Write(t.Context(), func(tx *Tx) error { return tx.AddRequest(&Request{Key: "sup-8"}) }); err == nil || Unavailable(err) {
		t.Errorf("a second sup-8: %v", err)
	}
}

// TestIDsAreNotUsedAgain deletes everything: positions, fingerprints and pieces
// of raw mail outlive the lines that they point to.
func TestIDsAreNotUsedAgain(t *testing.T) {
	s, _ := open(t)
	add := func() (ids [4]int64) {
		write(t, s, func(tx *Tx) error {
			key, err := tx.NextKey("SUP")
			if err != nil {
				return err
			}
			r, e, m, l := Request{Key: key}, Entry{}, Message{}, OutboxLine{MessageID: "x"}
			if err := tx.AddRequest(&r); err != nil {
				return err
			}
			m.RequestID = r.ID
			if err := errors.Join(tx.AddEntry(&e), tx.AddMessage(&m), tx.Queue(&l)); err != nil {
				return err
			}
			ids = [4]int64{r.ID, e.ID, m.ID, l.ID}
			return nil
		})
		return ids
	}
	if is := add(); is != [4]int64{1, 1, 1, 1} {
		t.Errorf("first ids %v", is)
	}
	write(t, s, func(tx *Tx) error {
		return tx.conn.script(tx.ctx, "DELETE FROM requests; DELETE FROM ledger; DELETE FROM messages; DELETE FROM outbox")
	})
	if is := add(); is != [4]int64{2, 2, 2, 2} {
		t.Errorf("ids after everything was deleted %v", is)
	}
}
