package store

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
)

func TestRequest(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	r := Request{Key: "SUP-1", Type: "Email request", Subject: "プリンタ", Requester: mail.Address{Name: "山田", Address: "Taro@Example.com"}, LinkedTo: 7}
	write(t, s, func(tx *Tx) error {
		d, err := tx.EnsureDesk("support@example.com", "SUP", "Support")
		if err != nil {
			return err
		}
		r.DeskID, r.Desk = d.ID, "SUP"
		return tx.AddRequest(&r)
	})
	if r.State != StateOpen || !r.Created.Equal(start) || !r.Updated.Equal(start) {
		t.Errorf("defaults %+v", r)
	}
	r.Created, r.Updated = start.UTC(), start.UTC()
	for _, key := range []string{"SUP-1", "sup-1", " Sup-1 "} {
		if is := got[Request](t)(s.RequestByKey(ctx, key)); !reflect.DeepEqual(is, r) {
			t.Errorf("%q: %+v, want %+v", key, is, r)
		}
	}
	clock.add(time.Hour)
	r.Type, r.Subject, r.State, r.Assignee, r.LinkedTo, r.Updated = "Fault", "Drucker", StateWaiting, "aki@example.com", 0, clock.now.UTC()
	r.Requester = mail.Address{Name: "Hanako", Address: "h@example.com"}
	write(t, s, func(tx *Tx) error { return tx.UpdateRequest(&r) })
	if is := got[Request](t)(s.RequestByID(ctx, r.ID)); !reflect.DeepEqual(is, r) {
		t.Errorf("changed to %+v, want %+v", is, r)
	}
	older := r
	older.Updated = start
	write(t, s, func(tx *Tx) error { return tx.UpdateRequest(&older) })
	if is := got[Request](t)(s.RequestByID(ctx, r.ID)); !is.Updated.Equal(clock.now) {
		t.Errorf("its last change went back to %v", is.Updated)
	}
	for name, err := range map[string]error{
		"by key": func() error { _, err := s.RequestByKey(ctx, "SUP-2"); return err }(),
		"by id":  func() error { _, err := s.RequestByID(ctx, 2); return err }(),
		"update": s.Write(ctx, func(tx *Tx) error { return tx.UpdateRequest(&Request{ID: 2}) }),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequests(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	for i, state := range []string{StateOpen, StateResolved, StateOpen, StateWaiting, StateOpen, StateResolved} {
		write(t, s, func(tx *Tx) error {
			for _, a := range []string{"a@x", "b@x"} {
				if _, err := tx.EnsureDesk(a, a, a); err != nil {
					return err
				}
			}
			return tx.AddRequest(&Request{DeskID: int64(i%2 + 1), Key: fmt.Sprint("K-", i+1), State: state})
		})
	} // desk 1: 1 open, 3 open, 5 open; desk 2: 2 resolved, 4 waiting, 6 resolved
	for _, c := range []struct {
		f    RequestFilter
		want []int64
	}{
		{RequestFilter{}, []int64{6, 5, 4, 3, 2, 1}},
		{RequestFilter{Limit: 2, Before: 6}, []int64{5, 4}},
		{RequestFilter{DeskID: 2}, []int64{6, 4, 2}},
		{RequestFilter{DeskID: 2, Before: 6, Limit: 1}, []int64{4}},
		{RequestFilter{State: StateOpen}, []int64{5, 3, 1}},
		{RequestFilter{State: StateResolved, DeskID: 2}, []int64{6, 2}},
		{RequestFilter{State: StateResolved, DeskID: 1}, nil},
		{RequestFilter{State: "strange"}, nil},
	} {
		if ids := requestIDs(got[[]Request](t)(s.Requests(ctx, c.f))); !reflect.DeepEqual(ids, c.want) {
			t.Errorf("%+v: %v, want %v", c.f, ids, c.want)
		}
	}
}

func requestIDs(all []Request) (ids []int64) {
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestMessages(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	const text = "Grüße\n\n> quoted"
	all := []Message{
		{LedgerID: 4, Kind: KindCustomer, From: mail.Address{Name: "C", Address: "c@x"}, At: start.UTC(), Text: text, Reply: "Grüße", MessageID: "one@x", Verified: true,
			Attachments: []mail.Attachment{{Name: "図.png", Type: "image/png", Size: 7, SHA256: "ab", Inline: true, ContentID: "cid@x", Part: 3}, {Name: "b"}}},
		{Kind: KindAgent, At: start.Add(time.Hour).UTC(), Text: text, Reply: text, Attachments: []mail.Attachment{}},
		{Kind: KindNote, At: start.Add(-time.Hour).UTC(), Text: text, Reply: "elsewhere", MessageID: "two@x", Reason: "agent-unproven", Attachments: []mail.Attachment{}},
		{Kind: KindNote, At: start.UTC(), Text: text, Reply: "", MessageID: "one@x", Attachments: []mail.Attachment{}},
	}
	write(t, s, func(tx *Tx) error {
		r := Request{Key: "SUP-1"}
		if err := tx.AddRequest(&r); err != nil {
			return err
		}
		for i := range all {
			all[i].RequestID = r.ID
			if err := tx.AddMessage(&all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if is := got[[]Message](t)(s.Messages(ctx, 1)); !reflect.DeepEqual(is, all) {
		t.Errorf("read  %+v\nwrote %+v", is, all)
	}
	if is := got[Message](t)(s.Message(ctx, 3)); !reflect.DeepEqual(is, all[2]) {
		t.Errorf("read  %+v\nwrote %+v", is, all[2])
	}
	if r := got[Request](t)(s.RequestByID(ctx, 1)); r.Messages != 4 || !r.Updated.Equal(start.Add(time.Hour)) {
		t.Errorf("the request has %d messages and was last changed %v", r.Messages, r.Updated)
	}
	if err := s.Write(ctx, func(tx *Tx) error { return tx.AddMessage(&Message{RequestID: 2}) }); !errors.Is(err, ErrNotFound) {
		t.Errorf("a message without a request: %v", err)
	}

	write(t, s, func(tx *Tx) error {
		r := Request{Key: "SUP-2"}
		return errors.Join(tx.AddRequest(&r), tx.AddMessage(&Message{RequestID: r.ID, MessageID: "one@x"}))
	})
	found := map[MessageRequest]int{}
	for _, m := range got[[]MessageRequest](t)(s.RequestsByMessageIDs(ctx, []string{"zero@x", "one@x", "two@x", "ONE@x", ""})) {
		found[m]++
	}
	want := map[MessageRequest]int{{"one@x", 1}: 2, {"one@x", 2}: 1, {"two@x", 1}: 1}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	write(t, s, func(tx *Tx) error { // another Message-ID with the same hash
		_, err := tx.exec("UPDATE messages SET message_id = 'collision@x' WHERE message_id = 'two@x'")
		return err
	})
	for _, ids := range [][]string{nil, {""}, {"none@x"}, {"two@x"}} {
		if is := got[[]MessageRequest](t)(s.RequestsByMessageIDs(ctx, ids)); len(is) != 0 {
			t.Errorf("%q: %v", ids, is)
		}
	}
}

func TestParticipants(t *testing.T) {
	s, _ := open(t)
	add := func(name, address, role string) {
		write(t, s, func(tx *Tx) error {
			return tx.AddParticipant(1, Participant{Address: mail.Address{Name: name, Address: address}, Role: role})
		})
	}
	add("", "b@x", RoleCC)
	add("A", "a@x", RoleCC)
	add("Z", "Z@x", RoleRequester)
	add("Other", "z@X", RoleCC)
	add("B", "B@x", RoleRequester)
	var is []string
	for _, p := range got[[]Participant](t)(s.Participants(t.Context(), 1)) {
		is = append(is, fmt.Sprint(p.Name, " ", p.Address.Address, " ", p.Role))
	}
	if want := "Z Z@x requester, A a@x cc, B b@x cc"; strings.Join(is, ", ") != want {
		t.Errorf("%v, want %s", is, want)
	}
	if none := got[[]Participant](t)(s.Participants(t.Context(), 2)); len(none) != 0 {
		t.Errorf("%v", none)
	}
}

func TestUpsertCustomer(t *testing.T) {
	s, _ := open(t)
	add := func(name, address string, at time.Time) (id int64) {
		write(t, s, func(tx *Tx) (err error) {
			id, err = tx.UpsertCustomer(mail.Address{Name: name, Address: address}, at)
			return err
		})
		return id
	}
	state := func(id int64) string {
		return got[string](t)(one(t.Context(), s.View, func(r *row) string {
			return fmt.Sprint(r.text(), " ", r.time().Sub(start.UTC()), " ", r.time().Sub(start.UTC()))
		}, "SELECT name, first, last FROM customers WHERE id = ?", id))
	}
	id := add("Taro", "Taro@x", start)
	if other := add("Hanako", "h@x", start); other == id {
		t.Error("two people share a number")
	}
	for _, c := range []struct {
		name, address string
		at            time.Duration
		want          string
	}{
		{"Yamada Taro", "taro@X", time.Hour, "Yamada Taro 0s 1h0m0s"},
		{"", "taro@x", 2 * time.Hour, "Yamada Taro 0s 2h0m0s"},
		{"Old Name", "taro@x", -time.Hour, "Yamada Taro -1h0m0s 2h0m0s"},
	} {
		if again := add(c.name, c.address, start.Add(c.at)); again != id {
			t.Errorf("number %d became %d", id, again)
		}
		if is := state(id); is != c.want {
			t.Errorf("%s at %v: %s, want %s", c.name, c.at, is, c.want)
		}
	}
}

// TestRequestTimes: the times of a request go with its state, also for a caller
// that changes the state alone.
func TestRequestTimes(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	r := Request{Key: "SUP-1", Fields: map[string]string{"place": "\"東京\""}, Language: "ja", AwaitingSince: start.UTC(), RemindedAt: start.Add(time.Hour).UTC(), Spam: true, MergedInto: 4}
	update := func(change func(*Request)) Request {
		t.Helper()
		clock.add(time.Hour)
		write(t, s, func(tx *Tx) error {
			if r.ID == 0 {
				return tx.AddRequest(&r)
			}
			change(&r)
			return tx.UpdateRequest(&r)
		})
		is := got[Request](t)(s.RequestByID(ctx, r.ID))
		is.Created, is.Updated, r.Created, r.Updated, r.ResolvedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}, r.ResolvedAt.UTC()
		if r.ResolvedAt.IsZero() {
			r.ResolvedAt = time.Time{}
		}
		if !reflect.DeepEqual(is, r) {
			t.Errorf("read  %+v\nwrote %+v", is, r)
		}
		return is
	}
	update(nil)
	if is := update(func(r *Request) { r.State = StateResolved }); !is.ResolvedAt.Equal(clock.now) {
		t.Errorf("resolved at %v", is.ResolvedAt)
	}
	at := clock.now
	if is := update(func(r *Request) { r.ClosedAt, r.Assignee = clock.now.UTC(), "aki@x" }); !is.ResolvedAt.Equal(at) || is.ClosedAt.IsZero() {
		t.Errorf("closed: %+v", is)
	}
	if is := update(func(r *Request) { r.State = StateOpen }); !is.ResolvedAt.IsZero() || !is.ClosedAt.IsZero() || is.RemindedAt.IsZero() {
		t.Errorf("reopened: %+v", is)
	}
	if is := update(func(r *Request) { r.AwaitingSince, r.Fields, r.Spam = time.Time{}, nil, false }); !is.RemindedAt.IsZero() {
		t.Errorf("answered: %+v", is)
	}
	old := Request{Key: "SUP-2", State: StateResolved, Created: start.Add(-time.Hour)}
	write(t, s, func(tx *Tx) error { return tx.AddRequest(&old) })
	if !old.ResolvedAt.Equal(old.Updated) {
		t.Errorf("an old one that is resolved: %+v", old)
	}
}

func TestRequestFilters(t *testing.T) {
	s, clock := open(t)
	ctx := t.Context()
	desksOf(t, s, "one@x", "two@x")
	for i, r := range []Request{ // an hour apart
		{DeskID: 1, Requester: mail.Address{Address: "A@x"}, Assignee: "aki@x"},
		{DeskID: 2, Requester: mail.Address{Address: "a@x"}, State: StateWaiting},
		{DeskID: 1, Requester: mail.Address{Address: "b@x"}, Assignee: "aki@x", State: StateResolved},
		{DeskID: 1, Requester: mail.Address{Address: "a@x"}, Assignee: "ben@x"},
		{DeskID: 1},
	} {
		write(t, s, func(tx *Tx) error {
			r.Key, r.Subject = fmt.Sprintf("K-%d", i+1), "fruit"
			if err := tx.AddRequest(&r); err != nil {
				return err
			}
			return tx.AddMessage(&Message{RequestID: r.ID, Kind: KindCustomer})
		})
		clock.add(time.Hour)
	}
	indexAll(t, s)
	for _, c := range []struct {
		f    RequestFilter
		want string
	}{
		{RequestFilter{}, "[5 4 3 2 1]"},
		{RequestFilter{Assignee: " AKI@x"}, "[3 1]"},
		{RequestFilter{Assignee: "aki@x", State: StateOpen}, "[1]"},
		{RequestFilter{Assignee: "-"}, "[5 2]"},
		{RequestFilter{Assignee: "-", DeskID: 2}, "[2]"},
		{RequestFilter{Assignee: "-", State: StateOpen}, "[5]"},
		{RequestFilter{Requester: "a@X "}, "[4 2 1]"},
		{RequestFilter{Requester: "a@x", Limit: 1, Before: 4}, "[2]"},
		{RequestFilter{Requester: "a@x", Assignee: "ben@x", DeskID: 1, State: StateOpen}, "[4]"},
		{RequestFilter{Requester: "nobody@x"}, "[]"},
		{RequestFilter{UpdatedBefore: start.Add(2 * time.Hour)}, "[2 1]"},
		{RequestFilter{UpdatedBefore: start.Add(2 * time.Hour), DeskID: 1}, "[1]"},
		{RequestFilter{UpdatedBefore: start.Add(5 * time.Hour), State: StateOpen, Assignee: "-"}, "[5]"},
	} {
		for _, query := range []string{"", "fruit"} {
			c.f.Query = query
			ids := []int64{}
			for _, r := range got[[]Request](t)(s.Requests(ctx, c.f)) {
				ids = append(ids, r.ID)
			}
			if is := fmt.Sprint(ids); is != c.want {
				t.Errorf("%+v: %s, want %s", c.f, is, c.want)
			}
		}
	}
}
