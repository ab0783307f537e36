package fetch

import (
	"context"
	"errors"
	"io"
	"strconv"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// probe is Probe for POP3. It reads the newest mail; where the server has TOP,
// the first lines of it. At a server that lists a part of its mails at a time
// it reads none: what was read there is not listed any more, and the collector
// would never see it. Nothing is deleted. Where the ids come from is told by the
// fact "unique-ids" of the stage mail.StepSelect.
func (s *popSession) probe(ctx context.Context, after Action) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	if after.Kind != "" && after.Kind != ActionDelete {
		return s.onlyDelete()
	}
	if s.partial || len(s.mails) == 0 {
		return nil
	}
	return s.stage(ctx, mail.StepFetch, func() ([]connect.Fact, error) {
		m := s.mails[len(s.mails)-1]
		facts := []connect.Fact{{Name: "messages", Value: strconv.Itoa(len(s.mails))}, {Name: "size", Value: strconv.FormatInt(m.size, 10)}}
		var n int64
		count := func(piece []byte) error {
			if n += int64(len(piece)); n > beginning {
				return io.EOF // enough is seen
			}
			return nil
		}
		ok, err := s.top(mail.StepFetch, m.n, probeLines, count)
		if !ok && err == nil {
			_, err = s.stream(mail.StepFetch, "RETR "+strconv.Itoa(m.n), count)
		}
		if n > beginning && errors.Is(err, io.EOF) && s.failure() == nil {
			s.broken, err = true, nil // in the middle of a mail; Close says no goodbye
		}
		return facts, err
	})
}

// probeLines is how much of a mail's body is read by a probe.
const probeLines = 20

// onlyDelete is the error of an action that POP3 does not have.
func (s *popSession) onlyDelete() error {
	e := s.settings.Error(mail.StepAct, errOnlyDelete)
	e.Temporary = false
	return e
}
