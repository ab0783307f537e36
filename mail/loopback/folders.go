package loopback

import (
	"crypto/subtle"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

const inboxName = "INBOX"

var errNoFolder = errors.New("no such folder")

// bell tells everyone who waits that something changed in some folder.
type bell struct {
	mutex sync.Mutex
	rung  chan struct{}
}

func (b *bell) next() <-chan struct{} {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.rung
}

func (b *bell) ring() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	close(b.rung)
	b.rung = make(chan struct{})
}

// store holds the accounts by lower-case address.
type store struct {
	delimiter rune
	validity  atomic.Uint32 // the last UIDVALIDITY given; never the same twice
	bell      bell

	mutex    sync.Mutex
	accounts map[string]*account
}

// newStore starts UIDVALIDITY at the clock, as servers do, so that a second
// start is not mistaken for the first (RFC 9051 section 2.3.1.1).
func newStore(delimiter rune, now func() time.Time) *store {
	s := &store{delimiter: delimiter, accounts: make(map[string]*account), bell: bell{rung: make(chan struct{})}}
	s.validity.Store(uint32(now().Unix()))
	return s
}

func (s *store) account(address string) *account {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.accounts[strings.ToLower(address)]
}

func (s *store) addAccount(address, password string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	key := strings.ToLower(address)
	a := s.accounts[key]
	if a == nil {
		a = &account{store: s, folders: make(map[string]*folder)}
		a.folders[inboxName] = s.newFolder(inboxName)
		s.accounts[key] = a
	}
	a.mutex.Lock()
	a.password = password
	a.mutex.Unlock()
}

// login returns the account if the password is right, else nil.
func (s *store) login(address, password string) *account {
	a := s.account(address)
	if a == nil {
		return nil
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if subtle.ConstantTimeCompare([]byte(a.password), []byte(password)) != 1 {
		return nil
	}
	return a
}

func (s *store) newFolder(name string) *folder {
	return &folder{
		bell: &s.bell, name: name, validity: s.validity.Add(1), next: 1,
		updates: imapserver.NewMailboxTracker(0), subscribed: true,
	}
}

// account is one user's folders.
type account struct {
	store *store

	mutex    sync.Mutex
	password string
	folders  map[string]*folder
}

func (a *account) folder(name string) *folder {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.folders[name]
}

// all returns the folders in the order of their names.
func (a *account) all() []*folder {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return slices.SortedFunc(maps.Values(a.folders), func(x, y *folder) int { return strings.Compare(x.name, y.name) })
}

// renew replaces a folder by one with the same mails, another UIDVALIDITY and
// new UIDs. Sessions that have the old one open keep it; the caller cuts them.
func (a *account) renew(name string) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	old := a.folders[name]
	if old == nil {
		return errNoFolder
	}
	fresh := a.store.newFolder(name)
	for _, m := range old.snapshot() {
		fresh.append(m)
	}
	a.folders[name] = fresh
	return nil
}

// stored is one mail. Its bytes are never changed; copies of a mail share them.
type stored struct {
	uid   imap.UID
	raw   []byte
	at    time.Time   // INTERNALDATE
	flags []imap.Flag // replaced as a whole, never changed in place
}

func (m *stored) has(flag imap.Flag) bool {
	return slices.ContainsFunc(m.flags, func(f imap.Flag) bool { return strings.EqualFold(string(f), string(flag)) })
}

// folder is one mailbox. The lock order is account, folder, updates.
type folder struct {
	bell     *bell
	validity uint32
	updates  *imapserver.MailboxTracker

	mutex      sync.Mutex
	name       string
	subscribed bool
	next       imap.UID
	list       []*stored // ascending UIDs; the index is the sequence number less one
}

// append adds a mail under the next UID, which it returns.
func (f *folder) append(m stored) imap.UID {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	m.uid = f.next
	f.next++
	f.list = append(f.list, &m)
	f.updates.QueueNumMessages(uint32(len(f.list)))
	f.bell.ring()
	return m.uid
}

// snapshot returns the mails as they are now.
func (f *folder) snapshot() []stored {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	list := make([]stored, len(f.list))
	for i, m := range f.list {
		list[i] = *m
	}
	return list
}

func (f *folder) messages() []Message {
	var messages []Message
	for _, m := range f.snapshot() {
		flags := make([]string, len(m.flags))
		for i, flag := range m.flags {
			flags[i] = string(flag)
		}
		messages = append(messages, Message{UID: uint32(m.uid), Flags: flags, Raw: m.raw})
	}
	return messages
}

// expunge removes the mails for which gone says so.
func (f *folder) expunge(gone func(*stored) bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	// From the end, so that the numbers of those before stay right.
	for i := len(f.list) - 1; i >= 0; i-- {
		if gone(f.list[i]) {
			f.updates.QueueExpunge(uint32(i) + 1)
			f.list = slices.Delete(f.list, i, i+1)
		}
	}
	f.bell.ring()
}

// changeFlags applies a STORE to the mails for which chosen says so, and tells
// every session but the one that asked.
func (f *folder) changeFlags(chosen func(*stored) bool, change *imap.StoreFlags, asker *imapserver.SessionTracker) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for i, m := range f.list {
		if chosen(m) {
			m.flags = changed(m.flags, change)
			f.updates.QueueMessageFlags(uint32(i)+1, m.uid, m.flags, asker)
		}
	}
	f.bell.ring()
}

func changed(flags []imap.Flag, change *imap.StoreFlags) []imap.Flag {
	var result []imap.Flag
	if change.Op != imap.StoreFlagsSet {
		result = slices.Clone(flags)
	}
	for _, flag := range change.Flags {
		result = slices.DeleteFunc(result, func(f imap.Flag) bool { return strings.EqualFold(string(f), string(flag)) })
		if change.Op != imap.StoreFlagsDel {
			result = append(result, canonical(flag))
		}
	}
	return result
}

// canonical spells a system flag as RFC 9051 section 2.3.2 does; keywords stay.
func canonical(flag imap.Flag) imap.Flag {
	if s := string(flag); len(s) > 1 && s[0] == '\\' {
		return imap.Flag(strings.ToUpper(s[:2]) + strings.ToLower(s[2:]))
	}
	return flag
}
