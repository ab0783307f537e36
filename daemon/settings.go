package daemon

import (
	"slices"
	"strings"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/fetch"
	"helpdesk/mail/send"
)

// Each part is given its own settings, never the whole configuration. They are
// made here, for the daily work and for tests by a person alike.

// deskSettings is a desk of the configuration as deciding and writing need it,
// without texts of its own: see ownTexts.
func (d *daemon) deskSettings(id int64, c *config.Desk) *desk.Settings {
	s := &desk.Settings{
		ID: id, Key: c.Key, Name: c.Name, Address: c.Address, Aliases: c.Aliases, Language: c.Language,
		AuthservID: c.AuthservID, Sender: c.Sender(), ReplyTo: c.ReplyAddress(), BaseURL: d.Config.UI.BaseURL,
		Type: requestType(c), After: c.Mailbox.After, MoveTo: c.Mailbox.MoveTo, Silent: !c.Relay.Enabled,
		PublicSignup: c.PublicSignup, CustomerDomains: lowered(c.CustomerDomains), Allow: lowered(c.Allow), Block: lowered(c.Block),
		KeepAutomatic: c.Automatic == config.AutomaticKeep, AnswerUnknown: c.AnswerUnknown, Reopen: time.Duration(c.Reopen), AutoClose: time.Duration(c.AutoClose), CustomerLanguage: c.CustomerLanguage,
		Muted: map[string]bool{}, Limits: limits(&d.Config.Limits),
	}
	for _, event := range c.Notify.Off() {
		s.Muted[event] = true
	}
	for i := range d.Config.Desks {
		if other := &d.Config.Desks[i]; other != c {
			for _, a := range append([]string{other.Address, other.Sender().Address, other.ReplyAddress().Address}, other.Aliases...) {
				if a != "" && !slices.Contains(s.Others, a) {
					s.Others = append(s.Others, a)
				}
			}
		}
	}
	for _, email := range c.Agents {
		s.Agents = append(s.Agents, agent(d.Config, email))
	}
	return s
}

// requestType is what a mail to the desk becomes, with the fields beside the mail itself.
func requestType(c *config.Desk) desk.RequestType {
	t := c.Type()
	made := desk.RequestType{Name: t.Name}
	for _, f := range t.Own() {
		made.Fields = append(made.Fields, desk.Field{Name: f.Name, Default: f.Default, Choices: f.Choices})
	}
	return made
}

func limits(l *config.Limits) desk.Limits {
	return desk.Limits{
		AutomaticHour: l.AutomaticPerHour, AutomaticDay: l.AutomaticPerDay, AutomaticInAll: l.AutomaticInAll,
		NoticesOfSender: l.NoticesOfSender, Notices: l.Notices, Mails: l.MailsOfSender,
	}
}

// lowered is for addresses and domains, which are compared in lower case.
func lowered(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.ToLower(strings.TrimSpace(s)))
	}
	return out
}

// agent is the person behind an address in a desk's list of agents.
func agent(c *config.Config, email string) mail.Address {
	a := mail.Address{Address: email}
	for _, known := range c.Agents {
		if strings.EqualFold(known.Email, email) {
			a.Name = known.Name
		}
	}
	return a
}

// mailboxSettings turns a mailbox of the configuration into what mail/fetch wants.
func (d *daemon) mailboxSettings(m *config.Mailbox) (fetch.Settings, error) {
	s := fetch.Settings{
		Login: connect.Login{Username: m.Username, Auth: m.Auth}, Folder: m.Folder, NoIdle: !m.Idle, MaxSize: int64(m.MaxSize), SpoolDir: d.spoolDir,
		Name: "helpdesk", Version: d.Version,
	}
	var err error
	if m.Protocol == config.POP3 {
		s.Folder, s.Delete = "", m.After == config.AfterDelete
	}
	if s.Settings, err = d.reach(m.Protocol, &m.Server); err != nil {
		return s, err
	}
	d.byToken(&s.Login, &m.Server)
	s.Password, err = m.ResolvePassword()
	return s, err
}

// relaySettings turns a relay of the configuration into what mail/send wants.
func (d *daemon) relaySettings(r *config.Relay) (send.Settings, error) {
	s := send.Settings{Anonymous: r.Anonymous, Login: connect.Login{Username: r.Username, Auth: r.Auth}, Helo: r.Helo}
	var err error
	if s.Settings, err = d.reach("smtp", &r.Server); err != nil || r.Anonymous {
		return s, err
	}
	d.byToken(&s.Login, &r.Server)
	s.Password, err = r.ResolvePassword()
	return s, err
}

// reach turns a server of the configuration into what mail/connect wants.
// Password and certificates are read at each connection: a changed file counts
// from then on.
func (d *daemon) reach(protocol string, s *config.Server) (connect.Settings, error) {
	roots, err := d.Config.Roots(s.Trust)
	if err != nil {
		return connect.Settings{}, err
	}
	keys, err := d.Config.ClientKeys(s.ClientKey)
	if err != nil {
		return connect.Settings{}, err
	}
	return connect.Settings{
		Protocol: protocol, Host: s.Host, Port: s.Port, Security: connect.Security(s.Security), AllowPlaintext: s.AllowPlaintext,
		Roots: roots, Pins: d.Config.Pins(s.Trust), Keys: keys, Proxy: string(s.Proxy),
	}, nil
}
