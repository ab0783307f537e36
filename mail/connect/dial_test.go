package connect

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"helpdesk/mail"
)

// nameserver is a DNS server on this machine that knows the names in zone; the
// name "silent.test." it does not answer at all.
func nameserver(t *testing.T, zone map[string][]string) *net.Resolver {
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
			if answer := nameAnswer(buf[:n], zone); answer != nil {
				_, _ = pc.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() { pc.Close(); <-ended })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func nameAnswer(query []byte, zone map[string][]string) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	name := strings.TrimSuffix(strings.ToLower(q.Name.String()), ".")
	if name == "silent.test" {
		return nil
	}
	answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionAvailable: true}, Questions: m.Questions}
	addresses, known := zone[name]
	if !known {
		answer.RCode = dnsmessage.RCodeNameError
	}
	for _, text := range addresses {
		addr := netip.MustParseAddr(text)
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}
		if addr.Is4() && q.Type == dnsmessage.TypeA {
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		} else if addr.Is6() && q.Type == dnsmessage.TypeAAAA {
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	packed, err := answer.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// TestResolveAndDialAreSteps: they are told apart in the stages and the errors.
func TestResolveAndDialAreSteps(t *testing.T) {
	up := server(t, untilGone)
	up.Resolver = nameserver(t, map[string][]string{
		"mail.test": {"127.0.0.1"}, "two.test": {"127.0.0.2", "127.0.0.1"}, "both.test": {"::1", "127.0.0.1"}, "closed.test": {"127.0.0.2", "127.0.0.3", "::1"},
	})
	up.DialTimeout = 5 * time.Second
	for host, address := range map[string]string{"mail.test": "127.0.0.1", "two.test": "127.0.0.2, 127.0.0.1", "both.test": ", "} {
		s, stages := traced(up)
		s.Host = host
		dial(t, s)
		got := *stages
		if steps(got) != "resolve dial " || !strings.Contains(got[0].Facts[0].Value, address) && !strings.Contains(got[0].Facts[0].Value, "127.0.0.1, 127.0.0.2") {
			t.Fatalf("%s: %s%+v", host, steps(got), got)
		}
		if facts := got[1].Facts; facts[0].Value != net.JoinHostPort("127.0.0.1", strings.TrimPrefix(up.Server(), "127.0.0.1:")) || facts[1].Value != "IPv4" {
			t.Errorf("%s: %+v", host, facts)
		}
	}

	s, stages := traced(up)
	s.Host = "nowhere.test"
	_, err := Dial(t.Context(), s)
	var dns *net.DNSError
	if e, ok := err.(*mail.Error); !ok || e.Step != mail.StepResolve || e.Temporary || !errors.As(err, &dns) || !dns.IsNotFound || steps(*stages) != "resolve failed " {
		t.Errorf("%v, %s", err, steps(*stages))
	}
	s.Host, s.DialTimeout = "silent.test", 200*time.Millisecond
	started := time.Now()
	_, err = Dial(t.Context(), s)
	if e, ok := err.(*mail.Error); !ok || e.Step != mail.StepResolve || !e.Temporary || !errors.As(err, &dns) || !dns.IsTimeout || time.Since(started) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
	s.Host, s.DialTimeout = "closed.test", 5*time.Second
	_, err = Dial(t.Context(), s)
	e, ok := err.(*mail.Error)
	if !ok || e.Step != mail.StepDial || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("%v", err)
	}
	for _, address := range []string{"127.0.0.2:", "127.0.0.3:", "[::1]:"} {
		if !strings.Contains(e.Error(), address) {
			t.Errorf("%v does not name %s", e, address)
		}
	}
}

func TestAddressesInTurn(t *testing.T) {
	for in, want := range map[string]string{
		"::1 ::2 ::3 10.0.0.1 10.0.0.2":     "::1 10.0.0.1 ::2 10.0.0.2 ::3",
		"10.0.0.1 10.0.0.2 ::ffff:10.0.0.3": "10.0.0.1 10.0.0.2 10.0.0.3",
		"10.0.0.1 ::1 ::2":                  "10.0.0.1 ::1 ::2",
	} {
		var found []netip.Addr
		for _, text := range strings.Fields(in) {
			found = append(found, netip.MustParseAddr(text))
		}
		var got []string
		for _, a := range inTurn(found) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// TestTellingErrorFirst: that a family does not work here says less than that
// the port is closed, and so does silence.
func TestTellingErrorFirst(t *testing.T) {
	for _, test := range []struct {
		err  error
		rank int
	}{{syscall.ECONNREFUSED, 0}, {context.DeadlineExceeded, 1}, {&net.DNSError{IsTimeout: true}, 1}, {syscall.ENETUNREACH, 2}, {&net.OpError{Err: syscall.EHOSTUNREACH}, 2}} {
		if got := saysLittle(test.err); got != test.rank {
			t.Errorf("%v: %d", test.err, got)
		}
	}
}

// TestSilentAddress: one that does not answer holds nobody up, and of two that
// answer at once one is hung up.
func TestSilentAddress(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}
	here, there := net.Pipe()
	defer there.Close()
	cancelled := 0
	conn, err := race(t.Context(), addrs, 25, func(ctx context.Context, _, address string) (net.Conn, error) {
		if address == "192.0.2.2:25" {
			return here, nil
		}
		<-ctx.Done()
		cancelled++ // race waits for it
		return nil, ctx.Err()
	})
	if err != nil || conn != here || cancelled != 1 {
		t.Errorf("%v, %v, %d cancelled", conn, err, cancelled)
	}

	all := make(chan struct{})
	begun := make(chan struct{}, len(addrs))
	go func() {
		for range addrs {
			<-begun
		}
		close(all)
	}()
	late, lateEnd := net.Pipe()
	_, err = race(t.Context(), addrs, 25, func(_ context.Context, _, address string) (net.Conn, error) {
		begun <- struct{}{}
		<-all
		if address == "192.0.2.1:25" {
			return nil, errors.New("no")
		}
		return late, nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := lateEnd.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the loser was not closed: %v", err)
	}
}

func TestGreetingTimeout(t *testing.T) {
	for _, test := range []struct {
		protocol string
		port     int
		security Security
		want     time.Duration
	}{
		{"imap", 143, StartTLS, DefaultDialTimeout}, {"imap", 993, TLS, DefaultDialTimeout}, {"imap", 993, StartTLS, greetingSoon},
		{"pop3", 995, Plain, greetingSoon}, {"smtp", 587, StartTLS, DefaultIdleTimeout}, {"smtp", 465, StartTLS, greetingSoon},
	} {
		s := Settings{Protocol: test.protocol, Port: test.port, Security: test.security}.WithDefaults()
		if got := s.GreetingTimeout(); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
