package daemon

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

// culprit says whom a failure to hand over a mail holds up.
type culprit int

const (
	ofMail   culprit = iota // this mail alone
	ofSender                // all mail of the desk: the relay does not let it send
	ofRelay                 // all mail
)

// judgeDelivery says whom a failure holds up, by what it is about.
func judgeDelivery(e *mail.Error, d diagnose.Diagnosis) culprit {
	switch e.Code {
	case "421", "530", "535": // the service closes; it wants another login (RFC 4954 section 6)
		return ofRelay
	case "": // the connection broke: once the text was under way the relay may have the mail
		if e.Step == mail.StepData {
			return ofMail
		}
		return ofRelay
	}
	switch d.Concerns {
	case diagnose.ConcernsRecipient, diagnose.ConcernsMessage:
		return ofMail
	case diagnose.ConcernsSender:
		return ofSender
	case diagnose.ConcernsNetwork: // "try again later", said of one mail
		if e.Step == mail.StepRcptTo || e.Step == mail.StepData {
			return ofMail
		}
	}
	return ofRelay
}

// passes reports whether a refusal may be gone when the same mail is tried
// again: a 5xx is for good only where its cause is (Gmail's 550 5.4.5 and
// cPanel's hourly limit are not).
func passes(e *mail.Error, d diagnose.Diagnosis) bool {
	return e.Temporary || d.Retry != diagnose.RetryNever
}

// accepted is how many mails the relay had accepted at a moment.
type accepted struct{ inAll, ofDesk int }

func (d *deliverer) acceptedSoFar(deskID int64) accepted {
	return accepted{d.accepted[0], d.accepted[deskID]}
}

// taken notes that the relay accepted a mail: it works, and so does the sender.
func (d *deliverer) taken(ctx context.Context, line store.OutboxLine) {
	if d.accepted == nil {
		d.accepted = make(map[int64]int)
	}
	d.accepted[0]++
	d.accepted[line.DeskID]++
	d.deferred = 0
	delete(d.held, line.DeskID)
	if subject := senderOf(line.DeskID); broken(d.health.part(subject).State) {
		d.health.ok(ctx, subject, time.Time{})
	}
	d.answered(ctx, line.ID)
}

// answered notes that the relay gave a real answer about a mail: it works.
func (d *deliverer) answered(ctx context.Context, id int64) {
	d.inRow = 0
	delete(d.broke, id)
	d.works(ctx)
}

// deferredRelay is how many mails in a row a relay may put off before it is the
// relay that does not work, and not the mails.
const deferredRelay = 3

// refused records that the relay did not take a mail. It returns an error where
// that is the relay's fault: all mail waits then, and nothing is counted.
func (d *deliverer) refused(ctx context.Context, line store.OutboxLine, err error) error {
	var e *mail.Error
	if !errors.As(err, &e) {
		e = &mail.Error{Protocol: "smtp", Step: mail.StepData, Temporary: true, Err: err}
	}
	words := diagnose.Explain(e, d.attempts.provider)
	whose := judgeDelivery(e, words)
	if whose == ofMail && words.Concerns == diagnose.ConcernsNetwork && e.Code != "" {
		if d.deferred++; d.deferred > deferredRelay {
			whose = ofRelay
		}
	}
	blamed := false
	if whose == ofMail {
		d.answered(ctx, line.ID)
	} else if blamed, err = d.waits(ctx, line, e, words, whose); err != nil || !blamed {
		return err
	}
	count(&line, e, words, d.now(), blamed)
	d.log.Warn("not sent", "outbox", line.ID, "event", line.Event, "request", line.Request, "state", line.State, "attempts", line.Attempts, "error", e)
	return d.save(context.WithoutCancel(ctx), line)
}

// waits handles a failure that is the relay's or concerns its sender. Nothing
// is counted against the mail, and the others go first for a minute; but when
// the relay took another mail since it failed at this one, this one is to blame.
// A single closed connection is the relay's right while it lay idle: one more
// is tried at once.
func (d *deliverer) waits(ctx context.Context, line store.OutboxLine, e *mail.Error, words diagnose.Diagnosis, whose culprit) (blamed bool, err error) {
	if e.Code == "530" || e.Code == "535" {
		return false, e
	}
	then, before := d.broke[line.ID]
	now := d.acceptedSoFar(line.DeskID)
	if d.broke == nil {
		d.broke = make(map[int64]accepted)
	}
	d.broke[line.ID] = now
	if before && (whose == ofRelay && now.inAll > then.inAll || whose == ofSender && now.ofDesk > then.ofDesk) {
		return true, nil
	}
	if whose == ofRelay {
		if d.inRow++; d.inRow == 1 && e.Code == "" {
			return false, errAgain
		}
	}
	line.NextAt, line.Cause, line.Error = d.now().Add(time.Minute), words.Cause, theirWords(e)
	if err := d.save(ctx, line); err != nil {
		return false, err
	}
	if whose == ofSender {
		d.works(ctx) // the relay does; it does not like our name
		d.hold(ctx, line.DeskID, e)
		return false, nil
	}
	return false, e
}

// hold is the pause of a desk whose sender the relay refuses. Desks that share
// the relay go on.
type hold struct {
	until    time.Time
	attempts backoff
}

// senderOf is the subject of the health table for a desk's sender address.
func senderOf(deskID int64) string { return "sender:" + strconv.FormatInt(deskID, 10) }

func (d *deliverer) hold(ctx context.Context, deskID int64, e *mail.Error) {
	h := d.held[deskID]
	if h == nil {
		if d.held == nil {
			d.held = make(map[int64]*hold)
		}
		h = &hold{attempts: backoff{provider: d.attempts.provider, worked: d.accepted[deskID] > 0}}
		d.held[deskID] = h
	}
	h.until = d.now().Add(h.attempts.next(e))
	d.health.fail(ctx, senderOf(deskID), e, h.until)
}

func (d *deliverer) holds(deskID int64) bool {
	h := d.held[deskID]
	return h != nil && d.now().Before(h.until)
}

// free are the desks whose mail may be tried.
func (d *deliverer) free() []int64 {
	return slices.DeleteFunc(slices.Clone(d.ids), d.holds)
}

// nextFree is when the first of the others may be; zero when all are free.
func (d *deliverer) nextFree() (next time.Time) {
	for id, h := range d.held {
		if d.holds(id) && (next.IsZero() || h.until.Before(next)) {
			next = h.until
		}
	}
	return next
}

// triesAtLeast is how often a mail is tried before it is given up: days without
// a relay, or with this computer switched off, are no tries.
const triesAtLeast = 10

// data reports whether the mail's text was under way: the relay may have it.
func data(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Step == mail.StepData
}

// count counts an attempt at a mail: what does not pass ends it, anything else
// is tried again with growing pauses, or when the server says, for five days.
// A mail that is blamed for what the relay says of itself is not ended by that.
func count(line *store.OutboxLine, e *mail.Error, words diagnose.Diagnosis, now time.Time, blamed bool) {
	line.Attempts++
	if line.FirstAt.IsZero() {
		line.FirstAt = now
	}
	line.Cause, line.Error = words.Cause, theirWords(e)
	switch {
	case !blamed && !passes(e, words):
		line.State = store.OutboxFailed
	case now.Sub(line.FirstAt) >= giveUpAfter && line.Attempts >= triesAtLeast:
		line.State, line.Cause = store.OutboxFailed, "expired"
	default:
		line.NextAt = now.Add(max(retryPause(line.Attempts), diagnose.Pause(e.Text)))
	}
}

// theirWords are the server's codes and words; where it said nothing, what went wrong.
func theirWords(e *mail.Error) string {
	words := e.Text
	if words == "" && e.Err != nil {
		words = e.Err.Error()
	}
	return join(e.Code, e.Enhanced, words)
}
