package provider

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestDiscoverPreset(t *testing.T) {
	w := newWorld(t)
	found := w.discover("Support <taro@yahoo.co.jp>")
	w.want(found, "preset imap.mail.yahoo.co.jp:993/tls pop.mail.yahoo.co.jp:995/tls smtp.mail.yahoo.co.jp:465/tls taro taro")
	if found[0].Provider == nil || w.asked.Load()+w.dials.Load() > 0 {
		t.Errorf("the network was asked for what is known: %d questions, %d connections", w.asked.Load(), w.dials.Load())
	}
}

func TestDiscoverMX(t *testing.T) {
	w := newWorld(t)
	w.mx = []string{"aspmx.l.google.com", "alt1.aspmx.l.google.com"}
	found := w.discover("support@example.com")
	w.want(found, "mx imap.gmail.com:993/tls pop.gmail.com:995/tls smtp.gmail.com:587/starttls support@example.com support@example.com")
	if found[0].Provider.Slug != "google-workspace" {
		t.Errorf("it is %q", found[0].Provider.Slug)
	}
	w = newWorld(t)
	w.mx = []string{"sv123.xserver.jp"}
	w.want(w.discover("support@example.com"), "mx sv123.xserver.jp:993/tls sv123.xserver.jp:995/tls sv123.xserver.jp:465/tls support@example.com support@example.com")
}

func TestDiscoverSRV(t *testing.T) {
	w := newWorld(t)
	w.srv = map[string]string{
		"_imap": "plain.example.com:143", "_imaps": "Mail.Example.com:9993", "_pop3s": ".:0", "_pop3": "pop.example.com:110",
		"_submission": "submit.example.com:587",
	}
	w.want(w.discover("Support@Example.COM"),
		"srv mail.example.com:9993/tls pop.example.com:110/starttls submit.example.com:587/starttls Support@example.com Support@example.com")
	// Of a known provider's servers the person learns what it demands.
	w = newWorld(t)
	w.srv = map[string]string{"_imaps": "imap.fastmail.com:993", "_submissions": "smtp.fastmail.com:465"}
	if found := w.discover("a@example.com"); len(found) != 1 || found[0].Provider == nil || found[0].Provider.Slug != "fastmail" {
		t.Errorf("%+v", found)
	}
}

const autoconfigFile = `<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1"><emailProvider id="example.com"><domain>example.com</domain>
<incomingServer type="imap"><hostname>plain.example.com</hostname><port>143</port><socketType>plain</socketType><username>%EMAILADDRESS%</username></incomingServer>
<incomingServer type="imap"><hostname>in.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType><username>%EMAILLOCALPART%.x</username></incomingServer>
<incomingServer type="pop3"><hostname>in.example.com</hostname><port>995</port><socketType>SSL</socketType><username>%EMAILLOCALPART%</username></incomingServer>
<outgoingServer type="smtp"><hostname>-bad-</hostname><port>587</port><socketType>STARTTLS</socketType><username>x</username></outgoingServer>
<outgoingServer type="smtp"><hostname>out.example.com</hostname><port>587</port><socketType>STARTTLS</socketType><username>%EMAILADDRESS%</username></outgoingServer>
</emailProvider></clientConfig>`

const autoconfigFound = "autoconfig in.example.com:993/tls in.example.com:995/tls out.example.com:587/starttls a.x a@example.com"

func page(text string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, text) }
}

func TestDiscoverAutoconfig(t *testing.T) {
	const first, second = "autoconfig.example.com/mail/config-v1.1.xml", "example.com/.well-known/autoconfig/mail/config-v1.1.xml"
	for name, test := range map[string]struct {
		pages map[string]http.HandlerFunc
		want  []string
	}{
		"first place": {map[string]http.HandlerFunc{first: func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("emailaddress") == "a@example.com" {
				page(autoconfigFile)(rw, r)
			}
		}}, []string{autoconfigFound}},
		"second place":        {map[string]http.HandlerFunc{second: page(autoconfigFile)}, []string{autoconfigFound}},
		"first is no XML":     {map[string]http.HandlerFunc{first: page("<html><p>parked"), second: page(autoconfigFile)}, []string{autoconfigFound}},
		"first has no server": {map[string]http.HandlerFunc{first: page("<clientConfig/>"), second: page(autoconfigFile)}, []string{autoconfigFound}},
		"sent on by https":    {map[string]http.HandlerFunc{first: http.RedirectHandler("https://"+second, http.StatusFound).ServeHTTP, second: page(autoconfigFile)}, []string{autoconfigFound}},
		"sent on without the address": {map[string]http.HandlerFunc{first: http.RedirectHandler("https://example.com/elsewhere.xml", http.StatusFound).ServeHTTP, "example.com/elsewhere.xml": func(rw http.ResponseWriter, r *http.Request) {
			if r.Referer() == "" {
				page(autoconfigFile)(rw, r)
			}
		}}, []string{autoconfigFound}},
		"sent on for ever":      {map[string]http.HandlerFunc{first: http.RedirectHandler("https://"+first, http.StatusFound).ServeHTTP}, nil},
		"too large":             {map[string]http.HandlerFunc{first: page("<clientConfig>" + strings.Repeat(" ", maxAutoconfig) + autoconfigFile[strings.Index(autoconfigFile, "<emailProvider"):])}, nil},
		"nothing but plaintext": {map[string]http.HandlerFunc{first: page(strings.NewReplacer("SSL", "plain", "STARTTLS", "plain").Replace(autoconfigFile))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.pages = test.pages
			w.want(w.discover("a@example.com"), test.want...)
		})
	}
}

// TestNoPlainHTTP: what https sends on to http is not followed there.
func TestNoPlainHTTP(t *testing.T) {
	w := newWorld(t)
	plain := httptest.NewServer(page(autoconfigFile))
	t.Cleanup(plain.Close)
	w.hosts["example.com:80"] = plain.Listener.Addr().String()
	w.pages["autoconfig.example.com/mail/config-v1.1.xml"] = http.RedirectHandler("http://example.com/config.xml", http.StatusFound).ServeHTTP
	w.want(w.discover("a@example.com"))
}

func TestDiscoverGuess(t *testing.T) {
	w := newWorld(t)
	other, _ := certificate(t, "imap.example.com") // of an authority that nobody knows
	w.mailServer("imap.example.com:993", w.tlsGreets(other, "* OK ready"))
	w.mailServer("mail.example.com:993", w.tlsGreets(w.cert, "+OK this is POP3"))
	w.mailServer("imap.example.com:143", w.startsTLS("* OK ready", "a1 OK begin"))
	w.mailServer("pop.example.com:995", w.tlsGreets(w.cert, "+OK ready"))
	w.mailServer("smtp.example.com:465", w.startsTLS("220 plain"))
	w.mailServer("mail.example.com:587", w.startsTLS("220-hello\r\n220 ready", "250-mail\r\n250-STARTTLS\r\n250 HELP", "220 go"))
	w.want(w.discover("a@example.com"),
		"guess imap.example.com:143/starttls pop.example.com:995/tls mail.example.com:587/starttls a@example.com a@example.com")
}

// TestGuessExchanger: a server of one's own is often called as the MX record says.
func TestGuessExchanger(t *testing.T) {
	w := newWorld(t)
	w.mx = []string{"mx1.example.com"}
	w.mailServer("mx1.example.com:993", w.tlsGreets(w.cert, "* OK ready"))
	w.mailServer("mx1.example.com:465", w.tlsGreets(w.cert, "220 ready"))
	w.want(w.discover("a@example.com"), "guess mx1.example.com:993/tls - mx1.example.com:465/tls a@example.com a@example.com")
}

// TestRefusalOfTLS: a server that does not want to encrypt is not proposed.
func TestRefusalOfTLS(t *testing.T) {
	w := newWorld(t)
	w.mailServer("imap.example.com:143", w.startsTLS("* OK ready", "a1 NO not here"))
	w.mailServer("smtp.example.com:587", w.startsTLS("220 ready", "250 smtp", "502 what?"))
	w.want(w.discover("a@example.com"))
}

// TestFillUp: DNS tells only the mailbox; how to send is found elsewhere.
func TestFillUp(t *testing.T) {
	w := newWorld(t)
	w.srv = map[string]string{"_imaps": "box.example.com:993"}
	w.pages["example.com/.well-known/autoconfig/mail/config-v1.1.xml"] = page(autoconfigFile)
	w.want(w.discover("a@example.com"),
		"srv box.example.com:993/tls - out.example.com:587/starttls a@example.com a@example.com", autoconfigFound)
	// With a half that was guessed the whole is no better than a guess.
	w = newWorld(t)
	w.pages["example.com/.well-known/autoconfig/mail/config-v1.1.xml"] = page(strings.ReplaceAll(autoconfigFile, `type="smtp"`, `type="other"`))
	w.mailServer("smtp.example.com:465", w.tlsGreets(w.cert, "220 ready"))
	w.want(w.discover("a@example.com")[:1],
		"guess in.example.com:993/tls in.example.com:995/tls smtp.example.com:465/tls a.x a@example.com")
}

// TestSilence: servers that say nothing cost a bounded time.
func TestSilence(t *testing.T) {
	w := newWorld(t)
	w.silent = true
	w.network.Timeout = 300 * time.Millisecond
	w.mailServer("imap.example.com:993", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	w.mailServer("imap.example.com:143", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	w.pages["autoconfig.example.com/mail/config-v1.1.xml"] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	began := time.Now()
	w.want(w.discover("a@example.com"))
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestNoAddress(t *testing.T) {
	w := newWorld(t)
	for _, address := range []string{"", "support", "support@", "@example.com", "a@localhost", "a@exa mple.com", "a@-.com", "a@1.2.3.4", "a@[1.2.3.4]", "a@b..com", "a@" + strings.Repeat("a.", 130) + "com"} {
		if found, err := Discover(t.Context(), w.network, address); err == nil {
			t.Errorf("%q: %v", address, found)
		}
	}
	if w.asked.Load()+w.dials.Load() > 0 {
		t.Error("the network was asked")
	}
	if _, domain, err := split("a@日本.jp"); err != nil || domain != "xn--wgv71a.jp" {
		t.Errorf("%q, %v", domain, err)
	}
}
