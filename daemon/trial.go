package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/diagnose"
	"helpdesk/mail/fetch"
	"helpdesk/mail/send"
	"helpdesk/store"
	"helpdesk/ui"
)

// Trials tests mailboxes and relays, stage by stage, and tells what happens as
// it happens. It is one engine for the page, `helpdesk test` and the canary,
// and reaches servers by the same code as the daily work.
type Trials struct {
	config  *config.Config
	now     func() time.Time
	mailbox func(*config.Mailbox) (fetch.Settings, error)
	relay   func(*config.Relay) (send.Settings, error)
	desk    func(*config.Desk) *desk.Settings
	signer  *desk.Signer
	state   func(part string) ui.PartStatus                   // the present state of a part; nil where no daemon is around it
	found   func(ctx context.Context, part string, err error) // what a test of a part found; may be nil

	plus     func(ctx context.Context, deskID int64) bool // whether a mail of sendPlus is due; nil: never
	patience time.Duration                                // how long the mail of a round trip is waited for

	mu   sync.Mutex
	busy map[string]bool // parts that are being tested
}

// newTrials is the engine of a running daemon.
func (d *daemon) newTrials() *Trials {
	t := &Trials{
		config: d.Config, now: d.Now, mailbox: d.mailboxSettings, relay: d.relaySettings, signer: d.signer,
		busy: make(map[string]bool), patience: arrivalLimit, state: d.partState, found: d.partTested, plus: d.plusDue,
	}
	t.desk = func(c *config.Desk) *desk.Settings {
		for _, r := range d.desks {
			if r.conf == c {
				return r.settings
			}
		}
		return d.deskSettings(0, c)
	}
	return t
}

// TrialOptions are what NewTrials needs beside the configuration.
type TrialOptions struct {
	Config  *config.Config
	Version string
	Store   *store.Store                                      // to read, where there is one: the mail of a round trip is signed with its key
	Found   func(ctx context.Context, part string, err error) // told what a test of a part found; may be nil

	// Token gives the access tokens of a server that signs in with OAuth2, see
	// Tokens.For; nil where none does.
	Token func(*config.Server) func(context.Context) (string, error)
}

// NewTrials is the engine for a process beside the daemon.
func NewTrials(ctx context.Context, o TrialOptions) (*Trials, error) {
	d := &daemon{Options: Options{Config: o.Config, Version: o.Version, Now: time.Now}, tokensFor: o.Token}
	t := &Trials{config: o.Config, now: time.Now, mailbox: d.mailboxSettings, relay: d.relaySettings, busy: make(map[string]bool), patience: arrivalLimit, found: o.Found}
	ids, key := map[string]int64{}, make([]byte, 32)
	if _, err := rand.Read(key); err != nil { // where no daemon ran yet, none will look for the mark
		return nil, fmt.Errorf("making a key: %w", err)
	}
	if o.Store != nil {
		t.plus = func(ctx context.Context, deskID int64) bool {
			works, err := plusWorks(ctx, o.Store.View, deskID)
			return err == nil && !works
		}
		desks, err := o.Store.Desks(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the desks: %w", err)
		}
		for _, one := range desks {
			ids[strings.ToLower(one.Address)] = one.ID
		}
		text, ok, err := o.Store.Meta(ctx, signingKeyName)
		if err == nil && ok {
			key, err = hex.DecodeString(text)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the signing key: %w", err)
		}
	}
	t.desk = func(c *config.Desk) *desk.Settings { return d.deskSettings(ids[strings.ToLower(c.Address)], c) }
	var err error
	t.signer, err = desk.NewSigner(key)
	return t, err
}

// Parts of a configuration, as ui.Target.Part.
const (
	sharedRelay   = "relay"
	mailboxPrefix = "mailbox:" // and the desk's key
	relayPrefix   = "relay:"   // and the desk's key
)

// MailboxPart is the part that a desk's mailbox is.
func MailboxPart(c *config.Desk) string { return mailboxPrefix + c.Key }

// RelayPart is the part that a desk's relay is.
func RelayPart(c *config.Desk) string {
	if c.OwnRelay {
		return relayPrefix + c.Key
	}
	return sharedRelay
}

// Targets lists all that can be tested: each desk's mailbox, then the relays.
func (t *Trials) Targets() []ui.Target {
	var mailboxes, relays []ui.Target
	where := make(map[string]int)
	for i := range t.config.Desks {
		c := &t.config.Desks[i]
		m := &c.Mailbox
		mailboxes = append(mailboxes, t.describe(ui.Target{
			Part: MailboxPart(c), Desks: []string{c.Name}, Address: c.Address, Protocol: m.Protocol, Server: m.Addr(), Username: m.Username, Off: len(c.Closed) > 0,
			Trips: c.Relay.Enabled,
		}))
		part := RelayPart(c)
		if n, there := where[part]; there {
			relays[n].Desks = append(relays[n].Desks, c.Name)
			continue
		}
		where[part] = len(relays)
		r := ui.Target{Part: part, Desks: []string{c.Name}, Address: c.Address, Protocol: "smtp", Server: c.Relay.Addr(), Username: c.Relay.Username, Off: !c.Relay.Enabled || c.Relay.Host == ""}
		if c.Relay.Anonymous {
			r.Username = ""
		}
		relays = append(relays, t.describe(r))
	}
	return append(mailboxes, relays...)
}

func (t *Trials) describe(target ui.Target) ui.Target {
	if t.state != nil {
		target.State = t.state(target.Part)
	}
	return target
}

// deskOf is the desk of a part, nil where there is none; for a relay that
// several share it is the first.
func (t *Trials) deskOf(part string) *config.Desk {
	kind, key, _ := strings.Cut(part, ":")
	for i := range t.config.Desks {
		c := &t.config.Desks[i]
		if c.Key == key || part == sharedRelay && !c.OwnRelay {
			return c
		}
	}
	if kind == sharedRelay && key == "" && len(t.config.Desks) > 0 {
		return &t.config.Desks[0]
	}
	return nil
}

// Run tests a part until it works, fails or ctx ends, and tells what happens.
// Its error is the failure that was told as trouble: a *mail.Error, or a
// *config.Fault where our own files are to blame; or ui.ErrTestBusy.
func (t *Trials) Run(ctx context.Context, o ui.TestOrder, tell func(ui.TestEvent)) error {
	c := t.deskOf(o.Part)
	if c == nil {
		return fmt.Errorf("there is no %s in the configuration", o.Part)
	}
	if !t.begin(o.Part) {
		return ui.ErrTestBusy
	}
	defer t.end(o.Part)
	ctx = byPerson(ctx)
	one := &trial{Trials: t, conf: c, tell: tell}
	if t.state != nil && t.state(o.Part).State == stateStopped && len(c.Closed) == 0 {
		one.note("one-attempt", false)
	}
	var err error
	switch {
	case o.RoundTrip:
		err = one.roundTrip(ctx)
	case strings.HasPrefix(o.Part, mailboxPrefix):
		err = one.reachMailbox(ctx)
	case o.To != "":
		err = one.sendMessage(ctx, o.To)
	default:
		err = one.reachRelay(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	one.done(ctx, one.at, err)
	provider := c.Mailbox.Provider()
	if one.at == RelayPart(c) {
		provider = c.Relay.Provider()
	}
	trouble := explain(err, provider, t.config.Language)
	tell(ui.TestEvent{Trouble: &trouble})
	return err
}

// roundTripLimit bounds a round trip that nobody watches.
const roundTripLimit = 6 * time.Minute

// roundTripQuietly makes a round trip of which only the failure is told: a
// success is no reason to end a pause that an account has.
func (t *Trials) roundTripQuietly(ctx context.Context, c *config.Desk) error {
	part := MailboxPart(c)
	if !t.begin(part) {
		return ui.ErrTestBusy
	}
	defer t.end(part)
	ctx, cancel := context.WithTimeout(ctx, roundTripLimit)
	defer cancel()
	one := &trial{Trials: t, conf: c, tell: func(ui.TestEvent) {}, quiet: true}
	err := one.roundTrip(ctx)
	if err != nil && ctx.Err() == nil {
		one.done(ctx, one.at, err)
	}
	return err
}

func (t *Trials) begin(part string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[part] {
		return false
	}
	t.busy[part] = true
	return true
}

func (t *Trials) end(part string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, part)
}

// explain puts a failure into words, as the status page does.
func explain(err error, provider, lang string) ui.PartStatus {
	var fault *config.Fault
	if errors.As(err, &fault) {
		return faultStatus(fault, lang)
	}
	var e *mail.Error
	if !errors.As(err, &e) {
		e = &mail.Error{Step: stepStore, Temporary: true, Err: err}
	}
	r := diagnose.Record(e)
	return ui.Part(store.Health{
		State: stateFailing, Step: r.Step, Auth: r.Auth, Protocol: r.Protocol, Server: r.Server,
		Code: r.Code, Enhanced: r.Enhanced, Text: r.Text, Temporary: r.Temporary, Err: r.Err,
	}, provider, lang)
}

// trial is one test under way.
type trial struct {
	*Trials
	conf *config.Desk
	tell func(ui.TestEvent)
	at   string // the part that is being tested

	quiet bool // no word of what works
}

func (t *trial) section(kind, part, server string) {
	t.at = part
	t.tell(ui.TestEvent{Section: &ui.TestSection{Kind: kind, Part: part, Desk: t.conf.Name, Server: server}})
}

func (t *trial) note(slug string, good bool, pairs ...string) {
	t.tell(ui.TestEvent{Note: &ui.Note{Slug: slug, Pairs: pairs, Good: good}})
}

// done says that a part works (nil), or why not.
func (t *trial) done(ctx context.Context, part string, err error) {
	if t.found != nil && (err != nil || !t.quiet) {
		t.found(ctx, part, err)
	}
}

// trace tells the stages of a conversation with a server.
func (t *trial) trace() *connect.Trace {
	return &connect.Trace{
		Begin: func(step string) { t.tell(ui.TestEvent{Begin: step}) },
		End:   func(s connect.Stage) { t.tell(ui.TestEvent{Stage: stage(s)}) },
	}
}

// stage makes a stage of mail/connect one of the page.
func stage(s connect.Stage) *ui.TestStage {
	out := &ui.TestStage{Step: s.Step, Failed: s.Err != nil, Took: s.Took, Said: s.Said}
	for _, f := range s.Facts {
		out.Facts = append(out.Facts, ui.TestFact{Name: f.Name, Value: f.Value})
	}
	if s.TLS == nil {
		return out
	}
	out.TLS = &ui.TestTLS{Version: s.TLS.Version, Cipher: s.TLS.Cipher, Fingerprint: s.TLS.Fingerprint, Chain: []ui.TestCertificate{}}
	for _, c := range s.TLS.Chain {
		out.TLS.Chain = append(out.TLS.Chain, certificate(c))
	}
	if s.TLS.Own != nil {
		own := certificate(*s.TLS.Own)
		out.TLS.Own = &own
	}
	return out
}

func certificate(c connect.CertificateFacts) ui.TestCertificate {
	return ui.TestCertificate{Subject: c.Subject, Issuer: c.Issuer, Names: append([]string{}, c.Names...), NotBefore: c.NotBefore, Expiry: c.Expiry}
}

// subjects of a part in the health table. A shared relay has one subject.
func (d *daemon) subject(part string) string {
	kind, key, _ := strings.Cut(part, ":")
	for _, r := range d.desks {
		switch {
		case kind+":" == mailboxPrefix && r.conf.Key == key:
			return r.mailbox()
		case kind == sharedRelay && (r.conf.Key == key || key == "" && !r.conf.OwnRelay):
			return r.relay
		}
	}
	return ""
}

// partState is the present state of a part in words.
func (d *daemon) partState(part string) ui.PartStatus { return d.part(d.subject(part)) }

// partTested hands on what a test found: what was stopped or waits for its
// next try begins again at once, and a refused log-in counts as one.
func (d *daemon) partTested(ctx context.Context, part string, err error) {
	if subject := d.subject(part); subject != "" {
		if err := d.tested(ctx, subject, err); err != nil {
			d.Logger.Error("keeping what a test found", "part", subject, "error", err)
		}
	}
}
