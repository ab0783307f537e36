package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// trusts checks [[trust]]: each is a file or a fingerprint.
func (v *validator) trusts() {
	for i, t := range v.c.Trust {
		key := fmt.Sprintf("trust[%d]", i+1)
		v.storeName(key, t.Name)
		switch {
		case t.File != "" && t.Fingerprint != "":
			v.fault(key+".fingerprint", t.Fingerprint, "trust-both")
		case t.Fingerprint != "":
			if _, ok := fingerprint(t.Fingerprint); !ok && sha1Fingerprint(t.Fingerprint) {
				v.fault(key+".fingerprint", t.Fingerprint, "fingerprint-sha1")
			} else if !ok {
				v.fault(key+".fingerprint", t.Fingerprint, "bad-fingerprint")
			}
		case t.File == "":
			v.fault(key+".file", "", "trust-neither")
		default:
			v.trustFile(key, t.File)
		}
	}
}

func (v *validator) trustFile(key, file string) {
	certs, err := readCertificates(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.fault(key+".file", file, "file-missing")
	case err != nil:
		v.fault(key+".file", file, "trust-file", "why", reason(err))
	case len(certs) == 0:
		v.fault(key+".file", file, "trust-empty")
	}
}

// keys checks [[key]]: each must open with its password.
func (v *validator) keys() {
	for i := range v.c.Keys {
		k := &v.c.Keys[i]
		key := fmt.Sprintf("key[%d]", i+1)
		v.storeName(key, k.Name)
		if !v.required(key+".file", k.File) {
			continue
		}
		if _, err := k.read(); err != nil {
			v.nested(key, err)
		}
	}
}

// storeName checks the name of a [[trust]] or [[key]]; trust = […] names both.
func (v *validator) storeName(key, name string) {
	if !v.required(key+".name", name) {
		return
	}
	if v.stores[name] {
		v.fault(key+".name", name, "name-taken")
	}
	v.stores[name] = true
}

// When something that ends is worth a warning.
const (
	certificateNotice = 30 * 24 * time.Hour
	secretNotice      = 30 * 24 * time.Hour
)

// aBundle is how many certificates make a file one of authorities in general;
// there always is an expired one among them, and nobody's mail depends on it.
const aBundle = 10

// Forecast returns the warnings about certificates in [[key]] and [[trust]]
// that have expired at now or will within 30 days. Files are read anew; one
// that cannot be read is a fault elsewhere. Load's faults include these
// warnings; a program that runs for months asks again.
func (c *Config) Forecast(now time.Time) []Fault {
	v := &validator{c: c}
	for i := range c.Keys {
		h, err := c.Keys[i].read()
		if err != nil {
			continue
		}
		var own []*x509.Certificate
		for _, pair := range h.pairs {
			own = append(own, pair.Leaf)
		}
		v.expiry(fmt.Sprintf("key[%d].file", i+1), c.Keys[i].File, "key", own, now)
	}
	for i, t := range c.Trust {
		if t.File == "" {
			continue
		}
		if certs, err := readCertificates(t.File); err == nil && len(certs) < aBundle {
			v.expiry(fmt.Sprintf("trust[%d].file", i+1), t.File, "trust", certs, now)
		}
	}
	return v.faults
}

// secrets is the same for client secrets of OAuth2.
func (c *Config) secrets(now time.Time) []Fault {
	v := &validator{c: c}
	for _, s := range c.servers() {
		end, ok := s.OAuth.SecretExpiry()
		if !ok {
			continue
		}
		switch left := end.Sub(now); {
		case left <= 0:
			v.warn(s.key+".oauth.client_secret_expires", s.OAuth.ClientSecretExpires, "secret-expired")
		case left < secretNotice:
			v.warn(s.key+".oauth.client_secret_expires", s.OAuth.ClientSecretExpires, "secret-expires", "days", days(left))
		}
	}
	return v.faults
}

func (v *validator) expiry(key, file, kind string, certs []*x509.Certificate, now time.Time) {
	for _, cert := range certs {
		left, day := cert.NotAfter.Sub(now), cert.NotAfter.Format(time.DateOnly)
		switch {
		case left <= 0:
			v.warn(key, file, kind+"-expired", "subject", subject(cert), "date", day)
		case left < certificateNotice:
			v.warn(key, file, kind+"-expires", "subject", subject(cert), "date", day, "days", days(left))
		}
	}
}

// days counts whole days, begun ones included.
func days(d time.Duration) string { return fmt.Sprint(int((d + 24*time.Hour - 1) / (24 * time.Hour))) }

// subject is what people call a certificate.
func subject(cert *x509.Certificate) string {
	if cert.Subject.CommonName != "" {
		return cert.Subject.CommonName
	}
	for _, name := range append(cert.DNSNames, cert.EmailAddresses...) {
		return name
	}
	return cert.Subject.String()
}
