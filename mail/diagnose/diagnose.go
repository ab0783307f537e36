// Package diagnose explains the failures of mail servers: a mail.Error becomes
// a cause of the catalogue, with what it means and what to do in the reader's
// language, and whether trying again helps.
//
// The catalogue (catalogue.toml) and the order of the rules (rules.toml) are
// data. Rules look at structure first (step, codes, class of the error below)
// and at words only where structure does not decide.
package diagnose

import (
	"net"
	"net/url"
	"strings"

	"helpdesk/mail"
)

// Unknown is the cause of a failure that no rule knows.
const Unknown = "unknown"

// Whether and how soon trying again helps: values of Diagnosis.Retry.
const (
	RetryNever = "never" // only after a person changed something
	RetrySlow  = "slow"  // with pauses growing to hours
	RetrySoon  = "soon"  // in the normal rhythm
)

// What a failure is about: values of Diagnosis.Concerns. A failure that
// concerns a recipient, sender or message says nothing about the relay.
const (
	ConcernsConfiguration = "configuration"
	ConcernsNetwork       = "network"
	ConcernsMailbox       = "mailbox"
	ConcernsRelay         = "relay"
	ConcernsSender        = "sender"
	ConcernsRecipient     = "recipient"
	ConcernsMessage       = "message"
)

// Diagnosis is a failure explained, independent of language.
type Diagnosis struct {
	Cause      string // slug of the catalogue; Unknown where nothing fits
	Retry      string // RetryNever, RetrySlow or RetrySoon
	Concerns   string // one of the Concerns constants
	Provider   string // as given to Explain
	Step       string // one of the mail.Step constants
	ServerText string // the server's own words with their codes; where it said nothing, what this program saw

	args map[string]string
}

// Words is a Diagnosis in one language.
type Words struct {
	Title  string
	Text   string
	Remedy []string
}

// Stored is a mail.Error as it is kept in the store: slugs and words. Err holds
// the class of the error below and its details, so that nothing is lost; make
// it with Record.
type Stored struct {
	Protocol, Server, Step, Code, Enhanced, Text string
	Temporary                                    bool
	Err                                          string
}

// Record turns an error into its stored form.
func Record(err *mail.Error) Stored {
	s := Stored{
		Protocol: err.Protocol, Server: err.Server, Step: err.Step,
		Code: err.Code, Enhanced: err.Enhanced, Text: err.Text, Temporary: err.Temporary,
	}
	if err.Err == nil {
		return s
	}
	s.Err = err.Err.Error()
	class, details := classify(err.Err)
	if len(details) > 0 {
		class += "?" + details.Encode()
	}
	if class != "" {
		s.Err = class + ": " + s.Err
	}
	return s
}

// Explain says what err means. provider is the name of the preset in use, or "".
// A nil err is explained as Unknown.
func Explain(err *mail.Error, provider string) Diagnosis {
	if err == nil {
		err = &mail.Error{Temporary: true}
	}
	return ExplainStored(Record(err), provider)
}

// ExplainStored is Explain for an error that was kept in the store.
func ExplainStored(s Stored, provider string) Diagnosis {
	class, details, words := s.below()
	host, port, err := net.SplitHostPort(s.Server)
	if err != nil {
		host, port = s.Server, ""
	}
	seen := s.Text
	if seen == "" && class == "" {
		seen = words // our libraries' own English; an operating system's localised words always have a class
	}
	data := loaded()
	r := data.match(evidence{
		protocol: s.Protocol, step: s.Step, code: s.Code, enhanced: s.Enhanced, class: class,
		provider: provider, port: port, text: seen, temporary: s.Temporary,
	})
	c := data.causes[r.Cause]
	d := Diagnosis{
		Cause: r.Cause, Retry: c.Retry, Concerns: c.Concerns, Provider: provider, Step: s.Step,
		ServerText: serverText(s, words),
		args: map[string]string{
			"host": host, "port": port, "server": s.Server,
			"names": details.Get("names"), "until": validity(details), "issuer": details.Get("issuer"),
		},
	}
	if r.Retry != "" {
		d.Retry = r.Retry
	}
	if r.Concerns != "" {
		d.Concerns = r.Concerns
	}
	return d
}

// In gives the explanation in lang, "en" or "ja"; any other is taken as "en".
func (d Diagnosis) In(lang string) Words {
	data := loaded()
	c := data.causes[d.Cause]
	w := c.En
	if lang == "ja" {
		w = c.Ja
	} else {
		lang = "en"
	}
	step := data.Step[lang][d.Step]
	if step == "" {
		step = data.Step[lang]["other"]
	}
	pairs := []string{"{step}", step}
	for name, missing := range data.Missing[lang] {
		value := d.args[name]
		if value == "" {
			value = missing
		}
		pairs = append(pairs, "{"+name+"}", value)
	}
	fill := strings.NewReplacer(pairs...)
	out := Words{Title: fill.Replace(w.Title), Text: fill.Replace(w.Text), Remedy: make([]string, len(w.Remedy))}
	for i, step := range w.Remedy {
		out.Remedy[i] = fill.Replace(step)
	}
	return out
}

// below takes apart what Record put into Err: "class?details: words".
func (s Stored) below() (class string, details url.Values, words string) {
	head, words, ok := strings.Cut(s.Err, ": ")
	class, query, _ := strings.Cut(head, "?")
	if !ok || !knownClass(class) {
		return "", nil, s.Err
	}
	details, err := url.ParseQuery(query)
	if err != nil {
		return class, nil, words // details only make the sentence finer
	}
	return class, details, words
}

// serverText joins code, enhanced status and words as the server wrote them.
func serverText(s Stored, words string) string {
	if s.Text == "" && s.Code == "" {
		return words
	}
	var head []string
	for _, code := range []string{s.Code, s.Enhanced} {
		if code == "" || strings.Contains(s.Text, code) {
			continue
		}
		if s.Protocol != "smtp" {
			code = "[" + code + "]"
		}
		head = append(head, code)
	}
	return strings.TrimSpace(strings.Join(append(head, s.Text), " "))
}

// validity is the span of a certificate, in a form that both languages read.
func validity(details url.Values) string {
	from, until := details.Get("from"), details.Get("until")
	if from == "" || until == "" {
		return ""
	}
	return from + " – " + until
}
