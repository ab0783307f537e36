package desk

import (
	htmltemplate "html/template"
	"regexp"
	"strings"

	"helpdesk/mail"
)

// notice is what a text may name: every exported field and method is a word
// that an office may use in its own texts, so none is ever renamed. The words
// that end in HTML are for HTML texts.
type notice struct {
	Key, Subject, Desk, Address string
	Customer                    mail.Address // who asks, or who wrote just now
	Author                      string       // the agent who answered
	Text                        string       // of the mail that this one is about
	Quoted, QuotedHead          string       // the customer's last mail, below an answer
	Link                        string       // of the request on the page
	Linked                      string       // key of the request that a new one mentions
	Late                        bool         // the new one is an answer to that, too late to open it again
	Resolved                    bool         // an answer after which we take the request for done
	Fields                      []fieldValue // of the request, that are not as every request begins
	Since                       string       // the customer waits since then
	By                          string       // who assigned the request
	Omitted                     []string     // files left out, "name (12 MB)"
	Limit                       string       // the relay's largest mail
	Truncated                   string       // its size, where the mail was larger than we take
	Copies                      string       // who gets an agent's answer beside the customer
	Why                         string       // why an agent's mail was not sent: empty, nobody, copy, digest, dmarc or unverified
	Done, Failed                []string     // what the commands in an agent's mail did, and could not do
	Help                        bool         // list the commands
	Items                       []digestItem // of a digest
	Senders                     []heldSender // whose mail is held, in a digest
	BySubject                   bool         // an agent is known by the server's word, so that a subject is enough

	TextHTML, QuotedHTML, FilesHTML, HelpHTML htmltemplate.HTML
}

// fieldValue is a field of a request and its value.
type fieldValue struct{ Name, Value string }

// CustomerFull is "Taro <taro@example.com>", or the address alone.
func (n notice) CustomerFull() string {
	if n.Customer.Name == "" {
		return n.Customer.Address
	}
	return n.Customer.Name + " <" + n.Customer.Address + ">"
}

// CustomerShort is the name, or the address where there is none.
func (n notice) CustomerShort() string {
	if n.Customer.Name == "" {
		return n.Customer.Address
	}
	return n.Customer.Name
}

// SafeSubject is the subject for mail that strangers can make us send to
// anybody: short, and nothing in it to click on. Where it is not the subject
// itself, that mail stands beside the customer's conversation.
func (n notice) SafeSubject() string {
	if clickable.MatchString(n.Subject) {
		return n.Desk
	}
	return clip(n.Subject, 120)
}

// SafeName is the customer's name for such mail, "" where it is no name.
func (n notice) SafeName() string {
	if name := n.Customer.Name; len([]rune(name)) <= 40 && !clickable.MatchString(name) && !strings.ContainsAny(name, "/@:") {
		return name
	}
	return ""
}

// clickable is what mail programs make links of: www., a scheme, a domain.
var clickable = regexp.MustCompile(`(?i)://|www\.|[\pL\pN-]\.[\pL]{2,}`)

// Mail programs put mails into one conversation by References and subject.
// Gmail wants both: a reference to a mail of the conversation, and the same
// subject but for Re: and Fwd: (Workspace update of 29 March 2019) and for what
// stands in square brackets before it, which it leaves out for the sake of
// mailing lists' names (seen by getsentry/sentry issues 818 and 4374 and
// TwiN/gatus issue 1563); so does IMAP's THREAD (RFC 5256 section 2.1). Apple
// Mail goes by References and wants Re: in front. Outlook goes by the
// conversation's topic, which for an answer without Thread-Topic would be the
// subject with the brackets (MS-OXOMSG section 2.2.1.2).
//
// Hence "Re: [SUP-12] " before the customer's own subject, nothing behind it,
// and as Thread-Topic what the customer's Outlook has as topic.

// topic is a subject without what programs put before it when they answer or
// pass on, and without a key of ours: what all mails of a conversation share.
// Re: in other languages stays: not every program knows it as such.
func topic(subject string) string {
	for {
		subject = strings.TrimSpace(subject) // within it all stays as it is, wide spaces too
		rest := strings.TrimPrefix(subject, replyPrefix.FindString(subject))
		if loc := subjectKey.FindStringIndex(rest); loc != nil && loc[0] == 0 {
			rest = rest[loc[1]:]
		}
		if rest == subject {
			return subject
		}
		subject = rest
	}
}

var replyPrefix = regexp.MustCompile(`^(?i:re|fwd?)(\[\d+\])?\s*[:：]`)

// outlookTopic is what Outlook makes of a subject where it is told no topic: it
// takes one to three letters and a colon for a prefix (MS-OXCMAIL section 2.2.3.2.6.1).
func outlookTopic(subject string) string {
	return strings.TrimPrefix(subject, outlookPrefix.FindString(subject))
}

var outlookPrefix = regexp.MustCompile(`^[^:\s\d]{1,3}: *`)
