package config

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// AccountHash tells one set of sign-in settings from another: it changes when
// anything changes that decides whether the server lets us in, including the
// content of password, secret and key files. credential is what signs in: the
// password as ResolvePassword gives it, or with OAuth2 the refresh token. salt
// is of this installation; without it nobody can find a weak password by
// trying. The error says that a file could not be read: that is no change.
func (s *Server) AccountHash(salt []byte, credential string) (string, error) {
	o := &s.OAuth
	secret, err := o.ResolveSecret()
	if err != nil {
		return "", err
	}
	fields := []string{
		s.Host, strconv.Itoa(s.Port), s.Security, strconv.FormatBool(s.AllowPlaintext), s.Username, s.Auth, credential, // the port stands for the protocol
		o.Provider, o.Flow, o.ClientID, secret, o.Tenant, o.AuthURL, o.TokenURL, o.DeviceURL, strings.Join(o.Scopes, " "),
	}
	for _, path := range []string{s.keyFile, o.ServiceAccountFile} {
		var content []byte
		if path != "" {
			if content, err = readBounded(path); err != nil {
				return "", fmt.Errorf("reading what an account signs in with: %w", err)
			}
		}
		fields = append(fields, string(content))
	}
	mac := hmac.New(sha256.New, salt)
	for _, field := range fields { // each with its length, so that no two lists look alike
		_, _ = fmt.Fprintf(mac, "%d:%s", len(field), field) // a hash takes everything
	}
	return hex.EncodeToString(mac.Sum(nil)), nil
}
