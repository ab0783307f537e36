package config

import (
	"fmt"
	"slices"
	"strings"
)

// standardType is the request type of a desk that has none in the file.
const standardType = "Email request"

// Fields of every request type whose value is the mail itself.
const (
	fieldSummary     = "summary"
	fieldDescription = "description"
	fieldAttachment  = "attachment"
)

const fieldPriority = "priority"

// priorities are the choices of a field "priority" that names none.
func priorities() []string { return []string{"low", "normal", "high"} }

// Type is the request type that a mail to this desk makes: the mailbox's, with
// its fields. A type without fields has summary, description and attachment.
func (d *Desk) Type() RequestType {
	t := RequestType{Name: d.Mailbox.RequestType}
	if i := slices.IndexFunc(d.RequestTypes, func(r RequestType) bool { return r.Name == t.Name }); i >= 0 {
		t.Fields = d.RequestTypes[i].Fields
	}
	if len(t.Fields) == 0 {
		t.Fields = []Field{{Name: fieldSummary, Visible: true, Required: true}, {Name: fieldDescription, Visible: true}, {Name: fieldAttachment, Visible: true}}
	}
	return t
}

// Own lists the fields that are shown and set beside the mail itself.
func (t RequestType) Own() []Field {
	return slices.DeleteFunc(slices.Clone(t.Fields), func(f Field) bool {
		return !f.Visible || slices.Contains([]string{fieldSummary, fieldDescription, fieldAttachment}, f.Name)
	})
}

// requestTypes checks a desk's request types, and the mailbox's above all: a
// mail brings summary and description, and nobody is there to fill in more.
func (v *validator) requestTypes(key string, d *Desk) {
	var names []string
	for i := range d.RequestTypes {
		t := &d.RequestTypes[i]
		at := index(key+".request_type", i+1)
		v.fields(at, t)
		if v.required(at+".name", t.Name) && slices.Contains(names, t.Name) {
			v.fault(at+".name", t.Name, "type-twice")
		}
		names = append(names, t.Name)
	}
	name := d.Mailbox.RequestType
	i := slices.Index(names, name)
	if i >= 0 {
		v.mailboxType(index(key+".request_type", i+1), &d.RequestTypes[i])
		return
	}
	if len(names) == 0 {
		names = []string{standardType}
	}
	if !slices.Contains(names, name) {
		v.fault(key+".mailbox.request_type", name, "type-unknown", "names", `"`+strings.Join(names, `", "`)+`"`)
	}
}

// mailboxType checks that every mail can become a request of the type.
func (v *validator) mailboxType(key string, t *RequestType) {
	if len(t.Fields) == 0 {
		return
	}
	for _, needed := range []string{fieldSummary, fieldDescription} {
		i := slices.IndexFunc(t.Fields, func(f Field) bool { return f.Name == needed })
		switch {
		case i < 0:
			v.fault(key, t.Name, "field-missing", "type", t.Name, "field", needed)
		case !t.Fields[i].Visible:
			v.fault(index(key+".field", i+1)+".visible", "false", "field-hidden", "type", t.Name, "field", needed)
		}
	}
	for i, f := range t.Fields {
		if f.Required && f.Name != fieldSummary && f.Name != fieldDescription {
			v.fault(index(key+".field", i+1)+".required", "true", "field-required", "type", t.Name, "field", f.Name)
		}
	}
}

// fields checks names, choices and defaults.
func (v *validator) fields(key string, t *RequestType) {
	seen := map[string]bool{}
	for i, f := range t.Fields {
		at := index(key+".field", i+1)
		name := strings.ToLower(f.Name)
		switch {
		case !v.required(at+".name", f.Name):
		case seen[name]:
			v.fault(at+".name", f.Name, "field-twice", "type", t.Name)
		case len([]rune(f.Name)) > 40 || f.Name != strings.TrimSpace(f.Name) || strings.ContainsAny(f.Name, ":：#＃\n\r\t"):
			v.fault(at+".name", f.Name, "bad-field")
		case slices.Contains(commands(), name):
			v.fault(at+".name", f.Name, "field-command")
		}
		seen[name] = true
		v.choices(at, f)
	}
}

func (v *validator) choices(key string, f Field) {
	if slices.Contains([]string{fieldSummary, fieldDescription, fieldAttachment}, f.Name) {
		if f.Default != "" || len(f.Choices) > 0 {
			v.warn(key, f.Name, "field-of-mail")
		}
		return
	}
	seen := map[string]bool{}
	for i, c := range f.Choices {
		switch k := strings.ToLower(strings.TrimSpace(c)); {
		case k == "":
			v.fault(index(key+".choices", i+1), c, "choice-empty")
		case seen[k]:
			v.fault(index(key+".choices", i+1), c, "choice-twice")
		default:
			seen[k] = true
		}
	}
	choices := f.Choices
	if f.Name == fieldPriority && len(choices) == 0 {
		choices = priorities()
	}
	if f.Default != "" && len(choices) > 0 && !slices.Contains(choices, f.Default) {
		v.fault(key+".default", f.Default, "default-choice", "choices", fmt.Sprintf(`"%s"`, strings.Join(choices, `", "`)))
	}
}

// commands are the words that an agent's mail can begin a line with, behind a
// #: a field with such a name could not be set by mail. "priority" is both, and
// its Japanese word means it.
func commands() []string {
	return []string{"note", "resolve", "reopen", "assign", "set", "merge", "spam", "help", "mine",
		"メモ", "解決", "再開", "担当", "優先度", "設定", "統合", "迷惑", "ヘルプ", "自分"}
}
