package connect

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"helpdesk/mail"
)

// headStart is what an address is given before the next one is tried beside it
// (RFC 8305 section 5).
const headStart = 250 * time.Millisecond

// maxAddresses bounds how many of a host's addresses are tried.
const maxAddresses = 16

// resolve looks the host up; an IP address is taken as it is. It is a step of
// its own, so that a name that is not known and a server that does not answer
// can be told apart, and each has its time.
func (c *Conn) resolve(ctx context.Context) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(c.settings.Host); err == nil {
		return []netip.Addr{addr}, nil
	}
	c.Begin(mail.StepResolve)
	addrs, err := c.settings.lookup(ctx, c.settings.Host)
	if err != nil {
		e := c.settings.Error(mail.StepResolve, err)
		c.End(e)
		return nil, e
	}
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	c.End(nil, Fact{"addresses", strings.Join(texts, ", ")})
	return addrs, nil
}

// lookup gives the addresses of host in the order in which to try them: as the
// resolver ranks them (RFC 6724), the families in turn.
func (s Settings) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.DialTimeout)
	defer cancel()
	resolver := s.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	found, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	return inTurn(found), nil
}

// inTurn mixes the families: the best address, the best of the other family,
// and so on (RFC 8305 section 4).
func inTurn(found []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for i, a := range found {
		if found[i] = a.Unmap(); found[i].Is4() == found[0].Is4() {
			first = append(first, found[i])
		} else {
			second = append(second, found[i])
		}
	}
	mixed := make([]netip.Addr, 0, len(found))
	for i := range max(len(first), len(second)) {
		mixed = append(mixed, first[min(i, len(first)):min(i+1, len(first))]...)
		mixed = append(mixed, second[min(i, len(second)):min(i+1, len(second))]...)
	}
	return mixed[:min(len(mixed), maxAddresses)]
}

// dial connects to the first of the addresses that answers.
func (s Settings) dial(ctx context.Context, addrs []netip.Addr, port int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.DialTimeout)
	defer cancel()
	return race(ctx, addrs, port, new(net.Dialer).DialContext)
}

// race begins with one address, and with the next when that fails or has not
// answered within headStart. It waits for all that it began.
func race(ctx context.Context, addrs []netip.Addr, port int, dial func(ctx context.Context, network, address string) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		conn net.Conn
		err  error
	}
	var (
		outcomes = make(chan outcome)
		failed   dialErrors
		pending  int
	)
	next := func() {
		address := net.JoinHostPort(addrs[0].String(), strconv.Itoa(port))
		addrs = addrs[1:]
		pending++
		go func() { // ends with ctx, and is waited for
			conn, err := dial(ctx, "tcp", address)
			outcomes <- outcome{conn, err}
		}()
	}
	more := time.NewTicker(headStart)
	defer more.Stop()
	var won net.Conn
	for next(); pending > 0; {
		select {
		case <-more.C:
			if won == nil && len(addrs) > 0 {
				next()
			}
		case o := <-outcomes:
			pending--
			switch {
			case o.err != nil:
				failed = append(failed, o.err)
			case won == nil:
				won = o.conn
				cancel()
			default:
				_ = o.conn.Close() // it lost
			}
			if won == nil && pending == 0 && len(addrs) > 0 && ctx.Err() == nil {
				next()
			}
		}
	}
	if won != nil {
		return won, nil
	}
	if len(failed) == 1 {
		return nil, failed[0]
	}
	slices.SortStableFunc(failed, func(a, b error) int { return cmp.Compare(saysLittle(a), saysLittle(b)) })
	return nil, failed
}

// dialErrors are the failures at all addresses of a host; each names its own.
type dialErrors []error

func (e dialErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives the most telling error first, which errors.As finds.
func (e dialErrors) Unwrap() []error { return e }

// saysLittle ranks the failures of several addresses: that one family does not
// work here says less than that the server's port is closed.
func saysLittle(err error) int {
	switch {
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return 2
	case errors.Is(err, context.DeadlineExceeded):
		return 1
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return 1
	}
	return 0
}

// family is "IPv6" or "IPv4".
func family(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.To4() == nil {
		return "IPv6"
	}
	return "IPv4"
}
