package provider

import "testing"

func TestRelayOfOtherProduct(t *testing.T) {
	for host, want := range map[string]string{
		"smtp.atlassian.net": "Atlassian Jira", "office.atlassian.net": "Atlassian Jira", "Mail.Internal.YouTrack.Cloud.": "JetBrains YouTrack",
		"jetbrains.com": "JetBrains YouTrack", "smtp.gmail.com": "", "notatlassian.net": "", "atlassian.net.example.com": "", "": "",
	} {
		if product, ok := RelayOfOtherProduct(host); product != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", host, product, ok)
		}
	}
}
