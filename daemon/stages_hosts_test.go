package daemon

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

// People and secrets of the failing hosts. None of the secrets may be printed.
const (
	stageUser     = "support@mail.test"
	stageBusy     = "busy@mail.test"     // has all the connections that it may have
	stageReadOnly = "readonly@mail.test" // whose folder cannot be written to
	stageFull     = "full-box@mail.test" // over its quota
	stageCustomer = "kunde@customer.test"
	stagePassword = "s3cret-word"
	stageWrong    = "wr0ng-word"
	proxyPassword = "pr0xy-word"
	stageToken    = "t0ken-that-nobody-issued"
	downToken     = "t0ken-while-the-service-is-down"
	stageRefresh  = "refresh-t0ken-of-long-ago"
	clientSecret  = "cl1ent-secret"
)

// failingHosts are real servers, each kind started once, and what stands
// between us and them.
type failingHosts struct {
	dir       string
	hosts     *loopback.Hosts // a certificate that signs itself
	strict    *loopback.Hosts // an expired certificate; they demand one from us, too
	old       *loopback.Hosts // a certificate for another name; Postfix speaks TLS 1.1 at most and takes only small mails
	authority *loopback.Authority
	signIn    *loopback.OAuth
	resolver  *net.Resolver
	expired   tls.Certificate
	trust     map[string]string // name of a [[trust]] table: its line
	keys      map[string]string // name of a [[key]] table: its file
}

func newFailingHosts(t *testing.T) *failingHosts {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	h := &failingHosts{dir: t.TempDir(), trust: map[string]string{}, keys: map[string]string{}}
	now := time.Now()
	var err error
	h.authority, err = loopback.NewAuthority(now)
	must(err)
	stranger, err := loopback.NewAuthority(now)
	must(err)
	h.expired, err = h.authority.Sign(now.Add(-time.Hour), "mail.test", "127.0.0.1")
	must(err)
	expiredCert, expiredKey, err := loopback.PEM(h.expired)
	must(err)
	other, err := h.authority.Sign(now.AddDate(0, 2, 0), "other.test")
	must(err)
	otherCert, otherKey, err := loopback.PEM(other)
	must(err)
	h.signIn, err = loopback.NewOAuth(loopback.OAuthOptions{ClientSecret: clientSecret})
	must(err)
	t.Cleanup(func() { h.signIn.Close() })
	users := []loopback.HostUser{}
	for _, user := range []string{stageUser, stageBusy, stageReadOnly, stageFull, stageCustomer} {
		users = append(users, loopback.HostUser{Address: user, Password: stagePassword})
	}
	h.hosts = loopback.NeedHosts(t, loopback.HostOptions{
		Users: users, Mechanisms: "plain login cram-md5 xoauth2 oauthbearer", OAuth: introspection(t), Faults: true, OwnSender: true, NoOpenRelay: true,
		MaxConnections: 2, Quota: 64 << 10,
	})
	h.strict = loopback.NeedHosts(t, loopback.HostOptions{Users: users, CertPEM: expiredCert, KeyPEM: expiredKey, ClientCAs: h.authority.PEM})
	h.old = loopback.NeedHosts(t, loopback.HostOptions{Users: users, CertPEM: otherCert, KeyPEM: otherKey, OldTLS: true, MaxSize: 300})
	h.resolver = namesOf(t)
	for name, content := range map[string][]byte{"hosts": h.hosts.CertPEM, "authority": h.authority.PEM, "stranger": stranger.PEM} {
		path := filepath.Join(h.dir, name+".pem")
		must(os.WriteFile(path, content, 0o600))
		h.trust[name] = "file = '" + path + "'"
	}
	h.trust["expired"] = "fingerprint = '" + connect.Fingerprint(h.expired.Leaf) + "'"
	h.trust["pin"] = "fingerprint = '" + connect.Fingerprint(other.Leaf) + "'"
	foreign, err := stranger.Sign(now.AddDate(0, 2, 0), "desk")
	must(err)
	cert, key, err := loopback.PEM(foreign)
	must(err)
	h.keys["foreign"] = filepath.Join(h.dir, "foreign.pem")
	must(os.WriteFile(h.keys["foreign"], append(cert, key...), 0o600))
	must(os.WriteFile(filepath.Join(h.dir, "client"), []byte(clientSecret), 0o600))
	must(h.hosts.Deliver(stageUser, []byte("From: "+stageCustomer+"\r\nSubject: Hello\r\n\r\nHello\r\n")))
	must(h.hosts.Deliver(stageFull, []byte("From: "+stageCustomer+"\r\nSubject: Large\r\n\r\n"+strings.Repeat("x", 100<<10)+"\r\n")))
	must(os.Chmod(filepath.Join(h.hosts.Dir, "mail", "mail.test", "readonly", "cur"), 0o555))
	return h
}

// introspection is where Dovecot asks about access tokens: it knows none, and
// about one it cannot say anything just now.
func introspection(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("token") == downToken {
			http.Error(w, "the database is down", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"active": false}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// namesOf is a name server: whatever ends in .test is this machine, but
// broken.test, about which it fails, and silent.test, about which it is silent.
func namesOf(t *testing.T) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for buf := make([]byte, 1500); ; {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := nameAnswer(buf[:n]); answer != nil {
				_, _ = pc.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() { pc.Close(); <-ended })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func nameAnswer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionAvailable: true}, Questions: m.Questions}
	switch name := strings.ToLower(q.Name.String()); {
	case strings.HasPrefix(name, "silent.test."):
		return nil
	case strings.HasPrefix(name, "broken.test."):
		answer.RCode = dnsmessage.RCodeServerFailure
	case !strings.HasSuffix(name, ".test."):
		answer.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}
		answer.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: netip.MustParseAddr("127.0.0.1").As4()}}}
	}
	packed, err := answer.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// listen lets talk have each connection until the test ends, and returns the address.
func listen(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); talk(c) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// says is a server that greets and answers each line by the first of the
// answers ("what it has=>the answer") that fits; %s is the line's tag, %l the
// line as it came.
func says(t *testing.T, greeting string, answers ...string) string {
	return listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, greeting+"\r\n")
		for lines := bufio.NewScanner(c); lines.Scan(); {
			line := lines.Text()
			for _, one := range answers {
				command, answer, _ := strings.Cut(one, "=>")
				if strings.Contains(line, command) {
					tag, _, _ := strings.Cut(line, " ")
					_, _ = io.WriteString(c, strings.NewReplacer("%s", tag, "%l", line).Replace(answer)+"\r\n")
					break
				}
			}
		}
	})
}

// silent accepts connections and never says a word.
func silent(t *testing.T) string {
	return listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
}

// nobodyAt is an address at which nothing listens.
func nobodyAt(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// encrypted is a server that has this certificate and no more.
func encrypted(t *testing.T, o *tls.Config) string {
	return listen(t, func(c net.Conn) {
		if tls.Server(c, o).Handshake() == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	})
}

// tunnel is an HTTP proxy that connects to a port of this machine.
func tunnel(t *testing.T) string {
	return listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, port, _ := net.SplitHostPort(r.Host)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		splice(c, in, "127.0.0.1:"+port, func(b []byte) []byte { return b })
	})
}

// withoutMove stands before a server and strikes MOVE from what it offers.
func withoutMove(t *testing.T, address string) string {
	return listen(t, func(c net.Conn) {
		splice(c, c, address, func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), " MOVE", "")) })
	})
}

// splice connects c to address; what comes back goes through change.
func splice(c net.Conn, in io.Reader, address string, change func([]byte) []byte) {
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		defer c.Close()
		for buf := make([]byte, 32<<10); ; {
			n, err := to.Read(buf)
			if n > 0 {
				if _, werr := c.Write(change(buf[:n])); werr != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	_, _ = io.Copy(to, in)
	to.Close()
	<-back
}

// webServer answers web browsers, with TLS or without.
func webServer(t *testing.T, answer http.HandlerFunc) string {
	server := httptest.NewUnstartedServer(answer)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// occupy opens as many connections of a user as the user may have.
func (h *failingHosts) occupy(t *testing.T) {
	t.Helper()
	for address, lines := range map[string][]string{
		h.hosts.IMAP: {"a LOGIN " + stageBusy + " " + stagePassword}, h.hosts.POP3: {"USER " + stageBusy, "PASS " + stagePassword},
	} {
		for range 2 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			in := bufio.NewReader(c)
			answer, err := in.ReadString('\n')
			for _, line := range lines {
				if err == nil {
					_, err = io.WriteString(c, line+"\r\n")
				}
				if err == nil {
					answer, err = in.ReadString('\n')
				}
			}
			for err == nil && !strings.HasPrefix(answer, "a OK") && !strings.HasPrefix(answer, "+OK") {
				answer, err = in.ReadString('\n')
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
