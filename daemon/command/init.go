package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon/config"
	"helpdesk/mail/provider"
)

// initer is one run of `helpdesk init`: the flags, and what was answered.
type initer struct {
	e    *env
	path string // the file to write

	presetFlag, imapFlag, pop3Flag, smtpFlag string
	userFlag, passwordFlag, nameFlag         string
	agentFlags                               []string
	oauthFlag, yes, keep                     bool
	clientFlag, tenantFlag, secretFlag       string

	answers
	provider *provider.Provider // nil: not one of the known ones
	failed   bool               // something did not work, and the file is written all the same
}

// answers are what the file is made of.
type answers struct {
	Language, Address, DeskName, Key string
	Preset                           string // slug; "": none
	POP3                             bool
	In, Out                          initServer
	OAuth                            *initOAuth // nil: by password
	Agents                           []config.Agent
	Trust                            string // file with certificates; "": none
}

// initServer is one server and how we sign in there.
type initServer struct {
	provider.Endpoint
	Username     string
	PasswordFile string        // as it is written into the file; "": not yet
	password     config.Secret // for the test, and for the file that is made of it
}

// initOAuth is the application that signs in.
type initOAuth struct {
	Provider, ClientID, Tenant string
	SecretFile                 string        // as it is written into the file; "": none, or not yet
	secret                     config.Secret // for the file that is made of it
}

const initHelp = `Asks a few questions, finds the mail servers, tests them, and writes helpdesk.toml.
A file that exists is never overwritten. Nothing is written before the end.

The servers are taken from what is known of large providers, from the domain's
own DNS entries and web server, or guessed by their usual names. No third party
is asked, and a password goes nowhere before you have seen where to.

Without questions, for a script:
  helpdesk init support@example.com --yes --language en --password-file pw.txt \
      --agent "Aki <aki@example.com>" [--preset gmail | --imap HOST:PORT --smtp HOST:PORT]
The port says how the connection is encrypted (993, 995, 465: tls; 143, 110,
587: starttls); after another port write /tls or /starttls. --password-file -
reads the password from the input. With --yes nothing is asked, and guessed
servers are not used.

Exit codes: 0 written; 2 an answer is missing or wrong, or the file exists;
3 the file came out wrong; 4 a server could not be reached or refused us, and
nothing was written (with --keep the file is written, and 4 is returned).`

func (e *env) initCommand() *cobra.Command {
	i := &initer{e: e}
	c := &cobra.Command{
		Use:   "init [ADDRESS]",
		Short: "Ask a few questions, test the mail servers, and write helpdesk.toml",
		Long:  initHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				i.Address = args[0]
			}
			return i.run(cmd.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&i.Language, "language", "", "en or ja")
	f.StringVar(&i.presetFlag, "preset", "", "the provider, as gmail or microsoft365 (instead of looking for it)")
	f.StringVar(&i.imapFlag, "imap", "", "incoming server, HOST:PORT")
	f.StringVar(&i.pop3Flag, "pop3", "", "incoming server by POP3, HOST:PORT")
	f.StringVar(&i.smtpFlag, "smtp", "", "outgoing server, HOST:PORT")
	f.StringVar(&i.userFlag, "username", "", "user name of the mailbox, where it is not as the provider makes it of the address")
	f.StringVar(&i.passwordFlag, "password-file", "", "file with the password; - reads it from the input")
	f.BoolVar(&i.oauthFlag, "oauth", false, "sign in by OAuth2, also where the provider takes passwords")
	f.StringVar(&i.clientFlag, "client-id", "", "OAuth2: application (client) ID")
	f.StringVar(&i.tenantFlag, "tenant", "", "OAuth2 at Microsoft: directory (tenant) ID")
	f.StringVar(&i.secretFlag, "client-secret-file", "", "OAuth2: file with the client secret, where the application has one")
	f.StringArrayVar(&i.agentFlags, "agent", nil, "address of one who answers, also as \"Name <address>\"; may be repeated")
	f.StringVar(&i.nameFlag, "name", "", "name of the first agent")
	f.StringVar(&i.Key, "key", "", "beginning of the request numbers, as SUP")
	f.StringVar(&i.Trust, "trust", "", "file with certificates (PEM) to trust beside the system's")
	f.BoolVar(&i.yes, "yes", false, "ask nothing")
	f.BoolVar(&i.keep, "keep", false, "write the file also when a server could not be reached or refused us")
	return c
}

// run asks, tests and writes.
func (i *initer) run(ctx context.Context) error {
	if i.path = i.e.configPath; i.path == "" {
		i.path = "helpdesk.toml"
	}
	if err := i.askLanguage(ctx); err != nil {
		return err
	}
	if err := i.checkTarget(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		i.askAddress, i.chooseServers, i.askSignIn, i.try, i.askAgents, i.write,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if i.failed {
		return &failure{exitServer, errPrinted}
	}
	return nil
}

// checkTarget refuses before anything is asked.
func (i *initer) checkTarget() error {
	if _, err := os.Lstat(i.path); !errors.Is(err, os.ErrNotExist) {
		return i.wrong("exists", "path", i.path)
	}
	dir := filepath.Dir(i.path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return i.wrong("no-folder", "path", dir)
	}
	return nil
}

func (i *initer) askLanguage(ctx context.Context) error {
	standard := config.English
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := os.Getenv(name); value != "" {
			if strings.HasPrefix(value, "ja") {
				standard = config.Japanese
			}
			break
		}
	}
	flag := i.Language
	if i.Language = standard; flag == "" && i.yes {
		return nil // questions would be in it, and there are none
	}
	language, err := i.ask(ctx, question{key: "ask-language", flag: "--language", given: flag, standard: standard, check: i.choice(config.English, config.Japanese)})
	i.Language = language
	return err
}

func (i *initer) askAddress(ctx context.Context) error {
	address, err := i.ask(ctx, question{key: "ask-address", flag: "ADDRESS", given: i.Address, check: i.address})
	if err != nil {
		return err
	}
	i.Address = address
	local, _, _ := strings.Cut(address, "@")
	if i.DeskName = i.text("desk-name"); i.Language == config.English && local != "" {
		i.DeskName = strings.ToUpper(local[:1]) + local[1:]
	}
	if i.Key == "" {
		i.Key = keyOf(local)
	}
	if !deskKey.MatchString(i.Key) {
		return i.wrong("not-key", "value", i.Key)
	}
	return nil
}

// deskKey is what a request number can begin with.
var deskKey = regexp.MustCompile(`^[A-Z][A-Z0-9]{0,9}$`)

// keyOf makes SUP of "support".
func keyOf(local string) string {
	var letters []rune
	for _, r := range strings.ToUpper(local) {
		if r >= 'A' && r <= 'Z' {
			letters = append(letters, r)
		}
	}
	if len(letters) < 2 {
		return "SUP"
	}
	return string(letters[:min(3, len(letters))])
}

// discovery is what looks for servers: the tests' own, or the internet.
func (i *initer) discovery() provider.Network {
	if i.e.network != nil {
		return *i.e.network
	}
	const wait = 8 * time.Second
	dialer := &net.Dialer{Timeout: wait}
	return provider.Network{Resolver: net.DefaultResolver, HTTP: &http.Client{Timeout: 2 * wait}, Dial: dialer.DialContext, Timeout: wait}
}

func (i *initer) say(key string, pairs ...string) { i.print(i.text(key, pairs...)) }

func (i *initer) print(line string) { fmt.Fprintln(i.e.stdout, printable(line)) }

// wrong is an answer that does not do.
func (i *initer) wrong(key string, pairs ...string) error {
	return &failure{exitUse, errors.New(i.text(key, pairs...))}
}
