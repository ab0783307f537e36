package command

import (
	"github.com/spf13/cobra"

	"helpdesk/ui"
)

func (e *env) resolveCommand() *cobra.Command {
	act := ui.Act{Name: ui.ActResolve}
	c := &cobra.Command{
		Use:     "resolve KEY…",
		Short:   "Mark requests as resolved",
		Example: "  helpdesk resolve SUP-12 SUP-13 --as aki",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.actOnExisting(cmd.Context(), forEach(act, args)...)
		},
	}
	c.Flags().StringVar(&act.Agent, "as", "", "the agent who does it, by name or address (default: whose request it is)")
	return c
}

func (e *env) reopenCommand() *cobra.Command {
	act := ui.Act{Name: ui.ActReopen}
	c := &cobra.Command{
		Use:     "reopen KEY…",
		Short:   "Open resolved requests again",
		Example: "  helpdesk reopen SUP-12",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.actOnExisting(cmd.Context(), forEach(act, args)...)
		},
	}
	c.Flags().StringVar(&act.Agent, "as", "", "the agent who does it, by name or address (default: whose request it is)")
	return c
}

// forEach is the same act for each of several requests.
func forEach(act ui.Act, keys []string) []ui.Act {
	acts := make([]ui.Act, len(keys))
	for i, key := range keys {
		acts[i] = act
		acts[i].Key = key
	}
	return acts
}
