package diagnose

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"helpdesk/mail"
)

// Classes of the error below a mail.Error: what this program saw, not what the
// server said. They are stored, so they are never renamed.
const (
	classDNSNotFound  = "dns-not-found"
	classDNSFailure   = "dns-failure"
	classRefused      = "refused"
	classUnreachable  = "unreachable"
	classTimeout      = "timeout"
	classReset        = "reset" // cut off: also a clean end where an answer was due
	classTLSAuthority = "tls-authority"
	classTLSExpired   = "tls-expired" // or not valid yet
	classTLSName      = "tls-name"
	classTLSVersion   = "tls-version"
	classTLSPlain     = "tls-plain" // the other side does not speak TLS
	classTLSHTTP      = "tls-http"  // it speaks HTTP
	classTLSHandshake = "tls-handshake"
	classTLSAntivirus = "tls-antivirus"          // a certificate made on the way by an antivirus program or a firewall
	classTLSOwnCert   = "tls-client-certificate" // the server wants a certificate from us
	classTLSExpected  = "tls-expected"           // the port waits for TLS, and we for its greeting
	classForeign      = "other-protocol"         // it speaks, but not what we do
	classReadOnly     = "read-only"              // the folder may be read and not changed
	classProxy        = "proxy"                  // the proxy in between failed
	classAddress      = "address"                // host or port is malformed: nothing was tried
	classDiskFull     = "disk-full"
	classSystem       = "system" // any other error of the operating system; its words may be localised
)

func knownClass(s string) bool {
	return slices.Contains([]string{classDNSNotFound, classDNSFailure, classRefused, classUnreachable, classTimeout, classReset,
		classTLSAuthority, classTLSExpired, classTLSName, classTLSVersion, classTLSPlain, classTLSHTTP, classTLSHandshake,
		classTLSAntivirus, classTLSOwnCert, classTLSExpected, classForeign, classReadOnly, classProxy, classAddress, classDiskFull, classSystem}, s)
}

// classify names the class of err and the details that the words need: names,
// from, until and issuer of a certificate. The class is "" for an error that is
// neither of the network, of TLS nor of the operating system.
func classify(err error) (class string, details url.Values) {
	if read, ok := errors.AsType[reported](err); ok {
		return read.class, nil
	}
	if _, ok := errors.AsType[*net.AddrError](err); ok {
		return classAddress, nil
	}
	if _, ok := errors.AsType[*net.ParseError](err); ok {
		return classAddress, nil
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return classDNSNotFound, nil
		}
		return classDNSFailure, nil
	}
	if class, details := classifyOwn(err); class != "" {
		return class, details
	}
	if class, details := classifyTLS(err); class != "" {
		return class, details
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return classifyErrno(errno, runtime.GOOS == "windows"), nil
	}
	if storageFull(err) {
		return classDiskFull, nil
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return classTimeout, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) {
		return classReset, nil
	}
	return "", nil
}

// classifyOwn names what our own packages found out about an error. They know
// more than the error below: a pin that does not fit counts for more than the
// name in the certificate, and a server that waits for TLS is no slow one.
func classifyOwn(err error) (class string, details url.Values) {
	if pin, ok := errors.AsType[*mail.PinError](err); ok {
		return classTLSAuthority, certificateDetails(pin.Certificate)
	}
	if _, ok := errors.AsType[*mail.OldTLSError](err); ok {
		return classTLSVersion, nil
	}
	if _, ok := errors.AsType[*mail.ClientCertificateError](err); ok {
		return classTLSOwnCert, nil
	}
	switch {
	case errors.Is(err, mail.ErrTLSExpected):
		return classTLSExpected, nil
	case errors.Is(err, mail.ErrOtherProtocol):
		return classForeign, nil
	case errors.Is(err, mail.ErrReadOnly):
		return classReadOnly, nil
	}
	return "", nil
}

func classifyTLS(err error) (class string, details url.Values) {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return classTLSAuthority, shown(err)
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return classTLSName, certificateDetails(name.Certificate)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return classTLSExpired, certificateDetails(invalid.Cert)
		}
		return classTLSAuthority, certificateDetails(invalid.Cert)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return classTLSAuthority, shown(err) // the verifier of Windows or macOS, in its own types
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if string(record.RecordHeader[:4]) == "HTTP" {
			return classTLSHTTP, nil
		}
		return classTLSPlain, nil
	}
	// crypto/tls keeps the type of its alerts to itself. Their words are
	// constants of the Go library, the same on every system.
	words := err.Error()
	if strings.Contains(words, "tls: protocol version not supported") || strings.Contains(words, "tls: server selected unsupported protocol version") {
		return classTLSVersion, nil
	}
	if strings.Contains(words, "tls: certificate required") {
		return classTLSOwnCert, nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") || strings.Contains(words, "tls: ") {
		return classTLSHandshake, nil
	}
	return "", nil
}

// shown gives the details of the certificate that the server showed.
func shown(err error) url.Values {
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(v.UnverifiedCertificates) > 0 {
		return certificateDetails(v.UnverifiedCertificates[0])
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return certificateDetails(unknown.Cert)
	}
	return nil
}

func certificateDetails(cert *x509.Certificate) url.Values {
	if cert == nil {
		return nil
	}
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && cert.Subject.CommonName != "" {
		names = []string{cert.Subject.CommonName}
	}
	if len(names) > 5 {
		names = append(names[:5], "…") // shared hosting puts a hundred names into one certificate
	}
	issuer := cert.Issuer.CommonName
	if issuer == "" && len(cert.Issuer.Organization) > 0 {
		issuer = cert.Issuer.Organization[0]
	}
	details := url.Values{}
	for key, value := range map[string]string{
		"names": strings.Join(names, ", "), "issuer": issuer,
		"from": cert.NotBefore.UTC().Format("2006-01-02"), "until": cert.NotAfter.UTC().Format("2006-01-02"),
	} {
		if value != "" {
			details.Set(key, value)
		}
	}
	return details
}

// classifyErrno goes by number, never by words: Windows writes them in the
// user's language. The network errors of Windows (Winsock) have numbers of
// their own that package syscall does not map to its portable names.
func classifyErrno(errno syscall.Errno, windows bool) string {
	if windows && (errno == 112 || errno == 39) { // ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL: on Linux these are others
		return classDiskFull
	}
	switch errno {
	case syscall.ECONNREFUSED, 10061: // WSAECONNREFUSED
		return classRefused
	case syscall.ETIMEDOUT, 10060, // WSAETIMEDOUT
		syscall.EAGAIN:
		return classTimeout
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EADDRNOTAVAIL,
		10051, 10065, 10050, 10064, 10049: // WSAENETUNREACH, WSAEHOSTUNREACH, WSAENETDOWN, WSAEHOSTDOWN, WSAEADDRNOTAVAIL
		return classUnreachable
	case syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ENOTCONN,
		10053, 10054, 10057, 10058: // WSAECONNABORTED, WSAECONNRESET, WSAENOTCONN, WSAESHUTDOWN
		return classReset
	case syscall.ENOSPC, syscall.EDQUOT:
		return classDiskFull
	}
	return classSystem
}

// storageFull knows SQLITE_FULL (13) without importing the database: its
// errors tell their primary result code in the low byte.
func storageFull(err error) bool {
	coded, ok := errors.AsType[interface {
		error
		Code() int
	}](err)
	return ok && coded.Code()&0xff == 13
}
