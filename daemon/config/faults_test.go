package config

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// valid is a configuration without any fault; the rows below break it.
const valid = `data_dir = "data"
language = "en"
[ui]
listen = "127.0.0.1:8025"
[relay]
host = "smtp.example.com"
username = "support"
password = "x"
[[trust]]
name = "office"
file = "office.pem"
[[agent]]
name = "Aki"
email = "aki@example.com"
[[agent]]
name = "Ben"
email = "ben@example.com"
[[desk]]
name = "Support"
key = "SUP"
address = "support@example.com"
agents = ["aki@example.com"]
[desk.mailbox]
host = "imap.example.com"
username = "support"
password = "x"
[[desk]]
name = "Sales"
key = "SAL"
address = "sales@example.com"
agents = ["ben@example.com"]
[desk.mailbox]
host = "imap.example.com"
username = "sales"
password = "x"
`

// row breaks valid by replacing the first occurrence of old after the line
// that holds "after", and expects exactly the lines of want.
type row struct {
	after, old, new string
	want            []string
}

func faultRows() []row {
	return []row{
		// lines that cannot be read
		{"", `language = "en"`, `language = en`, []string{`2: text needs double quotes. Write language = "en".`}},
		{"", `language = "en"`, `language = "en`, []string{`2: the closing " is missing. Text stands between two double quotes: language = "text".`}},
		{"", `language = "en"`, `language =`, []string{`2: language has no value. Write a value after the = sign, as language = "text", or delete the line.`}},
		{"", `language = "en"`, `language = “en”`, []string{`2: this line has a typographic or full-width sign where a plain one is needed. Use the keyboard's plain " and = signs and plain spaces; do not edit the file in a word processor.`}},
		{"", `language = "en"`, `language = "en" "ja"`, []string{`2: this line cannot be read (expected a top-level item to end with a newline, comment, or EOF, but got '"' instead). Each setting is one line: key = "text", key = 123 or key = true.`}},
		{"", `data_dir = "data"`, `data_dir = "C:\help"`, []string{`1: the \ sign has a special meaning between double quotes. Write Windows paths and other text with \ between single quotes: data_dir = 'C:\folder\file'.`}},
		{"", `language = "en"`, "language = \"en\"\nlanguage = \"ja\"", []string{`3: language is set a second time. Keep one of the two lines and delete the other.`}},
		{"[relay]", `password = "x"`, `password = hunter2`, []string{`8: the value cannot be read. Write password = 'the password' between single quotes; if it has a single quote in it, put it into a file and use password_file.`}},
		{"", `[ui]`, `[ui`, []string{`3: a line that begins with [ must be the name of a group of settings between brackets. Write it on a line of its own, as [relay], or [[desk]] where there can be several.`}},
		{"", "language = \"en\"\n[ui]", "language = en\n[ui", []string{
			`2: text needs double quotes. Write language = "en".`,
			`3: a line that begins with [ must be the name of a group of settings between brackets. Write it on a line of its own, as [relay], or [[desk]] where there can be several.`}},
		{"Sales", `agents = ["ben@example.com"]`, "agents = ben [\n \"x\",\n]", []string{`31: this line cannot be read (expected value but found "ben" instead). Each setting is one line: key = "text", key = 123 or key = true.`}},
		{"Sales", `agents = ["ben@example.com"]`, "agents = [\n ben,\n]", []string{`32: this line cannot be read (expected value but found "ben" instead). Each setting is one line: key = "text", key = 123 or key = true.`}},
		{"Sales", `[desk.mailbox]`, `[ui]`, []string{`32: [ui] stands in the file a second time. Put all of its settings below the first one. Only [[desk]], [[agent]], [[trust]] and [[key]], with two brackets each, can be there several times.`}},
		{"Sales", `[desk.mailbox]`, "[desk.mailbox]\nidle = true\n[desk.mailbox]", []string{`34: [desk.mailbox] stands in the file a second time. Put all of its settings below the first one. Only [[desk]], [[agent]], [[trust]] and [[key]], with two brackets each, can be there several times.`}},

		// names
		{"", `language = "en"`, `colour = "red"`, []string{`2: colour: there is no setting colour. Delete it, or look up its name in helpdesk.toml.example.`}},
		{"", `language = "en"`, `client_id = "x"`, []string{`2: client_id: client_id does not belong here. Move the line below [desk.mailbox.oauth], [desk.relay.oauth], [relay.oauth].`}},
		{"", `language = "en"`, `tls_cert = "x"`, []string{`2: tls_cert: there is no setting tls_cert. Delete it, or look up its name in helpdesk.toml.example.`}}, // not where it is not available
		{"", `[ui]`, "[colours]\na = 1\n[ui]", []string{`3: colours: there is no setting [colours]. Delete it, or look up its name in helpdesk.toml.example.`}},
		{"", `language = "en"`, `Language = "en"`, []string{`2: Language: there is no setting Language here. Did you mean language?`}},
		{"[relay]", `password = "x"`, `pasword = "x"`, []string{`8: relay.pasword: there is no setting pasword here. Did you mean password?`}},
		{"Sales", `key = "SAL"`, "key = \"SAL\"\nhost = \"x\"", []string{`30: desk "Sales": host: host does not belong here. Move the line below [desk.mailbox], [desk.relay].`}},
		{"", `[ui]`, "[ui]\nlanguage = \"en\"", []string{`4: ui.language: language does not belong here. Move the line below [[desk]].`}},
		{"", `[ui]`, "[ui]\ndata_dir = \"x\"", []string{`4: ui.data_dir: data_dir does not belong here. Move the line to the top of the file, above the first [table].`}},

		// kinds
		{"", `language = "en"`, `language = 1`, []string{`2: language: this must be text between double quotes. Write language = "1".`}},
		{"[relay]", `password = "x"`, `password = 1234`, []string{`8: relay.password: this must be text between double quotes. Write password = "…".`}},
		{"[relay]", `username`, "port = \"587\"\nusername", []string{`7: relay.port: "587" is not a whole number. Write a number without quotes, as port = 587.`}},
		{"[relay]", `username`, "port = 5000000000\nusername", []string{`7: relay.port: "5000000000" is not a whole number. Write a number without quotes, as port = 5000000000.`}},
		{"[relay]", `username`, "enabled = \"yes\"\nusername", []string{`7: relay.enabled: "yes" is neither true nor false. Write enabled = true or enabled = false, without quotes.`}},
		{"Support", `["aki@example.com"]`, `"aki@example.com"`, []string{`22: desk "Support": agents: this must be a list. Write it between square brackets: agents = ["aki@example.com"].`}},
		{"Support", `["aki@example.com"]`, `["aki@example.com", 5]`, []string{`22: desk "Support": agents[2]: this must be text between double quotes. Write agents[2] = "5".`}},
		{"", "[ui]\nlisten = \"127.0.0.1:8025\"", `ui = "127.0.0.1:8025"`, []string{`3: ui: this is a group of settings. Write [ui] on a line of its own, and its settings below it.`}},
		{"", "[[agent]]\nname = \"Aki\"\nemail = \"aki@example.com\"\n[[agent]]\nname = \"Ben\"\nemail = \"ben@example.com\"", "[agent]\nname = \"Aki\"", []string{
			`12: agent: this is a group of settings. Write [[agent]] on a line of its own, and its settings below it.`,
			`18: desk "Support": agents[1]: "aki@example.com" is not among the agents. Correct the address, or add an [[agent]] with a name and email = "aki@example.com".`,
			`27: desk "Sales": agents[1]: "ben@example.com" is not among the agents. Correct the address, or add an [[agent]] with a name and email = "ben@example.com".`}},
		{"Sales", `username = "sales"`, "username = \"sales\"\npoll = 5", []string{`35: desk "Sales": mailbox.poll: "5" has no unit. Write "5s" or "5m" ("5h" for hours, "5d" for days).`}},
		{"Sales", `username = "sales"`, "username = \"sales\"\npoll = \"5\"", []string{`35: desk "Sales": mailbox.poll: "5" has no unit. Write "5s" or "5m" ("5h" for hours, "5d" for days).`}},
		{"Sales", `username = "sales"`, "username = \"sales\"\npoll = \"often\"", []string{`35: desk "Sales": mailbox.poll: "often" is not a time span. Write a whole number and a unit: "30s", "5m", "4h" or "14d".`}},
		{"Sales", `username = "sales"`, "username = \"sales\"\nmax_size = 50", []string{`35: desk "Sales": mailbox.max_size: "50" has no unit. Write "50MB" ("50kB", "50GB").`}},
		{"Sales", `username = "sales"`, "username = \"sales\"\nmax_size = \"1.5MB\"", []string{`35: desk "Sales": mailbox.max_size: "1.5MB" is not a size. Write a whole number and a unit: "500kB", "50MB" or "1GB".`}},
		{"Sales", `username = "sales"`, "username = \"sales\"\nmax_size = \"1kB\"", []string{`35: desk "Sales": mailbox.max_size: "1kB" is too small. The smallest possible value is 64kB.`}},
		{"Sales", `username = "sales"`, "username = \"sales\"\npoll = \"4s\"", []string{`35: desk "Sales": mailbox.poll: "4s" is too small. The smallest possible value is 5s.`}},
		{"[relay]", `username`, "max_per_minute = 0\nusername", []string{`7: relay.max_per_minute: "0" is too small. The smallest possible value is 1.`}},

		// not built yet
		{"", `[ui]`, "[ui]\ntls_cert = \"a.pem\"", []string{`4: ui.tls_cert: this setting is not available yet. Delete it, or leave it at its default; a later version will have it.`}},
		{"", "127.0.0.1:8025", "0.0.0.0:8025", []string{`4: ui.listen: "0.0.0.0:8025" can be reached from other machines, which is not available yet. Use "127.0.0.1:8025": the page is then seen on this machine only.`}},
		{"", "127.0.0.1:8025", ":8025", []string{`4: ui.listen: ":8025" can be reached from other machines, which is not available yet. Use "127.0.0.1:8025": the page is then seen on this machine only.`}},

		// values
		{"", `language = "en"`, `language = "de"`, []string{`2: language: "de" is not possible here. Write one of: en, ja.`}},
		{"", "127.0.0.1:8025", "8025", []string{`4: ui.listen: "8025" is not an address to listen on. Write an IP address and a port, as "127.0.0.1:8025".`}},
		{"", `[ui]`, "[ui]\nbase_url = \"helpdesk.example.com\"", []string{`4: ui.base_url: "helpdesk.example.com" is not a web address. Write it in full, as "https://helpdesk.example.com".`}},
		{"[relay]", `host = "smtp.example.com"`, `host = "smtp.example.com:587"`, []string{`6: relay.host: "smtp.example.com:587" has the port in it. Write host = "smtp.example.com" and, on a line of its own, port = 587.`}},
		{"[relay]", `host = "smtp.example.com"`, `host = "https://smtp.example.com"`, []string{`6: relay.host: "https://smtp.example.com" is not the name of a server. Write just the name, as "mail.example.com", without "https://", spaces or user names.`}},
		{"[relay]", "username", "port = 0\nusername", []string{`7: relay.port: 0 is not a port. Ports go from 1 to 65535; leave the line out to use the usual one.`}},
		{"[relay]", "username", "helo = \"a b\"\nusername", []string{`7: relay.helo: "a b" is not the name of a server. Write just the name, as "mail.example.com", without "https://", spaces or user names.`}},
		{"[relay]", "username", "security = \"none\"\nusername", []string{`7: relay.security: without encryption the password can be read on the way. Use security = "tls" or "starttls"; if the server really offers neither, add allow_plaintext = true.`}},
		{"[relay]", "username", "security = \"none\"\nallow_plaintext = true\nusername", nil},
		{"[relay]", `host = "smtp.example.com"`, "host = \"127.0.0.1\"\nsecurity = \"none\"", nil},
		{"[relay]", "username", "security = \"ssl\"\nusername", []string{`7: relay.security: "ssl" is not possible here. Write one of: tls, starttls, none.`}},
		{"[relay]", "username", "from = \"Support\"\nusername", []string{`7: relay.from: "Support" is not an e-mail address. Write "name@example.com" or "Name <name@example.com>".`}},
		{"", `file = "office.pem"`, `file = "nothere.pem"`, []string{`11: trust[1].file: there is no file "DIR/nothere.pem". Correct the name, or save the file there; a name without a folder is looked for beside this configuration.`}},
		{"", `file = "office.pem"`, `file = "."`, []string{`11: trust[1].file: the certificate file "DIR" cannot be read (is a directory). Save the server's or your office's certificate there in PEM form.`}},
		{"", `file = "office.pem"`, `file = "pass"`, []string{`11: trust[1].file: the file "DIR/pass" holds no certificate. It must be in PEM form: a text that has the line "-----BEGIN CERTIFICATE-----". A key store (.p12, .jks) is named in a [[key]].`}},
		{"", `[[trust]]`, "[[trust]]\nname = \"office\"\nfile = \"office.pem\"\n[[trust]]", []string{`13: trust[2].name: the name "office" is used twice. Give each its own name.`}},
		{"[relay]", "username", "trust = [\"office\", \"Office\"]\nusername", []string{`7: relay.trust[2]: there is no [[trust]] or [[key]] with the name "Office". Correct the name, or add a [[trust]] with this name and its file.`}},

		// logging in
		{"[relay]", "host = \"smtp.example.com\"\n", "", []string{`5: relay.host: this setting is missing. Add a line host = "…"; helpdesk.toml.example shows what to write.`}},
		{"[relay]", "username = \"support\"\n", "", []string{`5: relay.username: the user name is missing. Add username and a password; if the server needs no login, write anonymous = true.`}},
		{"Support", "username = \"support\"\n", "", []string{`23: desk "Support": mailbox.username: this setting is missing. Add a line username = "…"; helpdesk.toml.example shows what to write.`}},
		{"[relay]", "username = \"support\"\npassword = \"x\"\n", "anonymous = true\n", nil},
		{"[relay]", "host = \"smtp.example.com\"\nusername = \"support\"\npassword = \"x\"\n", "enabled = false\n", nil},
		{"Sales", "password = \"x\"\n", "", []string{`32: desk "Sales": mailbox.password: the password is missing. Add one of password_file (a file that holds it), password_env or password.`}},
		{"Sales", "password = \"x\"\n", "password = \"x\"\npassword_env = \"SET\"\n", []string{`35: desk "Sales": mailbox.password: the password is given in more than one way. Keep just one of password, password_file and password_env.`}},
		{"Sales", "password = \"x\"\n", "password_env = \"SET\"\n", nil},
		{"Sales", "password = \"x\"\n", "password_file = \"pass\"\n", nil},
		{"Sales", "password = \"x\"\n", "password_env = \"UNSET\"\n", []string{`35: desk "Sales": mailbox.password_env: the environment variable "UNSET" is not set. Set it where helpdesk is started, or use password_file instead.`}},
		{"Sales", "password = \"x\"\n", "password_file = \"nothere\"\n", []string{`35: desk "Sales": mailbox.password_file: there is no file "DIR/nothere". Correct the name, or save the file there; a name without a folder is looked for beside this configuration.`}},
		{"Sales", "password = \"x\"\n", "password_file = \"pass/word\"\n", []string{`35: desk "Sales": mailbox.password_file: the file "DIR/pass/word" cannot be read (not a directory). Put the password into that file, and let the user that helpdesk runs as read it.`}},
		{"Sales", "password = \"x\"\n", "password_file = \"empty\"\n", []string{`35: desk "Sales": mailbox.password_file: the file "DIR/empty" is empty. Write the password into it.`}},
		{"Sales", "password = \"x\"\n", "password_file = \"two\"\n", []string{`35: desk "Sales": mailbox.password_file: the file "DIR/two" holds more than a password. It must hold one line: the password.`}},
		{"Sales", "password = \"x\"\n", "password_file = \"open\"\n", []string{`35: warning: desk "Sales": mailbox.password_file: every user of this machine can read "DIR/open". Allow it to helpdesk only, as with: chmod 600 "DIR/open"`}},

		// desks and agents
		{"", valid[strings.Index(valid, "[[desk]]"):], "", []string{`desk: there is no desk. Add a [[desk]] with name, key and address, and its [desk.mailbox]; helpdesk.toml.example shows one.`}},
		{"Support", "agents = [\"aki@example.com\"]\n", "", []string{`18: warning: desk "Support": agents: nobody is told of new requests. List the people who answer, as agents = ["aki@example.com"].`}},
		{"", `name = "Sales"`, `name = ""`, []string{`28: desk[2].name: this setting is missing. Add a line name = "…"; helpdesk.toml.example shows what to write.`}},
		{"", `key = "SAL"`, `key = "sales"`, []string{`29: desk "Sales": key: "sales" cannot be the beginning of request numbers. Write 1 to 10 capital letters and digits, a letter first, as SUP: requests are then called SUP-1, SUP-2.`}},
		{"", `key = "SAL"`, `key = "SAL-1"`, []string{`29: desk "Sales": key: "SAL-1" is what a request will be called. Write the part before the number only: key = "SAL".`}},
		{"", `key = "SAL"`, `key = "SUP"`, []string{`29: desk "Sales": key: the desks "Support" and "Sales" both have the key "SUP". Give "Sales" another one, so that their requests can be told apart.`}},
		{"", `"sales@example.com"`, `"Support@Example.com"`, []string{`30: desk "Sales": address: the desks "Support" and "Sales" both have the address "Support@Example.com". An address belongs to one desk: remove it from "Support" or from "Sales".`}},
		{"Sales", `agents`, "aliases = [\"info@example.com\", \"support@example.com\"]\nagents", []string{`31: desk "Sales": aliases[2]: the desks "Support" and "Sales" both have the address "support@example.com". An address belongs to one desk: remove it from "Support" or from "Sales".`}},
		{"Sales", `agents`, "aliases = [\"info@example.com\",\n \"sales@example.com\"]\nagents", []string{`32: desk "Sales": aliases[2]: the address "sales@example.com" stands here twice. Delete one of the two; aliases are the other addresses of a desk.`}},
		{"", `"sales@example.com"`, `"sales"`, []string{`30: desk "Sales": address: "sales" is not an e-mail address. Write just the address, as name@example.com.`}},
		{"Sales", `"ben@example.com"`, `"ben@example.com", "carl@example.com"`, []string{`31: desk "Sales": agents[2]: "carl@example.com" is not among the agents. Correct the address, or add an [[agent]] with a name and email = "carl@example.com".`}},
		{"Sales", `"ben@example.com"`, `"ben@example.com", "Ben@example.com"`, []string{`31: desk "Sales": agents[2]: "Ben@example.com" is listed twice. Delete one of the two.`}},
		{"", `[[agent]]`, "[[agent]]\nname = \"B\"\nemail = \"Ben@example.com\"\n[[agent]]", []string{`20: agent[3].email: two agents have the address "ben@example.com". Delete one of the two, or correct its address.`}},
		{"", `[[agent]]`, "[[agent]]\nname = \"S\"\nemail = \"Sales@example.com\"\n[[agent]]", []string{`14: agent[1].email: "Sales@example.com" is the address of the desk "Sales", so notifications to this agent would come back as new mail. Write the agent's own address.`}},
		{"Sales", `username = "sales"`, `username = "Support"`, []string{`34: desk "Sales": mailbox.username: the desks "Support" and "Sales" read the same mailbox (folder "INBOX" of "Support" at imap.example.com), so each would miss mail. Give "Sales" a mailbox or a folder of its own, or make its address an alias of "Support".`}},
		{"Sales", `username = "sales"`, "username = \"support\"\nfolder = \"Sales\"", nil},
		{"Sales", `username = "sales"`, "username = \"sales\"\nafter = \"move\"\nmove_to = \"Inbox\"", []string{`36: desk "Sales": mailbox.move_to: "Inbox" is the folder that mail is read from. Name another folder for mail that was taken.`}},
		{"Sales", `username = "sales"`, "username = \"sales\"\nafter = \"burn\"", []string{`35: desk "Sales": mailbox.after: "burn" is not possible here. Write one of: keep, seen, move, delete.`}},
		{"Sales", `agents`, "language = \"fr\"\nauthserv_id = \"a b\"\nagents", []string{
			`31: desk "Sales": language: "fr" is not possible here. Write one of: en, ja.`,
			`32: desk "Sales": authserv_id: "a b" is not the name of a server. Write just the name, as "mail.example.com", without "https://", spaces or user names.`}},

		// forms of TOML
		{"Sales", "[desk.mailbox]\nhost = \"imap.example.com\"\nusername = \"sales\"\npassword = \"x\"\n", "mailbox = { host = \"imap.example.com\",\n username = \"sales\", password = \"x\", poll = \"1s\" }\n", []string{`33: desk "Sales": mailbox.poll: "1s" is too small. The smallest possible value is 5s.`}},
		{"Sales", "[desk.mailbox]\nhost", "mailbox.\"poll\" = \"1s\"\nmailbox.host", []string{ // the rest of the table then stands in [[desk]]
			`32: desk "Sales": mailbox.poll: "1s" is too small. The smallest possible value is 5s.`,
			`34: desk "Sales": username: username does not belong here. Move the line below [desk.mailbox], [desk.relay].`,
			`35: desk "Sales": password: password does not belong here. Move the line below [desk.mailbox], [desk.relay].`}},

		// a relay of its own
		{"Sales", `password = "x"`, "password = \"x\"\n[desk.relay]\nhost = \"other.example.com\"", []string{
			`36: desk "Sales": relay.username: the user name is missing. Add username and a password; if the server needs no login, write anonymous = true.`,
			`36: desk "Sales": relay.password: the password is missing. Add one of password_file (a file that holds it), password_env or password.`}},
		{"Sales", `password = "x"`, "password = \"x\"\n[desk.relay]\nusername = \"sales\"", []string{
			`36: desk "Sales": relay.password: the password is missing. Add one of password_file (a file that holds it), password_env or password.`}},
		{"[relay]", `username`, "max_per_minute = 0\nhelo = \"a b\"\n[[desk]]\nname = \"Own\"\nkey = \"OWN\"\naddress=\"own@example.com\"\nagents = [\"aki@example.com\"]\n[desk.mailbox]\nhost=\"h\"\nusername=\"u\"\npassword=\"p\"\n[desk.relay]\nfrom=\"a@b.example\"\nusername", []string{
			`7: relay.max_per_minute: "0" is too small. The smallest possible value is 1.`,
			`8: relay.helo: "a b" is not the name of a server. Write just the name, as "mail.example.com", without "https://", spaces or user names.`,
			`5: relay.username: the user name is missing. Add username and a password; if the server needs no login, write anonymous = true.`,
			`5: relay.password: the password is missing. Add one of password_file (a file that holds it), password_env or password.`}},
	}
}

func (r row) text(t *testing.T) string {
	t.Helper()
	head, tail, found := strings.Cut(valid, r.after)
	if !found || !strings.Contains(tail, r.old) {
		t.Fatalf("the row replaces %q after %q, which is not in the configuration", r.old, r.after)
	}
	return head + r.after + strings.Replace(tail, r.old, r.new, 1)
}

// folder holds the files that the rows name.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range keyFiles(t) {
		write(t, filepath.Join(dir, name), content, 0o600)
	}
	for name, content := range map[string]string{
		"guid": "12345678-1234-1234-1234-123456789abc\n", "account.json": serviceAccount(t), "pass": "secret\n", "empty": "\n", "two": "user\nsecret\n", "open": "secret\n", "office.pem": string(certificate(t)),
	} {
		mode := os.FileMode(0o600)
		if name == "open" {
			mode = 0o644
		}
		write(t, filepath.Join(dir, name), content, mode)
	}
	return dir
}

// serviceAccount is a key file as Google's console saves it, with another key.
func serviceAccount(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "helpdesk@project.iam.gserviceaccount.com", "private_key": keyFiles(t)["pkcs1.pem"]})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func testEnv() Env {
	return func(name string) (string, bool) {
		if name == "SET" {
			return "from-env", true
		}
		return "", false
	}
}

func loadText(t *testing.T, dir, text string) (*Config, []Fault) {
	t.Helper()
	path := filepath.Join(dir, "helpdesk.toml")
	write(t, path, text, 0o600)
	c, faults, err := Load(path, testEnv())
	if err != nil {
		t.Fatal(err)
	}
	return c, faults
}

// printed is what Print writes, with the folder's path as DIR and without the file's name.
func printed(t *testing.T, dir string, faults []Fault, lang string) []string {
	t.Helper()
	var b bytes.Buffer
	if err := Print(&b, faults, lang); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(line, "\n")
		line = strings.ReplaceAll(line, dir+string(filepath.Separator), "DIR/")
		line = strings.ReplaceAll(line, dir, "DIR")
		line, ok := strings.CutPrefix(line, "DIR/helpdesk.toml:")
		if !ok {
			t.Errorf("the line does not begin with the file: %s", line)
		}
		lines = append(lines, strings.TrimPrefix(line, " "))
	}
	return lines
}

func TestFaults(t *testing.T) {
	dir := folder(t)
	seen := map[string]bool{"readable-config": true} // TestReadableConfig
	for i, r := range slices.Concat(faultRows(), serverRows(), oauthRows(), keyRows(), officeRows(), typeRows(), sameRows()) {
		if runtime.GOOS == "windows" && regexp.MustCompile(`chmod|a directory`).MatchString(strings.Join(r.want, "")) {
			continue // no modes, other words
		}
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			c, faults := loadText(t, dir, r.text(t))
			if !slices.IsSortedFunc(faults, func(a, b Fault) int { return a.Line - b.Line }) {
				t.Error("the faults are not in the order of the file")
			}
			got := printed(t, dir, faults, English)
			want := slices.Clone(r.want)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%q -> %q:\ngot  %s\nwant %s", r.old, r.new, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
			if (c == nil) != Refused(faults) {
				t.Errorf("Config is nil: %v, refused: %v", c == nil, Refused(faults))
			}
			for _, line := range printed(t, dir, faults, Japanese) {
				if strings.ContainsAny(line, "{}") && !strings.Contains(r.new, "{") || !regexp.MustCompile(`[ぁ-ん]`).MatchString(line) {
					t.Errorf("not a Japanese sentence: %s", line)
				}
			}
			for _, f := range faults {
				seen[f.Code] = true
			}
		})
	}
	seen["own-text"], seen["mailbox-shown-same"] = true, true // package daemon finds them
	seen["no-file"] = true                                    // there is no text to put into a row: TestLoadErrors
	for _, code := range []string{"key-expires", "trust-expires", "secret-expires"} {
		seen[code] = true // by the calendar: TestForecast
	}
	for code := range phrases(t) {
		if !seen[code] && runtime.GOOS != "windows" {
			t.Errorf("no row shows the fault %q", code)
		}
	}
}

// phrases reads the codes and sentences out of this package's own source.
func phrases(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, file := range []string{"texts.go", "texts_server.go", "texts_keys.go", "texts_oauth.go", "texts_advice.go", "texts_office.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			clause, ok := n.(*ast.CaseClause)
			if !ok || len(clause.List) != 1 {
				return true
			}
			code := literal(clause.List[0])
			ast.Inspect(clause, func(n ast.Node) bool {
				if c, ok := n.(*ast.CompositeLit); ok {
					for _, e := range c.Elts {
						all[code] = append(all[code], literal(e))
					}
				}
				return true
			})
			return true
		})
	}
	return all
}

func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, err := strconv.Unquote(l.Value)
	if err != nil {
		return ""
	}
	return s
}

// Both languages must say the same: the same arguments, the same settings.
func TestPhrases(t *testing.T) {
	all := phrases(t)
	if len(all) < 110 {
		t.Fatalf("only %d sentences found", len(all))
	}
	argument := regexp.MustCompile(`\{[a-z]+\}`)
	for code, s := range all {
		if len(s) != 4 || slices.Contains(s, "") {
			t.Errorf("%s: reason and remedy in two languages are needed, got %q", code, s)
			continue
		}
		for i := range 2 {
			en, ja := argument.FindAllString(s[i], -1), argument.FindAllString(s[i+2], -1)
			slices.Sort(en)
			slices.Sort(ja)
			if !slices.Equal(slices.Compact(en), slices.Compact(ja)) {
				t.Errorf("%s: arguments differ: %q %q", code, s[i], s[i+2])
			}
		}
		if phraseOf(code).en != s[0] {
			t.Errorf("%s is not found", code)
		}
	}
}

func TestFiveFaultsGiveFiveLines(t *testing.T) {
	dir := folder(t)
	text := strings.NewReplacer(
		`language = "en"`, `languag = "en"`,
		`127.0.0.1:8025`, `127.0.0.1`,
		`host = "smtp.example.com"`, `host = smtp.example.com`,
		`key = "SAL"`, `key = "SUP"`,
		`username = "sales"`, "username = \"sales\"\npoll = 60",
	).Replace(valid)
	c, faults := loadText(t, dir, text)
	if got := printed(t, dir, faults, English); len(got) != 5 || c != nil {
		t.Errorf("got %d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
}
