package command

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

// hundred is how many rows a list shows unless --limit says otherwise.
const hundred = 100

func (e *env) requestsCommand() *cobra.Command {
	var filter store.RequestFilter
	var desk, agent, older string
	c := &cobra.Command{
		Use:     "requests",
		Short:   "List the requests, newest first",
		Example: "  helpdesk requests --state open --agent none --older 3d",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := oneOf("state", filter.State, store.StateOpen, store.StateWaiting, store.StateResolved); err != nil {
				return err
			}
			if filter.Assignee, err = e.agentNamed(agent); err != nil {
				return err
			}
			if older != "" {
				if filter.UpdatedBefore, err = pointInTime(older, time.Now(), false); err != nil {
					return err
				}
			}
			s, place, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			words := ui.WordsIn(place.language)
			if filter.DeskID, err = deskID(cmd.Context(), s, words, desk); err != nil {
				return err
			}
			list, err := s.Requests(cmd.Context(), filter)
			if err != nil {
				return fmt.Errorf("reading the requests: %w", err)
			}
			if e.asJSON {
				return printJSON(e.stdout, append([]store.Request{}, list...))
			}
			return e.printRequests(words, list, filter)
		},
	}
	c.Flags().StringVar(&desk, "desk", "", "only those of this desk")
	c.Flags().StringVar(&filter.State, "state", "", "only those that are open, waiting or resolved")
	c.Flags().StringVar(&agent, "agent", "", "only those of this agent (name or address); none: those of nobody")
	c.Flags().StringVar(&filter.Requester, "customer", "", "only those of this customer's address")
	c.Flags().StringVar(&older, "older", "", "only those that were not changed for so long, as 3d or 12h")
	c.Flags().StringVar(&filter.Query, "search", "", "only those with these words in subject, text or people")
	limitFlag(c, &filter.Limit, "how many at most")
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

func (e *env) printRequests(words ui.Words, list []store.Request, filter store.RequestFilter) error {
	if len(list) == 0 {
		none := words.Text("requests.none")
		if limit := filter.Limit; filter != (store.RequestFilter{Limit: limit}) {
			none = words.Text("requests.none-found")
		}
		_, err := fmt.Fprintln(e.stdout, none)
		return err
	}
	rows := [][]string{heads(words, "key", "state", "agent", "from", "subject", "changed")}
	names := e.agentNames()
	for _, r := range list {
		agent := r.Assignee
		if name := names[mail.Address{Address: agent}.Key()]; name != "" {
			agent = name
		}
		rows = append(rows, []string{r.Key, shortState(words, r.State), agent, person(r.Requester), r.Subject, lately(r.Updated)})
	}
	if err := table(e.stdout, []int{10, 8, 8, 14, 0, 11}, rows); err != nil {
		return err
	}
	return e.printMore(words, len(list), filter.Limit)
}

// printMore says that there may be more than the limit let through.
func (e *env) printMore(words ui.Words, n, limit int) error {
	if n < limit {
		return nil
	}
	_, err := fmt.Fprintln(e.stdout, words.Text("cli.more", "n", words.Number(int64(n))))
	return err
}

// heads are the headings of a table.
func heads(words ui.Words, slugs ...string) []string {
	row := make([]string, len(slugs))
	for i, slug := range slugs {
		row[i] = words.Text("head." + slug)
	}
	return row
}

// shortState names the state of a request in a narrow column.
func shortState(words ui.Words, state string) string { return words.Text("state-short." + state) }

func person(a mail.Address) string {
	if a.Name != "" {
		return a.Name
	}
	return a.Address
}

// agentNames are the names of the agents of the configuration by address.
func (e *env) agentNames() map[string]string {
	names := map[string]string{}
	c, _, err := config.Load(e.configFile(), os.LookupEnv)
	if err != nil || c == nil {
		return names // a fault of the file; the addresses do as well
	}
	for _, a := range c.Agents {
		names[mail.Address{Address: a.Email}.Key()] = a.Name
	}
	return names
}

// agentNamed is the address of an agent by name or address, for
// store.RequestFilter: "-" for none.
func (e *env) agentNamed(name string) (string, error) {
	if name == "" || strings.Contains(name, "@") {
		return name, nil
	}
	if strings.EqualFold(name, "none") {
		return "-", nil
	}
	var known, found []string
	for address, full := range e.agentNames() {
		if strings.EqualFold(full, name) {
			return address, nil
		}
		local, _, _ := strings.Cut(address, "@")
		called := func(word string) bool { return strings.EqualFold(word, name) }
		if called(local) || slices.ContainsFunc(strings.Fields(full), called) {
			found = append(found, address)
		}
		known = append(known, person(mail.Address{Name: full, Address: address}))
	}
	if len(found) == 1 {
		return found[0], nil
	}
	words := ui.WordsIn(config.FileLanguage(e.configFile()))
	return "", &failure{exitUse, errors.New(words.Text("cli.no-agent", "agent", name, "agents", strings.Join(slices.Sorted(slices.Values(known)), ", ")))}
}
