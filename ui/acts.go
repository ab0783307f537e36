package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"helpdesk/store"
)

// Takeable reports whether a mail was set aside in a way that a person may
// overrule.
func Takeable(e store.Entry) bool { return slices.Contains(takeable(), e.Outcome) }

// HeldAsUnknown reports whether a mail waits for its sender to become a customer.
func HeldAsUnknown(e store.Entry) bool {
	return e.Outcome == "held" && e.Rule == "unknown-sender" && e.From.Address != ""
}

// takeable are the outcomes that Take changes.
func takeable() []string { return []string{"held", "ignored", "blocked", "quarantined", "skipped"} }

// pageActs are the acts that the page has buttons for. Answering and all that
// removes something belong to mail and to commands.
func pageActs() []string {
	return []string{ActTake, ActAddCustomer, ActUnsuspend, ActUnblock, ActRetryOutbox, ActObserved}
}

// Act says what an act did, as one sentence.
func (w Words) Act(r ActResult) string {
	pairs := make([]string, 0, 2*len(r.Args))
	for name, value := range r.Args {
		pairs = append(pairs, name, value)
	}
	return w.Text("act."+r.Slug, pairs...)
}

type actData struct {
	frame
	Results []ActResult
	Back    string
}

// act does what a button asks for and says what came of it.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fault(w, r, http.StatusBadRequest, "error.form")
		return
	}
	f := r.PostForm
	a := Act{
		Name: f.Get("act"), Key: f.Get("key"), Desk: f.Get("desk"), Address: strings.TrimSpace(f.Get("address")),
		Title: f.Get("title"), Choice: f.Get("choice"), Quiet: f.Get("quiet") != "",
	}
	for _, text := range f["id"] {
		n, ok := id(text)
		if !ok {
			s.fault(w, r, http.StatusBadRequest, "error.form")
			return
		}
		a.IDs = append(a.IDs, n)
	}
	if !slices.Contains(pageActs(), a.Name) {
		s.fault(w, r, http.StatusBadRequest, "error.form")
		return
	}
	data := actData{frame: s.frame(r, "ledger", s.words.Text("act.title")), Back: back(f.Get("back"))}
	if a.Name == ActTake && len(a.IDs) == 0 {
		data.Results = []ActResult{{Slug: "take-none", Bad: true}}
	} else {
		answer, err := s.Act(r.Context(), a)
		if err != nil {
			s.failed(w, r, "doing "+a.Name, err)
			return
		}
		data.Results = answer.Done
	}
	s.show(w, r, http.StatusOK, "act", data)
}

// back is the page that a form was on: a path of this page, never another site.
func back(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	return u.RequestURI()
}
