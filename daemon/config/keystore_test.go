package config

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// office is a small authority with a client certificate below it, and a
// certificate of its own that nobody signed.
type office struct {
	key, other    crypto.Signer
	leaf, ca      *x509.Certificate
	expired, soon *x509.Certificate // for key
}

// newOffice is made once: keys of RSA take long.
var newOffice = sync.OnceValues(func() (office, error) {
	var o office
	var err error
	if o.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return o, err
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return o, err
	}
	if o.other, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return o, err
	}
	now := time.Now()
	issue := func(name string, public crypto.PublicKey, end time.Time, parent *x509.Certificate) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-1000 * time.Hour), NotAfter: end,
			IsCA: parent == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		}
		if parent == nil {
			parent = template
		}
		der, e := x509.CreateCertificate(rand.Reader, template, parent, public, caKey)
		if e != nil {
			err = e
			return nil
		}
		c, e := x509.ParseCertificate(der)
		err = errors.Join(err, e)
		return c
	}
	year := now.Add(365 * 24 * time.Hour)
	o.ca = issue("Office CA", caKey.Public(), year, nil)
	o.leaf = issue("helpdesk", o.key.Public(), year, o.ca)
	o.expired = issue("old", o.key.Public(), time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), o.ca)
	o.soon = issue("soon", o.key.Public(), now.Add(10*24*time.Hour-time.Minute), o.ca)
	return o, err
})

func theOffice(t *testing.T) office {
	t.Helper()
	o, err := newOffice()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// keyFiles are key stores of every kind, sound and not, by file name; those
// with a password have "changeit".
func keyFiles(t *testing.T) map[string]string {
	t.Helper()
	madeKeyFiles.Do(func() { madeKeyFiles.all = makeKeyFiles(t) })
	return madeKeyFiles.all
}

var madeKeyFiles struct {
	sync.Once
	all map[string]string
}

func makeKeyFiles(t *testing.T) map[string]string {
	t.Helper()
	o := theOffice(t)
	must := func(b []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(o.key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	cert := func(c *x509.Certificate) string { return block("CERTIFICATE", c.Raw) }
	//lint:ignore SA1019 old keys are locked so
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(o.key.(*rsa.PrivateKey)), []byte("changeit"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	ca := []*x509.Certificate{o.ca}
	return map[string]string{
		"right": "changeit\n", "wrong": "hunter2\n", "accents": "chângeit\n",

		"good.p12":    must(pkcs12.Modern.Encode(o.key, o.leaf, ca, "changeit")),
		"legacy.pfx":  must(pkcs12.LegacyRC2.Encode(o.key, o.leaf, ca, "changeit")),
		"des.p12":     must(pkcs12.LegacyDES.Encode(o.key, o.leaf, ca, "changeit")),
		"open.p12":    must(pkcs12.Passwordless.Encode(o.key, o.leaf, ca, "")),
		"swapped.p12": must(pkcs12.Modern.Encode(o.key, o.ca, []*x509.Certificate{o.leaf}, "changeit")), // Windows puts the chain first
		"trust.p12":   must(pkcs12.Modern.EncodeTrustStore(ca, "changeit")),
		"misfit.p12":  must(pkcs12.Modern.Encode(o.other, o.leaf, ca, "changeit")),
		"old.p12":     must(pkcs12.Modern.Encode(o.key, o.expired, nil, "changeit")),
		"soon.p12":    must(pkcs12.Modern.Encode(o.key, o.soon, nil, "changeit")),
		"only.p12":    strings.Replace(must(pkcs12.Passwordless.EncodeTrustStore(ca, "")), "\xad\xca\x7b\x01\x01", "\xad\xca\x7b\x01\x02", 1), // without Java's mark
		"two.p12":     twoKeys(t, must(pkcs12.Passwordless.Encode(o.key, o.leaf, ca, ""))),
		"cut.p12":     must(pkcs12.Modern.Encode(o.key, o.leaf, ca, "changeit"))[:500],

		"good.jks":     jks(t, "changeit", "changeit", pkcs8, o.leaf, o.ca),
		"accents.jks":  jks(t, "ch\xe2ngeit", "ch\xe2ngeit", pkcs8, o.leaf, o.ca), // the library wants Latin-1
		"otherkey.jks": jks(t, "changeit", "another", pkcs8, o.leaf, o.ca),
		"trust.jks":    jks(t, "changeit", "", nil, o.ca),
		"cut.jks":      jks(t, "changeit", "changeit", pkcs8, o.leaf)[:700],
		"huge.jks":     "\xfe\xed\xfe\xed\x00\x00\x00\x02\x7f\xff\xff\xff\x00\x00\x00\x01\x00\x01a12345678\xff\xff\xff\xff",
		"old.jceks":    "\xce\xce\xce\xce\x00\x00\x00\x02",

		"good.pem":   cert(o.ca) + block("PRIVATE KEY", pkcs8) + "some words\n" + cert(o.leaf),
		"pkcs1.pem":  block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(o.key.(*rsa.PrivateKey))) + cert(o.leaf) + cert(o.ca),
		"legacy.pem": string(pem.EncodeToMemory(legacy)) + cert(o.leaf),
		"locked.pem": cert(o.leaf) + block("ENCRYPTED PRIVATE KEY", lockedKey(t, pkcs8, "changeit", "2.16.840.1.101.3.4.1.42")),
		"exotic.pem": cert(o.leaf) + block("ENCRYPTED PRIVATE KEY", lockedKey(t, pkcs8, "changeit", "1.2.3.4")),
		"misfit.pem": block("PRIVATE KEY", pkcs8) + cert(o.ca),
		"ca.pem":     cert(o.ca),
		"old.pem":    cert(o.expired),
		"ca.der":     string(o.ca.Raw),
		"words":      "This is not a key store.\n",
	}
}

// jks writes a Java key store: the key with its chain, or with no key each
// certificate as trusted.
func jks(t *testing.T, password, keyPassword string, key []byte, certs ...*x509.Certificate) string {
	t.Helper()
	store := keystore.New()
	var chain []keystore.Certificate
	for _, c := range certs {
		chain = append(chain, keystore.Certificate{Type: "X.509", Content: c.Raw})
	}
	var err error
	if key != nil {
		err = store.SetPrivateKeyEntry("office", keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: key, CertificateChain: chain}, []byte(keyPassword))
	} else {
		err = store.SetTrustedCertificateEntry("office", keystore.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: chain[0]})
	}
	var b bytes.Buffer
	if err = errors.Join(err, store.Store(&b, []byte(password))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// twoKeys makes of a PKCS#12 file one that has its private key twice.
func twoKeys(t *testing.T, pfx string) string {
	t.Helper()
	type content struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue // [0], explicit
	}
	var file struct {
		Version int
		Safe    content
	}
	var inner []byte
	var parts []content
	read := func(b []byte, into any) {
		if _, err := asn1.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	written := func(v any) []byte {
		b, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	read([]byte(pfx), &file)
	read(file.Safe.Value.Bytes, &inner)
	read(inner, &parts)
	key := parts[len(parts)-1]
	file.Safe.Value = asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: written(written([]content{key, key}))}
	return string(written(file))
}

// lockedKey writes a PKCS#8 key as "openssl pkcs8 -topk8" does: PBES2 with
// PBKDF2, HMAC-SHA-256 and AES-256.
func lockedKey(t *testing.T, der []byte, password, cipherID string) []byte {
	t.Helper()
	salt, iv := []byte("12345678"), []byte("1234567890123456")
	secret, err := pbkdf2.Key(sha256.New, password, salt, 2048, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	pad := 16 - len(der)%16
	data := append(slices.Clone(der), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)

	marshal := func(v any) asn1.RawValue {
		b, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return asn1.RawValue{FullBytes: b}
	}
	algorithm := func(id string, parameters any) pkix.AlgorithmIdentifier {
		oid, err := x509.ParseOID(id)
		if err != nil {
			t.Fatal(err)
		}
		var old asn1.ObjectIdentifier
		raw, err := oid.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := asn1.Unmarshal(append([]byte{6, byte(len(raw))}, raw...), &old); err != nil {
			t.Fatal(err)
		}
		return pkix.AlgorithmIdentifier{Algorithm: old, Parameters: marshal(parameters)}
	}
	return marshal(encryptedKey{
		Algorithm: algorithm("1.2.840.113549.1.5.13", pbes2{
			Derivation: algorithm("1.2.840.113549.1.5.12", pbkdf2Parameters{Salt: salt, Iterations: 2048, PRF: algorithm("1.2.840.113549.2.9", asn1.NullRawValue)}),
			Cipher:     algorithm(cipherID, iv),
		}),
		Data: data,
	}).FullBytes
}

// Each kind of key store gives the certificate with its chain, whatever the
// file is called, and a wrong one says what is wrong.
func TestKeyStores(t *testing.T) {
	dir := folder(t)
	o := theOffice(t)
	for _, test := range []struct {
		file, password string
		pairs, certs   int
		chain          int
		code           string
	}{
		{"good.p12", "right", 1, 2, 2, ""},
		{"legacy.pfx", "right", 1, 2, 2, ""},
		{"des.p12", "right", 1, 2, 2, ""},
		{"open.p12", "", 1, 2, 2, ""},
		{"open.p12", "right", 1, 2, 2, ""},
		{"swapped.p12", "right", 1, 2, 2, ""},
		{"trust.p12", "right", 0, 1, 0, ""},
		{"good.p12", "wrong", 0, 0, 0, "key-password"},
		{"good.p12", "", 0, 0, 0, "key-locked"},
		{"legacy.pfx", "wrong", 0, 0, 0, "key-password"},
		{"misfit.p12", "right", 0, 0, 0, "key-mismatch"},
		{"only.p12", "", 0, 0, 0, "key-only-certificates"},
		{"two.p12", "", 0, 0, 0, "key-several"},
		{"cut.p12", "right", 0, 0, 0, "key-unreadable"},

		{"good.jks", "right", 1, 2, 2, ""},
		{"accents.jks", "accents", 1, 2, 2, ""},
		{"trust.jks", "right", 0, 1, 0, ""},
		{"good.jks", "wrong", 0, 0, 0, "key-password"},
		{"good.jks", "", 0, 0, 0, "key-locked"},
		{"otherkey.jks", "right", 0, 0, 0, "key-password"},
		{"cut.jks", "right", 0, 0, 0, "key-damaged"},
		{"huge.jks", "right", 0, 0, 0, "key-damaged"},
		{"old.jceks", "right", 0, 0, 0, "key-jceks"},

		{"good.pem", "", 1, 2, 2, ""},
		{"good.pem", "wrong", 1, 2, 2, ""}, // not locked, so no password is asked for
		{"pkcs1.pem", "", 1, 2, 2, ""},
		{"legacy.pem", "right", 1, 1, 1, ""},
		{"legacy.pem", "wrong", 0, 0, 0, "key-password"},
		{"locked.pem", "right", 1, 1, 1, ""},
		{"locked.pem", "wrong", 0, 0, 0, "key-password"},
		{"locked.pem", "", 0, 0, 0, "key-locked"},
		{"exotic.pem", "right", 0, 0, 0, "key-cipher"},
		{"misfit.pem", "", 0, 0, 0, "key-mismatch"},
		{"ca.pem", "", 0, 1, 0, ""},
		{"ca.der", "", 0, 1, 0, ""},
		{"words", "", 0, 0, 0, "key-format"},
		{"empty", "", 0, 0, 0, "key-format"},
		{"nothere", "", 0, 0, 0, "file-missing"},
		{"good.p12", "nothere", 0, 0, 0, "file-missing"},
		{".", "", 0, 0, 0, "key-file"},
	} {
		t.Run(test.file+" "+test.password, func(t *testing.T) {
			k := Key{Name: "office", File: filepath.Join(dir, test.file)}
			if test.password != "" {
				k.PasswordFile = filepath.Join(dir, test.password)
			}
			h, err := k.read()
			var f *Fault
			if errors.As(err, &f) != (test.code != "") || f != nil && (f.Code != test.code || strings.Contains(f.Text(English)+f.Text(Japanese), "changeit")) {
				t.Fatalf("%v, want %s", err, test.code)
			}
			if len(h.pairs) != test.pairs || len(h.certs) != test.certs {
				t.Fatalf("%d keys and %d certificates, want %d and %d", len(h.pairs), len(h.certs), test.pairs, test.certs)
			}
			for _, p := range h.pairs {
				if !p.Leaf.Equal(o.leaf) || !bytes.Equal(p.Certificate[0], o.leaf.Raw) || len(p.Certificate) != test.chain {
					t.Errorf("%s with a chain of %d, want helpdesk and %d", p.Leaf.Subject, len(p.Certificate), test.chain)
				}
				presented(t, p, o.ca)
			}
		})
	}
}

// presented proves in a handshake that p can be shown to a server that trusts ca.
func presented(t *testing.T, p tls.Certificate, ca *x509.Certificate) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	if _, err := p.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Error(err)
	}
	digest := sha256.Sum256([]byte("x"))
	signature, err := p.PrivateKey.(crypto.Signer).Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil || rsa.VerifyPKCS1v15(p.Leaf.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature) != nil {
		t.Error("the key does not sign for its certificate", err)
	}
}

// A damaged key store is a fault and never a panic, wherever it is cut off.
func TestDamagedKeyStores(t *testing.T) {
	files := keyFiles(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "right"), "changeit\n", 0o600)
	k := Key{File: filepath.Join(dir, "store"), PasswordFile: filepath.Join(dir, "right")}
	for _, name := range []string{"good.jks", "trust.p12", "locked.pem"} {
		for cut := 1; cut < len(files[name]); cut += 97 {
			write(t, k.File, files[name][:cut], 0o600)
			if h, err := k.read(); err == nil && len(h.pairs) > 0 {
				t.Errorf("%s cut off at %d opens", name, cut)
			}
			damaged := []byte(files[name])
			damaged[cut] ^= 0xff
			write(t, k.File, string(damaged), 0o600)
			if _, err := k.read(); err != nil && asFault(err).Code == "" {
				t.Errorf("%s damaged at %d: %v", name, cut, err)
			}
		}
	}
}

// A wrong password decrypts to anything, also to a padding longer than the key.
func TestPaddingOfAWrongPassword(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, pad := range []byte{0, 17, 200, 255} {
		plain := bytes.Repeat([]byte{pad}, 16)
		data := make([]byte, 16)
		cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(data, plain)
		if _, err := openCBC(block, make([]byte, 16), data); !errors.Is(err, errPassword) {
			t.Errorf("padding %d: %v", pad, err)
		}
	}
}

func TestClientKeys(t *testing.T) {
	dir := folder(t)
	c := &Config{Keys: []Key{
		{Name: "office", File: filepath.Join(dir, "good.p12"), PasswordFile: filepath.Join(dir, "right")},
		{Name: "ca", File: filepath.Join(dir, "ca.pem")},
	}}
	if keys, err := c.ClientKeys(""); keys != nil || err != nil {
		t.Errorf("no name: %v %v", keys, err)
	}
	if keys, err := c.ClientKeys("office"); len(keys) != 1 || err != nil {
		t.Errorf("%v %v", keys, err)
	}
	var f *Fault
	if _, err := c.ClientKeys("ca"); !errors.As(err, &f) || f.Code != "key-none" {
		t.Errorf("without a key: %v", err)
	}
	if _, err := c.ClientKeys("nobody"); !errors.As(err, &f) || f.Code != "client-key-unknown" {
		t.Errorf("no such key: %v", err)
	}
	// A changed file counts at the next connection.
	write(t, filepath.Join(dir, "right"), "other\n", 0o600)
	if _, err := c.ClientKeys("office"); !errors.As(err, &f) || f.Code != "key-password" {
		t.Errorf("after the password changed: %v", err)
	}
}

// Certificates of key stores are trusted, by name too; a fingerprint by itself
// trusts nothing else.
func TestTrustOfKeysAndPins(t *testing.T) {
	dir := folder(t)
	o := theOffice(t)
	print := "sha256:" + strings.Repeat("ab", 32)
	c := &Config{
		Keys:  []Key{{Name: "office", File: filepath.Join(dir, "good.jks"), PasswordFile: filepath.Join(dir, "right")}},
		Trust: []Trust{{Name: "pinned", Fingerprint: print}, {Name: "pem", File: filepath.Join(dir, "office.pem")}},
	}
	want := x509.NewCertPool()
	want.AddCert(o.leaf)
	want.AddCert(o.ca)
	if pool, err := c.Roots([]string{"office"}); err != nil || !pool.Equal(want) {
		t.Errorf("the key store's: %v", err)
	}
	if pool, err := c.Roots([]string{"pinned"}); err != nil || !pool.Equal(x509.NewCertPool()) {
		t.Errorf("a fingerprint alone trusts more: %v", err)
	}
	system, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	if pool, err := c.Roots(nil); err != nil || pool.Equal(system) {
		t.Errorf("all of them: %v", err)
	}
	for _, test := range []struct {
		names []string
		want  int
	}{{nil, 1}, {[]string{"pinned"}, 1}, {[]string{"office"}, 0}} {
		if got := c.Pins(test.names); len(got) != test.want || test.want > 0 && got[0] != print {
			t.Errorf("%v: %v", test.names, got)
		}
	}
	c = &Config{Trust: c.Trust[:1]}
	if pool, err := c.Roots(nil); pool != nil || err != nil {
		t.Errorf("with nothing but a fingerprint the system's are meant: %v %v", pool, err)
	}
}

func TestFingerprint(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 4)
	colons := strings.TrimSuffix(strings.ToUpper(strings.Repeat("01:23:45:67:89:ab:cd:ef:", 4)), ":")
	for _, s := range []string{
		"sha256:" + hex, "SHA256:" + strings.ToUpper(hex), "sha256:" + colons, colons, "sha256 Fingerprint=" + colons, "SHA-256: " + colons,
		" sha256: " + strings.ReplaceAll(colons, ":", " ") + " ",
	} {
		if got, ok := fingerprint(s); got != "sha256:"+hex || !ok {
			t.Errorf("%q gives %q", s, got)
		}
	}
	for _, s := range []string{"", "sha256:", "sha256:" + hex[:62], "sha256:" + hex + "00", "sha1:" + hex, "sha256:" + hex[:63] + "g", "md5:" + hex[:32]} {
		if got, ok := fingerprint(s); ok {
			t.Errorf("%q gives %q", s, got)
		}
	}
}
