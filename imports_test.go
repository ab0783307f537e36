package main_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const modulePath = "helpdesk"

// allowed is the table of which package may import which of ours; a package
// that is not in it is forbidden. "" is the module's root.
var allowed = map[string][]string{
	"":               {"daemon/command"},
	"mail":           {},
	"mail/provider":  {},
	"mail/connect":   {"mail"},
	"mail/loopback":  {"mail"},
	"mail/benchmark": {"mail"}, // a module of its own, see there
	"store":          {"mail"},
	"mail/diagnose":  {"mail", "mail/provider"},
	"daemon/config":  {"mail", "mail/provider"},
	"mail/fetch":     {"mail", "mail/connect"},
	"mail/send":      {"mail", "mail/connect"},
	"daemon/desk":    {"mail", "store"},
	"daemon/control": {"mail", "store"},
	"ui":             {"mail", "mail/provider", "mail/diagnose", "store"},
	"daemon": {"mail", "mail/provider", "mail/connect", "store", "mail/diagnose", "daemon/config",
		"mail/fetch", "mail/send", "daemon/desk", "daemon/control", "ui"},
	"daemon/command": {"mail", "mail/provider", "mail/connect", "mail/loopback", "store", "mail/diagnose", "daemon/config",
		"mail/fetch", "mail/send", "daemon/desk", "daemon/control", "ui", "daemon"},
}

func TestImportsFollowTheTable(t *testing.T) {
	faults, packages := importFaults(t, os.DirFS("."))
	for _, fault := range faults {
		t.Error(fault)
	}
	if packages == 0 {
		t.Error("no Go package was found below the module's root")
	}
}

// importFaults reads the imports of every Go file of the module, of any
// platform and build tag, and says which the table does not allow.
func importFaults(t *testing.T, module fs.FS) (faults []string, packages int) {
	t.Helper()
	seen := map[string]bool{}
	err := fs.WalkDir(module, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); file != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
				return fs.SkipDir // as the go command does
			}
			return nil
		}
		if path.Ext(file) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(module, file)
		if err != nil {
			return err
		}
		seen[path.Dir(file)] = true
		faults = append(faults, fileFaults(t, file, source)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return faults, len(seen)
}

func fileFaults(t *testing.T, file string, source []byte) (faults []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimPrefix(path.Dir(file), ".")
	may, known := allowed[dir]
	if !known {
		return []string{file + ": package " + dir + " is not in the table"}
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		ours, ok := strings.CutPrefix(imported, modulePath+"/")
		if !ok && imported != modulePath {
			continue
		}
		isTest := strings.HasSuffix(file, "_test.go")
		switch {
		case slices.Contains(may, ours):
		case isTest && (ours == "mail/loopback" || ours == dir): // dir: package x_test
		default:
			faults = append(faults, file+": "+dir+" must not import "+imported)
		}
	}
	return faults
}

func TestForbiddenImportsAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		file, imports string
		faults        int
	}{
		"allowed":                        {"mail/fetch/a.go", `"helpdesk/mail/connect"`, 0},
		"not ours":                       {"mail/a.go", `"helpdesk.example/store"`, 0},
		"upwards":                        {"mail/a.go", `"helpdesk/store"`, 1},
		"sideways":                       {"mail/fetch/a.go", `"helpdesk/mail/send"`, 1},
		"two, one of another platform":   {"store/a_windows.go", `"helpdesk/ui"; "helpdesk/daemon"`, 2},
		"renamed and blank":              {"ui/a.go", `d "helpdesk/daemon"; _ "helpdesk/daemon/desk"`, 2},
		"loopback in the program":        {"daemon/a.go", `"helpdesk/mail/loopback"`, 1},
		"loopback in a test":             {"daemon/a_test.go", `"helpdesk/mail/loopback"`, 0},
		"another one in a test":          {"store/a_test.go", `"helpdesk/ui"`, 1},
		"its own package in a test":      {"store/a_test.go", `"helpdesk/store"`, 0},
		"loopback in main":               {"main.go", `"helpdesk/mail/loopback"`, 1},
		"a room that nobody planned":     {"mail/util/a.go", `"strings"`, 1},
		"a subpackage of an allowed one": {"store/a.go", `"helpdesk/mail/header"`, 1},
		"test data":                      {"mail/testdata/a.go", `"helpdesk/store"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			module := fstest.MapFS{test.file: {Data: []byte("package p\nimport (" + test.imports + ")\n")}}
			if faults, _ := importFaults(t, module); len(faults) != test.faults {
				t.Errorf("%s importing %s: faults %q, want %d", test.file, test.imports, faults, test.faults)
			}
		})
	}
}
