package connect

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/http/httpproxy"

	"helpdesk/mail"
)

const (
	maxOAuthBody  = 256 << 10 // bytes of an answer; tokens of Microsoft reach 5 kB
	maxOAuthWords = 2 << 10   // bytes kept of what the server says
)

// errPlainEndpoint keeps secrets from crossing a network in the clear (RFC
// 6749 section 3.2).
var errPlainEndpoint = errors.New("the address of the sign-in server must begin with https://")

// post sends a form with the app's credentials and reads the JSON answer into
// out. This is not oauth2.Config's, because that one turns network errors into
// text, tries each request twice to find out how to send the secret, and keeps
// time by itself.
func (a OAuthApp) post(ctx context.Context, endpoint string, form url.Values, out any) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return a.Refused("", fmt.Errorf("%q is no address of a sign-in server", endpoint))
	}
	if u.Scheme != "https" && !loopbackHost(u.Hostname()) {
		return a.Refused("", errPlainEndpoint)
	}
	timeout := a.Timeout
	if timeout <= 0 {
		timeout = DefaultDialTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport, err := a.transport(timeout)
	if err != nil {
		return a.Refused("", err)
	}
	client := &http.Client{
		Transport: transport,
		// A secret is sent to nobody else than the configured address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// The secret goes into the form, as Microsoft and Google have it; a server
	// that takes it in the header only says so (RFC 6749 section 5.2).
	status, challenge, body, err := a.send(ctx, client, u, form, false)
	if err == nil && status == http.StatusUnauthorized && a.ClientSecret != "" && strings.HasPrefix(strings.ToLower(challenge), "basic") {
		status, _, body, err = a.send(ctx, client, u, form, true)
	}
	if err != nil {
		return a.unreached(u, err)
	}
	return a.read(u, form, status, body, out)
}

// send makes one request.
func (a OAuthApp) send(ctx context.Context, client *http.Client, u *url.URL, form url.Values, basic bool) (status int, challenge string, body []byte, err error) {
	values := url.Values{}
	for name, v := range form {
		values[name] = v
	}
	if !form.Has("assertion") && !basic { // an assertion names the app itself
		values.Set("client_id", a.ClientID)
		if a.ClientSecret != "" {
			values.Set("client_secret", a.ClientSecret)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return 0, "", nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if basic {
		r.SetBasicAuth(url.QueryEscape(a.ClientID), url.QueryEscape(a.ClientSecret)) // RFC 6749 section 2.3.1
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxOAuthBody))
	return answer.StatusCode, answer.Header.Get("WWW-Authenticate"), body, err
}

// transport reaches the server through the proxy, if any. A request an hour is
// not worth an open connection.
func (a OAuthApp) transport(timeout time.Duration) (*http.Transport, error) {
	proxy, err := oauthProxy(a.Proxy)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: a.Roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}, nil
}

// oauthProxy is the way to the sign-in server, see Settings.Proxy.
func oauthProxy(setting string) (func(*http.Request) (*url.URL, error), error) {
	switch setting {
	case "none":
		return nil, nil
	case "":
		c := httpproxy.FromEnvironment()
		for _, name := range []string{"ALL_PROXY", "all_proxy"} {
			if c.HTTPSProxy == "" {
				c.HTTPSProxy = os.Getenv(name)
			}
		}
		find := c.ProxyFunc()
		return func(r *http.Request) (*url.URL, error) { return find(r.URL) }, nil
	}
	u, err := url.Parse(setting)
	if err != nil || u.Host == "" {
		return nil, errors.New("the proxy's address cannot be read") // not shown: it may hold a password
	}
	return http.ProxyURL(u), nil
}

// unreached is the error of a server that gave no answer. The types of the
// network's errors stay.
func (a OAuthApp) unreached(u *url.URL, err error) *mail.Error {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err // without the address, which the error names already
	}
	e := Settings{Protocol: "oauth"}.Error(mail.StepToken, err)
	e.Server, e.Auth = serverOf(u.String()), "oauth2"
	return e
}

// oauthFailure is an answer that says why not (RFC 6749 section 5.2).
type oauthFailure struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Suberror    string `json:"suberror"`      // Microsoft's
	Subtype     string `json:"error_subtype"` // Google's, as invalid_rapt
}

// read takes an answer apart.
func (a OAuthApp) read(u *url.URL, form url.Values, status int, body []byte, out any) error {
	e := &mail.Error{Protocol: "oauth", Server: serverOf(u.String()), Step: mail.StepToken, Auth: "oauth2"}
	var failure oauthFailure
	err := json.Unmarshal(body, &failure)
	good := status >= 200 && status <= 299
	switch {
	case err == nil && failure.Error != "": // also with 200: some servers do so
		e.Code = cut(failure.Error)
		e.Text = cut(a.withoutSecrets(failure.Description, form)) // in this order: half a secret would not be found
		if why := cut(failure.Suberror + failure.Subtype); why != "" && !strings.Contains(e.Text, why) {
			e.Text = strings.TrimSpace(e.Text + " (" + why + ")")
		}
		e.Temporary = status >= 500 || status == http.StatusTooManyRequests || passing(e.Code)
		return e
	case !good:
		e.Text = fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))
		e.Temporary = !lasting(status)
		return e
	}
	if err == nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		// A page instead of an answer: a login page of the network in between.
		e.Err, e.Temporary = errors.New("the answer is not one of a sign-in server"), true
		return e
	}
	return nil
}

// passing reports whether an error code names a state that ends by itself.
func passing(code string) bool {
	switch code {
	case "temporarily_unavailable", "server_error", OAuthSlowDown, OAuthPending:
		return true
	}
	return false
}

// lasting reports whether an HTTP status without an OAuth2 error says that the
// address is wrong; anything else may be a proxy's or a passing state.
func lasting(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return true
	}
	return false
}

// withoutSecrets takes out what we sent, should the server have repeated it.
func (a OAuthApp) withoutSecrets(text string, form url.Values) string {
	secrets := []string{a.ClientSecret}
	for _, name := range []string{"refresh_token", "code", "code_verifier", "device_code", "assertion"} {
		secrets = append(secrets, form.Get(name))
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	return text
}

// cut makes the server's words one printable line of bounded length.
func cut(words string) string {
	if len(words) > maxOAuthWords {
		words = strings.ToValidUTF8(words[:maxOAuthWords], "")
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.Join(strings.Fields(words), " "))
}

// loopbackHost reports whether a host of a URL is this machine.
func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// seconds is a span of time as token endpoints write it: a number, or a text
// that is one.
type seconds float64

// UnmarshalJSON reads either form; anything else counts as not said.
func (s *seconds) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err != nil || n < 0 || n > 1e9 {
		n = 0
	}
	*s = seconds(n)
	return nil
}

func (s seconds) duration() time.Duration { return time.Duration(s) * time.Second }

// usersOf reads the names of who signed in from an ID token. It came over TLS
// from the token endpoint itself, which stands for its signature (OpenID
// Connect Core section 3.1.3.7).
func usersOf(idToken string) []string {
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	var claims struct {
		Email    string `json:"email"`
		Username string `json:"preferred_username"` // Microsoft's, as upn
		UPN      string `json:"upn"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return nil
	}
	var users []string
	for _, name := range []string{claims.Email, claims.Username, claims.UPN} {
		if name = cut(name); name != "" {
			users = append(users, name)
		}
	}
	return users
}
