package daemon

import (
	"errors"
	"fmt"
	"slices"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
)

// TextFaults tries the texts that desks have of their own with samples of every
// mail, and says what is wrong with them. Each fault closes its desk.
func TextFaults(c *config.Config) []config.Fault {
	d := &daemon{Options: Options{Config: c}}
	var all []config.Fault
	for i := range c.Desks {
		one := &c.Desks[i]
		_, faults := ownTexts(c, one, d.deskSettings(0, one))
		all = append(all, faults...)
	}
	return all
}

// ownTexts reads and tries the texts that a desk has of its own; where they
// have faults the desk has ours.
func ownTexts(c *config.Config, one *config.Desk, s *desk.Settings) (*desk.Texts, []config.Fault) {
	if slices.ContainsFunc(one.Closed, func(f config.Fault) bool { return f.Code == "no-folder" }) {
		return nil, nil // told already
	}
	texts, err := desk.LoadTexts(one.Notify.Templates)
	if err == nil && texts != nil {
		err = texts.Check(s)
	}
	if err == nil {
		return texts, nil
	}
	number := 0
	for i := range c.Desks {
		if &c.Desks[i] == one {
			number = i + 1
		}
	}
	key := fmt.Sprintf("desk[%d].notify.templates", number)
	var known desk.TextFaults
	if !errors.As(err, &known) {
		known = desk.TextFaults{{File: one.Notify.Templates, Code: err.Error()}}
	}
	var faults []config.Fault
	for _, f := range known {
		faults = append(faults, config.Fault{
			File: f.File, Line: f.Line, Key: key, Code: "own-text", Desk: number, Name: one.Name,
			Args: map[string]string{
				"reason": f.Reason(config.English), "remedy": f.Remedy(config.English),
				"reason_ja": f.Reason(config.Japanese), "remedy_ja": f.Remedy(config.Japanese),
			},
		})
	}
	return nil, faults
}
