package config

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io/fs"
	"strings"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// held is what a key store holds.
type held struct {
	pairs []tls.Certificate   // each private key with the chain that fits it, its own certificate first
	certs []*x509.Certificate // all certificates
}

// read reads the key store. What it is, its content says: names and endings
// are often wrong. The error is a *Fault of [[key]].
func (k *Key) read() (held, error) {
	b, err := readBounded(k.File)
	if errors.Is(err, fs.ErrNotExist) {
		return held{}, &Fault{Key: "file", Value: k.File, Code: "file-missing"}
	}
	if err != nil {
		return held{}, k.fault("key-file", reason(err))
	}
	password := ""
	if k.PasswordFile != "" {
		if password, err = readPasswordFile(k.PasswordFile); err != nil {
			return held{}, err
		}
	}
	var keys []crypto.PrivateKey
	var certs []*x509.Certificate
	switch {
	case bytes.HasPrefix(b, []byte{0xfe, 0xed, 0xfe, 0xed}):
		keys, certs, err = readJKS(b, password)
	case bytes.HasPrefix(b, []byte{0xce, 0xce, 0xce, 0xce}):
		return held{}, k.fault("key-jceks", "")
	case bytes.Contains(b, []byte("-----BEGIN ")):
		keys, certs, err = readPEM(b, password)
	case len(b) > 0 && b[0] == 0x30: // a SEQUENCE of ASN.1
		keys, certs, err = readDER(b, password)
	default:
		return held{}, k.fault("key-format", "")
	}
	if err == nil && len(keys)+len(certs) == 0 {
		return held{}, k.fault("key-format", "")
	}
	if err != nil {
		return held{}, k.explain(err)
	}
	h := held{certs: certs}
	for _, key := range keys {
		pair, ok := fit(key, certs)
		if !ok {
			return held{}, k.fault("key-mismatch", "")
		}
		h.pairs = append(h.pairs, pair)
	}
	return h, nil
}

// explain makes what a reader of a format found into a fault.
func (k *Key) explain(err error) *Fault {
	switch {
	case errors.Is(err, errPassword) && k.PasswordFile == "":
		return &Fault{Key: "password_file", Value: k.File, Code: "key-locked"}
	case errors.Is(err, errPassword):
		return &Fault{Key: "password_file", Value: k.File, Code: "key-password"}
	case errors.Is(err, errOnlyCertificates):
		return k.fault("key-only-certificates", "")
	case errors.Is(err, errMismatch):
		return k.fault("key-mismatch", "")
	case errors.Is(err, errSeveral):
		return k.fault("key-several", "")
	case errors.Is(err, errCipher):
		return k.fault("key-cipher", "")
	case errors.Is(err, errDamaged):
		return k.fault("key-damaged", "")
	}
	return k.fault("key-unreadable", err.Error())
}

func (k *Key) fault(code, why string) *Fault {
	return &Fault{Key: "file", Value: k.File, Code: code, Args: map[string]string{"why": why}}
}

// What the readers of the formats find wrong, beside what they cannot read at all.
var (
	errPassword         = errors.New("the password does not open it")
	errOnlyCertificates = errors.New("there is no private key in it")
	errMismatch         = errors.New("there is no certificate for the private key")
	errSeveral          = errors.New("there are several private keys in it")
	errCipher           = errors.New("the private key is encrypted in a way that is not known here")
	errDamaged          = errors.New("the file is cut off or damaged")
)

// readDER reads PKCS#12, or a single certificate.
func readDER(b []byte, password string) ([]crypto.PrivateKey, []*x509.Certificate, error) {
	if cert, err := x509.ParseCertificate(b); err == nil {
		return nil, []*x509.Certificate{cert}, nil
	}
	key, cert, chain, err := pkcs12.DecodeChain(b, password)
	if err != nil && password != "" && strings.Contains(err.Error(), "no MAC in data") { // then it is not locked either
		key, cert, chain, err = pkcs12.DecodeChain(b, "")
	}
	switch {
	case err == nil:
		return []crypto.PrivateKey{key}, append([]*x509.Certificate{cert}, chain...), nil
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return nil, nil, errPassword
	}
	if certs, trustErr := pkcs12.DecodeTrustStore(b, password); trustErr == nil { // as Java makes it
		return nil, certs, nil
	}
	switch text := err.Error(); { // the library has no other words for these
	case strings.Contains(text, "private key missing"):
		return nil, nil, errOnlyCertificates
	case strings.Contains(text, "certificate missing"):
		return nil, nil, errMismatch
	case strings.Contains(text, "exactly one key bag"):
		return nil, nil, errSeveral
	}
	return nil, nil, err
}

// readJKS reads the key store of Java. Its keys have passwords of their own;
// here they must be the store's, as keytool makes them unless told otherwise.
func readJKS(b []byte, password string) ([]crypto.PrivateKey, []*x509.Certificate, error) {
	if !wholeJKS(b) {
		return nil, nil, errDamaged
	}
	secret, ok := latin1(password)
	if !ok {
		return nil, nil, errPassword
	}
	store := keystore.New(keystore.WithOrderedAliases(), keystore.WithCaseExactAliases())
	if store.Load(bytes.NewReader(b), secret) != nil { // whole it is, so only its digest can be wrong
		return nil, nil, errPassword
	}
	var keys []crypto.PrivateKey
	var certs []*x509.Certificate
	for _, alias := range store.Aliases() {
		var chain []keystore.Certificate
		if store.IsPrivateKeyEntry(alias) {
			entry, err := store.GetPrivateKeyEntry(alias, secret)
			if err != nil {
				return nil, nil, errPassword
			}
			key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
			if err != nil {
				return nil, nil, err
			}
			keys, chain = append(keys, key), entry.CertificateChain
		} else if entry, err := store.GetTrustedCertificateEntry(alias); err == nil {
			chain = []keystore.Certificate{entry.Certificate}
		}
		for _, c := range chain {
			cert, err := x509.ParseCertificate(c.Content)
			if err != nil {
				return nil, nil, err
			}
			certs = append(certs, cert)
		}
	}
	return keys, certs, nil
}

// latin1 is the form in which the JKS library wants a password.
func latin1(s string) ([]byte, bool) {
	var b []byte
	for _, r := range s {
		if r > 0xff {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, true
}

// wholeJKS walks through the lengths in a JKS file. The library believes them,
// and a damaged one would make it take gigabytes.
func wholeJKS(b []byte) bool {
	w := walk{rest: b}
	w.skip(4)
	version := w.number(4)
	for n := w.number(4); n > 0 && !w.broken; n-- {
		tag := w.number(4)
		w.skip(w.number(2)) // alias
		w.skip(8)           // time
		certs := uint64(1)
		if tag == 1 {
			w.skip(w.number(4)) // the locked key
			certs = w.number(4)
		}
		for ; certs > 0 && !w.broken; certs-- {
			if version == 2 {
				w.skip(w.number(2)) // "X.509"
			}
			w.skip(w.number(4))
		}
	}
	w.skip(20) // SHA-1
	return !w.broken
}

// walk goes through big-endian numbers and what they are the lengths of.
type walk struct {
	rest   []byte
	broken bool
}

func (w *walk) skip(n uint64) []byte {
	if n > uint64(len(w.rest)) {
		w.broken = true
		return nil
	}
	passed := w.rest[:n]
	w.rest = w.rest[n:]
	return passed
}

func (w *walk) number(size int) uint64 {
	var wide [8]byte
	copy(wide[8-size:], w.skip(uint64(size)))
	return binary.BigEndian.Uint64(wide[:])
}

// readPEM reads private keys and certificates in any order.
func readPEM(b []byte, password string) (keys []crypto.PrivateKey, certs []*x509.Certificate, err error) {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, err
			}
			certs = append(certs, cert)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key, err := parsePEMKey(block, password)
			if err != nil {
				return nil, nil, err
			}
			keys = append(keys, key)
		}
	}
	return keys, certs, nil
}

// fit joins key to the certificate that it belongs to and the chain above it.
func fit(key crypto.PrivateKey, certs []*x509.Certificate) (tls.Certificate, bool) {
	private, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, false
	}
	public, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return tls.Certificate{}, false
	}
	var leaf *x509.Certificate
	for _, c := range certs { // a renewed certificate can be for the same key: the later one counts
		if public.Equal(c.PublicKey) && (leaf == nil || c.NotAfter.After(leaf.NotAfter)) {
			leaf = c
		}
	}
	if leaf == nil {
		return tls.Certificate{}, false
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for last := leaf; len(pair.Certificate) <= len(certs); {
		above := issuer(last, certs)
		if above == nil {
			break
		}
		pair.Certificate = append(pair.Certificate, above.Raw)
		last = above
	}
	return pair, true
}

// issuer finds who signed c among certs; nil for one that signed itself.
func issuer(c *x509.Certificate, certs []*x509.Certificate) *x509.Certificate {
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		return nil
	}
	for _, above := range certs {
		if bytes.Equal(c.RawIssuer, above.RawSubject) && c.CheckSignatureFrom(above) == nil {
			return above
		}
	}
	return nil
}
