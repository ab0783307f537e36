package command

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"helpdesk/daemon/config"
)

//go:embed init_words.toml
var initWordsFile string

// initPhrase is one entry of init_words.toml.
type initPhrase struct{ En, Ja string }

// initPhrases decodes init_words.toml once. It is part of the program: that it
// decodes is proved by a test.
var initPhrases = sync.OnceValue(func() map[string]initPhrase {
	all := map[string]initPhrase{}
	if _, err := toml.Decode(initWordsFile, &all); err != nil {
		panic(fmt.Errorf("decoding init_words.toml: %w", err))
	}
	return all
})

// text is the phrase for key in the person's language; pairs are names of
// placeholders and their values.
func (i *initer) text(key string, pairs ...string) string {
	p := initPhrases()[key]
	text := p.En
	if i.Language == config.Japanese {
		text = p.Ja
	}
	braced := make([]string, len(pairs))
	for n, s := range pairs {
		if braced[n] = s; n%2 == 0 {
			braced[n] = "{" + s + "}"
		}
	}
	return strings.NewReplacer(braced...).Replace(text)
}
