package daemon

import (
	"encoding/json"
	"errors"
	"net/http"

	"helpdesk/mail"
)

// TestedPath is where `helpdesk test` says what it found. POST: Tested.
const TestedPath = "/tested"

// Tested is what a test in another process found.
type Tested struct {
	Part   string      `json:"part"`   // as ui.Target.Part
	Failed *TestFailed `json:"failed"` // nil: it works
}

// TestFailed is a mail.Error without the error below it.
type TestFailed struct {
	Protocol, Server, Step, Auth, Code, Enhanced, Text string
	Temporary                                          bool
}

// NewTested makes what is sent of a result. ok is false for a failure that
// is no server's, of which a running daemon need not know.
func NewTested(part string, err error) (t Tested, ok bool) {
	var e *mail.Error
	if err == nil {
		return Tested{Part: part}, true
	}
	if !errors.As(err, &e) {
		return Tested{}, false
	}
	return Tested{Part: part, Failed: &TestFailed{e.Protocol, e.Server, e.Step, e.Auth, e.Code, e.Enhanced, e.Text, e.Temporary}}, true
}

// testedElsewhere is told what a test in another process found. Its settings
// may be newer than ours: its failure says nothing of a part that works, and
// counts where we are not let in either.
func (d *daemon) testedElsewhere(w http.ResponseWriter, r *http.Request) {
	var t Tested
	if err := json.NewDecoder(r.Body).Decode(&t); err != nil {
		http.Error(w, "the request cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	subject := d.subject(t.Part)
	if subject == "" {
		http.Error(w, "there is no "+t.Part+" in the running configuration; restart helpdesk for the new one", http.StatusNotFound)
		return
	}
	switch f := t.Failed; {
	case f == nil:
		d.partTested(r.Context(), t.Part, nil)
	case d.health.part(subject).State != stateOK:
		d.partTested(r.Context(), t.Part, &mail.Error{
			Protocol: f.Protocol, Server: f.Server, Step: f.Step, Auth: f.Auth, Code: f.Code, Enhanced: f.Enhanced, Text: f.Text, Temporary: f.Temporary,
		})
	}
	w.WriteHeader(http.StatusNoContent)
}
