package connect

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
)

// certificate makes one for host, valid until end, and the pool that trusts it.
func certificate(t *testing.T, host string, end time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: end.Add(-24 * time.Hour), NotAfter: end, IsCA: true, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// server accepts one connection after the other and hands each to talk.
func server(t *testing.T, talk func(net.Conn)) Settings {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			talk(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return Settings{Protocol: "imap", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Security: Plain}
}

func dial(t *testing.T, s Settings) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// untilGone reads until the client has gone.
func untilGone(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestDialFails(t *testing.T) {
	good, pool := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	other, otherPool := certificate(t, "mail.example.com", time.Now().Add(time.Hour))
	expired, expiredPool := certificate(t, "127.0.0.1", time.Now().Add(-time.Hour))
	speaks := func(cert tls.Certificate, most uint16) Settings {
		s := server(t, func(c net.Conn) {
			_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: most}).HandshakeContext(context.Background())
			untilGone(c)
		})
		s.Security = TLS
		return s
	}
	with := func(s Settings, roots *x509.CertPool) Settings { s.Roots = roots; return s }
	closed := server(t, func(net.Conn) {})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	silent := server(t, untilGone)
	silent.Security, silent.DialTimeout = TLS, 50*time.Millisecond
	plain := server(t, func(c net.Conn) { _, _ = io.WriteString(c, "* OK hello\r\n"); untilGone(c) })
	plain.Security = TLS

	tests := []struct {
		name      string
		settings  Settings
		step      string
		temporary bool
		as        any
	}{
		{"nothing said of encryption", Settings{Protocol: "imap", Host: "127.0.0.1", Port: closed.Port}, mail.StepDial, false, nil},
		{"no such host", Settings{Protocol: "imap", Host: "not..a..name", Port: 993, Security: Plain}, mail.StepResolve, false, new(*net.DNSError)},
		{"port closed", closed, mail.StepDial, true, new(*net.OpError)},
		{"port silent", silent, mail.StepTLS, true, new(net.Error)},
		{"no TLS there", plain, mail.StepTLS, false, new(tls.RecordHeaderError)},
		{"unknown issuer", with(speaks(good, 0), x509.NewCertPool()), mail.StepTLS, false, new(x509.UnknownAuthorityError)},
		{"other name", with(speaks(other, 0), otherPool), mail.StepTLS, false, new(x509.HostnameError)},
		{"expired", with(speaks(expired, 0), expiredPool), mail.StepTLS, false, new(x509.CertificateInvalidError)},
		{"old TLS", with(speaks(good, tls.VersionTLS11), pool), mail.StepTLS, false, new(*mail.OldTLSError)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Dial(t.Context(), test.settings)
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			e, ok := err.(*mail.Error)
			if !ok || e.Step != test.step || e.Temporary != test.temporary || e.Server != test.settings.Server() || e.Protocol != "imap" {
				t.Errorf("%v: %+v", err, e)
			}
			if test.as != nil && !errors.As(err, test.as) {
				t.Errorf("%v is no %T", err, test.as)
			}
		})
	}

	good443 := with(speaks(good, 0), pool)
	if c := dial(t, good443); !c.Encrypted() || c.PasswordAllowed() != nil {
		t.Error("TLS, but not encrypted")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(cancelled, good443); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestStartTLS: what is in the buffer from before the handshake is gone, and
// the connection works after it.
func TestStartTLS(t *testing.T) {
	cert, pool := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	s := server(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		if line, err := in.ReadString('\n'); err != nil || line != "STARTTLS\r\n" {
			t.Errorf("%q, %v", line, err)
		}
		_, _ = io.WriteString(c, "go\r\ninjected\r\n")
		encrypted := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		_, _ = io.WriteString(encrypted, "secret\r\n")
		untilGone(encrypted)
	})
	s.Roots, s.Security = pool, StartTLS
	c := dial(t, s)
	if c.Encrypted() {
		t.Error("encrypted before STARTTLS")
	}
	if _, err := io.WriteString(c, "STARTTLS\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := c.ReadLine(); line != "go" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if err := c.StartTLS(t.Context()); err != nil {
		t.Fatal(err)
	}
	if line, err := c.ReadLine(); line != "secret" || err != nil || !c.Encrypted() {
		t.Errorf("%q, %v", line, err)
	}
	if got := c.BytesRead(); got != int64(len("go\r\ninjected\r\nsecret\r\n")) {
		t.Errorf("%d bytes", got)
	}
}

// TestDeadlines: the allowed silence is counted anew at each byte, and no
// library can set another.
func TestDeadlines(t *testing.T) {
	s := server(t, func(c net.Conn) {
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for range 10 {
			<-pace.C
			_, _ = c.Write([]byte("x"))
		}
		untilGone(c)
	})
	s.IdleTimeout = 250 * time.Millisecond
	c := dial(t, s)
	c.SetIdle(0)
	for _, set := range []func(time.Time) error{c.SetDeadline, c.SetReadDeadline, c.SetWriteDeadline} {
		if err := set(time.Now().Add(-time.Hour)); err != nil {
			t.Error(err)
		}
	}
	if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	c.SetIdle(s.IdleTimeout)
	if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if c.Failure() != nil {
		t.Error(c.Failure())
	}
	_, err := c.Read(make([]byte, 1))
	timeout := net.Error(nil)
	if !errors.As(err, &timeout) || !timeout.Timeout() || c.Failure() != err {
		t.Errorf("silence: %v, latched %v", err, c.Failure())
	}
	started := time.Now()
	if _, again := c.Read(make([]byte, 1)); again != err || time.Since(started) > s.IdleTimeout/2 {
		t.Errorf("read again: %v after %v", again, time.Since(started))
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, later := c.Write([]byte("x")); later == nil || c.Failure() != err {
		t.Errorf("first %v, later %v, latched %v", err, later, c.Failure())
	}
	if e := c.Error(mail.StepFetch, errors.New("printed")); e.Err != err || !e.Temporary {
		t.Errorf("%+v", e)
	}
}

// announced says when a Read begins.
type announced struct {
	net.Conn
	reading chan struct{}
}

func (a announced) Read(p []byte) (int, error) {
	close(a.reading)
	return a.Conn.Read(p)
}

// TestSetIdle changes the silence that a Read which waits already is allowed.
func TestSetIdle(t *testing.T) {
	c := dial(t, server(t, untilGone))
	reading := make(chan struct{})
	c.inner = announced{c.inner, reading}
	c.SetIdle(0)
	failed := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		failed <- err
	}()
	<-reading
	c.SetIdle(10 * time.Millisecond)
	timeout := net.Error(nil)
	if err := <-failed; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Error(err)
	}
}

func TestCloseUnblocks(t *testing.T) {
	c := dial(t, server(t, untilGone))
	failed := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		failed <- err
	}()
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestLines(t *testing.T) {
	s := server(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "one\r\n\ntwo\nrest")
		untilGone(c)
	})
	c := dial(t, s)
	for _, want := range []string{"one", "", "two"} {
		if got, err := c.ReadLine(); got != want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	c.Replay([]byte("zero\n"))
	if got, err := c.ReadLine(); got != "zero" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "rest" {
		t.Errorf("%q, %v", b, err)
	}

	endless := dial(t, server(t, func(c net.Conn) {
		_, _ = io.WriteString(c, strings.Repeat("x", 2*maxLine))
		untilGone(c)
	}))
	if _, err := endless.ReadLine(); err != ErrLineTooLong {
		t.Error(err)
	}
	gone := dial(t, server(t, func(c net.Conn) { _, _ = io.WriteString(c, "no line end") }))
	if _, err := gone.ReadLine(); err != io.EOF || gone.Failure() != io.EOF {
		t.Errorf("%v, latched %v", err, gone.Failure())
	}
}

// at is a connection to that address.
type at struct {
	net.Conn
	addr net.Addr
}

func (a at) RemoteAddr() net.Addr { return a.addr }

func TestPasswordAllowed(t *testing.T) {
	for _, test := range []struct {
		ip        string
		encrypted bool
		allowed   bool
		want      error
	}{
		{"127.0.0.1", false, false, nil},
		{"127.8.8.8", false, false, nil},
		{"::1", false, false, nil},
		{"192.0.2.1", false, false, ErrPlaintext},
		{"10.0.0.1", false, false, ErrPlaintext},
		{"2001:db8::1", false, false, ErrPlaintext},
		{"192.0.2.1", true, false, nil},
		{"192.0.2.1", false, true, nil},
	} {
		c := &Conn{raw: at{addr: &net.TCPAddr{IP: net.ParseIP(test.ip)}}, encrypted: test.encrypted, settings: Settings{AllowPlaintext: test.allowed}}
		if got := c.PasswordAllowed(); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
	pipe := &Conn{raw: at{addr: &net.UnixAddr{}}}
	if pipe.PasswordAllowed() != ErrPlaintext {
		t.Error("an unknown kind of connection is taken for safe")
	}
}

// TestServerWords: what an SMTP server says is kept, in pieces or not; of an
// IMAP server only what is noted.
func TestServerWords(t *testing.T) {
	talk := func(c net.Conn) {
		for _, piece := range []string{"220 he", "llo\r\n25", "0 \x00ok\xff\r\n421 cut o"} {
			_, _ = io.WriteString(c, piece)
		}
	}
	s := server(t, talk)
	imap := dial(t, s)
	if _, err := io.ReadAll(imap); err != nil {
		t.Error(err)
	}
	imap.Note("* BYE gone\r\n")
	if got := imap.ServerWords(); got != "* BYE gone" {
		t.Errorf("%q", got)
	}
	s.Protocol = "smtp"
	smtp := dial(t, s)
	if _, err := io.ReadAll(smtp); err != nil {
		t.Error(err)
	}
	if got := smtp.ServerWords(); got != "220 hello\n250 ok\n421 cut o" {
		t.Errorf("%q", got)
	}
}

func TestWordsAreBounded(t *testing.T) {
	var w words
	w.write([]byte(strings.Repeat("x", 10*maxWords) + "\n"))
	if got := w.String(); len(got) != maxWordLine {
		t.Errorf("one line: %d bytes", len(got))
	}
	for range 1000 {
		w.write([]byte("250-SIZE 1000\r\n"))
	}
	w.add("last")
	if got := w.String(); len(got) > maxWords || !strings.HasSuffix(got, "250-SIZE 1000\nlast") || strings.Contains(got, "xxx") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
