package fetch

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-sasl"

	"helpdesk/mail"
)

var errNoMechanism = errors.New("the server offers no way to log in with a password (neither AUTH=PLAIN nor LOGIN)")

// login logs in and introduces us. ID goes out before and after it, wherever
// it is on offer: NetEase refuses SELECT without it, and not every server
// offers it before the login.
func (s *Session) login(ctx context.Context, preauth bool) error {
	if !preauth {
		if err := s.conn.PasswordAllowed(); err != nil {
			return s.settings.Error(mail.StepLogin, err)
		}
		if err := s.introduce(ctx); err != nil {
			return err
		}
		if !s.offers(imap.AuthCap("PLAIN")) && s.offers(imap.CapLoginDisabled) {
			e := s.settings.Error(mail.StepLogin, errNoMechanism)
			e.Temporary = false
			return e
		}
		if err := s.run(ctx, mail.StepLogin, s.authenticate); err != nil {
			return err
		}
		if !s.wire.heard.knowsCapabilities() {
			if err := s.run(ctx, mail.StepCapabilities, func() error {
				_, err := s.client.Capability().Wait()
				return err
			}); err != nil {
				return err
			}
		}
	}
	return s.introduce(ctx)
}

// authenticate sends the password once, in the better way that is on offer.
func (s *Session) authenticate() error {
	plain := s.offers(imap.AuthCap("PLAIN"))
	s.wire.heard.beginLogin()
	if plain {
		return s.client.Authenticate(sasl.NewPlainClient("", s.settings.Username, s.settings.Password))
	}
	return s.client.Login(s.settings.Username, s.settings.Password).Wait()
}

// plainResponse is the password as AUTHENTICATE PLAIN sends it (RFC 4616).
func (s *Session) plainResponse() string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + s.settings.Username + "\x00" + s.settings.Password))
}

// introduce sends ID where it is on offer (RFC 2971). That it is refused is no
// reason not to go on.
func (s *Session) introduce(ctx context.Context) error {
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
