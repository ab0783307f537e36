package send

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"helpdesk/mail"
)

// TestTokenOverSMTP: a relay's reasons against an access token are in the
// error, the token is nowhere, and the empty answer to them is an empty line.
func TestTokenOverSMTP(t *testing.T) {
	const access = "eyJ0eXAiOiJKV1Qi-secret"
	reasons := base64.StdEncoding.EncodeToString([]byte(`{"status":"401","schemes":"bearer"}`))
	for mechanism, last := range map[string]string{"xoauth2": "", "oauthbearer": "AQ=="} {
		server := (&script{t: t, answers: map[string]string{
			"EHLO": "250-relay\r\n250 AUTH XOAUTH2 OAUTHBEARER", "AUTH": "334 " + reasons, "RESPONSE": "535 5.7.3 Authentication unsuccessful " + access,
		}}).start()
		settings, stages := traced(server.settings)
		told := 0
		settings.Anonymous, settings.Username, settings.Auth = false, bob, mechanism
		settings.Token, settings.Refused = func(context.Context) (string, error) { return access, nil }, func() { told++ }
		_, err := open(t, settings)
		e := expect(t, err, mail.StepLogin, "535", "5.7.3", false)
		if e.Auth != "oauth2" || told != 1 || e.Text != `Authentication unsuccessful *** {"status":"401","schemes":"bearer"}` {
			t.Errorf("%s: %+v, told %d times", mechanism, e, told)
		}
		if said := server.lines(); !strings.HasSuffix(said, "\n"+last) {
			t.Errorf("%s: said\n%s", mechanism, said)
		}
		if got := steps(*stages); got != "dial greeting ehlo token login!" {
			t.Errorf("%s: stages %s", mechanism, got)
		}
		for _, stage := range *stages {
			if strings.Contains(stage.Said, "secret") {
				t.Errorf("%s: %+v", mechanism, stage)
			}
		}
	}
}
