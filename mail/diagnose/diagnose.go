// Package diagnose explains the failures of mail servers: a mail.Error becomes
// a cause of the catalogue, with what it means and what to do in the reader's
// language, and whether trying again helps.
//
// The catalogue (catalogue/*.toml) and the order of the rules (rules.toml) are
// data. Rules look at structure first (step, codes, class of the error below),
// then at the provider, and at words only where structure does not decide:
// families of words of one meaning in many languages (families.toml), so that
// a server may put it in its own way. Read understands what people paste.
package diagnose

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"helpdesk/mail"
	"helpdesk/mail/provider"
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
	Cause      string   // slug of the catalogue; Unknown where nothing fits
	Retry      string   // RetryNever, RetrySlow or RetrySoon
	Concerns   string   // one of the Concerns constants
	Provider   string   // slug of mail/provider, or of a sending service: as given to Explain, else found by host or words; "" if not known
	Step       string   // one of the mail.Step constants
	ServerText string   // the server's own words with their codes; where it said nothing, what this program saw
	Links      []string // pages of the provider about it, in English where there is a choice; often none

	args map[string]string
}

// Words is a Diagnosis in one language.
type Words struct {
	Title  string
	Text   string
	Remedy []string
	Again  string // whether trying again helps
}

// Stored is a mail.Error as it is kept in the store: slugs and words. Err holds
// the class of the error below and its details, so that nothing is lost; make
// it with Record.
type Stored struct {
	Protocol, Server, Step, Auth, Code, Enhanced, Text string
	Temporary                                          bool
	Err                                                string
}

// Record turns an error into its stored form.
func Record(err *mail.Error) Stored {
	s := Stored{
		Protocol: err.Protocol, Server: err.Server, Step: err.Step, Auth: err.Auth,
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

// Explain says what err means. provider is the slug of the preset in use; where
// it is "", host and words of the server tell.
// A nil err is explained as Unknown.
func Explain(err *mail.Error, provider string) Diagnosis {
	if err == nil {
		err = &mail.Error{Temporary: true}
	}
	return ExplainStored(Record(err), provider)
}

// ExplainStored is Explain for an error that was kept in the store.
func ExplainStored(s Stored, provider string) Diagnosis {
	data := loaded()
	e, words, details := data.examine(s, provider)
	r := data.rules[data.match(e)]
	c := data.causes[r.Cause]
	host, port := address(s.Server)
	d := Diagnosis{
		Cause: r.Cause, Retry: c.Retry, Concerns: c.Concerns, Step: s.Step,
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
	aboutOneMail := slices.Contains([]string{ConcernsSender, ConcernsRecipient, ConcernsMessage}, d.Concerns)
	if d.Retry == RetryNever && aboutOneMail && s.Protocol == "smtp" && strings.HasPrefix(s.Code, "4") {
		d.Retry = RetrySlow // the server itself says that it may pass
	}
	d.Provider = speaker(e.providers, d.Concerns)
	d.Links = c.links(d.Provider)
	return d
}

// examine gathers what the rules look at. words are this program's own, about
// the error below.
func (b *book) examine(s Stored, preset string) (e *evidence, words string, details url.Values) {
	class, details, words := s.below()
	host, port := address(s.Server)
	seen := s.Text
	if seen == "" && class == "" {
		seen = words // our libraries' own English; an operating system's localised words always have a class
	}
	if issuer := details.Get("issuer"); issuer != "" {
		seen += " " + issuer // of a certificate: an antivirus program signs with its own name
	}
	_, foreign := provider.RelayOfOtherProduct(host)
	text := evident(seen)
	e = &evidence{
		protocol: s.Protocol, step: s.Step, auth: s.Auth, code: strings.ToUpper(s.Code), enhanced: s.Enhanced,
		class: class, host: strings.ToLower(host), port: port, temporary: s.Temporary, foreign: foreign, aadsts: aadsts(text),
		text: text, words: wordsOf(text),
	}
	e.undecided = s.Protocol == "smtp" && s.Step == "" && s.Code == "" && s.Enhanced == "" && class == ""
	if p, ok := provider.ByHost(host); preset == "" && ok {
		preset = p.Slug
	} else if preset == "" {
		preset = first(b.hosts, e)
	}
	if preset != "" {
		e.providers = append(e.providers, preset)
	}
	if spoken := first(b.servers, e); spoken != "" && spoken != preset {
		e.providers = append(e.providers, spoken)
	}
	return e, words, details
}

// speaker is the provider whose words and pages help: about a recipient or a
// mail it is the server that judged them, which a relay may only have quoted;
// about everything else it is the server that we talk to.
func speaker(providers []string, concerns string) string {
	if len(providers) == 0 {
		return ""
	}
	if concerns == ConcernsRecipient || concerns == ConcernsMessage {
		return providers[len(providers)-1]
	}
	return providers[0]
}

// address takes host and port of "host:port" apart, also where there is no port.
func address(server string) (host, port string) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return server, ""
	}
	return host, port
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
