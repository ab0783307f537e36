package daemon

import (
	"context"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/ui"
)

const (
	day = 24 * time.Hour

	// secretNotice is how long before its end a client secret is called to mind:
	// who can make a new one may be on holiday.
	secretNotice = 30 * day
	// grantNotice is the same for a permission whose end is known.
	grantNotice = 14 * day
	// unusedLife is how long Microsoft keeps a permission that is not used, and
	// unusedNotice how long before that it is called to mind.
	unusedLife   = 90 * day
	unusedNotice = 30 * day
	// testLife is how long a permission lasts for Google projects in test mode.
	testLife = 7 * day
)

// forecasts are sentences about sign-ins that work today and will not some day.
func (d *daemon) forecasts(ctx context.Context) ([]string, error) {
	var list []string
	words := ui.WordsIn(d.Config.Language)
	told := make(map[string]bool)
	for _, p := range places(d.Config) {
		o := &p.server.OAuth
		if app := "app " + providerOf(o) + " " + o.ClientID; o.ClientSecretExpires != "" && !told[app] { // users share an app
			told[app] = true
			list = append(list, secretForecast(words, p, d.Now())...)
		}
		id := accountID(p.server)
		if told[id] {
			continue
		}
		told[id] = true
		if o.Flow != config.FlowUser {
			continue
		}
		saved, err := d.tokens.peek(ctx, id)
		if err != nil {
			if lostKey(err) {
				continue // the mailbox itself says so
			}
			return nil, err
		}
		list = append(list, grantForecast(words, p, saved, d.Now())...)
	}
	return list, nil
}

// secretForecast is about the end of a client secret.
func secretForecast(words ui.Words, p place, now time.Time) []string {
	end, known := p.server.OAuth.SecretExpiry()
	pairs := []string{"account", p.server.Username, "day", p.server.OAuth.ClientSecretExpires, "provider", providerName(providerOf(&p.server.OAuth))}
	switch {
	case !known || end.Sub(now) > secretNotice:
		return nil
	case now.Before(end):
		return []string{words.Text("authorize.secret-ends", pairs...)}
	}
	return []string{words.Text("authorize.secret-ended", pairs...)}
}

// grantForecast is about the end of what a person agreed to.
func grantForecast(words ui.Words, p place, saved savedToken, now time.Time) []string {
	date := func(t time.Time) string { return t.In(now.Location()).Format(time.DateOnly) }
	if saved.Tokens.Refresh == "" || saved.Stopped != nil {
		return nil
	}
	pairs := []string{"account", p.server.Username, "name", p.name}
	if end := saved.Tokens.RefreshExpires; !end.IsZero() {
		if end.Sub(now) > grantNotice {
			return nil
		}
		key := "authorize.grant-ends"
		if p.server.OAuth.Provider == config.Google && end.Sub(saved.Authorized) <= testLife+day {
			key = "authorize.grant-ends-test"
		}
		return []string{words.Text(key, append(pairs, "day", date(end))...)}
	}
	end := saved.Got.Add(unusedLife)
	if p.server.OAuth.Provider == config.Microsoft && end.Sub(now) <= unusedNotice {
		return []string{words.Text("authorize.grant-unused", append(pairs, "day", date(end), "used", date(saved.Got))...)}
	}
	return nil
}
