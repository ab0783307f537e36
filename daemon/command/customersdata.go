package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/store"
	"helpdesk/ui"
)

// personData is the JSON of `helpdesk customers export`: all that is kept of
// one person.
type personData struct {
	Address    string         `json:"address"`
	Addresses  []customerJSON `json:"addresses"` // all of the person's, that one first
	ExportedAt time.Time      `json:"exported_at"`
	Requests   []*shown       `json:"requests"` // theirs, with the conversations
	Elsewhere  []elsewhere    `json:"messages_in_other_requests"`
	Copies     []string       `json:"copies"`  // keys of the requests of others in which they take part
	Blocked    []string       `json:"blocked"` // keys of the desks that called their mail spam
	Ledger     []store.Entry  `json:"ledger"`  // their mails
	Sent       []sentMail     `json:"sent"`    // mails to them
}

// elsewhere is a message of a person in a request of somebody else.
type elsewhere struct {
	Request string        `json:"request"`
	Message store.Message `json:"message"`
}

// sentMail is a mail to a person, sent or not.
type sentMail struct {
	ID        int64      `json:"id"`
	Request   string     `json:"request"`
	Event     string     `json:"event"`
	To        string     `json:"to"`
	MessageID string     `json:"message_id"`
	State     string     `json:"state"`
	Created   time.Time  `json:"created"`
	Sent      *time.Time `json:"sent"`
	Error     string     `json:"error"`
}

// pageSize is how many rows are read at once where all are wanted.
const pageSize = 500

// readPerson gathers everything of the person with an address.
func readPerson(ctx context.Context, s *store.Store, words ui.Words, address string) (*personData, error) {
	p := &personData{
		Address: address, ExportedAt: time.Now().UTC().Truncate(time.Second), Addresses: []customerJSON{}, Requests: []*shown{},
		Elsewhere: []elsewhere{}, Copies: []string{}, Blocked: []string{}, Ledger: []store.Entry{}, Sent: []sentMail{},
	}
	keys, err := s.PersonKeys(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("reading the addresses of %s: %w", address, err)
	}
	for _, key := range keys {
		c, err := s.Customer(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			c.Address.Address = key
		} else if err != nil {
			return nil, fmt.Errorf("reading the customer %s: %w", key, err)
		}
		p.Addresses = append(p.Addresses, customerRow(c))
	}
	requests, err := s.RequestsOf(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("reading the requests of %s: %w", address, err)
	}
	for _, r := range requests {
		full, err := completeRequest(ctx, s, r, true)
		if err != nil {
			return nil, err
		}
		p.Requests = append(p.Requests, full)
	}
	for _, key := range keys {
		if err := p.mails(ctx, s, words, key); err != nil {
			return nil, err
		}
	}
	return p, p.others(ctx, s, keys)
}

// mails adds the ledger lines from an address and the outbox lines to it.
func (p *personData) mails(ctx context.Context, s *store.Store, words ui.Words, key string) error {
	for before := int64(0); ; {
		some, err := s.Entries(ctx, store.EntryFilter{From: key, Before: before, Limit: pageSize})
		if err != nil {
			return fmt.Errorf("reading the ledger: %w", err)
		}
		for i := range some {
			some[i].Reason = sentence(words, some[i])
		}
		p.Ledger = append(p.Ledger, some...)
		if len(some) < pageSize {
			break
		}
		before = some[len(some)-1].ID
	}
	for before := int64(0); ; {
		some, err := s.Outbox(ctx, store.OutboxFilter{To: key, Before: before, Limit: pageSize})
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		for _, l := range some {
			p.Sent = append(p.Sent, sentMail{
				ID: l.ID, Request: l.Request, Event: l.Event, To: l.To.Address, MessageID: l.MessageID, State: l.State,
				Created: l.CreatedAt.UTC(), Sent: known(l.SentAt), Error: l.Error,
			})
		}
		if len(some) < pageSize {
			return nil
		}
		before = some[len(some)-1].ID
	}
}

// others adds what is kept of the person in requests of others and by desks.
func (p *personData) others(ctx context.Context, s *store.Store, keys []string) error {
	traces, err := s.TracesOf(ctx, keys)
	if err != nil {
		return err
	}
	p.Copies, p.Blocked = append(p.Copies, traces.Copies...), append(p.Blocked, traces.Blocked...)
	for _, m := range traces.Messages {
		key, err := requestKey(ctx, s, m.RequestID)
		if err != nil {
			return fmt.Errorf("reading request %d: %w", m.RequestID, err)
		}
		p.Elsewhere = append(p.Elsewhere, elsewhere{key, m})
	}
	return nil
}

// nothing reports whether nothing at all is known of the person.
func (p *personData) nothing() bool {
	known := slices.ContainsFunc(p.Addresses, func(c customerJSON) bool {
		return c.First != nil || len(c.Desks) > 0 || c.Name != "" || c.Suspended != ""
	})
	return !known && len(p.Requests)+len(p.Elsewhere)+len(p.Copies)+len(p.Blocked)+len(p.Ledger)+len(p.Sent) == 0
}

func (e *env) customersExportCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "export ADDRESS",
		Short:   "Write all that is kept of one person, as JSON",
		Example: "  helpdesk customers export taro@example.co.jp -o taro.json",
		Args:    wrongUse(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, _, err := e.person(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return e.writeOut(file, func(w io.Writer) error { return printJSON(w, p) })
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "the file to write (default: standard output)")
	return c
}

// person reads all that is kept of one who must be known.
func (e *env) person(ctx context.Context, typed string) (*personData, ui.Words, error) {
	s, place, err := e.openStore(ctx)
	if err != nil {
		return nil, ui.Words{}, err
	}
	defer s.Close()
	words := ui.WordsIn(place.language)
	address, err := typedAddress(typed)
	if err != nil {
		return nil, words, err
	}
	p, err := readPerson(ctx, s, words, address)
	if err == nil && p.nothing() {
		err = errors.New(words.Text("customers.unknown", "address", address))
	}
	return p, words, err
}

func (e *env) customersForgetCommand() *cobra.Command {
	yes := false
	c := &cobra.Command{
		Use:   "forget ADDRESS",
		Short: "Remove a person's data for good",
		Long: "Removes a person's requests, messages, mails and name for good. The ledger keeps its lines\n" +
			"without names and subjects. What is in backups stays there.",
		Example: "  helpdesk customers forget taro@example.co.jp",
		Args:    wrongUse(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, words, err := e.person(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !yes {
				if _, err := fmt.Fprint(e.stdout, forgetText(words, p)); err != nil {
					return err
				}
				sure, err := e.confirmed(cmd.Context(), words, words.Text("customers.forget.sure", "address", p.Address))
				if err != nil {
					return err
				}
				if !sure {
					return &failure{exitFailed, errPrinted}
				}
			}
			return e.act(cmd.Context(), ui.Act{Name: ui.ActForgetCustomer, Address: p.Address})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "without asking")
	return c
}

// forgetText says what is going to go.
func forgetText(words ui.Words, p *personData) string {
	text := words.Text("customers.forget.what") + "\n"
	for _, c := range p.Addresses {
		text += "  " + printable(c.Address) + "\n"
	}
	messages := len(p.Elsewhere)
	for _, r := range p.Requests {
		messages += len(r.Messages)
		text += "  " + printable(r.Key+"  "+r.Subject) + "\n"
	}
	return text + words.Text("customers.forget.counts", "requests", words.Number(int64(len(p.Requests))), "messages", words.Number(int64(messages)),
		"mails", words.Number(int64(len(p.Ledger))), "sent", words.Number(int64(len(p.Sent)))) + "\n" +
		words.Text("customers.forget.stays") + "\n"
}
