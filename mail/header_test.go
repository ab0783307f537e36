package mail

import (
	"slices"
	"testing"
	"time"
)

var addressCases = []struct {
	in   string
	want []Address
}{
	{"", nil},
	{"a@example.com", []Address{{"", "a@example.com"}}},
	{"Anna Berg <a@example.com>", []Address{{"Anna Berg", "a@example.com"}}},
	{`"Berg, Anna" <a@example.com>, b@example.com`, []Address{{"Berg, Anna", "a@example.com"}, {"", "b@example.com"}}},
	{"Berg, Anna <a@example.com>", []Address{{"Berg, Anna", "a@example.com"}}},
	{"Berg, Anna <a@example.com>, Doe, John <j@example.com>", []Address{{"Berg, Anna", "a@example.com"}, {"Doe, John", "j@example.com"}}},
	{"a@example.com; b@example.com", []Address{{"", "a@example.com"}, {"", "b@example.com"}}},
	{"a@example.com (Anna Berg)", []Address{{"Anna Berg", "a@example.com"}}},
	{"Anna (a@example.com)", []Address{{"Anna", "a@example.com"}}},
	{"a..b.@docomo.ne.jp", []Address{{"", "a..b.@docomo.ne.jp"}}},
	{"<.a..b.@ezweb.ne.jp>", []Address{{"", ".a..b.@ezweb.ne.jp"}}},
	{`"a..b."@docomo.ne.jp`, []Address{{"", `"a..b."@docomo.ne.jp`}}},
	{"undisclosed-recipients:;", nil},
	{"Undisclosed recipients", nil},
	{"Team: a@example.com, Bo <b@example.com>; c@example.com", []Address{{"", "a@example.com"}, {"Bo", "b@example.com"}, {"", "c@example.com"}}},
	{"root", []Address{{"", "root"}}},
	{"Mail Delivery System", []Address{{"Mail Delivery System", ""}}},
	{"=?utf-8?Q?J=C3=BCrgen?= <j@example.com>", []Address{{"Jürgen", "j@example.com"}}},
	{`"=?utf-8?Q?J=C3=BCrgen?=" <j@example.com>`, []Address{{"Jürgen", "j@example.com"}}},
	{"=?utf-8?Q?J=C3=BCrgen_=3Cj=40example.com=3E?=", []Address{{"Jürgen", "j@example.com"}}},
	{"=?utf-8?B?5bGx55Sw?= =?utf-8?B?5aSq6YOO?= <y@example.jp>", []Address{{"山田太郎", "y@example.jp"}}},
	{"J\xfcrgen <j@example.com>", []Address{{"Jürgen", "j@example.com"}}},
	{"'a@example.com' <a@example.com>", []Address{{"a@example.com", "a@example.com"}}},
	{"<mailto:a@example.com>", []Address{{"", "a@example.com"}}},
	{"<<a@example.com>>", []Address{{"", "a@example.com"}}},
	{"Anna <a@example.com", []Address{{"Anna", "a@example.com"}}},
	{"<@hop.example,@two.example:a@example.com>", []Address{{"", "a@example.com"}}},
	{`"Anna <a@example.com>`, []Address{{"Anna", "a@example.com"}}},
	{`"Anna Berg" a@example.com`, []Address{{"Anna Berg", "a@example.com"}}},
	{`"a@example.com"`, []Address{{"", "a@example.com"}}},
	{"a @ example . com", []Address{{"", "a@example.com"}}},
	{"a@example.com,,b@example.com,", []Address{{"", "a@example.com"}, {"", "b@example.com"}}},
	{"Anna O'Neil <a@example.com>", []Address{{"Anna O'Neil", "a@example.com"}}},
	{"\x1b$B;3ED\x1b(B <y@example.jp>", []Address{{"山田", "y@example.jp"}}},
	{"\x83\\\x83j\x83@ <y@example.jp>, b@example.jp", []Address{{"ソニァ", "y@example.jp"}, {"", "b@example.jp"}}},
	{"support@例え.jp", []Address{{"", "support@例え.jp"}}},
}

func TestParseAddresses(t *testing.T) {
	for _, c := range addressCases {
		if got, _ := parseAddresses(c.in, "iso-8859-1"); !slices.Equal(got, c.want) {
			t.Errorf("%q\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

var wordCases = []struct{ in, want string }{
	{"plain", "plain"},
	{"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"},
	{"=?UTF-8?B?R3LDvMOfZQ==?= aus =?ISO-8859-1?Q?K=F6ln?=", "Grüße aus Köln"},
	{"=?utf-8?B?44GC4w==?= =?utf-8?B?gYTjgYY=?=", "あいう"}, // い is split between the two
	{"=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"},
	{"=?utf-8?Q?a?= =?iso-8859-1?Q?b?=", "ab"},
	{"=?utf-8?Q?a?= b", "a b"},
	{"=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "テスト"},
	{"=?iso-2022-jp?B?GyRCLSE=?= =?iso-2022-jp?B?LSIbKEI=?=", "①②"},
	{"=?shift_jis?B?g2WDWINn?=", "テスト"},
	{"=?cp932?B?h0A=?=", "①"},
	{"=?windows-1251?Q?=CF=F0=E8=E2=E5=F2?=", "Привет"},
	{"=?utf-8*de?Q?M=C3=BCller?=", "Müller"},
	{"=?utf-8?Q?with space?=", "with space"},
	{"=?utf-8?Q?What=3F?=", "What?"},
	{"=?utf-8?Q?unfinished", "=?utf-8?Q?unfinished"},
	{"=?nonsense?Q?abc?=", "abc"},
	{"=?utf-8?X?abc?=", "=?utf-8?X?abc?="},
	{"=?utf-8?B?R3LDvMOfZQ?=", "Grüße"},
	{"re: =?", "re: =?"},
	{"caf\xe9", "café"},
	{"caf\xc3\xa9", "café"},
	{"\x1b$B%F%9%H\x1b(B", "テスト"},
}

func TestDecodeWords(t *testing.T) {
	for _, c := range wordCases {
		if got := decodeWords(c.in, ""); got != c.want {
			t.Errorf("%q gives %q, want %q", c.in, got, c.want)
		}
	}
}

var paramCases = []struct{ in, want string }{
	{`text/plain; name="a b.txt"`, "a b.txt"},
	{`text/plain; name=a b.txt; charset=utf-8`, "a b.txt"},
	{`text/plain; NAME = "x.txt"`, "x.txt"},
	{`text/plain; name="a;b.txt"`, "a;b.txt"},
	{`text/plain; name="never closed.txt`, "never closed.txt"},
	{`text/plain; name*=utf-8''Gr%C3%BC%C3%9Fe.txt`, "Grüße.txt"},
	{`text/plain; name*=iso-2022-jp''%1B%24B%25F%259%25H%1B%28B.txt`, "テスト.txt"},
	{`text/plain; name*=shift_jis''%83e%83X%83g.txt`, "テスト.txt"},
	{`text/plain; name*0="long "; name*1="name.txt"`, "long name.txt"},
	{`text/plain; name*1*=%C3%9Fe.txt; name*0*=utf-8'de'Gr%C3%BC`, "Grüße.txt"},
	{`text/plain; name*0*=utf-8''Gr%C3; name*1*=%BC.txt`, "Grü.txt"},
	{`text/plain; name="=?utf-8?Q?Gr=C3=BC=C3=9Fe.txt?="`, "Grüße.txt"},
	{`text/plain; name==?utf-8?B?R3LDvMOfZS50eHQ=?=`, "Grüße.txt"},
	{"text/plain; name=\"Gr\xfc\xdfe.txt\"", "Grüße.txt"},
	{`text/plain; name="C:\Users\x\a.txt"`, `C:\Users\x\a.txt`},
	{`text/plain; name="say \"hi\".txt"`, `say "hi".txt`},
	{`text/plain;; name=x.txt;`, "x.txt"},
	{`text/plain; name=Invoice (3).pdf`, "Invoice (3).pdf"},
	{`text/plain`, ""},
}

func TestParams(t *testing.T) {
	for _, c := range paramCases {
		p := parseParams(c.in)
		if got := p.get("name", ""); got != c.want || p.value != "text/plain" {
			t.Errorf("%q gives %q %q, want %q", c.in, p.value, got, c.want)
		}
	}
}

func TestSafeName(t *testing.T) {
	for in, want := range map[string]string{
		"a.txt": "a.txt", "../../etc/passwd": "passwd", `C:\x\a.txt`: "a.txt", "con": "_con", "COM1.txt": "_COM1.txt", "a\x00b\n.txt": "ab .txt", "x?.txt": "x_.txt",
		"trailing. ": "trailing", "": "", "..": "", "invoice\u202Efdp.exe": "invoicefdp.exe", "報告①.pdf": "報告①.pdf",
	} {
		if got := safeName(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

var dateCases = []struct{ in, want string }{
	{"Tue, 6 Jan 2026 10:00:00 +0100", "2026-01-06T10:00:00+01:00"},
	{"6 Jan 2026 10:00 GMT", "2026-01-06T10:00:00Z"},
	{"Tue, 06 Jan 26 10:00:00 EST", "2026-01-06T10:00:00-05:00"},
	{"Tue Jan  6 10:00:00 2026", "2026-01-06T10:00:00Z"},
	{"Tue Jan  6 10:00:00 JST 2026", "2026-01-06T10:00:00+09:00"},
	{"Tue, 6 Jan 2026 10:00:00 +0900 (JST)", "2026-01-06T10:00:00+09:00"},
	{"2026-01-06T10:00:00Z", "2026-01-06T10:00:00Z"},
	{"2026-01-06 10:00:00.123 +09:00", "2026-01-06T10:00:00+09:00"},
	{"Tuesday, January 6, 2026 3:05 PM", "2026-01-06T15:05:00Z"},
	{"1/6/2026 12:05:00 AM", "2026-01-06T00:05:00Z"},
	{"13/06/2026 10:00", "2026-06-13T10:00:00Z"},
	{"06.01.2026 10:00", "2026-01-06T10:00:00Z"},
	{"Tue, 6 Jan 2026 10.00.05 +0100", "2026-01-06T10:00:05+01:00"},
	{"Tue, 06-Jan-2026 10:00:00 UTC", "2026-01-06T10:00:00Z"},
	{"Sat, 01 Jan 100 00:00:00 -0000", "2000-01-01T00:00:00Z"},
	{"Fri, 5 May 1995 01:02:03 GMT+0200", "1995-05-05T01:02:03+02:00"},
	{"20260106", "2026-01-06T00:00:00Z"},
	{"yesterday", ""},
	{"", ""},
	{"Tue, 32 Foo 2026", ""},
}

func TestParseDate(t *testing.T) {
	for _, c := range dateCases {
		d, ok := parseDate(c.in)
		got := ""
		if ok {
			got = d.Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%q gives %q, want %q", c.in, got, c.want)
		}
	}
}

func TestLocalDates(t *testing.T) {
	for in, want := range map[string]string{
		"Dienstag, 6. Januar 2026 10:00": "2026-01-06T10:00", "mardi 6 janvier 2026 10:00": "2026-01-06T10:00", "martes, 6 de enero de 2026 10:00": "2026-01-06T10:00",
		"terça-feira, 6 de janeiro de 2026 10:00": "2026-01-06T10:00", "martedì 6 gennaio 2026 10:00": "2026-01-06T10:00", "dinsdag 6 maart 2026 10:00": "2026-03-06T10:00",
		"den 6 maj 2026 10:00": "2026-05-06T10:00", "6. lokakuuta 2026 klo 17.50": "2026-10-06T17:50", "6 stycznia 2026 10:00": "2026-01-06T10:00", "6. října 2026 10:00": "2026-10-06T10:00",
		"6 января 2026 г., 10:00": "2026-01-06T10:00", "6 січня 2026 р. 10:00": "2026-01-06T10:00", "6 Ocak 2026 Salı 10:00": "2026-01-06T10:00",
		"2026年1月6日 10:00": "2026-01-06T10:00", "2026年1月6日 星期二 下午3:05": "2026-01-06T15:05", "2026년 1월 6일 (화) 오후 3:05": "2026-01-06T15:05", "2026/01/06 (火) 10:00": "2026-01-06T10:00",
	} {
		if got := blockDate(in).Format("2006-01-02T15:04"); got != want {
			t.Errorf("%q gives %s, want %s", in, got, want)
		}
	}
}

func TestParseMessageIDs(t *testing.T) {
	for in, want := range map[string][]string{
		"<a@b>":                        {"a@b"},
		"<a@b> <c@d>":                  {"a@b", "c@d"},
		"<a@b>(comment)<c@d":           {"a@b", "c@d"},
		"Your message of Monday <a@b>": {"a@b"},
		"a@b, c@d":                     {"a@b", "c@d"},
		"<a@\r\n b>":                   {"a@b"},
		"<<a@b>>":                      {"a@b"},
		"nothing here":                 nil,
	} {
		if got := parseMessageIDs(in); !slices.Equal(got, want) {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}
