package command

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// office has requests that each differ in what `requests` can choose by.
func fillRequests(f *filled) {
	taro := mail.Address{Name: "山田太郎", Address: "taro@customer.test"}
	f.request("SUP", taro, longJapanese, "複合機の再起動も試しました。", func(r *store.Request) {
		r.Assignee = "aki@example.com"
		r.Fields = map[string]string{"priority": "high", "部署": "経理"}
	})
	f.request("SUP", mail.Address{Name: strings.Repeat("Very Long Name ", 9), Address: "tom@customer.test"}, strings.Repeat("A long English subject ", 9), "Nothing works.", func(r *store.Request) {
		r.State, r.Assignee = store.StateWaiting, "ben@example.com"
		r.Created = f.now.AddDate(-1, 0, -10)
	})
	f.request("SAL", taro, "見積もりのお願い", "よろしくお願いします。", func(r *store.Request) { r.State = store.StateResolved })
	f.request("SUP", mail.Address{Address: "laura@customer.test"}, "\x1b[31mRed\u202etxt", "Escape", func(r *store.Request) { r.Created = f.now.AddDate(0, 0, -5) })
}

func TestRequestsFilters(t *testing.T) {
	f := newFilled(t, "en")
	fillRequests(f)
	for args, want := range map[string]string{
		"":                                  "SUP-3 SAL-1 SUP-2 SUP-1",
		"--desk sup":                        "SUP-3 SUP-2 SUP-1",
		"--desk Sales":                      "SAL-1",
		"--state open":                      "SUP-3 SUP-1",
		"--state waiting":                   "SUP-2",
		"--state resolved":                  "SAL-1",
		"--agent aki":                       "SUP-1",
		"--agent Ben":                       "SUP-2",
		"--agent BEN@example.com":           "SUP-2",
		"--agent none":                      "SUP-3 SAL-1",
		"--agent none --state open":         "SUP-3",
		"--customer Taro@Customer.test":     "SAL-1 SUP-1",
		"--older 3d":                        "SUP-3 SUP-2",
		"--older 30d":                       "SUP-2",
		"--search 用紙":                       "SUP-1",
		"--search 再起動":                      "SUP-1",
		"--search 山田":                       "SAL-1 SUP-1",
		"--search 山田 --state open":          "SUP-1",
		"--search プリンタ":                     "SUP-1",
		"--search english":                  "SUP-2",
		"--search nowhere":                  "",
		"--limit 2":                         "SUP-3 SAL-1",
		"--customer nobody@customer.test":   "",
		"--search 山田 --desk SAL --limit 10": "SAL-1",
	} {
		out, _ := f.call(0, append([]string{"requests", "--json"}, strings.Fields(args)...)...)
		var list []struct{ Key string }
		if err := json.Unmarshal([]byte(out), &list); err != nil || list == nil {
			t.Fatalf("%s: %v %s", args, err, out)
		}
		var keys []string
		for _, r := range list {
			keys = append(keys, r.Key)
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
	for args, says := range map[string]string{
		"--state done": "open, waiting, resolved", "--older soon": "3d", "--agent carl": "Aki Sato", "--desk XYZ": "SUP",
	} {
		if _, errs := f.call(exitUse, append([]string{"requests"}, strings.Fields(args)...)...); !strings.Contains(errs, says) {
			t.Errorf("%s: %s", args, errs)
		}
	}
}

// The tables fit a terminal whatever strangers write, and keep its colours.
func TestRequestsTable(t *testing.T) {
	for language, texts := range map[string][]string{
		"en": {"KEY", "STATE", "AGENT", "SUBJECT", "open", "Aki Sato", "山田太郎", "プリンター", "resolved"},
		"ja": {"番号", "状態", "担当者", "件名", "対応中", "返信待ち", "解決済み", "山田太郎"},
	} {
		f := newFilled(t, language)
		fillRequests(f)
		out, _ := f.call(0, "requests")
		wantAll(t, out, texts...)
		wantNone(t, out, "\x1b", "\u202e", "requests.", "head.", "state-short.")
		wantNarrow(t, out)
		if n := strings.Count(out, "\n"); n != 5 {
			t.Errorf("%d lines:\n%s", n, out)
		}
		out, _ = f.call(0, "requests", "--limit", "4")
		wantAll(t, out, "--limit")
	}
	f := newFilled(t, "ja")
	if out, _ := f.call(0, "requests"); out != "まだ依頼はありません。\n" {
		t.Error(out)
	}
	if out, _ := f.call(0, "requests", "--json"); out != "[]\n" {
		t.Error(out)
	}
	if out, _ := f.call(0, "requests", "--state", "open"); out != "該当する依頼はありません。\n" {
		t.Error(out)
	}
}

func TestShow(t *testing.T) {
	f := newFilled(t, "en")
	fillRequests(f)
	f.write(func(tx *store.Tx) error {
		r, err := tx.RequestByKey(t.Context(), "SUP-1")
		if err != nil {
			return err
		}
		other, err := tx.RequestByKey(t.Context(), "SUP-2")
		if err != nil {
			return err
		}
		r.LinkedTo, r.AwaitingSince = other.ID, f.now.Add(-time.Hour)
		if err := tx.UpdateRequest(&r); err != nil {
			return err
		}
		if err := tx.AddParticipant(r.ID, store.Participant{Address: mail.Address{Name: "Jiro", Address: "jiro@customer.test"}, Role: store.RoleCC}); err != nil {
			return err
		}
		return tx.AddMessage(&store.Message{RequestID: r.ID, Kind: store.KindNote, From: mail.Address{Address: "aki@example.com"}, At: f.now, Text: "see log\n> quoted", Reply: "see log", Reason: "agent-unverified"})
	})
	out, _ := f.call(0, "show", "sup-1")
	wantAll(t, out, "SUP-1  "+longJapanese, "山田太郎 <taro@customer.test>", "Jiro <jiro@customer.test>", "Aki Sato <aki@example.com>", "SUP-2", "Priority", "high",
		"部署", "経理", "Waits for an answer since", "複合機の再起動も試しました。", "写真.jpg", "12 kB", "see log", "nothing proves that the agent wrote it")
	wantNone(t, out, "> quoted", "show.", "request.", "field.")
	out, _ = f.call(0, "show", "SUP-1", "--full")
	wantAll(t, out, "> quoted")

	out, _ = f.call(0, "show", "SUP-1", "--json")
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"key", "desk", "type", "subject", "state", "requester", "assignee", "created", "updated", "participants", "fields", "messages"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %q in %s", key, out)
		}
	}
	if s := fmt.Sprintln(got["fields"], got["linked_to"], got["participants"]); s != "map[priority:high 部署:経理] SUP-2 [map[address:jiro@customer.test name:Jiro]]\n" {
		t.Error(s)
	}
	messages := got["messages"].([]any)
	first := messages[0].(map[string]any)
	for _, key := range []string{"kind", "from", "at", "text", "reply", "attachments", "ledger"} {
		if _, ok := first[key]; !ok {
			t.Errorf("a message has no %q: %v", key, first)
		}
	}
	if len(messages) != 2 || first["ledger"] == 0.0 || messages[1].(map[string]any)["attachments"] == nil {
		t.Errorf("%v", messages)
	}
	if out, _ := f.call(0, "show", "SUP-2", "--json"); !strings.Contains(out, `"participants": []`) || !strings.Contains(out, `"fields": {}`) {
		t.Error(out)
	}
	if _, errs := f.call(exitFailed, "show", "SUP-99"); !strings.Contains(errs, "no request SUP-99") {
		t.Error(errs)
	}
}

func TestNoDatabase(t *testing.T) {
	for language, says := range map[string]string{"en": "There is no database in", "ja": "データベースがまだありません"} {
		path := writeConfig(t, fmt.Sprintf(filledConfig, language))
		for _, args := range []string{
			"requests", "show SUP-1", "reply SUP-1 -m x", "resolve SUP-1", "reopen SUP-1", "export", "customers list", "customers remove a@b.test", "customers forget a@b.test",
			"customers export a@b.test", "outbox list", "outbox retry 1", "outbox drop 1", "ledger", "why 1", "why a@b.test", "retry 1", "live SUP leave",
		} {
			if code, _, errs := call(t, append([]string{"-c", path}, strings.Fields(args)...)...); code != exitFailed || !strings.Contains(errs, says) {
				t.Errorf("%s: exit code %d, %s", args, code, errs)
			}
		}
	}
}

func TestPointInTime(t *testing.T) {
	now := time.Date(2026, 11, 22, 15, 0, 0, 0, time.FixedZone("JST", 9*3600))
	for text, want := range map[string]time.Time{
		"3d": now.AddDate(0, 0, -3), "12h": now.Add(-12 * time.Hour), "1d12h": now.Add(-36 * time.Hour),
		"2026-11-01": time.Date(2026, 11, 1, 0, 0, 0, 0, now.Location()), "2026-11-01 09:30": time.Date(2026, 11, 1, 9, 30, 0, 0, now.Location()),
	} {
		if got, err := pointInTime(text, now, false); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	if got, err := pointInTime("2026-11-01", now, true); err != nil || !got.Equal(time.Date(2026, 11, 2, 0, 0, 0, 0, now.Location())) {
		t.Errorf("the end of a day: %v %v", got, err)
	}
	for _, text := range []string{"", "3", "yesterday", "2026-13-01"} {
		if got, err := pointInTime(text, now, false); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestTableWidths(t *testing.T) {
	var b strings.Builder
	rows := [][]string{{"ID", "NAME", "TEXT"}, {"1", longJapanese, longJapanese}, {"200", "a", strings.Repeat("e\u0301", 60)}, {"3", "\x1b[2J", "x\u202ey"}}
	if err := table(&b, []int{5, 14, 0}, rows); err != nil {
		t.Fatal(err)
	}
	wantNarrow(t, b.String())
	wantNone(t, b.String(), "\x1b", "\u202e")
	wantAll(t, b.String(), strings.Repeat("e\u0301", 57), "プリンターの…")
	lines := strings.Split(b.String(), "\n")
	if columns(lines[1]) < 78 { // the last column takes what is left
		t.Errorf("%d columns: %s", columns(lines[1]), lines[1])
	}
}
