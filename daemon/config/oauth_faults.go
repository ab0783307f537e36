package config

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"helpdesk/mail/provider"
)

// oauth checks the sign-in without a password.
func (v *validator) oauth(server string, s *Server) {
	o := &s.OAuth
	if !o.Used() {
		return
	}
	key := server + ".oauth"
	data, known := provider.OAuthNamed(o.Provider)
	switch {
	case o.Provider != "" && !known:
		v.fault(key+".provider", o.Provider, "oauth-provider", "allowed", strings.Join(oauthNames(), ", "))
		return
	case !known && o.TokenURL == "":
		v.fault(key+".provider", "", "oauth-provider-missing", "allowed", strings.Join(oauthNames(), ", "))
		return
	}
	for _, u := range []struct{ name, url string }{{"auth_url", o.AuthURL}, {"token_url", o.TokenURL}, {"device_url", o.DeviceURL}} {
		if u.url != "" && !endpointURL(strings.ReplaceAll(u.url, "{tenant}", "x")) {
			v.fault(key+"."+u.name, u.url, "oauth-url")
		}
	}
	if o.ClientSecretExpires != "" {
		if _, ok := o.SecretExpiry(); !ok {
			v.fault(key+".client_secret_expires", o.ClientSecretExpires, "bad-date")
		}
	}
	if flows := flowsOf(data); !slices.Contains(flows, o.Flow) {
		name := o.Provider
		if u, err := url.Parse(o.TokenURL); name == "" && err == nil {
			name = u.Hostname()
		}
		v.fault(key+".flow", o.Flow, "oauth-flow", "name", name, "allowed", strings.Join(flows, ", "))
		return
	}
	if o.Flow == FlowServiceAccount {
		v.serviceAccount(key, o)
		return
	}
	v.excluded(key, o, "service_account_file", o.ServiceAccountFile)
	v.required(key+".client_id", o.ClientID)
	if o.Flow == FlowUser && o.AuthURL == "" && o.DeviceURL == "" {
		v.fault(key+".auth_url", "", "missing")
	}
	v.clientSecret(key, o)
	v.tenant(key, o)
}

// oauthNames are the values of OAuth.Provider.
func oauthNames() []string {
	var names []string
	for _, p := range provider.All() {
		if p.OAuth != nil && !slices.Contains(names, p.OAuth.Name) {
			names = append(names, p.OAuth.Name)
		}
	}
	slices.Sort(names)
	return names
}

// flowsOf are the flows that a provider offers; nil: one with endpoints of its own.
func flowsOf(data *provider.OAuth) []string {
	switch {
	case data == nil:
		return []string{FlowUser, FlowApp}
	case data.Name == Google: // has no client credentials for mail
		return []string{FlowUser, FlowServiceAccount}
	case len(data.AppScopes) > 0:
		return []string{FlowUser, FlowApp}
	}
	return []string{FlowUser}
}

// endpointURL accepts https, and http on this machine.
func endpointURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Hostname() != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

func (v *validator) excluded(key string, o *OAuth, name, value string) {
	if value != "" {
		v.fault(key+"."+name, value, "oauth-excluded", "flow", o.Flow)
	}
}

// clientSecret checks where the secret comes from. Google wants one of every
// program, also of one on a person's computer, and client credentials are one.
func (v *validator) clientSecret(key string, o *OAuth) {
	switch {
	case o.ClientSecretFile != "" && o.ClientSecretEnv != "":
		v.fault(key+".client_secret_file", o.ClientSecretFile, "two-secrets")
		return
	case o.ClientSecretFile == "" && o.ClientSecretEnv == "":
		if o.Flow == FlowApp || o.Provider == Google {
			v.fault(key+".client_secret_file", "", "missing-secret")
		}
		return
	}
	secret, err := o.ResolveSecret()
	if err != nil {
		v.nested(key, err)
		return
	}
	if o.Provider == Microsoft && isGUID(secret) { // refused with AADSTS7000215
		at := ".client_secret_file"
		if o.ClientSecretFile == "" {
			at = ".client_secret_env"
		}
		v.warn(key+at, o.ClientSecretFile+o.ClientSecretEnv, "secret-is-id")
	}
}

func isGUID(s string) bool {
	return regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`).MatchString(s)
}

// tenant checks Microsoft's. A permission of the program's own is given by one
// tenant, so there the names that stand for many are not possible.
func (v *validator) tenant(key string, o *OAuth) {
	several := slices.Contains([]string{"common", "organizations", "consumers"}, o.Tenant)
	switch {
	case o.Provider != Microsoft && !strings.Contains(o.TokenURL+o.AuthURL+o.DeviceURL, "{tenant}"):
		if o.Tenant != "" {
			v.fault(key+".tenant", o.Tenant, "tenant-only-microsoft")
		}
	case o.Tenant == "":
		v.fault(key+".tenant", "", "missing-tenant")
	case o.Flow == FlowApp && several:
		v.fault(key+".tenant", o.Tenant, "tenant-one")
	case !several && !isGUID(o.Tenant) && !regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`).MatchString(o.Tenant):
		v.fault(key+".tenant", o.Tenant, "bad-tenant")
	}
}

// serviceAccount checks a sign-in by the key file of Google Workspace, which
// has everything in it.
func (v *validator) serviceAccount(key string, o *OAuth) {
	for _, other := range []struct{ name, value string }{
		{"client_id", o.ClientID}, {"client_secret_file", o.ClientSecretFile}, {"client_secret_env", o.ClientSecretEnv}, {"tenant", o.Tenant},
	} {
		v.excluded(key, o, other.name, other.value)
	}
	at := key + ".service_account_file"
	if !v.required(at, o.ServiceAccountFile) {
		return
	}
	b, err := readBounded(o.ServiceAccountFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.fault(at, o.ServiceAccountFile, "file-missing")
	case err != nil:
		v.fault(at, o.ServiceAccountFile, "secret-file", "why", reason(err))
	case !isServiceAccount(b):
		v.fault(at, o.ServiceAccountFile, "service-account")
	}
}

// isServiceAccount knows the key file that Google's console saves.
func isServiceAccount(b []byte) bool {
	var file struct {
		Type  string `json:"type"`
		Email string `json:"client_email"`
		Key   string `json:"private_key"`
	}
	if json.Unmarshal(b, &file) != nil {
		return false
	}
	block, _ := pem.Decode([]byte(file.Key))
	return file.Type == "service_account" && file.Email != "" && block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY")
}
