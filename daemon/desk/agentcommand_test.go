package desk

import (
	"slices"
	"testing"
)

func TestParseCommands(t *testing.T) {
	fields := []string{"Floor", "Floor plan", "部署", "priority"}
	for _, c := range []struct {
		name, reply string
		say         string
		commands    []Command
		unknown     []string
	}{
		{"none", "Hello\nTaro", "Hello\nTaro", nil, nil},
		{"nothing at all", "", "", nil, nil},
		{"alone", "#resolve", "", []Command{{Name: "resolve"}}, nil},
		{"any case", "#ReSolve", "", []Command{{Name: "resolve"}}, nil},
		{"among blank lines", "\n\n  #resolve  \n\n\nHello\n\n", "Hello", []Command{{Name: "resolve"}}, nil},
		{"behind signs that nobody sees", "\ufeff\u200b#resolve\u00a0\u3000\nHello", "Hello", []Command{{Name: "resolve"}}, nil},
		{"first and last", "#assign ben\nHello\nTaro\n#resolve\n#priority high", "Hello\nTaro", []Command{{"assign", "ben"}, {"resolve", ""}, {"priority", "high"}}, nil},
		{"several with blank lines", "#assign ben\n\n#priority high\n\nHello", "Hello", []Command{{"assign", "ben"}, {"priority", "high"}}, nil},
		{"Japanese", "＃担当　阿紀\n＃優先度：高\n＃解決\n＃再開\n＃統合 SUP-9\n＃迷惑\n＃ヘルプ\n＃自分\n＃設定 部署：営業", "",
			[]Command{{"assign", "阿紀"}, {"priority", "高"}, {"resolve", ""}, {"reopen", ""}, {"merge", "SUP-9"}, {"spam", ""}, {"help", ""}, {"mine", ""}, {"set", "部署: 営業"}}, nil},
		{"a note and its text", "#note He calls\nevery day.", "He calls\nevery day.", []Command{{Name: "note"}}, nil},
		{"a note below", "He calls.\n#メモ", "He calls.", []Command{{Name: "note"}}, nil},
		{"a colon", "#priority: high", "", []Command{{"priority", "high"}}, nil},
		{"nobody named", "#assign", "", []Command{{Name: "assign"}}, nil},
		{"a field", "#floor 3", "", []Command{{"set", "Floor: 3"}}, nil},
		{"the longest field", "#Floor plan: A 2", "", []Command{{"set", "Floor plan: A 2"}}, nil},
		{"a field set by name", "#set FLOOR: 3: left", "", []Command{{"set", "Floor: 3: left"}}, nil},
		{"a field that is none", "#set colour: red", "", []Command{{"set", "colour: red"}}, nil},
		{"a field without a value", "#floor", "", nil, []string{"#floor"}},
		{"a longer word than a field", "#Floors 3", "", nil, []string{"#Floors 3"}},
		{"set without a name", "#set : x", "", nil, []string{"#set : x"}},
		{"set without a value's sign", "#set floor 3", "", nil, []string{"#set floor 3"}},
		{"misspelt", "#reslove\nHello", "Hello", nil, []string{"#reslove"}},
		{"misspelt beside a good one", "＃reslove\n#resolve", "", []Command{{Name: "resolve"}}, []string{"#reslove"}},
		{"a sentence", "Hello\n#teamwork makes the dream work", "Hello", nil, []string{"#teamwork makes the dream work"}},
		{"a word that begins like one", "#解決しました", "", nil, []string{"#解決しました"}},
		{"a sentence behind one that takes none", "#resolve when you can", "", nil, []string{"#resolve when you can"}},
		{"a number", "#1 in service\nHello\n#123", "#1 in service\nHello\n#123", nil, nil},
		{"a heading", "# Heading\nHello\n#", "# Heading\nHello\n#", nil, nil},
		{"two signs", "##resolve", "##resolve", nil, nil},
		{"quoted", "Hello\n> #resolve", "Hello\n> #resolve", nil, nil},
		{"in the middle", "Hello\n#resolve\nTaro", "Hello\n#resolve\nTaro", nil, nil},
		{"behind other text", "Please #resolve", "Please #resolve", nil, nil},
		{"a note's sign in the middle", "Hello\n#note\nTaro", "Hello\n#note\nTaro", nil, []string{"#note"}},
		{"a note above a signature", "He is a fool.\n＃メモ 社内用\n\nAki\nSupport", "He is a fool.\n＃メモ 社内用\n\nAki\nSupport", nil, []string{"＃メモ 社内用"}},
		{"a note's sign in the middle of a note", "#note\nHello\n#note\nTaro", "Hello\n#note\nTaro", []Command{{Name: "note"}}, nil},
		{"a note's sign with a space", "# note\nHello", "# note\nHello", nil, []string{"# note"}},
		{"a word that begins like a note's", "Hello\n#notes are here\n#1 note\n# Notes\nsee #note\n> #note\nTaro", "Hello\n#notes are here\n#1 note\n# Notes\nsee #note\n> #note\nTaro", nil, nil},
		{"bold, wide and sharp", "*#resolve*\n＃ｒｅｏｐｅｎ\n♯メモ\n**#assign ben**\nHello", "Hello", []Command{{Name: "resolve"}, {Name: "reopen"}, {Name: "note"}, {"assign", "ben"}}, nil},
		{"signs for reading right to left", "\u200f#resolve\u200e\u2060", "", []Command{{Name: "resolve"}}, nil},
		{"above a signature", "Hello\n#resolve\n--\nAki", "Hello\n#resolve\n--\nAki", nil, nil},
	} {
		say, commands, unknown := ParseCommands(c.reply, fields)
		if say != c.say || !slices.Equal(commands, c.commands) || !slices.Equal(unknown, c.unknown) {
			t.Errorf("%s: %q is %q, %+v, %q\nwant %q, %+v, %q", c.name, c.reply, say, commands, unknown, c.say, c.commands, c.unknown)
		}
	}
}

// A line that the customer wrote is no command where quoted text may stand; an
// agent's own first line is one whatever the customer wrote.
func TestCommandsOfTheCustomer(t *testing.T) {
	theirs := commandsIn("Hello\n> #spam\n ＃解決\n# heading\nno #help\n#1\n")
	if !slices.Equal(theirs, []string{"spam", "解決"}) {
		t.Fatalf("the customer's lines are %q", theirs)
	}
	for _, c := range []struct {
		reply    string
		commands []Command
		unknown  []string
	}{
		{"Hello\n#spam", nil, []string{"#spam"}},
		{"Hello\n＃解決", nil, []string{"#解決"}},
		{"Hello\n#resolve", []Command{{Name: "resolve"}}, nil},
		{"Hello\n#resolve\n#spam", []Command{{Name: "resolve"}}, []string{"#spam"}},
		{"#spam\nHello", []Command{{Name: "spam"}}, nil},
		{"#spam", []Command{{Name: "spam"}}, nil},
	} {
		if _, commands, unknown := parseCommands(c.reply, nil, theirs); !slices.Equal(commands, c.commands) || !slices.Equal(unknown, c.unknown) {
			t.Errorf("%q has %+v, %q; want %+v, %q", c.reply, commands, unknown, c.commands, c.unknown)
		}
	}
}
