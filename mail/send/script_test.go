package send

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/mail/connect"
)

// What a scripted server does instead of answering.
const (
	cut    = "CUT"    // closes the connection
	silent = "SILENT" // says nothing more
)

// script is a relay that answers each command with the text given for it, or as
// a friendly server would. Keys are the verbs, GREETING, DOT for the end of the
// data, EARLY for 64 kB into the data (which it then leaves unread), and
// RESPONSE for a line of a login.
type script struct {
	t       *testing.T
	answers map[string]string
	host    string // where to listen; "": 127.0.0.1
	tls     *tls.Config
	seen    func(verb string) // called for each command, and for "." or "data broke off", if set

	settings Settings
	mutex    sync.Mutex
	log      []string
	data     strings.Builder
}

func (s *script) answer(verb string) string {
	if text, ok := s.answers[verb]; ok {
		return text
	}
	switch verb {
	case "GREETING":
		return "220 relay.example.com ready"
	case "EHLO":
		return "250-relay.example.com\r\n250-SIZE 1000000\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN"
	case "AUTH", "RESPONSE":
		return "235 2.7.0 ok"
	case "DATA":
		return "354 go ahead"
	case "STARTTLS":
		return "220 go ahead"
	}
	return "250 2.0.0 ok"
}

// start listens until the test ends.
func (s *script) start() *script {
	s.t.Helper()
	if s.host == "" {
		s.host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(s.host, "0"))
	if err != nil {
		s.t.Fatal(err)
	}
	var serving sync.WaitGroup
	var open sync.Map
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Store(conn, nil)
			serving.Go(func() { s.serve(conn) })
		}
	})
	s.t.Cleanup(func() {
		listener.Close()
		open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		serving.Wait()
	})
	s.settings = Settings{Anonymous: true, Settings: connect.Settings{
		Host: s.host, Port: listener.Addr().(*net.TCPAddr).Port, Security: connect.Plain,
		DialTimeout: 20 * time.Second, IdleTimeout: 20 * time.Second,
	}}
	return s
}

func (s *script) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	if !s.reply(conn, reader, "GREETING") {
		return
	}
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(line, " ")
		switch verb {
		case "EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT":
		default:
			verb = "RESPONSE"
		}
		s.note(line)
		if s.seen != nil {
			s.seen(verb)
		}
		answer := s.answer(verb)
		if !s.reply(conn, reader, verb) {
			return
		}
		switch {
		case verb == "STARTTLS" && s.tls != nil:
			conn = tls.Server(conn, s.tls)
			reader = bufio.NewReader(conn)
			s.answers["EHLO"] = "250-relay.example.com\r\n250 AUTH PLAIN"
		case verb == "DATA" && strings.HasPrefix(answer, "354"):
			if _, early := s.answers["EARLY"]; early {
				if _, err := io.CopyN(io.Discard, reader, 64<<10); err == nil {
					s.reply(conn, reader, "EARLY")
				}
				return
			}
			if !s.readData(reader) || !s.reply(conn, reader, "DOT") {
				return
			}
		}
	}
}

// reply reports whether the conversation goes on.
func (s *script) reply(conn net.Conn, reader *bufio.Reader, verb string) bool {
	switch text := s.answer(verb); text {
	case cut:
		return false
	case silent:
		_, _ = reader.ReadString(0) // until the client gives up
		return false
	default:
		_, err := conn.Write([]byte(text + "\r\n"))
		return err == nil
	}
}

func (s *script) readData(reader *bufio.Reader) bool {
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			s.end("data broke off")
			return false
		}
		if line == ".\r\n" {
			s.end(".")
			return true
		}
		s.data.WriteString(line)
	}
}

// end says how the data ended.
func (s *script) end(how string) {
	s.note(how)
	if s.seen != nil {
		s.seen(how)
	}
}

func (s *script) note(line string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.log = append(s.log, line)
}

// lines are the commands received so far.
func (s *script) lines() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return strings.Join(s.log, "\n")
}

// certificate is one for 127.0.0.1, and the client's trust in it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return &tls.Config{Certificates: server.TLS.Certificates}, pool
}
