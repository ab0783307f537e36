package config

import (
	"errors"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxSyntaxFaults ends the search for more broken lines.
const maxSyntaxFaults = 20

// parse reads the file's structure. The library stops at the first broken
// line; where such a line is a single "key = value" that is at fault by
// itself, it is taken out and reading goes on, so that all faults are told at
// once. It returns the tree and the text that it was read from, nil when the
// structure could not be made out.
func (l *loader) parse(text string) (map[string]any, string) {
	lines := strings.Split(text, "\n")
	for {
		var tree map[string]any
		_, err := toml.Decode(strings.Join(lines, "\n"), &tree)
		if err == nil {
			return tree, strings.Join(lines, "\n")
		}
		var pe toml.ParseError
		if !errors.As(err, &pe) {
			l.faults = append(l.faults, Fault{Line: 1, Code: "syntax", Args: map[string]string{"why": err.Error()}})
			return nil, ""
		}
		n := min(max(pe.Position.Line, 1), len(lines))
		if n > 1 && endsEarly(lines[n-2], lines[n-1]) {
			n--
		}
		fault, name := syntaxFault(n, lines[n-1], pe)
		single := name != "" && toml.Unmarshal([]byte(strings.Join(lines[:n-1], "\n")), &map[string]any{}) == nil
		if single || len(l.faults) == 0 || fault.Code == "syntax-header" { // else perhaps the rest of a broken value
			l.faults = append(l.faults, fault)
		}
		if !single || len(l.faults) == maxSyntaxFaults {
			return nil, ""
		}
		l.lost[name] = true
		lines[n-1] = ""
	}
}

// endsEarly says that line is the broken one although the library names the
// next: it found the line's end where more was to come.
func endsEarly(line, next string) bool {
	if strings.TrimSpace(next) == "" {
		return true
	}
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "[") && toml.Unmarshal([]byte(line), &map[string]any{}) != nil
}

// syntaxFault explains a broken line, and says which key it was to set.
func syntaxFault(n int, line string, pe toml.ParseError) (Fault, string) {
	line = strings.TrimSpace(line)
	name, value := "", ""
	if m := regexp.MustCompile(`^([A-Za-z0-9_-]+)\s*=\s*(.*)$`).FindStringSubmatch(line); m != nil {
		name, value = m[1], m[2]
	}
	f := Fault{Line: n, Code: "syntax", Args: map[string]string{"name": name, "why": pe.Message}}
	var alone map[string]any
	wide := strings.ContainsAny(line, "“”„‟＂‘’＝［］　＃")
	switch {
	case name == "" && wide, name != "" && strings.ContainsAny(value, "“”„‟＂‘’［］　"):
		f.Code = "syntax-wide"
	case strings.HasPrefix(line, "[") && toml.Unmarshal([]byte(line), &alone) == nil:
		f.Code, f.Args["name"] = "syntax-table-twice", strings.TrimRight(line, " \t\r")
	case strings.HasPrefix(line, "["):
		f.Code = "syntax-header"
	case name == "":
	case toml.Unmarshal([]byte(line), &alone) == nil:
		f.Code = "syntax-duplicate"
	case value == "" || value[0] == '#':
		f.Code = "syntax-empty"
	case strings.HasPrefix(value, `"`) && strings.Contains(value, `\`):
		f.Code = "syntax-backslash"
	case strings.HasPrefix(value, `"`) && strings.Count(value, `"`) == 1:
		f.Code = "syntax-unclosed"
	case regexp.MustCompile(`^[^"'\[{\d+-][^"'\[{]*$`).MatchString(value):
		f.Code = "syntax-unquoted"
		bare, _, _ := strings.Cut(value, " #")
		f.Args["text"] = strings.TrimSpace(bare)
	}
	if last := pe.LastKey[strings.LastIndexByte(pe.LastKey, '.')+1:]; name == "" && isSecret(last) {
		f.Code, f.Args = "syntax-secret", map[string]string{"name": last}
	}
	for _, arg := range []string{"text", "why"} { // a proxy's address can hold a password
		if text, ok := f.Args[arg]; ok {
			f.Args[arg] = regexp.MustCompile(`//[^/\s"]*@`).ReplaceAllString(text, "//…@")
		}
	}
	if isSecret(name) {
		delete(f.Args, "text")
		f.Args["why"] = ""
		if f.Code == "syntax" || f.Code == "syntax-unquoted" {
			f.Code = "syntax-secret"
		}
	}
	return f, name
}

// isSecret says that a line is to set a password, perhaps misspelt. Its value
// and the library's words, which may quote it, are kept out of the message.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "pass") || strings.Contains(name, "secret") || len(name) < 20 && distance(name, "password") <= 3
}
