package loopback

import (
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// imapServer is an IMAP4rev1 server with what the library itself adds (IDLE,
// UNSELECT, SASL-IR, LITERAL-) and NAMESPACE, UIDPLUS and MOVE.
func (s *Server) imapServer(config *tls.Config) *imapserver.Server {
	return imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &imapSession{server: s}, nil, nil
		},
		Caps:         imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {}, imap.CapMove: {}},
		TLSConfig:    config,
		InsecureAuth: true, // it never leaves this machine
		Logger:       logger{s.options.Log},
	})
}

// imapSession is one connection. Its methods are called by that connection's
// goroutine, but for Idle.
type imapSession struct {
	server   *Server
	account  *account                   // nil before login
	folder   *folder                    // nil when none is selected
	view     *imapserver.SessionTracker // what the client was told of folder
	readOnly bool                       // EXAMINE
}

func refuse(code imap.ResponseCode, text string) error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

// Close leaves the fields alone: an IDLE of the same connection may still be reading them.
func (c *imapSession) Close() error {
	if c.view != nil {
		c.view.Close()
	}
	return nil
}

func (c *imapSession) Login(username, password string) error {
	c.account = c.server.store.login(username, password)
	if c.account == nil {
		c.server.imapRefused.Add(1)
		return imapserver.ErrAuthFailed
	}
	c.server.imapLogins.Add(1)
	return nil
}

func (c *imapSession) Select(name string, options *imap.SelectOptions) (*imap.SelectData, error) {
	f := c.account.folder(name)
	if f == nil {
		return nil, refuse(imap.ResponseCodeNonExistent, "No such mailbox")
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	c.folder, c.view, c.readOnly = f, f.updates.NewSession(), options.ReadOnly
	flags := []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft}
	data := &imap.SelectData{
		Flags:          flags,
		PermanentFlags: append(slices.Clone(flags), imap.FlagWildcard),
		NumMessages:    uint32(len(f.list)),
		UIDNext:        f.next,
		UIDValidity:    f.validity,
	}
	if i := slices.IndexFunc(f.list, func(m *stored) bool { return !m.has(imap.FlagSeen) }); i >= 0 {
		data.FirstUnseenSeqNum = uint32(i) + 1
	}
	return data, nil
}

func (c *imapSession) Unselect() error {
	c.view.Close()
	c.folder, c.view, c.readOnly = nil, nil, false
	return nil
}

func (c *imapSession) Create(name string, _ *imap.CreateOptions) error {
	name = strings.TrimRight(name, string(c.server.options.Delimiter))
	a := c.account
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.folders[name] != nil {
		return refuse(imap.ResponseCodeAlreadyExists, "Mailbox already exists")
	}
	a.folders[name] = a.store.newFolder(name)
	return nil
}

func (c *imapSession) Delete(name string) error {
	a := c.account
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.folders[name] == nil {
		return refuse(imap.ResponseCodeNonExistent, "No such mailbox")
	}
	if name == inboxName {
		return refuse("", "INBOX stays") // RFC 9051 section 6.3.5
	}
	delete(a.folders, name)
	return nil
}

func (c *imapSession) Rename(from, to string, _ *imap.RenameOptions) error {
	a := c.account
	a.mutex.Lock()
	defer a.mutex.Unlock()
	f := a.folders[from]
	if f == nil {
		return refuse(imap.ResponseCodeNonExistent, "No such mailbox")
	}
	if a.folders[to] != nil || from == inboxName {
		return refuse(imap.ResponseCodeAlreadyExists, "Mailbox exists, or is INBOX")
	}
	f.mutex.Lock()
	f.name = to
	f.mutex.Unlock()
	a.folders[to] = f
	delete(a.folders, from)
	return nil
}

func (c *imapSession) Subscribe(name string) error   { return c.subscribe(name, true) }
func (c *imapSession) Unsubscribe(name string) error { return c.subscribe(name, false) }

func (c *imapSession) subscribe(name string, yes bool) error {
	f := c.account.folder(name)
	if f == nil {
		return refuse(imap.ResponseCodeNonExistent, "No such mailbox")
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.subscribed = yes
	return nil
}

func (c *imapSession) List(w *imapserver.ListWriter, ref string, patterns []string, options *imap.ListOptions) error {
	delimiter := c.server.options.Delimiter
	if len(patterns) == 0 { // LIST "" "" asks for the delimiter (RFC 9051 section 6.3.9)
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delimiter})
	}
	for _, f := range c.account.all() {
		f.mutex.Lock()
		name, subscribed := f.name, f.subscribed
		f.mutex.Unlock()
		matches := slices.ContainsFunc(patterns, func(p string) bool { return imapserver.MatchList(name, delimiter, ref, p) })
		if !matches || options.SelectSubscribed && !subscribed {
			continue
		}
		data := &imap.ListData{Mailbox: name, Delim: delimiter}
		if options.ReturnStatus != nil {
			data.Status = f.status(options.ReturnStatus)
		}
		if err := w.WriteList(data); err != nil {
			return err
		}
	}
	return nil
}

func (c *imapSession) Status(name string, options *imap.StatusOptions) (*imap.StatusData, error) {
	f := c.account.folder(name)
	if f == nil {
		return nil, refuse(imap.ResponseCodeNonExistent, "No such mailbox")
	}
	return f.status(options), nil
}

// status answers STATUS; numbers that were not asked for stay nil or are not written.
func (f *folder) status(options *imap.StatusOptions) *imap.StatusData {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var total, unseen, deleted, recent uint32
	var size int64
	for _, m := range f.list {
		total++
		size += int64(len(m.raw))
		if !m.has(imap.FlagSeen) {
			unseen++
		}
		if m.has(imap.FlagDeleted) {
			deleted++
		}
	}
	data := &imap.StatusData{Mailbox: f.name, UIDNext: f.next, UIDValidity: f.validity}
	if options.NumMessages {
		data.NumMessages = &total
	}
	if options.NumUnseen {
		data.NumUnseen = &unseen
	}
	if options.NumDeleted {
		data.NumDeleted = &deleted
	}
	if options.NumRecent {
		data.NumRecent = &recent
	}
	if options.Size {
		data.Size = &size
	}
	return data
}

func (c *imapSession) Append(name string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	f := c.account.folder(name)
	if f == nil {
		return nil, refuse(imap.ResponseCodeTryCreate, "No such mailbox")
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading the mail to append: %w", err)
	}
	at := options.Time
	if at.IsZero() {
		at = c.server.options.Now()
	}
	uid := f.append(stored{raw: raw, at: at, flags: changed(nil, &imap.StoreFlags{Op: imap.StoreFlagsSet, Flags: options.Flags})})
	return &imap.AppendData{UID: uid, UIDValidity: f.validity}, nil
}

func (c *imapSession) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Delim: c.server.options.Delimiter}}}, nil
}

func (c *imapSession) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if c.view == nil {
		return nil
	}
	return c.view.Poll(w, allowExpunge)
}

// Idle looks for news first and then at every change: SessionTracker.Idle would
// miss what came between the last command and this one.
func (c *imapSession) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	for {
		changed := c.server.store.bell.next()
		if err := c.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stop:
			return nil
		}
	}
}
