package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"helpdesk/mail/connect"
)

// byBrowser opens a browser on this computer and waits for the provider's
// answer on a port of it (RFC 8252 section 7.3).
func (a *authorizing) byBrowser(ctx context.Context) (connect.OAuthTokens, error) {
	listeners, port, err := listenLoopback()
	if err != nil {
		return connect.OAuthTokens{}, err
	}
	begun, err := a.account.App.Consent(a.account.Redirect("http://127.0.0.1:"+port), a.account.User)
	if err != nil {
		for _, l := range listeners {
			_ = l.Close() // the error of the consent says more
		}
		return connect.OAuthTokens{}, err
	}
	answers := make(chan url.Values, 1)
	server := &http.Server{Handler: a.receiver(begun.State, answers), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- server.Serve(l) }()
	}
	a.say("1. " + a.words.Text("authorize.device.open") + "\n   " + begun.Link)
	a.say("2. " + a.words.Text("authorize.device.user", "user", a.account.User))
	a.say(a.words.Text("authorize.cli.waiting"))
	a.browse(begun.Link)
	var answer url.Values
	select {
	case answer = <-answers:
	case <-ctx.Done():
		err = ctx.Err()
	}
	// The browser is still being answered.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if server.Shutdown(bounded) != nil {
		server.Close()
	}
	for range listeners {
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) && err == nil && answer == nil {
			err = fmt.Errorf("waiting for the browser: %w", e)
		}
	}
	if err != nil {
		return connect.OAuthTokens{}, err
	}
	return a.account.App.Exchange(ctx, begun, answer)
}

// listenLoopback listens on a free port, by IPv4 and, where there is IPv6, by
// that too: "localhost" may mean either.
func listenLoopback() ([]net.Listener, string, error) {
	four, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("listening for the browser: %w", err)
	}
	port := strconv.Itoa(four.Addr().(*net.TCPAddr).Port)
	listeners := []net.Listener{four}
	if six, err := net.Listen("tcp6", "[::1]:"+port); err == nil {
		listeners = append(listeners, six)
	}
	return listeners, port, nil
}

// receiver takes the first answer to the sign-in of state. Anything else that
// visits the port is sent away, and the sign-in goes on.
func (a *authorizing) receiver(state string, answers chan<- url.Values) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Connection", "close")
		if r.Method != http.MethodGet || q.Get("state") != state || !q.Has("code") && !q.Has("error") {
			http.Error(w, a.words.Text("authorize.gone"), http.StatusBadRequest)
			return
		}
		select {
		case answers <- q:
		default: // it has come already
		}
		if _, err := fmt.Fprintln(w, a.words.Text("authorize.cli.close")); err != nil {
			return // nobody looks
		}
	})
}

// openBrowser opens the desktop's browser where it can. That it cannot is no
// error: the link stands on the terminal.
func openBrowser(link string) {
	name, args := "xdg-open", []string{link}
	switch runtime.GOOS {
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", link}
	case "darwin":
		name = "open"
	}
	cmd := exec.Command(name, args...)
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }() // only to forget the process
	}
}
