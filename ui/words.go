package ui

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"helpdesk/store"
)

//go:embed words.toml
var wordsFile string

// phrase is one entry of words.toml.
type phrase struct {
	En string `toml:"en"`
	Ja string `toml:"ja"`
}

// phrases decodes words.toml once. It is part of the program: that it decodes
// is proved by a test.
var phrases = sync.OnceValue(func() map[string]phrase {
	all := map[string]phrase{}
	if _, err := toml.Decode(wordsFile, &all); err != nil {
		panic(fmt.Errorf("decoding words.toml: %w", err))
	}
	return all
})

// Words turns slugs and arguments of the store into sentences of one language.
// The commands use them too, so that page and terminal say the same.
type Words struct {
	lang string
}

// WordsIn gives the words of lang, "en" or "ja"; any other is taken as "en".
func WordsIn(lang string) Words {
	if lang != "ja" {
		lang = "en"
	}
	return Words{lang: lang}
}

// Text is the phrase for key; pairs are names of placeholders and their values.
// A key that is not there comes back as it is: a slug of a later version is
// better shown raw than hidden.
func (w Words) Text(key string, pairs ...string) string {
	text, ok := w.find(key)
	if !ok {
		return key
	}
	if len(pairs) == 0 {
		return text
	}
	braced := slices.Clone(pairs)
	for i := 0; i < len(braced); i += 2 {
		braced[i] = "{" + braced[i] + "}"
	}
	return strings.NewReplacer(braced...).Replace(text)
}

func (w Words) find(key string) (string, bool) {
	p, ok := phrases()[key]
	if w.lang == "ja" {
		return p.Ja, ok
	}
	return p.En, ok
}

// slug is the phrase for prefix and slug, or the slug where there is none.
func (w Words) slug(prefix, slug, suffix string) string {
	if text, ok := w.find(prefix + slug + suffix); ok {
		return text
	}
	return slug
}

// Count is Text for a number, in the singular or plural of the language.
func (w Words) Count(key string, n int64) string {
	form := ".many"
	if n == 1 {
		form = ".one"
	}
	return w.Text(key+form, "n", w.Number(n))
}

// Number writes n with separators between thousands.
func (w Words) Number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Outcome names what became of a mail, as "New request".
func (w Words) Outcome(slug string) string { return w.slug("outcome.", slug, "") }

// Rule is the sentence that says why a rule fits. It names nobody.
func (w Words) Rule(slug string) string { return w.slug("rule.", slug, ".fits") }

// Passed is the sentence that says why a rule did not fit.
func (w Words) Passed(slug string) string { return w.slug("rule.", slug, ".passed") }

// ShortEvent names a mail of ours in a narrow column, in 18 places at most.
func (w Words) ShortEvent(slug string) string { return w.slug("event-short.", slug, "") }

// KnowsRule reports whether a mail can be decided by the rule.
func KnowsRule(slug string) bool {
	_, ok := phrases()["rule."+slug+".fits"]
	return ok
}

// Reason says in full why a mail became what it became: the rule's sentence
// and one for each argument that has words. It may name people.
func (w Words) Reason(e store.Entry) []string {
	sentences := []string{w.Rule(e.Rule)}
	for _, name := range slices.Sorted(maps.Keys(e.ReasonArgs)) {
		value := e.ReasonArgs[name]
		if text, ok := w.find("arg." + name + "." + value); ok {
			sentences = append(sentences, text)
		} else if _, ok := w.find("arg." + name); ok && value != "" {
			sentences = append(sentences, w.Text("arg."+name, "value", value))
		}
	}
	return sentences
}

// Problem says what was odd about a mail; slugs are those of package mail.
func (w Words) Problem(slug string) string { return w.slug("problem.", slug, "") }

// State names the state of a mailbox or relay, as "Works".
func (w Words) State(slug string) string { return w.slug("state.", slug, "") }

// RequestState names the state of a request, as "Open".
func (w Words) RequestState(slug string) string { return w.slug("request-state.", slug, "") }

// Event names the mail that an outbox line is, as "Acknowledgement to the customer".
func (w Words) Event(slug string) string { return w.slug("event.", slug, "") }

// Field names a field of a request type; the office's own are shown as they are.
func (w Words) Field(name string) string { return w.slug("field.", name, "") }

// FieldValue is the value of a field, in words where the field is one of ours.
func (w Words) FieldValue(name, value string) string { return w.slug("field."+name+".", value, "") }

// When writes a time as people say it: near ones relative to now, others as a
// date in now's time zone. The zero time is a dash.
func (w Words) When(t, now time.Time) string {
	if t.IsZero() {
		return w.Text("time.unknown")
	}
	switch d := now.Sub(t); {
	case d >= -time.Minute && d < 0:
		return w.Text("time.in-seconds")
	case d >= 0 && d < time.Minute:
		return w.Text("time.just-now")
	case d >= 0 && d < time.Hour:
		return w.Count("time.minutes-ago", int64(d/time.Minute))
	case d < 0 && d > -time.Hour:
		return w.Count("time.in-minutes", int64(-d/time.Minute))
	}
	return w.Date(t, now)
}

// Date writes a time as a day and a clock time in now's time zone.
func (w Words) Date(t, now time.Time) string {
	if t.IsZero() {
		return w.Text("time.unknown")
	}
	t = t.In(now.Location())
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	key := "time.year"
	switch {
	case !t.Before(midnight) && t.Before(midnight.AddDate(0, 0, 1)):
		key = "time.today"
	case !t.Before(midnight.AddDate(0, 0, -1)) && t.Before(midnight):
		key = "time.yesterday"
	case t.Year() == now.Year():
		key = "time.day"
	}
	month := t.Format("Jan")
	if w.lang == "ja" {
		month = t.Format("1")
	}
	return w.Text(key, "clock", t.Format("15:04"), "day", t.Format("2"), "month", month, "year", t.Format("2006"))
}

// Took writes how long something took, in seconds.
func (w Words) Took(d time.Duration) string {
	n := fmt.Sprintf("%.2f", d.Seconds())
	switch {
	case d >= 10*time.Second:
		n = fmt.Sprintf("%.0f", d.Seconds())
	case d < 5*time.Millisecond:
		n = "<0.01"
	}
	return w.Text("time.took", "n", n)
}

// Step names a stage of reaching a server, as "Encryption".
func (w Words) Step(slug string) string { return w.slug("step.", slug, "") }

// Fact names what a stage found out, as "Method".
func (w Words) Fact(f TestFact) string { return w.slug("fact.", f.Name, "") }

// FactValue is what it found out: numbers as people write them, slugs as
// words, all else as it is.
func (w Words) FactValue(f TestFact) string {
	if text, ok := w.find("fact." + f.Name + "." + f.Value); ok {
		return text
	}
	n, err := strconv.ParseInt(f.Value, 10, 64)
	switch {
	case err != nil:
		return f.Value
	case f.Name == "size":
		return w.Size(n)
	case f.Name == "messages":
		return w.Number(n)
	}
	return f.Value
}

// TestSection is the heading of a part of a test.
func (w Words) TestSection(s TestSection) string {
	return w.Text("test.section."+s.Kind, "desk", s.Desk, "server", s.Server)
}

// TestNote is the sentence of a note of a test.
func (w Words) TestNote(n Note) string { return w.Text("test.note."+n.Slug, n.Pairs...) }

// Size writes a number of bytes as people say it, in decimal units.
func (w Words) Size(n int64) string {
	units := []string{"B", "kB", "MB", "GB"}
	v, u := float64(n), 0
	for v >= 999.5 && u < len(units)-1 {
		v, u = v/1000, u+1
	}
	if u == 0 || v >= 10 {
		return fmt.Sprintf("%.0f %s", v, units[u])
	}
	return fmt.Sprintf("%.1f %s", v, units[u])
}
