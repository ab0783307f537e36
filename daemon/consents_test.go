package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"helpdesk/mail/loopback"
	"helpdesk/ui"
)

// A person who reloads or closes the page while the provider is being asked does
// not lose the sign-in: a code gives tokens once.
func TestConsentOutlivesThePage(t *testing.T) {
	for _, way := range []string{ui.WayDevice, ui.WayBrowser} {
		t.Run(way, func(t *testing.T) {
			s := newSignIns(t, loopback.OAuthOptions{})
			c := loadProviders(t)
			o := &c.Desks[0].Mailbox.Server.OAuth
			o.ClientID, o.ClientSecretFile, o.ClientSecretEnv = "helpdesk", "", ""
			o.AuthURL, o.TokenURL, o.DeviceURL = s.server.URL+"/authorize", s.server.URL+"/token", s.server.URL+"/device"
			c.Desks[0].Mailbox.Server.Proxy = "none"
			d := &daemon{Options: Options{Config: c, Now: s.clock, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}, tokens: s.tokens}
			all := newConsents(d)
			id, err := all.begin(t.Context(), "me", "SUP", way, "http://127.0.0.1:8025")
			if err != nil {
				t.Fatal(err)
			}
			late, err := all.begin(t.Context(), "me", "SUP", way, "http://127.0.0.1:8025")
			if err != nil {
				t.Fatal(err)
			}
			ctx, leave := context.WithCancel(t.Context())
			s.server.Fault(func(w http.ResponseWriter, _ *http.Request) {
				leave()
				io.WriteString(w, `{"access_token":"a","refresh_token":"r","expires_in":3600}`)
			})
			s.pass(6 * time.Second)
			if way == ui.WayBrowser {
				_, err = all.finish(ctx, "me", url.Values{"state": {all.all[id].state}, "code": {"c"}})
			} else {
				_, err = all.progress(ctx, "me", id)
			}
			if err != nil {
				t.Error(err)
			}
			s.server.Fault(nil)
			after, err := all.progress(t.Context(), "me", id)
			if err != nil || !after.Done || after.Failure != nil {
				t.Errorf("%+v, %v", after, err)
			}
			s.pass(20 * time.Minute) // nobody signs in
			if got, err := all.progress(t.Context(), "me", late); !errors.Is(err, ui.ErrNoSignIn) {
				t.Errorf("too late: %+v, %v", got, err)
			}
		})
	}
}
