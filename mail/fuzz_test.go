package mail

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkMessage holds what is true of every Message, whatever the bytes were.
func checkMessage(t *testing.T, m *Message) {
	t.Helper()
	if _, err := json.Marshal(m); err != nil {
		t.Fatalf("no JSON: %v", err)
	}
	if m.MessageID == "" {
		t.Error("no message id")
	}
	if len(m.Text) > maxText {
		t.Errorf("text of %d bytes", len(m.Text))
	}
	for name, s := range map[string]string{"text": m.Text, "reply": m.Reply, "subject": m.Subject, "from": m.From.Name + m.From.Address, "id": m.MessageID, "return path": m.ReturnPath} {
		if !utf8.ValidString(s) {
			t.Errorf("%s is no valid UTF-8: %q", name, s)
		}
	}
	if strings.ContainsAny(m.Subject, "\r\n") {
		t.Errorf("subject of several lines: %q", m.Subject)
	}
	if strings.ContainsAny(m.Text, "\r\x00") {
		t.Errorf("control characters in the text: %q", m.Text)
	}
	for _, a := range m.Attachments {
		if a.Name == "" || strings.ContainsAny(a.Name, "/\\\r\n\x00:") || !utf8.ValidString(a.Name) || len(a.Name) > maxName+2 {
			t.Errorf("unsafe name %q", a.Name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range append(oddMails, plainMail, mixedMail) {
		f.Add([]byte(s))
		f.Add([]byte(strings.ReplaceAll(s, "\n", "\r\n")))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		checkMessage(t, m)
		for i, a := range m.Attachments {
			if i >= 3 {
				break
			}
			var n counter
			if err := CopyPart(&n, bytes.NewReader(data), a.Part); err != nil || int64(n) != a.Size {
				t.Errorf("part %d: %d bytes, %v, want %d", a.Part, n, err, a.Size)
			}
		}
		again, _ := Parse(io.MultiReader(bytes.NewReader(data)))
		if again.Fingerprint != m.Fingerprint || again.Text != m.Text {
			t.Error("another reader gives another mail")
		}
	})
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func FuzzAddresses(f *testing.F) {
	for _, c := range addressCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, _ := parseAddresses(s, "iso-8859-1")
		for _, a := range list {
			if a == (Address{}) || !utf8.ValidString(a.Name+a.Address) || strings.ContainsAny(a.Name+a.Address, "\r\n\x00") {
				t.Errorf("%q gives %q", s, a)
			}
		}
	})
}

func FuzzMessageIDs(f *testing.F) {
	for _, s := range []string{"<a@b>", "<a@b> junk <c@d", "a@b, c@d", "<<a@b>>", "Message of Monday <x@y>", "<a\r\n b@c>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, id := range parseMessageIDs(s) {
			if id == "" || strings.ContainsAny(id, "<> \r\n") || !utf8.ValidString(id) {
				t.Errorf("%q gives %q", s, id)
			}
		}
	})
}

func FuzzWords(f *testing.F) {
	for _, c := range wordCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if out := decodeWords(s, ""); !utf8.ValidString(out) {
			t.Errorf("%q gives %q", s, out)
		}
	})
}

func FuzzParams(f *testing.F) {
	for _, c := range paramCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := parseParams(s)
		if v := p.get("name", "") + p.get("filename", "utf-8"); !utf8.ValidString(v) {
			t.Errorf("%q gives %q", s, v)
		}
		if name := safeName(p.get("name", "")); strings.ContainsAny(name, "/\\\x00\r\n<>:\"|?*") {
			t.Errorf("%q gives the name %q", s, name)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, c := range dateCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, in := range []string{s, localDate(s)} {
			if d, ok := parseDate(in); ok {
				if _, err := d.MarshalJSON(); err != nil {
					t.Errorf("%q gives %v: %v", in, d, err)
				}
			}
		}
	})
}

func FuzzHTML(f *testing.F) {
	for _, c := range htmlCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if out := htmlText(strings.ToValidUTF8(s, "?")); !utf8.ValidString(out) {
			t.Errorf("%q gives %q", s, out)
		}
	})
}

func FuzzReply(f *testing.F) {
	for _, c := range replyCases {
		f.Add(c.in, true)
	}
	f.Fuzz(func(t *testing.T, s string, answers bool) {
		s = cleanText(strings.ToValidUTF8(s, "?"))
		out := replyPart(s, answers)
		if len(out) > len(s) {
			t.Errorf("the reply is longer than the text: %q gives %q", s, out)
		}
		for _, l := range strings.Split(out, "\n") {
			if !strings.Contains(s, l) {
				t.Errorf("%q gives a line that is not there: %q", s, l)
			}
		}
	})
}

func FuzzBounce(f *testing.F) {
	for _, c := range bounceCases {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		checkMessage(t, m)
		if (m.Bounce != nil) != (m.Automatic == BounceMail) {
			t.Errorf("bounce %v, automatic %q", m.Bounce, m.Automatic)
		}
		if b, _ := readStatus(data); b != nil && b.Status != "" && len(b.Status) < 5 {
			t.Errorf("status %q", b.Status)
		}
	})
}

func FuzzContainers(f *testing.F) {
	f.Add([]byte(tinyTNEF()))
	f.Add([]byte("begin 644 a.txt\n#0V%T\n`\nend\n"))
	f.Add([]byte("{\\rtf1 Hello\\par \\u233? \\'e9}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parseTNEF(data)
		splitUU(data)
		signedContent(data)
		rtfText(expandRTF(data))
		rtfText(data)
	})
}

func FuzzCharset(f *testing.F) {
	for _, c := range charsetCases {
		f.Add(c.label, []byte(c.in))
	}
	f.Fuzz(func(t *testing.T, label string, data []byte) {
		if out, _ := decodeCharset(label, data); !utf8.ValidString(out) {
			t.Errorf("%q %q gives %q", label, data, out)
		}
	})
}
