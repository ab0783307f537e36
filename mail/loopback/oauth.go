package loopback

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// OAuthOptions of an authorization server.
type OAuthOptions struct {
	ClientID     string // default "helpdesk"
	ClientSecret string // "" for a public client
	BasicOnly    bool   // take the secret in the Authorization header only
	Strict       bool   // a refresh token counts once; else the old one stays good beside the new
	TLS          bool
	Life         time.Duration // of an access token; 0: an hour
	RefreshLife  time.Duration // announced as refresh_token_expires_in; 0: not announced
	Interval     time.Duration // between questions after a device code, whole seconds; 0: 5 s
	Now          func() time.Time

	ServiceAccount string         // client_email of the service account
	ServiceKey     *rsa.PublicKey // that its assertions are signed with
}

// OAuth is a real authorization server: authorization codes with PKCE, device
// codes, refresh tokens that rotate, client credentials, signed assertions,
// and introspection (RFC 7662), by which Dovecot checks access tokens. Whoever
// comes to /authorize is signed in as User at once.
type OAuth struct {
	URL     string         // of the server, without a path
	Pool    *x509.CertPool // trusts its certificate; nil without TLS
	CertPEM []byte

	options OAuthOptions
	server  *http.Server
	done    chan struct{}

	mu      sync.Mutex
	user    string // who signs in at /authorize
	last    int
	codes   map[string]oauthCode
	devices map[string]*oauthDevice // by device code
	refresh map[string]string       // refresh token: user
	access  map[string]oauthAccess
	fault   http.HandlerFunc // answers /token in our place
	asked   []url.Values     // forms that /token got
}

type oauthCode struct{ user, redirect, challenge string }

type oauthDevice struct {
	userCode, user string // user: "" until approved, "-" when refused
	polled, ends   time.Time
	interval       time.Duration
}

type oauthAccess struct {
	user string
	ends time.Time
}

// NewOAuth starts an authorization server on a free port of 127.0.0.1. It ends
// with Close.
func NewOAuth(o OAuthOptions) (*OAuth, error) {
	if o.ClientID == "" {
		o.ClientID = "helpdesk"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Life == 0 {
		o.Life = time.Hour
	}
	if o.Interval == 0 {
		o.Interval = 5 * time.Second
	}
	s := &OAuth{
		options: o, done: make(chan struct{}), codes: map[string]oauthCode{}, devices: map[string]*oauthDevice{},
		refresh: map[string]string{}, access: map[string]oauthAccess{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /device", s.device)
	mux.HandleFunc("POST /introspect", s.introspect)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the authorization server: %w", err)
	}
	s.URL = "http://" + listener.Addr().String()
	if o.TLS {
		cert, err := newCertificate(o.Now())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("making the authorization server's certificate: %w", err), listener.Close())
		}
		s.URL = "https://" + listener.Addr().String()
		s.Pool, s.CertPEM = cert.pool, cert.pem
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert.leaf}, MinVersion: tls.VersionTLS12})
	}
	// What goes wrong with a connection is the client's to tell.
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // ends with Close
	}()
	return s, nil
}

// Close ends the server and its connections.
func (s *OAuth) Close() error {
	err := s.server.Close()
	<-s.done
	if err != nil {
		return fmt.Errorf("closing the authorization server: %w", err)
	}
	return nil
}

// SignIn sets who signs in at /authorize; "" refuses.
func (s *OAuth) SignIn(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user = user
}

// Approve is a person who enters a code as user; "" refuses.
func (s *OAuth) Approve(userCode, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.userCode == userCode {
			if d.user = user; user == "" {
				d.user = "-"
			}
		}
	}
}

// Fault answers /token in the server's place from now on; nil ends that.
func (s *OAuth) Fault(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = answer
}

// Refuse makes /token answer with an OAuth2 error.
func (s *OAuth) Refuse(status int, code, description string) {
	s.Fault(func(w http.ResponseWriter, _ *http.Request) { deny(w, status, code, description) })
}

// Issue makes an access token of a user, without anybody signing in.
func (s *OAuth) Issue(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue(user)
}

func (s *OAuth) issue(user string) string {
	token := s.next("access")
	s.access[token] = oauthAccess{user: user, ends: s.options.Now().Add(s.options.Life)}
	return token
}

// Asked are the forms that /token got so far.
func (s *OAuth) Asked() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Revoke ends all access tokens, and the refresh tokens too when all is true.
func (s *OAuth) Revoke(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.access)
	if all {
		clear(s.refresh)
	}
}

func deny(w http.ResponseWriter, status int, code, description string) {
	tell(w, status, map[string]any{"error": code, "error_description": description})
}

func tell(w http.ResponseWriter, status int, what map[string]any) {
	b, err := json.Marshal(what)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that went away is no fault
}

// authorize is the page on which a person consents (RFC 6749 section 4.1.1).
func (s *OAuth) authorize(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	redirect, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || redirect.Scheme != "http" || !slices.Contains([]string{"localhost", "127.0.0.1"}, redirect.Hostname()) || q.Get("client_id") != s.options.ClientID {
		http.Error(w, "wrong client_id or redirect_uri", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}}
	switch {
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("scope") == "":
		back.Set("error", "invalid_request")
	case s.user == "":
		back.Set("error", "access_denied")
		back.Set("error_description", "the user refused")
	default:
		code := s.next("code")
		s.codes[code] = oauthCode{s.user, q.Get("redirect_uri"), q.Get("code_challenge")}
		back.Set("code", code)
	}
	redirect.RawQuery = back.Encode()
	http.Redirect(w, r, redirect.String(), http.StatusFound)
}

// next makes a token; the number in it helps whoever reads a failed test.
func (s *OAuth) next(kind string) string {
	s.last++
	return kind + "-" + strconv.Itoa(s.last) + "-" + rand.Text()
}

// token is the token endpoint (RFC 6749 section 3.2).
func (s *OAuth) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		deny(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.PostForm)
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	form := r.PostForm
	if form.Get("grant_type") != jwtGrant && !s.client(w, r) {
		return
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		code, ok := s.codes[form.Get("code")]
		delete(s.codes, form.Get("code"))
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if !ok || code.redirect != form.Get("redirect_uri") || code.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
			deny(w, http.StatusBadRequest, "invalid_grant", "wrong code, redirect_uri or code_verifier")
			return
		}
		s.give(w, code.user, true)
	case "refresh_token":
		user, ok := s.refresh[form.Get("refresh_token")]
		if !ok {
			deny(w, http.StatusBadRequest, "invalid_grant", "Token has been expired or revoked.")
			return
		}
		if s.options.Strict {
			delete(s.refresh, form.Get("refresh_token"))
		}
		s.give(w, user, true)
	case "urn:ietf:params:oauth:grant-type:device_code":
		s.deviceToken(w, form.Get("device_code"))
	case "client_credentials":
		if s.options.ClientSecret == "" || form.Get("scope") == "" {
			deny(w, http.StatusBadRequest, "unauthorized_client", "not for public clients")
			return
		}
		s.give(w, s.user, false)
	case jwtGrant:
		s.assertion(w, form.Get("assertion"))
	default:
		deny(w, http.StatusBadRequest, "unsupported_grant_type", "")
	}
}

const jwtGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// client checks who asks (RFC 6749 section 2.3.1).
func (s *OAuth) client(w http.ResponseWriter, r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	if !basic && !s.options.BasicOnly {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id == s.options.ClientID && secret == s.options.ClientSecret {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
	deny(w, http.StatusUnauthorized, "invalid_client", "wrong client_id or client_secret: "+secret)
	return false
}

// give answers with tokens of a user.
func (s *OAuth) give(w http.ResponseWriter, user string, lasting bool) {
	a := map[string]any{"access_token": s.issue(user), "token_type": "Bearer", "expires_in": int(s.options.Life.Seconds())}
	if lasting {
		token := s.next("refresh")
		s.refresh[token] = user
		a["refresh_token"] = token
		if s.options.RefreshLife > 0 {
			a["refresh_token_expires_in"] = fmt.Sprint(int(s.options.RefreshLife.Seconds())) // a text, as some write it
		}
		claims, err := json.Marshal(map[string]string{"preferred_username": user})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		a["id_token"] = "e30." + base64.RawURLEncoding.EncodeToString(claims) + ".unsigned"
	}
	tell(w, http.StatusOK, a)
}

// device is the device authorization endpoint (RFC 8628 section 3.1).
func (s *OAuth) device(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.PostFormValue("client_id") != s.options.ClientID || r.PostFormValue("scope") == "" {
		deny(w, http.StatusUnauthorized, "invalid_client", "")
		return
	}
	code, userCode := s.next("device"), rand.Text()[:8]
	interval := s.options.Interval
	s.devices[code] = &oauthDevice{userCode: userCode, ends: s.options.Now().Add(15 * time.Minute), interval: interval, polled: s.options.Now()}
	tell(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": userCode, "verification_uri": s.URL + "/enter", "expires_in": 900, "interval": int(interval.Seconds()),
	})
}

// deviceToken answers who asks whether the code was entered (RFC 8628 section 3.5).
func (s *OAuth) deviceToken(w http.ResponseWriter, code string) {
	now := s.options.Now()
	d := s.devices[code]
	if d == nil || now.After(d.ends) {
		deny(w, http.StatusBadRequest, "expired_token", "")
		return
	}
	soon := now.Sub(d.polled) < d.interval
	d.polled = now
	switch {
	case soon:
		d.interval += 5 * time.Second
		deny(w, http.StatusBadRequest, "slow_down", "")
	case d.user == "":
		deny(w, http.StatusBadRequest, "authorization_pending", "")
	case d.user == "-":
		deny(w, http.StatusBadRequest, "access_denied", "the user refused")
	default:
		delete(s.devices, code)
		s.give(w, d.user, true)
	}
}

// introspect says whose an access token is (RFC 7662).
func (s *OAuth) introspect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.access[r.PostFormValue("token")]
	if !ok || s.options.Now().After(a.ends) {
		tell(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	tell(w, http.StatusOK, map[string]any{"active": true, "email": strings.ToLower(a.user), "username": a.user})
}
