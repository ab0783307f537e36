package desk

import (
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
)

func TestTokens(t *testing.T) {
	s, err := NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewSigner([]byte("another key of thirty-two bytes!"))
	if err != nil {
		t.Fatal(err)
	}
	agents := []mail.Address{aki, ben}
	toAki := s.MessageID(Token{Agent: true, RequestID: 12345, MessageID: 99, Event: EventNew}, aki, "example.com")
	toCustomer := s.MessageID(Token{RequestID: 12345, MessageID: 99, Event: EventReceived}, taro, "example.com")
	if token, agent, ok := s.Read(toAki, agents); !ok || !token.Agent || token.RequestID != 12345 || token.MessageID != 99 || agent != aki {
		t.Errorf("Read(%s) = %+v, %v, %v", toAki, token, agent, ok)
	}
	if token, _, ok := s.Read(toCustomer, nil); !ok || token.Agent || token.RequestID != 12345 {
		t.Errorf("Read(%s) = %+v, %v", toCustomer, token, ok)
	}
	if _, _, ok := s.Read(toAki, []mail.Address{ben}); ok {
		t.Error("an agent's token was taken for another agent's")
	}
	if toAki == s.MessageID(Token{Agent: true, RequestID: 12345, MessageID: 99, Event: EventNew}, ben, "example.com") {
		t.Error("two agents got the same Message-ID")
	}
	for _, forged := range []string{
		"", "x", "hd.", "hd.@x", "hd.c@x", "hd.c.9ix.2r.received.aaaaaaaaaaaaaaaa@example.com",
		toCustomer[:3] + "a" + toCustomer[4:], other.MessageID(Token{RequestID: 12345, MessageID: 99, Event: EventReceived}, taro, "example.com"),
	} {
		if token, _, ok := s.Read(forged, agents); ok {
			t.Errorf("Read(%q) = %+v, want no token", forged, token)
		}
	}
	loop := s.Loop(1, toAki)
	if !s.OwnLoop(1, loop) || s.OwnLoop(2, loop) || other.OwnLoop(1, loop) || s.OwnLoop(1, loop+"x") || s.OwnLoop(1, "") {
		t.Error("the loop mark is not told from others")
	}
}

// The token in an address is known again in either case of the letters, under
// any of the desk's own addresses, and only there.
func TestAddressTokens(t *testing.T) {
	s, err := NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewSigner([]byte("another key of thirty-two bytes!"))
	if err != nil {
		t.Fatal(err)
	}
	d := testDesk()
	token := s.AddressToken(12345)
	for _, id := range []int64{0, 1, 12345, 1<<63 - 1} {
		address := s.PlusAddress(d, id)
		if got, ok := s.ReadAddress(mail.Address{Address: address}, d); !ok || got != id {
			t.Errorf("ReadAddress(%s) = %d, %v", address, got, ok)
		}
		if token := s.AddressToken(id); len(token) > 30 || strings.ContainsAny(token, "+-_.=@ ") {
			t.Errorf("the token %s is no good in an address", token)
		}
	}
	for _, c := range []struct {
		address string
		ok      bool
	}{
		{"support+" + token + "@example.com", true},
		{"SUPPORT+" + strings.ToUpper(token) + "@EXAMPLE.COM", true},
		{" support+" + token + "@example.com ", true},
		{"help+" + token + "@example.com", true},
		{"support@example.com", false},
		{"support+@example.com", false},
		{"support+" + token[:16] + "@example.com", false},
		{"support+" + token[:16] + "9iy@example.com", false}, // another request's number
		{"support+" + token[:15] + "a" + token[16:] + "@example.com", false},
		{"support+" + token + "x@example.com", false},
		{"support+x" + token + "@example.com", false},
		{"support+a+" + token + "@example.com", false},
		{"support+" + token + "@evil.test", false},
		{"sales+" + token + "@example.com", false},
		{"+" + token + "@example.com", false},
		{token + "@example.com", false},
		{"support+" + other.AddressToken(12345) + "@example.com", false},
		{"support+" + strings.Replace(token, "k", "\u212a", 1) + "@example.com", !strings.Contains(token, "k")},
	} {
		if id, ok := s.ReadAddress(mail.Address{Address: c.address}, d); ok != c.ok {
			t.Errorf("ReadAddress(%s) = %d, %v, want %v", c.address, id, ok, c.ok)
		}
		if local, domain, _ := strings.Cut(c.address, "@"); c.ok != (c.ok && d.Ours(mail.Address{Address: local + "@" + domain})) {
			t.Errorf("%s is not one of ours", c.address)
		}
	}
	if d.Ours(mail.Address{Address: "taro+support@customer.test"}) || d.Ours(mail.Address{}) || !d.Ours(mail.Address{Address: "Support+anything@example.com"}) {
		t.Error("our own addresses are not told from others")
	}
}

// A desk at Gmail is reached by all spellings of its address; none of them
// becomes a participant.
func TestOursAtGmail(t *testing.T) {
	b := newBench(t, "")
	b.desk.Address, b.desk.Sender, b.desk.Aliases = "help.desk@gmail.com", mail.Address{Address: "help.desk@gmail.com"}, []string{"support@example.com"}
	token := b.taker.Signer.AddressToken(7)
	for address, want := range map[string]bool{
		"helpdesk@gmail.com": true, "Help.Desk@googlemail.com": true, "h.elpdesk+" + token + "@gmail.com": true,
		"helpdesk@example.com": false, "sup.port@example.com": false, "helpdesks@gmail.com": false,
	} {
		if b.desk.Ours(mail.Address{Address: address}) != want {
			t.Errorf("%s is ours: %v", address, !want)
		}
	}
	if id, ok := b.taker.Signer.ReadAddress(mail.Address{Address: "helpdesk+" + token + "@googlemail.com"}, b.desk); !ok || id != 7 {
		t.Errorf("the token in another spelling is of %d, %v", id, ok)
	}
	b.take(posted("taro@customer.test", "1@c", "Cc: helpdesk@gmail.com, hanako@customer.test", "Hello"))
	people, err := b.taker.Store.Participants(t.Context(), b.request("SUP-1").ID)
	if err != nil || len(people) != 2 {
		t.Errorf("participants are %v (%v)", people, err)
	}
}

// The two mails of a round trip are told from each other and from those of another desk.
func TestRoundTripMarks(t *testing.T) {
	s, err := NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	plus, probe := s.Plus(1, "id@x", at), s.Probe(1, "id@x", at)
	if sent, ok := s.OwnPlus(1, plus); !ok || !sent.Equal(at) {
		t.Errorf("OwnPlus = %v, %v", sent, ok)
	}
	if sent, ok := s.OwnProbe(1, probe); !ok || !sent.Equal(at) {
		t.Errorf("OwnProbe = %v, %v", sent, ok)
	}
	for name, value := range map[string]string{
		"another desk's": s.Plus(2, "id@x", at), "a probe": probe, "a renamed probe": "plus" + strings.TrimPrefix(probe, "probe"), "cut": plus[:len(plus)-1], "none": "",
	} {
		if _, ok := s.OwnPlus(1, value); ok {
			t.Errorf("%s was taken for the mark of the second mail", name)
		}
	}
	if _, ok := s.OwnProbe(1, plus); ok {
		t.Error("the second mail's mark was taken for the first one's")
	}
}
