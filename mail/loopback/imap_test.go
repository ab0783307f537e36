package loopback

import (
	"crypto/tls"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

const broken = "From someone Mon Jan  1\r\nno colon here\r\nSubject: Broken\r\n folded\r\nFrom: x@example.net\r\n\r\n\x80 body\r\n"

func dialIMAP(t *testing.T, s *Server, options *imapclient.Options) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(s.IMAP.String(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Login(aki, "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

func selectFolder(t *testing.T, c *imapclient.Client, name string) *imap.SelectData {
	t.Helper()
	data, err := c.Select(name, nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func deliver(t *testing.T, s *Server, raws ...string) {
	t.Helper()
	for _, raw := range raws {
		if err := s.Deliver(aki, []byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
}

func uidsOf(messages []Message) []uint32 {
	var uids []uint32
	for _, m := range messages {
		uids = append(uids, m.UID)
	}
	return uids
}

func TestIMAPServesTheBytesOfABrokenMail(t *testing.T) {
	s := start(t, Options{})
	deliver(t, s, broken)
	c := dialIMAP(t, s, nil)
	selectFolder(t, c, "INBOX")
	header, body, _ := strings.Cut(broken, "\r\n\r\n")
	tests := []struct {
		name    string
		section imap.FetchItemBodySection
		want    string
	}{
		{"whole", imap.FetchItemBodySection{Peek: true}, broken},
		{"header", imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader}, header + "\r\n\r\n"},
		{"text", imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierText}, body},
		{"fields", imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"SUBJECT", "DATE"}}, "Subject: Broken\r\n folded\r\n\r\n"},
		{"beginning", imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 5, Size: 7}}, broken[5:12]},
		{"beyond the end", imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 5000, Size: 7}}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			messages, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{
				RFC822Size: true, Flags: true, BodySection: []*imap.FetchItemBodySection{&test.section},
			}).Collect()
			if err != nil || len(messages) != 1 {
				t.Fatalf("%d mails, %v", len(messages), err)
			}
			if got := string(messages[0].FindBodySection(&test.section)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if messages[0].RFC822Size != int64(len(broken)) || len(messages[0].Flags) != 0 {
				t.Errorf("size %d, flags %v", messages[0].RFC822Size, messages[0].Flags)
			}
		})
	}
	if _, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{Envelope: true, BodyStructure: &imap.FetchItemBodyStructure{Extended: true}}).Collect(); err != nil {
		t.Errorf("envelope and structure of a broken mail: %v", err)
	}
}

func TestIMAPUIDRanges(t *testing.T) {
	s := start(t, Options{})
	deliver(t, s, hello, hello, hello)
	c := dialIMAP(t, s, nil)
	selectFolder(t, c, "INBOX")
	if err := c.Create("Copies", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		start, stop imap.UID // 0: *
		want        string
	}{
		{1, 0, "1:3"},
		{2, 3, "2:3"},
		{9, 0, "3"}, // the last one even below n
		{9, 12, ""},
	}
	for _, test := range tests {
		var set imap.UIDSet
		set.AddRange(test.start, test.stop)
		data, err := c.Copy(set, "Copies").Wait() // FETCH will not do: the client hides what it did not ask for
		if err != nil {
			t.Fatal(err)
		}
		if got := data.SourceUIDs.String(); got != test.want {
			t.Errorf("%v meant %q, want %q", set, got, test.want)
		}
	}
}

func TestIMAPMoveTellsTheRightNumbers(t *testing.T) {
	s := start(t, Options{Delimiter: '.'})
	deliver(t, s, hello, hello, hello)
	expunged := make(chan uint32, 10)
	c := dialIMAP(t, s, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Expunge: func(seq uint32) { expunged <- seq },
	}})
	selectFolder(t, c, "INBOX")
	if !c.Caps().Has(imap.CapMove) || !c.Caps().Has(imap.CapUIDPlus) || !c.Caps().Has(imap.CapIdle) {
		t.Fatalf("capabilities %v", c.Caps())
	}
	names, err := c.List("", "", nil).Collect()
	if err != nil || len(names) != 1 || names[0].Delim != '.' {
		t.Errorf("delimiter: %+v, %v", names, err)
	}
	_, err = c.Move(imap.UIDSetNum(1), "Helpdesk.Done").Wait()
	var refused *imap.Error
	if !errors.As(err, &refused) || refused.Code != imap.ResponseCodeTryCreate {
		t.Errorf("folder missing: %v, want TRYCREATE", err)
	}
	if err := c.Create("Helpdesk.Done", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	data, err := c.Move(imap.UIDSetNum(2, 3), "Helpdesk.Done").Wait()
	if err != nil {
		t.Fatal(err)
	}
	if data.SourceUIDs.String() != "2:3" || data.DestUIDs.String() != "1:2" {
		t.Errorf("COPYUID %v %v", data.SourceUIDs, data.DestUIDs)
	}
	if err := c.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	close(expunged)
	var seqs []uint32
	for seq := range expunged {
		seqs = append(seqs, seq)
	}
	if !slices.Equal(seqs, []uint32{3, 2}) {
		t.Errorf("EXPUNGE of %v, want 3 and 2", seqs)
	}
	moved, err := s.Messages(aki, "Helpdesk.Done")
	if err != nil || !slices.Equal(uidsOf(moved), []uint32{1, 2}) || !slices.Equal(uidsOf(inbox(t, s)), []uint32{1}) {
		t.Errorf("moved %v, left %v, %v", uidsOf(moved), uidsOf(inbox(t, s)), err)
	}
}

func TestIMAPDelete(t *testing.T) {
	s := start(t, Options{})
	deliver(t, s, hello, hello, hello)
	c := dialIMAP(t, s, nil)
	selectFolder(t, c, "INBOX")
	store := func(set imap.UIDSet, flag imap.Flag) {
		t.Helper()
		if err := c.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{flag}}, nil).Close(); err != nil {
			t.Fatal(err)
		}
	}
	store(imap.UIDSetNum(1, 2), imap.FlagDeleted)
	store(imap.UIDSetNum(3), `\seen`)
	if err := c.UIDExpunge(imap.UIDSetNum(2, 3)).Close(); err != nil {
		t.Fatal(err)
	}
	got := inbox(t, s)
	if !slices.Equal(uidsOf(got), []uint32{1, 3}) || !reflect.DeepEqual(got[1].Flags, []string{`\Seen`}) {
		t.Errorf("left %+v", got)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}, Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "HELLO"}}}, nil).Wait()
	if err != nil || !slices.Equal(found.AllUIDs(), []imap.UID{1}) {
		t.Errorf("search found %v, %v", found, err)
	}
}

// Mail that comes while the client is busy is announced by the next IDLE, not
// by the next mail after it.
func TestIMAPIdle(t *testing.T) {
	s := start(t, Options{})
	exists := make(chan uint32, 10)
	c := dialIMAP(t, s, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				exists <- *data.NumMessages
			}
		},
	}})
	selectFolder(t, c, "INBOX")
	deliver(t, s, hello)
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want uint32) {
		t.Helper()
		select {
		case n := <-exists:
			if n != want {
				t.Fatalf("EXISTS %d, want %d", n, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("EXISTS %d did not come", want)
		}
	}
	expect(1)
	deliver(t, s, hello)
	expect(2)
	if err := errors.Join(idle.Close(), idle.Wait()); err != nil {
		t.Fatal(err)
	}
	// A mail that was not announced yet has no number to be fetched under, and is not "*".
	deliver(t, s, hello)
	var last imap.SeqSet
	last.AddNum(0)
	if err := c.Create("Copies", nil).Wait(); err != nil { // announces the third
		t.Fatal(err)
	}
	expect(3)
	deliver(t, s, hello)
	if data, err := c.Copy(last, "Copies").Wait(); err != nil || data.SourceUIDs.String() != "3" {
		t.Errorf("* is %v, %v; want 3", data, err)
	}
	expect(4)
	deliver(t, s, hello)
	messages, err := c.Fetch(imap.UIDSetNum(5), &imap.FetchOptions{UID: true}).Collect()
	if err != nil || len(messages) != 0 {
		t.Errorf("unannounced mail: %d mails, %v", len(messages), err)
	}
	expect(5)
}

func TestIMAPUIDValidity(t *testing.T) {
	s := start(t, Options{})
	deliver(t, s, hello, broken, hello)
	c := dialIMAP(t, s, nil)
	before := selectFolder(t, c, "INBOX")
	if err := c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Expunge().Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.ChangeUIDValidity(aki, "INBOX"); err != nil {
		t.Fatal(err)
	}
	if err := c.Noop().Wait(); err == nil {
		t.Error("the connection outlived the change")
	}
	after := selectFolder(t, dialIMAP(t, s, nil), "INBOX")
	if after.UIDValidity == before.UIDValidity || after.UIDNext != 3 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	got := inbox(t, s)
	if !slices.Equal(uidsOf(got), []uint32{1, 2}) || string(got[0].Raw) != broken {
		t.Errorf("mails after the change: %v", uidsOf(got))
	}
	if err := s.ChangeUIDValidity(aki, "None"); err == nil {
		t.Error("changed a folder that is not there")
	}
}

func TestIMAPLoginAndTLS(t *testing.T) {
	s := start(t, Options{TLS: true})
	config := &imapclient.Options{TLSConfig: &tls.Config{RootCAs: s.Pool(), ServerName: "localhost"}}
	explicit, err := imapclient.DialStartTLS(s.IMAP.String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer explicit.Close()
	implicit, err := imapclient.DialTLS(s.IMAPS.String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer implicit.Close()
	if err := explicit.Login(aki, "secret").Wait(); err != nil {
		t.Error(err)
	}
	var refused *imap.Error
	if err := implicit.Login(aki, "wrong").Wait(); !errors.As(err, &refused) || refused.Code != imap.ResponseCodeAuthenticationFailed {
		t.Errorf("wrong password: %v", err)
	}
	s.AddUser(aki, "changed")
	if err := implicit.Login(aki, "changed").Wait(); err != nil {
		t.Error(err)
	}
	if n := s.Counts(); n.IMAPConnections != 2 || n.IMAPLogins != 2 || n.IMAPRefused != 1 {
		t.Errorf("counts %+v", n)
	}
}

func TestIMAPAppend(t *testing.T) {
	s := start(t, Options{})
	c := dialIMAP(t, s, nil)
	appending := c.Append("INBOX", int64(len(broken)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagFlagged}})
	if _, err := io.WriteString(appending, broken); err != nil {
		t.Fatal(err)
	}
	if err := appending.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := appending.Wait(); err != nil || data.UID != 1 {
		t.Fatalf("APPENDUID %+v, %v", data, err)
	}
	status, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true, NumUnseen: true, UIDNext: true, UIDValidity: true}).Wait()
	if err != nil || *status.NumMessages != 1 || *status.NumUnseen != 1 || status.UIDNext != 2 || status.UIDValidity == 0 {
		t.Errorf("status %+v, %v", status, err)
	}
	if got := inbox(t, s); string(got[0].Raw) != broken || got[0].Flags[0] != `\Flagged` {
		t.Errorf("appended %+v", got)
	}
}
