package fetch

import (
	"context"
	"strings"

	"github.com/emersion/go-imap/v2"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// loginCommand is the log-in without SASL, as the stage names it.
const loginCommand = "LOGIN command"

// login logs in and introduces us. ID goes out before and after it, wherever
// it is on offer: NetEase refuses SELECT without it, and not every server
// offers it before the login.
func (s *imapSession) login(ctx context.Context, preauth bool) error {
	if !preauth {
		if s.conn.PasswordAllowed() == nil { // else nothing more is said, and signIn tells why
			if err := s.introduce(ctx); err != nil {
				s.conn.Begin(mail.StepCapabilities) // the stage has ended well, and a failure has one
				s.conn.End(err)
				return err
			}
		}
		if err := s.signIn(ctx); err != nil {
			return err
		}
	}
	return s.stage(mail.StepCapabilities, func() ([]connect.Fact, error) {
		if !preauth && !s.wire.heard.knowsCapabilities() {
			if err := s.run(ctx, mail.StepCapabilities, func() error {
				_, err := s.client.Capability().Wait()
				return err
			}); err != nil {
				return nil, err
			}
		}
		return []connect.Fact{offers(s.wire.heard.offered())}, s.introduce(ctx)
	})
}

// signIn is the stage login.
func (s *imapSession) signIn(ctx context.Context) error {
	var mechanisms, own []string
	for _, c := range s.wire.heard.offered() {
		if name, ok := strings.CutPrefix(c, "AUTH="); ok {
			mechanisms = append(mechanisms, name)
		}
	}
	if !s.offers(imap.CapLoginDisabled) {
		own = []string{loginCommand}
	}
	attempt, err := s.settings.Client(ctx, s.conn, mechanisms, own)
	if err != nil {
		return err
	}
	err = attempt.Failed(s.run(ctx, mail.StepLogin, func() error { return s.authenticate(attempt) }))
	s.conn.End(err, attempt.Fact())
	return err
}

// authenticate makes the attempt.
func (s *imapSession) authenticate(attempt *connect.Attempt) error {
	initial := s.offers("SASL-IR")
	s.wire.heard.beginLogin()
	if attempt.Own {
		return s.client.Login(s.settings.Username, s.settings.Password).Wait()
	}
	s.wire.inSASL.Store(true)
	defer s.wire.inSASL.Store(false)
	return s.client.Authenticate(&asked{Attempt: attempt, initial: initial})
}

// asked is an attempt whose first response waits until the server asks for it,
// where the server does not take it with the command (RFC 4959). The client
// would do that, too, but takes the empty question of other mechanisms for the
// same.
type asked struct {
	*connect.Attempt
	initial bool
	first   []byte // still to be sent
}

// Start begins the exchange (sasl.Client).
func (a *asked) Start() (string, []byte, error) {
	name, first, err := a.Attempt.Start()
	if !a.initial {
		a.first, first = first, nil
	}
	return name, first, err
}

// Next answers the server's question (sasl.Client).
func (a *asked) Next(challenge []byte) ([]byte, error) {
	if first := a.first; first != nil {
		a.first = nil
		return first, nil
	}
	return a.Attempt.Next(challenge)
}

// introduce sends ID where it is on offer (RFC 2971). That it is refused is no
// reason not to go on.
func (s *imapSession) introduce(ctx context.Context) error {
	if !s.offers(imap.CapID) {
		return nil
	}
	err := s.run(ctx, mail.StepCapabilities, func() error {
		_, err := s.client.ID(&imap.IDData{Name: s.settings.Name, Version: s.settings.Version}).Wait()
		return err
	})
	if isRefusal(err) {
		return nil
	}
	return err
}
