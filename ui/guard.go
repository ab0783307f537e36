package ui

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// policy forbids scripts, everything from outside and being framed.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard lets only requests through that are meant for this page: under one of
// its own names (a name of somebody else's that points here is an attack by DNS
// rebinding), and changing something only from its own forms.
func (s *Server) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fault(w, r, http.StatusForbidden, "error.origin")
	}))
	checked := origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// not no-referrer: browsers then send Origin: null with our own forms
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.ownHost(r.Host) {
			http.Error(w, s.words.Text("error.host", "url", s.ownURL()), http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		checked.ServeHTTP(w, r)
	})
}

// ownHost reports whether a Host header names this page: a loopback name, the
// address it listens at, or its base_url. The port may differ (a tunnel). An
// address cannot be rebound, only a name can.
func (s *Server) ownHost(header string) bool {
	host := hostname(header)
	if host == "localhost" {
		return true
	}
	if base, err := url.Parse(s.BaseURL); err == nil && base.Host != "" && host == hostname(base.Host) {
		return true
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	listen, err := netip.ParseAddr(hostname(s.Listen))
	return address.IsLoopback() || err == nil && (address == listen || listen.IsUnspecified())
}

func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]") // no port
	}
	return strings.ToLower(host)
}

func (s *Server) ownURL() string {
	if s.BaseURL != "" {
		return s.BaseURL
	}
	return "http://" + s.Listen
}

func (s *Server) signedIn(r *http.Request) bool {
	c, err := r.Cookie(s.cookie)
	return err == nil && s.sessions.holds(c.Value)
}

// private shows a page to who has signed in, and others how to.
func (s *Server) private(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.signedIn(r):
			next(w, r)
		case r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") == "navigate":
			// A link in a mail: the browser keeps a SameSite=Strict cookie back
			// until the visit starts from our own page, so let it.
			s.show(w, r, http.StatusOK, "again", nil)
		default:
			s.showSignIn(w, r, http.StatusUnauthorized, "")
		}
	}
}
