package ui

import (
	"errors"
	"net/http"
	"strings"
)

type whyData struct {
	frame
	Query  string // as it was typed
	Fault  string // what is wrong with it; "": nothing
	Answer *WhyAnswer
}

// whyPage answers "a customer wrote, and nothing happened" for an address.
func (s *Server) whyPage(w http.ResponseWriter, r *http.Request) {
	data := whyData{frame: s.frame(r, "ledger", s.words.Text("why.title")), Query: strings.TrimSpace(r.URL.Query().Get("address"))}
	if data.Query != "" {
		answer, err := WhyAddress(r.Context(), s.Store, s.words, WhyQuestion{Address: data.Query, Desks: s.WhyDesks, Running: true, Now: s.Now(), Observed: s.Observed})
		switch {
		case errors.Is(err, ErrNoAddress):
			data.Fault = s.words.Text("cli.bad-address", "address", data.Query)
		case err != nil:
			s.failed(w, r, "answering why nothing happened", err)
			return
		default:
			data.Answer = &answer
		}
	}
	s.show(w, r, http.StatusOK, "why", data)
}
