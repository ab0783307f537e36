package command

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/store"
	"helpdesk/ui"
)

// ledgerQuery is what is asked of the ledger.
type ledgerQuery struct {
	filter store.EntryFilter
	since  time.Time              // only mail seen at that time or later; zero: all
	keep   func(store.Entry) bool // only mail of which it is true; nil: all
}

// entries reads lines, newest first. Rule and time are looked at here: the
// store has no order by them.
func (q ledgerQuery) entries(ctx context.Context, s *store.Store) ([]store.Entry, error) {
	filter := q.filter
	filter.Rule, filter.Limit = "", max(q.filter.Limit, pageSize)
	all := []store.Entry{}
	for {
		some, err := s.Entries(ctx, filter)
		if err != nil {
			return nil, fmt.Errorf("reading the ledger: %w", err)
		}
		for _, e := range some {
			if !q.since.IsZero() && e.SeenAt.Before(q.since) {
				return all, nil // older ones follow
			}
			if q.filter.Rule != "" && e.Rule != q.filter.Rule || q.keep != nil && !q.keep(e) {
				continue
			}
			if all = append(all, e); len(all) == q.filter.Limit {
				return all, nil
			}
		}
		if len(some) < filter.Limit {
			return all, nil
		}
		filter.Before = some[len(some)-1].ID
	}
}

func (e *env) ledgerCommand() *cobra.Command {
	var q ledgerQuery
	var desk, since string
	observed := false
	c := &cobra.Command{
		Use:     "ledger",
		Short:   "List every mail ever seen and what became of it, newest first",
		Example: "  helpdesk ledger --outcome held --since 7d",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := oneOf("outcome", q.filter.Outcome, ui.Outcomes()...); err != nil {
				return err
			}
			if rule := q.filter.Rule; rule != "" && !ui.KnowsRule(rule) {
				return wrong("rule", "rule", rule)
			}
			if since != "" {
				if q.since, err = pointInTime(since, time.Now(), false); err != nil {
					return err
				}
			}
			s, place, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			words := ui.WordsIn(place.language)
			if q.filter.DeskID, err = deskID(cmd.Context(), s, words, desk); err != nil {
				return err
			}
			if observed {
				return e.observed(cmd.Context(), s, place, q)
			}
			entries, err := q.entries(cmd.Context(), s)
			if err != nil {
				return err
			}
			if err := e.printEntries(words, entries, q.filter.Limit); err != nil || len(entries) > 0 || e.asJSON {
				return err
			}
			return e.hintObserved(cmd.Context(), s, place)
		},
	}
	c.Flags().StringVar(&q.filter.Outcome, "outcome", "", "only mail that became this: "+strings.Join(ui.Outcomes(), ", "))
	c.Flags().StringVar(&desk, "desk", "", "only mail to this desk")
	c.Flags().StringVar(&q.filter.From, "from", "", "only mail from this address")
	c.Flags().StringVar(&q.filter.Rule, "rule", "", "only mail of which this rule decided, as unknown-sender")
	c.Flags().StringVar(&since, "since", "", "only mail seen since a day, as 2026-11-01, or for a time, as 7d")
	c.Flags().BoolVar(&observed, "observed", false, "what observing desks (mode = \"observe\") would have done")
	limitFlag(c, &q.filter.Limit, "how many at most")
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

// sentence is why a mail became what it became, in words.
func sentence(words ui.Words, e store.Entry) string { return strings.Join(words.Reason(e), " ") }

// inWords are ledger lines for JSON.
func inWords(words ui.Words, entries []store.Entry) []store.Entry {
	entries = append([]store.Entry{}, entries...)
	for i := range entries {
		entries[i].Reason = sentence(words, entries[i])
	}
	return entries
}

func (e *env) printEntries(words ui.Words, entries []store.Entry, limit int) error {
	if e.asJSON {
		return printJSON(e.stdout, inWords(words, entries))
	}
	if len(entries) == 0 {
		_, err := fmt.Fprintln(e.stdout, words.Text("ledger.none"))
		return err
	}
	if err := e.entryTable(words, entries); err != nil {
		return err
	}
	return e.printMore(words, len(entries), limit)
}

func (e *env) entryTable(words ui.Words, entries []store.Entry) error {
	rows := [][]string{heads(words, "id", "seen", "outcome", "request", "from", "subject")}
	for _, entry := range entries {
		rows = append(rows, []string{strconv.FormatInt(entry.ID, 10), lately(entry.SeenAt), words.Outcome(entry.Outcome), entry.Request, person(entry.From), entry.Subject})
	}
	return table(e.stdout, []int{8, 11, 14, 10, 14, 0}, rows)
}

// observed prints what desks that only observe would have done: the ledger of
// each, and the mail that would have been sent.
func (e *env) observed(ctx context.Context, s *store.Store, p place, q ledgerQuery) error {
	desks, err := s.Desks(ctx)
	if err != nil {
		return fmt.Errorf("reading the desks: %w", err)
	}
	words := ui.WordsIn(p.language)
	all := []store.Entry{}
	found := false
	for _, d := range desks {
		path := daemon.ObservePath(p.dataDir, d.ID)
		if q.filter.DeskID != 0 && q.filter.DeskID != d.ID || !exists(path) {
			continue
		}
		if found && !e.asJSON {
			if _, err := fmt.Fprintln(e.stdout); err != nil {
				return err
			}
		}
		found = true
		entries, sent, err := readObserved(ctx, path, q)
		if err != nil {
			return fmt.Errorf("reading what %s observed: %w", d.Key, err)
		}
		if all = append(all, entries...); e.asJSON {
			continue
		}
		if err := e.printObserved(words, d, entries, sent); err != nil {
			return err
		}
	}
	switch {
	case e.asJSON:
		return printJSON(e.stdout, inWords(words, all))
	case !found:
		_, err = fmt.Fprintln(e.stdout, words.Text("observed.none"))
	}
	return err
}

// hintObserved tells who finds no mail in the ledger of those that observe.
func (e *env) hintObserved(ctx context.Context, s *store.Store, p place) error {
	desks, err := s.Desks(ctx)
	if err != nil {
		return fmt.Errorf("reading the desks: %w", err)
	}
	for _, d := range desks {
		if exists(daemon.ObservePath(p.dataDir, d.ID)) {
			_, err = fmt.Fprintln(e.stdout, ui.WordsIn(p.language).Text("cli.see-observed"))
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readObserved reads what a desk would have done.
func readObserved(ctx context.Context, path string, q ledgerQuery) (entries []store.Entry, sent []store.OutboxLine, err error) {
	s, err := store.OpenReadOnly(ctx, path, store.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	q.filter.DeskID = 0 // the file is of one desk
	if entries, err = q.entries(ctx, s); err != nil {
		return nil, nil, err
	}
	sent, err = s.Outbox(ctx, store.OutboxFilter{Limit: q.filter.Limit})
	if err != nil {
		err = fmt.Errorf("reading the outbox: %w", err)
	}
	return entries, sent, err
}

func (e *env) printObserved(words ui.Words, d store.Desk, entries []store.Entry, sent []store.OutboxLine) error {
	if _, err := fmt.Fprintf(e.stdout, "%s\n", words.Text("observed.title", "desk", d.Name)); err != nil {
		return err
	}
	if len(entries) == 0 {
		_, err := fmt.Fprintf(e.stdout, "%s\n", words.Text("observed.empty"))
		return err
	}
	if err := e.entryTable(words, entries); err != nil {
		return err
	}
	head := words.Text("observed.sent")
	if len(sent) == 0 {
		head = words.Text("observed.no-mail")
	}
	if _, err := fmt.Fprintf(e.stdout, "\n%s\n", head); err != nil || len(sent) == 0 {
		return err
	}
	rows := [][]string{heads(words, "request", "mail", "to")}
	for _, l := range slices.Backward(sent) {
		rows = append(rows, []string{l.Request, words.Event(l.Event), l.To.Address})
	}
	return table(e.stdout, []int{10, 40, 0}, rows)
}
