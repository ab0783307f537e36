package daemon_test

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// TestFailing: what is wrong is said in words, in the status and on the page,
// and the daemon goes on.
func TestFailing(t *testing.T) {
	for _, c := range []struct {
		name, cause string
		change      func(*office)
	}{
		{"unreachable server", "net-refused", func(o *office) { o.set.IMAPPort = "1" }},
		{"refused login", "auth-bad-credentials", func(o *office) { o.set.Password = "wrong-password" }},
		{"wrong certificate", "tls-hostname-mismatch", func(o *office) { o.set.IMAPHost, o.set.IMAPPort = split(o.t, otherName(o.t, o.hosts.IMAPS)) }},
		{"unknown certificate", "tls-unknown-authority", func(o *office) {
			other := newOtherCertificate(o.t)
			if err := os.WriteFile(o.set.CertFile, other, 0o600); err != nil {
				o.t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, nil)
			c.change(o)
			o.writeConfig()
			o.start()
			o.eventually("the mailbox is shown as failing", func(ctx context.Context) (bool, error) {
				s, err := o.info.Status(ctx)
				if err != nil || s.Desks[0].Mailbox.State != "failing" {
					return false, err
				}
				part := s.Desks[0].Mailbox
				if part.Cause != c.cause || part.Title == "" || len(part.Remedy) == 0 {
					t.Errorf("the status says %+v, want the cause %s", part, c.cause)
				}
				page := o.page("/")
				if !strings.Contains(page, part.Title) || strings.Contains(page, "wrong-password") {
					t.Errorf("the page does not say %q, or shows the password:\n%s", part.Title, page)
				}
				return true, nil
			})
			if got := o.page("/healthz"); !strings.Contains(got, "ok") {
				t.Errorf("/healthz says %q", got)
			}
		})
	}
}

// otherName makes a server reachable under an address that its certificate
// does not name.
func otherName(t *testing.T, server string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.2:0")
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
				return
			}
			go pass(in, out)
			go pass(out, in)
		}
	}()
	return listener.Addr().String()
}

func pass(to, from net.Conn) {
	io.Copy(to, from) // ends when either side closes
	to.Close()
	from.Close()
}
