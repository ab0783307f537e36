package provider

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestData reads every fact as a program and a person will.
func TestData(t *testing.T) {
	hole := regexp.MustCompile(`\{[a-z]+\}`)
	month := regexp.MustCompile(`^20\d\d-(0[1-9]|1[0-2])$`)
	for _, p := range All() {
		if p.Slug == "" || p.Name == "" || !month.MatchString(p.AsOf) {
			t.Errorf("%s: name %q, as of %q", p.Slug, p.Name, p.AsOf)
		}
		if p.IMAP.Host == "" && p.POP3.Host == "" || p.SMTP.Host == "" {
			t.Errorf("%s: mail cannot be read and sent", p.Slug)
		}
		for kind, e := range map[string]Endpoint{"imap": p.IMAP, "pop3": p.POP3, "smtp": p.SMTP} {
			if e.Host == "" {
				continue
			}
			if host := hole.ReplaceAllString(e.Host, "a.example"); !validHost(host) && host != "127.0.0.1" {
				t.Errorf("%s: %s at %q", p.Slug, kind, e.Host)
			}
			usual := map[string][]int{"imap": {993, 143, 1143}, "pop3": {995, 110}, "smtp": {465, 587, 1025}}[kind]
			if i := slices.Index(usual, e.Port); i < 0 || (i == 0) != (e.Security == TLS) {
				t.Errorf("%s: %s at %s with %s", p.Slug, kind, e, e.Security)
			}
			if owner, ok := ByHost(e.Host); !strings.Contains(e.Host, "{") && len(p.Hosts) > 0 && (!ok || owner.OAuth != p.OAuth) {
				t.Errorf("%s: %s is not found by its host, but %q", p.Slug, e.Host, owner.Slug)
			}
		}
		if !slices.Contains([]string{UserAddress, UserLocal, UserAccount}, p.Username) || !slices.Contains([]string{"", UserAddress, UserLocal, UserAccount}, p.UsernameSMTP) {
			t.Errorf("%s: user name %q, %q", p.Slug, p.Username, p.UsernameSMTP)
		}
		if !slices.Contains([]string{AuthPassword, AuthAppPassword, AuthOAuth2}, p.Auth) || p.Auth == AuthOAuth2 && p.OAuth == nil {
			t.Errorf("%s: auth %q", p.Slug, p.Auth)
		}
		for _, link := range p.Links {
			if u, err := url.Parse(link); err != nil || u.Scheme != "https" || u.Host == "" {
				t.Errorf("%s: link %q", p.Slug, link)
			}
		}
		if p.PollPOP3 < 0 || p.PollPOP3 > time.Hour {
			t.Errorf("%s: a pause of %v", p.Slug, p.PollPOP3)
		}
		testWords(t, &p)
	}
}

// testWords: both languages say the same, and each in its own writing.
func testWords(t *testing.T, p *Provider) {
	japanese := regexp.MustCompile(`[\p{Hiragana}\p{Katakana}]`)
	if len(p.En.Before) != len(p.Ja.Before) || len(p.En.Notes) != len(p.Ja.Notes) || (p.En.Host == "") != (p.Ja.Host == "") {
		t.Errorf("%s: the languages differ: %q, %q", p.Slug, p.En, p.Ja)
	}
	if len(p.En.Notes) == 0 || p.Auth != AuthPassword && len(p.En.Before) == 0 {
		t.Errorf("%s: nothing is said: %q", p.Slug, p.En)
	}
	if (p.En.Host != "") != p.NeedsHost() {
		t.Errorf("%s: host %q, described as %q", p.Slug, p.IMAP.Host, p.En.Host)
	}
	for _, w := range []Words{p.En, p.Ja} {
		for _, s := range slices.Concat(w.Before, w.Notes, []string{w.Host}) {
			if strings.Contains(s, "{") || strings.TrimSpace(s) != s {
				t.Errorf("%s: %q", p.Slug, s)
			}
		}
	}
	for _, s := range slices.Concat(p.Ja.Before, p.Ja.Notes) {
		if !japanese.MatchString(s) {
			t.Errorf("%s: not Japanese: %q", p.Slug, s)
		}
	}
}

// TestListed: the presets that were promised, by their names in helpdesk.toml.
func TestListed(t *testing.T) {
	for slug := range strings.FieldsSeq(`gmail google-workspace microsoft365 outlook yahoo aol yahoo-japan icloud fastmail zoho zoho-eu gmx web.de
		mail.ru yandex qq 163 126 yeah sakura xserver lolipop biglobe ocn nifty proton-bridge`) {
		if p, ok := Named(slug); !ok || p.Slug != slug {
			t.Errorf("no preset %q", slug)
		}
	}
	if n := len(All()); n < 100 {
		t.Errorf("only %d presets", n)
	}
	if _, ok := Named("nobody"); ok {
		t.Error("there is a preset that is not there")
	}
}

func TestOAuth(t *testing.T) {
	for _, name := range []string{"google", "microsoft", "yahoo", "yandex"} {
		o, ok := OAuthNamed(name)
		if !ok || o.Name != name {
			t.Fatalf("%s: %v %v", name, o, ok)
		}
		for _, place := range []string{o.AuthURL, o.TokenURL, o.DeviceURL} {
			if place != "" && !strings.HasPrefix(place, "https://") || strings.Contains(place, "{tenant}") != (o.Tenant != "" && place != "") {
				t.Errorf("%s: %q", name, place)
			}
		}
		if o.AuthURL == "" || o.TokenURL == "" || len(o.IMAPScopes) == 0 || len(o.POP3Scopes) == 0 || len(o.SMTPScopes) == 0 {
			t.Errorf("%s: incomplete: %+v", name, o)
		}
	}
	if o, _ := OAuthNamed("google"); o.DeviceURL != "" {
		t.Error("Google refuses mail scopes in the device flow")
	}
}

func TestFind(t *testing.T) {
	for host, want := range map[string]string{
		"imap.gmail.com": "gmail", "IMAP.Gmail.com.": "gmail", "smtp-relay.gmail.com": "google-workspace",
		"outlook.office365.com": "microsoft365", "smtp-mail.outlook.com": "outlook",
		"sv1234.xserver.jp": "xserver", "example.sakura.ne.jp": "sakura", "imap.163.com": "163", "imap.qiye.163.com": "netease-qiye",
		"imap.exmail.qq.com": "exmail", "imap.mail.us-east-1.awsapps.com": "amazon-workmail", "mail.gmx.com": "gmx-com",
		"mail.example.com": "", "gmail.com.example.org": "", "notgmail.com": "", "": "", ".": "", "com": "",
	} {
		if p, ok := ByHost(host); p.Slug != want || ok != (want != "") {
			t.Errorf("host %q is of %q", host, p.Slug)
		}
	}
	for domain, want := range map[string]string{
		"gmail.com": "gmail", "Hotmail.CO.JP": "outlook", "yahoo.co.jp": "yahoo-japan", "verizon.net": "aol", "mail.gmail.com": "", "": "",
	} {
		if p, ok := ByDomain(domain); p.Slug != want || ok != (want != "") {
			t.Errorf("domain %q is of %q", domain, p.Slug)
		}
	}
	for mx, want := range map[string]string{
		"aspmx.l.google.com.": "google-workspace", "smtp.google.com": "google-workspace", "example-com.mail.protection.outlook.com": "microsoft365",
		"outlook-com.olc.protection.outlook.com": "outlook", "mx.zoho.eu": "zoho-eu", "in1-smtp.messagingengine.com": "fastmail", "mail.example.com": "",
	} {
		if p, ok := ByMX(mx); p.Slug != want || ok != (want != "") {
			t.Errorf("MX %q is of %q", mx, p.Slug)
		}
	}
}

func TestUserAndHost(t *testing.T) {
	yahoo, _ := Named("yahoo-japan")
	icloud, _ := Named("icloud")
	docomo, _ := Named("docomo")
	if yahoo.User("taro@yahoo.co.jp") != "taro" || icloud.User("a@me.com") != "a" || icloud.UserSMTP("a@me.com") != "a@me.com" || docomo.User("a@docomo.ne.jp") != "" {
		t.Error("user names are wrong")
	}
	xserver, _ := Named("xserver")
	for _, written := range []string{"sv123", " SV123 ", "sv123.xserver.jp"} {
		if p := xserver.WithHost(written); p.IMAP.Host != "sv123.xserver.jp" || p.SMTP.Host != "sv123.xserver.jp" || p.NeedsHost() {
			t.Errorf("%q: %s", written, p.IMAP.Host)
		}
	}
	if again, _ := Named("xserver"); !again.NeedsHost() || icloud.NeedsHost() {
		t.Error("the data was changed, or a fixed host needs asking")
	}
	workmail, _ := Named("amazon-workmail")
	if p := workmail.WithHost("eu-west-1"); p.IMAP.Host != "imap.mail.eu-west-1.awsapps.com" || p.SMTP.Host != "smtp.mail.eu-west-1.awsapps.com" {
		t.Errorf("%s, %s", p.IMAP.Host, p.SMTP.Host)
	}
	cpanel, _ := Named("cpanel")
	if p := cpanel.For("a@example.com"); p.IMAP.Host != "mail.example.com" {
		t.Errorf("%s", p.IMAP.Host)
	}
}

// TestMistakesInData: what a slip of the pen in the data would do.
func TestMistakesInData(t *testing.T) {
	good := "[[provider]]\nslug = \"a\"\nsmtp = \"smtp.a.example:465 tls\"\n"
	for name, text := range map[string]string{
		"a key that is not there": good + "colour = 1\n",
		"no security":             strings.Replace(good, " tls", "", 1),
		"other security":          strings.Replace(good, " tls", " none", 1),
		"no port":                 strings.Replace(good, ":465", "", 1),
		"an unknown OAuth":        good + "oauth = \"nobody\"\n",
		"a host of two":           good + strings.Replace(good, `"a"`, `"b"`, 1),
	} {
		if _, err := read(fstest.MapFS{"data/a.toml": {Data: []byte(text)}}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := read(fstest.MapFS{"data/a.toml": {Data: []byte(good)}}); err != nil {
		t.Error(err)
	}
}
