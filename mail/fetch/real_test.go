package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

// host is a user's mailbox on a real server, Dovecot or the one in this process.
type host struct {
	user       string
	plain, tls string // host:port; plain offers STARTTLS
	pool       *x509.CertPool
	delimiter  string
	noFolder   string // response code of SELECT of a missing folder; Dovecot 2.3 gives none
	deliver    func(raw string)
	folder     func(name string) int // how many mails are in it
	hosts      *loopback.Hosts       // Dovecot's
}

// TestReal runs each test with a user of its own, on one server of each kind.
func TestReal(t *testing.T) {
	type test struct {
		name string
		run  func(*testing.T, host)
	}
	both := []test{
		{"round", round}, {"max_size", maxSize}, {"actions", actions}, {"idle", idle}, {"polling", polling}, {"refusals", refusals}, {"looking", looking},
	}
	for _, server := range []struct {
		name, delimiter string
		start           func(t testing.TB, delimiter string, users []string) []host
		tests           []test
	}{
		{"dovecot", "/", dovecot, append([]test{{"expunged", expunged}, {"uidvalidity", uidValidity}, {"sparse", sparse}}, both...)},
		{"dovecot with dots", ".", dovecot, []test{{"actions", actions}}},
		{"in process", "/", inProcess, both},
		{"in process with dots", ".", inProcess, []test{{"actions", actions}}},
	} {
		t.Run(server.name, func(t *testing.T) {
			users := make([]string, len(server.tests))
			for i := range users {
				users[i] = fmt.Sprintf("user%d@mail.test", i)
			}
			for i, h := range server.start(t, server.delimiter, users) {
				t.Run(server.tests[i].name, func(t *testing.T) { server.tests[i].run(t, h) })
			}
		})
	}
}

// dovecot starts a real one; delimiter is that of its folders.
func dovecot(t testing.TB, delimiter string, users []string) []host {
	t.Helper()
	options := loopback.HostOptions{NoRelay: true, Delimiter: delimiter}
	for _, user := range users {
		options.Users = append(options.Users, loopback.HostUser{Address: user, Password: testPassword})
	}
	h := loopback.NeedHosts(t, options)
	hosts := make([]host, len(users))
	for i, user := range users {
		hosts[i] = host{
			user: user, plain: h.IMAP, tls: h.IMAPS, pool: h.Pool, delimiter: delimiter, hosts: h,
			deliver: func(raw string) {
				if err := h.Deliver(user, []byte(raw)); err != nil {
					t.Fatal(err)
				}
			},
			folder: func(name string) int {
				mails, err := h.Mailbox(user, name)
				if err != nil {
					t.Fatal(err)
				}
				return len(mails)
			},
		}
	}
	return hosts
}

// inProcess starts the server that the demo uses.
func inProcess(t testing.TB, delimiter string, users []string) []host {
	t.Helper()
	s, err := loopback.Start(loopback.Options{TLS: true, Delimiter: rune(delimiter[0])})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	hosts := make([]host, len(users))
	for i, user := range users {
		s.AddUser(user, testPassword)
		hosts[i] = host{
			user: user, plain: s.IMAP.String(), tls: s.IMAPS.String(), pool: s.Pool(), delimiter: delimiter, noFolder: "NONEXISTENT",
			deliver: func(raw string) {
				if err := s.Deliver(user, []byte(raw)); err != nil {
					t.Fatal(err)
				}
			},
			folder: func(name string) int {
				mails, err := s.Messages(user, name)
				if err != nil {
					return 0 // no such folder
				}
				return len(mails)
			},
		}
	}
	return hosts
}

func (h host) settings(t testing.TB, security connect.Security) Settings {
	address := h.plain
	if security == connect.TLS {
		address = h.tls
	}
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return Settings{
		Settings: connect.Settings{Protocol: "imap", Host: name, Port: n, Security: security, Roots: h.pool, IdleTimeout: 30 * time.Second},
		Login:    connect.Login{Username: h.user, Password: testPassword}, SpoolDir: t.TempDir(), Name: "helpdesk", Version: "0",
	}
}

func (h host) open(t testing.TB, security connect.Security) *imapSession {
	t.Helper()
	s, err := openIMAP(t.Context(), h.settings(t, security))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func letter(n int) string {
	return fmt.Sprintf("From: a%d@example.com\r\nSubject: number %d\r\nMessage-ID: <%d@example.com>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0900\r\n\r\nText %d\r\n", n, n, n, n)
}

// round takes mails in each way of connecting.
func round(t *testing.T, h host) {
	huge := "Subject: huge\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 3*memoryLimit/78)
	h.deliver(letter(1))
	h.deliver(huge)
	h.deliver(letter(3))
	for _, security := range []connect.Security{connect.Plain, connect.StartTLS, connect.TLS} {
		s := h.open(t, security)
		state := s.State()
		if state.Messages != 3 || state.UIDNext != 4 || state.UIDValidity == 0 {
			t.Errorf("%s: state %+v", security, state)
		}
		list, err := s.List(t.Context(), 1)
		if err != nil || len(list) != 3 || list[0].UID != 1 || list[1].Size != int64(len(huge)) {
			t.Fatalf("%s: %v, %v", security, list, err)
		}
		if late, err := s.List(t.Context(), 1000); err != nil || len(late) != 0 {
			t.Errorf("%s: from 1000: %v, %v", security, late, err)
		}
		var mails []got
		missing, err := s.Fetch(t.Context(), append(list, Listed{UID: 77}), collect(&mails))
		want := []got{{1, letter(1), int64(len(letter(1))), false}, {2, huge, int64(len(huge)), false}, {3, letter(3), int64(len(letter(3))), false}}
		if err != nil || !reflect.DeepEqual(mails, want) || !reflect.DeepEqual(missing, []uint32{77}) {
			t.Errorf("%s: %d mails, missing %v, %v", security, len(mails), missing, err)
		}
		headers := map[uint32]string{}
		if err := s.Headers(t.Context(), []uint32{1, 3, 99}, func(uid uint32, size int64, header []byte) error {
			headers[uid] = string(header)
			return nil
		}); err != nil || len(headers) != 2 || !strings.Contains(headers[3], "Message-ID: <3@example.com>\r\n") || !strings.HasSuffix(headers[1], "\r\n\r\n") {
			t.Errorf("%s: %v, %v", security, headers, err)
		}
		if again, err := s.List(t.Context(), 1); err != nil || slices.Contains(again[0].Flags, `\Seen`) {
			t.Errorf("%s: reading left a trace: %v, %v", security, again, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// maxSize reads the beginning of a larger mail only.
func maxSize(t *testing.T, h host) {
	long := "Subject: long\r\n\r\n" + strings.Repeat("x", 5000) + "\r\n"
	h.deliver(long)
	h.deliver(letter(2))
	set := h.settings(t, connect.TLS)
	set.MaxSize = 1000
	s, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.List(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var mails []got
	missing, err := s.Fetch(t.Context(), list, collect(&mails))
	want := []got{{2, letter(2), int64(len(letter(2))), false}, {1, long[:1000], int64(len(long)), true}}
	if err != nil || missing != nil || !reflect.DeepEqual(mails, want) {
		t.Errorf("%v, missing %v, %v", mails, missing, err)
	}
}

// actions: seen, moved to a folder that has to be made, deleted; and
// all of it again when the mails are gone.
func actions(t *testing.T, h host) {
	for n := range 6 {
		h.deliver(letter(n))
	}
	s := h.open(t, connect.TLS)
	for range 2 {
		for _, step := range []struct {
			action Action
			uids   []uint32
		}{
			{Action{Kind: ActionSeen}, []uint32{6}},
			{Action{ActionMove, "Helpdesk/Done"}, []uint32{1, 2, 99}},
			{Action{ActionMove, "Helpdesk/Ignored"}, []uint32{3}},
			{Action{ActionMove, "受信済み/完了"}, []uint32{4}},
			{Action{Kind: ActionDelete}, []uint32{5}},
		} {
			if err := s.Acknowledge(t.Context(), step.action, step.uids); err != nil {
				t.Errorf("%+v: %v", step, err)
			}
		}
	}
	list, err := s.List(t.Context(), 1)
	if err != nil || len(list) != 1 || list[0].UID != 6 || !slices.Contains(list[0].Flags, `\Seen`) {
		t.Errorf("left: %v, %v", list, err)
	}
	for folder, want := range map[string]int{"INBOX": 1, "Helpdesk/Done": 2, "Helpdesk/Ignored": 1} {
		if got := h.folder(strings.ReplaceAll(folder, "/", h.delimiter)); got != want {
			t.Errorf("%d mails in %s, want %d", got, folder, want)
		}
	}
	set := h.settings(t, connect.TLS)
	set.Folder = "受信済み/完了"
	done, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer done.Close()
	if list, err := done.List(t.Context(), 1); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

// idle: a mail that arrives while we wait ends the wait, and so does
// the end of the context, after which the session still works.
func idle(t *testing.T, h host) {
	s := h.open(t, connect.TLS)
	s.period = 50 * time.Millisecond // re-issued meanwhile
	if _, err := s.List(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	delivered := time.AfterFunc(200*time.Millisecond, func() { h.deliver(letter(1)) })
	defer delivered.Stop()
	if err := s.Wait(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(t.Context(), 1); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := time.AfterFunc(80*time.Millisecond, cancel)
	defer stop.Stop()
	if err := s.Wait(ctx, time.Minute); err != context.Canceled {
		t.Error(err)
	}
	if list, err := s.List(t.Context(), 1); err != nil || len(list) != 1 {
		t.Errorf("after the wait was cancelled: %v, %v", list, err)
	}
}

// polling sees a new mail by NOOP.
func polling(t *testing.T, h host) {
	set := h.settings(t, connect.StartTLS)
	set.NoIdle = true
	s, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h.deliver(letter(1))
	if err := s.Wait(t.Context(), time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(t.Context(), 1); err != nil || len(list) != 1 || s.State().Messages != 1 {
		t.Errorf("%v, %v, %+v", list, err, s.State())
	}
}

// refusals: what the server refuses has its step, code and words.
func refusals(t *testing.T, h host) {
	password, folder, certificate := h.settings(t, connect.TLS), h.settings(t, connect.StartTLS), h.settings(t, connect.TLS)
	password.Password = "s3cret wrong"
	folder.Folder = "Support/Missing"
	certificate.Roots = x509.NewCertPool()
	for _, test := range []struct {
		name      string
		settings  Settings
		step      string
		code      string
		temporary bool
	}{
		{"password", password, mail.StepLogin, "AUTHENTICATIONFAILED", false},
		{"folder", folder, mail.StepSelect, h.noFolder, h.noFolder == ""},
		{"certificate", certificate, mail.StepTLS, "", false},
	} {
		_, err := openIMAP(t.Context(), test.settings)
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		e := failure(t, err)
		if e.Step != test.step || e.Code != test.code || e.Temporary != test.temporary {
			t.Errorf("%s: %+v", test.name, e)
		}
		if e.Step != mail.StepTLS && e.Text == "" {
			t.Errorf("%s: nothing of the server's words in %+v", test.name, e)
		}
	}
	unknown := x509.UnknownAuthorityError{}
	if _, err := openIMAP(t.Context(), certificate); !errors.As(err, &unknown) {
		t.Errorf("wrong certificate: %v", err)
	}
}
