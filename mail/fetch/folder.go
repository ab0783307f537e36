package fetch

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/emersion/go-imap/v2"

	"helpdesk/mail"
)

// moveMaking moves set to folder and makes the folder, once, if the server
// refuses for a reason that this may cure.
func (s *imapSession) moveMaking(ctx context.Context, set imap.UIDSet, folder string) error {
	name, err := s.folderName(ctx, mail.StepAct, folder)
	if err != nil {
		return err
	}
	err = s.move(ctx, set, name)
	// TRYCREATE says what to do (RFC 9051 section 7.1); old servers say nothing.
	if !hasCode(err, "TRYCREATE", "NONEXISTENT", "") {
		return err
	}
	if makeErr := s.makeFolder(ctx, name); makeErr != nil {
		if isRefusal(makeErr) && hasCode(err, "") {
			return err // the folder may have been there, and the first words say more
		}
		return makeErr
	}
	return s.move(ctx, set, name)
}

// move moves set to the folder of that name. Client.Move is called only where
// the server has MOVE (RFC 6851): elsewhere it deletes without looking whether
// the copy was made.
func (s *imapSession) move(ctx context.Context, set imap.UIDSet, name string) error {
	if s.client.Caps().Has(imap.CapMove) { // as Client.Move itself looks
		return s.exchange(ctx, mail.StepAct, func() error {
			_, err := s.client.Move(set, name).Wait()
			return err
		})
	}
	// What was copied and could not be flagged afterwards is not copied again.
	if todo := without(set, s.copied[name]); len(todo) > 0 {
		if err := s.copy(ctx, todo, name); err != nil {
			return err
		}
	}
	if moved := within(s.copied[name], set); len(moved) > 0 {
		return s.remove(ctx, moved)
	}
	return nil
}

var errCopiedPart = errors.New("the server copied only a part of the mails")

// copy copies set and remembers it in s.copied. A server that names what it
// copied (COPYUID, RFC 4315) has copied these and no others.
func (s *imapSession) copy(ctx context.Context, set imap.UIDSet, name string) error {
	made := set
	err := s.exchange(ctx, mail.StepAct, func() error {
		data, err := s.client.Copy(set, name).Wait()
		if err == nil && len(data.SourceUIDs) > 0 {
			made = within(data.SourceUIDs, set)
		}
		return err
	})
	if err != nil {
		return err
	}
	all := s.copied[name]
	all.AddSet(made)
	s.copied[name] = all
	if rest := without(set, made); len(rest) > 0 {
		left, err := s.remaining(ctx, rest)
		if err == nil && len(left) > 0 {
			err = s.settings.Error(mail.StepAct, errCopiedPart)
		}
		return err
	}
	return nil
}

// within are the members of a that b has, too. COPYUID of a confused server
// must not make us delete what we were not asked to.
func within(a, b imap.UIDSet) imap.UIDSet {
	var out imap.UIDSet
	for uid := range members(b) {
		if a.Contains(uid) {
			out.AddNum(uid)
		}
	}
	return out
}

// without are the members of a that b has not.
func without(a, b imap.UIDSet) imap.UIDSet {
	var out imap.UIDSet
	for uid := range members(a) {
		if !b.Contains(uid) {
			out.AddNum(uid)
		}
	}
	return out
}

// members are the UIDs of set; UIDSet.Nums never ends when 4294967295 is one.
func members(set imap.UIDSet) iter.Seq[imap.UID] {
	return func(yield func(imap.UID) bool) {
		for _, r := range set {
			for uid := uint64(r.Start); uid <= uint64(r.Stop); uid++ {
				if !yield(imap.UID(uid)) {
					return
				}
			}
		}
	}
}

// folderName is how the server calls folder: with its hierarchy delimiter
// instead of "/", below the prefix of the personal namespace (RFC 2342), which
// is "INBOX." at Courier and Cyrus.
func (s *imapSession) folderName(ctx context.Context, step, folder string) (string, error) {
	if name, ok := s.folders[folder]; ok {
		return name, nil
	}
	// Only the delimiter is asked for: a name in bad UTF-7 would end the connection.
	if err := s.tolerate(s.exchange(ctx, step, func() error {
		return s.client.List("", "", nil).Close()
	})); err != nil {
		return "", err
	}
	if s.offers(imap.CapNamespace) {
		if err := s.tolerate(s.exchange(ctx, step, func() error {
			_, err := s.client.Namespace().Wait()
			return err
		})); err != nil {
			return "", err
		}
	}
	delimiter, prefix := s.wire.heard.names()
	name := folder
	if delimiter != "" {
		name = strings.ReplaceAll(folder, "/", delimiter)
	}
	if !strings.HasPrefix(strings.ToUpper(name), strings.ToUpper(prefix)) {
		name = prefix + name
	}
	s.folders[folder] = name
	return name, nil
}

// tolerate drops the server's refusal of something that we can do without.
func (s *imapSession) tolerate(err error) error {
	if isRefusal(err) {
		return nil
	}
	return err
}

// makeFolder creates and subscribes the folder and those above it. Those
// above may be there already, and need no subscription to be found.
func (s *imapSession) makeFolder(ctx context.Context, name string) error {
	delimiter, prefix := s.wire.heard.names()
	create := func(name string) error {
		return s.exchange(ctx, mail.StepAct, func() error { return s.client.Create(name, nil).Wait() })
	}
	if delimiter != "" {
		for i := range name {
			if i > len(prefix) && strings.HasPrefix(name[i:], delimiter) {
				if err := s.tolerate(create(name[:i])); err != nil {
					return err
				}
			}
		}
	}
	if err := create(name); err != nil && !hasCode(err, "ALREADYEXISTS") {
		return err
	}
	return s.tolerate(s.exchange(ctx, mail.StepAct, func() error { return s.client.Subscribe(name).Wait() }))
}
