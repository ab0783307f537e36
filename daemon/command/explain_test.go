package command

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// callWith is call with words on standard input.
func callWith(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Execute(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// The keys are a promise to programs, the words to people.
func TestExplainAsJSON(t *testing.T) {
	code, out, errs := call(t, "explain", "--json", "--protocol", "imap", "--host", "imap.gmail.com", "NO [ALERT] Application-specific password required (Failure)")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	keys := make([]string, 0, len(got))
	for key := range got {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if want := "cause concerns links provider remedy retry server_text text title"; strings.Join(keys, " ") != want {
		t.Errorf("keys %v, want %s", keys, want)
	}
	for key, want := range map[string]string{
		"cause": "auth-app-password-required", "retry": "never", "concerns": "configuration", "provider": "gmail",
		"server_text": "NO [ALERT] Application-specific password required (Failure)",
	} {
		if got[key] != want {
			t.Errorf("%s: %v, want %s", key, got[key], want)
		}
	}
	if links, ok := got["links"].([]any); !ok || len(links) == 0 {
		t.Errorf("links: %v", got["links"])
	}
}

func TestExplainForPeople(t *testing.T) {
	for _, tt := range []struct {
		name, stdin string
		args        []string
		want        []string
	}{
		{"a POP3 server's words look like a flag", "", []string{"--protocol", "pop3", "-ERR authentication failed", "--host", "pop.gmx.net"},
			[]string{"Access by programs is switched off", "1. Sign in in a web browser", "does not help", "  -ERR authentication failed", "https://hilfe.gmx.net/"}},
		{"words without quotation marks", "", []string{"--protocol", "smtp", "554", "5.7.1", "Relay", "access", "denied"}, []string{"does not forward", "554 5.7.1 Relay access denied"}},
		{"standard input", "550-5.1.1 no such user\n550 5.1.1 sorry\n", nil, []string{"Recipient does not exist", "  550-5.1.1 no such user\n  550 5.1.1 sorry\n"}},
		{"standard input, asked for", "535 5.7.8 no", []string{"-"}, []string{"User name or password refused"}},
		{"unknown words are shown with the stage", "", []string{"--protocol", "imap", "--host", "mail.example.com", "a1 NO SELECT Wibble"},
			[]string{"Failed while opening the folder", "mail.example.com", "1. Read the server's own words", "  a1 NO SELECT Wibble"}},
		{"a host alone", "", []string{"--host", "mail.youtrack.cloud"}, []string{"belongs to another product", "mail.youtrack.cloud"}},
		{"Japanese", "", []string{"--lang", "ja", "Connection refused"}, []string{"接続が拒否されました", "1. ", "元の応答:"}},
		{"the port decides", "", []string{"--protocol", "smtp", "--port", "25", "connection timed out"}, []string{"Port 25 is blocked"}},
		{"the way of signing in decides", "", []string{"--protocol", "imap", "--host", "outlook.office365.com", "--auth", "oauth2", "NO AUTHENTICATE failed."},
			[]string{"did not accept the sign-in", "Full Access"}},
		{"the provider is named", "", []string{"--provider", "icloud", "--protocol", "imap", "NO use an app-specific password"}, []string{"account.apple.com"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := callWith(t, tt.stdin, append([]string{"explain"}, tt.args...)...)
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing in:\n%s", want, out)
				}
			}
		})
	}
}

// Control characters of a server do not reach the terminal.
func TestExplainKeepsTheTerminalClean(t *testing.T) {
	if _, out, _ := call(t, "explain", "NO \x1b]0;title\x07 failed"); strings.ContainsAny(out, "\x1b\x07") {
		t.Errorf("%q", out)
	}
}

func TestExplainInTheLanguageOfTheConfiguration(t *testing.T) {
	path := writeConfig(t, "language = \"ja\"\n")
	if code, out, _ := call(t, "explain", "-c", path, "Connection refused"); code != 0 || !strings.Contains(out, "接続が拒否されました") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestExplainWrongUse(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--protocol", "ftp", "x"}, {"--lang", "fr", "x"}, {"--auth", "kerberos", "x"}, {"--port", "0", "x"}, {"--port", "70000", "x"},
	} {
		if code, _, errs := call(t, append([]string{"explain"}, args...)...); code != exitUse || errs == "" {
			t.Errorf("%v: exit code %d, %q", args, code, errs)
		}
	}
}
