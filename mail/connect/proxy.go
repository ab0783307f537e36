package connect

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"helpdesk/mail"
)

// NoProxy is the Settings.Proxy of a server that is reached directly whatever
// the environment says.
const NoProxy = "none"

// proxy is the proxy to use, nil for none.
func (s Settings) proxy() (*url.URL, error) {
	switch s.Proxy {
	case NoProxy:
		return nil, nil
	case "":
		return s.environmentProxy()
	}
	u, err := url.Parse(s.Proxy)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("the address of the proxy is not of the form socks5://host:port or http://host:port") // err would show its password
	}
	return u, nil
}

// environmentProxy is the environment's proxy for this server. ALL_PROXY comes
// first: it is the one that is meant for protocols other than HTTP.
func (s Settings) environmentProxy() (*url.URL, error) {
	env := func(names ...string) string {
		for _, name := range names {
			if value := os.Getenv(name); value != "" {
				return value
			}
		}
		return ""
	}
	choose := (&httpproxy.Config{
		HTTPSProxy: env("ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"),
		NoProxy:    env("NO_PROXY", "no_proxy"),
	}).ProxyFunc()
	u, err := choose(&url.URL{Scheme: "https", Host: s.Server()})
	if err != nil {
		return nil, errors.New("the proxy in the environment variable ALL_PROXY or HTTPS_PROXY is not an address") // err would show its password
	}
	return u, nil
}

// reachThrough sets c.raw to a connection through the proxy: the stage proxy.
// The name of the server is resolved by the proxy.
func (c *Conn) reachThrough(ctx context.Context, proxy *url.URL, err error) error {
	c.Begin(mail.StepProxy)
	permanent := err != nil
	fact := Fact{Name: "proxy"}
	if err == nil {
		if password, ok := proxy.User.Password(); ok {
			c.Secret(password)
			c.Secret(proxy.User.Username() + ":" + password)
		}
		fact.Value = proxy.Scheme + "://" + proxyAddress(proxy)
		c.raw, err = c.settings.dialProxy(ctx, proxy)
	}
	if err != nil {
		e := c.settings.Error(mail.StepProxy, err)
		e.Text = c.Scrub(e.Text)
		if permanent || errors.Is(err, errScheme) {
			e.Temporary = false
		}
		c.End(e, fact)
		return e
	}
	c.inner, c.proxied = c.raw, true
	c.End(nil, fact)
	return nil
}

// proxyAddress is "host:port" with the port that the scheme stands for.
func proxyAddress(proxy *url.URL) string {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	}
	if port == "" {
		port = "1080"
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}

var errScheme = errors.New("only proxies of the kinds socks5, http and https are known")

// dialProxy connects to the proxy and has it connect to the server.
func (s Settings) dialProxy(ctx context.Context, proxy *url.URL) (net.Conn, error) {
	var ask func(net.Conn, *url.URL) error
	switch proxy.Scheme {
	case "socks5", "socks5h":
		ask = s.askSOCKS
	case "http", "https":
		ask = s.askHTTP
	default:
		return nil, errScheme
	}
	host, portText, err := net.SplitHostPort(proxyAddress(proxy))
	if err != nil {
		return nil, fmt.Errorf("reading the address of the proxy: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("reading the port of the proxy: %w", err)
	}
	addrs, err := s.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("looking up the proxy: %w", err)
	}
	raw, err := s.dial(ctx, addrs, port)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.DialTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	conn := raw
	if proxy.Scheme == "https" {
		conn = tls.Client(raw, &tls.Config{ServerName: host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12})
	}
	if err = ask(conn, proxy); !stop() && err == nil {
		err = ctx.Err() // it ended while the answer came
	}
	if err != nil {
		_ = raw.Close() // the first error says more
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	return conn, nil
}

// maxProxyHeader bounds what an HTTP proxy says before the connection, and
// maxProxyPage what is read of its page when it refuses, in bytes.
const (
	maxProxyHeader = 16 << 10
	maxProxyPage   = 16 << 10
)

// askHTTP is CONNECT (RFC 9110 section 9.3.6) with the scheme Basic.
func (s Settings) askHTTP(conn net.Conn, proxy *url.URL) error {
	request := "CONNECT " + s.Server() + " HTTP/1.1\r\nHost: " + s.Server() + "\r\n"
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		request += "Proxy-Authorization: Basic " + encode(proxy.User.Username()+":"+password) + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return err
	}
	// Byte by byte: what follows the header is the server's.
	var header []byte
	for one := make([]byte, 1); !bytes.HasSuffix(header, []byte("\r\n\r\n")) && !bytes.HasSuffix(header, []byte("\n\n")); {
		if _, err := io.ReadFull(conn, one); err != nil {
			return fmt.Errorf("reading the proxy's answer: %w", err)
		}
		if header = append(header, one...); len(header) > maxProxyHeader {
			return &mail.ProxyError{Proxy: proxyAddress(proxy), Text: "its answer does not end"}
		}
		if len(header) == 5 && string(header) != "HTTP/" {
			return &mail.ProxyError{Proxy: proxyAddress(proxy), Text: "its answer is not HTTP"}
		}
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(header), conn)), nil)
	if err != nil {
		return &mail.ProxyError{Proxy: proxyAddress(proxy), Text: "its answer is not HTTP"}
	}
	defer answer.Body.Close()
	// The answer to CONNECT has no page when it is yes; a portal that wants a
	// click first sends one.
	if answer.StatusCode/100 == 2 && answer.ContentLength <= 0 && !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		return nil
	}
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second)) // the page is only for its words
	page, _ := io.ReadAll(io.LimitReader(answer.Body, maxProxyPage))
	words := strings.TrimSpace(answer.Status + " " + pageText(page))
	if to := answer.Header.Get("Location"); to != "" {
		words += " " + to
	}
	return &mail.ProxyError{Proxy: proxyAddress(proxy), Status: answer.StatusCode, Text: printable(words)}
}

var (
	unread = regexp.MustCompile(`(?is)<(script|style|head)\b.*?</(script|style|head)>|<!--.*?-->`)
	markup = regexp.MustCompile(`(?s)<[^>]*>`)
)

// pageText is what a person would read of a page of HTML, its title if there
// is nothing else.
func pageText(page []byte) string {
	text := string(page)
	body := markup.ReplaceAllString(unread.ReplaceAllString(text, " "), " ")
	if strings.TrimSpace(body) == "" {
		body = markup.ReplaceAllString(text, " ")
	}
	return strings.Join(strings.Fields(html.UnescapeString(body)), " ")
}

// proxyStays reports whether the refusal will be the same next time.
func proxyStays(e *mail.ProxyError) bool {
	switch {
	case e.Status != 0:
		return e.Status < 500 && e.Status != http.StatusTooManyRequests
	default:
		return e.Reply == mail.SOCKSLogin || e.Reply == mail.SOCKSMethod || e.Reply == 2 // not allowed by ruleset
	}
}
