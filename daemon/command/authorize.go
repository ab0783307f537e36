package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/diagnose"
	"helpdesk/ui"
)

// authorizeLimit is how long a person may take to sign in at the provider.
const authorizeLimit = 15 * time.Minute

// authorizing is one run of `helpdesk authorize`.
type authorizing struct {
	*env
	language string
	words    ui.Words
	account  daemon.OAuthAccount
	browse   func(link string) // opens a browser, where it can
}

func (e *env) authorizeCommand() *cobra.Command {
	var device, browser, paste bool
	c := &cobra.Command{
		Use:   "authorize DESK|relay",
		Short: "Sign in at the mail provider (OAuth2), for a mailbox or the relay",
		Long: "Signs in at the mail provider once, so that helpdesk may fetch and send mail from then on.\n" +
			"DESK is the key of a desk, as SUP; DESK.relay is the relay that it uses.\n" +
			"Without a flag the way is chosen that the provider and this computer allow.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := e.loadConfig()
			if err != nil {
				return err
			}
			a := &authorizing{env: e, language: c.Language, words: ui.WordsIn(c.Language), browse: openBrowser}
			if a.account, err = daemon.OAuthAccountNamed(c, args[0]); errors.Is(err, daemon.ErrNoDesk) || errors.Is(err, daemon.ErrNoOAuth) {
				return &failure{exitUse, err}
			} else if err != nil {
				return err
			}
			way := a.way(onDesktop(runtime.GOOS, os.LookupEnv))
			chosen := 0
			for flagged, set := range map[string]bool{ui.WayDevice: device, ui.WayBrowser: browser, wayPaste: paste} {
				if set {
					way = flagged
					chosen++
				}
			}
			if chosen > 1 {
				return &failure{exitUse, errors.New("choose one of --device, --browser and --paste")}
			}
			return a.explained(a.run(cmd.Context(), c, way))
		},
	}
	c.Flags().BoolVar(&device, "device", false, "by a code that you type in at the provider, on any computer")
	c.Flags().BoolVar(&browser, "browser", false, "in a browser on this computer")
	c.Flags().BoolVar(&paste, "paste", false, "in a browser on another computer, whose last address you paste here")
	return c
}

// wayPaste is beside those of package ui: the browser runs elsewhere.
const wayPaste = "paste"

// way is the best one that the account has: a code where the provider gives
// one for mail, else a browser, which on a machine without a desktop runs on
// another one.
func (a *authorizing) way(desktop bool) string {
	ways := a.account.Ways()
	switch {
	case len(ways) == 0:
		return ""
	case ways[0] == ui.WayBrowser && !desktop:
		return wayPaste
	}
	return ways[0]
}

// onDesktop reports whether a browser that is opened here is seen by who asks.
func onDesktop(goos string, lookup config.Env) bool {
	if remote, _ := lookup("SSH_CONNECTION"); remote != "" {
		return false
	}
	if goos == "windows" || goos == "darwin" {
		return true
	}
	x, _ := lookup("DISPLAY")
	wayland, _ := lookup("WAYLAND_DISPLAY")
	return x+wayland != ""
}

// run signs in and keeps what came of it. The daemon's place is not held while
// a person takes their time, so that the service can be started meanwhile; that
// it can be had is seen beforehand.
func (a *authorizing) run(ctx context.Context, c *config.Config, way string) error {
	a.say(a.words.Text("authorize.cli.begin", "user", a.account.User, "provider", a.account.ProviderName()))
	if len(a.account.Ways()) == 0 {
		// No person is needed: what can be done is to see that it works.
		return a.with(ctx, c, func(tokens *daemon.Tokens) error {
			if _, err := tokens.Access(ctx, a.account); err != nil {
				return err
			}
			a.say(a.words.Text("authorize.cli.by-itself"))
			a.next()
			return nil
		})
	}
	if err := a.with(ctx, c, func(*daemon.Tokens) error { return nil }); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, authorizeLimit)
	defer cancel()
	got, err := a.signIn(limited, way)
	if err != nil {
		if ctx.Err() == nil && limited.Err() != nil {
			err = errors.New(a.words.Text("authorize.cli.late"))
		}
		return err
	}
	if err := a.with(ctx, c, func(tokens *daemon.Tokens) error { return tokens.Authorized(ctx, a.account, got) }); err != nil {
		return fmt.Errorf("keeping the sign-in: %w", err)
	}
	if same, known := got.SignedIn(a.account.User); known && !same {
		a.say(a.words.Text("authorize.other", "other", got.Users[0], "user", a.account.User))
	}
	a.say(a.words.Text("authorize.cli.done"))
	a.next()
	return nil
}

// with does something with the tokens of the daemon, or in its place.
func (a *authorizing) with(ctx context.Context, c *config.Config, do func(*daemon.Tokens) error) error {
	tokens, err := daemon.OpenTokens(ctx, c, a.logger())
	if err != nil {
		return err
	}
	return errors.Join(do(tokens), tokens.Close())
}

// explained says why the provider refused and what to do.
func (a *authorizing) explained(err error) error {
	var e *mail.Error
	if !errors.As(err, &e) {
		return err
	}
	d := diagnose.Explain(e, "")
	words := d.In(a.language)
	p := &testPrinter{w: a.stderr, words: a.words}
	p.trouble(&ui.PartStatus{Cause: d.Cause, Title: words.Title, Text: words.Text, Remedy: words.Remedy, ServerText: d.ServerText})
	return &failure{exitServer, errPrinted}
}

// next says what to do now.
func (a *authorizing) next() {
	name, _, _ := strings.Cut(a.account.Name, ".")
	a.say(a.words.Text("authorize.cli.next", "name", name))
}

func (a *authorizing) say(text string) { fmt.Fprintln(a.stdout, text) }

func (a *authorizing) signIn(ctx context.Context, way string) (connect.OAuthTokens, error) {
	switch way {
	case ui.WayDevice:
		return a.byDevice(ctx)
	case ui.WayBrowser:
		return a.byBrowser(ctx)
	}
	return a.byPaste(ctx)
}

// byDevice shows a code and waits until it was typed in.
func (a *authorizing) byDevice(ctx context.Context) (connect.OAuthTokens, error) {
	app := &a.account.App
	d, err := app.Device(ctx)
	if err != nil {
		return connect.OAuthTokens{}, err
	}
	a.say("1. " + a.words.Text("authorize.device.open") + "\n   " + d.Link)
	a.say("2. " + a.words.Text("authorize.device.code") + "\n   " + d.UserCode)
	a.say("3. " + a.words.Text("authorize.device.user", "user", a.account.User))
	a.say(a.words.Text("authorize.cli.waiting"))
	for {
		timer := time.NewTimer(d.Interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return connect.OAuthTokens{}, ctx.Err()
		case <-timer.C:
		}
		got, err := app.Poll(ctx, &d)
		var e *mail.Error
		if errors.As(err, &e) && e.Temporary { // not yet, or the network blinked
			continue
		}
		if e != nil && e.Code == connect.OAuthExpired {
			return got, errors.New(a.words.Text("authorize.cli.late"))
		}
		return got, err
	}
}

// maxPastes is how often a wrong address may be pasted.
const maxPastes = 3

// byPaste shows a link for a browser on any computer and reads the address that
// it ends at.
func (a *authorizing) byPaste(ctx context.Context) (connect.OAuthTokens, error) {
	begun, err := a.account.App.Consent(a.account.Redirect(""), a.account.User)
	if err != nil {
		return connect.OAuthTokens{}, err
	}
	a.say("1. " + a.words.Text("authorize.device.open") + "\n   " + begun.Link)
	a.say("2. " + a.words.Text("authorize.device.user", "user", a.account.User))
	a.say("3. " + a.words.Text("authorize.paste"))
	lines := bufio.NewReader(io.LimitReader(a.stdin, 1<<20))
	for range maxPastes {
		fmt.Fprint(a.stdout, "> ")
		line, err := readLine(ctx, lines)
		if err != nil && line == "" {
			return connect.OAuthTokens{}, errors.New(a.words.Text("authorize.cli.no-paste"))
		}
		var got connect.OAuthTokens
		answer, err := connect.Pasted(line)
		if err == nil {
			if got, err = a.account.App.Exchange(ctx, begun, answer); !errors.Is(err, connect.ErrState) {
				return got, err
			}
		}
		a.say(a.words.Text("authorize.no-code")) // it may be that of an earlier sign-in
	}
	return connect.OAuthTokens{}, errors.New(a.words.Text("authorize.no-code"))
}

// readLine reads a line, or gives up when ctx ends; a person who does nothing
// then must press a key to end the goroutine, or the process does.
func readLine(ctx context.Context, r *bufio.Reader) (string, error) {
	type read struct {
		line string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		line, err := r.ReadString('\n')
		got <- read{strings.TrimSpace(line), err}
	}()
	select {
	case one := <-got:
		return one.line, one.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
