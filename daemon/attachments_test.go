package daemon_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/mail/loopback"
)

// picture stands for one; nobody here looks at it.
var picture = bytes.Repeat([]byte("\x89PNG picture "), 100)

// withFiles is a mail as mail programs write it: text and HTML with a picture
// in it, and a file of n bytes.
func withFiles(head, text string, n int) string {
	return head + "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=outer\n\n--outer\nContent-Type: multipart/related; boundary=inner\n\n" +
		"--inner\nContent-Type: text/html; charset=utf-8\n\n<p>" + text + "</p><p><img src=\"cid:pic1@mail.test\"></p>\n" +
		"--inner\nContent-Type: image/png; name=screen.png\nContent-ID: <pic1@mail.test>\nContent-Disposition: inline; filename=screen.png\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString(picture) + "\n--inner--\n" +
		"--outer\nContent-Type: text/plain; charset=utf-8\nContent-Disposition: attachment; filename*=utf-8''%E8%A1%A8.txt\n\n" +
		strings.Repeat("a line of the table\n", n/20) + "--outer--\n"
}

// TestAttachments: files and inline pictures pass both ways; what is beyond
// the relay's SIZE is listed with a note.
func TestAttachments(t *testing.T) {
	t.Parallel()
	o := newOfficeWith(t, loopback.HostOptions{MaxSize: 1 << 20}, nil)
	o.start()
	o.mailboxOK()
	o.send("taro@customer.test", "support@mail.test", withFiles("From: taro@customer.test\nTo: support@mail.test\nSubject: Files\nMessage-ID: <files@customer.test>\nDate: Sat, 21 Nov 2026 12:00:00 +0900\n", "See the picture.", 40000))
	o.inbox("taro@customer.test", 1)
	notice := o.withBoth("aki@mail.test", 1, "See the picture.")
	head := "From: aki@mail.test\nTo: support@mail.test\nSubject: Re: Files\nMessage-ID: <answer@mail.test>\nDate: Sat, 21 Nov 2026 13:00:00 +0900\nIn-Reply-To: <" + notice.MessageID + ">\n"
	o.send("aki@mail.test", "support@mail.test", withFiles(head, "Here is ours.", 40000))
	o.withBoth("taro@customer.test", 2, "Here is ours.")

	// Larger than the relay takes: delivered to the desk without its limit.
	large := withFiles("From: taro@customer.test\nTo: support@mail.test\nSubject: Large\nMessage-ID: <large@customer.test>\nDate: Sat, 21 Nov 2026 14:00:00 +0900\n", "See the film.", 3<<20)
	if err := o.hosts.Deliver("support@mail.test", []byte(strings.ReplaceAll(large, "\n", "\r\n"))); err != nil {
		t.Fatal(err)
	}
	m, _ := o.parsed("aki@mail.test", 2)
	if len(m.Attachments) != 1 || !m.Attachments[0].Inline || !strings.Contains(m.Text, "表.txt (3 MB)") {
		t.Errorf("of the large mail the agent got %+v and this text:\n%s", m.Attachments, m.Text)
	}
}

// parsed waits for the n-th mail in an inbox and reads it as helpdesk does.
func (o *office) parsed(address string, n int) (*mail.Message, []byte) {
	o.t.Helper()
	o.inbox(address, n)
	mails, err := o.hosts.Mailbox(address, "INBOX")
	if err != nil {
		o.t.Fatal(err)
	}
	m, err := mail.Parse(bytes.NewReader(mails[n-1]))
	if err != nil {
		o.t.Fatal(err)
	}
	return m, mails[n-1]
}

// withBoth expects the picture and the file in a mail.
func (o *office) withBoth(address string, n int, text string) *mail.Message {
	o.t.Helper()
	m, raw := o.parsed(address, n)
	if !strings.Contains(m.Text, text) || len(m.Attachments) != 2 {
		o.t.Fatalf("mail %d of %s has %+v and this text:\n%s", n, address, m.Attachments, m.Text)
	}
	for _, a := range m.Attachments {
		var content bytes.Buffer
		if err := mail.CopyPart(&content, bytes.NewReader(raw), a.Part); err != nil {
			o.t.Fatal(err)
		}
		switch {
		case a.Inline && a.ContentID == "pic1@mail.test" && bytes.Equal(content.Bytes(), picture):
		case a.Name == "表.txt" && !a.Inline && strings.HasPrefix(content.String(), "a line of the table"):
		default:
			o.t.Errorf("mail %d of %s has an attachment %+v of %d bytes", n, address, a, content.Len())
		}
	}
	if html, err := io.ReadAll(bytes.NewReader(raw)); err != nil || !bytes.Contains(html, []byte("cid:pic1@mail.test")) {
		o.t.Errorf("the HTML of mail %d of %s does not show the picture, %v", n, address, err)
	}
	return m
}
