package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/mail/loopback"
)

// call runs a command line and returns exit code and both outputs.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Execute(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "helpdesk.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCheckNamesAllFaults: five faults are five lines, and exit code 3.
func TestCheckNamesAllFaults(t *testing.T) {
	path := writeConfig(t, `data_dir = "data"
[relay]
host = "smtp.example.com"
port = 99999
anonymous = true
colour = "red"
[[desk]]
name = "Support"
key = "SUP"
address = "not an address"
  [desk.mailbox]
  host = "imap.example.com"
  username = "support"
  password = "secret"
  poll = 5
  security = "ssl"
`)
	code, out, _ := call(t, "check", "-c", path)
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != exitConfig || len(lines) != 5 {
		t.Errorf("exit code %d and %d lines:\n%s", code, len(lines), out)
	}
	for _, want := range []string{":4:", ":6:", ":10:", ":15:", ":16:", "colour", "poll"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "secret") {
		t.Errorf("the password is shown:\n%s", out)
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{{"show"}, {"parse"}, {"run", "now"}, {"requests", "--colour"}, {"nonsense"}} {
		if code, _, errs := call(t, args...); code != exitUse || errs == "" {
			t.Errorf("%v: exit code %d, %q", args, code, errs)
		}
	}
	if code, out, _ := call(t, "version"); code != 0 || !strings.HasPrefix(out, "helpdesk ") {
		t.Errorf("version: %d %q", code, out)
	}
	if code, _, errs := call(t, "run", "-c", filepath.Join(t.TempDir(), "none.toml")); code != exitConfig || !strings.Contains(errs, "none.toml") {
		t.Errorf("a missing configuration: %d %q", code, errs)
	}
}

// TestCommands runs a daemon on servers in process and asks it by each command.
func TestCommands(t *testing.T) {
	servers, err := loopback.Start(loopback.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { servers.Close() })
	if _, err := deliverSamples(servers); err != nil {
		t.Fatal(err)
	}
	d := demo{e: &env{}, Language: config.English, IMAP: servers.IMAP, SMTP: servers.SMTP}
	dir := t.TempDir()
	c, err := d.config(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "helpdesk.toml")
	if code, _, errs := call(t, "status", "-c", path); code != exitFailed || !strings.Contains(errs, "not running") {
		t.Errorf("status without a daemon: %d %q", code, errs)
	}
	if code, _, errs := call(t, "requests", "-c", path); code != exitFailed || !strings.Contains(errs, "helpdesk run") {
		t.Errorf("requests before the first start: %d %q", code, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan daemon.Info, 1), make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, daemon.Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler), Ready: func(i daemon.Info) { ready <- i }})
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	}()
	<-ready
	taken, giveUp := context.WithTimeout(t.Context(), time.Minute)
	defer giveUp()
	if _, err := servers.WaitMessages(taken, "aki@demo.test", "INBOX", 5); err != nil {
		t.Fatal(err)
	}

	if code, out, errs := call(t, "status", "-c", path); code != 0 || !strings.Contains(out, "Demo Support") || !strings.Contains(out, "7 today") {
		t.Errorf("status: %d %s %s", code, out, errs)
	}
	var status map[string]any
	if code, out, _ := call(t, "status", "--json", "-c", path); code != 0 || json.Unmarshal([]byte(out), &status) != nil || status["ok"] != true {
		t.Errorf("status --json: %d %s", code, out)
	}
	var requests []map[string]any
	if code, out, _ := call(t, "requests", "--json", "-c", path); code != 0 || json.Unmarshal([]byte(out), &requests) != nil || len(requests) != 5 {
		t.Errorf("requests --json: %d %s", code, out)
	}
	if code, out, _ := call(t, "requests", "-c", path); code != 0 || !strings.Contains(out, "SUP-3") {
		t.Errorf("requests: %d %s", code, out)
	} else {
		for line := range strings.Lines(out) {
			if columns(strings.TrimSpace(line)) > 80 {
				t.Errorf("wider than 80 columns: %q", line)
			}
		}
	}
	code, out, _ := call(t, "requests", "--search", "商品", "--json", "-c", path)
	for wait := 0; wait < 100 && !strings.Contains(out, "SUP-3"); wait++ { // the index follows after two quiet seconds
		<-time.After(100 * time.Millisecond)
		code, out, _ = call(t, "requests", "--search", "商品", "--json", "-c", path)
	}
	if json.Unmarshal([]byte(out), &requests) != nil || code != 0 || len(requests) != 1 || requests[0]["key"] != "SUP-3" {
		t.Errorf("requests --search: %d %s", code, out)
	}
	var shown struct {
		Key      string
		Messages []struct {
			Kind, Text  string
			Attachments []map[string]any
		}
	}
	if code, out, _ := call(t, "show", "sup-4", "--json", "-c", path); code != 0 || json.Unmarshal([]byte(out), &shown) != nil || len(shown.Messages) != 1 || len(shown.Messages[0].Attachments) != 2 {
		t.Errorf("show --json: %d %s", code, out)
	}
	if code, out, _ := call(t, "show", "SUP-1", "-c", path); code != 0 || !strings.Contains(out, "second floor") {
		t.Errorf("show: %d %s", code, out)
	}
	if code, _, errs := call(t, "show", "SUP-99", "-c", path); code != exitFailed || !strings.Contains(errs, "SUP-99") {
		t.Errorf("show of nothing: %d %s", code, errs)
	}
	var ledger []map[string]any
	if code, out, _ := call(t, "ledger", "--json", "-c", path); code != 0 || json.Unmarshal([]byte(out), &ledger) != nil || len(ledger) != 7 {
		t.Fatalf("ledger --json: %d %s", code, out)
	}
	for _, key := range []string{"id", "desk", "mailbox", "uid", "message_id", "from", "subject", "seen_at", "outcome", "rule", "reason", "request"} {
		if _, ok := ledger[0][key]; !ok {
			t.Errorf("ledger --json has no %q: %v", key, ledger[0])
		}
	}
	for _, line := range ledger {
		if line["outcome"] != "ignored" {
			continue
		}
		if code, out, _ := call(t, "why", fmt.Sprint(line["id"]), "-c", path); code != 0 || !strings.Contains(out, "automatic reply") || !strings.Contains(out, "It arrived after the first start.") {
			t.Errorf("why: %d %s", code, out)
		}
	}
	if code, out, _ := call(t, "why", "TOM@customer.test", "-c", path); code != 0 || !strings.Contains(out, "SUP-1") || !strings.Contains(out, "automatic reply") {
		t.Errorf("why ADDRESS: %d %s", code, out)
	}
	if code, out, _ := call(t, "why", "never@customer.test", "-c", path); code != 0 || !strings.Contains(out, "spam folder") {
		t.Errorf("why of an unknown address: %d %s", code, out)
	}
	code, out, _ = call(t, "open", "-c", path)
	resp, err := http.Get(strings.TrimSpace(out))
	if code != 0 || err != nil {
		t.Fatalf("open: %d %s %v", code, out, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the link of open answers %s", resp.Status)
	}
	if code, _, errs := call(t, "run", "-c", path); code != exitFailed || errs == "" {
		t.Errorf("a second daemon: %d %q", code, errs)
	}
}

func TestParseCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.eml")
	if err := os.WriteFile(path, []byte("From: a@b\nSubject: =?utf-8?Q?H=C3=A9?=\n\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if code, out, errs := call(t, "parse", path); code != 0 || json.Unmarshal([]byte(out), &m) != nil || m["subject"] != "Hé" {
		t.Errorf("parse: %d %s %s", code, out, errs)
	}
	if attachments, ok := m["attachments"].([]any); !ok || len(attachments) != 0 {
		t.Errorf("absent lists are %v, want []", m["attachments"])
	}
	if code, _, errs := call(t, "parse", path+".none"); code != exitFailed || errs == "" {
		t.Errorf("parse of nothing: %d %q", code, errs)
	}
}
