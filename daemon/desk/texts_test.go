package desk

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
)

func textDesk() *Settings {
	return &Settings{Name: "Support", Key: "SUP", Address: "support@example.com", Sender: mail.Address{Name: "Support", Address: "support@example.com"}}
}

// Every event has a text of its own in both languages, that a sample of
// everything and a sample of next to nothing fit into.
func TestOurTexts(t *testing.T) {
	if err := (*Texts)(nil).Check(textDesk()); err != nil {
		t.Error(err)
	}
	for _, event := range texted() {
		for _, language := range []string{"en", "ja"} {
			for i, words := range samples(textDesk(), event, language) {
				w, err := (*Texts)(nil).write(event, language, words, nil)
				if err != nil {
					t.Errorf("%s in %s: %v", event, language, err)
					continue
				}
				t.Logf("--- %s %s %d\n%s\n\n%s", event, language, i, w.subject, w.text)
				if len(w.text) < 5 || strings.Contains(w.text, "\n\n\n") || trailing.MatchString(w.text) {
					t.Errorf("%s in %s, sample %d:\n%s\n%s", event, language, i, w.subject, w.text)
				}
				n, ok := words.(notice)
				if ok && n.Key != "" && event != EventHeld && !strings.Contains(w.subject, "["+n.Key+"]") {
					t.Errorf("%s in %s: the subject %q does not name the request", event, language, w.subject)
				}
				if event != EventAnswered && language == "ja" && !strings.ContainsAny(w.text, "すた") {
					t.Errorf("%s in ja is not Japanese:\n%s", event, w.text)
				}
			}
		}
	}
	for _, language := range []string{"en", "ja"} { // each has what the other has
		files, err := texts.ReadDir("texts")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			parts := strings.Split(f.Name(), ".")
			if _, err := texts.ReadFile("texts/" + parts[0] + "." + language + ".txt"); err != nil {
				t.Error(err)
			}
		}
	}
}

// office writes files into a folder and reads them as texts.
func office(t *testing.T, files map[string]string) (*Texts, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	texts, err := LoadTexts(dir)
	if err == nil {
		err = texts.Check(textDesk())
	}
	return texts, err
}

// ownTexts are an office's texts for every event, text and HTML, that pass.
func ownTexts(kinds ...string) map[string]string {
	files := make(map[string]string)
	for _, event := range texted() {
		for _, language := range []string{"en", "ja"} {
			source, err := texts.ReadFile("texts/" + event + "." + language + ".txt")
			if err != nil {
				panic(err)
			}
			subject, text, _ := strings.Cut(string(source), "\n")
			if slices.Contains(kinds, "txt") {
				files[event+"."+language+".txt"] = "\ufeff" + strings.ReplaceAll(subject+"\nOFFICE "+event+"\n"+text, "\n", "\r\n")
			}
			if slices.Contains(kinds, "html") {
				files[event+"."+language+".html"] = "<p>OFFICE " + event + "</p>" + map[bool]string{true: `{{.TextHTML}}{{template "files" .}}{{.Author}}`}[bringsFiles(event)]
			}
		}
	}
	return files
}

func bringsFiles(event string) bool {
	return event == EventAnswered || event == EventNew || event == EventCustomerWrote
}

// An office's own texts are taken for every event, as text, as HTML and as
// both; what it did not write is ours.
func TestTextsOfAnOffice(t *testing.T) {
	for _, kinds := range [][]string{{"txt"}, {"html"}, {"txt", "html"}, {}} {
		own, err := office(t, ownTexts(kinds...))
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range texted() {
			for _, language := range []string{"en", "ja"} {
				for _, words := range samples(textDesk(), event, language) {
					w, err := own.try(event, language, words, nil)
					if err != nil {
						t.Fatal(err)
					}
					mark := "OFFICE " + event
					wantText, wantHTML := slices.Contains(kinds, "txt"), len(kinds) > 0
					if strings.Contains(w.text, mark) != wantText || strings.Contains(w.html, mark) != wantHTML || strings.Contains(w.subject+w.text, "\r") {
						t.Errorf("%v: %s in %s:\n%s\n%s\n%s", kinds, event, language, w.subject, w.text, w.html)
					}
					if strings.Contains(w.html, "<no>") {
						t.Errorf("%v: %s in %s: what a mail says is HTML:\n%s", kinds, event, language, w.html)
					}
				}
			}
		}
	}
}

// A text that would fail when a customer waits is refused when it is loaded,
// with file, line, reason and remedy.
func TestFaultsInTexts(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       string // of Text("en"), behind the folder
		ja         string // a part of Text("ja")
	}{
		"unknown event":        {"anwsered.en.txt", "x", "anwsered.en.txt: no mail has a text of this name. Rename or remove the file. Names are received.en.txt, ", "answered.en.txt"},
		"unknown language":     {"answered.fr.txt", "x", "answered.fr.txt: no mail has", "使える名前"},
		"unknown kind":         {"answered.en.htm", "x", "answered.en.htm: no mail has", "使える名前"},
		"bounces have none":    {"bounced.en.txt", "x", "bounced.en.txt: no mail has", "使える名前"},
		"Shift_JIS":            {"received.ja.txt", "Re: [{{.Key}}]\n\n\x82\xb1\x82\xf1", "received.ja.txt:3: the file is not written in UTF-8. Save", "UTF-8 を選んで"},
		"open brace":           {"received.en.txt", "Re: [{{.Key}}]\n\nHello {{.SafeName}\n", "received.en.txt:3: the part in {{ }} cannot be understood (", "3: {{ }} の中を解釈できません"},
		"no end":               {"received.en.txt", "Re: [{{.Key}}]\n{{if .Key}}x\n", "received.en.txt:3: the part in {{ }} cannot be understood (unexpected EOF). Correct", "標準の文面"},
		"unknown function":     {"received.en.txt", "Re: [{{.Key}}]\n\n{{upper .Key}}", `received.en.txt:3: the part in {{ }} cannot be understood (function "upper" not defined)`, "upper"},
		"unknown word":         {"answered.en.txt", "Re: [{{.Key}}]\n{{.Text}}\n{{template \"files\" .}}{{.Ticket}}", "answered.en.txt:3: there is no {{.Ticket}}. Correct it; this mail may name Address, Author, ", "{{.Ticket}} という項目はありません。修正してください。このメールで使える項目: Address"},
		"unknown word in HTML": {"answered.ja.html", "<p>{{.TextHTML}}</p>\n<p>{{.Nmae}}", "answered.ja.html:2: there is no {{.Nmae}}.", "Nmae"},
		"only with much":       {"new.en.txt", "[{{.Key}}]\n{{index .Omitted 1}} {{index .Omitted 0}}", "new.en.txt:2: the part in {{ }} cannot be understood (", "2: {{ }}"},
		"unknown text within":  {"new.en.txt", "[{{.Key}}]\n{{template \"footer\" .}}", "new.en.txt:2: the part in {{ }} cannot be understood (", "footer"},
		"no subject":           {"resolved.ja.txt", "\nお世話になっております。", "resolved.ja.txt: the subject is empty. Write it in the first line", "1行目"},
		"no subject sometimes": {"resolved.ja.txt", "{{.SafeName}}\nお世話になっております。", "resolved.ja.txt: the subject is empty.", "1行目"},
		"no text":              {"resolved.en.txt", "Re: [{{.Key}}]\n\n", "resolved.en.txt: there is nothing in the mail but its subject.", "本文が空です"},
		"no answer":            {"answered.en.txt", "Re: [{{.Key}}]\n{{template \"files\" .}}Bye, {{.Author}}", "answered.en.txt: the agent's answer is missing", "回答が入っていない"},
		"no answer in HTML":    {"answered.en.html", "{{.QuotedHTML}}{{template \"files\" .}}{{.Author}}", "answered.en.html: the agent's answer is missing", "TextHTML"},
		"no files":             {"answered.ja.txt", "Re: [{{.Key}}]\n{{.Text}}", "answered.ja.txt: files that are too large", `{{template "files" .}}`},
		"no files in HTML":     {"new.ja.html", "{{.TextHTML}}", "new.ja.html: files that are too large", "添付できなかった"},
		"wrong kind of value":  {"received.en.txt", "Re: [{{.Key}}]\n{{printf \"%d\" .Key}}", `received.en.txt: a part in {{ }} has no value: the mail would say "%!d(string=SUP-123)".`, "値のない"},
	} {
		_, err := office(t, map[string]string{c.file: c.text, ".DS_Store": "\xff", "answered.en.txt~": "{{", "Thumbs.db": "\xff"})
		var faults TextFaults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := faults[0].Text("en")
		dir := filepath.Dir(faults[0].File)
		if got := strings.TrimPrefix(text, dir+string(filepath.Separator)); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
		if ja := faults[0].Text("ja"); !strings.Contains(ja, c.ja) || strings.ContainsRune(ja, '{') && strings.Contains(ja, "{error}") {
			t.Errorf("%s: %s", name, ja)
		}
		for _, f := range faults {
			if f.Reason("en") == f.Code || f.Remedy("ja") == "" {
				t.Errorf("%s: there are no words for %s", name, f.Code)
			}
		}
	}
	_, err := LoadTexts(filepath.Join(t.TempDir(), "none"))
	if err == nil || !strings.Contains(err.Error(), "the folder with the texts of mails cannot be read (no such file or directory)") {
		t.Error(err)
	}
	if none, err := LoadTexts(""); none != nil || err != nil {
		t.Errorf("no folder: %v %v", none, err)
	}
	_, err = office(t, map[string]string{"a.txt": "", "b.txt": "", "received.en.txt": "{{"})
	if faults := (TextFaults)(nil); !errors.As(err, &faults) || len(faults) != 3 {
		t.Errorf("not all faults are told: %v", err)
	}
}

// A text that fails for one mail in spite of all does not lose it.
func TestTextThatFailsForOneMail(t *testing.T) {
	own, err := office(t, map[string]string{"answered.en.txt": "Re: [{{.Key}}]\nOFFICE\n{{.Text}}{{template \"files\" .}}{{if eq .Key \"SUP-7\"}}{{index .Items 9}}{{end}}"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"SUP-6": true, "SUP-7": false} {
		w, err := own.write(EventAnswered, "en", notice{Key: key, Text: "The answer."}, nil)
		if err != nil || strings.Contains(w.text, "OFFICE") != want || !strings.Contains(w.text, "The answer.") {
			t.Errorf("%s: %v\n%s", key, err, w.text)
		}
	}
}

// A stranger must not make us send a link of theirs to somebody else.
func TestAcknowledgementShowsNoLink(t *testing.T) {
	for subject, want := range map[string]string{
		"Printer":                    "Printer",
		"Win at https://evil.test/x": "Office",
		"visit WWW.evil.test now":    "Office",
		"お世話になっております。田中です":                 "お世話になっております。田中です",
		strings.Repeat("long ", 100) + "x": strings.Repeat("long ", 23) + "long…",
	} {
		n := notice{Key: "SUP-1", Subject: subject, Desk: "Office", Customer: mail.Address{Address: "a@b"}}
		if got := n.SafeSubject(); got != want {
			t.Errorf("%q is shown as %q, want %q", subject, got, want)
		}
	}
	for name, want := range map[string]string{"Taro Yamada": "Taro Yamada", "山田 太郎": "山田 太郎", "You won, evil.test": "", "see x/y": "", strings.Repeat("long ", 10): ""} {
		if got := (notice{Customer: mail.Address{Name: name}}).SafeName(); got != want {
			t.Errorf("the name %q is shown as %q, want %q", name, got, want)
		}
	}
	evil := notice{
		Key: "SUP-1", Desk: "Office", Address: "support@example.com", Subject: "Win at https://evil.test/x", Customer: mail.Address{Name: "Click www.evil.test", Address: "evil@evil.test"},
		Text: "evil.test", Quoted: "evil.test", QuotedHead: "evil.test", Author: "evil.test", By: "evil.test", Copies: "evil.test", Linked: "evil.test", Since: "evil.test",
	}
	for _, event := range []string{EventReceived, EventHeld, EventResolved, EventReopened} {
		for _, language := range []string{"en", "ja"} {
			w, err := (*Texts)(nil).write(event, language, evil, nil)
			if err != nil || strings.Contains(w.subject+w.text+w.html, "evil") {
				t.Errorf("%s in %s: %v\n%s\n%s", event, language, err, w.subject, w.text)
			}
		}
	}
}

func TestPage(t *testing.T) {
	got := page("Hello <b>&</b>\nsee https://example.com/a?b=1&c=2.\n> said \"x\"\n> [cid:logo]\nbye [cid:unknown]\n", map[string]bool{"logo": true, "other": true})
	for _, want := range []string{
		"Hello &lt;b&gt;&amp;&lt;/b&gt;<br>",
		`<a href="https://example.com/a?b=1&amp;c=2">https://example.com/a?b=1&amp;c=2</a>.<br>`,
		`said &#34;x&#34;<br>`,
		`<img src="cid:logo" alt="" style="max-width:100%"><br>` + "\n</blockquote>bye [cid:unknown]",
		`<img src="cid:other" alt="" style="max-width:100%"><br>` + "\n</body>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}

// trailing is a space at the end of a line that is neither the mark of a
// signature nor a quoted empty line.
var trailing = regexp.MustCompile(`(?m)[^->\n] +$`)

var resultSlug = regexp.MustCompile(`p\.(?:done|cannot)\("([a-z-]+)"`)

// Every result of a command has a sentence in both languages.
func TestWordsOfResults(t *testing.T) {
	en, err := resultTexts("en")
	if err != nil {
		t.Fatal(err)
	}
	ja, err := resultTexts("ja")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("commands.go")
	if err != nil {
		t.Fatal(err)
	}
	slugs := resultSlug.FindAllStringSubmatch(string(source), -1)
	if len(slugs) < 15 {
		t.Fatalf("only %d results are found in commands.go", len(slugs))
	}
	for _, m := range slugs {
		if en.Lookup(m[1]) == nil || ja.Lookup(m[1]) == nil {
			t.Errorf("%s has no sentence", m[1])
		}
	}
	for language, c := range map[string]struct{ known, unknown string }{
		"en": {`"urgent" is no value of the field "priority". Write low, high.`, "odd, a: 1, b: 2"},
		"ja": {`項目「priority」に「urgent」は設定できません。選べる値: low, high`, "odd, a: 1, b: 2"},
	} {
		words, err := resultTexts(language)
		if err != nil {
			t.Fatal(err)
		}
		known, err1 := resultWords(words, Result{Slug: "choice-unknown", Args: map[string]string{"field": "priority", "value": "urgent", "choices": "low, high"}})
		unknown, err2 := resultWords(words, Result{Slug: "odd", Args: map[string]string{"b": "2", "a": "1"}})
		if err := errors.Join(err1, err2); err != nil || known != c.known || unknown != c.unknown {
			t.Errorf("%v: %q %q", err, known, unknown)
		}
	}
}
