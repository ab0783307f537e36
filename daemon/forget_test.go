package daemon

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

const hanako = "Hanako Suzuki <hanako@customer.test>"

// observe makes the store of what a desk with an ID observed, with a mail of hanako.
func (n *house) observe(path string) *store.Store {
	n.t.Helper()
	shadow, err := n.d.store.Shadow(n.t.Context(), path, store.Options{})
	if err != nil {
		n.t.Fatal(err)
	}
	raw := strings.ReplaceAll(n.letter(hanako, "Broken loom"), "\n", "\r\n")
	taker := desk.Taker{Store: shadow, Signer: n.d.signer, Now: n.d.Now}
	in, err := taker.Prepare(&mail.Raw{UIDValidity: 1, UID: 7, Size: int64(len(raw)), Length: int64(len(raw)), Content: strings.NewReader(raw), Close: func() {}})
	if err == nil {
		_, err = taker.Take(n.t.Context(), n.settings(), n.box, []*desk.Incoming{in})
	}
	if err != nil {
		n.t.Fatal(err)
	}
	if text := bytesBelow(n.t, path); !strings.Contains(text, "hanako") || !strings.Contains(text, "broken loom") {
		n.t.Fatal("the test's mail is not there")
	}
	return shadow
}

// bytesBelow is what stands in the files of a database.
func bytesBelow(t *testing.T, path string) string {
	t.Helper()
	var all strings.Builder
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return strings.ToLower(all.String())
}

func (n *house) forget(address string) {
	n.t.Helper()
	if got := slugs(n.act(ui.Act{Name: ui.ActForgetCustomer, Address: address})); got != "customer-forgotten" {
		n.t.Fatal(got)
	}
}

// Who is forgotten is gone from what desks observed, too: from the one that
// observes now, from one that is asked about, and from that of a desk that is
// not in the configuration any more.
func TestForgetObserved(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"running", "not connected", "live", "no daemon"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			mode := `mode = "observe"`
			if where == "live" {
				mode = ""
			}
			n := newHouse(t, "", mode)
			n.write(func(tx *store.Tx) error {
				return tx.AddMember(0, mail.Address{Name: "Hanako Suzuki", Address: "hanako@customer.test"}, n.now)
			})
			dir := n.config().DataDir
			path, other := ObservePath(dir, n.settings().ID), ObservePath(dir, 4711)
			shadow := n.observe(path)
			if where == "running" {
				n.d.desks[0].collector.observer.set(shadow)
			} else if err := shadow.Close(); err != nil {
				t.Fatal(err)
			}
			if err := n.observe(other).Close(); err != nil {
				t.Fatal(err)
			}
			if where == "no daemon" {
				n.close()
				answer, err := DoAct(t.Context(), n.config(), ui.Act{Name: ui.ActForgetCustomer, Address: "hanako@customer.test"})
				if err != nil || slugs(answer) != "customer-forgotten" {
					t.Fatal(slugs(answer), err)
				}
			} else {
				n.forget("hanako@customer.test")
			}
			for _, file := range []string{path, other, filepath.Join(dir, DatabaseFile)} {
				if text := bytesBelow(t, file); strings.Contains(text, "hanako") || strings.Contains(text, "broken loom") {
					t.Errorf("%s still has the person", filepath.Base(file))
				}
			}
			if where == "running" {
				if entries, err := shadow.Entries(context.WithoutCancel(t.Context()), store.EntryFilter{}); err != nil || len(entries) != 1 {
					t.Errorf("what was observed is not there any more: %v %v", entries, err)
				}
				n.d.desks[0].collector.observer.close(n.d.Logger)
			}
		})
	}
}
