package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// exampleKey is a commented line `# key = value` of helpdesk.toml.example.
type exampleKey struct {
	line  int // index into the lines
	block int // index of the commented [table] it stands below, 0 when in a table that is in force
}

var commentedKey = regexp.MustCompile(`^(\s*)# (\s*[a-z_]+ = \S.*)$`)
var commentedTable = regexp.MustCompile(`^(\s*)# (\s*\[+[a-z_.]+\]+)$`)

// readExample finds the commented keys and the commented blocks (from a
// `# [table]` to the next line that is neither key nor table).
func readExample(t *testing.T) (lines []string, keys []exampleKey, blocks []int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "helpdesk.toml.example"))
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(string(b), "\n")
	block := 0
	for i, line := range lines {
		switch {
		case commentedTable.MatchString(line):
			if block == 0 {
				blocks = append(blocks, i)
				block = i
			}
		case commentedKey.MatchString(line):
			keys = append(keys, exampleKey{i, block})
		default:
			block = 0
		}
	}
	return lines, keys, blocks
}

func uncomment(line string) string {
	if m := commentedTable.FindStringSubmatch(line); m != nil {
		return m[1] + m[2]
	}
	return commentedKey.ReplaceAllString(line, "$1$2")
}

func TestExampleLoads(t *testing.T) {
	lines, _, _ := readExample(t)
	c, faults := loadText(t, t.TempDir(), strings.Join(lines, "\n"))
	if c == nil || len(faults) > 0 {
		t.Fatalf("the example has faults: %v", printedAll(faults))
	}
}

// Each commented key stands at its default: taking the # away changes nothing.
func TestExampleStatesTheDefaults(t *testing.T) {
	lines, keys, _ := readExample(t)
	dir := t.TempDir()
	want, _ := loadText(t, dir, strings.Join(lines, "\n"))
	defaults := 0
	for _, k := range keys {
		if k.block > 0 {
			continue
		}
		defaults++
		changed := append([]string{}, lines...)
		changed[k.line] = uncomment(lines[k.line])
		if runtime.GOOS == "windows" && strings.HasPrefix(changed[k.line], "data_dir") {
			continue // another default, named above the line
		}
		got, faults := loadText(t, dir, strings.Join(changed, "\n"))
		if got == nil || len(faults) > 0 {
			t.Errorf("line %d: %s: %v", k.line+1, changed[k.line], printedAll(faults))
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("line %d does not state the default: %s", k.line+1, lines[k.line])
		}
	}
	if defaults < 85 {
		t.Errorf("only %d commented defaults found", defaults)
	}
}

// The commented blocks are examples, not defaults. Taken into use they load,
// or are refused as not available yet, which the remark above them says.
func TestExampleBlocks(t *testing.T) {
	lines, _, blocks := readExample(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "mailserver.pem"), string(certificate(t)), 0o600)
	write(t, filepath.Join(dir, "office.p12"), keyFiles(t)["good.p12"], 0o600)
	write(t, filepath.Join(dir, "office.txt"), "changeit\n", 0o600)
	write(t, filepath.Join(dir, "client-secret.txt"), "secret\n", 0o600)
	for _, start := range blocks {
		changed := append([]string{}, lines...)
		for i := start; commentedTable.MatchString(lines[i]) || commentedKey.MatchString(lines[i]); i++ {
			changed[i] = uncomment(lines[i])
		}
		if strings.HasSuffix(lines[start], ".oauth]") { // the table takes the place of the password
			last := start
			for !strings.HasPrefix(strings.TrimSpace(lines[last]), "password = ") {
				last--
			}
			changed[last] = ""
		}
		remark := lines[start-1] + lines[start-2]
		_, faults := loadText(t, dir, strings.Join(changed, "\n"))
		later := strings.Contains(remark, "not available yet")
		if later != (len(faults) == 1 && faults[0].Code == "not-yet") || !later && len(faults) > 0 {
			t.Errorf("line %d %s: %v", start+1, lines[start], printedAll(faults))
		}
	}
	if len(blocks) < 7 {
		t.Errorf("only %d commented blocks found", len(blocks))
	}
}

// Every key of Config is in the example, commented or not.
func TestExampleNamesEveryKey(t *testing.T) {
	lines, keys, blocks := readExample(t)
	for _, k := range keys {
		lines[k.line] = uncomment(lines[k.line])
	}
	for _, start := range blocks {
		for i := start; i < len(lines) && strings.TrimSpace(lines[i]) != ""; i++ {
			lines[i] = uncomment(lines[i])
		}
	}
	// A password is set three times now, and so on: only the names count.
	named := map[string]bool{}
	for key := range locate(strings.Join(lines, "\n")) {
		named[plain(key)] = true
	}
	for _, key := range allKeys(reflect.TypeFor[Config](), "") {
		if strings.HasPrefix(key, "desk.relay.") { // takes every key of [relay], and says so
			key = strings.TrimPrefix(key, "desk.")
		}
		if rest, ok := strings.CutPrefix(key, "desk.mailbox.oauth."); ok { // likewise
			key = "relay.oauth." + rest
		}
		if !named[key] {
			t.Errorf("helpdesk.toml.example does not name %s", key)
		}
	}
}

// A key that is tagged `later` must be said to be so where the example names it.
func TestExampleSaysWhatIsNotAvailable(t *testing.T) {
	for _, key := range allKeys(reflect.TypeFor[Config](), "") {
		if !laterKey(key) || strings.HasPrefix(key, "desk.relay") {
			continue
		}
		lines, _, _ := readExample(t)
		name := key[strings.LastIndexByte(key, '.')+1:]
		said := false
		for i, line := range lines {
			if !regexp.MustCompile(`^\s*# \s*(\[+[a-z_.]*\b` + name + `\]+|` + name + ` = .*)$`).MatchString(line) {
				continue
			}
			for j := i; j >= 0 && (strings.HasPrefix(strings.TrimSpace(lines[j]), "#")); j-- {
				said = said || strings.Contains(lines[j], "available yet")
			}
		}
		if !said {
			t.Errorf("the example does not say that %s is not available yet", key)
		}
	}
}

func laterKey(key string) bool {
	t := reflect.TypeFor[Config]()
	for name := range strings.SplitSeq(key, ".") {
		f, ok := fieldsOf(reflect.New(t).Elem())[name]
		if !ok {
			return false
		}
		if f.later {
			return true
		}
		if t = f.Type(); t.Kind() == reflect.Slice {
			t = t.Elem()
		}
	}
	return false
}

func allKeys(t reflect.Type, path string) []string {
	var keys []string
	fields := fieldsOf(reflect.New(t).Elem())
	for _, name := range sortedKeys(fields) {
		inner := fields[name].Type()
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		keys = append(keys, join(path, name))
		if inner.Kind() == reflect.Struct {
			keys = append(keys, allKeys(inner, join(path, name))...)
		}
	}
	return keys
}

func printedAll(faults []Fault) string {
	var b strings.Builder
	for i := range faults {
		fmt.Fprintln(&b, faults[i].Text(English))
	}
	return b.String()
}

// The default of each key that is not built yet is what the decoder compares
// with; setting it to that value is allowed, to any other refused.
func TestLaterKeysAreRefused(t *testing.T) {
	n := 0
	for _, key := range allKeys(reflect.TypeFor[Config](), "") {
		if !laterKey(key) || laterKey(key[:max(0, strings.LastIndexByte(key, '.'))]) {
			continue
		}
		n++
		tree := map[string]any{}
		if _, err := toml.Decode(valid, &tree); err != nil {
			t.Fatal(err)
		}
		d := decoder{lines: map[string]int{}, lost: map[string]bool{}}
		setOther(t, tree, strings.Split(key, "."), reflect.TypeFor[Config]())
		d.table("", tree, Default())
		if len(d.faults) != 1 || d.faults[0].Code != "not-yet" || plain(d.faults[0].Key) != key {
			t.Errorf("%s: %v", key, printedAll(d.faults))
		}
	}
	if n < 2 {
		t.Errorf("only %d keys are tagged", n)
	}
}

// setOther sets the key in tree to something that is not its default.
func setOther(t *testing.T, tree map[string]any, path []string, typ reflect.Type) {
	t.Helper()
	f := fieldsOf(reflect.New(typ).Elem())[path[0]]
	inner, array := f.Type(), f.Kind() == reflect.Slice
	if array {
		inner = inner.Elem()
	}
	if len(path) > 1 {
		next, ok := tree[path[0]].(map[string]any)
		if list, isList := tree[path[0]].([]map[string]any); isList {
			next, ok = list[0], true
		}
		if !ok {
			next = map[string]any{}
			tree[path[0]] = next
		}
		setOther(t, next, path[1:], inner)
		return
	}
	switch {
	case array && inner.Kind() == reflect.Struct:
		tree[path[0]] = []map[string]any{{"name": "x"}}
	case array:
		tree[path[0]] = []any{"x"}
	case inner.Kind() == reflect.Struct:
		tree[path[0]] = map[string]any{"templates": "x"}
	case inner.Kind() == reflect.Bool:
		tree[path[0]] = false // the only one has the default true
	default:
		tree[path[0]] = "x"
	}
}
