package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
)

func (e *env) openCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "open",
		Short: "Print a link that signs you in to the page; it works once, for ten minutes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := e.locate()
			if err != nil {
				return err
			}
			client, err := e.dial(p)
			if err != nil {
				return err
			}
			var answer daemon.OpenAnswer
			if err := client.Call(cmd.Context(), "POST", daemon.OpenPath, nil, &answer); err != nil {
				return fmt.Errorf("asking for a sign-in link: %w", err)
			}
			_, err = fmt.Fprintln(e.stdout, answer.Link)
			return err
		},
	}
}
