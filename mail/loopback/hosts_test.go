package loopback

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

func testHosts(t *testing.T, o HostOptions) *Hosts {
	t.Helper()
	o.Users = []HostUser{{"support@mail.test", "secret"}, {"kunde@customer.test", "geheim"}, {"all@customer.test", "x"}}
	return NeedHosts(t, o)
}

func (h *Hosts) testTLS() *tls.Config { return &tls.Config{RootCAs: h.Pool, ServerName: "mail.test"} }

func testSelect(t *testing.T, h *Hosts) (*imapclient.Client, *imap.SelectData) {
	t.Helper()
	c, err := imapclient.DialStartTLS(h.IMAP, &imapclient.Options{TLSConfig: h.testTLS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Login("support@mail.test", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	data, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	return c, data
}

func TestDovecotServesADeliveredMail(t *testing.T) {
	h := testHosts(t, HostOptions{NoRelay: true})
	raw := []byte("Subject: one\r\n\r\nbody\r\n")
	for range 12 { // more than nine: order by number, not by name
		if err := h.Deliver("support@mail.test", raw); err != nil {
			t.Fatal(err)
		}
		raw = append(raw, "more\r\n"...)
	}
	c, before := testSelect(t, h)
	if before.NumMessages != 12 {
		t.Fatalf("INBOX has %d mails, want 12", before.NumMessages)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	fetched, err := c.Fetch(imap.SeqSetNum(12), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}, RFC822Size: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	onDisk, err := h.Mailbox("support@mail.test", "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	if got := fetched[0].FindBodySection(section); !bytes.Equal(got, onDisk[11]) || fetched[0].RFC822Size != int64(len(got)) {
		t.Errorf("the twelfth mail is %d bytes by IMAP (told: %d), %d on disk", len(got), fetched[0].RFC822Size, len(onDisk[11]))
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.NewUIDValidity("support@mail.test", "INBOX"); err != nil {
			t.Fatal(err)
		}
		_, after := testSelect(t, h)
		if after.UIDValidity <= before.UIDValidity || after.NumMessages != 12 {
			t.Errorf("UIDVALIDITY %d with %d mails became %d with %d", before.UIDValidity, before.NumMessages, after.UIDValidity, after.NumMessages)
		}
		before = after
	}
	tlsClient, err := imapclient.DialTLS(h.IMAPS, &imapclient.Options{TLSConfig: h.testTLS()})
	if err != nil {
		t.Fatal(err)
	}
	defer tlsClient.Close()
	started := time.Now()
	if err := tlsClient.Login("support@mail.test", "wrong").Wait(); err == nil {
		t.Error("a wrong password was accepted")
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("refusing a wrong password took %v", took)
	}
}

// send sends one mail; err is the answer to RCPT TO, or of what failed first.
func testSend(c *smtp.Client, from, to, text string) error {
	if err := c.Reset(); err != nil {
		return err
	}
	if err := c.Mail(from); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "From: %s\r\nTo: %s\r\nSubject: test\r\n\r\n%s\r\n", from, to, text); err != nil {
		return err
	}
	return w.Close()
}

func TestPostfixDeliversRefusesAndBounces(t *testing.T) {
	h := testHosts(t, HostOptions{MaxSize: 20000, CatchAll: map[string]string{"customer.test": "all@customer.test"}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := smtp.Dial(h.SMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if ok, size := c.Extension("SIZE"); !ok || size != "20000" {
		t.Errorf("SIZE is %q, want 20000", size)
	}
	for _, test := range []struct{ to, fault, answer, box string }{
		{"support@mail.test", "", "", "support@mail.test"},
		{"support+token@mail.test", "", "", "support@mail.test"},
		{"kunde@customer.test", "", "", "kunde@customer.test"},
		{"anyone@customer.test", "", "", "all@customer.test"},
		{"tempfail@mail.test", "", "450 4.7.1", ""},
		{"full@customer.test", "", "452 4.2.2", ""},
		{"nouser@mail.test", "", "550 5.1.1", ""},
		{"nobody-of-us@mail.test", "", "550 5.1.1", ""},
		{"toobig@mail.test", "", "552 5.3.4", ""},
		{"spam@mail.test", "", "554 5.7.1", ""},
		{"someone@outside.example", "", "550 5.4.4", ""},
		{"kunde@customer.test", "450 4.2.0 Greylisted", "450 4.2.0", ""},
		{"bounced@customer.test", "", "", "support@mail.test"}, // the report comes back
		{"hangup@mail.test", "", "421 4.3.2", ""},
	} {
		h.Fault(test.to, test.fault)
		before := 0
		if test.box != "" {
			mails, err := h.Mailbox(test.box, "INBOX")
			if err != nil {
				t.Fatal(err)
			}
			before = len(mails)
		}
		answer := ""
		if err := testSend(c, "support@mail.test", test.to, "hello"); err != nil {
			answer = strings.ReplaceAll(err.Error(), `"`, "")
		}
		if !strings.HasPrefix(answer, test.answer) || test.answer == "" && answer != "" {
			t.Errorf("%s: answer %q, want %q", test.to, answer, test.answer)
		}
		h.Fault(test.to, "")
		if test.box == "" {
			continue
		}
		mails, err := h.WaitMailbox(ctx, test.box, "INBOX", before+1)
		if err != nil {
			t.Fatal(err)
		}
		if report := bytes.Contains(mails[before], []byte("Status: 5.1.1")); report != strings.HasPrefix(test.to, "bounced@") {
			t.Errorf("%s: is a delivery status report: %v\n%s", test.to, report, mails[before])
		}
	}
}

func TestQueueEmpty(t *testing.T) {
	h := testHosts(t, HostOptions{})
	c, err := smtp.Dial(h.SMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, to := range []string{"support@mail.test", "deferred@mail.test"} {
		if err := testSend(c, "kunde@customer.test", to, "x"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		again := time.NewTicker(10 * time.Millisecond)
		defer again.Stop()
		empty := false
		for quiet := 0; quiet < 20; quiet++ { // a deferred mail is in one folder or the other
			if empty, err = h.QueueEmpty(); err != nil {
				t.Fatal(err)
			}
			if !empty && to == "support@mail.test" {
				quiet = 0
			}
			if empty && to == "deferred@mail.test" {
				t.Fatal("the queue is empty while a mail waits in it")
			}
			select {
			case <-again.C:
			case <-ctx.Done():
				t.Fatalf("after a mail to %s the queue is never empty", to)
			}
		}
	}
}

func TestPostfixWantsALogin(t *testing.T) {
	h := testHosts(t, HostOptions{})
	for _, password := range []string{"secret", "wrong"} {
		c, err := smtp.Dial(h.Submission)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := testSend(c, "support@mail.test", "kunde@customer.test", "x"); err == nil {
			t.Error("submission took a mail without STARTTLS")
		}
		if err := c.StartTLS(h.testTLS()); err != nil {
			t.Fatal(err)
		}
		if err := testSend(c, "support@mail.test", "kunde@customer.test", "x"); err == nil {
			t.Error("submission took a mail without a login")
		}
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		err = c.Auth(smtp.PlainAuth("", "support@mail.test", password, "127.0.0.1"))
		if (err == nil) != (password == "secret") {
			t.Errorf("login with password %q: %v", password, err)
		}
	}
	conn, err := tls.Dial("tcp", h.SMTPS, h.testTLS())
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "mail.test")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(smtp.PlainAuth("", "support@mail.test", "secret", "mail.test")); err != nil {
		t.Fatal(err)
	}
	if err := testSend(c, "support@mail.test", "kunde@customer.test", strings.Repeat("long\r\n", 200000)); err != nil {
		t.Error(err)
	}
}

// The child of TestServersEndWithTheirTest: starts servers, says where, and waits to be killed.
func TestChildThatIsKilled(t *testing.T) {
	if os.Getenv("LOOPBACK_CHILD") == "" {
		return
	}
	h := testHosts(t, HostOptions{})
	fmt.Printf("\nchild %s %s\n", h.IMAP, h.SMTP)
	<-t.Context().Done()
}

func TestServersEndWithTheirTest(t *testing.T) {
	testHosts(t, HostOptions{}) // for the skip where there are none
	temp := t.TempDir()         // what a killed child leaves behind goes with this test
	if err := os.Chmod(filepath.Dir(temp), 0o711); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestChildThatIsKilled$")
	child.Env = append(os.Environ(), "LOOPBACK_CHILD=1", "TMPDIR="+temp)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var ports []string
	for lines := bufio.NewScanner(out); len(ports) == 0 && lines.Scan(); {
		if told, ok := strings.CutPrefix(lines.Text(), "child "); ok {
			ports = strings.Fields(told)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	if len(ports) != 2 {
		t.Fatal("the child started no servers")
	}
	again, late := time.NewTicker(20*time.Millisecond), time.After(10*time.Second)
	defer again.Stop()
	for _, port := range ports {
		for {
			conn, err := net.Dial("tcp", port)
			if err != nil {
				break
			}
			conn.Close()
			select {
			case <-again.C:
			case <-late:
				t.Fatalf("%s still answers after its test was killed", port)
			}
		}
	}
}

// recorder is the testing.TB of NeedHosts that says what became of a test.
type recorder struct {
	TB
	skipped, failed bool
}

func (r *recorder) Helper()      {}
func (r *recorder) Skip(...any)  { r.skipped = true; panic(r) }
func (r *recorder) Fatal(...any) { r.failed = true; panic(r) }

func TestMissingServersFailInCI(t *testing.T) {
	for _, ci := range []string{"true", ""} {
		t.Setenv("CI", ci)
		r := &recorder{TB: t}
		func() {
			defer func() { _ = recover() }()
			NeedHosts(r, HostOptions{root: t.TempDir()})
		}()
		if r.failed != (ci == "true") || r.skipped == r.failed {
			t.Errorf("CI=%q: failed %v, skipped %v", ci, r.failed, r.skipped)
		}
	}
}
