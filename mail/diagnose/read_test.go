package diagnose

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"helpdesk/mail"
)

// What is taken out of words: protocol, step, codes, server, and the words made legible.
func TestReadTakesOutCodes(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		hints      Hints
		want       mail.Error // without Err
		class      string
	}{
		{"IMAP with a tag", "a17 NO [AUTHENTICATIONFAILED] Wrong.", Hints{},
			mail.Error{Protocol: "imap", Step: "login", Code: "AUTHENTICATIONFAILED", Text: "a17 NO [AUTHENTICATIONFAILED] Wrong.", Temporary: true}, ""},
		{"an alert beside a reason", "NO [ALERT] [OVERQUOTA] full", Hints{Protocol: "imap"},
			mail.Error{Protocol: "imap", Code: "OVERQUOTA", Text: "NO [ALERT] [OVERQUOTA] full", Temporary: true}, ""},
		{"POP3", "-ERR [SYS/TEMP] no", Hints{}, mail.Error{Protocol: "pop3", Code: "SYS/TEMP", Text: "-ERR [SYS/TEMP] no", Temporary: true}, ""},
		{"SMTP in lines", "535-5.7.8 First\r\n535 5.7.8 Second", Hints{Host: "smtp.example.com", Port: "587"},
			mail.Error{Protocol: "smtp", Server: "smtp.example.com:587", Step: "login", Code: "535", Enhanced: "5.7.8", Text: "535-5.7.8 First\n535 5.7.8 Second"}, ""},
		{"Go's quotation", `454 "4.7.0 Not now\nCome back"`, Hints{}, mail.Error{Protocol: "smtp", Code: "454", Enhanced: "4.7.0", Text: "454 \"4.7.0 Not now\nCome back\"", Temporary: true}, ""},
		{"Python's bytes", `(550, b'5.1.1 gone\nreally')`, Hints{}, mail.Error{Protocol: "smtp", Step: "rcpt-to", Code: "550", Enhanced: "5.1.1", Text: "(550, b'5.1.1 gone\nreally')"}, ""},
		{"a number of messages is no code", "after 550 messages the line went", Hints{}, mail.Error{Text: "after 550 messages the line went", Temporary: true}, ""},
		{"neither a port nor a version", "connect to mx.example.com[192.0.2.5]:465: Exim 4.94.2 said nothing", Hints{},
			mail.Error{Server: "mx.example.com:465", Text: "connect to mx.example.com[192.0.2.5]:465: Exim 4.94.2 said nothing", Temporary: true}, ""},
		{"OAuth2 as JSON", `{"error":"invalid_grant","error_codes":[70008]}`, Hints{}, mail.Error{Protocol: "oauth", Step: "token", Code: "invalid_grant", Text: `{"error":"invalid_grant","error_codes":[70008]}`, Temporary: true}, ""},
		{"OAuth2 in an address", "error=access_denied&error_description=Not+now%21", Hints{}, mail.Error{Protocol: "oauth", Step: "token", Code: "access_denied", Text: "error=access_denied&error_description=Not now!", Temporary: true}, ""},
		{"a refused dial of Go", "dial tcp 192.0.2.7:993: connect: connection refused", Hints{},
			mail.Error{Server: "192.0.2.7:993", Step: "dial", Text: "dial tcp 192.0.2.7:993: connect: connection refused", Temporary: true}, "refused"},
		{"not the name server", "dial tcp: lookup imap.example.com on 192.0.2.53:53: no such host", Hints{},
			mail.Error{Server: "imap.example.com", Step: "resolve", Text: "dial tcp: lookup imap.example.com on 192.0.2.53:53: no such host", Temporary: true}, "dns-not-found"},
		{"the far end", "read tcp 10.0.0.2:40001->[2001:db8::7]:993: i/o timeout", Hints{},
			mail.Error{Server: "[2001:db8::7]:993", Step: "", Text: "read tcp 10.0.0.2:40001->[2001:db8::7]:993: i/o timeout", Temporary: true}, "timeout"},
		{"host and port in one", "EOF", Hints{Host: "imap.example.com:143", Protocol: "net"}, mail.Error{Server: "imap.example.com:143", Text: "EOF", Temporary: true}, "reset"},
		{"nothing", "", Hints{Host: "h.example"}, mail.Error{Server: "h.example", Temporary: true}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := *Read(tt.text, tt.hints)
			class := ""
			if got.Err != nil {
				class, _ = classify(got.Err)
			}
			got.Err = nil
			if got != tt.want || class != tt.class {
				t.Errorf("got  %#v %q\nwant %#v %q", got, class, tt.want, tt.class)
			}
		})
	}
}

// Bytes without a label, as they arrive from QQ, 163 and old European servers,
// raw or printed with %q.
func TestReadForeignCharsets(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"GBK", "535 \xca\xda\xc8\xa8\xc2\xeb", "535 授权码"},
		{"GBK, escaped by Go, part of it UTF-8 by chance", `535 "\xc7\xebʹ\xd3\xc3"`, `535 "请使用"`},
		{"Shift_JIS", "550 \x83\x81\x81\x5b\x83\x8b\x82\xcc", "550 メールの"},
		{"EUC-JP", "550 \xa5\xe1\xa1\xbc\xa5\xeb\xa4\xce", "550 メールの"},
		{"Latin-1", "552 Bo\xeete pleine, d\xe9sol\xe9", "552 Boîte pleine, désolé"},
		{"JSON", `{"m":"\u8a8d\u8a3c"}`, `{"m":"認証"}`},
		{"HTML", "Anmeldung fehlgeschlagen: &quot;nein&quot;", `Anmeldung fehlgeschlagen: "nein"`},
		{"control characters", "NO\x00 \x1b[31mred", "NO   [31mred"},
	} {
		if got := Read(tt.text, Hints{}).Text; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The JSON inside of a refused OAuth2 sign-in is shown, an access token not.
func TestReadChallenge(t *testing.T) {
	words := `{"status":"400","scope":"mail"}`
	e := Read("+ "+base64.StdEncoding.EncodeToString([]byte(words)), Hints{Protocol: "imap"})
	if !strings.HasSuffix(e.Text, "\n"+words) {
		t.Errorf("%q", e.Text)
	}
	token := base64.StdEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`))
	if e := Read(token, Hints{}); strings.Contains(e.Text, "RS256") {
		t.Errorf("%q", e.Text)
	}
}

// People paste whole conversations; what the client said to sign in is struck out.
func TestReadStrikesOutSecrets(t *testing.T) {
	for _, text := range []string{
		"> AUTH PLAIN AHVzZXIAaHVudGVyMg==\n< 535 no",
		"a1 AUTHENTICATE PLAIN AHVzZXIAaHVudGVyMg==",
		"a2 LOGIN support@example.com hunter2hunter2\na2 NO no",
		"USER support\nPASS hunter2hunter2\n-ERR no",
		"grant_type=x&client_secret=hunter2hunter2&scope=y invalid_client",
		`{"refresh_token":"hunter2hunter2","error":"invalid_grant"}`,
		"Authorization: Bearer hunter2hunter2hunter2",
	} {
		e := Read(text, Hints{})
		d := Explain(e, "")
		for _, shown := range []string{e.Text, e.Error(), d.ServerText} {
			if strings.Contains(shown, "hunter2hunter2") || strings.Contains(shown, "AHVzZXIA") {
				t.Errorf("%q shows the secret: %q", text, shown)
			}
		}
	}
	if e := Read("AUTHENTICATE XOAUTH2 failed", Hints{}); e.Text != "AUTHENTICATE XOAUTH2 failed" {
		t.Errorf("struck out what is no secret: %q", e.Text)
	}
}

// A long text costs no more than the part that is looked at.
func TestReadIsBounded(t *testing.T) {
	for _, long := range []string{
		strings.Repeat("NO [", 1<<20), strings.Repeat(`\x`, 1<<20), strings.Repeat("eyJ", 1<<20), strings.Repeat("\xe8", 1<<20),
		strings.Repeat("550-", 1<<20), strings.Repeat("認", 1<<20), strings.Repeat("&quot;", 1<<20), strings.Repeat("a.", 1<<20),
	} {
		begun := time.Now()
		e := Read(long, Hints{})
		Explain(e, "")
		if len(e.Text) > 3*longest || !utf8.ValidString(e.Text) {
			t.Errorf("%.8q: %d bytes kept", long, len(e.Text))
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%.8q took %v", long, took)
		}
	}
}

// The reason stands first, last or in the middle of a trace.
func TestReadTraces(t *testing.T) {
	for _, tt := range []struct{ text, cause string }{
		{"Traceback (most recent call last):\n" + strings.Repeat("  File \"/usr/lib/python3/imaplib.py\", line 312, in open\n    self.sock = self._create_socket(timeout)\n", 200) +
			"ConnectionRefusedError: [Errno 111] Connection refused", "net-refused"},
		{"jakarta.mail.MessagingException: Exception\n" + strings.Repeat("\tat org.example.mail.Sender.send(Sender.java:312)\n", 100) +
			"Caused by: java.net.UnknownHostException: mail.example.com\n" + strings.Repeat("\tat java.base/java.net.Socket.connect(Socket.java:633)\n", 100) + "\t... 23 more", "dns-host-not-found"},
		{"Error: connect ECONNREFUSED 192.0.2.7:993\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1494:16) {\n  errno: -111\n}", "net-refused"},
	} {
		e := Read(tt.text, Hints{})
		if d := Explain(e, ""); d.Cause != tt.cause || len(e.Text) > longest+16 {
			t.Errorf("got %s, want %s: %d bytes, %.80q", d.Cause, tt.cause, len(e.Text), e.Text)
		}
	}
}

// The same words mean other things elsewhere.
func TestCircumstancesDecide(t *testing.T) {
	for _, tt := range []struct {
		text  string
		hints Hints
		cause string
	}{
		{"NO LOGIN failed.", Hints{Protocol: "imap", Host: "mail.example.com"}, "auth-bad-credentials"},
		{"NO LOGIN failed.", Hints{Protocol: "imap", Host: "outlook.office365.com"}, "basic-auth-disabled"},
		{"NO AUTHENTICATE failed.", Hints{Protocol: "imap", Host: "outlook.office365.com", Auth: "oauth2"}, "oauth-access-token-rejected"},
		{"NO AUTHENTICATE failed.", Hints{Protocol: "imap", Host: "outlook.office365.com", Auth: "password"}, "basic-auth-disabled"},
		{"NO AUTHENTICATE failed.", Hints{Protocol: "imap", Host: "mail.example.com"}, "auth-bad-credentials"},
		{"NO [AUTHENTICATIONFAILED] Invalid credentials", Hints{Protocol: "imap", Auth: "oauth2"}, "oauth-access-token-rejected"},
		{"NO [AUTHENTICATIONFAILED] Invalid credentials", Hints{Protocol: "imap", Auth: "password"}, "auth-bad-credentials"},
		{"-ERR authentication failed", Hints{Protocol: "pop3", Host: "pop.gmx.net"}, "protocol-disabled"},
		{"-ERR authentication failed", Hints{Protocol: "pop3", Host: "pop.example.com"}, "auth-bad-credentials"},
		{"connect: connection timed out", Hints{Protocol: "smtp", Port: "25"}, "port25-blocked"},
		{"connect: connection timed out", Hints{Protocol: "smtp", Port: "587"}, "net-timeout"},
		{"450 4.7.1 no", Hints{Protocol: "smtp", Host: "smtp.example.atlassian.net"}, "relay-of-other-product"},
	} {
		if d := Explain(Read(tt.text, tt.hints), ""); d.Cause != tt.cause {
			t.Errorf("%q with %+v: got %s, want %s", tt.text, tt.hints, d.Cause, tt.cause)
		}
	}
}

// What a server says with 4xx about one mail is tried again, though the cause
// as such is final; about the configuration it is not.
func TestNotYetIsTriedAgain(t *testing.T) {
	for text, want := range map[string]string{
		"550 5.7.26 no SPF": RetryNever, "421 4.7.26 no SPF": RetrySlow,
		"550 5.1.1 user unknown": RetryNever, "450 4.1.1 user unknown": RetrySlow,
		"538 5.7.11 TLS required": RetryNever, "421 4.7.0 TLS required": RetryNever,
	} {
		if d := Explain(Read(text, Hints{Protocol: "smtp"}), ""); d.Retry != want {
			t.Errorf("%s: %s %s, want %s", text, d.Cause, d.Retry, want)
		}
	}
}

// Host, preset or the server's own words tell the provider, and with it what
// to do. A relay that only quotes another server is asked only about itself.
func TestProviderDecidesTheWords(t *testing.T) {
	for _, tt := range []struct{ text, host, preset, provider, step, link string }{
		{"NO [ALERT] Application-specific password required", "imap.gmail.com", "", "gmail", "myaccount.google.com/apppasswords", "support.google.com"},
		{"534 5.7.9 Application-specific password required x - gsmtp", "", "", "gmail", "myaccount.google.com/apppasswords", "support.google.com"},
		{"NO [AUTHENTICATIONFAILED] use an app password", "mail.example.com", "yahoo", "yahoo", "login.yahoo.com", "help.yahoo.com"},
		{"NO [AUTHENTICATIONFAILED] use an app password", "mail.example.com", "", "", "security settings of the account", ""},
		{"550-5.7.26 no DKIM here - gsmtp", "smtp.example.com", "", "gmail", "SPF record", "support.google.com"},
		{"550-5.2.1 receiving mail at a rate that prevents more - gsmtp", "smtp.office365.com", "", "gmail", "Reach the customer", ""},
		{"550-5.7.26 no DKIM here - gsmtp", "smtp.office365.com", "", "microsoft365", "SPF record", "microsoft.com"},
		{"550 5.7.1 blocked: listed in our blocklist, see sender.office.com", "smtp.sendgrid.net", "", "sendgrid", "block", ""},
	} {
		d := Explain(Read(tt.text, Hints{Host: tt.host}), tt.preset)
		w := d.In("en")
		if all := strings.Join(append(w.Remedy, w.Title), "\n"); d.Provider != tt.provider || !strings.Contains(all, tt.step) {
			t.Errorf("%q at %q: provider %q, %s", tt.text, tt.host, d.Provider, all)
		}
		if links := strings.Join(d.Links, " "); !strings.Contains(links, tt.link) || tt.link == "" && links != "" {
			t.Errorf("%q at %q: links %q", tt.text, tt.host, links)
		}
	}
}

// Every number that Microsoft's sign-in is known to give has a cause, alone, in
// its sentence and in JSON.
func TestMicrosoftNumbers(t *testing.T) {
	for cause, numbers := range map[string]string{
		"auth-bad-credentials":        "50034 50056 50126 51004",
		"auth-account-locked":         "50053 50057",
		"auth-password-expired":       "50055 50135 50144",
		"auth-policy-blocked":         "50097 50131 53000 53001 53002 53003 53011 500021 530001 530002 530003 530032 530034 530035 530036 700003",
		"oauth-mfa-required":          "50058 50074 50076 50079 50140 50158 53004 500121",
		"oauth-token-expired":         "70008 500133 700082 700084",
		"oauth-grant-revoked":         "50132 50133 50173 54005 70000 70043 70044",
		"oauth-consent-missing":       "50105 65001 65004 65005 70016 70018 70020 90094 90095 500014 500011 501051 650051 650052 650053 650056 650057 7000112",
		"oauth-client-secret-expired": "700222 7000222",
		"oauth-client-invalid":        "50020 50059 50128 50194 70002 70011 90002 90014 90072 500113 500200 700005 700016 700024 700027 7000114 7000215 7000218",
		"server-temporary":            "90024 90033 50196",
	} {
		for number := range strings.FieldsSeq(numbers) {
			for _, text := range []string{
				"AADSTS" + number, "AADSTS" + number + ": Something that nobody knows. Trace ID: 1",
				`{"error":"invalid_grant","error_description":"AADSTS` + number + `: x","error_codes":[` + number + `]}`,
				`oauth2: "invalid_client" "AADSTS` + number + `: expired, revoked, denied"`,
			} {
				if d := Explain(Read(text, Hints{Protocol: "oauth"}), ""); d.Cause != cause {
					t.Errorf("%s: got %s, want %s", text, d.Cause, cause)
				} else if d.Provider != "microsoft365" && strings.Contains(text, "AADSTS") {
					t.Errorf("%s: provider %q", text, d.Provider)
				}
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, v := range variations(f) {
		f.Add(v.Text, v.Protocol, v.Host, v.Auth)
	}
	f.Add(`550 "5.7.1 \xe4\u00e4\U0001F600\q\`, "smtp", "[::1]:25", "oauth2")
	f.Add("+ eyJzdGF0dXMiOiI0MDAifQ==", "imap", "h", "")
	f.Fuzz(func(t *testing.T, text, protocol, host, auth string) {
		e := Read(text, Hints{Protocol: protocol, Host: host, Auth: auth})
		d := Explain(e, "")
		if !utf8.ValidString(e.Text) || d.In("ja").Title == "" {
			t.Fatalf("%+v %+v", e, d)
		}
		if again := ExplainStored(Record(e), ""); again.Cause != d.Cause {
			t.Fatalf("stored: %s, at once: %s", again.Cause, d.Cause)
		}
	})
}

// Rules look at text in lower case: a capital letter in one would never be met.
func TestRulesAreInLowerCase(t *testing.T) {
	for _, name := range []string{"rules.toml", "reading.toml"} {
		data, err := os.ReadFile(filepath.Clean(name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			text, ok := strings.CutPrefix(strings.TrimSpace(line), "text = ")
			if !ok {
				continue
			}
			text = regexp.MustCompile(`\\.`).ReplaceAllString(text, "")
			if text != strings.ToLower(text) {
				t.Errorf("%s: capital letters in %q", name, text)
			}
		}
	}
}
