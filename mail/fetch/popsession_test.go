package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
)

// pop answers one command of a script.
func pop(lines ...string) func(*popClient, string) bool {
	return func(c *popClient, _ string) bool { c.send(lines...); return true }
}

// TestPOPIdentify has servers name their mails in every way seen or feared: a
// mail keeps its number from one session to the next, and no two share one.
func TestPOPIdentify(t *testing.T) {
	a, b := letter(1), letter(2)
	status := "Status: RO\r\nX-UIDL: 77\r\n" + a
	for _, test := range []struct {
		name    string
		script  *popScript
		delete  bool
		first   []popLetter
		uids    []uint32
		second  []popLetter
		again   []uint32
		refused bool
	}{
		{"as RFC 1939 wants it", &popScript{}, false, []popLetter{{"x", a}, {"y", b}}, []uint32{1, 2}, []popLetter{{"z", a}, {"y", b}}, []uint32{2, 3}, false},
		{"the longest and oddest ids", &popScript{}, false, []popLetter{{strings.Repeat("~", 70), a}, {strings.Repeat("y", 5000), b}, {"\xff\x00 ü", a}}, []uint32{1, 2, 3},
			[]popLetter{{"\xff\x00 ü", a}, {strings.Repeat("~", 70), a}}, []uint32{1, 3}, false},
		{"no UIDL", &popScript{caps: "TOP|USER", on: map[string]func(*popClient, string) bool{"UIDL": pop("-ERR unknown command")}}, false,
			[]popLetter{{"", a}, {"", b}}, []uint32{1, 2}, []popLetter{{"", b}, {"", status}}, []uint32{1, 2}, false},
		{"no CAPA and no UIDL", &popScript{caps: "-", on: map[string]func(*popClient, string) bool{"UIDL": pop("-ERR unknown command")}}, false,
			[]popLetter{{"", a}, {"", b}}, []uint32{1, 2}, []popLetter{{"", b}}, []uint32{2}, false},
		{"neither UIDL nor TOP, and mail is kept", &popScript{caps: "USER", on: map[string]func(*popClient, string) bool{"UIDL": pop("-ERR what?"), "TOP": pop("-ERR what?")}}, false,
			[]popLetter{{"", a}}, nil, nil, nil, true},
		{"neither UIDL nor TOP, and mail is deleted", &popScript{caps: "USER", on: map[string]func(*popClient, string) bool{"UIDL": pop("-ERR what?"), "TOP": pop("-ERR what?")}}, true,
			[]popLetter{{"", a}, {"", b}}, []uint32{1, 2}, []popLetter{{"", status}}, []uint32{1}, false},
		{"an id twice", &popScript{}, false, []popLetter{{"x", a}, {"x", b}, {"y", a}}, []uint32{1, 2, 3}, []popLetter{{"x", b}, {"x", a}}, []uint32{1, 2}, false},
		{"an id twice for equal mails", &popScript{}, false, []popLetter{{"x", a}, {"x", a}}, []uint32{1, 2}, []popLetter{{"x", a}, {"x", a}, {"y", b}}, []uint32{1, 2, 3}, false},
		{"a mail without id", &popScript{}, false, []popLetter{{"x", a}, {"", b}}, []uint32{1, 2}, []popLetter{{"", b}, {"x", a}}, []uint32{1, 2}, false},
		{"nothing", &popScript{on: map[string]func(*popClient, string) bool{"LIST": pop("-ERR empty"), "UIDL": pop("-ERR empty")}}, false, nil, nil, nil, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := servePOP(t, test.script, test.first...)
			set := server.settings()
			set.Delete = test.delete
			s, err := openPOP(t.Context(), set)
			if test.refused {
				if e := failure(t, err); e.Temporary || e.Step != mail.StepSelect || !errors.Is(err, errNoIDs) {
					t.Errorf("%+v", e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			s.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
			uids := func() (uids []uint32) {
				list, err := s.List(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range list {
					uids = append(uids, l.UID)
				}
				return uids
			}
			if got := uids(); !slices.Equal(got, test.uids) {
				t.Errorf("the first session numbers %v, want %v", got, test.uids)
			}
			texts := map[uint32]string{}
			for _, m := range all(t, s) {
				texts[m.UID] = m.Text
			}
			server.mu.Lock()
			server.drop = test.second
			server.mu.Unlock()
			if err := s.Wait(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
			if got := uids(); !slices.Equal(got, test.again) {
				t.Errorf("the second session numbers %v, want %v", got, test.again)
			}
			mails := all(t, s)
			if len(mails) != len(test.second) {
				t.Errorf("%d mails", len(mails))
			}
			for _, m := range mails {
				if was, ok := texts[m.UID]; ok && !strings.HasSuffix(m.Text, was) {
					t.Errorf("mail %d was %q and is %q", m.UID, was, m.Text)
				}
			}
		})
	}
}

// all are the mails of a maildrop that hands out every one.
func all(t *testing.T, s Session) []got {
	t.Helper()
	mails, missing, err := wholeDrop(t, s)
	if err != nil || len(missing) > 0 {
		t.Errorf("missing %v, %v", missing, err)
	}
	return mails
}

// TestPOPUIDLRefused: a server that has UIDL and refuses it for the moment does
// not make us name all mails otherwise.
func TestPOPUIDLRefused(t *testing.T) {
	for caps, answer := range map[string]string{"UIDL|TOP|USER": "-ERR busy", "-": "-ERR [SYS/TEMP] busy"} {
		server := servePOP(t, &popScript{caps: caps, on: map[string]func(*popClient, string) bool{"UIDL": pop(answer)}}, popLetter{"x", letter(1)})
		_, err := openPOP(t.Context(), server.settings())
		if e := failure(t, err); e.Step != mail.StepSelect || !e.Temporary || e.Text != "busy" {
			t.Errorf("%s: %+v", answer, e)
		}
	}
}

// TestPOPContent: what a server sends in answer to RETR, and the mail that it is.
func TestPOPContent(t *testing.T) {
	line := strings.Repeat("x", 3<<20)
	for _, test := range []struct{ name, lineEnd, sent, want string }{
		{"plain", "\r\n", "S: x\r\n\r\ntext\r\n.\r\n", "S: x\r\n\r\ntext\r\n"},
		{"dots", "\r\n", "..\r\n...\r\n..a\r\n.b\r\n.\r\n", ".\r\n..\r\n.a\r\nb\r\n"},
		{"empty", "\r\n", ".\r\n", ""},
		{"a line of 3 MB", "\r\n", line + "\r\n.." + line + "\r\n.\r\n", line + "\r\n." + line + "\r\n"},
		{"a line end across our buffer's", "\r\n", strings.Repeat("x", 32<<10-1) + "\r\n..a\r\n.\r\n", strings.Repeat("x", 32<<10-1) + "\r\n.a\r\n"},
		{"dots inside", "\r\n", "a.\r\n .\r\n.\r\n", "a.\r\n .\r\n"},
		{"a bare LF begins no line", "\r\n", "a\n.\nb\n.\r\n-ERR c\r\n.\r\n", "a\n.\nb\n.\r\n-ERR c\r\n"},
		{"a bare CR begins none either", "\r\n", "a\r.\r\n.\r\n", "a\r.\r\n"},
		{"CR CR LF", "\r\n", "a\r\r\n.\r\n", "a\r\r\n"},
		{"NUL and bytes above 127", "\r\n", "a\x00\xff\r\n.\r\n", "a\x00\xff\r\n"},
		{"a server that knows LF only", "\n", "S: x\n\n..a\n.\n", "S: x\n\n.a\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := servePOP(t, &popScript{lineEnd: test.lineEnd, on: map[string]func(*popClient, string) bool{"RETR": func(c *popClient, _ string) bool {
				c.raw("+OK" + test.lineEnd + test.sent)
				return true
			}}}, popLetter{"x", "12345"})
			s := server.open()
			for range 2 { // the connection must be as good as before
				mails, missing, err := wholeDrop(t, s)
				if err != nil || len(missing) != 0 || len(mails) != 1 || mails[0].Text != test.want || mails[0].Truncated || mails[0].Size != 5 {
					t.Fatalf("%d mails, missing %v, %v; %.80v", len(mails), missing, err, mails)
				}
			}
			if err := s.Acknowledge(t.Context(), Action{Kind: ActionDelete}, []uint32{1}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPOPSizes: sizes that are wrong, on both sides of max_size.
func TestPOPSizes(t *testing.T) {
	text := "S: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 58)+"\r\n", 20)
	huge := "S: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 4*memoryLimit/78)
	for _, test := range []struct {
		name       string
		text, size string
		max        int64
		top        string // what the server answers to TOP; "": as it should
		want       string
		truncated  bool
	}{
		{"too small", text, "3", 5000, "", text, false},
		{"nonsense", text, "many", 5000, "", text, false},
		{"far too large, and the mail is small", text, "99999999", 5000, "", text, false},
		{"too small for a large mail", text, "3", 500, "", text[:500], true},
		{"right and large", text, "1208", 500, "", text[:500], true},
		{"right and large, without TOP", text, "1208", 500, "-ERR what?", text[:500], true},
		{"above the spool's limit, no max_size", huge, "4194304", 0, "", huge, false},
		{"a large beginning of a larger mail", huge, "4194304", 3 << 20, "", huge[:1<<20], true},
		{"a mail that lies itself large", huge, "5", 3 << 20, "", huge[:1<<20], true},
		{"large, and TOP gives less than was asked for", text, "1208", 500, "+OK\r\nS: x\r\n\r\nx\r\n.", text[:500], true},
		{"a size beyond all measure", text, "2305843009213693952", 5000, "", text, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			on := map[string]func(*popClient, string) bool{"LIST": pop("+OK", "1 "+test.size, ".")}
			caps := ""
			if test.top != "" {
				on["TOP"] = pop(test.top)
			}
			if strings.HasPrefix(test.top, "-ERR") {
				caps = "UIDL|USER"
			}
			server := servePOP(t, &popScript{caps: caps, on: on}, popLetter{"x", test.text})
			set := server.settings()
			set.MaxSize = test.max
			session := openPOPWith(t, set)
			mails, _, err := wholeDrop(t, session)
			if err != nil || len(mails) != 1 || mails[0].Text != test.want || mails[0].Truncated != test.truncated {
				t.Fatalf("%d mails, %v; %d bytes, truncated %v", len(mails), err, len(mails[0].Text), mails[0].Truncated)
			}
			headers := 0
			err = session.Headers(t.Context(), []uint32{1}, func(uint32, int64, []byte) error { headers++; return nil })
			if err != nil || headers != 1 {
				t.Errorf("%d headers, %v", headers, err)
			}
			if files, err := os.ReadDir(set.SpoolDir); err != nil || len(files) != 0 {
				t.Errorf("left in the spool: %v, %v", files, err)
			}
		})
	}
}

// TestPOPEndless: lines, listings and mails without an end are given up.
func TestPOPEndless(t *testing.T) {
	flood := func(text string) func(*popClient, string) bool {
		return func(c *popClient, _ string) bool {
			c.raw("+OK\r\n")
			block := []byte(strings.Repeat(text, 1+(1<<20)/len(text)))
			for {
				if _, err := c.conn.Write(block); err != nil {
					return true
				}
			}
		}
	}
	for name, on := range map[string]map[string]func(*popClient, string) bool{
		"a line of CAPA": {"CAPA": flood("x")}, "a line of UIDL": {"UIDL": flood("x")}, "a line of 20 kB": {"UIDL": pop("+OK", "1 "+strings.Repeat("x", 20_000), ".")}, "UIDL": {"UIDL": flood("1 x\r\n")}, "LIST": {"LIST": flood("1 1\r\n")},
		"the reply to STAT": {"STAT": func(c *popClient, _ string) bool { c.raw(strings.Repeat("+OK ", 9000)); return true }},
	} {
		_, err := openPOP(t.Context(), servePOP(t, &popScript{on: on}, popLetter{"x", "12345"}).settings())
		if e := failure(t, err); !e.Temporary || e.Err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
	server := servePOP(t, &popScript{on: map[string]func(*popClient, string) bool{"RETR": flood("x")}}, popLetter{"x", "12345"})
	set := server.settings()
	set.MaxSize = 5000
	s := openPOPWith(t, set)
	_, missing, err := wholeDrop(t, s)
	broken := (*Interrupted)(nil)
	if !errors.As(err, &broken) || broken.UID != 1 || broken.Offset != endlessBytes+4*5 || !broken.Started || !errors.Is(err, errEndless) || len(missing) != 1 || !s.Broken() {
		t.Errorf("a mail: %v", err)
	}
}

// TestPOPCut cuts the connection at every byte of the second mail: the first is
// handed over, and the second named with what arrived of it.
func TestPOPCut(t *testing.T) {
	answer := "+OK 10 octets\r\n1234567\r\n..\r\n.\r\n"
	for n := range len(answer) {
		server := servePOP(t, &popScript{on: map[string]func(*popClient, string) bool{"RETR": func(c *popClient, args string) bool {
			if args != "2" {
				return false
			}
			c.raw(answer[:n])
			c.conn.Close()
			return true
		}}}, popLetter{"x", letter(1)}, popLetter{"y", "1234567\r\n.\r\n"}, popLetter{"z", letter(3)})
		s := server.open()
		mails, missing, err := wholeDrop(t, s)
		broken := (*Interrupted)(nil)
		if len(mails) != 1 || !slices.Equal(missing, []uint32{2, 3}) || !errors.As(err, &broken) || !s.Broken() {
			t.Fatalf("cut at %d: %d mails, missing %v, %v", n, len(mails), missing, err)
		}
		body := answer[min(n, len("+OK 10 octets\r\n")):n]
		want := len(body) - strings.Count("\r\n"+body, "\r\n.") // without the dots that were put in front
		if broken.UID != 2 || broken.Started != (want > 0) || broken.Offset != int64(want) {
			t.Errorf("cut at %d: %+v, want offset %d", n, *broken, want)
		}
		if e := failure(t, err); e.Step != mail.StepFetch || !e.Temporary || !errors.Is(err, io.EOF) {
			t.Errorf("cut at %d: %+v", n, e)
		}
	}
}

// TestPOPSilence: a server that falls silent is left; one that dribbles is not.
func TestPOPSilence(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	server := servePOP(t, &popScript{on: map[string]func(*popClient, string) bool{"RETR": func(c *popClient, args string) bool {
		c.raw("+OK\r\n")
		if args == "2" {
			c.raw("abc\r\n")
			<-release
			return true
		}
		pace := time.NewTicker(60 * time.Millisecond)
		defer pace.Stop()
		for range 10 {
			<-pace.C
			c.raw("x")
		}
		c.raw("\r\n.\r\n")
		return true
	}}}, popLetter{"x", "1"}, popLetter{"y", "2"})
	set := server.settings()
	set.IdleTimeout = 300 * time.Millisecond
	mails, _, err := wholeDrop(t, openPOPWith(t, set))
	broken, timeout := (*Interrupted)(nil), net.Error(nil)
	if len(mails) != 1 || mails[0].Text != "xxxxxxxxxx\r\n" || !errors.As(err, &broken) || broken.UID != 2 || broken.Offset != 5 || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v, %v", mails, err)
	}
}

// TestPOPRefusedMail: a mail that the server does not hand out is missing, one
// that it cannot hand out for the moment ends the fetch, and the session goes on.
func TestPOPRefusedMail(t *testing.T) {
	for answer, want := range map[string]struct {
		mails   int
		missing []uint32
		fails   bool
	}{
		"-ERR no such message":        {2, []uint32{2}, false},
		"-ERR [SYS/PERM] broken":      {2, []uint32{2}, false},
		"-ERR [SYS/TEMP] try later":   {1, []uint32{2, 3}, true},
		"-ERR [IN-USE] locked by you": {1, []uint32{2, 3}, true},
	} {
		server := servePOP(t, &popScript{on: map[string]func(*popClient, string) bool{"RETR": func(c *popClient, args string) bool {
			return args == "2" && pop(answer)(c, args)
		}}}, popLetter{"x", letter(1)}, popLetter{"y", letter(2)}, popLetter{"z", letter(3)})
		s := server.open()
		mails, missing, err := wholeDrop(t, s)
		if len(mails) != want.mails || !slices.Equal(missing, want.missing) || (err != nil) != want.fails || s.Broken() {
			t.Errorf("%s: %d mails, missing %v, %v", answer, len(mails), missing, err)
		}
		if broken := (*Interrupted)(nil); errors.As(err, &broken) {
			t.Errorf("a refusal is no interruption: %v", err)
		}
	}
}

// TestPOPCallerFails: the caller's error comes back as it is, a full disk too,
// and the session goes on.
func TestPOPCallerFails(t *testing.T) {
	big := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 2*memoryLimit/78)
	server := servePOP(t, &popScript{}, popLetter{"x", letter(1)}, popLetter{"y", big})
	set := server.settings()
	s := openPOPWith(t, set)
	full := errors.New("disk full")
	missing, err := s.Fetch(t.Context(), []Listed{{UID: 1}, {UID: 2}}, func(r *mail.Raw) error { r.Close(); return full })
	if !errors.Is(err, full) || !slices.Equal(missing, []uint32{2}) {
		t.Errorf("%v, missing %v", err, missing)
	}
	if err := os.RemoveAll(set.SpoolDir); err != nil {
		t.Fatal(err)
	}
	mails, missing, err := wholeDrop(t, s)
	var server2 *mail.Error
	if !errors.Is(err, os.ErrNotExist) || errors.As(err, &server2) || len(mails) != 1 || !slices.Equal(missing, []uint32{2}) || s.Broken() {
		t.Errorf("without a spool: %d mails, missing %v, %v", len(mails), missing, err)
	}
	if mails, _, err := wholeDrop(t, s); len(mails) != 1 || err == nil {
		t.Errorf("afterwards: %v, %v", mails, err)
	}
}
