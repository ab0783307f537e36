package store

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"helpdesk/mail"
)

func TestIndexText(t *testing.T) {
	for in, want := range map[string]string{
		"東京都":          " 東京 京都 都 ",
		"都":            " 都 ",
		"ﾌﾟﾘﾝﾀｰ":       " プリ リン ンタ ター ー ",
		"Ａｂｃ １２":       "Abc 12",
		"請求書PDFです。":    " 請求 求書 書 PDF です す 。",
		"a\x00b\nc":    "a b c",
		"佐々木":          " 佐々 々木 木 ",
		"서울역":          " 서울 울역 역 ",
		"Grüße":        "Grüße",
		"\u304b\u3099": " が ", // a letter and its mark become one
	} {
		if is := strings.TrimSuffix(indexText(in), " "); is != strings.TrimSuffix(want, " ") {
			t.Errorf("%q: %q, want %q", in, is, want)
		}
	}
}

func TestMatchQuery(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "",
		"  \t　 ":           "",
		"!!! ---":          "",
		"invoice":          `"invoice"*`,
		"two words":        `"two"* "words"*`,
		`"two words" x`:    `"two words" "x"*`,
		`open "quote here`: `"open"* "quote here"`,
		"東京":               `" 東京 "*`,
		"東":                `" 東"*`,
		"東京都":              `" 東京 京都 "*`,
		"PDF請":             `"PDF 請"*`,
		"請PDF":             `" 請 PDF"*`,
		`"東"`:              `" 東"*`,
		"a AND b* (c":      `"a"* "AND"* "b*"* "(c"*`,
		"a\x00b":           `"a b"*`,
	} {
		if is := matchQuery(in); is != want {
			t.Errorf("%q: %s, want %s", in, is, want)
		}
	}
	if n := strings.Count(matchQuery(strings.Repeat("w ", 1000)), "*"); n != maxTerms {
		t.Errorf("%d terms", n)
	}
}

// addMail adds a request with messages and returns its id.
func addMail(t testing.TB, s *Store, desk int64, subject string, texts ...string) (id int64) {
	t.Helper()
	write(t, s, func(tx *Tx) error {
		key, err := tx.NextKey("SUP")
		if err != nil {
			return err
		}
		r := Request{DeskID: desk, Key: key, Subject: subject, State: StateOpen}
		if err := tx.AddRequest(&r); err != nil {
			return err
		}
		id = r.ID
		for _, text := range texts {
			m := Message{RequestID: r.ID, Kind: KindCustomer, From: mail.Address{Name: "José Müller", Address: "jose@kunde.example"}, Text: text, Reply: text}
			if err := tx.AddMessage(&m); err != nil {
				return err
			}
		}
		return nil
	})
	return id
}

func indexAll(t testing.TB, s *Store) {
	t.Helper()
	for {
		n, err := s.IndexNext(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func TestSearch(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	addMail(t, s, 1, "プリンターの故障", "東京都の支社のﾌﾟﾘﾝﾀｰが動きません。")                             // 1
	addMail(t, s, 1, "請求書について", "請求書PDFを再送してください。担当は佐々木", "よろしく")                    // 2
	addMail(t, s, 2, "Invoice 4711", "The café's printer has no toner.\nC-3PO/R2D2") // 3
	addMail(t, s, 2, "Re: Grüße", "京都から東へ。PRINTING", "later mail about 領収書")         // 4
	indexAll(t, s)
	for query, want := range map[string][]int64{
		"東京":              {1},
		"東京都":             {1},
		"京都":              {4, 1},
		"都の":              {1},
		"東":               {4, 1}, // begins a pair, or stands before a particle
		"故障":              {1},
		"プリンター":           {1},
		"ﾌﾟﾘﾝﾀｰ":          {1},
		"プリ":              {1},
		"ー":               {1},
		"請求 佐々木":          {2},
		"請求書PDF":          {2},
		"書PDFを":           {2},
		"領収書":             {4},
		"請求 領収":           nil,
		"京東":              nil,
		"木":               {2}, // the last of its run
		"invoice":         {3},
		"INVOICE 4711":    {3},
		"print":           {4, 3}, // the beginning of a word
		"rint":            nil,
		"cafe":            {3},
		"Café":            {3},
		"grusse":          nil, // ß is a letter of its own
		"gruße":           {4},
		"ｉｎｖｏｉｃｅ":         {3},
		"jose":            {4, 3, 2, 1},
		"kunde.example":   {4, 3, 2, 1},
		"jose@kunde":      {4, 3, 2, 1},
		"SUP-3":           {3},
		"sup-2":           {2},
		`"no toner"`:      {3},
		`"toner no"`:      nil,
		"toner no":        {3},
		"c-3po":           {3},
		"3PO/R2":          {3},
		"":                nil,
		"*":               nil,
		"missing":         nil,
		"printer missing": nil,
	} {
		is := got[[]int64](t)(s.Search(ctx, query, 10))
		if len(is) == 0 {
			is = nil
		}
		if !reflect.DeepEqual(is, want) {
			t.Errorf("%q found %v, want %v", query, is, want)
		}
	}
	if is := got[[]int64](t)(s.Search(ctx, "jose", 2)); !reflect.DeepEqual(is, []int64{4, 3}) {
		t.Errorf("the two newest: %v", is)
	}
	for _, c := range []struct {
		f    RequestFilter
		want []int64
	}{
		{RequestFilter{Query: "jose", DeskID: 1}, []int64{2, 1}},
		{RequestFilter{Query: "jose", Before: 4, Limit: 2}, []int64{3, 2}},
		{RequestFilter{Query: "jose", State: StateResolved}, nil},
		{RequestFilter{Query: "jose", State: StateOpen, DeskID: 2, Limit: 1}, []int64{4}},
		{RequestFilter{Query: "!"}, nil},
	} {
		if is := requestIDs(got[[]Request](t)(s.Requests(ctx, c.f))); !reflect.DeepEqual(is, c.want) {
			t.Errorf("%+v: %v, want %v", c.f, is, c.want)
		}
	}
}

// TestOddQueries types what FTS5 would take for syntax.
func TestOddQueries(t *testing.T) {
	s, _ := open(t)
	addMail(t, s, 1, "x", "a b c 東京 NEAR quote \" end", "\xff東\xfe京\x00", "")
	indexAll(t, s)
	for _, q := range []string{
		`"`, `""`, `"""`, `a"b`, `"a`, `a"`, "a AND", "AND", "OR OR", "NOT a", "a NOT b", "NEAR(a b)", "a NEAR/2 b", "text:a", "{text}:a", "-a", "+a", "^a",
		"a*", "*", "(", ")", "(a", "a)", "a + b", "'", "''", ";", "a;DROP TABLE search", "\\", "%", "a\x00b", "\x00", "\xff\xfe", "東\xff京", "\u3000", "\u200b", "＂a＂", "“a”",
		"'; --", "rowid:1", "search", "bm25(search)", "😀", "東😀京", strings.Repeat("東京", 3000), strings.Repeat("a ", 5000), strings.Repeat(`"`, 999), string(rune(0x20000)) + "東",
	} {
		if _, err := s.Search(t.Context(), q, 10); err != nil {
			t.Errorf("%.40q: %v", q, err)
		}
	}
}

func FuzzSearch(f *testing.F) {
	s, _ := open(f)
	addMail(f, s, 1, "件名 subject", "本文 body text 12 ﾃｷｽﾄ")
	indexAll(f, s)
	f.Add("東京 \"a\" b*")
	f.Add("ｶﾞ\u3099 (")
	f.Fuzz(func(t *testing.T, q string) {
		if _, err := s.Search(t.Context(), q, 1); err != nil {
			t.Errorf("%q: %v", q, err)
		}
		// Whatever was written is found by itself, if it has a word.
		if utf8.ValidString(q) && len(q) < 200 && matchQuery(q) != "" && !strings.Contains(q, `"`) {
			id := addMail(t, s, 1, "", q)
			indexAll(t, s)
			if ids, err := s.Search(t.Context(), q, 1); err != nil || len(ids) != 1 || ids[0] != id {
				t.Errorf("%q (%s) does not find itself: %v, %v", q, matchQuery(q), ids, err)
			}
		}
	})
}

func TestIndexNext(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	step := func(n, want int) {
		t.Helper()
		if is := got[int](t)(s.IndexNext(ctx, n)); is != want {
			t.Errorf("indexed %d, want %d", is, want)
		}
	}
	step(10, 0)
	for i := range 5 {
		addMail(t, s, 1, fmt.Sprint("subject", i), "first text", "second text")
	}
	if is := got[[]int64](t)(s.Search(ctx, "subject4", 9)); len(is) != 0 {
		t.Errorf("found before it was indexed: %v", is)
	}
	step(4, 4)
	step(4, 4)
	step(4, 2)
	step(4, 0)
	if is := got[[]int64](t)(s.Search(ctx, "subject4", 9)); !reflect.DeepEqual(is, []int64{5}) {
		t.Errorf("found %v", is)
	}
	if is := got[[]int64](t)(s.Search(ctx, "second", 9)); len(is) != 5 {
		t.Errorf("found %v", is)
	}

	// A later message is found by what its writer added, not by what it quotes.
	write(t, s, func(tx *Tx) error {
		return tx.AddMessage(&Message{RequestID: 1, Text: "addition\n> quotation", Reply: "addition"})
	})
	addMail(t, s, 1, "long", strings.Repeat("日本語 ", indexedMax/10)+"beyond")
	step(9, 2)
	for query, want := range map[string]int{"addition": 1, "quotation": 0, "日本": 1, "beyond": 0} {
		if is := got[[]int64](t)(s.Search(ctx, query, 9)); len(is) != want {
			t.Errorf("%s: found %v", query, is)
		}
	}
}
