package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// maxCertificates bounds a file of certificates, in bytes. The largest bundle
// in common use, Mozilla's, has 220 kB.
const maxCertificates = 8 << 20

// Roots is the pool of certificates to trust for a server: those of the
// [[trust]] and [[key]] tables that names lists; without names those of all of
// them and the system's. It is nil, which means the system's, when there are
// no names and no files. Files are read anew each time.
func (c *Config) Roots(names []string) (*x509.CertPool, error) {
	files := len(c.Keys)
	for _, t := range c.Trust {
		if t.File != "" {
			files++
		}
	}
	if len(names) == 0 && files == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if len(names) == 0 {
		system, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("reading the system's certificates: %w", err)
		}
		pool = system
	}
	for _, t := range c.Trust {
		if t.File == "" || len(names) > 0 && !slices.Contains(names, t.Name) {
			continue
		}
		certs, err := readCertificates(t.File)
		if err != nil {
			return nil, fmt.Errorf("reading the certificates of [[trust]] %q: %w", t.Name, err)
		}
		for _, cert := range certs {
			pool.AddCert(cert)
		}
	}
	for i := range c.Keys {
		k := &c.Keys[i]
		if len(names) > 0 && !slices.Contains(names, k.Name) {
			continue
		}
		held, err := k.read()
		if err != nil {
			return nil, fmt.Errorf("reading the certificates of [[key]] %q: %w", k.Name, err)
		}
		for _, cert := range held.certs {
			pool.AddCert(cert)
		}
	}
	return pool, nil
}

// Pins are the fingerprints of the [[trust]] tables that names lists, without
// names of all of them, each "sha256:" and 64 small hex digits.
func (c *Config) Pins(names []string) []string {
	var pins []string
	for _, t := range c.Trust {
		if t.Fingerprint != "" && (len(names) == 0 || slices.Contains(names, t.Name)) {
			pins = append(pins, t.Fingerprint)
		}
	}
	return pins
}

// ClientKeys are the certificates, each with its private key, that the [[key]]
// of that name has for us to present; nil for the name "". The file is read
// anew each time. The error wraps a *Fault.
func (c *Config) ClientKeys(name string) ([]tls.Certificate, error) {
	if name == "" {
		return nil, nil
	}
	for i := range c.Keys {
		k := &c.Keys[i]
		if k.Name != name {
			continue
		}
		held, err := k.read()
		if err == nil && len(held.pairs) == 0 {
			err = &Fault{Key: "file", Value: k.File, Code: "key-none"}
		}
		if err != nil {
			return nil, fmt.Errorf("reading the [[key]] %q: %w", name, err)
		}
		return held.pairs, nil
	}
	return nil, &Fault{Key: "client_key", Value: name, Code: "client-key-unknown"}
}

// fingerprint reads a SHA-256 fingerprint as programs print it (with colons or
// spaces, upper or lower case, with openssl's "SHA256 Fingerprint=" or without
// any prefix) and writes it as connect.Settings.Pins has it.
func fingerprint(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	if prefix := regexp.MustCompile(`^sha-?256( fingerprint)?\s*[:=]`).FindString(s); prefix != "" {
		s = s[len(prefix):]
	}
	s = strings.NewReplacer(":", "", " ", "", "-", "").Replace(s)
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(s) {
		return "", false
	}
	return "sha256:" + s, true
}

// sha1Fingerprint says that s is one of the older, shorter kind.
func sha1Fingerprint(s string) bool {
	return regexp.MustCompile(`(?i)^(sha-?1( fingerprint)?\s*[:=])?\s*([0-9a-f]{2}[: -]?){20}$`).MatchString(strings.TrimSpace(s))
}

// readCertificates reads all certificates of a PEM file, or the one of a DER file.
func readCertificates(path string) ([]*x509.Certificate, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	if cert, err := x509.ParseCertificate(b); err == nil {
		return []*x509.Certificate{cert}, nil
	}
	var certs []*x509.Certificate
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxCertificates {
		return nil, fmt.Errorf("it is larger than %d MB", maxCertificates>>20)
	}
	return os.ReadFile(path)
}
