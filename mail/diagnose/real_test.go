package diagnose

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"helpdesk/mail"

	_ "modernc.org/sqlite"
)

// failure is what a client meets at address; the returned error is real.
type failure struct {
	name     string
	step     string
	provoke  func(t *testing.T) (server string, err error)
	cause    string
	inEn     string // must be in the English words
	withPort string // instead of the real port
}

func TestRealFailures(t *testing.T) {
	now := time.Now()
	for _, f := range []failure{
		{name: "closed port", step: "dial", provoke: closedPort, cause: "net-refused", inEn: "nothing accepts connections at port"},
		{name: "name unknown", step: "resolve", provoke: lookup(3), cause: "dns-host-not-found", inEn: "no server with the name"},
		{name: "name service fails", step: "resolve", provoke: lookup(2), cause: "dns-server-failure"},
		{name: "silent", step: "greeting", provoke: silent, cause: "net-timeout", inEn: "waiting for the server's greeting"},
		{name: "silent port of TLS", step: "greeting", provoke: silent, cause: "wrong-protocol-port", withPort: "993"},
		{name: "closed without a word", step: "greeting", provoke: saying(""), cause: "net-reset", inEn: "cut off"},
		{name: "reset", step: "fetch", provoke: reset, cause: "net-reset"},
		{name: "unknown authority", step: "tls", provoke: handshake(template("localhost", now), false), cause: "tls-unknown-authority", inEn: "issuer: localhost"},
		{name: "expired", step: "tls", provoke: handshake(template("localhost", now.Add(-100*time.Hour)), true), cause: "tls-cert-expired", inEn: now.Add(-99 * time.Hour).UTC().Format("2006-01-02")},
		{name: "not yet valid", step: "tls", provoke: handshake(template("localhost", now.Add(100*time.Hour)), true), cause: "tls-cert-expired"},
		{name: "wrong name", step: "tls", provoke: handshake(template("other.example", now), true), cause: "tls-hostname-mismatch", inEn: "valid for other.example, not"},
		{name: "wrong name after STARTTLS", step: "starttls", provoke: handshake(template("other.example", now), true), cause: "tls-hostname-mismatch"},
		{name: "old server", step: "tls", provoke: oldServer, cause: "tls-protocol-version"},
		{name: "client certificate", step: "tls", provoke: wantsCertificate, cause: "tls-client-certificate-required", inEn: "[[key]]"},
		{name: "TLS to a plain port", step: "tls", provoke: tlsTo(saying("* OK IMAP4rev1 ready\r\n")), cause: "tls-plaintext-port", inEn: `security = "starttls"`},
		{name: "TLS to a web server", step: "tls", provoke: tlsTo(saying("HTTP/1.1 400 Bad Request\r\n\r\n")), cause: "wrong-protocol-port"},
		{name: "our disk", step: "store", provoke: diskFull, cause: "disk-full", inEn: "data_dir"},
		{name: "our database", step: "store", provoke: databaseFull, cause: "disk-full"},
	} {
		t.Run(f.name, func(t *testing.T) {
			server, err := f.provoke(t)
			if err == nil {
				t.Fatal("nothing failed")
			}
			host, port, splitErr := net.SplitHostPort(server)
			if splitErr != nil {
				t.Fatal(splitErr)
			}
			if f.withPort != "" {
				port = f.withPort
			}
			e := &mail.Error{Protocol: "imap", Server: net.JoinHostPort(host, port), Step: f.step, Temporary: true, Err: fmt.Errorf("wrapped: %w", err)}
			d := Explain(e, "")
			if d.Cause != f.cause {
				t.Errorf("%v: got %s, want %s", err, d.Cause, f.cause)
			}
			words := d.In("en")
			if all := words.Text + "\n" + strings.Join(words.Remedy, "\n"); !strings.Contains(all, f.inEn) {
				t.Errorf("%q is not in:\n%s", f.inEn, all)
			}
			if !strings.Contains(d.ServerText, err.Error()) {
				t.Errorf("what was seen is not shown: %q", d.ServerText)
			}
			// What the store kept says the same.
			if again := ExplainStored(Record(e), ""); again.Cause != d.Cause || again.In("en").Text != words.Text {
				t.Errorf("stored: %s %q", again.Cause, again.In("en").Text)
			}
		})
	}
}

// The numbers of Windows, whose words would be in the user's language.
func TestErrnos(t *testing.T) {
	for _, tt := range []struct {
		errno   syscall.Errno
		windows bool
		want    string
	}{
		{syscall.ECONNREFUSED, false, "refused"}, {10061, true, "refused"},
		{syscall.ETIMEDOUT, false, "timeout"}, {10060, true, "timeout"},
		{syscall.EHOSTUNREACH, false, "unreachable"}, {syscall.ENETUNREACH, false, "unreachable"}, {syscall.EADDRNOTAVAIL, false, "unreachable"},
		{10051, true, "unreachable"}, {10065, true, "unreachable"}, {10049, true, "unreachable"},
		{syscall.ECONNRESET, false, "reset"}, {syscall.EPIPE, false, "reset"}, {10053, true, "reset"}, {10054, true, "reset"},
		{syscall.ENOSPC, false, "disk-full"}, {112, true, "disk-full"}, {39, true, "disk-full"},
		{syscall.EACCES, false, "system"}, {10013, true, "system"},
	} {
		if got := classifyErrno(tt.errno, tt.windows); got != tt.want {
			t.Errorf("errno %d (windows %v): got %s, want %s", int(tt.errno), tt.windows, got, tt.want)
		}
	}
	// No word of the system's is looked at.
	localised := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connectex", syscall.EACCES)}
	if class, _ := classify(localised); class != "system" {
		t.Errorf("class %q", class)
	}
}

func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				serve(c)
				c.Close()
			})
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() }) // clients are closed before: dial registers later
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func closedPort(t *testing.T) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, err = net.Dial("tcp", address)
	return address, err
}

// lookup asks a DNS server on loopback that answers with rcode (RFC 1035 section 4.1.1).
func lookup(rcode byte) func(*testing.T) (string, error) {
	return func(t *testing.T) (string, error) {
		server, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 1500)
			for {
				n, from, err := server.ReadFrom(buf)
				if err != nil {
					return
				}
				answer := append([]byte(nil), buf[:n]...)
				answer[2] |= 0x80                        // it is an answer
				answer[3] = 0x80 | rcode                 // recursion available
				answer[10], answer[11] = 0, 0            // no additional records…
				answer = answer[:questionEnd(n, answer)] // …so cut the OPT record of the question
				if _, err := server.WriteTo(answer, from); err != nil {
					return
				}
			}
		}()
		t.Cleanup(func() { server.Close(); <-done })
		r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
		}}
		_, err = r.LookupHost(t.Context(), "mail.misspelt.example.")
		return "mail.misspelt.example:993", err
	}
}

func questionEnd(n int, q []byte) int {
	i := 12
	for i < n && q[i] != 0 {
		i += int(q[i]) + 1
	}
	return min(i+5, n)
}

func silent(t *testing.T) (string, error) {
	address := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	c := dial(t, address)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := bufio.NewReader(c).ReadString('\n')
	return address, err
}

func saying(words string) func(*testing.T) (string, error) {
	return func(t *testing.T) (string, error) {
		address := listen(t, func(c net.Conn) {
			io.WriteString(c, words)
			if words != "" {
				c.Read(make([]byte, 1024)) // an unread ClientHello would turn the close into a reset
			}
		})
		_, err := bufio.NewReader(dial(t, address)).ReadString('\n')
		return address, err
	}
}

func reset(t *testing.T) (string, error) {
	address := listen(t, func(c net.Conn) {
		c.Read(make([]byte, 1))
		c.(*net.TCPConn).SetLinger(0)
	})
	c := dial(t, address)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("no reset: %v", err)
	}
	return address, err
}

func tlsTo(server func(*testing.T) (string, error)) func(*testing.T) (string, error) {
	return func(t *testing.T) (string, error) {
		address, _ := server(t)
		return address, tls.Client(dial(t, address), &tls.Config{ServerName: "localhost"}).HandshakeContext(t.Context())
	}
}

func template(name string, from time.Time) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from.Add(-time.Hour), NotAfter: from.Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
}

func certificate(t *testing.T, tpl *x509.Certificate) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func handshake(tpl *x509.Certificate, trusted bool) func(*testing.T) (string, error) {
	return func(t *testing.T) (string, error) {
		cert, roots := certificate(t, tpl)
		if !trusted {
			roots = x509.NewCertPool()
		}
		return shake(t, &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{ServerName: "localhost", RootCAs: roots})
	}
}

func shake(t *testing.T, server, client *tls.Config) (string, error) {
	address := listen(t, func(c net.Conn) {
		s := tls.Server(c, server)
		if s.Handshake() == nil {
			io.Copy(io.Discard, s)
		}
	})
	c := tls.Client(dial(t, address), client)
	err := c.HandshakeContext(t.Context())
	if err == nil {
		_, err = c.Read(make([]byte, 1)) // TLS 1.3 tells of a missing client certificate only now
	}
	return address, err
}

func oldServer(t *testing.T) (string, error) {
	cert, roots := certificate(t, template("localhost", time.Now()))
	return shake(t, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		&tls.Config{ServerName: "localhost", RootCAs: roots})
}

func wantsCertificate(t *testing.T) (string, error) {
	cert, roots := certificate(t, template("localhost", time.Now()))
	return shake(t, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert},
		&tls.Config{ServerName: "localhost", RootCAs: roots})
}

func diskFull(t *testing.T) (string, error) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer f.Close()
	_, err = f.WriteString("x")
	return "localhost:1", err
}

func databaseFull(t *testing.T) (string, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "x.db")+"?_pragma=max_page_count(2)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE t(x)"); err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("INSERT INTO t VALUES(zeroblob(100000))")
	return "localhost:1", err
}
