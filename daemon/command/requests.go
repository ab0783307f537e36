package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"helpdesk/mail"
	"helpdesk/store"
)

// hundred is how many rows a list shows unless --limit says otherwise.
const hundred = 100

func (e *env) requestsCommand() *cobra.Command {
	var filter store.RequestFilter
	c := &cobra.Command{
		Use:   "requests",
		Short: "List the requests, newest first",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			list, err := s.Requests(cmd.Context(), filter)
			if err != nil {
				return fmt.Errorf("reading the requests: %w", err)
			}
			if e.asJSON {
				return printJSON(e.stdout, append([]store.Request{}, list...))
			}
			if len(list) == 0 {
				_, err := fmt.Fprintln(e.stdout, "No requests.")
				return err
			}
			rows := [][]string{{"KEY", "STATE", "FROM", "SUBJECT", "UPDATED"}}
			for _, r := range list {
				rows = append(rows, []string{r.Key, r.State, person(r.Requester), r.Subject, when(r.Updated)})
			}
			return table(e.stdout, []int{12, 8, 16, 20, 16}, rows)
		},
	}
	c.Flags().StringVar(&filter.State, "state", "", "only those that are open, waiting or resolved")
	c.Flags().StringVar(&filter.Query, "search", "", "only those with these words in subject, text or people")
	c.Flags().IntVar(&filter.Limit, "limit", hundred, "how many at most")
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

func person(a mail.Address) string {
	if a.Name != "" {
		return a.Name
	}
	return a.Address
}

// shown is the JSON of `helpdesk show`.
type shown struct {
	store.Request
	Participants []mail.Address    `json:"participants"`
	Fields       map[string]string `json:"fields"`
	Messages     []store.Message   `json:"messages"`
}

func (e *env) showCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show KEY",
		Short: "Show one request with its conversation",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, _, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			r, err := readRequest(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			if e.asJSON {
				return printJSON(e.stdout, r)
			}
			return e.printRequest(r)
		},
	}
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

func readRequest(ctx context.Context, s *store.Store, key string) (*shown, error) {
	r, err := s.RequestByKey(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("there is no request %s (helpdesk requests lists them)", strings.ToUpper(key))
	} else if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	out := &shown{Request: r, Participants: []mail.Address{}, Fields: map[string]string{}, Messages: []store.Message{}}
	participants, err := s.Participants(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the participants of %s: %w", key, err)
	}
	for _, p := range participants {
		if p.Role != store.RoleRequester {
			out.Participants = append(out.Participants, p.Address)
		}
	}
	messages, err := s.Messages(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the messages of %s: %w", key, err)
	}
	out.Messages = append(out.Messages, messages...)
	return out, nil
}

func (e *env) printRequest(r *shown) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", r.Key, printable(r.Subject))
	fmt.Fprintf(&b, "from %s <%s>, %s, %d message(s), created %s\n", printable(r.Requester.Name), printable(r.Requester.Address), r.State, len(r.Messages), when(r.Created))
	if r.Assignee != "" {
		fmt.Fprintf(&b, "looked after by %s\n", r.Assignee)
	}
	for _, m := range r.Messages {
		fmt.Fprintf(&b, "\n--- %s, %s, %s (ledger line %s)\n", m.Kind, printable(person(m.From)), when(m.At), strconv.FormatInt(m.LedgerID, 10))
		text := m.Reply
		if strings.TrimSpace(text) == "" {
			text = m.Text
		}
		for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
			b.WriteString(printable(line) + "\n")
		}
		for _, a := range m.Attachments {
			fmt.Fprintf(&b, "[attached: %s, %s, %d bytes]\n", printable(a.Name), a.Type, a.Size)
		}
	}
	_, err := fmt.Fprint(e.stdout, b.String())
	return err
}
