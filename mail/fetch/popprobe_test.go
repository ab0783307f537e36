package fetch

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/mail/connect"
)

// TestPOPProbe goes through all stages, reads a mail where that does no harm,
// and deletes nothing.
func TestPOPProbe(t *testing.T) {
	huge := "S: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 3*beginning/78)
	noTop := map[string]func(*popClient, string) bool{"TOP": pop("-ERR what?")}
	for _, test := range []struct {
		name   string
		script *popScript
		mails  []popLetter
		after  Action
		read   string // the command that reads a mail
		steps  []string
		fails  error
	}{
		{"TOP", &popScript{}, []popLetter{{"x", letter(1)}, {"y", letter(2)}}, Action{Kind: ActionDelete}, "TOP 2 20", []string{mail.StepSelect, mail.StepFetch}, nil},
		{"RETR", &popScript{caps: "USER", on: noTop}, []popLetter{{"x", letter(1)}}, Action{}, "RETR 1", []string{mail.StepSelect, mail.StepFetch}, nil},
		{"a huge mail", &popScript{caps: "USER", on: noTop}, []popLetter{{"x", huge}}, Action{}, "RETR 1", []string{mail.StepSelect, mail.StepFetch}, nil},
		{"nothing there", &popScript{}, nil, Action{}, "", []string{mail.StepSelect}, nil},
		{"Gmail", &popScript{greeting: "+OK Gpop ready"}, []popLetter{{"x", letter(1)}}, Action{}, "", []string{mail.StepSelect}, nil},
		{"an action that POP3 has not", &popScript{}, []popLetter{{"x", letter(1)}}, Action{Kind: ActionSeen}, "", []string{mail.StepSelect}, errOnlyDelete},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := servePOP(t, test.script, test.mails...)
			set := server.settings()
			var steps []string
			ids := ""
			set.Numbers, set.Delete = nil, true
			set.Trace = &connect.Trace{End: func(s connect.Stage) {
				for _, f := range s.Facts {
					if f.Name == "unique-ids" {
						ids = f.Value
					}
				}
				steps = append(steps, s.Step)
			}}
			if err := Probe(t.Context(), set, test.after); !errors.Is(err, test.fails) {
				t.Fatal(err)
			}
			if i := slices.Index(steps, mail.StepSelect); i < 0 || !slices.Equal(steps[i:], test.steps) || ids != "UIDL" {
				t.Errorf("stages %v, ids from %q", steps, ids)
			}
			var read []string
			for _, c := range append(server.received("TOP"), server.received("RETR")...) {
				if !strings.HasPrefix(c, "TOP 1") {
					read = append(read, c)
				}
			}
			if got := strings.Join(read, " "); got != test.read || len(server.received("DELE")) > 0 || len(server.left()) != len(test.mails) {
				t.Errorf("read by %q, want %q; %d mails are left", got, test.read, len(server.left()))
			}
		})
	}
}
