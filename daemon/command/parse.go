package command

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"helpdesk/mail"
)

func (e *env) parseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "parse FILE|-",
		Short: "Show as JSON how a mail is understood",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r := e.stdin
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("opening the mail: %w", err)
				}
				defer f.Close()
				r = f
			}
			m, err := mail.Parse(io.Reader(r))
			if err != nil {
				return fmt.Errorf("reading the mail: %w", err)
			}
			return printJSON(e.stdout, m)
		},
	}
}
