package command

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	uni "golang.org/x/text/encoding/unicode"

	"helpdesk/mail"
	"helpdesk/store"
)

func encoded(t *testing.T, e encoding.Encoding, text string) string {
	t.Helper()
	out, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Lists as spreadsheets and people write them.
func TestCustomersLists(t *testing.T) {
	ja := "メールアドレス,氏名\r\ntaro@example.co.jp,山田太郎\r\n\"hanako@example.co.jp\",\"髙橋 花子①\"\r\n"
	both := "taro@example.co.jp 山田太郎|hanako@example.co.jp 髙橋 花子①"
	for name, c := range map[string]struct {
		list  string
		ja    bool
		want  string
		fault string
	}{
		"UTF-8":                           {ja, true, both, ""},
		"UTF-8 with byte order mark":      {"\ufeff" + ja, true, both, ""},
		"Shift_JIS":                       {encoded(t, japanese.ShiftJIS, ja), true, both, ""},
		"Shift_JIS in an English office":  {encoded(t, japanese.ShiftJIS, ja), false, both, ""},
		"Unicode text":                    {encoded(t, uni.UTF16(uni.LittleEndian, uni.UseBOM), strings.ReplaceAll(ja, ",", "\t")), true, both, ""},
		"UTF-16, big-endian":              {encoded(t, uni.UTF16(uni.BigEndian, uni.UseBOM), strings.ReplaceAll(ja, ",", "\t")), false, both, ""},
		"Windows-1252":                    {encoded(t, charmap.Windows1252, "E-Mail;Name\nhans@example.de;Hans Müller\njose@example.es;José Ñuñez\n"), false, "hans@example.de Hans Müller|jose@example.es José Ñuñez", ""},
		"no headings":                     {"taro@example.co.jp,山田太郎\n", true, "taro@example.co.jp 山田太郎", ""},
		"no headings, name first":         {"山田太郎,taro@example.co.jp\n", true, "taro@example.co.jp 山田太郎", ""},
		"addresses only":                  {"taro@example.co.jp\nhanako@example.co.jp\n", true, "taro@example.co.jp |hanako@example.co.jp ", ""},
		"semicolons":                      {"Name;Email\n\"Doe, John\";john@example.com\nRoe, Jane;jane@example.com\n", false, "john@example.com Doe, John|jane@example.com Roe, Jane", ""},
		"semicolons, commas in all names": {"Doe, John;john@example.com\n", false, "john@example.com Doe, John", ""},
		"tabs":                            {"Name\tEmail\nJohn\tjohn@example.com\n", false, "john@example.com John", ""},
		"sep=":                            {"sep=;\nName;Email\nJohn;john@example.com\n", false, "john@example.com John", ""},
		"first and last name":             {"First name,Last name,E-mail address\nJohn,Doe,john@example.com\n", false, "john@example.com John Doe", ""},
		"family name first":               {"姓,名,メールアドレス\n山田,太郎,taro@example.co.jp\n", true, "taro@example.co.jp 山田 太郎", ""},
		"full-width headings and address": {"Ｅメール,お名前\nｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏ．ｊｐ,山田\n", true, "taro@example.co.jp 山田", ""},
		"unknown headings":                {"Nummer,Kunde,Adresse\n12,Meier,meier@example.de\n", false, "meier@example.de Meier", ""},
		"more columns":                    {"id,name,phone,email,note\n7,Taro,03-1234,taro@example.co.jp,\"a\nb\"\n", true, "taro@example.co.jp Taro", ""},
		"name in the address":             {"email\nTaro Yamada <taro@example.co.jp>\n", true, "taro@example.co.jp Taro Yamada", ""},
		"empty lines":                     {"\n\n,,\nemail,name\n\ntaro@example.co.jp,Taro\n\n", true, "taro@example.co.jp Taro", ""},
		"empty":                           {"", true, "", ""},
		"only headings":                   {"email,name\n", true, "", ""},
		"faults by line":                  {"email,name\ntaro@example.co.jp,Taro\n,Nobody\n\nnot an address,Hanako\na@b@c,x\njiro@example.co.jp,Jiro\n", true, "taro@example.co.jp Taro|jiro@example.co.jp Jiro", "3 missing,5 bad-address,6 bad-address"},
		"fault in the first line":         {"山田太郎,\ntaro@example.co.jp,Taro\n", true, "taro@example.co.jp Taro", "1 missing"},
		"twice, in other letters":         {"email,name\ntaro@example.co.jp,Taro\njiro@example.co.jp,Jiro\nTaro@Example.co.jp,Taro Yamada\n", true, "Taro@Example.co.jp Taro Yamada|jiro@example.co.jp Jiro", ""},
		"quotation marks by mistake":      {"email,name\ntaro@example.co.jp,Taro \"the printer\" Yamada\njiro@example.co.jp,Jiro\n", true, `taro@example.co.jp Taro "the printer" Yamada|jiro@example.co.jp Jiro`, ""},
	} {
		path := filepath.Join(t.TempDir(), "list.csv")
		if err := os.WriteFile(path, []byte(c.list), 0o600); err != nil {
			t.Fatal(err)
		}
		people, faults, err := readCustomersFile(path, nil, c.ja)
		var got, wrong []string
		for _, p := range people {
			got = append(got, p.Address+" "+p.Name)
		}
		for _, f := range faults {
			wrong = append(wrong, fmt.Sprint(f.line, " ", f.slug))
		}
		if err != nil || strings.Join(got, "|") != c.want || strings.Join(wrong, ",") != c.fault {
			t.Errorf("%s: %q, faults %q, %v; want %q, %q", name, got, wrong, err, c.want, c.fault)
		}
	}
	path := filepath.Join(t.TempDir(), "list.xlsx")
	if err := os.WriteFile(path, []byte("PK\x03\x04…"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readCustomersFile(path, nil, true); err == nil || !strings.Contains(err.Error(), "CSV UTF-8") {
		t.Errorf("a workbook: %v", err)
	}
}

func TestCustomersCommands(t *testing.T) {
	f := newFilled(t, "en")
	if out, _ := f.call(0, "customers", "list"); !strings.Contains(out, "no such customers") {
		t.Error(out)
	}
	list := filepath.Join(t.TempDir(), "list.csv")
	text := "メールアドレス,氏名\r\n" + strings.Repeat("very.long.address", 4) + "@example.co.jp," + longJapanese + "\r\nbad address,x\r\ntaro@example.co.jp,山田太郎\r\n"
	if err := os.WriteFile(list, []byte(encoded(t, japanese.ShiftJIS, text)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs := f.call(exitFailed, "customers", "import", list, "--check")
	wantAll(t, out+errs, list+":3: “bad address” is no e-mail address", "山田太郎 <taro@example.co.jp>", "1 line has a fault")
	if out, _ := f.call(0, "customers", "list", "--json"); out != "[]\n" {
		t.Errorf("--check added somebody: %s", out)
	}
	_, errs = f.call(exitFailed, "customers", "import", list, "--desk", "SUP")
	wantAll(t, errs, list+":3:", "1 line has a fault")
	f.call(0, "customers", "add", "jiro@example.co.jp", "--name", "二郎")
	f.call(exitUse, "customers", "add", "not an address")
	f.call(exitFailed, "customers", "add", "a@b.test", "--desk", "XYZ")
	f.call(0, "customers", "name", "taro@example.co.jp", "山田 太郎")
	f.call(0, "customers", "merge", "jiro@example.co.jp", "taro@example.co.jp")

	out, _ = f.call(0, "customers", "list")
	wantNarrow(t, out)
	wantAll(t, out, "ADDRESS", "very.long", "プリン", "山田 太郎", "SUP", "all", "same as taro@")
	wantNone(t, out, "customers.", "head.")
	var rows []map[string]any
	out, _ = f.call(0, "customers", "list", "--json", "--search", "JIRO")
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 {
		t.Fatal(err, out)
	}
	if s := fmt.Sprintln(rows[0]["address"], rows[0]["name"], rows[0]["desks"], rows[0]["person"], rows[0]["named"]); s != "jiro@example.co.jp 二郎 [* SUP] taro@example.co.jp true\n" {
		t.Error(s)
	}
	out, _ = f.call(0, "customers", "list", "--desk", "SAL", "--json")
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 2 || rows[1]["address"] != "taro@example.co.jp" { // by jiro, who is the same person now
		t.Errorf("of Sales: %s", out)
	}
	f.call(0, "customers", "remove", "taro@example.co.jp")
	f.call(exitFailed, "customers", "remove", "nobody@example.co.jp")
	out, _ = f.call(0, "customers", "list", "--desk", "SUP", "--json")
	if wantNone(t, out, `"taro@example.co.jp",`+"\n    \"name\""); !strings.Contains(out, "very.long") {
		t.Error(out)
	}
	f.call(exitUse, "customers", "add")
	f.call(exitUse, "customers", "nonsense")
	f.call(exitUse, "customers", "list", "--colour")
	f.call(exitUse, "customers", "merge", "a@b.test")
}

// A person with two addresses, a request of their own and words in another's.
func fillPerson(f *filled) {
	taro := mail.Address{Name: "山田太郎", Address: "taro@customer.test"}
	f.request("SUP", taro, "マウスの件", "動きません。", nil)
	other := f.request("SUP", mail.Address{Address: "laura@customer.test"}, "Shared printer", "Paper jam", nil)
	f.write(func(tx *store.Tx) error {
		for _, address := range []string{"taro@customer.test", "taro@home.test", "laura@customer.test"} {
			if err := tx.AddMember(f.desk["SUP"], mail.Address{Address: address}, f.now); err != nil {
				return err
			}
		}
		if err := tx.MergeCustomers("taro@home.test", "taro@customer.test"); err != nil {
			return err
		}
		home := mail.Address{Name: "Taro", Address: "taro@home.test"}
		e := store.Entry{DeskID: f.desk["SUP"], From: home, Subject: "Re: Shared printer", Outcome: "reply", Rule: "reply-subject", RequestID: other.ID}
		if err := tx.AddEntry(&e); err != nil {
			return err
		}
		if err := tx.AddMessage(&store.Message{RequestID: other.ID, LedgerID: e.ID, Kind: store.KindCustomer, From: home, At: f.now, Text: "I saw it too", Reply: "I saw it too"}); err != nil {
			return err
		}
		return tx.Queue(&store.OutboxLine{DeskID: f.desk["SUP"], RequestID: other.ID, Event: "received", To: taro, MessageID: "one@example.com", Automatic: true})
	})
}

func TestCustomersExport(t *testing.T) {
	f := newFilled(t, "en")
	fillPerson(f)
	file := filepath.Join(t.TempDir(), "taro.json")
	f.call(0, "customers", "export", "Taro@customer.test", "-o", file)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Addresses []struct{ Address string }
		Requests  []struct {
			Key      string
			Messages []struct {
				Text        string
				Attachments []struct{ Name string }
			}
		}
		Elsewhere []struct {
			Request string
			Message struct{ Text string }
		} `json:"messages_in_other_requests"`
		Ledger []struct{ From, Reason string }
		Sent   []struct{ Event, State, To string }
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%+v", got); s != "{Addresses:[{Address:taro@customer.test} {Address:taro@home.test}] Requests:[{Key:SUP-1 Messages:[{Text:動きません。 Attachments:[{Name:写真.jpg}]}]}] "+
		"Elsewhere:[{Request:SUP-2 Message:{Text:I saw it too}}] Ledger:[{From:taro@customer.test Reason:A person writes about something new.} "+
		"{From:taro@home.test Reason:Its subject names a request that its sender is part of.}] Sent:[{Event:received State:waiting To:taro@customer.test}]}" {
		t.Error(s)
	}
	wantNone(t, string(raw), "Paper jam")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, errs := f.call(exitFailed, "customers", "export", "nobody@customer.test"); !strings.Contains(errs, "Nothing is known") {
		t.Error(errs)
	}
	f.call(exitUse, "customers", "export", "nobody")
}

// What is kept of a person is found when the ledger has forgotten their mails,
// also of one who never wrote and was only in copy.
func TestCustomersWithoutLedger(t *testing.T) {
	f := newFilled(t, "en")
	fillPerson(f)
	f.write(func(tx *store.Tx) error {
		other, err := tx.RequestByKey(t.Context(), "SUP-2")
		if err != nil {
			return err
		}
		if err := tx.AddParticipant(other.ID, store.Participant{Address: mail.Address{Address: "Hanako@customer.test"}, Role: store.RoleCC}); err != nil {
			return err
		}
		if err := tx.Block(f.desk["SAL"], "taro@home.test", other.ID, f.now); err != nil {
			return err
		}
		_, err = tx.ExpireLedger(t.Context(), f.now.Add(time.Hour), 100)
		return err
	})
	out, _ := f.call(0, "customers", "export", "taro@customer.test")
	wantAll(t, out, "I saw it too", `"request": "SUP-2"`, "\"blocked\": [\n    \"SAL\"\n  ]", `"copies": []`, `"ledger": []`)
	wantNone(t, out, "Paper jam")
	out, _ = f.call(0, "customers", "export", "hanako@customer.test")
	wantAll(t, out, "\"copies\": [\n    \"SUP-2\"\n  ]", `"messages_in_other_requests": []`)
	f.call(0, "customers", "forget", "hanako@customer.test", "--yes")
	f.call(exitFailed, "customers", "export", "hanako@customer.test")
	if out, _ := f.call(0, "show", "SUP-2", "--json"); strings.Contains(strings.ToLower(out), "hanako") {
		t.Error(out)
	}
}

func TestCustomersForget(t *testing.T) {
	f := newFilled(t, "ja")
	fillPerson(f)
	out, _ := f.callWith(exitFailed, "no\n", "customers", "forget", "taro@customer.test")
	wantAll(t, out, "taro@home.test", "SUP-1", "依頼: 1件、メッセージ: 2件、受信メール: 2通、送信メール: 1通", "バックアップ", "何も変更していません")
	if out, _ := f.callWith(exitFailed, "", "customers", "forget", "taro@customer.test"); !strings.Contains(out, "何も変更していません") {
		t.Error(out)
	}
	if out, _ := f.call(0, "show", "SUP-1"); !strings.Contains(out, "マウスの件") {
		t.Errorf("gone although nobody said yes: %s", out)
	}
	out, _ = f.callWith(0, "はい\n", "customers", "forget", "taro@customer.test")
	wantAll(t, out, "バックアップ")
	f.call(exitFailed, "show", "SUP-1")
	out, _ = f.call(0, "show", "SUP-2")
	wantAll(t, out, "Paper jam")
	wantNone(t, out, "I saw it too")
	f.call(exitFailed, "customers", "forget", "taro@customer.test", "--yes")
	f.call(0, "customers", "forget", "laura@customer.test", "--yes")
	if keys, _ := f.call(0, "customers", "list", "--json"); slices.Contains(strings.Fields(keys), `"laura@customer.test",`) {
		t.Error(keys)
	}
}

// Customers can be added before helpdesk runs for the first time.
func TestCustomersBeforeTheFirstStart(t *testing.T) {
	path := writeConfig(t, fmt.Sprintf(filledConfig, "en"))
	if code, out, errs := call(t, "-c", path, "customers", "add", "taro@example.co.jp", "--desk", "SUP"); code != 0 {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	if code, out, errs := call(t, "-c", path, "customers", "list"); code != 0 || !strings.Contains(out, "taro@example.co.jp") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}
