package send

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"helpdesk/mail"
)

const (
	maxReplyLines = 200  // EHLO of large providers has about 15
	maxReplyText  = 2048 // bytes kept of what the server says
)

var (
	errNotSMTP   = fmt.Errorf("the server's answer is not SMTP: %w", mail.ErrOtherProtocol)
	errTooLong   = fmt.Errorf("the server's answer has more than %d lines", maxReplyLines)
	errInjection = errors.New("a command must be one line")
)

// reply is one answer of the server (RFC 5321 section 4.2).
type reply struct {
	code     int
	enhanced string   // of the first line that has one (RFC 2034)
	lines    []string // without code and enhanced status code; at least one
}

func (r reply) text() string {
	text := strings.TrimSpace(strings.Join(r.lines, " "))
	if len(text) > maxReplyText {
		text = strings.ToValidUTF8(text[:maxReplyText], "")
	}
	return text
}

// command sends one line and reads the answer. The error is for a connection
// that is broken; a refusal is an answer.
func (s *Session) command(step, line string) (reply, error) {
	if strings.ContainsAny(line, "\r\n") {
		return reply{}, s.impossible(step, "", errInjection)
	}
	if _, err := s.conn.Write([]byte(line + "\r\n")); err != nil {
		return reply{}, s.broken(step, err)
	}
	return s.readReply(step)
}

func (s *Session) readReply(step string) (reply, error) {
	var r reply
	for range maxReplyLines {
		line, err := s.conn.ReadLine()
		if err != nil {
			return reply{}, s.broken(step, err)
		}
		code, text, last, ok := parseLine(line)
		if !ok {
			return reply{}, s.broken(step, fmt.Errorf("%w: %q", errNotSMTP, legible(line[:min(len(line), 200)])))
		}
		enhanced, text := cutEnhanced(text, code)
		if r.enhanced == "" {
			r.enhanced = enhanced
		}
		r.code = code
		r.lines = append(r.lines, legible(text))
		if last {
			if code == 421 { // it closes the connection now (RFC 5321 section 3.8)
				s.hangUp()
			}
			return r, nil
		}
	}
	return reply{}, s.broken(step, errTooLong)
}

func parseLine(line string) (code int, text string, last, ok bool) {
	if len(line) < 3 {
		return 0, "", false, false
	}
	code, err := strconv.Atoi(line[:3])
	if err != nil || code < 200 || code > 599 {
		return 0, "", false, false
	}
	switch {
	case len(line) == 3:
		return code, "", true, true
	case line[3] == ' ' || line[3] == '-':
		return code, line[4:], line[3] == ' ', true
	}
	return 0, "", false, false
}

// cutEnhanced takes the enhanced status code off a line, if it is one of this
// reply's class: the first number of "2.5.0" must be that of 250.
func cutEnhanced(text string, code int) (enhanced, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(strings.TrimRight(word, ":"), ".")
	if len(parts) != 3 || parts[0] != strconv.Itoa(code/100) {
		return "", text
	}
	for _, part := range parts {
		if n, err := strconv.Atoi(part); err != nil || n < 0 || n > 999 || len(part) > 3 {
			return "", text
		}
	}
	return strings.Join(parts, "."), rest
}

// legible makes a server's bytes text. SMTP is ASCII or UTF-8; Chinese
// providers answer in GBK.
func legible(s string) string {
	if !utf8.ValidString(s) {
		decoded, err := simplifiedchinese.GB18030.NewDecoder().String(s)
		if err != nil || strings.ContainsRune(decoded, utf8.RuneError) {
			decoded = strings.ToValidUTF8(s, "?")
		}
		s = decoded
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// refused is the error of an answer that says no. Only 5xx is for ever.
func (s *Session) refused(step string, r reply) *mail.Error {
	return &mail.Error{
		Protocol: "smtp", Server: s.settings.Server(), Step: step, Auth: s.signedIn,
		Code: strconv.Itoa(r.code), Enhanced: r.enhanced, Text: s.conn.Scrub(r.text()), Temporary: r.code/100 != 5,
	}
}

// broken is the error of a connection that failed; nothing more goes over it.
func (s *Session) broken(step string, err error) *mail.Error {
	s.hangUp()
	return s.conn.Error(step, err)
}

// impossible is the error of something that we do not even ask, because the
// answer is known and stays the same.
func (s *Session) impossible(step, enhanced string, err error) *mail.Error {
	return &mail.Error{Protocol: "smtp", Server: s.settings.Server(), Step: step, Enhanced: enhanced, Err: err}
}
