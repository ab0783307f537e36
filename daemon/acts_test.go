package daemon

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/store"
	"helpdesk/ui"
)

// Every act says what it did, and where it could not what would be right.
func TestActs(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "public_signup = false")
	held := n.take(n.letter(taro, "Printer"), "")
	broken := n.take(n.letter(taro, "Broken"), "boom")
	id := func(e store.Entry) []int64 { return []int64{e.ID} }
	for _, step := range []struct {
		act   ui.Act
		want  string
		names string // what the words name
	}{
		{ui.Act{Name: "fly"}, "!unknown", "fly"},
		{ui.Act{Name: ui.ActTake}, "!take-none", ""},
		{ui.Act{Name: ui.ActTake, IDs: []int64{4711}}, "!no-entry", "4711"},
		{ui.Act{Name: ui.ActAddCustomer, Address: "taro"}, "!bad-address", "taro"},
		{ui.Act{Name: ui.ActAddCustomer, Address: "taro@customer.test", Desk: "NO"}, "!no-desk", "SUP"},
		{ui.Act{Name: ui.ActNameCustomer, Address: "taro@customer.test", Title: "T"}, "!no-customer", "taro@customer.test"},
		{ui.Act{Name: ui.ActRemoveCustomer, Address: "taro@customer.test"}, "!no-customer", "taro@customer.test"},
		{ui.Act{Name: ui.ActMergeCustomer, Address: "taro@customer.test", Into: "TARO@customer.test"}, "!merge-same", ""},
		{ui.Act{Name: ui.ActReply, Key: "SUP-1", Text: "x"}, "!no-request", "SUP-1"},

		{ui.Act{Name: ui.ActAddCustomer, Address: "taro@customer.test", Desk: "sup", Title: "Taro Yamada"}, "customer-added-at held-taken", "SUP"},
		{ui.Act{Name: ui.ActTake, IDs: id(held)}, "!taken-before", "SUP-1"},
		{ui.Act{Name: ui.ActTake, IDs: id(broken)}, "taken-request", "SUP-2"},
		{ui.Act{Name: ui.ActNameCustomer, Address: "taro@customer.test", Title: "T"}, "customer-named", "T"},
		{ui.Act{Name: ui.ActNameCustomer, Address: "taro@customer.test"}, "customer-unnamed", ""},
		{ui.Act{Name: ui.ActImportCustomers, People: []ui.Customer{{Address: "jiro@customer.test", Name: "Jiro"}, {Address: "x"}}}, "customers-imported !bad-row", "2"},
		{ui.Act{Name: ui.ActMergeCustomer, Address: "jiro@customer.test", Into: "taro@customer.test"}, "customer-merged", "jiro@customer.test"},

		{ui.Act{Name: ui.ActReply, Key: "sup-1", Text: "x"}, "!which-agent", "Aki, Ben"},
		{ui.Act{Name: ui.ActReply, Key: "SUP-1", Text: "x", Agent: "Carl"}, "!no-agent", "Aki, Ben"},
		{ui.Act{Name: ui.ActReply, Key: "SUP-1", Agent: "aki"}, "!no-text", ""},
		{ui.Act{Name: ui.ActReply, Key: "SUP-1", Agent: "AKI@example.com"}, "!no-text", ""},
		{ui.Act{Name: ui.ActReply, Key: "SUP-1", Agent: "aki", Text: "Try again."}, "answered", "SUP-1"},
		{ui.Act{Name: ui.ActNote, Key: "SUP-1", Text: "Odd."}, "noted", "SUP-1"}, // the assignee, by now
		{ui.Act{Name: ui.ActResolve, Key: "SUP-1", Text: "It works."}, "answered resolved", "SUP-1"},
		{ui.Act{Name: ui.ActReopen, Key: "SUP-1"}, "reopened", "SUP-1"},

		{ui.Act{Name: ui.ActUnsuspend, Address: "taro@customer.test"}, "!not-suspended", "taro@customer.test"},
		{ui.Act{Name: ui.ActUnblock, Address: "taro@customer.test"}, "!not-blocked", "taro@customer.test"},
		{ui.Act{Name: ui.ActRetryOutbox, IDs: []int64{4711}}, "!outbox-not-retried", "1"},
		{ui.Act{Name: ui.ActDropOutbox, IDs: []int64{1, 4711}}, "outbox-dropped !outbox-not-dropped", "1"},
		{ui.Act{Name: ui.ActRetryOutbox, IDs: []int64{1}}, "outbox-retried", "1"},
		{ui.Act{Name: ui.ActObserved, Desk: "SUP", Choice: "take"}, "!observed-none", "SUP"},

		{ui.Act{Name: ui.ActForgetCustomer, Address: "aki@example.com"}, "!forget-ours", "aki@example.com"},
		{ui.Act{Name: ui.ActForgetCustomer, Address: "taro@customer.test"}, "customer-forgotten", "taro@customer.test"},
		{ui.Act{Name: ui.ActForgetCustomer, Address: "nobody@customer.test"}, "!no-customer", "nobody@customer.test"},
	} {
		answer := n.act(step.act)
		if got := slugs(answer); got != step.want {
			t.Errorf("%+v: %s, want %s", step.act, got, step.want)
			continue
		}
		for _, r := range answer.Done {
			for _, lang := range []string{"en", "ja"} {
				if words := ui.WordsIn(lang).Act(r); strings.ContainsAny(words, "{}") || strings.HasPrefix(words, "act.") {
					t.Errorf("%s says %q", r.Slug, words)
				}
			}
		}
		if words := ui.WordsIn("en").Act(answer.Done[len(answer.Done)-1]) + ui.WordsIn("en").Act(answer.Done[0]); !strings.Contains(words, step.names) {
			t.Errorf("%+v says %q and does not name %q", step.act, words, step.names)
		}
	}
	if len(n.lines(desk.EventAnswered)) != 0 {
		t.Error("answers to somebody who was forgotten are still in the outbox")
	}
}

// Every slug has words in both languages, those of the commands in package desk too.
func TestActWords(t *testing.T) {
	found := make(map[string]bool)
	for pattern, files := range map[string][]string{
		`\b(?:good|bad)\("([a-z-]+)"`:                                {"acts*.go"},
		`\.(?:done|cannot|checkState)\((?:store\.\w+, )?"([a-z-]+)"`: {"desk/*.go"},
		`Slug: "([a-z-]+)"`:                                          {"desk/*.go"},
	} {
		for _, glob := range files {
			names, err := filepath.Glob(glob)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if strings.HasSuffix(name, "_test.go") {
					continue
				}
				source, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
					found[m[1]] = true
				}
			}
		}
	}
	delete(found, "taken-")
	if len(found) < 50 {
		t.Errorf("only %d slugs were found: %v", len(found), slices.Sorted(maps.Keys(found)))
	}
	for slug := range found {
		if words := ui.WordsIn("en").Text("act." + slug); strings.HasPrefix(words, "act.") {
			t.Errorf("there are no words for %s", slug)
		}
	}
}

// With no daemon an act is done under the lock; with one, by it.
func TestDoAct(t *testing.T) {
	t.Parallel()
	n := newHouse(t, "", "public_signup = false")
	first := n.take(n.letter(taro, "Printer"), "")
	second := n.take(n.letter("Jiro <jiro@customer.test>", "Screen"), "")
	n.close()
	c := n.config()
	answer, err := DoAct(t.Context(), c, ui.Act{Name: ui.ActAddCustomer, Address: "taro@customer.test"})
	if err != nil || slugs(answer) != "customer-added held-taken not-running" {
		t.Fatalf("%s %v", slugs(answer), err)
	}
	n.open()
	if e := n.entry(first.ID); e.Outcome != desk.Request {
		t.Errorf("the held mail is %s", e.Outcome)
	}
	n.close()

	i := newInstallation(t)
	i.dir, i.moreDesk = n.dir, "public_signup = false"
	i.password("secret")
	i.worked()
	if c, _, err = config.Load(filepath.Join(i.dir, "helpdesk.toml"), os.LookupEnv); err != nil {
		t.Fatal(err)
	}
	answer, err = DoAct(t.Context(), c, ui.Act{Name: ui.ActAddCustomer, Address: "jiro@customer.test"})
	if err != nil || slugs(answer) != "customer-added held-taken" {
		t.Fatalf("by the daemon: %s %v", slugs(answer), err)
	}
	if e, err := i.info.Store.Entry(t.Context(), second.ID); err != nil || e.Outcome != desk.Request {
		t.Errorf("the held mail is %s %v", e.Outcome, err)
	}
}

// What an act leaves in data_dir belongs to the service.
func TestActsLeaveFilesToTheOwner(t *testing.T) {
	if os.Geteuid() != 0 && os.Getenv("CI") != "true" {
		t.Skip("only root can give files away")
	}
	n := newHouse(t, "", "")
	n.close()
	c := n.config()
	if err := os.RemoveAll(c.DataDir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(c.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(c.DataDir, 12345, 23456); err != nil {
		t.Fatal(err)
	}
	if _, err := DoAct(t.Context(), c, ui.Act{Name: ui.ActAddCustomer, Address: "taro@customer.test"}); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(c.DataDir, func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		files++
		info, err := f.Info()
		if err != nil {
			return err
		}
		if owner := fmt.Sprint(info.Sys()); !strings.Contains(owner, "12345 23456") {
			t.Errorf("%s belongs to somebody else: %s", path, owner)
		}
		return nil
	})
	if err != nil || files < 2 {
		t.Errorf("%d files, %v", files, err)
	}
}
