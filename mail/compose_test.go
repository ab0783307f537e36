package mail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func outgoing() *Outgoing {
	return &Outgoing{
		MessageID:    "sup-1.1@desk.example.com",
		Date:         time.Date(2026, 11, 21, 9, 30, 0, 0, time.FixedZone("", 9*3600)),
		EnvelopeFrom: "support@example.com",
		EnvelopeTo:   "customer@example.net",
		From:         Address{"Support", "support@example.com"},
		To:           []Address{{"Bob", "customer@example.net"}},
		Subject:      "[SUP-1] Printer",
		Text:         "Hello\nBob",
	}
}

func compose(t *testing.T, o *Outgoing) string {
	t.Helper()
	c, err := Compose(o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	n, err := c.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("wrote %d of %d bytes: %v", n, b.Len(), err)
	}
	if size := c.Size(); size != n {
		t.Errorf("Size is %d, %d bytes were written", size, n)
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 1000 || !strings.HasSuffix(line, "\r\n") && line != "" && !strings.HasSuffix(b.String(), line) {
			t.Errorf("line of %d bytes or without CRLF: %.100q", len(line), line)
		}
	}
	return b.String()
}

// part is one leaf as a reader's program sees it.
type part struct {
	path, typ, name, disposition, id, body string
}

func leaves(t *testing.T, raw string) (netmail.Header, []part) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("reading the mail: %v\n%s", err, raw)
	}
	var list []part
	walk(t, "", m.Header.Get, m.Body, &list)
	return m.Header, list
}

func walk(t *testing.T, path string, get func(string) string, body io.Reader, list *[]part) {
	t.Helper()
	typ, params, err := mime.ParseMediaType(get("Content-Type"))
	if err != nil {
		t.Fatalf("Content-Type %q: %v", get("Content-Type"), err)
	}
	if kind, ok := strings.CutPrefix(typ, "multipart/"); ok {
		for r := multipart.NewReader(body, params["boundary"]); ; {
			p, err := r.NextRawPart()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			walk(t, path+kind+"/", p.Header.Get, p, list)
		}
	}
	switch get("Content-Transfer-Encoding") {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	disposition, named, err := mime.ParseMediaType(get("Content-Disposition"))
	if err != nil && get("Content-Disposition") != "" {
		t.Fatalf("Content-Disposition %q: %v", get("Content-Disposition"), err)
	}
	*list = append(*list, part{strings.TrimSuffix(path, "/"), typ, named["filename"], disposition, get("Content-Id"), string(content)})
}

func content(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func decoded(t *testing.T, s string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestComposePlain(t *testing.T) {
	raw := compose(t, outgoing())
	header, parts := leaves(t, raw)
	if len(parts) != 1 || parts[0].typ != "text/plain" || parts[0].path != "" || parts[0].body != "Hello\r\nBob" {
		t.Errorf("parts %+v", parts)
	}
	want := netmail.Header{
		"Date": {"Sat, 21 Nov 2026 09:30:00 +0900"}, "Message-Id": {"<sup-1.1@desk.example.com>"}, "Mime-Version": {"1.0"},
		"Subject": {"[SUP-1] Printer"}, "From": {`"Support" <support@example.com>`}, "To": {`"Bob" <customer@example.net>`},
		"Content-Transfer-Encoding": {"quoted-printable"}, "Content-Type": {"text/plain; charset=UTF-8"},
	}
	if fmt.Sprint(header) != fmt.Sprint(want) { // nothing more: no User-Agent, X-Mailer, Precedence, List-Id
		t.Errorf("header\n%v\nwant\n%v", header, want)
	}
	host, err := os.Hostname()
	if err == nil && host != "localhost" && strings.Contains(raw, host) {
		t.Errorf("the mail names this host, %s", host)
	}
}

func TestComposeAutomatic(t *testing.T) {
	o := outgoing()
	o.AutoSubmitted, o.Loop, o.InReplyTo = AutoReplied, "v1.sup.abc", "q@example.net"
	header, _ := leaves(t, compose(t, o))
	for key, want := range map[string]string{
		"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All", "X-Helpdesk-Loop": "v1.sup.abc",
		"In-Reply-To": "<q@example.net>", "Precedence": "", "List-Id": "",
	} {
		if got := header.Get(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestComposeParts(t *testing.T) {
	picture := File{Name: "logo.png", Type: "image/png", Inline: true, ContentID: "logo@x", Write: content("PNG"), Size: 3}
	report := File{Name: "見積書.pdf", Type: "application/pdf", Write: content(strings.Repeat("%PDF", 100)), Size: 400}
	mailFile := File{Name: "a.eml", Type: "message/rfc822", Write: content("Subject: x\r\n\r\n"), Size: 14}
	const html = `<p>Hi<img src="cid:logo@x"></p>`
	tests := []struct {
		name  string
		html  string
		files []File
		want  []string // path type name disposition id
	}{
		{"html", html, nil, []string{"alternative text/plain", "alternative text/html"}},
		{"attachment", "", []File{report}, []string{"mixed text/plain", "mixed application/pdf 見積書.pdf attachment"}},
		{"picture", html, []File{picture}, []string{"related/alternative text/plain", "related/alternative text/html", "related image/png logo.png inline <logo@x>"}},
		{"picture without html", "", []File{picture}, []string{"mixed text/plain", "mixed image/png logo.png attachment"}},
		{"all", html, []File{report, picture, mailFile}, []string{
			"mixed/related/alternative text/plain", "mixed/related/alternative text/html", "mixed/related image/png logo.png inline <logo@x>",
			"mixed application/pdf 見積書.pdf attachment", "mixed application/octet-stream a.eml attachment",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := outgoing()
			o.HTML, o.Files = test.html, test.files
			_, parts := leaves(t, compose(t, o))
			var got []string
			for _, p := range parts {
				got = append(got, strings.TrimSpace(strings.Join([]string{p.path, p.typ, p.name, p.disposition, p.id}, " ")))
			}
			for i := range got {
				got[i] = strings.Join(strings.Fields(got[i]), " ")
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			if test.name == "all" && parts[3].body != strings.Repeat("%PDF", 100) {
				t.Errorf("the attachment became %q", parts[3].body)
			}
		})
	}
}

// The order and the bytes are the same each time, but for the boundary.
func TestComposeIsDeterministic(t *testing.T) {
	o := outgoing()
	o.HTML, o.AutoSubmitted, o.Loop, o.References = "<p>é</p>", AutoReplied, "x", []string{"a@b", "c@d"}
	o.Files = []File{{Name: "表.pdf", Type: "application/pdf", Write: content("x"), Size: 1}}
	boundary := regexp.MustCompile(`[0-9a-f]{60}`)
	first := boundary.ReplaceAllString(compose(t, o), "B")
	for range 10 {
		if again := boundary.ReplaceAllString(compose(t, o), "B"); again != first {
			t.Fatalf("got\n%s\nand\n%s", first, again)
		}
	}
}

func TestComposeRefusesInjection(t *testing.T) {
	const attack = "x\r\nBcc: victim@example.org\r\n\r\nbody"
	o := outgoing()
	o.Subject, o.Loop, o.AutoSubmitted, o.InReplyTo = attack, attack, attack, attack
	o.From.Name, o.To[0].Name = attack, attack
	o.Cc, o.ReplyTo = []Address{{attack, "cc@example.net"}, {"", attack + "@example.net"}}, []Address{{attack, "r@example.net"}}
	o.References = []string{attack, "good@example.net"}
	o.HTML = "<p>"
	o.Files = []File{
		{Name: attack, Type: attack, Write: content("x"), Size: 1},
		{Name: attack, Type: "image/png" + attack, Inline: true, ContentID: attack, Write: content("x"), Size: 1},
		{Name: attack, Type: "image/png", Inline: true, ContentID: "a\r\nb", Write: content("x"), Size: 1},
	}
	raw := compose(t, o)
	if strings.Contains(raw, "\nBcc") || strings.Contains(raw, "\nbody") {
		t.Errorf("the attack is a line of its own:\n%s", raw)
	}
	header, parts := leaves(t, raw)
	if header.Get("Bcc") != "" || len(parts) != 5 || header.Get("References") != "<good@example.net>" || header.Get("In-Reply-To") != "" {
		t.Errorf("header %v, %d parts", header, len(parts))
	}
	if cc := header.Get("Cc"); cc != `"x Bcc: victim@example.org body" <cc@example.net>` {
		t.Errorf("Cc %q", cc)
	}
}

func TestComposeBoundsReferences(t *testing.T) {
	o := outgoing()
	for i := range 200 {
		o.References = append(o.References, fmt.Sprintf("%d@example.net", i))
	}
	header, _ := leaves(t, compose(t, o))
	got := strings.Fields(header.Get("References"))
	if len(got) != maxReferences || got[0] != "<0@example.net>" || got[1] != "<181@example.net>" || got[19] != "<199@example.net>" {
		t.Errorf("references %v", got)
	}
}

func TestComposeFileNames(t *testing.T) {
	for _, name := range []string{
		"a.pdf", `qu"ote\.txt`, "見積書 (2026年度) 株式会社サンプル御中.xlsx", strings.Repeat("長い名前", 45) + ".txt",
		"é.txt", strings.Repeat("long ", 30) + ".txt", "semi;colon=x.txt",
	} {
		o := outgoing()
		o.Files = []File{{Name: name, Type: "application/pdf", Write: content("x"), Size: 1}}
		raw := compose(t, o)
		_, parts := leaves(t, raw)
		if parts[1].name != name {
			t.Errorf("%q became %q", name, parts[1].name)
		}
		if beyondASCII(raw) > 0 {
			t.Errorf("%q is not ASCII on the wire", name)
		}
	}
}

// A large file goes through a small buffer; a file that cannot be read ends the
// mail with its own error.
func TestComposeStreamsFiles(t *testing.T) {
	const size = 32 << 20
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 256)
	out := &watcher{}
	o := outgoing()
	o.Files = []File{{Name: "big.bin", Type: "application/octet-stream", Size: size, Write: func(w io.Writer) error {
		for written := 0; written < size; written += len(chunk) {
			before := out.n
			if _, err := w.Write(chunk); err != nil {
				return err
			}
			if out.n == before {
				t.Fatal("the file is held back")
			}
		}
		return nil
	}}}
	c, err := Compose(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteTo(out); err != nil || out.n != c.Size() {
		t.Errorf("%d bytes written, Size %d, %v", out.n, c.Size(), err)
	}
	broken := errors.New("spool file is gone")
	o.Files = []File{{Name: "gone", Write: func(io.Writer) error { return broken }}, {Name: "after", Write: content("x")}}
	if c, err = Compose(o); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteTo(io.Discard); !errors.Is(err, broken) {
		t.Errorf("got %v, want the file's error", err)
	}
}

type watcher struct{ n int64 }

func (w *watcher) Write(p []byte) (int, error) { w.n += int64(len(p)); return len(p), nil }

// What we write we read again.
func TestComposeThenParse(t *testing.T) {
	o := outgoing()
	o.From.Name, o.Subject, o.Text, o.HTML = "サポート窓口", "[SUP-1] プリンターの件", "鈴木様\n\nお世話になっております。", "<p>鈴木様</p>"
	o.References, o.InReplyTo, o.AutoSubmitted, o.Loop = []string{"a@b", "c@d"}, "c@d", AutoReplied, "sig"
	o.Files = []File{{Name: "見積書.pdf", Type: "application/pdf", Write: content("pdf"), Size: 3}}
	m, err := Parse(strings.NewReader(compose(t, o)))
	if err != nil {
		t.Fatal(err)
	}
	if m.MessageID != o.MessageID || m.Subject != o.Subject || m.From != o.From || !m.Date.Equal(o.Date) || strings.TrimSpace(m.Text) != o.Text {
		t.Errorf("parsed as %+v", m)
	}
	if len(m.Attachments) != 1 || m.Attachments[0].Name != "見積書.pdf" || len(m.References) != 2 || len(m.InReplyTo) != 1 || len(m.Loop) != 1 || len(m.Problems) != 0 {
		t.Errorf("parsed as %+v", m)
	}
}
