package loopback

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
)

// policy is a Postfix policy service (SMTPD_POLICY_README): Postfix asks it at
// each RCPT TO, with HostOptions.Faults at each command, so that a test can
// change the answers while connections are open.
type policy struct {
	listener net.Listener
	done     sync.WaitGroup

	mu     sync.Mutex
	faults map[string]string // when and address (lower case), as "RCPT x@mail.test": SMTP reply
	open   map[net.Conn]struct{}
	closed bool
}

func startPolicy() (*policy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the policy service: %w", err)
	}
	p := &policy{listener: listener, faults: map[string]string{}, open: map[net.Conn]struct{}{}}
	p.done.Go(p.accept)
	return p, nil
}

func (p *policy) port() string { return strconv.Itoa(p.listener.Addr().(*net.TCPAddr).Port) }

// Fault makes Postfix answer RCPT TO for this address with reply, as "450 4.2.0
// Greylisted", from now on and on open connections too; "" ends that. A reply
// of 421 makes it hang up as well.
func (h *Hosts) Fault(address, reply string) { h.FaultAt("RCPT", address, reply) }

// FaultAt makes Postfix answer so at another time: "CONNECT" (before its
// greeting) or "EHLO", with the address ""; "MAIL", "DATA" or "END-OF-MESSAGE",
// with the sender's address. It needs HostOptions.Faults.
func (h *Hosts) FaultAt(when, address, reply string) {
	key := when + " " + strings.ToLower(address)
	h.policy.mu.Lock()
	defer h.policy.mu.Unlock()
	if reply == "" {
		delete(h.policy.faults, key)
		return
	}
	h.policy.faults[key] = reply
}

func (p *policy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.mu.Lock()
		closed := p.closed
		if !closed {
			p.open[conn] = struct{}{}
			p.done.Go(func() { p.serve(conn) })
		}
		p.mu.Unlock()
		if closed {
			conn.Close()
		}
	}
}

// serve answers requests of name=value lines that end with an empty line.
func (p *policy) serve(conn net.Conn) {
	defer func() {
		p.mu.Lock()
		delete(p.open, conn)
		p.mu.Unlock()
		conn.Close()
	}()
	asked := map[string]string{}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			asked[name] = strings.ToLower(value)
			continue
		}
		key := strings.ToUpper(asked["protocol_state"]) + " "
		switch key {
		case "RCPT ":
			key += asked["recipient"]
		case "MAIL ", "DATA ", "END-OF-MESSAGE ":
			key += asked["sender"]
		}
		p.mu.Lock()
		action, ok := p.faults[key]
		p.mu.Unlock()
		if !ok {
			action = "DUNNO"
		}
		if _, err := fmt.Fprintf(conn, "action=%s\n\n", action); err != nil {
			return // Postfix connects again
		}
	}
}

func (p *policy) close() error {
	p.mu.Lock()
	already := p.closed
	p.closed = true
	for conn := range p.open {
		conn.Close()
	}
	p.mu.Unlock()
	if already {
		return nil
	}
	err := p.listener.Close()
	p.done.Wait()
	return err
}
