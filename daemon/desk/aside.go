package desk

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// Old is a mail that lay in the mailbox at the first start.
type Old struct {
	UID    uint32
	Size   int64
	Header []byte // Message-ID, Date, From and Subject
}

// Skip records mails of before the first start: seen, never taken unasked.
// Their size and header hash tell them again when the mailbox is numbered anew.
func (t *Taker) Skip(ctx context.Context, box store.Mailbox, mails []Old) error {
	entries := make([]store.Entry, len(mails))
	positions := make([]store.Position, len(mails))
	for i, old := range mails {
		m, err := mail.Parse(bytes.NewReader(old.Header))
		if err != nil {
			return fmt.Errorf("reading the header of UID %d: %w", old.UID, err)
		}
		entries[i] = store.Entry{
			DeskID: box.DeskID, MailboxID: box.ID, UIDValidity: box.UIDValidity, UID: old.UID, MessageID: m.MessageID,
			From: m.From, Subject: clip(m.Subject, 500), SeenAt: t.Now(), Outcome: Skipped, Rule: RuleFirstStart,
			Size: old.Size, RawState: store.RawNone,
		}
		positions[i] = store.Position{
			MailboxID: box.ID, UIDValidity: box.UIDValidity, UID: old.UID, Size: old.Size, HeaderHash: mail.HeaderHash(old.Header),
		}
	}
	err := t.Store.Write(ctx, func(tx *store.Tx) error {
		for i := range entries {
			entry := entries[i]
			if err := tx.AddEntry(&entry); err != nil {
				return err
			}
			positions[i].LedgerID = entry.ID
			if err := tx.AddPosition(positions[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recording old mail: %w", err)
	}
	return nil
}

// Unfetched is a mail that the server would not give us whole.
type Unfetched struct {
	UID    uint32
	Size   int64
	Offset int64 // the byte at which the connection broke
	Why    string
	Before store.Position // of the last time, when it was set aside before
}

// SetAside records that a mail could not be fetched and when to try again:
// after an hour, then twice as long each time, at most a day.
func (t *Taker) SetAside(ctx context.Context, box store.Mailbox, u Unfetched) error {
	breaks := u.Before.Breaks + 1
	pause := min(time.Hour<<min(breaks-1, 5), 24*time.Hour)
	entry := store.Entry{
		ID: u.Before.LedgerID, DeskID: box.DeskID, MailboxID: box.ID, UIDValidity: box.UIDValidity, UID: u.UID, SeenAt: t.Now(),
		Outcome: Quarantined, Rule: RuleConnection, Size: u.Size, RawState: store.RawNone,
		ReasonArgs: map[string]string{"byte": itoa(u.Offset), "error": clip(u.Why, 500)},
	}
	return t.Store.Write(ctx, func(tx *store.Tx) error {
		write := tx.AddEntry
		if entry.ID != 0 {
			write = tx.UpdateEntry
		}
		if err := write(&entry); err != nil {
			return fmt.Errorf("writing the ledger line: %w", err)
		}
		return tx.AddPosition(store.Position{
			MailboxID: box.ID, UIDValidity: box.UIDValidity, UID: u.UID, LedgerID: entry.ID, Size: u.Size,
			RetryAt: t.Now().Add(pause), Breaks: breaks,
		})
	})
}
