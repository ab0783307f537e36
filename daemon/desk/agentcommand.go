package desk

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Command is what an agent's mail asks for beside an answer: a line "#resolve"
// or "#assign aki" among its first or last lines.
type Command struct {
	Name string // one of the Command constants; a line that is none of them, with its sign
	Arg  string // what stands behind it, "" for nothing; of CommandSet "NAME: VALUE"
}

// Commands, as they stand in Command.Name in whatever language they were written.
const (
	CommandNote     = "note"     // nothing of the mail goes to the customer
	CommandResolve  = "resolve"  // the request is done
	CommandReopen   = "reopen"   // it is not; spam it is not either
	CommandAssign   = "assign"   // Arg: an agent's name or address; "": whoever writes
	CommandPriority = "priority" // Arg: the value
	CommandSet      = "set"      // Arg: "NAME: VALUE" of a field
	CommandMerge    = "merge"    // Arg: the other request's key
	CommandSpam     = "spam"     // nothing goes to the customer, whose mail is blocked
	CommandHelp     = "help"     // nothing else is done
	CommandMine     = "mine"     // the agent asks, and not whose mail they forwarded
)

// commandName knows a command by its word in English or Japanese, in lower case.
func commandName(word string) (name string, ok bool) {
	switch word {
	case "note", "メモ":
		return CommandNote, true
	case "resolve", "解決":
		return CommandResolve, true
	case "reopen", "再開":
		return CommandReopen, true
	case "assign", "担当":
		return CommandAssign, true
	case "priority", "優先度":
		return CommandPriority, true
	case "set", "設定":
		return CommandSet, true
	case "merge", "統合":
		return CommandMerge, true
	case "spam", "迷惑":
		return CommandSpam, true
	case "help", "ヘルプ":
		return CommandHelp, true
	case "mine", "自分":
		return CommandMine, true
	}
	return "", false
}

// takesArg reports whether something may stand behind a command's word. Behind
// the others nothing does: "#resolve it when you can" is meant for somebody.
func takesArg(name string) bool {
	switch name {
	case CommandAssign, CommandPriority, CommandSet, CommandMerge:
		return true
	}
	return false
}

// ParseCommands reads the commands in what an agent wrote: the lines that
// begin with # (or ＃) and a letter, among the first or the last lines, blank
// lines not counted. say is the text without them. fields are the names of the
// request type's fields, which are commands too: "#Floor 3". unknown are the
// lines that look like a command and are none, with the sign: none of them is
// ever taken for a command's name. So is #note within the text, as above a
// signature that nothing marks as one: the text was not meant for the customer.
func ParseCommands(reply string, fields []string) (say string, commands []Command, unknown []string) {
	return parseCommands(reply, fields, nil)
}

// parseCommands is ParseCommands for the answer to a customer who wrote the
// lines in theirs: one of these among the last lines is unknown. There quoted
// text stands, where a mail program does not mark it.
func parseCommands(reply string, fields, theirs []string) (say string, commands []Command, unknown []string) {
	lines := strings.Split(reply, "\n")
	first, last := commandLines(lines)
	var text, stray []string
	for i, line := range lines {
		if i >= first && i < last {
			text = append(text, line)
			if straysNote(line) {
				stray = append(stray, clip(trimmed(line), 200))
			}
			continue
		}
		word, ok := afterSign(line)
		if !ok {
			continue // blank
		}
		c, rest, ok := parseCommand(word, fields)
		if !ok || i >= last && slices.Contains(theirs, word) {
			unknown = append(unknown, clip("#"+word, 200))
			continue
		}
		if rest != "" {
			text = append(text, rest)
		}
		commands = append(commands, c)
	}
	if !slices.Contains(commands, Command{Name: CommandNote}) {
		unknown = append(unknown, stray...)
	}
	return strings.Trim(strings.Join(text, "\n"), "\n"), commands, unknown
}

// commandLines says where the text between the commands begins and ends.
func commandLines(lines []string) (first, last int) {
	blank := func(i int) bool { return trimmed(lines[i]) == "" }
	last = len(lines)
	for i := range lines {
		if isCommand(lines[i]) {
			first = i + 1
		} else if !blank(i) {
			break
		}
	}
	for i := len(lines) - 1; i >= first; i-- {
		if isCommand(lines[i]) {
			last = i
		} else if !blank(i) {
			break
		}
	}
	return first, last
}

// isCommand reports whether a line looks like a command: "#1 in service" and
// "# heading" do not.
func isCommand(line string) bool {
	rest, ok := afterSign(line)
	if !ok {
		return false
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return unicode.IsLetter(r)
}

// straysNote reports whether a line is #note, where or how it is no command:
// "# note" too.
func straysNote(line string) bool {
	rest, ok := afterSign(line)
	if !ok {
		return false
	}
	c, _, ok := parseCommand(trimmed(rest), nil)
	return ok && c.Name == CommandNote
}

// afterSign is what stands behind the sign that a command begins with: also the
// wide one, and the sharp that Japanese keyboards offer for it. A bold line has
// stars around it in the text of many mail programs.
func afterSign(line string) (rest string, ok bool) {
	line = trimmed(line)
	if bold := strings.TrimLeft(line, "*_"); bold != line && len(bold) > 0 {
		line = strings.TrimRight(bold, "*_")
	}
	for _, sign := range []string{"#", "＃", "♯", "﹟"} {
		if rest, ok = strings.CutPrefix(line, sign); ok {
			return rest, true
		}
	}
	return "", false
}

// trimmed is a line without the spaces around it, seen or not.
func trimmed(line string) string {
	return strings.TrimFunc(line, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
}

// commandsIn are the lines of a customer's mail that would be commands in an
// agent's, as parseCommands wants them.
func commandsIn(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(line, "> \t")
		if word, ok := afterSign(line); ok && isCommand(line) {
			found = append(found, word)
		}
	}
	return found
}

// parseCommand reads one line, without its sign. rest is what belongs to the text: behind #note.
func parseCommand(line string, fields []string) (c Command, rest string, ok bool) {
	word, arg := line, ""
	if i := strings.IndexFunc(line, func(r rune) bool { return unicode.IsSpace(r) || r == ':' || r == '：' }); i >= 0 {
		word, arg = line[:i], behind(line[i:])
	}
	name, ok := commandName(folded(word))
	switch {
	case !ok:
		return fieldCommand(line, fields)
	case name == CommandNote: // its text may begin on its line
		return Command{Name: name}, arg, true
	case arg != "" && !takesArg(name):
		return Command{}, "", false
	case name == CommandSet:
		field, value, ok := cutColon(arg)
		if !ok || field == "" {
			return Command{}, "", false
		}
		if i := indexFold(fields, field); i >= 0 {
			field = fields[i]
		}
		return Command{Name: name, Arg: field + ": " + value}, "", true
	}
	return Command{Name: name, Arg: arg}, "", true
}

// fieldCommand reads "#Floor 3" where Floor is a field; of fields that begin
// alike the longest one counts.
func fieldCommand(line string, fields []string) (c Command, rest string, ok bool) {
	for _, field := range fields {
		if len(line) < len(field) || !strings.EqualFold(line[:len(field)], field) || len(field) <= len(c.Name) {
			continue
		}
		if value := line[len(field):]; value == "" || strings.IndexFunc(value, func(r rune) bool { return unicode.IsSpace(r) || r == ':' || r == '：' }) == 0 {
			c.Name, c.Arg = field, behind(value)
		}
	}
	if c.Name == "" || c.Arg == "" {
		return Command{}, "", false
	}
	return Command{Name: CommandSet, Arg: c.Name + ": " + c.Arg}, "", true
}

// behind is what stands behind a command's word, without the space or colon before it.
func behind(s string) string {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, ":"); ok {
		s = rest
	} else {
		s = strings.TrimPrefix(s, "：")
	}
	return strings.TrimSpace(s)
}

func cutColon(s string) (name, value string, ok bool) {
	i := strings.IndexAny(s, ":：")
	if i < 0 {
		return "", "", false
	}
	return strings.TrimSpace(s[:i]), behind(s[i:]), true
}

func indexFold(list []string, s string) int {
	return slices.IndexFunc(list, func(one string) bool { return strings.EqualFold(one, s) })
}
