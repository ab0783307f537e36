package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
)

// TestQueryPlans calls every reading method on a store with realistic data,
// asks SQLite how it runs each statement that was prepared for that (those of
// the writes as well), and fails on one that reads a whole table, and on an
// index that none of them uses.
func TestQueryPlans(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	fillStore(t, s, 300)
	now := start
	reads := map[string]func(*View) error{
		"Desks":                 func(v *View) error { _, err := v.Desks(ctx); return err },
		"DeskByID":              func(v *View) error { _, err := v.DeskByID(ctx, 1); return err },
		"MailboxByID":           func(v *View) error { _, err := v.MailboxByID(ctx, 1); return err },
		"HighestUID":            func(v *View) error { _, err := v.HighestUID(ctx, 1, 77); return err },
		"Positions":             func(v *View) error { _, err := v.Positions(ctx, 1, 77, 5); return err },
		"KnownUIDs":             func(v *View) error { _, err := v.KnownUIDs(ctx, 1, 77, 5); return err },
		"Pending":               func(v *View) error { _, err := v.Pending(ctx, 1, 77); return err },
		"DueRetries":            func(v *View) error { _, err := v.DueRetries(ctx, 1, 77, now); return err },
		"PositionsByHash":       func(v *View) error { _, err := v.PositionsByHash(ctx, 1, 1, [16]byte{1}, 1); return err },
		"SkippedByHash":         func(v *View) error { _, _, err := v.SkippedByHash(ctx, 1, [16]byte{1}); return err },
		"CustomerMessageIDs":    func(v *View) error { _, err := v.CustomerMessageIDs(ctx, 1); return err },
		"CustomerMessageBefore": func(v *View) error { _, err := v.CustomerMessageBefore(ctx, 1, 1000); return err },
		"EntryByFingerprint": func(v *View) error {
			_, _, err := v.EntryByFingerprint(ctx, 1, [16]byte{1})
			return err
		},
		"Entry": func(v *View) error { _, err := v.Entry(ctx, 1); return err },
		"Entries": func(v *View) error {
			return each(v.Entries, EntryFilter{}, EntryFilter{DeskID: 1}, EntryFilter{Outcome: "request"}, EntryFilter{From: "a@x", DeskID: 1, Outcome: "x"})(ctx)
		},
		"OpenRaw": func(v *View) error {
			r, _, err := v.OpenRaw(ctx, 1)
			if err == nil {
				_, err = r.Read(make([]byte, 10))
			}
			return err
		},
		"RequestByKey": func(v *View) error { _, err := v.RequestByKey(ctx, "sup-1"); return err },
		"RequestByID":  func(v *View) error { _, err := v.RequestByID(ctx, 1); return err },
		"Requests": func(v *View) error {
			return each(v.Requests, RequestFilter{}, RequestFilter{DeskID: 1}, RequestFilter{State: StateOpen}, RequestFilter{Query: "order", DeskID: 1, State: StateOpen},
				RequestFilter{Assignee: "a@x", State: StateOpen}, RequestFilter{Assignee: "-"}, RequestFilter{Requester: "a@x"}, RequestFilter{DeskID: 1, UpdatedBefore: now},
				RequestFilter{Query: "order", Assignee: "a@x", Requester: "b@x", UpdatedBefore: now})(ctx)
		},
		"Messages":     func(v *View) error { _, err := v.Messages(ctx, 1); return err },
		"Message":      func(v *View) error { _, err := v.Message(ctx, 1); return err },
		"Participants": func(v *View) error { _, err := v.Participants(ctx, 1); return err },
		"RequestsByMessageIDs": func(v *View) error {
			_, err := v.RequestsByMessageIDs(ctx, []string{"a", "b"})
			return err
		},
		"OutboxByMessageID": func(v *View) error { _, err := v.OutboxByMessageID(ctx, "a"); return err },
		"DueOutbox":         func(v *View) error { _, err := v.DueOutbox(ctx, []int64{1, 2}, now, 10); return err },
		"NextDue":           func(v *View) error { _, err := v.NextDue(ctx, []int64{1, 2}); return err },
		"Outbox": func(v *View) error {
			return each(v.Outbox, OutboxFilter{}, OutboxFilter{State: OutboxSent}, OutboxFilter{State: OutboxFailed}, OutboxFilter{State: OutboxWaiting}, OutboxFilter{To: "a@x"})(ctx)
		},
		"OutboxCounts":   func(v *View) error { _, err := v.OutboxCounts(ctx); return err },
		"AutomaticSince": func(v *View) error { _, err := v.AutomaticSince(ctx, "a@x", now); return err },
		"SuspendedAt":    func(v *View) error { _, err := v.SuspendedAt(ctx, "a@x"); return err },
		"Counts":         func(v *View) error { _, err := v.Counts(ctx); return err },
		"HealthAll":      func(v *View) error { _, err := v.HealthAll(ctx); return err },
		"SignIn":         func(v *View) error { _, err := v.SignIn(ctx, "relay"); return err },
		"Meta":           func(v *View) error { _, _, err := v.Meta(ctx, "a"); return err },
		"Token":          func(v *View) error { _, _, err := v.Token(ctx, "a"); return absent(err) },
		"KnownAt":        func(v *View) error { _, err := v.KnownAt(ctx, 1, "a@x"); return err },
		"Customer":       func(v *View) error { _, err := v.Customer(ctx, "a@x"); return absent(err) },
		"Customers": func(v *View) error {
			return each(v.Customers, CustomerFilter{}, CustomerFilter{DeskID: 1, Query: "a", After: "b"})(ctx)
		},
		"PersonKeys": func(v *View) error {
			address, err := known(ctx, v)
			if err == nil {
				_, err = v.PersonKeys(ctx, address)
			}
			return err
		},
		"BlockedAt":        func(v *View) error { _, err := v.BlockedAt(ctx, 1, "a@x"); return err },
		"Suspensions":      func(v *View) error { _, err := v.Suspensions(ctx); return err },
		"NthNewest":        func(v *View) error { _, err := v.NthNewest(ctx, 1, "a@x", 30); return err },
		"AutomaticInAll":   func(v *View) error { _, err := v.AutomaticInAll(ctx, now); return err },
		"EventsSince":      func(v *View) error { _, err := v.EventsSince(ctx, "held", "a@x", now); return err },
		"CausedSince":      func(v *View) error { _, err := v.CausedSince(ctx, "a@x", "b@x", now); return err },
		"NewestMessage":    func(v *View) error { _, err := v.NewestMessage(ctx, 1); return absent(err) },
		"NoticesSince":     func(v *View) error { _, err := v.NoticesSince(ctx, "a@x", now); return err },
		"DigestLines":      func(v *View) error { _, err := v.DigestLines(ctx, 1); return err },
		"RequestsToRemind": func(v *View) error { _, err := v.RequestsToRemind(ctx, 1, now); return err },
		"RequestsToClose":  func(v *View) error { _, err := v.RequestsToClose(ctx, 1, now, 10); return err },
		"RequestsWaiting":  func(v *View) error { _, err := v.RequestsWaiting(ctx, 1, now, 10); return err },
		"ResolvedSince":    func(v *View) error { _, err := v.ResolvedSince(ctx, 1, now); return err },
		"RequestsOf":       func(v *View) error { _, err := v.RequestsOf(ctx, []string{"a@x", "b@x"}); return err },
		"TracesOf":         func(v *View) error { _, err := v.TracesOf(ctx, []string{"a@x", "b@x"}); return err },
		"Wanted":           func(v *View) error { _, _, err := v.Wanted(ctx, 1, 77); return err },
		"WantedEntry":      func(v *View) error { _, _, err := v.WantedEntry(ctx, 1); return err },
		"MoveOf":           func(v *View) error { _, err := v.MoveOf(ctx, 1); return absent(err) },
		"PositionOf":       func(v *View) error { _, err := v.PositionOf(ctx, 1); return absent(err) },
		"Reconciliations":  func(v *View) error { _, err := v.Reconciliations(ctx); return err },
		"HeldFrom": func(v *View) error {
			_, err := v.HeldFrom(ctx, 0, "unknown-sender", nil, 0, 10)
			if err == nil {
				_, err = v.HeldFrom(ctx, 1, "unknown-sender", []string{"a@x"}, 0, 10)
			}
			return err
		},
		"OutboxLineByID": func(v *View) error { _, err := v.OutboxLineByID(ctx, 1); return err },
		"Search":         func(v *View) error { _, err := v.Search(ctx, "東京 order", 10); return err },
	}
	view := reflect.TypeFor[*View]()
	for i := range view.NumMethod() {
		if name := view.Method(i).Name; reads[name] == nil {
			t.Errorf("View.%s is not looked at here", name)
		}
	}
	write(t, s, func(tx *Tx) error {
		for name, read := range reads {
			if err := read(tx.View); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		// The writes that fillStore has no use for.
		entry, err := tx.Entry(ctx, 1)
		if err != nil {
			return err
		}
		request, err := tx.RequestByID(ctx, 1)
		if err != nil {
			return err
		}
		for _, err := range []error{
			tx.UpdateEntry(&entry), tx.UpdateRequest(&request), tx.SaveOutbox(OutboxLine{ID: 1}), tx.AddPosition(Position{MailboxID: 1, UIDValidity: 77, UID: 1}),
			tx.ClearPending(1, 77, []uint32{1}), tx.SetRetry(1, 77, 2, now, 1), tx.ForgetPositions(1, 77, []uint32{3}), tx.Unsuspend("a"), tx.MarkReturned(2, "a", "b"), tx.SaveMailbox(Mailbox{ID: 1}), tx.SaveToken("a", []byte{1}), numberAll(tx), tx.PutRaw(1, Packed{pieces: []piece{{data: []byte{}}}}), writeRest(tx),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})

	used := map[string]bool{}
	for _, query := range slices.Sorted(maps.Keys(s.writer.conn.stmts)) {
		plan := planOf(t, s, query)
		t.Logf("%s\n\t%s", strings.Join(strings.Fields(query), " "), strings.Join(plan, "\n\t"))
		for _, line := range plan {
			if readsAll(line) && !strings.HasSuffix(query, wholeTable) {
				t.Errorf("%s\nreads a whole table: %s", query, line)
			}
			if _, name, ok := strings.Cut(line, "INDEX "); ok {
				used[strings.Fields(name)[0]] = true
			}
		}
	}
	indexes := got[[]string](t)(list(ctx, s.View, (*row).text, "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"))
	for _, name := range indexes {
		if !used[name] {
			t.Errorf("no query uses the index %s", name)
		}
	}
}

// absent lets pass that there is no such thing.
func absent(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// known returns an address that a customer has.
func known(ctx context.Context, v *View) (string, error) {
	all, err := v.Customers(ctx, CustomerFilter{Limit: 1})
	if err != nil || len(all) == 0 {
		return "", errors.Join(err, ErrNotFound)
	}
	return all[0].Address.Address, nil
}

// writeRest calls the writing methods of people, merging, retention and the like.
func writeRest(tx *Tx) error {
	address, err := known(tx.ctx, tx.View)
	if err != nil {
		return err
	}
	customer := mail.Address{Address: address}
	steps := []func() error{
		func() error { return tx.AddMember(1, customer, start) },
		func() error { return tx.NameCustomer(customer.Address, "A") },
		func() error { return tx.MergeCustomers("new@x", customer.Address) },
		func() error { _, err := tx.RemoveMember(1, customer.Address); return err },
		func() error { return tx.Block(1, "a@x", 1, start) },
		func() error { _, err := tx.Unblock(1, "a@x"); return err },
		func() error { return tx.Digested([]int64{1}, 2) },
		func() error { _, err := tx.DropOutbox([]int64{1}); return err },
		func() error { _, err := tx.RetryOutbox([]int64{1}); return err },
		func() error { return tx.SetFields(1, map[string]string{"a": "b"}) },
		func() error { return tx.SetRequester(1, customer) },
		func() error { return tx.RemoveParticipant(1, "a@x") },
		func() error { return tx.MergeRequest(tx.ctx, 1, 2, start) },
		func() error { return tx.Want(1, Wish{Quiet: true}) },
		func() error { return tx.Unwant(1) },
		func() error { return tx.AddMove(Move{LedgerID: 1}) },
		func() error { return tx.PutReconciliation(Reconciliation{MailboxID: 1}) },
		func() error { _, err := tx.ExpireLedger(tx.ctx, start.Add(1), 2); return err },
		func() error { _, err := tx.ExpireRaw(tx.ctx, start.Add(1), 2); return err },
		func() error { _, err := tx.ExpireOutbox(tx.ctx, start.Add(1), 2); return err },
		func() error { _, err := tx.ExpireRequests(tx.ctx, 1, start.Add(1), 2); return err },
		func() error { _, err := tx.ForgetPerson(tx.ctx, customer.Address); return err },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// numberAll has unique-ids that are new, known, deleted, outdated and replaced.
func numberAll(tx *Tx) error {
	for _, ids := range []string{"ab", "b", "cd"} {
		var mails []UniqueID
		for _, id := range ids {
			mails = append(mails, UniqueID{ID: string(id)})
		}
		if _, err := tx.NumberUniqueIDs(1, mails, false); err != nil {
			return err
		}
		if ids == "ab" {
			if err := tx.DeletedUniqueIDs(1, []uint32{1, 2}); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.exec("UPDATE unique_ids SET seen = 20200101 WHERE mailbox_id = 1 AND uid = 3"); err != nil {
			return err
		}
	}
	_, err := tx.NumberUniqueIDs(1, []UniqueID{{ID: "b"}}, false)
	return err
}

// each calls a listing method with several filters.
func each[F, T any](read func(context.Context, F) ([]T, error), filters ...F) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, f := range filters {
			if _, err := read(ctx, f); err != nil {
				return err
			}
		}
		return nil
	}
}

// readsAll reports whether a line of a plan reads more than what is asked for.
// Desks, parts with a health, the last comparisons, the tables themselves, and
// what people made by hand (suspended, wanted) are a handful, json_each is the
// caller's list, the search index reads what matches, s is what it found, and the
// subquery is a person's desks.
// All positions of a mailbox are nearly all positions.
func readsAll(line string) bool {
	if !strings.HasPrefix(line, "SCAN ") {
		return strings.HasSuffix(line, "(mailbox_id=?)")
	}
	switch table := strings.Fields(line)[1]; table {
	case "desks", "d", "health", "suspended", "wanted", "reconciliations", "sqlite_master", "json_each", "s", "CONSTANT", "(subquery-4)":
		return false
	case "search":
		return !strings.Contains(line, ":M") && !strings.HasSuffix(line, ":=") // M: by MATCH; =: by rowid
	}
	return true
}

func planOf(t *testing.T, s *Store, query string) (lines []string) {
	t.Helper()
	switch strings.Fields(query)[0] {
	case "SELECT", "UPDATE", "DELETE", "INSERT":
	default:
		return nil
	}
	write(t, s, func(tx *Tx) error {
		args := make([]any, strings.Count(query, "?"))
		return tx.conn.query(tx.ctx, func(r *row) error {
			r.next = 3
			lines = append(lines, r.text())
			return nil
		}, "EXPLAIN QUERY PLAN "+query, args...)
	})
	return lines
}

// fillStore takes n sample mails and a few of what is rarer.
func fillStore(t testing.TB, s *Store, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	ctx := t.Context()
	write(t, s, func(tx *Tx) error {
		for _, a := range []string{"support@example.com", "it@example.com"} {
			d, err := tx.EnsureDesk(a, "SUP", a)
			if err != nil {
				return err
			}
			if _, _, err := tx.EnsureMailbox(d.ID, "imap", "mail.example.com", a, "INBOX"); err != nil {
				return err
			}
		}
		for i := range n {
			m := makeSample(r, i, 3000)
			p, err := s.Pack(section(m.raw))
			if err != nil {
				return err
			}
			if err := take(ctx, tx, m, p, uint32(i+1)); err != nil {
				return err
			}
		}
		if err := tx.PutHealth(Health{Subject: "relay", State: "ok"}); err != nil {
			return err
		}
		if err := tx.PutSignIn(SignIn{Subject: "relay"}); err != nil {
			return err
		}
		return tx.Suspend("a@x", 1, "5.1.1")
	})
	for indexed := 1; indexed > 0; {
		var err error
		if indexed, err = s.IndexNext(ctx, 100); err != nil {
			t.Fatal(err)
		}
	}
}
