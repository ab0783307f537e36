package daemon_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"helpdesk/store"
	"helpdesk/ui"
)

// tunnel is another address of a server.
func tunnel(t *testing.T, server string) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return // closed
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				in.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					io.Copy(pair[0], pair[1]) // until one hangs up
					in.Close()
					out.Close()
				}()
			}
		}
	}()
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

const secondDesk = `[[desk]]
name = "Sales"
key = "SAL"
address = "sales@mail.test"
agents = ["aki@mail.test"]
  [desk.mailbox]
  host = "localhost"
  port = %s
  security = "none"
  username = "%s"
  password = "secret"
  poll = "5s"
`

// twoDesks starts an office with a second desk, whose mailbox is reached
// another way.
func twoDesks(t *testing.T, user string) *office {
	t.Helper()
	o := newOffice(t, func(s *officeSettings) { s.Agents = []string{"aki"} })
	o.set.More = fmt.Sprintf(secondDesk, tunnel(t, o.hosts.IMAP), user)
	o.writeConfig()
	return o
}

func (o *office) mailboxes(what string, holds func(first, second ui.PartStatus) bool) (first, second ui.PartStatus) {
	o.t.Helper()
	o.eventually(what, func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		if err != nil {
			return false, err
		}
		first, second = s.Desks[0].Mailbox, s.Desks[1].Mailbox
		return holds(first, second), nil
	})
	return first, second
}

// TestSameMailbox: of two desks that reach one mailbox by other names, which
// nobody can tell from the configuration, only the later one is stopped. It
// shows when they are connected, or with the first mail.
func TestSameMailbox(t *testing.T) {
	for _, before := range []int{0, 15} {
		t.Run(fmt.Sprintf("%d mails", before), func(t *testing.T) {
			t.Parallel()
			o := twoDesks(t, "Support@Mail.Test")
			for i := range before {
				if err := o.hosts.Deliver(support, []byte(oldMail(i))); err != nil {
					t.Fatal(err)
				}
			}
			o.start()
			stopped := func(first, second ui.PartStatus) bool { return first.State == "ok" && second.State == "stopped" }
			if before == 0 {
				o.mailboxes("both are read", func(first, second ui.PartStatus) bool { return first.State == "ok" && second.State == "ok" })
			} else {
				o.mailboxes("the later desk is stopped", stopped)
			}
			o.send("p1@customer.test", support, plain(1))
			_, second := o.mailboxes("the later desk is stopped", stopped)
			if !strings.Contains(second.Title, `"Support"`) || !strings.Contains(second.Title, `"Sales"`) || len(second.Remedy) != 1 {
				t.Errorf("the second mailbox is %+v", second)
			}
			o.request("SUP-1", 1)
			for i := 2; i < 5; i++ {
				o.send("p@customer.test", support, plain(i))
			}
			o.request("SUP-4", 1)
			o.settled()
			all, err := o.info.Store.Requests(t.Context(), store.RequestFilter{})
			if err != nil || len(all) != 4 {
				t.Errorf("%d requests of 4 mails, %v", len(all), err)
			}
		})
	}
}

// TestTwoMailboxes: one mail that came to two desks does not make their
// mailboxes one.
func TestTwoMailboxes(t *testing.T) {
	t.Parallel()
	o := twoDesks(t, "sales@mail.test")
	o.start()
	both := func(first, second ui.PartStatus) bool { return first.State == "ok" && second.State == "ok" }
	o.mailboxes("both are read", both)
	for i := range 3 {
		o.send("p@customer.test", support, plain(i))
		o.send("p@customer.test", "sales@mail.test", plain(i))
	}
	o.request("SUP-3", 1)
	o.request("SAL-3", 1)
	o.stop()
	o.start()
	o.mailboxes("both are read again", both)
}
