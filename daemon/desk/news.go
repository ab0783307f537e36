package desk

import (
	"context"

	"helpdesk/mail"
	"helpdesk/store"
)

// Events of mails to the administrator beside alarms and the week in figures.
const (
	EventFuse       = "fuse"       // more mail than max_per_minute wants to go out
	EventQuarantine = "quarantine" // mails that could not be taken
)

// ToAdmin reports whether the mail of an event goes to the administrator. Such
// mail is never held back for its address, and when it comes back nothing
// follows: the page says so, and the next one is tried all the same.
func ToAdmin(event string) bool {
	switch event {
	case EventAlarm, EventWeekly, EventFuse, EventQuarantine:
		return true
	}
	return false
}

// News is what the administrator is told that is no failure, in the words of the page.
type News struct {
	Language string // "en" or "ja"
	Link     string // of the page

	Relay, Limit, Waiting, Since string // EventFuse

	Mails []NewsMail // EventQuarantine
	More  string     // how many others there are; "" for none
}

// NewsMail is a mail that could not be taken.
type NewsMail struct {
	ID                             int64 // of its line in the ledger
	Desk, From, Subject, Seen, Why string
}

// Count is how many mails are listed.
func (n News) Count() int { return len(n.Mails) }

// First is the first ledger line that is listed, 0 for none.
func (n News) First() int64 {
	if len(n.Mails) == 0 {
		return 0
	}
	return n.Mails[0].ID
}

// news writes the mail of EventFuse or EventQuarantine.
func (r *Renderer) news(ctx context.Context, s *Settings, line store.OutboxLine) (*mail.Outgoing, error) {
	words, err := r.News(ctx, line)
	if err != nil {
		return nil, err
	}
	return r.toAdmin(s, line, words.Language, words)
}
