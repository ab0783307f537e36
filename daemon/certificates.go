package daemon

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail/connect"
)

// certificates are those that the servers showed last, for a word in time
// before one expires.
type certificates struct {
	mu   sync.Mutex
	seen map[string]shownCertificate // by subject of the health table
}

// shownCertificate is the one of a chain that expires first.
type shownCertificate struct {
	connect.CertificateFacts
	own bool // it is the server's own, and not one of those that vouch for it
}

// certificateNotice is how long before its end a certificate is called to mind.
const certificateNotice = 30 * 24 * time.Hour

// noteFor is told of the stages of the connections of a part.
func (c *certificates) noteFor(subject string) func(connect.Stage) {
	if c == nil {
		return nil
	}
	return func(s connect.Stage) {
		if s.TLS == nil || s.Err != nil || len(s.TLS.Chain) == 0 {
			return // an expired one is a failure, and told as that
		}
		first := shownCertificate{s.TLS.Chain[0], true}
		for _, one := range s.TLS.Chain[1:] {
			if one.Expiry.Before(first.Expiry) {
				first = shownCertificate{one, false}
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.seen == nil {
			c.seen = make(map[string]shownCertificate)
		}
		c.seen[subject] = first
	}
}

// warnings say which of them expire soon. name gives a part's name to a person.
func (c *certificates) warnings(now time.Time, name func(subject string) string, lang string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, subject := range slices.Sorted(maps.Keys(c.seen)) {
		one := c.seen[subject]
		left := one.Expiry.Sub(now)
		if left > certificateNotice {
			continue
		}
		days, day := max(0, int((left+24*time.Hour-1)/(24*time.Hour))), one.Expiry.Format(time.DateOnly)
		what := "certificate of the mail server"
		text := "%s: the %s (%s) expires on %s, in %d days. From then on no mail is fetched or sent there. If it is your own server, renew it; otherwise tell the operator of the server."
		if !one.own {
			what = "certificate that vouches for the mail server"
		}
		if lang == config.Japanese {
			what = "メールサーバーの証明書"
			text = "%s: %s（%s）の有効期限は %s です（あと%d日）。期限が切れると、このサーバーとのメールの受信・送信ができなくなります。自社のサーバーの場合は証明書を更新し、それ以外の場合はサーバーの管理者に連絡してください。"
			if !one.own {
				what = "メールサーバーの中間証明書"
			}
		}
		list = append(list, fmt.Sprintf(text, name(subject), what, one.Subject, day, days))
	}
	return list
}
