package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/store"
)

// A desk whose own texts have a fault is closed, and says in which file and
// line; when that is mended it has its texts.
func TestOwnTexts(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "")
	dir := filepath.Join(n.dir, "texts")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "new.en.txt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.desk = "[desk.notify]\ntemplates = \"texts\""
	write("[{{.Key}}] {{.Subject}}\nText\n{{.Nonsense}}\n")
	n.close()
	if faults := TextFaults(n.config()); len(faults) != 1 || faults[0].Line != 3 || faults[0].Desk != 1 {
		t.Errorf("check finds %+v", faults)
	}
	n.open()
	r := n.d.desks[0]
	if r.collector != nil || len(r.conf.Closed) != 1 {
		t.Fatalf("the desk is open, its faults are %v", r.conf.Closed)
	}
	for _, lang := range []string{"en", "ja"} {
		p := closed(r.conf, lang)
		if len(p.Remedy) != 1 || !strings.Contains(p.Remedy[0], "new.en.txt:3: ") || !strings.Contains(p.Remedy[0], "Nonsense") {
			t.Errorf("the page says %q", p.Remedy)
		}
	}
	if _, err := n.d.status(t.Context()); err != nil {
		t.Error(err)
	}
	n.close()
	write("[{{.Key}}] ours {{.Subject}}\n{{.Text}}\n{{template \"files\" .}}\n")
	n.open()
	if n.d.desks[0].collector == nil {
		t.Fatalf("it is still closed: %v", n.d.desks[0].conf.Closed)
	}
	n.take(n.letter(taro, "Printer"), "")
	if text := n.render(n.lines(desk.EventNew)[0]); !strings.Contains(text, "ours") {
		t.Errorf("the notice is not in the office's words:\n%s", text)
	}
}

// The status counts what waits for somebody, and what the ledger explains.
func TestStatusOfTheLedger(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "public_signup = false")
	n.take(n.letter(taro, "Printer"), "")
	s, err := n.d.status(t.Context())
	if err != nil || s.Ledger.Held != 1 || !s.Ledger.ReconciledAt.IsZero() || len(s.Warnings) != 0 {
		t.Errorf("before: %+v %v %v", s.Ledger, s.Warnings, err)
	}
	n.write(func(tx *store.Tx) error {
		if err := tx.PutReconciliation(store.Reconciliation{MailboxID: n.box.ID, At: n.now, Listed: 5, Missing: 3, Unaccounted: 2}); err != nil {
			return err
		}
		return tx.Suspend("taro@customer.test", 1, "5.1.1")
	})
	s, err = n.d.status(t.Context())
	if err != nil || s.Ledger.Unaccounted != 2 || !s.Ledger.ReconciledAt.Equal(n.now) {
		t.Errorf("after: %+v %v", s.Ledger, err)
	}
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "customers unsuspend") || strings.Contains(s.Warnings[0], "taro") {
		t.Errorf("the warnings are %q", s.Warnings)
	}
	n.now = n.now.Add(8 * 24 * time.Hour)
	if s, err = n.d.status(t.Context()); err != nil || len(s.Warnings) != 0 {
		t.Errorf("a week later: %q %v", s.Warnings, err)
	}
}
