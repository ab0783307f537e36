package ui

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"helpdesk/store"
)

const ledgerPageSize = 50

// line is one mail in a list. Before signing in it has neither ID nor people.
type line struct {
	store.Entry
	Private bool // everything may be shown
	Why     string
}

// lines reads ledger lines, newest first, as this reader may see them.
func (s *Server) lines(r *http.Request, f store.EntryFilter) ([]line, error) {
	entries, err := s.Store.Entries(r.Context(), f)
	if err != nil {
		return nil, err
	}
	private := s.signedIn(r)
	lines := make([]line, len(entries))
	for i, e := range entries {
		if !private {
			e = store.Entry{SeenAt: e.SeenAt, Outcome: e.Outcome, Rule: e.Rule}
		}
		lines[i] = line{Entry: e, Private: private, Why: s.words.Rule(e.Rule)}
	}
	return lines, nil
}

type ledgerData struct {
	frame
	Outcome  string   // the one chosen
	Outcomes []string // to choose from
	Lines    []line
	Query    string // of the field that asks why, always ""
	pager
}

// Choosable reports whether lines can be chosen here to be taken.
func (d ledgerData) Choosable() bool {
	return d.HasActs && slices.Contains(takeable(), d.Outcome) && len(d.Lines) > 0
}

// pager leads to other pages of a list; an address is "" where there is none.
type pager struct{ Newest, Older string }

// turn makes the pager of a list at path with the choices q. before is where
// this page began (0: at the top), last the ID that the next one begins below
// (0: there is no next one).
func turn(path string, q url.Values, before, last int64) pager {
	for key := range q {
		if q.Get(key) == "" {
			q.Del(key)
		}
	}
	var p pager
	if before != 0 {
		p.Newest = path + "?" + q.Encode()
	}
	if last != 0 {
		q.Set("before", strconv.FormatInt(last, 10))
		p.Older = path + "?" + q.Encode()
	}
	return p
}

func (s *Server) ledgerPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	data := ledgerData{frame: s.frame(r, "ledger", s.words.Text("ledger.title")), Outcomes: outcomes()}
	if o := q.Get("outcome"); slices.Contains(data.Outcomes, o) {
		data.Outcome = o
	}
	before, _ := id(q.Get("before"))
	lines, err := s.lines(r, store.EntryFilter{Outcome: data.Outcome, Before: before, Limit: ledgerPageSize + 1})
	if err != nil {
		s.failed(w, r, "reading the ledger", err)
		return
	}
	var last int64
	if len(lines) > ledgerPageSize {
		lines = lines[:ledgerPageSize]
		last = lines[ledgerPageSize-1].ID
	}
	data.Lines = lines
	data.pager = turn("/ledger", url.Values{"outcome": {data.Outcome}}, before, last)
	s.show(w, r, http.StatusOK, "ledger", data)
}

// id reads a row's number; ok is false for what is none.
func id(s string) (n int64, ok bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0
}

type entryData struct {
	frame
	Entry    store.Entry
	Reason   []string
	Problems []string
	HasRaw   bool
	Take     bool // a person may have it taken
	Unknown  bool // it is held because its sender is no customer
	Spam     bool // it was blocked because an agent called the sender's mail spam
}

func (s *Server) entryPage(w http.ResponseWriter, r *http.Request) {
	e, ok := s.entry(w, r)
	if !ok {
		return
	}
	data := entryData{
		frame: s.frame(r, "ledger", s.words.Text("entry.title", "id", strconv.FormatInt(e.ID, 10))), Entry: e,
		Reason: s.words.Reason(e), HasRaw: e.RawState != store.RawNone, Take: s.Act != nil && Takeable(e),
	}
	data.Unknown = data.Take && HeldAsUnknown(e)
	data.Spam = data.Take && e.Outcome == "blocked" && e.ReasonArgs["spam"] != ""
	for _, slug := range e.Problems {
		data.Problems = append(data.Problems, s.words.Problem(slug))
	}
	s.show(w, r, http.StatusOK, "entry", data)
}

// entry reads the ledger line that the path names, or answers that it cannot.
func (s *Server) entry(w http.ResponseWriter, r *http.Request) (store.Entry, bool) {
	n, ok := id(r.PathValue("id"))
	if !ok {
		s.fault(w, r, http.StatusNotFound, "error.not-found")
		return store.Entry{}, false
	}
	e, err := s.Store.Entry(r.Context(), n)
	if s.missing(w, r, "reading a ledger line", err) {
		return store.Entry{}, false
	}
	return e, true
}

// missing answers a request whose row could not be read, and reports whether
// that was so.
func (s *Server) missing(w http.ResponseWriter, r *http.Request, doing string, err error) bool {
	if errors.Is(err, store.ErrNotFound) {
		s.fault(w, r, http.StatusNotFound, "error.not-found")
	} else if err != nil {
		s.failed(w, r, doing, err)
	}
	return err != nil
}
