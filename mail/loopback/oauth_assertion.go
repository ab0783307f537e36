package loopback

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// assertion checks a signed assertion of the service account and gives an
// access token of its subject (RFC 7523 section 3).
func (s *OAuth) assertion(w http.ResponseWriter, assertion string) {
	var header struct{ Alg string }
	var claims struct {
		Iss, Sub, Aud, Scope string
		Iat, Exp             int64
	}
	parts := strings.Split(assertion, ".")
	good := len(parts) == 3 && s.options.ServiceKey != nil && part(parts[0], &header) && part(parts[1], &claims) && header.Alg == "RS256"
	if good {
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		good = err == nil && rsa.VerifyPKCS1v15(s.options.ServiceKey, crypto.SHA256, sum[:], signature) == nil
	}
	now := s.options.Now()
	switch from, until := time.Unix(claims.Iat, 0), time.Unix(claims.Exp, 0); {
	case !good:
		deny(w, http.StatusBadRequest, "invalid_grant", "Invalid JWT Signature.")
	case claims.Aud != s.URL+"/token" || claims.Iss != s.options.ServiceAccount:
		deny(w, http.StatusBadRequest, "invalid_grant", "Invalid issuer or audience.")
	case from.After(now) || until.Before(now) || until.Sub(from) > time.Hour:
		deny(w, http.StatusBadRequest, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.")
	case claims.Scope == "" || claims.Sub == "":
		deny(w, http.StatusUnauthorized, "unauthorized_client", "Client is unauthorized to retrieve access tokens using this method.")
	default:
		s.give(w, claims.Sub, false)
	}
}

func part(text string, into any) bool {
	b, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(b, into) == nil
}
