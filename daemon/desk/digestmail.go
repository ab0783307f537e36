package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"helpdesk/mail"
	"helpdesk/store"
)

// digestItem is one notice within a digest.
type digestItem struct {
	Event        string // "new", "customer-wrote", …
	Key, Subject string
	Customer     string // who wrote, or whom it is about
	Author       string // the agent who answered, or who assigned
	Beginning    string // the first lines of the mail, quoted
	Link         string
	Address      string // that an answer came back from
	Words        string // of the server, why
}

// heldSender is somebody of whom more mail came than is taken.
type heldSender struct {
	Address string `json:"address"`
	Name    string `json:"name"`
	Count   int    `json:"count"`
}

// beginnings is for how many notices a digest shows how their mail begins;
// beyond it there is one line for each.
const beginnings = 100

// digest writes several notices to an agent as one mail. It belongs to no
// request, so nothing that answers it can reach a customer.
func (l *draft) digest(ctx context.Context) error {
	l.o.From.Name = "helpdesk (" + l.s.Name + ")"
	for i, field := range strings.Fields(l.line.Args["lines"]) {
		id, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return fmt.Errorf("reading which notices the digest %d brings: %w", l.line.ID, err)
		}
		item, err := l.item(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // its request was removed since
		} else if err != nil {
			return err
		}
		if i >= beginnings {
			item.Beginning = ""
		}
		l.n.Items = append(l.n.Items, item)
	}
	if held := l.line.Args["held"]; held != "" {
		if err := json.Unmarshal([]byte(held), &l.n.Senders); err != nil {
			return fmt.Errorf("reading whose mail the digest %d says is held: %w", l.line.ID, err)
		}
	}
	return nil
}

// item is what a digest says of one line of the outbox.
func (l *draft) item(ctx context.Context, id int64) (digestItem, error) {
	line, err := l.Store.OutboxLineByID(ctx, id)
	if err != nil {
		return digestItem{}, fmt.Errorf("reading outbox line %d: %w", id, err)
	}
	one, err := l.begin(ctx, l.s, line)
	if err != nil {
		return digestItem{}, err
	}
	if one.message.ID == 0 && line.Event != EventBounced {
		if err := one.forAgent(ctx); err != nil {
			return digestItem{}, err
		}
	}
	item := digestItem{
		Event: line.Event, Key: one.n.Key, Subject: one.n.Subject, Author: one.n.By, Link: one.n.Link,
		Address: line.Args["address"], Words: line.Args["words"],
	}
	who := mail.Address{}
	if one.message.Kind == store.KindCustomer {
		who = one.message.From
	} else if one.message.Kind == store.KindAgent {
		item.Author = label(one.message.From)
	}
	if who.Address == "" {
		who = one.request.Requester
	}
	item.Customer = label(who)
	item.Beginning = beginning(one.message.Reply)
	return item, nil
}

// beginning is the first lines of a text, quoted, for reading over.
func beginning(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, "> "+clip(line, 100))
		}
		if len(lines) == 3 {
			break
		}
	}
	return strings.Join(lines, "\n")
}
