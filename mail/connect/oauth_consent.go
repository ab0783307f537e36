package connect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"helpdesk/mail"
)

// Consent is a person's way through a browser (RFC 6749 section 4.1 with PKCE,
// RFC 7636), from the link to the code that comes back.
type Consent struct {
	Link     string // to open in a browser
	State    string // comes back with the answer
	Redirect string // where the answer goes

	verifier string
}

// Consent begins a sign-in in a browser whose answer goes to redirect: an
// address of this machine, as "http://localhost:1234" (RFC 8252 section 7.3).
// user is the name to sign in with, which the provider may fill in.
func (a OAuthApp) Consent(redirect, user string) (Consent, error) {
	if a.AuthURL == "" {
		return Consent{}, a.Refused("", errors.New("this provider has no sign-in by browser (auth_url)"))
	}
	c := Consent{State: oauth2.GenerateVerifier(), Redirect: redirect, verifier: oauth2.GenerateVerifier()}
	config := oauth2.Config{
		ClientID: a.ClientID, RedirectURL: redirect, Scopes: a.Scopes, Endpoint: oauth2.Endpoint{AuthURL: a.AuthURL},
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(c.verifier)}
	if user != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", user))
	}
	if u, err := url.Parse(a.AuthURL); err == nil && u.Hostname() == "accounts.google.com" {
		// Google gives a refresh token only so, and only at the first consent.
		options = append(options, oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	c.Link = config.AuthCodeURL(c.State, options...)
	return c, nil
}

// Exchange turns the answer of the browser, the query of the address that it
// was sent to, into tokens.
func (a OAuthApp) Exchange(ctx context.Context, c Consent, answer url.Values) (OAuthTokens, error) {
	switch {
	case answer.Get("state") != c.State || c.State == "":
		return OAuthTokens{}, a.Refused("", ErrState)
	case answer.Get("error") != "":
		e := a.Refused(cut(answer.Get("error")), nil)
		e.Text = cut(answer.Get("error_description"))
		e.Temporary = passing(e.Code)
		return OAuthTokens{}, e
	case answer.Get("code") == "":
		return OAuthTokens{}, a.Refused("", errNoCode)
	}
	t, err := a.tokens(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "redirect_uri": {c.Redirect}, "code_verifier": {c.verifier},
	})
	return a.lastingGrant(t, err)
}

// ErrState is the cause of an answer that does not belong to the sign-in that
// was begun: an old one, somebody else's, or one used already.
var ErrState = errors.New("this answer belongs to another sign-in, or to one that is over: begin again")

var errNoCode = errors.New("the address has no code: copy the whole address that the browser shows after you have signed in")

// lastingGrant refuses tokens that end within the hour for good: without a
// refresh token the mailbox would stop then, when nobody watches.
func (a OAuthApp) lastingGrant(t OAuthTokens, err error) (OAuthTokens, error) {
	if err == nil && t.Refresh == "" {
		return OAuthTokens{}, a.Refused(OAuthConsentRequired, errors.New("the sign-in server gave no refresh token: the permission to stay signed in (offline access) is missing"))
	}
	return t, err
}

// maxPasted bounds a pasted address, in bytes.
const maxPasted = 16 << 10

// Pasted reads the address that a person copied from the browser; also its
// query alone. Mail programs and terminals break long lines: white space in it
// is dropped.
func Pasted(text string) (url.Values, error) {
	if len(text) > maxPasted {
		return nil, errNoCode
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	text = strings.Trim(text, `"'<>`)
	if _, query, found := strings.Cut(text, "?"); found {
		text = query
	}
	text, _, _ = strings.Cut(text, "#")
	answer, err := url.ParseQuery(text)
	if err != nil || answer.Get("code") == "" && answer.Get("error") == "" || answer.Get("state") == "" {
		return nil, errNoCode
	}
	return answer, nil
}

// DeviceCode is a sign-in with a code that a person types in at any computer (RFC
// 8628).
type DeviceCode struct {
	UserCode string    // what the person types
	Link     string    // where
	Expires  time.Time // when it is over
	Interval time.Duration

	code string
}

// Device begins a sign-in with a code.
func (a OAuthApp) Device(ctx context.Context) (DeviceCode, error) {
	if a.DeviceURL == "" {
		return DeviceCode{}, a.Refused("", errors.New("this provider has no sign-in by code for mail (device_url)"))
	}
	var answer struct {
		DeviceCode string  `json:"device_code"`
		UserCode   string  `json:"user_code"`
		URI        string  `json:"verification_uri"`
		URL        string  `json:"verification_url"` // Google's older name
		ExpiresIn  seconds `json:"expires_in"`
		Interval   seconds `json:"interval"`
	}
	if err := a.post(ctx, a.DeviceURL, url.Values{"scope": {strings.Join(a.Scopes, " ")}}, &answer); err != nil {
		return DeviceCode{}, err
	}
	if answer.URI == "" {
		answer.URI = answer.URL
	}
	u, err := url.Parse(answer.URI)
	if err != nil || answer.DeviceCode == "" || answer.UserCode == "" || u.Scheme != "https" && u.Scheme != "http" {
		return DeviceCode{}, a.Refused("", errors.New("the sign-in server gave no code"))
	}
	if answer.ExpiresIn <= 0 {
		answer.ExpiresIn = 900
	}
	if answer.Interval <= 0 {
		answer.Interval = 5 // RFC 8628 section 3.2
	}
	return DeviceCode{
		UserCode: cut(answer.UserCode), Link: u.String(), Expires: a.now().Add(answer.ExpiresIn.duration()),
		Interval: answer.Interval.duration(), code: answer.DeviceCode,
	}, nil
}

// Poll asks once whether the person has signed in. While not, the error has the
// code OAuthPending; the next question may be asked after d.Interval, which
// grows when the server says that it was too soon.
func (a OAuthApp) Poll(ctx context.Context, d *DeviceCode) (OAuthTokens, error) {
	if !a.now().Before(d.Expires) {
		return OAuthTokens{}, a.Refused(OAuthExpired, fmt.Errorf("nobody entered the code %s in time", d.UserCode))
	}
	t, err := a.tokens(ctx, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.code}})
	var e *mail.Error
	if errors.As(err, &e) && (e.Code == OAuthSlowDown || e.Code == "" && e.Temporary) {
		// RFC 8628 section 3.5: five seconds more; after a time-out fewer questions too.
		d.Interval += 5 * time.Second
		pending := *e
		pending.Code = OAuthPending
		return t, &pending
	}
	return a.lastingGrant(t, err)
}
