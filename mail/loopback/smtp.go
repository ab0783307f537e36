package loopback

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	smtpIdle      = 10 * time.Minute // RFC 5321 section 4.5.3.2 asks for at least 5
	smtpWrite     = time.Minute
	smtpLineLimit = 1 << 20 // broken mailers send a whole mail in one line; other servers take it
)

// smtpServer takes mail for the accounts, with or without login.
func (s *Server) smtpServer(config *tls.Config) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &smtpSession{server: s, conn: c}, nil
	}))
	server.Domain = "localhost"
	server.TLSConfig = config
	server.AllowInsecureAuth = true // it never leaves this machine
	server.EnableSMTPUTF8 = s.options.SMTPUTF8
	server.MaxMessageBytes = s.options.MaxSize
	server.MaxLineLength = smtpLineLimit
	server.ReadTimeout = smtpIdle
	server.WriteTimeout = smtpWrite
	server.ErrorLog = logger{s.options.Log}
	return server
}

// smtpSession is one connection.
type smtpSession struct {
	server   *Server
	conn     *smtp.Conn
	loggedIn bool

	from string
	to   []recipient
}

type recipient struct {
	address string // as written
	inbox   *folder
}

func (c *smtpSession) Reset() { c.from, c.to = "", nil }

func (c *smtpSession) Logout() error { return nil }

func (c *smtpSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (c *smtpSession) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, username, password string) error { return c.login(username, password) }), nil
	case sasl.Login:
		return &loginExchange{login: c.login}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (c *smtpSession) login(username, password string) error {
	if c.server.store.login(username, password) == nil {
		c.server.smtpRefused.Add(1)
		return smtp.ErrAuthFailed
	}
	c.loggedIn = true
	c.server.smtpLogins.Add(1)
	return nil
}

func (c *smtpSession) Mail(from string, _ *smtp.MailOptions) error {
	if c.server.options.RequireLogin && !c.loggedIn {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	c.from = from
	return nil
}

func (c *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if hook := c.server.options.OnRcpt; hook != nil {
		if err := c.obey(hook(c.from, to)); err != nil {
			return err
		}
	}
	account := c.server.store.account(to)
	if account == nil {
		return &smtp.SMTPError{
			Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1},
			Message: fmt.Sprintf("<%s>: Recipient address rejected: User unknown", to),
		}
	}
	c.to = append(c.to, recipient{to, account.folder(inboxName)})
	return nil
}

func (c *smtpSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err // go-smtp's own, with the reply it wants
	}
	var verdict error
	if hook := c.server.options.OnData; hook != nil {
		addresses := make([]string, len(c.to))
		for i, to := range c.to {
			addresses[i] = to.address
		}
		verdict = hook(c.from, addresses, raw)
	}
	if verdict == nil || errors.Is(verdict, ErrDropDelivered) {
		c.deliver(raw)
	}
	return c.obey(verdict)
}

// deliver puts the mail into each recipient's INBOX under the trace fields of a
// final delivery (RFC 5321 section 4.4).
func (c *smtpSession) deliver(raw []byte) {
	now := c.server.options.Now()
	for _, to := range c.to {
		var mail bytes.Buffer
		fmt.Fprintf(&mail, "Return-Path: <%s>\r\nReceived: from %s by localhost with ESMTP\r\n for <%s>; %s\r\n",
			c.from, c.conn.Hostname(), to.address, now.Format(time.RFC1123Z))
		mail.Write(raw)
		to.inbox.append(stored{raw: mail.Bytes(), at: now})
	}
	c.server.accepted.Add(1)
}

// obey cuts the connection when a hook wants that.
func (c *smtpSession) obey(verdict error) error {
	if errors.Is(verdict, ErrDrop) || errors.Is(verdict, ErrDropDelivered) {
		c.conn.Conn().Close() // what go-smtp writes afterwards goes nowhere
	}
	return verdict
}

// loginExchange is the server of the LOGIN mechanism, which go-sasl lacks
// (draft-murchison-sasl-login).
type loginExchange struct {
	login    func(username, password string) error
	username *string
	asked    bool
}

func (l *loginExchange) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil && !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.username == nil:
		username := string(response)
		l.username = &username
		return []byte("Password:"), false, nil
	default:
		return nil, true, l.login(*l.username, string(response))
	}
}

// logger is what the two libraries log to. They tell of clients that hang up,
// among other things: nothing that anyone must know of.
type logger struct{ log *slog.Logger }

func (l logger) Printf(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }
func (l logger) Println(args ...any)               { l.log.Debug(fmt.Sprint(args...)) }
