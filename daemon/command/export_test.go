package command

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/store"
)

// records reads a CSV export as a spreadsheet does.
func records(t *testing.T, out string) [][]string {
	t.Helper()
	text, ok := strings.CutPrefix(out, "\ufeff")
	if !ok || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
		t.Errorf("no byte order mark, or wrong line ends: %q", out)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// cell is a cell of a row by the heading of its column.
func cell(t *testing.T, rows [][]string, row int, head string) string {
	t.Helper()
	i := slices.Index(rows[0], head)
	if i < 0 || row >= len(rows) {
		t.Fatalf("no column %q or no row %d in %q", head, row, rows)
	}
	return rows[row][i]
}

func TestExportCSV(t *testing.T) {
	f := newFilled(t, "ja")
	fillRequests(f)
	out, _ := f.call(0, "export")
	rows := records(t, out)
	if len(rows) != 5 {
		t.Fatalf("%d rows: %q", len(rows), rows)
	}
	for head, want := range map[string]string{
		"番号": "SUP-1", "件名": longJapanese, "依頼者名": "山田太郎", "依頼者アドレス": "taro@customer.test", "担当者": "aki@example.com", "優先度": "high", "部署": "経理",
		"状態": "open", "メッセージ数": "1", "受付日時": f.now.Local().Format("2006-01-02 15:04:05"), "終了日時": "",
	} {
		if got := cell(t, rows, 4, head); got != want {
			t.Errorf("%s: %q, want %q", head, got, want)
		}
	}
	if got := cell(t, rows, 1, "部署"); got != "" {
		t.Errorf("a field that the request has not: %q", got)
	}
	for args, want := range map[string]int{"--desk SAL": 1, "--state waiting": 1, "--search 山田": 2, "--since 3d": 2, "--until 2020-01-01": 0, "--since 30d --desk SUP": 2, "--since 30d --state open": 2} {
		out, _ := f.call(0, append([]string{"export"}, strings.Fields(args)...)...)
		if got := len(records(t, out)) - 1; got != want {
			t.Errorf("%s: %d rows, want %d", args, got, want)
		}
	}
	out, _ = f.call(0, "export", "--messages", "--desk", "SAL")
	rows = records(t, out)
	if cell(t, rows, 1, "本文") != "よろしくお願いします。" || cell(t, rows, 1, "添付ファイル") != "写真.jpg" || cell(t, rows, 1, "メッセージの種類") != "customer" {
		t.Errorf("%q", rows)
	}
	f.call(exitUse, "export", "--format", "xlsx")
	f.call(exitUse, "export", "--since", "soon")
}

// What a spreadsheet would run stays text, and all other text stays as it is.
func TestExportIsHarmless(t *testing.T) {
	for text, want := range map[string]string{
		`=HYPERLINK("http://evil.test";"x")`: `'=HYPERLINK("http://evil.test";"x")`, "+1": "'+1", "-1+1|cmd": "'-1+1|cmd", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1",
		"\n=1": "'\n=1", " =1": "' =1", "\u3000=1": "'\u3000=1", "＝1": "'＝1", "＠SUM": "'＠SUM", "－1": "'－1", "＋1": "'＋1",
		"": "", "a=1": "a=1", "山田": "山田", "'=1": "'=1", "1-2": "1-2", `a "b"`: `a "b"`,
	} {
		if got := harmless([]string{text})[0]; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	f := newFilled(t, "en")
	f.request("SUP", mail.Address{Name: "@SUM(A1)", Address: "=cmd@evil.test"}, "=1+1", "=2+2\nsecond line", func(r *store.Request) {
		r.Fields = map[string]string{"=field": "-1"}
	})
	out, _ := f.call(0, "export", "--messages")
	rows := records(t, out)
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
	if got := cell(t, rows, 1, "subject"); got != "'=1+1" {
		t.Error(got)
	}
	if got := cell(t, rows, 1, "message_text"); got != "'=2+2\nsecond line" {
		t.Errorf("%q", got)
	}
}

func TestExportJSON(t *testing.T) {
	f := newFilled(t, "en")
	if out, _ := f.call(0, "export", "--format", "json"); out != "[]\n" {
		t.Error(out)
	}
	fillRequests(f)
	file := filepath.Join(t.TempDir(), "all.json")
	f.call(0, "export", "--format", "json", "-o", file)
	raw, err := os.ReadFile(file)
	var rows []struct {
		Key          string
		Fields       map[string]string
		Participants []any
		Messages     int
	}
	if err != nil || json.Unmarshal(raw, &rows) != nil || len(rows) != 4 || rows[3].Fields["priority"] != "high" || rows[3].Messages != 1 || rows[0].Participants == nil {
		t.Errorf("%v %s", err, raw)
	}
	out, _ := f.call(0, "export", "--format", "json", "--messages", "--search", "用紙")
	var full []struct{ Messages []struct{ Text string } }
	if err := json.Unmarshal([]byte(out), &full); err != nil || len(full) != 1 || full[0].Messages[0].Text == "" {
		t.Errorf("%v %s", err, out)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(left) != 1 {
		t.Errorf("beside the export: %v %v", left, err)
	}
	f.call(exitFailed, "export", "-o", filepath.Join(file, "nowhere"))
}
