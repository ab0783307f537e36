package connect

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/mail"
)

// tunnels is a proxy; asked are the "host:port" that clients wanted.
type tunnels struct {
	address string
	answer  string // of the HTTP proxy instead of a connection
	reply   byte   // of the SOCKS proxy instead of a connection
	login   string // "user:password" that it demands

	mu    sync.Mutex
	asked []string
}

// serve lets talk have each connection, until the test ends.
func (p *tunnels) serve(t *testing.T, talk func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
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
}

// tunnel connects c to a server on this machine, whatever its name, at that port.
func (p *tunnels) tunnel(c net.Conn, in io.Reader, wanted string, yes string) {
	p.mu.Lock()
	p.asked = append(p.asked, wanted)
	p.mu.Unlock()
	_, port, _ := net.SplitHostPort(wanted)
	to, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return
	}
	defer to.Close()
	_, _ = io.WriteString(c, yes)
	back := make(chan struct{})
	go func() { defer close(back); _, _ = io.Copy(c, to); c.Close() }()
	_, _ = io.Copy(to, in)
	to.Close()
	<-back
}

func (p *tunnels) http(c net.Conn) {
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil || r.Method != http.MethodConnect {
		return
	}
	if p.answer != "" {
		_, _ = io.WriteString(c, p.answer)
		return
	}
	given, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Proxy-Authorization"), "Basic "))
	if string(given) != p.login {
		_, _ = fmt.Fprintf(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n<html><body>Sign in first, %s</body>", given)
		return
	}
	p.tunnel(c, in, r.Host, "HTTP/1.1 200 Connection established\r\n\r\n")
}

func (p *tunnels) socks(c net.Conn) {
	in := bufio.NewReader(c)
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(in, b)
		return b
	}
	methods := read(int(read(2)[1]))
	method := byte(0xff)
	want := byte(0)
	if p.login != "" {
		want = 2
	}
	if strings.ContainsRune(string(methods), rune(want)) {
		method = want
	}
	_, _ = c.Write([]byte{5, method})
	if method == 0xff {
		return
	}
	if method == 2 {
		name := read(int(read(2)[1]))
		password := read(int(read(1)[0]))
		if string(name)+":"+string(password) != p.login {
			_, _ = c.Write([]byte{1, 1})
			return
		}
		_, _ = c.Write([]byte{1, 0})
	}
	host := ""
	switch read(4)[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	}
	wanted := net.JoinHostPort(host, fmt.Sprint(binary.BigEndian.Uint16(read(2))))
	if p.reply != 0 {
		_, _ = c.Write([]byte{5, p.reply, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	p.tunnel(c, in, wanted, "\x05\x00\x00\x03\x04self\x00\x19")
}

// greets is a server that speaks first, as mail servers do.
func greets(t *testing.T) Settings {
	return server(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "220 hello\r\n")
		untilGone(c)
	})
}

// TestThroughProxies: the proxy is asked for the name, which is not looked up
// here, and the server's first words are not lost.
func TestThroughProxies(t *testing.T) {
	target := greets(t)
	for _, kind := range []string{"http", "socks5"} {
		for _, login := range []string{"", "desk:p@ss:word"} {
			for _, host := range []string{"not-known-here.test", "127.0.0.1", "2001:db8::1"} {
				p := &tunnels{login: login}
				if kind == "http" {
					p.serve(t, p.http)
				} else {
					p.serve(t, p.socks)
				}
				s, stages := traced(target)
				s.Host, s.Proxy = host, kind+"://"+p.address
				if login != "" {
					s.Proxy = kind + "://desk:p%40ss%3Aword@" + p.address
				}
				c, err := Dial(t.Context(), s)
				if err != nil {
					t.Errorf("%s to %s: %v", s.Proxy, host, err)
					continue
				}
				if line, err := c.ReadLine(); line != "220 hello" || err != nil {
					t.Errorf("%s to %s: %q, %v", s.Proxy, host, line, err)
				}
				c.Close()
				if len(p.asked) != 1 || p.asked[0] != s.Server() {
					t.Errorf("%s to %s: asked for %q", s.Proxy, host, p.asked)
				}
				if steps(*stages) != "proxy " || (*stages)[0].Facts[0].Value != kind+"://"+p.address {
					t.Errorf("%+v", *stages)
				}
				if c.PasswordAllowed() == nil {
					t.Error("a password may go through the proxy in the clear")
				}
			}
		}
	}
}

func TestProxyRefuses(t *testing.T) {
	target := greets(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	long := strings.Repeat("x", 2*maxProxyHeader)
	page := func(status, header, body string) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, header, len(body), body)
	}
	tests := []struct {
		name      string
		kind      string // of the address; "": nothing listens there
		proxy     *tunnels
		user      string
		code      string
		reply     int
		text      string // a part of it
		temporary bool
	}{
		{"no login", "http", &tunnels{login: "desk:secret"}, "", "407", 0, "Sign in first", false},
		{"wrong login", "http", &tunnels{login: "desk:secret"}, "desk:hidden-word@", "407", 0, "Sign in first, ***", false},
		{"forbidden", "http", &tunnels{answer: page("403 Forbidden", "", "<html><head><title>No</title><style>x{}</style></head><body>Port 993 is &amp; stays <b>closed</b></body>")}, "", "403", 0, "403 Forbidden Port 993 is & stays closed", false},
		{"bad gateway", "http", &tunnels{answer: page("502 Bad Gateway", "", "")}, "", "502", 0, "502 Bad Gateway", true},
		{"portal that redirects", "http", &tunnels{answer: page("302 Found", "Location: http://login.hotel.test/\r\n", "")}, "", "302", 0, "http://login.hotel.test/", false},
		{"portal that says yes", "http", &tunnels{answer: page("200 OK", "Content-Type: text/html\r\n", "<html><head><title>Welcome to the hotel</title></head></html>")}, "", "200", 0, "Welcome to the hotel", false},
		{"portal that says yes without a type", "http", &tunnels{answer: page("200 OK", "", "Welcome to the hotel")}, "", "200", 0, "Welcome to the hotel", false},
		{"no HTTP", "http", &tunnels{answer: "SSH-2.0-x\r\n\r\n"}, "", "", 0, "not HTTP", true},
		{"no end", "http", &tunnels{answer: "HTTP/1.1 200 OK\r\nX: " + long}, "", "", 0, "does not end", true},
		{"no login", "socks5", &tunnels{login: "desk:secret"}, "", "", mail.SOCKSMethod, "requires a user name", false},
		{"wrong login", "socks5", &tunnels{login: "desk:secret"}, "desk:hidden-word@", "", mail.SOCKSLogin, "refused", false},
		{"rules", "socks5", &tunnels{reply: 2}, "", "", 2, "not allowed by its rules", false},
		{"host unreachable", "socks5", &tunnels{reply: 4}, "", "", 4, "host unreachable", true},
		{"unknown reply", "socks5", &tunnels{reply: 99}, "", "", 99, "reply 99", true},
		{"HTTP where SOCKS is meant", "socks5", &tunnels{answer: "x"}, "", "", -1, "", true},
		{"nothing listens", "", &tunnels{}, "", "", -1, "", true},
		{"unknown kind", "gopher", &tunnels{}, "", "", -1, "", false},
	}
	for _, test := range tests {
		t.Run(test.kind+" "+test.name, func(t *testing.T) {
			p := test.proxy
			p.address = closed.Addr().String()
			switch {
			case test.kind == "http":
				p.serve(t, p.http)
			case p.answer != "":
				p.serve(t, func(c net.Conn) {
					_, _ = c.Read(make([]byte, 3))
					_, _ = io.WriteString(c, "HTTP/1.1 400 what?\r\n\r\n")
				})
			case test.kind == "socks5":
				p.serve(t, p.socks)
			}
			s, stages := traced(target)
			kind := test.kind
			if kind == "" {
				kind = "http"
			}
			s.Proxy = kind + "://" + test.user + p.address
			_, err := Dial(t.Context(), s)
			e, ok := err.(*mail.Error)
			if !ok || e.Step != mail.StepProxy || e.Code != test.code || e.Temporary != test.temporary || !strings.Contains(e.Text, test.text) {
				t.Fatalf("%v: %+v", err, e)
			}
			var refused *mail.ProxyError
			if isRefusal := errors.As(err, &refused); isRefusal != (test.reply >= 0) || isRefusal && (refused.Reply != test.reply || refused.Proxy != p.address) {
				t.Errorf("%+v", refused)
			}
			if strings.Contains(e.Error(), "hidden-word") || strings.Contains(fmt.Sprint((*stages)[0].Facts), "hidden-word") {
				t.Errorf("password in %v", e)
			}
			if steps(*stages) != "proxy failed " {
				t.Error(steps(*stages))
			}
		})
	}
}

func TestSilentProxy(t *testing.T) {
	for _, kind := range []string{"http", "socks5"} {
		p := &tunnels{}
		p.serve(t, untilGone)
		s := greets(t)
		s.Proxy, s.DialTimeout = kind+"://"+p.address, 100*time.Millisecond
		_, err := Dial(t.Context(), s)
		timeout := net.Error(nil)
		if e, ok := err.(*mail.Error); !ok || e.Step != mail.StepProxy || !e.Temporary || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestProxyOfTheEnvironment: which one is chosen, and for what.
func TestProxyOfTheEnvironment(t *testing.T) {
	for _, test := range []struct{ all, https, no, setting, host, want string }{
		{"", "", "", "", "mail.test", ""},
		{"socks5://a:1080", "http://b:3128", "", "", "mail.test", "socks5://a:1080"},
		{"", "http://b:3128", "", "", "mail.test", "http://b:3128"},
		{"", "b:3128", "", "", "mail.test", "http://b:3128"},
		{"", "http://b:3128", ".test", "", "mail.test", ""},
		{"", "http://b:3128", "mail.test:993", "", "mail.test", ""},
		{"", "http://b:3128", "*", "", "mail.test", ""},
		{"", "http://b:3128", "", "", "localhost", ""},
		{"", "http://b:3128", "", "", "127.0.0.9", ""},
		{"", "http://b:3128", "", "", "::1", ""},
		{"", "http://b:3128", "", NoProxy, "mail.test", ""},
		{"", "http://b:3128", "mail.test", "socks5://c:1", "mail.test", "socks5://c:1"},
	} {
		for _, name := range []string{"all_proxy", "https_proxy", "no_proxy"} {
			t.Setenv(name, "")
		}
		t.Setenv("ALL_PROXY", test.all)
		t.Setenv("HTTPS_PROXY", test.https)
		t.Setenv("NO_PROXY", test.no)
		u, err := Settings{Host: test.host, Port: 993, Proxy: test.setting}.proxy()
		got := ""
		if u != nil {
			got = u.String()
		}
		if err != nil || got != test.want {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
	for _, bad := range []string{"socks5://", "://", "http://desk:hidden-word@[x", "proxy"} {
		_, err := Dial(t.Context(), Settings{Protocol: "imap", Host: "mail.test", Port: 993, Security: TLS, Proxy: bad})
		if e, ok := err.(*mail.Error); !ok || e.Step != mail.StepProxy || e.Temporary || strings.Contains(err.Error(), "hidden-word") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
