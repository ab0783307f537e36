package desk

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

// TextFault is one thing that is wrong with the texts that an office wrote
// itself. It has a slug and arguments; Text makes the sentence.
type TextFault struct {
	File string            // as opened; the folder where the fault is not in one file
	Line int               // 0 where no line is to blame
	Code string            // slug, as in faultWords
	Args map[string]string // what the sentence names
}

// TextFaults are all faults of a folder of texts.
type TextFaults []*TextFault

// Error is all of them in English, one a line.
func (f TextFaults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Error is Text in English.
func (f *TextFault) Error() string { return f.Text("en") }

// Text says where, what and what to do, in lang ("en" or "ja").
func (f *TextFault) Text(lang string) string {
	at := f.File
	if f.Line > 0 {
		at += ":" + strconv.Itoa(f.Line)
	}
	gap := " "
	if lang == "ja" {
		gap = ""
	}
	return at + ": " + f.Reason(lang) + gap + f.Remedy(lang)
}

// Reason says what is wrong, in lang.
func (f *TextFault) Reason(lang string) string { return f.words(lang)[0] }

// Remedy says what to do about it, in lang.
func (f *TextFault) Remedy(lang string) string { return f.words(lang)[1] }

func (f *TextFault) words(lang string) [2]string {
	words := faultWords(f.Code)
	pair := words.en
	if lang == "ja" {
		pair = words.ja
	}
	pairs := make([]string, 0, 2*len(f.Args))
	for k, v := range f.Args {
		pairs = append(pairs, "{"+k+"}", v)
	}
	fill := strings.NewReplacer(pairs...)
	return [2]string{fill.Replace(pair[0]), fill.Replace(pair[1])}
}

type faultSentences struct{ en, ja [2]string } // reason, remedy

func faultWords(code string) faultSentences {
	switch code {
	case "no-folder":
		return faultSentences{
			[2]string{"the folder with the texts of mails cannot be read ({error}).", "Create it, or correct templates in helpdesk.toml, and let helpdesk's user read it."},
			[2]string{"メールの文面のフォルダーを読めません（{error}）。", "フォルダーを作成するか、helpdesk.toml の templates を修正し、helpdesk の実行ユーザーに読み取りを許可してください。"}}
	case "unknown-file":
		return faultSentences{
			[2]string{"no mail has a text of this name.", "Rename or remove the file. Names are {names}; with .ja for Japanese, and .html in place of .txt for the HTML part."},
			[2]string{"この名前の文面はありません。", "ファイル名を直すか、ファイルを削除してください。使える名前: {names}（日本語は .en を .ja に、HTML は .txt を .html に変えます）。"}}
	case "unreadable":
		return faultSentences{
			[2]string{"the file cannot be read ({error}).", "Let helpdesk's user read it."},
			[2]string{"ファイルを読めません（{error}）。", "helpdesk の実行ユーザーに読み取りを許可してください。"}}
	case "not-utf8":
		return faultSentences{
			[2]string{"the file is not written in UTF-8.", "Save it once more with the encoding UTF-8."},
			[2]string{"文字コードが UTF-8 ではありません。", "文字コードに UTF-8 を選んで保存し直してください。"}}
	case "unknown-word":
		return faultSentences{
			[2]string{"there is no {{.{word}}}.", "Correct it; this mail may name {words}."},
			[2]string{"{{.{word}}} という項目はありません。", "修正してください。このメールで使える項目: {words}。"}}
	case "template":
		return faultSentences{
			[2]string{"the part in {{ }} cannot be understood ({error}).", "Correct that line, or remove the file to have our own text."},
			[2]string{"{{ }} の中を解釈できません（{error}）。", "その行を修正するか、ファイルを削除して標準の文面に戻してください。"}}
	case "no-subject":
		return faultSentences{
			[2]string{"the subject is empty.", "Write it in the first line of the file."},
			[2]string{"件名が空です。", "ファイルの1行目に件名を書いてください。"}}
	case "no-text":
		return faultSentences{
			[2]string{"there is nothing in the mail but its subject.", "Write the text below the first line."},
			[2]string{"本文が空です。", "2行目から本文を書いてください。"}}
	case "no-answer":
		return faultSentences{
			[2]string{"the agent's answer is missing: customers would get a mail without it.", "Write {{.Text}} where the answer belongs, in an HTML file {{.TextHTML}}."},
			[2]string{"担当者の回答が入っていないため、お客様に回答が届きません。", "回答を入れる場所に {{.Text}}（HTML のファイルでは {{.TextHTML}}）と書いてください。"}}
	case "no-files":
		return faultSentences{
			[2]string{"files that are too large to be attached would be left out without a word.", "Write {{template \"files\" .}} behind {{.Text}}."},
			[2]string{"大きすぎて添付できなかったファイルがあっても、相手に伝わりません。", "{{.Text}} の後に {{template \"files\" .}} と書いてください。"}}
	case "no-value":
		return faultSentences{
			[2]string{"a part in {{ }} has no value: the mail would say \"{error}\".", "Correct it, or remove the file to have our own text."},
			[2]string{"{{ }} の中に値のない項目があり、メールに「{error}」と書かれてしまいます。", "修正するか、ファイルを削除して標準の文面に戻してください。"}}
	}
	return faultSentences{[2]string{code, ""}, [2]string{code, ""}}
}

var (
	// templateError is how text/template and html/template say where.
	templateError = regexp.MustCompile(`(?s)template: ?[^:\s]+:(\d+)(?::\d+)?: (.*)$`)
	htmlError     = regexp.MustCompile(`(?s)html/template:[^:\s]+:(\d+)(?::\d+)?: (.*)$`)
	unknownField  = regexp.MustCompile(`can't evaluate field (\w+) in type`)
	executing     = regexp.MustCompile(`^executing "[^"]*" at `)
)

// templateFault says what is wrong with a text that cannot be read or filled.
func templateFault(path string, err error) *TextFault {
	f := &TextFault{File: path, Code: "template", Args: map[string]string{"error": err.Error()}}
	m := templateError.FindStringSubmatch(err.Error())
	if m == nil {
		m = htmlError.FindStringSubmatch(err.Error())
	}
	if m == nil {
		return f
	}
	if n, err := strconv.Atoi(m[1]); err == nil {
		f.Line = n
	}
	f.Args["error"] = executing.ReplaceAllString(m[2], "")
	if word := unknownField.FindStringSubmatch(m[2]); word != nil {
		f.Code, f.Args["word"] = "unknown-word", word[1]
	}
	return f
}

// reasonOf is the system's word for a file that cannot be read, without its path.
func reasonOf(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return fmt.Sprint(err)
}
