package daemon

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// soon is how long a server is waited for that will never answer, and unhurried
// how long one of which a handshake is awaited afterwards.
const (
	soon      = 500 * time.Millisecond
	unhurried = 2 * time.Second
)

// TestStagesFail makes each stage fail on purpose, at real servers where they
// can be brought to it, and looks what a person gets to read: the stage that
// failed, its cause, and what the explanation must name, in both languages. No
// password or token is printed.
func TestStagesFail(t *testing.T) {
	h := newFailingHosts(t)
	h.occupy(t)
	rows := h.reachRows(t)
	for _, more := range [][]failing{h.tlsRows(t), h.loginRows(t), h.tokenRows(t), h.mailboxRows(t), h.relayRows(t), h.replyRows()} {
		rows = append(rows, more...)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			p := r.run(t, h)
			r.judge(t, p)
			if len(p.steps) > 0 {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.name, p.steps[len(p.steps)-1], p.cause, p.title)
			}
		})
	}
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	t.Logf("%d rows\n%s", len(rows), table.String())
	if len(rows) < 40 {
		t.Errorf("%d rows are too few", len(rows))
	}
}

// judge compares what was printed with what has to be.
func (r *failing) judge(t *testing.T, p *printed) {
	t.Helper()
	for _, secret := range hidden() {
		if strings.Contains(p.all, secret) {
			t.Errorf("%q is printed:\n%s", secret, p.all)
		}
	}
	steps := strings.Join(p.steps, " ")
	if r.cause == "" {
		if p.cause != "" || strings.Contains(steps, "!") {
			t.Errorf("it fails: %s %s\n%s", steps, p.cause, p.brief)
		}
		return
	}
	if p.cause != r.cause || strings.Count(steps, "!") != 1 || !strings.HasSuffix(steps, r.step+"!") {
		t.Errorf("stages %s, cause %s; want %s at %s\n%s", steps, p.cause, r.cause, r.step, p.brief)
	}
	for lang, text := range p.text {
		for _, word := range r.words {
			if !strings.Contains(text, word) {
				t.Errorf("%s: %q is not said:\n%s", lang, word, text)
			}
		}
		if strings.ContainsAny(text, "{}") {
			t.Errorf("%s: a word is not filled in:\n%s", lang, text)
		}
	}
}

// reachRows fail before a word of mail is spoken, or because another service
// answers.
func (h *failingHosts) reachRows(t *testing.T) []failing {
	mute, shut, ssh := silent(t), nobodyAt(t), says(t, "SSH-2.0-OpenSSH_9.2p1 Debian-2")
	hangsUp := listen(t, func(net.Conn) {})
	web := webServer(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "It works!") })
	port := portOf(shut)
	m := h.hosts
	return []failing{
		{name: "imap: no such name", protocol: "imap", address: m.IMAPS, security: "tls", set: `host = "imap.invalid"`, step: "resolve", cause: "dns-host-not-found", words: []string{"imap.invalid"}},
		{name: "pop3: no such name", protocol: "pop3", address: m.POP3S, security: "tls", set: `host = "pop.invalid"`, step: "resolve", cause: "dns-host-not-found", words: []string{"pop.invalid"}},
		{name: "smtp: no such name", protocol: "smtp", address: m.Submission, security: "starttls", set: `host = "smtp.invalid"`, step: "resolve", cause: "dns-host-not-found", words: []string{"smtp.invalid"}},
		{name: "imap: the name server fails", protocol: "imap", address: m.IMAPS, security: "tls", set: `host = "broken.test"`, step: "resolve", cause: "dns-server-failure", words: []string{"broken.test", "DNS"}},
		{name: "smtp: the name server is silent", protocol: "smtp", address: m.SMTPS, security: "tls", set: `host = "silent.test"`, quick: soon, step: "resolve", cause: "dns-server-failure", words: []string{"silent.test", "DNS"}},
		{name: "imap: closed port", protocol: "imap", address: shut, security: "tls", step: "dial", cause: "net-refused", words: []string{"mail.test", port}},
		{name: "pop3: closed port", protocol: "pop3", address: shut, security: "starttls", step: "dial", cause: "net-refused", words: []string{"mail.test", port}},
		{name: "smtp: closed port", protocol: "smtp", address: shut, security: "starttls", step: "dial", cause: "net-refused", words: []string{"mail.test", port}},
		{name: "imap: silent port", protocol: "imap", address: mute, security: "starttls", quick: soon, step: "greeting", cause: "net-timeout", words: []string{"mail.test:" + portOf(mute)}},
		{name: "pop3: silent port", protocol: "pop3", address: mute, security: "starttls", quick: soon, step: "greeting", cause: "net-timeout", words: []string{"mail.test:" + portOf(mute)}},
		{name: "smtp: silent port", protocol: "smtp", address: mute, security: "starttls", quick: soon, step: "greeting", cause: "net-timeout", words: []string{"mail.test:" + portOf(mute)}},
		{name: "imap: silent port, TLS", protocol: "imap", address: mute, security: "tls", quick: soon, step: "tls", cause: "net-timeout", words: []string{"mail.test:" + portOf(mute)}},
		{name: "smtp: silent port, TLS", protocol: "smtp", address: mute, security: "tls", quick: soon, step: "tls", cause: "net-timeout", words: []string{"mail.test:" + portOf(mute)}},
		{name: "imap: hangs up at once", protocol: "imap", address: hangsUp, security: "starttls", step: "greeting", cause: "net-reset", words: []string{"mail.test:" + portOf(hangsUp)}},
		{name: "smtp: hangs up at once", protocol: "smtp", address: hangsUp, security: "starttls", step: "greeting", cause: "net-reset", words: []string{"mail.test:" + portOf(hangsUp)}},
		{name: "imap: plain port with TLS", protocol: "imap", address: m.IMAP, security: "tls", step: "tls", cause: "tls-plaintext-port", words: []string{portOf(m.IMAP), "starttls", "993"}},
		{name: "pop3: plain port with TLS", protocol: "pop3", address: m.POP3, security: "tls", step: "tls", cause: "tls-plaintext-port", words: []string{portOf(m.POP3), "starttls", "995"}},
		{name: "smtp: plain port with TLS", protocol: "smtp", address: m.Submission, security: "tls", step: "tls", cause: "tls-plaintext-port", words: []string{portOf(m.Submission), "starttls", "465"}},
		{name: "imap: TLS port in the clear", protocol: "imap", address: m.IMAPS, security: "starttls", quick: unhurried, step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.IMAPS), "tls"}},
		{name: "pop3: TLS port in the clear", protocol: "pop3", address: m.POP3S, security: "starttls", quick: unhurried, step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.POP3S), "tls", "995"}},
		{name: "smtp: TLS port in the clear", protocol: "smtp", address: m.SMTPS, security: "starttls", quick: unhurried, step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.SMTPS), "tls"}},
		{name: "imap: port of SMTP", protocol: "imap", address: m.Submission, security: "starttls", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.Submission)}},
		{name: "imap: port of SMTP, TLS", protocol: "imap", address: m.SMTPS, security: "tls", trust: "hosts", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.SMTPS)}},
		{name: "imap: port of POP3", protocol: "imap", address: m.POP3, security: "starttls", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.POP3)}},
		{name: "pop3: port of IMAP", protocol: "pop3", address: m.IMAPS, security: "tls", trust: "hosts", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.IMAPS)}},
		{name: "pop3: port of SMTP", protocol: "pop3", address: m.SMTP, security: "starttls", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.SMTP)}},
		{name: "smtp: port of IMAP", protocol: "smtp", address: m.IMAP, security: "starttls", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.IMAP)}},
		{name: "smtp: port of POP3", protocol: "smtp", address: m.POP3S, security: "tls", trust: "hosts", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(m.POP3S)}},
		{name: "imap: port of SSH", protocol: "imap", address: ssh, security: "starttls", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(ssh)}},
		{name: "pop3: port of SSH", protocol: "pop3", address: ssh, security: "starttls", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(ssh)}},
		{name: "smtp: port of SSH", protocol: "smtp", address: ssh, security: "starttls", step: "greeting", cause: "wrong-protocol-port", words: []string{portOf(ssh)}},
		{name: "imap: a web server", protocol: "imap", address: web, security: "tls", step: "tls", cause: "wrong-protocol-port", words: []string{portOf(web)}},
		{name: "smtp: a web server", protocol: "smtp", address: web, security: "tls", step: "tls", cause: "wrong-protocol-port", words: []string{portOf(web)}},
	}
}

// tlsRows fail at encryption, at a certificate of the server or at ours.
func (h *failingHosts) tlsRows(t *testing.T) []failing {
	later, err := h.authority.Sign(time.Now().AddDate(0, 6, 0), "mail.test")
	if err != nil {
		t.Fatal(err)
	}
	early := encrypted(t, &tls.Config{Certificates: []tls.Certificate{later}})
	outdated := encrypted(t, &tls.Config{Certificates: []tls.Certificate{later}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	valid, err := h.authority.Sign(time.Now().AddDate(0, 1, 0), "mail.test")
	if err != nil {
		t.Fatal(err)
	}
	picky := func(version uint16) string {
		return encrypted(t, &tls.Config{Certificates: []tls.Certificate{valid}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: h.authority.Pool, MaxVersion: version})
	}
	hangsUp := encrypted(t, &tls.Config{
		Certificates: []tls.Certificate{later}, MinVersion: tls.VersionTLS10,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if slices.Contains(hello.SupportedVersions, tls.VersionTLS12) {
				hello.Conn.Close()
			}
			return nil, nil
		},
	})
	day := func(c tls.Certificate) string {
		return c.Leaf.NotBefore.UTC().Format(time.DateOnly) + " – " + c.Leaf.NotAfter.UTC().Format(time.DateOnly)
	}
	noTLS := map[string]string{
		"imap": says(t, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready", "STARTTLS=>%s BAD unknown command", "CAPABILITY=>* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n%s OK done"),
		"pop3": says(t, "+OK ready", "STLS=>-ERR unknown command", "CAPA=>+OK\r\nUSER\r\nUIDL\r\n."),
		"smtp": says(t, "220 mail.test ESMTP", "EHLO=>250-mail.test\r\n250 AUTH PLAIN", "QUIT=>221 bye"),
	}
	m, s, o := h.hosts, h.strict, h.old
	names := []string{"mail.test", "other.test"}
	own := []string{"client_key", "mail.test"}
	return []failing{
		{name: "imap: signs itself", protocol: "imap", address: m.IMAPS, security: "tls", step: "tls", cause: "tls-unknown-authority", words: []string{"mail.test", "[[trust]]"}},
		{name: "pop3: signs itself", protocol: "pop3", address: m.POP3, security: "starttls", step: "tls", cause: "tls-unknown-authority", words: []string{"mail.test", "[[trust]]"}},
		{name: "smtp: signs itself", protocol: "smtp", address: m.Submission, security: "starttls", step: "tls", cause: "tls-unknown-authority", words: []string{"mail.test", "[[trust]]"}},
		{name: "imap: unknown authority", protocol: "imap", address: o.IMAPS, security: "tls", trust: "stranger", set: `host = "other.test"`, step: "tls", cause: "tls-unknown-authority", words: []string{"other.test", "test authority"}},
		{name: "smtp: the pinned certificate was replaced", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "pin", step: "tls", cause: "tls-unknown-authority", words: []string{"mail.test", "fingerprint"}},
		{name: "imap: the pinned certificate was replaced, by one for another name", protocol: "imap", address: o.IMAPS, security: "tls", trust: "expired", step: "tls", cause: "tls-unknown-authority", words: []string{"mail.test", "fingerprint"}},
		{name: "imap: expired", protocol: "imap", address: s.IMAPS, security: "tls", trust: "authority", step: "tls", cause: "tls-cert-expired", words: []string{"mail.test", day(h.expired)}},
		{name: "pop3: expired", protocol: "pop3", address: s.POP3, security: "starttls", trust: "authority", step: "tls", cause: "tls-cert-expired", words: []string{"mail.test", day(h.expired)}},
		{name: "smtp: expired", protocol: "smtp", address: s.SMTPS, security: "tls", trust: "authority", step: "tls", cause: "tls-cert-expired", words: []string{"mail.test", day(h.expired)}},
		{name: "imap: not valid yet", protocol: "imap", address: early, security: "tls", trust: "authority", step: "tls", cause: "tls-cert-expired", words: []string{"mail.test", day(later)}},
		{name: "imap: wrong name", protocol: "imap", address: o.IMAPS, security: "tls", trust: "authority", step: "tls", cause: "tls-hostname-mismatch", words: names},
		{name: "pop3: wrong name", protocol: "pop3", address: o.POP3S, security: "tls", trust: "authority", step: "tls", cause: "tls-hostname-mismatch", words: names},
		{name: "smtp: wrong name", protocol: "smtp", address: m.Submission, security: "starttls", trust: "hosts", set: `host = "other.test"`, step: "tls", cause: "tls-hostname-mismatch", words: names},
		{name: "smtp: TLS 1.1", protocol: "smtp", address: o.SMTPS, security: "tls", trust: "authority", step: "tls", cause: "tls-protocol-version", words: []string{"mail.test:" + portOf(o.SMTPS), "TLS 1.2"}},
		{name: "smtp: TLS 1.1, STARTTLS", protocol: "smtp", address: o.Submission, security: "starttls", trust: "authority", step: "tls", cause: "tls-protocol-version", words: []string{"mail.test:" + portOf(o.Submission), "TLS 1.2"}},
		{name: "imap: TLS 1.1", protocol: "imap", address: outdated, security: "tls", trust: "authority", step: "tls", cause: "tls-protocol-version", words: []string{"mail.test:" + portOf(outdated), "TLS 1.2"}},
		{name: "pop3: TLS 1.1, hangs up on newer", protocol: "pop3", address: hangsUp, security: "tls", trust: "authority", step: "tls", cause: "tls-protocol-version", words: []string{"mail.test:" + portOf(hangsUp), "TLS 1.2"}},
		{name: "imap: STARTTLS not offered", protocol: "imap", address: noTLS["imap"], security: "starttls", step: "starttls", cause: "tls-starttls-unavailable", words: []string{portOf(noTLS["imap"]), "993"}},
		{name: "pop3: STLS not offered", protocol: "pop3", address: noTLS["pop3"], security: "starttls", step: "starttls", cause: "tls-starttls-unavailable", words: []string{portOf(noTLS["pop3"]), "995"}},
		{name: "smtp: STARTTLS not offered", protocol: "smtp", address: noTLS["smtp"], security: "starttls", step: "starttls", cause: "tls-starttls-unavailable", words: []string{portOf(noTLS["smtp"]), "465"}},
		{name: "imap: client certificate missing", protocol: "imap", address: s.IMAPS, security: "tls", trust: "expired", step: "login", cause: "tls-client-certificate-required", words: own},
		{name: "pop3: client certificate missing", protocol: "pop3", address: s.POP3S, security: "tls", trust: "expired", step: "login", cause: "tls-client-certificate-required", words: own},
		{name: "smtp: client certificate missing", protocol: "smtp", address: s.SMTPS, security: "tls", trust: "expired", step: "greeting", cause: "tls-client-certificate-required", words: own},
		{name: "smtp: client certificate missing, STARTTLS", protocol: "smtp", address: s.Submission, security: "starttls", trust: "expired", step: "ehlo", cause: "tls-client-certificate-required", words: own},
		{name: "imap: wrong client certificate", protocol: "imap", address: s.IMAPS, security: "tls", trust: "expired", key: "foreign", step: "login", cause: "tls-client-certificate-required", words: own},
		{name: "smtp: wrong client certificate", protocol: "smtp", address: s.SMTPS, security: "tls", trust: "expired", key: "foreign", step: "greeting", cause: "tls-client-certificate-required", words: own},
		{name: "imap: wrong client certificate, TLS 1.2", protocol: "imap", address: picky(tls.VersionTLS12), security: "tls", trust: "authority", key: "foreign", step: "tls", cause: "tls-client-certificate-required", words: own},
		{name: "pop3: wrong client certificate, TLS 1.3", protocol: "pop3", address: picky(tls.VersionTLS13), security: "tls", trust: "authority", key: "foreign", step: "greeting", cause: "tls-client-certificate-required", words: own},
	}
}

// loginRows fail at the log-in, or on the way by a proxy to it.
func (h *failingHosts) loginRows(t *testing.T) []failing {
	m := h.hosts
	wrong, nobody, scram := `password = "`+stageWrong+`"`, `username = "nobody@mail.test"`, `auth = "scram-sha-256"`
	refuses := webServer(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This proxy is for web pages only", http.StatusForbidden)
	})
	unknown := webServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Proxy-Authenticate", "Basic")
		http.Error(w, "Who are you?", http.StatusProxyAuthRequired)
	})
	socks := listen(t, func(c net.Conn) { // RFC 1928: version 5, no log-in; then "not allowed by ruleset"
		buf := make([]byte, 512)
		_, _ = c.Read(buf)
		_, _ = c.Write([]byte{5, 0})
		_, _ = c.Read(buf)
		_, _ = c.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0})
	})
	proxy := func(scheme, address string) string {
		return `proxy = "` + scheme + "://desk:" + proxyPassword + "@" + address + `"`
	}
	host := []string{"mail.test"}
	repeats := map[string]string{
		"imap": says(t, "* OK [CAPABILITY IMAP4rev1] ready", "LOGIN=>%s NO [AUTHENTICATIONFAILED] Not accepted: %l"),
		"pop3": says(t, "+OK ready", "CAPA=>+OK\r\nUSER\r\nUIDL\r\n.", "USER=>+OK", "PASS=>-ERR [AUTH] Not accepted: %l"),
		"smtp": says(t, "220 mail.test ESMTP", "EHLO=>250-mail.test\r\n250 AUTH PLAIN", "AUTH=>535 5.7.8 Error: authentication failed: %l"),
	}
	local := []string{"127.0.0.1"}
	return []failing{
		{name: "imap: the refusal repeats the password", protocol: "imap", address: repeats["imap"], security: "none", step: "login", cause: "auth-bad-credentials", words: local},
		{name: "pop3: the refusal repeats the password", protocol: "pop3", address: repeats["pop3"], security: "none", step: "login", cause: "auth-bad-credentials", words: local},
		{name: "smtp: the refusal repeats the password", protocol: "smtp", address: repeats["smtp"], security: "none", step: "login", cause: "auth-bad-credentials", words: local},
		{name: "imap: wrong password", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", set: wrong, step: "login", cause: "auth-bad-credentials", words: host},
		{name: "imap: wrong password, CRAM-MD5", protocol: "imap", address: m.IMAP, security: "starttls", trust: "hosts", set: wrong + "\nauth = \"cram-md5\"", step: "login", cause: "auth-bad-credentials", words: host},
		{name: "pop3: wrong password", protocol: "pop3", address: m.POP3S, security: "tls", trust: "hosts", set: wrong, step: "login", cause: "auth-bad-credentials", words: host},
		{name: "pop3: wrong password, unencrypted", protocol: "pop3", address: m.POP3, security: "none", set: wrong, step: "login", cause: "auth-bad-credentials", words: []string{"127.0.0.1"}},
		{name: "smtp: wrong password", protocol: "smtp", address: m.Submission, security: "starttls", trust: "hosts", set: wrong, step: "login", cause: "auth-bad-credentials", words: host},
		{name: "smtp: wrong password, LOGIN", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", set: wrong + "\nauth = \"login\"", step: "login", cause: "auth-bad-credentials", words: host},
		{name: "imap: unknown user", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", set: nobody, step: "login", cause: "auth-bad-credentials", words: host},
		{name: "smtp: unknown user", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", set: nobody, step: "login", cause: "auth-bad-credentials", words: host},
		{name: "imap: mechanism not offered", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", set: scram, step: "login", cause: "auth-mechanism-unsupported", words: []string{"mail.test", "auto"}},
		{name: "pop3: mechanism not offered", protocol: "pop3", address: m.POP3S, security: "tls", trust: "hosts", set: scram, step: "login", cause: "auth-mechanism-unsupported", words: []string{"mail.test", "auto"}},
		{name: "smtp: mechanism not offered", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", set: scram, step: "login", cause: "auth-mechanism-unsupported", words: []string{"mail.test", "auto"}},
		{name: "smtp: no log-in before encryption", protocol: "smtp", address: m.Submission, security: "none", step: "login", cause: "auth-mechanism-unsupported", words: []string{"127.0.0.1", "starttls"}},
		{name: "imap: a password is not sent in the clear", protocol: "imap", address: m.IMAP, security: "none", set: proxy("http", tunnel(t)), step: "login", cause: "tls-required", words: []string{"127.0.0.1", "starttls"}},
		{name: "imap: too many connections", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", set: `username = "` + stageBusy + `"`, step: "login", cause: "too-many-connections", words: host},
		{name: "pop3: too many connections", protocol: "pop3", address: m.POP3S, security: "tls", trust: "hosts", set: `username = "` + stageBusy + `"`, step: "login", cause: "too-many-connections", words: host},
		{name: "imap: the proxy refuses", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", set: proxy("http", refuses), step: "proxy", cause: "net-proxy", words: []string{"mail.test:" + portOf(m.IMAPS), "proxy"}},
		{name: "pop3: the proxy wants another password", protocol: "pop3", address: m.POP3S, security: "tls", trust: "hosts", set: proxy("http", unknown), step: "proxy", cause: "net-proxy", words: []string{"mail.test:" + portOf(m.POP3S), "proxy"}},
		{name: "smtp: the SOCKS proxy refuses", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", set: proxy("socks5", socks), step: "proxy", cause: "net-proxy", words: []string{"mail.test:" + portOf(m.SMTPS), "proxy"}},
		{name: "smtp: the proxy is not there", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", set: proxy("http", nobodyAt(t)), step: "proxy", cause: "net-proxy", words: []string{"mail.test:" + portOf(m.SMTPS), "proxy"}},
		{name: "imap: the proxy has no name", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", set: proxy("http", "proxy.invalid:3128"), step: "proxy", cause: "net-proxy", words: []string{"mail.test:" + portOf(m.IMAPS), "proxy"}},
	}
}

// tokenRows fail with OAuth2: at the mail server or at the sign-in service.
func (h *failingHosts) tokenRows(t *testing.T) []failing {
	m := h.hosts
	shut := "http://" + nobodyAt(t) + "/token"
	broken := "http://" + webServer(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
	}) + "/token"
	stranger := "http://" + webServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error": "invalid_client", "error_description": "The client secret is not the right one"}`)
	}) + "/token"
	ill := says(t, "220 mail.test ESMTP", "EHLO=>250-mail.test\r\n250 AUTH PLAIN", "AUTH=>454 4.7.0 Temporary authentication failure: Connection lost to authentication server")
	return []failing{
		{name: "imap: access token refused", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", token: stageToken, step: "login", cause: "oauth-access-token-rejected", words: []string{"mail.test", "helpdesk authorize"}},
		{name: "imap: access token refused, OAUTHBEARER", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", token: stageToken, set: `auth = "oauthbearer"`, step: "login", cause: "oauth-access-token-rejected", words: []string{"mail.test", "helpdesk authorize"}},
		{name: "pop3: access token refused", protocol: "pop3", address: m.POP3S, security: "tls", trust: "hosts", token: stageToken, step: "login", cause: "oauth-access-token-rejected", words: []string{"mail.test", "helpdesk authorize"}},
		{name: "smtp: access token refused", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", token: stageToken, step: "login", cause: "oauth-access-token-rejected", words: []string{"mail.test", "helpdesk authorize"}},
		{name: "imap: no OAuth2 there", protocol: "imap", address: h.old.IMAPS, security: "tls", trust: "authority", set: `host = "other.test"`, token: stageToken, step: "login", cause: "auth-mechanism-unsupported", words: []string{"other.test"}},
		{name: "imap: the server cannot check log-ins", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", token: downToken, step: "login", cause: "auth-temporary-failure", words: []string{"mail.test"}},
		{name: "pop3: the server cannot check log-ins", protocol: "pop3", address: m.POP3S, security: "tls", trust: "hosts", token: downToken, step: "login", cause: "auth-temporary-failure", words: []string{"mail.test"}},
		{name: "smtp: the server cannot check log-ins", protocol: "smtp", address: ill, security: "none", step: "login", cause: "auth-temporary-failure", words: []string{"127.0.0.1"}},
		{name: "imap: nobody has signed in yet", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", token: "endpoint", step: "token", cause: "oauth-consent-missing", words: []string{"helpdesk authorize"}},
		{name: "imap: the permission was withdrawn", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", token: "endpoint", refresh: stageRefresh, step: "token", cause: "oauth-grant-revoked", words: []string{"helpdesk authorize"}},
		{name: "pop3: wrong client secret", protocol: "pop3", address: m.POP3S, security: "tls", trust: "hosts", token: "endpoint", refresh: stageRefresh, set: "token_url = " + stranger, step: "token", cause: "oauth-client-invalid", words: []string{"client_id", "client_secret_file"}},
		{name: "smtp: the sign-in service is not there", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", token: "endpoint", refresh: stageRefresh, set: "token_url = " + shut, step: "token", cause: "net-refused", words: []string{strings.TrimSuffix(shut[strings.LastIndex(shut, ":")+1:], "/token")}},
		{name: "smtp: the sign-in service is overloaded", protocol: "smtp", address: m.SMTPS, security: "tls", trust: "hosts", token: "endpoint", refresh: stageRefresh, set: "token_url = " + broken, step: "token", cause: "server-temporary"},
	}
}

// mailboxRows fail behind the log-in, at the folder.
func (h *failingHosts) mailboxRows(t *testing.T) []failing {
	m := h.hosts
	full := "username = \"" + stageFull + "\"\nafter = \"move\""
	return []failing{
		{name: "imap: works", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts"},
		{name: "pop3: works", protocol: "pop3", address: m.POP3, security: "starttls", trust: "hosts"},
		{name: "imap: folder missing", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", set: `folder = "Nowhere"`, step: "select", cause: "folder-missing", words: []string{"mail.test", "helpdesk.toml"}},
		{name: "imap: the folder to move to is made when needed", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", set: "after = \"move\"\nmove_to = \"Not/there/yet\""},
		{name: "imap: folder for reading only", protocol: "imap", address: m.IMAPS, security: "tls", trust: "hosts", set: `username = "` + stageReadOnly + `"`, step: "act", cause: "folder-read-only", words: []string{"mail.test", `after = "keep"`}},
		{name: "imap: mailbox full", protocol: "imap", address: withoutMove(t, m.IMAP), security: "none", set: full, acts: true, step: "act", cause: "mailbox-full", words: []string{"127.0.0.1"}},
		{name: "imap: a full mailbox gets no mail", protocol: "imap", address: m.IMAP, security: "none", set: full + "\naddress = " + stageFull, roundTrip: true, step: "arrived", cause: "round-trip-lost", words: []string{"127.0.0.1"}},
	}
}
