package ui

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/store"
)

// Both languages have every phrase, with the same placeholders.
func TestWordsAreComplete(t *testing.T) {
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	japanese := regexp.MustCompile(`[ぁ-ヿ一-龠]`)
	same := []string{"list.comma", "frame.version", "entry.message-id", "time.unknown", "time.year", "request.copies"} // the same in both, or not in Japanese script
	for key, p := range phrases() {
		if p.En == "" || p.Ja == "" {
			t.Errorf("%s: a language is missing: %+v", key, p)
		}
		en, ja := placeholder.FindAllString(p.En, -1), placeholder.FindAllString(p.Ja, -1)
		slices.Sort(en)
		slices.Sort(ja)
		if one := strings.HasSuffix(key, ".one"); !slices.Equal(en, ja) || one && en != nil {
			t.Errorf("%s: placeholders %v and %v", key, en, ja)
		}
		if !slices.Contains(same, key) && (japanese.MatchString(p.En) || !japanese.MatchString(p.Ja)) {
			t.Errorf("%s: wrong language: %+v", key, p)
		}
		if strings.HasSuffix(key, ".one") != hasPhrase(strings.TrimSuffix(key, ".one")+".many") && strings.HasSuffix(key, ".one") {
			t.Errorf("%s has no plural", key)
		}
	}
}

func hasPhrase(key string) bool { _, ok := phrases()[key]; return ok }

// Every phrase that a template or the code asks for is there.
func TestWordsAskedForExist(t *testing.T) {
	used := regexp.MustCompile(`(?:\{\{-? ?|\()t "([a-z.-]+)"|[ (]t "([a-z.-]+)"|(?:count|Count) "([a-z.-]+)"`)
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range names {
		source, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range used.FindAllStringSubmatch(string(source), -1) {
			key := m[1] + m[2]
			if m[3] != "" {
				key = m[3] + ".many"
			}
			seen++
			if !hasPhrase(key) {
				t.Errorf("%s asks for %q", name, key)
			}
		}
	}
	if seen < 60 {
		t.Errorf("only %d phrases were found in the templates", seen)
	}
	// The commands use the same words.
	asked := regexp.MustCompile(`words\.Text\("([a-z.-]+[a-z])"`)
	sources, err := filepath.Glob("../daemon/command/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("the commands' sources: %v, %v", sources, err)
	}
	own, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(sources, own...) {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllSubmatch(source, -1) {
			if !hasPhrase(string(m[1])) {
				t.Errorf("%s asks for %q", name, m[1])
			}
		}
	}
	for _, slug := range outcomes() {
		if !hasPhrase("outcome." + slug) {
			t.Errorf("no words for outcome %s", slug)
		}
	}
	for _, slug := range []string{store.OutboxWaiting, store.OutboxSent, store.OutboxFailed, store.OutboxSuspended} {
		if !hasPhrase("outbox." + slug) {
			t.Errorf("no words for outbox state %s", slug)
		}
	}
	rules := append([]string{"first-start", "request", "too-large", "quarantined-broken", "quarantined-connection"}, passedByRequest...)
	for _, slug := range rules {
		if !hasPhrase("rule."+slug+".fits") || !hasPhrase("rule."+slug+".passed") {
			t.Errorf("no words for rule %s", slug)
		}
	}
}

func TestReason(t *testing.T) {
	e := store.Entry{Rule: "request", ReasonArgs: map[string]string{"no_answer": "cap-day", "forwarded_by": "aki@example.com", "outbox": "7", "status": ""}}
	want := []string{"A person writes about something new.", "Forwarded by aki@example.com", "No automatic answer was sent: this address already got as many automatic mails as may go to one address within a day."}
	if got := WordsIn("en").Reason(e); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := WordsIn("ja").Reason(e); len(got) != 3 || got[1] != "転送した人: aki@example.com" {
		t.Errorf("%q", got)
	}
	// A rule of a later version is shown as it is.
	if got := WordsIn("en").Reason(store.Entry{Rule: "moon-phase"}); !slices.Equal(got, []string{"moon-phase"}) {
		t.Errorf("%q", got)
	}
}

func TestWhen(t *testing.T) {
	zone := time.FixedZone("JST", 9*3600)
	now := time.Date(2026, 11, 21, 14, 32, 10, 0, zone)
	for _, tt := range []struct {
		t      time.Time
		en, ja string
	}{
		{time.Time{}, "–", "–"},
		{now, "just now", "たった今"},
		{now.Add(-59 * time.Second), "just now", "たった今"},
		{now.Add(-time.Minute), "1 minute ago", "1分前"},
		{now.Add(-59*time.Minute - 59*time.Second), "59 minutes ago", "59分前"},
		{now.Add(-time.Hour), "today 13:32", "今日 13:32"},
		{now.Add(30 * time.Second), "within a minute", "1分以内"},
		{now.Add(5 * time.Minute), "in 5 minutes", "5分後"},
		{now.Add(2 * time.Hour).UTC(), "today 16:32", "今日 16:32"},
		{now.Add(-15 * time.Hour).UTC(), "yesterday 23:32", "昨日 23:32"},
		{now.Add(10 * time.Hour), "22 Nov 00:32", "11月22日 00:32"},
		{time.Date(2026, 3, 5, 9, 7, 0, 0, zone), "5 Mar 09:07", "3月5日 09:07"},
		{time.Date(2025, 12, 31, 23, 0, 0, 0, zone), "31 Dec 2025 23:00", "2025年12月31日 23:00"},
	} {
		if en, ja := WordsIn("en").When(tt.t, now), WordsIn("ja").When(tt.t, now); en != tt.en || ja != tt.ja {
			t.Errorf("%v: %q %q, want %q %q", tt.t, en, ja, tt.en, tt.ja)
		}
	}
}

func TestNumbers(t *testing.T) {
	w := WordsIn("en")
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := w.Number(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 70015: "70 kB", 999_600: "1.0 MB", 52_428_800: "52 MB", 3_200_000_000: "3.2 GB"} {
		if got := w.Size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
