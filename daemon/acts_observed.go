package daemon

import (
	"context"
	"errors"

	"helpdesk/ui"
)

// observed says what becomes of the mail that was seen in observe mode.
func (a *Acts) observed(ctx context.Context, act ui.Act) ([]ui.ActResult, error) {
	s, no, ok := a.deskNamed(act.Desk)
	if !ok {
		return only(no), nil
	}
	slug, ok := map[string]string{choiceLeave: "observed-left", choiceTake: "observed-taken", choiceImport: "observed-imported"}[act.Choice]
	if !ok {
		return only(bad("observed-choice", "choice", act.Choice)), nil
	}
	if a.still[s.ID] {
		return only(bad("observing", "desk", s.Key)), nil
	}
	n, err := answerObserved(ctx, a.store, s.ID, act.Choice)
	if errors.Is(err, errNotAsked) {
		return only(bad("observed-none", "desk", s.Key)), nil
	} else if err != nil {
		return nil, err
	}
	a.look(s.ID)
	return only(good(slug, "desk", s.Key, "n", figure(n))), nil
}
