package fetch

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"helpdesk/mail"
)

// Kinds of Action.
const (
	ActionSeen   = "seen"
	ActionDelete = "delete"
	ActionMove   = "move"
)

// Action is what to do with mails that were taken.
type Action struct {
	Kind   string // one of the Action constants
	Folder string // for ActionMove, its levels divided by "/"; made when it is missing
}

// Acknowledge tells the server what became of mails. It succeeds for mails that
// are gone already. Without UIDPLUS, mails that are deleted, or moved on a
// server without MOVE, stay in the folder with the flag \Deleted: a plain
// EXPUNGE would remove what other clients flagged, too.
func (s *imapSession) Acknowledge(ctx context.Context, action Action, uids []uint32) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	if s.settings.ReadOnly {
		return readOnly(s.settings)
	}
	mails := make([]Listed, len(uids))
	for i, uid := range uids {
		mails[i].UID = uid
	}
	for _, set := range uidSets(mails) {
		if err := s.act(ctx, action, set); err != nil {
			return err
		}
	}
	return nil
}

// errLooking is why a session that only looks does not do what it is told.
var errLooking = errors.New("the mailbox was opened to look at it, not to change anything")

func readOnly(set Settings) error {
	e := set.Error(mail.StepAct, errLooking)
	e.Temporary = false
	return e
}

// Move moves mails to a folder, as Acknowledge does, and returns those of which
// the server said so: by COPYUID (RFC 4315, RFC 6851 section 4.3), or, where it
// does not have that, because they were there before. A mail that somebody else
// took away meanwhile is none of them.
func (s *imapSession) Move(ctx context.Context, folder string, uids []uint32) (moved []uint32, err error) {
	s.busy.Lock()
	defer s.busy.Unlock()
	if s.settings.ReadOnly {
		return nil, readOnly(s.settings)
	}
	mails := make([]Listed, len(uids))
	for i, uid := range uids {
		mails[i].UID = uid
	}
	for _, set := range uidSets(mails) {
		there := set
		if !s.offers(imap.CapUIDPlus) {
			if there, err = s.remaining(ctx, set); err != nil {
				return moved, err
			}
		}
		s.wire.heard.forgetCopies()
		if err := s.act(ctx, Action{Kind: ActionMove, Folder: folder}, set); err != nil {
			return moved, err
		}
		if s.offers(imap.CapUIDPlus) {
			there = s.wire.heard.copies()
			there.AddSet(s.copied[s.folders[folder]]) // in an earlier attempt, which failed behind that
		}
		for uid := range members(set) {
			if there.Contains(uid) {
				moved = append(moved, uint32(uid))
			}
		}
	}
	return moved, nil
}

// act does action to set. When the server refuses, that is forgiven for mails
// that are gone, and tried once more for the rest if some were.
func (s *imapSession) act(ctx context.Context, action Action, set imap.UIDSet) error {
	err := s.actOnce(ctx, action, set)
	if !isRefusal(err) {
		return err
	}
	left, leftErr := s.remaining(ctx, set)
	switch {
	case leftErr != nil:
		return leftErr
	case len(left) == 0:
		return nil
	case left.String() == set.String():
		return err
	}
	return s.actOnce(ctx, action, left)
}

func (s *imapSession) actOnce(ctx context.Context, action Action, set imap.UIDSet) error {
	switch action.Kind {
	case ActionSeen:
		return s.flag(ctx, set, imap.FlagSeen)
	case ActionDelete:
		return s.remove(ctx, set)
	case ActionMove:
		return s.moveMaking(ctx, set, action.Folder)
	}
	return fmt.Errorf("unknown action %q on mails", action.Kind)
}

// flag adds a flag.
func (s *imapSession) flag(ctx context.Context, set imap.UIDSet, flag imap.Flag) error {
	return s.exchange(ctx, mail.StepAct, func() error {
		change := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{flag}}
		return s.client.Store(set, change, nil).Close()
	})
}

// remove deletes exactly set, where the server can (RFC 4315).
func (s *imapSession) remove(ctx context.Context, set imap.UIDSet) error {
	if err := s.flag(ctx, set, imap.FlagDeleted); err != nil || !s.offers(imap.CapUIDPlus) {
		return err
	}
	return s.exchange(ctx, mail.StepAct, func() error { return s.client.UIDExpunge(set).Close() })
}

// remaining are those of set that are still in the folder.
func (s *imapSession) remaining(ctx context.Context, set imap.UIDSet) (imap.UIDSet, error) {
	var left imap.UIDSet
	// A server tells of mails that another client removed only where the
	// protocol lets it: after NOOP.
	if err := s.exchange(ctx, mail.StepAct, func() error { return s.client.Noop().Wait() }); err != nil {
		return nil, err
	}
	err := s.exchange(ctx, mail.StepAct, func() error {
		cmd := s.client.Fetch(set, &imap.FetchOptions{UID: true, Flags: true})
		return each(cmd, noBodies(), func(r received) {
			r.drop()
			if r.uid != 0 {
				left.AddNum(imap.UID(r.uid))
			}
		})
	})
	return left, err
}
