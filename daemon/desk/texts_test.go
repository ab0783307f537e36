package desk

import (
	"strings"
	"testing"

	"helpdesk/mail"
)

var events = []string{EventReceived, EventNew, EventCustomerWrote, EventAnswered, EventAnsweredBy, EventNotSent}

// Every event has a subject with the key and a text, in both languages.
func TestTexts(t *testing.T) {
	n := notice{
		Key: "SUP-1", Subject: "Printer", Desk: "Office", Address: "support@example.com", Customer: taro, Author: "Aki",
		Text: "The text.", Quoted: "> quoted", QuotedHead: "Taro wrote:", Link: "http://page/requests/SUP-1",
		Omitted: []string{"film.mp4 (80 MB)"}, Limit: "50 MB",
	}
	for _, event := range events {
		for _, language := range []string{"en", "ja"} {
			subject, text, err := write(event, language, n)
			if err != nil {
				t.Errorf("%s in %s: %v", event, language, err)
				continue
			}
			if !strings.Contains(subject, "[SUP-1]") || len(text) < 10 || strings.Contains(text, "\n\n\n") || strings.Contains(subject+text, "<no value>") {
				t.Errorf("%s in %s:\n%s\n%s", event, language, subject, text)
			}
			t.Logf("--- %s %s\n%s\n\n%s", event, language, subject, text)
		}
	}
}

// A stranger must not make us send a link of theirs to somebody else.
func TestAcknowledgementShowsNoLink(t *testing.T) {
	for subject, want := range map[string]string{
		"Printer":                          "Printer",
		"Win at https://evil.test/x":       "Office",
		"visit WWW.evil.test now":          "Office",
		strings.Repeat("long ", 100) + "x": strings.Repeat("long ", 23) + "long…",
	} {
		n := notice{Key: "SUP-1", Subject: subject, Desk: "Office", Customer: mail.Address{Address: "a@b"}}
		if got := n.SafeSubject(); got != want {
			t.Errorf("%q is shown as %q, want %q", subject, got, want)
		}
	}
	for name, want := range map[string]string{"Taro Yamada": "Taro Yamada", "山田 太郎": "山田 太郎", "You won, evil.test": "", "see x/y": "", strings.Repeat("long ", 10): ""} {
		if got := (notice{Customer: mail.Address{Name: name}}).SafeName(); got != want {
			t.Errorf("the name %q is shown as %q, want %q", name, got, want)
		}
	}
}

func TestPage(t *testing.T) {
	got := page("Hello <b>&</b>\nsee https://example.com/a?b=1&c=2.\n> said \"x\"\n> [cid:logo]\nbye [cid:unknown]\n", map[string]bool{"logo": true, "other": true})
	for _, want := range []string{
		"Hello &lt;b&gt;&amp;&lt;/b&gt;<br>",
		`<a href="https://example.com/a?b=1&amp;c=2">https://example.com/a?b=1&amp;c=2</a>.<br>`,
		`said &#34;x&#34;<br>`,
		`<img src="cid:logo" alt="" style="max-width:100%"><br>` + "\n</blockquote>bye [cid:unknown]",
		`<img src="cid:other" alt="" style="max-width:100%"><br>` + "\n</body>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}
