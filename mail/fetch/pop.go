package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// popSession is a Session over POP3 (RFC 1939).
//
// A POP3 session is a snapshot of the maildrop: what comes later shows in the
// next one, and what is deleted is gone only when QUIT, which ends it, was
// answered. So popSession has one session after the other: Wait and
// Acknowledge end one, and the next is begun by Wait, or where the mails are
// needed. Between them it is at rest, with no connection.
//
// Message numbers are valid within one session and never leave this type. A
// mail is known by its unique-id (UIDL), for which Settings.Numbers has a
// number that takes the place of a UID; see identify for servers without.
type popSession struct {
	settings Settings
	pause    func(ctx context.Context, d time.Duration) error // tests have their own

	busy   sync.Mutex // held while a call is under way
	mu     sync.Mutex // guards conn and closed
	conn   *connect.Conn
	closed chan struct{}

	wire       *popWire
	caps       popCaps
	stamp      string // APOP timestamp of the greeting, ""
	partial    bool   // State.Partial
	noTop      bool   // TOP is not known to the server
	topWorks   bool   // it is
	mails      []popMail
	byUID      map[uint32]*popMail
	state      State
	loginDelay time.Duration
	loggedIn   time.Time
	broken     bool // the conversation failed; the caller opens the mailbox again
}

// snapshotAge is how old a listing may be before List makes a new session for
// it: recording thousands of old mails at a first start takes long, and new
// mail should not wait for the end of it.
const snapshotAge = 15 * time.Minute

func openPOP(ctx context.Context, set Settings) (*popSession, error) {
	set.Settings = set.Settings.WithDefaults()
	s := &popSession{settings: set, closed: make(chan struct{})}
	s.pause = s.sleep
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// begin begins a session, from the dial to the listing.
func (s *popSession) begin(ctx context.Context) error {
	conn, err := connect.Dial(ctx, s.settings.Settings)
	if err != nil {
		return err
	}
	s.wire, s.caps, s.stamp = newPOPWire(conn), nil, ""
	if !s.use(conn) {
		return errors.Join(s.settings.Error(mail.StepDial, net.ErrClosed), conn.Close())
	}
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	if err := s.open(ctx); err != nil {
		s.rest() // the first error says more
		return err
	}
	return nil
}

// open goes from the greeting to the listing.
func (s *popSession) open(ctx context.Context) error {
	if err := s.greet(ctx); err != nil {
		return err
	}
	if s.settings.Security == connect.StartTLS {
		if err := s.startTLS(ctx); err != nil {
			return err
		}
	}
	if err := s.askCapabilities(ctx); err != nil {
		return err
	}
	if err := s.login(ctx); err != nil {
		return err
	}
	// The login may change them: Microsoft tells TOP and UIDL only after it.
	if s.caps != nil && !(s.caps.has("UIDL") && s.caps.has("TOP")) {
		if err := s.askCapabilities(ctx); err != nil {
			return err
		}
	}
	return s.stage(ctx, mail.StepSelect, func() ([]connect.Fact, error) { return s.look(ctx) })
}

// use makes conn the present connection; false when the session was closed.
func (s *popSession) use(conn *connect.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	return !s.isClosed()
}

// rest closes the connection, if there is one.
func (s *popSession) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close() // nothing is sent any more
		s.conn = nil
	}
}

// abort is what the end of a context does: whoever reads or writes fails.
func (s *popSession) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

func (s *popSession) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// State returns what the present or last session showed.
func (s *popSession) State() State { return s.state }

// Broken reports whether the conversation failed. After a refusal, and after a
// session that was ended by QUIT, it has not.
func (s *popSession) Broken() bool { return s.broken || s.failure() != nil }

// failure is what broke the present connection; nil at rest.
func (s *popSession) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	return s.conn.Failure()
}

// Close ends the session, with QUIT when nothing is under way.
func (s *popSession) Close() error {
	s.mu.Lock()
	if !s.isClosed() {
		close(s.closed)
	}
	s.mu.Unlock()
	if !s.busy.TryLock() {
		s.abort()
		return nil
	}
	defer s.busy.Unlock()
	if !s.Broken() {
		s.leave(byeTimeout)
	}
	s.rest()
	return nil
}

// leave says QUIT. Nothing is marked as deleted then, so the answer does not
// matter. Whoever only looks hangs up: what was read may be removed after QUIT
// (RFC 2449 section 6.7), or not be listed any more (Gmail).
func (s *popSession) leave(patience time.Duration) {
	if s.conn != nil && !s.settings.ReadOnly {
		s.conn.SetIdle(patience)
		_, _ = s.command("QUIT")
	}
	s.rest()
}

// need begins the next session where there is none.
func (s *popSession) need(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	if err := s.pause(ctx, time.Until(s.loggedIn.Add(s.loginDelay))); err != nil {
		return err
	}
	before := s.state.UIDValidity
	if err := s.begin(ctx); err != nil {
		s.broken = true
		return err
	}
	if s.state.UIDValidity != before {
		s.broken = true
		return s.settings.Error(mail.StepSelect, errNewIDs)
	}
	return nil
}

// List returns the mails whose number is from or above.
func (s *popSession) List(ctx context.Context, from uint32) ([]Listed, error) {
	s.busy.Lock()
	defer s.busy.Unlock()
	if s.conn != nil && time.Since(s.loggedIn) > max(snapshotAge, s.loginDelay) {
		s.leave(s.settings.IdleTimeout)
	}
	if err := s.need(ctx); err != nil {
		return nil, err
	}
	var list []Listed
	for _, m := range s.mails {
		if m.uid >= from {
			list = append(list, Listed{UID: m.uid, Size: m.size})
		}
	}
	slices.SortFunc(list, func(a, b Listed) int { return int(int64(a.UID) - int64(b.UID)) })
	return list, nil
}

// delayRefusals is how often in a row a server may answer that we come too
// soon (LOGIN-DELAY) before that is an error: some do not tell the delay
// beforehand, so it is found out by waiting twice as long each time.
const delayRefusals = 4

// Wait ends the session, rests for max, or longer where the server demands it
// (LOGIN-DELAY), and begins the next one. There is no hearing of news meanwhile.
// When ctx ends it returns ctx.Err(). Any other error is that of the new session.
func (s *popSession) Wait(ctx context.Context, max time.Duration) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	s.leave(byeTimeout)
	for refused := 0; ; refused++ {
		pause := max
		if soonest := time.Until(s.loggedIn.Add(s.loginDelay)); soonest > pause {
			pause = soonest
		}
		if err := s.pause(ctx, pause); err != nil {
			return err
		}
		err := s.begin(ctx)
		var e *mail.Error
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &e) && e.Code == "LOGIN-DELAY" && refused < delayRefusals:
			s.loggedIn = time.Now()
			s.loginDelay = min(2*pause+time.Second, maxLoginDelay)
		default:
			s.broken = true
			return err
		}
	}
}

// sleep rests for d.
func (s *popSession) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return s.settings.Error(mail.StepIdle, net.ErrClosed)
	case <-timer.C:
		return nil
	}
}

// stage has a part of the conversation: it is traced, silence is limited while
// it lasts, the end of ctx ends it, and its error is made a *mail.Error.
func (s *popSession) stage(ctx context.Context, step string, have func() ([]connect.Fact, error)) error {
	conn := s.conn
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	idle := s.settings.IdleTimeout
	if step == mail.StepGreeting {
		idle = s.settings.GreetingTimeout()
	}
	conn.SetIdle(idle)
	conn.Begin(step)
	facts, err := have()
	err = s.explain(ctx, step, err)
	conn.End(err, facts...)
	return err
}

// explain makes err, which came up at step, into a *mail.Error: the server's
// refusal, or what broke the connection. What has nothing to do with the
// server stays what it is.
func (s *popSession) explain(ctx context.Context, step string, err error) error {
	if err == nil {
		return nil
	}
	var known *mail.Error
	switch failure := s.failure(); {
	case ctx.Err() != nil:
		s.broken = true
		return s.settings.Error(step, context.Cause(ctx))
	case errors.As(err, &known):
		s.broken = s.broken || failure != nil
		return err
	case failure != nil:
		s.broken = true
		return s.settings.Error(step, failure)
	case errors.Is(err, errNotPOP3), errors.Is(err, errPOPLine), errors.Is(err, errTooLong), errors.Is(err, errEndless), errors.Is(err, errTooMuch):
		s.broken = true // who knows what the next line belongs to
		return s.settings.Error(step, err)
	}
	return err
}

// refused makes a refusal at step an error.
func (s *popSession) refused(step string, r popReply) *mail.Error {
	e := s.settings.Error(step, nil)
	e.Code, e.Text, e.Temporary = r.code, s.words(r.text), popMayPass(step, r)
	return e
}

// words makes what the server said fit to be shown.
func (s *popSession) words(text string) string { return readable(s.conn.Scrub(text)) }

func (s *popSession) note(line string) { s.conn.Note(s.conn.Scrub(line)) }

// send sends a line.
func (s *popSession) send(line string) error {
	_, err := fmt.Fprintf(s.conn, "%s\r\n", line)
	return err
}

// command sends a command and reads its status line.
func (s *popSession) command(command string) (popReply, error) {
	if err := s.send(command); err != nil {
		return popReply{}, err
	}
	line, r, err := s.wire.status()
	if line != "" {
		s.note(line)
	}
	return r, err
}

// must is command for those whose refusal is an error.
func (s *popSession) must(step, command string) (popReply, error) {
	r, err := s.command(command)
	if err == nil && !r.ok {
		err = s.refused(step, r)
	}
	return r, err
}

// multi sends a command with a multi-line answer that is no mail.
func (s *popSession) multi(step, command string, fn func(line string)) (popReply, error) {
	r, err := s.must(step, command)
	if err == nil {
		err = s.wire.block(fn)
	}
	return r, err
}

// stream sends a command that is answered by a mail, or the beginning of one.
// begun is false when the server refused, or fell silent before the mail.
func (s *popSession) stream(step, command string, fn func([]byte) error) (begun bool, err error) {
	if _, err := s.must(step, command); err != nil {
		return false, err
	}
	return true, s.wire.body(fn)
}

// top reads the header of a mail and so many lines of its body. ok is false
// where the server has no TOP (RFC 1939 section 7: it is optional).
func (s *popSession) top(step string, n, lines int, fn func([]byte) error) (ok bool, err error) {
	if s.noTop {
		return false, nil
	}
	begun, err := s.stream(step, fmt.Sprintf("TOP %d %d", n, lines), fn)
	var e *mail.Error
	if isRefusal(err) && errors.As(err, &e) && e.Code == "" && !s.topWorks && !s.caps.has("TOP") {
		s.noTop = true
		return false, nil
	}
	s.topWorks = s.topWorks || begun
	return true, err
}
