package loopback

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ErrMissing is what StartHosts wraps when this machine cannot run the real
// servers; the error's text names the Debian packages or says what else lacks.
var ErrMissing = errors.New("the real mail servers for the tests cannot run here")

// startTimeout is long because tests of several packages queue up for the
// start; by itself it takes a fraction of a second.
const startTimeout = 90 * time.Second

// HostUser is a mailbox on the real servers; its domain is one that Postfix
// delivers to Dovecot.
type HostUser struct {
	Address  string // also the user name of every login
	Password string
}

// HostOptions says what StartHosts starts. The zero value of each is a sensible one, save Users.
type HostOptions struct {
	Users     []HostUser
	CatchAll  map[string]string // domain: address of the user who gets the mail to its unknown addresses
	NoRelay   bool              // Dovecot only; this needs no root
	MaxSize   int64             // bytes that Postfix takes for one mail; 0: 100 MiB
	Fsync     string            // Dovecot's mail_fsync: never (default), optimized, always
	Delimiter string            // of IMAP folder names: "/" (default) or "."

	Mechanisms     string // of every login, as Dovecot calls them; "": "plain login cram-md5"
	CertPEM        []byte // what the servers show, with KeyPEM; nil: one that is good and signs itself
	KeyPEM         []byte
	ClientCAs      []byte // PEM; with it Dovecot, Submission and SMTPS demand a client certificate that one of these has signed
	OldTLS         bool   // Postfix speaks TLS 1.1 at most
	Quota          int64  // bytes that a mailbox may hold; 0: any number
	MaxConnections int    // that a user may have at once to IMAP, or to POP3; 0: 1000
	OwnSender      bool   // a login may send only from its own address
	NoOpenRelay    bool   // SMTP takes mail without a login for the users' domains only
	Faults         bool   // FaultAt works
	OAuth          string // URL at which access tokens are asked about (RFC 7662); XOAUTH2 and OAUTHBEARER are offered then

	root string // where canRun looks; "" is /
}

// Hosts is a running Dovecot and Postfix, each address "127.0.0.1:port". All
// mail to the users' domains ends in Dovecot and none leaves the machine.
//
// At each of the domains, Postfix refuses at RCPT TO: tempfail@ with 450 4.7.1,
// full@ 452 4.2.2, nouser@ 550 5.1.1, toobig@ 552 5.3.4, spam@ 554 5.7.1, and at
// hangup@ it answers 421 4.3.2 and hangs up. It accepts bounced@ and
// bouncedfull@ and sends a delivery status report (5.1.1, 5.2.2) to the sender;
// what it accepts for deferred@ waits in its queue.
type Hosts struct {
	IMAP  string // plain, and STARTTLS is offered
	IMAPS string
	POP3  string // plain, and STLS is offered
	POP3S string

	SMTP       string // as port 25: takes mail without a login; offers STARTTLS and AUTH
	Submission string // as port 587: STARTTLS and then AUTH are required
	SMTPS      string // as port 465: TLS, AUTH is required

	CertPEM []byte         // certificate of all servers, for localhost, mail.test and 127.0.0.1
	Pool    *x509.CertPool // trusts it
	Dir     string         // configuration, mail, queue, dovecot.log and postfix.log

	delimiter string
	uid, gid  int // who owns the mail
	delivered atomic.Int64
	policy    *policy
	script    *exec.Cmd
	hold      io.Closer // the script ends when this does
}

// StartHosts starts the servers with all their files in dir, on free ports of
// 127.0.0.1, and returns when they answer. They end with Close, and also when
// this process ends in any way without it. The scripts are found in the module
// that the working directory is in, as it is in a test.
func StartHosts(dir string, o HostOptions) (*Hosts, error) {
	if err := canRun(o); err != nil {
		return nil, err
	}
	script, err := findScript()
	if err != nil {
		return nil, err
	}
	if err := prepare(dir, o); err != nil {
		return nil, fmt.Errorf("preparing %s for the mail servers: %w", dir, err)
	}
	h := &Hosts{Dir: dir, delimiter: o.Delimiter}
	if h.delimiter == "" {
		h.delimiter = "/"
	}
	if h.policy, err = startPolicy(); err != nil {
		return nil, err
	}
	if err := h.run(script, o); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Close ends the servers and waits until their processes are gone.
func (h *Hosts) Close() error {
	err := h.policy.close()
	if h.script == nil {
		return err
	}
	h.hold.Close() // its error is that of a script that has ended already
	if werr := h.script.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("ending the mail servers: %w", werr))
	}
	h.script = nil
	return err
}

// Logs returns the last lines of the servers' logs, for the report of a failed test.
func (h *Hosts) Logs() string {
	const tail = 6000 // bytes of each
	var b strings.Builder
	for _, name := range []string{"dovecot.out", "dovecot.log", "postfix.out", "postfix.log"} {
		text, err := os.ReadFile(filepath.Join(h.Dir, name))
		if err != nil || len(text) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n%s\n", name, text[max(0, len(text)-tail):])
	}
	return b.String()
}

// QueueEmpty says whether Postfix has delivered or bounced all that it accepted.
func (h *Hosts) QueueEmpty() (bool, error) {
	// In the order in which a mail goes through them; deferred ones go back to active.
	for _, queue := range []string{"incoming", "deferred", "active", "deferred"} {
		mails := 0
		err := filepath.WalkDir(filepath.Join(h.Dir, "queue", queue), func(_ string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				mails++
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a folder of the queue that came or went meanwhile
			}
			return err
		})
		if err != nil {
			return false, fmt.Errorf("reading Postfix's queue: %w", err)
		}
		if mails > 0 {
			return false, nil
		}
	}
	return true, nil
}

// canRun looks for every program that is needed.
func canRun(o HostOptions) error {
	type need struct{ pkg, program string }
	needs := []need{
		{"dovecot-core", "/usr/sbin/dovecot"}, {"dovecot-imapd", "/usr/lib/dovecot/imap"},
		{"dovecot-pop3d", "/usr/lib/dovecot/pop3"}, {"dovecot-lmtpd", "/usr/lib/dovecot/lmtp"},
		{"openssl", "/usr/bin/openssl"}, {"util-linux", "/usr/bin/setsid"},
	}
	if !o.NoRelay {
		needs = append(needs, need{"postfix", "/usr/sbin/postconf"})
	}
	var packages []string
	for _, n := range needs {
		if _, err := os.Stat(filepath.Join("/", o.root, n.program)); err != nil {
			packages = append(packages, n.pkg)
		}
	}
	if len(packages) > 0 {
		return fmt.Errorf("%w: install the Debian packages %s (`make test` as root does it)", ErrMissing, strings.Join(packages, " "))
	}
	if !o.NoRelay && os.Geteuid() != 0 {
		return fmt.Errorf("%w: Postfix starts only as root; run the tests as root, in a container if you like", ErrMissing)
	}
	return nil
}

// findScript goes up from the working directory to the module's root.
func findScript() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the test hosts' script: %w", err)
	}
	for {
		script := filepath.Join(dir, "packaging", "testhosts", "up.sh")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the test hosts' script: no packaging/testhosts/up.sh above the working directory")
		}
		dir = parent
	}
}

// prepare writes what the script reads.
func prepare(dir string, o HostOptions) error {
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		return err
	}
	if err := letIn(dir); err != nil {
		return err
	}
	tls := map[string][]byte{"cert.pem": o.CertPEM, "key.pem": o.KeyPEM, "clients.pem": o.ClientCAs}
	for name, content := range tls {
		if content == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Join(dir, "tls"), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "tls", name), content, 0o644); err != nil {
			return err
		}
	}
	var users, aliases strings.Builder
	for _, u := range o.Users {
		fmt.Fprintf(&users, "%s:{PLAIN}%s::::::\n", strings.ToLower(u.Address), u.Password)
	}
	for domain, address := range o.CatchAll {
		fmt.Fprintf(&aliases, "@%s %s\n", domain, strings.ToLower(address))
	}
	if err := os.WriteFile(filepath.Join(dir, "etc", "aliases"), []byte(aliases.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "users"), []byte(users.String()), 0o644)
}

// letIn lets the users that the servers run as enter dir: testing.T.TempDir is
// in a folder that only its owner may enter.
func letIn(dir string) error {
	if os.Geteuid() != 0 {
		return nil // Dovecot runs as this user
	}
	temp := filepath.Clean(os.TempDir()) + string(filepath.Separator)
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err != nil {
			return err
		}
		if info.Mode()&0o001 != 0 {
			continue
		}
		if !strings.HasPrefix(d, temp) {
			return fmt.Errorf("other users cannot enter %s; take a folder below %s", d, temp)
		}
		if err := os.Chmod(d, info.Mode().Perm()|0o011); err != nil {
			return err
		}
	}
	return nil
}

// run starts the script and reads what it says until it is ready.
func (h *Hosts) run(script string, o HostOptions) error {
	cmd := exec.Command("bash", script, h.Dir)
	cmd.Env = append(os.Environ(), "HOSTS_POLICY="+h.policy.port(), "HOSTS_FSYNC="+o.Fsync, "HOSTS_DELIMITER="+h.delimiter)
	cmd.Env = append(cmd.Env, o.environment()...)
	if o.NoRelay {
		cmd.Env = append(cmd.Env, "HOSTS_RELAY=0")
	}
	if o.MaxSize > 0 {
		cmd.Env = append(cmd.Env, "HOSTS_MAXSIZE="+strconv.FormatInt(o.MaxSize, 10))
	}
	var words strings.Builder
	cmd.Stderr = &words
	hold, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("starting the mail servers: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("starting the mail servers: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the mail servers: %w", err)
	}
	h.script, h.hold = cmd, hold

	late := time.AfterFunc(startTimeout, func() { _ = cmd.Process.Kill() }) // the servers end with it, and out too
	defer late.Stop()
	told := map[string]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			return h.read(told)
		}
		name, value, _ := strings.Cut(lines.Text(), "=")
		told[name] = value
	}
	h.script = nil
	err = cmd.Wait()
	return fmt.Errorf("starting the mail servers: %s: %w\n%s", told["error"], err, words.String())
}

// environment tells the script what is not as usual.
func (o HostOptions) environment() []string {
	env := []string{"HOSTS_MECHANISMS=" + o.Mechanisms, "HOSTS_OAUTH=" + o.OAuth}
	for name, set := range map[string]bool{"OLDTLS": o.OldTLS, "OWNSENDER": o.OwnSender, "NORELAY": o.NoOpenRelay, "FAULTS": o.Faults} {
		if set {
			env = append(env, "HOSTS_"+name+"=1")
		}
	}
	if o.Quota > 0 {
		env = append(env, "HOSTS_QUOTA="+strconv.FormatInt(o.Quota, 10))
	}
	if o.MaxConnections > 0 {
		env = append(env, "HOSTS_CONNECTIONS="+strconv.Itoa(o.MaxConnections))
	}
	return env
}

// read fills in what the script told.
func (h *Hosts) read(told map[string]string) error {
	h.IMAP, h.IMAPS, h.POP3, h.POP3S = told["IMAP"], told["IMAPS"], told["POP3"], told["POP3S"]
	h.SMTP, h.Submission, h.SMTPS = told["SMTP"], told["SUBMISSION"], told["SMTPS"]
	var err, gerr error
	h.uid, err = strconv.Atoi(told["MAILUID"])
	h.gid, gerr = strconv.Atoi(told["MAILGID"])
	if err := errors.Join(err, gerr); err != nil {
		return fmt.Errorf("reading who owns the mail: %w", err)
	}
	if h.CertPEM, err = os.ReadFile(filepath.Join(h.Dir, "tls", "cert.pem")); err != nil {
		return fmt.Errorf("reading the mail servers' certificate: %w", err)
	}
	h.Pool = x509.NewCertPool()
	if !h.Pool.AppendCertsFromPEM(h.CertPEM) {
		return errors.New("reading the mail servers' certificate: no certificate in tls/cert.pem")
	}
	return nil
}

// TB is the part of testing.TB that NeedHosts uses; this package is in the
// program too (helpdesk demo), which has no use for package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Skip(args ...any)
	Fatal(args ...any)
}

// NeedHosts is StartHosts for a test: it ends the servers when the test ends
// and shows their logs when it failed. Where they are missing the test is
// skipped, but fails where CI=true: a CI that skips proves nothing.
func NeedHosts(t TB, o HostOptions) *Hosts {
	t.Helper()
	// Not t.TempDir: the test's name in its path may mean something to a server.
	dir, err := os.MkdirTemp("", "mailhosts-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("removing the mail servers' files: %v", err)
		}
	})
	h, err := StartHosts(dir, o)
	if errors.Is(err, ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", h.Logs())
		}
		if err := h.Close(); err != nil {
			t.Logf("closing the mail servers: %v", err)
		}
	})
	return h
}
