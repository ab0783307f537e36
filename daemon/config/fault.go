package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Fault is one thing that is wrong with the configuration. It stores a slug
// and its arguments; the sentence is made for the reader's language by Text.
type Fault struct {
	File    string            `json:"file"`
	Line    int               `json:"line"`  // 0 when the fault is in no line, as a missing table
	Key     string            `json:"key"`   // as desk[2].mailbox.port; counted from 1
	Value   string            `json:"value"` // as written; "" for a password or when nothing is written
	Code    string            `json:"code"`  // slug of the sentence
	Args    map[string]string `json:"args,omitempty"`
	Warning bool              `json:"warning"` // worth saying, but nothing is refused
	Desk    int               `json:"desk"`    // which [[desk]] it belongs to, counted from 1; 0: to the whole file
	Name    string            `json:"name"`    // that desk's name, if it has one
}

// Text is the line for a person: where, what and what to do. Example:
// helpdesk.toml:12: desk "Support": mailbox.poll: "5" has no unit. Write "5s" or "5m".
func (f *Fault) Text(lang string) string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
	}
	if f.Warning {
		b.WriteString(pick(lang, "warning: ", "警告: "))
	}
	key := f.Key
	if f.Desk > 0 && f.Name != "" {
		fmt.Fprintf(&b, pick(lang, "desk %q: ", "窓口 %q: "), f.Name)
		_, key, _ = strings.Cut(key, ".")
	}
	if key != "" {
		b.WriteString(key + ": ")
	}
	reason, remedy := f.Reason(lang), f.Remedy(lang)
	b.WriteString(reason)
	if remedy != "" {
		b.WriteString(pick(lang, " ", "") + remedy)
	}
	return b.String()
}

// Error is Text in English.
func (f *Fault) Error() string { return f.Text(English) }

// Reason says what is wrong, in lang.
func (f *Fault) Reason(lang string) string { return f.fill(phraseOf(f.Code).reason(lang), lang) }

// Remedy says what to do about it, in lang.
func (f *Fault) Remedy(lang string) string { return f.fill(phraseOf(f.Code).remedy(lang), lang) }

// fill puts value, last part of the key and Args in the place of {name}. An
// argument that is itself in a language has its Japanese in name_ja.
func (f *Fault) fill(s, lang string) string {
	key := f.Key[strings.LastIndexByte(f.Key, '.')+1:]
	pairs := []string{"{value}", f.Value, "{key}", key}
	for k, v := range f.Args {
		if ja, ok := f.Args[k+"_ja"]; ok && lang == Japanese {
			v = ja
		}
		pairs = append(pairs, "{"+k+"}", v)
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// Print writes one line for each fault.
func Print(w io.Writer, faults []Fault, lang string) error {
	for i := range faults {
		if _, err := fmt.Fprintln(w, faults[i].Text(lang)); err != nil {
			return fmt.Errorf("writing faults: %w", err)
		}
	}
	return nil
}

// Refused says whether a fault among them refuses the whole file: one that is
// neither a warning nor within one desk.
func Refused(faults []Fault) bool {
	for _, f := range faults {
		if !f.Warning && f.Desk == 0 {
			return true
		}
	}
	return false
}

func pick(lang, en, ja string) string {
	if lang == Japanese {
		return ja
	}
	return en
}

// reason is the innermost words of a file error; the path is said elsewhere.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// asFault finds the Fault that err is made of.
func asFault(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return &Fault{Code: err.Error()}
}
