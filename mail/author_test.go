package mail

import (
	"strings"
	"testing"
)

// A From line that another program may read as somebody else's proves nobody.
func TestFromUnsure(t *testing.T) {
	for _, c := range []struct {
		header string
		from   string
		sure   bool
	}{
		{"From: aki@example.com", "aki@example.com", true},
		{"From: Aki <aki@example.com>", "aki@example.com", true},
		{"From: \"Sato, Aki; Support: (x) <y@z>\" <aki@example.com>", "aki@example.com", true},
		{"From: \"mallory@evil.test\" <aki@example.com>", "aki@example.com", true},
		{"From: =?utf-8?Q?Aki@home?= <aki@example.com>", "aki@example.com", true},
		{"From: Aki <aki@example.com> (at work)", "aki@example.com", true},
		{"From: (Aki) aki@example.com", "aki@example.com", true},
		{"From: 佐藤 <aki@example.com>", "aki@example.com", true},
		{"From: <AKI@Example.com>", "AKI@Example.com", true},
		{"From: \"a.b\"@example.com", "\"a.b\"@example.com", true},
		{"From: \"a b\"@example.com", "b\"@example.com", false},
		{"From: aki@example.com, mallory@evil.test", "aki@example.com", false},
		{"From: Aki <aki@example.com>, M <mallory@evil.test>", "aki@example.com", false},
		{"From: mallory@evil.test <aki@example.com>", "aki@example.com", false},
		{"From: Team: aki@example.com;", "aki@example.com", false},
		{"From: Team:aki@example.com, mallory@evil.test;", "aki@example.com", false},
		{"From: <mallory@evil.test> <aki@example.com>", "mallory@evil.test", false},
		{"From: <aki@example.com> <mallory@evil.test>", "aki@example.com", false},
		{"From: =?utf-8?Q?aki=40example.com?=", "aki@example.com", false},
		{"From: =?utf-8?Q?aki=40example.com_=3Cmallory=40evil.test=3E?=", "mallory@evil.test", false},
		{"From: aki@example.com\nFrom: mallory@evil.test", "aki@example.com", false},
		{"From: mallory@evil.test\nFrom: aki@example.com", "mallory@evil.test", false},
		{"From: <@evil.test:aki@example.com>", "aki@example.com", false},
		{"From: aki@ example.com", "aki@example.com", false},
		{"From: \"Aki <aki@example.com>", "aki@example.com", false},
		{"From: aki(@example.com", "aki(@example.com", false},
		{"From: Aki\nSender: aki@example.com", "aki@example.com", false},
		{"Sender: aki@example.com", "aki@example.com", false},
		{"Resent-From: aki@example.com", "aki@example.com", false},
		{"Subject: nobody", "", false},
	} {
		m, err := Parse(strings.NewReader(c.header + "\n\nHello\n"))
		if err != nil {
			t.Fatal(err)
		}
		if m.FromUnsure == c.sure || c.sure && m.From.Address != c.from {
			t.Errorf("%s: read as %q, unsure %v", c.header, m.From.Address, m.FromUnsure)
		}
	}
}

// Two addresses are the same one in either case, but never by a sign that only
// looks like another.
func TestAddressKey(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"aki@example.com", " AKI@Example.COM ", true},
		{"é@example.com", "É@example.com", true},
		{"aki@example.com", "a\u212Ai@example.com", false}, // Kelvin sign
		{"aki@example.com", "ak\u0130@example.com", false}, // I with a dot
		{"aki@example.com", "\u0430ki@example.com", false}, // Cyrillic a
		{"aki@example.com", "aki@example.com.", false},
	} {
		if (Address{Address: c.a}).Key() == (Address{Address: c.b}).Key() != c.same {
			t.Errorf("%q and %q: the same is not %v", c.a, c.b, c.same)
		}
	}
}

// Where servers write for whom a mail was is kept, within a bound.
func TestDeliveredTo(t *testing.T) {
	m, err := Parse(strings.NewReader("Delivered-To: <support+x@example.com>\nX-Original-To: help@example.com\nEnvelope-To: nobody\n" + strings.Repeat("X-Envelope-To: a@b\n", 100) + "\nHello\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.DeliveredTo) != maxDelivered || m.DeliveredTo[0] != "support+x@example.com" || m.DeliveredTo[1] != "help@example.com" {
		t.Errorf("delivered to %v", m.DeliveredTo)
	}
}
