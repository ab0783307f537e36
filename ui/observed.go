package ui

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"helpdesk/store"
)

// observedLines is how many mails the page of an observing desk shows.
const observedLines = 200

// observed is a mail that was looked at, and what would have become of it.
type observed struct {
	line
	Reason []string
	Mails  []store.OutboxLine // that would have been sent because of it
}

type observedData struct {
	frame
	Desk  string
	Lines []observed
}

// observedPage shows what an observing desk would have done.
func (s *Server) observedPage(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("desk")
	shadow := s.Observed(key)
	if shadow == nil {
		s.fault(w, r, http.StatusNotFound, "observed.none")
		return
	}
	data := observedData{frame: s.frame(r, "status", s.words.Text("observed.title", "desk", key)), Desk: key}
	var err error
	if data.Lines, err = s.readObserved(r, shadow); err != nil {
		s.failed(w, r, "reading what was observed", err)
		return
	}
	s.show(w, r, http.StatusOK, "observed", data)
}

func (s *Server) readObserved(r *http.Request, shadow *store.Store) ([]observed, error) {
	ctx := r.Context()
	entries, err := shadow.Entries(ctx, store.EntryFilter{Limit: observedLines})
	if err != nil {
		return nil, err
	}
	lines := make([]observed, 0, len(entries))
	at := map[int64]int{} // which line a ledger line is
	for _, e := range entries {
		at[e.ID] = len(lines)
		lines = append(lines, observed{line: line{Entry: e, Private: true, Why: s.words.Rule(e.Rule)}, Reason: s.words.Reason(e)})
	}
	mails, err := shadow.Outbox(ctx, store.OutboxFilter{Limit: 10 * observedLines})
	if err != nil {
		return nil, err
	}
	slices.Reverse(mails) // oldest first, as they would have been sent
	for _, m := range mails {
		if m.MessageRow == 0 {
			if i, ok := at[entryOf(m)]; ok {
				lines[i].Mails = append(lines[i].Mails, m)
			}
			continue
		}
		message, err := shadow.Message(ctx, m.MessageRow)
		if err != nil {
			return nil, err
		}
		if i, ok := at[message.LedgerID]; ok {
			lines[i].Mails = append(lines[i].Mails, m)
		}
	}
	return lines, nil
}

// entryOf is the ledger line that a mail without a message is about, as the
// answer to an unknown sender; 0 where there is none.
func entryOf(m store.OutboxLine) int64 {
	n, err := strconv.ParseInt(m.Args["entry"], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// observed are the person's mails that desks only look at, newest first.
func (w *why) observed(ctx context.Context) ([]WhyLine, error) {
	var lines []WhyLine
	for _, d := range w.Desks {
		if w.Observed == nil || w.Observed(d.Key) == nil {
			continue
		}
		var entries []store.Entry
		for _, key := range w.keys {
			some, err := w.Observed(d.Key).Entries(ctx, store.EntryFilter{From: key, Limit: whyMails})
			if err != nil {
				return nil, fmt.Errorf("reading what %s observed: %w", d.Key, err)
			}
			entries = append(entries, some...)
		}
		slices.SortFunc(entries, func(a, b store.Entry) int { return int(max(-1, min(1, b.ID-a.ID))) })
		for _, e := range entries[:min(len(entries), whyMails)] {
			lines = append(lines, WhyLine{
				Text: w.words.Text("why.observed", "desk", d.Name, "time", w.words.When(e.SeenAt, w.Now), "outcome", w.words.Outcome(e.Outcome), "subject", w.subject(e)),
				More: w.words.Reason(e),
			})
		}
	}
	return lines, nil
}
