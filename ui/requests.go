package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"helpdesk/store"
)

const requestsPageSize = 50

type requestsData struct {
	frame
	State    string   // the one chosen
	States   []string // to choose from
	Query    string
	Requests []store.Request
	pager
}

// Link is the address of the list of one state, with the search kept.
func (d requestsData) Link(state string) string {
	return turn("/requests", url.Values{"state": {state}, "q": {d.Query}}, 1, 0).Newest
}

func (s *Server) requestsPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	data := requestsData{
		frame: s.frame(r, "requests", s.words.Text("requests.title")), Query: strings.TrimSpace(q.Get("q")),
		States: []string{store.StateOpen, store.StateWaiting, store.StateResolved},
	}
	if state := q.Get("state"); slices.Contains(data.States, state) {
		data.State = state
	}
	if data.Query != "" {
		// A key typed in full leads straight to its request.
		if found, err := s.Store.RequestByKey(r.Context(), data.Query); err == nil {
			http.Redirect(w, r, "/requests/"+url.PathEscape(found.Key), http.StatusSeeOther)
			return
		}
	}
	before, _ := id(q.Get("before"))
	list, err := s.Store.Requests(r.Context(), store.RequestFilter{
		State: data.State, Query: data.Query, Before: before, Limit: requestsPageSize + 1,
	})
	if err != nil {
		s.failed(w, r, "reading requests", err)
		return
	}
	var last int64
	if len(list) > requestsPageSize {
		list = list[:requestsPageSize]
		last = list[requestsPageSize-1].ID
	}
	data.Requests = list
	data.pager = turn("/requests", url.Values{"state": {data.State}, "q": {data.Query}}, before, last)
	s.show(w, r, http.StatusOK, "requests", data)
}
