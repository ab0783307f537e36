package daemon

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail/connect"
	"helpdesk/mail/fetch"
	"helpdesk/mail/send"
	"helpdesk/store"
	"helpdesk/ui"
)

// failing is a row: what is wrong, and what has to be printed.
type failing struct {
	name      string
	protocol  string // imap, pop3 or smtp
	address   string // of the server, of which only the port is written: the host is mail.test
	security  string
	set       string // further or other lines of its table; address is the desk's, token_url that of its [oauth]
	trust     string // name of a [[trust]] table
	key       string // name of a [[key]] table
	to        string // send a test message to this address
	roundTrip bool
	acts      bool // the newest mail is moved, as after it was taken
	fault     [3]string
	token     string // the access token; "endpoint": what the token endpoint gives
	refresh   string // the refresh token that is saved
	quick     time.Duration

	step, cause string   // "": it works
	words       []string // that text or remedy must have in each language
}

// configuration is what a person would have written.
func (r *failing) configuration(t *testing.T, h *failingHosts) *config.Config {
	t.Helper()
	server, oauth, address := r.server(h)
	relay, mailbox := "[relay]\nenabled = false\n", "[desk.mailbox]\nprotocol = \""+r.protocol+"\"\n"+server+strings.ReplaceAll(oauth, "TABLE", "desk.mailbox")
	if r.protocol == "smtp" {
		relay = "[relay]\n" + server + strings.ReplaceAll(oauth, "TABLE", "relay")
		mailbox = "[desk.mailbox]\nhost = \"127.0.0.1\"\nusername = \"x\"\npassword = \"x\"\n"
	}
	if r.roundTrip {
		relay = "[relay]\nhost = \"127.0.0.1\"\nport = " + portOf(h.hosts.SMTP) + "\nsecurity = \"none\"\nproxy = \"none\"\nusername = \"" + address + "\"\npassword = \"" + stagePassword + "\"\n"
	}
	text := "data_dir = \"data\"\n"
	if r.trust != "" {
		text += "[[trust]]\nname = \"" + r.trust + "\"\n" + h.trust[r.trust] + "\n"
	}
	if r.key != "" {
		text += "[[key]]\nname = \"" + r.key + "\"\nfile = '" + h.keys[r.key] + "'\n"
	}
	text += relay + "[[desk]]\nname = \"Support\"\nkey = \"SUP\"\naddress = \"" + address + "\"\n" + mailbox
	path := filepath.Join(t.TempDir(), "helpdesk.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil || config.Refused(faults) || len(c.Desks) == 0 || len(c.Desks[0].Closed) > 0 {
		t.Fatalf("%v %v\n%s", err, faults, text)
	}
	return c
}

// server is the row's table, its OAuth2 table, and the desk's address.
func (r *failing) server(h *failingHosts) (table, oauth, address string) {
	host := "mail.test"
	if r.security == "none" {
		host = "127.0.0.1" // no other is let through without encryption
	}
	address = stageUser
	lines := map[string]string{
		"host": `"` + host + `"`, "port": portOf(r.address), "security": `"` + r.security + `"`, "proxy": `"none"`, "username": `"` + stageUser + `"`, "password": `"` + stagePassword + `"`,
	}
	if r.trust != "" {
		lines["trust"] = `["` + r.trust + `"]`
	}
	if r.key != "" {
		lines["client_key"] = `"` + r.key + `"`
	}
	tokenURL := h.signIn.URL + "/token"
	for line := range strings.SplitSeq(r.set, "\n") {
		switch name, value, _ := strings.Cut(line, " = "); name {
		case "":
		case "address":
			address = value
		case "token_url":
			tokenURL = value
		default:
			lines[name] = value
		}
	}
	if r.token != "" {
		delete(lines, "password")
		oauth = "[TABLE.oauth]\nclient_id = \"helpdesk\"\nclient_secret_file = '" + filepath.Join(h.dir, "client") + "'\nauth_url = '" + h.signIn.URL + "/authorize'\ntoken_url = '" + tokenURL + "'\nscopes = [\"mail\"]\n"
	}
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		table += name + " = " + lines[name] + "\n"
	}
	return table, oauth, address
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// printed is all that a person saw of a test.
type printed struct {
	steps []string // of the stages that ended, "!" behind one that failed
	cause string
	title string
	text  map[string]string // by language: title, text and remedy
	said  string            // the server's words, or ours where it had none
	brief string            // the failure and its explanation
	all   string
}

// run tests the row's part.
func (r *failing) run(t *testing.T, h *failingHosts) *printed {
	t.Helper()
	c := r.configuration(t, h)
	trials := r.trials(t, h, c)
	if r.fault[0] != "" {
		h.hosts.FaultAt(r.fault[0], r.fault[1], r.fault[2])
		defer h.hosts.FaultAt(r.fault[0], r.fault[1], "")
	}
	desk := &c.Desks[0]
	order, provider := ui.TestOrder{Part: MailboxPart(desk), RoundTrip: r.roundTrip}, desk.Mailbox.Provider()
	if r.protocol == "smtp" {
		order, provider = ui.TestOrder{Part: RelayPart(desk), To: r.to}, desk.Relay.Provider()
	}
	p := &printed{text: map[string]string{}}
	var err error
	if r.acts {
		err = act(t, trials, desk, p.tell)
	} else {
		err = trials.Run(t.Context(), order, p.tell)
	}
	if err != nil {
		p.explained(err, provider)
	}
	return p
}

// trials is the engine that tests the row's configuration.
func (r *failing) trials(t *testing.T, h *failingHosts, c *config.Config) *Trials {
	t.Helper()
	trials, err := NewTrials(t.Context(), TrialOptions{Config: c, Version: "test", Token: r.tokens(t, c)})
	if err != nil {
		t.Fatal(err)
	}
	trials.patience = 100 * time.Millisecond
	mailbox, relay := trials.mailbox, trials.relay
	trials.mailbox = func(m *config.Mailbox) (fetch.Settings, error) {
		s, err := mailbox(m)
		r.reach(&s.Settings, h)
		return s, err
	}
	trials.relay = func(m *config.Relay) (send.Settings, error) {
		s, err := relay(m)
		r.reach(&s.Settings, h)
		return s, err
	}
	return trials
}

func (p *printed) tell(e ui.TestEvent) {
	switch {
	case e.Stage != nil && e.Stage.Failed:
		p.steps = append(p.steps, e.Stage.Step+"!")
	case e.Stage != nil:
		p.steps = append(p.steps, e.Stage.Step)
	}
	p.all += fmt.Sprintf("%+v %+v %+v %+v\n", e.Section, e.Stage, e.Trouble, e.Note)
	if e.Stage != nil {
		p.all += fmt.Sprintf("%+v\n", e.Stage.TLS)
	}
}

// explained puts the failure into the words of each language.
func (p *printed) explained(err error, provider string) {
	for _, lang := range []string{"en", "ja"} {
		trouble := explain(err, provider, lang)
		p.cause, p.text[lang] = trouble.Cause, trouble.Title+"\n"+trouble.Text+"\n"+strings.Join(trouble.Remedy, "\n")
		p.said = trouble.ServerText
	}
	p.title, _, _ = strings.Cut(p.text["en"], "\n")
	p.brief = err.Error() + "\n" + p.text["en"] + "\n" + p.text["ja"] + "\n" + p.said
	p.all += p.brief
}

// act does what the desk does with a mail that was taken, which a test only
// looks at.
func act(t *testing.T, trials *Trials, desk *config.Desk, tell func(ui.TestEvent)) error {
	set, err := trials.mailbox(&desk.Mailbox)
	if err != nil {
		t.Fatal(err)
	}
	one := &trial{Trials: trials, conf: desk, tell: tell}
	set.SpoolDir, set.Trace = t.TempDir(), one.trace()
	session, err := fetch.Open(t.Context(), set)
	if err != nil {
		return err
	}
	defer session.Close()
	_, err = one.stage("act", func(*ui.TestStage) error {
		return session.Acknowledge(t.Context(), afterwards(&desk.Mailbox), []uint32{1})
	})
	return err
}

// reach sets what no configuration has.
func (r *failing) reach(s *connect.Settings, h *failingHosts) {
	s.Resolver, s.DialTimeout, s.IdleTimeout = h.resolver, 20*time.Second, 20*time.Second
	if r.quick > 0 {
		s.DialTimeout, s.IdleTimeout = r.quick, r.quick
	}
}

// tokens gives the row's access token.
func (r *failing) tokens(t *testing.T, c *config.Config) func(*config.Server) func(context.Context) (string, error) {
	t.Helper()
	if r.token != "endpoint" {
		return func(s *config.Server) func(context.Context) (string, error) {
			if !s.OAuth.Used() {
				return nil
			}
			return func(context.Context) (string, error) { return r.token, nil }
		}
	}
	dir := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, DatabaseFile), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	all := &Tokens{config: c, local: newTokens(s, dir, time.Now, slog.New(slog.NewTextHandler(t.Output(), nil)))}
	if r.refresh == "" {
		return all.For
	}
	account, err := OAuthAccountNamed(c, map[string]string{"smtp": "relay"}[r.protocol]+map[string]string{"imap": "SUP", "pop3": "SUP"}[r.protocol])
	if err != nil {
		t.Fatal(err)
	}
	if err := all.Authorized(t.Context(), account, connect.OAuthTokens{Refresh: r.refresh}); err != nil {
		t.Fatal(err)
	}
	return all.For
}

// hidden are the secrets in the forms in which they are sent.
func hidden() []string {
	var forms []string
	for _, secret := range []string{stagePassword, stageWrong, proxyPassword, stageToken, downToken, stageRefresh, clientSecret} {
		forms = append(forms, secret)
		for _, around := range []string{secret, "\x00" + stageUser + "\x00" + secret, "desk:" + secret} {
			forms = append(forms, base64.StdEncoding.EncodeToString([]byte(around)))
		}
	}
	return forms
}
