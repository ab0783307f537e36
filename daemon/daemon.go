// Package daemon is the running program: it joins configuration, mailboxes,
// desk, relay, store and page, and keeps their loops going.
//
// The way of a mail, one direction, no way back:
//
//	mail/fetch ─ batch ─▶ collector ─▶ desk.Take ─▶ store, one commit ─▶ the server is told
//	store's outbox ─ due lines ─▶ deliverer ─▶ mail/send ─▶ result back to the line
//	any failure ─▶ health ─▶ mail/diagnose ─▶ page, `helpdesk status`
//
// There is one collector for each mailbox and one deliverer for each relay.
// They meet in the store only: a collector queues mail in the transaction that
// makes the request, and wakes the deliverer after the commit. Housekeeping does
// what the clock asks for, and Acts what a person does on the page or by a command.
package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/control"
	"helpdesk/daemon/desk"
	"helpdesk/mail/fetch"
	"helpdesk/mail/provider"
	"helpdesk/mail/send"
	"helpdesk/store"
	"helpdesk/ui"
)

// DatabaseFile is the name of the store's file in data_dir.
const DatabaseFile = "helpdesk.db"

// Options are what Run needs beside the configuration.
type Options struct {
	Config  *config.Config
	Version string
	Logger  *slog.Logger
	Now     func() time.Time // nil: time.Now
	Ready   func(Info)       // called once page and control answer; may be nil

	wait func(context.Context, time.Duration, <-chan struct{}) error // nil: by the computer's clock
}

// Info is what a caller of Run may want to know of the running daemon.
type Info struct {
	PageURL    string        // "http://127.0.0.1:8025"
	SignInLink func() string // makes a new one-time link
	Status     func(context.Context) (ui.Status, error)
	Store      *store.Store
}

// daemon is one run of the program.
type daemon struct {
	Options
	store    *store.Store
	health   *health
	signer   *desk.Signer
	super    *supervisor
	started  time.Time
	desks    []*runningDesk
	fuses    map[string]*fuse    // by health subject of the relay
	accounts map[string]*account // by health subject of mailbox or relay
	salt     []byte              // of what tells settings of accounts apart
	certs    *certificates
	alarms   *alarms
	faces    *faces // of the desks' mailboxes
	pageLink string // of the page, for mail
	tokens   *tokens
	consents *consents
	deliver  []*deliverer
	newMail  chan struct{} // wakes the search index
	page     *ui.Server
	acts     *Acts
	spoolDir string

	// tokensFor stands for tokens in a process beside the daemon.
	tokensFor func(*config.Server) func(context.Context) (string, error)
}

// runningDesk is a desk of the configuration and what runs for it.
type runningDesk struct {
	conf     *config.Desk
	settings *desk.Settings
	relay    string // health subject of its relay

	collector *collector // nil while a fault of the configuration keeps the mailbox closed
}

func (d *runningDesk) mailbox() string { return "mailbox:" + strconv.FormatInt(d.settings.ID, 10) }

// observes reports whether the desk only observes: nothing is sent for it.
func (d *runningDesk) observes() bool { return d.conf.Mode == config.ModeObserve }

// Run runs the daemon until ctx ends, and returns when all of it has stopped.
// The error says why it could not start.
func Run(ctx context.Context, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.wait == nil {
		o.wait = wait
	}
	dir := o.Config.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making data_dir: %w", err)
	}
	lock, err := control.AcquireLock(dir)
	if err != nil {
		return err
	}
	defer lock.Release()
	d := &daemon{Options: o, started: o.Now(), super: &supervisor{log: o.Logger}, newMail: make(chan struct{}, 1), fuses: make(map[string]*fuse), accounts: make(map[string]*account), certs: &certificates{}, faces: &faces{}}
	if d.spoolDir, err = sweepSpool(dir); err != nil {
		return err
	}
	if d.store, err = store.Open(ctx, filepath.Join(dir, DatabaseFile), store.Options{Now: o.Now}); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer func() {
		if err := d.store.Close(); err != nil {
			o.Logger.Error("closing the database", "error", err)
		}
	}()
	d.health = newHealth(d.store, o.Now, o.Logger)
	d.tokens = newTokens(d.store, dir, o.Now, o.Logger)
	d.consents = newConsents(d)
	if err := d.health.load(ctx); err != nil {
		return err
	}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.Config.UI.Listen)
	if err != nil {
		return fmt.Errorf("opening the page on %s: %w (another program has this port: choose another one for [ui] listen)", o.Config.UI.Listen, err)
	}
	defer listener.Close()
	return d.serve(ctx, listener)
}

// sweepSpool empties data_dir/spool: what lies there was under way when the
// process ended, and is still on the server.
func sweepSpool(dir string) (string, error) {
	spool := filepath.Join(dir, "spool")
	if err := os.RemoveAll(spool); err != nil {
		return "", fmt.Errorf("emptying the spool: %w", err)
	}
	if err := os.Mkdir(spool, 0o700); err != nil {
		return "", fmt.Errorf("making the spool: %w", err)
	}
	return spool, nil
}

// prepare makes the parts of the program, without starting any.
func (d *daemon) prepare(ctx context.Context) error {
	var err error
	if d.signer, err = d.signingKey(ctx); err != nil {
		return err
	}
	if err := d.readSalt(ctx); err != nil {
		return err
	}
	relays := make(map[string]*deliverer)
	for i := range d.Config.Desks {
		r, err := d.prepareDesk(ctx, &d.Config.Desks[i])
		if err != nil {
			return err
		}
		d.desks = append(d.desks, r)
		if !r.conf.Relay.Enabled {
			d.health.set(ctx, r.relay, stateOff)
			continue
		}
		one := relays[r.relay]
		if one == nil {
			one = d.newDeliverer(&r.conf.Relay, r.relay)
			relays[r.relay] = one
			d.deliver = append(d.deliver, one)
		}
		one.desks[r.settings.ID] = r.settings
		if !r.observes() { // what waits since it was live goes on waiting
			one.ids = append(one.ids, r.settings.ID)
		}
	}
	if err := d.tidyObserved(); err != nil {
		return err
	}
	d.alarms = d.newAlarms()
	d.acts = d.newActs(d.settingsOfAll())
	return nil
}

// settingsOfAll are the settings of all desks.
func (d *daemon) settingsOfAll() (all []*desk.Settings) {
	for _, r := range d.desks {
		all = append(all, r.settings)
	}
	return all
}

// signingKeyName is where the store has the key of our Message-IDs.
const signingKeyName = "signing_key"

// signingKey reads the key of our Message-IDs, or makes it at the first start.
func (d *daemon) signingKey(ctx context.Context) (*desk.Signer, error) {
	var text string
	err := d.store.Write(ctx, func(tx *store.Tx) error {
		found, ok, err := tx.Meta(ctx, signingKeyName)
		if err != nil {
			return err
		}
		if text = found; ok {
			return nil
		}
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return err
		}
		text = hex.EncodeToString(key)
		return tx.SetMeta(signingKeyName, text)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	key, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	return desk.NewSigner(key)
}

// ensureDesk makes a desk known to the store and returns what deciding and
// writing need to know of it.
func (d *daemon) ensureDesk(ctx context.Context, c *config.Desk) (*desk.Settings, error) {
	var stored store.Desk
	if err := d.store.Write(ctx, func(tx *store.Tx) (err error) {
		stored, err = tx.EnsureDesk(c.Address, c.Key, c.Name)
		return err
	}); err != nil {
		return nil, fmt.Errorf("preparing desk %q: %w", c.Name, err)
	}
	return d.deskSettings(stored.ID, c), nil
}

func (d *daemon) prepareDesk(ctx context.Context, c *config.Desk) (*runningDesk, error) {
	s, err := d.ensureDesk(ctx, c)
	if err != nil {
		return nil, err
	}
	var faults []config.Fault
	s.Texts, faults = ownTexts(d.Config, c, s)
	c.Closed = append(c.Closed, faults...)
	relay := "relay"
	if c.OwnRelay {
		relay = "relay:" + strconv.FormatInt(s.ID, 10)
	}
	r := &runningDesk{conf: c, settings: s, relay: relay}
	if len(c.Closed) == 0 {
		r.collector = d.newCollector(r)
	}
	return r, nil
}

func (d *daemon) newDeliverer(r *config.Relay, subject string) *deliverer {
	f := &fuse{perMinute: r.MaxPerMinute, now: d.Now, pauses: d.wait}
	d.fuses[subject] = f
	return &deliverer{
		desks:    make(map[int64]*desk.Settings),
		settings: func() (send.Settings, error) { return d.relaySettings(r) },
		store:    d.store, renderer: &desk.Renderer{Store: d.store, Signer: d.signer, Alarm: d.alarmText, Weekly: d.weeklyText, News: d.newsText}, health: d.health, fuse: f,
		account: d.newAccount(subject, &r.Server, r.Anonymous), certs: d.certs, attempts: backoff{provider: r.Provider()},
		now: d.Now, wait: d.wait, log: d.Logger, kick: make(chan struct{}, 1), subject: subject,
	}
}

func (d *daemon) newCollector(r *runningDesk) *collector {
	m := &r.conf.Mailbox
	var logins time.Duration
	if p, ok := provider.Named(m.Provider()); ok && m.Protocol == config.POP3 {
		logins = p.PollPOP3
	}
	c := &collector{
		desk:     r.settings,
		settings: func() (fetch.Settings, error) { return d.mailboxSettings(m) },
		poll:     time.Duration(m.Poll), process: m.Backlog == config.BacklogProcess, imports: m.Backlog == config.BacklogImport,
		store: d.store, taker: &desk.Taker{Store: d.store, Signer: d.signer, Now: d.Now, Spool: d.spoolDir}, health: d.health,
		account: d.newAccount(r.mailbox(), &m.Server, false), certs: d.certs, attempts: backoff{provider: m.Provider()},
		now: d.Now, log: d.Logger, subject: r.mailbox(), breaks: make(map[uint32]breakage),
		taken: d.taken, logins: logins, kick: make(chan struct{}, 1),
	}
	if len(d.Config.Desks) > 1 {
		c.face = d.faces.add(r.conf.Name)
	}
	c.shadow = ObservePath(d.Config.DataDir, r.settings.ID)
	if r.observes() {
		c.observer = &observer{home: d.store}
	}
	return c
}

// taken is called after each commit of a collector.
func (d *daemon) taken(queued bool) {
	signal(d.newMail)
	if queued {
		for _, one := range d.deliver {
			signal(one.kick)
		}
	}
}

// serve starts all loops and waits for their end.
func (d *daemon) serve(ctx context.Context, listener net.Listener) error {
	var err error
	d.pageLink = d.pageURL(listener.Addr().String())
	trials := d.newTrials()
	d.page, err = ui.New(ui.Deps{
		Tests: &ui.Tests{Targets: trials.Targets, Run: trials.Run}, Authorize: d.consents.pages(),
		Store: d.store, Status: d.status, Healthy: d.super.healthy, Lang: d.Config.Language, Now: d.Now, Act: d.acts.Do, Observed: d.observedStore,
		WhyDesks: WhyDesks(d.Config),
		Logger:   d.Logger, Listen: listener.Addr().String(), BaseURL: d.Config.UI.BaseURL,
	})
	if err != nil {
		return fmt.Errorf("preparing the page: %w", err)
	}
	server, err := control.Serve(ctx, d.Config.DataDir, d.controlHandler(listener.Addr().String()))
	if err != nil {
		return fmt.Errorf("opening the control port: %w", err)
	}
	defer server.Close()
	for _, r := range d.desks {
		if r.collector == nil {
			d.health.set(ctx, r.mailbox(), stateStopped)
			continue
		}
		d.super.start(ctx, r.mailbox(), r.collector.run)
	}
	for _, one := range d.deliver {
		d.super.start(ctx, one.subject, one.run)
	}
	for _, r := range d.desks {
		if r.canary() != "" {
			d.super.start(ctx, r.canary(), d.newCanary(r, trials).run)
		}
	}
	d.super.start(ctx, "index", d.index)
	d.super.start(ctx, "alarms", d.alarms.run)
	d.super.start(ctx, "housekeeping", d.newHousekeeping().run)
	d.super.start(ctx, "page", func(ctx context.Context) error { return servePage(ctx, listener, d.page.Handler()) })
	base := "http://" + listener.Addr().String()
	d.Logger.Info("running", "version", d.Version, "page", base, "desks", len(d.desks))
	if d.Ready != nil {
		d.Ready(Info{PageURL: base, SignInLink: func() string { return d.page.SignInLink(base) }, Status: d.status, Store: d.store})
	}
	<-ctx.Done()
	d.super.wg.Wait()
	d.Logger.Info("stopped")
	return nil
}

// servePage serves until ctx ends; requests under way get two seconds.
func servePage(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if server.Shutdown(bounded) != nil {
			server.Close()
		}
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the page: %w", err)
	}
	<-ctx.Done()
	return ctx.Err()
}
