package connect

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/loopback"
)

// secured is a server that makes the handshake and says hello.
func secured(t *testing.T, config *tls.Config) Settings {
	t.Helper()
	s := server(t, func(c net.Conn) {
		encrypted := tls.Server(c, config)
		if encrypted.HandshakeContext(context.Background()) == nil {
			_, _ = io.WriteString(encrypted, "* OK hello\r\n")
		}
		untilGone(c)
	})
	s.Security = TLS
	return s
}

func authority(t *testing.T) *loopback.Authority {
	t.Helper()
	a, err := loopback.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func signed(t *testing.T, a *loopback.Authority, end time.Time, names ...string) tls.Certificate {
	t.Helper()
	c, err := a.Sign(end, names...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPins: a pinned certificate is good whatever else is said of it; a pin
// beside good roots forbids nothing; alone it forbids all others.
func TestPins(t *testing.T) {
	a := authority(t)
	soon := time.Now().Add(24 * time.Hour)
	good := signed(t, a, soon, "127.0.0.1")
	bad := signed(t, authority(t), time.Now().Add(-time.Hour), "other.test") // unknown issuer, expired, other name
	named := signed(t, a, soon, "other.test")
	wrong := "sha256:" + strings.Repeat("0", 64)
	none := x509.NewCertPool()
	for _, test := range []struct {
		name  string
		cert  tls.Certificate
		roots *x509.CertPool
		pins  []string
		ok    bool
		pin   bool // the error is that of a wrong pin
	}{
		{"pinned", bad, a.Pool, []string{wrong, Fingerprint(bad.Leaf)}, true, false},
		{"pinned, in capitals", bad, none, []string{"SHA256:" + strings.ToUpper(Fingerprint(bad.Leaf)[7:])}, true, false},
		{"good, and another server's pin", good, a.Pool, []string{wrong}, true, false},
		{"good, but only the pin counts", good, none, []string{wrong}, false, true},
		{"unknown, and a wrong pin", signed(t, authority(t), soon, "127.0.0.1"), a.Pool, []string{wrong}, false, true},
		{"unknown with another name and expired, and a wrong pin", bad, a.Pool, []string{wrong}, false, true},
		{"other name, and another server's pin", named, a.Pool, []string{wrong}, false, false},
		{"expired, only the pin counts", bad, none, []string{wrong}, false, true},
		{"no pins", bad, a.Pool, nil, false, false},
	} {
		s, stages := traced(secured(t, &tls.Config{Certificates: []tls.Certificate{test.cert}}))
		s.Roots, s.Pins = test.roots, test.pins
		c, err := Dial(t.Context(), s)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
		if err == nil {
			c.Close()
		}
		var pin *mail.PinError
		if errors.As(err, &pin) != test.pin {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.pin && (!strings.Contains(err.Error(), Fingerprint(test.cert.Leaf)) || !strings.Contains(err.Error(), wrong) || err.(*mail.Error).Temporary) {
			t.Errorf("%s: %v", test.name, err)
		}
		// The facts are there also when the certificate is refused.
		last := (*stages)[len(*stages)-1]
		if f := last.TLS; last.Step != mail.StepTLS || f == nil || f.Fingerprint != Fingerprint(test.cert.Leaf) || f.Version != "TLS 1.3" || f.Cipher == "" ||
			len(f.Chain) != 1 || !f.Chain[0].Expiry.Equal(test.cert.Leaf.NotAfter) || f.Chain[0].Names[0] != test.cert.Leaf.Subject.CommonName {
			t.Errorf("%s: %+v", test.name, last)
		}
	}
}

// TestClientCertificates: what is lacking is named, with TLS 1.2 in the
// handshake and with 1.3 where the first answer is read.
func TestClientCertificates(t *testing.T) {
	a := authority(t)
	soon := time.Now().Add(24 * time.Hour)
	cert := signed(t, a, soon, "127.0.0.1")
	mine, foreign := signed(t, a, soon, "desk"), signed(t, authority(t), soon, "desk")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, test := range map[string]struct {
			keys []tls.Certificate
			fail bool
		}{
			"none":            {nil, true},
			"foreign":         {[]tls.Certificate{foreign}, true},
			"good":            {[]tls.Certificate{mine}, false},
			"the one of both": {[]tls.Certificate{foreign, mine}, false},
		} {
			s, stages := traced(secured(t, &tls.Config{
				Certificates: []tls.Certificate{cert}, MaxVersion: version, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool,
			}))
			s.Roots, s.Keys = a.Pool, test.keys
			c, err := Dial(t.Context(), s)
			if err == nil {
				_, err = c.ReadLine()
				if err != nil {
					err = c.Error(mail.StepGreeting, err)
				}
				c.Close()
			}
			var refused *mail.ClientCertificateError
			if errors.As(err, &refused) != test.fail || test.fail && (refused.Shown != (name == "foreign") || err.(*mail.Error).Temporary) {
				t.Errorf("%s, %s: %v", tls.VersionName(version), name, err)
			}
			if own := (*stages)[len(*stages)-1].TLS.Own; (own != nil) != (test.keys != nil) || own != nil && own.Subject != "CN=desk" {
				t.Errorf("%s, %s: %+v", tls.VersionName(version), name, own)
			}
		}
	}
	// A server that asks and then hangs up for another reason.
	c := conn(true, "192.0.2.1")
	c.certificate.asked = true
	if err := c.refusedCertificate(io.EOF); err != io.EOF {
		t.Error(err)
	}
}

// TestOldServers: they are named, whether they say that they are old or only
// hang up.
func TestOldServers(t *testing.T) {
	a := authority(t)
	cert := signed(t, a, time.Now().Add(time.Hour), "127.0.0.1")
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		for _, hangsUp := range []bool{false, true} {
			config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version}
			if hangsUp {
				config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					if hello.SupportedVersions[0] > tls.VersionTLS11 {
						hello.Conn.Close()
					}
					return nil, nil
				}
			}
			s := secured(t, config)
			s.Roots = a.Pool
			_, err := Dial(t.Context(), s)
			var old *mail.OldTLSError
			if !errors.As(err, &old) || old.Version != tls.VersionName(version) || err.(*mail.Error).Step != mail.StepTLS || err.(*mail.Error).Temporary {
				t.Errorf("%s, hangs up %v: %v", tls.VersionName(version), hangsUp, err)
			}
		}
	}
	// TLS 1.2 with nothing but the ciphers of before is another matter.
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, rsaKey.Public(), rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Dial(t.Context(), secured(t, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: rsaKey}},
		MinVersion:   tls.VersionTLS10, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	}))
	var ciphers *mail.OldTLSError
	if !errors.As(err, &ciphers) || ciphers.Version != "TLS 1.2" || ciphers.Cipher != "TLS_RSA_WITH_AES_128_CBC_SHA" {
		t.Errorf("%v", err)
	}
	// One that speaks with us the second time is not called old.
	var again atomic.Bool
	busy := secured(t, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if !again.Swap(true) {
			hello.Conn.Close()
		}
		return nil, nil
	}})
	var named *mail.OldTLSError
	if _, err := Dial(t.Context(), busy); err == nil || errors.As(err, &named) {
		t.Errorf("%v", err)
	}
	// One that hangs up on everybody is not called old.
	gone := server(t, func(net.Conn) {})
	gone.Security = TLS
	_, err = Dial(t.Context(), gone)
	var old *mail.OldTLSError
	if e, ok := err.(*mail.Error); !ok || e.Step != mail.StepTLS || errors.As(err, &old) || !e.Temporary {
		t.Errorf("%v", err)
	}
}

// TestSilent: a port that waits for TLS is told from one that is dead.
func TestSilent(t *testing.T) {
	s := secured(t, &tls.Config{Certificates: []tls.Certificate{signed(t, authority(t), time.Now().Add(time.Hour), "127.0.0.1")}})
	dead := server(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
	for _, security := range []Security{Plain, StartTLS} {
		for _, test := range []struct {
			settings Settings
			want     bool
		}{{s, true}, {dead, false}} {
			test.settings.Security = security
			c := dial(t, test.settings)
			c.SetIdle(20 * time.Millisecond)
			_, err := c.ReadLine()
			c.raw.Close() // the server of this test takes one connection at a time
			named := c.Silent(t.Context(), err)
			timeout := net.Error(nil)
			if errors.Is(named, mail.ErrTLSExpected) != test.want || !errors.As(named, &timeout) {
				t.Errorf("%s, waits for TLS %v: %v", security, test.want, named)
			}
			if e := test.settings.Error(mail.StepGreeting, named); e.Temporary == test.want {
				t.Errorf("%+v", e)
			}
		}
	}
	if err := dial(t, dead).Silent(t.Context(), io.EOF); err != io.EOF {
		t.Error(err)
	}
}
