package fetch

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/mail/connect"
)

// popScript is a POP3 server whose answers a test writes itself, for those
// that no real server gives on request. Without on it keeps a maildrop as a
// server without faults does.
type popScript struct {
	greeting string // without CRLF
	caps     string // lines of CAPA, divided by "|"; "-": CAPA is unknown
	lineEnd  string // "": CRLF

	// on is what to do at a command, by its name; false lets the server go on
	// as usual.
	on map[string]func(c *popClient, args string) bool

	t        *testing.T
	listener net.Listener

	mu       sync.Mutex
	drop     []popLetter
	commands []string // of all sessions
}

type popLetter struct{ id, text string }

// popClient is the server's view of a session.
type popClient struct {
	*popScript
	conn    net.Conn
	in      *bufio.Reader
	mails   []popLetter
	deleted map[int]bool
}

func servePOP(t *testing.T, s *popScript, drop ...popLetter) *popScript {
	t.Helper()
	s.t, s.drop = t, drop
	if s.greeting == "" {
		s.greeting = "+OK ready"
	}
	if s.caps == "" {
		s.caps = "UIDL|TOP|USER|SASL PLAIN|RESP-CODES"
	}
	if s.lineEnd == "" {
		s.lineEnd = "\r\n"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
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
				s.mu.Lock()
				mails := slices.Clone(s.drop)
				s.mu.Unlock()
				(&popClient{popScript: s, conn: conn, in: bufio.NewReader(conn), mails: mails, deleted: map[int]bool{}}).talk()
			})
		}
	})
	t.Cleanup(func() { listener.Close(); all.Wait() })
	return s
}

func (c *popClient) talk() {
	c.send(c.greeting)
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		c.mu.Lock()
		c.commands = append(c.commands, line)
		c.mu.Unlock()
		name, args, _ := strings.Cut(line, " ")
		if do, ok := c.on[name]; ok && do(c, args) {
			continue
		}
		if c.usual(name, args); name == "QUIT" {
			return
		}
	}
}

func (c *popClient) usual(name, args string) {
	n, lines, _ := strings.Cut(args, " ")
	i, _ := strconv.Atoi(n)
	switch name {
	case "CAPA":
		if c.caps == "-" {
			c.send("-ERR unknown command")
			return
		}
		c.send("+OK")
		c.send(strings.Split(c.caps, "|")...)
		c.send(".")
	case "STAT":
		c.send(fmt.Sprintf("+OK %d 0", len(c.mails)))
	case "LIST", "UIDL":
		c.send("+OK")
		for i, m := range c.mails {
			if name == "LIST" {
				c.send(fmt.Sprintf("%d %d", i+1, len(m.text)))
			} else {
				c.send(fmt.Sprintf("%d %s", i+1, m.id))
			}
		}
		c.send(".")
	case "RETR":
		c.mail(c.mails[i-1].text)
	case "TOP":
		text := c.mails[i-1].text
		header, body, _ := strings.Cut(text, "\r\n\r\n")
		most, _ := strconv.Atoi(lines)
		all := strings.SplitAfter(body, "\r\n")
		c.mail(header + "\r\n\r\n" + strings.Join(all[:min(most, len(all))], ""))
	case "DELE":
		c.deleted[i] = true
		c.send("+OK marked")
	case "QUIT":
		c.expunge()
		c.send("+OK bye")
	default:
		c.send("+OK")
	}
}

// expunge removes what was marked from the maildrop.
func (c *popClient) expunge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.deleted {
		c.drop = slices.DeleteFunc(c.drop, func(m popLetter) bool { return m == c.mails[i-1] })
	}
}

// mail sends a mail as RFC 1939 section 3 says.
func (c *popClient) mail(text string) {
	text = strings.ReplaceAll("\r\n"+text, "\r\n.", "\r\n..")[2:]
	if !strings.HasSuffix(text, "\r\n") {
		text += "\r\n"
	}
	c.raw("+OK\r\n" + text + ".\r\n")
}

func (c *popClient) send(lines ...string) {
	if len(lines) > 0 {
		c.raw(strings.Join(lines, c.lineEnd) + c.lineEnd)
	}
}
func (c *popClient) raw(text string) { _, _ = c.conn.Write([]byte(text)) }

// deliver puts mails into the maildrop, for the next session.
func (s *popScript) deliver(mails ...popLetter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop = append(s.drop, mails...)
}

func (s *popScript) left() []popLetter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.drop)
}

// received are the commands with that beginning.
func (s *popScript) received(prefix string) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.commands {
		if strings.HasPrefix(c, prefix) {
			out = append(out, c)
		}
	}
	return out
}

func (s *popScript) settings() Settings {
	return Settings{
		Settings: connect.Settings{
			Protocol: "pop3", Host: "127.0.0.1", Port: s.listener.Addr().(*net.TCPAddr).Port, Security: connect.Plain,
			DialTimeout: long, IdleTimeout: long,
		},
		Login: connect.Login{Username: testUser, Password: testPassword}, SpoolDir: s.t.TempDir(), Numbers: new(numbers).give,
	}
}

func (s *popScript) open() *popSession {
	s.t.Helper()
	return openPOPWith(s.t, s.settings())
}

func openPOPWith(t *testing.T, set Settings) *popSession {
	t.Helper()
	s, err := openPOP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	s.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	t.Cleanup(func() { s.Close() })
	return s
}

// numbers gives each id a number, as the store does.
type numbers struct {
	ids   []string
	again uint32 // added to UIDValidity
}

func (n *numbers) give(_ context.Context, mails []UniqueID, _ bool) (Numbering, error) {
	out := Numbering{UIDValidity: 1 + n.again}
	for _, m := range mails {
		i := slices.Index(n.ids, m.ID)
		if i < 0 {
			i = len(n.ids)
			n.ids = append(n.ids, m.ID)
		}
		out.UIDs = append(out.UIDs, uint32(i+1))
	}
	out.Next = uint32(len(n.ids) + 1)
	return out, nil
}

// wholeDrop takes all that is listed.
func wholeDrop(t *testing.T, s Session) (mails []got, missing []uint32, err error) {
	t.Helper()
	list, err := s.List(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	missing, err = s.Fetch(t.Context(), list, collect(&mails))
	return mails, missing, err
}
