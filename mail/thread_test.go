package mail

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestAnswerThread(t *testing.T) {
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ticks := uint64(began.UnixNano()/100 + 116444736000000000)
	head := string([]byte{byte(ticks >> 56), byte(ticks >> 48), byte(ticks >> 40), byte(ticks >> 32), byte(ticks >> 24), byte(ticks >> 16)}) + "sixteen bytes id"
	index := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	unit := func(d time.Duration) uint32 { return uint32(uint64(d/100) >> 18) }
	for name, c := range map[string]struct {
		header, topic string
		after         time.Duration
		want          string // of the index's bytes; "" for none
		delta         uint32 // of the last five, with a tolerance of 2
	}{
		"the first answer":       {"Thread-Topic: Printer\nThread-Index: " + index(head), "Printer", time.Hour, head, unit(time.Hour)},
		"the second":             {"Thread-Topic: Printer\nThread-Index: " + index(head+"12345"), "Printer", time.Hour, head + "12345", unit(time.Hour)},
		"folded, without end":    {"Thread-Index:\n " + index(head)[:20] + "\n " + strings.TrimRight(index(head), "=")[20:], "", time.Hour, head, unit(time.Hour)},
		"after two years":        {"Thread-Index: " + index(head), "", 2 * 365 * 24 * time.Hour, head, 1<<31 | unit(2*365*24*time.Hour)>>5},
		"clock before it":        {"Thread-Index: " + index(head), "", -time.Hour, head, 0},
		"encoded topic":          {"Thread-Topic: =?utf-8?B?6KSH5ZCI5qmf?=\nSubject: x", "複合機", 0, "", 0},
		"neither":                {"Subject: x", "", 0, "", 0},
		"too short":              {"Thread-Index: " + index(head[:21]), "", 0, "", 0},
		"half a child":           {"Thread-Index: " + index(head+"123"), "", 0, "", 0},
		"another version":        {"Thread-Index: " + index("\x02"+head[1:]), "", 0, "", 0},
		"no base64":              {"Thread-Index: <script>", "", 0, "", 0},
		"broken header before":   {"no colon here\nThread-Index: " + index(head), "", time.Hour, head, unit(time.Hour)},
		"in the body only":       {"Subject: x\n\nThread-Index: " + index(head), "", 0, "", 0},
		"as long as may be":      {"Thread-Index: " + index(head+strings.Repeat("12345", 100)), "", time.Hour, head + strings.Repeat("12345", 99), 0x31323334},
		"a line that is no line": {"Thread-Topic: a\r\n\tb\r\nSubject: x", "a b", 0, "", 0},
	} {
		topic, got, err := AnswerThread(strings.NewReader(c.header+"\n\nbody"), began.Add(c.after))
		raw, errBase := base64.StdEncoding.DecodeString(got)
		if err != nil || errBase != nil || topic != c.topic {
			t.Errorf("%s: topic %q, %v, %v", name, topic, err, errBase)
			continue
		}
		if c.want == "" {
			if got != "" {
				t.Errorf("%s: index %q", name, got)
			}
			continue
		}
		if len(raw) != len(c.want)+5 || string(raw[:len(c.want)]) != c.want {
			t.Errorf("%s: index %q, want %q and 5 bytes", name, raw, c.want)
			continue
		}
		child := raw[len(raw)-5:]
		delta := uint32(child[0])<<24 | uint32(child[1])<<16 | uint32(child[2])<<8 | uint32(child[3])
		if diff := int64(delta) - int64(c.delta); diff < -2 || diff > 2 {
			t.Errorf("%s: the answer came after %#x, want %#x", name, delta, c.delta)
		}
	}
	broken := errors.New("broken")
	if _, _, err := AnswerThread(io.MultiReader(strings.NewReader("Subject: x\n"), iotest.ErrReader(broken)), began); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// The customer's subject and index go out as Outlook writes them.
func TestComposeThread(t *testing.T) {
	o := &Outgoing{
		MessageID: "1@a.test", Date: time.Unix(0, 0), EnvelopeFrom: "a@a.test", EnvelopeTo: "b@b.test", From: Address{Address: "a@a.test"},
		Subject: "Re: [SUP-1] 複合機", Text: "x", ThreadTopic: "複合機\r\nBcc: evil", ThreadIndex: "AdxaAQID",
	}
	c, err := Compose(o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := c.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(b.String(), "\r\n\r\n")
	subject, topic := strings.Index(head, "Subject:"), strings.Index(head, "Thread-Topic:")
	if subject < 0 || topic < subject || !strings.Contains(head, "\r\nThread-Index: AdxaAQID") || strings.Contains(head, "\r\nBcc") {
		t.Errorf("the header is\n%s", head) // MS-OXCMAIL section 2.2.3.2.7: the topic comes behind the subject
	}
}
