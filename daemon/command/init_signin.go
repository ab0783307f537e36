package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/diagnose"
	"helpdesk/mail/provider"
	"helpdesk/ui"
)

// askSignIn says what the provider demands, before a password is typed in
// vain, and asks for the password or the application.
func (i *initer) askSignIn(ctx context.Context) error {
	p := i.provider
	if p != nil {
		i.demands(p)
		if len(p.In(i.Language).Before) > 0 && !i.yes && i.passwordFlag == "" {
			if _, err := i.ask(ctx, question{key: "ask-ready", flag: "--yes", optional: true}); err != nil {
				return err
			}
		}
	}
	if i.oauthFlag || p != nil && p.Auth == provider.AuthOAuth2 {
		if p == nil || p.OAuth == nil {
			return i.wrong("oauth-unknown")
		}
		return i.askApplication(ctx, p.OAuth)
	}
	return i.askPassword(ctx)
}

func (i *initer) demands(p *provider.Provider) {
	words := p.In(i.Language)
	i.print("")
	i.say("demands", "name", p.Name, "month", p.AsOf)
	for n, step := range words.Before {
		i.print(fmt.Sprintf("  %d. %s", n+1, step))
	}
	for _, note := range words.Notes {
		i.print("  - " + note)
	}
	if len(p.Links) > 0 {
		i.say("links")
		for _, link := range p.Links {
			i.print("  " + link)
		}
	}
	i.print("")
}

func (i *initer) askApplication(ctx context.Context, o *provider.OAuth) (err error) {
	i.OAuth = &initOAuth{Provider: o.Name}
	if i.OAuth.ClientID, err = i.ask(ctx, question{key: "ask-client", flag: "--client-id", given: i.clientFlag}); err != nil {
		return err
	}
	if i.secretFlag != "" {
		if i.OAuth.SecretFile, err = fromFolder(filepath.Dir(i.path), i.secretFlag); err != nil {
			return err
		}
	}
	if o.Tenant == "" { // but for Microsoft's, an application on a computer has a secret too
		if i.OAuth.SecretFile == "" {
			secret, err := i.ask(ctx, question{key: "ask-client-secret", flag: "--client-secret-file", secret: true})
			if err != nil {
				return err
			}
			i.OAuth.secret = config.Secret(secret)
		}
		return nil
	}
	i.OAuth.Tenant, err = i.ask(ctx, question{key: "ask-tenant", flag: "--tenant", given: i.tenantFlag, optional: true})
	return err
}

// askPassword takes the password of both servers from the flag or the person.
func (i *initer) askPassword(ctx context.Context) error {
	switch i.passwordFlag {
	case "":
		return i.typePassword(ctx, &i.In, &i.Out)
	case "-":
		password, err := i.readLine(ctx)
		if err != nil || password == "" {
			return i.wrong("no-password", "path", "-", "why", "-")
		}
		i.setPassword(password, &i.In, &i.Out)
		return nil
	}
	text, err := os.ReadFile(i.passwordFlag)
	if err != nil {
		return i.wrong("no-password", "path", i.passwordFlag, "why", err.Error())
	}
	i.setPassword(strings.TrimRight(string(text), "\r\n"), &i.In, &i.Out)
	i.In.PasswordFile, err = fromFolder(filepath.Dir(i.path), i.passwordFlag)
	i.Out.PasswordFile = i.In.PasswordFile
	return err
}

func (i *initer) typePassword(ctx context.Context, servers ...*initServer) error {
	password, err := i.ask(ctx, question{key: "ask-password", pairs: []string{"user", servers[0].Username}, flag: "--password-file", secret: true})
	if err != nil {
		return err
	}
	if i.provider != nil && i.provider.Auth == provider.AuthAppPassword {
		password = strings.ReplaceAll(password, " ", "") // they are shown in groups of four
	}
	i.setPassword(password, servers...)
	return nil
}

func (i *initer) setPassword(password string, servers ...*initServer) {
	for _, s := range servers {
		s.password, s.PasswordFile = config.Secret(password), ""
	}
}

// try tests the mailbox, then the relay, each until it works or the person
// gives up.
func (i *initer) try(ctx context.Context) error {
	i.say("testing")
	if i.OAuth != nil {
		return i.tryReach(ctx)
	}
	for _, part := range []struct {
		name    func(*config.Desk) string
		servers []*initServer // those that a correction is for
	}{{daemon.MailboxPart, []*initServer{&i.In, &i.Out}}, {daemon.RelayPart, []*initServer{&i.Out}}} {
		for again := true; again; {
			c, err := i.draft()
			if err != nil {
				return err
			}
			trials, err := daemon.NewTrials(ctx, daemon.TrialOptions{Config: c, Version: version()})
			if err != nil {
				return err
			}
			p := &testPrinter{w: i.e.stdout, words: ui.WordsIn(i.Language), now: time.Now()}
			err = trials.Run(ctx, ui.TestOrder{Part: part.name(&c.Desks[0])}, func(e ui.TestEvent) { p.tell(briefly(e)) })
			if again, err = i.correct(ctx, err, part.servers); err != nil {
				return err
			}
		}
	}
	return nil
}

// briefly leaves of a stage that went well its name only.
func briefly(e ui.TestEvent) ui.TestEvent {
	if e.Stage != nil && !e.Stage.Failed {
		e.Stage = &ui.TestStage{Step: e.Stage.Step, Took: e.Stage.Took}
	}
	return e
}

// tryReach looks whether servers answer to whom we cannot sign in yet.
func (i *initer) tryReach(ctx context.Context) error {
	for _, server := range []*initServer{&i.In, &i.Out} {
		for again := true; again; {
			c, err := i.draft()
			if err != nil {
				return err
			}
			roots, err := c.Roots(nil)
			if err != nil {
				return err
			}
			protocol := c.Desks[0].Mailbox.Protocol
			if server == &i.Out {
				protocol = "smtp"
			}
			conn, err := connect.Dial(ctx, connect.Settings{Protocol: protocol, Host: server.Host, Port: server.Port, Security: connect.Security(server.Security), Roots: roots})
			if err == nil {
				i.say("reachable", "server", server.String())
				err = conn.Close()
			} else {
				i.explain(err)
			}
			if again, err = i.correct(ctx, err, []*initServer{server}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (i *initer) explain(err error) {
	var e *mail.Error
	if !errors.As(err, &e) {
		i.print(err.Error())
		return
	}
	d := diagnose.Explain(e, i.Preset)
	words := d.In(i.Language)
	p := &testPrinter{w: i.e.stdout, words: ui.WordsIn(i.Language)}
	p.trouble(&ui.PartStatus{Cause: d.Cause, Title: words.Title, Text: words.Text, Remedy: words.Remedy, ServerText: d.ServerText})
}

// correct asks what to do about a failure that was explained. again says to
// test once more; the error ends everything.
func (i *initer) correct(ctx context.Context, failed error, servers []*initServer) (again bool, err error) {
	if failed == nil || ctx.Err() != nil {
		return false, ctx.Err()
	}
	if i.yes {
		if i.failed = true; i.keep {
			return false, nil
		}
		i.say("not-kept")
		return false, &failure{exitServer, errPrinted}
	}
	choices, retry := []string{"p", "u", "s", "r", "w", "q"}, i.text("again")
	var e *mail.Error
	if errors.As(failed, &e) && e.Step == mail.StepLogin && !e.Temporary {
		i.say("refused-once")
		choices, retry = []string{"p", "u", "s", "w", "q"}, ""
	}
	i.say("type-here")
	i.print("")
	choice, err := i.ask(ctx, question{key: "what-now", pairs: []string{"again", retry}, flag: "--yes", check: i.choice(choices...)})
	if err != nil {
		return false, err
	}
	switch choice {
	case "p":
		return true, i.typePassword(ctx, servers...)
	case "u":
		user, err := i.ask(ctx, question{key: "ask-user", flag: "--username"})
		if err != nil {
			return false, err
		}
		for _, s := range servers {
			s.Username = user
		}
		return true, i.typePassword(ctx, servers...)
	case "s":
		return true, i.otherServers(ctx)
	case "w":
		i.failed = true
		return false, nil
	case "q":
		i.say("quit")
		return false, &failure{exitServer, errPrinted}
	}
	return true, nil
}

// otherServers asks for both servers again. The password stays for the same
// host; to another one it is typed anew.
func (i *initer) otherServers(ctx context.Context) error {
	in, out := i.In, i.Out
	if err := i.askServers(ctx); err != nil || i.OAuth != nil {
		return err
	}
	if i.In.Host == in.Host && i.Out.Host == out.Host {
		i.In.password, i.In.PasswordFile, i.Out.password, i.Out.PasswordFile = in.password, in.PasswordFile, out.password, out.PasswordFile
		return nil
	}
	return i.typePassword(ctx, &i.In, &i.Out)
}
