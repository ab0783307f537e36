package provider

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
)

var errOther = errors.New("it speaks another protocol")

// guess tries the names that mail servers usually have, and the hosts that
// receive the domain's mail. What answers in the right protocol, encrypted and
// with a certificate for that name, is proposed; nothing is ever sent to it
// but the wish to encrypt.
func (s *search) guess(ctx context.Context, exchangers []string) []Candidate {
	at := func(port int, security string, names ...string) []Endpoint {
		var all []Endpoint
		for _, name := range names {
			all = append(all, Endpoint{name + "." + s.domain, port, security})
		}
		for _, host := range exchangers[:min(len(exchangers), 2)] {
			all = append(all, Endpoint{host, port, security})
		}
		return all
	}
	kinds := []struct {
		protocol string
		tries    []Endpoint
		answered Endpoint
	}{
		{protocol: "imap", tries: slices.Concat(at(993, TLS, "imap", "mail"), at(143, StartTLS, "imap", "mail"))},
		{protocol: "pop3", tries: at(995, TLS, "pop", "pop3", "mail")},
		{protocol: "smtp", tries: slices.Concat(at(465, TLS, "smtp", "mail"), at(587, StartTLS, "smtp", "mail"))},
	}
	var asked sync.WaitGroup
	for i := range kinds {
		k := &kinds[i]
		asked.Go(func() { k.answered = s.firstAnswer(ctx, k.protocol, k.tries) })
	}
	asked.Wait()
	return s.known(Candidate{
		Source: SourceGuess, IMAP: kinds[0].answered, POP3: kinds[1].answered, SMTP: kinds[2].answered,
		Username: s.address, UsernameSMTP: s.address,
	})
}

// firstAnswer tries all at once, and takes the first in their order.
func (s *search) firstAnswer(ctx context.Context, protocol string, tries []Endpoint) Endpoint {
	answers := make([]bool, len(tries))
	var asked sync.WaitGroup
	for i, e := range tries {
		asked.Go(func() { answers[i] = s.probe(ctx, protocol, e) == nil })
	}
	asked.Wait()
	if i := slices.Index(answers, true); i >= 0 {
		return tries[i]
	}
	return Endpoint{}
}

// probe goes as far as the encrypted greeting.
func (s *search) probe(ctx context.Context, protocol string, e Endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	conn, err := s.Dial(ctx, "tcp", e.String())
	if err != nil {
		return fmt.Errorf("reaching %s: %w", e, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if e.Security == StartTLS {
		if err := wishTLS(conn, protocol); err != nil {
			return fmt.Errorf("asking %s to encrypt: %w", e, err)
		}
	}
	secure := tls.Client(conn, &tls.Config{ServerName: e.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("encrypting the connection to %s: %w", e, err)
	}
	if e.Security == StartTLS {
		return nil // the greeting came before
	}
	return expect(bufio.NewReader(io.LimitReader(secure, maxGreeting)), greetings()[protocol])
}

// maxGreeting bounds what is read of a server that nobody knows, in bytes.
const maxGreeting = 8 << 10

func greetings() map[string]string {
	return map[string]string{"imap": "* OK", "pop3": "+OK", "smtp": "220"}
}

// wishTLS reads the greeting and goes up to the server's consent to begin TLS.
func wishTLS(conn net.Conn, protocol string) error {
	r := bufio.NewReader(io.LimitReader(conn, maxGreeting))
	if err := expect(r, greetings()[protocol]); err != nil {
		return err
	}
	say := map[string][][2]string{
		"imap": {{"a1 STARTTLS", "a1 OK"}},
		"smtp": {{"EHLO localhost", "250"}, {"STARTTLS", "220"}},
	}[protocol]
	for _, line := range say {
		if _, err := io.WriteString(conn, line[0]+"\r\n"); err != nil {
			return err
		}
		if err := expect(r, line[1]); err != nil {
			return err
		}
	}
	return nil
}

// expect reads one answer, of several lines where SMTP has such.
func expect(r *bufio.Reader, want string) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, want) {
			return errOther
		}
		if len(want) != 3 || !strings.HasPrefix(line, want+"-") {
			return nil
		}
	}
}
