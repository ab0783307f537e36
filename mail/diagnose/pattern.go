package diagnose

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// pattern is a list of alternatives. Most of them are plain words, which are
// searched for as such; the others are tried only on a text that has the
// letters without which they cannot match. One expression of them all would be
// a hundred times slower on a long text.
type pattern []alternative

// alternative is a word or an expression.
type alternative struct {
	word    string         // alone, where expression is nil
	begins  bool           // a word of Latin letters must begin where a word begins
	letters []string       // one of them is in every text that expression matches; empty where none is certain
	match   *regexp.Regexp // nil where word says it all
}

// compile takes an expression (RE2) apart at its outermost alternatives.
func compile(expression string) (pattern, error) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("parsing %q: %w", expression, err)
	}
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpAlternate {
		parts = tree.Sub
	}
	p := make(pattern, 0, len(parts))
	for _, part := range parts {
		one, err := newAlternative(part, false)
		if err != nil {
			return nil, err
		}
		p = append(p, one)
	}
	return p, nil
}

// compileStems joins the words of one family. One of Latin letters must begin
// where a word begins; its end is open, so that a stem is enough.
func compileStems(stems []string) (pattern, error) {
	p := make(pattern, 0, len(stems))
	for _, stem := range stems {
		stem = fold(stem)
		tree, err := syntax.Parse(stem, syntax.Perl)
		if err != nil {
			return nil, fmt.Errorf("parsing %q: %w", stem, err)
		}
		one, err := newAlternative(tree, stem[0] >= 'a' && stem[0] <= 'z')
		if err != nil {
			return nil, err
		}
		p = append(p, one)
	}
	return p, nil
}

func newAlternative(tree *syntax.Regexp, begins bool) (alternative, error) {
	if tree.Op == syntax.OpLiteral && tree.Flags&syntax.FoldCase == 0 {
		return alternative{word: string(tree.Rune), begins: begins}, nil
	}
	expression := tree.String()
	if begins {
		expression = `\b(?:` + expression + `)`
	}
	match, err := regexp.Compile(expression)
	if err != nil {
		return alternative{}, fmt.Errorf("compiling %q: %w", expression, err)
	}
	return alternative{letters: certain(tree), match: match}, nil
}

// certain gives letters of which one is in every match, or nil.
func certain(tree *syntax.Regexp) []string {
	switch tree.Op {
	case syntax.OpLiteral:
		if tree.Flags&syntax.FoldCase == 0 {
			return []string{string(tree.Rune)}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return certain(tree.Sub[0])
	case syntax.OpRepeat:
		if tree.Min > 0 {
			return certain(tree.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range tree.Sub {
			some := certain(sub)
			if len(some) == 0 {
				return nil
			}
			all = append(all, some...)
		}
		return all
	case syntax.OpConcat:
		var best []string
		for _, sub := range tree.Sub {
			if some := certain(sub); shortest(some) > shortest(best) {
				best = some
			}
		}
		return best
	}
	return nil
}

// shortest is the length of the shortest of words in bytes, 0 where there are none.
func shortest(words []string) int {
	if len(words) == 0 {
		return 0
	}
	return len(slices.MinFunc(words, func(a, b string) int { return len(a) - len(b) }))
}

func (p pattern) in(text string) bool {
	return slices.ContainsFunc(p, func(a alternative) bool { return a.in(text) })
}

func (a alternative) in(text string) bool {
	switch {
	case a.match != nil:
		possible := len(a.letters) == 0 || slices.ContainsFunc(a.letters, func(l string) bool { return strings.Contains(text, l) })
		return possible && a.match.MatchString(text)
	case a.begins:
		return beginsIn(text, a.word)
	}
	return strings.Contains(text, a.word)
}

// beginsIn says that word occurs where a word begins, as \b has it.
func beginsIn(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		if i += from; i == 0 || !wordByte(text[i-1]) {
			return true
		}
		from = i + 1
	}
}

func wordByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
}
