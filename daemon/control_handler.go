package daemon

import (
	"encoding/json"
	"net/http"

	"helpdesk/ui"
)

// Paths of the control port.
const (
	OpenPath   = "/open"   // POST: a new sign-in link
	StatusPath = "/status" // GET: StatusAnswer
)

// OpenAnswer is the answer of OpenPath.
type OpenAnswer struct {
	Link string `json:"link"`
}

// StatusAnswer is the answer of StatusPath. What is wrong is explained at
// length beside the status, whose JSON does not have it.
type StatusAnswer struct {
	Status ui.Status   `json:"status"`
	Texts  []DeskTexts `json:"texts"` // one for each desk
}

// DeskTexts are PartStatus.Text of a desk's parts.
type DeskTexts struct {
	Mailbox string `json:"mailbox"`
	Relay   string `json:"relay"`
}

// Complete is the status with its texts.
func (a *StatusAnswer) Complete() ui.Status {
	for i := range min(len(a.Texts), len(a.Status.Desks)) {
		a.Status.Desks[i].Mailbox.Text, a.Status.Desks[i].Relay.Text = a.Texts[i].Mailbox, a.Texts[i].Relay
	}
	return a.Status
}

// controlHandler answers what a command asks of the running daemon. Who may
// ask is control's matter.
func (d *daemon) controlHandler(listen string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+OpenPath, func(w http.ResponseWriter, _ *http.Request) {
		d.answer(w, OpenAnswer{Link: d.page.SignInLink(d.pageURL(listen))})
	})
	mux.HandleFunc("POST "+TestedPath, d.testedElsewhere)
	mux.HandleFunc("POST "+ActPath, d.actHandler)
	mux.HandleFunc("GET "+StatusPath, func(w http.ResponseWriter, r *http.Request) {
		status, err := d.status(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer := StatusAnswer{Status: status}
		for _, one := range status.Desks {
			answer.Texts = append(answer.Texts, DeskTexts{Mailbox: one.Mailbox.Text, Relay: one.Relay.Text})
		}
		d.answer(w, answer)
	})
	d.tokenHandlers(mux)
	return mux
}

// pageURL is where people find the page.
func (d *daemon) pageURL(listen string) string {
	if d.Config.UI.BaseURL != "" {
		return d.Config.UI.BaseURL
	}
	return "http://" + listen
}

func (d *daemon) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		d.Logger.Error("answering a command", "error", err)
	}
}
