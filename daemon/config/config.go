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
	"time"

	"helpdesk/mail"
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

// Desk is one service desk.
type Desk struct {
	Name            string        `toml:"name"`
	Key             string        `toml:"key"` // prefix of its requests, as SUP
	Address         string        `toml:"address"`
	Aliases         []string      `toml:"aliases"`
	Language        string        `toml:"language"` // without it Config.Language
	Agents          []string      `toml:"agents"`   // e-mail addresses of [[agent]]
	PublicSignup    bool          `toml:"public_signup" later:""`
	CustomerDomains []string      `toml:"customer_domains" later:""`
	Allow           []string      `toml:"allow" later:""`
	Block           []string      `toml:"block" later:""`
	Automatic       string        `toml:"automatic"`
	AuthservID      string        `toml:"authserv_id"`
	From            string        `toml:"from"`
	ReplyTo         string        `toml:"reply_to"`
	Mode            string        `toml:"mode"`
	Relay           Relay         `toml:"relay"` // without it Config.Relay
	Mailbox         Mailbox       `toml:"mailbox"`
	RequestTypes    []RequestType `toml:"request_type" later:""`
	Notify          Notify        `toml:"notify" later:""`

	// OwnRelay says that the file has a [desk.relay] for this desk.
	OwnRelay bool `toml:"-"`
	// Closed holds the faults of this desk. While there is one, its mailbox is not opened.
	Closed []Fault `toml:"-"`
}

// Sender is the From of this desk's mail: the desk's own `from`, else the
// relay's, else its address; its name is the desk's unless one is written there.
func (d *Desk) Sender() mail.Address {
	a := d.firstAddress(d.From, d.Relay.From, d.Address)
	if a.Name == "" {
		a.Name = d.Name
	}
	return a
}

// ReplyAddress is where answers to this desk's mail go; its Address is ""
// when no reply_to is set and answers go to the sender.
func (d *Desk) ReplyAddress() mail.Address {
	return d.firstAddress(d.ReplyTo, d.Relay.ReplyTo)
}

func (d *Desk) firstAddress(candidates ...string) mail.Address {
	for _, c := range candidates {
		if a, ok := parseNamed(c); ok {
			return a
		}
	}
	return mail.Address{}
}

// Mailbox is where a desk's mail arrives.
type Mailbox struct {
	Server
	Protocol    string   `toml:"protocol"`
	Folder      string   `toml:"folder"`
	Poll        Duration `toml:"poll"`
	Idle        bool     `toml:"idle"`
	After       string   `toml:"after"`
	MoveTo      string   `toml:"move_to"` // Done, Ignored and Attention below it
	Backlog     string   `toml:"backlog"`
	MaxSize     Size     `toml:"max_size"`
	Canary      Duration `toml:"canary"` // how often a mail is sent through the relay to the desk itself; 0: never
	RequestType string   `toml:"request_type" later:""`
}

// RequestType is what customers can ask for at a desk.
type RequestType struct {
	Name   string  `toml:"name"`
	Fields []Field `toml:"field"`
}

// Field is one field of a request type.
type Field struct {
	Name     string `toml:"name"`
	Visible  bool   `toml:"visible"`
	Required bool   `toml:"required"`
}

// Notify says which events are sent to whom.
type Notify struct {
	Templates string `toml:"templates"`
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
	}
	if goos == "windows" {
		c.DataDir = `C:\ProgramData\helpdesk`
	}
	return c
}

// DefaultDesk is a [[desk]] with every key at its default. Its port, language
// and relay follow from other keys: Fill sets them.
func DefaultDesk() Desk {
	return Desk{
		PublicSignup: true,
		Automatic:    "ignore",
		Mode:         "live",
		Relay:        defaultsFor("").Relay,
		Mailbox: Mailbox{
			Server:      Server{Security: TLS, Auth: "auto"},
			Protocol:    IMAP,
			Folder:      "INBOX",
			Poll:        Duration(time.Minute),
			Idle:        true,
			After:       AfterSeen,
			MoveTo:      "Helpdesk",
			Backlog:     BacklogSkip,
			MaxSize:     50 << 20,
			RequestType: "Email request",
		},
	}
}
