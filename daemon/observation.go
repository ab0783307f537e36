package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail/fetch"
	"helpdesk/store"
	"helpdesk/ui"
)

// Observation is what the program knows of the mail that a desk saw in observe
// mode, and of the question what becomes of it once the desk is live.
type Observation struct {
	MailboxID   int64     `json:"mailbox"`
	UIDValidity uint32    `json:"uidvalidity"`
	From        uint32    `json:"from"`  // the lowest UID that was looked at
	Next        uint32    `json:"next"`  // all below it were
	Mails       int       `json:"mails"` // how many were, and since the desk is live: how many the question is about
	Since       time.Time `json:"since"`

	// Since the desk is live:
	Below  uint32  `json:"below,omitempty"`  // what lies from From up to here is what the question is about
	First  bool    `json:"first,omitempty"`  // it was the mailbox's first start
	Lines  []int64 `json:"lines,omitempty"`  // of the ledger, once all of these mails have theirs
	Choice string  `json:"choice,omitempty"` // a person's answer from before that
}

// What a person can answer, as ui.Act.Choice.
const (
	choiceLeave  = "leave"  // they stay as they are
	choiceTake   = "take"   // they are taken, and agents are told
	choiceImport = "import" // they are taken, and nobody is told
)

// errNotAsked is the answer to an answer without a question.
var errNotAsked = errors.New("nobody is asked about observed mail")

// observing reports whether the desk is not live yet.
func (o *Observation) observing() bool { return o.Below == 0 }

// Asked reports whether a person is to say what becomes of the mails.
func (o *Observation) Asked() bool { return !o.observing() && o.Choice == "" }

// asksAbout reports whether a mail of the mailbox is one of those. Where it was
// numbered anew in the moment between, all of them are.
func (o *Observation) asksAbout(box store.Mailbox, uid uint32) bool {
	return o.UIDValidity != box.UIDValidity || o.From <= uid && uid < o.Below
}

func observationName(deskID int64) string { return "observed:" + strconv.FormatInt(deskID, 10) }

// readObservation returns what a desk observed; nil when it did not, or when
// that is settled.
func readObservation(ctx context.Context, v *store.View, deskID int64) (*Observation, error) {
	text, ok, err := v.Meta(ctx, observationName(deskID))
	if err != nil {
		return nil, fmt.Errorf("reading what was observed: %w", err)
	}
	if !ok || text == "" {
		return nil, nil
	}
	o := new(Observation)
	if err := json.Unmarshal([]byte(text), o); err != nil {
		return nil, fmt.Errorf("reading what was observed: %w", err)
	}
	return o, nil
}

// keepObservation keeps it; nil forgets it.
func keepObservation(tx *store.Tx, deskID int64, o *Observation) error {
	text := []byte{}
	if o != nil {
		var err error
		if text, err = json.Marshal(o); err != nil {
			return fmt.Errorf("keeping what was observed: %w", err)
		}
	}
	return tx.SetMeta(observationName(deskID), string(text))
}

// observedOf is what the status says of what a desk observed; nil when it did
// not, or when that is settled.
func (d *daemon) observedOf(ctx context.Context, r *runningDesk) (*ui.Observed, error) {
	o, err := readObservation(ctx, d.store.View, r.settings.ID)
	if err != nil || o == nil {
		return nil, err
	}
	return &ui.Observed{Mails: o.Mails, Since: o.Since, Asked: o.Asked()}, nil
}

// observeSince begins an Observation, or goes on with that of an earlier run.
func (c *collector) observeSince(ctx context.Context, mailboxID int64, uidvalidity, line uint32) error {
	before, err := readObservation(ctx, c.observer.home.View, c.desk.ID)
	if err != nil {
		return err
	}
	o := Observation{MailboxID: mailboxID, UIDValidity: uidvalidity, From: line, Next: line, Since: c.now()}
	if before != nil && before.MailboxID == mailboxID && before.observing() {
		o.Since = before.Since
		if before.UIDValidity == uidvalidity {
			o.From, o.Next, o.Mails = min(before.From, line), before.Next, before.Mails
		}
	}
	return c.keepSeen(ctx, o)
}

func (c *collector) keepSeen(ctx context.Context, o Observation) error {
	c.observer.seen = o
	if err := c.observer.home.Write(ctx, func(tx *store.Tx) error { return keepObservation(tx, c.desk.ID, &o) }); err != nil {
		return fmt.Errorf("keeping what was observed: %w", err)
	}
	return nil
}

// noteSeen counts the mails that were looked at.
func (c *collector) noteSeen(ctx context.Context, box store.Mailbox, taken []desk.Taken) error {
	o := c.observer.seen
	next := o.Next
	for _, t := range taken {
		if t.UID >= o.Next { // else it was counted before the last start
			o.Mails++
			next = max(next, t.UID+1)
		}
	}
	if next == o.Next {
		return nil
	}
	o.Next = next
	return c.keepSeen(ctx, o)
}

// seen is what was observed of the mailbox that a desk, which is live now, has
// open; nil when nothing was.
func (c *collector) seen(ctx context.Context, box store.Mailbox) (*Observation, error) {
	o, err := readObservation(ctx, c.store.View, c.desk.ID)
	if err != nil || o == nil || o.MailboxID != box.ID {
		return nil, err
	}
	c.unsettled = !o.observing() && o.Lines == nil
	return o, nil
}

// goLive draws the line anew in a mailbox that was live before it was observed:
// what was not decided until now is recorded as old.
func (c *collector) goLive(ctx context.Context, s fetch.Session, box store.Mailbox, seen *Observation) (store.Mailbox, error) {
	line, err := c.line(ctx, s)
	if err != nil {
		return box, err
	}
	box.SkipBelow, box.SkipDone, box.NextUID = line, false, line
	return box, c.drawLine(ctx, s, box, seen)
}

// drawLine keeps a line that was drawn, and that the question is asked. In a
// mailbox that was numbered anew meanwhile it is about the newest mails.
func (c *collector) drawLine(ctx context.Context, s fetch.Session, box store.Mailbox, seen *Observation) error {
	seen.Below = box.SkipBelow
	if seen.UIDValidity != box.UIDValidity {
		listed, err := s.List(ctx, 1)
		if err != nil {
			return err
		}
		if seen.UIDValidity, seen.From = box.UIDValidity, box.SkipBelow; len(listed) > 0 {
			seen.From = min(seen.From, listed[max(0, len(listed)-seen.Mails)].UID)
		}
	}
	if err := c.store.Write(ctx, func(tx *store.Tx) error {
		if err := saveMailbox(ctx, tx, box); err != nil {
			return err
		}
		return keepObservation(tx, c.desk.ID, seen)
	}); err != nil {
		return fmt.Errorf("keeping the mailbox's state: %w", err)
	}
	c.unsettled = true
	c.log.Info("live: what was observed is left alone until somebody says what becomes of it", "mailbox", c.subject, "observed", seen.Mails)
	return nil
}

// settle lists the mails that the question is about, once all of them have a
// line in the ledger. Who answered before has the answer carried out now.
func (c *collector) settle(ctx context.Context, box store.Mailbox) error {
	if !c.unsettled || c.observer != nil {
		return nil
	}
	seen, err := c.seen(ctx, box)
	if err != nil || seen == nil {
		return err
	}
	positions, err := c.store.Positions(ctx, box.ID, box.UIDValidity, 1)
	if err != nil {
		return fmt.Errorf("reading positions: %w", err)
	}
	err = c.store.Write(ctx, func(tx *store.Tx) error {
		o, err := readObservation(ctx, tx.View, c.desk.ID)
		if err != nil || o == nil {
			return err
		}
		o.Lines = []int64{}
		for _, p := range positions {
			if !o.asksAbout(box, p.UID) {
				continue
			}
			skipped, err := isSkipped(ctx, tx.View, p.LedgerID)
			if err != nil {
				return err
			}
			if skipped {
				o.Lines = append(o.Lines, p.LedgerID)
			}
		}
		if o.Mails = len(o.Lines); o.Mails == 0 {
			return keepObservation(tx, c.desk.ID, nil)
		}
		if o.Choice != "" {
			_, err := choose(ctx, tx, c.desk.ID, o, o.Choice)
			return err
		}
		return keepObservation(tx, c.desk.ID, o)
	})
	if err != nil {
		return fmt.Errorf("listing what was observed: %w", err)
	}
	c.unsettled = false
	return nil
}

// answerObserved carries out what a person says becomes of the mails that a
// desk saw in observe mode. It returns how many there are; errNotAsked when
// there is no such question. The desk's collector is to be woken afterwards.
func answerObserved(ctx context.Context, s *store.Store, deskID int64, choice string) (n int, err error) {
	err = s.Write(ctx, func(tx *store.Tx) error {
		o, err := readObservation(ctx, tx.View, deskID)
		if err != nil {
			return err
		}
		if o == nil || !o.Asked() {
			return errNotAsked
		}
		if o.Lines == nil { // they are still being recorded
			o.Choice, n = choice, o.Mails
			return keepObservation(tx, deskID, o)
		}
		n, err = choose(ctx, tx, deskID, o, choice)
		return err
	})
	if err != nil && !errors.Is(err, errNotAsked) {
		err = fmt.Errorf("carrying out what becomes of observed mail: %w", err)
	}
	return n, err
}

// choose carries an answer out and forgets the question.
func choose(ctx context.Context, tx *store.Tx, deskID int64, o *Observation, choice string) (n int, err error) {
	switch choice {
	case choiceLeave:
		n = len(o.Lines)
	case choiceTake:
		n, err = wantSkipped(ctx, tx, o.Lines, false)
	case choiceImport:
		if n, err = wantSkipped(ctx, tx, o.Lines, true); err == nil {
			err = moreToImport(ctx, tx, o.MailboxID, n)
		}
	default:
		err = fmt.Errorf("%q is no answer", choice)
	}
	if err != nil {
		return n, err
	}
	return n, keepObservation(tx, deskID, nil)
}

// moreToImport notes that more is to be imported, beside an import that may be under way.
func moreToImport(ctx context.Context, tx *store.Tx, mailboxID int64, n int) error {
	box, err := tx.MailboxByID(ctx, mailboxID)
	if err != nil {
		return err
	}
	if box.ImportDone == box.ImportTotal {
		box.ImportTotal, box.ImportDone = 0, 0
	}
	box.ImportTotal += n
	return tx.SaveMailbox(box)
}
