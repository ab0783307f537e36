package config

import (
	"reflect"
	"strings"
	"time"

	"helpdesk/mail"
)

// Values of Desk.Automatic: what becomes of mail that no person wrote.
const (
	AutomaticIgnore = "ignore"
	AutomaticKeep   = "keep"
)

// Values of Desk.Mode.
const (
	ModeLive    = "live"
	ModeObserve = "observe" // nothing is changed on the server and nothing is sent; the page shows what would happen
)

// Values of Desk.CustomerLanguage: which language mail to customers has.
const (
	LanguageOfDesk = "desk"
	LanguageOfMail = "mail"
)

const day = Duration(24 * time.Hour)

// Desk is one service desk.
type Desk struct {
	Name            string   `toml:"name"`
	Key             string   `toml:"key"` // prefix of its requests, as SUP
	Address         string   `toml:"address"`
	Aliases         []string `toml:"aliases"`
	Language        string   `toml:"language"`         // without it Config.Language
	Agents          []string `toml:"agents"`           // e-mail addresses of [[agent]]
	PublicSignup    bool     `toml:"public_signup"`    // false: only known customers; others are held
	AnswerUnknown   bool     `toml:"answer_unknown"`   // who is held is told so, once a week at most
	CustomerDomains []string `toml:"customer_domains"` // whoever writes from there is a known customer
	Allow           []string `toml:"allow"`            // addresses and domains that are always let in
	Block           []string `toml:"block"`            // addresses and domains that are never let in
	Automatic       string   `toml:"automatic"`
	AuthservID      string   `toml:"authserv_id"`
	From            string   `toml:"from"`
	ReplyTo         string   `toml:"reply_to"`
	Mode            string   `toml:"mode"`
	Reopen          Duration `toml:"reopen"`     // a reply to a request that was resolved longer ago makes a new one
	AutoClose       Duration `toml:"auto_close"` // a request that waits for the customer that long is resolved; 0: never
	Remind          Duration `toml:"remind"`     // agents are reminded of a customer who waits that long within office hours; 0: never
	Hours           []string `toml:"hours"`      // office hours, as "mon-fri 09:00-17:30"; none: always. See OfficeHours
	Holidays        []string `toml:"holidays"`   // as "2026-12-25", or "01-01" for each year
	Timezone        string   `toml:"timezone"`   // of hours and holidays, as "Asia/Tokyo"; "": the system's

	CustomerLanguage string        `toml:"customer_language"` // desk: that of the desk; mail: that of the customer's own mail
	Relay            Relay         `toml:"relay"`             // without it Config.Relay
	Mailbox          Mailbox       `toml:"mailbox"`
	RequestTypes     []RequestType `toml:"request_type"` // without any there is one, see Type
	Notify           Notify        `toml:"notify"`

	// OwnRelay says that the file has a [desk.relay] for this desk.
	OwnRelay bool `toml:"-"`
	// Closed holds the faults of this desk. While there is one, its mailbox is not opened.
	Closed []Fault `toml:"-"`
}

// Sender is the From of this desk's mail: the desk's own `from`, else the
// relay's, else its address; its name is the desk's unless one is written there.
func (d *Desk) Sender() mail.Address {
	a := d.firstAddress(d.From, d.Relay.From, d.Address)
	if a.Name == "" {
		a.Name = d.Name
	}
	return a
}

// ReplyAddress is where answers to this desk's mail go; its Address is ""
// when no reply_to is set and answers go to the sender.
func (d *Desk) ReplyAddress() mail.Address {
	return d.firstAddress(d.ReplyTo, d.Relay.ReplyTo)
}

func (d *Desk) firstAddress(candidates ...string) mail.Address {
	for _, c := range candidates {
		if a, ok := parseNamed(c); ok {
			return a
		}
	}
	return mail.Address{}
}

// Mailbox is where a desk's mail arrives.
type Mailbox struct {
	Server
	Protocol    string   `toml:"protocol"`
	Folder      string   `toml:"folder"`
	Poll        Duration `toml:"poll"`
	Idle        bool     `toml:"idle"`
	After       string   `toml:"after"`
	MoveTo      string   `toml:"move_to"` // Done, Ignored and Attention below it
	Backlog     string   `toml:"backlog"`
	MaxSize     Size     `toml:"max_size"`
	Canary      Duration `toml:"canary"`       // how often a mail is sent through the relay to the desk itself; 0: never
	RequestType string   `toml:"request_type"` // name of one of the desk's request types
}

// RequestType is what customers can ask for at a desk.
type RequestType struct {
	Name   string  `toml:"name"`
	Fields []Field `toml:"field"`
}

// Field is one field of a request type.
type Field struct {
	Name     string   `toml:"name"`
	Visible  bool     `toml:"visible"`
	Required bool     `toml:"required"`
	Default  string   `toml:"default"`
	Choices  []string `toml:"choices"` // without any every text is possible
}

// Notify says which mails a desk sends because of an event, and with which
// texts. Its keys are the events as they stand in the outbox, with _ for -.
type Notify struct {
	Received      bool   `toml:"received"`
	Answered      bool   `toml:"answered"`
	Resolved      bool   `toml:"resolved"`
	Reopened      bool   `toml:"reopened"`
	Held          bool   `toml:"held"`
	New           bool   `toml:"new"`
	CustomerWrote bool   `toml:"customer_wrote"`
	Assigned      bool   `toml:"assigned"`
	AnsweredBy    bool   `toml:"answered_by"`
	Bounced       bool   `toml:"bounced"`
	Reminder      bool   `toml:"reminder"`
	Templates     string `toml:"templates"` // folder of texts that are used in the place of ours
}

// Off lists the events that are switched off, as they stand in the outbox.
func (n *Notify) Off() []string {
	var off []string
	fields := fieldsOf(reflect.ValueOf(n).Elem())
	for _, key := range sortedKeys(fields) {
		if f := fields[key]; f.Kind() == reflect.Bool && !f.Bool() {
			off = append(off, strings.ReplaceAll(key, "_", "-"))
		}
	}
	return off
}

// DefaultDesk is a [[desk]] with every key at its default. Its port, language
// and relay follow from other keys: Fill sets them.
func DefaultDesk() Desk {
	return Desk{
		PublicSignup:     true,
		Automatic:        AutomaticIgnore,
		Mode:             ModeLive,
		Reopen:           14 * day,
		CustomerLanguage: LanguageOfDesk,
		Relay:            defaultsFor("").Relay,
		Mailbox: Mailbox{
			Server:      Server{Security: TLS, Auth: "auto"},
			Protocol:    IMAP,
			Folder:      "INBOX",
			Poll:        Duration(time.Minute),
			Idle:        true,
			After:       AfterSeen,
			MoveTo:      "Helpdesk",
			Backlog:     BacklogSkip,
			MaxSize:     50 << 20,
			RequestType: standardType,
		},
		Notify: Notify{
			Received: true, Answered: true, Resolved: true, Reopened: true, Held: true,
			New: true, CustomerWrote: true, Assigned: true, AnsweredBy: true, Bounced: true, Reminder: true,
		},
	}
}

// elementDefault is an element of a list before its own keys are read.
func elementDefault(t reflect.Type) reflect.Value {
	switch t {
	case reflect.TypeFor[Desk]():
		return reflect.ValueOf(DefaultDesk())
	case reflect.TypeFor[Field]():
		return reflect.ValueOf(Field{Visible: true})
	}
	return reflect.Zero(t)
}
