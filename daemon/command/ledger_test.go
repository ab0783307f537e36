package command

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/mail"
	"helpdesk/store"
)

// fillLedger adds a line of several outcomes, the newest last.
func fillLedger(f *filled) {
	f.write(func(tx *store.Tx) error {
		for i, e := range []store.Entry{
			{Outcome: "skipped", Rule: "first-start", SeenAt: f.now.AddDate(0, 0, -40)},
			{Outcome: "ignored", Rule: "automatic", SeenAt: f.now.AddDate(0, 0, -10)},
			{Outcome: "held", Rule: "unknown-sender", SeenAt: f.now.AddDate(0, 0, -2)},
			{Outcome: "held", Rule: "rate", SeenAt: f.now.Add(-time.Hour), From: mail.Address{Address: "burst@evil.test"}},
			{Outcome: "request", Rule: "request", SeenAt: f.now, DeskID: f.desk["SAL"]},
		} {
			if e.DeskID == 0 {
				e.DeskID = f.desk["SUP"]
			}
			if e.From.Address == "" {
				e.From = mail.Address{Name: longJapanese, Address: "taro@customer.test"}
			}
			e.Subject, e.MessageID = longJapanese, fmt.Sprint(i, "@customer.test")
			if err := tx.AddEntry(&e); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestLedger(t *testing.T) {
	f := newFilled(t, "en")
	fillLedger(f)
	for args, want := range map[string]string{
		"": "5 4 3 2 1", "--outcome held": "4 3", "--desk SAL": "5", "--desk SUP --outcome held": "4 3", "--from TARO@customer.test": "5 3 2 1", "--rule rate": "4",
		"--rule unknown-sender --outcome held": "3", "--since 5d": "5 4 3", "--since 5d --rule unknown-sender": "3", "--limit 2": "5 4", "--limit 1 --rule automatic": "2", "--rule blocked": "",
	} {
		out, _ := f.call(0, append([]string{"ledger", "--json"}, strings.Fields(args)...)...)
		var list []struct {
			ID           int64
			Rule, Reason string
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil || list == nil {
			t.Fatal(err, out)
		}
		var ids []string
		for _, e := range list {
			ids = append(ids, fmt.Sprint(e.ID))
			if e.Reason == "" || e.Reason == e.Rule {
				t.Errorf("no words for %+v", e)
			}
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
	f.call(exitUse, "ledger", "--outcome", "lost")
	out, _ := f.call(0, "ledger")
	wantNarrow(t, out)
	wantAll(t, out, "RESULT", "New request", "Held", "プリンター")
	f = newFilled(t, "ja")
	if out, _ := f.call(0, "ledger"); out != "該当するメールはありません。\n" {
		t.Error(out)
	}
	fillLedger(f)
	out, _ = f.call(0, "ledger")
	wantNarrow(t, out)
	wantAll(t, out, "処理結果", "新規依頼", "保留", "差出人")
}

func TestLedgerObserved(t *testing.T) {
	f := newFilled(t, "ja")
	if out, _ := f.call(0, "ledger", "--observed"); !strings.Contains(out, "観察モード") {
		t.Error(out)
	}
	f.read(func(s *store.Store) error {
		shadow, err := s.Shadow(t.Context(), daemon.ObservePath(filepath.Join(filepath.Dir(f.path), "data"), f.desk["SUP"]), store.Options{})
		if err != nil {
			return err
		}
		defer shadow.Close()
		return shadow.Write(t.Context(), func(tx *store.Tx) error {
			e := store.Entry{DeskID: f.desk["SUP"], From: mail.Address{Address: "taro@customer.test"}, Subject: longJapanese, Outcome: "held", Rule: "unknown-sender"}
			if err := tx.AddEntry(&e); err != nil {
				return err
			}
			return tx.Queue(&store.OutboxLine{DeskID: f.desk["SUP"], Event: "held", To: mail.Address{Address: "taro@customer.test"}, MessageID: "m@example.com", Automatic: true})
		})
	})
	out, _ := f.call(0, "ledger", "--observed")
	wantNarrow(t, out)
	wantAll(t, out, "Support", "保留", "送信されるはずだったメール", "taro@customer.test")
	out, _ = f.call(0, "ledger", "--observed", "--desk", "SAL")
	wantNone(t, out, "taro@customer.test")
	out, _ = f.call(0, "ledger", "--observed", "--json")
	var list []map[string]any
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 || list[0]["outcome"] != "held" {
		t.Error(err, out)
	}
	if out, _ := f.call(0, "ledger", "--json"); out != "[]\n" {
		t.Errorf("what was observed is in the ledger: %s", out)
	}
}

func TestRetryChooses(t *testing.T) {
	f := newFilled(t, "en")
	fillLedger(f)
	f.call(exitUse, "retry")
	f.call(exitUse, "retry", "3", "--outcome", "held")
	f.call(exitUse, "retry", "--outcome", "request")
	f.call(exitUse, "retry", "x")
	if _, errs := f.call(exitFailed, "retry", "99"); !strings.Contains(errs, "99") || strings.Contains(errs, "act.") {
		t.Error(errs)
	}
	if out, _ := f.call(0, "retry", "--from", "nobody@customer.test"); !strings.Contains(out, "no such mail") {
		t.Error(out)
	}
	e := &env{stdout: &strings.Builder{}, stderr: &strings.Builder{}, configPath: f.path}
	for _, c := range []struct {
		filter store.EntryFilter
		want   string
	}{
		{store.EntryFilter{Outcome: "held"}, "[3 4]"},
		{store.EntryFilter{Outcome: "held", From: "taro@customer.test"}, "[3]"},
		{store.EntryFilter{From: "taro@customer.test"}, "[1 2 3]"}, // not the request
		{store.EntryFilter{From: "taro@customer.test", Limit: 2}, "[2 3]"},
	} {
		if got, err := e.chosenEntries(t.Context(), ledgerQuery{filter: c.filter}, ""); err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %v %v, want %s", c.filter, got, err, c.want)
		}
	}
}

func TestLive(t *testing.T) {
	f := newFilled(t, "en")
	f.call(exitUse, "live", "SUP")
	f.call(exitUse, "live", "SUP", "perhaps")
	if _, errs := f.call(exitFailed, "live", "SUP", "take"); errs == "" || strings.Contains(errs, "act.") {
		t.Errorf("nothing was observed: %q", errs)
	}
}
