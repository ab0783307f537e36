package desk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"helpdesk/mail"
	"helpdesk/store"
)

// ErrGone is the error for a mail whose text is not here, and that its server
// does not list any more.
var ErrGone = errors.New("the mail is not in the mailbox any more")

// TakeAgain takes a mail of the ledger that was skipped, ignored, held,
// blocked or quarantined: a person wants it. Its line is updated in place. One
// that was taken since stays as it is, with its outcome. Where its text is not
// here any more, or never was, fetch is true: the line is marked as wanted, and
// the collector fetches the mail at its next look; ErrGone when it cannot.
// quiet: nobody is told of it.
func (t *Taker) TakeAgain(ctx context.Context, s *Settings, box store.Mailbox, entryID int64, quiet bool) (taken Taken, fetch bool, err error) {
	entry, err := t.Store.Entry(ctx, entryID)
	if err != nil {
		return Taken{}, false, fmt.Errorf("reading ledger line %d: %w", entryID, err)
	}
	taken = Taken{UID: entry.UID, Entry: entry.ID, Outcome: entry.Outcome}
	if entry.Outcome != Skipped && !setAside(entry.Outcome) {
		return taken, false, nil
	}
	if entry.DeskID != s.ID || entry.MailboxID != box.ID {
		return taken, false, fmt.Errorf("ledger line %d is of another mailbox", entryID)
	}
	if entry.RawState == store.RawNone {
		err := t.Store.Write(ctx, func(tx *store.Tx) error {
			if _, err := tx.PositionOf(ctx, entryID); errors.Is(err, store.ErrNotFound) {
				return ErrGone
			} else if err != nil {
				return fmt.Errorf("looking up where it lies: %w", err)
			}
			return tx.Want(entryID, store.Wish{Quiet: quiet})
		})
		return taken, err == nil, err
	}
	taken, err = t.takeStored(ctx, s, box, entry, quiet)
	return taken, false, err
}

// takeStored takes a mail whose text is in the store.
func (t *Taker) takeStored(ctx context.Context, s *Settings, box store.Mailbox, entry store.Entry, quiet bool) (Taken, error) {
	in, err := t.stored(ctx, entry)
	if err != nil {
		return Taken{}, err
	}
	defer in.Raw.Close()
	in.Wanted, in.Quiet = true, quiet
	in.Import = quiet && entry.Reason == ReasonOld
	all, err := t.Take(ctx, s, box, []*Incoming{in})
	if err != nil {
		return Taken{}, fmt.Errorf("taking ledger line %d: %w", entry.ID, err)
	}
	return all[0], nil
}

// Release takes the mail that was held because its senders were unknown, and
// whom the desk knows by now, of these addresses (keys; none: of all), oldest
// first. It returns how many mails were taken. One that cannot be read keeps none
// of the others.
func (t *Taker) Release(ctx context.Context, s *Settings, keys []string) (n int, err error) {
	of := make(map[string]bool) // senders who are known
	var unread error
	for after := int64(0); ; {
		held, err := t.Store.HeldFrom(ctx, s.ID, RuleUnknown, keys, after, 100)
		if err != nil {
			return n, fmt.Errorf("reading held mail: %w", err)
		}
		if len(held) == 0 {
			return n, unread
		}
		for _, entry := range held {
			after = entry.ID
			key := entry.From.Key()
			if _, asked := of[key]; !asked {
				if of[key], err = t.knownNow(ctx, s, entry.From); err != nil {
					return n, err
				}
			}
			if !of[key] {
				continue
			}
			box, err := t.Store.MailboxByID(ctx, entry.MailboxID)
			if err != nil {
				return n, fmt.Errorf("reading mailbox %d: %w", entry.MailboxID, err)
			}
			// Of old mail that was imported nobody is told, then or ever.
			taken, _, err := t.TakeAgain(ctx, s, box, entry.ID, entry.Reason == ReasonOld)
			if errors.Is(err, ErrGone) {
				continue // it stays held, and says so when somebody takes it
			} else if store.Unavailable(err) || ctx.Err() != nil {
				return n, err
			} else if err != nil {
				unread = errors.Join(unread, err)
				continue
			}
			if taken.Outcome != Held {
				n++
			}
		}
	}
}

// knownNow reports whether somebody may ask at a desk, as it is set up now.
func (t *Taker) knownNow(ctx context.Context, s *Settings, a mail.Address) (bool, error) {
	f := &Facts{Desk: s, Sender: a}
	if known(f) || !usable(a) {
		return known(f), nil
	}
	yes, err := t.Store.KnownAt(ctx, s.ID, a.Key())
	if err != nil {
		return false, fmt.Errorf("looking up the customer %s: %w", a.Address, err)
	}
	return yes, nil
}

// stored reads a mail of the ledger back from the store, ready to be taken.
// Its Raw must be closed.
func (t *Taker) stored(ctx context.Context, entry store.Entry) (*Incoming, error) {
	text, length, err := t.Store.OpenRaw(ctx, entry.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the mail of ledger line %d: %w", entry.ID, err)
	}
	defer text.Close()
	raw := &mail.Raw{
		UIDValidity: entry.UIDValidity, UID: entry.UID, Size: entry.Size, Length: length,
		Truncated: entry.RawState == store.RawTruncated, Close: func() {},
	}
	if err := t.spool(raw, text); err != nil {
		return nil, fmt.Errorf("reading the mail of ledger line %d: %w", entry.ID, err)
	}
	in := &Incoming{Raw: raw, Entry: entry.ID, stored: true}
	if in.Message, err = parse(in, raw); err != nil {
		raw.Close()
		return nil, fmt.Errorf("reading the mail of ledger line %d: %w", entry.ID, err)
	}
	switch p, err := t.Store.PositionOf(ctx, entry.ID); {
	case errors.Is(err, store.ErrNotFound):
		in.lost = true
	case err != nil:
		raw.Close()
		return nil, fmt.Errorf("looking up where the mail of ledger line %d lies: %w", entry.ID, err)
	default:
		raw.UIDValidity, raw.UID, raw.Size = p.UIDValidity, p.UID, p.Size
		moved, err := t.moved(ctx, t.Store.View, entry.ID, p.MailboxID, p.UIDValidity)
		if err != nil {
			raw.Close()
			return nil, err
		}
		in.lost = moved // there is nothing to tell about its old place
	}
	return in, nil
}

// inMemory is the largest mail that is read back into memory, in bytes.
const inMemory = 1 << 20

// spool makes the content of raw from text: in memory, or in a file where it is large.
func (t *Taker) spool(raw *mail.Raw, text io.Reader) error {
	if raw.Length <= inMemory {
		b, err := io.ReadAll(text)
		raw.Content = bytes.NewReader(b)
		return err
	}
	file, err := os.CreateTemp(t.Spool, "again-*.eml")
	if err != nil {
		return fmt.Errorf("making a spool file: %w", err)
	}
	raw.Content, raw.Close = file, func() {
		_ = file.Close() // only read from
		_ = os.Remove(file.Name())
	}
	if _, err := io.Copy(file, text); err != nil {
		raw.Close()
		return fmt.Errorf("writing a spool file: %w", err)
	}
	return nil
}

// settled returns what became of a wanted mail that was taken meanwhile.
func settled(ctx context.Context, tx *store.Tx, in *Incoming) (Taken, error) {
	if !in.Wanted || in.Entry == 0 {
		return Taken{}, nil
	}
	entry, err := tx.Entry(ctx, in.Entry)
	if errors.Is(err, store.ErrNotFound) { // its line has expired: it gets a new one
		in.Entry = 0
		return Taken{}, nil
	} else if err != nil {
		return Taken{}, fmt.Errorf("reading ledger line %d: %w", in.Entry, err)
	}
	if entry.Outcome == Skipped || setAside(entry.Outcome) {
		in.old = entry.Outcome == Skipped || entry.Reason == ReasonOld
		return Taken{}, nil
	}
	return Taken{UID: in.Raw.UID, Entry: entry.ID, Outcome: entry.Outcome}, tx.Unwant(entry.ID)
}

// want finds out whether a person wants the mail, and which line of the ledger
// it has already: its own content is no duplicate of it.
func (t *Taker) want(ctx context.Context, tx *store.Tx, s *Settings, box store.Mailbox, in *Incoming, f *Facts) error {
	f.Wanted, f.ByRule, f.Quiet = in.Wanted, in.ByRule, in.Quiet || in.Import
	if f.Skipped != 0 && !f.Wanted {
		wish, wanted, err := tx.WantedEntry(ctx, f.Skipped)
		if err != nil {
			return fmt.Errorf("looking up whether old mail is wanted: %w", err)
		}
		if wanted { // it came back with another number before it was fetched
			f.Wanted, f.ByRule, f.Quiet = true, wish.ByRule, wish.Quiet
			in.Wanted, in.Entry = true, f.Skipped
		}
	}
	if f.Wanted && in.Entry == 0 {
		in.Entry = f.Skipped
	}
	if !f.Wanted {
		line, err := t.draggedBack(ctx, tx, s, box, in, f)
		if err != nil {
			return err
		}
		if line != 0 {
			f.Wanted, in.Entry = true, line
		}
	}
	if f.Duplicate == in.Entry {
		f.Duplicate = 0
	}
	if f.Skipped != 0 && f.Skipped == in.Entry {
		f.Skipped, f.Old = 0, true
	}
	if in.Import {
		f.OverRate = false
		for i := range f.Refs {
			f.Refs[i].Closed = false // it was open when the mail was written
		}
	}
	return nil
}

// draggedBack returns the ledger line of a mail that a person moved back into
// the mailbox from the folder that we had moved it to, 0 for any other mail. A
// second delivery of the same content is another one: it came another way.
func (t *Taker) draggedBack(ctx context.Context, tx *store.Tx, s *Settings, box store.Mailbox, in *Incoming, f *Facts) (int64, error) {
	if s.After != "move" || in.Entry != 0 {
		return 0, nil
	}
	line := f.Duplicate
	if line == 0 {
		var err error
		if line, _, err = tx.EntryByFingerprint(ctx, s.ID, asideKey(in.Message.Fingerprint)); err != nil {
			return 0, fmt.Errorf("looking up quarantined mail: %w", err)
		}
	}
	if line == 0 {
		return 0, nil
	}
	entry, err := tx.Entry(ctx, line)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("reading ledger line %d: %w", line, err)
	}
	if !setAside(entry.Outcome) {
		return 0, nil
	}
	moved, err := t.moved(ctx, tx.View, line, box.ID, in.Raw.UIDValidity)
	if err != nil || !moved {
		return 0, err
	}
	same, err := sameCopy(ctx, tx.View, entry, in.Raw)
	if err != nil || !same {
		return 0, err
	}
	p, err := tx.PositionOf(ctx, line)
	if errors.Is(err, store.ErrNotFound) {
		return line, nil
	} else if err != nil {
		return 0, fmt.Errorf("looking up where it lay: %w", err)
	}
	if p.UIDValidity == in.Raw.UIDValidity && p.UID != in.Raw.UID {
		err = tx.ForgetPositions(p.MailboxID, p.UIDValidity, []uint32{p.UID}) // the server has another number for it now
	}
	return line, err
}

// moved reports whether the server confirmed that it moved a mail out of a
// mailbox, whose numbers are still the same.
func (t *Taker) moved(ctx context.Context, v *store.View, line, mailboxID int64, uidvalidity uint32) (bool, error) {
	m, err := v.MoveOf(ctx, line)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("looking up whether ledger line %d was moved: %w", line, err)
	}
	return m.MailboxID == mailboxID && m.UIDValidity == uidvalidity, nil
}

// asideKey is the fingerprint under which the content of a quarantined mail is
// kept: it counts as not taken, but is known when it comes back.
func asideKey(content [16]byte) (key [16]byte) {
	sum := sha256.Sum256(append([]byte("set aside "), content[:]...))
	copy(key[:], sum[:])
	return key
}

// maxHeader is how much of two mails is compared, in bytes: the lines that
// tell by which way and when each came stand at the top.
const maxHeader = 32 << 10

// sameCopy reports whether a mail is the very one that we have, not another
// delivery of it. Where its text has expired there is nothing to compare.
func sameCopy(ctx context.Context, v *store.View, entry store.Entry, raw *mail.Raw) (bool, error) {
	if entry.RawState == store.RawNone {
		return true, nil
	}
	text, _, err := v.OpenRaw(ctx, entry.ID)
	if err != nil {
		return false, fmt.Errorf("comparing a mail with ledger line %d: %w", entry.ID, err)
	}
	defer text.Close()
	ours, err := io.ReadAll(io.LimitReader(text, maxHeader))
	if err != nil {
		return false, fmt.Errorf("comparing a mail with ledger line %d: %w", entry.ID, err)
	}
	theirs, err := io.ReadAll(io.LimitReader(raw.Open(), maxHeader))
	if err != nil {
		return false, fmt.Errorf("comparing a mail with ledger line %d: %w", entry.ID, err)
	}
	return bytes.Equal(head(ours), head(theirs)), nil
}

// head is what stands before the first empty line.
func head(b []byte) []byte {
	if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
		return b[:i]
	}
	return b
}
