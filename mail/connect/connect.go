// Package connect reaches a mail server: it resolves the name, dials, also
// through a proxy, puts TLS on the connection, and has the mechanisms to log in
// that IMAP, POP3 and SMTP share. What it returns, a Conn, is the one place
// where deadlines, the count of bytes, the first I/O error, the server's last
// words and the secrets to be kept out of them are known, because the protocol
// libraries above lose each of them. Each stage of the way can be traced.
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
var ErrPlaintext = mail.ErrPlaintext

// Settings say which server to reach and how.
type Settings struct {
	Protocol string // "imap", "pop3" or "smtp": what errors are labelled with
	Host     string
	Port     int
	Security Security
	Roots    *x509.CertPool    // nil: the system's
	Pins     []string          // fingerprints ("sha256:…") of server certificates that are trusted whatever Roots, name and dates say; with an empty Roots no other is
	Keys     []tls.Certificate // client certificates to show when the server asks for one
	Proxy    string            // socks5://[user:password@]host:port, http://… or https://…; "": the environment's (ALL_PROXY, else HTTPS_PROXY; NO_PROXY); "none": no proxy
	Resolver *net.Resolver     // nil: the system's
	Trace    *Trace            // told of each stage; may be nil

	DialTimeout time.Duration // for the name, for the dial, for a proxy and for TLS, each; 0: DefaultDialTimeout
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

// greetingSoon bounds the wait for the first words on a port that is meant for
// TLS while the configuration says otherwise: they will not come.
const greetingSoon = 10 * time.Second

// GreetingTimeout is how long to wait for the server's first words. Relays may
// take long over them: they look up who we are first.
func (s Settings) GreetingTimeout() time.Duration {
	timeout := s.DialTimeout
	if s.Protocol == "smtp" {
		timeout = s.IdleTimeout
	}
	if s.Security != TLS && (s.Port == 465 || s.Port == 993 || s.Port == 995) {
		timeout = min(timeout, greetingSoon)
	}
	return timeout
}

// Dial reaches the server, over IPv6 or IPv4, whichever answers first
// (RFC 8305), or through a proxy, and makes the TLS handshake when Security is
// TLS. With StartTLS the caller speaks the plain part and then calls
// Conn.StartTLS. Its stages are resolve (not for an IP address) and dial, or
// proxy, and tls.
//
// ctx bounds Dial only; the Conn lives on until Close.
func Dial(ctx context.Context, s Settings) (*Conn, error) {
	s = s.WithDefaults()
	c := &Conn{settings: s, idle: s.IdleTimeout}
	if s.Security != TLS && s.Security != StartTLS && s.Security != Plain {
		e := s.Error(mail.StepDial, fmt.Errorf("unknown security %q", s.Security))
		e.Temporary = false
		return nil, e
	}
	if err := c.reach(ctx); err != nil {
		return nil, err
	}
	if s.Security == TLS {
		if err := c.handshake(ctx); err != nil {
			_ = c.raw.Close() // the handshake's error says more
			return nil, err
		}
	}
	return c, nil
}

// reach sets c.raw.
func (c *Conn) reach(ctx context.Context) error {
	proxy, err := c.settings.proxy()
	if err != nil || proxy != nil {
		return c.reachThrough(ctx, proxy, err)
	}
	addrs, err := c.resolve(ctx)
	if err != nil {
		return err
	}
	c.Begin(mail.StepDial)
	raw, err := c.settings.dial(ctx, addrs, c.settings.Port)
	if err != nil {
		e := c.settings.Error(mail.StepDial, err)
		c.End(e)
		return e
	}
	c.raw, c.inner = raw, raw
	c.End(nil, Fact{"address", raw.RemoteAddr().String()}, Fact{"family", family(raw.RemoteAddr())})
	return nil
}

// Error makes the failure err at step of a conversation with this server into
// a *mail.Error. It is temporary unless repeating cannot help: no such host, a
// certificate that is not trusted, a port that does not speak TLS.
func (s Settings) Error(step string, err error) *mail.Error {
	e := &mail.Error{Protocol: s.Protocol, Server: s.Server(), Step: step, Temporary: true, Err: err}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		e.Temporary = !dns.IsNotFound
	}
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	_, pin := errors.AsType[*mail.PinError](err)
	_, header := errors.AsType[tls.RecordHeaderError](err)
	_, old := errors.AsType[*mail.OldTLSError](err)
	_, key := errors.AsType[*mail.ClientCertificateError](err)
	if cert || pin || header || old || key || errors.Is(err, mail.ErrPlaintext) || errors.Is(err, mail.ErrTLSExpected) {
		e.Temporary = false
	}
	if proxy, ok := errors.AsType[*mail.ProxyError](err); ok {
		e.Text = proxy.Text
		if proxy.Status != 0 {
			e.Code = strconv.Itoa(proxy.Status)
		}
		e.Temporary = !proxyStays(proxy)
	}
	return e
}
