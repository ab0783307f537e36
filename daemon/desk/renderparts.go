package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"helpdesk/mail"
	"helpdesk/store"
)

// copies lists who gets an agent's answer beside the one who wrote: an agent
// must know who reads along.
func (l *draft) copies(ctx context.Context) (string, error) {
	participants, err := l.Store.Participants(ctx, l.request.ID)
	if err != nil {
		return "", fmt.Errorf("reading participants of %s: %w", l.request.Key, err)
	}
	var list []string
	for _, p := range participants {
		if p.Key() != l.n.Customer.Key() && !l.s.Ours(p.Address) && usable(p.Address) {
			list = append(list, p.Address.Address)
		}
	}
	return strings.Join(list, ", "), nil
}

// addRecipients shows everybody who is in the conversation, so that they see
// who reads along. The mail itself goes to one of them.
func (l *draft) addRecipients(ctx context.Context) error {
	participants, err := l.Store.Participants(ctx, l.request.ID)
	if err != nil {
		return fmt.Errorf("reading participants of %s: %w", l.request.Key, err)
	}
	l.o.To = []mail.Address{l.request.Requester}
	for _, p := range participants {
		if p.Key() != l.request.Requester.Key() {
			l.o.Cc = append(l.o.Cc, p.Address)
		}
	}
	return nil
}

// quote puts the customer's last message before the answer below it.
func (l *draft) quote(ctx context.Context) error {
	id, err := l.Store.CustomerMessageBefore(ctx, l.request.ID, l.message.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("reading the conversation: %w", err)
	}
	m, err := l.Store.Message(ctx, id)
	if err != nil {
		return fmt.Errorf("reading the conversation: %w", err)
	}
	if strings.TrimSpace(m.Reply) == "" {
		return nil
	}
	who := m.From.Name
	if who == "" {
		who = m.From.Address
	}
	at := m.At.Local()
	l.n.QuotedHead = "On " + at.Format("2 Jan 2006") + ", " + who + " wrote:"
	if l.language == "ja" {
		l.n.QuotedHead = at.Format("2006年1月2日") + " " + who + ":"
	}
	l.n.Quoted = "> " + strings.ReplaceAll(strings.TrimSpace(m.Reply), "\n", "\n> ")
	return nil
}

// room is what the text and headers of a mail may take of the relay's limit.
const room = 256 << 10

// addFiles attaches what fits. Base64 with its line ends makes 57 bytes 78.
func (l *draft) addFiles(ctx context.Context) error {
	m := l.message
	if m.LedgerID == 0 {
		return nil
	}
	entry, err := l.Store.Entry(ctx, m.LedgerID)
	if errors.Is(err, store.ErrNotFound) {
		entry.RawState = store.RawNone // its line has expired, and with it the mail
	} else if err != nil {
		return fmt.Errorf("reading ledger line %d: %w", m.LedgerID, err)
	}
	switch entry.RawState {
	case store.RawTruncated:
		l.n.Truncated = size(entry.Size)
		return nil // the parts that we have are cut short
	case store.RawNone:
		return nil
	}
	left := l.maxSize - room
	for _, a := range m.Attachments {
		if encoded := a.Size*78/57 + 1024; l.maxSize > 0 && encoded > left {
			l.n.Omitted = append(l.n.Omitted, a.Name+" ("+size(a.Size)+")")
			l.n.Limit = size(l.maxSize)
			continue
		} else {
			left -= encoded
		}
		l.o.Files = append(l.o.Files, mail.File{
			Name: a.Name, Type: a.Type, Size: a.Size, ContentID: a.ContentID,
			Inline: a.Inline && a.ContentID != "" && strings.HasPrefix(a.Type, "image/"),
			Write: func(w io.Writer) error {
				raw, _, err := l.Store.OpenRaw(ctx, m.LedgerID)
				if err != nil {
					return fmt.Errorf("reading the mail that holds %q: %w", a.Name, err)
				}
				defer raw.Close()
				return mail.CopyPart(w, raw, a.Part)
			},
		})
	}
	return nil
}

// size writes bytes for a person: "12 MB".
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", (n+1<<19)>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d kB", (n+1<<9)>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
