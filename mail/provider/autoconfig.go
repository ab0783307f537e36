package provider

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAutoconfig bounds the answer, in bytes. Real ones have 1 to 5 kB.
const maxAutoconfig = 64 << 10

var errRedirect = errors.New("sent on to a place without encryption, or too often")

// clientConfig is the file that Thunderbird reads
// (https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat).
type clientConfig struct {
	Incoming []autoServer `xml:"emailProvider>incomingServer"`
	Outgoing []autoServer `xml:"emailProvider>outgoingServer"`
}

type autoServer struct {
	Type       string `xml:"type,attr"`
	Hostname   string `xml:"hostname"`
	Port       int    `xml:"port"`
	SocketType string `xml:"socketType"`
	Username   string `xml:"username"`
}

// autoconfig asks the two places at which a domain can tell its own servers.
func (s *search) autoconfig(ctx context.Context) []Candidate {
	query := "?" + url.Values{"emailaddress": {s.address}}.Encode()
	for _, place := range []string{
		"https://autoconfig." + s.domain + "/mail/config-v1.1.xml" + query,
		"https://" + s.domain + "/.well-known/autoconfig/mail/config-v1.1.xml",
	} {
		config, err := s.read(ctx, place)
		if err != nil {
			continue // most domains have none; what there is comes from elsewhere
		}
		if found := s.known(s.candidate(config)); len(found) > 0 {
			return found
		}
	}
	return nil
}

// read fetches one file, over https only, wherever it is sent on to.
func (s *search) read(ctx context.Context, place string) (*clientConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", place, err)
	}
	client := *s.HTTP
	client.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		if next.URL.Scheme != "https" || len(before) > 3 {
			return errRedirect
		}
		next.Header.Del("Referer") // it has the address in it, and this may be somebody else's server
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", place, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: %s", place, response.Status)
	}
	var config clientConfig
	if err := xml.NewDecoder(io.LimitReader(response.Body, maxAutoconfig)).Decode(&config); err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", place, err)
	}
	return &config, nil
}

// candidate takes the first server of each kind that is encrypted.
func (s *search) candidate(config *clientConfig) Candidate {
	c := Candidate{Source: SourceAutoconfig}
	for _, server := range config.Incoming {
		e, ok := s.endpoint(server)
		switch {
		case !ok:
		case server.Type == "imap" && c.IMAP.Host == "":
			c.IMAP = e
			c.Username = s.expand(server.Username)
		case server.Type == "pop3" && c.POP3.Host == "":
			c.POP3 = e
			if c.Username == "" {
				c.Username = s.expand(server.Username)
			}
		}
	}
	for _, server := range config.Outgoing {
		if e, ok := s.endpoint(server); ok && server.Type == "smtp" && c.SMTP.Host == "" {
			c.SMTP, c.UsernameSMTP = e, s.expand(server.Username)
		}
	}
	return c
}

func (s *search) endpoint(server autoServer) (Endpoint, bool) {
	e := Endpoint{Host: tidy(s.expand(server.Hostname)), Port: server.Port}
	switch strings.TrimSpace(server.SocketType) {
	case "SSL":
		e.Security = TLS
	case "STARTTLS":
		e.Security = StartTLS
	default: // "plain": a password is not sent over it
		return e, false
	}
	return e, validHost(e.Host) && e.Port > 0 && e.Port < 1<<16
}

// expand fills in the placeholders of the format.
func (s *search) expand(text string) string {
	local := s.address[:strings.LastIndexByte(s.address, '@')]
	return strings.NewReplacer("%EMAILADDRESS%", s.address, "%EMAILLOCALPART%", local, "%EMAILDOMAIN%", s.domain).Replace(strings.TrimSpace(text))
}
