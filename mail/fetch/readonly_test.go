package fetch

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// TestReadOnly: a session that only looks says nothing to the server that could
// change anything, whatever it is told.
func TestReadOnly(t *testing.T) {
	server := serve(t, &script{})
	set := server.settings()
	set.ReadOnly = true
	s, err := Open(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	refused := func(what string, err error) {
		t.Helper()
		if e := failure(t, err); !errors.Is(err, errLooking) || e.Step != mail.StepAct || e.Temporary {
			t.Errorf("%s: %+v", what, e)
		}
	}
	for _, kind := range []string{ActionSeen, ActionDelete, ActionMove} {
		refused(kind, s.Acknowledge(t.Context(), Action{Kind: kind, Folder: "Done"}, []uint32{5}))
	}
	_, err = s.Move(t.Context(), "Done", []uint32{5})
	refused("move", err)
	got := server.received("")
	if !slices.Contains(got, "EXAMINE INBOX") || slices.Contains(got, "SELECT INBOX") || s.Broken() {
		t.Errorf("sent %q", got)
	}
	if i := slices.Index(got, "EXAMINE INBOX"); i != len(got)-1 {
		t.Errorf("sent %q after it", got[i+1:])
	}
}

// TestReadOnlyMaildrop: by POP3 nothing is deleted, and the session is not
// ended in the way that lets a server do so.
func TestReadOnlyMaildrop(t *testing.T) {
	server := servePOP(t, &popScript{}, popLetter{"x", letter(1)})
	set := server.settings()
	set.ReadOnly = true
	s, err := Open(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{1}); !errors.Is(err, errLooking) {
		t.Errorf("deleted: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := append(server.received("DELE"), server.received("QUIT")...); len(got) != 0 {
		t.Errorf("sent %q", got)
	}
}

// TestMove: moved are the mails of which the server says so.
func TestMove(t *testing.T) {
	const without = "IMAP4rev1 AUTH=PLAIN SASL-IR MOVE"
	for _, test := range []struct {
		name         string
		capabilities string
		on           on
		want         []uint32
	}{
		{"told before the answer", "", on{"UID MOVE": does("* OK [COPYUID 9 5,8:7 1:3] moved", "* 1 EXPUNGE", "OK done")}, []uint32{5, 7}},
		{"told with the answer", "", on{"UID MOVE": does("OK [COPYUID 9 7 1] done")}, []uint32{7}},
		{"gone before", "", on{"UID MOVE": done}, nil},
		{"more than asked", "", on{"UID MOVE": does("* OK [COPYUID 9 1:4294967295 1:4294967295] moved", "OK done")}, []uint32{5, 7}},
		{"not told, and one was there", without, on{"UID FETCH": does("* 2 FETCH (UID 7)", "OK done")}, []uint32{7}},
		{"by copy", "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS", on{"UID COPY": does("OK [COPYUID 9 7 1] done")}, []uint32{7}},
		{"by copy, not told", "IMAP4rev1 AUTH=PLAIN SASL-IR", on{"UID FETCH": does("* 1 FETCH (UID 5)", "OK done")}, []uint32{5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, &script{capabilities: test.capabilities, on: test.on})
			got, err := server.open().Move(t.Context(), "Done", []uint32{5, 7})
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("moved %v, %v, want %v", got, err, test.want)
			}
		})
	}
	// Copied, and not flagged: nothing is moved yet.
	server := serve(t, &script{
		capabilities: "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS",
		on: on{
			"UID COPY": does("OK [COPYUID 9 5,7 1:2] done"), "UID STORE": inTurn(says("[NOPERM] no"), done),
			"UID FETCH": does("* 1 FETCH (UID 5)", "* 2 FETCH (UID 7)", "OK done"),
		},
	})
	s := server.open()
	if got, err := s.Move(t.Context(), "Done", []uint32{5, 7}); err == nil || got != nil {
		t.Errorf("refused: %v, %v", got, err)
	}
	if got, err := s.Move(t.Context(), "Done", []uint32{5, 7}); err != nil || !reflect.DeepEqual(got, []uint32{5, 7}) {
		t.Errorf("then: %v, %v", got, err)
	}
}

// looking: what is read of a real mailbox by a session that only looks is all of
// it, and nobody sees afterwards that it was read.
func looking(t *testing.T, h host) {
	h.deliver(letter(1))
	h.deliver(letter(2))
	set := h.settings(t, connect.TLS)
	set.ReadOnly = true
	s, err := Open(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.List(t.Context(), 1)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	var mails []got
	if _, err := s.Fetch(t.Context(), list, collect(&mails)); err != nil || len(mails) != 2 {
		t.Errorf("%d mails, %v", len(mails), err)
	}
	if err := s.WholeHeaders(t.Context(), []uint32{1, 2}, func(uid uint32, size int64, header []byte) error {
		if want := mails[uid-1].Text; string(header) != want[:len(header)] || headerEnd([]byte(want)) != len(header) {
			t.Errorf("the header of %d is %q", uid, header)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	for _, l := range list {
		if slices.Contains(l.Flags, `\Seen`) {
			t.Errorf("%+v", l)
		}
	}
}
