package diagnose

import (
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/BurntSushi/toml"

	"helpdesk/mail"
)

// variation is a row of testdata: words as people paste them, and what they
// know besides.
type variation struct {
	cause                              string
	Protocol, Host, Auth, Text, Server string
	Step, Code, Enhanced, Class        string // an error of our own instead of words
	Temporary                          bool
	Port                               int
}

func variations(t testing.TB) []variation {
	t.Helper()
	names, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no variations: %v", err)
	}
	var all []variation
	for _, name := range names {
		var file struct {
			Cause []struct {
				Slug string
				Rows []variation
			}
		}
		meta, err := toml.DecodeFile(name, &file)
		if err != nil {
			t.Fatal(err)
		}
		if unknown := meta.Undecoded(); len(unknown) > 0 {
			t.Fatalf("%s: %v", name, unknown)
		}
		for _, c := range file.Cause {
			for _, row := range c.Rows {
				row.cause = c.Slug
				all = append(all, row)
			}
		}
	}
	return all
}

// seen is the error that a row stands for.
func (v variation) seen() *mail.Error {
	if v.Step != "" {
		e := &mail.Error{Protocol: v.Protocol, Server: v.Host, Step: v.Step, Auth: v.Auth, Code: v.Code, Enhanced: v.Enhanced, Text: v.Text, Temporary: v.Temporary}
		if v.Port != 0 {
			e.Server += ":" + strconv.Itoa(v.Port)
		}
		if v.Class != "" {
			e.Err = reported{v.Class, v.Class}
		}
		return e
	}
	h := Hints{Protocol: v.Protocol, Host: v.Host, Auth: v.Auth}
	if v.Port != 0 {
		h.Port = strconv.Itoa(v.Port)
	}
	return Read(v.Text, h)
}

// The same meaning in other words, other programs and other languages has the
// same cause; and all causes of the catalogue are among them.
func TestVariations(t *testing.T) {
	met := map[string]int{}
	for _, v := range variations(t) {
		met[v.cause]++
		e := v.seen()
		if got := Explain(e, "").Cause; got != v.cause {
			t.Errorf("got %s, want %s: %q (%s %s, read as step %q code %q enhanced %q)", got, v.cause, v.Text, v.Protocol, v.Host, e.Step, e.Code, e.Enhanced)
		}
	}
	for _, slug := range loaded().slugs {
		if met[slug] == 0 {
			t.Errorf("no variation of %s", slug)
		}
	}
}

// A rule that nothing reaches, because one before it always fits too, is a
// mistake in the order.
func TestEveryRuleIsTheFirstForSomething(t *testing.T) {
	data := loaded()
	reached := make([]bool, len(data.rules))
	for _, v := range variations(t) {
		e, _, _ := data.examine(Record(v.seen()), "")
		reached[data.match(e)] = true
	}
	for _, tt := range serverLines {
		e, _, _ := data.examine(Record(&tt.err), "")
		reached[data.match(e)] = true
	}
	for i, r := range data.rules {
		if !reached[i] {
			t.Errorf("rule %d (%s) is never the first: %+v", i+1, r.Cause, r.condition)
		}
	}
}

// The order of the rules is what decides: with the special ones last, other
// causes come out.
func TestOrderMatters(t *testing.T) {
	data := *loaded()
	data.rules = slices.Clone(data.rules)
	slices.Reverse(data.rules[:len(data.rules)-1])
	changed := 0
	for _, v := range variations(t) {
		e, _, _ := data.examine(Record(v.seen()), "")
		if data.rules[data.match(e)].Cause != v.cause {
			changed++
		}
	}
	if changed < 50 {
		t.Errorf("only %d variations have another cause when the rules are tried from the end", changed)
	}
}
