package desk

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"
)

//go:embed texts/*.txt
var texts embed.FS

// texted are the events that have texts of their own, in the order of desk.go.
// A bounce is told with a digest only.
func texted() []string {
	return []string{EventReceived, EventAnswered, EventResolved, EventReopened, EventHeld, EventNew, EventCustomerWrote, EventAssigned,
		EventAnsweredBy, EventReminder, EventDigest, EventNotSent, EventCommands, EventAlarm, EventWeekly, EventFuse, EventQuarantine}
}

// partials are texts within texts: {{template "files" .}}.
func partials() []string { return []string{"files", "help"} }

// Texts are the texts of notices that an office wrote itself: files
// EVENT.LANG.txt, whose first line is the subject, and EVENT.LANG.html in a
// folder. What is not there is ours; HTML is made from the text where there is
// none. They are read once: a change counts when the configuration is loaded.
type Texts struct {
	dir  string
	text map[string]*template.Template     // by file name
	html map[string]*htmltemplate.Template // by file name
}

// maxText bounds a file of texts, in bytes.
const maxText = 1 << 20

// LoadTexts reads the texts in a folder; "" has none, and gives nil, which are
// our own. The error is TextFaults, all that can be known before a mail is written.
func LoadTexts(dir string) (*Texts, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, TextFaults{{File: dir, Code: "no-folder", Args: map[string]string{"error": reasonOf(err)}}}
	}
	t := &Texts{dir: dir, text: map[string]*template.Template{}, html: map[string]*htmltemplate.Template{}}
	var faults TextFaults
	for _, f := range files {
		if leftovers(f.Name()) {
			continue
		}
		if fault := t.add(f.Name()); fault != nil {
			faults = append(faults, fault)
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return t, nil
}

// leftovers are files that file managers and editors leave in a folder.
func leftovers(name string) bool {
	switch strings.ToLower(name) {
	case "desktop.ini", "thumbs.db":
		return true
	}
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".bak")
}

// add reads one file of the folder.
func (t *Texts) add(name string) *TextFault {
	path := filepath.Join(t.dir, name)
	event, language, kind, ok := textName(name)
	if !ok {
		return &TextFault{File: path, Code: "unknown-file", Args: map[string]string{"names": strings.Join(textNames(), ", ")}}
	}
	source, err := readText(path)
	if err != nil {
		return &TextFault{File: path, Code: "unreadable", Args: map[string]string{"error": reasonOf(err)}}
	}
	if i := invalidUTF8(source); i >= 0 {
		return &TextFault{File: path, Line: 1 + strings.Count(source[:i], "\n"), Code: "not-utf8"}
	}
	source = strings.ReplaceAll(strings.TrimPrefix(source, "\ufeff"), "\r\n", "\n") // as Notepad writes
	if kind == "txt" {
		t.text[name], err = textOf(name, event, language, source)
	} else {
		t.html[name], err = htmlOf(name, source)
	}
	if err != nil {
		return templateFault(path, err)
	}
	return nil
}

func readText(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxText {
		return "", errors.New("larger than 1 MB")
	}
	source, err := os.ReadFile(path)
	return string(source), err
}

func invalidUTF8(s string) int {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			return i
		}
	}
	return -1
}

// textName takes "answered.ja.txt" apart.
func textName(name string) (event, language, kind string, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 3 {
		return "", "", "", false
	}
	event, language, kind = parts[0], parts[1], parts[2]
	return event, language, kind, slices.Contains(texted(), event) && (language == "en" || language == "ja") && (kind == "txt" || kind == "html")
}

// textNames are the names that a file may have.
func textNames() []string {
	var names []string
	for _, event := range texted() {
		names = append(names, event+".en.txt")
	}
	return names
}

// textOf reads a text, with those that may stand within it.
func textOf(name, event, language, source string) (*template.Template, error) {
	t, err := template.New(name).Option("missingkey=zero").Parse(source)
	if err != nil {
		return nil, err
	}
	for _, part := range partials() {
		within, err := fs.ReadFile(texts, "texts/"+part+"."+language+".txt")
		if err != nil {
			return nil, fmt.Errorf("reading the text within %s: %w", event, err)
		}
		if _, err := t.New(part).Parse(strings.TrimRight(string(within), "\n")); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// htmlOf reads an HTML text; the texts within it are the same, as HTML.
func htmlOf(name, source string) (*htmltemplate.Template, error) {
	t, err := htmltemplate.New(name).Parse(source)
	if err != nil {
		return nil, err
	}
	if _, err := t.New("files").Parse("{{.FilesHTML}}"); err != nil {
		return nil, err
	}
	if _, err := t.New("help").Parse("{{.HelpHTML}}"); err != nil {
		return nil, err
	}
	return t, nil
}

// write fills our own text of an event. Its first line is the subject.
func write(event, language string, words any) (subject, text string, err error) {
	language = enOrJa(language)
	name := event + "." + language + ".txt"
	source, err := texts.ReadFile("texts/" + name)
	if err != nil {
		return "", "", fmt.Errorf("reading the text of %s: %w", event, err)
	}
	t, err := textOf(name, event, language, string(source))
	if err != nil {
		return "", "", fmt.Errorf("reading the text of %s: %w", event, err)
	}
	return fill(t, words)
}

func enOrJa(language string) string {
	if language == "ja" {
		return "ja"
	}
	return "en"
}

func fill(t *template.Template, words any) (subject, text string, err error) {
	var b strings.Builder
	if err := t.Execute(&b, words); err != nil {
		return "", "", fmt.Errorf("filling the text: %w", err)
	}
	subject, text, _ = strings.Cut(b.String(), "\n")
	return strings.TrimSpace(subject), strings.Trim(text, "\n") + "\n", nil
}

// fragment fills a text that stands within others.
func fragment(name, language string, words any) (string, error) {
	source, err := texts.ReadFile("texts/" + name + "." + enOrJa(language) + ".txt")
	if err != nil {
		return "", fmt.Errorf("reading the text for %s: %w", name, err)
	}
	t, err := template.New(name).Parse(strings.TrimRight(string(source), "\n"))
	if err != nil {
		return "", fmt.Errorf("reading the text for %s: %w", name, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, words); err != nil {
		return "", fmt.Errorf("filling the text for %s: %w", name, err)
	}
	return b.String(), nil
}

// mailWords are a mail's words.
type mailWords struct{ subject, text, html string }

// write fills the text of an event: the office's where it wrote one, else
// ours. pictures are the inline pictures of the mail.
func (t *Texts) write(event, language string, words any, pictures map[string]bool) (mailWords, error) {
	w, err := t.try(event, language, words, pictures)
	if err != nil && t != nil {
		// It was tried with samples when it was loaded. What fails now fails for
		// this one mail, which a customer or an agent waits for: in our words, then.
		return (*Texts)(nil).try(event, language, words, pictures)
	}
	return w, err
}

func (t *Texts) try(event, language string, words any, pictures map[string]bool) (w mailWords, err error) {
	name := event + "." + enOrJa(language)
	if own := t.textFile(name + ".txt"); own != nil {
		w.subject, w.text, err = fill(own, words)
	} else {
		w.subject, w.text, err = write(event, language, words)
	}
	if err != nil {
		return w, err
	}
	own := t.htmlFile(name + ".html")
	if own == nil {
		w.html = page(w.text, pictures)
		return w, nil
	}
	if n, ok := words.(notice); ok {
		if words, err = withHTML(n, language, pictures); err != nil {
			return w, err
		}
	}
	var b strings.Builder
	if err := own.Execute(&b, words); err != nil {
		return w, fmt.Errorf("filling the HTML text: %w", err)
	}
	w.html = b.String()
	return w, nil
}

func (t *Texts) textFile(name string) *template.Template {
	if t == nil {
		return nil
	}
	return t.text[name]
}

func (t *Texts) htmlFile(name string) *htmltemplate.Template {
	if t == nil {
		return nil
	}
	return t.html[name]
}

// withHTML adds what HTML texts may name: several lines of text as HTML.
func withHTML(n notice, language string, pictures map[string]bool) (notice, error) {
	files, err := fragment("files", language, n)
	if err != nil {
		return n, err
	}
	help, err := fragment("help", language, n)
	if err != nil {
		return n, err
	}
	n.TextHTML = htmltemplate.HTML(body(n.Text, pictures))
	n.QuotedHTML = htmltemplate.HTML(body(n.Quoted, nil))
	n.FilesHTML = htmltemplate.HTML(body(files, nil))
	n.HelpHTML = htmltemplate.HTML(body(help, nil))
	return n, nil
}
