package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"helpdesk/store"
	"helpdesk/ui"
)

func (e *env) ledgerCommand() *cobra.Command {
	var filter store.EntryFilter
	c := &cobra.Command{
		Use:   "ledger",
		Short: "List every mail ever seen and what became of it, newest first",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, place, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			entries, err := s.Entries(cmd.Context(), filter)
			if err != nil {
				return fmt.Errorf("reading the ledger: %w", err)
			}
			words := ui.WordsIn(place.language)
			if e.asJSON {
				for i := range entries {
					entries[i].Reason = strings.Join(words.Reason(entries[i]), " ")
				}
				return printJSON(e.stdout, append([]store.Entry{}, entries...))
			}
			if len(entries) == 0 {
				_, err := fmt.Fprintln(e.stdout, "The ledger is empty: no mail was seen yet.")
				return err
			}
			rows := [][]string{{"ID", "SEEN", "OUTCOME", "REQUEST", "FROM", "SUBJECT"}}
			for _, entry := range entries {
				rows = append(rows, []string{strconv.FormatInt(entry.ID, 10), when(entry.SeenAt), entry.Outcome, entry.Request, person(entry.From), entry.Subject})
			}
			return table(e.stdout, []int{7, 16, 11, 10, 12, 16}, rows)
		},
	}
	c.Flags().StringVar(&filter.Outcome, "outcome", "", "only mail that became this: request, reply, note, ignored, bounce, skipped, duplicate, own, quarantined")
	c.Flags().StringVar(&filter.From, "from", "", "only mail from this address")
	c.Flags().IntVar(&filter.Limit, "limit", hundred, "how many at most")
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

func (e *env) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why ID|ADDRESS",
		Short: "Say why a mail became what it became, or what became of the mails of ADDRESS",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, place, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			words := ui.WordsIn(place.language)
			if strings.Contains(args[0], "@") {
				return e.whyAddress(cmd.Context(), s, words, args[0])
			}
			id, err := strconv.ParseInt(strings.TrimPrefix(args[0], "#"), 10, 64)
			if err != nil {
				return &failure{exitUse, fmt.Errorf("%q is neither a number of the ledger nor an address; write it as: helpdesk why 17", args[0])}
			}
			entry, err := s.Entry(cmd.Context(), id)
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("the ledger has no line %d (helpdesk ledger lists them)", id)
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
	if len(entry.Passed) > 0 {
		fmt.Fprintf(&b, "%s\n", words.Text("why.passed"))
	}
	for _, rule := range entry.Passed {
		fmt.Fprintf(&b, "  - %s\n", words.Passed(rule))
	}
	if entry.From.Address != "" {
		if err := writeSent(ctx, &b, s, words, store.OutboxFilter{To: entry.From.Address}); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(e.stdout, b.String())
	return err
}

// writeSent lists mails of the outbox, newest first.
func writeSent(ctx context.Context, b *strings.Builder, s *store.Store, words ui.Words, filter store.OutboxFilter) error {
	filter.Limit = 20
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
		fmt.Fprintf(b, "  %s  %s → %s: %s %s\n", when(l.CreatedAt), words.Event(l.Event), printable(l.To.Address), words.Text("outbox."+state), printable(l.Error))
	}
	return nil
}

// whyAddress answers "a customer wrote, and nothing happened".
func (e *env) whyAddress(ctx context.Context, s *store.Store, words ui.Words, address string) error {
	entries, err := s.Entries(ctx, store.EntryFilter{From: address, Limit: 20})
	if err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	var b strings.Builder
	if len(entries) == 0 {
		fmt.Fprintln(&b, words.Text("why.never", "address", address))
	}
	for _, entry := range entries {
		fmt.Fprintf(&b, "%d  %s  %s %s  %s\n", entry.ID, when(entry.SeenAt), words.Outcome(entry.Outcome), entry.Request, printable(entry.Subject))
		for _, sentence := range words.Reason(entry) {
			fmt.Fprintf(&b, "  %s\n", printable(sentence))
		}
	}
	suspended, err := s.SuspendedAt(ctx, strings.ToLower(address))
	if err != nil {
		return fmt.Errorf("reading suspended addresses: %w", err)
	}
	if suspended {
		fmt.Fprintln(&b, words.Text("why.suspended", "address", address))
	}
	if err := writeSent(ctx, &b, s, words, store.OutboxFilter{To: address}); err != nil {
		return err
	}
	_, err = fmt.Fprint(e.stdout, b.String())
	return err
}
