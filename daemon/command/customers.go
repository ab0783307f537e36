package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/store"
	"helpdesk/ui"
)

func (e *env) customersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "customers",
		Short:   "List, add and remove those who may ask; their names and their data",
		Example: "  helpdesk customers add taro@example.co.jp --name 山田太郎 --desk SUP",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(
		e.customersListCommand(), e.customersAddCommand(), e.customersRemoveCommand(), e.customersImportCommand(), e.customersNameCommand(),
		e.customersMergeCommand(), e.customersUnsuspendCommand(), e.customersUnblockCommand(), e.customersForgetCommand(), e.customersExportCommand(),
	)
	return c
}

// customerJSON is a row of `helpdesk customers list --json`.
type customerJSON struct {
	Address   string     `json:"address"`
	Name      string     `json:"name"`
	Desks     []string   `json:"desks"`  // keys; "*" is every desk
	First     *time.Time `json:"first"`  // first mail
	Last      *time.Time `json:"last"`   // newest mail
	Named     bool       `json:"named"`  // somebody set the name
	Person    string     `json:"person"` // the address that this one belongs to; "": none
	Suspended string     `json:"suspended"`
}

func customerRow(c store.Customer) customerJSON {
	return customerJSON{
		Address: c.Address.Address, Name: c.Name, Desks: append([]string{}, c.Desks...), First: known(c.First), Last: known(c.Last),
		Named: c.Named, Person: c.Person, Suspended: c.Suspended,
	}
}

func (e *env) customersListCommand() *cobra.Command {
	var filter store.CustomerFilter
	var desk string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the customers by address",
		Example: "  helpdesk customers list --desk SUP --search yamada",
		Args:    wrongUse(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, place, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			words := ui.WordsIn(place.language)
			if filter.DeskID, err = deskID(cmd.Context(), s, words, desk); err != nil {
				return err
			}
			list, err := s.Customers(cmd.Context(), filter)
			if err != nil {
				return fmt.Errorf("reading the customers: %w", err)
			}
			if e.asJSON {
				rows := make([]customerJSON, len(list))
				for i, c := range list {
					rows[i] = customerRow(c)
				}
				return printJSON(e.stdout, rows)
			}
			if len(list) == 0 {
				_, err := fmt.Fprintln(e.stdout, words.Text("customers.none"))
				return err
			}
			rows := [][]string{heads(words, "address", "name", "desk", "newest", "remark")}
			for _, c := range list {
				rows = append(rows, []string{c.Address.Address, c.Name, customerDesks(words, c.Desks), lately(c.Last), customerRemark(words, c)})
			}
			if err := table(e.stdout, []int{28, 14, 8, 11, 0}, rows); err != nil {
				return err
			}
			return e.printMore(words, len(list), filter.Limit)
		},
	}
	c.Flags().StringVar(&desk, "desk", "", "only those of this desk")
	c.Flags().StringVar(&filter.Query, "search", "", "only those with this in name or address")
	limitFlag(c, &filter.Limit, "how many at most")
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

func customerDesks(words ui.Words, desks []string) string {
	if slices.Contains(desks, "*") {
		return words.Text("customers.every-desk")
	}
	return strings.Join(desks, " ")
}

// customerRemark says what is not usual about a customer.
func customerRemark(words ui.Words, c store.Customer) string {
	var remarks []string
	if c.Suspended != "" {
		remarks = append(remarks, words.Text("customers.suspended"))
	}
	if c.Person != "" {
		remarks = append(remarks, words.Text("customers.same-as", "address", c.Person))
	}
	return strings.Join(remarks, words.Text("list.comma"))
}

func (e *env) customersAddCommand() *cobra.Command {
	act := ui.Act{Name: ui.ActAddCustomer}
	c := &cobra.Command{
		Use:     "add ADDRESS",
		Short:   "Add a customer; what they wrote and was held is taken",
		Example: "  helpdesk customers add taro@example.co.jp --name 山田太郎",
		Args:    wrongUse(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if act.Address, err = typedAddress(args[0]); err != nil {
				return err
			}
			return e.act(cmd.Context(), act)
		},
	}
	c.Flags().StringVar(&act.Title, "name", "", "the person's name")
	c.Flags().StringVar(&act.Desk, "desk", "", "only at this desk (default: at every desk)")
	return c
}

func (e *env) customersRemoveCommand() *cobra.Command {
	act := ui.Act{Name: ui.ActRemoveCustomer}
	c := &cobra.Command{
		Use:     "remove ADDRESS",
		Short:   "Take a customer off the list; requests stay",
		Long:    "Takes a customer off the list. Their requests and mails stay; to remove those too, use\nhelpdesk customers forget.",
		Example: "  helpdesk customers remove taro@example.co.jp --desk SUP",
		Args:    wrongUse(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if act.Address, err = typedAddress(args[0]); err != nil {
				return err
			}
			return e.actOnExisting(cmd.Context(), act)
		},
	}
	c.Flags().StringVar(&act.Desk, "desk", "", "only off this desk (default: off all)")
	return c
}

func (e *env) customersNameCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "name ADDRESS [NAME]",
		Short:   "Set a customer's name; without NAME it follows their mails again",
		Example: "  helpdesk customers name taro@example.co.jp 山田太郎",
		Args:    wrongUse(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			act := ui.Act{Name: ui.ActNameCustomer}
			if act.Address, err = typedAddress(args[0]); err != nil {
				return err
			}
			if len(args) == 2 {
				act.Title = args[1]
			}
			return e.actOnExisting(cmd.Context(), act)
		},
	}
}

func (e *env) customersMergeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "merge ADDRESS OTHER",
		Short:   "Say that both addresses are of the same person",
		Example: "  helpdesk customers merge taro@gmail.com taro@example.co.jp",
		Args:    wrongUse(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := typedAddress(args[0])
			if err != nil {
				return err
			}
			other, err := typedAddress(args[1])
			if err != nil {
				return err
			}
			return e.actOnExisting(cmd.Context(), ui.Act{Name: ui.ActMergeCustomer, Address: address, Into: other})
		},
	}
}

func (e *env) customersUnsuspendCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "unsuspend ADDRESS",
		Short:   "Send mail again to an address from which mail came back",
		Example: "  helpdesk customers unsuspend taro@example.co.jp",
		Args:    wrongUse(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := typedAddress(args[0])
			if err != nil {
				return err
			}
			return e.actOnExisting(cmd.Context(), ui.Act{Name: ui.ActUnsuspend, Address: address})
		},
	}
}

func (e *env) customersUnblockCommand() *cobra.Command {
	act := ui.Act{Name: ui.ActUnblock}
	c := &cobra.Command{
		Use:     "unblock ADDRESS",
		Short:   "Let somebody write again whose mail an agent called spam",
		Example: "  helpdesk customers unblock taro@example.co.jp",
		Args:    wrongUse(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if act.Address, err = typedAddress(args[0]); err != nil {
				return err
			}
			return e.actOnExisting(cmd.Context(), act)
		},
	}
	c.Flags().StringVar(&act.Desk, "desk", "", "only at this desk (default: at all)")
	return c
}

func (e *env) customersImportCommand() *cobra.Command {
	var desk string
	onlyCheck := false
	c := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Add the customers of a list, as a spreadsheet saves it",
		Long: "Adds the customers of a CSV file: a column of addresses and one of names, with or without\n" +
			"headings, separated by commas, semicolons or tabs, in UTF-8 or Shift_JIS. Lines with faults\n" +
			"are named and left out, the others count; importing a list again changes nothing twice.",
		Example: "  helpdesk customers import customers.csv --desk SUP",
		Args:    wrongUse(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := e.readConfig()
			if err != nil {
				return err
			}
			words := ui.WordsIn(c.Language)
			people, faults, err := readCustomersFile(args[0], e.stdin, c.Language == "ja")
			if err != nil {
				return err
			}
			for _, f := range faults {
				if _, err := fmt.Fprintf(e.stderr, "%s:%d: %s\n", args[0], f.line, printable(words.Text("customers.fault."+f.slug, "value", f.value))); err != nil {
					return err
				}
			}
			if onlyCheck {
				for _, p := range people {
					if _, err := fmt.Fprintf(e.stdout, "%s\n", printable(both(p.address()))); err != nil {
						return err
					}
				}
			} else if err := e.importPeople(cmd.Context(), people, desk); err != nil {
				return err
			}
			switch {
			case len(people) == 0 && len(faults) == 0:
				return errors.New(words.Text("customers.empty-file"))
			case len(faults) > 0:
				return &failure{exitFailed, errors.New(words.Count("customers.faults", int64(len(faults))))}
			}
			return nil
		},
	}
	c.Flags().StringVar(&desk, "desk", "", "customers of this desk only (default: of every desk)")
	c.Flags().BoolVar(&onlyCheck, "check", false, "only show what would be added")
	return c
}
