package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func section(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

// noise returns bytes that no compression makes smaller.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func putRaw(t testing.TB, s *Store, ledgerID int64, content []byte) {
	t.Helper()
	p, err := s.Pack(section(content))
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx *Tx) error { return tx.PutRaw(ledgerID, p) })
}

func readRaw(t testing.TB, v *View, ledgerID int64) []byte {
	t.Helper()
	r, size, err := v.OpenRaw(t.Context(), ledgerID)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != size {
		t.Fatalf("read %d of %d bytes: %v", len(b), size, err)
	}
	return b
}

func TestRawRoundTrip(t *testing.T) {
	s, _ := open(t)
	text := []byte(strings.Repeat("Guten Tag, die Lieferung 12345 ist nicht angekommen.\r\n", 700000))
	for i, c := range []struct {
		name    string
		content []byte
		packed  bool // what is stored is smaller
	}{
		{"empty", nil, false},
		{"one byte", []byte("x"), false},
		{"text", text[:6000], true},
		{"with zeros", []byte("a\x00b\x00c"), false},
		{"one piece", text[:pieceSize], true},
		{"one piece and a byte", text[:pieceSize+1], true},
		{"the largest packed before", text[:packedMax], true},
		{"piecewise", text[:packedMax+1], true},
		{"30 MB", text[:30<<20], true},
		{"noise", noise(6000), false},
		{"5 MB of noise", noise(5<<20 + 17), false},
		{"both", append(noise(packedMax), text[:packedMax]...), true},
	} {
		id := int64(i + 1)
		putRaw(t, s, id, c.content)
		if is := readRaw(t, s.View, id); !bytes.Equal(is, c.content) {
			t.Errorf("%s: %d bytes came back, other than the %d stored", c.name, len(is), len(c.content))
		}
		stored := storedBytes(t, s, id)
		if limit := int64(len(c.content)); stored > limit || c.packed && stored > limit*3/4 {
			t.Errorf("%s: %d bytes take %d", c.name, limit, stored)
		}
	}
	if _, _, err := s.OpenRaw(t.Context(), 99); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func storedBytes(t *testing.T, s *Store, id int64) int64 {
	t.Helper()
	return got[int64](t)(one(t.Context(), s.View, (*row).int, "SELECT ifnull(sum(length(data)), 0) FROM raw WHERE id BETWEEN ? AND ?", id*piecesMax, (id+1)*piecesMax-1))
}

// TestRawIsReplaced stores the whole of a mail that was truncated, and a
// shorter one in the place of a longer one.
func TestRawIsReplaced(t *testing.T) {
	s, _ := open(t)
	long, short := noise(3<<20), noise(100)
	for _, content := range [][]byte{short, long, short, nil, long} {
		putRaw(t, s, 2, content)
		if is := readRaw(t, s.View, 2); !bytes.Equal(is, content) {
			t.Errorf("%d bytes came back instead of %d", len(is), len(content))
		}
	}
	putRaw(t, s, 1, short)
	putRaw(t, s, 3, short)
	putRaw(t, s, 2, short)
	for id := range int64(3) {
		if is := readRaw(t, s.View, id+1); !bytes.Equal(is, short) {
			t.Errorf("mail %d is harmed", id+1)
		}
	}
}

func TestRawInTx(t *testing.T) {
	s, _ := open(t)
	content := noise(2 << 20)
	p, err := s.Pack(section(content))
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx *Tx) error {
		if err := tx.PutRaw(1, p); err != nil {
			return err
		}
		if is := readRaw(t, tx.View, 1); !bytes.Equal(is, content) {
			t.Error("other content")
		}
		return nil
	})
}

// TestRawSourceFails has a spool file that cannot be read: that is the
// storage's fault.
func TestRawSourceFails(t *testing.T) {
	s, _ := open(t)
	path := filepath.Join(t.TempDir(), "spool")
	for _, size := range []int{1000, packedMax + 1000} {
		if err := os.WriteFile(path, noise(size), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r := io.NewSectionReader(f, 0, int64(size))
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		p, err := s.Pack(r)
		if err == nil {
			err = s.Write(t.Context(), func(tx *Tx) error { return tx.PutRaw(1, p) })
		}
		if !Unavailable(err) {
			t.Errorf("a spool file of %d bytes that cannot be read: %v", size, err)
		}
		// One that is shorter than it should be is not.
		p, err = s.Pack(io.NewSectionReader(bytes.NewReader(noise(size/2)), 0, int64(size)))
		if err == nil {
			err = s.Write(t.Context(), func(tx *Tx) error { return tx.PutRaw(1, p) })
		}
		if err == nil || Unavailable(err) {
			t.Errorf("a mail of half of %d bytes: %v", size, err)
		}
	}
	if _, _, err := s.OpenRaw(t.Context(), 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("half a mail was kept: %v", err)
	}
}

func TestRawDamaged(t *testing.T) {
	s, _ := open(t)
	putRaw(t, s, 1, bytes.Repeat([]byte("text "), 100000))
	write(t, s, func(tx *Tx) error {
		_, err := tx.exec("UPDATE raw SET data = CAST(substr(data, 1, length(data) - 9) || x'000000000000000000' AS BLOB) WHERE id = ?", int64(piecesMax+1))
		return err
	})
	r, _, err := s.OpenRaw(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err == nil || n != pieceSize {
		t.Errorf("read %d bytes of a damaged mail: %v", n, err)
	}
}

func TestPackConcurrently(t *testing.T) {
	s, _ := open(t)
	content := []byte(strings.Repeat("Lieferung ", 3000))
	sum := sha256.Sum256(content)
	done := make(chan Packed)
	for range 8 {
		go func() {
			p, err := s.Pack(section(content))
			if err != nil {
				t.Error(err)
			}
			done <- p
		}()
	}
	for i := range int64(8) {
		p := <-done
		write(t, s, func(tx *Tx) error { return tx.PutRaw(i, p) })
		if sha256.Sum256(readRaw(t, s.View, i)) != sum {
			t.Errorf("mail %d differs", i)
		}
	}
}
