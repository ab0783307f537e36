package command

import (
	"context"
	"strings"
	"testing"
	"time"

	"helpdesk/ui"
)

// What wants a person's word is in the status, in both languages.
func TestStatusText(t *testing.T) {
	s := ui.Status{
		Desks: []ui.DeskStatus{
			{Key: "SUP", Name: "Support", Mailbox: ui.PartStatus{State: "ok"}, Import: &ui.Progress{Done: 1200, Total: 5000}},
			{Key: "SAL", Name: "Sales", Mailbox: ui.PartStatus{State: "observing"}, Observed: &ui.Observed{Mails: 3}},
			{Key: "OLD", Name: "Old", Mailbox: ui.PartStatus{State: "ok"}, Observed: &ui.Observed{Mails: 7, Asked: true}},
		},
		Ledger: ui.LedgerStatus{Held: 4, ReconciledAt: time.Now()},
	}
	for language, texts := range map[string][]string{
		"en": {"1,200 of 5,000", "3 mails were looked at", "helpdesk live OLD leave|take|import", "4 mails are held", "helpdesk ledger --outcome held", ": 0 unaccounted"},
		"ja": {"1,200 / 5,000", "3通のメールを確認しました", "helpdesk live OLD leave|take|import", "4通のメールを保留しています", "記録のないメール 0通"},
	} {
		out := statusText(s, ui.WordsIn(language))
		wantAll(t, out, texts...)
		wantNone(t, out, "status.", "observed.s", "import.")
	}
}

// The line of an import goes on in its place, and ends with the import.
func TestImportLine(t *testing.T) {
	waiting := ui.DeskStatus{Key: "SUP", Mailbox: ui.PartStatus{State: "waiting"}}
	at := func(done int) ui.DeskStatus {
		return ui.DeskStatus{Key: "SUP", Mailbox: ui.PartStatus{State: "ok"}, Import: &ui.Progress{Done: done, Total: 4000}}
	}
	over := ui.DeskStatus{Key: "SUP", Mailbox: ui.PartStatus{State: "ok"}}
	run := func(steps ...ui.DeskStatus) string {
		var b strings.Builder
		n := 0
		(&env{stderr: &b}).watchImport(t.Context(), ui.WordsIn("ja"), func(context.Context) (ui.Status, error) {
			step := steps[min(n, len(steps)-1)]
			n++
			return ui.Status{Desks: []ui.DeskStatus{step}}, nil
		}, time.Millisecond)
		return b.String()
	}
	out := run(waiting, at(0), at(1000), at(3999), over)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\r")
	if len(lines) != 5 || !strings.Contains(lines[2], "[#####...............]") || !strings.Contains(lines[2], "1,000 / 4,000") || !strings.HasPrefix(lines[4], "過去のメールの取り込みが完了しました。") || !strings.HasSuffix(out, "\n") {
		t.Errorf("%q", lines)
	}
	for _, line := range lines {
		wantNarrow(t, line)
	}
	if out := run(over); out != "" {
		t.Errorf("nothing is imported: %q", out)
	}
}
