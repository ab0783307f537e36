package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

var errOnlyDelete = errors.New("by POP3 mails can be deleted, and nothing else")

// Fetch reads mails, one RETR after the other; otherwise it is what it is over
// IMAP. A mail that the server refuses to hand out is missing, unless it says
// that this will pass.
func (s *popSession) Fetch(ctx context.Context, mails []Listed, fn func(*mail.Raw) error) (missing []uint32, err error) {
	s.busy.Lock()
	defer s.busy.Unlock()
	if err := s.need(ctx); err != nil {
		return uids(mails), err
	}
	err = s.stage(ctx, mail.StepFetch, func() ([]connect.Fact, error) {
		for i, listed := range mails {
			m := s.byUID[listed.UID]
			if m == nil {
				missing = append(missing, listed.UID)
				continue
			}
			raw, offset, err := s.retrieve(m)
			if isRefusal(err) && !temporaryCode(err) {
				missing = append(missing, listed.UID)
				continue
			}
			if err == nil {
				if err = fn(raw); err == nil {
					continue
				}
				missing = append(missing, uids(mails[i+1:])...)
				return nil, err
			}
			missing = append(missing, uids(mails[i:])...)
			return nil, s.interrupted(ctx, m.uid, offset, err)
		}
		return nil, nil
	})
	return missing, err
}

// interrupted names the mail at which the conversation broke; see Interrupted.
func (s *popSession) interrupted(ctx context.Context, uid uint32, offset int64, err error) error {
	err = s.explain(ctx, mail.StepFetch, err)
	var e *mail.Error
	if ctx.Err() != nil || isRefusal(err) || errors.Is(err, net.ErrClosed) || !errors.As(err, &e) {
		return err
	}
	return &Interrupted{UID: uid, Offset: offset, Started: offset > 0, Err: err}
}

func uids(mails []Listed) []uint32 {
	out := make([]uint32, len(mails))
	for i, m := range mails {
		out[i] = m.UID
	}
	return out
}

// temporaryCode reports whether a refusal has a response code that says that
// it will pass.
func temporaryCode(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Code != "" && e.Temporary
}

// Bounds on a mail that never ends, beside its stated size, which may be wrong.
const (
	endlessFactor = 4
	endlessBytes  = 64 << 20
)

// retrieve reads one mail. Of one that is stated to be larger than MaxSize only
// the beginning is asked for, by TOP; where there is no TOP, or where the
// statement was wrong, what is too much is read and thrown away.
func (s *popSession) retrieve(m *popMail) (raw *mail.Raw, offset int64, err error) {
	keep := int64(beginning)
	if s.settings.MaxSize > 0 {
		keep = min(keep, s.settings.MaxSize)
	}
	limit := bodyLimit{max: s.settings.MaxSize, keep: keep, dir: s.settings.SpoolDir}
	sink := &popSink{limit: limit, most: endlessFactor*m.size + endlessBytes}
	topped := false
	lines := int(keep / 32) // most mails have longer lines; what is too much is thrown away
	if s.settings.MaxSize > 0 && m.size > s.settings.MaxSize {
		sink.limit.max = keep
		topped, err = s.top(mail.StepFetch, m.n, lines, sink.write)
		if topped && err == nil && sink.lines <= int64(lines) && sink.n < m.size {
			// Either the mail is smaller than stated, or the server gives fewer
			// lines than it is asked for. Only the whole mail tells.
			sink.drop()
			topped, sink = false, &popSink{most: sink.most}
		}
	}
	if !topped && err == nil {
		sink.limit = limit
		_, err = s.stream(mail.StepFetch, fmt.Sprintf("RETR %d", m.n), sink.write)
	}
	if err != nil {
		sink.drop()
		return nil, sink.n, err
	}
	b, err := sink.body()
	if err != nil {
		return nil, sink.n, err
	}
	size := m.size
	if size <= 0 {
		size = sink.n
	}
	return &mail.Raw{
		UIDValidity: s.state.UIDValidity,
		UID:         m.uid,
		Size:        size,
		Content:     b.content,
		Length:      b.length,
		Truncated:   b.length < b.literal || topped && sink.n < m.size,
		Close:       b.close,
	}, sink.n, nil
}

// Headers hands over Message-ID, Date, From and Subject. Mails that are gone
// are left out.
func (s *popSession) Headers(ctx context.Context, uids []uint32, fn func(uid uint32, size int64, header []byte) error) error {
	return s.WholeHeaders(ctx, uids, func(uid uint32, size int64, header []byte) error { return fn(uid, size, chosenFields(header)) })
}

// WholeHeaders hands over all of the headers, up to headerLimit bytes of each.
// Mails that are gone are left out.
func (s *popSession) WholeHeaders(ctx context.Context, uids []uint32, fn func(uid uint32, size int64, header []byte) error) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	if err := s.need(ctx); err != nil {
		return err
	}
	return s.stage(ctx, mail.StepFetch, func() ([]connect.Fact, error) {
		for _, uid := range uids {
			m := s.byUID[uid]
			if m == nil {
				continue
			}
			header, err := s.header(m)
			if isRefusal(err) && !temporaryCode(err) {
				continue
			} else if err != nil {
				return nil, err
			}
			if err := fn(uid, m.size, header); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// header reads the header of a mail; without TOP the whole mail, of which only
// the header is kept. A server that lists a part of its mails at a time shows
// the next part only when these have been read whole.
func (s *popSession) header(m *popMail) ([]byte, error) {
	var header bytes.Buffer
	var n int64
	write := func(piece []byte) error {
		if n += int64(len(piece)); n > endlessFactor*m.size+endlessBytes {
			return errEndless
		}
		header.Write(piece[:min(len(piece), headerLimit-header.Len())])
		return nil
	}
	ok, err := false, error(nil)
	if !s.partial {
		ok, err = s.top(mail.StepFetch, m.n, 0, write)
	}
	if !ok && err == nil {
		_, err = s.stream(mail.StepFetch, fmt.Sprintf("RETR %d", m.n), write)
	}
	return header.Bytes(), err
}

// Acknowledge deletes mails: it marks them by DELE and ends the session by QUIT,
// which is when the server deletes them (RFC 1939 section 6). It succeeds only
// with QUIT's +OK, and for mails that are gone already. Mails that the server
// refuses to delete do not keep the others; the refusal is returned at the end.
func (s *popSession) Acknowledge(ctx context.Context, action Action, uids []uint32) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	if s.settings.ReadOnly {
		return readOnly(s.settings)
	}
	if action.Kind != ActionDelete {
		return s.onlyDelete()
	}
	if err := s.need(ctx); err != nil {
		return err
	}
	return s.stage(ctx, mail.StepAct, func() ([]connect.Fact, error) { return s.remove(uids) })
}

// Move is refused: there are no folders.
func (s *popSession) Move(context.Context, string, []uint32) ([]uint32, error) {
	return nil, s.onlyDelete()
}

// remove marks, and ends the session if there was something to mark.
func (s *popSession) remove(uids []uint32) ([]connect.Fact, error) {
	var refusal error
	marked := 0
	for _, uid := range uids {
		m := s.byUID[uid]
		if m == nil {
			continue
		}
		if _, err := s.must(mail.StepAct, "DELE "+strconv.Itoa(m.n)); isRefusal(err) {
			refusal = err
		} else if err != nil {
			return nil, err
		} else {
			marked++
		}
	}
	if marked == 0 {
		return nil, refusal
	}
	_, err := s.must(mail.StepAct, "QUIT")
	if err == nil || isRefusal(err) {
		s.rest() // the server has ended the session
	}
	if err == nil {
		err = refusal
	}
	return []connect.Fact{{Name: "messages", Value: strconv.Itoa(marked)}}, err
}
