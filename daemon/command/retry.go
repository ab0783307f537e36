package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"helpdesk/ui"
)

func (e *env) retryCommand() *cobra.Command {
	act := ui.Act{Name: ui.ActTake}
	var q ledgerQuery
	var desk string
	c := &cobra.Command{
		Use:   "retry ID…",
		Short: "Take mail that was left alone, ignored, held or set aside",
		Long: "Takes mail of the ledger that was left alone, ignored, blocked, held or set aside, as if it\n" +
			"came now. Name the mails by their numbers, or choose them by --outcome and --from.",
		Example: "  helpdesk retry 17 18\n  helpdesk retry --outcome held --from taro@example.co.jp",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := oneOf("outcome", q.filter.Outcome, ui.TakeableOutcomes()...); err != nil {
				return err
			}
			chosen := q.filter.Outcome != "" || q.filter.From != ""
			if chosen == (len(args) > 0) {
				return wrong("retry")
			}
			if act.IDs, err = numbers(args); err != nil {
				return err
			}
			if chosen {
				if act.IDs, err = e.chosenEntries(cmd.Context(), q, desk); err != nil || len(act.IDs) == 0 {
					return err
				}
			}
			return e.actOnExisting(cmd.Context(), act)
		},
	}
	c.Flags().StringVar(&q.filter.Outcome, "outcome", "", "all that became this: held, ignored, blocked, quarantined or skipped")
	c.Flags().StringVar(&q.filter.From, "from", "", "all from this address")
	c.Flags().StringVar(&desk, "desk", "", "of those, only mail to this desk")
	limitFlag(c, &q.filter.Limit, "of those, how many at most, the newest first")
	c.Flags().BoolVar(&act.Quiet, "quiet", false, "tell nobody: no mail to agents and customers")
	return c
}

// chosenEntries are the mails that a filter chooses and a person may take,
// oldest first, as they are to be taken.
func (e *env) chosenEntries(ctx context.Context, q ledgerQuery, desk string) ([]int64, error) {
	s, place, err := e.openStore(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	words := ui.WordsIn(place.language)
	if q.filter.DeskID, err = deskID(ctx, s, words, desk); err != nil {
		return nil, err
	}
	q.keep = ui.Takeable
	entries, err := q.entries(ctx, s)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(entries))
	for i, entry := range entries {
		ids[len(ids)-1-i] = entry.ID
	}
	if len(ids) == 0 {
		_, err = fmt.Fprintln(e.stdout, words.Text("ledger.none"))
	} else if len(ids) == q.filter.Limit {
		_, err = fmt.Fprintln(e.stderr, words.Text("cli.took-more", "n", words.Number(int64(len(ids)))))
	}
	return ids, err
}
