package ui

import (
	"encoding/json"
	"slices"
	"time"

	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

// Status is what the first page shows, and what GET /api/v1/status and
// `helpdesk status --json` print. Keys are never renamed.
type Status struct {
	Version  string             `json:"version"`
	OK       bool               `json:"ok"` // every mailbox and relay that is on works
	Since    time.Time          `json:"since"`
	Desks    []DeskStatus       `json:"desks"`
	Outbox   store.OutboxCounts `json:"outbox"`
	Ledger   LedgerStatus       `json:"ledger"`
	Warnings []string           `json:"warnings"` // sentences in the reader's language
}

// DeskStatus is one desk of the configuration.
type DeskStatus struct {
	Key     string     `json:"key"`
	Name    string     `json:"name"`
	Mailbox PartStatus `json:"mailbox"`
	Relay   PartStatus `json:"relay"`

	// Canary is the scheduled round trip, nil where there is none.
	Canary *PartStatus `json:"canary,omitempty"`
	// Import is how far old mail was taken (backlog = "import"), nil when none is.
	Import *Progress `json:"import,omitempty"`
	// Observed is the mail that was seen in observe mode, nil when there is none.
	Observed *Observed `json:"observed,omitempty"`
}

// Progress is how far a long work is.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// Observed is mail that was looked at and not taken.
type Observed struct {
	Mails int       `json:"mails"`
	Since time.Time `json:"since"`
	Asked bool      `json:"asked"` // the desk is live now, and somebody has to say what becomes of them
}

// PartStatus is the state of a mailbox or a relay. A time that is not known is
// zero, and null in JSON.
type PartStatus struct {
	State      string    `json:"state"` // ok, waiting, failing, stopped, off or observing
	Since      time.Time `json:"since"`
	LastPoll   time.Time `json:"last_poll"`
	NextPoll   time.Time `json:"next_poll"`
	Cause      string    `json:"cause"` // slug of the diagnosis, "" while nothing is wrong
	Title      string    `json:"title"`
	Text       string    `json:"-"`
	Remedy     []string  `json:"remedy"`
	ServerText string    `json:"server_text"`
	Links      []string  `json:"-"` // the provider's own pages about it
}

// LedgerStatus counts mails.
type LedgerStatus struct {
	Total        int64     `json:"total"`
	Today        int64     `json:"today"`
	Skipped      int64     `json:"skipped"`
	Quarantined  int64     `json:"quarantined"`
	Held         int64     `json:"held"`
	Unaccounted  int64     `json:"unaccounted"`
	ReconciledAt time.Time `json:"reconciled_at"` // zero: not yet
}

// Part puts a state of the store into words. provider is the preset in use, or "".
func Part(h store.Health, provider, lang string) PartStatus {
	p := PartStatus{State: h.State, Since: h.Since, LastPoll: h.LastPoll, NextPoll: h.NextPoll, Remedy: []string{}}
	if h.Step == "" && h.Text == "" && h.Err == "" {
		return p
	}
	d := diagnose.ExplainStored(diagnose.Stored{
		Protocol: h.Protocol, Server: h.Server, Step: h.Step, Auth: h.Auth, Code: h.Code, Enhanced: h.Enhanced,
		Text: h.Text, Temporary: h.Temporary, Err: h.Err,
	}, provider)
	w := d.In(lang)
	p.Cause, p.Title, p.Text, p.Remedy, p.ServerText = d.Cause, w.Title, w.Text, w.Remedy, d.ServerText
	p.Links = d.Links
	if d.Concerns == diagnose.ConcernsConfiguration {
		p.Remedy = append(slices.Clone(p.Remedy), WordsIn(lang).Text("remedy.restart"))
	}
	return p
}

// MarshalJSON writes unknown times as null and an absent remedy as [].
func (p PartStatus) MarshalJSON() ([]byte, error) {
	type plain PartStatus
	if p.Remedy == nil {
		p.Remedy = []string{}
	}
	return json.Marshal(struct {
		plain
		Since    *time.Time `json:"since"`
		LastPoll *time.Time `json:"last_poll"`
		NextPoll *time.Time `json:"next_poll"`
	}{plain(p), known(p.Since), known(p.LastPoll), known(p.NextPoll)})
}

// MarshalJSON writes an unknown time as null.
func (l LedgerStatus) MarshalJSON() ([]byte, error) {
	type plain LedgerStatus
	return json.Marshal(struct {
		plain
		ReconciledAt *time.Time `json:"reconciled_at"`
	}{plain(l), known(l.ReconciledAt)})
}

// MarshalJSON writes absent lists as [].
func (s Status) MarshalJSON() ([]byte, error) {
	type plain Status
	if s.Desks == nil {
		s.Desks = []DeskStatus{}
	}
	if s.Warnings == nil {
		s.Warnings = []string{}
	}
	s.Since = s.Since.UTC()
	return json.Marshal(plain(s))
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
