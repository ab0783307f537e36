package fetch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// greeting is how the conversation begins, once it is encrypted.
type greeting struct {
	preauth      bool
	capabilities []string
}

// maxPreamble bounds the untagged lines before an answer to us.
const maxPreamble = 50

var (
	errNotIMAP = fmt.Errorf("the server does not greet as an IMAP server: %w", mail.ErrOtherProtocol)
	errTooMuch = errors.New("the server does not come to the point")
	errPreauth = errors.New("the server counts us as logged in before the connection is encrypted")
)

// greet reads the greeting, makes the TLS handshake when it is asked for by
// STARTTLS (RFC 9051 section 6.2.1), and learns the capabilities that hold
// afterwards. It is done here, not by the library, so that the connection is
// the same object above TLS in either case.
func (s *imapSession) greet(ctx context.Context) (greeting, error) {
	s.conn.SetIdle(s.settings.DialTimeout)
	defer s.conn.SetIdle(0)
	var g greeting
	if err := s.stage(mail.StepGreeting, func() (_ []connect.Fact, err error) {
		g, err = s.hearGreeting(ctx)
		return nil, err
	}); err != nil {
		return greeting{}, err
	}
	if s.settings.Security == connect.StartTLS {
		if err := s.stage(mail.StepStartTLS, func() ([]connect.Fact, error) {
			if g.preauth { // it could not be left any more (RFC 9051 section 7.1.4)
				return nil, s.settings.Error(mail.StepStartTLS, errPreauth)
			}
			return nil, s.startTLS(ctx)
		}); err != nil {
			return greeting{}, err
		}
		if err := s.conn.StartTLS(ctx); err != nil {
			return greeting{}, s.explainEarly(ctx, mail.StepTLS, err)
		}
		g.capabilities = nil // those of before count no longer
	}
	err := s.stage(mail.StepCapabilities, func() (_ []connect.Fact, err error) {
		if g.capabilities == nil {
			g.capabilities, err = s.askCapabilities(ctx)
		}
		return []connect.Fact{offers(g.capabilities)}, err
	})
	return g, err
}

// offers is what the stage of the capabilities tells.
func offers(capabilities []string) connect.Fact {
	return connect.Fact{Name: "offers", Value: strings.Join(capabilities, " ")}
}

func (s *imapSession) hearGreeting(ctx context.Context) (greeting, error) {
	s.conn.SetIdle(s.settings.GreetingTimeout())
	defer s.conn.SetIdle(s.settings.DialTimeout)
	line, err := s.hear(ctx, mail.StepGreeting)
	if err != nil {
		return greeting{}, err
	}
	rest, untagged := strings.CutPrefix(line, "* ")
	st, ok := parseStatus(rest)
	if !untagged || !ok {
		e := s.settings.Error(mail.StepGreeting, errNotIMAP)
		e.Text = s.words(line)
		return greeting{}, e
	}
	g := greeting{preauth: st.kind == "PREAUTH"}
	if st.kind != "OK" && !g.preauth {
		return greeting{}, s.refused(mail.StepGreeting, st)
	}
	if st.code == "CAPABILITY" {
		g.capabilities = strings.Fields(st.args)
	}
	return g, nil
}

// startTLS asks for encryption. Whether it is on offer is not
// asked before: someone in between could strike it from the list.
func (s *imapSession) startTLS(ctx context.Context) error {
	st, err := s.ask(ctx, mail.StepStartTLS, "STARTTLS", nil)
	if err != nil {
		return err
	}
	if st.kind != "OK" {
		e := s.refused(mail.StepStartTLS, st)
		e.Err = mail.ErrNoStartTLS
		return e
	}
	return nil
}

// askCapabilities sends CAPABILITY.
func (s *imapSession) askCapabilities(ctx context.Context) ([]string, error) {
	capabilities := []string{}
	st, err := s.ask(ctx, mail.StepCapabilities, "CAPABILITY", func(line string) {
		if kind, rest, _ := strings.Cut(line, " "); strings.EqualFold(kind, "CAPABILITY") {
			capabilities = strings.Fields(rest)
		}
	})
	if err == nil && st.kind != "OK" {
		return nil, s.refused(mail.StepCapabilities, st)
	}
	return capabilities, err
}

// ask sends a command without arguments and reads up to its answer. Untagged
// lines are handed to heard.
func (s *imapSession) ask(ctx context.Context, step, command string, heard func(line string)) (status, error) {
	if _, err := fmt.Fprintf(s.conn, "S1 %s\r\n", command); err != nil {
		return status{}, s.explainEarly(ctx, step, err)
	}
	for range maxPreamble {
		line, err := s.hear(ctx, step)
		if err != nil {
			return status{}, err
		}
		if rest, ok := strings.CutPrefix(line, "* "); ok {
			if st, ok := parseStatus(rest); ok && st.kind == "BYE" {
				return status{}, s.refused(step, st)
			}
			if heard != nil {
				heard(rest)
			}
		} else if rest, ok := strings.CutPrefix(line, "S1 "); ok {
			if st, ok := parseStatus(rest); ok {
				return st, nil
			}
		}
	}
	return status{}, s.settings.Error(step, errTooMuch)
}

// hear reads one line and keeps it among the server's words.
func (s *imapSession) hear(ctx context.Context, step string) (string, error) {
	line, err := s.conn.ReadLine()
	if err != nil {
		if step == mail.StepGreeting {
			err = s.conn.Silent(ctx, err)
		}
		return "", s.explainEarly(ctx, step, err)
	}
	s.conn.Note(line)
	return line, nil
}

// explainEarly is explain for the time before wire is there.
func (s *imapSession) explainEarly(ctx context.Context, step string, err error) error {
	if ctx.Err() != nil {
		return s.settings.Error(step, context.Cause(ctx))
	}
	if known := (*mail.Error)(nil); errors.As(err, &known) {
		return known
	}
	return s.settings.Error(step, err)
}
