package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"helpdesk/mail"
)

// expire calls an Expire method as its caller does, in one small transaction
// after the other, and returns how many it removed in each.
func expire(t *testing.T, s *Store, limit int, fn func(*Tx) (int, error)) (removed []int) {
	t.Helper()
	for {
		var n int
		write(t, s, func(tx *Tx) (err error) {
			n, err = fn(tx)
			return err
		})
		removed = append(removed, n)
		if n < limit {
			return removed
		}
	}
}

// aged adds a ledger line with its raw mail for each outcome, a day apart; the
// ones of requests have a request with a message.
func aged(t *testing.T, s *Store, clock *clock, outcomes ...string) {
	t.Helper()
	desksOf(t, s, "support@x")
	for i, o := range outcomes {
		write(t, s, func(tx *Tx) error {
			e := Entry{DeskID: 1, MailboxID: 1, UIDValidity: 7, UID: uint32(i + 1), Outcome: o, From: mail.Address{Address: "a@x"}, Fingerprint: [16]byte{byte(i + 1)}, RawState: RawWhole}
			var r Request
			if o == "request" {
				r = Request{DeskID: 1, Key: fmt.Sprintf("SUP-%d", i+1), Subject: fmt.Sprintf("Fruit%d", i+1), Requester: e.From}
				if err := tx.AddRequest(&r); err != nil {
					return err
				}
			}
			e.RequestID = r.ID
			if err := tx.AddEntry(&e); err != nil {
				return err
			}
			p, err := s.Pack(section([]byte(fmt.Sprint("mail ", i+1))))
			if err == nil && o != "skipped" {
				err = tx.PutRaw(e.ID, p)
			}
			if err == nil && o == "request" {
				err = errors.Join(tx.AddMessage(&Message{RequestID: r.ID, LedgerID: e.ID, Kind: KindCustomer, Text: "words"}),
					tx.AddParticipant(r.ID, Participant{Address: e.From, Role: RoleRequester}),
					tx.Queue(&OutboxLine{DeskID: 1, RequestID: r.ID, To: e.From, MessageID: fmt.Sprint(i)}))
			}
			return errors.Join(err, tx.AddFingerprint(1, e.Fingerprint, e.ID),
				tx.AddPosition(Position{MailboxID: 1, UIDValidity: 7, UID: e.UID, LedgerID: e.ID, HeaderHash: e.Fingerprint, Size: 1}))
		})
		clock.add(24 * time.Hour)
	}
}

// raws returns for which of the first n ledger lines there is a raw mail.
func raws(t *testing.T, s *Store, n int64) (ids []int64) {
	t.Helper()
	for id := int64(1); id <= n; id++ {
		r, _, err := s.OpenRaw(t.Context(), id)
		switch {
		case err == nil:
			ids = append(ids, id)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		case !errors.Is(err, ErrNotFound):
			t.Fatal(err)
		}
	}
	return ids
}

func entryIDs(all []Entry) (ids []int64) {
	for _, e := range all {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestExpireLedger(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	aged(t, s, clock, "request", "skipped", "ignored", "held", "request", "bounce", "request", "ignored")
	before := start.Add(6 * 24 * time.Hour) // the seventh is as old as that, not older
	write(t, s, func(tx *Tx) error { return errors.Join(tx.Want(4, Wish{}), tx.AddMove(Move{LedgerID: 3})) })
	removed := expire(t, s, 2, func(tx *Tx) (int, error) { return tx.ExpireLedger(ctx, before, 2) })
	if !slices.Equal(removed, []int{2, 2, 1}) {
		t.Errorf("removed %v", removed)
	}
	if is := entryIDs(got[[]Entry](t)(s.Entries(ctx, EntryFilter{}))); !slices.Equal(is, []int64{8, 7, 2}) {
		t.Errorf("lines %v are left", is)
	}
	if is := raws(t, s, 8); !slices.Equal(is, []int64{1, 5, 7, 8}) { // those of requests stay
		t.Errorf("raw mails %v are left", is)
	}
	for id := byte(1); id <= 8; id++ { // nothing is taken twice
		if first, ok := got2(t)(s.EntryByFingerprint(ctx, 1, [16]byte{id})); !ok || first != int64(id) {
			t.Errorf("the mail %d would be taken again", id)
		}
	}
	if n := len(got[[]Position](t)(s.Positions(ctx, 1, 7, 0))); n != 8 {
		t.Errorf("%d positions", n)
	}
	if _, known := got2(t)(s.SkippedByHash(ctx, 1, [16]byte{2})); !known {
		t.Error("an old mail would be taken when the server gives it another number")
	}
	for what, id := range map[string]int64{"wanted": 4, "moved": 3} {
		if n := got[[]int64](t)(list(ctx, s.View, (*row).int, "SELECT ledger_id FROM "+what)); len(n) != 0 {
			t.Errorf("%s still has %d", what, id)
		}
	}
	// When the request goes, its mail goes as well.
	write(t, s, func(tx *Tx) error { _, _, err := tx.removeRequests([]int64{1}); return err })
	if is := raws(t, s, 8); !slices.Equal(is, []int64{5, 7, 8}) {
		t.Errorf("raw mails %v are left without the request", is)
	}
	if is := got[[]Count](t)(s.Counts(ctx)); len(is) != 5 || is[4].Total != 1 || is[2].Total != 2 {
		t.Errorf("what expired is no longer counted: %+v", is)
	}
}

func TestExpireRaw(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	aged(t, s, clock, "request", "ignored", "request", "skipped", "held", "ignored")
	write(t, s, func(tx *Tx) error { _, err := tx.ExpireLedger(ctx, start.Add(time.Hour), 9); return err }) // line 1 is gone, its message counts
	for _, c := range []struct {
		days    int
		removed []int
		left    []int64
	}{
		{0, []int{0}, []int64{1, 2, 3, 5, 6}},
		{2, []int{2, 0}, []int64{3, 5, 6}},
		{5, []int{2, 0}, []int64{6}},
		{9, []int{1}, nil},
	} {
		removed := expire(t, s, 2, func(tx *Tx) (int, error) { return tx.ExpireRaw(ctx, start.Add(time.Duration(c.days)*24*time.Hour), 2) })
		if !slices.Equal(removed, c.removed) {
			t.Errorf("day %d: removed %v", c.days, removed)
		}
		if is := raws(t, s, 6); !slices.Equal(is, c.left) {
			t.Errorf("day %d: %v are left", c.days, is)
		}
	}
	for _, e := range got[[]Entry](t)(s.Entries(ctx, EntryFilter{})) {
		if (e.RawState == RawNone) != (e.Outcome != "skipped") { // aged says that all are whole
			t.Errorf("line %d: %s", e.ID, e.RawState)
		}
	}
	if is := got[[]Message](t)(s.Messages(ctx, 1)); len(is) != 1 || is[0].Text != "words" {
		t.Errorf("the message lost its text: %+v", is)
	}
}

func TestExpireRequests(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	aged(t, s, clock, "request", "request", "request", "request", "request", "request")
	indexAll(t, s)
	closed := func(id int64, days int) {
		write(t, s, func(tx *Tx) error {
			r, err := tx.RequestByID(ctx, id)
			if err != nil {
				return err
			}
			r.State, r.ClosedAt = StateResolved, start.Add(time.Duration(days)*24*time.Hour)
			if id == 3 {
				r.LinkedTo = 1
			}
			return tx.UpdateRequest(&r)
		})
	}
	write(t, s, func(tx *Tx) error { return tx.MergeRequest(ctx, 4, 5, tx.Now()) })
	for id, days := range map[int64]int{1: 10, 2: 12, 3: 30, 4: 9, 6: 11} { // 5 is open, and 4 was merged into it
		closed(id, days)
	}
	at := func(day int) func(*Tx) (int, error) {
		return func(tx *Tx) (int, error) {
			return tx.ExpireRequests(ctx, 1, start.Add(time.Duration(day)*24*time.Hour), 2)
		}
	}
	if is := expire(t, s, 2, at(12)); !slices.Equal(is, []int{2, 0}) {
		t.Errorf("removed %v", is)
	}
	left := func(want ...int64) {
		t.Helper()
		var ids []int64
		for _, r := range got[[]Request](t)(s.Requests(ctx, RequestFilter{})) {
			ids = append(ids, r.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("requests %v are left, want %v", ids, want)
		}
	}
	left(5, 4, 3, 2)
	for _, id := range []int64{1, 6} {
		for what, n := range map[string]int{
			"messages":     len(got[[]Message](t)(s.Messages(ctx, id))),
			"participants": len(got[[]Participant](t)(s.Participants(ctx, id))),
			"outbox lines": len(got[[]OutboxLine](t)(s.OutboxByMessageID(ctx, fmt.Sprint(id-1)))),
			"found":        len(got[[]int64](t)(s.Search(ctx, fmt.Sprintf("fruit%d", id), 0))),
		} {
			if n != 0 {
				t.Errorf("request %d has left %d %s", id, n, what)
			}
		}
		if e := got[Entry](t)(s.Entry(ctx, id)); e.RawState != RawNone || e.RequestID != 0 || e.Outcome != "request" {
			t.Errorf("ledger line %+v", e)
		}
	}
	if is := raws(t, s, 6); !slices.Equal(is, []int64{2, 3, 4, 5}) {
		t.Errorf("raw mails %v", is)
	}
	if is := got[Request](t)(s.RequestByID(ctx, 3)); is.LinkedTo != 0 {
		t.Error("a request points to one that is gone")
	}
	if is := got[OutboxCounts](t)(s.OutboxCounts(ctx)); is.Waiting != 4 {
		t.Errorf("counts %+v", is)
	}
	// Once the target is gone, so is what led to it.
	closed(5, 13)
	if is := expire(t, s, 1, func(tx *Tx) (int, error) { return tx.ExpireRequests(ctx, 1, start.Add(14*24*time.Hour), 1) }); !slices.Equal(is, []int{1, 1, 1, 0}) {
		t.Errorf("removed %v", is)
	}
	left(3)
}

func TestExpireOutbox(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	for i, state := range []string{OutboxSent, "", OutboxDigest, OutboxFailed, OutboxSuspended, OutboxDigested, OutboxSent} {
		write(t, s, func(tx *Tx) error {
			return tx.Queue(&OutboxLine{DeskID: 1, To: mail.Address{Address: "a@x"}, State: state, MessageID: fmt.Sprint(i)})
		})
		clock.add(24 * time.Hour)
	}
	removed := expire(t, s, 3, func(tx *Tx) (int, error) { return tx.ExpireOutbox(ctx, start.Add(6*24*time.Hour), 3) })
	if !slices.Equal(removed, []int{3, 1}) {
		t.Errorf("removed %v", removed)
	}
	if is := outboxIDs(got[[]OutboxLine](t)(s.Outbox(ctx, OutboxFilter{}))); !slices.Equal(is, []int64{7, 3, 2}) {
		t.Errorf("lines %v are left", is)
	}
	if is := got[OutboxCounts](t)(s.OutboxCounts(ctx)); is.Waiting != 2 || is.Failed != 0 {
		t.Errorf("counts %+v", is)
	}
}

// TestDueRequests has the lists that the housekeeping works through.
func TestDueRequests(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	day := func(n int) time.Time { return start.Add(time.Duration(n) * 24 * time.Hour) }
	for i, r := range []Request{
		{State: StateOpen, AwaitingSince: day(2)},
		{State: StateOpen, AwaitingSince: day(1)},
		{State: StateOpen, AwaitingSince: day(1), RemindedAt: day(2)},
		{State: StateOpen},
		{State: StateWaiting, Updated: day(1)},
		{State: StateWaiting, Updated: day(3)},
		{State: StateResolved, ResolvedAt: day(3)},
		{State: StateResolved, ResolvedAt: day(1)},
		{State: StateResolved, ResolvedAt: day(1), ClosedAt: day(2)},
		{State: StateOpen, AwaitingSince: day(1), DeskID: 2},
	} {
		write(t, s, func(tx *Tx) error {
			r.Key = fmt.Sprint("K-", i)
			if r.DeskID == 0 {
				r.DeskID = 1
			}
			return tx.AddRequest(&r)
		})
	}
	ids := func(all []Request, err error) string {
		t.Helper()
		var ids []int64
		for _, r := range got[[]Request](t)(all, err) {
			ids = append(ids, r.ID)
		}
		return fmt.Sprint(ids)
	}
	for _, c := range []struct{ name, is, want string }{
		{"remind", ids(s.RequestsToRemind(ctx, 1, day(3))), "[2 1]"},
		{"remind, earlier", ids(s.RequestsToRemind(ctx, 1, day(2))), "[2]"},
		{"close", ids(s.RequestsToClose(ctx, 1, day(9), 9)), "[8 7]"},
		{"close, one", ids(s.RequestsToClose(ctx, 1, day(9), 1)), "[8]"},
		{"close, earlier", ids(s.RequestsToClose(ctx, 1, day(3), 9)), "[8]"},
		{"waiting", ids(s.RequestsWaiting(ctx, 1, day(9), 9)), "[5 6]"},
		{"waiting, earlier", ids(s.RequestsWaiting(ctx, 1, day(3), 9)), "[5]"},
		{"another desk", ids(s.RequestsToRemind(ctx, 2, day(3))), "[10]"},
	} {
		if c.is != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.is, c.want)
		}
	}
}

// TestRemovalIsOneTransaction: a removal that is taken back leaves all as it was.
func TestRemovalIsOneTransaction(t *testing.T) {
	s, clock := open(t)
	aged(t, s, clock, "request", "ignored")
	indexAll(t, s)
	before := dump(t, s)
	err := s.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.ForgetPerson(tx.ctx, "a@x")
		return errors.Join(err, errFault)
	})
	if !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	if after := dump(t, s); after != before {
		t.Error("half of it was kept")
	}
}
