package loopback

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// listed is a mail with its sequence number as the client knows it; 0 when the
// client was not told of the mail yet.
type listed struct {
	stored
	seq uint32
}

// pick returns the mails of a set, as they are now.
func (c *imapSession) pick(set imap.NumSet) []listed {
	f := c.folder
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var picked []listed
	contains := c.within(set)
	for i, m := range f.list {
		seq := c.view.EncodeSeqNum(uint32(i) + 1)
		if contains(seq, m.uid) {
			picked = append(picked, listed{*m, seq})
		}
	}
	return picked
}

// within returns the test whether a mail, by the client's sequence number and
// by UID, is in set. "*" is the highest number there is, and a range is meant
// either way round: "7:*" names the last mail even when its UID is 5 (RFC 9051
// section 9, seq-range). The folder is locked by the caller.
func (c *imapSession) within(set imap.NumSet) func(seq uint32, uid imap.UID) bool {
	list := c.folder.list
	switch set := set.(type) {
	case imap.UIDSet:
		var last imap.UID
		if len(list) > 0 {
			last = list[len(list)-1].uid
		}
		fixed := make(imap.UIDSet, 0, len(set))
		for _, r := range set {
			fixed.AddRange(cmp.Or(r.Start, last), cmp.Or(r.Stop, last)) // which swaps what is the wrong way round
		}
		return func(_ uint32, uid imap.UID) bool { return fixed.Contains(uid) }
	case imap.SeqSet:
		var last uint32
		for n := uint32(len(list)); n > 0 && last == 0; n-- {
			last = c.view.EncodeSeqNum(n) // 0 for those not announced yet
		}
		fixed := make(imap.SeqSet, 0, len(set))
		for _, r := range set {
			fixed.AddRange(cmp.Or(r.Start, last), cmp.Or(r.Stop, last))
		}
		return func(seq uint32, _ imap.UID) bool { return seq != 0 && fixed.Contains(seq) }
	}
	return func(uint32, imap.UID) bool { return false }
}

// Fetch writes what is asked of each mail. A mail that the client was not told
// of has no sequence number and is left for after the announcement.
func (c *imapSession) Fetch(w *imapserver.FetchWriter, set imap.NumSet, options *imap.FetchOptions) error {
	if !c.readOnly && slices.ContainsFunc(options.BodySection, func(s *imap.FetchItemBodySection) bool { return !s.Peek }) {
		seen := imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}
		c.change(set, &seen, nil)
	}
	for _, m := range c.pick(set) {
		if m.seq == 0 {
			continue
		}
		if err := m.write(w.CreateMessage(m.seq), options); err != nil {
			return fmt.Errorf("writing mail %d: %w", m.uid, err)
		}
	}
	return nil
}

func (c *imapSession) change(set imap.NumSet, flags *imap.StoreFlags, asker *imapserver.SessionTracker) {
	uids := make(map[imap.UID]bool)
	for _, m := range c.pick(set) {
		uids[m.uid] = true
	}
	c.folder.changeFlags(func(m *stored) bool { return uids[m.uid] }, flags, asker)
}

func (c *imapSession) Store(w *imapserver.FetchWriter, set imap.NumSet, flags *imap.StoreFlags, _ *imap.StoreOptions) error {
	if c.readOnly {
		return refuse("", "Mailbox is read-only")
	}
	c.change(set, flags, c.view)
	if flags.Silent {
		return nil
	}
	return c.Fetch(w, set, &imap.FetchOptions{UID: true, Flags: true})
}

// Expunge removes what is marked \Deleted; the client is told by the poll that
// follows. CLOSE of a read-only mailbox comes here too, and removes nothing.
func (c *imapSession) Expunge(_ *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	if c.readOnly {
		return nil
	}
	contains := func(uint32, imap.UID) bool { return true }
	if uids != nil {
		c.folder.mutex.Lock()
		contains = c.within(*uids)
		c.folder.mutex.Unlock()
	}
	c.folder.expunge(func(m *stored) bool { return contains(0, m.uid) && m.has(imap.FlagDeleted) })
	return nil
}

func (c *imapSession) Copy(set imap.NumSet, name string) (*imap.CopyData, error) {
	to := c.account.folder(name)
	if to == nil {
		return nil, refuse(imap.ResponseCodeTryCreate, "No such mailbox")
	}
	data := &imap.CopyData{UIDValidity: to.validity}
	for _, m := range c.pick(set) {
		data.SourceUIDs.AddNum(m.uid)
		data.DestUIDs.AddNum(to.append(m.stored))
	}
	if len(data.SourceUIDs) == 0 {
		return nil, nil // no COPYUID without a UID (RFC 4315 section 3)
	}
	return data, nil
}

// Move is Copy and removal. The untagged COPYUID comes before the EXPUNGEs,
// which the poll at the end of the command writes (RFC 6851 section 4.3).
func (c *imapSession) Move(w *imapserver.MoveWriter, set imap.NumSet, name string) error {
	if c.readOnly {
		return refuse("", "Mailbox is read-only")
	}
	if c.account.folder(name) == c.folder {
		return refuse("", "Source and destination mailboxes are identical")
	}
	data, err := c.Copy(set, name)
	if err != nil || data == nil {
		return err
	}
	c.folder.expunge(func(m *stored) bool { return data.SourceUIDs.Contains(m.uid) })
	if err := w.WriteCopyData(data); err != nil {
		return fmt.Errorf("writing COPYUID: %w", err)
	}
	return nil
}

// Search answers with sequence numbers or UIDs.
func (c *imapSession) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, _ *imap.SearchOptions) (*imap.SearchData, error) {
	f := c.folder
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var uids imap.UIDSet
	var seqs imap.SeqSet
	for i, m := range f.list {
		seq := c.view.EncodeSeqNum(uint32(i) + 1)
		if seq == 0 || !c.matches(m, seq, criteria) {
			continue
		}
		uids.AddNum(m.uid)
		seqs.AddNum(seq)
	}
	if kind == imapserver.NumKindUID {
		return &imap.SearchData{All: uids}, nil
	}
	return &imap.SearchData{All: seqs}, nil
}
