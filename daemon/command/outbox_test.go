package command

import (
	"encoding/json"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/store"
)

// fillOutbox queues a mail of each state.
func fillOutbox(f *filled) {
	r := f.request("SUP", mail.Address{Address: "taro@customer.test"}, "Printer", "Broken", nil)
	for _, l := range []store.OutboxLine{
		{Event: "received", Automatic: true, State: store.OutboxSent},
		{Event: "answered", State: store.OutboxFailed, Cause: "refused", Error: "550 5.7.1 \x1b[31mno"},
		{Event: "new", State: store.OutboxFailed, Cause: "refused", Error: "550 5.7.1 \x1b[31mno"},
		{Event: "answered", State: store.OutboxWaiting},
		{Event: "resolved", Automatic: true, State: store.OutboxSuspended, Cause: "bounced"},
	} {
		l.DeskID, l.RequestID, l.To, l.MessageID = r.DeskID, r.ID, mail.Address{Address: strings.Repeat("long", 20) + "@customer.test"}, l.Event+l.State+"@example.com"
		f.write(func(tx *store.Tx) error {
			want := l
			l.State = ""
			if err := tx.Queue(&l); err != nil || want.State == store.OutboxWaiting {
				return err
			}
			l.State, l.Cause, l.Error, l.Attempts = want.State, want.Cause, want.Error, 1
			return tx.SaveOutbox(l)
		})
	}
}

func TestOutboxList(t *testing.T) {
	for language, texts := range map[string][]string{
		"en": {"MAIL", "answer", "acknowledgement", "waiting", "failed", "not sent", "SUP-1", "2: The mail server refused it for good.", "5: It came back as undeliverable."},
		"ja": {"宛先", "回答", "受付通知", "送信待ち", "送信失敗", "未送信", "SUP-1"},
	} {
		f := newFilled(t, language)
		if out, _ := f.call(0, "outbox", "list"); strings.Contains(out, "outbox.") || strings.Count(out, "\n") != 1 {
			t.Error(out)
		}
		fillOutbox(f)
		out, _ := f.call(0, "outbox", "list")
		wantAll(t, out, texts...)
		wantNone(t, out, "\x1b", "head.", "outbox-short.", "event-short.", "cause.")
		lines, _, _ := strings.Cut(out, "\n\n")
		wantNarrow(t, lines)
		if strings.Count(lines, "\n") != 5 {
			t.Error(out)
		}
	}
	f := newFilled(t, "en")
	fillOutbox(f)
	out, _ := f.call(0, "outbox", "list", "--state", "failed", "--json")
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 2 {
		t.Fatal(err, out)
	}
	for _, key := range []string{"id", "request", "event", "to", "message_id", "state", "attempts", "next", "cause", "error"} {
		if _, ok := rows[0][key]; !ok {
			t.Errorf("no %q in %v", key, rows[0])
		}
	}
	if out, _ := f.call(0, "outbox", "list", "--to", "nobody@customer.test", "--json"); out != "[]\n" {
		t.Error(out)
	}
	f.call(exitUse, "outbox", "list", "--state", "lost")
}

func (f *filled) outboxState(id int64) string {
	f.t.Helper()
	var state string
	f.read(func(s *store.Store) error {
		l, err := s.OutboxLineByID(f.t.Context(), id)
		state = l.State
		return err
	})
	return state
}

func TestOutboxRetryAndDrop(t *testing.T) {
	f := newFilled(t, "en")
	if out, _ := f.call(0, "outbox", "retry", "--all-failed"); !strings.Contains(out, "No mail has failed") {
		t.Error(out)
	}
	fillOutbox(f)
	f.call(exitUse, "outbox", "retry")
	f.call(exitUse, "outbox", "retry", "2", "--all-failed")
	f.call(exitUse, "outbox", "retry", "two")
	if _, errs := f.call(exitFailed, "outbox", "retry", "99"); !strings.Contains(errs, "no line 99") {
		t.Error(errs)
	}
	f.call(exitFailed, "outbox", "retry", "1") // it was sent: nothing to do
	f.call(0, "outbox", "retry", "5")
	f.call(0, "outbox", "retry", "--all-failed")
	for _, id := range []int64{2, 3, 5} {
		if state := f.outboxState(id); state != store.OutboxWaiting {
			t.Errorf("%d is %s", id, state)
		}
	}
	out, _ := f.callWith(exitFailed, "no\n", "outbox", "drop", "3", "4")
	wantAll(t, out, "4 is an agent's answer in SUP-1", "Nothing was changed")
	wantNone(t, out, "3 is an agent's")
	if state := f.outboxState(4); state != store.OutboxWaiting {
		t.Errorf("dropped although nobody said yes: %s", state)
	}
	f.call(0, "outbox", "drop", "3") // a notice: nothing to ask
	f.callWith(0, "yes\n", "outbox", "drop", "#4")
	f.call(0, "outbox", "drop", "2", "--yes")
	for _, id := range []int64{2, 3, 4} {
		if state := f.outboxState(id); state != store.OutboxFailed {
			t.Errorf("%d is %s", id, state)
		}
	}
}
