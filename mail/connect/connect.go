// Package connect reaches a mail server: it resolves the name, dials, and
// puts TLS on the connection. What it returns, a Conn, is the one place where
// deadlines, the count of bytes, the first I/O error and the server's last
// words are kept, because the protocol libraries above lose each of them.
//
// Every error is a *mail.Error that names the step at which it happened and
// keeps the net, tls and x509 error below reachable.
package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"helpdesk/mail"
)

// Security says how a connection is encrypted.
type Security string

// The kinds of Security, as they are written in helpdesk.toml.
const (
	TLS      Security = "tls"      // from the first byte (RFC 8314)
	StartTLS Security = "starttls" // begun in the clear, then StartTLS
	Plain    Security = "none"
)

// Defaults of Settings.
const (
	DefaultDialTimeout = 30 * time.Second
	DefaultIdleTimeout = 2 * time.Minute
)

// ErrPlaintext is the cause of a login that was not tried because its password
// would have crossed a network unencrypted.
var ErrPlaintext = errors.New("the connection is not encrypted, and a password is not sent over it unless allow_plaintext = true")

// Settings say which server to reach and how.
type Settings struct {
	Protocol string // "imap", "pop3" or "smtp": what errors are labelled with
	Host     string
	Port     int
	Security Security
	Roots    *x509.CertPool // nil: the system's

	DialTimeout time.Duration // for name and dial together, and again for TLS; 0: DefaultDialTimeout
	IdleTimeout time.Duration // the longest silence while an answer is awaited; 0: DefaultIdleTimeout

	AllowPlaintext bool // a password may cross a network unencrypted
}

// Server is the address as errors show it, "host:port".
func (s Settings) Server() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// WithDefaults returns s with its zero time-outs replaced.
func (s Settings) WithDefaults() Settings {
	if s.DialTimeout <= 0 {
		s.DialTimeout = DefaultDialTimeout
	}
	if s.IdleTimeout <= 0 {
		s.IdleTimeout = DefaultIdleTimeout
	}
	return s
}

// Dial reaches the server, over IPv6 or IPv4, whichever answers first
// (RFC 8305), and makes the TLS handshake when Security is TLS. With StartTLS
// the caller speaks the plain part and then calls Conn.StartTLS.
//
// ctx bounds Dial only; the Conn lives on until Close.
func Dial(ctx context.Context, s Settings) (*Conn, error) {
	s = s.WithDefaults()
	if s.Security != TLS && s.Security != StartTLS && s.Security != Plain {
		e := s.Error(mail.StepDial, fmt.Errorf("unknown security %q", s.Security))
		e.Temporary = false
		return nil, e
	}
	dialer := net.Dialer{Timeout: s.DialTimeout}
	raw, err := dialer.DialContext(ctx, "tcp", s.Server())
	if err != nil {
		step := mail.StepDial
		if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
			step = mail.StepResolve
		}
		return nil, s.Error(step, err)
	}
	c := &Conn{settings: s, raw: raw, inner: raw, idle: s.IdleTimeout}
	if s.Security == TLS {
		if err := c.handshake(ctx); err != nil {
			_ = raw.Close() // the handshake's error says more
			return nil, err
		}
	}
	return c, nil
}

// StartTLS makes the TLS handshake on a connection on which the caller has
// just read the server's go-ahead. Whatever was received in the clear and not
// read yet is thrown away: it may have been put there by someone in between
// to be taken for a part of the encrypted conversation (CVE-2011-0411).
func (c *Conn) StartTLS(ctx context.Context) error {
	c.buf = nil
	return c.handshake(ctx)
}

// handshake replaces c.inner by its encrypted successor.
func (c *Conn) handshake(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.settings.DialTimeout)
	defer cancel()
	t := tls.Client(c.raw, &tls.Config{
		ServerName: c.settings.Host,
		RootCAs:    c.settings.Roots,
		MinVersion: tls.VersionTLS12,
	})
	// The handshake has the context's deadline; one left over from reading the
	// plain part must not end it sooner.
	if err := c.raw.SetDeadline(time.Time{}); err != nil {
		return c.settings.Error(mail.StepTLS, err)
	}
	if err := t.HandshakeContext(ctx); err != nil {
		c.latch(err)
		return c.settings.Error(mail.StepTLS, err)
	}
	c.inner, c.encrypted = t, true
	return nil
}

// Error makes the failure err at step of a conversation with this server into
// a *mail.Error. It is temporary unless repeating cannot help: no such host, a
// certificate that is not trusted, a port that does not speak TLS.
func (s Settings) Error(step string, err error) *mail.Error {
	var (
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		header tls.RecordHeaderError
	)
	temporary := true
	switch {
	case errors.As(err, &dns):
		temporary = !dns.IsNotFound
	case errors.As(err, &cert), errors.As(err, &header), errors.Is(err, ErrPlaintext):
		temporary = false
	}
	return &mail.Error{Protocol: s.Protocol, Server: s.Server(), Step: step, Temporary: temporary, Err: err}
}
