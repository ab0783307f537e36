package mail

import (
	"crypto/x509"
	"errors"
	"strconv"
	"strings"
)

// What was wrong although no server said it in words: the Err of an Error, for
// mail/diagnose to ask for by errors.Is.
var (
	// ErrPlaintext: the login was not tried, because its password would have
	// crossed a network unencrypted.
	ErrPlaintext = errors.New("the connection is not encrypted, and a password is not sent over it unless allow_plaintext = true")
	// ErrNoStartTLS: encryption is to begin by STARTTLS, which is not offered.
	ErrNoStartTLS = errors.New("the server does not offer STARTTLS")
	// ErrNoLogin: the server offers no way to sign in on this connection.
	ErrNoLogin = errors.New("the server offers no login on this connection")
	// ErrMechanism: it offers ways to sign in, but none that is configured, or
	// none that goes with what we have (a password, an access token).
	ErrMechanism = errors.New("the server does not offer this way to log in")
	// ErrNoUsername: there is nobody to sign in as.
	ErrNoUsername = errors.New("there is no user name to log in with, and anonymous is not set")
	// ErrServerProof: by SCRAM the server has to prove that it knows the
	// password, too; it did not (RFC 5802 section 3).
	ErrServerProof = errors.New("the server could not prove that it knows the password")
	// ErrReadOnly: the folder may be read and not changed ([READ-ONLY]).
	ErrReadOnly = errors.New("the server opened the folder for reading only")
	// ErrTLSExpected: the port is silent because it waits for a TLS handshake,
	// and the configuration says that it begins unencrypted.
	ErrTLSExpected = errors.New("the server expects encryption from the first byte (security = \"tls\")")
	// ErrOtherProtocol: what answers is no server of the protocol that was
	// expected there. At StepGreeting the port belongs to another service.
	ErrOtherProtocol = errors.New("this is another protocol")
)

// PinError is a server certificate that only a pin could make trusted, and
// whose fingerprint is not the pinned one.
type PinError struct {
	Shown       string   // fingerprint of the server's certificate, "sha256:" and 64 hex digits
	Pins        []string // as configured
	Certificate *x509.Certificate
	Err         error // why it is not trusted without a pin
}

// Error names both fingerprints.
func (e *PinError) Error() string {
	return "pin mismatch: the server's certificate has the fingerprint " + e.Shown + ", pinned is " + strings.Join(e.Pins, " or ")
}

// Unwrap returns why the certificate is not trusted without a pin.
func (e *PinError) Unwrap() error { return e.Err }

// ProxyError is a proxy's refusal to connect us. A proxy that cannot be
// reached itself is an error of the network, at StepProxy.
type ProxyError struct {
	Proxy  string // "host:port"
	Status int    // HTTP status, as 407 (it wants other credentials), 403, 502; 0: SOCKS
	Reply  int    // of a SOCKS5 proxy: reply code of RFC 1928 section 6; SOCKSLogin or SOCKSMethod when it did not come so far
	Text   string // the proxy's words, of a page of HTML its text
}

// Values of ProxyError.Reply beside those of RFC 1928.
const (
	SOCKSLogin  = 256 // user name or password refused (RFC 1929)
	SOCKSMethod = 257 // it accepts none of the ways to sign in that we have
)

// Error names the proxy and its words.
func (e *ProxyError) Error() string {
	text := "the proxy " + e.Proxy + " refused"
	if e.Status != 0 {
		text += " with status " + strconv.Itoa(e.Status)
	}
	return text + ": " + e.Text
}

// OldTLSError is a server that speaks nothing newer than TLS 1.1, which is
// not used any more (RFC 8996), or TLS 1.2 with nothing but the ciphers of
// that time.
type OldTLSError struct {
	Version string // the newest that it speaks, as "TLS 1.1"; "": not known
	Cipher  string // with TLS 1.2: the one that it chose; else ""
	Err     error
}

// Error names the version.
func (e *OldTLSError) Error() string {
	version := e.Version
	if e.Cipher != "" {
		return "the server speaks " + version + " only with ciphers that are not used any more, as " + e.Cipher + ": " + e.Err.Error()
	}
	if version == "" {
		version = "an older version"
	}
	return "the server speaks " + version + ", and at least TLS 1.2 is required: " + e.Err.Error()
}

// Unwrap returns the handshake's error.
func (e *OldTLSError) Unwrap() error { return e.Err }

// ClientCertificateError is a server that asked for a client certificate and
// refused the connection for lack of one or for the one that we showed. With
// TLS 1.3 this is learned only when the first answer is read, so its step may
// be StepGreeting.
type ClientCertificateError struct {
	Shown bool // we showed one
	Err   error
}

// Error says which of both it was.
func (e *ClientCertificateError) Error() string {
	if e.Shown {
		return "the server did not accept our client certificate: " + e.Err.Error()
	}
	return "the server requires a client certificate: " + e.Err.Error()
}

// Unwrap returns the alert.
func (e *ClientCertificateError) Unwrap() error { return e.Err }
