package command

import (
	"errors"
	"fmt"
	"strings"

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
				return fmt.Errorf("helpdesk is not running: no mail is fetched and none is sent. Start it with `helpdesk start` or `helpdesk run`")
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
	}
	fmt.Fprintf(&b, "%s\n", words.Text("status.outbox.line", "waiting", words.Number(s.Outbox.Waiting), "sent", words.Number(s.Outbox.SentToday), "failed", words.Number(s.Outbox.Failed)))
	fmt.Fprintf(&b, "%s\n", words.Text("status.ledger.line", "today", words.Number(s.Ledger.Today), "total", words.Number(s.Ledger.Total), "skipped", words.Number(s.Ledger.Skipped), "quarantined", words.Number(s.Ledger.Quarantined)))
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
