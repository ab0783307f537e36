package command

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/mail/loopback"
	"helpdesk/store"
)

// messages are kind and text of a conversation.
func (f *filled) messages(key string) (list []string, state string) {
	f.t.Helper()
	f.read(func(s *store.Store) error {
		r, err := s.RequestByKey(f.t.Context(), key)
		if err != nil {
			return err
		}
		state = r.State
		messages, err := s.Messages(f.t.Context(), r.ID)
		for _, m := range messages {
			list = append(list, m.Kind+": "+m.Text)
		}
		return err
	})
	return list, state
}

// Where no daemon runs the answer is kept, and leaves when one does.
func TestReplyWithoutDaemon(t *testing.T) {
	f := newFilled(t, "en")
	taro := mail.Address{Name: "Taro", Address: "taro@customer.test"}
	f.request("SUP", taro, "Mouse", "Broken", nil)
	f.request("SAL", taro, "Price", "How much?", nil)

	_, errs := f.call(exitFailed, "reply", "SUP-1", "-m", "Hello")
	wantAll(t, errs, "Aki") // two agents, and it is nobody's: who is it?
	out, _ := f.call(0, "reply", "sup-1", "-m", "It works again.", "--as", "Ben")
	wantAll(t, out, "SUP-1")
	wantNone(t, out, "act.")
	f.callWith(0, "from\nstandard input\n", "reply", "SUP-1", "--as", "ben@example.com")
	f.callWith(0, "a note", "reply", "SUP-1", "-m", "-", "--note", "--as", "Ben")
	_, errs = f.callWith(exitFailed, " \n", "reply", "SUP-1")
	wantAll(t, errs, "The text is empty")
	f.call(exitFailed, "reply", "SUP-1", "-m", "x", "--as", "nobody")
	f.call(exitFailed, "reply", "SUP-99", "-m", "x")
	f.call(exitUse, "reply", "SUP-1", "-m", "x", "--note", "--resolve")
	got, state := f.messages("SUP-1")
	if want := []string{"customer: Broken", "agent: It works again.", "agent: from\nstandard input", "note: a note"}; !slices.Equal(got, want) || state != store.StateWaiting {
		t.Errorf("%q, %s", got, state)
	}

	f.call(0, "reply", "SAL-1", "-m", "100 yen", "--resolve") // the only agent there
	if got, state := f.messages("SAL-1"); len(got) != 2 || state != store.StateResolved {
		t.Errorf("%q, %s", got, state)
	}
	f.call(0, "reopen", "SAL-1")
	if _, state := f.messages("SAL-1"); state != store.StateOpen {
		t.Errorf("reopened: %s", state)
	}
	out, errs = f.call(exitFailed, "resolve", "SUP-1", "SUP-98", "SAL-1", "--as", "Aki Sato")
	wantAll(t, out, "SUP-1", "SAL-1")
	wantAll(t, errs, "SUP-98")
	for _, key := range []string{"SUP-1", "SAL-1"} {
		if _, state := f.messages(key); state != store.StateResolved {
			t.Errorf("%s: %s", key, state)
		}
	}
	f.read(func(s *store.Store) error {
		lines, err := s.Outbox(t.Context(), store.OutboxFilter{To: "taro@customer.test", State: store.OutboxWaiting})
		answers := 0
		for _, l := range lines {
			if l.Event == "answered" {
				answers++
			}
		}
		if answers != 3 {
			t.Errorf("%d answers wait: %+v", answers, lines)
		}
		return err
	})
}

// A running daemon is asked, and sends it.
func TestReplyReachesTheCustomer(t *testing.T) {
	servers := newServers(t, loopback.Options{})
	path := writeConfig(t, fmt.Sprintf(testConfig, servers.SMTP.Port, servers.IMAP.Port, "ja"))
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
	until(t, "the mailbox works", func() bool {
		s, err := info.Status(t.Context())
		return err == nil && s.Desks[0].Mailbox.State == "ok"
	})
	if err := servers.Deliver("support@example.com", []byte("From: Taro <taro@customer.test>\r\nTo: support@example.com\r\nSubject: Mouse\r\nDate: "+time.Now().Format(time.RFC1123Z)+"\r\nMessage-ID: <1@customer.test>\r\n\r\nBroken\r\n")); err != nil {
		t.Fatal(err)
	}
	until(t, "it is a request", func() bool {
		_, err := info.Store.RequestByKey(t.Context(), "SUP-1")
		return err == nil
	})
	code, out, errs := call(t, "-c", path, "reply", "SUP-1", "-m", "直りました。")
	if code != 0 || errs != "" || strings.Contains(out, "act.") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	arrived := ""
	until(t, "the answer arrives", func() bool {
		mails, err := servers.Messages("taro@customer.test", "INBOX")
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range mails {
			if m, err := mail.Parse(bytes.NewReader(one.Raw)); err == nil && strings.Contains(m.Text, "直りました。") {
				arrived = m.From.Address
			}
		}
		return arrived != ""
	})
	if arrived != "support@example.com" {
		t.Errorf("from %s", arrived)
	}
	if code, out, errs := call(t, "-c", path, "resolve", "SUP-1"); code != 0 {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if r, err := info.Store.RequestByKey(t.Context(), "SUP-1"); err != nil || r.State != store.StateResolved {
		t.Errorf("%v %v", r.State, err)
	}
	code, out, _ = call(t, "-c", path, "why", "taro@customer.test")
	if code != 0 || !strings.Contains(out, "メールボックスは正常です") || !strings.Contains(out, "お客様への回答") || strings.Contains(out, "動いていません") {
		t.Errorf("why: %d %s", code, out)
	}
}

func TestEditorCommand(t *testing.T) {
	dir := t.TempDir()
	spaced := filepath.Join(dir, "my editor")
	if err := os.WriteFile(spaced, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ visual, editor, want string }{
		{"", "vi -n", "vi|-n"}, {"code --wait", "vi", "code|--wait"}, {"", spaced, spaced}, {"", `"` + spaced + `"`, spaced}, {"  ", "nano", "nano"},
	} {
		got := editorCommand(func(name string) (string, bool) {
			return map[string]string{"VISUAL": c.visual, "EDITOR": c.editor}[name], true
		})
		if len(got) > 0 {
			got[0] = strings.TrimPrefix(strings.TrimPrefix(got[0], "/usr/bin/"), "/bin/")
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestReadEdited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	for text, want := range map[string]string{
		"\ufeffHello\r\n#note\r\n\r\n" + scissors + "\r\n# Old text\r\n": "Hello\n#note",
		"\n\n" + scissors + "\n# Old text":                               "", "no scissors": "no scissors", "": "",
	} {
		writeFile(t, path, text)
		if got, err := readEdited(path); err != nil || got != want {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
}
