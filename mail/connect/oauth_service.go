package connect

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// serviceAccount is Google's JSON key file of a service account.
type serviceAccount struct {
	Type       string `json:"type"`
	Email      string `json:"client_email"`
	PrivateKey string `json:"private_key"`
	KeyID      string `json:"private_key_id"`
	TokenURL   string `json:"token_uri"`

	key *rsa.PrivateKey
}

// CheckServiceAccount reads a service account's key file as ServiceAccount
// will; it returns the account's address.
func CheckServiceAccount(file []byte) (email string, err error) {
	s, err := readServiceAccount(file)
	return s.Email, err
}

func readServiceAccount(file []byte) (s serviceAccount, err error) {
	if err := json.Unmarshal(file, &s); err != nil {
		return s, errors.New("it is not the JSON key file of a service account")
	}
	if s.Type != "service_account" || s.Email == "" {
		return s, errors.New("it is JSON, but not the key of a service account (type, client_email)")
	}
	block, _ := pem.Decode([]byte(s.PrivateKey))
	if block == nil {
		return s, errors.New("it has no private key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return s, errors.New("its private key cannot be read")
	}
	s.key = key
	return s, nil
}

// ServiceAccount gets an access token for the mailbox Subject in the name of a
// Google Workspace service account (RFC 7523 section 2.1): the domain's
// administrator has allowed the account to act for its users.
func (a OAuthApp) ServiceAccount(ctx context.Context) (OAuthTokens, error) {
	s, err := readServiceAccount(a.ServiceAccountKey)
	if err != nil {
		return OAuthTokens{}, a.Refused("", fmt.Errorf("reading service_account_file: %w", err))
	}
	if a.TokenURL == "" {
		a.TokenURL = s.TokenURL
	}
	assertion, err := s.assertion(a)
	if err != nil {
		return OAuthTokens{}, a.Refused("", err)
	}
	return a.tokens(ctx, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}})
}

// assertion is a signed JSON Web Token (RFC 7519, RS256 of RFC 7518). Its hour
// begins a minute ago: clocks differ.
func (s serviceAccount) assertion(a OAuthApp) (string, error) {
	from := a.now().Add(-time.Minute)
	var parts []string
	for _, part := range []any{
		map[string]string{"alg": "RS256", "typ": "JWT", "kid": s.KeyID},
		map[string]any{
			"iss": s.Email, "sub": a.Subject, "scope": strings.Join(a.Scopes, " "), "aud": a.TokenURL,
			"iat": from.Unix(), "exp": from.Add(time.Hour).Unix(),
		},
	} {
		b, err := json.Marshal(part)
		if err != nil {
			return "", fmt.Errorf("writing the service account's request: %w", err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	signed := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing the service account's request: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
