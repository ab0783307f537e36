package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"helpdesk/daemon/config"
	"helpdesk/ui"
)

// misuse is something that a person wrote wrongly; it is told in the language
// of the configuration. Its words are "use." and the slug.
type misuse struct {
	slug  string
	pairs []string
}

func (m *misuse) Error() string { return m.Text(config.English) }

// Text is what is wrong and how to write it; see env.text.
func (m *misuse) Text(lang string) string { return ui.WordsIn(lang).Text("use."+m.slug, m.pairs...) }

// wrong is wrong use: it ends the program with the code for that.
func wrong(slug string, pairs ...string) error { return &failure{exitUse, &misuse{slug, pairs}} }

// wrongUse makes a wrong number of arguments, and a command that does not
// exist, wrong use.
func wrongUse(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		check = cobra.NoArgs
	}
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		usage := strings.TrimSuffix(cmd.UseLine(), " [flags]")
		if cmd.HasAvailableSubCommands() {
			cmd.SuggestionsMinimumDistance = 2 // letters; 0 finds none
			if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
				return wrong("command-like", "command", usage+" "+args[0], "like", usage+" "+like[0])
			}
			return wrong("command", "command", usage+" "+args[0], "usage", usage)
		}
		for n := len(args) - 1; n >= 0; n-- {
			if check(cmd, args[:n]) == nil {
				return wrong("too-much", "word", args[n], "usage", usage)
			}
		}
		return wrong("missing", "usage", usage)
	}
}

// wrongFlag says what is wrong with a flag.
func wrongFlag(cmd *cobra.Command, err error) error {
	var named interface{ GetSpecifiedName() string } // pflag.NotExistError, pflag.ValueRequiredError
	var valued interface{ GetValue() string }        // pflag.InvalidValueError
	switch {
	case errors.As(err, &valued):
		_, rest, _ := strings.Cut(err.Error(), ` for "`) // the flag's name is nowhere else but in a type of its package
		name, _, _ := strings.Cut(rest, `" flag`)
		var bounded *countError
		if errors.As(err, &bounded) {
			return wrong("flag-count", "flag", name, "value", valued.GetValue())
		}
		return wrong("flag-value", "flag", name, "value", valued.GetValue(), "command", cmd.CommandPath())
	case errors.As(err, &named):
		name := named.GetSpecifiedName()
		short := len(name) == 1 && cmd.Flags().ShorthandLookup(name) != nil
		if short || cmd.Flags().Lookup(name) != nil {
			return wrong("flag-empty", "flag", dashes(name), "command", cmd.CommandPath())
		}
		return wrong("flag", "flag", dashes(name), "command", cmd.CommandPath())
	}
	return &failure{exitUse, fmt.Errorf("%w (%s --help)", err, cmd.CommandPath())}
}

func dashes(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}

// count is a flag's number of rows: a whole number from 1 on.
type count int

// countError says that a flag's value is no such number.
type countError struct{ value string }

func (c *countError) Error() string { return strconv.Quote(c.value) + " is no number from 1 on" }

// Set reads the flag's value.
func (c *count) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return &countError{text}
	}
	*c = count(n)
	return nil
}

// String is the value that counts where the flag is not written.
func (c *count) String() string { return strconv.Itoa(int(*c)) }

// Type names the value in the help.
func (c *count) Type() string { return "number" }

// limitFlag adds --limit: how many rows at most.
func limitFlag(c *cobra.Command, limit *int, usage string) {
	*limit = hundred
	c.Flags().Var((*count)(limit), "limit", usage)
}

// typedAddress reads an address that a person typed as an argument.
func typedAddress(text string) (string, error) {
	address, err := ui.TypedAddress(text)
	if err != nil {
		return "", wrong("address", "address", text)
	}
	return address, nil
}
