package command

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
)

// serviceCommands are those for the operating system's service manager.
func (e *env) serviceCommands() []*cobra.Command {
	short := map[string]string{
		"install":   "Install as a service of the operating system",
		"uninstall": "Remove the service; configuration and data stay",
		"start":     "Start the service",
		"stop":      "Stop the service",
		"restart":   "Stop and start the service",
	}
	done := map[string]string{
		"install":   "Installed. Start it with: helpdesk start",
		"uninstall": "Removed. Configuration and data were left as they are.",
		"start":     "Started.",
		"stop":      "Stopped.",
		"restart":   "Started again.",
	}
	var commands []*cobra.Command
	for _, action := range []string{"install", "uninstall", "start", "stop", "restart"} {
		commands = append(commands, &cobra.Command{
			Use:   action,
			Short: short[action],
			RunE: func(*cobra.Command, []string) error {
				path, err := filepath.Abs(e.configFile())
				if err != nil {
					return fmt.Errorf("finding the configuration: %w", err)
				}
				if action == "install" {
					if _, err := e.loadConfig(); err != nil {
						return err
					}
				}
				if err := daemon.ServiceControl(action, path); err != nil {
					return err
				}
				_, err = fmt.Fprintln(e.stdout, done[action])
				return err
			},
		})
	}
	return commands
}
