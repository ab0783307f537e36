package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/mail"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/mail/loopback"
	"helpdesk/store"
)

// An office is one installation for a test: real mail servers, a
// configuration file, and the daemon, which can be started again and again.
type office struct {
	t     *testing.T
	hosts *loopback.Hosts
	dir   string
	set   officeSettings
	info  daemon.Info
	stop  func()
	clock atomic.Int64 // how much later than the real time the daemon thinks it is
}

// officeSettings are what tests change in the configuration.
type officeSettings struct {
	Dir, CertFile        string
	IMAPHost, IMAPPort   string
	IMAPSecurity         string
	RelayHost, RelayPort string
	RelaySecurity        string
	RelayUser            string // "" sends without a login
	Password             string
	After, Backlog       string
	Protocol             string // "" is IMAP
	Poll, MaxSize        string
	Idle                 bool
	Language             string
	Agents               []string
	Top                  string // lines before [ui]
	Desk                 string // more lines of the desk
	More                 string // at the end of the file
}

// noLimits lets thousands of mails be answered within a minute.
const noLimits = `[limits]
automatic_per_hour = 0
automatic_per_day = 0
automatic_in_all = 0
notices_of_sender = 0
notices = 0
mails_of_sender = 0
`

const officeConfig = `data_dir = "data"
{{.Top}}
[ui]
listen = "127.0.0.1:0"
[relay]
host = "{{.RelayHost}}"
port = {{.RelayPort}}
security = "{{.RelaySecurity}}"
{{if .RelayUser}}username = "{{.RelayUser}}"
password = "secret"{{else}}anonymous = true{{end}}
trust = ["test"]
max_per_minute = 100000
[[trust]]
name = "test"
file = "{{.CertFile}}"
{{range .Agents}}[[agent]]
name = "{{.}}"
email = "{{.}}@mail.test"
{{end}}
[[desk]]
name = "Support"
key = "SUP"
address = "support@mail.test"
language = "{{.Language}}"
agents = [{{range .Agents}}"{{.}}@mail.test", {{end}}]
{{.Desk}}
  [desk.mailbox]
{{if .Protocol}}  protocol = "{{.Protocol}}"
{{end}}  host = "{{.IMAPHost}}"
  port = {{.IMAPPort}}
  security = "{{.IMAPSecurity}}"
  username = "support@mail.test"
  password = "{{.Password}}"
  trust = ["test"]
  after = "{{.After}}"
  backlog = "{{.Backlog}}"
  poll = "{{.Poll}}"
  idle = {{.Idle}}
  max_size = "{{.MaxSize}}"
{{.More}}`

var officeUsers = []loopback.HostUser{
	{Address: "support@mail.test", Password: "secret"}, {Address: "aki@mail.test", Password: "secret"}, {Address: "ben@mail.test", Password: "secret"},
	{Address: "sales@mail.test", Password: "secret"}, {Address: "taro@customer.test", Password: "secret"}, {Address: "jiro@customer.test", Password: "secret"}, {Address: "mallory@customer.test", Password: "secret"},
}

// newOffice starts the mail servers and writes the configuration; change sees
// the settings before.
func newOffice(t *testing.T, change func(*officeSettings)) *office {
	t.Helper()
	return newOfficeWith(t, loopback.HostOptions{}, change)
}

// newOfficeWith is newOffice with other mail servers.
func newOfficeWith(t *testing.T, options loopback.HostOptions, change func(*officeSettings)) *office {
	t.Helper()
	options.Users, options.CatchAll = officeUsers, map[string]string{"customer.test": "taro@customer.test"}
	hosts := loopback.NeedHosts(t, options)
	o := &office{t: t, hosts: hosts, dir: t.TempDir()}
	o.set = officeSettings{
		IMAPSecurity: "tls", RelaySecurity: "starttls", RelayUser: "support@mail.test", Password: "secret",
		After: "seen", Backlog: "skip", Poll: "1m", MaxSize: "50MB", Idle: true, Language: "en", Agents: []string{"aki", "ben"},
	}
	o.set.IMAPHost, o.set.IMAPPort = split(t, hosts.IMAPS)
	o.set.RelayHost, o.set.RelayPort = split(t, hosts.Submission)
	o.set.CertFile = filepath.Join(o.dir, "cert.pem")
	if err := os.WriteFile(o.set.CertFile, hosts.CertPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&o.set)
	}
	o.writeConfig()
	return o
}

func split(t *testing.T, addr string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// config and write read and write the configuration as a text.
func (o *office) config() string {
	o.t.Helper()
	b, err := os.ReadFile(o.configPath())
	if err != nil {
		o.t.Fatal(err)
	}
	return string(b)
}

func (o *office) write(text string) {
	o.t.Helper()
	if err := os.WriteFile(o.configPath(), []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) configPath() string { return filepath.Join(o.dir, "helpdesk.toml") }

func (o *office) writeConfig() {
	o.t.Helper()
	var b bytes.Buffer
	if err := template.Must(template.New("").Parse(officeConfig)).Execute(&b, o.set); err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(o.configPath(), b.Bytes(), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// start runs the daemon in this process and waits until its page answers.
func (o *office) start() {
	o.t.Helper()
	c, faults, err := config.Load(o.configPath(), os.LookupEnv)
	if err != nil || config.Refused(faults) {
		o.t.Fatalf("the test's configuration is wrong: %v %v", err, faults)
	}
	ctx, cancel := context.WithCancel(o.t.Context())
	ready, ended := make(chan daemon.Info, 1), make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, daemon.Options{
			Config: c, Version: "test", Now: func() time.Time { return time.Now().Add(time.Duration(o.clock.Load())) }, Logger: slog.New(slog.NewTextHandler(logWriter{o.t}, nil)), Ready: func(i daemon.Info) { ready <- i },
		})
	}()
	select {
	case o.info = <-ready:
	case err := <-ended:
		cancel()
		o.t.Fatalf("the daemon did not start: %v", err)
	}
	stopped := false
	o.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			o.t.Errorf("the daemon ended with: %v", err)
		}
	}
	o.t.Cleanup(o.stop)
}

// logWriter shows the daemon's log with the test that failed.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// patience bounds a wait for something that must happen; a test that needs
// it has failed.
const patience = 4 * time.Minute

// eventually waits until the condition holds.
func (o *office) eventually(what string, holds func(context.Context) (bool, error)) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		ok, err := holds(ctx)
		if err != nil && ctx.Err() == nil {
			o.t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			o.t.Fatalf("%s: it did not happen in %s", what, patience)
		}
	}
}

// mailboxOK waits until the desk's mailbox was polled with success.
func (o *office) mailboxOK() {
	o.t.Helper()
	o.eventually("the mailbox is polled", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return err == nil && s.Desks[0].Mailbox.State == "ok", err
	})
}

// request waits until a request has n messages.
func (o *office) request(key string, n int) (store.Request, []store.Message) {
	o.t.Helper()
	var r store.Request
	var messages []store.Message
	o.eventually(fmt.Sprintf("%s has %d messages", key, n), func(ctx context.Context) (bool, error) {
		var err error
		if r, err = o.info.Store.RequestByKey(ctx, key); err != nil {
			return false, nil
		}
		if messages, err = o.info.Store.Messages(ctx, r.ID); err != nil || len(messages) < n {
			return false, err
		}
		r, err = o.info.Store.RequestByID(ctx, r.ID) // as it is since the last of them
		return true, err
	})
	return r, messages
}

// send gives a mail to the customer's mail server, as another mail server does.
func (o *office) send(from, to, raw string) {
	o.t.Helper()
	if err := o.sendPlain(from, to, strings.ReplaceAll(raw, "\n", "\r\n")); err != nil {
		o.t.Fatalf("sending a mail from %s to %s: %v", from, to, err)
	}
}

func (o *office) sendPlain(from, to, raw string) error {
	conn, err := net.Dial("tcp", o.hosts.SMTP)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		return err
	}
	if err := errors.Join(c.Mail(from), c.Rcpt(to)); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, raw); err != nil {
		return err
	}
	return errors.Join(w.Close(), c.Quit())
}

// inbox waits for the n-th mail (from 1) in an inbox and returns it.
func (o *office) inbox(address string, n int) *mail.Message {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	mails, err := o.hosts.WaitMailbox(ctx, address, "INBOX", n)
	if err != nil {
		o.t.Fatal(err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(mails[n-1]))
	if err != nil {
		o.t.Fatalf("mail %d of %s: %v", n, address, err)
	}
	return m
}

// count is how many mails lie in a folder now.
func (o *office) count(address, folder string) int {
	o.t.Helper()
	mails, err := o.hosts.Mailbox(address, folder)
	if err != nil {
		o.t.Fatal(err)
	}
	return len(mails)
}

// page reads a page without signing in.
func (o *office) page(path string) string {
	o.t.Helper()
	resp, err := http.Get(o.info.PageURL + path)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(b)
}

// newOtherCertificate is one that the mail servers do not have.
func newOtherCertificate(t *testing.T) []byte {
	t.Helper()
	other, err := loopback.Start(loopback.Options{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	return other.CertPEM()
}

// files lists the Maildir files of the desk's inbox, with their flags.
func (o *office) files() []string {
	o.t.Helper()
	files, err := filepath.Glob(filepath.Join(o.hosts.Dir, "mail", "mail.test", "support", "[cn][ue][rw]", "*"))
	if err != nil {
		o.t.Fatal(err)
	}
	return files
}

// markSeen is what a person's mail program does when they read all mail.
func (o *office) markSeen() {
	o.t.Helper()
	c, err := imapclient.DialInsecure(o.hosts.IMAP, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	defer c.Close()
	err = errors.Join(c.Login("support@mail.test", "secret").Wait(), second(c.Select("INBOX", nil).Wait()))
	if err == nil {
		err = c.Store(imap.SeqSet{imap.SeqRange{Start: 1}}, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close()
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

// relayEmpty reports whether Postfix has delivered all that it accepted.
func (o *office) relayEmpty() (bool, error) {
	empty := true
	for _, queue := range []string{"maildrop", "incoming", "active", "deferred"} {
		err := filepath.WalkDir(filepath.Join(o.hosts.Dir, "queue", queue), func(_ string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // delivered while we looked
			}
			empty = empty && (err != nil || e.IsDir())
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return empty, nil
}
