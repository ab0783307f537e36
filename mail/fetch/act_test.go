package fetch

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
)

type on = map[string]func(*client, string)

// inTurn answers with one after the other, and with the last from then on.
func inTurn(answers ...func(*client, string)) func(*client, string) {
	n := 0
	return func(c *client, args string) {
		answer := answers[min(n, len(answers)-1)]
		n++
		answer(c, args)
	}
}

var done = does("OK done")

// TestAcknowledge: which commands are sent, and which are not.
func TestAcknowledge(t *testing.T) {
	const (
		copyOnly = "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS"
		poor     = "IMAP4rev1 AUTH=PLAIN SASL-IR"
		moves    = "IMAP4rev1 AUTH=PLAIN SASL-IR MOVE UIDPLUS"
		spaced   = "IMAP4rev1 AUTH=PLAIN SASL-IR MOVE NAMESPACE"
	)
	present := does("* 1 FETCH (UID 5)", "* 2 FETCH (UID 7)", "OK done")
	move := Action{ActionMove, "Helpdesk/Done"}
	tests := []struct {
		name         string
		capabilities string
		action       Action
		on           on
		want         []string
		code         string // of the error; "-": none
	}{
		{"seen", moves, Action{Kind: ActionSeen}, nil, []string{`UID STORE 5,7 +FLAGS.SILENT (\Seen)`}, "-"},
		{"seen, gone", moves, Action{Kind: ActionSeen}, on{"UID STORE": says("[EXPUNGEISSUED] gone")},
			[]string{`UID STORE 5,7 +FLAGS.SILENT (\Seen)`, "NOOP", "UID FETCH 5,7 (UID FLAGS)"}, "-"},
		{"seen, read-only", moves, Action{Kind: ActionSeen}, on{"UID STORE": says("[NOPERM] read-only"), "UID FETCH": present},
			[]string{`UID STORE 5,7 +FLAGS.SILENT (\Seen)`, "NOOP", "UID FETCH 5,7 (UID FLAGS)"}, "NOPERM"},
		{"seen, one gone", moves, Action{Kind: ActionSeen}, on{
			"UID STORE": inTurn(says("[EXPUNGEISSUED] some are gone"), done), "UID FETCH": does("* 2 FETCH (UID 7)", "OK done")},
			[]string{`UID STORE 5,7 +FLAGS.SILENT (\Seen)`, "NOOP", "UID FETCH 5,7 (UID FLAGS)", `UID STORE 7 +FLAGS.SILENT (\Seen)`}, "-"},
		{"delete", moves, Action{Kind: ActionDelete}, nil, []string{`UID STORE 5,7 +FLAGS.SILENT (\Deleted)`, "UID EXPUNGE 5,7"}, "-"},
		{"delete without UIDPLUS", poor, Action{Kind: ActionDelete}, nil, []string{`UID STORE 5,7 +FLAGS.SILENT (\Deleted)`}, "-"},
		{"delete refused", moves, Action{Kind: ActionDelete}, on{"UID STORE": says("[NOPERM] no"), "UID FETCH": present},
			[]string{`UID STORE 5,7 +FLAGS.SILENT (\Deleted)`, "NOOP", "UID FETCH 5,7 (UID FLAGS)"}, "NOPERM"},
		{"move", moves, move, nil, []string{`LIST "" ""`, `UID MOVE 5,7 "Helpdesk/Done"`}, "-"},
		{"move by copy", copyOnly, move, nil,
			[]string{`LIST "" ""`, `UID COPY 5,7 "Helpdesk/Done"`, `UID STORE 5,7 +FLAGS.SILENT (\Deleted)`, "UID EXPUNGE 5,7"}, "-"},
		{"move by copy without UIDPLUS", poor, move, nil,
			[]string{`LIST "" ""`, `UID COPY 5,7 "Helpdesk/Done"`, `UID STORE 5,7 +FLAGS.SILENT (\Deleted)`}, "-"},
		{"copy refused: nothing is deleted", copyOnly, move, on{"UID COPY": says("[OVERQUOTA] full"), "UID FETCH": present},
			[]string{`LIST "" ""`, `UID COPY 5,7 "Helpdesk/Done"`, "NOOP", "UID FETCH 5,7 (UID FLAGS)"}, "OVERQUOTA"},
		{"copied in part, the rest is gone", copyOnly, move, on{"UID COPY": does("OK [COPYUID 9 7 1] done")},
			[]string{`LIST "" ""`, `UID COPY 5,7 "Helpdesk/Done"`, "NOOP", "UID FETCH 5 (UID FLAGS)", `UID STORE 7 +FLAGS.SILENT (\Deleted)`, "UID EXPUNGE 7"}, "-"},
		{"copied more than asked", copyOnly, move, on{"UID COPY": does("OK [COPYUID 9 1:99 1:99] done")},
			[]string{`LIST "" ""`, `UID COPY 5,7 "Helpdesk/Done"`, `UID STORE 5,7 +FLAGS.SILENT (\Deleted)`, "UID EXPUNGE 5,7"}, "-"},
		{"TRYCREATE", moves, move, on{"UID MOVE": inTurn(says("[TRYCREATE] no such folder"), done)},
			[]string{`LIST "" ""`, `UID MOVE 5,7 "Helpdesk/Done"`, `CREATE "Helpdesk"`, `CREATE "Helpdesk/Done"`, `SUBSCRIBE "Helpdesk/Done"`,
				`UID MOVE 5,7 "Helpdesk/Done"`}, "-"},
		{"TRYCREATE by copy", copyOnly, move, on{"UID COPY": inTurn(says("[TRYCREATE] no such folder"), done)},
			[]string{`LIST "" ""`, `UID COPY 5,7 "Helpdesk/Done"`, `CREATE "Helpdesk"`, `CREATE "Helpdesk/Done"`, `SUBSCRIBE "Helpdesk/Done"`,
				`UID COPY 5,7 "Helpdesk/Done"`, `UID STORE 5,7 +FLAGS.SILENT (\Deleted)`, "UID EXPUNGE 5,7"}, "-"},
		{"TRYCREATE in vain", moves, move, on{"UID MOVE": says("[TRYCREATE] no such folder"), "UID FETCH": present},
			[]string{`LIST "" ""`, `UID MOVE 5,7 "Helpdesk/Done"`, `CREATE "Helpdesk"`, `CREATE "Helpdesk/Done"`, `SUBSCRIBE "Helpdesk/Done"`,
				`UID MOVE 5,7 "Helpdesk/Done"`, "NOOP", "UID FETCH 5,7 (UID FLAGS)"}, "TRYCREATE"},
		{"a bare NO, the parent is there, subscribing is refused", moves, move, on{
			"UID MOVE": inTurn(says("Mailbox does not exist"), done), "CREATE": inTurn(says("exists"), done), "SUBSCRIBE": says("no")},
			[]string{`LIST "" ""`, `UID MOVE 5,7 "Helpdesk/Done"`, `CREATE "Helpdesk"`, `CREATE "Helpdesk/Done"`, `SUBSCRIBE "Helpdesk/Done"`,
				`UID MOVE 5,7 "Helpdesk/Done"`}, "-"},
		{"may not create", moves, move, on{"UID MOVE": says("[TRYCREATE] no"), "CREATE": says("[NOPERM] no new folders"), "UID FETCH": present},
			[]string{`LIST "" ""`, `UID MOVE 5,7 "Helpdesk/Done"`, `CREATE "Helpdesk"`, `CREATE "Helpdesk/Done"`, "NOOP", "UID FETCH 5,7 (UID FLAGS)"}, "NOPERM"},
		{"moved by someone else", moves, move, on{"UID MOVE": says("[OVERQUOTA] x")},
			[]string{`LIST "" ""`, `UID MOVE 5,7 "Helpdesk/Done"`, "NOOP", "UID FETCH 5,7 (UID FLAGS)"}, "-"},
		{"Courier's names", spaced, move, on{"LIST": does(`* LIST (\Noselect) "." ""`, "OK"), "NAMESPACE": does(`* NAMESPACE (("INBOX." ".")) NIL (("#shared." ".")("shared." "."))`, "OK")},
			[]string{`LIST "" ""`, "NAMESPACE", `UID MOVE 5,7 "INBOX.Helpdesk.Done"`}, "-"},
		{"Courier's names, typed with the prefix, created", spaced, Action{ActionMove, "Inbox/Erledigt/Jänner"}, on{
			"LIST": does(`* LIST (\Noselect) "." ""`, "OK"), "NAMESPACE": does(`* NAMESPACE (("INBOX." ".")) NIL NIL`, "OK"),
			"UID MOVE": inTurn(says("[TRYCREATE] no such folder"), done)},
			[]string{`LIST "" ""`, "NAMESPACE", `UID MOVE 5,7 "Inbox.Erledigt.J&AOQ-nner"`, `CREATE "Inbox.Erledigt"`,
				`CREATE "Inbox.Erledigt.J&AOQ-nner"`, `SUBSCRIBE "Inbox.Erledigt.J&AOQ-nner"`, `UID MOVE 5,7 "Inbox.Erledigt.J&AOQ-nner"`}, "-"},
		{"no hierarchy, no namespace told", spaced, move, on{"LIST": does(`* LIST () NIL ""`, "OK"), "NAMESPACE": does("BAD what?")},
			[]string{`LIST "" ""`, "NAMESPACE", `UID MOVE 5,7 "Helpdesk/Done"`}, "-"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, &script{capabilities: test.capabilities, on: test.on})
			s := server.open()
			err := s.Acknowledge(t.Context(), test.action, []uint32{7, 5})
			if test.code == "-" && err != nil {
				t.Error(err)
			} else if test.code != "-" {
				if e := failure(t, err); e.Code != test.code || e.Step != mail.StepAct {
					t.Errorf("%+v, want code %s", e, test.code)
				}
			}
			got := server.received("")
			got = got[slices.Index(got, "SELECT INBOX")+1:]
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("sent %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestAcknowledgeAgain: the folder's name is asked for once.
func TestAcknowledgeAgain(t *testing.T) {
	server := serve(t, &script{})
	s := server.open()
	for range 2 {
		if err := s.Acknowledge(t.Context(), Action{ActionMove, "Done"}, []uint32{5}); err != nil {
			t.Fatal(err)
		}
	}
	if got := server.received("LIST"); len(got) != 1 {
		t.Errorf("asked %q", got)
	}
	if err := s.Acknowledge(t.Context(), Action{Kind: "burn"}, []uint32{5}); err == nil || !strings.Contains(err.Error(), "burn") {
		t.Errorf("an unknown action: %v", err)
	}
	if err := s.Acknowledge(t.Context(), Action{Kind: ActionSeen}, nil); err != nil {
		t.Error(err)
	}
}

// TestCopyInPart: of mails that are still there and were not copied, none is
// deleted, and the caller hears of it.
func TestCopyInPart(t *testing.T) {
	server := serve(t, &script{
		capabilities: "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS",
		on:           on{"UID COPY": does("OK [COPYUID 9 7 1] done"), "UID FETCH": does("* 1 FETCH (UID 5)", "OK done")},
	})
	s := server.open()
	err := s.Acknowledge(t.Context(), Action{ActionMove, "Done"}, []uint32{5, 7})
	if e := failure(t, err); !errors.Is(err, errCopiedPart) || !e.Temporary || s.Broken() {
		t.Errorf("%+v", e)
	}
	if got := server.received("UID STORE"); got != nil {
		t.Errorf("sent %q", got)
	}
}

// TestCopyOnce: what was copied, but could not be flagged, is not copied again
// at every attempt.
func TestCopyOnce(t *testing.T) {
	server := serve(t, &script{
		capabilities: "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS",
		on: on{
			"UID FETCH": does("* 1 FETCH (UID 5)", "* 2 FETCH (UID 7)", "OK done"),
			"UID STORE": inTurn(says("[NOPERM] no"), says("[NOPERM] no"), done),
			"UID COPY":  inTurn(does("OK [COPYUID 9 1:99 1:99] done"), done),
		},
	})
	s := server.open()
	move := Action{ActionMove, "Done"}
	for range 2 {
		if e := failure(t, s.Acknowledge(t.Context(), move, []uint32{5, 7})); e.Code != "NOPERM" {
			t.Errorf("%+v", e)
		}
	}
	if err := s.Acknowledge(t.Context(), move, []uint32{5, 7, 9}); err != nil {
		t.Error(err)
	}
	want := []string{`UID COPY 5,7 "Done"`, `UID COPY 9 "Done"`}
	if got := server.received("UID COPY"); !reflect.DeepEqual(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	if got := server.received("UID EXPUNGE"); !reflect.DeepEqual(got, []string{"UID EXPUNGE 5,7,9"}) {
		t.Errorf("sent %q", got)
	}
}

// TestAcknowledgeLost: when the connection ends, nothing more is sent and the
// error says so.
func TestAcknowledgeLost(t *testing.T) {
	server := serve(t, &script{
		capabilities: "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS",
		on:           on{"UID COPY": func(c *client, _ string) { c.send("* BYE shutting down"); c.hangUp() }},
	})
	err := server.open().Acknowledge(t.Context(), Action{ActionMove, "Done"}, []uint32{5})
	if e := failure(t, err); e.Text != "shutting down" || !e.Temporary || !errors.Is(err, io.EOF) {
		t.Errorf("%+v", e)
	}
	if got := server.received("UID STORE"); got != nil {
		t.Errorf("sent %q", got)
	}
}
