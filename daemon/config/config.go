// Package config reads helpdesk.toml: Config with every key, Default, Load
// with strict decoding, and Validate, which names all faults at once, each
// with file, line, key, reason and remedy in English and Japanese.
//
// A fault inside one [[desk]] closes that desk only (Desk.Closed); any other
// fault refuses the file. A key whose behaviour is not built yet carries the
// tag `later` and is refused when it is set to anything but its default.
package config

import (
	"runtime"
	"strconv"
	"strings"
)

// Languages of page, notifications and explanations.
const (
	English  = "en"
	Japanese = "ja"
)

// Values of Server.Security.
const (
	TLS      = "tls"
	StartTLS = "starttls"
	Plain    = "none"
)

// Values of Mailbox.Protocol.
const (
	IMAP = "imap"
	POP3 = "pop3"
)

// Values of Mailbox.After: what is done on the server with a mail that was taken.
const (
	AfterKeep   = "keep"
	AfterSeen   = "seen"
	AfterMove   = "move"
	AfterDelete = "delete"
)

// Values of Mailbox.Backlog: what becomes of the mail that lay there at the first start.
const (
	BacklogSkip    = "skip"
	BacklogImport  = "import"
	BacklogProcess = "process"
)

// Config is helpdesk.toml. Load returns it complete: paths are absolute, ports
// and languages are filled in, and each desk has its own relay.
type Config struct {
	DataDir  string  `toml:"data_dir"`
	Language string  `toml:"language"`
	Admin    string  `toml:"admin"` // address that is told when something fails; "": nobody
	UI       UI      `toml:"ui"`
	Relay    Relay   `toml:"relay"`
	Keys     []Key   `toml:"key"`
	Trust    []Trust `toml:"trust"`
	Agents   []Agent `toml:"agent"`
	Desks    []Desk  `toml:"desk"`

	Limits    Limits      `toml:"limits"`
	Retention Retention   `toml:"retention"`
	Notify    AdminNotify `toml:"notify"` // which mails Admin gets

	// Warnings are what Load found worth saying although it refuses nothing,
	// for the page. What comes with the calendar is not among them, see Forecast
	// and OAuth.SecretExpiry.
	Warnings []Fault `toml:"-"`
}

// AgentName is the name of the agent with that e-mail address, "" when there is none.
func (c *Config) AgentName(email string) string {
	for _, a := range c.Agents {
		if addressKey(a.Email) == addressKey(email) {
			return a.Name
		}
	}
	return ""
}

// Limits keep a mistake or an attack from becoming a storm of mail. They slide,
// are kept across restarts, and never hold a person's answer back. 0: no limit.
type Limits struct {
	AutomaticPerHour int `toml:"automatic_per_hour"` // automatic mails to one customer
	AutomaticPerDay  int `toml:"automatic_per_day"`  // the same, in a day
	AutomaticInAll   int `toml:"automatic_in_all"`   // automatic mails to all customers in an hour
	NoticesOfSender  int `toml:"notices_of_sender"`  // notices to one agent in an hour that one sender causes; the others come with a digest
	Notices          int `toml:"notices"`            // notices to one agent in an hour; the others come with a digest
	MailsOfSender    int `toml:"mails_of_sender"`    // mails of one sender in an hour; the others are held
}

// Retention is how long things are kept. 0: for ever.
type Retention struct {
	Ledger   Duration `toml:"ledger"`   // lines of the ledger; positions and fingerprints stay
	Raw      Duration `toml:"raw"`      // the mails as they arrived, with their attachments, of open requests too
	Requests Duration `toml:"requests"` // closed requests, since they were closed: see Desk.Reopen
}

// AdminNotify says which mails the administrator gets.
type AdminNotify struct {
	Failures   bool `toml:"failures"`   // a mailbox or relay fails, and works again
	Weekly     bool `toml:"weekly"`     // the week in figures
	Fuse       bool `toml:"fuse"`       // more mail than max_per_minute waits
	Quarantine bool `toml:"quarantine"` // a mail could not be taken
}

// UI is the status page.
type UI struct {
	Listen  string `toml:"listen"`   // host:port
	BaseURL string `toml:"base_url"` // for links in notifications; "" for none
	TLSCert string `toml:"tls_cert" later:""`
	TLSKey  string `toml:"tls_key" later:""`
}

// Server is how a mail server is reached and logged in to; mailbox and relay
// have these keys in common. Either exactly one of the three password keys is
// set, see ResolvePassword, or OAuth is.
type Server struct {
	Preset         string   `toml:"preset"` // slug of mail/provider: fills in host, port and security
	Host           string   `toml:"host"`
	Port           int      `toml:"port"` // without it the usual one for Security
	Security       string   `toml:"security"`
	AllowPlaintext bool     `toml:"allow_plaintext"` // security = "none" also beyond loopback
	Username       string   `toml:"username"`
	Password       Secret   `toml:"password"`
	PasswordFile   string   `toml:"password_file"`
	PasswordEnv    string   `toml:"password_env"`
	Auth           string   `toml:"auth"`       // auto, or one of the mechanisms in passwordAuth and tokenAuth
	ClientKey      string   `toml:"client_key"` // name of a [[key]]; see Config.ClientKeys
	Trust          []string `toml:"trust"`      // names of [[trust]] and [[key]]; see Config.Roots and Config.Pins
	Proxy          Secret   `toml:"proxy"`      // socks5://, socks5h:// or http://; "none"; "": the environment's. It may hold a password
	OAuth          OAuth    `toml:"oauth"`

	// FromEnv is the value of the variable PasswordEnv when the file was loaded.
	FromEnv Secret `toml:"-"`
	// keyFile is the file of the [[key]] that ClientKey names, for AccountHash.
	keyFile string
}

// Addr is host:port, with brackets around an IPv6 address.
func (s *Server) Addr() string {
	host := s.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(s.Port)
}

// Relay is the SMTP server that notifications leave by.
type Relay struct {
	Server
	Enabled      bool   `toml:"enabled"` // false: nothing is sent
	Anonymous    bool   `toml:"anonymous"`
	Helo         string `toml:"helo"`
	From         string `toml:"from"`
	ReplyTo      string `toml:"reply_to"`
	MaxPerMinute int    `toml:"max_per_minute"`
}

// Key is a key store (PKCS#12, JKS or PEM) with a certificate that we present
// to servers. All certificates in it also count as trust.
type Key struct {
	Name         string `toml:"name"`
	File         string `toml:"file"`
	PasswordFile string `toml:"password_file"`
}

// Trust is what is trusted beside the system's certificates: a file of
// certificates (PEM), or the fingerprint of one server's certificate.
type Trust struct {
	Name        string `toml:"name"`
	File        string `toml:"file"`
	Fingerprint string `toml:"fingerprint"` // of one server's certificate, instead of File; after Load "sha256:" and 64 small hex digits
}

// Agent is a person who answers.
type Agent struct {
	Name  string `toml:"name"`
	Email string `toml:"email"`
}

// Default is the configuration of an empty file: every key at its default, no desks.
func Default() *Config {
	return defaultsFor(runtime.GOOS)
}

func defaultsFor(goos string) *Config {
	c := &Config{
		DataDir:  "/var/lib/helpdesk",
		Language: English,
		UI:       UI{Listen: "127.0.0.1:8025"},
		Relay: Relay{
			Server:       Server{Security: StartTLS, Auth: "auto"},
			Enabled:      true,
			MaxPerMinute: 60,
		},
		Limits: Limits{
			AutomaticPerHour: 5, AutomaticPerDay: 10, AutomaticInAll: 200,
			NoticesOfSender: 10, Notices: 60, MailsOfSender: 30,
		},
		Retention: Retention{Ledger: 90 * day},
		Notify:    AdminNotify{Failures: true, Weekly: true, Fuse: true, Quarantine: true},
	}
	if goos == "windows" {
		c.DataDir = `C:\ProgramData\helpdesk`
	}
	return c
}
