package mail

import (
	"encoding/json"
	"strings"
	"testing"
)

// A date that a mail does not have is null in JSON, not the year 1.
func TestUnknownDateIsNull(t *testing.T) {
	for raw, want := range map[string]string{
		"From: a@b\n\nhi\n": `"date":null`,
		"From: a@b\nDate: Sat, 21 Nov 2026 12:00:00 +0900\n\nhi\n": `"date":"2026-11-21T12:00:00+09:00"`,
	} {
		m, err := Parse(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		m.Forwarded = &Forwarded{}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), want) || !strings.Contains(string(b), `"forwarded":{"from":{"name":"","address":""},"subject":"","date":null}`) || strings.Count(string(b), `"date"`) != 2 {
			t.Errorf("of %q the JSON is %s", raw, b)
		}
	}
}
