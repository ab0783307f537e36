package command

import (
	"os"
	"path/filepath"
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
		{`language = "ja"`, []string{"警告: ", "アーカイブ", "誤りはありません。窓口は 1 件", "Gmail にプログラムからログインするには", "\n  1. ", "返信先 (Reply-To): support@gmail.com"}},
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

// check says what each desk will do, and where each address comes from.
func TestCheckDescribesDesks(t *testing.T) {
	const text = `data_dir = "data"
LANGUAGE
relay = { host = "smtp.example.com", username = "a", password = "b", from = "Office <office@example.com>" }
agent = [{ name = "Aki", email = "aki@example.com" }]
[[desk]]
name = "Support"
key = "SUP"
address = "support@example.com"
aliases = ["info@example.com"]
agents = ["aki@example.com"]
public_signup = false
customer_domains = ["example.org"]
answer_unknown = true
allow = ["robot.example"]
block = ["spam@robot.example"]
auto_close = "7d"
remind = "4h"
hours = ["mon-fri 09:00-17:30"]
mailbox = { host = "imap.example.com", username = "support", password = "x", after = "move", backlog = "import", request_type = "Fault" }
notify = { resolved = false, customer_wrote = false }
[[desk.request_type]]
name = "Fault"
field = [{ name = "summary" }, { name = "description" }, { name = "Floor", visible = false }, { name = "Product", choices = ["Phone", "Printer"], default = "Phone" }]
[[desk]]
name = "Sales"
key = "SAL"
address = "sales@example.com"
from = "sales@example.com"
reply_to = "sales@example.com"
agents = ["aki@example.com"]
mode = "observe"
automatic = "keep"
relay = { enabled = false }
mailbox = { protocol = "pop3", host = "pop.example.com", username = "sales", password = "x" }
`
	for _, test := range []struct {
		language string
		want     []string
	}{
		{"", []string{
			"\nSupport (SUP)\n  Mode: live\n  Address: support@example.com, info@example.com\n", "Mailbox: support at imap.example.com:993 (IMAP), folder INBOX\n", "is moved to Helpdesk\n", "becomes requests, and nobody is written to\n",
			"Sender (From): Office <office@example.com> (from in [relay])\n", "Answers to (Reply-To): office@example.com (not set; answers go to the sender)\n    office@example.com is no address of this desk",
			"Who may write: customers whom you added, and everybody at example.org; mail of others is held, and they are told so once a week at most\n", "Always let in: robot.example\n", "Never let in: spam@robot.example\n",
			"Agents: Aki <aki@example.com>\n", "A mail becomes: Fault, with summary, description, Product (Phone/Printer) = Phone\n", "Resolved: after 7d without a word of the customer; a reply opens it again for 14d\n",
			"Agents are reminded: after 4h (mon-fri 09:00-17:30; this machine's time)\n", "Not sent: customer-wrote, resolved\n",
			"\nSales (SAL)\n  Mode: observe; the mailbox is only looked at", "Mailbox: sales at pop.example.com:995 (POP3)\n", "stays as it is\n", "Sender (From): Sales <sales@example.com> (from of the desk)\n", "Answers to (Reply-To): sales@example.com (reply_to of the desk)\n  Relay: switched off; nothing is sent\n",
			"Who may write: everybody\n", "Automatic mail: becomes a request without an answer\n", "A mail becomes: Email request, with summary, description, attachment\n",
		}},
		{`language = "ja"`, []string{"\nSupport(SUP)\n", "送信元 (From): Office <office@example.com> ([relay] の from)\n", "受け付ける相手: 登録済みのお客様と、次のドメイン: example.org。それ以外のメールは保留し、送信者に最大で週 1 回お知らせします\n",
			"メールボックス: pop.example.com:995 の sales(POP3)\n", "送信しない通知: customer-wrote, resolved\n", "observe(確認のみ。", "担当者への催促: 4h 後"}},
	} {
		code, out, errs := call(t, "check", "-c", writeConfig(t, strings.Replace(text, "LANGUAGE", test.language, 1)))
		if code != 0 || errs != "" {
			t.Fatalf("exit code %d: %s%s", code, out, errs)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%q is missing in:\n%s", want, out)
			}
		}
	}
}

// A fault in a desk's own texts is told with the file and line of the text.
func TestCheckTriesOwnTexts(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "received.en.txt"), []byte("We have it\n\nHello {{.Wrong}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := writeConfig(t, `data_dir = "data"
relay = { enabled = false }
agent = [{ name = "Aki", email = "aki@example.com" }]
[[desk]]
name = "Support"
key = "SUP"
address = "support@example.com"
agents = ["aki@example.com"]
mailbox = { host = "imap.example.com", username = "support", password = "x" }
notify = { templates = '`+dir+`' }
`)
	want := filepath.Join(dir, "received.en.txt") + `:3: desk "Support": `
	if code, out, errs := call(t, "check", "-c", path); code != exitConfig || !strings.Contains(out, want) || strings.Contains(out, "no faults") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}
