package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/mail/loopback"
	"helpdesk/ui"
)

const testConfig = `data_dir = "data"
language = "%[3]s"
[ui]
listen = "127.0.0.1:0"
[relay]
host = "127.0.0.1"
port = %[1]d
security = "none"
username = "support@example.com"
password = "secret"
[[agent]]
name = "Aki"
email = "aki@example.com"
[[desk]]
name = "Support"
key = "SUP"
address = "support@example.com"
agents = ["aki@example.com"]
  [desk.mailbox]
  host = "127.0.0.1"
  port = %[2]d
  security = "none"
  username = "support@example.com"
  password = "secret"
`

func newServers(t *testing.T, options loopback.Options) *loopback.Server {
	t.Helper()
	servers, err := loopback.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { servers.Close() })
	servers.AddUser("support@example.com", "secret")
	servers.AddUser("taro@customer.test", "secret")
	return servers
}

func TestTestCommand(t *testing.T) {
	servers := newServers(t, loopback.Options{})
	path := writeConfig(t, fmt.Sprintf(testConfig, servers.SMTP.Port, servers.IMAP.Port, "en"))
	code, out, errs := call(t, "test", "-c", path)
	if code != 0 || errs != "" {
		t.Errorf("exit code %d: %s\n%s", code, errs, out)
	}
	for _, want := range []string{"Mailbox of Support at 127.0.0.1:", "Sign in ", "Open the folder", "works, ", "The mailbox works", "Name the recipient", "The server takes mail from support@example.com", "helpdesk is not running"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "secret") || servers.Counts().Accepted != 0 {
		t.Errorf("%+v:\n%s", servers.Counts(), out)
	}

	code, out, _ = call(t, "test", "sup", "--to", "taro@customer.test", "--round-trip", "-c", path)
	if code != 0 || !strings.Contains(out, "nothing of it became a request") || !strings.Contains(out, "accepted the test message to taro@customer.test") {
		t.Errorf("round trip and message: %d\n%s", code, out)
	}
	mails, err := servers.Messages("taro@customer.test", "INBOX")
	if err != nil || len(mails) != 1 {
		t.Errorf("%d test messages, %v", len(mails), err)
	}
	if _, err := os.Stat(strings.TrimSuffix(path, "helpdesk.toml") + "data"); err == nil {
		t.Error("a test left a data_dir behind")
	}
}

func TestTestCommandFails(t *testing.T) {
	servers := newServers(t, loopback.Options{})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().(*net.TCPAddr).Port
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	good := fmt.Sprintf(testConfig, servers.SMTP.Port, servers.IMAP.Port, "ja")
	for name, c := range map[string]struct {
		config string
		args   []string
		code   int
		says   string
	}{
		"refused":         {strings.Replace(good, `"secret"`+"\n[[agent]]", `"wrong"`+"\n[[agent]]", 1), []string{"relay"}, exitServer, "失敗"},
		"the others too":  {fmt.Sprintf(testConfig, servers.SMTP.Port, nobody, "en"), nil, exitServer, "The server takes mail from"},
		"nobody there":    {fmt.Sprintf(testConfig, servers.SMTP.Port, nobody, "en"), []string{"Support"}, exitServer, "Connection refused"},
		"password file":   {strings.Replace(good, `  password = "secret"`, `  password_file = "none.txt"`, 1), []string{"SUP"}, exitConfig, "none.txt"},
		"unknown desk":    {good, []string{"XYZ"}, exitUse, "XYZ"},
		"no address":      {good, []string{"--to", "nobody"}, exitUse, "nobody"},
		"trip of a relay": {good, []string{"relay", "--round-trip"}, exitUse, "desk"},
		"trip, no relay":  {strings.Replace(good, "[relay]", "[relay]\nenabled = false", 1), []string{"SUP", "--round-trip"}, exitConfig, "無効"},
		"wrong file":      {"nonsense", nil, exitConfig, "helpdesk.toml"},
	} {
		code, out, errs := call(t, append([]string{"test", "-c", writeConfig(t, c.config)}, c.args...)...)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", name, code, c.code, c.says, out, errs)
		}
	}
	if n := servers.Counts().SMTPRefused; n != 1 {
		t.Errorf("a refused log-in was tried %d times", n)
	}
}

func TestTestCommandJSON(t *testing.T) {
	servers := newServers(t, loopback.Options{TLS: true})
	text := strings.Replace(fmt.Sprintf(testConfig, servers.SMTP.Port, servers.IMAPS.Port, "en"), "  security = \"none\"", "  security = \"tls\"", 1)
	code, out, errs := call(t, "test", "SUP", "--json", "-c", writeConfig(t, text))
	var results []struct {
		Part   string
		OK     bool
		Cause  string
		Remedy []string
		Stages []struct {
			Step   string
			Failed bool
			MS     *int64
			Facts  []any
			TLS    *struct {
				Fingerprint string
				Chain       []struct{ Subject, Expiry string }
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &results); err != nil || code != exitServer || errs != "" || len(results) != 2 {
		t.Fatalf("%d %v %s\n%s", code, err, errs, out)
	}
	box, relay := results[0], results[1]
	if box.OK || box.Part != "mailbox:SUP" || box.Cause != "tls-unknown-authority" || len(box.Remedy) == 0 || !relay.OK || relay.Cause != "" || relay.Remedy == nil {
		t.Errorf("%s", out)
	}
	last := box.Stages[len(box.Stages)-1]
	if last.Step != "tls" || !last.Failed || last.MS == nil || last.Facts == nil || last.TLS == nil || !strings.HasPrefix(last.TLS.Fingerprint, "sha256:") || len(last.TLS.Chain) == 0 {
		t.Errorf("%s", out)
	}
	// What it printed to pin lets us in.
	pinned := strings.Replace(text, "[[desk]]", "[[trust]]\nname = \"pin\"\nfingerprint = \""+last.TLS.Fingerprint+"\"\n[[desk]]", 1)
	if code, out, _ := call(t, "test", "SUP", "-c", writeConfig(t, pinned)); code != 0 || !strings.Contains(out, last.TLS.Fingerprint) {
		t.Errorf("with the fingerprint pinned: %d\n%s", code, out)
	}
}

// Stage lines appear as they happen: the server has not said a word yet.
func TestTestCommandStreams(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	path := writeConfig(t, fmt.Sprintf(testConfig, 1, silent.Addr().(*net.TCPAddr).Port, "en"))
	read, write := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- Execute(ctx, []string{"test", "-c", path}, strings.NewReader(""), write, io.Discard)
		write.Close()
	}()
	var out bytes.Buffer
	piece := make([]byte, 256)
	for !strings.Contains(out.String(), "The server's greeting") {
		n, err := read.Read(piece)
		out.Write(piece[:n])
		if err != nil {
			t.Fatalf("%v:\n%s", err, out.String())
		}
	}
	if !strings.Contains(out.String(), "Connect ") {
		t.Error(out.String())
	}
	cancel()
	if _, err := io.Copy(&out, read); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code == 0 {
		t.Error("a test that was broken off says that all is well")
	}
}

// A test that succeeds has a running daemon try again at once.
func TestTestCommandTellsTheDaemon(t *testing.T) {
	servers := newServers(t, loopback.Options{})
	servers.AddUser("support@example.com", "later")
	path := writeConfig(t, fmt.Sprintf(testConfig, servers.SMTP.Port, servers.IMAP.Port, "en"))
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil || config.Refused(faults) {
		t.Fatal(err, faults)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan daemon.Info, 1), make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, daemon.Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler), Ready: func(i daemon.Info) { ready <- i }})
	}()
	info := <-ready
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	until(t, "both stop", func() bool {
		s, err := info.Status(t.Context())
		return err == nil && s.Desks[0].Mailbox.State == "stopped" && s.Desks[0].Relay.State == "stopped"
	})
	if code, out, _ := call(t, "test", "-c", path); code != exitServer || strings.Contains(out, "not running") {
		t.Errorf("%d\n%s", code, out)
	}
	if n := servers.Counts(); n.IMAPRefused != 2 || n.SMTPRefused != 2 {
		t.Errorf("%+v, want the attempt that stopped each and the test's", n)
	}
	servers.AddUser("support@example.com", "secret")
	if code, out, errs := call(t, "test", "-c", path); code != 0 || errs != "" {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
	until(t, "both work again", func() bool {
		s, err := info.Status(t.Context())
		return err == nil && s.Desks[0].Mailbox.State == "ok" && s.Desks[0].Relay.State == "ok"
	})
	if code, out, errs := call(t, "test", "SUP", "--round-trip", "-c", path); code != 0 || !strings.Contains(out, "nothing of it became a request") {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
	if code, out, _ := call(t, "requests", "-c", path); code != 0 || !strings.Contains(out, "There are no requests yet") {
		t.Errorf("the round trip beside the daemon: %d\n%s", code, out)
	}
}

// until waits for something that must happen.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	giveUp := time.After(2 * time.Minute)
	for !holds() {
		select {
		case <-again.C:
		case <-giveUp:
			t.Fatalf("%s: it did not happen", what)
		}
	}
}

// A certificate that ends soon is remarked on, those above it are not.
func TestPrinterOfCertificates(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	soon := ui.TestCertificate{Subject: "CN=mail.example.com", Expiry: now.AddDate(0, 0, 29)}
	later := ui.TestCertificate{Subject: "CN=mail.example.com", Expiry: now.AddDate(0, 0, 31)}
	for want, tls := range map[int]*ui.TestTLS{
		0: {Chain: []ui.TestCertificate{later, soon}, Own: &later},
		1: {Chain: []ui.TestCertificate{soon, soon}},
		2: {Chain: []ui.TestCertificate{soon}, Own: &soon},
	} {
		var out strings.Builder
		p := &testPrinter{w: &out, words: ui.WordsIn("en"), now: now}
		p.tell(ui.TestEvent{Stage: &ui.TestStage{Step: "tls", TLS: tls}})
		if got := strings.Count(out.String(), "(less than 30 days)"); got != want {
			t.Errorf("%d remarks, want %d:\n%s", got, want, out.String())
		}
	}
}
