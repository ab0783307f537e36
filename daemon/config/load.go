package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// maxFile bounds the configuration file, in bytes.
const maxFile = 4 << 20

// loader is one reading of a configuration file.
type loader struct {
	path   string // as the caller wrote it; names the file in faults
	env    Env
	lines  map[string]int  // line of each key that the file sets, see locate
	lost   map[string]bool // names of keys and tables that another fault is about, see explained
	faults []Fault
}

// Load reads path. The error says that the file could not be read at all.
// Otherwise it returns all faults and warnings by line; the Config is nil when
// one of them refuses the file (see Refused), and complete when there are only
// warnings and faults of single desks, which are then in their Closed.
func Load(path string, env Env) (*Config, []Fault, error) {
	text, mode, err := readFile(path)
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	l := &loader{path: path, env: env, lost: map[string]bool{}}
	c := l.load(text, dir)
	if c != nil {
		l.checkModes(c, mode)
	}
	faults := l.located(c)
	if c == nil || Refused(faults) {
		return nil, faults, nil
	}
	for _, f := range faults {
		switch {
		case f.Warning:
			c.Warnings = append(c.Warnings, f)
		case f.Desk > 0:
			d := &c.Desks[f.Desk-1]
			d.Closed = append(d.Closed, f)
		}
	}
	now := time.Now()
	l.faults = append(append(l.faults, c.Forecast(now)...), c.secrets(now)...)
	return c, l.located(c), nil
}

// Locate reads only where the data is and in which language people read, for
// commands that ask what is going on: a fault elsewhere in the file must not
// keep them from the answer.
func Locate(path string, env Env) (dataDir, language string, err error) {
	text, _, err := readFile(path)
	if err != nil {
		return "", "", unreadable(path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return "", "", unreadable(path, err)
	}
	l := &loader{path: path, env: env, lost: map[string]bool{}}
	c := l.load(text, dir)
	if c == nil || c.DataDir == "" {
		return "", "", fmt.Errorf("reading the configuration: %s has faults that hide where the data is; name them all with: helpdesk check", path)
	}
	return c.DataDir, FileLanguage(path), nil
}

// unreadable says that there is no configuration to read, and what to do.
func unreadable(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &Fault{Value: path, Code: "no-file"}
	}
	return fmt.Errorf("reading the configuration: %w", err)
}

// FileLanguage is the language that the file at path asks for, English when
// it says nothing. It works also where Load gives no Config, so that people
// read about their faults in their own language.
func FileLanguage(path string) string {
	text, _, err := readFile(path)
	if err != nil {
		return English // Load says why it cannot be read
	}
	top, _, _ := strings.Cut("\n"+strings.TrimPrefix(text, "\ufeff"), "\n[")
	if regexp.MustCompile(`\n\s*language\s*=\s*["']ja["']`).MatchString(top) {
		return Japanese
	}
	return English
}

func readFile(path string) (string, os.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", 0, err
	}
	if len(b) > maxFile {
		return "", 0, errors.New("it is larger than 4 MB, so it is not a configuration file")
	}
	return string(b), info.Mode(), nil
}

// load returns nil when the file's structure could not be read.
func (l *loader) load(text, dir string) *Config {
	tree, text := l.parse(text)
	if tree == nil {
		return nil
	}
	l.lines = locate(text)
	c := Default()
	d := decoder{lines: l.lines, lost: l.lost}
	d.table("", tree, c)
	l.faults = append(l.faults, d.faults...)
	for i := range c.Desks {
		c.Desks[i].OwnRelay = l.lines[deskKey(i, "relay")] > 0
	}
	c.fill(func(key string) bool { return l.lines[key] > 0 })
	c.absolute(dir)
	c.readEnv(l.env)

	// A key that could not be decoded keeps its default: it is not judged twice.
	bad := map[string]bool{}
	for _, f := range d.faults {
		bad[f.Key] = true
	}
	for _, f := range validate(c) {
		if bad[f.Key] || l.explained(f) || l.inherited(f) {
			continue
		}
		l.faults = append(l.faults, f)
	}
	return c
}

// explained says that f misses what another fault is already about: a key on a
// broken line or with a slip in its name.
func (l *loader) explained(f Fault) bool {
	if !f.missing() {
		return false
	}
	for name := range l.lost {
		if f.Code == "missing-password" && strings.HasPrefix(name, "password") || slices.Contains(strings.Split(plain(f.Key), "."), name) {
			return true
		}
	}
	return false
}

// inherited says that a fault of a [desk.relay] was told at [relay], where the value stands.
func (l *loader) inherited(f Fault) bool {
	_, key, found := strings.Cut(f.Key, "].relay.")
	return found && l.lines[f.Key] == 0 && slices.ContainsFunc(l.faults, func(told Fault) bool {
		return told.Key == "relay."+key && told.Code == f.Code
	})
}

// checkModes warns of passwords that every user of the machine can read.
// Windows has no such modes; there the folder's access list decides.
func (l *loader) checkModes(c *Config, mode os.FileMode) {
	if runtime.GOOS == "windows" {
		return
	}
	inline := false
	private := func(key, path string) {
		if info, err := os.Stat(path); path != "" && err == nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 {
			l.faults = append(l.faults, newFault(key, path, "readable-password"))
			l.faults[len(l.faults)-1].Warning = true
		}
	}
	for _, s := range c.servers() {
		inline = inline || s.Password != "" || strings.Contains(string(s.Proxy), "@")
		private(s.key+".password_file", s.PasswordFile)
		private(s.key+".oauth.client_secret_file", s.OAuth.ClientSecretFile)
		private(s.key+".oauth.service_account_file", s.OAuth.ServiceAccountFile)
	}
	for i, k := range c.Keys {
		key := fmt.Sprintf("key[%d]", i+1)
		private(key+".password_file", k.PasswordFile)
		if h, err := k.read(); k.PasswordFile == "" && err == nil && len(h.pairs) > 0 { // not locked
			private(key+".file", k.File)
		}
	}
	if inline && mode&0o004 != 0 {
		l.faults = append(l.faults, Fault{Code: "readable-config", Warning: true, Args: map[string]string{"file": l.path}})
	}
}

// located gives each fault its file, line and desk's name, and sorts by line.
func (l *loader) located(c *Config) []Fault {
	for i := range l.faults {
		f := &l.faults[i]
		f.File = l.path
		if f.Line == 0 {
			f.Line = nearestLine(l.lines, f.Key)
		}
	}
	if c != nil {
		c.nameDesks(l.faults)
	}
	slices.SortStableFunc(l.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	return l.faults
}

// nearestLine is the line of key, or of the table it is missing from.
func nearestLine(lines map[string]int, key string) int {
	for key != "" {
		if n := lines[key]; n > 0 {
			return n
		}
		cut := strings.LastIndexAny(key, ".[")
		if cut < 0 {
			return 0
		}
		key = key[:cut]
	}
	return 0
}

func deskKey(i int, key string) string { return fmt.Sprintf("desk[%d].%s", i+1, key) }
