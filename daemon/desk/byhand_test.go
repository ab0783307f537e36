package desk

import (
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
)

// What an agent does by hand follows the same rules, and writes the same mail.
func TestByHand(t *testing.T) {
	do := func(b *bench, by ByHand) (string, []string) {
		t.Helper()
		var results []Result
		queued := b.since(func() {
			var err error
			if results, err = b.taker.ByHand(t.Context(), b.desk, by); err != nil {
				t.Fatal(err)
			}
		})
		var slugs []string
		for _, r := range results {
			slugs = append(slugs, r.Slug)
		}
		return strings.Join(slugs, " "), queued
	}
	aki := mail.Address{Address: "AKI@example.com"}
	for _, c := range []struct {
		name   string
		by     ByHand
		slugs  string
		queued []string
		state  string
		kept   string
	}{
		{"an answer", ByHand{Agent: aki, Say: "Switch it on."}, "answered", []string{"answered taro@customer.test", "answered-by ben@example.com"}, "waiting", "agent aki@example.com: Switch it on."},
		{"a note", ByHand{Agent: aki, Say: "Odd.", Note: true}, "noted", nil, "open", "note aki@example.com: Odd."},
		{"resolved", ByHand{Agent: aki, Commands: []Command{{Name: "resolve"}}}, "resolved", []string{"resolved taro@customer.test"}, "resolved", "note aki@example.com:"},
		{"resolved with an answer", ByHand{Agent: aki, Say: "Done.", Commands: []Command{{Name: "resolve"}}}, "answered resolved", []string{"answered taro@customer.test", "answered-by ben@example.com"}, "resolved", "agent aki@example.com: Done."},
		{"something impossible beside an answer", ByHand{Agent: aki, Say: "Done.", Commands: []Command{{Name: "assign", Arg: "carol"}}}, "agent-unknown", nil, "open", ""},
		{"a note by its sign", ByHand{Agent: aki, Say: "#note He is a fool."}, "note-inside", nil, "open", ""},
		{"nothing", ByHand{Agent: aki}, "empty", nil, "open", ""},
		{"somebody who is no agent", ByHand{Agent: mail.Address{Address: "eve@example.com"}, Say: "Hi"}, "agent-unknown", nil, "open", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := asked(t)
			c.by.Key = "sup-1"
			slugs, queued := do(b, c.by)
			kept := ""
			if m := b.messages("SUP-1"); len(m) > 1 {
				kept = m[1]
			}
			if slugs != c.slugs || !slices.Equal(queued, c.queued) || b.request("SUP-1").State != c.state || strings.TrimSpace(kept) != c.kept {
				t.Errorf("%s, queued %v, %s, kept %q; want %+v", slugs, queued, b.request("SUP-1").State, kept, c)
			}
		})
	}
	b, _ := asked(t)
	if _, err := b.taker.ByHand(t.Context(), b.desk, ByHand{Key: "SUP-9", Agent: aki, Say: "x"}); !strings.Contains(errText(err), "not found") {
		t.Errorf("a request that is not there: %v", err)
	}
	if slugs, queued := do(b, ByHand{Key: "SUP-1", Agent: aki, Commands: []Command{{Name: "reopen"}}}); slugs != "reopened-already" || len(queued) != 0 {
		t.Errorf("reopening an open one: %s, %v", slugs, queued)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
