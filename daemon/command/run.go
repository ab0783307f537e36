package command

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
)

func (e *env) runCommand() *cobra.Command {
	asService := false
	c := &cobra.Command{
		Use:   "run",
		Short: "Run in the foreground until Ctrl-C",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asService {
				out, err := daemon.ServiceOutput()
				if err != nil {
					return err
				}
				e.stderr = out // what people can read later
			}
			c, err := e.loadConfig()
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(c.Desks, func(d config.Desk) bool { return len(d.Closed) == 0 }) {
				return &failure{exitConfig, errPrinted} // no desk is left to run
			}
			run := func(ctx context.Context) error {
				return daemon.Run(ctx, daemon.Options{Config: c, Version: version(), Logger: e.logger(), Ready: func(i daemon.Info) {
					if !asService {
						fmt.Fprintf(e.stderr, "The page is at %s ; sign in with: helpdesk open\n", i.PageURL)
					}
				}})
			}
			if asService {
				return daemon.RunService(cmd.Context(), run)
			}
			return run(cmd.Context())
		},
	}
	c.Flags().BoolVar(&asService, "service", false, "the operating system's service manager starts it")
	return c
}
