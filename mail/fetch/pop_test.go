package fetch

import (
	"fmt"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

// TestPOPReal takes mails from Dovecot in each way of connecting, deletes one,
// and sees what came meanwhile.
func TestPOPReal(t *testing.T) {
	h := loopback.NeedHosts(t, loopback.HostOptions{NoRelay: true, Users: []loopback.HostUser{{Address: testUser, Password: testPassword}}})
	deliver := func(text string) {
		t.Helper()
		if err := h.Deliver(testUser, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	set := func(security connect.Security, numbers *numbers) Settings {
		address := h.POP3
		if security == connect.TLS {
			address = h.POP3S
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		return Settings{
			Settings: connect.Settings{Protocol: "pop3", Host: host, Port: n, Security: security, Roots: h.Pool, IdleTimeout: 30 * time.Second},
			Login:    connect.Login{Username: testUser, Password: testPassword}, SpoolDir: t.TempDir(), Numbers: numbers.give,
		}
	}
	dots := "Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\nend\r\n"
	huge := "Subject: huge\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 3*memoryLimit/78)
	for _, text := range []string{letter(1), dots, huge} {
		deliver(text)
	}
	known := new(numbers)
	for _, security := range []connect.Security{connect.Plain, connect.StartTLS, connect.TLS} {
		s := openPOPWith(t, set(security, known))
		if state := s.State(); state != (State{UIDValidity: 1, UIDNext: 4, Messages: 3}) {
			t.Errorf("%s: state %+v", security, state)
		}
		mails, missing, err := wholeDrop(t, s)
		want := []got{{1, letter(1), int64(len(letter(1))), false}, {2, dots, int64(len(dots)), false}, {3, huge, int64(len(huge)), false}}
		if err != nil || len(missing) != 0 || !reflect.DeepEqual(mails, want) {
			t.Errorf("%s: %d mails, missing %v, %v", security, len(mails), missing, err)
		}
		headers := map[uint32]string{}
		if err := s.Headers(t.Context(), []uint32{1, 3, 99}, func(uid uint32, size int64, header []byte) error {
			headers[uid] = fmt.Sprint(size, " ", string(header))
			return nil
		}); err != nil || len(headers) != 2 || headers[3] != fmt.Sprint(len(huge), " Subject: huge\r\n\r\n") ||
			!strings.Contains(headers[1], "Message-ID: <1@example.com>\r\n") {
			t.Errorf("%s: headers %v, %v", security, headers, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}

	s := openPOPWith(t, set(connect.TLS, known))
	if err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{2, 77}); err != nil {
		t.Fatal(err)
	}
	if mails, err := h.Mailbox(testUser, "INBOX"); err != nil || len(mails) != 2 {
		t.Errorf("after deleting one of three, %d are left, %v", len(mails), err)
	}
	deliver(letter(4))
	if err := s.Wait(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), 2)
	if err != nil || len(list) != 2 || list[0].UID != 3 || list[1].UID != 4 {
		t.Errorf("the next session lists %v, %v", list, err)
	}

	limited := set(connect.TLS, known)
	limited.MaxSize = 100_000
	s = openPOPWith(t, limited)
	mails, _, err := wholeDrop(t, s)
	if err != nil || len(mails) != 3 || mails[1].UID != 3 || !mails[1].Truncated || mails[1].Text != huge[:100_000] || mails[1].Size != int64(len(huge)) || mails[0].Truncated {
		t.Errorf("with max_size: %d mails, %v", len(mails), err)
	}
	if files, err := os.ReadDir(limited.SpoolDir); err != nil || len(files) != 0 {
		t.Errorf("left in the spool: %v, %v", files, err)
	}

	wrong := set(connect.TLS, known)
	wrong.Password = "wrong"
	_, err = openPOP(t.Context(), wrong)
	if e := failure(t, err); e.Step != mail.StepLogin || e.Code != "AUTH" || e.Temporary || e.Auth != "password" || e.Protocol != "pop3" {
		t.Errorf("a wrong password: %+v", e)
	}
}
