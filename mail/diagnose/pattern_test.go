package diagnose

import (
	"regexp"
	"testing"
)

// A pattern taken apart finds what its expression finds.
func TestPatternsFindWhatTheirExpressionsFind(t *testing.T) {
	var texts []string
	for i, v := range variations(t) {
		if i%5 == 0 {
			texts = append(texts, evident(v.Text))
		}
	}
	data := loaded()
	conditions := make([]condition, 0, len(data.rules))
	for _, r := range data.rules {
		conditions = append(conditions, r.condition)
	}
	for _, c := range data.classes {
		conditions = append(conditions, c.condition)
	}
	for _, c := range conditions {
		if c.text == nil {
			continue
		}
		whole := regexp.MustCompile(bare(c.Text))
		for _, text := range texts {
			if got, want := c.text.in(text), whole.MatchString(text); got != want {
				t.Errorf("%s in %q: %v", c.Text, text, got)
			}
		}
	}
}

func TestPattern(t *testing.T) {
	for _, tt := range []struct {
		stems    []string
		in, out  string
		compiled int // alternatives that need an expression
	}{
		{stems: []string{"wrong"}, in: "so wrongly", out: "unwrong _wrong 2wrong"},
		{stems: []string{`log-?[io]ns?\b`}, in: "the log-ins", out: "blogin loginx", compiled: 1},
		{stems: []string{"密码", "パスワード"}, in: "该密码有误", out: "密 码"},
		{stems: []string{`\w*limit`}, in: "a versandlimit", out: "lim it", compiled: 1},
		{stems: []string{`(a|b)+c`, `[xy]z?`}, in: "an abac", out: "a b", compiled: 2},
		{stems: []string{`(do|does) not (fit|belong)`}, in: "it does not belong", out: "belong does not", compiled: 1},
	} {
		p, err := compileStems(tt.stems)
		if err != nil {
			t.Fatal(err)
		}
		if !p.in(tt.in) || p.in(tt.out) {
			t.Errorf("%q: %v in %q, %v in %q", tt.stems, p.in(tt.in), tt.in, p.in(tt.out), tt.out)
		}
		n := 0
		for _, a := range p {
			if a.match != nil {
				n++
			}
		}
		if n != tt.compiled {
			t.Errorf("%q: %d expressions, want %d", tt.stems, n, tt.compiled)
		}
	}
	if _, err := compileStems([]string{"(open"}); err == nil {
		t.Error("an open parenthesis was taken")
	}
	if _, err := compile("(open"); err == nil {
		t.Error("an open parenthesis was taken")
	}
}
