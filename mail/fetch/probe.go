package fetch

import (
	"context"
	"strconv"

	"github.com/emersion/go-imap/v2"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// Probe goes through everything that taking mails needs, and changes nothing:
// it opens the mailbox, reads the newest mail, and looks whether what is to be
// done with mails afterwards can be done. Settings.Trace is told of each stage.
// The error is that of the first stage that failed.
func Probe(ctx context.Context, set Settings, after Action) error {
	if set.MaxSize <= 0 || set.MaxSize > beginning {
		set.MaxSize = beginning // it is thrown away
	}
	s, err := Open(ctx, set)
	if err != nil {
		return err
	}
	switch s := s.(type) {
	case *imapSession:
		err = s.probe(ctx, after)
	case *popSession:
		err = s.probe(ctx, after)
	}
	_ = s.Close() // all that matters was answered
	return err
}

func (s *imapSession) probe(ctx context.Context, after Action) error {
	err := s.stage(mail.StepFetch, func() ([]connect.Fact, error) { return s.tryFetch(ctx) })
	if err != nil || after.Kind == "" {
		return err
	}
	return s.stage(mail.StepAct, func() ([]connect.Fact, error) { return s.tryAct(ctx, after) })
}

// tryFetch reads the newest mail, without marking it as read.
func (s *imapSession) tryFetch(ctx context.Context) ([]connect.Fact, error) {
	facts := []connect.Fact{{Name: "messages", Value: strconv.Itoa(int(s.State().Messages))}}
	if s.State().Messages == 0 {
		return facts, nil
	}
	var newest []Listed
	err := s.run(ctx, mail.StepFetch, func() error {
		cmd := s.client.Fetch(imap.SeqSetNum(s.State().Messages), &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true})
		return each(cmd, noBodies(), func(r received) {
			r.drop()
			newest = append(newest[:0], Listed{UID: r.uid, Size: max(r.size, 0), Flags: r.flags})
		})
	})
	if err != nil {
		return nil, err
	}
	_, err = s.Fetch(ctx, newest, func(r *mail.Raw) error {
		facts = append(facts, connect.Fact{Name: "size", Value: strconv.FormatInt(r.Size, 10)})
		r.Close()
		return nil
	})
	return facts, err
}

// tryAct looks whether the action can be done. A folder to move to that is
// missing is no failure: it is made when it is needed.
func (s *imapSession) tryAct(ctx context.Context, after Action) ([]connect.Fact, error) {
	if !s.wire.heard.mayWrite() {
		e := s.settings.Error(mail.StepAct, mail.ErrReadOnly)
		e.Temporary = false
		return nil, e
	}
	facts := []connect.Fact{{Name: "action", Value: after.Kind}}
	if after.Kind == ActionSeen {
		return facts, nil
	}
	way := "COPY" // and the flag \Deleted, without EXPUNGE
	switch {
	case after.Kind == ActionMove && s.offers(imap.CapMove):
		way = "MOVE"
	case s.offers(imap.CapUIDPlus):
		way = "UIDPLUS"
	case after.Kind == ActionDelete:
		way = "FLAG"
	}
	facts = append(facts, connect.Fact{Name: "move", Value: way})
	if after.Kind != ActionMove {
		return facts, nil
	}
	name, err := func() (string, error) {
		s.busy.Lock()
		defer s.busy.Unlock()
		return s.folderName(ctx, mail.StepAct, after.Folder)
	}()
	if err != nil {
		return nil, err
	}
	// Its answer is thrown away by wire: what counts is that it is no refusal.
	err = s.run(ctx, mail.StepAct, func() error {
		_, err := s.client.Status(name, &imap.StatusOptions{NumMessages: true}).Wait()
		return err
	})
	exists := "yes"
	if hasCode(err, "TRYCREATE", "NONEXISTENT", "") {
		exists, err = "no", nil
	}
	return append(facts, connect.Fact{Name: "folder", Value: name}, connect.Fact{Name: "exists", Value: exists}), err
}
