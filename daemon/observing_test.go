package daemon

import (
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/desk"
)

// A desk that observes sends nothing: what waited when it was live goes on
// waiting, and the administrator's mail goes by a desk that is live.
func TestObservingDeskSendsNothing(t *testing.T) {
	t.Parallel()
	desk1 := func(line string) string { return strings.Replace(salesDesk, "public_signup = false", line, 1) }
	n := newHouse(t, desk1(""), "")
	n.take(n.letter(taro, "Printer"), "")
	sales := n.settings() // of the mailbox of a house, the first
	sends := func() (deskIDs []int64) {
		t.Helper()
		lines, err := n.d.store.DueOutbox(t.Context(), n.d.deliver[0].free(), n.now.Add(time.Hour), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			deskIDs = append(deskIDs, l.DeskID)
		}
		return deskIDs
	}
	if got := sends(); len(got) == 0 {
		t.Fatalf("a live desk sends %v", got)
	}
	n.top = desk1(`mode = "observe"`)
	n.restart()
	if got := sends(); len(got) != 0 {
		t.Errorf("an observing desk sends %v", got)
	}
	n.take(n.letter("x@y.test", "Broken"), "boom")
	n.pass()
	lines := n.lines(desk.EventQuarantine)
	if len(lines) != 1 || lines[0].DeskID == sales.ID {
		t.Errorf("the administrator is told by %+v", lines)
	}
	if got := sends(); len(got) != 1 || got[0] == sales.ID {
		t.Errorf("the mail to the administrator does not leave: %v", got)
	}
}
