// Package loopback runs real IMAP and SMTP servers inside the process, on
// loopback addresses only. `helpdesk demo` lives on them, and the tests of the
// other packages speak to them instead of to mocks. Mail that SMTP accepts is
// put into the INBOX of its recipient, where IMAP serves it; everything is kept
// in memory and gone after Close.
//
// The protocols are spoken by go-imap's imapserver and by go-smtp. The mailboxes
// are our own and not imapmemserver's: that one answers BODY[] of a mail with a
// broken header with nothing, announces a moved mail as "* 0 EXPUNGE", and does
// not wake an IDLE for mail that came just before it.
package loopback

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-smtp"
)

const defaultMaxSize = 50 << 20

// ErrDrop, returned by a hook, closes the client's connection without an
// answer. The mail in question is not delivered.
var ErrDrop = errors.New("connection dropped on purpose")

// ErrDropDelivered, returned by OnData, delivers the mail and then closes the
// connection without an answer: the client cannot know that it was accepted.
var ErrDropDelivered = errors.New("connection dropped on purpose after delivery")

// Options of the servers. The zero value is a plain server that takes mail of
// up to 50 MB from anyone on this machine.
type Options struct {
	TLS          bool  // offer STARTTLS, and open the ports with implicit TLS besides
	RequireLogin bool  // SMTP: 530 5.7.0 to MAIL before AUTH
	SMTPUTF8     bool  // SMTP: announce SMTPUTF8 (RFC 6531)
	MaxSize      int64 // SMTP: largest mail in bytes, announced as SIZE; 0: 50 MB
	Delimiter    rune  // IMAP: hierarchy delimiter; 0: '/'

	// OnRcpt and OnData, when set, are asked before a recipient or a whole mail
	// is accepted. A *smtp.SMTPError is what the client is answered; ErrDrop cuts
	// its connection; any other error is a 451 or 554. They are called from
	// several goroutines, before the recipient is looked up.
	OnRcpt func(from, to string) error
	OnData func(from string, to []string, raw []byte) error

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // what the servers have to complain about; nil: nowhere
}

// Addr is where one server listens.
type Addr struct {
	Host string
	Port int
}

// String is the address as "127.0.0.1:1143".
func (a Addr) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// Counts are totals since the start.
type Counts struct {
	IMAPConnections, SMTPConnections int64 // accepted, TLS or not
	IMAPLogins, SMTPLogins           int64 // successful
	IMAPRefused, SMTPRefused         int64 // log-ins refused
	Accepted                         int64 // mails for which SMTP answered 250 after the data, and those dropped after delivery
}

// Server is the pair of servers. Its addresses do not change after Start; its
// methods may be called from several goroutines.
type Server struct {
	IMAP, SMTP   Addr // plain, with STARTTLS when Options.TLS
	IMAPS, SMTPS Addr // implicit TLS; zero without Options.TLS

	options     Options
	certificate certificate
	store       *store
	imapConns   *tracker
	smtpConns   *tracker
	serving     sync.WaitGroup

	imapLogins, smtpLogins, imapRefused, smtpRefused, accepted atomic.Int64
}

// Start opens the listeners on 127.0.0.1 and serves until Close.
func Start(options Options) (*Server, error) {
	if options.MaxSize == 0 {
		options.MaxSize = defaultMaxSize
	}
	if options.Delimiter == 0 {
		options.Delimiter = '/'
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		options:   options,
		store:     newStore(options.Delimiter, options.Now),
		imapConns: newTracker(),
		smtpConns: newTracker(),
	}
	var config *tls.Config
	if options.TLS {
		var err error
		if s.certificate, err = newCertificate(options.Now()); err != nil {
			return nil, fmt.Errorf("making a certificate for the loopback servers: %w", err)
		}
		config = &tls.Config{Certificates: []tls.Certificate{s.certificate.leaf}, MinVersion: tls.VersionTLS12}
	}
	if err := s.serve(s.imapServer(config), s.smtpServer(config), config); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// serve opens the two or four listeners and starts one goroutine for each.
func (s *Server) serve(imap *imapserver.Server, smtp *smtp.Server, config *tls.Config) error {
	ports := []struct {
		addr     *Addr
		tls      bool
		conns    *tracker
		protocol func(net.Listener) error
	}{
		{&s.IMAP, false, s.imapConns, imap.Serve},
		{&s.SMTP, false, s.smtpConns, smtp.Serve},
		{&s.IMAPS, true, s.imapConns, imap.Serve},
		{&s.SMTPS, true, s.smtpConns, smtp.Serve},
	}
	for _, port := range ports {
		if port.tls && config == nil {
			continue
		}
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("opening a loopback port: %w", err)
		}
		bound := inner.Addr().(*net.TCPAddr)
		*port.addr = Addr{Host: bound.IP.String(), Port: bound.Port}
		listener := port.conns.track(inner)
		if port.tls {
			listener = tls.NewListener(listener, config)
		}
		s.serving.Go(func() {
			if err := port.protocol(listener); err != nil && !errors.Is(err, net.ErrClosed) {
				s.options.Log.Error("loopback server ended", "address", bound.String(), "error", err)
			}
		})
	}
	return nil
}

// Close ends both servers and every connection at once, and waits for their
// goroutines. It may be called twice.
func (s *Server) Close() error {
	err := errors.Join(s.imapConns.close(), s.smtpConns.close())
	s.serving.Wait()
	return err
}

// DropConnections cuts every open connection of both servers, as an outage
// would. New ones are accepted.
func (s *Server) DropConnections() {
	s.imapConns.cut()
	s.smtpConns.cut()
}

// Counts returns the totals so far.
func (s *Server) Counts() Counts {
	return Counts{
		IMAPConnections: s.imapConns.accepted.Load(), SMTPConnections: s.smtpConns.accepted.Load(),
		IMAPLogins: s.imapLogins.Load(), SMTPLogins: s.smtpLogins.Load(),
		IMAPRefused: s.imapRefused.Load(), SMTPRefused: s.smtpRefused.Load(),
		Accepted: s.accepted.Load(),
	}
}

// CertPEM is the certificate to trust, nil without Options.TLS. It is valid for
// localhost, 127.0.0.1 and ::1.
func (s *Server) CertPEM() []byte { return s.certificate.pem }

// Pool holds the certificate of CertPEM; nil without Options.TLS.
func (s *Server) Pool() *x509.CertPool { return s.certificate.pool }

// AddUser makes a user with an empty INBOX, who logs in by address and
// password. For a user that is there it changes the password.
func (s *Server) AddUser(address, password string) { s.store.addAccount(address, password) }

// Message is one mail in a folder.
type Message struct {
	UID   uint32
	Flags []string // as `\Seen`
	Raw   []byte   // as delivered; not to be changed
}

// Deliver puts raw into the INBOX of address, byte for byte, without SMTP.
func (s *Server) Deliver(address string, raw []byte) error {
	inbox, err := s.folder(address, inboxName)
	if err != nil {
		return fmt.Errorf("delivering to %s: %w", address, err)
	}
	inbox.append(stored{raw: raw, at: s.options.Now()})
	return nil
}

// Messages returns what lies in a folder, in the order of UIDs. The error is
// for an unknown user or folder.
func (s *Server) Messages(address, folder string) ([]Message, error) {
	f, err := s.folder(address, folder)
	if err != nil {
		return nil, err
	}
	return f.messages(), nil
}

// WaitMessages returns the mails of a folder as soon as there are at least n; a
// folder that does not exist yet has none. It ends with the context's error,
// and then returns what there is.
func (s *Server) WaitMessages(ctx context.Context, address, folder string, n int) ([]Message, error) {
	for {
		changed := s.store.bell.next() // before looking, so that no change is missed
		messages, err := s.Messages(address, folder)
		if err == nil && len(messages) >= n {
			return messages, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return messages, fmt.Errorf("waiting for %d mails in %s of %s, %d there: %w", n, folder, address, len(messages), ctx.Err())
		}
	}
}

// ChangeUIDValidity gives a folder a new UIDVALIDITY and its mails new UIDs
// from 1, as a server does whose index was lost, and cuts the IMAP connections.
func (s *Server) ChangeUIDValidity(address, folder string) error {
	account := s.store.account(address)
	if account == nil {
		return fmt.Errorf("no user %s", address)
	}
	if err := account.renew(folder); err != nil {
		return fmt.Errorf("changing UIDVALIDITY of %s of %s: %w", folder, address, err)
	}
	s.imapConns.cut()
	return nil
}

func (s *Server) folder(address, name string) (*folder, error) {
	account := s.store.account(address)
	if account == nil {
		return nil, fmt.Errorf("no user %s", address)
	}
	if strings.EqualFold(name, inboxName) {
		name = inboxName
	}
	f := account.folder(name)
	if f == nil {
		return nil, fmt.Errorf("no folder %s of %s", name, address)
	}
	return f, nil
}
