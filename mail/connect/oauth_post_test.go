package connect_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

// Errors keep what is needed to explain them.
func TestOAuthErrors(t *testing.T) {
	s, app, _ := provider(t, loopback.OAuthOptions{})
	for _, tt := range []struct {
		name, body string
		status     int
		code, text string
		temporary  bool
	}{
		{"Microsoft", `{"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired\r\nTrace ID: 1","suberror":"bad_token"}`, 400, "invalid_grant", "AADSTS700082: The refresh token has expired Trace ID: 1 (bad_token)", false},
		{"Google", `{"error":"invalid_grant","error_description":"reauth related error (invalid_rapt)","error_subtype":"invalid_rapt"}`, 400, "invalid_grant", "reauth related error (invalid_rapt)", false},
		{"with 200", `{"error":"invalid_client","error_description":"The OAuth client was deleted."}`, 200, "invalid_client", "The OAuth client was deleted.", false},
		{"busy", `{"error":"temporarily_unavailable","error_description":"AADSTS90033: A transient error has occurred."}`, 400, "temporarily_unavailable", "AADSTS90033: A transient error has occurred.", true},
		{"too many", `{"error":"invalid_request"}`, 429, "invalid_request", "", true},
		{"a secret in the answer", `{"error":"invalid_grant","error_description":"bad token r-secret-1"}`, 400, "invalid_grant", "bad token ***", false},
		{"half a secret at the end of what is kept", `{"error":"invalid_grant","error_description":"` + strings.Repeat("x", 2040) + `r-secret-1"}`, 400, "invalid_grant", strings.Repeat("x", 2040) + "***", false},
		{"a page", `<html>Service Unavailable</html>`, 503, "", "HTTP 503 Service Unavailable", true},
		{"a wrong address", `Not here`, 404, "", "HTTP 404 Not Found", false},
		{"a proxy's page", `<html>Please log in to this network</html>`, 200, "", "", true},
		{"a redirect", ``, 302, "", "HTTP 302 Found", true},
		{"nothing in it", `{}`, 200, "", "", false},
		{"another kind of token", `{"access_token":"a","token_type":"mac"}`, 200, "", "", false},
		{"too long", `{"access_token":"` + strings.Repeat("a", 1<<20) + `"}`, 200, "", "", true},
		{"odd characters", `{"error":"invalid_grant","error_description":"a\u0000\u001b[31mb\n\nc"}`, 400, "invalid_grant", "a[31mb c", false},
	} {
		s.Fault(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.WriteHeader(tt.status)
			io.WriteString(w, tt.body)
		})
		_, err := app.Refresh(t.Context(), "r-secret-1")
		e := failure(t, err)
		if e.Code != tt.code || e.Text != tt.text || e.Temporary != tt.temporary || (e.Text == "" && e.Code == "") != (e.Err != nil) {
			t.Errorf("%s: %q %q temporary %v, err %v", tt.name, e.Code, e.Text, e.Temporary, e.Err)
		}
	}
}

// Errors of the network keep their types.
func TestOAuthUnreachable(t *testing.T) {
	s, app, _ := provider(t, loopback.OAuthOptions{TLS: true})
	app.Roots = x509.NewCertPool()
	_, err := app.Refresh(t.Context(), "r")
	if e := failure(t, err); !errors.As(e, new(x509.UnknownAuthorityError)) || e.Temporary || e.Server != strings.TrimPrefix(s.URL, "https://") {
		t.Errorf("a certificate of somebody: %v", e)
	}
	app.Roots = s.Pool
	s.Close()
	_, err = app.Refresh(t.Context(), "r")
	if e := failure(t, err); !errors.As(e, new(*net.OpError)) || !e.Temporary || strings.Contains(e.Error(), "/token") {
		t.Errorf("a closed port: %v", e)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	app.TokenURL, app.Timeout = "https://"+silent.Addr().String(), 50*time.Millisecond
	_, err = app.Refresh(t.Context(), "r")
	var timeout net.Error
	if e := failure(t, err); !(errors.As(e, &timeout) && timeout.Timeout()) && !errors.Is(e, context.DeadlineExceeded) || !e.Temporary {
		t.Errorf("a silent port: %v", e)
	}
	for _, address := range []string{"http://sign-in.example/token", "", "no address"} {
		app.TokenURL = address
		_, err := app.Refresh(t.Context(), "r")
		var e *mail.Error
		if !errors.As(err, &e) || e.Temporary || !strings.Contains(e.Error(), "address of the sign-in server") && !strings.Contains(e.Error(), "no address") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A configured proxy is used, also for the sign-in server.
func TestOAuthProxy(t *testing.T) {
	s, app, _ := provider(t, loopback.OAuthOptions{TLS: true})
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1)
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	})}
	go server.Serve(proxy)
	defer server.Close()
	app.Proxy = "http://user:proxy-secret@" + proxy.Addr().String()
	_, err = app.Refresh(t.Context(), "r")
	if e := failure(t, err); strings.Contains(e.Error(), "proxy-secret") {
		t.Error(e)
	}
	select {
	case got := <-asked:
		if want := "CONNECT " + strings.TrimPrefix(s.URL, "https://"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	default:
		t.Error("the proxy was not asked")
	}
	app.Proxy = "::"
	if _, err := app.Refresh(t.Context(), "r"); failure(t, err).Temporary {
		t.Error(err)
	}
}

// However they are printed, app and tokens show no secret.
func TestOAuthSecretsAreNotPrinted(t *testing.T) {
	app := connect.OAuthApp{ClientID: "id", ClientSecret: "hidden-1", ServiceAccountKey: []byte("hidden-2"), TokenURL: "https://x.example/t", Proxy: "http://u:hidden-3@p:1"}
	tokens := connect.OAuthTokens{Access: "hidden-4", Refresh: "hidden-5"}
	var b strings.Builder
	log := slog.New(slog.NewJSONHandler(&b, nil))
	log.Info("x", "app", app, "tokens", tokens)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&b, verb+verb, app, tokens)
		fmt.Fprintf(&b, verb+verb, &app, &tokens)
	}
	if strings.Contains(b.String(), "hidden") || strings.Contains(b.String(), "68696464656e") {
		t.Error(b.String())
	}
}
