package send

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// login signs in (RFC 4954): the stage login.
func (s *Session) login(ctx context.Context) error {
	attempt, err := s.settings.Client(ctx, s.conn, strings.Fields(s.offers["AUTH"]), nil)
	if err != nil {
		return err
	}
	err = attempt.Failed(cancelled(ctx, s.authenticate(attempt)))
	s.conn.End(err, attempt.Fact())
	if err == nil {
		s.signedIn = attempt.Auth()
	}
	return err
}

func (s *Session) authenticate(attempt *connect.Attempt) error {
	name, first, err := attempt.Start()
	if err != nil {
		return s.impossible(mail.StepLogin, "", fmt.Errorf("beginning to log in: %w", err))
	}
	line := "AUTH " + name
	if first != nil {
		line += " " + base64.StdEncoding.EncodeToString(first)
	}
	answer, err := s.command(mail.StepLogin, line)
	for err == nil && answer.code == 334 {
		// A challenge that is no base64 is passed on as it is: LOGIN does not look at it.
		challenge, decodeErr := base64.StdEncoding.DecodeString(answer.text())
		if decodeErr != nil {
			challenge = []byte(answer.text())
		}
		response, nextErr := attempt.Next(challenge)
		if nextErr != nil {
			return s.broken(mail.StepLogin, fmt.Errorf("answering the server's question: %w", nextErr))
		}
		answer, err = s.command(mail.StepLogin, base64.StdEncoding.EncodeToString(response))
	}
	if err != nil {
		return err
	}
	if answer.code/100 != 2 {
		return s.refused(mail.StepLogin, answer)
	}
	return nil
}
