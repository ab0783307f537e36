package fetch

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// expunged: a mail that another client removes between our list and
// our fetch is missing, and no error, whichever way it went.
func expunged(t *testing.T, h host) {
	for n := range 5 {
		h.deliver(letter(n))
	}
	s, other := h.open(t, connect.TLS), h.open(t, connect.TLS)
	list, err := s.List(t.Context(), 1)
	if err != nil || len(list) != 5 {
		t.Fatalf("%v, %v", list, err)
	}
	if err := other.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{2}); err != nil {
		t.Fatal(err)
	}
	var mails []got
	missing, err := s.Fetch(t.Context(), list, collect(&mails))
	if err != nil || len(mails) != 4 || !reflect.DeepEqual(missing, []uint32{2}) {
		t.Errorf("expunged: %d mails, missing %v, %v", len(mails), missing, err)
	}
	if err := s.Acknowledge(t.Context(), Action{ActionMove, "Done"}, []uint32{1, 2}); err != nil {
		t.Errorf("moving an expunged mail: %v", err)
	}
	if got := h.folder("Done"); got != 1 {
		t.Errorf("%d mails in Done", got)
	}

	// Flagged \Deleted, but not expunged: a mail like any other.
	if err := other.flag(t.Context(), uidSets([]Listed{{UID: 3}})[0], `\Deleted`); err != nil {
		t.Fatal(err)
	}
	mails = nil
	if missing, err := s.Fetch(t.Context(), []Listed{{UID: 3}}, collect(&mails)); err != nil || len(mails) != 1 || missing != nil {
		t.Errorf("flagged: %v, missing %v, %v", mails, missing, err)
	}

	// Removed from the disk behind Dovecot's back.
	files, err := filepath.Glob(filepath.Join(h.hosts.Dir, "mail/mail.test", strings.TrimSuffix(h.user, "@mail.test"), "cur/*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte("number 4")) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	mails = nil
	missing, err = s.Fetch(t.Context(), []Listed{{UID: 4}, {UID: 5}}, collect(&mails))
	if err != nil || len(mails) != 1 || !reflect.DeepEqual(missing, []uint32{5}) {
		t.Errorf("removed: %v, missing %v, %v", mails, missing, err)
	}
}

// uidValidity: a new one is seen when the folder is opened again.
func uidValidity(t *testing.T, h host) {
	h.deliver(letter(1))
	first := h.open(t, connect.TLS)
	before := first.State()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.hosts.NewUIDValidity(h.user, "INBOX"); err != nil {
		t.Fatal(err)
	}
	if after := h.open(t, connect.TLS).State(); after.UIDValidity <= before.UIDValidity || after.Messages != 1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// sparse fetches and moves more UIDs, with gaps, than fit into a command.
func sparse(t *testing.T, h host) {
	const n = 2*maxRanges + 101
	for i := range 2 * n {
		h.deliver(letter(i))
	}
	s := h.open(t, connect.TLS)
	list, err := s.List(t.Context(), 1)
	if err != nil || len(list) != 2*n {
		t.Fatalf("%d mails, %v", len(list), err)
	}
	var odd []Listed
	var uids []uint32
	for _, m := range list {
		if m.UID%2 == 1 {
			odd, uids = append(odd, m), append(uids, m.UID)
		}
	}
	var mails []got
	missing, err := s.Fetch(t.Context(), odd, collect(&mails))
	if err != nil || len(mails) != n || missing != nil {
		t.Errorf("%d mails, %d missing, %v", len(mails), len(missing), err)
	}
	if err := s.Acknowledge(t.Context(), Action{ActionMove, "Done"}, uids); err != nil {
		t.Error(err)
	}
	if left, err := s.List(t.Context(), 1); err != nil || len(left) != n || h.folder("Done") != n {
		t.Errorf("%d left, %v, %d moved", len(left), err, h.folder("Done"))
	}
}

// BenchmarkDovecot reads 5,000 mails of about 7 kB, 200 in a command.
func BenchmarkDovecot(b *testing.B) {
	h := dovecot(b, "/", []string{"load@mail.test"})[0]
	const n, chunk = 5000, 200
	body := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 90)
	for i := range n {
		h.deliver(letter(i) + body)
	}
	for _, security := range []connect.Security{connect.Plain, connect.TLS} {
		b.Run(string(security), func(b *testing.B) {
			s := h.open(b, security)
			var count, size int64
			b.ReportAllocs()
			for b.Loop() {
				list, err := s.List(b.Context(), 1)
				if err != nil || len(list) != n {
					b.Fatalf("%d mails, %v", len(list), err)
				}
				for mails := range slices.Chunk(list, chunk) {
					if _, err := s.Fetch(b.Context(), mails, func(r *mail.Raw) error {
						count, size = count+1, size+r.Length
						r.Close()
						return nil
					}); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "mails/s")
			b.SetBytes(size / int64(b.N))
		})
	}
}
