package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrNotRunning says that no daemon runs for the data_dir.
var ErrNotRunning = errors.New("helpdesk is not running")

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 256 << 20

// Error is a refusal by the daemon.
type Error struct {
	Status int    // HTTP status
	Text   string // the daemon's words
}

func (e *Error) Error() string { return e.Text }

// Client is a command's end.
type Client struct {
	where where
	http  *http.Client
}

// Dial finds the daemon that runs for dataDir. The error is ErrNotRunning when
// there is none, also when one died and left its control file behind, and
// wraps os.ErrPermission when the file is not ours to read.
func Dial(dataDir string) (*Client, error) {
	path := filepath.Join(dataDir, controlFile)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, ErrNotRunning
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("asking the running helpdesk: %w (run this as the service's user or as administrator)", err)
	case err != nil:
		return nil, fmt.Errorf("asking the running helpdesk: %w", err)
	}
	c := &Client{http: &http.Client{
		// No proxy, whatever the environment says, and no other host by a redirect.
		Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if err := json.Unmarshal(b, &c.where); err != nil || !loopback(c.where.Address) {
		return nil, ErrNotRunning // written by no daemon
	}
	if err := c.ping(); err != nil {
		return nil, err
	}
	return c, nil
}

// ping tells a daemon from a port that nobody or another program has by now.
func (c *Client) ping() error {
	r, err := http.NewRequest(http.MethodGet, "http://"+c.where.Address+pingPath, nil)
	if err != nil {
		return ErrNotRunning
	}
	quick := *c
	quick.http = &http.Client{Transport: c.http.Transport, CheckRedirect: c.http.CheckRedirect, Timeout: 5 * time.Second}
	var answer pong
	err = quick.do(r, &answer)
	var timeout net.Error
	switch {
	case err == nil && answer.Address == c.where.Address:
		return nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w (it is busy or hangs: try again, or stop and start it)", err)
	}
	return ErrNotRunning
}

// loopback keeps the token on this machine, whatever stands in the file.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// Call sends in as JSON, unless it is nil, and reads the answer into out,
// unless that is nil. A refusal is an *Error, a daemon that is not there any
// more ErrNotRunning. How long it may take is ctx's matter.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("asking the running helpdesk: %w", err)
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+c.where.Address+path, body)
	if err != nil {
		return fmt.Errorf("asking the running helpdesk: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	return c.do(r, out)
}

func (c *Client) do(r *http.Request, out any) error {
	r.Header.Set("Authorization", "Bearer "+c.where.Token)
	answer, err := c.http.Do(r)
	if err != nil {
		if refused(err) {
			return ErrNotRunning
		}
		return fmt.Errorf("asking the running helpdesk: %w", err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer of the running helpdesk: %w", err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return &Error{answer.StatusCode, strings.TrimSpace(string(b))}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("reading the answer of the running helpdesk: %w", err)
	}
	return nil
}
