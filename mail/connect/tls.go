package connect

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"helpdesk/mail"
)

// StartTLS makes the TLS handshake on a connection on which the caller has
// just read the server's go-ahead. Whatever was received in the clear and not
// read yet is thrown away: it may have been put there by someone in between
// to be taken for a part of the encrypted conversation (CVE-2011-0411).
func (c *Conn) StartTLS(ctx context.Context) error {
	c.buf = nil
	return c.handshake(ctx)
}

// handshake replaces c.inner by its encrypted successor: the stage tls.
func (c *Conn) handshake(ctx context.Context) error {
	c.Begin(mail.StepTLS)
	err := c.encrypt(ctx)
	if err == nil {
		c.End(nil)
		return nil
	}
	c.latch(err)
	e := c.settings.Error(mail.StepTLS, err)
	c.End(e)
	return e
}

func (c *Conn) encrypt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.settings.DialTimeout)
	defer cancel()
	t := tls.Client(c.raw, &tls.Config{
		ServerName: c.settings.Host,
		MinVersion: tls.VersionTLS12,
		// VerifyConnection does what is switched off here, in the same way and
		// for every connection. The order matters: the package tells nothing
		// of a connection whose certificate it has refused itself, and it
		// knows no pins.
		InsecureSkipVerify:   true,
		VerifyConnection:     c.verify,
		GetClientCertificate: c.ownCertificate,
	})
	// The handshake has the context's deadline; one left over from reading the
	// plain part must not end it sooner.
	if err := c.raw.SetDeadline(time.Time{}); err != nil {
		return err
	}
	if err := t.HandshakeContext(ctx); err != nil {
		return c.explainTLS(ctx, err)
	}
	c.inner, c.encrypted = t, true
	return nil
}

// verify judges the server's certificate: a pinned one is good, any other is
// looked at as crypto/tls does it.
func (c *Conn) verify(state tls.ConnectionState) error {
	chain := state.PeerCertificates
	facts := &TLSFacts{Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite)}
	for _, cert := range chain {
		facts.Chain = append(facts.Chain, certificateFacts(cert))
	}
	if c.stage.tls != nil {
		facts.Own = c.stage.tls.Own
	}
	c.stage.tls = facts
	if len(chain) == 0 { // no cipher suite of ours allows that
		return errors.New("tls: the server showed no certificate")
	}
	facts.Fingerprint = Fingerprint(chain[0])
	if slices.ContainsFunc(c.settings.Pins, func(pin string) bool { return strings.EqualFold(pin, facts.Fingerprint) }) {
		return nil
	}
	options := x509.VerifyOptions{Roots: c.settings.Roots, DNSName: c.settings.Host, Intermediates: x509.NewCertPool()}
	for _, cert := range chain[1:] {
		options.Intermediates.AddCert(cert)
	}
	_, err := chain[0].Verify(options)
	if err == nil {
		return nil
	}
	err = &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	// A wrong date or name of a certificate that an authority has signed is
	// the better reason, unless it was for the pin to decide. Of one that nobody
	// knows, Verify tells date and name first.
	onlyPins := options.Roots != nil && options.Roots.Equal(x509.NewCertPool())
	if len(c.settings.Pins) > 0 && (onlyPins || unsigned(chain[0], options)) {
		err = &mail.PinError{Shown: facts.Fingerprint, Pins: c.settings.Pins, Certificate: chain[0], Err: err}
	}
	return err
}

// unsigned reports whether no authority that we know has signed cert, whatever
// its name and dates are.
func unsigned(cert *x509.Certificate, options x509.VerifyOptions) bool {
	options.DNSName, options.CurrentTime = "", cert.NotBefore
	_, err := cert.Verify(options)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	return unknown
}

// Fingerprint is the SHA-256 of a certificate as [[trust]] pins it: "sha256:"
// and 64 hex digits.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func certificateFacts(cert *x509.Certificate) CertificateFacts {
	facts := CertificateFacts{Subject: cert.Subject.String(), Issuer: cert.Issuer.String(), Names: slices.Clone(cert.DNSNames), NotBefore: cert.NotBefore, Expiry: cert.NotAfter}
	for _, ip := range cert.IPAddresses {
		facts.Names = append(facts.Names, ip.String())
	}
	return facts
}

// ownCertificate answers the server's request for a client certificate: with
// the first that fits its wishes, else with the first at all, because servers
// that list the wrong authorities accept it all the same.
func (c *Conn) ownCertificate(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	c.certificate.asked = true
	if len(c.settings.Keys) == 0 {
		return new(tls.Certificate), nil
	}
	best := &c.settings.Keys[0]
	for i := range c.settings.Keys {
		if request.SupportsCertificate(&c.settings.Keys[i]) == nil {
			best = &c.settings.Keys[i]
			break
		}
	}
	c.certificate.shown = true
	leaf := best.Leaf
	if leaf == nil && len(best.Certificate) > 0 {
		leaf, _ = x509.ParseCertificate(best.Certificate[0]) // only to be shown to a person
	}
	if leaf != nil {
		if c.stage.tls == nil {
			c.stage.tls = &TLSFacts{}
		}
		facts := certificateFacts(leaf)
		c.stage.tls.Own = &facts
	}
	return best, nil
}

// Alerts of TLS by which a server refuses (RFC 8446 section 6.2).
const (
	alertHandshakeFailure    = 40
	alertBadCertificate      = 42
	alertUnsupported         = 43
	alertRevoked             = 44
	alertExpired             = 45
	alertUnknown             = 46
	alertUnknownCA           = 48
	alertAccessDenied        = 49
	alertProtocolVersion     = 70
	alertCertificateRequired = 116
)

// alert is the number of the alert that the server sent, 0 if err is none.
// crypto/tls keeps the type to itself; it is a number.
func alert(err error) int {
	op := (*net.OpError)(nil)
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return int(v.Uint())
	}
	return 0
}

// refusedCertificate names the demand for a client certificate where err is
// that. A server with TLS 1.2 refuses in the handshake, and one with TLS 1.3
// when the handshake is over for us, so that the first Read fails.
func (c *Conn) refusedCertificate(err error) error {
	if !c.certificate.asked {
		return err
	}
	switch alert(err) {
	case alertHandshakeFailure, alertBadCertificate, alertUnsupported, alertRevoked, alertExpired, alertUnknown,
		alertUnknownCA, alertAccessDenied, alertCertificateRequired:
		return &mail.ClientCertificateError{Shown: c.certificate.shown, Err: err}
	}
	return err
}

// selected is how crypto/tls words that the server chose a version that we do
// not speak; its number is hexadecimal.
var selected = regexp.MustCompile(`server selected unsupported protocol version ([0-9a-f]+)`)

// explainTLS gives the error of a handshake a type where it has none.
func (c *Conn) explainTLS(ctx context.Context, err error) error {
	if named := c.refusedCertificate(err); named != err {
		return named
	}
	if m := selected.FindStringSubmatch(err.Error()); m != nil {
		if version, numberErr := strconv.ParseUint(m[1], 16, 16); numberErr == nil {
			return &mail.OldTLSError{Version: tls.VersionName(uint16(version)), Err: err}
		}
	}
	if alert(err) == alertProtocolVersion {
		version, cipher := c.oldVersion(ctx)
		return &mail.OldTLSError{Version: version, Cipher: cipher, Err: err}
	}
	if number := alert(err); number != 0 && number != alertHandshakeFailure || isOurs(err) || ctx.Err() != nil {
		return err
	}
	// Some old servers refuse with a general alert, others just hang up.
	if version, cipher := c.oldVersion(ctx); version != "" {
		return &mail.OldTLSError{Version: version, Cipher: cipher, Err: err}
	}
	return err
}

// isOurs reports whether we ended the handshake, or no TLS was spoken at all.
func isOurs(err error) bool {
	_, header := errors.AsType[tls.RecordHeaderError](err)
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	_, pin := errors.AsType[*mail.PinError](err)
	return header || cert || pin
}

// errAnswered ends the handshake of answer.
var errAnswered = errors.New("the server has answered")

// oldVersion asks the server over other connections, by which nothing but the
// beginning of a handshake goes, for what we do not speak, and names what it
// chose, "" if nothing. Not possible where TLS begins by STARTTLS.
func (c *Conn) oldVersion(ctx context.Context) (version, cipher string) {
	if c.settings.Security != TLS {
		return "", ""
	}
	_ = c.raw.Close() // of no more use, and some servers take one connection at a time
	state, ok := c.settings.answer(ctx, tls.VersionTLS12)
	if !ok { // the oldest hang up where they read a newer version
		state, ok = c.settings.answer(ctx, tls.VersionTLS11)
	}
	switch {
	case !ok:
		return "", ""
	case state.Version < tls.VersionTLS12:
		return tls.VersionName(state.Version), ""
	case slices.ContainsFunc(tls.InsecureCipherSuites(), func(s *tls.CipherSuite) bool { return s.ID == state.CipherSuite }):
		return tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)
	}
	return "", "" // it could have spoken with us: something else went wrong
}

// answer is what the server chooses of TLS 1.0 to newest, with all ciphers.
func (s Settings) answer(ctx context.Context, newest uint16) (state tls.ConnectionState, ok bool) {
	s.Trace = nil
	again := &Conn{settings: s}
	if again.reach(ctx) != nil {
		return state, false
	}
	defer again.raw.Close()
	var suites []uint16
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		suites = append(suites, suite.ID)
	}
	_ = tls.Client(again.raw, &tls.Config{
		ServerName: s.Host, MinVersion: tls.VersionTLS10, MaxVersion: newest, CipherSuites: suites,
		InsecureSkipVerify: true, // it ends before anything is sent
		VerifyConnection: func(chosen tls.ConnectionState) error {
			state, ok = chosen, true
			return errAnswered
		},
	}).HandshakeContext(ctx) // it never succeeds
	return state, ok
}

// Silent names the cause of a greeting that did not come: where a TLS
// handshake succeeds on the same port, the server was waiting for that.
func (c *Conn) Silent(ctx context.Context, err error) error {
	timeout := net.Error(nil)
	if c.settings.Security == TLS || !errors.As(err, &timeout) || !timeout.Timeout() {
		return err
	}
	s := c.settings
	s.Trace, s.Security, s.Keys = nil, TLS, nil
	if again, dialErr := Dial(ctx, s); dialErr == nil {
		_ = again.Close()
	} else if _, cert := errors.AsType[*tls.CertificateVerificationError](dialErr); !cert {
		return err
	}
	return fmt.Errorf("%w: %w", mail.ErrTLSExpected, err)
}
