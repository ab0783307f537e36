package fetch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// script is an IMAP server whose answers a test writes itself, for those that
// no real server gives on request. It answers every command with OK unless on
// has something for it.
type script struct {
	greeting     string // without CRLF
	capabilities string // before and after the login
	host         string // where to listen; "": 127.0.0.1
	// on is what to do at a command, by its name ("UID FETCH", not "FETCH").
	on map[string]func(c *client, args string)

	t        *testing.T
	listener net.Listener

	mu       sync.Mutex
	commands []string // as received, without tags
}

// silence is a greeting that is not sent.
const silence = "silence"

// client is the server's view of a connection.
type client struct {
	*script
	conn net.Conn
	in   *bufio.Reader
	tag  string
}

// serve starts the server; it ends with the test.
func serve(t *testing.T, s *script) *script {
	t.Helper()
	s.t = t
	if s.greeting == "" {
		s.greeting = "* OK ready"
	}
	if s.capabilities == "" {
		s.capabilities = "IMAP4rev1 AUTH=PLAIN SASL-IR ID IDLE MOVE UIDPLUS NAMESPACE"
	}
	if s.host == "" {
		s.host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(s.host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s.listener = listener
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				(&client{script: s, conn: conn, in: bufio.NewReader(conn)}).talk()
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	return s
}

// talk answers until the client is gone.
func (c *client) talk() {
	if c.greeting != silence {
		c.send(c.greeting)
	}
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		tag, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		c.mu.Lock()
		c.commands = append(c.commands, rest)
		c.mu.Unlock()
		name, args, _ := strings.Cut(rest, " ")
		if name == "UID" {
			var second string
			second, args, _ = strings.Cut(args, " ")
			name += " " + second
		}
		c.tag = tag
		if answer, ok := c.on[name]; ok {
			answer(c, args)
			continue
		}
		c.usual(name)
	}
}

// usual is how a server without faults answers.
func (c *client) usual(name string) {
	switch name {
	case "CAPABILITY":
		c.send("* CAPABILITY " + c.capabilities)
	case "SELECT":
		c.send("* 3 EXISTS", "* OK [UIDVALIDITY 42] ok", "* OK [UIDNEXT 8] ok")
	case "LIST":
		c.send(`* LIST (\Noselect) "/" ""`)
	case "NAMESPACE":
		c.send(`* NAMESPACE (("" "/")) NIL NIL`)
	case "LOGOUT":
		c.send("* BYE see you")
	}
	c.ok("done")
}

// send writes lines.
func (c *client) send(lines ...string) { c.raw(strings.Join(lines, "\r\n") + "\r\n") }

// raw writes bytes. That the client may be gone already is part of many tests.
func (c *client) raw(text string) { _, _ = c.conn.Write([]byte(text)) }

func (c *client) ok(text string)  { c.send(c.tag + " OK " + text) }
func (c *client) no(text string)  { c.send(c.tag + " NO " + text) }
func (c *client) bad(text string) { c.send(c.tag + " BAD " + text) }
func (c *client) hangUp()         { _ = c.conn.Close() }
func (c *client) line() string    { l, _ := c.in.ReadString('\n'); return strings.TrimRight(l, "\r\n") }
func literal(text string) string  { return fmt.Sprintf("{%d}\r\n%s", len(text), text) }
func says(text string) func(*client, string) {
	return func(c *client, _ string) { c.no(text) }
}

// received are the commands with that beginning.
func (s *script) received(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, c := range s.commands {
		if strings.HasPrefix(c, prefix) {
			out = append(out, c)
		}
	}
	return out
}

// long is longer than any test.
const long = time.Hour

const (
	testUser     = "support@mail.test"
	testPassword = "s3cret-\"pass\"word"
)

// settings reach the server.
func (s *script) settings() Settings {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	n, _ := strconv.Atoi(port)
	return Settings{
		Settings: connect.Settings{
			Protocol: "imap", Host: s.host, Port: n, Security: connect.Plain,
			DialTimeout: long, IdleTimeout: long, // a test that waits for silence sets them
		},
		Login: connect.Login{Username: testUser, Password: testPassword}, SpoolDir: s.t.TempDir(), Name: "helpdesk", Version: "0",
	}
}

// open opens a session with the server.
func (s *script) open() *imapSession {
	s.t.Helper()
	session, err := openIMAP(s.t.Context(), s.settings())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { session.Close() })
	return session
}

// got is a mail as a test compares it.
type got struct {
	UID       uint32
	Text      string
	Size      int64
	Truncated bool
}

// fetch asks for uids and returns what came.
func fetch(ctx context.Context, s *imapSession, uids ...uint32) (mails []got, missing []uint32, err error) {
	listed := make([]Listed, len(uids))
	for i, uid := range uids {
		listed[i].UID = uid
	}
	missing, err = s.Fetch(ctx, listed, collect(&mails))
	return mails, missing, err
}

func collect(mails *[]got) func(*mail.Raw) error {
	return func(r *mail.Raw) error {
		defer r.Close()
		text := make([]byte, r.Length)
		if _, err := r.Content.ReadAt(text, 0); err != nil && r.Length > 0 {
			return err
		}
		*mails = append(*mails, got{r.UID, string(text), r.Size, r.Truncated})
		return nil
	}
}

// failure requires that err is a *mail.Error without the password.
func failure(t *testing.T, err error) *mail.Error {
	t.Helper()
	e := (*mail.Error)(nil)
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *mail.Error", err, err)
	}
	for next := err; next != nil; next = errors.Unwrap(next) {
		if strings.Contains(next.Error(), testPassword) || strings.Contains(next.Error(), "s3cret") {
			t.Errorf("password in %v", next)
		}
	}
	return e
}
