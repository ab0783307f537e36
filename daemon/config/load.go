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
		if f.Desk > 0 && !f.Warning {
			d := &c.Desks[f.Desk-1]
			d.Closed = append(d.Closed, f)
		}
	}
	return c, faults, nil
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

// Fill sets what follows from other keys and is not set: ports by security,
// languages and relays of desks. Load has done it; it is for a Config made in code.
func (c *Config) Fill() { c.fill(func(string) bool { return false }) }

func (c *Config) fill(set func(key string) bool) {
	fillPort(&c.Relay.Server, relayPort(c.Relay.Security), set("relay.port"))
	for i := range c.Desks {
		d := &c.Desks[i]
		if d.Language == "" && !set(deskKey(i, "language")) {
			d.Language = c.Language
		}
		fillPort(&d.Mailbox.Server, mailboxPort(d.Mailbox.Security), set(deskKey(i, "mailbox.port")))
		if d.OwnRelay {
			d.Relay.inherit(&c.Relay, func(key string) bool { return set(deskKey(i, "relay."+key)) })
			fillPort(&d.Relay.Server, relayPort(d.Relay.Security), set(deskKey(i, "relay.port")))
		} else {
			d.Relay = c.Relay
		}
	}
}

func fillPort(s *Server, port int, set bool) {
	if s.Port == 0 && !set {
		s.Port = port
	}
}

// relayPort is the usual port of mail submission (RFC 8314, RFC 6409) and relaying.
func relayPort(security string) int {
	switch security {
	case TLS:
		return 465
	case Plain:
		return 25
	}
	return 587
}

// mailboxPort is the usual port of IMAP (RFC 9051, RFC 8314).
func mailboxPort(security string) int {
	if security == TLS {
		return 993
	}
	return 143
}

// inherit completes a [desk.relay] from [relay]. With a host of its own it is
// another server: then nothing that belongs to the server is taken over, so
// that no password goes to a host it was not written for.
func (r *Relay) inherit(from *Relay, set func(key string) bool) {
	if !set("host") {
		own := r.Server
		r.Server = from.Server
		if set("port") || set("security") {
			r.Port = own.Port
		}
		keep(set, "security", &r.Security, own.Security)
		keep(set, "allow_plaintext", &r.AllowPlaintext, own.AllowPlaintext)
		keep(set, "auth", &r.Auth, own.Auth)
		keep(set, "trust", &r.Trust, own.Trust)
		if set("username") || set("password") || set("password_file") || set("password_env") {
			r.Password, r.PasswordFile, r.PasswordEnv = own.Password, own.PasswordFile, own.PasswordEnv
		}
		keep(set, "username", &r.Username, own.Username)
		if !set("anonymous") {
			r.Anonymous = from.Anonymous
		}
	}
	inherit(set, "enabled", &r.Enabled, from.Enabled)
	inherit(set, "helo", &r.Helo, from.Helo)
	inherit(set, "from", &r.From, from.From)
	inherit(set, "reply_to", &r.ReplyTo, from.ReplyTo)
	inherit(set, "max_per_minute", &r.MaxPerMinute, from.MaxPerMinute)
}

func keep[T any](set func(string) bool, key string, to *T, own T) {
	if set(key) {
		*to = own
	}
}

func inherit[T any](set func(string) bool, key string, to *T, from T) {
	if !set(key) {
		*to = from
	}
}

// absolute makes paths independent of the working directory: they are
// relative to the configuration file. A Windows service starts in System32.
func (c *Config) absolute(dir string) {
	c.DataDir = under(dir, c.DataDir)
	for i := range c.Trust {
		c.Trust[i].File = under(dir, c.Trust[i].File)
	}
	c.Relay.PasswordFile = under(dir, c.Relay.PasswordFile)
	for i := range c.Desks {
		d := &c.Desks[i]
		d.Relay.PasswordFile = under(dir, d.Relay.PasswordFile)
		d.Mailbox.PasswordFile = under(dir, d.Mailbox.PasswordFile)
	}
}

// readEnv keeps the passwords that are in the environment.
func (c *Config) readEnv(env Env) {
	for _, s := range c.servers() {
		if s.PasswordEnv != "" && env != nil {
			value, _ := env(s.PasswordEnv)
			s.FromEnv = Secret(value)
		}
	}
	for i := range c.Desks {
		if d := &c.Desks[i]; !d.OwnRelay {
			d.Relay.FromEnv = c.Relay.FromEnv
		}
	}
}

func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// checkModes warns of passwords that every user of the machine can read.
// Windows has no such modes; there the folder's access list decides.
func (l *loader) checkModes(c *Config, mode os.FileMode) {
	if runtime.GOOS == "windows" {
		return
	}
	inline := false
	for _, s := range c.servers() {
		inline = inline || s.Password != ""
		if s.PasswordFile == "" {
			continue
		}
		if info, err := os.Stat(s.PasswordFile); err == nil && info.Mode()&0o004 != 0 {
			l.faults = append(l.faults, Fault{Key: s.key + ".password_file", Desk: s.desk, Value: s.PasswordFile, Code: "readable-password", Warning: true})
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
		if c != nil && f.Desk > 0 && f.Desk <= len(c.Desks) {
			f.Name = c.Desks[f.Desk-1].Name
		}
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
