package fetch

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// popCaps are the capabilities of CAPA (RFC 2449): by name, upper case, with
// their arguments. nil: the server does not tell.
type popCaps map[string]string

func (c popCaps) has(name string) bool { _, ok := c[name]; return ok }

// loginDelay is LOGIN-DELAY: the least time between two logins.
func (c popCaps) loginDelay() time.Duration {
	first, _, _ := strings.Cut(c["LOGIN-DELAY"], " ")
	seconds, err := strconv.ParseUint(first, 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxLoginDelay)
}

// maxLoginDelay bounds what a server can ask for.
const maxLoginDelay = 6 * time.Hour

// timestamp is what APOP is computed from (RFC 1939 section 7).
var timestamp = regexp.MustCompile(`<[^<> ]+@[^<> ]+>`)

// greet reads the greeting.
func (s *popSession) greet(ctx context.Context) error {
	return s.stage(ctx, mail.StepGreeting, func() ([]connect.Fact, error) {
		line, r, err := s.wire.status()
		s.note(line)
		switch {
		case errors.Is(err, errNotPOP3):
			e := s.settings.Error(mail.StepGreeting, err)
			e.Text = s.words(line)
			return nil, e
		case err != nil:
			if named := s.conn.Silent(ctx, err); errors.Is(named, mail.ErrTLSExpected) {
				err = s.settings.Error(mail.StepGreeting, named)
			}
			return nil, err
		case !r.ok:
			return nil, s.refused(mail.StepGreeting, r)
		}
		s.stamp = timestamp.FindString(r.text)
		// Gmail lists a few hundred mails at a time, the oldest first.
		s.partial = strings.HasPrefix(r.text, "Gpop ")
		return nil, nil
	})
}

// startTLS begins encryption (RFC 2595 section 4). What was received before it
// and not read is thrown away, as connect.Conn.StartTLS does with its own.
func (s *popSession) startTLS(ctx context.Context) error {
	err := s.stage(ctx, mail.StepStartTLS, func() ([]connect.Fact, error) {
		r, err := s.command("STLS")
		if err != nil || r.ok {
			return nil, err
		}
		e := s.refused(mail.StepStartTLS, r)
		e.Err = mail.ErrNoStartTLS
		return nil, e
	})
	if err != nil {
		return err
	}
	if err := s.conn.StartTLS(ctx); err != nil {
		return s.explain(ctx, mail.StepTLS, err)
	}
	s.wire = newPOPWire(s.conn)
	return nil
}

// askCapabilities sends CAPA. A server that does not know it is old, not ill.
func (s *popSession) askCapabilities(ctx context.Context) error {
	return s.stage(ctx, mail.StepCapabilities, func() ([]connect.Fact, error) {
		caps := popCaps{}
		var lines []string
		_, err := s.multi(mail.StepCapabilities, "CAPA", func(line string) {
			name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
			if name = strings.ToUpper(name); isAtom(name) && len(caps) < 100 {
				caps[name] = strings.TrimSpace(args)
				lines = append(lines, strings.TrimSpace(name+" "+args))
			}
		})
		if isRefusal(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		s.caps = caps
		s.loginDelay = max(s.loginDelay, caps.loginDelay())
		return []connect.Fact{{Name: "offers", Value: s.words(strings.Join(lines, ", "))}}, nil
	})
}

var errLineBreak = errors.New("the user name or the password has a line break in it, which no POP3 server takes")

// Ways to log in that are POP3's own.
const (
	userPass = "USER/PASS"
	apop     = "APOP"
)

// login logs in: by SASL (RFC 5034) where the server offers a mechanism for
// it, else by USER and PASS. APOP, which sends an MD5 digest that a listener
// can try passwords against, is taken only where it protects from more than it
// costs: on a connection without encryption, in the place of the password itself.
func (s *popSession) login(ctx context.Context) error {
	mechanisms := strings.Fields(s.caps["SASL"])
	var own []string
	if s.caps.has("USER") || len(mechanisms) == 0 {
		own = []string{userPass}
	}
	if auth := strings.ToLower(s.settings.Auth); s.stamp != "" && !s.conn.Encrypted() && (auth == "" || auth == "auto") {
		own = []string{apop}
		mechanisms = slices.DeleteFunc(mechanisms, func(name string) bool {
			return strings.EqualFold(name, "PLAIN") || strings.EqualFold(name, "LOGIN")
		})
	}
	attempt, err := s.settings.Login.Client(ctx, s.conn, mechanisms, own)
	if err != nil {
		return s.explain(ctx, mail.StepLogin, err)
	}
	switch {
	case !attempt.Own:
		err = s.authenticate(attempt)
	case strings.ContainsAny(s.settings.Username+s.settings.Password, "\r\n\x00"):
		e := s.settings.Error(mail.StepLogin, errLineBreak) // what comes behind it would be a command
		e.Temporary = false
		err = e
	case attempt.Mechanism == apop:
		digest := fmt.Sprintf("%x", md5.Sum([]byte(s.stamp+s.settings.Password)))
		s.conn.Secret(digest)
		_, err = s.must(mail.StepLogin, "APOP "+s.settings.Username+" "+digest)
	default:
		if _, err = s.must(mail.StepLogin, "USER "+s.settings.Username); err == nil {
			_, err = s.must(mail.StepLogin, "PASS "+s.settings.Password)
		}
	}
	if err = s.explain(ctx, mail.StepLogin, err); err != nil && !errors.As(err, new(*mail.Error)) {
		err = s.settings.Error(mail.StepLogin, err) // the server asks what the mechanism does not know
	}
	err = attempt.Failed(err)
	s.conn.End(err, attempt.Fact())
	if err == nil {
		s.loggedIn = time.Now()
	}
	return err
}

// maxAuthLine is the longest AUTH line with an initial response, with its line
// end (RFC 5034 section 4); access tokens are longer and are sent when asked for.
const maxAuthLine = 255

// authenticate has the exchange of a SASL mechanism.
func (s *popSession) authenticate(a *connect.Attempt) error {
	name, first, err := a.Start()
	if err != nil {
		return err
	}
	line := "AUTH " + name
	unsent := first != nil
	if initial := encodeResponse(first); unsent && len(line)+len(initial)+3 <= maxAuthLine {
		line, unsent = line+" "+initial, false
	}
	for range maxPreamble {
		if err := s.send(line); err != nil {
			return err
		}
		raw, err := s.wire.line()
		if err != nil {
			return err
		}
		s.note(raw)
		if r, ok := parsePOP(raw); ok {
			if !r.ok {
				return s.refused(mail.StepLogin, r)
			}
			return nil
		}
		text, isChallenge := strings.CutPrefix(raw, "+")
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if !isChallenge {
			return errNotPOP3
		}
		response := first
		switch {
		case unsent: // whatever the server says here, it waits for the first response
			unsent = false
		case err != nil:
			return s.giveUp(err)
		default:
			if response, err = a.Next(challenge); err != nil {
				return s.giveUp(err)
			}
		}
		line = base64.StdEncoding.EncodeToString(response)
	}
	return errTooMuch
}

// encodeResponse is an initial response; an empty one is "=" (RFC 5034 section 4).
func encodeResponse(b []byte) string {
	if len(b) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(b)
}

// giveUp cancels the exchange and returns why.
func (s *popSession) giveUp(why error) error {
	if _, err := s.command("*"); err != nil {
		return errors.Join(why, err)
	}
	return why
}

// popMayPass reports whether a refusal may be gone when the same is tried
// again (RFC 2449 section 8.1, RFC 3206). At the login only the codes that say
// so are taken as such: each further attempt brings the account nearer to a lock.
func popMayPass(step string, r popReply) bool {
	switch r.code {
	case "SYS/TEMP", "IN-USE", "LOGIN-DELAY":
		return true
	case "AUTH", "SYS/PERM":
		return false
	}
	return step != mail.StepLogin && step != mail.StepStartTLS
}
