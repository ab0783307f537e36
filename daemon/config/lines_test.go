package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestLocate(t *testing.T) {
	text := "\ufeff# remark [x]\r\n" + // 1
		"a = 1 # b = 2\r\n" + // 2
		"c.d = \"# no [comment] \\\" \"\n" + // 3
		"e = '''\n[no]\nf = 1 '''' # end\n" + // 4-6
		"g = [ 1, # one\n 'two', { h = 3 },\n]\n" + // 7-9
		"[[desk]]\n\"name\" = \"\"\"\nx = \\\"\"\"\"\n" + // 10-12
		"[desk.mailbox]\nport=1\n" + // 13-14
		"  [[desk]]\n  mailbox . host = 'x' \n  inline = {x.y=[{z=1}],w=2}\n" + // 15-17
		"[[desk.type]]\n[[desk.type.field]]\nn=1\n[[desk.type.field]]\nn=2" // 18-22
	want := map[string]int{
		"a": 2, "c": 3, "c.d": 3, "e": 4, "g": 7, "g[1]": 7, "g[2]": 8, "g[3]": 8, "g[3].h": 8,
		"desk": 10, "desk[1]": 10, "desk[1].name": 11, "desk[1].mailbox": 13, "desk[1].mailbox.port": 14,
		"desk[2]": 15, "desk[2].mailbox": 16, "desk[2].mailbox.host": 16,
		"desk[2].inline": 17, "desk[2].inline.x": 17, "desk[2].inline.x.y": 17, "desk[2].inline.x.y[1]": 17, "desk[2].inline.x.y[1].z": 17, "desk[2].inline.w": 17,
		"desk[2].type": 18, "desk[2].type[1]": 18, "desk[2].type[1].field": 19, "desk[2].type[1].field[1]": 19, "desk[2].type[1].field[1].n": 20,
		"desk[2].type[1].field[2]": 21, "desk[2].type[1].field[2].n": 22,
	}
	if err := toml.Unmarshal([]byte(text), &map[string]any{}); err != nil {
		t.Fatal(err)
	}
	if got := locate(text); !maps.Equal(got, want) {
		for k, n := range got {
			if want[k] != n {
				t.Errorf("%s: line %d, want %d", k, n, want[k])
			}
		}
		for k, n := range want {
			if got[k] == 0 {
				t.Errorf("%s: not found, want line %d", k, n)
			}
		}
	}
}

// Whatever the library accepts is located: every key it reports has a line.
// And no text at all makes locate panic or hang.
func FuzzLocate(f *testing.F) {
	example, err := os.ReadFile(filepath.Join("..", "..", "helpdesk.toml.example"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add(valid)
	for _, s := range []string{"a=[[1],[{b=2}]]", "a.\"b c\"='x'", "\"\"=1", "[a]\n[a.b]\nc=1\n[[d]]", "a=\"\"\"\"\"\"\nb=''''''", "a={b={}}", "a=1979-05-27 07:32:00\nb=2", "a='''x''''' # y\nb=1", "a=[\n#]\n1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := locate(text)
		var tree map[string]any
		md, err := toml.Decode(text, &tree)
		if err != nil || strings.Contains(text, `\`) {
			return
		}
		found := map[string]bool{}
		for key, n := range lines {
			if n < 1 || n > strings.Count(text, "\n")+1 {
				t.Fatalf("%q: line %d", key, n)
			}
			found[plain(key)] = true
		}
		for _, key := range md.Keys() {
			if path := strings.Join(key, "."); !strings.ContainsAny(path, "[]") && !slices.Contains(key, "") && !found[path] {
				t.Fatalf("%q is not located, only %v", path, lines)
			}
		}
	})
}

// Any text gives faults, never a panic.
func FuzzLoad(f *testing.F) {
	f.Add(valid)
	for _, r := range faultRows() {
		head, tail, _ := strings.Cut(valid, r.after)
		f.Add(head + r.after + strings.Replace(tail, r.old, r.new, 1))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		l := &loader{path: "helpdesk.toml", env: testEnv(), lost: map[string]bool{}}
		c := l.load(text, dir)
		faults := l.located(c)
		if c == nil && len(faults) == 0 {
			t.Fatal("refused without a fault")
		}
		for i := range faults {
			if strings.TrimSpace(faults[i].Text(Japanese)) == "" {
				t.Fatal("a fault without words")
			}
		}
	})
}
