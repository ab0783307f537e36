package ui

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"

	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

// statusLines is how many ledger lines the first page shows.
const statusLines = 10

// outcomes in the order in which they matter to a reader.
func outcomes() []string {
	return []string{"request", "reply", "note", "held", "quarantined", "bounce", "ignored", "blocked", "duplicate", "own", "probe", "skipped"}
}

type statusData struct {
	frame
	Status   Status
	Mood     string // ok, waiting, failing or off: the colour of the headline
	Headline string
	Relays   []relay // those that several desks share
	Outcomes []outcome
	Total    outcome
	Failed   []failedMail // newest first; only after signing in

	Suspended []store.Suspension // newest first; only after signing in
	Newest    []line
}

// OwnRelay reports whether no other desk shares this desk's relay; it is then
// shown with the desk.
func (d statusData) OwnRelay(desk DeskStatus) bool {
	i := slices.IndexFunc(d.Relays, func(r relay) bool { return sameRelay(r.Part, desk.Relay) })
	return i >= 0 && len(d.Relays[i].Desks) == 1
}

// Testable reports whether a part fails and this reader may test it.
func (d statusData) Testable(p PartStatus) bool {
	return d.SignedIn && d.HasTests && (p.State == "failing" || p.State == "stopped" || p.State == "waiting" && p.Title != "")
}

// relay is one way to send and the names of the desks that use it.
type relay struct {
	Part  PartStatus
	Desks []string
}

type outcome struct {
	Slug         string
	Total, Today int64
}

func (s *Server) statusPage(w http.ResponseWriter, r *http.Request) {
	data := statusData{frame: s.frame(r, "status", s.words.Text("status.title"))}
	status, err := s.status(r)
	if err == nil {
		data.Status = status
		err = s.addCounts(r.Context(), &data)
	}
	if err == nil {
		data.Newest, err = s.lines(r, store.EntryFilter{Limit: statusLines})
	}
	if err == nil && data.SignedIn && status.Outbox.Failed > 0 {
		data.Failed, err = s.failedMails(r.Context())
	}
	if err == nil && data.SignedIn {
		data.Suspended, err = s.Store.Suspensions(r.Context())
	}
	if err != nil {
		s.failed(w, r, "reading the status", err)
		return
	}
	data.Version = status.Version
	data.Relays = sharedRelays(status.Desks)
	data.Mood, data.Headline = s.headline(status)
	if data.Refresh = 60; data.Headline == s.words.Text("status.starting") || len(data.Newest) == 0 {
		data.Refresh = 5 // someone is watching it start
	}
	s.show(w, r, http.StatusOK, "status", data)
}

// status is the program's status as this reader may see it: servers quote
// addresses in their answers, which are hidden before signing in.
func (s *Server) status(r *http.Request) (Status, error) {
	status, err := s.Status(r.Context())
	if err != nil || s.signedIn(r) {
		return status, err
	}
	status.Desks = slices.Clone(status.Desks)
	for i := range status.Desks {
		d := &status.Desks[i]
		d.Mailbox.ServerText, d.Relay.ServerText = withoutAddresses(d.Mailbox.ServerText), withoutAddresses(d.Relay.ServerText)
		if d.Canary != nil {
			canary := *d.Canary
			canary.ServerText = withoutAddresses(canary.ServerText)
			d.Canary = &canary
		}
	}
	status.Warnings = slices.Clone(status.Warnings)
	for i, warning := range status.Warnings {
		status.Warnings[i] = withoutAddresses(warning)
	}
	return status, nil
}

var address = regexp.MustCompile(`[^\s<>"'(),:;=\[\]]+@[^\s<>"'(),:;\[\]]+`)

func withoutAddresses(s string) string { return address.ReplaceAllLiteralString(s, "…@…") }

func (s *Server) addCounts(ctx context.Context, data *statusData) error {
	counts, err := s.Store.Counts(ctx)
	if err != nil {
		return err
	}
	sums := map[string]outcome{}
	for _, c := range counts {
		o := sums[c.Outcome]
		o.Total, o.Today = o.Total+c.Total, o.Today+c.Today
		sums[c.Outcome] = o
		data.Total.Total, data.Total.Today = data.Total.Total+c.Total, data.Total.Today+c.Today
	}
	for _, slug := range outcomes() {
		if o := sums[slug]; o.Total > 0 {
			o.Slug = slug
			data.Outcomes = append(data.Outcomes, o)
		}
	}
	return nil
}

// sharedRelays groups the desks whose relay is in the same state since the
// same moment: that is one relay, explained once.
func sharedRelays(desks []DeskStatus) []relay {
	var all []relay
	for _, d := range desks {
		i := slices.IndexFunc(all, func(r relay) bool { return sameRelay(r.Part, d.Relay) })
		if i < 0 {
			all = append(all, relay{Part: d.Relay})
			i = len(all) - 1
		}
		all[i].Desks = append(all[i].Desks, d.Name)
	}
	return all
}

func sameRelay(a, b PartStatus) bool {
	return a.State == b.State && a.Since.Equal(b.Since) && a.Cause == b.Cause && a.ServerText == b.ServerText
}

// headline sums up: how many connections need a person or have failed.
func (s *Server) headline(status Status) (mood, words string) {
	desks := status.Desks
	if len(desks) == 0 {
		return "off", s.words.Text("status.no-desks")
	}
	var parts []PartStatus
	for _, d := range desks {
		parts = append(parts, d.Mailbox)
		if d.Canary != nil && d.Canary.State != "waiting" { // that it was not made yet is no news
			parts = append(parts, *d.Canary)
		}
	}
	for _, r := range sharedRelays(desks) {
		parts = append(parts, r.Part)
	}
	var bad int64
	waiting := false
	for _, p := range parts {
		switch p.State {
		case "failing", "stopped":
			bad++
		case "waiting":
			waiting = true
		}
	}
	switch {
	case bad > 0:
		return "failing", s.words.Count("status.attention", bad)
	case waiting:
		return "waiting", s.words.Text("status.starting")
	case len(status.Warnings) > 0:
		return "waiting", s.words.Text("status.warned")
	}
	return "ok", s.words.Text("status.all-ok")
}

// failedMail is a mail that was given up, and why.
type failedMail struct {
	store.OutboxLine
	Why    string
	Remedy []string
}

func (s *Server) failedMails(ctx context.Context) ([]failedMail, error) {
	lines, err := s.Store.Outbox(ctx, store.OutboxFilter{State: store.OutboxFailed, Limit: 5})
	if err != nil {
		return nil, err
	}
	failed := make([]failedMail, len(lines))
	for i, l := range lines {
		failed[i].OutboxLine = l
		if why, ok := s.words.find("cause." + l.Cause); ok {
			failed[i].Why = why
			continue
		}
		w := diagnose.Diagnosis{Cause: l.Cause}.In(s.words.lang)
		failed[i].Why, failed[i].Remedy = w.Title, w.Remedy
	}
	return failed, nil
}

// apiStatus is GET /api/v1/status.
func (s *Server) apiStatus(w http.ResponseWriter, r *http.Request) {
	status, err := s.status(r)
	if err != nil {
		s.failed(w, r, "reading the status", err)
		return
	}
	body, err := json.MarshalIndent(status, "", "  ")
	if err != nil {
		s.failed(w, r, "writing the status", err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	s.write(w, append(body, '\n'))
}

// healthz is for monitors: 200 when the loops run and the store answers.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	code, word := http.StatusOK, "ok\n"
	if s.Healthy != nil && !s.Healthy() {
		code, word = http.StatusServiceUnavailable, "a part of the program is down\n"
	} else if _, err := s.Store.OutboxCounts(r.Context()); err != nil {
		s.Logger.Error("asking the store for a sign of life", "error", err)
		code, word = http.StatusServiceUnavailable, "the store does not answer\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	s.write(w, []byte(word))
}
