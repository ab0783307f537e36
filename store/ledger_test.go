package store

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"helpdesk/mail"
)

func TestEntry(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	full := Entry{
		UIDValidity: 5, UID: 4294967295, MessageID: "a@b", From: mail.Address{Name: "山田 太郎", Address: "Taro@Example.com"}, Subject: "プリンタ\x00\xff",
		SeenAt: start.UTC(), Outcome: "request", Rule: "request", Reason: "mentions", ReasonArgs: map[string]string{"key": "SUP-9"},
		Passed: []string{"skipped", "duplicate"}, Fingerprint: [16]byte{1, 2}, Size: 1 << 40, RawState: RawTruncated, Problems: []string{"no-date"},
	}
	write(t, s, func(tx *Tx) error {
		d, err := tx.EnsureDesk("support@example.com", "SUP", "Support")
		if err != nil {
			return err
		}
		m, _, err := tx.EnsureMailbox(d.ID, "imap", "mail.example.com", "support", "INBOX")
		if err != nil {
			return err
		}
		r := Request{DeskID: d.ID, Key: "SUP-1"}
		if err := tx.AddRequest(&r); err != nil {
			return err
		}
		full.DeskID, full.Desk, full.MailboxID, full.Mailbox, full.RequestID, full.Request = d.ID, "SUP", m.ID, "INBOX", r.ID, "SUP-1"
		return tx.AddEntry(&full)
	})
	if is := got[Entry](t)(s.Entry(ctx, full.ID)); !reflect.DeepEqual(is, full) {
		t.Errorf("read  %+v\nwrote %+v", is, full)
	}

	bare := Entry{Passed: []string{}, Problems: []string{}}
	write(t, s, func(tx *Tx) error { return tx.AddEntry(&bare) })
	if !bare.SeenAt.Equal(start) || bare.RawState != RawNone {
		t.Errorf("defaults %+v", bare)
	}
	bare.SeenAt = start.UTC()
	if is := got[Entry](t)(s.Entry(ctx, bare.ID)); !reflect.DeepEqual(is, bare) {
		t.Errorf("read  %+v\nwrote %+v", is, bare)
	}

	full.Outcome, full.Rule, full.RequestID, full.Request, full.Subject, full.RawState = "held", "rate", 0, "", "new", RawWhole
	full.From, full.ReasonArgs, full.Fingerprint = mail.Address{Address: "x@y"}, nil, [16]byte{}
	write(t, s, func(tx *Tx) error { return tx.UpdateEntry(&full) })
	if is := got[Entry](t)(s.Entry(ctx, full.ID)); !reflect.DeepEqual(is, full) {
		t.Errorf("changed to %+v\nwanted     %+v", is, full)
	}
	if _, err := s.Entry(ctx, 99); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := s.Write(ctx, func(tx *Tx) error { return tx.UpdateEntry(&Entry{ID: 99}) }); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestMailboxName(t *testing.T) {
	s, _ := open(t)
	for _, c := range []struct{ user, folder, want string }{
		{"support", "Tickets", "Tickets"},
		{"support", "", "support@pop.example.com"},
		{"support@example.com", "", "support@example.com"},
	} {
		var e Entry
		write(t, s, func(tx *Tx) error {
			d, err := tx.EnsureDesk("a@b", "A", "A")
			if err != nil {
				return err
			}
			m, _, err := tx.EnsureMailbox(d.ID, "pop3", "pop.example.com", c.user, c.folder)
			if err != nil {
				return err
			}
			e = Entry{MailboxID: m.ID}
			return tx.AddEntry(&e)
		})
		if is := got[Entry](t)(s.Entry(t.Context(), e.ID)); is.Mailbox != c.want {
			t.Errorf("%s %q is called %q, want %q", c.user, c.folder, is.Mailbox, c.want)
		}
	}
}

func TestEntriesAndCounts(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	add := func(desk int64, outcome, from string) (e Entry) {
		e = Entry{DeskID: desk, Outcome: outcome, From: mail.Address{Address: from}}
		write(t, s, func(tx *Tx) error { return tx.AddEntry(&e) })
		return e
	}
	add(1, "request", "a@x") // 1
	add(1, "skipped", "b@x")
	clock.add(24 * time.Hour)
	add(2, "request", "A@X") // 3
	add(1, "request", "b@x")
	held := add(1, "held", "a@x") // 5
	add(2, "ignored", "c@x")
	for _, c := range []struct {
		f    EntryFilter
		want []int64
	}{
		{EntryFilter{}, []int64{6, 5, 4, 3, 2, 1}},
		{EntryFilter{Limit: 2}, []int64{6, 5}},
		{EntryFilter{Limit: 2, Before: 5}, []int64{4, 3}},
		{EntryFilter{DeskID: 1}, []int64{5, 4, 2, 1}},
		{EntryFilter{DeskID: 1, Limit: 2, Before: 5}, []int64{4, 2}},
		{EntryFilter{Outcome: "request"}, []int64{4, 3, 1}},
		{EntryFilter{Outcome: "request", DeskID: 2}, []int64{3}},
		{EntryFilter{From: " a@X"}, []int64{5, 3, 1}},
		{EntryFilter{From: "a@x", DeskID: 1, Before: 5}, []int64{1}},
		{EntryFilter{From: "a@x", Outcome: "held"}, []int64{5}},
		{EntryFilter{From: "nobody@x"}, nil},
		{EntryFilter{Outcome: "outbox:waiting"}, nil},
		{EntryFilter{DeskID: 9}, nil},
	} {
		var ids []int64
		for _, e := range got[[]Entry](t)(s.Entries(ctx, c.f)) {
			ids = append(ids, e.ID)
		}
		if !reflect.DeepEqual(ids, c.want) {
			t.Errorf("%+v: %v, want %v", c.f, ids, c.want)
		}
	}

	held.Outcome = "request"
	write(t, s, func(tx *Tx) error {
		if err := tx.UpdateEntry(&held); err != nil {
			return err
		}
		return tx.Queue(&OutboxLine{DeskID: 1, MessageID: "m"}) // counted elsewhere
	})
	want := []Count{{1, "held", 0, 0}, {1, "request", 3, 2}, {1, "skipped", 1, 0}, {2, "ignored", 1, 1}, {2, "request", 1, 1}}
	if is := got[[]Count](t)(s.Counts(ctx)); !reflect.DeepEqual(is, want) {
		t.Errorf("counts %+v", is)
	}
	clock.add(17 * time.Hour) // past midnight in the office, not in UTC
	if is := got[[]Count](t)(s.Counts(ctx)); is[1].Today != 0 || is[1].Total != 3 {
		t.Errorf("counts of the next day %+v", is)
	}
}

func TestFingerprints(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	fp := [16]byte{1, 2, 3}
	write(t, s, func(tx *Tx) error {
		return errors.Join(tx.AddFingerprint(1, fp, 7), tx.AddFingerprint(1, fp, 8), tx.AddFingerprint(2, fp, 9))
	})
	for desk, want := range map[int64]int64{1: 7, 2: 9, 3: 0} {
		id, ok, err := s.EntryByFingerprint(ctx, desk, fp)
		if err != nil || ok != (want != 0) || id != want {
			t.Errorf("desk %d: %d, %v, %v", desk, id, ok, err)
		}
	}
	if _, ok, err := s.EntryByFingerprint(ctx, 1, [16]byte{1, 2}); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestHealthMetaSuspended(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	h := Health{Subject: "mailbox:1", State: "failing", Since: start.UTC(), LastPoll: start.UTC(), NextPoll: start.Add(time.Minute).UTC(), Step: "login",
		Protocol: "imap", Server: "h:993", Code: "AUTHENTICATIONFAILED", Enhanced: "5.7.8", Text: "no", Temporary: true, Err: "x"}
	write(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutHealth(Health{Subject: "relay", State: "ok"}), tx.PutHealth(Health{Subject: "mailbox:1", State: "ok"}), tx.PutHealth(h))
	})
	if is := got[[]Health](t)(s.HealthAll(ctx)); !reflect.DeepEqual(is, []Health{h, {Subject: "relay", State: "ok"}}) {
		t.Errorf("health %+v", is)
	}

	write(t, s, func(tx *Tx) error { return errors.Join(tx.SetMeta("k", "1"), tx.SetMeta("k", "")) })
	if v, ok, err := s.Meta(ctx, "k"); v != "" || !ok || err != nil {
		t.Error(v, ok, err)
	}
	if _, ok, err := s.Meta(ctx, "none"); ok || err != nil {
		t.Error(ok, err)
	}

	write(t, s, func(tx *Tx) error {
		return errors.Join(tx.Suspend(" Gone@Example.com", 3, "5.1.1"), tx.Suspend("x@y", 4, "5.1.1"), tx.Unsuspend("X@y"))
	})
	for address, want := range map[string]bool{"gone@example.com": true, "x@y": false, "never@x": false} {
		if is := got[bool](t)(s.SuspendedAt(ctx, address)); is != want {
			t.Errorf("%s suspended: %v", address, is)
		}
	}
}
