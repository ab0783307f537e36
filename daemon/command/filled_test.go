package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon"
	"helpdesk/mail"
	"helpdesk/store"
)

// filledConfig is an office whose servers cannot be reached: commands that read
// and change what is there do not need them.
const filledConfig = `data_dir = "data"
language = %q
[ui]
listen = "127.0.0.1:0"
[relay]
host = "127.0.0.1"
port = 1
security = "none"
anonymous = true
[[agent]]
name = "Aki Sato"
email = "aki@example.com"
[[agent]]
name = "Ben"
email = "ben@example.com"
[[desk]]
name = "Support"
key = "SUP"
address = "support@example.com"
agents = ["aki@example.com", "ben@example.com"]
public_signup = false
allow = ["partner.test"]
block = ["shop.partner.test", "pest@customer.test"]
customer_domains = ["member.test"]
  [desk.mailbox]
  host = "127.0.0.1"
  port = 1
  security = "none"
  username = "support@example.com"
  password = "secret"
[[desk]]
name = "Sales"
key = "SAL"
address = "sales@example.com"
agents = ["aki@example.com"]
  [desk.mailbox]
  host = "127.0.0.1"
  port = 1
  security = "none"
  username = "sales@example.com"
  password = "secret"
`

// longJapanese is wider than any column.
const longJapanese = "プリンターの調子が悪く、印刷すると用紙が必ず詰まってしまうためご確認をお願いします"

// filled is a configuration with a database that somebody worked with.
type filled struct {
	t    *testing.T
	path string // of the configuration
	now  time.Time
	desk map[string]int64
}

func newFilled(t *testing.T, language string) *filled {
	t.Helper()
	f := &filled{t: t, path: writeConfig(t, fmt.Sprintf(filledConfig, language)), now: time.Now().Truncate(time.Second), desk: map[string]int64{}}
	f.write(func(tx *store.Tx) error {
		for key, address := range map[string]string{"SUP": "support@example.com", "SAL": "sales@example.com"} {
			d, err := tx.EnsureDesk(address, key, map[string]string{"SUP": "Support", "SAL": "Sales"}[key])
			if err != nil {
				return err
			}
			f.desk[key] = d.ID
		}
		return nil
	})
	return f
}

func (f *filled) open() *store.Store {
	f.t.Helper()
	dir := filepath.Join(filepath.Dir(f.path), "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	s, err := store.Open(f.t.Context(), filepath.Join(dir, daemon.DatabaseFile), store.Options{})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// write changes the database and brings the search up to date.
func (f *filled) write(fn func(tx *store.Tx) error) {
	f.t.Helper()
	s := f.open()
	defer s.Close()
	if err := s.Write(f.t.Context(), fn); err != nil {
		f.t.Fatal(err)
	}
	if _, err := s.IndexNext(f.t.Context(), 1000); err != nil {
		f.t.Fatal(err)
	}
}

// read looks at the database.
func (f *filled) read(fn func(s *store.Store) error) {
	f.t.Helper()
	s := f.open()
	defer s.Close()
	if err := fn(s); err != nil {
		f.t.Fatal(err)
	}
}

// request adds a request with the customer's mail in it.
func (f *filled) request(desk string, from mail.Address, subject, text string, change func(*store.Request)) store.Request {
	f.t.Helper()
	var r store.Request
	f.write(func(tx *store.Tx) error {
		key, err := tx.NextKey(desk)
		if err != nil {
			return err
		}
		r = store.Request{DeskID: f.desk[desk], Key: key, Type: "Email request", Subject: subject, Requester: from, Created: f.now, Fields: map[string]string{}}
		if change != nil {
			change(&r)
		}
		if err := tx.AddRequest(&r); err != nil {
			return err
		}
		if err := tx.AddParticipant(r.ID, store.Participant{Address: from, Role: store.RoleRequester}); err != nil {
			return err
		}
		e := store.Entry{DeskID: r.DeskID, From: from, Subject: subject, Outcome: "request", Rule: "request", RequestID: r.ID, SeenAt: r.Created, MessageID: key + "@customer.test"}
		if err := tx.AddEntry(&e); err != nil {
			return err
		}
		return tx.AddMessage(&store.Message{
			RequestID: r.ID, LedgerID: e.ID, Kind: store.KindCustomer, From: from, At: r.Created, Text: text, Reply: text, MessageID: e.MessageID,
			Attachments: []mail.Attachment{{Name: "写真.jpg", Type: "image/jpeg", Size: 12345}},
		})
	})
	return r
}

// call runs a command line on it and fails when the exit code is another one.
func (f *filled) call(code int, args ...string) (stdout, stderr string) {
	f.t.Helper()
	return f.callWith(code, "", args...)
}

// callWith is call with something on standard input.
func (f *filled) callWith(code int, stdin string, args ...string) (stdout, stderr string) {
	f.t.Helper()
	var out, errs bytes.Buffer
	got := Execute(f.t.Context(), append([]string{"-c", f.path}, args...), strings.NewReader(stdin), &out, &errs)
	if got != code {
		f.t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// wantNarrow fails for lines that a terminal of 80 columns would break.
func wantNarrow(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if line = strings.TrimRight(line, "\n"); columns(line) > screen {
			t.Errorf("%d columns: %s", columns(line), line)
		}
	}
}

// wantAll fails for each text that is missing.
func wantAll(t *testing.T, out string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%q is missing in:\n%s", text, out)
		}
	}
}

// wantNone fails for each text that is there.
func wantNone(t *testing.T, out string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(out, text) {
			t.Errorf("%q should not be in:\n%s", text, out)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
