package command

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/daemon/control"
	"helpdesk/ui"
)

func (e *env) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what works, what does not, and what to do about it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := e.locate()
			if err != nil {
				return err
			}
			client, err := control.Dial(p.dataDir)
			if errors.Is(err, control.ErrNotRunning) {
				return errors.New(ui.WordsIn(p.language).Text("cli.not-running-status"))
			} else if err != nil {
				return err
			}
			var answer daemon.StatusAnswer
			if err := client.Call(cmd.Context(), "GET", daemon.StatusPath, nil, &answer); err != nil {
				return fmt.Errorf("asking the running helpdesk: %w", err)
			}
			status := answer.Complete()
			if e.asJSON {
				return printJSON(e.stdout, status)
			}
			_, err = fmt.Fprint(e.stdout, statusText(status, ui.WordsIn(p.language)))
			return err
		},
	}
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

// statusText is what the page shows, as text.
func statusText(s ui.Status, words ui.Words) string {
	var b strings.Builder
	for _, d := range s.Desks {
		fmt.Fprintf(&b, "%s  %s\n", d.Key, d.Name)
		writePart(&b, words, words.Text("status.mailbox"), d.Mailbox)
		writePart(&b, words, words.Text("status.relay"), d.Relay)
		if d.Import != nil && d.Import.Done < d.Import.Total {
			fmt.Fprintf(&b, "  %s\n", words.Text("import.progress", "done", words.Number(int64(d.Import.Done)), "total", words.Number(int64(d.Import.Total))))
		}
		switch o := d.Observed; {
		case o != nil && o.Asked:
			fmt.Fprintf(&b, "  ! %s\n    → helpdesk live %s leave|take|import\n", words.Count("observed.question", int64(o.Mails)), d.Key)
		case o != nil:
			fmt.Fprintf(&b, "  %s\n    → helpdesk ledger --observed --desk %s\n", words.Count("observed.so-far", int64(o.Mails)), d.Key)
		}
	}
	fmt.Fprintf(&b, "%s\n", words.Text("status.outbox.line", "waiting", words.Number(s.Outbox.Waiting), "sent", words.Number(s.Outbox.SentToday), "failed", words.Number(s.Outbox.Failed)))
	fmt.Fprintf(&b, "%s\n", words.Text("status.ledger.line", "today", words.Number(s.Ledger.Today), "total", words.Number(s.Ledger.Total), "skipped", words.Number(s.Ledger.Skipped), "quarantined", words.Number(s.Ledger.Quarantined)))
	if s.Ledger.Held > 0 {
		fmt.Fprintf(&b, "! %s\n    → helpdesk ledger --outcome held\n", words.Count("status.held", s.Ledger.Held))
	}
	if !s.Ledger.ReconciledAt.IsZero() {
		fmt.Fprintf(&b, "%s\n", words.Text("status.unaccounted", "time", words.When(s.Ledger.ReconciledAt, time.Now()), "n", words.Number(s.Ledger.Unaccounted)))
	}
	for _, w := range s.Warnings {
		fmt.Fprintf(&b, "! %s\n", w)
	}
	return b.String()
}

func writePart(b *strings.Builder, words ui.Words, name string, p ui.PartStatus) {
	fmt.Fprintf(b, "  %s: %s", name, words.State(p.State))
	if !p.LastPoll.IsZero() {
		fmt.Fprintf(b, " (%s)", when(p.LastPoll))
	}
	b.WriteString("\n")
	if p.Title == "" {
		return
	}
	fmt.Fprintf(b, "    %s\n", p.Title)
	if p.Text != "" {
		fmt.Fprintf(b, "    %s\n", printable(p.Text))
	}
	for i, step := range p.Remedy {
		fmt.Fprintf(b, "    %d. %s\n", i+1, step)
	}
	if p.ServerText != "" {
		fmt.Fprintf(b, "    %s: %s\n", words.Text("status.server-said"), printable(p.ServerText))
	}
}
