package command

import (
	"strings"
	"testing"
)

// check tells warnings, and what a provider wants to be done first; neither is
// a failure.
func TestCheckGivesAdvice(t *testing.T) {
	const text = `data_dir = "data"
LANGUAGE
[relay]
preset = "gmail"
username = "support@gmail.com"
password = "secret"
[[agent]]
name = "Aki"
email = "aki@example.com"
[[desk]]
name = "Support"
key = "SUP"
address = "support@gmail.com"
agents = ["aki@example.com"]
  [desk.mailbox]
  preset = "gmail"
  protocol = "pop3"
  username = "support@gmail.com"
  password = "secret"
`
	for _, test := range []struct {
		language string
		want     []string
	}{
		{"", []string{"warning: ", "archived mail", "no faults found, 1 desk", "Gmail lets a program in only after these steps", "\n  1. ", "\n  2. ", "https://myaccount.google.com/apppasswords"}},
		{`language = "ja"`, []string{"警告: ", "アーカイブ", "誤りはありません。窓口は 1 件", "Gmail にプログラムからログインするには", "\n  1. ", "返信先 support@gmail.com"}},
	} {
		path := writeConfig(t, strings.Replace(text, "LANGUAGE", test.language, 1))
		code, out, errs := call(t, "check", "-c", path)
		if code != 0 || errs != "" {
			t.Fatalf("exit code %d: %s%s", code, out, errs)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%q is missing in:\n%s", want, out)
			}
		}
		if strings.Count(out, "\n  1. ") != 1 || strings.Contains(out, "secret") {
			t.Errorf("the steps are there twice, or the password:\n%s", out)
		}
	}
}

// With OAuth2 no app password is needed, so none is asked for.
func TestCheckAsksForNoStepsWithOAuth(t *testing.T) {
	path := writeConfig(t, `data_dir = "data"
relay = { enabled = false }
agent = [{ name = "Aki", email = "aki@example.com" }]
[[desk]]
name = "Support"
key = "SUP"
address = "support@gmail.com"
agents = ["aki@example.com"]
mailbox = { preset = "gmail", username = "support@gmail.com", oauth = { token_url = "https://login.example.com/token", auth_url = "https://login.example.com/auth", client_id = "x" } }
`)
	if code, out, errs := call(t, "check", "-c", path); code != 0 || strings.Contains(out, "1. ") || strings.Contains(out, "warning") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}
