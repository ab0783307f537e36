package diagnose

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"helpdesk/mail/provider"
)

// cause is one way in which a mail server fails us, see catalogue/network.toml.
type cause struct {
	Slug        string    `toml:"slug"`
	Retry       string    `toml:"retry"`
	Concerns    string    `toml:"concerns"`
	AskProvider bool      `toml:"ask_provider"` // the pages that mail/provider knows help with it
	En          Words     `toml:"en"`
	Ja          Words     `toml:"ja"`
	Variant     []variant `toml:"variant"`
}

// variant is how a cause reads at some providers. What it leaves out is as
// with the others.
type variant struct {
	Provider []string `toml:"provider"`
	AsOf     string   `toml:"as_of"` // month in which names of menus and pages were true
	Links    []string `toml:"links"`
	En       Words    `toml:"en"`
	Ja       Words    `toml:"ja"`
}

// loadCatalogue reads the files of catalogue/.
func (b *book) loadCatalogue() error {
	names, err := fs.Glob(files, "catalogue/*.toml")
	if err != nil {
		return fmt.Errorf("listing the catalogue: %w", err)
	}
	for _, name := range names {
		var file struct {
			Cause   []cause                      `toml:"cause"`
			Step    map[string]map[string]string `toml:"step"`
			Missing map[string]map[string]string `toml:"missing"`
			Retry   map[string]map[string]string `toml:"retry"`
		}
		if err := decode(name, &file); err != nil {
			return err
		}
		for _, one := range file.Cause {
			if _, twice := b.causes[one.Slug]; twice {
				return fmt.Errorf("%s: cause %q is there twice", name, one.Slug)
			}
			b.causes[one.Slug] = one
			b.slugs = append(b.slugs, one.Slug)
		}
		if file.Step != nil {
			b.step, b.missing, b.retry = file.Step, file.Missing, file.Retry
		}
	}
	return nil
}

// at gives the variant for a provider.
func (c *cause) at(provider string) (variant, bool) {
	i := slices.IndexFunc(c.Variant, func(v variant) bool { return slices.Contains(v.Provider, provider) })
	if i < 0 {
		return variant{}, false
	}
	return c.Variant[i], true
}

// links are the pages to read about a cause at a provider.
func (c *cause) links(at string) []string {
	v, _ := c.at(at)
	links := slices.Clone(v.Links)
	if p, known := provider.Named(at); known && c.AskProvider && len(links) == 0 {
		links = slices.Clone(p.Links)
	}
	return links
}

// words in a language: "en" or "ja".
func (c *cause) words(provider, lang string) Words {
	w, own := c.En, Words{}
	v, _ := c.at(provider)
	own = v.En
	if lang == "ja" {
		w, own = c.Ja, v.Ja
	}
	if own.Title != "" {
		w.Title = own.Title
	}
	if own.Text != "" {
		w.Text = own.Text
	}
	if len(own.Remedy) > 0 {
		w.Remedy = own.Remedy
	}
	return w
}

// In gives the explanation in lang, "en" or "ja"; any other is taken as "en".
func (d Diagnosis) In(lang string) Words {
	if lang != "ja" {
		lang = "en"
	}
	data := loaded()
	c := data.causes[d.Cause]
	w := c.words(d.Provider, lang)
	step := data.step[lang][d.Step]
	if step == "" {
		step = data.step[lang]["other"]
	}
	pairs := []string{"{step}", step}
	for name, missing := range data.missing[lang] {
		placeholder, value := "{"+name+"}", d.args[name]
		if value == "" {
			value = missing
		}
		if value == missing && lang == "ja" { // between words of Japanese stands no space
			pairs = append(pairs, " "+placeholder+" ", value, " "+placeholder, value, placeholder+" ", value)
		}
		pairs = append(pairs, placeholder, value)
	}
	replacer := strings.NewReplacer(pairs...)
	fill := func(sentence string) string {
		sentence = replacer.Replace(sentence)
		if rest, began := strings.CutPrefix(sentence, "the "); began {
			return "The " + rest // what stands for a missing value stands at the beginning too
		}
		return sentence
	}
	out := Words{Title: fill(w.Title), Text: fill(w.Text), Again: data.retry[lang][d.Retry], Remedy: make([]string, len(w.Remedy))}
	for i, step := range w.Remedy {
		out.Remedy[i] = fill(step)
	}
	return out
}
