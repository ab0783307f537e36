package command

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"helpdesk/daemon/config"
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
			// What must be mended first is shown alone; advice follows when it is.
			wrong := slices.DeleteFunc(slices.Clone(faults), func(f config.Fault) bool { return f.Warning })
			if len(wrong) > 0 {
				return errors.Join(config.Print(e.stdout, wrong, lang), &failure{exitConfig, errPrinted})
			}
			if err := config.Print(e.stdout, faults, lang); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(e.stdout, "%s: no faults found, %d desk(s).\n", path, len(c.Desks)); err != nil {
				return err
			}
			for i := range c.Desks {
				d := &c.Desks[i]
				reply := d.ReplyAddress().Address
				if reply == "" {
					reply = d.Address
				}
				if _, err := fmt.Fprintf(e.stdout, "  %s (%s): mail goes out from %s <%s>, answers come back to %s\n", d.Name, d.Key, d.Sender().Name, d.Sender().Address, reply); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
