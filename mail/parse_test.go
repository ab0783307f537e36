package mail

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// parseString parses a mail written with LF line ends, as CRLF.
func parseString(t *testing.T, s string) *Message {
	t.Helper()
	m, err := Parse(strings.NewReader(strings.ReplaceAll(s, "\n", "\r\n")))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return m
}

const plainMail = `Return-Path: <anna@example.com>
From: Anna <anna@example.com>
To: support@example.org, "Desk, Second" <desk2@example.org>
Subject: Printer
Date: Tue, 6 Jan 2026 10:00:00 +0100
Message-ID: <m1@example.com>
In-Reply-To: <q@example.org>
References: <p@example.org> <q@example.org>
X-Helpdesk-Loop: one

The printer is on fire.
`

func TestParsePlain(t *testing.T) {
	m := parseString(t, plainMail)
	if m.Subject != "Printer" || m.From != (Address{"Anna", "anna@example.com"}) || m.Text != "The printer is on fire." || m.Reply != m.Text {
		t.Errorf("got %+v", m)
	}
	if want := []Address{{"", "support@example.org"}, {"Desk, Second", "desk2@example.org"}}; !slices.Equal(m.To, want) {
		t.Errorf("To = %v, want %v", m.To, want)
	}
	if m.MessageID != "m1@example.com" || !slices.Equal(m.References, []string{"p@example.org", "q@example.org"}) || !slices.Equal(m.InReplyTo, []string{"q@example.org"}) {
		t.Errorf("ids: %q %q %q", m.MessageID, m.InReplyTo, m.References)
	}
	if got := m.Date.Format("2006-01-02T15:04:05Z07:00"); got != "2026-01-06T10:00:00+01:00" {
		t.Errorf("Date = %s", got)
	}
	if m.ReturnPath != "anna@example.com" || !slices.Equal(m.Loop, []string{"one"}) || m.Automatic != "" || m.Generated {
		t.Errorf("got %+v", m)
	}
}

// The keys are relied on by others and are never renamed; absent lists are [].
func TestJSON(t *testing.T) {
	m := parseString(t, "\n")
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	keys := []string{"message_id", "subject", "from", "to", "cc", "reply_to", "date", "in_reply_to", "references", "text", "reply", "attachments", "automatic", "list", "bounce", "forwarded", "problems"}
	for _, k := range keys {
		if _, ok := got[k]; !ok {
			t.Errorf("key %q is missing", k)
		}
	}
	if len(got) != len(keys) {
		t.Errorf("%d keys, want %d: %s", len(got), len(keys), out)
	}
	for _, k := range []string{"to", "cc", "reply_to", "in_reply_to", "references", "attachments", "problems"} {
		if _, ok := got[k].([]any); !ok {
			t.Errorf("%s = %v, want a list", k, got[k])
		}
	}
	if got["bounce"] != nil || got["forwarded"] != nil {
		t.Errorf("bounce and forwarded: %v %v, want null", got["bounce"], got["forwarded"])
	}
}

func TestParseReaderError(t *testing.T) {
	broken := errors.New("the line broke")
	r := io.MultiReader(strings.NewReader(plainMail), iotest.ErrReader(broken))
	m, err := Parse(r)
	if !errors.Is(err, broken) {
		t.Errorf("err = %v, want the reader's", err)
	}
	if m == nil || m.Subject != "Printer" {
		t.Errorf("what was read is lost: %+v", m)
	}
}

const mixedMail = `From: a@example.com
Message-ID: <x@example.com>
Content-Type: multipart/mixed; boundary="outer"

preamble
--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=
=C3=9Fe
--inner
Content-Type: text/html; charset=utf-8

<p>HTML form</p>
--inner--
--outer
Content-Type: image/png; name="a.png"
Content-Transfer-Encoding: base64
Content-ID: <pic@x>
Content-Disposition: inline

iVBORw0K
Ggo=
--outer
Content-Type: message/rfc822

From: b@example.com
Subject: the other

Attached text.
--outer--
epilogue
`

func TestParseMultipart(t *testing.T) {
	m := parseString(t, mixedMail)
	if m.Text != "Grüße" {
		t.Errorf("Text = %q", m.Text)
	}
	if len(m.Attachments) != 2 {
		t.Fatalf("attachments: %+v", m.Attachments)
	}
	png, eml := m.Attachments[0], m.Attachments[1]
	if png.Name != "a.png" || png.Type != "image/png" || png.Size != 8 || !png.Inline || png.ContentID != "pic@x" ||
		png.SHA256 != "4c4b6a3be1314ab86138bef4314dde022e600960d8689a2c8f8631802d20dab6" {
		t.Errorf("png: %+v", png)
	}
	if eml.Name != "the other.eml" || eml.Type != "message/rfc822" || eml.Inline {
		t.Errorf("eml: %+v", eml)
	}
	raw := strings.ReplaceAll(mixedMail, "\n", "\r\n")
	for part, want := range map[int]string{png.Part: "\x89PNG\r\n\x1a\n", eml.Part: "From: b@example.com\r\nSubject: the other\r\n\r\nAttached text.", 0: "Grüße"} {
		var b bytes.Buffer
		if err := CopyPart(&b, strings.NewReader(raw), part); err != nil || b.String() != want {
			t.Errorf("part %d = %q, %v, want %q", part, b.String(), err, want)
		}
	}
	if err := CopyPart(io.Discard, strings.NewReader(raw), 17); err == nil {
		t.Error("a part that is not there gives no error")
	}
}

func TestCopyPartErrors(t *testing.T) {
	full := errors.New("disk full")
	if err := CopyPart(failingWriter{full}, strings.NewReader(mixedMail), 2); !errors.Is(err, full) {
		t.Errorf("err = %v, want the writer's", err)
	}
	broken := errors.New("the line broke")
	if err := CopyPart(io.Discard, iotest.ErrReader(broken), 2); !errors.Is(err, broken) {
		t.Errorf("err = %v, want the reader's", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// The same result whatever the pieces that a reader returns.
func TestParseSmallReads(t *testing.T) {
	whole := parseString(t, mixedMail)
	m, err := Parse(iotest.OneByteReader(strings.NewReader(strings.ReplaceAll(mixedMail, "\n", "\r\n"))))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(whole)
	b, _ := json.Marshal(m)
	if !bytes.Equal(a, b) || whole.Fingerprint != m.Fingerprint {
		t.Errorf("whole: %s\nbyte by byte: %s", a, b)
	}
}

func TestFingerprint(t *testing.T) {
	a := parseString(t, plainMail)
	same := map[string]string{
		"other trace":   "Received: from somewhere\n" + plainMail,
		"refolded":      strings.Replace(plainMail, "Subject: Printer", "subject:\n Printer", 1),
		"other order":   strings.Replace("Subject: Printer\n"+plainMail, "example.org>\nSubject: Printer\n", "example.org>\n", 1),
		"other encoded": strings.Replace(strings.Replace(plainMail, "\n\nThe", "\nContent-Transfer-Encoding: quoted-printable\n\nThe", 1), "fire.", "fi=72e.", 1),
	}
	for name, s := range same {
		if m := parseString(t, s); m.Fingerprint != a.Fingerprint || m.HeaderHash != a.HeaderHash {
			t.Errorf("%s: another fingerprint", name)
		}
	}
	if m, _ := Parse(strings.NewReader(plainMail)); m.Fingerprint != a.Fingerprint {
		t.Error("LF line ends: another fingerprint")
	}
	for name, s := range map[string]string{
		"subject": strings.Replace(plainMail, "Printer", "Painter", 1),
		"body":    strings.Replace(plainMail, "fire", "ice", 1),
		"id":      strings.Replace(plainMail, "m1@", "m2@", 1),
		"date":    strings.Replace(plainMail, "10:00", "10:01", 1),
		"from":    strings.Replace(plainMail, "Anna", "Anne", 1),
	} {
		if m := parseString(t, s); m.Fingerprint == a.Fingerprint {
			t.Errorf("other %s: the same fingerprint", name)
		}
	}
	with := parseString(t, mixedMail)
	if m := parseString(t, strings.Replace(mixedMail, "Ggo=", "Ggs=", 1)); m.Fingerprint == with.Fingerprint {
		t.Error("other attachment: the same fingerprint")
	}
}

func TestHeaderHash(t *testing.T) {
	m := parseString(t, plainMail)
	for name, block := range map[string]string{
		"as it stands": "From: Anna <anna@example.com>\r\nSubject: Printer\r\nDate: Tue, 6 Jan 2026 10:00:00 +0100\r\nMessage-ID: <m1@example.com>\r\n\r\n",
		"other order":  "MESSAGE-ID: <m1@example.com>\r\nSUBJECT:Printer\r\nFROM:  Anna\r\n <anna@example.com>\r\nDATE: Tue, 6 Jan 2026\r\n\t10:00:00 +0100\r\n\r\n",
		"no end":       "From: Anna <anna@example.com>\nSubject: Printer\nDate: Tue, 6 Jan 2026 10:00:00 +0100\nMessage-ID: <m1@example.com>",
		"twice":        "From: Anna <anna@example.com>\nSubject: Printer\nSubject: second\nDate: Tue, 6 Jan 2026 10:00:00 +0100\nMessage-ID: <m1@example.com>\n\n",
	} {
		if HeaderHash([]byte(block)) != m.HeaderHash {
			t.Errorf("%s: another hash", name)
		}
	}
	if HeaderHash([]byte("Subject: Printer\r\n\r\n")) == m.HeaderHash {
		t.Error("missing fields: the same hash")
	}
}

func TestGeneratedMessageID(t *testing.T) {
	s := strings.Replace(plainMail, "Message-ID: <m1@example.com>\n", "", 1)
	a, b := parseString(t, s), parseString(t, "Received: x\n"+s)
	if !a.Generated || !strings.HasSuffix(a.MessageID, "@generated.invalid") || a.MessageID != b.MessageID {
		t.Errorf("ids %q and %q", a.MessageID, b.MessageID)
	}
	if !slices.Contains(a.Problems, ProblemNoMessageID) {
		t.Errorf("problems %v", a.Problems)
	}
	if c := parseString(t, strings.Replace(s, "fire", "ice", 1)); c.MessageID == a.MessageID {
		t.Error("other content has the same id")
	}
}
