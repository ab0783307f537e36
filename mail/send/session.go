// Package send hands mails to a relay by SMTP (RFC 5321, submission RFC 6409):
// one connection for many mails, one recipient in each transaction.
//
// The conversation is our own and not go-mail's Client, whose error for a mail
// says neither which command was refused nor, when the connection breaks after
// the relay has accepted, that it has. go-mail composes the mail (package mail)
// and provides the login mechanisms.
package send

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

const (
	// maxFarewell bounds what is only politeness or a question whether the
	// connection still works.
	maxFarewell = 5 * time.Second
	// finalWait is how many times longer than for other commands the answer to
	// the end of the data is awaited: the relay may scan the mail first, and
	// giving up early delivers it twice (RFC 5321 section 4.5.3.2.6, 10 minutes).
	finalWait = 5
)

// Settings say which relay to use and as whom.
type Settings struct {
	connect.Settings
	connect.Login        // not used with Anonymous
	Anonymous     bool   // no login
	Helo          string // how we introduce ourselves; "": our address as a literal
}

// Session is a connection to a relay, ready to send. One goroutine uses it.
type Session struct {
	conn     *connect.Conn
	settings Settings
	offers   map[string]string // extensions of the last EHLO, upper case, and their parameters
	used     bool              // a mail was sent or refused on it
	signedIn string            // how, as mail.Error.Auth; "" before or without that
	dead     bool
}

// Open connects to the relay, introduces itself, begins TLS and logs in. Its
// errors are *mail.Error.
func Open(ctx context.Context, settings Settings) (*Session, error) {
	settings.Protocol = "smtp"
	settings.Settings = settings.WithDefaults()
	conn, err := connect.Dial(ctx, settings.Settings)
	if err != nil {
		return nil, err
	}
	s := &Session{conn: conn, settings: settings}
	defer s.bind(ctx)()
	if err := s.begin(ctx); err != nil {
		s.hangUp()
		return nil, err
	}
	return s, nil
}

func (s *Session) begin(ctx context.Context) error {
	if err := s.stage(ctx, mail.StepGreeting, func() error { return s.greeting(ctx) }); err != nil {
		return err
	}
	if err := s.hello(ctx); err != nil {
		return err
	}
	if s.settings.Security == connect.StartTLS {
		if err := s.startTLS(ctx); err != nil {
			return err
		}
	}
	if s.settings.Anonymous {
		return nil
	}
	return s.login(ctx)
}

// stage makes one step of the conversation a stage of the trace. Where ctx has
// ended, that is the cause of its error.
func (s *Session) stage(ctx context.Context, step string, do func() error) error {
	s.conn.Begin(step)
	err := cancelled(ctx, do())
	s.conn.End(err)
	return err
}

func (s *Session) greeting(ctx context.Context) error {
	s.conn.SetIdle(s.settings.GreetingTimeout())
	defer s.conn.SetIdle(s.settings.IdleTimeout)
	greeting, err := s.readReply(mail.StepGreeting)
	if e := (*mail.Error)(nil); errors.As(err, &e) {
		return s.settings.Error(mail.StepGreeting, s.conn.Silent(ctx, e.Err))
	}
	if greeting.code/100 != 2 {
		return s.refused(mail.StepGreeting, greeting)
	}
	return nil
}

// hello introduces us and keeps what the server offers.
func (s *Session) hello(ctx context.Context) error {
	s.conn.Begin(mail.StepEHLO)
	err := cancelled(ctx, s.introduce())
	offers := make([]string, 0, len(s.offers))
	for name, parameters := range s.offers {
		offers = append(offers, strings.TrimSpace(name+" "+parameters))
	}
	slices.Sort(offers)
	s.conn.End(err, connect.Fact{Name: "offers", Value: strings.Join(offers, ", ")})
	return err
}

// introduce sends EHLO, to an old server HELO.
func (s *Session) introduce() error {
	s.offers = make(map[string]string)
	answer, err := s.command(mail.StepEHLO, "EHLO "+s.name())
	if err != nil {
		return err
	}
	unknown := answer.code == 500 || answer.code == 502 // other refusals are meant for us
	if unknown && s.settings.Anonymous && s.settings.Security != connect.StartTLS {
		if answer, err = s.command(mail.StepEHLO, "HELO "+s.name()); err != nil {
			return err
		}
	}
	if answer.code/100 != 2 {
		return s.refused(mail.StepEHLO, answer)
	}
	for _, line := range answer.lines[1:] {
		name, parameters, _ := strings.Cut(line, " ")
		if before, after, found := strings.Cut(name, "="); found { // "AUTH=LOGIN", of servers older than RFC 2554
			name, parameters = before, strings.TrimSpace(after+" "+parameters)
		}
		name = strings.ToUpper(name)
		s.offers[name] = strings.TrimSpace(s.offers[name] + " " + parameters)
	}
	return nil
}

// name is what EHLO says. The address literal reveals no host name and is what
// mail programs send (RFC 5321 section 4.1.3).
func (s *Session) name() string {
	if s.settings.Helo != "" {
		return s.settings.Helo
	}
	host, _, err := net.SplitHostPort(s.conn.LocalAddr().String())
	if err != nil {
		return "localhost"
	}
	if host, _, _ = strings.Cut(host, "%"); strings.Contains(host, ":") {
		host = "IPv6:" + host
	}
	return "[" + host + "]"
}

// startTLS begins TLS. What the server said before counts no longer (RFC 3207
// section 4.2).
func (s *Session) startTLS(ctx context.Context) error {
	err := s.stage(ctx, mail.StepStartTLS, func() error {
		if _, offered := s.offers["STARTTLS"]; !offered {
			return s.impossible(mail.StepStartTLS, "", mail.ErrNoStartTLS)
		}
		answer, err := s.command(mail.StepStartTLS, "STARTTLS")
		if err == nil && answer.code != 220 {
			return s.refused(mail.StepStartTLS, answer)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := s.conn.StartTLS(ctx); err != nil {
		return cancelled(ctx, err)
	}
	return s.hello(ctx)
}

// MaxSize is the largest mail in bytes that the relay says it takes (RFC 1870);
// 0 when it does not say.
func (s *Session) MaxSize() int64 {
	size, err := strconv.ParseInt(s.offers["SIZE"], 10, 64)
	if err != nil || size < 0 {
		return 0
	}
	return size
}

// Alive reports whether another mail can be sent. It asks the relay, once a
// mail was sent, because relays hang up on idle clients without a word; it
// takes 5 seconds at most, and ends with ctx.
func (s *Session) Alive(ctx context.Context) bool {
	if s.dead || !s.used {
		return !s.dead
	}
	defer s.bind(ctx)()
	s.conn.SetIdle(s.farewell())
	defer s.conn.SetIdle(s.settings.IdleTimeout)
	answer, err := s.command(mail.StepEHLO, "NOOP")
	if err != nil || answer.code/100 != 2 {
		s.hangUp()
	}
	return !s.dead
}

// Close says goodbye, if the relay still listens, and ends the connection.
func (s *Session) Close() error {
	if s.dead {
		return nil
	}
	s.conn.SetIdle(s.farewell())
	_, _ = s.command(mail.StepEHLO, "QUIT") // everything that matters was answered before
	s.dead = true
	return s.conn.Close()
}

// Abort ends the connection without a word, for a program that must stop now.
func (s *Session) Abort() {
	if !s.dead {
		s.hangUp()
	}
}

func (s *Session) farewell() time.Duration { return min(maxFarewell, s.settings.IdleTimeout) }

// hangUp ends a connection that is of no more use.
func (s *Session) hangUp() {
	s.dead = true
	_ = s.conn.Close() // the reason for hanging up is the error that counts
}

// bind makes the end of ctx end whatever waits on the connection, until the
// function that it returns is called.
func (s *Session) bind(ctx context.Context) (release func()) {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	return func() { stop() }
}

// cancelled says that the context was the cause, where it was.
func cancelled(ctx context.Context, err error) error {
	var e *mail.Error
	if ctx.Err() != nil && errors.As(err, &e) && e.Code == "" {
		e.Err, e.Temporary = context.Cause(ctx), true
	}
	return err
}
