package ui

import "net/http"

// signInPage shows the button that uses a link up. Following the link does
// nothing by itself: mail programs and chats look at links before people do.
func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) {
	if s.signedIn(r) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	s.showSignIn(w, r, http.StatusOK, "")
}

// showSignIn shows the button where there is a token, else how to get one.
func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request, code int, notice string) {
	token := ""
	if r.Method == http.MethodGet && r.URL.Path == "/sign-in" {
		token = r.URL.Query().Get("token")
	}
	s.show(w, r, code, "sign-in", struct {
		frame
		Token, Notice string
	}{s.frame(r, "sign-in", s.words.Text("sign-in.title")), token, notice})
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	if !s.links.take(r.PostFormValue("token")) {
		s.showSignIn(w, r, http.StatusForbidden, s.words.Text("sign-in.used"))
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookie, Value: s.sessions.add(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(s.cookie); err == nil {
		s.sessions.take(c.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: s.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	r.Header.Del("Cookie")
	s.showSignIn(w, r, http.StatusOK, s.words.Text("sign-in.out"))
}
