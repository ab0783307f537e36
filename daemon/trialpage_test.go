package daemon_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/loopback"
	"helpdesk/store"
)

// signIn makes a browser that has signed in to the page.
func (o *office) signIn() *http.Client {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	link, err := url.Parse(o.info.SignInLink())
	if err != nil {
		o.t.Fatal(err)
	}
	resp, err := browser.PostForm(o.info.PageURL+"/sign-in", url.Values{"token": {link.Query().Get("token")}})
	if err != nil {
		o.t.Fatal(err)
	}
	resp.Body.Close()
	return browser
}

// test presses a button of the test page and returns what is shown in the end.
func (o *office) test(form url.Values) string {
	o.t.Helper()
	resp, err := o.signIn().PostForm(o.info.PageURL+"/test", form)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		o.t.Fatalf("%v: %v\n%s", resp.Status, err, b)
	}
	return string(b)
}

// The round trip while the daemon collects: the mail is found and removed, and
// becomes neither request nor notice.
func TestRoundTripOfTheTestPage(t *testing.T) {
	for _, after := range []string{"seen", "move", "delete"} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, func(s *officeSettings) { s.After = after })
			o.start()
			o.mailboxOK()
			page := o.test(url.Values{"part": {"mailbox:SUP"}, "kind": {"round-trip"}})
			if !strings.Contains(page, "nothing of it became a request") || strings.Contains(page, "failed") {
				t.Fatalf("the page says:\n%s", page)
			}
			o.eventually("nothing of it lies in the mailbox", func(context.Context) (bool, error) { // the mail to the +tag goes a moment later
				return o.count("support@mail.test", "INBOX") == 0, nil
			})
			// A customer's mail behind it shows that the collector is past it.
			o.send("taro@customer.test", "support@mail.test", "From: taro@customer.test\nTo: support@mail.test\nSubject: Hello\nMessage-ID: <1@customer.test>\nDate: Sat, 21 Nov 2026 12:00:00 +0900\n\nHello\n")
			o.request("SUP-1", 1)
			requests, err := o.info.Store.Requests(t.Context(), store.RequestFilter{})
			if err != nil || len(requests) != 1 {
				t.Errorf("%d requests, %v", len(requests), err)
			}
			entries, err := o.info.Store.Entries(t.Context(), store.EntryFilter{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Outcome != "request" && e.Outcome != "probe" {
					t.Errorf("a mail became %s by %s: %s", e.Outcome, e.Rule, e.Subject)
				}
			}
			o.inbox("aki@mail.test", 1)
			if n := o.count("aki@mail.test", "INBOX"); n != 1 {
				t.Errorf("the agent got %d mails, want the notice of the customer's request", n)
			}
		})
	}
}

// A probe that nobody waits for any more is recorded and removed by the
// collector; until then it is left to the test.
func TestLateProbeIsRemoved(t *testing.T) {
	o := newOffice(t, func(s *officeSettings) { s.After, s.Idle, s.Poll = "keep", false, "5s" })
	o.start()
	o.mailboxOK()
	text, ok, err := o.info.Store.Meta(t.Context(), "signing_key")
	if err != nil || !ok {
		t.Fatal(err)
	}
	key, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := desk.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := desk.ProbeMail(&desk.Settings{ID: 1, Name: "Support", Address: "support@mail.test", Sender: mail.Address{Address: "support@mail.test"}}, signer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	composed, err := mail.Compose(out)
	if err != nil {
		t.Fatal(err)
	}
	var raw strings.Builder
	if _, err := composed.WriteTo(&raw); err != nil {
		t.Fatal(err)
	}
	if err := o.sendPlain("support@mail.test", "support@mail.test", raw.String()); err != nil {
		t.Fatal(err)
	}
	o.eventually("the probe is recorded", func(ctx context.Context) (bool, error) {
		entries, err := o.info.Store.Entries(ctx, store.EntryFilter{Outcome: desk.Probe})
		return len(entries) == 1, err
	})
	if n := o.count("support@mail.test", "INBOX"); n != 1 {
		t.Errorf("it was not left to the test: %d mails", n)
	}
	o.clock.Store(int64(16 * time.Minute))
	o.eventually("the probe is removed", func(context.Context) (bool, error) {
		mails, err := o.hosts.Mailbox("support@mail.test", "INBOX")
		return len(mails) == 0, err
	})
}

func TestTestMessageArrives(t *testing.T) {
	o := newOffice(t, func(s *officeSettings) { s.Language = "ja" })
	o.start()
	o.mailboxOK()
	page := o.test(url.Values{"part": {"relay"}, "kind": {"message"}, "to": {"taro@customer.test"}})
	if !strings.Contains(page, "accepted the test message to taro@customer.test") {
		t.Fatalf("the page says:\n%s", page)
	}
	m := o.inbox("taro@customer.test", 1)
	if h := m.Header; h.Get("Auto-Submitted") != "auto-generated" || !strings.Contains(h.Get("From"), "support@mail.test") {
		t.Errorf("%v", m.Header)
	}
	// One that comes back is noted and does nothing.
	o.test(url.Values{"part": {"relay"}, "kind": {"message"}, "to": {"bounced@customer.test"}})
	o.eventually("the bounce is recorded", func(ctx context.Context) (bool, error) {
		entries, err := o.info.Store.Entries(ctx, store.EntryFilter{Outcome: desk.Bounced})
		return len(entries) == 1 && entries[0].Request == "", err
	})
	if suspended, err := o.info.Store.SuspendedAt(t.Context(), "bounced@customer.test"); err != nil || suspended {
		t.Errorf("%v %v", suspended, err)
	}
}

// The first stages of a test are on the page while the server has not said a
// word yet.
func TestStagesAppearWhileTheServerIsSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	speak := make(chan struct{})
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				<-speak
				if _, err := io.WriteString(conn, "* BYE too many users today\r\n"); err != nil {
					return // whoever waited is gone
				}
			})
		}
	})
	o := newOffice(t, func(s *officeSettings) {
		s.IMAPHost, s.IMAPPort = split(t, silent.Addr().String())
		s.IMAPSecurity = "none"
	})
	spoken := sync.OnceFunc(func() { close(speak) })
	defer func() { silent.Close(); spoken(); serving.Wait() }()
	o.start()
	resp, err := o.signIn().PostForm(o.info.PageURL+"/test", url.Values{"part": {"mailbox:SUP"}, "kind": {"reach"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	read, page := bufio.NewReader(resp.Body), ""
	giveUp := time.AfterFunc(patience, func() { resp.Body.Close() })
	defer giveUp.Stop()
	for !strings.Contains(page, "The server&#39;s greeting") {
		piece := make([]byte, 512)
		n, err := read.Read(piece)
		if page += string(piece[:n]); err != nil {
			t.Fatalf("the page ended before the server spoke: %v\n%s", err, page)
		}
	}
	if !strings.Contains(page, "Connect</span>") || !strings.Contains(page, fmt.Sprint("127.0.0.1:", o.set.IMAPPort)) || strings.Contains(page, "</html>") {
		t.Errorf("the page so far:\n%s", page)
	}
	spoken()
	rest, err := io.ReadAll(read)
	if page += string(rest); err != nil || !strings.Contains(page, "too many users today") || !strings.Contains(page, `class="trouble`) || !strings.Contains(page, "</html>") {
		t.Errorf("%v\n%s", err, page)
	}
}

// A wrong password stops the mailbox; once the server takes it, a test says so
// and the mailbox is used again at once.
func TestATestEndsTheStop(t *testing.T) {
	servers, err := loopback.Start(loopback.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { servers.Close() })
	servers.AddUser("support@mail.test", "secret")
	o := newOffice(t, func(s *officeSettings) {
		s.Password, s.IMAPSecurity = "other", "none"
		s.IMAPHost, s.IMAPPort = split(t, servers.IMAP.String())
	})
	o.start()
	o.eventually("the mailbox stops", func(ctx context.Context) (bool, error) {
		s, err := o.info.Status(ctx)
		return s.Desks[0].Mailbox.State == "stopped", err
	})
	page := o.test(url.Values{"part": {"mailbox:SUP"}})
	if !strings.Contains(page, "counts as one more attempt") || !strings.Contains(page, `class="trouble`) {
		t.Errorf("the page says:\n%s", page)
	}
	if n := servers.Counts().IMAPRefused; n != 2 {
		t.Errorf("%d attempts, want the one that stopped it and the test's", n)
	}
	servers.AddUser("support@mail.test", "other")
	page = o.test(url.Values{"part": {"mailbox:SUP"}})
	if !strings.Contains(page, "The mailbox works") {
		t.Errorf("the page says:\n%s", page)
	}
	o.mailboxOK()
}

// By POP3 each look is a log-in of its own, and what is deleted is gone only
// when the session ends.
func TestRoundTripByPOP3(t *testing.T) {
	o := newOffice(t, func(s *officeSettings) { s.After, s.Poll = "keep", "5m" })
	o.set.IMAPHost, o.set.IMAPPort = split(t, o.hosts.POP3S)
	o.writeConfig()
	text, err := os.ReadFile(o.configPath())
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "  idle = true\n", "  protocol = \"pop3\"\n", 1)
	if err := os.WriteFile(o.configPath(), []byte(changed), 0o600); err != nil || changed == string(text) {
		t.Fatal(err)
	}
	o.send("taro@customer.test", "support@mail.test", "From: taro@customer.test\nTo: support@mail.test\nSubject: Hello\nMessage-ID: <1@customer.test>\nDate: Sat, 21 Nov 2026 12:00:00 +0900\n\nHello\n")
	o.inbox("support@mail.test", 1)
	o.start()
	o.mailboxOK()
	page := o.test(url.Values{"part": {"mailbox:SUP"}, "kind": {"round-trip"}})
	if !strings.Contains(page, "nothing of it became a request") || strings.Contains(page, "failed") {
		t.Fatalf("the page says:\n%s", page)
	}
	// The mail of the trip is gone; the one to the +tag lies there until the next look.
	if m := o.inbox("support@mail.test", 1); m.Header.Get("Subject") != "Hello" {
		t.Errorf("the first mail there is %v", m.Header)
	}
	if n := o.count("support@mail.test", "INBOX"); n > 2 || n == 2 && !strings.Contains(o.inbox("support@mail.test", 2).Header.Get("To"), "support+") {
		t.Errorf("%d mails lie there", n)
	}
	if n := strings.Count(page, "Connect</span>"); n != 2 {
		t.Errorf("the page tells of %d connections, want the mailbox's and the relay's: looks for the mail are no stages", n)
	}
	logins := strings.Count(readFile(t, o.hosts.Dir+"/dovecot.log"), "pop3-login: Info: Login")
	if logins > 4 {
		t.Errorf("%d log-ins for one round trip beside the collector's", logins)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
