package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

// house is an installation with a real store whose loops do not run: the test
// sets the clock and lets housekeeping look around.
type house struct {
	t         *testing.T
	dir       string
	top, desk string // more lines of the configuration
	now       time.Time
	d         *daemon
	h         *housekeeping
	box       store.Mailbox
	uid       uint32
}

// newHouse starts on Friday, 20 November 2026 at 15:00 UTC.
func newHouse(t *testing.T, top, deskLines string) *house {
	t.Helper()
	n := &house{t: t, dir: t.TempDir(), top: top, desk: deskLines, now: time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)}
	t.Cleanup(n.close)
	n.open()
	return n
}

func (n *house) config() *config.Config {
	n.t.Helper()
	path := filepath.Join(n.dir, "helpdesk.toml")
	text := fmt.Sprintf(`data_dir = "data"
admin = "admin@example.com"
%s
[ui]
listen = "127.0.0.1:0"
[relay]
host = "127.0.0.1"
port = 2525
security = "none"
anonymous = true
[[agent]]
name = "Aki"
email = "aki@example.com"
[[agent]]
name = "Ben"
email = "ben@example.com"
[[desk]]
name = "Support"
key = "SUP"
address = "support@example.com"
agents = ["aki@example.com", "ben@example.com"]
timezone = "UTC"
%s
  [desk.mailbox]
  host = "127.0.0.1"
  port = 1143
  security = "none"
  username = "support@example.com"
  password = "secret"
`, n.top, n.desk)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil || config.Refused(faults) || len(c.Desks) > 0 && len(c.Desks[0].Closed) > 0 {
		n.t.Fatalf("the test's configuration is wrong: %v %v", err, faults)
	}
	return c
}

// open is a start of the program up to its loops.
func (n *house) open() {
	n.t.Helper()
	ctx, clock := n.t.Context(), func() time.Time { return n.now }
	c := n.config()
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		n.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	d := &daemon{
		Options: Options{Config: c, Now: clock, Logger: log, wait: wait}, started: n.now, super: &supervisor{log: log},
		newMail: make(chan struct{}, 1), fuses: make(map[string]*fuse), accounts: make(map[string]*account), certs: &certificates{}, faces: &faces{},
	}
	var err error
	if d.store, err = store.Open(ctx, filepath.Join(c.DataDir, DatabaseFile), store.Options{Now: clock}); err != nil {
		n.t.Fatal(err)
	}
	d.health = newHealth(d.store, clock, log)
	d.tokens = newTokens(d.store, c.DataDir, clock, log)
	if err := d.prepare(ctx); err != nil {
		n.t.Fatal(err)
	}
	d.health.ok(ctx, "relay", time.Time{})
	n.d, n.h = d, d.newHousekeeping()
	if err := n.h.read(ctx); err != nil {
		n.t.Fatal(err)
	}
	n.write(func(tx *store.Tx) (err error) {
		n.box, _, err = tx.EnsureMailbox(n.settings().ID, "imap", "127.0.0.1", "support@example.com", "INBOX")
		if err == nil && n.box.UIDValidity == 0 {
			n.box.OpenedAt, n.box.UIDValidity = n.now, 1
			err = tx.SaveMailbox(n.box)
		}
		return err
	})
}

func (n *house) close() {
	if n.d == nil {
		return
	}
	if err := n.d.store.Close(); err != nil {
		n.t.Error(err)
	}
	n.d = nil
}

// restart ends the program at once and starts it again.
func (n *house) restart() {
	n.t.Helper()
	n.close()
	n.open()
}

func (n *house) settings() *desk.Settings { return n.d.desks[0].settings }

func (n *house) write(fn func(tx *store.Tx) error) {
	n.t.Helper()
	if err := n.d.store.Write(n.t.Context(), fn); err != nil {
		n.t.Fatal(err)
	}
}

// pass lets housekeeping look around once.
func (n *house) pass() {
	n.t.Helper()
	if err := n.h.pass(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
}

// until lets time go by in steps, at each of which housekeeping looks around.
func (n *house) until(end time.Time, step time.Duration, each func()) {
	n.t.Helper()
	for n.now.Before(end) {
		n.now = n.now.Add(step)
		n.pass()
		if each != nil {
			each()
		}
	}
}

// take takes a mail and returns its ledger line. broken is what makes it unreadable.
func (n *house) take(raw, broken string) store.Entry {
	n.t.Helper()
	n.uid++
	in := n.incoming(raw)
	in.Broken = broken
	taken, err := n.d.acts.taker.Take(n.t.Context(), n.settings(), n.box, []*desk.Incoming{in})
	if err != nil || len(taken) != 1 {
		n.t.Fatal(taken, err)
	}
	return n.entry(taken[0].Entry)
}

// incoming is a mail as it was fetched.
func (n *house) incoming(raw string) *desk.Incoming {
	n.t.Helper()
	raw = strings.ReplaceAll(raw, "\n", "\r\n")
	in, err := n.d.acts.taker.Prepare(&mail.Raw{
		UIDValidity: 1, UID: n.uid, Size: int64(len(raw)), Length: int64(len(raw)), Content: strings.NewReader(raw), Close: func() {},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return in
}

// letter is a customer's mail.
func (n *house) letter(from, subject string) string {
	return fmt.Sprintf("From: %s\nTo: support@example.com\nSubject: %s\nDate: %s\nMessage-ID: <%d@customer.test>\n\nHello, please help.\n",
		from, subject, n.now.Format(time.RFC1123Z), n.uid)
}

func (n *house) entry(id int64) store.Entry {
	n.t.Helper()
	e, err := n.d.store.Entry(n.t.Context(), id)
	if err != nil {
		n.t.Fatal(err)
	}
	return e
}

func (n *house) request(key string) store.Request {
	n.t.Helper()
	r, err := n.d.store.RequestByKey(n.t.Context(), key)
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

// lines are the lines of the outbox of an event, the newest first.
func (n *house) lines(event string) (of []store.OutboxLine) {
	n.t.Helper()
	all, err := n.d.store.Outbox(n.t.Context(), store.OutboxFilter{Limit: 10000})
	if err != nil {
		n.t.Fatal(err)
	}
	for _, l := range all {
		if l.Event == event {
			of = append(of, l)
		}
	}
	return of
}

// render is the text of a line as it would be sent now.
func (n *house) render(l store.OutboxLine) string {
	n.t.Helper()
	o, err := n.d.deliver[0].renderer.Render(n.t.Context(), n.settings(), l, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	return o.Subject + "\n" + o.Text
}

func (n *house) act(act ui.Act) ui.ActAnswer {
	n.t.Helper()
	answer, err := n.d.acts.Do(n.t.Context(), act)
	if err != nil {
		n.t.Fatal(err)
	}
	return answer
}

// slugs are what an answer says, with ! before what could not be done.
func slugs(a ui.ActAnswer) string {
	var all []string
	for _, r := range a.Done {
		if r.Bad {
			r.Slug = "!" + r.Slug
		}
		all = append(all, r.Slug)
	}
	return strings.Join(all, " ")
}
