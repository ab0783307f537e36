package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/daemon/control"
	"helpdesk/store"
	"helpdesk/ui"
)

func (e *env) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why ID|ADDRESS",
		Short: "Say why a mail became what it became, or why ADDRESS got no answer",
		Long: "With a number of the ledger: what became of that mail, by which rule, and what was sent\n" +
			"because of it. With an address: why somebody who wrote got no answer.",
		Example: "  helpdesk why 17\n  helpdesk why taro@example.co.jp",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, place, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			words := ui.WordsIn(place.language)
			if strings.Contains(args[0], "@") {
				return e.whyAddress(cmd.Context(), s, words, place, args[0])
			}
			id, err := strconv.ParseInt(strings.TrimPrefix(args[0], "#"), 10, 64)
			if err != nil {
				return wrong("why", "text", args[0])
			}
			entry, err := s.Entry(cmd.Context(), id)
			if errors.Is(err, store.ErrNotFound) {
				return errors.New(words.Text("cli.no-entry", "id", strconv.FormatInt(id, 10)))
			} else if err != nil {
				return fmt.Errorf("reading line %d: %w", id, err)
			}
			return e.printWhy(cmd.Context(), s, words, entry)
		},
	}
}

// printWhy tells the story of one mail: what became of it, by which rule,
// which rules did not fit, and what was sent because of it.
func (e *env) printWhy(ctx context.Context, s *store.Store, words ui.Words, entry store.Entry) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d  %s  %s  %s\n", entry.ID, when(entry.SeenAt), printable(entry.From.Address), printable(entry.Subject))
	fmt.Fprintf(&b, "%s", words.Outcome(entry.Outcome))
	if entry.Request != "" {
		fmt.Fprintf(&b, ": %s", entry.Request)
	}
	b.WriteString("\n")
	for _, sentence := range words.Reason(entry) {
		fmt.Fprintf(&b, "  %s\n", printable(sentence))
	}
	for _, problem := range entry.Problems {
		fmt.Fprintf(&b, "  ! %s\n", words.Problem(problem))
	}
	if ui.Takeable(entry) {
		fmt.Fprintf(&b, "  → %s\n", words.Text("why.take", "command", fmt.Sprintf("helpdesk retry %d", entry.ID)))
	}
	if ui.HeldAsUnknown(entry) {
		command := "helpdesk customers add " + entry.From.Address + " --desk " + entry.Desk
		fmt.Fprintf(&b, "  → %s\n", printable(words.Text("why.take-all", "command", command)))
	}
	if len(entry.Passed) > 0 {
		fmt.Fprintf(&b, "%s\n", words.Text("why.passed"))
	}
	for _, rule := range entry.Passed {
		fmt.Fprintf(&b, "  - %s\n", words.Passed(rule))
	}
	if entry.From.Address != "" {
		if err := writeSent(ctx, &b, s, words, store.OutboxFilter{To: entry.From.Address, Limit: 20}); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(e.stdout, b.String())
	return err
}

// writeSent lists mails of the outbox, newest first.
func writeSent(ctx context.Context, b *strings.Builder, s *store.Store, words ui.Words, filter store.OutboxFilter) error {
	lines, err := s.Outbox(ctx, filter)
	if err != nil {
		return fmt.Errorf("reading the outbox: %w", err)
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "%s\n", words.Text("why.sent"))
	}
	for _, l := range lines {
		state := l.State
		if l.Cause == store.CauseOvertaken {
			state = l.Cause
		}
		line := fmt.Sprintf("%s  %s → %s", when(l.CreatedAt), words.Event(l.Event), l.To.Address)
		if l.Request != "" {
			line += " (" + l.Request + ")"
		}
		fmt.Fprintf(b, "  %s\n", printable(strings.TrimSpace(line+": "+words.Text("outbox."+state)+" "+l.Error)))
	}
	return nil
}

// whyAddress answers "a customer wrote, and nothing happened".
func (e *env) whyAddress(ctx context.Context, s *store.Store, words ui.Words, p place, address string) error {
	q := ui.WhyQuestion{Address: address, Now: time.Now()}
	_, err := control.Dial(p.dataDir)
	q.Running = !errors.Is(err, control.ErrNotRunning) // one that hangs or is another user's runs too
	c, _, err := config.Load(e.configFile(), os.LookupEnv)
	if err == nil && c != nil { // else what the store has must do; `check` names the faults
		q.Desks = daemon.WhyDesks(c)
		observed, closeAll, err := observedStores(ctx, s, p, c)
		if err != nil {
			return err
		}
		defer closeAll()
		q.Observed = func(desk string) *store.Store { return observed[desk] }
	}
	answer, err := ui.WhyAddress(ctx, s, words, q)
	if errors.Is(err, ui.ErrNoAddress) {
		return wrong("address", "address", address)
	} else if err != nil {
		return err
	}
	_, err = fmt.Fprint(e.stdout, whyText(answer))
	return err
}

// observedStores opens what desks see that only observe, by their keys.
func observedStores(ctx context.Context, s *store.Store, p place, c *config.Config) (open map[string]*store.Store, closeAll func(), err error) {
	open = map[string]*store.Store{}
	closeAll = func() {
		for _, one := range open {
			one.Close() // nothing was written
		}
	}
	desks, err := s.Desks(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the desks: %w", err)
	}
	for i := range c.Desks {
		at := slices.IndexFunc(desks, func(d store.Desk) bool { return strings.EqualFold(d.Address, c.Desks[i].Address) })
		if at < 0 || c.Desks[i].Mode != config.ModeObserve || !exists(daemon.ObservePath(p.dataDir, desks[at].ID)) {
			continue
		}
		one, err := store.OpenReadOnly(ctx, daemon.ObservePath(p.dataDir, desks[at].ID), store.Options{})
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("opening what %s observed: %w", c.Desks[i].Key, err)
		}
		open[c.Desks[i].Key] = one
	}
	return open, closeAll, nil
}

// whyText is the answer for a terminal. ! marks what keeps mail from being
// answered, → what mends it.
func whyText(answer ui.WhyAnswer) string {
	var b strings.Builder
	for i, part := range answer.Parts {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s\n", part.Title)
		for _, line := range part.Lines {
			mark := " "
			if line.Bad {
				mark = "!"
			}
			text := line.Text
			if line.Request != "" {
				text += " (" + line.Request + ")"
			}
			fmt.Fprintf(&b, "%s %s\n", mark, printable(text))
			for _, more := range line.More {
				fmt.Fprintf(&b, "    %s\n", printable(more))
			}
			if line.Command != "" {
				fmt.Fprintf(&b, "    → %s\n", printable(line.Command))
			}
		}
	}
	return b.String()
}
