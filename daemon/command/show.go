package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

// shown is the JSON of `helpdesk show`. A time that is not known is null.
type shown struct {
	store.Request
	Participants  []mail.Address    `json:"participants"`
	Fields        map[string]string `json:"fields"`
	Messages      []store.Message   `json:"messages"`
	Linked        string            `json:"linked_to"`   // key of the request that it mentions
	Merged        string            `json:"merged_into"` // key of the request that it is part of now
	Spam          bool              `json:"spam"`
	AwaitingSince *time.Time        `json:"awaiting_since"` // the customer waits for an answer since then
	ResolvedAt    *time.Time        `json:"resolved_at"`
	ClosedAt      *time.Time        `json:"closed_at"`
}

func (e *env) showCommand() *cobra.Command {
	full := false
	c := &cobra.Command{
		Use:     "show KEY",
		Short:   "Show one request with its conversation",
		Example: "  helpdesk show SUP-12",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, place, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			words := ui.WordsIn(place.language)
			r, err := readRequest(cmd.Context(), s, words, args[0])
			if err != nil {
				return err
			}
			if e.asJSON {
				return printJSON(e.stdout, r)
			}
			_, err = fmt.Fprint(e.stdout, requestText(words, r, e.agentNames(), full))
			return err
		},
	}
	c.Flags().BoolVar(&full, "full", false, "with all that was quoted")
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

func readRequest(ctx context.Context, s *store.Store, words ui.Words, key string) (*shown, error) {
	r, err := s.RequestByKey(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errors.New(words.Text("cli.no-request", "key", strings.ToUpper(key)))
	} else if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return completeRequest(ctx, s, r, true)
}

// completeRequest reads what belongs to a request.
func completeRequest(ctx context.Context, s *store.Store, r store.Request, messages bool) (*shown, error) {
	out := &shown{
		Request: r, Participants: []mail.Address{}, Fields: map[string]string{}, Messages: []store.Message{}, Spam: r.Spam,
		AwaitingSince: known(r.AwaitingSince), ResolvedAt: known(r.ResolvedAt), ClosedAt: known(r.ClosedAt),
	}
	maps.Copy(out.Fields, r.Fields)
	var err error
	if out.Linked, err = requestKey(ctx, s, r.LinkedTo); err == nil {
		out.Merged, err = requestKey(ctx, s, r.MergedInto)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what %s points to: %w", r.Key, err)
	}
	participants, err := s.Participants(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the participants of %s: %w", r.Key, err)
	}
	for _, p := range participants {
		if p.Role != store.RoleRequester {
			out.Participants = append(out.Participants, p.Address)
		}
	}
	if !messages {
		return out, nil
	}
	list, err := s.Messages(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the messages of %s: %w", r.Key, err)
	}
	out.Messages = append(out.Messages, list...)
	return out, nil
}

// requestKey is the key of a request, "" where it is none or is gone.
func requestKey(ctx context.Context, s *store.Store, id int64) (string, error) {
	if id == 0 {
		return "", nil
	}
	r, err := s.RequestByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return r.Key, err
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// requestText is a request for a person: what is known of it, then the
// conversation.
func requestText(words ui.Words, r *shown, agents map[string]string, full bool) string {
	var b strings.Builder
	subject := r.Subject
	if subject == "" {
		subject = words.Text("requests.no-subject")
	}
	fmt.Fprintf(&b, "%s  %s\n", r.Key, printable(subject))
	var pairs [][2]string
	add := func(label, value string) {
		if value != "" {
			pairs = append(pairs, [2]string{label, printable(value)})
		}
	}
	state := words.RequestState(r.State)
	if r.Spam {
		state += words.Text("list.comma") + words.Text("request.spam")
	}
	add(words.Text("show.state"), state)
	add(words.Text("show.desk"), r.Desk)
	add(words.Text("request.type"), r.Type)
	add(words.Text("request.from"), both(r.Requester))
	copies := make([]string, len(r.Participants))
	for i, p := range r.Participants {
		copies[i] = both(p)
	}
	add(words.Text("request.copies"), strings.Join(copies, words.Text("list.comma")))
	if name := agents[mail.Address{Address: r.Assignee}.Key()]; name != "" {
		add(words.Text("request.assignee"), both(mail.Address{Name: name, Address: r.Assignee}))
	} else {
		add(words.Text("request.assignee"), r.Assignee)
	}
	add(words.Text("request.created"), when(r.Created))
	add(words.Text("show.awaiting"), when(r.Request.AwaitingSince))
	add(words.Text("show.resolved"), when(r.Request.ResolvedAt))
	add(words.Text("show.closed"), when(r.Request.ClosedAt))
	add(words.Text("request.linked"), r.Linked)
	add(words.Text("request.merged"), r.Merged)
	for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
		add(words.Field(name), words.FieldValue(name, r.Fields[name]))
	}
	writePairs(&b, pairs)
	for i := range r.Messages {
		writeMessage(&b, words, &r.Messages[i], full)
	}
	return b.String()
}

// writePairs writes names and values below each other.
func writePairs(b *strings.Builder, pairs [][2]string) {
	wide := 0
	for _, p := range pairs {
		wide = max(wide, columns(p[0]))
	}
	for _, p := range pairs {
		fmt.Fprintf(b, "%s%s  %s\n", p[0], strings.Repeat(" ", wide-columns(p[0])), p[1])
	}
}

func writeMessage(b *strings.Builder, words ui.Words, m *store.Message, full bool) {
	head := []string{words.Text("request." + m.Kind), person(m.From), when(m.At)}
	if m.LedgerID != 0 {
		head = append(head, words.Text("entry.title", "id", strconv.FormatInt(m.LedgerID, 10)))
	}
	fmt.Fprintf(b, "\n--- %s\n", printable(strings.Join(head, words.Text("list.comma"))))
	if m.Reason != "" {
		fmt.Fprintf(b, "(%s)\n", words.Rule(m.Reason))
	}
	text := strings.TrimSpace(m.Reply)
	if text == "" || full {
		text = strings.TrimSpace(m.Text)
	}
	if text == "" {
		text = words.Text("request.empty")
	}
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(strings.TrimRight(printable(line), " ") + "\n")
	}
	for _, a := range m.Attachments {
		fmt.Fprintf(b, "[%s: %s, %s, %s]\n", words.Text("show.attached"), printable(a.Name), printable(a.Type), words.Size(a.Size))
	}
}

// both is name and address.
func both(a mail.Address) string {
	switch {
	case a.Name == "":
		return a.Address
	case a.Address == "":
		return a.Name
	}
	return a.Name + " <" + a.Address + ">"
}
