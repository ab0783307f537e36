package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// Taker takes mail into the store.
type Taker struct {
	Store  *store.Store
	Signer *Signer
	Now    func() time.Time
	Spool  string // folder for large mails that are read back from the store; "": the system's
}

// Incoming is a mail that was fetched and read, ready to be taken.
type Incoming struct {
	Raw     *mail.Raw
	Message *mail.Message
	Packed  store.Packed
	Broken  string // what went wrong when it was read; "" for nothing
	Entry   int64  // the ledger line it has already, when a mail set aside is taken again
	Old     bool   // it lay in the mailbox at the first start, and could not be seen then
	Wanted  bool   // a person wants it, whatever it is
	ByRule  bool   // and of what would set it aside only its age is passed over
	Quiet   bool   // nobody is told of it
	Import  bool   // old mail, taken with its own date and quietly

	stored bool // its raw text comes from the store
	lost   bool // it does not lie in the mailbox any more
	old    bool // its line says that it is old mail
}

// ReasonOld is the reason of ledger lines of old mail that was imported, or
// that a person wanted: it does not count as mail that its sender sends now.
const ReasonOld = "old"

// Taken is what became of a mail.
type Taken struct {
	UID     uint32
	Entry   int64 // ledger line
	Outcome string
	Pending string // what the server is to be told
	Queued  bool   // mail waits in the outbox because of it
}

// Prepare reads a mail and packs its raw text, outside of any transaction. An
// error is the machine's (the spool file cannot be read), never the mail's: a
// mail that breaks the parser comes back as Broken.
func (t *Taker) Prepare(raw *mail.Raw) (*Incoming, error) {
	in := &Incoming{Raw: raw}
	var err error
	if in.Packed, err = t.Store.Pack(raw.Open()); err != nil {
		return nil, fmt.Errorf("reading the fetched mail: %w", err)
	}
	if in.Message, err = parse(in, raw); err != nil {
		return nil, fmt.Errorf("reading the fetched mail: %w", err)
	}
	return in, nil
}

// parse is the edge of one message: whatever breaks in it stays with it.
func parse(in *Incoming, raw *mail.Raw) (m *mail.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			in.Broken = fmt.Sprint(p)
			m, err = &mail.Message{}, nil
		}
	}()
	return mail.Parse(raw.Open())
}

// Take decides a batch of mails and commits it in one transaction. When that
// fails by the fault of a mail, the batch is rolled back and its mails are
// taken one at a time; the one that fails again is set aside, with its raw
// text. A fault of the store (disk full, I/O error, locked) takes nothing and
// comes back as the error: the mails are still on the server.
func (t *Taker) Take(ctx context.Context, s *Settings, box store.Mailbox, batch []*Incoming) ([]Taken, error) {
	taken := make([]Taken, 0, len(batch))
	err := t.Store.Write(ctx, func(tx *store.Tx) error {
		taken = taken[:0]
		for _, in := range batch {
			one, err := t.take(ctx, tx, s, box, in)
			if err != nil {
				return err
			}
			taken = append(taken, one)
		}
		return nil
	})
	if err == nil {
		return taken, nil
	}
	if store.Unavailable(err) || ctx.Err() != nil {
		return nil, err // rolled back: nothing was taken
	}
	taken = taken[:0]
	for _, in := range batch {
		one, err := t.takeAlone(ctx, s, box, in)
		if err != nil {
			return taken, err
		}
		taken = append(taken, one)
	}
	return taken, nil
}

// takeAlone takes one mail in a transaction of its own, and sets it aside
// when that fails by its own fault.
func (t *Taker) takeAlone(ctx context.Context, s *Settings, box store.Mailbox, in *Incoming) (one Taken, err error) {
	err = t.Store.Write(ctx, func(tx *store.Tx) (err error) {
		one, err = t.take(ctx, tx, s, box, in)
		return err
	})
	if err == nil || store.Unavailable(err) || ctx.Err() != nil {
		return one, err
	}
	in.Broken = err.Error()
	if err2 := t.Store.Write(ctx, func(tx *store.Tx) (err error) {
		one, err = t.quarantine(tx, s, box, in)
		return err
	}); err2 != nil {
		return one, errors.Join(fmt.Errorf("setting a mail aside: %w", err2), err)
	}
	return one, nil
}

func (t *Taker) take(ctx context.Context, tx *store.Tx, s *Settings, box store.Mailbox, fetched *Incoming) (Taken, error) {
	in := new(Incoming) // the caller's may be taken again after this transaction was rolled back
	*in = *fetched
	if settled, err := settled(ctx, tx, in); err != nil || settled.Entry != 0 {
		return settled, err
	}
	if in.Broken != "" {
		return t.quarantine(tx, s, box, in)
	}
	f, err := t.facts(ctx, tx, s, box, in.Message)
	if err != nil {
		return Taken{}, err
	}
	if err := t.want(ctx, tx, s, box, in, f); err != nil {
		return Taken{}, err
	}
	d := Decide(f)
	if d.Outcome == Skipped {
		return t.place(tx, box, in, store.Entry{ID: f.Skipped, Outcome: Skipped}, "", false) // it has its line
	}
	if in.Old && !f.Wanted && d.Outcome != Duplicate && d.Outcome != Probe {
		return t.skip(tx, s, box, in)
	}
	c, err := t.carry(ctx, tx, s, in, f, &d)
	if err != nil {
		return Taken{}, err
	}
	entry := t.entry(box, in)
	entry.Outcome, entry.Rule, entry.ReasonArgs, entry.Passed, entry.RequestID = d.Outcome, d.Rule, d.Args, d.Passed, c.request.ID
	if in.Import || f.Old {
		entry.Reason = ReasonOld
	}
	held, kept := entry.RawState, false
	if d.Outcome == Duplicate {
		first, err := tx.Entry(ctx, f.Duplicate)
		if errors.Is(err, store.ErrNotFound) { // its explanation has expired
			first.RawState = store.RawNone
		} else if err != nil {
			return Taken{}, fmt.Errorf("reading the line of the first one: %w", err)
		}
		held, entry.RawState = first.RawState, store.RawNone // the first one has the text
		kept = s.After == "delete" && Tell(s, first.Outcome, held) == ""
	}
	if err := t.record(tx, s, in, &entry); err != nil {
		return Taken{}, err
	}
	if err := c.out(ctx, entry.ID); err != nil {
		return Taken{}, err
	}
	pending := Tell(s, entry.Outcome, held) // what may be told to the server depends on what we hold
	if kept {
		pending = "" // an ignored mail that was renamed on the server is still an ignored one
	}
	if pending != "" && d.Outcome == Probe && !f.Plus {
		pending = Later(pending, f.Probe.Add(ProbeLife))
	}
	return t.place(tx, box, in, entry, pending, c.queued)
}

// skip records old mail that was read to find out that it is old, as Skip does
// without reading it.
func (t *Taker) skip(tx *store.Tx, s *Settings, box store.Mailbox, in *Incoming) (Taken, error) {
	entry := t.entry(box, in)
	entry.Outcome, entry.Rule, entry.RawState, entry.Fingerprint = Skipped, RuleFirstStart, store.RawNone, [16]byte{}
	if err := t.record(tx, s, in, &entry); err != nil {
		return Taken{}, err
	}
	return t.place(tx, box, in, entry, "", false)
}

// quarantine keeps a mail that broke us: raw text, position and the reason.
// Its content counts as not taken, so that it can be taken again.
func (t *Taker) quarantine(tx *store.Tx, s *Settings, box store.Mailbox, in *Incoming) (Taken, error) {
	entry := t.entry(box, in)
	entry.Outcome, entry.Rule = Quarantined, RuleBroken
	entry.ReasonArgs = map[string]string{"error": clip(in.Broken, 500)}
	entry.Fingerprint = [16]byte{}
	if err := t.record(tx, s, in, &entry); err != nil {
		return Taken{}, err
	}
	if content := in.Message.Fingerprint; content != [16]byte{} {
		if err := tx.AddFingerprint(s.ID, asideKey(content), entry.ID); err != nil {
			return Taken{}, fmt.Errorf("writing the fingerprint: %w", err)
		}
	}
	return t.place(tx, box, in, entry, Tell(s, entry.Outcome, entry.RawState), false)
}

// entry is the ledger line of a mail, without what was decided.
func (t *Taker) entry(box store.Mailbox, in *Incoming) store.Entry {
	m, raw := in.Message, in.Raw
	state := store.RawWhole
	if raw.Truncated {
		state = store.RawTruncated
	}
	return store.Entry{
		ID: in.Entry, DeskID: box.DeskID, MailboxID: box.ID, UIDValidity: raw.UIDValidity, UID: raw.UID,
		MessageID: m.MessageID, From: m.From, Subject: clip(m.Subject, 500), SeenAt: t.Now(),
		Fingerprint: m.Fingerprint, Size: raw.Size, RawState: state, Problems: m.Problems,
	}
}

// record writes the ledger line, the fingerprint and the raw text.
func (t *Taker) record(tx *store.Tx, s *Settings, in *Incoming, entry *store.Entry) error {
	if entry.ID != 0 {
		if err := tx.UpdateEntry(entry); err != nil {
			return fmt.Errorf("writing the ledger line: %w", err)
		}
	} else if err := tx.AddEntry(entry); err != nil {
		return fmt.Errorf("writing the ledger line: %w", err)
	}
	if entry.Outcome != Duplicate && entry.Outcome != Quarantined && entry.Outcome != Skipped {
		if err := tx.AddFingerprint(s.ID, entry.Fingerprint, entry.ID); err != nil {
			return fmt.Errorf("writing the fingerprint: %w", err)
		}
	}
	if entry.RawState != store.RawNone && !in.stored {
		if err := tx.PutRaw(entry.ID, in.Packed); err != nil {
			return fmt.Errorf("writing the raw mail: %w", err)
		}
	}
	return nil
}

// place writes where the mail lies and what the server is to be told of it.
func (t *Taker) place(tx *store.Tx, box store.Mailbox, in *Incoming, entry store.Entry, pending string, queued bool) (Taken, error) {
	if in.Wanted && in.Entry != 0 {
		if err := tx.Unwant(in.Entry); err != nil {
			return Taken{}, fmt.Errorf("noting that the mail was taken: %w", err)
		}
	}
	if in.lost {
		return Taken{UID: in.Raw.UID, Entry: entry.ID, Outcome: entry.Outcome, Queued: queued}, nil
	}
	p := store.Position{
		MailboxID: box.ID, UIDValidity: in.Raw.UIDValidity, UID: in.Raw.UID, LedgerID: entry.ID,
		Size: in.Raw.Size, HeaderHash: in.Message.HeaderHash, Pending: pending,
	}
	if err := tx.AddPosition(p); err != nil {
		return Taken{}, fmt.Errorf("writing the position: %w", err)
	}
	return Taken{UID: p.UID, Entry: entry.ID, Outcome: entry.Outcome, Pending: p.Pending, Queued: queued}, nil
}

// Tell says what the server is to be told about a mail with an outcome:
// "seen", "delete", "move:FOLDER" or "" for nothing. A mail is deleted only
// when its whole raw text is ours and it was neither ignored nor set aside
// (promise 2); one that was set aside is left as it is where it lies. The mail
// of a round trip is our own and is removed whatever the desk does with others.
func Tell(s *Settings, outcome, rawState string) string {
	switch {
	case outcome == Skipped, outcome == Probe && rawState != store.RawWhole:
		return "" // left alone
	case outcome == Probe:
		return "delete"
	}
	switch s.After {
	case "seen":
		if outcome != Quarantined && outcome != Held {
			return "seen"
		}
	case "delete":
		if setAside(outcome) || rawState != store.RawWhole {
			return ""
		}
		return "delete"
	case "move":
		folder := "Done"
		switch outcome {
		case Quarantined, Held:
			folder = "Attention"
		case Ignored, Blocked, Own, Duplicate:
			folder = "Ignored"
		}
		return "move:" + s.MoveTo + "/" + folder
	}
	return ""
}

// setAside reports whether a mail with an outcome can still be taken.
func setAside(outcome string) bool {
	switch outcome {
	case Ignored, Blocked, Held, Quarantined:
		return true
	}
	return false
}

// ProbeLife is how long the mail of a round trip is left to the test that waits
// for it and removes it. After that nobody does, and the collector removes it.
const ProbeLife = 15 * time.Minute

// Later is an act of which the server is told from a time on, as "delete:1795239600".
func Later(act string, from time.Time) string { return act + ":" + itoa(from.Unix()) }
