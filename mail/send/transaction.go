package send

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/textproto"

	"helpdesk/mail"
)

// ErrNoSMTPUTF8 is the cause of a mail that was not sent because its recipient
// or sender has letters before the @ that the relay cannot pass on.
var ErrNoSMTPUTF8 = errors.New("the relay does not take addresses with letters beyond ASCII before the @")

// ErrTooLarge is the cause of a mail that was not sent because it is larger
// than the relay says it takes.
var ErrTooLarge = errors.New("the mail is larger than the relay takes")

// Send hands over one mail to its one recipient. Nil means that the relay has
// accepted it, whatever became of the connection afterwards. Else the error is
// a *mail.Error that names the refused command: mail.StepMailFrom, StepRcptTo
// or StepData. One of StepData without a code may mean that the mail was
// accepted and the answer lost; the next attempt has the same Message-ID.
func (s *Session) Send(ctx context.Context, o *mail.Outgoing) error {
	defer s.bind(ctx)()
	composed, err := mail.Compose(o)
	if err != nil {
		return s.foreseen(s.unwritable(err))
	}
	if err := s.foreseen(s.acceptable(composed)); err != nil {
		return err
	}
	s.used = true
	err = s.envelope(ctx, s.mailFrom(composed), composed.To)
	if err == nil {
		err = s.stage(ctx, mail.StepData, func() error { return s.data(composed) })
	}
	if err != nil {
		s.reset()
	}
	return err
}

// Probe asks the relay whether it would take a mail from one address to the
// other: MAIL FROM and RCPT TO, taken back before a mail is sent. Some relays
// refuse only then, and a yes is no promise.
func (s *Session) Probe(ctx context.Context, from, to string) error {
	defer s.bind(ctx)()
	author := from
	if author == "" { // the null sender, of reports
		author = to
	}
	composed, err := mail.Compose(&mail.Outgoing{MessageID: "probe@invalid", EnvelopeFrom: from, EnvelopeTo: to, From: mail.Address{Address: author}})
	if err != nil {
		err = s.unwritable(err)
	} else {
		err = s.acceptable(composed)
	}
	if s.foreseen(err) != nil {
		return err
	}
	s.used = true
	err = s.envelope(ctx, s.mailFrom(composed), composed.To)
	s.reset()
	return err
}

// foreseen makes a refusal that is known without asking a stage like any other.
func (s *Session) foreseen(err error) error {
	if e := (*mail.Error)(nil); errors.As(err, &e) {
		s.conn.Begin(e.Step)
		s.conn.End(e)
	}
	return err
}

// envelope begins a transaction.
func (s *Session) envelope(ctx context.Context, mailFrom, to string) error {
	for _, command := range []struct{ step, line string }{
		{mail.StepMailFrom, mailFrom},
		{mail.StepRcptTo, "RCPT TO:<" + to + ">"},
	} {
		if err := s.stage(ctx, command.step, func() error {
			answer, err := s.command(command.step, command.line)
			if err == nil && answer.code/100 != 2 {
				return s.refused(command.step, answer)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) mailFrom(c *mail.Composed) string {
	line := "MAIL FROM:<" + c.From + ">"
	if _, offered := s.offers["SIZE"]; offered {
		line += fmt.Sprintf(" SIZE=%d", c.Size())
	}
	if c.SMTPUTF8 {
		line += " BODY=8BITMIME SMTPUTF8"
	}
	return line
}

// data writes the mail and reads the relay's decision. A mail that cannot be
// read to its end is never ended with the dot, which would have it delivered
// as it is: the connection is closed.
func (s *Session) data(c *mail.Composed) error {
	answer, err := s.command(mail.StepData, "DATA")
	if err != nil {
		return err
	}
	if answer.code/100 != 3 {
		return s.refused(mail.StepData, answer)
	}
	buffer := bufio.NewWriterSize(s.conn, 32<<10)
	dots := textproto.NewWriter(buffer).DotWriter()
	if _, err := c.WriteTo(dots); err != nil {
		return s.cutShort(err)
	}
	if err := errors.Join(dots.Close(), buffer.Flush()); err != nil {
		return s.cutShort(err)
	}
	s.conn.SetIdle(finalWait * s.settings.IdleTimeout)
	answer, err = s.readReply(mail.StepData)
	s.conn.SetIdle(s.settings.IdleTimeout)
	if err != nil {
		return err
	}
	if answer.code/100 != 2 {
		return s.refused(mail.StepData, answer)
	}
	return nil
}

// cutShort ends a connection in the middle of a mail. A relay that closed it
// has often said why.
func (s *Session) cutShort(err error) error {
	if s.conn.Failure() != nil {
		s.conn.SetIdle(s.farewell())
		if answer, readErr := s.readReply(mail.StepData); readErr == nil && answer.code >= 400 {
			s.hangUp()
			return s.refused(mail.StepData, answer)
		}
	}
	return s.broken(mail.StepData, err)
}

// reset ends a refused transaction, so that the next can begin. The refusal is
// what the caller learns; a connection that fails here is dead.
func (s *Session) reset() {
	if s.dead {
		return
	}
	if answer, err := s.command(mail.StepMailFrom, "RSET"); err != nil || answer.code/100 != 2 {
		s.hangUp()
	}
}

// acceptable is what we know beforehand from the relay's offers.
func (s *Session) acceptable(c *mail.Composed) error {
	if _, offered := s.offers["SMTPUTF8"]; c.SMTPUTF8 && !offered {
		return s.impossible(mail.StepRcptTo, "5.6.7", ErrNoSMTPUTF8)
	}
	if limit := s.MaxSize(); limit > 0 && c.Size() > limit {
		return s.impossible(mail.StepMailFrom, "5.3.4", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, c.Size(), limit))
	}
	return nil
}

// unwritable is the error of a mail that cannot even be composed, with the
// enhanced status code that a relay would give (RFC 3463).
func (s *Session) unwritable(err error) error {
	var address *mail.AddressError
	switch {
	case !errors.As(err, &address):
		return s.impossible(mail.StepData, "5.6.0", err)
	case address.Field == "EnvelopeTo":
		return s.impossible(mail.StepRcptTo, "5.1.3", err)
	default:
		return s.impossible(mail.StepMailFrom, "5.1.7", err)
	}
}
