package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/fetch"
	"helpdesk/mail/send"
	"helpdesk/store"
	"helpdesk/ui"
)

// errNotArrived is the cause of a round trip whose mail did not come back.
var errNotArrived = errors.New("the mail did not arrive in the mailbox")

// arrivalLimit is how long the mail of a round trip is waited for.
const arrivalLimit = 2 * time.Minute

// roundTrip sends a mail from the desk to itself, waits for it in the mailbox
// and removes it there. The mailbox is opened before, so that a mailbox that
// cannot be reached gets no mail that nobody removes.
func (t *trial) roundTrip(ctx context.Context) error {
	box, err := t.openBox(ctx)
	if err != nil {
		return err
	}
	defer func() { box.close() }()
	session, err := t.openRelay(ctx, ui.SectionRelay)
	if err != nil {
		return err
	}
	defer session.Close()
	o, err := desk.ProbeMail(t.desk(t.conf), t.signer, t.now())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := session.Send(ctx, o); err != nil {
		return err
	}
	sent := time.Since(began)
	t.done(ctx, RelayPart(t.conf), nil)
	t.section(ui.SectionRoundTrip, MailboxPart(t.conf), "")
	var uid uint32
	arrived, err := t.stage(ui.StageArrived, func(*ui.TestStage) error {
		uid, err = box.await(ctx, o)
		return err
	})
	if err != nil {
		return err
	}
	t.done(ctx, MailboxPart(t.conf), nil)
	words := ui.WordsIn(t.config.Language)
	times := []string{"relay", words.Took(sent), "mailbox", words.Took(sent + arrived)}
	_, err = t.stage(ui.StageRemoved, func(*ui.TestStage) error { return box.remove(ctx, uid) })
	var refused *mail.Error
	switch {
	case err == nil:
		t.note("trip-works", true, times...)
	case ctx.Err() == nil && errors.As(err, &refused):
		t.note("trip-left", true, append(times, "subject", o.Subject)...)
	default:
		return err
	}
	t.sendPlus(ctx, session)
	return nil
}

// plusLimit is how long a relay may take over the mail of sendPlus.
const plusLimit = 20 * time.Second

// sendPlus sends a mail to the desk's address with a word behind a +, once in a
// while and until one arrives. Nobody waits for it: the collector knows it. That
// it is refused, or comes back, says that the server takes no such mail.
func (t *trial) sendPlus(ctx context.Context, session *send.Session) {
	s := t.desk(t.conf)
	if t.plus == nil || t.observing() || s.ReplyTo.Address != "" {
		return
	}
	o, err := desk.PlusMail(s, t.signer, t.now())
	if err != nil || o == nil || !t.plus(ctx, s.ID) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, plusLimit)
	defer cancel()
	t.tell = func(ui.TestEvent) {} // the test is over, and went well
	_ = session.Send(ctx, o)       // it works without
}

// plusAgain is how long after a mail of sendPlus the next one follows.
const plusAgain = 30 * 24 * time.Hour

// plusDue reports whether it is time for a mail of sendPlus, and notes that it is sent.
func (d *daemon) plusDue(ctx context.Context, deskID int64) bool {
	tried := "plus-tried:" + strconv.FormatInt(deskID, 10)
	due := false
	if err := d.store.Write(ctx, func(tx *store.Tx) error {
		if works, err := plusWorks(ctx, tx.View, deskID); err != nil || works {
			return err
		}
		text, _, err := tx.Meta(ctx, tried)
		if err != nil {
			return err
		}
		last, err := strconv.ParseInt(text, 10, 64)
		if due = err != nil || d.Now().Sub(time.Unix(last, 0)) >= plusAgain; !due {
			return nil
		}
		return tx.SetMeta(tried, strconv.FormatInt(d.Now().Unix(), 10))
	}); err != nil {
		d.Logger.Error("reading whether mail with a + arrives", "desk", deskID, "error", err)
		return false
	}
	return due
}

// plusWorks reports whether a mail of sendPlus arrived.
func plusWorks(ctx context.Context, v *store.View, deskID int64) (bool, error) {
	_, works, err := v.Meta(ctx, desk.PlusKey(deskID))
	return works, err
}

// probeBox is the mailbox in which the mail of a round trip is looked for.
type probeBox struct {
	set     fetch.Settings
	session fetch.Session
	from    uint32 // mail with a lower UID was there before
	looks   []time.Duration

	patience time.Duration // how long the mail is waited for
}

func (t *trial) openBox(ctx context.Context) (*probeBox, error) {
	m := &t.conf.Mailbox
	t.section(ui.SectionMailbox, MailboxPart(t.conf), m.Addr())
	set, err := t.mailbox(m)
	if err != nil {
		return nil, err
	}
	b := &probeBox{set: set, looks: imapLooks(), patience: t.patience}
	if m.Protocol == config.POP3 {
		b.looks = pop3Looks()
		b.set.Numbers = numbersInMemory()
	}
	told, opening := t.trace(), true // the looks for the mail are no stages
	b.set.ReadOnly = t.observing()   // then nobody removes the mail, and the test says so
	b.set.Trace = &connect.Trace{
		Begin: func(step string) {
			if opening {
				told.Begin(step)
			}
		},
		End: func(s connect.Stage) {
			if opening {
				told.End(s)
			}
		},
	}
	b.session, err = fetch.Open(ctx, b.set)
	opening = false
	if err != nil {
		return nil, err
	}
	if b.from, err = b.next(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// numbersInMemory numbers the mails of a POP3 maildrop for as long as a round
// trip lasts; those of the store are the collector's.
func numbersInMemory() func(context.Context, []fetch.UniqueID, bool) (fetch.Numbering, error) {
	known := make(map[string]uint32)
	return func(_ context.Context, mails []fetch.UniqueID, _ bool) (fetch.Numbering, error) {
		n := fetch.Numbering{UIDValidity: 1}
		for _, m := range mails {
			if known[m.ID] == 0 {
				known[m.ID] = uint32(len(known) + 1)
			}
			n.UIDs = append(n.UIDs, known[m.ID])
		}
		n.Next = uint32(len(known) + 1)
		return n, nil
	}
}

// imapLooks are the pauses between looks into an open folder; a server with
// IDLE ends them by itself.
func imapLooks() []time.Duration {
	looks := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}
	for range 24 {
		looks = append(looks, 5*time.Second)
	}
	return looks
}

// pop3Looks are few: each is a log-in, and providers count them.
func pop3Looks() []time.Duration {
	return []time.Duration{5 * time.Second, 25 * time.Second, 90 * time.Second}
}

// next is the number above all mail that lies there now.
func (b *probeBox) next(ctx context.Context) (uint32, error) {
	if next := b.session.State().UIDNext; next > 0 {
		return next, nil
	}
	listed, err := b.session.List(ctx, 1)
	if err != nil || len(listed) == 0 {
		return 1, err
	}
	return listed[len(listed)-1].UID + 1, nil
}

// await looks for a mail until it is there. The error of one that does not
// come is a *mail.Error of ui.StageArrived.
func (b *probeBox) await(ctx context.Context, o *mail.Outgoing) (uint32, error) {
	limited, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	for _, pause := range b.looks {
		uid, err := b.find(limited, o)
		if err != nil && limited.Err() == nil {
			return 0, err
		}
		if uid != 0 {
			return uid, nil
		}
		if limited.Err() != nil {
			break
		}
		if err := b.pause(limited, pause); err != nil && limited.Err() == nil {
			return 0, err
		}
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if uid, err := b.find(ctx, o); err != nil || uid != 0 { // a last time, at the end of the last pause
		return uid, err
	}
	return 0, b.set.Error(ui.StageArrived, errNotArrived)
}

// pause waits for news, and opens the mailbox again when its connection was lost.
func (b *probeBox) pause(ctx context.Context, d time.Duration) error {
	if err := b.session.Wait(ctx, d); err == nil || !b.session.Broken() {
		return err
	}
	return b.reopen(ctx)
}

// reopen opens the mailbox again after its connection was lost.
func (b *probeBox) reopen(ctx context.Context) (err error) {
	b.close()
	b.session, err = fetch.Open(ctx, b.set)
	return err
}

// find looks through what came since the mailbox was opened. The Message-ID
// tells the mail or, where a relay replaced that (Amazon SES), sender and
// subject: a report that it was not delivered quotes the subject (Exchange), and
// is by somebody else.
func (b *probeBox) find(ctx context.Context, o *mail.Outgoing) (found uint32, err error) {
	if b.session == nil || b.session.Broken() {
		if err := b.reopen(ctx); err != nil {
			return 0, err
		}
	}
	listed, err := b.session.List(ctx, b.from)
	if err != nil || len(listed) == 0 {
		return 0, err
	}
	uids := make([]uint32, len(listed))
	for i, l := range listed {
		uids[i] = l.UID
	}
	words := strings.Fields(o.Subject)
	err = b.session.Headers(ctx, uids, func(uid uint32, _ int64, header []byte) error {
		m, err := mail.Parse(bytes.NewReader(header))
		if err != nil {
			return fmt.Errorf("reading the header of a mail: %w", err)
		}
		if m.MessageID == o.MessageID || m.From.Key() == o.From.Key() && strings.Contains(m.Subject, words[len(words)-1]) {
			found = uid
		}
		return nil
	})
	return found, err
}

// remove deletes the mail.
func (b *probeBox) remove(ctx context.Context, uid uint32) error {
	return b.session.Acknowledge(ctx, fetch.Action{Kind: fetch.ActionDelete}, []uint32{uid})
}

func (b *probeBox) close() {
	if b.session != nil {
		_ = b.session.Close() // all that matters was answered before
		b.session = nil
	}
}
