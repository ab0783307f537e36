package config

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
)

// maxCertificates bounds a file of certificates, in bytes. The largest bundle
// in common use, Mozilla's, has 220 kB.
const maxCertificates = 8 << 20

// Roots is the pool of certificates to trust for a server: those of the
// [[trust]] tables that names lists; without names those of all of them and
// the system's. It is nil, which means the system's, when there are no names
// and no [[trust]].
func (c *Config) Roots(names []string) (*x509.CertPool, error) {
	if len(names) == 0 && len(c.Trust) == 0 {
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
		if len(names) > 0 && !slices.Contains(names, t.Name) {
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
	return pool, nil
}

// readCertificates reads all certificates of a PEM file, or the one of a DER file.
func readCertificates(path string) ([]*x509.Certificate, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxCertificates {
		return nil, fmt.Errorf("it is larger than %d MB", maxCertificates>>20)
	}
	b, err := os.ReadFile(path)
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
