package command

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail/loopback"
	"helpdesk/mail/provider"
)

// office is an office at example.com: real mail servers in process, which are
// reached by their names through a proxy, with certificates for those names.
type office struct {
	t       *testing.T
	servers *loopback.Server
	network *provider.Network
	dir     string
	trust   string            // file with the authority
	ports   map[string]string // "imap.example.com:993" → address on loopback
	cert    tls.Certificate
	mx      []*net.MX
}

func newOffice(t *testing.T) *office {
	t.Helper()
	t.Setenv("LC_ALL", "C")
	servers, err := loopback.Start(loopback.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { servers.Close() })
	servers.AddUser("support@example.com", "right")
	o := &office{t: t, servers: servers, dir: t.TempDir(), ports: map[string]string{}}
	pool := o.authority()
	o.listen("imap.example.com:993", servers.IMAP.String())
	o.listen("smtp.example.com:465", servers.SMTP.String())
	proxy := o.serve(o.proxy)
	t.Setenv("ALL_PROXY", "http://"+proxy)
	t.Setenv("NO_PROXY", "")
	var dialer net.Dialer
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if to := o.ports[address]; to != "" {
			return dialer.DialContext(ctx, network, to)
		}
		return nil, fmt.Errorf("nothing listens at %s", address)
	}
	o.network = &provider.Network{
		Resolver: o, HTTP: &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: pool}}},
		Dial: dial, Roots: pool, Timeout: 5 * time.Second,
	}
	return o
}

// LookupMX and LookupSRV are the office's name service.
func (o *office) LookupMX(context.Context, string) ([]*net.MX, error) {
	if o.mx == nil {
		return nil, errors.New("no such record")
	}
	return o.mx, nil
}

func (o *office) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, errors.New("no such record")
}

// authority makes a certificate for the office, and the file that trusts it.
func (o *office) authority() *x509.CertPool {
	o.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Office"}, DNSNames: []string{"*.example.com"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		o.t.Fatal(err)
	}
	o.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	o.trust = filepath.Join(o.dir, "office.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(o.trust, text, 0o600); err != nil {
		o.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// serve accepts connections until the test ends, and returns the address.
func (o *office) serve(talk func(net.Conn)) string {
	o.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { defer c.Close(); talk(c) })
		}
	})
	o.t.Cleanup(func() { l.Close(); serving.Wait() })
	return l.Addr().String()
}

// listen puts TLS before a plain server.
func (o *office) listen(name, plain string) {
	o.ports[name] = o.serve(func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{o.cert}})
		if s.HandshakeContext(o.t.Context()) == nil {
			join(s, plain)
		}
	})
}

// proxy is an HTTP proxy that knows the office's names.
func (o *office) proxy(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil || o.ports[r.Host] == "" {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	join(c, o.ports[r.Host])
}

// join copies between c and the server at address until one of them ends.
func join(c net.Conn, address string) {
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(server, c); server.Close() })
	both.Go(func() { _, _ = io.Copy(c, server); c.Close() })
	both.Wait()
}

// init runs the command with what a person types.
func (o *office) init(typed string, args ...string) (code int, out, errs string) {
	o.t.Helper()
	var stdout, stderr bytes.Buffer
	e := &env{stdin: strings.NewReader(typed), stdout: &stdout, stderr: &stderr, network: o.network}
	code = e.execute(o.t.Context(), append([]string{"init", "-c", o.file(), "--trust", o.trust}, args...))
	return code, stdout.String(), stderr.String()
}

func (o *office) file() string { return filepath.Join(o.dir, "helpdesk.toml") }

// files are all that lies in the folder, but for the authority.
func (o *office) files() []string {
	o.t.Helper()
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		o.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "office.pem" {
			names = append(names, e.Name())
		}
	}
	return names
}

// loads reads what was written as the program will, and checks it.
func (o *office) loads() *config.Config {
	o.t.Helper()
	c, faults, err := config.Load(o.file(), os.LookupEnv)
	if err != nil || c == nil || len(c.Desks) != 1 || len(c.Desks[0].Closed) > 0 {
		o.t.Fatalf("%v %v", faults, err)
	}
	if code, out, errs := call(o.t, "check", "-c", o.file()); code != 0 {
		o.t.Errorf("check: %d %s %s", code, out, errs)
	}
	return c
}

func (o *office) contains(out string, wanted ...string) {
	o.t.Helper()
	at := 0
	for _, want := range wanted {
		n := strings.Index(out[at:], want)
		if n < 0 {
			o.t.Errorf("%q is missing, or not in its place, in:\n%s", want, out)
			return
		}
		at += n
	}
}
