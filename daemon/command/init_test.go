package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"helpdesk/daemon/config"
	"helpdesk/mail/loopback"
	"helpdesk/mail/provider"
)

// TestInit: the way of a person who knows nothing but address and password.
func TestInit(t *testing.T) {
	o := newOffice(t)
	code, out, errs := o.init("en\nsupport@example.com\ny\nright\nAki Tanaka\naki@example.com, ben@example.com\n")
	if code != 0 {
		t.Fatalf("%d\n%s\n%s", code, out, errs)
	}
	o.contains(out, "Language", "customers write to", "usual names of example.com", "imap.example.com:993", "smtp.example.com:465",
		"Use these?", "Password of support@example.com", "Testing", "Your name", "Written: "+o.file(), "Next: helpdesk run")
	if strings.Contains(out, "right") {
		t.Errorf("the password is shown:\n%s", out)
	}
	c := o.loads()
	d := &c.Desks[0]
	if password, err := d.Mailbox.ResolvePassword(); password != "right" || err != nil {
		t.Errorf("password %q, %v", password, err)
	}
	if d.Mailbox.Addr() != "imap.example.com:993" || d.Mailbox.Security != config.TLS || c.Relay.Addr() != "smtp.example.com:465" || c.Relay.Security != config.TLS ||
		d.Mailbox.Username != "support@example.com" || d.Key != "SUP" || d.Name != "Support" || len(c.Trust) != 1 || c.Language != "en" {
		t.Errorf("%+v", d.Mailbox)
	}
	if len(c.Agents) != 2 || c.Agents[0] != (config.Agent{Name: "Aki Tanaka", Email: "aki@example.com"}) || c.Agents[1].Name != "Ben" || len(d.Agents) != 2 {
		t.Errorf("%+v %v", c.Agents, d.Agents)
	}
	if names := o.files(); !slices.Equal(names, []string{"helpdesk.toml", "sup-password.txt"}) {
		t.Errorf("files: %v", names)
	}
	if info, err := os.Stat(filepath.Join(o.dir, "sup-password.txt")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if n := o.servers.Counts(); n.IMAPLogins != 1 || n.SMTPLogins != 1 || n.Accepted != 0 {
		t.Errorf("%+v", n)
	}
}

// TestInitJapanese: the same in Japanese, with a wrong password first, and
// full-width letters where a person forgot to switch.
func TestInitJapanese(t *testing.T) {
	o := newOffice(t)
	t.Setenv("LC_ALL", "ja_JP.UTF-8")
	code, out, errs := o.init("\nｓｕｐｐｏｒｔ＠ｅｘａｍｐｌｅ．ｃｏｍ\nはい\nwrong\nx\nｐ\nright\n田中 アキ\nsupport@example.com\naki@example.com\n")
	if code != 0 {
		t.Fatalf("%d\n%s\n%s", code, out, errs)
	}
	o.contains(out, "窓口のメールアドレス", "探しています", "これを使いますか", "パスワード", "テストしています",
		"1. ", "自動で再試行することはありません", "どうしますか", "次のいずれか", "あなたの名前", "窓口のアドレスです", "書き込みました", "helpdesk run")
	if strings.Contains(out, "もう一度試す") || strings.Contains(out, "wrong") {
		t.Errorf("a refused password is offered again, or shown:\n%s", out)
	}
	c := o.loads()
	if c.Language != "ja" || c.Desks[0].Name != "サポート窓口" || c.Agents[0].Name != "田中 アキ" {
		t.Errorf("%+v", c.Agents)
	}
	if n := o.servers.Counts(); n.IMAPRefused != 1 || n.IMAPLogins != 1 || n.SMTPRefused != 0 {
		t.Errorf("a refused password was tried again: %+v", n)
	}
}

// TestInitScript: without questions, with servers named.
func TestInitScript(t *testing.T) {
	o := newOffice(t)
	password := filepath.Join(o.dir, "pw.txt")
	if err := os.WriteFile(password, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := []string{"support@example.com", "--yes", "--language", "en", "--imap", "imap.example.com:993", "--smtp", "smtp.example.com:465",
		"--password-file", password, "--agent", "Ben <ben@example.com>", "--agent", "aki@example.com", "--key", "HELP2"}
	code, out, errs := o.init("", script...)
	if code != 0 {
		t.Fatalf("%d\n%s\n%s", code, out, errs)
	}
	c := o.loads()
	if d := &c.Desks[0]; d.Key != "HELP2" || d.Mailbox.PasswordFile != password || c.Agents[0].Name != "Ben" || len(c.Agents) != 2 {
		t.Errorf("%+v", c.Desks[0])
	}
	if names := o.files(); !slices.Equal(names, []string{"helpdesk.toml", "pw.txt"}) {
		t.Errorf("files: %v", names)
	}
	// A file that is there is never overwritten, and nobody is asked before.
	before, err := os.ReadFile(o.file())
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs = o.init("", script...)
	after, err := os.ReadFile(o.file())
	if code != exitUse || !bytes.Equal(before, after) || err != nil || !strings.Contains(errs, "init -c") || strings.Contains(out, "imap") {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
}

// TestInitRefusals: what a script gets wrong, and that nothing is left behind.
func TestInitRefusals(t *testing.T) {
	servers := []string{"--imap", "imap.example.com:993", "--smtp", "smtp.example.com:465"}
	who := []string{"--agent", "aki@example.com"}
	for name, test := range map[string]struct {
		typed string
		args  []string
		code  int
		want  string // in either output
		files []string
	}{
		"guesses need eyes":     {"", append(who, "--password-file", "-"), exitUse, "only guessed", nil},
		"no password":           {"", append(slices.Clone(servers), who...), exitUse, "--password-file", nil},
		"no agent":              {"right\n", append(slices.Clone(servers), "--password-file", "-"), exitUse, "--name", nil},
		"an agent is the desk":  {"right\n", append(slices.Clone(servers), "--password-file", "-", "--agent", "Support@Example.com"), exitUse, "own address", nil},
		"a wrong password":      {"wrong\n", append(slices.Concat(servers, who), "--password-file", "-"), exitServer, "--keep", nil},
		"a wrong password kept": {"wrong\n", append(slices.Concat(servers, who), "--password-file", "-", "--keep"), exitServer, "helpdesk test", []string{"helpdesk.toml", "sup-password.txt"}},
		"an unknown server":     {"right\n", append(who, "--imap", "nobody.example.com:993", "--smtp", "smtp.example.com:465", "--password-file", "-"), exitServer, "nobody.example.com", nil},
		"no encryption":         {"", append(who, "--imap", "imap.example.com:143/none", "--smtp", "smtp.example.com:465", "--password-file", "-"), exitUse, "without encryption", nil},
		"no port":               {"", append(who, "--imap", "imap.example.com:99999", "--smtp", "smtp.example.com:465"), exitUse, "not understood", nil},
		"no such preset":        {"", append(who, "--preset", "gmial"), exitUse, "gmail", nil},
		"a bad key":             {"", append(slices.Concat(servers, who), "--key", "sup-1"), exitUse, "capital letters", nil},
		"a bad language":        {"", []string{"--language", "de"}, exitUse, "en, ja", nil},
		"OAuth of nobody":       {"", append(slices.Concat(servers, who), "--oauth"), exitUse, "--preset", nil},
		"no client ID":          {"", append(who, "--preset", "microsoft365"), exitUse, "--client-id", nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			code, out, errs := o.init(test.typed, append([]string{"support@example.com", "--yes"}, test.args...)...)
			if code != test.code || !strings.Contains(out+errs, test.want) {
				t.Errorf("%d\n%s\n%s", code, out, errs)
			}
			if names := o.files(); !slices.Equal(names, test.files) {
				t.Errorf("left behind: %v", names)
			}
			if n := o.servers.Counts(); n.IMAPRefused > 1 || n.SMTPRefused > 0 && test.files == nil {
				t.Errorf("%+v", n)
			}
		})
	}
}

// TestInitOtherServers: the person says no, and names servers; the relay takes
// another password.
func TestInitOtherServers(t *testing.T) {
	o := newOffice(t)
	other, err := loopback.Start(loopback.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	other.AddUser("support@example.com", "another")
	o.listen("relay.example.com:465", other.SMTP.String())
	code, out, errs := o.init("en\nsupport@example.com\nn\nwhat is this?\nimap.example.com\nrelay.example.com:465\nright\np\nanother\nAki\naki@example.com\n")
	if code != 0 {
		t.Fatalf("%d\n%s\n%s", code, out, errs)
	}
	c := o.loads()
	in, err := c.Desks[0].Mailbox.ResolvePassword()
	if err != nil {
		t.Fatal(err)
	}
	send, err := c.Relay.ResolvePassword()
	if err != nil || in != "right" || send != "another" || c.Relay.Host != "relay.example.com" {
		t.Errorf("%q %q %v", in, send, err)
	}
	if names := o.files(); !slices.Equal(names, []string{"helpdesk.toml", "sup-password.txt", "sup-relay-password.txt"}) {
		t.Errorf("files: %v", names)
	}
}

// TestInitDemands: what the provider asks for is said before the password.
func TestInitDemands(t *testing.T) {
	o := newOffice(t)
	o.mx = []*net.MX{{Host: "aspmx.l.google.com."}}
	code, out, _ := o.init("en\nsupport@example.com\ny\n\nabcd efgh ijkl mnop\nq\n")
	if code != exitServer || len(o.files()) > 0 {
		t.Errorf("%d, files %v", code, o.files())
	}
	o.contains(out, "goes to Google Workspace", "imap.gmail.com:993", "What Google Workspace asks for (as of 2026-", "1. ", "https://", "Press Enter", "Password of", "Nothing was written")
}

// TestInitOAuth: an application instead of a password, and authorize as the next step.
func TestInitOAuth(t *testing.T) {
	o := newOffice(t)
	o.listen("outlook.office365.com:993", o.servers.IMAP.String()) // its certificate is of another name
	o.ports["smtp.office365.com:587"] = o.servers.SMTP.String()
	o.mx = []*net.MX{{Host: "example-com.mail.protection.outlook.com."}}
	code, out, errs := o.init("en\nsupport@example.com\ny\n\n11111111-2222-3333-4444-555555555555\nexample.onmicrosoft.com\nw\nAki\naki@example.com\n")
	if code != exitServer {
		t.Fatalf("%d\n%s\n%s", code, out, errs)
	}
	o.contains(out, "Microsoft 365", "entra.microsoft.com", "client) ID", "What now?", "smtp.office365.com:587 answers", "Written")
	c := o.loads()
	d := &c.Desks[0].Mailbox
	if d.OAuth.ClientID == "" || d.OAuth.Tenant != "example.onmicrosoft.com" || d.Preset != "microsoft365" || c.Relay.OAuth.ClientID != d.OAuth.ClientID || d.Host != "outlook.office365.com" {
		t.Errorf("%+v", d)
	}
	if names := o.files(); !slices.Equal(names, []string{"helpdesk.toml"}) {
		t.Errorf("files: %v", names)
	}
}

// TestInitOAuthSecret: an application of Google's has a secret, which gets a file of its own.
func TestInitOAuthSecret(t *testing.T) {
	o := newOffice(t)
	o.listen("imap.gmail.com:993", o.servers.IMAP.String())
	o.ports["smtp.gmail.com:587"] = o.servers.SMTP.String()
	code, out, errs := o.init("en\nhelp@gmail.com\ny\n\n1234.apps.googleusercontent.com\nGOCSPX-secret\nw\nAki\naki@example.com\n", "--oauth")
	if code != exitServer {
		t.Fatalf("%d\n%s\n%s", code, out, errs)
	}
	o.contains(out, "Client secret", "Written")
	d := &o.loads().Desks[0].Mailbox
	secret, err := d.OAuth.ResolveSecret()
	if err != nil || string(secret) != "GOCSPX-secret" || d.OAuth.ClientID != "1234.apps.googleusercontent.com" || d.OAuth.Provider != "google" {
		t.Errorf("%q %v %+v", string(secret), err, d.OAuth)
	}
	if files := o.files(); len(files) != 2 {
		t.Errorf("files: %v", files)
	}
	if strings.Contains(out, "GOCSPX") {
		t.Error("the secret is shown")
	}
}

// TestInitInputEnds: each question's end is told with the flag that answers it.
func TestInitInputEnds(t *testing.T) {
	lines := strings.SplitAfter("en\nsupport@example.com\ny\nright\nAki\naki@example.com\n", "\n")
	for n := range len(lines) - 1 {
		o := newOffice(t)
		code, _, errs := o.init(strings.Join(lines[:n], ""))
		if code != exitUse || !strings.Contains(errs, "the input ended at the question") || len(o.files()) > 0 {
			t.Errorf("after %d lines: %d %s %v", n, code, errs, o.files())
		}
	}
}

// TestInitFile: with every remark made into a setting the files of both
// languages still load, and say the same.
func TestInitFile(t *testing.T) {
	setting := regexp.MustCompile(`(?m)^( *)# ([a-z_]+ = .*)$`)
	for _, pop3 := range []bool{false, true} {
		var bare []string
		for _, language := range []string{"en", "ja"} {
			dir := t.TempDir()
			i := &initer{path: filepath.Join(dir, "helpdesk.toml"), answers: answers{
				Language: language, Address: "support@example.com", DeskName: `Support "1" \ 窓口`, Key: "SUP", Preset: "gmail", POP3: pop3,
				In:     initServer{Endpoint: provider.Endpoint{Host: "imap.example.com", Port: 993, Security: "tls"}, Username: `OFFICE\support`, PasswordFile: "p.txt"},
				Out:    initServer{Endpoint: provider.Endpoint{Host: "smtp.example.com", Port: 465, Security: "tls"}, Username: "support", PasswordFile: "p.txt"},
				Agents: []config.Agent{{Name: "Aki", Email: "aki@example.com"}},
			}}
			text, err := i.file()
			if err != nil {
				t.Fatal(err)
			}
			bare = append(bare, regexp.MustCompile(`(?m)^ *#.*\n|language = .*\n`).ReplaceAllString(string(text), ""))
			if err := os.WriteFile(filepath.Join(dir, "p.txt"), []byte("x\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if n := len(setting.FindAll(text, -1)); n < 9 {
				t.Errorf("%s: only %d settings in remarks:\n%s", language, n, text)
			}
			for _, text := range [][]byte{text, setting.ReplaceAll(text, []byte("$1$2"))} {
				if err := os.WriteFile(i.path, text, 0o600); err != nil {
					t.Fatal(err)
				}
				c, faults, err := config.Load(i.path, os.LookupEnv)
				if err != nil || c == nil || len(c.Desks[0].Closed) > 0 {
					t.Errorf("%s, POP3 %v: %v %v\n%s", language, pop3, faults, err, text)
				} else if c.Desks[0].Name != `Support "1" \ 窓口` || c.Desks[0].Mailbox.Username != `OFFICE\support` || c.Admin != "aki@example.com" {
					t.Errorf("%q %q %q", c.Desks[0].Name, c.Desks[0].Mailbox.Username, c.Admin)
				}
			}
		}
		if strings.Join(strings.Fields(bare[0]), " ") != strings.Join(strings.Fields(bare[1]), " ") {
			t.Errorf("the languages differ:\n%s\n%s", bare[0], bare[1])
		}
	}
}

// TestInitNeverOverwrites: also a file that appears while questions are
// answered stays, and of ours nothing does.
func TestInitNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	i := &initer{e: &env{stdout: io.Discard}, path: filepath.Join(dir, "helpdesk.toml"), answers: answers{
		Language: "en", Address: "support@example.com", DeskName: "Support", Key: "SUP",
		In:     initServer{Endpoint: provider.Endpoint{Host: "imap.example.com", Port: 993, Security: "tls"}, Username: "support", password: "x"},
		Out:    initServer{Endpoint: provider.Endpoint{Host: "smtp.example.com", Port: 465, Security: "tls"}, Username: "support", password: "y"},
		Agents: []config.Agent{{Name: "Aki", Email: "aki@example.com"}},
	}}
	if err := os.WriteFile(i.path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := i.write(t.Context())
	text, readErr := os.ReadFile(i.path)
	if err == nil || string(text) != "mine" || readErr != nil {
		t.Errorf("%v %q %v", err, text, readErr)
	}
	if left, err := os.ReadDir(dir); len(left) != 1 || err != nil {
		t.Errorf("left behind: %v %v", left, err)
	}
	// A password file of someone else stays too: ours gets another name.
	if err := errors.Join(os.Remove(i.path), os.WriteFile(filepath.Join(dir, "sup-password.txt"), []byte("theirs"), 0o600)); err != nil {
		t.Fatal(err)
	}
	i.In.PasswordFile, i.Out.PasswordFile = "", ""
	if err := i.write(t.Context()); err != nil || i.In.PasswordFile != "sup-password-2.txt" || i.Out.PasswordFile != "sup-relay-password.txt" {
		t.Errorf("%v %q %q", err, i.In.PasswordFile, i.Out.PasswordFile)
	}
}

func TestInitWords(t *testing.T) {
	holes := regexp.MustCompile(`\{[a-z]+\}`)
	sorted := func(s string) []string { all := holes.FindAllString(s, -1); slices.Sort(all); return all }
	for key, p := range initPhrases() {
		if p.En == "" || p.Ja == "" || !slices.Equal(sorted(p.En), sorted(p.Ja)) {
			t.Errorf("%s: %q, %q", key, p.En, p.Ja)
		}
	}
	// Every key that the code names is there.
	files, err := filepath.Glob("init*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`(?:\b(?:say|text|wrong)\(|key: )"([a-z-]+)"`)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(source), -1) {
			if found++; initPhrases()[m[1]].En == "" && !strings.HasSuffix(m[1], "-") {
				t.Errorf("%s: no phrase %q", file, m[1])
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d phrases are named", found)
	}
}

func TestKeyOf(t *testing.T) {
	for local, want := range map[string]string{"support": "SUP", "info": "INF", "it": "IT", "it-help": "ITH", "1": "SUP", "窓口": "SUP", "x9": "SUP"} {
		if got := keyOf(local); got != want {
			t.Errorf("%q: %q", local, got)
		}
	}
}

// TestInitAppPassword: app passwords are shown in groups, and count without the spaces.
func TestInitAppPassword(t *testing.T) {
	for slug, want := range map[string]string{"gmail": "abcdefgh", "gmx": "abcd efgh"} {
		p, _ := provider.Named(slug)
		i := &initer{e: &env{stdin: strings.NewReader("abcd efgh\r\n"), stdout: io.Discard}, provider: &p}
		if err := i.askPassword(t.Context()); err != nil || string(i.In.password) != want || i.Out.password != i.In.password {
			t.Errorf("%s: %q %q %v", slug, string(i.In.password), string(i.Out.password), err)
		}
	}
}

// TestInitBrokenOff: Ctrl-C ends a question that waits for its answer.
func TestInitBrokenOff(t *testing.T) {
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	prompted := make(chan struct{})
	i := &initer{e: &env{stdin: r, stdout: writerFunc(func(p []byte) (int, error) { close(prompted); return len(p), nil })}}
	ended := make(chan error, 1)
	go func() {
		_, err := i.ask(ctx, question{key: "ask-name"})
		ended <- err
	}()
	<-prompted
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
