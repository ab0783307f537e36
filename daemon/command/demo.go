package command

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/mail/loopback"
	"helpdesk/store"
)

//go:embed samples/*.eml
var samples embed.FS

// demoConfig is a whole configuration: what an office writes, with the demo's ports.
const demoConfig = `data_dir = "."
language = "{{.Language}}"
[ui]
listen = "127.0.0.1:{{.PagePort}}"
[relay]
host = "127.0.0.1"
port = {{.SMTP.Port}}
security = "none"
anonymous = true
[[agent]]
name = "Aki"
email = "aki@demo.test"
[[desk]]
name = "Demo Support"
key = "SUP"
address = "support@demo.test"
agents = ["aki@demo.test"]
public_signup = false
customer_domains = ["customer.test"]
  [[desk.request_type]]
  name = "Email request"
    [[desk.request_type.field]]
    name = "summary"
    [[desk.request_type.field]]
    name = "description"
    [[desk.request_type.field]]
    name = "priority"
    default = "normal"
  [desk.mailbox]
  host = "127.0.0.1"
  port = {{.IMAP.Port}}
  security = "none"
  username = "support@demo.test"
  password = "demo"
  poll = "5s"
  backlog = "process"
`

// demoPeople have mailboxes on the demo's servers.
var demoPeople = []string{
	"support@demo.test", "aki@demo.test", "tom@customer.test", "laura@customer.test", "marco@customer.test",
	"hanako@customer.test", "jonas@customer.test", "shop@customer.test",
}

// demo is one run of `helpdesk demo`.
type demo struct {
	e        *env
	Language string
	PagePort int
	IMAP     loopback.Addr
	SMTP     loopback.Addr
}

func (e *env) demoCommand() *cobra.Command {
	d := &demo{e: e}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show all of it on built-in mail servers with sample mail; needs no configuration",
		RunE:  func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	c.Flags().StringVar(&d.Language, "lang", config.English, "language of page and mails: en or ja")
	c.Flags().IntVar(&d.PagePort, "port", 0, "port of the page (0: any free one)")
	return c
}

// run starts the servers and the real daemon in a scratch folder, and tells
// what happens until Ctrl-C.
func (d *demo) run(ctx context.Context) (err error) {
	if d.Language != config.English && d.Language != config.Japanese {
		return &failure{exitUse, fmt.Errorf("--lang is en or ja, not %q", d.Language)}
	}
	dir, err := os.MkdirTemp("", "helpdesk-demo-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	servers, err := loopback.Start(loopback.Options{})
	if err != nil {
		return fmt.Errorf("starting the built-in mail servers: %w", err)
	}
	defer servers.Close()
	d.IMAP, d.SMTP = servers.IMAP, servers.SMTP
	n, err := deliverSamples(servers)
	if err != nil {
		return err
	}
	c, err := d.config(dir)
	if err != nil {
		return err
	}
	d.say("Mail servers are running in this program; nothing leaves this computer.")
	d.say("%d sample mails lie in the mailbox support@demo.test.", n)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := make(chan daemon.Info, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, daemon.Options{
			Config: c, Version: version(), Logger: slog.New(slog.DiscardHandler), Ready: func(i daemon.Info) { ready <- i },
		})
	}()
	select {
	case err := <-ended:
		return err
	case info := <-ready:
		err = d.watch(ctx, info, n)
	}
	cancel()
	return errors.Join(err, <-ended)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.e.stdout, format+"\n", args...) }

// config writes the demo's configuration and reads it as any other.
func (d *demo) config(dir string) (*config.Config, error) {
	t, err := template.New("demo").Parse(demoConfig)
	if err != nil {
		return nil, fmt.Errorf("writing the demo's configuration: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, d); err != nil {
		return nil, fmt.Errorf("writing the demo's configuration: %w", err)
	}
	path := filepath.Join(dir, "helpdesk.toml")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("writing the demo's configuration: %w", err)
	}
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	if config.Refused(faults) {
		return nil, errors.Join(config.Print(d.e.stderr, faults, d.Language), &failure{exitConfig, errPrinted})
	}
	return c, nil
}

// deliverSamples puts the sample mails into the mailbox, dated now.
func deliverSamples(servers *loopback.Server) (int, error) {
	for _, who := range demoPeople {
		servers.AddUser(who, "demo")
	}
	names, err := fs.Glob(samples, "samples/*.eml")
	if err != nil {
		return 0, fmt.Errorf("reading the sample mails: %w", err)
	}
	date := []byte(time.Now().Format(time.RFC1123Z))
	for _, name := range names {
		raw, err := samples.ReadFile(name)
		if err != nil {
			return 0, fmt.Errorf("reading the sample mails: %w", err)
		}
		if err := servers.Deliver("support@demo.test", bytes.ReplaceAll(raw, []byte("{{DATE}}"), date)); err != nil {
			return 0, fmt.Errorf("delivering %s: %w", name, err)
		}
	}
	return len(names), nil
}

// watch tells what becomes of each mail, and after the samples where to look.
func (d *demo) watch(ctx context.Context, info daemon.Info, samples int) error {
	last, seen := int64(0), 0
	for {
		entries, err := info.Store.Entries(ctx, store.EntryFilter{Limit: hundred})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("reading the ledger: %w", err)
		}
		for i := len(entries) - 1; i >= 0; i-- {
			entry := entries[i]
			if entry.ID <= last {
				continue
			}
			last = entry.ID
			seen++
			d.say("  %-9s %-8s %s", entry.Outcome, entry.Request, cut(printable(entry.From.Address+": "+entry.Subject), 58))
			if seen == samples {
				d.invite(info)
			}
		}
		timer := time.NewTimer(300 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			d.say("Stopped. The demo's data is removed.")
			return nil
		case <-timer.C:
		}
	}
}

// invite says where to look and how to play on.
func (d *demo) invite(info daemon.Info) {
	d.say("")
	d.say("Look at the page (the link signs you in, once): %s", info.SignInLink())
	d.say("Send more mail to support@demo.test by SMTP at %s, for example:", d.SMTP)
	d.say("  printf 'From: Tom <tom@customer.test>\\nSubject: Hello\\n\\nIs anybody there?\\n' | curl -s --url smtp://%s --mail-from tom@customer.test --mail-rcpt support@demo.test -T -", d.SMTP)
	d.say("Mailboxes by IMAP at %s: aki@demo.test is the agent, tom@customer.test a customer; password demo.", d.IMAP)
	d.say("Ctrl-C ends the demo.")
	d.say("")
}
