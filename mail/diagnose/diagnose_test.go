package diagnose

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/mail/provider"
)

func imapLine(step, code, text string) mail.Error {
	return mail.Error{Protocol: "imap", Server: "mail.example.com:993", Step: step, Code: code, Text: text}
}

func smtpLine(step, code, enhanced, text string) mail.Error {
	return mail.Error{Protocol: "smtp", Server: "smtp.example.com:587", Step: step, Code: code, Enhanced: enhanced, Text: text,
		Temporary: code == "" || code[0] == '4'}
}

// serverLines are lines that servers in use send, as our own packages see them.
var serverLines = []struct {
	err         mail.Error
	cause       string
	retry       string
	concerns    string
	description string
}{
	{imapLine("login", "AUTHENTICATIONFAILED", "Authentication failed."), "auth-bad-credentials", "never", "configuration", "Dovecot"},
	{imapLine("login", "AUTHENTICATIONFAILED", "Invalid credentials (Failure)"), "auth-bad-credentials", "never", "configuration", "Gmail"},
	{imapLine("login", "authenticationfailed", "No"), "auth-bad-credentials", "never", "configuration", "code in lower case"},
	{imapLine("login", "", "Login incorrect"), "auth-bad-credentials", "never", "configuration", "Cyrus"},
	{imapLine("login", "", "LOGIN failed."), "auth-bad-credentials", "never", "configuration", "Exchange of one's own"},
	{imapLine("login", "", "LOGIN Login error or password error"), "auth-bad-credentials", "never", "configuration", "NetEase"},
	{smtpLine("login", "535", "5.7.8", "Username and Password not accepted. For more information, go to https://support.google.com/mail/?p=BadCredentials af79cd13be357 - gsmtp"),
		"auth-bad-credentials", "never", "configuration", "Gmail"},
	{smtpLine("login", "535", "5.7.8", "Error: authentication failed: (reason unavailable)"), "auth-bad-credentials", "never", "configuration", "Postfix"},
	{smtpLine("login", "535", "", "Incorrect authentication data"), "auth-bad-credentials", "never", "configuration", "Exim"},
	{imapLine("login", "UNAVAILABLE", "Temporary authentication failure."), "auth-temporary-failure", "soon", "network", "Dovecot"},
	{smtpLine("login", "454", "4.7.0", "Temporary authentication failure: Connection lost to authentication server."), "auth-temporary-failure", "soon", "network", "Postfix"},
	{imapLine("login", "PRIVACYREQUIRED", "Plaintext authentication disallowed on non-secure (SSL/TLS) connections."), "tls-required", "never", "configuration", "Dovecot"},
	{imapLine("login", "", "Plaintext authentication disallowed on non-secure (SSL/TLS) connections."), "tls-required", "never", "configuration", "older Dovecot"},
	{smtpLine("login", "538", "5.7.11", "Encryption required for requested authentication mechanism"), "tls-required", "never", "configuration", "RFC 4954"},
	{smtpLine("mail-from", "530", "5.7.0", "Must issue a STARTTLS command first. m129sm2162575qkc.2 - gsmtp"), "tls-required", "never", "configuration", "Gmail"},
	{smtpLine("login", "504", "5.7.4", "Unrecognized authentication type"), "auth-mechanism-unsupported", "never", "configuration", "Microsoft 365"},
	{smtpLine("mail-from", "530", "5.7.57", "Client not authenticated to send mail."), "auth-required", "never", "configuration", "Microsoft 365"},
	{smtpLine("rcpt-to", "550", "", "smtp auth required"), "auth-required", "never", "configuration", "generic"},
	{imapLine("login", "UNAVAILABLE", "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)"), "too-many-connections", "slow", "mailbox", "Dovecot"},
	{imapLine("login", "ALERT", "Too many simultaneous connections. (Failure)"), "too-many-connections", "slow", "mailbox", "Gmail"},
	{smtpLine("greeting", "421", "", "mail.example.com: Too many concurrent SMTP connections; please try again later."), "too-many-connections", "slow", "mailbox", "Exim"},
	{imapLine("select", "NONEXISTENT", "Unknown Mailbox: Support (Failure)"), "folder-missing", "never", "configuration", "Gmail"},
	{imapLine("select", "", "Mailbox doesn't exist: Support (0.001 + 0.000 secs)."), "folder-missing", "never", "configuration", "Dovecot"},
	{imapLine("act", "TRYCREATE", "The requested item could not be found."), "folder-missing", "never", "configuration", "Microsoft 365, a move"},
	{imapLine("act", "OVERQUOTA", "Not enough disk quota"), "mailbox-full", "slow", "mailbox", "Dovecot, a move"},
	{imapLine("fetch", "SERVERBUG", "Internal error occurred. Refer to server log for more information."), "server-temporary", "soon", "network", "Dovecot"},
	{imapLine("login", "", "Account is temporarily unavailable."), "auth-temporary-failure", "soon", "network", "generic"},
	{smtpLine("rcpt-to", "554", "5.7.1", "<kunde@example.net>: Relay access denied"), "smtp-relay-denied", "never", "relay", "Postfix"},
	{smtpLine("rcpt-to", "550", "", "relay not permitted"), "smtp-relay-denied", "never", "relay", "Exim"},
	{smtpLine("rcpt-to", "550", "5.7.64", "TenantAttribution; Relay Access Denied"), "smtp-relay-denied", "never", "relay", "Microsoft 365"},
	{smtpLine("mail-from", "553", "5.7.1", "<support@example.com>: Sender address rejected: not owned by user helpdesk@example.com"), "smtp-sender-not-permitted", "never", "sender", "Postfix"},
	{smtpLine("rcpt-to", "553", "5.7.1", "<support@example.com>: Sender address rejected: not logged in"), "smtp-sender-not-permitted", "never", "sender", "Postfix, at RCPT TO"},
	{smtpLine("data", "550", "5.7.60", "SMTP; Client does not have permissions to send as this sender"), "smtp-sender-not-permitted", "never", "sender", "Microsoft 365"},
	{smtpLine("mail-from", "553", "", "Mail from must equal authorized user"), "smtp-sender-not-permitted", "never", "sender", "NetEase"},
	{smtpLine("rcpt-to", "550", "5.1.1", "<nobody@example.net>: Recipient address rejected: User unknown in local recipient table"), "smtp-recipient-unknown", "never", "recipient", "Postfix"},
	{smtpLine("rcpt-to", "550", "", "No such user here"), "smtp-recipient-unknown", "never", "recipient", "generic"},
	{smtpLine("data", "554", "", "delivery error: dd This user doesn't have a yahoo.com account (nobody@yahoo.com) [0]"), "smtp-recipient-unknown", "never", "recipient", "Yahoo, after DATA"},
	{smtpLine("rcpt-to", "452", "4.2.2", "The recipient's inbox is out of storage space."), "smtp-recipient-mailbox-full", "slow", "recipient", "Gmail"},
	{smtpLine("rcpt-to", "552", "5.2.2", "<kunde@example.net>: user is over quota"), "smtp-recipient-mailbox-full", "slow", "recipient", "iCloud"},
	{smtpLine("mail-from", "552", "5.3.4", "Message size exceeds fixed limit"), "smtp-message-too-big", "never", "message", "Postfix"},
	{smtpLine("data", "552", "", "Message size exceeds fixed maximum message size. Size: 30000 KB, Max size: 20480 KB"), "smtp-message-too-big", "never", "message", "hMailServer"},
	{smtpLine("rcpt-to", "451", "4.3.0", "Temporary lookup failure"), "server-temporary", "soon", "network", "Postfix"},
	{smtpLine("data", "452", "4.3.1", "Insufficient system storage"), "server-temporary", "soon", "network", "Postfix, its disk is full"},
	{smtpLine("starttls", "454", "4.7.0", "TLS not available due to local problem"), "tls-starttls-unavailable", "slow", "configuration", "Postfix"},
	{smtpLine("greeting", "", "", `short response: "* OK IMAP4 ready"`), "wrong-protocol-port", "never", "configuration", "an IMAP server at the relay's port"},
	{imapLine("greeting", "", "in continue-req: imapwire: expected CRLF, got \"O\""), "wrong-protocol-port", "never", "configuration", "a POP3 server at the IMAP port"},
	{smtpLine("rcpt-to", "552", "5.3.4", "Message size exceeds file system imposed limit"), "smtp-message-too-big", "never", "message", "size told at RCPT TO"},
	{smtpLine("rcpt-to", "552", "", "Mailbox quota exceeded"), "smtp-recipient-mailbox-full", "slow", "recipient", "no enhanced code"},
	{smtpLine("starttls", "", "", ""), "tls-starttls-unavailable", "never", "configuration", "not offered in EHLO"},
	{smtpLine("data", "554", "5.7.0", "We do not like this one"), "unknown", "never", "message", "a final no to one mail"},
	{smtpLine("data", "", "", "Fjuk"), "unknown", "slow", "network", "an odd word after a mail"},
	{imapLine("fetch", "", "Fjuk"), "unknown", "slow", "network", "no one knows"},
}

func TestServerLines(t *testing.T) {
	for _, tt := range serverLines {
		t.Run(tt.description+"/"+tt.err.Step, func(t *testing.T) {
			d := Explain(&tt.err, "")
			if d.Cause != tt.cause || d.Retry != tt.retry || d.Concerns != tt.concerns {
				t.Errorf("got %s %s %s, want %s %s %s", d.Cause, d.Retry, d.Concerns, tt.cause, tt.retry, tt.concerns)
			}
			if !strings.Contains(d.ServerText, tt.err.Text) || !strings.Contains(d.ServerText, tt.err.Code) || !strings.Contains(d.ServerText, tt.err.Enhanced) {
				t.Errorf("the server's words are incomplete: %q", d.ServerText)
			}
		})
	}
}

func TestServerTextIsWrittenAsTheServerDid(t *testing.T) {
	for _, tt := range []struct {
		err  mail.Error
		want string
	}{
		{mail.Error{Protocol: "imap", Code: "AUTHENTICATIONFAILED", Text: "Authentication failed."}, "[AUTHENTICATIONFAILED] Authentication failed."},
		{mail.Error{Protocol: "smtp", Code: "550", Enhanced: "5.1.1", Text: "User unknown"}, "550 5.1.1 User unknown"},
		{mail.Error{Protocol: "smtp", Code: "550", Enhanced: "5.1.1", Text: "550 5.1.1 User unknown"}, "550 5.1.1 User unknown"},
		{mail.Error{Protocol: "smtp", Code: "421"}, "421"},
		{mail.Error{Protocol: "smtp", Step: "dial"}, ""},
	} {
		if got := Explain(&tt.err, "").ServerText; got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// What a library or a package of ours says when it gave up before the server
// was asked, or without a word of it.
func TestWordsOfOurSide(t *testing.T) {
	for _, tt := range []struct{ protocol, step, words, cause string }{
		{"smtp", "login", "server does not support SMTP AUTH type: PLAIN", "auth-mechanism-unsupported"},
		{"smtp", "login", "the server offers no login on this connection", "auth-mechanism-unsupported"},
		{"smtp", "login", "the server does not offer this way to log in; it offers GSSAPI", "auth-mechanism-unsupported"},
		{"imap", "login", "the server offers no way to log in with a password (neither AUTH=PLAIN nor LOGIN)", "auth-mechanism-unsupported"},
		{"smtp", "login", "there is no user name to log in with, and anonymous is not set", "auth-required"},
		{"imap", "login", "the connection is not encrypted, and a password is not sent over it unless allow_plaintext = true", "tls-required"},
		{"smtp", "starttls", "the server does not offer STARTTLS", "tls-starttls-unavailable"},
		{"imap", "greeting", "the server does not greet as an IMAP server", "wrong-protocol-port"},
		{"smtp", "greeting", `the server's answer is not SMTP: "* OK IMAP4 ready"`, "wrong-protocol-port"},
		{"imap", "idle", "the server closed the connection", "net-reset"},
		{"imap", "fetch", "the connection broke inside a mail", "net-reset"},
	} {
		e := &mail.Error{Protocol: tt.protocol, Server: "mail.example.com:993", Step: tt.step, Err: errors.New(tt.words)}
		if d := Explain(e, ""); d.Cause != tt.cause || d.ServerText != tt.words {
			t.Errorf("%s: got %s, want %s", tt.words, d.Cause, tt.cause)
		}
	}
}

// Every sentence is there in both languages, and nothing in braces is left; at
// every provider that has words of its own too.
func TestCatalogueIsComplete(t *testing.T) {
	data, err := load()
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, r := range data.rules {
		named[r.Cause] = true
	}
	for _, slug := range data.slugs {
		c := data.causes[slug]
		if !named[slug] {
			t.Errorf("%s: no rule leads to it", slug)
		}
		if !slices.Contains([]string{RetryNever, RetrySlow, RetrySoon}, c.Retry) {
			t.Errorf("%s: retry %q", slug, c.Retry)
		}
		if !slices.Contains([]string{ConcernsConfiguration, ConcernsNetwork, ConcernsMailbox, ConcernsRelay, ConcernsSender, ConcernsRecipient, ConcernsMessage}, c.Concerns) {
			t.Errorf("%s: concerns %q", slug, c.Concerns)
		}
		providers := []string{""}
		for _, v := range c.Variant {
			providers = append(providers, v.Provider...)
			if !regexp.MustCompile(`^20\d\d-(0[1-9]|1[0-2])$`).MatchString(v.AsOf) || len(v.Provider) == 0 {
				t.Errorf("%s: variant %v as of %q", slug, v.Provider, v.AsOf)
			}
			for _, link := range v.Links {
				if !strings.HasPrefix(link, "https://") {
					t.Errorf("%s: link %q", slug, link)
				}
			}
		}
		seen := map[string]bool{}
		for _, p := range providers {
			if seen[p] {
				t.Errorf("%s: two variants for %s", slug, p)
			}
			seen[p] = true
			checkWords(t, c, p)
		}
	}
	checkStepsAndPlaceholders(t, data)
	if last := data.rules[len(data.rules)-1]; !last.fits(&evidence{}) || last.Cause != Unknown {
		t.Error("the last rule must fit everything")
	}
}

var (
	placeholder = regexp.MustCompile(`\{[^}]*\}`)
	kanaOfText  = regexp.MustCompile(`[ぁ-ヿ]`)
)

func checkWords(t *testing.T, c cause, provider string) {
	t.Helper()
	if en, ja := c.words(provider, "en").Remedy, c.words(provider, "ja").Remedy; len(en) == 0 || len(en) != len(ja) {
		t.Errorf("%s at %q: %d remedy steps in English, %d in Japanese", c.Slug, provider, len(en), len(ja))
	}
	for _, lang := range []string{"en", "ja"} {
		for _, args := range []map[string]string{{}, {"host": "h.example", "port": "1", "server": "h.example:1", "names": "n", "until": "u", "issuer": "i"}} {
			w := Diagnosis{Cause: c.Slug, Provider: provider, Step: "login", Retry: c.Retry, args: args}.In(lang)
			for _, sentence := range append([]string{w.Title, w.Text, w.Again}, w.Remedy...) {
				if sentence == "" || placeholder.MatchString(sentence) || strings.TrimSpace(sentence) != sentence {
					t.Errorf("%s at %q in %s: %q", c.Slug, provider, lang, sentence)
				}
				if (lang == "ja") != kanaOfText.MatchString(sentence) {
					t.Errorf("%s at %q in %s: wrong language: %q", c.Slug, provider, lang, sentence)
				}
				if strings.HasPrefix(sentence, "the ") {
					t.Errorf("%s at %q begins small: %q", c.Slug, provider, sentence)
				}
			}
		}
	}
}

func checkStepsAndPlaceholders(t *testing.T, data *book) {
	t.Helper()
	steps := []string{mail.StepResolve, mail.StepDial, mail.StepProxy, mail.StepTLS, mail.StepGreeting, mail.StepCapabilities, mail.StepStartTLS, mail.StepLogin,
		mail.StepSelect, mail.StepList, mail.StepFetch, mail.StepAct, mail.StepIdle, mail.StepEHLO, mail.StepMailFrom, mail.StepRcptTo, mail.StepData, mail.StepToken, "other"}
	for _, lang := range []string{"en", "ja"} {
		for _, step := range steps {
			if data.step[lang][step] == "" {
				t.Errorf("no %s words for step %s", lang, step)
			}
		}
		if len(data.missing[lang]) != 6 {
			t.Errorf("%s: %d placeholders have words for a missing value, want 6", lang, len(data.missing[lang]))
		}
	}
}

// What rules, variants and the words of servers call a provider is one that
// mail/provider knows, or a sending service that reading.toml tells by its host
// or words.
func TestProvidersAreKnown(t *testing.T) {
	data := loaded()
	services := []string{"amazon-ses", "sendgrid", "mailgun", "postmark", "brevo", "mailjet"}
	known := func(where, slug string) {
		if _, ok := provider.Named(slug); !ok && !slices.Contains(services, slug) {
			t.Errorf("%s: no provider %q", where, slug)
		}
	}
	for _, r := range data.rules {
		for _, slug := range r.Provider {
			known("rule of "+r.Cause, slug)
		}
	}
	for _, s := range data.servers {
		known("reading.toml", s.Is)
	}
	for name, members := range data.groups {
		for _, slug := range members {
			known("group "+name, slug)
		}
	}
	for slug, c := range data.causes {
		for _, v := range c.Variant {
			for _, p := range v.Provider {
				known(slug, p)
			}
		}
	}
}

func TestWordsNameTheServer(t *testing.T) {
	d := Explain(&mail.Error{Protocol: "imap", Server: "mail.example.com:993", Step: "fetch", Text: "Fjuk"}, "")
	for lang, want := range map[string]string{
		"en": "Something went wrong with mail.example.com:993 while fetching mail, and we do not know this answer.",
		"ja": "メールの取得のとき、mail.example.com:993 との間で問題が起きました。この応答は登録されていません。",
	} {
		if got := d.In(lang).Text; got != want {
			t.Errorf("%s: %q", lang, got)
		}
	}
	if d.In("xx").Text != d.In("en").Text {
		t.Error("an unknown language must read as English")
	}
	// Where nothing is known, no word is there twice.
	for lang, want := range map[string]Words{
		"en": {Title: "Failed while communicating", Text: "Something went wrong with the server while communicating, and we do not know this answer."},
		"ja": {Title: "通信で失敗しました", Text: "通信のとき、サーバーとの間で問題が起きました。この応答は登録されていません。"},
	} {
		if w := Explain(nil, "").In(lang); w.Title != want.Title || w.Text != want.Text {
			t.Errorf("nil error: %q %q", w.Title, w.Text)
		}
	}
}

func FuzzExplainStored(f *testing.F) {
	f.Add("imap", "h:1", "login", "AUTHENTICATIONFAILED", "", "x", "refused: y")
	f.Add("smtp", "", "data", "550", "5.1.1", "", "tls-name?names=%zz: y")
	f.Fuzz(func(t *testing.T, protocol, server, step, code, enhanced, text, below string) {
		d := ExplainStored(Stored{Protocol: protocol, Server: server, Step: step, Code: code, Enhanced: enhanced, Text: text, Err: below}, "")
		if _, ok := loaded().causes[d.Cause]; !ok || d.In("ja").Title == "" {
			t.Fatalf("%+v", d)
		}
	})
}
