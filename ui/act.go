package ui

// Act is something that a person does on the page or by a command beside
// sending mail. Which fields it needs is said at its name.
type Act struct {
	Name string `json:"name"`

	IDs     []int64    `json:"ids,omitempty"`  // lines of the ledger or the outbox
	Key     string     `json:"key,omitempty"`  // of a request
	Desk    string     `json:"desk,omitempty"` // key of a desk; "": all of them, or the only one
	Address string     `json:"address,omitempty"`
	Into    string     `json:"into,omitempty"`  // the address that Address is merged into
	Title   string     `json:"title,omitempty"` // a person's name
	Agent   string     `json:"agent,omitempty"` // who acts: name or address of an agent; "": the assignee, or the only agent
	Text    string     `json:"text,omitempty"`
	Quiet   bool       `json:"quiet,omitempty"`  // nobody is told
	Choice  string     `json:"choice,omitempty"` // leave, take or import
	People  []Customer `json:"people,omitempty"`
}

// Customer is a row of a list of customers to import.
type Customer struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

// Names of acts, with the fields of Act that each needs.
const (
	ActTake            = "take"            // IDs of the ledger, Quiet: take mails that were set aside
	ActReply           = "reply"           // Key, Text, Agent: answer the customer
	ActNote            = "note"            // Key, Text, Agent: a note for agents
	ActResolve         = "resolve"         // Key, Agent; Text is sent as the answer when there is any
	ActReopen          = "reopen"          // Key, Agent
	ActAddCustomer     = "customer-add"    // Address, Title, Desk; held mail is taken
	ActRemoveCustomer  = "customer-remove" // Address, Desk
	ActImportCustomers = "customer-import" // People, Desk; held mail is taken
	ActNameCustomer    = "customer-name"   // Address, Title
	ActMergeCustomer   = "customer-merge"  // Address, Into
	ActForgetCustomer  = "customer-forget" // Address
	ActUnsuspend       = "unsuspend"       // Address: mail is sent there again
	ActUnblock         = "unblock"         // Address, Desk: no longer spam
	ActRetryOutbox     = "outbox-retry"    // IDs of the outbox
	ActDropOutbox      = "outbox-drop"     // IDs of the outbox
	ActObserved        = "observed"        // Desk, Choice: what becomes of the mail that was observed
)

// ActAnswer is what an act did: one slug for each thing, its words are
// "act.<slug>" in words.toml.
type ActAnswer struct {
	Done []ActResult `json:"done"`
}

// ActResult is one thing that an act did or could not do.
type ActResult struct {
	Slug string            `json:"slug"`
	Args map[string]string `json:"args,omitempty"`
	Bad  bool              `json:"bad,omitempty"` // it could not be done
}
