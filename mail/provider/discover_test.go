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
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// world is the internet as far as Discover sees it: a DNS server, a web server
// and mail servers, all on loopback under names below example.com.
type world struct {
	t       *testing.T
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
		if w.silent {
			continue
		}
		if answer, err := w.answer(buffer[:n]); err != nil {
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

func TestDiscoverPreset(t *testing.T) {
	w := newWorld(t)
	found := w.discover("Support <taro@yahoo.co.jp>")
	w.want(found, "preset imap.mail.yahoo.co.jp:993/tls pop.mail.yahoo.co.jp:995/tls smtp.mail.yahoo.co.jp:465/tls taro taro")
	if found[0].Provider == nil || w.asked.Load()+w.dials.Load() > 0 {
		t.Errorf("the network was asked for what is known: %d questions, %d connections", w.asked.Load(), w.dials.Load())
	}
}

func TestDiscoverMX(t *testing.T) {
	w := newWorld(t)
	w.mx = []string{"aspmx.l.google.com", "alt1.aspmx.l.google.com"}
	found := w.discover("support@example.com")
	w.want(found, "mx imap.gmail.com:993/tls pop.gmail.com:995/tls smtp.gmail.com:587/starttls support@example.com support@example.com")
	if found[0].Provider.Slug != "google-workspace" {
		t.Errorf("it is %q", found[0].Provider.Slug)
	}
	w = newWorld(t)
	w.mx = []string{"sv123.xserver.jp"}
	w.want(w.discover("support@example.com"), "mx sv123.xserver.jp:993/tls sv123.xserver.jp:995/tls sv123.xserver.jp:465/tls support@example.com support@example.com")
}

func TestDiscoverSRV(t *testing.T) {
	w := newWorld(t)
	w.srv = map[string]string{
		"_imap": "plain.example.com:143", "_imaps": "Mail.Example.com:9993", "_pop3s": ".:0", "_pop3": "pop.example.com:110",
		"_submission": "submit.example.com:587",
	}
	w.want(w.discover("Support@Example.COM"),
		"srv mail.example.com:9993/tls pop.example.com:110/starttls submit.example.com:587/starttls Support@example.com Support@example.com")
	// Of a known provider's servers the person learns what it demands.
	w.srv = map[string]string{"_imaps": "imap.fastmail.com:993", "_submissions": "smtp.fastmail.com:465"}
	if found := w.discover("a@example.com"); len(found) != 1 || found[0].Provider == nil || found[0].Provider.Slug != "fastmail" {
		t.Errorf("%+v", found)
	}
}

const autoconfigFile = `<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1"><emailProvider id="example.com"><domain>example.com</domain>
<incomingServer type="imap"><hostname>plain.example.com</hostname><port>143</port><socketType>plain</socketType><username>%EMAILADDRESS%</username></incomingServer>
<incomingServer type="imap"><hostname>in.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType><username>%EMAILLOCALPART%.x</username></incomingServer>
<incomingServer type="pop3"><hostname>in.example.com</hostname><port>995</port><socketType>SSL</socketType><username>%EMAILLOCALPART%</username></incomingServer>
<outgoingServer type="smtp"><hostname>-bad-</hostname><port>587</port><socketType>STARTTLS</socketType><username>x</username></outgoingServer>
<outgoingServer type="smtp"><hostname>out.example.com</hostname><port>587</port><socketType>STARTTLS</socketType><username>%EMAILADDRESS%</username></outgoingServer>
</emailProvider></clientConfig>`

const autoconfigFound = "autoconfig in.example.com:993/tls in.example.com:995/tls out.example.com:587/starttls a.x a@example.com"

func page(text string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, text) }
}

func TestDiscoverAutoconfig(t *testing.T) {
	const first, second = "autoconfig.example.com/mail/config-v1.1.xml", "example.com/.well-known/autoconfig/mail/config-v1.1.xml"
	for name, test := range map[string]struct {
		pages map[string]http.HandlerFunc
		want  []string
	}{
		"first place": {map[string]http.HandlerFunc{first: func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("emailaddress") == "a@example.com" {
				page(autoconfigFile)(rw, r)
			}
		}}, []string{autoconfigFound}},
		"second place":          {map[string]http.HandlerFunc{second: page(autoconfigFile)}, []string{autoconfigFound}},
		"first is no XML":       {map[string]http.HandlerFunc{first: page("<html><p>parked"), second: page(autoconfigFile)}, []string{autoconfigFound}},
		"first has no server":   {map[string]http.HandlerFunc{first: page("<clientConfig/>"), second: page(autoconfigFile)}, []string{autoconfigFound}},
		"sent on by https":      {map[string]http.HandlerFunc{first: http.RedirectHandler("https://"+second, 302).ServeHTTP, second: page(autoconfigFile)}, []string{autoconfigFound}},
		"sent on for ever":      {map[string]http.HandlerFunc{first: http.RedirectHandler("https://"+first, 302).ServeHTTP}, nil},
		"too large":             {map[string]http.HandlerFunc{first: page("<clientConfig>" + strings.Repeat(" ", maxAutoconfig) + autoconfigFile[strings.Index(autoconfigFile, "<emailProvider"):])}, nil},
		"nothing but plaintext": {map[string]http.HandlerFunc{first: page(strings.NewReplacer("SSL", "plain", "STARTTLS", "plain").Replace(autoconfigFile))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.pages = test.pages
			w.want(w.discover("a@example.com"), test.want...)
		})
	}
}

// TestNoPlainHTTP: what https sends on to http is not followed there.
func TestNoPlainHTTP(t *testing.T) {
	w := newWorld(t)
	plain := httptest.NewServer(page(autoconfigFile))
	t.Cleanup(plain.Close)
	w.hosts["example.com:80"] = plain.Listener.Addr().String()
	w.pages["autoconfig.example.com/mail/config-v1.1.xml"] = http.RedirectHandler("http://example.com/config.xml", 302).ServeHTTP
	w.want(w.discover("a@example.com"))
}

func TestDiscoverGuess(t *testing.T) {
	w := newWorld(t)
	other, _ := certificate(t, "imap.example.com") // of an authority that nobody knows
	w.mailServer("imap.example.com:993", w.tlsGreets(other, "* OK ready"))
	w.mailServer("mail.example.com:993", w.tlsGreets(w.cert, "+OK this is POP3"))
	w.mailServer("imap.example.com:143", w.startsTLS("* OK ready", "a1 OK begin"))
	w.mailServer("pop.example.com:995", w.tlsGreets(w.cert, "+OK ready"))
	w.mailServer("smtp.example.com:465", w.startsTLS("220 plain"))
	w.mailServer("mail.example.com:587", w.startsTLS("220-hello\r\n220 ready", "250-mail\r\n250-STARTTLS\r\n250 HELP", "220 go"))
	w.want(w.discover("a@example.com"),
		"guess imap.example.com:143/starttls pop.example.com:995/tls mail.example.com:587/starttls a@example.com a@example.com")
}

// TestGuessExchanger: a server of one's own is often called as the MX record says.
func TestGuessExchanger(t *testing.T) {
	w := newWorld(t)
	w.mx = []string{"mx1.example.com"}
	w.mailServer("mx1.example.com:993", w.tlsGreets(w.cert, "* OK ready"))
	w.mailServer("mx1.example.com:465", w.tlsGreets(w.cert, "220 ready"))
	w.want(w.discover("a@example.com"), "guess mx1.example.com:993/tls - mx1.example.com:465/tls a@example.com a@example.com")
}

// TestRefusalOfTLS: a server that does not want to encrypt is not proposed.
func TestRefusalOfTLS(t *testing.T) {
	w := newWorld(t)
	w.mailServer("imap.example.com:143", w.startsTLS("* OK ready", "a1 NO not here"))
	w.mailServer("smtp.example.com:587", w.startsTLS("220 ready", "250 smtp", "502 what?"))
	w.want(w.discover("a@example.com"))
}

// TestFillUp: DNS tells only the mailbox; how to send is found elsewhere.
func TestFillUp(t *testing.T) {
	w := newWorld(t)
	w.srv = map[string]string{"_imaps": "box.example.com:993"}
	w.pages["example.com/.well-known/autoconfig/mail/config-v1.1.xml"] = page(autoconfigFile)
	w.want(w.discover("a@example.com"),
		"srv box.example.com:993/tls - out.example.com:587/starttls a@example.com a@example.com", autoconfigFound)
}

// TestSilence: servers that say nothing cost a bounded time.
func TestSilence(t *testing.T) {
	w := newWorld(t)
	w.silent = true
	w.network.Timeout = 300 * time.Millisecond
	w.mailServer("imap.example.com:993", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	w.mailServer("imap.example.com:143", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	w.pages["autoconfig.example.com/mail/config-v1.1.xml"] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	began := time.Now()
	w.want(w.discover("a@example.com"))
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestNoAddress(t *testing.T) {
	w := newWorld(t)
	for _, address := range []string{"", "support", "support@", "@example.com", "a@localhost", "a@exa mple.com", "a@-.com", "a@1.2.3.4", "a@[1.2.3.4]", "a@b..com", "a@" + strings.Repeat("a.", 130) + "com"} {
		if found, err := Discover(t.Context(), w.network, address); err == nil {
			t.Errorf("%q: %v", address, found)
		}
	}
	if w.asked.Load()+w.dials.Load() > 0 {
		t.Error("the network was asked")
	}
	if _, domain, err := split("a@日本.jp"); err != nil || domain != "xn--wgv71a.jp" {
		t.Errorf("%q, %v", domain, err)
	}
}
