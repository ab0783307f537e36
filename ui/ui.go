// Package ui is the page on which people see whether their desks work, what
// became of each mail, and what was written. It is made on the server from
// templates, runs no script and loads nothing from outside.
//
// Who has not signed in sees states, counts and remedies, and nothing that a
// customer wrote or is called. Signing in is by a one-time link.
package ui

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"helpdesk/store"
)

//go:embed templates/*.html style.css icon.svg
var files embed.FS

// Deps is what the page needs of the running program.
type Deps struct {
	Store   *store.Store
	Status  func(context.Context) (Status, error)
	Healthy func() bool      // all loops run; nil: always
	Lang    string           // "en" or "ja"
	Now     func() time.Time // its location is the one that times are shown in
	Logger  *slog.Logger
	Listen  string // host:port that the page is served at
	BaseURL string // how people reach it, when that is not Listen; may be ""
	Tests   *Tests // nil: there is no test page

	Act      func(context.Context, Act) (ActAnswer, error) // what buttons do; nil: there are none
	WhyDesks []WhyDesk                                     // the desks of the configuration
	Observed func(desk string) *store.Store                // what a desk saw in observe mode, by its key; nil where there is nothing

	Authorize *Authorizer // nil: nobody signs in at a provider
}

// Server answers the page's requests.
type Server struct {
	Deps
	words    Words
	pages    map[string]*template.Template // by file name without .html
	statics  map[string][]byte             // by path
	style    string                        // path of the style sheet; changes with its content
	cookie   string
	links    *secrets // one-time sign-in links
	sessions *secrets
}

// New prepares the page.
func New(d Deps) (*Server, error) {
	_, port, err := net.SplitHostPort(d.Listen)
	if err != nil {
		return nil, fmt.Errorf("reading the page's address: %w", err)
	}
	s := &Server{
		Deps: d, words: WordsIn(d.Lang), pages: map[string]*template.Template{}, statics: map[string][]byte{},
		cookie: "helpdesk_" + port, // browsers share the cookies of all ports of a host
		links:  newSecrets(d.Now, linkLife), sessions: newSecrets(d.Now, sessionLife),
	}
	if err := s.readStatics(); err != nil {
		return nil, err
	}
	return s, s.parsePages()
}

func (s *Server) readStatics() error {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return fmt.Errorf("reading the style sheet: %w", err)
	}
	icon, err := files.ReadFile("icon.svg")
	if err != nil {
		return fmt.Errorf("reading the icon: %w", err)
	}
	sum := sha256.Sum256(style)
	s.style = "/style-" + hex.EncodeToString(sum[:6]) + ".css"
	s.statics[s.style], s.statics["/icon.svg"] = style, icon
	return nil
}

func (s *Server) parsePages() error {
	base, err := template.New("frame.html").Funcs(s.functions()).ParseFS(files, "templates/frame.html", "templates/parts.html")
	if err != nil {
		return fmt.Errorf("reading the page's templates: %w", err)
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return fmt.Errorf("listing the page's templates: %w", err)
	}
	for _, name := range names {
		page := strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")
		if page == "frame" || page == "parts" {
			continue
		}
		own, err := base.Clone()
		if err == nil {
			own, err = own.ParseFS(files, name)
		}
		if err != nil {
			return fmt.Errorf("reading the template of page %s: %w", page, err)
		}
		s.pages[page] = own
	}
	return nil
}

// functions are what templates may call.
func (s *Server) functions() template.FuncMap {
	return template.FuncMap{
		"t":      s.words.Text,
		"count":  func(key string, n int) string { return s.words.Count(key, int64(n)) },
		"number": s.words.Number,
		"size":   s.words.Size,
		"int64":  func(n int) int64 { return int64(n) },
		"words":  func() Words { return s.words },
		"took":   s.words.Took,
		"when":   func(t time.Time) moment { return s.moment(t, s.words.When) },
		"date":   func(t time.Time) moment { return s.moment(t, s.words.Date) },
	}
}

// moment is a time as templates show it.
type moment struct {
	Words string // as people say it
	Exact string // RFC 3339; "" for an unknown time
}

func (s *Server) moment(t time.Time, say func(t, now time.Time) string) moment {
	now := s.Now()
	m := moment{Words: say(t, now)}
	if !t.IsZero() {
		m.Exact = t.In(now.Location()).Format(time.RFC3339)
	}
	return m
}

// Handler is the page.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.orCallback(s.statusPage))
	s.authorizeRoutes(mux)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /api/v1/status", s.apiStatus)
	mux.HandleFunc("GET /sign-in", s.signInPage)
	mux.HandleFunc("POST /sign-in", s.signIn)
	mux.HandleFunc("POST /sign-out", s.signOut)
	mux.HandleFunc("GET /requests", s.private(s.requestsPage))
	mux.HandleFunc("GET /requests/{key}", s.private(s.requestPage))
	mux.HandleFunc("GET /ledger", s.private(s.ledgerPage))
	mux.HandleFunc("GET /ledger/{id}", s.private(s.entryPage))
	mux.HandleFunc("GET /why", s.private(s.whyPage))
	if s.Act != nil {
		mux.HandleFunc("POST /acts", s.private(s.act))
	}
	if s.Observed != nil {
		mux.HandleFunc("GET /observed/{desk}", s.private(s.observedPage))
	}
	if s.Tests != nil {
		mux.HandleFunc("GET /test", s.private(s.testPage))
		mux.HandleFunc("POST /test", s.private(s.runTest))
	}
	mux.HandleFunc("GET /raw/{id}", s.private(s.rawMail))
	mux.HandleFunc("GET /files/{message}/{part}", s.private(s.attachment))
	mux.HandleFunc("GET /pictures/{message}/{part}", s.private(s.picture))
	for path := range s.statics {
		mux.HandleFunc("GET "+path, s.static)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fault(w, r, http.StatusNotFound, "error.not-found") })
	return s.guard(mux)
}

// SignInLink makes a link below base (as "http://127.0.0.1:8025") that signs
// one person in once, within ten minutes.
func (s *Server) SignInLink(base string) string {
	return strings.TrimSuffix(base, "/") + "/sign-in?token=" + url.QueryEscape(s.links.add())
}

// frame is what every page has around its content.
type frame struct {
	Lang, Title, Section, Style, Version string
	SignedIn, HasTests, HasActs          bool
	Here                                 string // path and choices of this page, for forms that lead back to it
	Refresh                              int    // seconds; 0: not by itself
}

func (s *Server) frame(r *http.Request, section, title string) frame {
	return frame{Lang: s.words.lang, Title: title, Section: section, Style: s.style, SignedIn: s.signedIn(r), HasTests: s.Tests != nil, HasActs: s.Act != nil, Here: r.URL.RequestURI()}
}

// show writes a page whole or not at all.
func (s *Server) show(w http.ResponseWriter, r *http.Request, code int, page string, data any) {
	var out bytes.Buffer
	if err := s.pages[page].ExecuteTemplate(&out, "frame.html", data); err != nil {
		s.Logger.Error("making a page", "page", page, "error", err)
		http.Error(w, s.words.Text("error.internal"), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	s.write(w, out.Bytes())
}

// write sends what is ready. A browser that went away is no fault of ours.
func (s *Server) write(w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil {
		s.Logger.Debug("sending a page", "error", err)
	}
}

// fault shows a page that says what went wrong; key names its sentence.
func (s *Server) fault(w http.ResponseWriter, r *http.Request, code int, key string, pairs ...string) {
	s.show(w, r, code, "fault", struct {
		frame
		Text string
	}{s.frame(r, "", s.words.Text("error.title")), s.words.Text(key, pairs...)})
}

// failed answers a request that the store or the program could not serve.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, doing string, err error) {
	if r.Context().Err() != nil {
		return // nobody waits for the answer
	}
	s.Logger.Error(doing, "path", r.URL.Path, "error", err)
	s.fault(w, r, http.StatusInternalServerError, "error.internal")
}

func (s *Server) static(w http.ResponseWriter, r *http.Request) {
	kind, age := "text/css; charset=utf-8", "31536000" // its path changes with its content
	if r.URL.Path != s.style {
		kind, age = "image/svg+xml", "86400"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age="+age)
	s.write(w, s.statics[r.URL.Path])
}
