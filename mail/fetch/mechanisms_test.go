package fetch

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

// traced returns settings that record their stages.
func traced(set Settings) (Settings, *[]connect.Stage) {
	stages := new([]connect.Stage)
	begun := ""
	set.Trace = &connect.Trace{
		Begin: func(step string) { begun = step },
		End: func(s connect.Stage) {
			if s.Step != begun {
				s.Step += " ended, begun was " + begun
			}
			*stages = append(*stages, s)
		},
	}
	return set, stages
}

// steps are the stages' names, with "!" behind one that failed.
func steps(stages []connect.Stage) string {
	names := make([]string, len(stages))
	for i, s := range stages {
		if names[i] = s.Step; s.Err != nil {
			names[i] += "!"
		}
	}
	return strings.Join(names, " ")
}

// fact is what a stage found out.
func fact(stages []connect.Stage, step, name string) string {
	for _, s := range stages {
		for _, f := range s.Facts {
			if s.Step == step && f.Name == name {
				return f.Value
			}
		}
	}
	return ""
}

// at points settings to "host:port".
func at(set Settings, address string) Settings {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		panic(err)
	}
	set.Host = host
	set.Port, _ = strconv.Atoi(port)
	return set
}

// TestMechanisms signs in to a real Dovecot in every way that it offers.
func TestMechanisms(t *testing.T) {
	h := loopback.NeedHosts(t, loopback.HostOptions{
		NoRelay: true, Mechanisms: "plain login cram-md5 scram-sha-256", Users: []loopback.HostUser{{Address: testUser, Password: testPassword}},
	})
	few := loopback.NeedHosts(t, loopback.HostOptions{NoRelay: true, Mechanisms: "login cram-md5", Users: []loopback.HostUser{{Address: testUser, Password: testPassword}}})
	for _, test := range []struct {
		hosts     *loopback.Hosts
		security  connect.Security
		auth      string
		mechanism string
	}{
		{h, connect.TLS, "", "SCRAM-SHA-256"},
		{h, connect.TLS, "auto", "SCRAM-SHA-256"},
		{h, connect.TLS, "plain", "PLAIN"},
		{h, connect.TLS, "login", "LOGIN"},
		{h, connect.TLS, "cram-md5", "CRAM-MD5"},
		{h, connect.TLS, "scram-sha-256", "SCRAM-SHA-256"},
		{h, connect.StartTLS, "auto", "SCRAM-SHA-256"},
		{h, connect.Plain, "auto", "SCRAM-SHA-256"},
		{few, connect.TLS, "auto", "LOGIN"},
		{few, connect.Plain, "auto", "CRAM-MD5"},
	} {
		t.Run(fmt.Sprintf("%s %s %s", test.security, test.auth, test.mechanism), func(t *testing.T) {
			address := test.hosts.IMAP
			if test.security == connect.TLS {
				address = test.hosts.IMAPS
			}
			set := at(Settings{
				Settings: connect.Settings{Protocol: "imap", Security: test.security, Roots: test.hosts.Pool},
				Login:    connect.Login{Username: testUser, Password: testPassword, Auth: test.auth}, SpoolDir: t.TempDir(), Name: "helpdesk",
			}, address)
			set, stages := traced(set)
			if err := Probe(t.Context(), set, Action{}); err != nil {
				t.Error(err)
			}
			if got := fact(*stages, mail.StepLogin, "mechanism"); got != test.mechanism {
				t.Errorf("by %s, want %s", got, test.mechanism)
			}
			want := "dial tls greeting capabilities login capabilities select fetch"
			switch test.security {
			case connect.Plain:
				want = strings.Replace(want, "tls ", "", 1)
			case connect.StartTLS:
				want = strings.Replace(want, "tls greeting", "greeting starttls tls", 1)
			}
			if got := steps(*stages); got != want {
				t.Errorf("stages %s, want %s", got, want)
			}

			*stages = nil
			set.Password = "wr0ng-word"
			err := Probe(t.Context(), set, Action{})
			e := failure(t, err)
			if e.Step != mail.StepLogin || e.Code != "AUTHENTICATIONFAILED" || e.Auth != "password" || e.Temporary {
				t.Errorf("%+v", e)
			}
			last := (*stages)[len(*stages)-1]
			if last.Err != e || last.Step != mail.StepLogin || !strings.Contains(last.Said, "AUTHENTICATIONFAILED") || last.Took <= 0 {
				t.Errorf("last stage %+v", last)
			}
			if n := strings.Count(steps(*stages), mail.StepLogin); n != 1 {
				t.Errorf("%d log-ins", n)
			}
		})
	}
	set, stages := traced(at(Settings{
		Settings: connect.Settings{Protocol: "imap", Security: connect.TLS, Roots: few.Pool},
		Login:    connect.Login{Username: testUser, Password: testPassword, Auth: "scram-sha-256"}, SpoolDir: t.TempDir(),
	}, few.IMAPS))
	_, err := Open(t.Context(), set)
	if e := failure(t, err); e.Step != mail.StepLogin || !errors.Is(err, mail.ErrMechanism) || !strings.Contains(e.Err.Error(), "LOGIN, CRAM-MD5") || e.Auth != "password" || e.Temporary {
		t.Errorf("%+v", e)
	}
	if got := steps(*stages); !strings.HasSuffix(got, " login!") {
		t.Errorf("stages %s", got)
	}
}
