// Package fetch reads mailboxes: it opens a folder, lists it, hands over mails
// as they arrive, tells the server what became of them and waits for news.
// IMAP (RFC 3501, RFC 9051) is spoken by go-imap's client. Between it and the
// connection sits wire, which passes on only what was asked for, in the
// strictest form, because that client drops a connection on one odd line.
//
// Every error is, or wraps, a *mail.Error, but for failures of this machine
// (a spool file that cannot be written) and of the caller's own functions.
// No error contains the password.
package fetch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// Settings say which mailbox to open and how. Settings.Protocol is "imap".
type Settings struct {
	connect.Settings

	Username string
	Password string
	Folder   string // "" is INBOX
	NoIdle   bool   // Wait polls, even where the server offers IDLE
	MaxSize  int64  // bytes; of a larger mail only the beginning is read. 0: no limit
	SpoolDir string // where mails above 1 MB lie until Raw.Close; "": the system's

	Name, Version string // what the server is told about us (RFC 2971)
}

// State is what the server last said about the open folder.
type State struct {
	UIDValidity uint32 // 0: not told
	UIDNext     uint32 // 0: not told
	Messages    uint32
}

const (
	byeTimeout  = 2 * time.Second // for LOGOUT, and for DONE when Wait is cancelled
	idlePeriod  = 9 * time.Minute // some servers drop an IDLE after ten minutes
	memoryLimit = 1 << 20         // bytes; what is larger is spooled
)

// Session is an open folder of a mailbox. One goroutine uses it; Close may be
// called by another and ends whatever is under way. A call whose context ends
// closes the connection, but for Wait.
type Session struct {
	settings Settings
	conn     *connect.Conn
	wire     *wire
	client   *imapclient.Client
	strays   strays
	period   time.Duration // idlePeriod
	noIdle   bool

	folders map[string]string      // a folder as we call it → its name on the server
	copied  map[string]imap.UIDSet // folder's name → what lies there already; see move

	busy sync.Mutex // held while a command is under way
}

// Open reaches the server, logs in and selects the folder.
func Open(ctx context.Context, set Settings) (*Session, error) {
	set.Settings = set.Settings.WithDefaults()
	if set.Folder == "" {
		set.Folder = "INBOX"
	}
	conn, err := connect.Dial(ctx, set.Settings)
	if err != nil {
		return nil, err
	}
	s := &Session{settings: set, conn: conn, period: idlePeriod, noIdle: set.NoIdle, folders: map[string]string{}, copied: map[string]imap.UIDSet{}}
	if err := s.open(ctx); err != nil {
		_ = conn.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

// open goes from the greeting to the selected folder.
func (s *Session) open(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	greeting, err := s.greet(ctx)
	if err != nil {
		return err
	}
	s.wire = newWire(s.conn, greeting, func(line string) { s.conn.Note(s.scrub(line)) })
	s.client = imapclient.New(s.wire, &imapclient.Options{
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Fetch: s.strays.take},
	})
	if err := s.login(ctx, greeting.preauth); err != nil {
		return err
	}
	return s.selectFolder(ctx)
}

// selectFolder opens the folder under the name that was configured, or else
// under the one that it has on this server: people write "Support/Done" where
// the server says "INBOX.Support.Done".
func (s *Session) selectFolder(ctx context.Context) error {
	open := func(name string) error {
		return s.run(ctx, mail.StepSelect, func() error {
			s.wire.heard.reset()
			_, err := s.client.Select(name, nil).Wait()
			return err
		})
	}
	err := open(s.settings.Folder)
	if !hasCode(err, "NONEXISTENT", "TRYCREATE", "CANNOT", "") {
		return err
	}
	name, nameErr := s.folderName(ctx, mail.StepSelect, s.settings.Folder)
	if nameErr != nil {
		return nameErr
	}
	if name == s.settings.Folder {
		return err
	}
	if again := open(name); !isRefusal(again) {
		return again
	}
	return err
}

// State returns what the server last said about the folder.
func (s *Session) State() State { return s.wire.heard.folder() }

// Close says goodbye when the connection is at rest and works, and closes it.
func (s *Session) Close() error {
	if !s.busy.TryLock() {
		return s.conn.Close()
	}
	defer s.busy.Unlock()
	if !s.Broken() {
		s.conn.SetIdle(byeTimeout)
		_ = s.client.Logout().Wait() // many servers close instead of answering
	}
	err := s.conn.Close()
	<-s.client.Closed()
	return err
}

// Broken reports whether the connection has failed, so that the mailbox has to
// be opened again. After a refusal (NO, BAD) it has not.
func (s *Session) Broken() bool {
	select {
	case <-s.client.Closed():
		return true
	default:
		return s.conn.Failure() != nil
	}
}

// abort is what the end of a context does: whoever reads or writes fails.
func (s *Session) abort() { _ = s.conn.Close() }

// run makes one exchange with the server: silence is limited while it lasts,
// the end of ctx ends it, and its error is made a *mail.Error of step.
func (s *Session) run(ctx context.Context, step string, exchange func() error) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	return s.exchange(ctx, step, exchange)
}

// exchange is run for those who hold busy.
func (s *Session) exchange(ctx context.Context, step string, exchange func() error) error {
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	s.wire.heard.listen()
	s.conn.SetIdle(s.settings.IdleTimeout)
	defer s.conn.SetIdle(0)
	return s.explain(ctx, step, exchange())
}

// offers reports whether the server has the capability.
func (s *Session) offers(c imap.Cap) bool { return s.wire.heard.has(string(c)) }

// explain makes err, which go-imap returned at step, into a *mail.Error: the
// server's refusal in its own words, or what broke the connection.
func (s *Session) explain(ctx context.Context, step string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return s.settings.Error(step, context.Cause(ctx))
	}
	refusal := (*imap.Error)(nil)
	if errors.As(err, &refusal) {
		return s.refused(step, s.wire.heard.refusal())
	}
	if f := s.conn.Failure(); f != nil {
		err = f
	} else if f := s.wire.failure(); f != nil {
		err = f
	}
	e := s.settings.Error(step, err)
	if bye := s.wire.heard.farewell(); bye != nil {
		e.Code, e.Text = bye.code, s.words(bye.text)
	}
	return e
}
