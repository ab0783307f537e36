package daemon

import (
	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/ui"
)

// WhyDesks are the desks of the configuration as ui.WhyAddress needs them.
func WhyDesks(c *config.Config) []ui.WhyDesk {
	desks := make([]ui.WhyDesk, len(c.Desks))
	for i := range c.Desks {
		d := &c.Desks[i]
		lists := &desk.Settings{Allow: lowered(d.Allow), Block: lowered(d.Block)}
		desks[i] = ui.WhyDesk{
			Key: d.Key, Name: d.Name, Address: d.Address, Provider: d.Mailbox.Provider(),
			PublicSignup: d.PublicSignup, CustomerDomains: lowered(d.CustomerDomains), Ours: append([]string{d.Address}, d.Aliases...),
			Listed: func(address string) (string, bool) { return lists.Listed(mail.Address{Address: address}) },
		}
		for _, email := range d.Agents {
			desks[i].Agents = append(desks[i].Agents, agent(c, email))
		}
		for n := range d.Closed {
			desks[i].Faults = append(desks[i].Faults, d.Closed[n].Text(c.Language))
		}
	}
	return desks
}
