package loopback

import (
	"net/url"
	"testing"

	"github.com/emersion/go-imap/v2/imapclient"
)

// xoauth2 is the mechanism of Google and Microsoft, as a sasl.Client.
type xoauth2 struct{ user, token string }

func (x xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}

func (x xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }

// Dovecot asks the authorization server about each access token.
func TestDovecotTakesAccessTokens(t *testing.T) {
	s, err := NewOAuth(OAuthOptions{ClientSecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SignIn("support@mail.test")
	h := testHosts(t, HostOptions{NoRelay: true, OAuth: s.URL + "/introspect"})
	token := s.Issue("support@mail.test")
	login := func(user, token string) error {
		c, err := imapclient.DialStartTLS(h.IMAP, &imapclient.Options{TLSConfig: h.testTLS()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Authenticate(xoauth2{user, token})
	}
	if err := login("support@mail.test", token); err != nil {
		t.Errorf("a good token: %v", err)
	}
	if err := login("kunde@customer.test", token); err == nil {
		t.Error("somebody else's token was taken")
	}
	s.Revoke(false)
	if err := login("support@mail.test", token); err == nil {
		t.Error("a revoked token was taken")
	}
	testSelect(t, h) // and passwords still count
	if forms := s.Asked(); len(forms) != 0 {
		t.Errorf("the token endpoint was asked: %v", []url.Values(forms))
	}
}
