package command

import (
	"slices"

	"github.com/spf13/cobra"

	"helpdesk/ui"
)

func (e *env) liveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "live DESK leave|take|import",
		Short: "Say what becomes of the mail that a desk only observed",
		Long: "When a desk goes from mode = \"observe\" to \"live\", the mail that it only observed waits for\n" +
			"your word: leave it alone, take it and tell the agents, or import it and tell nobody.",
		Example: "  helpdesk live SUP take",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			choices := []string{"leave", "take", "import"}
			if !slices.Contains(choices, args[1]) {
				return wrong("live", "choice", args[1])
			}
			return e.actOnExisting(cmd.Context(), ui.Act{Name: ui.ActObserved, Desk: args[0], Choice: args[1]})
		},
	}
}
