package ui

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

func token(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

func TestSignIn(t *testing.T) {
	o := newOffice(t, "en")
	link := o.server.SignInLink("http://127.0.0.1:8025/")
	if !strings.HasPrefix(link, "http://127.0.0.1:8025/sign-in?token=") || len(token(t, link)) < 40 {
		t.Fatalf("link %q", link)
	}
	form := url.Values{"token": {token(t, link)}}.Encode()
	// A preview of the link, any number of times, uses nothing up.
	for range 3 {
		w := o.getOutside(strings.TrimPrefix(link, "http://127.0.0.1:8025"))
		if w.Code != http.StatusOK || len(w.Result().Cookies()) != 0 || !strings.Contains(w.Body.String(), token(t, link)) {
			t.Fatalf("the page of the link: %d", w.Code)
		}
	}
	w := o.do(http.MethodPost, "/sign-in", form, nil)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Fatalf("signing in: %d", w.Code)
	}
	c := w.Result().Cookies()[0]
	if c.Name != "helpdesk_8025" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || len(c.Value) < 40 {
		t.Errorf("cookie %v", c)
	}
	if w := o.do(http.MethodGet, "/requests", "", c); w.Code != http.StatusOK {
		t.Errorf("after signing in: %d", w.Code)
	}
	if w := o.do(http.MethodPost, "/sign-in", form, nil); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "used already") || len(w.Result().Cookies()) != 0 {
		t.Errorf("the link a second time: %d", w.Code)
	}
	if w := o.do(http.MethodPost, "/sign-out", "", c); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "You are signed out") {
		t.Errorf("signing out: %d", w.Code)
	}
	if w := o.do(http.MethodGet, "/requests", "", c); w.Code != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", w.Code)
	}
	for _, wrong := range []string{"", "token=", "token=nonsense"} {
		if w := o.do(http.MethodPost, "/sign-in", wrong, nil); w.Code != http.StatusForbidden {
			t.Errorf("%q: %d", wrong, w.Code)
		}
	}
}

func TestSignInExpires(t *testing.T) {
	o := newOffice(t, "en")
	late := url.Values{"token": {token(t, o.server.SignInLink("http://x"))}}.Encode()
	o.now = o.now.Add(10 * time.Minute)
	if w := o.do(http.MethodPost, "/sign-in", late, nil); w.Code != http.StatusForbidden {
		t.Errorf("a link of ten minutes ago: %d", w.Code)
	}
	c := o.signIn()
	for range 3 {
		o.now = o.now.Add(11 * time.Hour)
		if w := o.do(http.MethodGet, "/requests", "", c); w.Code != http.StatusOK {
			t.Errorf("a session in use: %d", w.Code)
		}
	}
	o.now = o.now.Add(12 * time.Hour)
	if w := o.do(http.MethodGet, "/requests", "", c); w.Code != http.StatusUnauthorized {
		t.Errorf("a session left alone for 12 hours: %d", w.Code)
	}
}

func TestSecretsAreBounded(t *testing.T) {
	now := time.Unix(0, 0)
	s := newSecrets(func() time.Time { return now }, time.Hour)
	first := s.add()
	for range 3 * maxSecrets {
		now = now.Add(time.Millisecond)
		s.add()
	}
	last := s.add()
	if len(s.until) > maxSecrets || s.holds(first) || !s.holds(last) {
		t.Errorf("%d secrets", len(s.until))
	}
	now = now.Add(2 * time.Hour)
	s.add()
	if len(s.until) != 1 {
		t.Errorf("%d secrets after their time", len(s.until))
	}
}

func TestHosts(t *testing.T) {
	o := newOffice(t, "en")
	for _, tt := range []struct {
		listen, base, host string
		own                bool
	}{
		{listen, "", "127.0.0.1:8025", true},
		{listen, "", "localhost:8025", true},
		{listen, "", "LOCALHOST:9000", true}, // through a tunnel
		{listen, "", "localhost", true},
		{listen, "", "[::1]:8025", true},
		{listen, "", "[::1]", true},
		{listen, "", "evil.example:8025", false},
		{listen, "", "localhost.evil.example", false},
		{listen, "", "127.0.0.1.evil.example:8025", false},
		{listen, "", "192.168.1.5:8025", false},
		{listen, "", "", false},
		{listen, "https://desk.example.com", "desk.example.com", true},
		{listen, "https://desk.example.com", "desk.example.com:443", true},
		{listen, "https://desk.example.com", "evil.example", false},
		{"192.168.1.5:8025", "", "192.168.1.5:8025", true},
		{"192.168.1.5:8025", "", "192.168.1.6:8025", false},
		{"0.0.0.0:8025", "", "192.168.1.6:8025", true},
		{"[::]:8025", "", "desk.local:8025", false},
	} {
		o.server.Listen, o.server.BaseURL = tt.listen, tt.base
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		o.page.ServeHTTP(w, r)
		if own := w.Code == http.StatusOK; own != tt.own || !own && w.Code != http.StatusMisdirectedRequest {
			t.Errorf("listen %s, base %q, host %q: %d", tt.listen, tt.base, tt.host, w.Code)
		}
	}
}

func TestOrigins(t *testing.T) {
	o := newOffice(t, "en")
	for _, tt := range []struct {
		header, value string
		refused       bool
	}{
		{"Sec-Fetch-Site", "cross-site", true},
		{"Sec-Fetch-Site", "same-site", true}, // another port of this computer
		{"Sec-Fetch-Site", "same-origin", false},
		{"Origin", "http://evil.example", true},
		{"Origin", "http://127.0.0.1:9999", true},
		{"Origin", "null", true},
		{"Origin", "http://" + listen, false},
	} {
		for _, path := range []string{"/sign-in", "/sign-out"} {
			form := url.Values{"token": {token(t, o.server.SignInLink("http://x"))}}.Encode()
			r := httptest.NewRequest(http.MethodPost, "http://"+listen+path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(tt.header, tt.value)
			w := httptest.NewRecorder()
			o.page.ServeHTTP(w, r)
			if refused := w.Code == http.StatusForbidden; refused != tt.refused {
				t.Errorf("%s %s: %s: %d", path, tt.header, tt.value, w.Code)
			}
		}
	}
}

// A link in a mail: the browser keeps the Strict cookie back once.
func TestComingFromAMail(t *testing.T) {
	o := week(t, "en")
	r := httptest.NewRequest(http.MethodGet, "http://"+listen+"/requests/SUP-1", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	o.page.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `<meta http-equiv="refresh" content="0">`) || strings.Contains(w.Body.String(), "SUP-1") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestHeaders(t *testing.T) {
	o := week(t, "en")
	cookie := o.signIn()
	for _, path := range append(private(o), "/", "/sign-in", "/nowhere", "/api/v1/status", "/healthz") {
		h := o.do(http.MethodGet, path, "", cookie).Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") ||
			h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
	}
	body := o.getOutside("/").Body.String()
	for _, path := range []string{o.server.style, "/icon.svg"} {
		if !strings.Contains(body, `href="`+path+`"`) {
			t.Errorf("%s is not used", path)
		}
		if w := o.getOutside(path); w.Code != http.StatusOK || w.Body.Len() == 0 || !strings.Contains(w.Header().Get("Cache-Control"), "max-age") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(style, []byte("url(")) || bytes.Contains(style, []byte("@import")) {
		t.Error("the style sheet loads something")
	}
}

// attachments of the request with that key: their paths by name.
func (o *office) attachments(key string) map[string]string {
	o.t.Helper()
	r, err := o.store.RequestByKey(o.t.Context(), key)
	if err != nil {
		o.t.Fatal(err)
	}
	messages, err := o.store.Messages(o.t.Context(), r.ID)
	if err != nil {
		o.t.Fatal(err)
	}
	paths := map[string]string{}
	for _, m := range messages {
		for _, a := range m.Attachments {
			paths[a.Name] = fmt.Sprintf("/%d/%d", m.ID, a.Part)
		}
	}
	return paths
}

func TestAttachments(t *testing.T) {
	o := week(t, "en")
	picture := o.attachments("SUP-1")["screen.png"]
	want := screenshot(t)
	w := o.get("/files" + picture)
	if w.Code != http.StatusOK || w.Body.String() != want {
		t.Fatalf("download: %d, %d bytes", w.Code, w.Body.Len())
	}
	if h := w.Header(); h.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment; filename=screen.png") ||
		!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("download: %v", h)
	}
	w = o.get("/pictures" + picture)
	if h := w.Header(); w.Body.String() != want || h.Get("Content-Type") != "image/png" || h.Get("Content-Security-Policy") != "default-src 'none'; sandbox" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("picture: %d %v", w.Code, h)
	}
	for name, path := range o.attachments("SAL-1") {
		if _, params, err := mime.ParseMediaType(o.get("/files" + path).Header().Get("Content-Disposition")); err != nil || params["filename"] != name || !strings.Contains(name, "請求書") {
			t.Errorf("the name of %q: %v %v", name, params, err)
		}
	}
	// What could hold a script is only ever a download, whatever it is called.
	for name, path := range o.attachments("SUP-2") {
		if w := o.get("/pictures" + path); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "alert(") {
			t.Errorf("%q as a picture: %d", name, w.Code)
		}
		w := o.get("/files" + path)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "alert(") || w.Header().Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%q as a download: %d %v", name, w.Code, w.Header())
		}
	}
	for _, path := range []string{"/files/1/99", "/files/99999/1", "/files/x/1", "/files/1/x", "/pictures/1/99", "/raw/99999", "/raw/-1", "/raw/x", "/ledger/99999", "/ledger/0"} {
		if w := o.get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestShowable(t *testing.T) {
	for _, tt := range []struct {
		kind string
		size int64
		want bool
	}{
		{"image/png", 1, true}, {"image/jpeg", maxPicture, true}, {"image/gif", 1, true}, {"image/webp", 1, true},
		{"image/png", maxPicture + 1, false}, {"image/svg+xml", 1, false}, {"image/x-icon", 1, false}, {"text/html", 1, false}, {"", 1, false},
	} {
		if got := showable(mail.Attachment{Type: tt.kind, Size: tt.size}); got != tt.want {
			t.Errorf("%s of %d bytes: %v", tt.kind, tt.size, got)
		}
	}
	// A mail may say that a picture is small which is not.
	o := newOffice(t, "en")
	o.take(taken{desk: "SUP", outcome: "request", rule: "request", kind: "customer",
		raw: withFiles("a@example.net", "support@example.com", "big", "big@example.net", "x", [2]string{"Content-Type: image/png; name=big.png", screenshot(t) + strings.Repeat("x", maxPicture)})})
	path := o.attachments("SUP-1")["big.png"]
	if w := o.get("/pictures" + path); w.Code != http.StatusNotFound {
		t.Errorf("a picture of %d bytes: %d", w.Body.Len(), w.Code)
	}
	if body := o.get("/requests/SUP-1").Body.String(); strings.Contains(body, "/pictures/") || !strings.Contains(body, `href="/files`+path+`"`) {
		t.Error("a large picture must be a download")
	}
}

func TestRawMail(t *testing.T) {
	o := week(t, "en")
	checked := 0
	for id, raw := range o.raws {
		w := o.get(fmt.Sprintf("/raw/%d", id))
		e, err := o.store.Entry(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if e.RawState == store.RawNone {
			if w.Code != http.StatusNotFound {
				t.Errorf("mail %d was not kept: %d", id, w.Code)
			}
			continue
		}
		checked++
		if w.Code != http.StatusOK || w.Body.String() != raw || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("mail %d: %d, %d bytes of %d, %v", id, w.Code, w.Body.Len(), len(raw), w.Header())
		}
	}
	if checked < 8 {
		t.Errorf("only %d mails had a text", checked)
	}
}
