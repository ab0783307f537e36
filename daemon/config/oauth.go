package config

import (
	"slices"
	"strings"
	"time"

	"helpdesk/mail/provider"
)

// Values of OAuth.Flow: how the permission comes about.
const (
	FlowUser           = "user"            // a person signs in once, with helpdesk authorize
	FlowApp            = "app"             // client credentials: the program has a permission of its own (Microsoft tenants)
	FlowServiceAccount = "service-account" // a key file of Google Workspace
)

// Values of OAuth.Provider that have rules of their own.
const (
	Microsoft = "microsoft"
	Google    = "google"
)

// OAuth is the sign-in without a password. Load completes it: Flow, and from
// the provider's data the addresses, with the tenant filled in, and Scopes.
type OAuth struct {
	Provider            string   `toml:"provider"` // microsoft, google, …, see provider.OAuthNamed; "" with addresses of its own
	Flow                string   `toml:"flow"`
	ClientID            string   `toml:"client_id"`
	ClientSecretFile    string   `toml:"client_secret_file"`
	ClientSecretEnv     string   `toml:"client_secret_env"`
	ClientSecretExpires string   `toml:"client_secret_expires"` // "2027-05-01"; see SecretExpiry
	Tenant              string   `toml:"tenant"`                // Microsoft: the tenant's ID or a domain of it
	ServiceAccountFile  string   `toml:"service_account_file"`  // JSON, as Google's console saves it
	AuthURL             string   `toml:"auth_url"`
	TokenURL            string   `toml:"token_url"`
	DeviceURL           string   `toml:"device_url"` // "": no sign-in by device code
	Scopes              []string `toml:"scopes"`

	// SecretFromEnv is the value of the variable ClientSecretEnv when the file was loaded.
	SecretFromEnv Secret `toml:"-"`
}

// Used says that the sign-in is by OAuth2: at least one of its keys is set.
func (o *OAuth) Used() bool {
	return len(o.Scopes) > 0 || strings.Join([]string{o.Provider, o.Flow, o.ClientID, o.ClientSecretFile, o.ClientSecretEnv,
		o.ClientSecretExpires, o.Tenant, o.ServiceAccountFile, o.AuthURL, o.TokenURL, o.DeviceURL}, "") != ""
}

// ResolveSecret returns the client secret, "" when none is set. A file is read
// anew each time. The error is a *Fault, which never holds the secret.
func (o *OAuth) ResolveSecret() (string, error) {
	switch {
	case o.ClientSecretFile != "":
		return readSecretFile("client_secret_file", "secret-file", o.ClientSecretFile)
	case o.ClientSecretEnv != "" && o.SecretFromEnv == "":
		return "", &Fault{Key: "client_secret_env", Value: o.ClientSecretEnv, Code: "secret-env"}
	}
	return string(o.SecretFromEnv), nil
}

// SecretExpiry is the day on which the client secret ends, at its beginning in
// UTC; false when the file does not say.
func (o *OAuth) SecretExpiry() (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, o.ClientSecretExpires)
	return t, err == nil
}

// fill completes what the provider's data says and the file does not.
func (o *OAuth) fill(protocol string, s *Server) {
	if !o.Used() {
		return
	}
	if o.Flow == "" {
		o.Flow = FlowUser
	}
	if p, ok := s.known(); ok && p.OAuth != nil && o.Provider == "" && o.TokenURL == "" {
		o.Provider = p.OAuth.Name
	}
	data, ok := provider.OAuthNamed(o.Provider)
	if !ok {
		return
	}
	if o.Provider == Microsoft && o.Tenant == "" && o.Flow == FlowUser {
		o.Tenant = data.Tenant
		if s.Provider() == "outlook" {
			o.Tenant = "consumers" // an app for private accounts only is refused at "common" (AADSTS9002331)
		}
	}
	tenant := strings.NewReplacer("{tenant}", o.Tenant)
	for _, url := range []struct {
		to   *string
		from string
	}{{&o.AuthURL, data.AuthURL}, {&o.TokenURL, data.TokenURL}, {&o.DeviceURL, data.DeviceURL}} {
		if *url.to == "" {
			*url.to = tenant.Replace(url.from)
		}
	}
	if len(o.Scopes) == 0 {
		o.Scopes = scopes(data, protocol, o.Flow)
	}
}

func scopes(data *provider.OAuth, protocol, flow string) []string {
	switch {
	case flow == FlowApp || flow == FlowServiceAccount:
		return slices.Clone(data.AppScopes)
	case protocol == IMAP:
		return slices.Concat(data.IMAPScopes, data.ExtraScopes)
	case protocol == POP3:
		return slices.Concat(data.POP3Scopes, data.ExtraScopes)
	}
	return slices.Concat(data.SMTPScopes, data.ExtraScopes)
}
