package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// withServers is valid with other lines in [relay] and the first [desk.mailbox],
// in the place of host, user name and password.
func withServers(relay, mailbox, ownRelay string) string {
	text := strings.Replace(valid, "host = \"smtp.example.com\"\nusername = \"support\"\npassword = \"x\"", relay, 1)
	text = strings.Replace(text, "host = \"imap.example.com\"\nusername = \"support\"\npassword = \"x\"", mailbox, 1)
	if ownRelay != "" {
		text += "[desk.relay]\n" + ownRelay + "\n" // of the second desk
	}
	return text
}

const (
	someRelay   = "host = \"smtp.example.com\"\nusername = \"support\"\npassword = \"x\""
	someMailbox = "host = \"imap.example.com\"\nusername = \"support\"\npassword = \"x\""
)

// A preset fills in what is not written, and nothing else.
func TestPresets(t *testing.T) {
	const signIn = "\nusername = \"a@example.com\"\npassword = \"x\"\n"
	for _, test := range []struct {
		relay, mailbox string
		want           string // relay, mailbox
	}{
		{`preset = "gmail"`, `preset = "gmail"`, "smtp.gmail.com:587 starttls gmail, imap.gmail.com:993 tls gmail"},
		{`preset = "gmx"`, `preset = "gmail"` + "\nprotocol = \"pop3\"", "mail.gmx.net:587 starttls gmx, pop.gmail.com:995 tls gmail"},
		{`preset = "gmail"` + "\nsecurity = \"tls\"", `preset = "gmail"` + "\nport = 1993", "smtp.gmail.com:465 tls gmail, imap.gmail.com:1993 tls gmail"},
		{`preset = "gmail"` + "\nhost = \"other.example.com\"", `preset = "sakura"` + "\nhost = \"office.sakura.ne.jp\"", "other.example.com:587 starttls gmail, office.sakura.ne.jp:993 tls sakura"},
		{`preset = "yahoo-japan"`, `preset = "yahoo-japan"` + "\nsecurity = \"starttls\"", "smtp.mail.yahoo.co.jp:465 tls yahoo-japan, imap.mail.yahoo.co.jp:143 starttls yahoo-japan"},
		{`host = "smtp.gmail.com"`, `host = "IMAP.gmail.com."`, "smtp.gmail.com:587 starttls gmail, IMAP.gmail.com.:993 tls gmail"},
		{`host = "smtp.example.com"`, `host = "imap.example.com"` + "\nprotocol = \"pop3\"\nsecurity = \"starttls\"", "smtp.example.com:587 starttls , imap.example.com:110 starttls "},
	} {
		c, faults := loadText(t, folder(t), withServers(test.relay+signIn, test.mailbox+signIn, ""))
		if c == nil || Refused(faults) || len(c.Desks[0].Closed) > 0 {
			t.Fatal(test.relay, test.mailbox, printedAll(faults))
		}
		r, m := &c.Desks[0].Relay.Server, &c.Desks[0].Mailbox.Server
		if got := fmt.Sprintf("%s %s %s, %s %s %s", r.Addr(), r.Security, r.Provider(), m.Addr(), m.Security, m.Provider()); got != test.want {
			t.Errorf("%s, %s:\ngot  %s\nwant %s", test.relay, test.mailbox, got, test.want)
		}
	}
}

func TestPOP3Defaults(t *testing.T) {
	for _, test := range []struct{ mailbox, want string }{
		{someMailbox, "1m seen"},
		{someMailbox + "\nprotocol = \"pop3\"", "5m keep"},
		{someMailbox + "\nprotocol = \"pop3\"\npoll = \"1m\"\nafter = \"delete\"", "1m delete"},
		{"preset = \"outlook\"\nusername = \"a@outlook.com\"\npassword = \"x\"\nprotocol = \"pop3\"", "15m keep"},
		{"host = \"outlook.office365.com\"\nusername = \"a@example.com\"\npassword = \"x\"\nprotocol = \"pop3\"", "15m keep"},
		{"preset = \"outlook\"\nusername = \"a@outlook.com\"\npassword = \"x\"", "1m seen"},
	} {
		c, faults := loadText(t, folder(t), withServers(someRelay, test.mailbox, ""))
		if c == nil || len(c.Desks[0].Closed) > 0 {
			t.Fatal(test.mailbox, printedAll(faults))
		}
		m := c.Desks[0].Mailbox
		if got := m.Poll.String() + " " + m.After; got != test.want {
			t.Errorf("%s: %s, want %s", test.mailbox, got, test.want)
		}
	}
	// A Config that is made in code is completed too, and keeps what it has.
	c := Default()
	c.Desks = []Desk{DefaultDesk(), DefaultDesk()}
	c.Desks[0].Mailbox.Protocol, c.Desks[1].Mailbox.Protocol = POP3, POP3
	c.Desks[1].Mailbox.Poll, c.Desks[1].Mailbox.After = Duration(10*time.Second), AfterDelete
	c.Fill()
	if a, b := c.Desks[0].Mailbox, c.Desks[1].Mailbox; a.Poll != pollPOP3 || a.After != AfterKeep || a.Port != 995 || b.Poll != Duration(10*time.Second) || b.After != AfterDelete {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// The sign-in without a password is complete after loading: whoever uses it
// need not know the providers.
func TestOAuthIsCompleted(t *testing.T) {
	const guid = "12345678-1234-1234-1234-123456789abc"
	for _, test := range []struct {
		mailbox, oauth string
		want           string // provider, flow, tenant, token address, device address?, scopes
	}{
		{`preset = "gmail"`, "client_id = \"x\"\nclient_secret_env = \"SET\"",
			"google user  https://oauth2.googleapis.com/token false [https://mail.google.com/]"},
		{`host = "outlook.office365.com"`, "client_id = \"x\"",
			"microsoft user common https://login.microsoftonline.com/common/oauth2/v2.0/token true [https://outlook.office.com/IMAP.AccessAsUser.All offline_access]"},
		{`preset = "outlook"` + "\nprotocol = \"pop3\"", "client_id = \"x\"",
			"microsoft user consumers https://login.microsoftonline.com/consumers/oauth2/v2.0/token true [https://outlook.office.com/POP.AccessAsUser.All offline_access]"},
		{`host = "mail.example.com"`, "provider = \"microsoft\"\nflow = \"app\"\nclient_id = \"x\"\nclient_secret_env = \"SET\"\ntenant = \"" + guid + "\"",
			"microsoft app " + guid + " https://login.microsoftonline.com/" + guid + "/oauth2/v2.0/token true [https://outlook.office365.com/.default]"},
		{`preset = "google-workspace"`, "flow = \"service-account\"\nservice_account_file = \"account.json\"",
			"google service-account  https://oauth2.googleapis.com/token false [https://mail.google.com/]"},
		{`host = "mail.example.com"`, "client_id = \"x\"\nauth_url = \"https://a.example/a\"\ntoken_url = \"https://a.example/t\"\nscopes = [\"mail\"]",
			" user  https://a.example/t false [mail]"},
		{`preset = "gmail"`, "client_id = \"x\"\nclient_secret_env = \"SET\"\ntoken_url = \"https://a.example/t\"\nprovider = \"google\"\nscopes = [\"mine\"]",
			"google user  https://a.example/t false [mine]"},
	} {
		c, faults := loadText(t, folder(t), withServers(someRelay, test.mailbox+"\nusername = \"a@example.com\"\n[desk.mailbox.oauth]\n"+test.oauth, ""))
		if c == nil || len(c.Desks[0].Closed) > 0 {
			t.Fatal(test.oauth, printedAll(faults))
		}
		o := &c.Desks[0].Mailbox.OAuth
		if got := fmt.Sprintf("%s %s %s %s %v %v", o.Provider, o.Flow, o.Tenant, o.TokenURL, o.DeviceURL != "", o.Scopes); got != test.want || !o.Used() {
			t.Errorf("%s\n%s:\ngot  %s\nwant %s", test.mailbox, test.oauth, got, test.want)
		}
		if secret, err := o.ResolveSecret(); err != nil || strings.Contains(test.oauth, "SET") != (secret == "from-env") {
			t.Errorf("%s: wrong secret, %v", test.oauth, err)
		}
		if c.Relay.OAuth.Used() {
			t.Error("the relay signs in by OAuth2 too")
		}
	}
}

// What a [desk.relay] takes over of the sign-in: never a password or a
// permission for another server, or beside one of its own.
func TestOwnRelaySignIn(t *testing.T) {
	const oauth = "preset = \"gmail\"\nusername = \"all@example.com\"\n[relay.oauth]\nclient_id = \"x\"\nclient_secret_env = \"SET\""
	const password = "preset = \"gmail\"\nusername = \"all@example.com\"\npassword = \"x\"\nclient_key = \"office\"\nproxy = \"none\"\n[[key]]\nname = \"k\"\nfile = \"good.pem\""
	for _, test := range []struct {
		relay, own string
		want       string
	}{
		{oauth, `from = "a@example.com"`, "smtp.gmail.com:587 all@example.com google from-env"},
		{oauth, `username = "b@example.com"`, "smtp.gmail.com:587 b@example.com google from-env"},
		{oauth, "username = \"b@example.com\"\npassword = \"y\"", "smtp.gmail.com:587 b@example.com y"},
		{oauth, "preset = \"gmx\"\nusername = \"b@gmx.de\"\npassword = \"y\"", "mail.gmx.net:587 b@gmx.de y"},
		{oauth, "host = \"h.example.com\"\nanonymous = true", "h.example.com:587"},
		{oauth, `security = "tls"`, "smtp.gmail.com:465 all@example.com google from-env"},
		{strings.Replace(password, `"office"`, `"k"`, 1), "[desk.relay.oauth]\nclient_id = \"x\"\nclient_secret_env = \"SET\"", "smtp.gmail.com:587 all@example.com google from-env k none"},
		{strings.Replace(password, `"office"`, `"k"`, 1), "client_key = \"\"\nproxy = \"socks5://p:1\"", "smtp.gmail.com:587 all@example.com x socks5://p:1"},
		{strings.Replace(password, `"office"`, `"k"`, 1), "host = \"h.example.com\"\nusername = \"u\"\npassword = \"y\"", "h.example.com:587 u y"},
	} {
		c, faults := loadText(t, folder(t), withServers(test.relay, someMailbox, test.own))
		if c == nil || len(c.Desks[1].Closed) > 0 {
			t.Fatal(test.own, printedAll(faults))
		}
		r := &c.Desks[1].Relay
		got := strings.Join(strings.Fields(strings.Join([]string{r.Addr(), r.Username, string(r.Password), r.OAuth.Provider, string(r.OAuth.SecretFromEnv), r.ClientKey, string(r.Proxy)}, " ")), " ")
		if got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.own, got, test.want)
		}
		if common := c.Desks[0].Relay; !reflect.DeepEqual(common, c.Relay) {
			t.Errorf("%s: the other desk's relay is not the common one:\n%+v\n%+v", test.own, common, c.Relay)
		}
	}
}

func TestNewPathsAreRelativeToTheFile(t *testing.T) {
	dir := folder(t)
	text := withServers(someRelay, "preset = \"google-workspace\"\nusername = \"a@example.com\"\n[desk.mailbox.oauth]\nflow = \"service-account\"\nservice_account_file = \"account.json\"", "")
	text = strings.Replace(text, "[[trust]]", "[[key]]\nname = \"k\"\nfile = \"good.p12\"\npassword_file = \"right\"\n[[trust]]", 1)
	text = strings.Replace(text, "[relay]", "[relay]\nclient_key = \"k\"", 1)
	c, faults := loadText(t, dir, text)
	if c == nil || len(faults) > 0 {
		t.Fatal(printedAll(faults))
	}
	for _, path := range []string{c.Keys[0].File, c.Keys[0].PasswordFile, c.Desks[0].Mailbox.OAuth.ServiceAccountFile, c.Relay.keyFile, c.Desks[1].Relay.keyFile} {
		if filepath.Dir(path) != dir {
			t.Errorf("%s is not in %s", path, dir)
		}
	}
}

// What the calendar brings is told in time, and not with every load again.
func TestForecast(t *testing.T) {
	dir := folder(t)
	o := theOffice(t)
	write(t, filepath.Join(dir, "soon.pem"), string(keyFiles(t)["ca.pem"]), 0o600)
	text := withServers(someRelay, "preset = \"gmail\"\nusername = \"a@example.com\"\n[desk.mailbox.oauth]\nclient_id = \"x\"\nclient_secret_env = \"SET\"\nclient_secret_expires = \"2099-05-01\"", "")
	text = strings.Replace(text, "[[trust]]", "[[trust]]\nname = \"ca\"\nfile = \"ca.pem\"\n[[key]]\nname = \"k\"\nfile = \"good.p12\"\npassword_file = \"right\"\n[[trust]]", 1)
	c, faults := loadText(t, dir, text)
	if c == nil || len(faults) > 0 || len(c.Warnings) > 0 {
		t.Fatal(printedAll(faults))
	}
	day := 24 * time.Hour
	secret := time.Date(2099, 5, 1, 0, 0, 0, 0, time.UTC)
	c.Trust = c.Trust[:1] // the other is valid until 2106
	for _, test := range []struct {
		now  time.Time
		want string
	}{
		{o.leaf.NotAfter.Add(-31 * day), ""},
		{o.leaf.NotAfter.Add(-30*day + time.Minute), "key-expires trust-expires"},
		{o.leaf.NotAfter.Add(time.Second), "key-expired trust-expired"},
		{secret.Add(-31 * day), "key-expired trust-expired"},
		{secret.Add(-29 * day), "key-expired trust-expired secret-expires"},
		{secret, "key-expired trust-expired secret-expired"},
	} {
		var codes []string
		for _, f := range append(c.Forecast(test.now), c.secrets(test.now)...) {
			codes = append(codes, f.Code)
			if !f.Warning || strings.Contains(f.Text(English)+f.Text(Japanese), "{") {
				t.Errorf("%s", f.Text(English))
			}
			if f.Code == "secret-expires" && f.Args["days"] != "29" || f.Code == "key-expires" && (f.Args["days"] != "30" || f.Args["subject"] != "helpdesk") {
				t.Errorf("%v", f.Args)
			}
		}
		if got := strings.Join(codes, " "); got != test.want {
			t.Errorf("at %s: %s, want %s", test.now, got, test.want)
		}
	}
	// Load tells what is so today, but keeps only the lasting warnings for the page.
	text = strings.Replace(text, `"good.p12"`, `"soon.p12"`, 1)
	text = strings.Replace(text, `agents = ["ben@example.com"]`, "", 1)
	c, faults = loadText(t, dir, text)
	if c == nil || len(faults) != 2 || faults[0].Code != "key-expires" || faults[0].Args["days"] != "10" || len(c.Warnings) != 1 || c.Warnings[0].Code != "no-agents" || c.Warnings[0].Line == 0 {
		t.Errorf("%v\n%v", printedAll(faults), c.Warnings)
	}
}

// The hash changes with whatever decides about the sign-in, and with nothing else.
func TestAccountHash(t *testing.T) {
	dir := folder(t)
	base := func() *Server {
		return &Server{Host: "h", Port: 993, Security: TLS, Username: "u", Auth: "auto", keyFile: filepath.Join(dir, "good.p12"),
			OAuth: OAuth{ClientID: "c", ClientSecretFile: filepath.Join(dir, "pass"), Scopes: []string{"a", "b"}}}
	}
	hash := func(s *Server, credential string) string {
		h, err := s.AccountHash([]byte("salt"), credential)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := hash(base(), "hunter2")
	if first != hash(base(), "hunter2") || len(first) != 64 || strings.Contains(first, "hunter2") {
		t.Errorf("%q", first)
	}
	seen := map[string]string{first: "the first"}
	for name, change := range map[string]func(*Server){
		"host": func(s *Server) { s.Host = "i" }, "port": func(s *Server) { s.Port = 143 }, "security": func(s *Server) { s.Security = StartTLS },
		"user": func(s *Server) { s.Username = "v" }, "auth": func(s *Server) { s.Auth = "plain" }, "plaintext": func(s *Server) { s.AllowPlaintext = true },
		"client": func(s *Server) { s.OAuth.ClientID = "d" }, "secret": func(s *Server) { s.OAuth.ClientSecretFile = filepath.Join(dir, "open2") },
		"tenant": func(s *Server) { s.OAuth.Tenant = "t" }, "flow": func(s *Server) { s.OAuth.Flow = FlowApp }, "token": func(s *Server) { s.OAuth.TokenURL = "https://t" },
		"scopes": func(s *Server) { s.OAuth.Scopes = []string{"a"} }, "account": func(s *Server) { s.OAuth.ServiceAccountFile = filepath.Join(dir, "account.json") },
		"key": func(s *Server) { s.keyFile = filepath.Join(dir, "good.jks") }, "shifted": func(s *Server) { s.Username, s.Auth = "ua", "uto" },
	} {
		s := base()
		write(t, filepath.Join(dir, "open2"), "other\n", 0o600)
		change(s)
		h := hash(s, "hunter2")
		if was, ok := seen[h]; ok {
			t.Errorf("%s gives the same hash as %s", name, was)
		}
		seen[h] = name
	}
	if hash(base(), "hunter3") == first {
		t.Error("another password, the same hash")
	}
	if other, err := base().AccountHash([]byte("pepper"), "hunter2"); err != nil || other == first {
		t.Error("another salt, the same hash", err)
	}
	for _, same := range []func(*Server){
		func(s *Server) { s.Trust = []string{"x"} }, func(s *Server) { s.Proxy = "none" },
		func(s *Server) { s.OAuth.ClientSecretExpires = "2099-01-01" }, func(s *Server) { s.Preset = "gmail" },
	} {
		s := base()
		same(s)
		if hash(s, "hunter2") != first {
			t.Errorf("%+v has another hash", s)
		}
	}
	write(t, filepath.Join(dir, "pass"), "changed\n", 0o600)
	if hash(base(), "hunter2") == first {
		t.Error("another content of the secret's file, the same hash")
	}
	missing := base()
	missing.keyFile = filepath.Join(dir, "nothere")
	if _, err := missing.AccountHash(nil, ""); err == nil {
		t.Error("a key file that is not there is no error")
	}
}
