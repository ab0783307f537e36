package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/mail/provider"
)

func (e *env) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Look through the configuration and name all its faults; no server is asked",
		RunE: func(*cobra.Command, []string) error {
			path := e.configFile()
			c, faults, err := config.Load(path, os.LookupEnv)
			if err != nil {
				return &failure{exitConfig, err}
			}
			lang := config.FileLanguage(path)
			if c != nil {
				faults = append(faults, daemon.TextFaults(c)...)
			}
			// What must be mended first is shown alone; advice follows when it is.
			wrong := slices.DeleteFunc(slices.Clone(faults), func(f config.Fault) bool { return f.Warning })
			if len(wrong) > 0 {
				return errors.Join(config.Print(e.stdout, wrong, lang), &failure{exitConfig, errPrinted})
			}
			if err := config.Print(e.stdout, faults, lang); err != nil {
				return err
			}
			var text strings.Builder
			summary(&text, path, c, lang)
			for _, p := range demanding(c) {
				steps(&text, p, lang)
			}
			_, err = io.WriteString(e.stdout, text.String())
			return err
		},
	}
}

// summary says that all is well, and what each desk will do.
func summary(b *strings.Builder, path string, c *config.Config, lang string) {
	all := "%s: no faults found, %d desks.\n"
	if len(c.Desks) == 1 {
		all = "%s: no faults found, %d desk.\n"
	}
	if lang == config.Japanese {
		all = "%s: 誤りはありません。窓口は %d 件です。\n"
	}
	fmt.Fprintf(b, all, path, len(c.Desks))
	for i := range c.Desks {
		describe(b, c, &c.Desks[i], lang)
	}
}

// demanding lists, once each, the providers at which a password alone does not
// do: their users have to make an app password first.
func demanding(c *config.Config) []provider.Provider {
	var servers []*config.Server
	for i := range c.Desks {
		d := &c.Desks[i]
		servers = append(servers, &d.Mailbox.Server)
		if d.Relay.Enabled && !d.Relay.Anonymous {
			servers = append(servers, &d.Relay.Server)
		}
	}
	var found []provider.Provider
	for _, s := range servers {
		p, ok := provider.Named(s.Provider())
		if ok && p.Auth == provider.AuthAppPassword && !s.OAuth.Used() && !slices.ContainsFunc(found, func(f provider.Provider) bool { return f.Slug == p.Slug }) {
			found = append(found, p)
		}
	}
	return found
}

// steps prints what the provider wants to be done before a program can sign in.
func steps(b *strings.Builder, p provider.Provider, lang string) {
	title, links := "\n%s lets a program in only after these steps; if they are done already, all is well:\n", "  Its own pages: %s\n"
	if lang == config.Japanese {
		title, links = "\n%s にプログラムからログインするには、次の準備が必要です(済んでいればそのままで構いません):\n", "  公式の説明: %s\n"
	}
	fmt.Fprintf(b, title, p.Name)
	for i, step := range p.In(lang).Before {
		fmt.Fprintf(b, "  %d. %s\n", i+1, step)
	}
	if len(p.Links) > 0 {
		fmt.Fprintf(b, links, strings.Join(p.Links, " "))
	}
}
