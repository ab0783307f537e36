package store

import (
	"time"

	"helpdesk/mail"
)

// States of a request.
const (
	StateOpen     = "open"     // someone of us has to do something
	StateWaiting  = "waiting"  // the customer has to
	StateResolved = "resolved" // nobody has to
)

// Kinds of a message.
const (
	KindCustomer = "customer"
	KindAgent    = "agent"
	KindNote     = "note" // seen by agents only
)

// Roles of a participant.
const (
	RoleRequester = "requester"
	RoleCC        = "cc"
)

// States of an outbox line.
const (
	OutboxWaiting   = "waiting"   // to be sent at NextAt
	OutboxSent      = "sent"      // the relay accepted it
	OutboxFailed    = "failed"    // given up; Cause and Error say why
	OutboxSuspended = "suspended" // not tried: the address is suspended, or by CauseOvertaken
	OutboxDigest    = "digest"    // a notice that comes with the agent's next digest
	OutboxDigested  = "digested"  // it came with a digest: Args["digest"] is that line's ID
)

// CauseOvertaken is the cause of a line that was taken back, because a later
// mail says what it would have said.
const CauseOvertaken = "overtaken"

// Values of Entry.RawState.
const (
	RawWhole     = "whole"
	RawTruncated = "truncated" // larger than max_size: header and beginning only
	RawNone      = "none"      // never fetched, or removed since
)

// Desk is a service desk as the store remembers it, also after it is gone from
// the configuration.
type Desk struct {
	ID      int64
	Address string // lower case; what makes it this desk
	Key     string // prefix of new requests' keys
	Name    string
}

// Mailbox is where a desk's mail arrives and how far it has been read. Another
// host, user or folder is another mailbox.
type Mailbox struct {
	ID          int64
	DeskID      int64
	Protocol    string
	Host        string // lower case
	Username    string
	Folder      string    // "" for POP3
	OpenedAt    time.Time // the first successful opening; zero before it
	UIDValidity uint32    // the one that SkipBelow and NextUID belong to; 0 before the first opening. For POP3 see UniqueIDs
	SkipBelow   uint32    // mails with a lower UID were there at the first start
	SkipDone    bool      // all of those are recorded
	NextUID     uint32    // every UID below is decided
	ImportTotal int       // backlog = "import": how many old mails there were
	ImportDone  int       // and how many of them were taken
}

// Position is one mail's place on its server.
type Position struct {
	MailboxID   int64
	UIDValidity uint32
	UID         uint32    // IMAP UID, or the number of a POP3 unique-id, see UniqueIDs
	LedgerID    int64     // 0: not decided yet, set aside until RetryAt
	Size        int64     // bytes, as the server stated them
	HeaderHash  [16]byte  // mail.Message.HeaderHash; zero when unknown
	Pending     string    // what the server is still to be told: "", "seen", "delete" or "move:FOLDER"
	RetryAt     time.Time // fetch it again then; zero: no
	Breaks      int       // how often the connection broke while it was read
}

// KnownPosition is a Position and what became of its mail.
type KnownPosition struct {
	Position
	Outcome string // "" while LedgerID is 0, or when the ledger's line has expired
}

// Entry is one line of the ledger: a mail that was seen and what became of it.
type Entry struct {
	ID          int64
	DeskID      int64
	Desk        string // the desk's key; read only
	MailboxID   int64
	Mailbox     string // the folder, or user@host where there is none; read only
	UIDValidity uint32
	UID         uint32
	MessageID   string
	From        mail.Address
	Subject     string
	SeenAt      time.Time
	Outcome     string            // slug, as "request"
	Rule        string            // slug of the rule that decided
	Reason      string            // slug of why that rule fits
	ReasonArgs  map[string]string // what the sentence for Reason names
	Passed      []string          // the rules that were passed over, in order
	RequestID   int64             // what it led to; 0: nothing
	Request     string            // that request's key; read only
	Fingerprint [16]byte          // mail.Message.Fingerprint; zero when the mail was not read
	Size        int64             // bytes, as the server stated them
	RawState    string            // RawWhole, RawTruncated or RawNone
	Problems    []string          // slugs, mail.Message.Problems
}

// EntryFilter chooses ledger lines; zero fields choose all.
type EntryFilter struct {
	DeskID  int64
	Outcome string
	Rule    string
	From    string // address, any spelling
	Before  int64  // only ids below: the next page
	Limit   int    // 0: 100
}

// Request is what a customer asked for. Its JSON is a row of `helpdesk requests`.
type Request struct {
	ID        int64        `json:"-"`
	DeskID    int64        `json:"-"`
	Key       string       `json:"key"`
	Desk      string       `json:"desk"` // the desk's key; read only
	Type      string       `json:"type"`
	Subject   string       `json:"subject"`
	State     string       `json:"state"`
	Requester mail.Address `json:"requester"`
	Assignee  string       `json:"assignee"` // the agent's address, "" for nobody
	Created   time.Time    `json:"created"`
	Updated   time.Time    `json:"updated"`
	Messages  int          `json:"messages"` // how many there are; read only
	LinkedTo  int64        `json:"-"`        // another request's ID; 0: none

	Fields        map[string]string `json:"-"` // of the request type, without summary, description and attachment
	Language      string            `json:"-"` // of the customer's mail, "en" or "ja"; "": the desk's
	AwaitingSince time.Time         `json:"-"` // the customer waits for an answer since then; zero: does not
	RemindedAt    time.Time         `json:"-"` // agents were reminded; zero: not since AwaitingSince
	ResolvedAt    time.Time         `json:"-"` // zero: it is not resolved
	ClosedAt      time.Time         `json:"-"` // too late to reopen it since then; zero: not
	MergedInto    int64             `json:"-"` // another request's ID; 0: none
	Spam          bool              `json:"-"`
}

// RequestFilter chooses requests; zero fields choose all.
type RequestFilter struct {
	DeskID int64
	State  string
	Query  string // words to search for, as in View.Search

	Assignee      string    // address, any spelling; "-": nobody
	Requester     string    // address, any spelling
	UpdatedBefore time.Time // not changed since
	Before        int64     // only ids below: the next page
	Limit         int       // 0: 100
}

// Message is one contribution to a request's conversation. Its JSON is part of
// `helpdesk show`.
type Message struct {
	ID          int64             `json:"-"`
	RequestID   int64             `json:"-"`
	LedgerID    int64             `json:"ledger"` // the mail that brought it; 0: none did
	Kind        string            `json:"kind"`
	From        mail.Address      `json:"from"`
	At          time.Time         `json:"at"`
	Text        string            `json:"text"`
	Reply       string            `json:"reply"`
	Attachments []mail.Attachment `json:"attachments"`
	MessageID   string            `json:"-"` // of the mail, without <>
	Verified    bool              `json:"-"` // its sender is proven
	Reason      string            `json:"-"` // slug: why it is a note, why it is not verified
}

// MessageRequest says in which request a Message-ID was seen.
type MessageRequest struct {
	MessageID string
	RequestID int64
}

// Participant is someone who gets a request's mail.
type Participant struct {
	mail.Address
	Role string `json:"role"` // RoleRequester or RoleCC
}

// OutboxLine is one mail to one recipient. Slugs and arguments only: the words
// are made when it is sent.
type OutboxLine struct {
	ID         int64
	DeskID     int64
	RequestID  int64
	Request    string // the request's key; read only
	Event      string // slug, as "received"
	MessageRow int64  // Message.ID that it carries; 0: none
	To         mail.Address
	MessageID  string // without <>, fixed from the start
	InReplyTo  string
	References []string
	Args       map[string]string
	Automatic  bool // no person wrote it: counts for the caps
	State      string
	Attempts   int
	NextAt     time.Time // not before; meaningful while OutboxWaiting
	CreatedAt  time.Time
	FirstAt    time.Time // first attempt; zero: none yet
	SentAt     time.Time // accepted by the relay; zero: not yet
	Cause      string    // slug of the diagnosis, "" while nothing is wrong
	Error      string    // the server's words
	CausedBy   string    // address of the sender whose mail caused this notice to an agent; "": nobody
}

// Customer is someone who may ask.
type Customer struct {
	mail.Address
	First, Last time.Time // first and newest mail; zero: none yet
	Named       bool      // somebody set the name: mails do not change it
	Person      string    // the address that this one was merged into; "": none
	Desks       []string  // keys of the desks where they are known; "*": every desk
	Suspended   string    // status of the bounce, as "5.1.1", while nothing is sent to them; "": it is
}

// CustomerFilter chooses customers; zero fields choose all.
type CustomerFilter struct {
	DeskID int64  // known there
	Query  string // part of a name or address
	After  string // only addresses behind this one: the next page
	Limit  int    // 0: 100
}

// Reconciliation is a comparison of a mailbox with the ledger.
type Reconciliation struct {
	MailboxID   int64
	At          time.Time
	Listed      int // mails that the server listed
	Missing     int // of which the ledger knew nothing
	Unaccounted int // of these, how many could not be taken
}

// Move is a mail that the server confirmed to have moved.
type Move struct {
	LedgerID    int64
	MailboxID   int64
	UIDValidity uint32 // of the folder that it was taken from
	Folder      string // where it was moved to
	At          time.Time
}

// Suspension is an address to which nothing is sent, because a mail came back for good.
type Suspension struct {
	Address  string
	LedgerID int64  // the bounce; 0: a relay said so at once
	Status   string // as "5.1.1"
	At       time.Time
}

// Forgotten is what ForgetPerson removed.
type Forgotten struct {
	Addresses, Requests, Messages, Mails int
}

// OutboxFilter chooses outbox lines; zero fields choose all.
type OutboxFilter struct {
	State  string
	To     string // address, any spelling
	Before int64  // only ids below: the next page
	Limit  int    // 0: 100
}

// OutboxCounts are the figures that `helpdesk status` shows.
type OutboxCounts struct {
	Waiting   int64 `json:"waiting"`
	Failed    int64 `json:"failed"`
	SentToday int64 `json:"sent_today"`
}

// Count is how many mails of a desk had an outcome, in all and today. Lines
// that expired are still counted.
type Count struct {
	DeskID  int64
	Outcome string
	Total   int64
	Today   int64
}

// Health is the last known state of a mailbox, a relay or another part.
type Health struct {
	Subject   string    // "mailbox:<desk id>", "relay", …
	State     string    // "ok", "waiting", "failing", "stopped", "off" or "observing"
	Since     time.Time // it is in this state since
	LastPoll  time.Time
	NextPoll  time.Time
	Step      string // the fields of mail.Error
	Protocol  string
	Server    string
	Code      string
	Enhanced  string
	Text      string
	Temporary bool
	Err       string // the text of mail.Error.Err, for the log and support
	Auth      string
}
