package desk

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
)

// addResults puts what the commands in an agent's mail did into words.
func (l *draft) addResults() error {
	list, err := ReadResults(l.line)
	if err != nil {
		return err
	}
	if l.n.Key == "" {
		l.n.Key = l.line.Args["key"]
	}
	words, err := resultTexts(l.language)
	if err != nil {
		return err
	}
	l.n.Help = l.line.Args["help"] == "yes"
	for _, one := range list {
		sentence, err := resultWords(words, one)
		if err != nil {
			return err
		}
		if one.Bad {
			l.n.Failed = append(l.n.Failed, sentence)
		} else {
			l.n.Done = append(l.n.Done, sentence)
		}
		l.n.Help = l.n.Help || one.Slug == "unknown-command"
	}
	return nil
}

// resultTexts are the sentences for results, by slug.
func resultTexts(language string) (*template.Template, error) {
	source, err := texts.ReadFile("texts/results." + enOrJa(language) + ".txt")
	if err != nil {
		return nil, fmt.Errorf("reading the sentences for commands: %w", err)
	}
	t, err := template.New("results").Option("missingkey=zero").Parse(string(source))
	if err != nil {
		return nil, fmt.Errorf("reading the sentences for commands: %w", err)
	}
	return t, nil
}

// resultWords is the sentence for a result. One that has none shows what it
// is: better than no mail at all.
func resultWords(texts *template.Template, r Result) (string, error) {
	t := texts.Lookup(r.Slug)
	if t == nil {
		words := []string{r.Slug}
		for _, k := range slices.Sorted(maps.Keys(r.Args)) {
			words = append(words, k+": "+r.Args[k])
		}
		return strings.Join(words, ", "), nil
	}
	var b strings.Builder
	if err := t.Execute(&b, r.Args); err != nil {
		return "", fmt.Errorf("filling the sentence for %s: %w", r.Slug, err)
	}
	return strings.TrimSpace(b.String()), nil
}
