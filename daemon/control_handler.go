package daemon

import (
	"encoding/json"
	"net/http"
)

// Paths of the control port.
const (
	OpenPath   = "/open"   // POST: a new sign-in link
	StatusPath = "/status" // GET: ui.Status
)

// OpenAnswer is the answer of OpenPath.
type OpenAnswer struct {
	Link string `json:"link"`
}

// controlHandler answers what a command asks of the running daemon. Who may
// ask is control's matter.
func (d *daemon) controlHandler(listen string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+OpenPath, func(w http.ResponseWriter, _ *http.Request) {
		d.answer(w, OpenAnswer{Link: d.page.SignInLink(d.pageURL(listen))})
	})
	mux.HandleFunc("GET "+StatusPath, func(w http.ResponseWriter, r *http.Request) {
		status, err := d.status(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		d.answer(w, status)
	})
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
