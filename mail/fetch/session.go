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
	"strconv"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// Settings say which mailbox to open and how. Settings.Protocol is "imap" or
// "pop3".
type Settings struct {
	connect.Settings
	connect.Login

	Folder   string // "" is INBOX
	ReadOnly bool   // the mailbox is looked at and nothing else: EXAMINE instead of SELECT, no QUIT by POP3; Acknowledge and Move are refused
	NoIdle   bool   // Wait polls, even where the server offers IDLE
	MaxSize  int64  // bytes; of a larger mail only the beginning is read. 0: no limit
	SpoolDir string // where mails above 1 MB lie until Raw.Close; "": the system's

	Name, Version string // what the server is told about us (RFC 2971)

	// Numbers gives each unique-id of a POP3 maildrop the number that stands
	// for it from now on, also in later sessions, ascending as they appear, and
	// keeps it before it returns. partial is State.Partial. nil: message numbers
	// are taken, which is for a look at the maildrop only.
	Numbers func(ctx context.Context, mails []UniqueID, partial bool) (Numbering, error)
	Delete  bool // POP3: every mail is deleted once it is taken; see popSession.identify
}

// State is what the server last said about the open folder.
type State struct {
	UIDValidity uint32 // 0: not told
	UIDNext     uint32 // 0: not told
	Messages    uint32

	Partial    bool          // POP3: the server lists a part of its mails at a time, as Gmail does
	LoginDelay time.Duration // POP3: how long it wants us to stay away between two logins; 0: not told
}

const (
	byeTimeout  = 2 * time.Second // for LOGOUT, and for DONE when Wait is cancelled
	idlePeriod  = 9 * time.Minute // some servers drop an IDLE after ten minutes
	memoryLimit = 1 << 20         // bytes; what is larger is spooled
)

// Session is an open folder of a mailbox. One goroutine uses it; Close may be
// called by another and ends whatever is under way. A call whose context ends
// closes the connection, but for Wait.
type Session interface {
	// State returns what the server last said about the folder.
	State() State
	// List returns the mails whose UID is from or above, ascending and each once.
	List(ctx context.Context, from uint32) ([]Listed, error)
	// Headers hands over Message-ID, Date, From and Subject of mails.
	Headers(ctx context.Context, uids []uint32, fn func(uid uint32, size int64, header []byte) error) error
	// WholeHeaders hands over all of the headers of mails.
	WholeHeaders(ctx context.Context, uids []uint32, fn func(uid uint32, size int64, header []byte) error) error
	// Fetch hands over whole mails as they arrive; missing were not sent.
	Fetch(ctx context.Context, mails []Listed, fn func(*mail.Raw) error) (missing []uint32, err error)
	// Acknowledge tells the server what became of mails.
	Acknowledge(ctx context.Context, action Action, uids []uint32) error
	// Move moves mails to a folder and returns those that the server says it moved.
	Move(ctx context.Context, folder string, uids []uint32) (moved []uint32, err error)
	// Wait returns when there may be news, when max has passed, or when ctx ends.
	Wait(ctx context.Context, max time.Duration) error
	// Broken reports whether the mailbox has to be opened again.
	Broken() bool
	Close() error
}

// imapSession is a Session over IMAP.
type imapSession struct {
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
func Open(ctx context.Context, set Settings) (Session, error) {
	if set.Protocol == "pop3" {
		s, err := openPOP(ctx, set)
		if err != nil {
			return nil, err // not a nil *popSession
		}
		return s, nil
	}
	s, err := openIMAP(ctx, set)
	if err != nil {
		return nil, err // not a nil *imapSession
	}
	return s, nil
}

func openIMAP(ctx context.Context, set Settings) (*imapSession, error) {
	set.Settings = set.Settings.WithDefaults()
	if set.Folder == "" {
		set.Folder = "INBOX"
	}
	conn, err := connect.Dial(ctx, set.Settings)
	if err != nil {
		return nil, err
	}
	s := &imapSession{settings: set, conn: conn, period: idlePeriod, noIdle: set.NoIdle, folders: map[string]string{}, copied: map[string]imap.UIDSet{}}
	if err := s.open(ctx); err != nil {
		_ = conn.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

// open goes from the greeting to the selected folder.
func (s *imapSession) open(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	greeting, err := s.greet(ctx)
	if err != nil {
		return err
	}
	s.wire = newWire(s.conn, greeting, s.conn.Note)
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
func (s *imapSession) selectFolder(ctx context.Context) error {
	return s.stage(mail.StepSelect, func() ([]connect.Fact, error) {
		name := s.settings.Folder
		err := s.selectNamed(ctx, name)
		if hasCode(err, "NONEXISTENT", "TRYCREATE", "CANNOT", "") {
			other, nameErr := s.folderName(ctx, mail.StepSelect, name)
			if nameErr != nil {
				return nil, nameErr
			}
			if other != name {
				if again := s.selectNamed(ctx, other); !isRefusal(again) {
					name, err = other, again
				}
			}
		}
		return []connect.Fact{{Name: "folder", Value: name}, {Name: "messages", Value: strconv.Itoa(int(s.State().Messages))}}, err
	})
}

func (s *imapSession) selectNamed(ctx context.Context, name string) error {
	return s.run(ctx, mail.StepSelect, func() error {
		s.wire.heard.reset()
		_, err := s.client.Select(name, &imap.SelectOptions{ReadOnly: s.settings.ReadOnly}).Wait()
		return err
	})
}

// stage makes a step of the conversation a stage of the trace.
func (s *imapSession) stage(step string, do func() ([]connect.Fact, error)) error {
	s.conn.Begin(step)
	facts, err := do()
	if err != nil {
		facts = nil
	}
	s.conn.End(err, facts...)
	return err
}

// State returns what the server last said about the folder.
func (s *imapSession) State() State { return s.wire.heard.folder() }

// Close says goodbye when the connection is at rest and works, and closes it.
func (s *imapSession) Close() error {
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
func (s *imapSession) Broken() bool {
	select {
	case <-s.client.Closed():
		return true
	default:
		return s.conn.Failure() != nil
	}
}

// abort is what the end of a context does: whoever reads or writes fails.
func (s *imapSession) abort() { _ = s.conn.Close() }

// run makes one exchange with the server: silence is limited while it lasts,
// the end of ctx ends it, and its error is made a *mail.Error of step.
func (s *imapSession) run(ctx context.Context, step string, exchange func() error) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	return s.exchange(ctx, step, exchange)
}

// exchange is run for those who hold busy.
func (s *imapSession) exchange(ctx context.Context, step string, exchange func() error) error {
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	s.wire.heard.listen()
	s.conn.SetIdle(s.settings.IdleTimeout)
	defer s.conn.SetIdle(0)
	return s.explain(ctx, step, exchange())
}

// offers reports whether the server has the capability.
func (s *imapSession) offers(c imap.Cap) bool { return s.wire.heard.has(string(c)) }

// explain makes err, which go-imap returned at step, into a *mail.Error: the
// server's refusal in its own words, or what broke the connection.
func (s *imapSession) explain(ctx context.Context, step string, err error) error {
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
