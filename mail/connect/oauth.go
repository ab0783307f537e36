package connect

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"helpdesk/mail"
)

// OAuthApp is helpdesk as an OAuth2 provider knows it (RFC 6749): its
// endpoints, its credentials, and what it asks for. Its methods get tokens in
// the ways that mail providers offer; each of their errors is a *mail.Error of
// protocol "oauth" and mail.StepToken. It never shows its secrets when printed.
type OAuthApp struct {
	ClientID     string
	ClientSecret string // "" for a public client
	AuthURL      string // where people consent in a browser; "": not offered
	TokenURL     string
	DeviceURL    string // RFC 8628; "": not offered
	Scopes       []string

	ServiceAccountKey []byte // Google's JSON key file; only for ServiceAccount
	Subject           string // the mailbox that a service account acts for

	Proxy   string         // as Settings.Proxy
	Roots   *x509.CertPool `json:"-"` // nil: the system's
	Timeout time.Duration  // of one request; 0: DefaultDialTimeout

	Now func() time.Time `json:"-"` // nil: time.Now
}

// Codes of errors that are ours or that callers ask for. The others are the
// provider's (RFC 6749 section 5.2, RFC 8628 section 3.5).
const (
	OAuthPending         = "authorization_pending" // the person has not finished yet
	OAuthSlowDown        = "slow_down"
	OAuthExpired         = "expired_token"    // nobody entered the code of a device in time
	OAuthConsentRequired = "consent_required" // nobody has signed in yet, or for less than is needed now (OpenID Connect Core section 3.1.2.6)
	OAuthKeyLost         = "key_lost"         // what was saved of the sign-in cannot be read any more
)

// OAuthTokens are what a token endpoint gave. They never show themselves when
// printed; JSON holds them, and is for sealing only.
type OAuthTokens struct {
	Access         string
	Expires        time.Time // of Access; zero: not said
	Refresh        string    // "" when none was given; a provider that rotates them gives a new one each time
	RefreshExpires time.Time // zero: not said
	Users          []string  // names of who signed in, as the provider tells them; empty: not told
}

// Format hides the tokens from every verb of fmt.
func (t OAuthTokens) Format(f fmt.State, _ rune) { fmt.Fprint(f, "OAuth2 tokens ***") }

// LogValue hides the tokens from slog.
func (t OAuthTokens) LogValue() slog.Value { return slog.StringValue("***") }

// Format hides secret and key from every verb of fmt.
func (a OAuthApp) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "OAuth2 app %s at %s", a.ClientID, a.Server())
}

// LogValue hides secret and key from slog.
func (a OAuthApp) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(a)) }

// Server is the token endpoint as errors show it, "host:port".
func (a OAuthApp) Server() string { return serverOf(a.TokenURL) }

func serverOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return endpoint
	}
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (a OAuthApp) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// Refused makes an error of our own that only a person can mend; code is one
// of the OAuth constants, or "" where none says it.
func (a OAuthApp) Refused(code string, why error) *mail.Error {
	e := &mail.Error{Protocol: "oauth", Server: a.Server(), Step: mail.StepToken, Auth: "oauth2", Code: code, Err: why}
	if code != "" && why != nil {
		e.Text = why.Error() // beside a code only the text is shown
	}
	return e
}

// Refresh gets a new access token for a refresh token (RFC 6749 section 6).
// Where the answer has no new refresh token the old one stays good and is
// returned.
func (a OAuthApp) Refresh(ctx context.Context, refresh string) (OAuthTokens, error) {
	// Without scope: the same as was consented to. Naming them again makes
	// some servers refuse what they granted before.
	t, err := a.tokens(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	if err == nil && t.Refresh == "" {
		t.Refresh = refresh
	}
	return t, err
}

// ClientCredentials gets an access token for the app itself (RFC 6749 section
// 4.4), as Microsoft offers it to tenants.
func (a OAuthApp) ClientCredentials(ctx context.Context) (OAuthTokens, error) {
	return a.tokens(ctx, url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(a.Scopes, " ")}})
}

// tokens posts form to the token endpoint.
func (a OAuthApp) tokens(ctx context.Context, form url.Values) (OAuthTokens, error) {
	var answer tokenAnswer
	if err := a.post(ctx, a.TokenURL, form, &answer); err != nil {
		return OAuthTokens{}, err
	}
	switch {
	case answer.AccessToken == "":
		return OAuthTokens{}, a.Refused("", errors.New("the sign-in server gave no access token"))
	case answer.TokenType != "" && !strings.EqualFold(answer.TokenType, "bearer"):
		// RFC 6749 section 7.1: a type that one does not know must not be used.
		return OAuthTokens{}, a.Refused("", fmt.Errorf("the sign-in server gave a token of the type %q; mail servers take only bearer", cut(answer.TokenType)))
	}
	t := OAuthTokens{Access: answer.AccessToken, Refresh: answer.RefreshToken, Users: usersOf(answer.IDToken)}
	now := a.now()
	if answer.ExpiresIn > 0 {
		t.Expires = now.Add(answer.ExpiresIn.duration())
	}
	if life := max(answer.RefreshExpiresIn, answer.RefreshTokenExpiresIn); life > 0 {
		t.RefreshExpires = now.Add(life.duration())
	}
	return t, nil
}

// tokenAnswer is the answer of a token endpoint (RFC 6749 section 5.1).
type tokenAnswer struct {
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    seconds `json:"expires_in"`
	RefreshToken string  `json:"refresh_token"`
	IDToken      string  `json:"id_token"`

	RefreshTokenExpiresIn seconds `json:"refresh_token_expires_in"` // Google, where the permission is limited in time
	RefreshExpiresIn      seconds `json:"refresh_expires_in"`       // Keycloak
}

// SignedIn reports whether a name is among those that the provider told; known
// is false when it told none.
func (t OAuthTokens) SignedIn(name string) (same, known bool) {
	same = slices.ContainsFunc(t.Users, func(u string) bool { return strings.EqualFold(u, name) })
	return same, len(t.Users) > 0
}
