package provider

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// world is the internet as far as Discover sees it: a DNS server, a web server
// and mail servers, all on loopback under names below example.com. It is set
// up before its first use.
type world struct {
	t       *testing.T
	mu      sync.Mutex // what tests set is read by the servers after it was held
	network Network
	dials   atomic.Int64
	asked   atomic.Int64      // questions to DNS
	hosts   map[string]string // "host:port" → address on loopback
	mx      []string
	srv     map[string]string // "_imaps._tcp" → "host:port"
	silent  bool              // DNS says nothing
	pages   map[string]http.HandlerFunc
	web     *httptest.Server
	cert    tls.Certificate
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, hosts: map[string]string{}, srv: map[string]string{}, pages: map[string]http.HandlerFunc{}}
	cert, pool := certificate(t, "example.com", "*.example.com")
	w.cert = cert
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); w.serveDNS(packets) }()
	t.Cleanup(func() { packets.Close(); <-done })
	w.web = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if page := w.pages[r.Host+r.URL.Path]; page != nil {
			page(rw, r)
			return
		}
		http.NotFound(rw, r)
	}))
	w.web.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	w.web.StartTLS()
	t.Cleanup(w.web.Close)
	var dialer net.Dialer
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		w.dials.Add(1)
		if to := w.hosts[address]; to != "" {
			return dialer.DialContext(ctx, network, to)
		}
		return nil, fmt.Errorf("nothing listens at %s", address)
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	w.network = Network{
		Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "udp", packets.LocalAddr().String())
		}},
		HTTP: &http.Client{Transport: transport}, Dial: dial, Roots: pool, Timeout: 5 * time.Second,
	}
	for _, host := range []string{"example.com", "autoconfig.example.com"} {
		w.hosts[host+":443"] = w.web.Listener.Addr().String()
	}
	return w
}

func certificate(t *testing.T, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
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

func (w *world) serveDNS(packets net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}
		w.asked.Add(1)
		w.mu.Lock()
		answer, err := w.answer(buffer[:n])
		silent := w.silent
		w.mu.Unlock()
		if silent {
			continue
		}
		if err != nil {
			w.t.Errorf("answering a question of DNS: %v", err)
		} else if _, err := packets.WriteTo(answer, from); err != nil {
			return
		}
	}
}

func (w *world) answer(question []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(question)
	if err != nil {
		return nil, err
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true}, Questions: []dnsmessage.Question{q}}
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}, Body: body})
	}
	switch q.Type {
	case dnsmessage.TypeMX:
		for i, host := range w.mx {
			add(&dnsmessage.MXResource{Pref: uint16(i), MX: dnsmessage.MustNewName(host + ".")})
		}
	case dnsmessage.TypeSRV:
		service, _, _ := strings.Cut(q.Name.String(), "._tcp.")
		if target := w.srv[service]; target != "" {
			host, port, _ := strings.Cut(target, ":")
			var n uint16
			fmt.Sscan(port, &n)
			add(&dnsmessage.SRVResource{Target: dnsmessage.MustNewName(strings.TrimSuffix(host, ".") + "."), Port: n})
		}
	}
	if len(m.Answers) == 0 {
		m.RCode = dnsmessage.RCodeNameError
	}
	return m.Pack()
}

// mailServer listens under name ("imap.example.com:993") and has one conversation after the other.
func (w *world) mailServer(name string, talk func(net.Conn)) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			talk(c)
			c.Close()
		}
	}()
	w.t.Cleanup(func() { l.Close(); <-done })
	w.hosts[name] = l.Addr().String()
}

// tlsGreets is a server that speaks TLS from the first byte.
func (w *world) tlsGreets(cert tls.Certificate, greeting string) func(net.Conn) {
	return func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		_, _ = io.WriteString(s, greeting+"\r\n")
		_, _ = io.Copy(io.Discard, s)
	}
}

// startsTLS is a server that begins in the clear; script is what it says after
// its greeting to each line.
func (w *world) startsTLS(greeting string, script ...string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, greeting+"\r\n")
		r := bufio.NewReader(c)
		for _, answer := range script {
			if _, err := r.ReadString('\n'); err != nil {
				return
			}
			_, _ = io.WriteString(c, answer+"\r\n")
		}
		_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{w.cert}}).HandshakeContext(context.Background())
		_, _ = io.Copy(io.Discard, c)
	}
}

func (w *world) discover(address string) []Candidate {
	w.t.Helper()
	w.mu.Lock()
	w.mu.Unlock() //lint:ignore SA2001 the race detector does not see that a question comes before its answer
	found, err := Discover(w.t.Context(), w.network, address)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func (w *world) want(found []Candidate, lines ...string) {
	w.t.Helper()
	var got []string
	for _, c := range found {
		line := c.Source
		for _, e := range []Endpoint{c.IMAP, c.POP3, c.SMTP} {
			if e.Host == "" {
				line += " -"
			} else {
				line += " " + e.String() + "/" + e.Security
			}
		}
		got = append(got, line+" "+c.Username+" "+c.UsernameSMTP)
	}
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		w.t.Errorf("found:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}
