package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
)

// account sees to it that the account of a mailbox or relay is never locked by
// us (promise 8). What it knows is kept in the store: a restart gives no
// further attempt.
//
// A password that never worked is tried once. One that worked is tried again
// after the pauses of refusedPauses, because servers refuse right passwords on
// bad days. Where the cause says that a person must act, nothing is tried. All
// of that ends when the settings change, the password's file included, or when
// a person asks for another try.
type account struct {
	subject  string                 // of the health table
	provider string                 // slug of mail/provider, "" for none
	hash     func() (string, error) // of the account's settings as they are now
	store    *store.Store
	now      func() time.Time
	wait     func(context.Context, time.Duration, <-chan struct{}) error
	log      *slog.Logger
	kick     chan struct{} // ends a pause

	mu     sync.Mutex
	known  bool          // row was read
	row    store.SignIn  // what holds
	kept   store.SignIn  // what the store has
	before *store.SignIn // what held before the sign-in that is under way; nil: none is
	again  bool          // a person asked for another try
	why    error         // why it is stopped, where that was in this run
}

// newAccount makes the guard of a mailbox or relay.
func (d *daemon) newAccount(subject string, s *config.Server, anonymous bool) *account {
	a := &account{
		subject: subject, provider: s.Provider(), store: d.store, now: d.Now, wait: d.wait, log: d.Logger, kick: make(chan struct{}, 1),
		hash: func() (string, error) {
			credential := ""
			if !anonymous && !s.OAuth.Used() { // a refresh token changes with each use
				var err error
				if credential, err = s.ResolvePassword(); err != nil {
					return "", fmt.Errorf("reading the password: %w", err)
				}
			}
			hash, err := s.AccountHash(d.salt, credential)
			if err != nil {
				return "", fmt.Errorf("reading the files of the account: %w", err)
			}
			return hash[:hashDigits], nil
		},
	}
	d.accounts[subject] = a
	return a
}

// hashDigits is how much of the hash is kept: enough to see a change, and too
// little to tell whoever has a copy of the database which password it was.
const hashDigits = 8

// readSalt reads what makes the hashes of accounts this installation's own.
func (d *daemon) readSalt(ctx context.Context) error {
	key, _, err := d.store.Meta(ctx, signingKeyName)
	if err != nil {
		return fmt.Errorf("reading the signing key: %w", err)
	}
	d.salt = []byte("account:" + key)
	return nil
}

// lookAgain is how soon a changed password file is seen while an account is not tried.
const lookAgain = 30 * time.Second

// admit returns when the account may be tried, which is not before at. It
// returns sooner when the settings change or a person asks for another try.
func (a *account) admit(ctx context.Context, at time.Time) error {
	for {
		pause, err := a.pause(ctx, at)
		if err != nil {
			return err
		}
		if pause <= 0 {
			return ctx.Err()
		}
		if err := a.wait(ctx, min(pause, lookAgain), a.kick); err != nil {
			return err
		}
	}
}

// pause is how long the account is not to be tried from now on.
func (a *account) pause(ctx context.Context, at time.Time) (time.Duration, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.read(ctx); err != nil {
		return 0, err
	}
	// Settings that cannot be read, as while an editor replaces the password's
	// file, are no other settings.
	if hash, err := a.hash(); err == nil && hash != a.row.Account {
		changed := a.row.Account != ""
		a.row = store.SignIn{Subject: a.subject, Account: hash}
		if changed {
			a.log.Info("the settings of an account changed: it is tried anew", "part", a.subject)
			a.save(ctx)
			a.again = true
		}
	}
	switch {
	case a.again:
		a.again = false
		return 0, nil
	case a.row.Stopped:
		return lookAgain, nil
	case a.row.NextAt.After(at):
		at = a.row.NextAt
	}
	return at.Sub(a.now()), nil
}

// read fetches what the store knows, once.
func (a *account) read(ctx context.Context) error {
	if a.known {
		return nil
	}
	row, err := a.store.SignIn(ctx, a.subject)
	if err != nil {
		return fmt.Errorf("reading what is known of the sign-ins of %s: %w", a.subject, err)
	}
	a.row, a.kept, a.known = row, row, true
	return nil
}

// save keeps what holds now. Where the store cannot, it holds for this run.
func (a *account) save(ctx context.Context) {
	if a.row == a.kept {
		return
	}
	row := a.row
	// A sign-in that the server saw must be on record even when we are told to stop now.
	if err := a.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.PutSignIn(row) }); err != nil {
		a.log.Error("keeping what is known of an account", "part", a.subject, "error", err)
		return
	}
	a.kept = row
}

// trace tells the guard of the sign-ins of a connection, and then, where it is
// not nil, whoever else wants to know.
func (a *account) trace(ctx context.Context, end func(connect.Stage)) *connect.Trace {
	return &connect.Trace{
		Begin: func(step string) {
			if step == mail.StepLogin {
				a.begin(ctx)
			}
		},
		End: func(s connect.Stage) {
			if s.Step == mail.StepLogin && s.Err == nil {
				a.signedIn(ctx)
			}
			if end != nil {
				end(s)
			}
		},
	}
}

// begin records that a sign-in is under way, as though it had been refused: a
// slow server may be about to refuse it when we are stopped or killed. The
// first one that is cut off is given for free, else each restart would delay
// mail.
func (a *account) begin(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.before != nil {
		return
	}
	before := a.row
	a.before = &before
	if before.Refused > 0 {
		a.row.NextAt = a.now().Add(refusedPauses[min(before.Refused, len(refusedPauses))-1])
	}
	a.row.Refused++
	a.save(ctx)
}

// signedIn records that the server took name and password.
func (a *account) signedIn(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.before = nil
	a.row = store.SignIn{Subject: a.subject, Account: a.row.Account, Worked: true}
	a.save(ctx)
}

// worked reports whether the account ever worked with its present settings.
func (a *account) worked() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.row.Worked
}

// failed records a failure and says when the next attempt is due, by b where
// the account itself is not the reason. Where a person must act first, stop is
// why.
func (a *account) failed(ctx context.Context, err error, b *backoff) (pause time.Duration, stop error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.read(ctx); err != nil {
		a.log.Error("a failure is judged without what is known of the account", "part", a.subject, "error", err)
	}
	if a.before != nil {
		a.row, a.before = *a.before, nil
	}
	a.row.NextAt = time.Time{}
	defer func() { a.save(ctx) }()
	e, d, ok := explained(err, a.provider)
	if !ok {
		return b.next(err), nil
	}
	if afterLogin(e.Step) {
		a.row.Worked, a.row.Refused = true, 0
	}
	switch v := judgeSignIn(e, d); {
	case v == signInStops, v == signInRefused && !a.row.Worked:
		a.row.Refused++
		a.row.Stopped, a.why = true, err
		return 0, err
	case v == signInRefused, v == signInDoubtful:
		pause = max(refusedPauses[min(a.row.Refused, len(refusedPauses)-1)], diagnose.Pause(e.Text))
		a.row.Refused++
		a.row.NextAt = a.now().Add(pause)
	case v == signInLimited:
		pause = b.next(err)
		a.row.NextAt = a.now().Add(pause)
	default:
		pause = b.next(err)
	}
	if a.row.Stopped && a.why != nil { // by a person's test, while a connection was open
		return 0, a.why
	}
	return pause, nil
}

// resting reports whether the account is not to be tried now.
func (a *account) resting() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.row.Stopped || a.row.NextAt.After(a.now())
}

// lift ends a stop and every pause. worked says that the settings were just
// seen to work.
func (a *account) lift(ctx context.Context, worked bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.read(ctx); err != nil {
		return err
	}
	a.row = store.SignIn{Subject: a.subject, Account: a.row.Account, Worked: a.row.Worked || worked}
	a.before, a.again = nil, true
	a.save(ctx)
	signal(a.kick)
	return nil
}

// What a failure says about name and password.
type signIn int

const (
	signInPasses   signIn = iota // nothing: nobody looked at them, or the failure is another
	signInLimited                // the server has had enough of us for a while
	signInDoubtful               // perhaps refused, in words that we do not know
	signInRefused
	signInStops // a person must act before another attempt has any sense
)

// judgeSignIn says what a failure means for the account.
func judgeSignIn(e *mail.Error, d diagnose.Diagnosis) signIn {
	if d.Cause == causeConnections || limiting(d.Cause) && d.Cause != causeQuota {
		return signInLimited
	}
	if d.Retry == diagnose.RetrySoon {
		return signInPasses
	}
	if d.Retry == diagnose.RetryNever && asksPerson(d.Cause) {
		return signInStops
	}
	if e.Step != mail.StepLogin && e.Step != mail.StepToken {
		return signInPasses
	}
	switch {
	case d.Cause == "auth-bad-credentials", d.Cause == "oauth-access-token-rejected":
		return signInRefused
	case d.Cause == diagnose.Unknown && e.Text == "" && e.Code == "":
		return signInPasses // the server said nothing: the connection broke
	case d.Cause == diagnose.Unknown && !e.Temporary:
		return signInRefused
	case d.Cause == diagnose.Unknown, d.Cause == "oauth-mailbox-permission":
		return signInDoubtful
	}
	return signInPasses
}

// asksPerson reports whether a cause is about signing in and is mended by a
// person alone. A password that is called wrong is none of them where it
// worked before; of those that say nothing about the account (no way to sign
// in is offered, encryption is missing) none is either.
func asksPerson(cause string) bool {
	switch cause {
	case "auth-bad-credentials", "auth-required", "auth-mechanism-unsupported", "auth-temporary-failure", "oauth-access-token-rejected":
		return false
	case "basic-auth-disabled", "smtp-auth-disabled", "protocol-disabled", "client-id-required":
		return true
	}
	return strings.HasPrefix(cause, "auth-") || strings.HasPrefix(cause, "oauth-")
}

// afterLogin reports whether a step comes after a sign-in that went well.
func afterLogin(step string) bool {
	switch step {
	case mail.StepSelect, mail.StepList, mail.StepFetch, mail.StepAct, mail.StepIdle, mail.StepMailFrom, mail.StepRcptTo, mail.StepData:
		return true
	}
	return false
}

// retryNow ends the stop or the pause of a mailbox or relay ("mailbox:1",
// "relay"): it is tried at once. It is for a person who pressed a button or has
// just signed in at the provider.
func (d *daemon) retryNow(ctx context.Context, subject string) error {
	a := d.accounts[subject]
	if a == nil {
		return nil // switched off, or closed by a fault
	}
	return a.lift(ctx, false)
}

// tested tells what a person's test of a mailbox or relay found: where it went
// well, the part is tried at once; where the server refused the sign-in, that
// counts as any other refusal, so that the test is the one attempt.
func (d *daemon) tested(ctx context.Context, subject string, err error) error {
	a := d.accounts[subject]
	if a == nil {
		return nil
	}
	if err == nil {
		return a.lift(ctx, true)
	}
	e, diagnosis, ok := explained(err, a.provider)
	if !ok || judgeSignIn(e, diagnosis) == signInPasses {
		return nil
	}
	_, stop := a.failed(ctx, err, &backoff{provider: a.provider})
	if stop != nil && d.health.part(subject).State != stateOK { // a connection that is open goes on
		d.health.stop(ctx, subject, stop)
	}
	return nil
}
