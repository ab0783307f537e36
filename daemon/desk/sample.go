package desk

import (
	"html"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"helpdesk/mail"
)

// Check writes samples of every event in both languages, with the desk's own
// name and address, and looks at what comes out: a fault in a text must be
// known before a customer waits for the mail. nil are our own texts. The error
// is TextFaults, one for each file and kind of fault.
func (t *Texts) Check(s *Settings) error {
	var faults TextFaults
	for _, event := range texted() {
		for _, language := range []string{"en", "ja"} {
			for _, words := range samples(s, event, language) {
				for _, fault := range t.checkOne(event, language, words) {
					same := func(f *TextFault) bool { return f.File == fault.File && f.Code == fault.Code && f.Line == fault.Line }
					if !slices.ContainsFunc(faults, same) {
						faults = append(faults, fault)
					}
				}
			}
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

func (t *Texts) checkOne(event, language string, words any) []*TextFault {
	text, page := t.path(event, language, "txt"), t.path(event, language, "html")
	w, err := t.try(event, language, words, nil)
	if err != nil {
		path := text
		if strings.Contains(err.Error(), event+"."+language+".html") {
			path = page
		}
		fault := templateFault(path, err)
		if fault.Code == "unknown-word" {
			fault.Args["words"] = strings.Join(wordsOf(words), ", ")
		}
		return []*TextFault{fault}
	}
	var faults []*TextFault
	blame := func(path, code, words string) {
		faults = append(faults, &TextFault{File: path, Code: code, Args: map[string]string{"error": words}})
	}
	if w.subject == "" {
		blame(text, "no-subject", "")
	}
	if strings.TrimSpace(w.text) == "" {
		blame(text, "no-text", "")
	}
	for _, part := range []struct{ path, words string }{{text, w.subject + "\n" + w.text}, {page, html.UnescapeString(w.html)}} {
		if part.path == page && t.htmlFile(filepath.Base(page)) == nil {
			continue // made from the text
		}
		if empty := noValue.FindString(part.words); empty != "" {
			blame(part.path, "no-value", empty)
		}
		n, ok := words.(notice)
		if !ok {
			continue
		}
		if line, _, _ := strings.Cut(n.Text, "\n"); event == EventAnswered && !strings.Contains(part.words, line) {
			blame(part.path, "no-answer", "")
		}
		for _, file := range n.Omitted {
			if files(event) && !strings.Contains(part.words, file) {
				blame(part.path, "no-files", "")
				break
			}
		}
	}
	return faults
}

// noValue is what templates write where there is nothing to write, or nothing
// of that kind.
var noValue = regexp.MustCompile(`<no value>|<nil>|%!\w?\([^)]*\)`)

// files reports whether the mail of an event brings files.
func files(event string) bool {
	return event == EventAnswered || event == EventNew || event == EventCustomerWrote
}

// path is where the text of an event is read from, as a person should see it.
func (t *Texts) path(event, language, kind string) string {
	name := event + "." + language + "." + kind
	if t == nil {
		return name
	}
	return filepath.Join(t.dir, name)
}

// wordsOf are what a text may name.
func wordsOf(words any) []string {
	var names []string
	typ := reflect.TypeOf(words)
	for i := range typ.NumField() {
		if typ.Field(i).IsExported() {
			names = append(names, typ.Field(i).Name)
		}
	}
	for i := range typ.NumMethod() {
		names = append(names, typ.Method(i).Name)
	}
	slices.Sort(names)
	return names
}

// samples are mails of an event as they may come: with everything, and with
// as little as there can be.
func samples(s *Settings, event, language string) []any {
	switch event {
	case EventAlarm:
		return sampleAlarms(language)
	case EventWeekly:
		return sampleWeeks(s, language)
	case EventFuse, EventQuarantine:
		return sampleNews(s, language)
	}
	full := notice{
		Key: "SUP-123", Desk: s.Name, Address: s.Address, Author: "Aki", By: "Aki",
		Subject:  "複合機が紙詰まりを起こして印刷できません (printer on the second floor: paper jam, nothing can be printed since this morning, please help)",
		Customer: mail.Address{Name: "山田 太郎", Address: "taro.yamada@example.com"},
		Text:     "トナーを交換したところ直りました。It prints again & shows <no> error.\n\nSee https://example.com/help.",
		Quoted:   "> 印刷できません。\n> \n> It says \"<jam>\".", QuotedHead: "山田 太郎:",
		Link: "https://helpdesk.example.com/requests/SUP-123", Linked: "SUP-9", Since: clock(sampleTime(), language),
		Fields:  []fieldValue{{"priority", "high"}, {"場所", "2階"}},
		Omitted: []string{"報告書.pdf (31 MB)", "film.mp4 (80 MB)"}, Limit: "25 MB", Copies: "hanako@example.com", BySubject: true,
	}
	bare := notice{Key: "SUP-1", Desk: s.Name, Address: s.Address, Author: s.Name, Text: "OK"}
	switch event {
	case EventAnswered:
		resolved := full
		resolved.Resolved, resolved.Omitted, resolved.Truncated = true, nil, "80 MB"
		return []any{full, resolved, bare}
	case EventHeld:
		full.Key, bare.Key = "", ""
	case EventCustomerWrote:
		full.Author, bare.Customer = "", full.Customer
	case EventNew:
		full.Author, full.Truncated = "", "80 MB"
		late := full
		late.Late = true
		return []any{full, late, bare}
	case EventNotSent:
		return sampleNotSent(full, bare)
	case EventCommands:
		failed, done, help := full, full, bare
		failed.Failed, failed.Help = []string{"There is no command \"#resolv\"."}, true
		done.Done, help.Help, help.Key = []string{"It is resolved."}, true, ""
		return []any{failed, done, help}
	case EventDigest:
		return sampleDigests(full, bare)
	}
	return []any{full, bare}
}

func sampleNotSent(full, bare notice) []any {
	var list []any
	for _, why := range []string{"empty", "nobody", "unverified", "copy", "dmarc", "digest"} {
		full.Why, bare.Why = why, why
		if why == "digest" {
			full.Key, bare.Key, full.Subject = "", "", ""
		}
		list = append(list, full, bare)
	}
	return list
}

func sampleDigests(full, bare notice) []any {
	full.Key, full.Subject, bare.Key = "", "", ""
	held := bare
	held.Senders = []heldSender{{Address: "robot@example.com", Name: "Robot", Count: 112}}
	full.Senders = held.Senders
	for _, event := range []string{EventNew, EventCustomerWrote, EventAssigned, EventAnsweredBy, EventReminder, EventBounced} {
		full.Items = append(full.Items, digestItem{
			Event: event, Key: "SUP-123", Subject: "複合機が動きません", Customer: "山田 太郎", Author: "Aki", Beginning: "> お世話になっております。\n> 印刷できません。",
			Link: "https://helpdesk.example.com/requests/SUP-123", Address: "taro@example.com", Words: "550 5.1.1 no such user",
		})
		bare.Items = append(bare.Items, digestItem{Event: event, Key: "SUP-1"})
	}
	return []any{full, bare, held}
}
