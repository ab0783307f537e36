package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"helpdesk/daemon/desk"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
	"helpdesk/ui"
)

func (e *env) outboxCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "outbox",
		Short:   "Mail that waits, was sent or failed; send it again or give it up",
		Example: "  helpdesk outbox list --state failed",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(e.outboxListCommand(), e.outboxRetryCommand(), e.outboxDropCommand())
	return c
}

func (e *env) outboxListCommand() *cobra.Command {
	var filter store.OutboxFilter
	c := &cobra.Command{
		Use:     "list",
		Short:   "List mail to be sent and mail that was, newest first",
		Example: "  helpdesk outbox list --state failed",
		Args:    wrongUse(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("state", filter.State, store.OutboxWaiting, store.OutboxSent, store.OutboxFailed, store.OutboxSuspended, store.OutboxDigest); err != nil {
				return err
			}
			s, place, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			lines, err := s.Outbox(cmd.Context(), filter)
			if err != nil {
				return fmt.Errorf("reading the outbox: %w", err)
			}
			if e.asJSON {
				return printJSON(e.stdout, append([]store.OutboxLine{}, lines...))
			}
			return e.printOutbox(ui.WordsIn(place.language), place.language, lines, filter.Limit)
		},
	}
	c.Flags().StringVar(&filter.State, "state", "", "only waiting, sent, failed, suspended, or digest (comes with the next digest)")
	c.Flags().StringVar(&filter.To, "to", "", "only mail to this address")
	limitFlag(c, &filter.Limit, "how many at most")
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

func (e *env) printOutbox(words ui.Words, lang string, lines []store.OutboxLine, limit int) error {
	if len(lines) == 0 {
		_, err := fmt.Fprintln(e.stdout, words.Text("outbox.none"))
		return err
	}
	rows := [][]string{heads(words, "id", "made", "state", "request", "mail", "to")}
	for _, l := range lines {
		rows = append(rows, []string{strconv.FormatInt(l.ID, 10), lately(l.CreatedAt), words.Text("outbox-short." + l.State), l.Request, words.ShortEvent(l.Event), l.To.Address})
	}
	if err := table(e.stdout, []int{8, 11, 10, 10, 18, 0}, rows); err != nil {
		return err
	}
	if _, err := fmt.Fprint(e.stdout, reasons(words, lang, lines)); err != nil {
		return err
	}
	return e.printMore(words, len(lines), limit)
}

// reasons says why lines were not sent, each reason once.
func reasons(words ui.Words, lang string, lines []store.OutboxLine) string {
	ids := map[string][]string{}
	var order []string
	for _, l := range lines {
		if l.State == store.OutboxSent {
			continue
		}
		why := outboxReason(words, lang, l)
		if why == "" {
			continue
		}
		if ids[why] == nil {
			order = append(order, why)
		}
		ids[why] = append(ids[why], strconv.FormatInt(l.ID, 10))
	}
	var b strings.Builder
	for _, why := range order {
		fmt.Fprintf(&b, "\n%s: %s\n", strings.Join(ids[why], ", "), why)
	}
	return b.String()
}

// outboxReason is why a mail waits or was given up, and what the server said.
func outboxReason(words ui.Words, lang string, l store.OutboxLine) string {
	if l.Cause == "" && l.Error == "" {
		return ""
	}
	why := words.Text("cause." + l.Cause)
	if why == "cause."+l.Cause {
		why = diagnose.Diagnosis{Cause: l.Cause}.In(lang).Title
	}
	if l.Error != "" {
		why += "\n  " + words.Text("status.server-said") + ": " + printable(l.Error)
	}
	return why
}

func (e *env) outboxRetryCommand() *cobra.Command {
	allFailed := false
	c := &cobra.Command{
		Use:     "retry ID…",
		Short:   "Send mail again that failed; its address gets mail again",
		Example: "  helpdesk outbox retry 17 18\n  helpdesk outbox retry --all-failed",
		RunE: func(cmd *cobra.Command, args []string) error {
			lines, _, err := e.chosenMail(cmd.Context(), args, allFailed)
			if err != nil || len(lines) == 0 {
				return err
			}
			return e.act(cmd.Context(), ui.Act{Name: ui.ActRetryOutbox, IDs: lineIDs(lines)})
		},
	}
	c.Flags().BoolVar(&allFailed, "all-failed", false, "all that failed")
	return c
}

func (e *env) outboxDropCommand() *cobra.Command {
	allFailed, yes := false, false
	c := &cobra.Command{
		Use:     "drop ID…",
		Short:   "Give mail up that is not sent yet",
		Example: "  helpdesk outbox drop 17",
		RunE: func(cmd *cobra.Command, args []string) error {
			lines, words, err := e.chosenMail(cmd.Context(), args, allFailed)
			if err != nil || len(lines) == 0 {
				return err
			}
			if text := lostText(words, lines); text != "" && !yes {
				if _, err := fmt.Fprint(e.stdout, text); err != nil {
					return err
				}
				sure, err := e.confirmed(cmd.Context(), words, words.Text("outbox.drop.sure"))
				if err != nil {
					return err
				}
				if !sure {
					return &failure{exitFailed, errPrinted}
				}
			}
			return e.act(cmd.Context(), ui.Act{Name: ui.ActDropOutbox, IDs: lineIDs(lines)})
		},
	}
	c.Flags().BoolVar(&allFailed, "all-failed", false, "all that failed")
	c.Flags().BoolVar(&yes, "yes", false, "without asking, also an agent's answer")
	return c
}

// lostText names what an agent wrote and would then never reach the customer;
// "" where there is no such mail.
func lostText(words ui.Words, lines []store.OutboxLine) string {
	var b strings.Builder
	for _, l := range lines {
		if l.Event == desk.EventAnswered && l.State != store.OutboxSent {
			fmt.Fprintln(&b, printable(words.Text("outbox.drop.answer", "id", strconv.FormatInt(l.ID, 10), "key", l.Request, "to", l.To.Address)))
		}
	}
	return b.String()
}

func lineIDs(lines []store.OutboxLine) []int64 {
	ids := make([]int64, len(lines))
	for i, l := range lines {
		ids[i] = l.ID
	}
	return ids
}

// chosenMail are the lines that the arguments or --all-failed name. With none
// that failed it says so.
func (e *env) chosenMail(ctx context.Context, args []string, allFailed bool) ([]store.OutboxLine, ui.Words, error) {
	if allFailed == (len(args) > 0) {
		return nil, ui.Words{}, wrong("outbox")
	}
	ids, err := numbers(args)
	if err != nil {
		return nil, ui.Words{}, err
	}
	s, place, err := e.openStore(ctx)
	if err != nil {
		return nil, ui.Words{}, err
	}
	defer s.Close()
	words := ui.WordsIn(place.language)
	var lines []store.OutboxLine
	for _, id := range ids {
		l, err := s.OutboxLineByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil, words, errors.New(words.Text("outbox.no-line", "id", strconv.FormatInt(id, 10)))
		} else if err != nil {
			return nil, words, fmt.Errorf("reading the outbox: %w", err)
		}
		lines = append(lines, l)
	}
	for before := int64(0); allFailed; {
		some, err := s.Outbox(ctx, store.OutboxFilter{State: store.OutboxFailed, Before: before, Limit: pageSize})
		if err != nil {
			return nil, words, fmt.Errorf("reading the outbox: %w", err)
		}
		if lines = append(lines, some...); len(some) < pageSize {
			break
		}
		before = some[len(some)-1].ID
	}
	if len(lines) == 0 {
		_, err = fmt.Fprintln(e.stdout, words.Text("outbox.none-failed"))
	}
	return lines, words, err
}

// numbers reads the numbers of lines, as 17 or #17.
func numbers(args []string) ([]int64, error) {
	var ids []int64
	for _, arg := range args {
		id, err := strconv.ParseInt(strings.TrimPrefix(arg, "#"), 10, 64)
		if err != nil || id <= 0 {
			return nil, wrong("number", "text", arg)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
