package send

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"helpdesk/mail"
)

// login authenticates (RFC 4954), unless that would show the password to the
// network.
func (s *Session) login() error {
	if s.settings.Username == "" {
		return s.impossible(mail.StepLogin, "", ErrNoUsername)
	}
	if err := s.conn.PasswordAllowed(); err != nil {
		return s.conn.Error(mail.StepLogin, err)
	}
	mechanism, err := s.mechanism()
	if err != nil {
		return s.impossible(mail.StepLogin, "", err)
	}
	name, first, err := mechanism.Start(&smtp.ServerInfo{Name: s.settings.Host, TLS: s.conn.Encrypted()})
	if err != nil {
		return s.impossible(mail.StepLogin, "", fmt.Errorf("beginning to log in: %w", err))
	}
	line := "AUTH " + name
	if first != nil {
		line += " " + base64.StdEncoding.EncodeToString(first)
	}
	answer, err := s.command(mail.StepLogin, line)
	for err == nil && answer.code == 334 {
		// A challenge that is no base64 is passed on as it is: PLAIN and LOGIN do not look at it.
		challenge, decodeErr := base64.StdEncoding.DecodeString(answer.text())
		if decodeErr != nil {
			challenge = []byte(answer.text())
		}
		response, nextErr := mechanism.Next(challenge, true)
		if nextErr != nil {
			return s.broken(mail.StepLogin, fmt.Errorf("answering the server's question: %w", nextErr))
		}
		answer, err = s.command(mail.StepLogin, base64.StdEncoding.EncodeToString(response))
	}
	if err != nil {
		return err
	}
	if answer.code/100 != 2 {
		refusal := s.refused(mail.StepLogin, answer)
		refusal.Text = s.withoutSecrets(refusal.Text)
		return refusal
	}
	return nil
}

// mechanism is the one that is configured, or the best that is offered. The
// question whether the connection is safe was decided before.
func (s *Session) mechanism() (smtp.Auth, error) {
	offered := strings.Fields(strings.ToUpper(s.offers["AUTH"]))
	if len(offered) == 0 {
		return nil, ErrNoLogin
	}
	for _, name := range []string{"PLAIN", "LOGIN"} {
		wanted := s.settings.Auth == "" || s.settings.Auth == "auto" || strings.EqualFold(s.settings.Auth, name)
		if !wanted || !slices.Contains(offered, name) {
			continue
		}
		username, password, host := s.settings.Username, s.settings.Password, s.settings.Host
		if name == "PLAIN" {
			return smtp.PlainAuth("", username, password, host, true), nil
		}
		return smtp.LoginAuth(username, password, host, true), nil
	}
	return nil, fmt.Errorf("%w; it offers %s", ErrMechanism, strings.Join(offered, ", "))
}

// withoutSecrets takes the password out of what a server says, should it have
// repeated our lines.
func (s *Session) withoutSecrets(text string) string {
	if s.settings.Password == "" {
		return text
	}
	encode := base64.StdEncoding.EncodeToString
	plain := "\x00" + s.settings.Username + "\x00" + s.settings.Password
	return strings.NewReplacer(
		encode([]byte(plain)), "***",
		encode([]byte(s.settings.Password)), "***",
		s.settings.Password, "***",
	).Replace(text)
}
