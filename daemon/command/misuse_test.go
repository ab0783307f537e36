package command

import (
	"strings"
	"testing"
	"unicode"

	"helpdesk/mail"
	"helpdesk/store"
)

// TestMisuse writes commands wrongly: each is wrong use, told in the reader's
// language with what to write in its place.
func TestMisuse(t *testing.T) {
	office := map[string]*filled{"en": newFilled(t, "en"), "ja": newFilled(t, "ja")}
	for args, want := range map[string][2]string{ // English, and what is in both languages
		"live SUP":                           {"Something is missing", "helpdesk live DESK leave|take|import"},
		"live SUP now":                       {"“now” cannot be chosen", "import"},
		"resolve":                            {"Something is missing", "helpdesk resolve KEY…"},
		"show SUP-1 SUP-2":                   {"“SUP-2” is too much", "helpdesk show KEY"},
		"why":                                {"Something is missing", "helpdesk why ID|ADDRESS"},
		"why 17x":                            {"neither a number", "helpdesk why 17"},
		"why x@":                             {"not an e-mail address", "name@example.com"},
		"retry":                              {"by their numbers", "--outcome"},
		"retry x":                            {"not the number of a line", "17"},
		"retry --outcome request":            {"cannot be “request”", "held, ignored"},
		"outbox retry":                       {"by their numbers", "--all-failed"},
		"outbox list --state lost":           {"cannot be “lost”", "waiting, sent"},
		"outbox lst":                         {"Did you mean", "helpdesk outbox list"},
		"requets":                            {"Did you mean", "helpdesk requests"},
		"xyz":                                {"There is no command “helpdesk xyz”", "helpdesk --help"},
		"customers xyz":                      {"There is no command", "helpdesk customers --help"},
		"customers add":                      {"Something is missing", "helpdesk customers add ADDRESS"},
		"customers add taro":                 {"“taro” is not an e-mail address", "name@example.com"},
		"customers remove taro":              {"not an e-mail address", "taro"},
		"customers name taro Taro":           {"not an e-mail address", "taro"},
		"customers unblock taro":             {"not an e-mail address", "taro"},
		"customers unsuspend taro":           {"not an e-mail address", "taro"},
		"customers forget taro":              {"not an e-mail address", "taro"},
		"customers merge a@example.com taro": {"not an e-mail address", "taro"},
		"customers merge a@example.com":      {"Something is missing", "helpdesk customers merge ADDRESS OTHER"},
		"reply SUP-1 --note --resolve":       {"do not go together", "helpdesk resolve"},
		"requests --state done":              {"cannot be “done”", "open, waiting, resolved"},
		"requests --older soon":              {"neither a time span", "3d"},
		"requests --limit ten":               {"--limit cannot be “ten”", "1"},
		"requests --limit 0":                 {"--limit cannot be “0”", "1"},
		"requests --desk XYZ":                {"no desk XYZ", "SAL"},
		"requests --agent carl":              {"no agent carl", "Aki"},
		"requests --what":                    {"no --what here", "helpdesk requests --help"},
		"requests --desk":                    {"must stand behind --desk", "helpdesk requests --help"},
		"requests -x":                        {"no -x here", "helpdesk requests --help"},
		"requests --json=perhaps":            {"--json cannot be “perhaps”", "helpdesk requests --help"},
		"ledger --rule nothing":              {"no rule “nothing”", "helpdesk ledger --json"},
		"ledger --outcome nothing":           {"cannot be “nothing”", "held"},
		"export --format xml":                {"cannot be “xml”", "csv, json"},
		"export --since soon":                {"neither a time span", "2026-11-22"},
	} {
		for language, f := range office {
			_, errs := f.call(exitUse, strings.Fields(args)...)
			wantAll(t, errs, want[1])
			wantNone(t, errs, "use.", "arg(s)", "[flags]", "strconv", "{")
			switch japanese := strings.ContainsFunc(errs, func(r rune) bool { return unicode.In(r, unicode.Hiragana) }); {
			case language == "en":
				wantAll(t, errs, want[0])
			case !japanese:
				t.Errorf("%s: not in Japanese: %s", args, errs)
			}
		}
	}
}

// What cannot be done though it is written rightly is no wrong use.
func TestBadActs(t *testing.T) {
	f := newFilled(t, "ja")
	f.request("SUP", mail.Address{Address: "taro@customer.test"}, "Mouse", "Broken", nil)
	for _, args := range []string{
		"show SUP-99", "resolve SUP-99", "reply SUP-99 -m x", "retry 99", "outbox retry 99", "why 99", "live SUP take", "live XYZ take", "customers remove taro@example.co.jp",
		"customers export nobody@example.co.jp", "customers import missing.csv", "reply SUP-1 -m x --as carl", "resolve SUP-1 --as carl",
	} {
		out, errs := f.call(exitFailed, strings.Fields(args)...)
		if !strings.ContainsFunc(out+errs, func(r rune) bool { return unicode.In(r, unicode.Hiragana) }) {
			t.Errorf("%s: not in Japanese: %s%s", args, out, errs)
		}
	}
	// An agent is called by any word of the name, or by what is before the @.
	for i, who := range []string{"aki", "AKI@example.com"} {
		f.call(0, "reply", "SUP-1", "-m", "Hello", "--as", who)
		if got := f.outboxState(int64(i + 1)); got != store.OutboxWaiting {
			t.Errorf("--as %s: the answer is %s", who, got)
		}
	}
	out, _ := f.call(0, "show", "SUP-1")
	wantNone(t, out, "by-hand", "rule.")
}
