package daemon

import (
	"context"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/mail/fetch"
	"helpdesk/mail/send"
	"helpdesk/ui"
)

// reachMailbox goes from the name of the server to the move that is not made.
func (t *trial) reachMailbox(ctx context.Context) error {
	m := &t.conf.Mailbox
	t.section(ui.SectionMailbox, MailboxPart(t.conf), m.Addr())
	set, err := t.mailbox(m)
	if err != nil {
		return err
	}
	set.Trace, set.ReadOnly = t.trace(), t.observing()
	after := afterwards(m)
	if set.ReadOnly {
		after = fetch.Action{}
	}
	if err := fetch.Probe(ctx, set, after); err != nil {
		return err
	}
	t.note("mailbox-works", true, "after", m.After)
	t.done(ctx, MailboxPart(t.conf), nil)
	return nil
}

// afterwards is what the desk does with a mail that was taken.
func afterwards(m *config.Mailbox) fetch.Action {
	if m.After == config.AfterKeep {
		return fetch.Action{}
	}
	return action(desk.Tell(&desk.Settings{After: m.After, MoveTo: m.MoveTo}, desk.Request, "whole"))
}

// observing reports whether the desk's mailbox is only looked at, also by a test.
func (t *trial) observing() bool { return t.conf.Mode == config.ModeObserve }

// openRelay goes from the name of the server to the log-in.
func (t *trial) openRelay(ctx context.Context, kind string) (*send.Session, error) {
	r := &t.conf.Relay
	t.section(kind, RelayPart(t.conf), r.Addr())
	set, err := t.relay(r)
	if err != nil {
		return nil, err
	}
	set.Trace = t.trace()
	return send.Open(ctx, set)
}

// reachRelay goes on to sender and recipient. No mail is sent: the recipient
// is the desk itself, which every relay that takes its mail knows.
func (t *trial) reachRelay(ctx context.Context) error {
	session, err := t.openRelay(ctx, ui.SectionRelay)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.Probe(ctx, t.conf.Address, t.conf.Address); err != nil {
		return err
	}
	t.note("relay-works", true, "from", t.conf.Address)
	t.done(ctx, RelayPart(t.conf), nil)
	return nil
}

// sendMessage sends a test message to an address that a person typed in.
func (t *trial) sendMessage(ctx context.Context, to string) error {
	session, err := t.openRelay(ctx, ui.SectionMessage)
	if err != nil {
		return err
	}
	defer session.Close()
	o, err := desk.TestMail(t.desk(t.conf), t.signer, to, t.now())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := session.Send(ctx, o); err != nil {
		return err
	}
	t.note("message-sent", true, "to", to, "took", ui.WordsIn(t.config.Language).Took(time.Since(began)))
	t.done(ctx, RelayPart(t.conf), nil)
	return nil
}

// stage tells of a stage of our own while it is gone through.
func (t *trial) stage(step string, do func(*ui.TestStage) error) (time.Duration, error) {
	t.tell(ui.TestEvent{Begin: step})
	began := time.Now()
	s := &ui.TestStage{Step: step}
	err := do(s)
	s.Took, s.Failed = time.Since(began), err != nil
	t.tell(ui.TestEvent{Stage: s})
	return s.Took, err
}
