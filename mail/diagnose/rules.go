package diagnose

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
)

//go:embed catalogue.toml rules.toml
var files embed.FS

// catalogue is the embedded data, decoded and checked.
type catalogue struct {
	Cause   []cause                      `toml:"cause"`
	Step    map[string]map[string]string `toml:"step"`    // language → step → words
	Missing map[string]map[string]string `toml:"missing"` // language → placeholder → words

	causes map[string]cause
	rules  []rule
}

type cause struct {
	Slug     string `toml:"slug"`
	Retry    string `toml:"retry"`
	Concerns string `toml:"concerns"`
	En       Words  `toml:"en"`
	Ja       Words  `toml:"ja"`
}

// rule names a cause when all its conditions hold; see rules.toml.
type rule struct {
	Cause     string   `toml:"cause"`
	Retry     string   `toml:"retry"`
	Concerns  string   `toml:"concerns"`
	Protocol  []string `toml:"protocol"`
	Step      []string `toml:"step"`
	Code      []string `toml:"code"`
	Enhanced  []string `toml:"enhanced"`
	Class     []string `toml:"class"`
	NotClass  []string `toml:"not_class"`
	Provider  []string `toml:"provider"`
	Port      []int    `toml:"port"`
	Temporary *bool    `toml:"temporary"`
	Text      string   `toml:"text"`

	text *regexp.Regexp
}

// evidence is what the rules look at.
type evidence struct {
	protocol, step, code, enhanced, class, provider, port, text string
	temporary                                                   bool
}

// loaded decodes the embedded data once, when the first failure is explained.
// The data is part of the program: that it decodes is proved by a test.
var loaded = sync.OnceValue(func() *catalogue {
	c, err := load()
	if err != nil {
		panic(err)
	}
	return c
})

func load() (*catalogue, error) {
	c := &catalogue{causes: map[string]cause{}}
	if err := decode("catalogue.toml", c); err != nil {
		return nil, err
	}
	for _, one := range c.Cause {
		c.causes[one.Slug] = one
	}
	var list struct {
		Rule []rule `toml:"rule"`
	}
	if err := decode("rules.toml", &list); err != nil {
		return nil, err
	}
	for i, r := range list.Rule {
		if _, ok := c.causes[r.Cause]; !ok {
			return nil, fmt.Errorf("rules.toml: rule %d: cause %q is not in the catalogue", i+1, r.Cause)
		}
		if r.Text != "" {
			text, err := regexp.Compile("(?i)" + r.Text)
			if err != nil {
				return nil, fmt.Errorf("rules.toml: rule %d (%s): %w", i+1, r.Cause, err)
			}
			r.text = text
		}
		c.rules = append(c.rules, r)
	}
	return c, nil
}

func decode(name string, into any) error {
	data, err := files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	meta, err := toml.Decode(string(data), into)
	if err != nil {
		return fmt.Errorf("decoding %s: %w", name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return fmt.Errorf("decoding %s: unknown key %s", name, unknown[0])
	}
	return nil
}

// match gives the first rule that fits. The last rule has no condition.
func (c *catalogue) match(e evidence) rule {
	for _, r := range c.rules {
		if r.fits(e) {
			return r
		}
	}
	return rule{Cause: Unknown}
}

func (r rule) fits(e evidence) bool {
	port, err := strconv.Atoi(e.port)
	if err != nil {
		port = -1
	}
	return (r.Protocol == nil || slices.Contains(r.Protocol, e.protocol)) &&
		(r.Step == nil || slices.Contains(r.Step, e.step)) &&
		(r.Code == nil || slices.Contains(r.Code, strings.ToUpper(e.code))) &&
		(r.Enhanced == nil || slices.Contains(r.Enhanced, e.enhanced)) &&
		(r.Class == nil || slices.Contains(r.Class, e.class)) &&
		!slices.Contains(r.NotClass, e.class) &&
		(r.Provider == nil || slices.Contains(r.Provider, e.provider)) &&
		(r.Port == nil || slices.Contains(r.Port, port)) &&
		(r.Temporary == nil || *r.Temporary == e.temporary) &&
		(r.text == nil || r.text.MatchString(e.text))
}
