package ui

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/diagnose"
)

// Ways to sign in at an OAuth2 provider.
const (
	WayDevice  = "device"  // type a code in at the provider, on any computer
	WayBrowser = "browser" // in this browser; the provider's answer comes to the page, or is pasted
)

var (
	// ErrNoAccount says that there is no such mailbox or relay, or that it
	// signs in by password.
	ErrNoAccount = errors.New("there is no such account")
	// ErrNoSignIn says that no sign-in of this person is under way that the
	// answer belongs to.
	ErrNoSignIn = errors.New("there is no such sign-in under way")
)

// Authorizer is what the pages for signing in at an OAuth2 provider need of the
// running program. Sign-ins belong to the session that began them.
type Authorizer struct {
	Account func(ctx context.Context, name string) (Account, error)
	// Begin begins a sign-in. origin is where the page was reached when that
	// was on this machine, else "".
	Begin    func(ctx context.Context, session, name, way, origin string) (id string, err error)
	Progress func(ctx context.Context, session, id string) (SignIn, error)
	Finish   func(ctx context.Context, session string, answer url.Values) (id string, err error)
	// Paste is Finish for the address that a person copied from the browser.
	Paste func(ctx context.Context, session, address string) (id string, err error)
	// Origin is that of the sign-in with this state, "" where there is none.
	Origin func(state string) string
}

// Account is a mailbox's or relay's account at an OAuth2 provider.
type Account struct {
	Name     string    // "SUP", "relay", "SUP.relay"
	User     string    // who should sign in
	Provider string    // as people call it
	Since    time.Time // when somebody signed in; zero: nobody has
	Ways     []string  // best first; none where no person has to sign in
	Trouble  error     // why it does not work without a person; nil otherwise
}

// SignIn is one that was begun.
type SignIn struct {
	Account, User, Provider, Way string

	Link    string // where to go
	Code    string // to type in there; WayDevice
	Paste   bool   // the answer has to be pasted
	Expires time.Time

	Done    bool
	Other   string // somebody else than User signed in
	Failure error  // it is over without success
}

// NeedsSignIn reports whether what is wrong is mended by signing in at the
// provider.
func (p PartStatus) NeedsSignIn() bool { return strings.HasPrefix(p.Cause, "oauth-") }

// session names who asks, without telling the cookie to anybody.
func (s *Server) session(r *http.Request) string {
	c, err := r.Cookie(s.cookie)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte("sign-in " + c.Value))
	return hex.EncodeToString(sum[:])
}

// loopbackOrigin is where the page was reached, when that was on this machine:
// a provider's answer comes back only there (RFC 8252 section 7.3).
func loopbackOrigin(r *http.Request) string {
	host := hostname(r.Host)
	address, err := netip.ParseAddr(host)
	if r.TLS != nil || host != "localhost" && (err != nil || !address.IsLoopback()) {
		return ""
	}
	return "http://" + r.Host
}

type authorizeData struct {
	frame
	Account Account
	SignIn  *SignIn // nil: none was begun
	ID      string
	Trouble PartStatus
	Notice  string
}

// authorizePage shows the ways to sign in, or the sign-in that was begun.
func (s *Server) authorizePage(w http.ResponseWriter, r *http.Request) {
	s.showAuthorize(w, r, http.StatusOK, r.URL.Query().Get("sign-in"), "")
}

func (s *Server) showAuthorize(w http.ResponseWriter, r *http.Request, code int, id, notice string) {
	a, err := s.Authorize.Account(r.Context(), r.PathValue("name"))
	if s.noAccount(w, r, err) {
		return
	}
	data := authorizeData{frame: s.frame(r, "", s.words.Text("authorize.title")), Account: a, ID: id, Notice: notice}
	if a.Trouble != nil {
		data.Trouble = s.explain(a.Trouble)
	}
	if id != "" {
		one, err := s.Authorize.Progress(r.Context(), s.session(r), id)
		switch {
		case errors.Is(err, ErrNoSignIn):
			data.Notice = s.words.Text("authorize.gone")
		case err != nil:
			s.failed(w, r, "looking after a sign-in", err)
			return
		default:
			data.SignIn = &one
			if data.Trouble = (PartStatus{}); one.Failure != nil {
				data.Trouble = s.explain(one.Failure)
			}
			if one.Way == WayDevice && !one.Done && one.Failure == nil {
				data.Refresh = 5
			}
		}
	}
	s.show(w, r, code, "authorize", data)
}

// noAccount answers a request whose account could not be read, and reports
// whether that was so.
func (s *Server) noAccount(w http.ResponseWriter, r *http.Request, err error) bool {
	var spoken interface{ Text(lang string) string }
	switch {
	case err == nil:
		return false
	case errors.Is(err, ErrNoAccount):
		s.fault(w, r, http.StatusNotFound, "authorize.none")
	case errors.As(err, &spoken): // a fault of the configuration says itself what to do
		s.fault(w, r, http.StatusConflict, "authorize.fault", "fault", spoken.Text(s.words.lang))
	default:
		s.failed(w, r, "reading an account", err)
	}
	return true
}

// explain says why a sign-in failed and what to do.
func (s *Server) explain(err error) PartStatus {
	var e *mail.Error
	if !errors.As(err, &e) {
		return PartStatus{State: "failing", Title: s.words.Text("authorize.failed"), ServerText: err.Error()}
	}
	d := diagnose.Explain(e, "")
	words := d.In(s.words.lang)
	return PartStatus{State: "failing", Cause: d.Cause, Title: words.Title, Text: words.Text, Remedy: words.Remedy, ServerText: d.ServerText}
}

// beginAuthorize begins a sign-in.
func (s *Server) beginAuthorize(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	id, err := s.Authorize.Begin(r.Context(), s.session(r), name, r.PostFormValue("way"), loopbackOrigin(r))
	var e *mail.Error
	if errors.As(err, &e) {
		a, err := s.Authorize.Account(r.Context(), name)
		if s.noAccount(w, r, err) {
			return
		}
		s.show(w, r, http.StatusBadGateway, "authorize", authorizeData{
			frame: s.frame(r, "", s.words.Text("authorize.title")), Account: a, Trouble: s.explain(e),
		})
		return
	}
	if s.noAccount(w, r, err) {
		return
	}
	s.toSignIn(w, r, name, id)
}

func (s *Server) toSignIn(w http.ResponseWriter, r *http.Request, name, id string) {
	http.Redirect(w, r, "/authorize/"+url.PathEscape(name)+"?sign-in="+url.QueryEscape(id), http.StatusSeeOther)
}

// pasteAuthorize takes the address that the browser ended at.
func (s *Server) pasteAuthorize(w http.ResponseWriter, r *http.Request) {
	id, err := s.Authorize.Paste(r.Context(), s.session(r), r.PostFormValue("address"))
	switch {
	case errors.Is(err, ErrNoSignIn):
		s.showAuthorize(w, r, http.StatusConflict, "", s.words.Text("authorize.gone"))
	case err != nil:
		s.showAuthorize(w, r, http.StatusUnprocessableEntity, r.PostFormValue("sign-in"), s.words.Text("authorize.no-code"))
	default:
		s.toSignIn(w, r, r.PathValue("name"), id)
	}
}

// callback takes a provider's answer, which comes as a visit to the page.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) {
	// The provider may know this machine by another name than the person's
	// browser, whose session is bound to the name: on to that one first, also
	// where there is an older session under this name.
	if origin := s.Authorize.Origin(r.URL.Query().Get("state")); origin != "" && origin != "http://"+r.Host {
		s.show(w, r, http.StatusOK, "authorize-elsewhere", origin+"/oauth/callback?"+r.URL.Query().Encode())
		return
	}
	s.private(func(w http.ResponseWriter, r *http.Request) {
		id, err := s.Authorize.Finish(r.Context(), s.session(r), r.URL.Query())
		if errors.Is(err, ErrNoSignIn) {
			s.fault(w, r, http.StatusConflict, "authorize.gone")
			return
		} else if err != nil {
			s.failed(w, r, "finishing a sign-in", err)
			return
		}
		one, err := s.Authorize.Progress(r.Context(), s.session(r), id)
		if err != nil {
			s.failed(w, r, "finishing a sign-in", err)
			return
		}
		s.toSignIn(w, r, one.Account, id) // so that the code is not in the address any more
	})(w, r)
}

// orCallback takes a provider's answer at the page's first address, where the
// registered redirect address has no path.
func (s *Server) orCallback(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); s.Authorize != nil && q.Has("state") && (q.Has("code") || q.Has("error")) {
			s.callback(w, r)
			return
		}
		page(w, r)
	}
}

// authorizeRoutes adds the pages of this file.
func (s *Server) authorizeRoutes(mux *http.ServeMux) {
	if s.Authorize == nil {
		return
	}
	mux.HandleFunc("GET /oauth/callback", s.callback)
	mux.HandleFunc("GET /authorize/{name}", s.private(s.authorizePage))
	mux.HandleFunc("POST /authorize/{name}", s.private(s.beginAuthorize))
	mux.HandleFunc("POST /authorize/{name}/address", s.private(s.pasteAuthorize))
}
