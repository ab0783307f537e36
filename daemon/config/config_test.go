package config

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
)

func TestUnits(t *testing.T) {
	day := 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "1m": time.Minute, "5m": 5 * time.Minute, "4h": 4 * time.Hour, "14d": 14 * day,
		"1h30m": 90 * time.Minute, " 2 h ": 2 * time.Hour, "0s": 0, "90D": 90 * day,
	} {
		if d, err := ParseDuration(s); err != nil || time.Duration(d) != want {
			t.Errorf("ParseDuration(%q) = %v, %v", s, time.Duration(d), err)
		}
	}
	for s, want := range map[string]int64{"500kB": 500 << 10, "50MB": 50 << 20, "1GB": 1 << 30, "50mb": 50 << 20, "1 MB": 1 << 20} {
		if n, err := ParseSize(s); err != nil || int64(n) != want {
			t.Errorf("ParseSize(%q) = %d, %v", s, n, err)
		}
	}
	for _, s := range []string{"", " ", "s", "-5s", "+5s", "1.5h", "5x", "5ms", "1e3s", "５分", "99999999999999999999s", "200000000000h", "5s5"} {
		if d, err := ParseDuration(s); err == nil {
			t.Errorf("ParseDuration(%q) = %v", s, time.Duration(d))
		}
	}
	for _, s := range []string{"", "MB", "-1MB", "1.5MB", "50M", "50MiB", "9999999999GB"} {
		if n, err := ParseSize(s); err == nil {
			t.Errorf("ParseSize(%q) = %d", s, n)
		}
	}
	if _, err := ParseSize("50"); !errors.Is(err, errNoUnit) {
		t.Errorf("a bare number: %v", err)
	}
}

// What String writes, the parser reads back as the same value.
func TestUnitsRoundTrip(t *testing.T) {
	for _, d := range []time.Duration{time.Second, 90 * time.Second, time.Minute, 36 * time.Hour, 14 * 24 * time.Hour} {
		if got, err := ParseDuration(Duration(d).String()); err != nil || time.Duration(got) != d {
			t.Errorf("%v: %s: %v %v", d, Duration(d), got, err)
		}
	}
	for _, n := range []Size{1 << 10, 1500 << 10, 50 << 20, 3 << 30} {
		if got, err := ParseSize(n.String()); err != nil || got != n {
			t.Errorf("%d: %s: %v %v", n, n, got, err)
		}
	}
	for v, want := range map[fmt.Stringer]string{Duration(14 * 24 * time.Hour): "14d", Duration(60e9): "1m", Size(50 << 20): "50MB", Size(5): "5 bytes", Duration(5e6): "5ms"} {
		if v.String() != want {
			t.Errorf("%s, want %s", v, want)
		}
	}
}

func TestUnitsNeverOverflow(t *testing.T) {
	for _, s := range []string{fmt.Sprint(int64(math.MaxInt64), "d"), "106751d24h", "106751d", "8589934591GB", "8589934592GB"} {
		d, _ := ParseDuration(s)
		n, _ := ParseSize(s)
		if d < 0 || n < 0 {
			t.Errorf("%s: %d %d", s, d, n)
		}
	}
}

func TestSecretNeverShows(t *testing.T) {
	c := Default()
	c.Relay.Password = "hunter2"
	c.Desks = []Desk{DefaultDesk()}
	c.Desks[0].Mailbox.Password = "hunter2"
	c.Desks[0].Mailbox.Proxy = "socks5://u:hunter2@proxy.example.com:1080"
	c.Desks[0].Mailbox.OAuth.SecretFromEnv = "hunter2"
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", c.Relay.Password)
		fmt.Fprintf(&b, verb+"\n", *c)
		fmt.Fprintf(&b, verb+"\n", c.Desks[0].Mailbox)
	}
	if err := json.NewEncoder(&b).Encode(c); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&b, nil))
	log.Info("x", "password", c.Relay.Password, "relay", c.Relay)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "password", c.Relay.Password, "relay", c.Relay)
	hexed := fmt.Sprintf("%x", "hunter2")
	if s := b.String(); strings.Contains(s, "hunter2") || strings.Contains(s, hexed) || !strings.Contains(s, "***") {
		t.Errorf("a password is shown:\n%s", s)
	}
	if string(c.Relay.Password) != "hunter2" {
		t.Error("the password is not there any more")
	}
	if s := fmt.Sprint(Secret("")); s != "" {
		t.Errorf("no password is shown as %q", s)
	}
}

// No sentence about a faulty line may quote a password.
func TestFaultsNeverShowPasswords(t *testing.T) {
	for _, line := range []string{`password = hunter2`, `password = "hunter2`, `password = "hun\ter2"`, `pasword = hunter2`, `password = "hunter2" x`,
		`password = ["hunter2"]`, `passwrd = "hunter2"`, `password = {a="hunter2"}`, `Password = 'hunter2''`, `client_secret = hunter2`, `client_secret = "hunter2"`, `client_secret = "hun\ter2"`,
		`proxy = http://u:hunter2@p.example.com:1`, `proxy = "http://u:hunter2@p.example.com`, `proxy = "https://u:hunter2@p.example.com:1"`, `proxy = ["http://u:hunter2@p.example.com:1"]`, `password = “hunter2”`, `password = hunter2 # x`, "password = [\n hunter2 ]"} {
		c, faults := loadText(t, t.TempDir(), strings.Replace(valid, `password = "x"`, line, 1))
		all := printedAll(faults)
		for _, f := range faults {
			j, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			all += string(j) + f.Text(Japanese)
		}
		if c != nil || strings.Contains(all, "hun") || strings.Contains(all, "'h'") {
			t.Errorf("%s gives\n%s", line, all)
		}
	}
}

func TestResolvePassword(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) Server {
		write(t, filepath.Join(dir, name), content, 0o600)
		return Server{PasswordFile: filepath.Join(dir, name)}
	}
	for _, test := range []struct {
		server Server
		want   string
		code   string
	}{
		{Server{Password: " as it is "}, " as it is ", ""},
		{file("lf", "秘密 word\n"), "秘密 word", ""},
		{file("crlf", "word\r\n"), "word", ""},
		{file("none", "word"), "word", ""},
		{file("spaces", " word \n"), " word ", ""},
		{file("bom", "\ufeffword\n"), "word", ""},
		{file("empty", ""), "", "password-file-empty"},
		{file("lines", "a\nb\n"), "", "password-file-odd"},
		{file("huge", strings.Repeat("x", 70000)), "", "password-file-odd"},
		{Server{PasswordFile: filepath.Join(dir, "missing")}, "", "file-missing"},
		{Server{PasswordFile: dir}, "", "password-file-odd"},
		{Server{PasswordEnv: "A", FromEnv: "from env"}, "from env", ""},
		{Server{PasswordEnv: "B"}, "", "password-env"},
	} {
		got, err := test.server.ResolvePassword()
		var f *Fault
		if errors.As(err, &f) {
			if f.Code != test.code || !strings.Contains(f.Text(English), test.server.PasswordFile+test.server.PasswordEnv) || f.Remedy(Japanese) == "" {
				t.Errorf("%+v: %s", test.server, f.Text(English))
			}
		} else if err != nil || test.code != "" {
			t.Errorf("%+v: %v", test.server, err)
		}
		if got != test.want {
			t.Errorf("%+v: wrong password %q", test.server, got)
		}
	}
}

func TestDefaultPorts(t *testing.T) {
	for _, test := range []struct {
		relay, mailbox string
		want           [2]int
	}{
		{"", "", [2]int{587, 993}},
		{`security = "tls"`, `security = "tls"`, [2]int{465, 993}},
		{`security = "starttls"`, `security = "starttls"`, [2]int{587, 143}},
		{"security = \"none\"\nallow_plaintext = true", "security = \"none\"\nallow_plaintext = true", [2]int{25, 143}},
		{"security = \"tls\"\nport = 2525", "port = 1143", [2]int{2525, 1143}},
	} {
		text := strings.Replace(valid, "host = \"smtp.example.com\"", "host = \"smtp.example.com\"\n"+test.relay, 1)
		text = strings.Replace(text, "host = \"imap.example.com\"", "host = \"imap.example.com\"\n"+test.mailbox, 1)
		c, faults := loadText(t, folder(t), text)
		if c == nil {
			t.Fatal(printedAll(faults))
		}
		if got := [2]int{c.Relay.Port, c.Desks[0].Mailbox.Port}; got != test.want || c.Desks[0].Relay.Port != test.want[0] {
			t.Errorf("%q %q: ports %v, want %v", test.relay, test.mailbox, got, test.want)
		}
	}
}

func TestLoadCompletes(t *testing.T) {
	dir := folder(t)
	text := strings.Replace(valid, `password = "x"`, `password_file = "pass"`, 1)
	text = strings.Replace(text, `language = "en"`, `language = "ja"`, 1)
	text = strings.Replace(text, `key = "SAL"`, "key = \"SAL\"\nlanguage = \"en\"", 1)
	c, faults := loadText(t, dir, text)
	if c == nil || len(faults) > 0 {
		t.Fatal(printedAll(faults))
	}
	if c.DataDir != filepath.Join(dir, "data") || c.Relay.PasswordFile != filepath.Join(dir, "pass") || c.Trust[0].File != filepath.Join(dir, "office.pem") {
		t.Errorf("paths are not relative to the file: %s %s %s", c.DataDir, c.Relay.PasswordFile, c.Trust[0].File)
	}
	if c.Desks[0].Language != Japanese || c.Desks[1].Language != English {
		t.Errorf("languages %q %q", c.Desks[0].Language, c.Desks[1].Language)
	}
	if d := c.Desks[0]; d.OwnRelay || d.Relay.Host != "smtp.example.com" || !d.PublicSignup || d.Mailbox.Folder != "INBOX" || len(d.Closed) > 0 {
		t.Errorf("desk %+v", d)
	}
	if got := c.Desks[0].Mailbox.Addr(); got != "imap.example.com:993" {
		t.Errorf("Addr %s", got)
	}
	if s := (Server{Host: "::1", Port: 143}); s.Addr() != "[::1]:143" {
		t.Errorf("Addr %s", s.Addr())
	}
}

func TestRelativeConfigPath(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "helpdesk.toml"), valid, 0o600)
	t.Chdir(dir)
	c, faults, err := Load("helpdesk.toml", testEnv())
	if err != nil || c == nil {
		t.Fatal(err, printedAll(faults))
	}
	if !filepath.IsAbs(c.DataDir) || filepath.Base(c.DataDir) != "data" {
		t.Errorf("data_dir %q", c.DataDir)
	}
}

// A fault of one desk closes that desk only; any other refuses the file.
func TestDeskFaultsCloseTheDesk(t *testing.T) {
	dir := folder(t)
	text := strings.Replace(valid, `username = "sales"`, "username = \"sales\"\npoll = \"1s\"\nport = 0", 1)
	c, faults := loadText(t, dir, text)
	if c == nil || len(faults) != 2 || Refused(faults) {
		t.Fatal(printedAll(faults))
	}
	if len(c.Desks[0].Closed) != 0 || len(c.Desks[1].Closed) != 2 || c.Desks[1].Closed[0].Name != "Sales" {
		t.Errorf("closed: %v, %v", c.Desks[0].Closed, c.Desks[1].Closed)
	}
	c, faults = loadText(t, dir, strings.Replace(text, `username = "support"`, `username = ""`, 1))
	if c != nil || !Refused(faults) {
		t.Errorf("a relay without user name is not refused: %v", printedAll(faults))
	}
	c, faults = loadText(t, dir, strings.Replace(valid, `agents = ["ben@example.com"]`, "", 1))
	if c == nil || len(faults) != 1 || len(c.Desks[1].Closed) != 0 {
		t.Errorf("a warning closes the desk: %v", printedAll(faults))
	}
}

func TestOwnRelay(t *testing.T) {
	common := strings.Replace(valid, "[relay]", "[relay]\nsecurity = \"tls\"\nhelo = \"desk.example.com\"\nmax_per_minute = 7\nfrom = \"all@example.com\"\ntrust = [\"office\"]", 1)
	for _, test := range []struct {
		own  string
		want Relay
	}{
		{`from = "Sales <s@example.com>"`, Relay{
			Server:  Server{Host: "smtp.example.com", Port: 465, Security: TLS, Username: "support", Password: "x", Auth: "auto", Trust: []string{"office"}},
			Enabled: true, Helo: "desk.example.com", MaxPerMinute: 7, From: "Sales <s@example.com>"}},
		{"security = \"starttls\"\nusername = \"sales\"\npassword_env = \"SET\"\nenabled = false", Relay{
			Server:  Server{Host: "smtp.example.com", Port: 587, Security: StartTLS, Username: "sales", PasswordEnv: "SET", FromEnv: "from-env", Auth: "auto", Trust: []string{"office"}},
			Enabled: false, Helo: "desk.example.com", MaxPerMinute: 7, From: "all@example.com"}},
		{"username = \"sales\"\npassword_file = \"pass\"", Relay{
			Server:  Server{Host: "smtp.example.com", Port: 465, Security: TLS, Username: "sales", PasswordFile: "DIR/pass", Auth: "auto", Trust: []string{"office"}},
			Enabled: true, Helo: "desk.example.com", MaxPerMinute: 7, From: "all@example.com"}},
		{"host = \"other.example.com\"\nanonymous = true", Relay{
			Server:  Server{Host: "other.example.com", Port: 587, Security: StartTLS, Auth: "auto"},
			Enabled: true, Anonymous: true, Helo: "desk.example.com", MaxPerMinute: 7, From: "all@example.com"}},
	} {
		dir := folder(t)
		c, faults := loadText(t, dir, common+"[desk.relay]\n"+test.own+"\n")
		if c == nil || len(faults) > 0 {
			t.Fatal(test.own, printedAll(faults))
		}
		d := c.Desks[1]
		test.want.PasswordFile = filepath.FromSlash(strings.Replace(test.want.PasswordFile, "DIR", filepath.ToSlash(dir), 1))
		if !d.OwnRelay || !reflect.DeepEqual(d.Relay, test.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", test.own, d.Relay, test.want)
		}
		if c.Desks[0].OwnRelay || c.Desks[0].Relay.From != "all@example.com" {
			t.Errorf("the other desk's relay: %+v", c.Desks[0].Relay)
		}
	}
}

// A password from the environment is there wherever the relay is used.
func TestPasswordFromTheEnvironment(t *testing.T) {
	text := strings.Replace(valid, `password = "x"`, `password_env = "SET"`, 1) + "[desk.relay]\nfrom = \"a@example.com\"\n"
	c, faults := loadText(t, folder(t), text)
	if c == nil || len(faults) > 0 {
		t.Fatal(printedAll(faults))
	}
	for _, r := range []*Relay{&c.Relay, &c.Desks[0].Relay, &c.Desks[1].Relay} {
		if p, err := r.ResolvePassword(); p != "from-env" || err != nil {
			t.Errorf("%q %v", p, err)
		}
	}
}

func TestSender(t *testing.T) {
	for _, test := range []struct {
		desk, relay string
		want        mail.Address
	}{
		{"", "", mail.Address{Name: "Support", Address: "support@example.com"}},
		{"", "all@example.com", mail.Address{Name: "Support", Address: "all@example.com"}},
		{"Help <help@example.com>", "all@example.com", mail.Address{Name: "Help", Address: "help@example.com"}},
		{`サポート <help@example.com>`, "", mail.Address{Name: "サポート", Address: "help@example.com"}},
	} {
		d := Desk{Name: "Support", Address: "support@example.com", From: test.desk, ReplyTo: test.desk, Relay: Relay{From: test.relay, ReplyTo: test.relay}}
		if got := d.Sender(); got != test.want {
			t.Errorf("%q %q: sender %+v", test.desk, test.relay, got)
		}
	}
	if got := (&Desk{Address: "a@b.example"}).ReplyAddress(); got != (mail.Address{}) {
		t.Errorf("reply address %+v", got)
	}
}

func TestReadableConfig(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := folder(t)
	path := filepath.Join(dir, "helpdesk.toml")
	for _, test := range []struct {
		text string
		mode os.FileMode
		want int
	}{
		{valid, 0o600, 0},
		{valid, 0o640, 0},
		{valid, 0o644, 1},
		{strings.ReplaceAll(valid, `password = "x"`, `password_file = "pass"`), 0o644, 0},
	} {
		write(t, path, test.text, test.mode)
		c, faults, err := Load(path, testEnv())
		if err != nil || c == nil || len(faults) != test.want {
			t.Fatal(test.mode, err, printedAll(faults))
		}
		if test.want > 0 && faults[0].Text(English) != path+`: warning: every user of this machine can read this file and the passwords in it. Allow it to helpdesk only, as with: chmod 600 "`+path+`"` {
			t.Error(faults[0].Text(English))
		}
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	var fault *Fault
	if _, _, err := Load(filepath.Join(dir, "none.toml"), nil); !errors.As(err, &fault) || fault.Code != "no-file" || !strings.Contains(err.Error(), "helpdesk.toml.example") {
		t.Errorf("a missing file: %v", err)
	}
	huge := filepath.Join(dir, "huge.toml")
	write(t, huge, strings.Repeat("#\n", maxFile), 0o600)
	if _, _, err := Load(huge, nil); err == nil {
		t.Error("a huge file was read")
	}
	c, faults := loadText(t, dir, "")
	if c != nil || len(faults) == 0 {
		t.Error("an empty file has no faults")
	}
}

func TestFileLanguage(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"language = \"ja\"\nx = \n": Japanese, " language='ja' # x\r\n[ui]": Japanese, "\ufefflanguage = \"ja\"": Japanese,
		"": English, "language = \"en\"": English, "# language = \"ja\"": English, "[[desk]]\nlanguage = \"ja\"": English, "x = 1\n[ui]\nlanguage = \"ja\"": English,
	} {
		path := filepath.Join(dir, "helpdesk.toml")
		write(t, path, text, 0o600)
		if got := FileLanguage(path); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
	if got := FileLanguage(filepath.Join(dir, "missing")); got != English {
		t.Errorf("no file: %s", got)
	}
}

func TestRoots(t *testing.T) {
	dir := folder(t)
	c := &Config{}
	if pool, err := c.Roots(nil); pool != nil || err != nil {
		t.Errorf("without [[trust]] the system's are meant: %v %v", pool, err)
	}
	c.Trust = []Trust{{Name: "office", File: filepath.Join(dir, "office.pem")}, {Name: "other", File: filepath.Join(dir, "missing.pem")}}
	only := x509.NewCertPool()
	b, err := os.ReadFile(c.Trust[0].File)
	if err != nil || !only.AppendCertsFromPEM(b) {
		t.Fatal("no certificate", err)
	}
	if pool, err := c.Roots([]string{"office"}); err != nil || !pool.Equal(only) {
		t.Errorf("one named: %v", err)
	}
	if _, err := c.Roots(nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("all of them: %v", err)
	}
	c.Trust = c.Trust[:1]
	both, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	both.AppendCertsFromPEM(b)
	if pool, err := c.Roots(nil); err != nil || !pool.Equal(both) {
		t.Errorf("all of them and the system's: %v", err)
	}
}

func TestPlausible(t *testing.T) {
	for s, want := range map[string]bool{
		"a@b": true, "a.b+c@example.com": true, "a..b.@docomo.ne.jp": true, "山田@例え.jp": true, "o'neil@example.com": true,
		"": false, "a": false, "@b": false, "a@": false, "a b@c": false, "a@b@c": false, "<a@b>": false, "a@b,c@d": false, "a＠b": false, "a@.b": false, "a@b.": false, "a\n@b": false,
	} {
		if plausible(s) != want {
			t.Errorf("plausible(%q) = %v", s, !want)
		}
	}
}

// Locate answers also where the file has faults, for the commands that say
// what is going on.
func TestLocateAnswersBesideFaults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "helpdesk.toml")
	for _, c := range []struct{ text, dataDir, language string }{
		{"data_dir = \"data\"\nlanguage = \"ja\"\n", filepath.Join(dir, "data"), Japanese},
		{"data_dir = \"data\"\ncolour = 1\n[relay]\nport = 99999\n[[desk]]\nname = 5\n", filepath.Join(dir, "data"), English},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if dataDir, language, err := Locate(path, os.LookupEnv); dataDir != c.dataDir || language != c.language || err != nil {
			t.Errorf("of\n%sLocate says %q, %q, %v", c.text, dataDir, language, err)
		}
	}
	var fault *Fault
	if _, _, err := Locate(path+".none", os.LookupEnv); !errors.As(err, &fault) || fault.Code != "no-file" {
		t.Errorf("of a missing file Locate says %v", err)
	}
}
