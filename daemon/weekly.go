package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/store"
	"helpdesk/ui"
)

// The week in figures goes on Monday mornings, also when nothing happened: that
// it comes is the sign that helpdesk lives.
const weeklyHour = 8

// week is what a weekly mail says, as it stands in the outbox.
type week struct {
	From      time.Time  `json:"from"`
	Until     time.Time  `json:"until"`
	Desks     []deskWeek `json:"desks"`
	Downtimes []downtime `json:"downtimes,omitempty"`
}

type deskWeek struct {
	Name        string        `json:"name"`
	Mails       int64         `json:"mails"`
	New         int64         `json:"new"`
	Answers     int           `json:"answers"`
	Resolved    int           `json:"resolved"`
	Open        int           `json:"open"`
	Waiting     int           `json:"waiting"`
	Held        int64         `json:"held"`
	Quarantined int64         `json:"quarantined"`
	Failed      int           `json:"failed"`
	Unaccounted int64         `json:"unaccounted"`
	Oldest      string        `json:"oldest,omitempty"` // key of the request that waits longest for us
	Since       time.Time     `json:"since,omitzero"`   // since then
	FirstAnswer time.Duration `json:"first_answer"`     // the median; 0: nothing was answered
}

// downtime is a time in which a part did not work.
type downtime struct {
	Subject string    `json:"subject"` // of the health table
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"` // zero: it still does not
}

// lastMonday is the latest moment up to now at which a summary is due.
func lastMonday(now time.Time) time.Time {
	back := (int(now.Weekday()) + 6) % 7 // days since Monday
	y, m, d := now.Date()
	at := time.Date(y, m, d-back, weeklyHour, 0, 0, 0, now.Location())
	if at.After(now) {
		at = time.Date(y, m, d-back-7, weeklyHour, 0, 0, 0, now.Location())
	}
	return at
}

// weekly sends the week in figures when it is due. Where helpdesk did not run,
// or no relay worked, it comes later and is about all that time.
func (h *housekeeping) weekly(ctx context.Context) error {
	now := h.now()
	due := lastMonday(now.In(h.zone))
	if !ahead(h.record.Weekly, now) {
		h.wrong = time.Time{}
	} else if h.wrong.IsZero() {
		h.wrong = now
	}
	// Figures begin with the first start, and anew where the last ones were of a
	// time that is not there yet: unless it is now that the clock is wrong, as
	// that of a small computer that was just switched on.
	first := h.record.Weekly.IsZero() || !h.wrong.IsZero() && now.Sub(h.wrong) >= 24*time.Hour
	if !first && !h.record.Weekly.Before(due) {
		return nil
	}
	told := !first && h.admin.Address != "" && h.notify.Weekly
	if told && h.alarms.relayFor(nil) == nil {
		return nil
	}
	counts, err := h.store.Counts(ctx)
	if err != nil {
		return fmt.Errorf("counting the ledger: %w", err)
	}
	newest, err := h.store.Outbox(ctx, store.OutboxFilter{Limit: 1})
	if err != nil {
		return fmt.Errorf("reading the outbox: %w", err)
	}
	record := h.record
	record.Weekly, record.Totals = now, totals(counts)
	if len(newest) > 0 {
		record.Outbox = newest[0].ID
	}
	record.Downtimes = slices.DeleteFunc(slices.Clone(h.record.Downtimes), func(o downtime) bool { return !o.Until.IsZero() })
	if !told {
		return h.keep(ctx, record, nil)
	}
	w := week{From: h.record.Weekly, Until: now, Downtimes: h.record.Downtimes}
	for _, r := range h.desks {
		one, err := h.deskWeek(ctx, r, counts)
		if err != nil {
			return err
		}
		w.Desks = append(w.Desks, one)
	}
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("writing the week in figures: %w", err)
	}
	return h.tell(ctx, desk.EventWeekly, map[string]string{"week": string(text)}, record)
}

// totals are the counts by desk and outcome.
func totals(counts []store.Count) map[string]int64 {
	all := make(map[string]int64)
	for _, c := range counts {
		all[totalKey(c.DeskID, c.Outcome)] = c.Total
	}
	return all
}

func totalKey(deskID int64, outcome string) string {
	return strconv.FormatInt(deskID, 10) + " " + outcome
}

// deskWeek counts what happened at a desk since the last summary.
func (h *housekeeping) deskWeek(ctx context.Context, r *runningDesk, counts []store.Count) (deskWeek, error) {
	w := deskWeek{Name: r.settings.Name}
	id := r.settings.ID
	for _, c := range counts {
		if c.DeskID != id {
			continue
		}
		// What was held and taken since is another outcome now: never less than nothing.
		came := max(0, c.Total-h.record.Totals[totalKey(id, c.Outcome)])
		switch c.Outcome {
		case desk.Skipped, desk.Probe:
			continue
		case desk.Request:
			w.New = came
		case desk.Held:
			w.Held = c.Total
		case desk.Quarantined:
			w.Quarantined = c.Total
		}
		w.Mails += came
	}
	var err error
	if w.Resolved, err = h.store.ResolvedSince(ctx, id, h.record.Weekly); err != nil {
		return w, fmt.Errorf("counting resolved requests: %w", err)
	}
	if err := h.unanswered(ctx, id, &w); err != nil {
		return w, err
	}
	if err := h.answers(ctx, id, &w); err != nil {
		return w, err
	}
	reconciled, err := reconciliation(ctx, h.store, id)
	if err != nil {
		return w, err
	}
	w.Unaccounted = int64(reconciled.Unaccounted)
	return w, nil
}

// pageSize is how many rows of a list are read at a time.
const pageSize = 500

// unanswered counts what is open, and finds who waits longest.
func (h *housekeeping) unanswered(ctx context.Context, deskID int64, w *deskWeek) error {
	for _, state := range []string{store.StateOpen, store.StateWaiting} {
		for before := int64(0); ; {
			list, err := h.store.Requests(ctx, store.RequestFilter{DeskID: deskID, State: state, Before: before, Limit: pageSize})
			if err != nil {
				return fmt.Errorf("reading requests: %w", err)
			}
			for _, r := range list {
				before = r.ID
				if state == store.StateWaiting {
					w.Waiting++
					continue
				}
				w.Open++
				if since := r.AwaitingSince; !since.IsZero() && (w.Since.IsZero() || since.Before(w.Since)) {
					w.Oldest, w.Since = r.Key, since
				}
			}
			if len(list) < pageSize {
				break
			}
		}
	}
	return nil
}

// answers counts agents' answers of the week, and how long customers waited
// for the first one.
func (h *housekeeping) answers(ctx context.Context, deskID int64, w *deskWeek) error {
	messages, requests := make(map[int64]bool), make(map[int64]bool)
	for before := int64(0); ; {
		list, err := h.store.Outbox(ctx, store.OutboxFilter{Before: before, Limit: pageSize})
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		for _, l := range list {
			before = l.ID
			switch {
			case l.ID <= h.record.Outbox:
				list = nil
			case l.DeskID != deskID:
				continue
			case l.State == store.OutboxFailed, l.State == store.OutboxSuspended && l.Cause != store.CauseOvertaken:
				w.Failed++
			case l.Event == desk.EventAnswered && l.State == store.OutboxSent:
				messages[l.MessageRow], requests[l.RequestID] = true, true
			}
			if list == nil {
				break
			}
		}
		if len(list) < pageSize {
			break
		}
	}
	w.Answers = len(messages)
	var waits []time.Duration
	for id := range requests {
		wait, ok, err := h.firstAnswer(ctx, id)
		if err != nil {
			return err
		}
		if ok {
			waits = append(waits, wait)
		}
	}
	if len(waits) > 0 {
		slices.Sort(waits)
		w.FirstAnswer = waits[len(waits)/2]
	}
	return nil
}

// firstAnswer is how long the customer of a request waited for the first
// answer. ok is false where that came before the week.
func (h *housekeeping) firstAnswer(ctx context.Context, requestID int64) (wait time.Duration, ok bool, err error) {
	messages, err := h.store.Messages(ctx, requestID)
	if err != nil {
		return 0, false, fmt.Errorf("reading a conversation: %w", err)
	}
	for _, m := range messages {
		if m.Kind == store.KindAgent {
			return m.At.Sub(messages[0].At), !m.At.Before(h.record.Weekly), nil
		}
	}
	return 0, false, nil
}

// downtimes notes which parts do not work, for the week in figures.
func (h *housekeeping) downtimes(ctx context.Context) error {
	record := h.record
	record.Downtimes = slices.Clone(record.Downtimes)
	const most = 100 // what comes and goes more often than that is told by its alarms
	for _, w := range h.alarms.parts {
		p := h.health.part(w.subject)
		i := slices.IndexFunc(record.Downtimes, func(o downtime) bool { return o.Subject == w.subject && o.Until.IsZero() })
		switch {
		case i < 0 && h.health.lasting(p, w.provider) && len(record.Downtimes) < most:
			record.Downtimes = append(record.Downtimes, downtime{Subject: w.subject, Since: p.Since})
		case i >= 0 && (working(p.State) || p.State == stateOff):
			record.Downtimes[i].Until = p.Since
		}
	}
	return h.keep(ctx, record, nil)
}

// weeklyText puts the week in figures into words.
func (d *daemon) weeklyText(line store.OutboxLine) (desk.Weekly, error) {
	lang := d.Config.Language
	var w week
	if err := json.Unmarshal([]byte(line.Args["week"]), &w); err != nil {
		return desk.Weekly{}, fmt.Errorf("reading what outbox line %d says: %w", line.ID, err)
	}
	words := ui.WordsIn(lang)
	day := func(t time.Time) string {
		if t = t.In(d.Now().Location()); lang == config.Japanese {
			return t.Format("2006年1月2日")
		}
		return t.Format("2 January 2006")
	}
	out := desk.Weekly{Language: lang, From: day(w.From), Until: day(w.Until), Link: d.pageLink}
	for _, one := range w.Desks {
		told := desk.WeeklyDesk{
			Name: one.Name, Mails: int(one.Mails), New: int(one.New), Answers: one.Answers, Resolved: one.Resolved, Open: one.Open, Waiting: one.Waiting,
			Held: int(one.Held), Quarantined: int(one.Quarantined), Failed: one.Failed, Unaccounted: int(one.Unaccounted),
		}
		if one.Oldest != "" {
			told.Oldest = one.Oldest + " (" + lasted(words, w.Until.Sub(one.Since)) + ")"
		}
		if one.FirstAnswer > 0 {
			told.FirstAnswer = lasted(words, one.FirstAnswer)
		}
		out.Desks = append(out.Desks, told)
	}
	for _, o := range w.Downtimes {
		pairs := []string{"part", d.partName(o.Subject), "since", d.clock(o.Since)}
		if o.Until.IsZero() {
			out.Failures = append(out.Failures, words.Text("weekly.fails", pairs...))
			continue
		}
		out.Failures = append(out.Failures, words.Text("weekly.failed", append(pairs, "took", lasted(words, o.Until.Sub(o.Since)))...))
	}
	return out, nil
}

// lasted writes a span of time in its two largest units.
func lasted(words ui.Words, d time.Duration) string {
	minutes := int64((d + 30*time.Second) / time.Minute)
	switch {
	case minutes < 1:
		return words.Text("weekly.moment")
	case minutes < 60:
		return words.Text("weekly.minutes", "m", words.Number(minutes))
	case minutes < 48*60:
		return words.Text("weekly.hours", "h", words.Number(minutes/60), "m", words.Number(minutes%60))
	}
	return words.Text("weekly.days", "d", words.Number(minutes/60/24))
}

// reconciliation is the latest comparison of a desk's mailbox with the ledger,
// zero when there was none.
func reconciliation(ctx context.Context, s *store.Store, deskID int64) (last store.Reconciliation, err error) {
	all, err := s.Reconciliations(ctx)
	if err != nil {
		return last, fmt.Errorf("reading the comparisons with the mailboxes: %w", err)
	}
	for _, r := range all {
		box, err := s.MailboxByID(ctx, r.MailboxID)
		if err != nil {
			return last, fmt.Errorf("reading a mailbox: %w", err)
		}
		if box.DeskID == deskID && r.At.After(last.At) {
			last = r
		}
	}
	return last, nil
}
