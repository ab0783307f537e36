package mail

import (
	"errors"
	"strings"
	"testing"
)

func TestComposeAddresses(t *testing.T) {
	tests := []struct {
		address, wire string // wire "": refused
		utf8          bool
	}{
		{"bob@example.net", "bob@example.net", false},
		{" bob@example.net ", "bob@example.net", false},
		{"bob@日本語.jp", "bob@xn--wgv71a119e.jp", false},
		{"a..b.@docomo.ne.jp", `"a..b."@docomo.ne.jp`, false},
		{`"john doe"@example.net`, `"john doe"@example.net`, false},
		{`"a\"b"@example.net`, `"a\"b"@example.net`, false},
		{"o'neil+tag/x=1@example.net", "o'neil+tag/x=1@example.net", false},
		{"user@[192.0.2.1]", "user@[192.0.2.1]", false},
		{"鈴木@例え.jp", "鈴木@xn--r8jz45g.jp", true},
		{"", "", false},
		{"bob", "", false},
		{"@example.net", "", false},
		{"bob@", "", false},
		{"bob@example..net", "", false},
		{"bob@exa mple.net", "", false},
		{"bob smith@example.net", "", false},
		{"bob@example.net>\r\nRCPT TO:<x@y.z", "", false},
		{"\"a\r\nb\"@example.net", "", false},
		{"bob@example.net\xff", "", false},
		{"a@b@c@example.net", "", false},
	}
	for _, test := range tests {
		o := outgoing()
		o.EnvelopeTo, o.To = test.address, []Address{{"鈴木", test.address}}
		c, err := Compose(o)
		var refused *AddressError
		switch {
		case test.wire == "":
			if !errors.As(err, &refused) || refused.Field != "EnvelopeTo" {
				t.Errorf("%q: %v, want an AddressError", test.address, err)
			}
			continue
		case err != nil:
			t.Errorf("%q: %v", test.address, err)
			continue
		case c.To != test.wire || c.SMTPUTF8 != test.utf8:
			t.Errorf("%q became %q, SMTPUTF8 %v", test.address, c.To, c.SMTPUTF8)
		}
		header, _ := leaves(t, compose(t, o))
		list, err := header.AddressList("To")
		if test.wire == "user@[192.0.2.1]" {
			continue // net/mail does not read address literals
		}
		if err != nil || len(list) != 1 || list[0].Name != "鈴木" {
			t.Errorf("%q: header To %q, %v", test.address, header.Get("To"), err)
		}
	}
}

func TestComposeHeaderAddresses(t *testing.T) {
	o := outgoing()
	o.To = []Address{{"Nobody", "not an address"}}
	o.Cc = []Address{{"", "undisclosed-recipients"}, {"Ünal, Ali", "ali@example.net"}, {"", "鈴木@例え.jp"}}
	header, _ := leaves(t, compose(t, o))
	if header.Get("To") != "<customer@example.net>" {
		t.Errorf("To %q, want the recipient", header.Get("To"))
	}
	cc, err := header.AddressList("Cc")
	if err != nil || len(cc) != 1 || cc[0].Name != "Ünal, Ali" {
		t.Errorf("Cc %v, %v", cc, err)
	}
	var refused *AddressError
	o.From.Address = "support"
	if _, err := Compose(o); !errors.As(err, &refused) || refused.Field != "From" {
		t.Errorf("From: %v", err)
	}
	o = outgoing()
	o.EnvelopeFrom = "support"
	if _, err := Compose(o); !errors.As(err, &refused) || refused.Field != "EnvelopeFrom" {
		t.Errorf("EnvelopeFrom: %v", err)
	}
	o = outgoing()
	o.EnvelopeFrom = ""
	if c, err := Compose(o); err != nil || c.From != "" {
		t.Errorf("null sender: %v", err)
	}
	for _, id := range []string{"", "a b@c", "a>@c", strings.Repeat("x", 1000)} {
		o := outgoing()
		if o.MessageID = id; id != "" {
			o.InReplyTo = id
		}
		if _, err := Compose(o); err == nil {
			t.Errorf("Message-ID %.20q was taken", id)
		}
	}
}

func TestComposeTextsSurvive(t *testing.T) {
	japanese := strings.Repeat("プリンターの調子が悪いので見ていただけますか。", 20)
	tests := []struct{ name, subject, text, encoding string }{
		{"ascii", "Printer", "Hello = world\nFrom here\n.dot", "quoted-printable"},
		{"western", "Café fermé à Zürich", "Grüße aus Zürich, the rest is plain English text.", "quoted-printable"},
		{"japanese", japanese, japanese + "\n" + japanese, "base64"},
		{"long word", strings.Repeat("x", 400), strings.Repeat("y", 5000), "quoted-printable"},
		{"looks encoded", "=?utf-8?q?=41?=", "x", "quoted-printable"},
		{"emoji", "😀 ok " + strings.Repeat("😀", 100), "👨‍👩‍👧‍👦", "base64"},
		{"empty", "", "", "quoted-printable"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := outgoing()
			o.Subject, o.Text, o.HTML = test.subject, test.text, test.text
			raw := compose(t, o)
			if beyondASCII(raw) > 0 {
				t.Error("bytes beyond ASCII")
			}
			header, parts := leaves(t, raw)
			want := []rune(test.subject)
			if len(want) > maxSubjectRunes {
				t.Fatal("the test's subject is too long")
			}
			if got := decoded(t, header.Get("Subject")); got != string(want) {
				t.Errorf("subject %q, want %q", got, test.subject)
			}
			for _, p := range parts {
				if got := strings.ReplaceAll(p.body, "\r\n", "\n"); got != test.text {
					t.Errorf("%s is %q, want %q", p.typ, got, test.text)
				}
			}
			if !strings.Contains(raw, "Content-Transfer-Encoding: "+test.encoding+"\r\n") {
				t.Errorf("not %s:\n%s", test.encoding, raw)
			}
			headerLines, _, _ := strings.Cut(raw, "\r\n\r\n")
			for line := range strings.Lines(headerLines) {
				if len(line) > 80 {
					t.Errorf("header line of %d bytes: %s", len(line), line)
				}
			}
		})
	}
}
