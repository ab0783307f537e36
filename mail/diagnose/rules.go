package diagnose

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
)

//go:embed rules.toml reading.toml families.toml catalogue/*.toml
var files embed.FS

// book is the embedded data, decoded and checked.
type book struct {
	causes   map[string]cause
	slugs    []string                     // of the causes, in the order of the catalogue
	step     map[string]map[string]string // language → step → words
	missing  map[string]map[string]string // language → placeholder → words
	retry    map[string]map[string]string // language → Diagnosis.Retry → words
	families map[string]*family           // words of one meaning
	groups   map[string][]string          // provider groups, as "microsoft"
	rules    []rule
	reading
}

// condition is what a rule asks of the evidence; see rules.toml. Each list
// holds when one of its entries does, an empty one always.
type condition struct {
	Protocol  []string `toml:"protocol"`
	Step      []string `toml:"step"`
	Auth      []string `toml:"auth"`
	Code      []string `toml:"code"`
	Enhanced  []string `toml:"enhanced"`
	AADSTS    []string `toml:"aadsts"`
	Class     []string `toml:"class"`
	NotClass  []string `toml:"not_class"`
	Provider  []string `toml:"provider"`
	Host      []string `toml:"host"`
	Port      []int    `toml:"port"`
	Temporary *bool    `toml:"temporary"`
	Foreign   bool     `toml:"foreign"`
	Said      []string `toml:"said"`
	Text      string   `toml:"text"`

	said [][]clause
	text pattern
}

// family is the words of one meaning.
type family struct{ words pattern }

// clause is one family of an alternative in condition.Said.
type clause struct {
	family *family
	absent bool // the family must not occur
}

// rule names a cause when all its conditions hold.
type rule struct {
	condition
	Cause    string `toml:"cause"`
	Retry    string `toml:"retry"`
	Concerns string `toml:"concerns"`
}

// evidence is what the rules look at.
type evidence struct {
	protocol, step, auth, code, enhanced, class, host, port string
	aadsts                                                  []string // error numbers of Microsoft's sign-in, without "AADSTS"
	providers                                               []string // of the host and of the words
	temporary                                               bool
	undecided                                               bool   // words of a mail program without any code: nobody said whether it passes
	foreign                                                 bool   // the host is the relay of another product
	text                                                    string // folded
	words                                                   string // folded, without links, addresses and codes

	found map[*family]bool // those looked for already
}

// loaded decodes the embedded data once, when the first failure is explained.
// The data is part of the program: that it decodes is proved by a test.
var loaded = sync.OnceValue(func() *book {
	b, err := load()
	if err != nil {
		panic(err)
	}
	return b
})

func load() (*book, error) {
	b := &book{causes: map[string]cause{}, families: map[string]*family{}}
	if err := b.loadCatalogue(); err != nil {
		return nil, err
	}
	if err := b.loadFamilies(); err != nil {
		return nil, err
	}
	if err := b.loadReading(); err != nil {
		return nil, err
	}
	var list struct {
		Rule []rule `toml:"rule"`
	}
	if err := decode("rules.toml", &list); err != nil {
		return nil, err
	}
	for i, r := range list.Rule {
		if _, ok := b.causes[r.Cause]; !ok {
			return nil, fmt.Errorf("rules.toml: rule %d: cause %q is not in the catalogue", i+1, r.Cause)
		}
		if err := b.prepare(&r.condition); err != nil {
			return nil, fmt.Errorf("rules.toml: rule %d (%s): %w", i+1, r.Cause, err)
		}
		b.rules = append(b.rules, r)
	}
	return b, nil
}

// loadFamilies reads the words of one meaning.
func (b *book) loadFamilies() error {
	var list struct {
		Group  map[string][]string `toml:"group"`
		Family map[string][]string `toml:"family"`
	}
	if err := decode("families.toml", &list); err != nil {
		return err
	}
	b.groups = list.Group
	for name, stems := range list.Family {
		words, err := compileStems(stems)
		if err != nil {
			return fmt.Errorf("families.toml: %s: %w", name, err)
		}
		b.families[name] = &family{words}
	}
	return nil
}

// prepare compiles what a condition names.
func (b *book) prepare(c *condition) error {
	for _, alternative := range c.Said {
		var clauses []clause
		for _, name := range strings.Fields(alternative) {
			bare := strings.TrimPrefix(name, "!")
			family, ok := b.families[bare]
			if !ok {
				return fmt.Errorf("no word family %q", bare)
			}
			clauses = append(clauses, clause{family, bare != name})
		}
		c.said = append(c.said, clauses)
	}
	var all []string
	for _, name := range c.Provider {
		if members, ok := b.groups[name]; ok {
			all = append(all, members...)
		} else {
			all = append(all, name)
		}
	}
	c.Provider = all
	for i, code := range c.Code {
		c.Code[i] = strings.ToUpper(code) // as evidence has them: servers differ
	}
	if c.Text == "" {
		return nil
	}
	text, err := compile(bare(c.Text))
	if err != nil {
		return fmt.Errorf("reading its text: %w", err)
	}
	c.text = text
	return nil
}

func decode(name string, into any) error {
	data, err := fs.ReadFile(files, name)
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

// match gives the index of the first rule that fits. The last one has no
// condition.
func (b *book) match(e *evidence) int {
	for i := range b.rules {
		if b.rules[i].fits(e) {
			return i
		}
	}
	return len(b.rules) - 1
}

func (c *condition) fits(e *evidence) bool {
	return (len(c.Protocol) == 0 || slices.Contains(c.Protocol, e.protocol) || e.protocol == "" && !slices.Contains(c.Protocol, "oauth")) &&
		(len(c.Step) == 0 || slices.Contains(c.Step, e.step)) &&
		(len(c.Auth) == 0 || slices.Contains(c.Auth, e.auth)) &&
		(len(c.Code) == 0 || oneOf(c.Code, e.code)) &&
		(len(c.Enhanced) == 0 || oneOf(c.Enhanced, e.enhanced)) &&
		(len(c.AADSTS) == 0 || slices.ContainsFunc(e.aadsts, func(n string) bool { return slices.Contains(c.AADSTS, n) })) &&
		(len(c.Class) == 0 || slices.Contains(c.Class, e.class)) &&
		!slices.Contains(c.NotClass, e.class) &&
		(len(c.Provider) == 0 || slices.ContainsFunc(e.providers, func(p string) bool { return slices.Contains(c.Provider, p) })) &&
		(len(c.Host) == 0 || slices.ContainsFunc(c.Host, func(suffix string) bool { return strings.HasSuffix(e.host, suffix) })) &&
		(len(c.Port) == 0 || slices.ContainsFunc(c.Port, func(p int) bool { return strconv.Itoa(p) == e.port })) &&
		(c.Temporary == nil || *c.Temporary == e.temporary || e.undecided) &&
		(!c.Foreign || e.foreign) &&
		c.saidIn(e) &&
		(c.text == nil || c.text.in(e.text))
}

// oneOf compares with patterns: # stands for a digit.
func oneOf(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if len(p) != len(value) {
			return false
		}
		for i := range len(p) {
			if p[i] != value[i] && (p[i] != '#' || value[i] < '0' || value[i] > '9') {
				return false
			}
		}
		return true
	})
}

func (c *condition) saidIn(e *evidence) bool {
	return len(c.said) == 0 || slices.ContainsFunc(c.said, func(clauses []clause) bool {
		return !slices.ContainsFunc(clauses, func(one clause) bool { return e.has(one.family) == one.absent })
	})
}

func (e *evidence) has(f *family) bool {
	found, looked := e.found[f]
	if !looked {
		found = f.words.in(e.words)
		if e.found == nil {
			e.found = map[*family]bool{}
		}
		e.found[f] = found
	}
	return found
}
