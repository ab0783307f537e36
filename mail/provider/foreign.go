package provider

import "strings"

// RelayOfOtherProduct says that host is a mail server of another hosted
// product, and of which. Such servers send the mail of that product's own
// customers: with settings carried over from there, connections from outside
// are blocked, or mail is taken and silently not delivered.
func RelayOfOtherProduct(host string) (product string, ok bool) {
	for _, of := range []struct {
		product string
		domains []string
	}{
		{"JetBrains YouTrack", []string{".jetbrains.com", ".myjetbrains.com", ".youtrack.cloud", ".jetbrains.cloud", ".jetbrains.space"}},
		{"Atlassian Jira", []string{".atlassian.net", ".atlassian.com", ".jira.com", ".atl-paas.net"}},
		{"Zendesk", []string{".zendesk.com"}},
		{"Freshdesk", []string{".freshdesk.com", ".freshservice.com", ".freshemail.io"}},
		{"Help Scout", []string{".helpscout.net", ".helpscoutapp.com"}},
		{"Intercom", []string{".intercom.io", ".intercom-mail.com"}},
		{"Front", []string{".frontapp.com"}},
		{"HubSpot", []string{".hubspot.com", ".hubspotemail.net"}},
		{"ServiceNow", []string{".service-now.com"}},
		{"Zoho Desk", []string{".zohodesk.com"}},
		{"HappyFox", []string{".happyfox.com"}},
		{"Kayako", []string{".kayako.com"}},
		{"LiveAgent", []string{".ladesk.com"}},
		{"Gorgias", []string{".gorgias.io", ".gorgias.com"}},
		{"GitLab.com", []string{".gitlab.com"}},
	} {
		for _, domain := range of.domains {
			if strings.HasSuffix("."+tidy(host), domain) {
				return of.product, true
			}
		}
	}
	return "", false
}
