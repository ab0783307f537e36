package connect

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"helpdesk/mail"
)

// traced records the stages of settings.
func traced(s Settings) (Settings, *[]Stage) {
	stages := new([]Stage)
	s.Trace = &Trace{End: func(stage Stage) { *stages = append(*stages, stage) }}
	return s, stages
}

func steps(stages []Stage) string {
	out := ""
	for _, s := range stages {
		if out += s.Step + " "; s.Err != nil {
			out += "failed "
		}
	}
	return out
}

// TestStages: each is told with its own part of what the server said.
func TestStages(t *testing.T) {
	s, stages := traced(server(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "220 hello\r\n")
		_, _ = c.Read(make([]byte, 1))
		_, _ = io.WriteString(c, "250-you said s3cret\r\n250 ok\r\n")
		untilGone(c)
	}))
	s.Protocol = "smtp"
	var begun []string
	s.Trace.Begin = func(step string) { begun = append(begun, step) }
	c := dial(t, s)
	c.Secret("s3cret")
	c.Begin(mail.StepGreeting)
	if _, err := c.ReadLine(); err != nil {
		t.Fatal(err)
	}
	c.Begin(mail.StepEHLO) // ends the one before
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.ReadLine(); err != nil {
			t.Fatal(err)
		}
	}
	failed := &mail.Error{Step: mail.StepEHLO}
	c.End(failed, Fact{"offers", "s3cret AUTH"}, Fact{"nothing", ""})
	c.End(nil) // none is under way
	c.Begin(mail.StepData)
	c.End(errors.New("not named"))

	got := *stages
	if steps(got) != "dial greeting ehlo failed data failed " || !slices.Equal(begun, []string{"dial", "greeting", "ehlo", "data"}) {
		t.Fatalf("%s, begun %v", steps(got), begun)
	}
	if got[0].Took <= 0 || got[1].Said != "220 hello" || got[2].Said != "250-you said ***\n250 ok" || got[3].Said != "" {
		t.Errorf("%+v", got)
	}
	if got[2].Err != failed || len(got[2].Facts) != 1 || got[2].Facts[0].Value != "*** AUTH" {
		t.Errorf("%+v", got[2])
	}
	if e := got[3].Err; e == nil || e.Step != mail.StepData || e.Server != s.Server() {
		t.Errorf("%+v", e)
	}
	quiet := s
	quiet.Trace = nil
	silentConn := dial(t, quiet)
	silentConn.Begin(mail.StepEHLO)
	silentConn.End(nil)
}
