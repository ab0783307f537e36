package command

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/daemon/control"
	"helpdesk/mail/loopback"
	"helpdesk/ui"
)

// oauthConfig is a desk whose mailbox signs in at the authorization server.
func oauthConfig(t *testing.T, s *loopback.OAuth, language, more string) string {
	return writeConfig(t, fmt.Sprintf(`data_dir = "data"
language = %q
[ui]
listen = "127.0.0.1:0"
[relay]
host = "127.0.0.1"
port = 1
security = "none"
username = "support@mail.test"
password = "secret"
[[desk]]
name = "Support"
key = "SUP"
address = "support@mail.test"
  [desk.mailbox]
  host = "127.0.0.1"
  port = 1
  security = "none"
  username = "support@mail.test"
    [desk.mailbox.oauth]
    client_id = "helpdesk"
    auth_url = "%s/authorize"
    token_url = "%s/token"
    scopes = ["mail"]
    %s
`, language, s.URL, s.URL, more))
}

func newAuthorizer(t *testing.T, o loopback.OAuthOptions) *loopback.OAuth {
	t.Helper()
	s, err := loopback.NewOAuth(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SignIn("support@mail.test")
	return s
}

// reader reads what a command says and answers on its standard input.
type reader struct {
	mu     sync.Mutex
	said   bytes.Buffer
	answer func(said string) string // "" while there is nothing to answer
	typed  *io.PipeWriter
}

func (p *reader) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said.Write(b)
	if p.answer == nil {
		return len(b), nil
	}
	if text := p.answer(p.said.String()); text != "" {
		p.answer = nil
		go func() { io.WriteString(p.typed, text) }()
	}
	return len(b), nil
}

// callAs runs a command line that a person answers.
func callAs(t *testing.T, answer func(said string) string, args ...string) (code int, said, errs string) {
	t.Helper()
	in, typed := io.Pipe()
	defer typed.Close()
	p := &reader{answer: answer, typed: typed}
	var stderr bytes.Buffer
	code = Execute(t.Context(), args, in, p, &stderr)
	p.mu.Lock()
	defer p.mu.Unlock()
	return code, p.said.String(), stderr.String()
}

// tokenOf is an access token of the desk's mailbox, as `helpdesk test` gets it.
func tokenOf(t *testing.T, path string) (token string, running bool) {
	t.Helper()
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil || config.Refused(faults) {
		t.Fatal(err, faults)
	}
	tokens, err := daemon.OpenTokens(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	if tokens.For(&c.Relay.Server) != nil {
		t.Error("a relay with a password has a token")
	}
	token, err = tokens.For(&c.Desks[0].Mailbox.Server)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token, tokens.Running()
}

var linkOnScreen = regexp.MustCompile(`http://127\.0\.0\.1:\d+/authorize\?\S+`)

func TestAuthorizeByDevice(t *testing.T) {
	s := newAuthorizer(t, loopback.OAuthOptions{Interval: time.Second})
	path := oauthConfig(t, s, "ja", `device_url = "`+s.URL+`/device"`)
	code, said, errs := callAs(t, func(said string) string {
		if m := regexp.MustCompile(`(?m)^   ([A-Z2-7]{8})$`).FindStringSubmatch(said); m != nil {
			s.Approve(m[1], "support@mail.test")
			return "\n"
		}
		return ""
	}, "authorize", "support", "-c", path)
	if code != 0 || !strings.Contains(said, "完了しました") || !strings.Contains(said, "helpdesk test SUP") || strings.Contains(said, "設定のユーザー名は") {
		t.Fatalf("%d\n%s\n%s", code, said, errs)
	}
	if token, running := tokenOf(t, path); token == "" || running {
		t.Errorf("%q, running %v", token, running)
	}
	if strings.Contains(said+errs, "access-") || strings.Contains(said+errs, "refresh-") {
		t.Errorf("a token is shown:\n%s%s", said, errs)
	}
}

func TestAuthorizeByPaste(t *testing.T) {
	s := newAuthorizer(t, loopback.OAuthOptions{})
	path := oauthConfig(t, s, "en", "")
	s.SignIn("boss@mail.test")
	answered := 0
	paste := func(said string) string {
		link := linkOnScreen.FindString(said)
		if link == "" || !strings.HasSuffix(said, "> ") {
			return ""
		}
		answered++
		if lock, err := control.AcquireLock(filepath.Join(filepath.Dir(path), "data")); err != nil {
			t.Errorf("the service cannot be started while a person signs in: %v", err)
		} else if err := lock.Release(); err != nil {
			t.Error(err)
		}
		return "nonsense\nhttp://localhost/?code=x&state=earlier\n" + redirectOf(t, link) + "\n"
	}
	code, said, errs := callAs(t, paste, "authorize", "SUP", "--paste", "-c", path)
	if code != 0 || !strings.Contains(said, "That is not the address") || !strings.Contains(said, "Done.") || !strings.Contains(said, "You signed in as boss@mail.test") {
		t.Fatalf("%d\n%s\n%s", code, said, errs)
	}
	s.SignIn("")
	code, said, errs = callAs(t, paste, "authorize", "SUP", "--paste", "-c", path)
	if code != exitServer || !strings.Contains(errs, "the user refused") || !strings.Contains(errs, "1. ") {
		t.Errorf("refused: %d\n%s\n%s", code, said, errs)
	}
	if answered != 2 {
		t.Errorf("%d answers", answered)
	}
	if code, _, errs := call(t, "authorize", "SUP", "--paste", "-c", path); code != exitFailed || !strings.Contains(errs, "No address was pasted") {
		t.Errorf("without an answer: %d %s", code, errs)
	}
}

// redirectOf follows the link up to the address that the answer goes to.
func redirectOf(t *testing.T, link string) string {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(link)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer r.Body.Close()
	return r.Header.Get("Location")
}

// In a browser on this computer, with a daemon running, which has the token then.
func TestAuthorizeByBrowser(t *testing.T) {
	s := newAuthorizer(t, loopback.OAuthOptions{})
	path := oauthConfig(t, s, "en", "")
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil || config.Refused(faults) {
		t.Fatal(err, faults)
	}
	ready := runDaemon(t, c)
	<-ready
	var said bytes.Buffer
	a := &authorizing{env: &env{stdin: strings.NewReader(""), stdout: &said, stderr: &said}, words: ui.WordsIn("en")}
	if a.account, err = daemon.OAuthAccountNamed(c, "SUP"); err != nil {
		t.Fatal(err)
	}
	var browser sync.WaitGroup
	a.browse = func(link string) {
		browser.Go(func() {
			answer := redirectOf(t, link)
			for address, want := range map[string]int{
				strings.Replace(answer, "state=", "state=x", 1):      http.StatusBadRequest, // somebody else's
				answer[:strings.Index(answer, "?")] + "/favicon.ico": http.StatusBadRequest,
			} {
				if got := visit(t, address); got != want {
					t.Errorf("%s: %d", address, got)
				}
			}
			if got := visit(t, answer); got != http.StatusOK {
				t.Errorf("the answer: %d", got)
			}
		})
	}
	err = a.run(t.Context(), c, a.way(true))
	browser.Wait()
	if err != nil || !strings.Contains(said.String(), "Done.") {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if token, running := tokenOf(t, path); token == "" || !running {
		t.Errorf("%q, running %v", token, running)
	}
	for desktop, want := range map[bool]string{true: ui.WayBrowser, false: wayPaste} {
		if got := a.way(desktop); got != want {
			t.Errorf("desktop %v: %s", desktop, got)
		}
	}
}

func visit(t *testing.T, address string) int {
	r, err := http.Get(address)
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

// runDaemon runs a daemon until the test ends.
func runDaemon(t *testing.T, c *config.Config) <-chan daemon.Info {
	t.Helper()
	ready, ended := make(chan daemon.Info, 1), make(chan error, 1)
	go func() {
		ended <- daemon.Run(t.Context(), daemon.Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler), Ready: func(i daemon.Info) { ready <- i }})
	}()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	})
	return ready
}

// Where the app has a permission of its own, authorize sees whether it works.
func TestAuthorizeApp(t *testing.T) {
	s := newAuthorizer(t, loopback.OAuthOptions{ClientSecret: "app-secret"})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("app-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := oauthConfig(t, s, "en", "flow = \"app\"\n    client_secret_file = '"+secret+"'")
	if code, said, errs := call(t, "authorize", "SUP", "-c", path); code != 0 || !strings.Contains(said, "no person has to sign in") {
		t.Errorf("%d\n%s\n%s", code, said, errs)
	}
	s.Refuse(401, "invalid_client", "AADSTS7000222: The provided client secret keys are expired.")
	s.Revoke(true)
	if err := os.RemoveAll(filepath.Join(filepath.Dir(path), "data")); err != nil {
		t.Fatal(err)
	}
	if code, said, errs := call(t, "authorize", "SUP", "-c", path); code != exitServer || !strings.Contains(errs, "AADSTS7000222") || strings.Contains(said+errs, "app-secret") {
		t.Errorf("%d\n%s\n%s", code, said, errs)
	}
}

func TestAuthorizeWrongUse(t *testing.T) {
	s := newAuthorizer(t, loopback.OAuthOptions{})
	path := oauthConfig(t, s, "en", "")
	for _, args := range [][]string{{}, {"NONE"}, {"relay"}, {"SUP.relay"}, {"SUP", "--device", "--paste"}} {
		if code, _, errs := call(t, append(append([]string{"authorize"}, args...), "-c", path)...); code != exitUse || errs == "" {
			t.Errorf("%v: %d %q", args, code, errs)
		}
	}
	if code, _, errs := call(t, "authorize", "SUP", "--device", "-c", path); code != exitServer || !strings.Contains(errs, "device_url") {
		t.Errorf("no device flow: %d %s", code, errs)
	}
}

func TestOnDesktop(t *testing.T) {
	for _, tt := range []struct {
		goos, variable string
		want           bool
	}{
		{"linux", "", false}, {"linux", "DISPLAY", true}, {"linux", "WAYLAND_DISPLAY", true}, {"windows", "", true}, {"windows", "SSH_CONNECTION", false}, {"darwin", "", true},
	} {
		lookup := func(name string) (string, bool) {
			if name == tt.variable {
				return "x", true
			}
			return "", false
		}
		if got := onDesktop(tt.goos, lookup); got != tt.want {
			t.Errorf("%s with %q: %v", tt.goos, tt.variable, got)
		}
	}
}
