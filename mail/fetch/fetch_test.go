package fetch

import (
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"helpdesk/mail"
)

// TestFetchAnswers has servers answer `UID FETCH 5,7` in every way seen or feared.
func TestFetchAnswers(t *testing.T) {
	five, seven := got{5, "five", 4, false}, got{7, "seven", 5, false}
	plain5 := "* 1 FETCH (UID 5 FLAGS () RFC822.SIZE 4 BODY[] " + literal("five") + ")"
	plain7 := "* 2 FETCH (UID 7 FLAGS () RFC822.SIZE 5 BODY[] " + literal("seven") + ")"
	tests := []struct {
		name    string
		lines   []string
		mails   []got
		missing []uint32
	}{
		{"as asked", []string{plain5, plain7}, []got{five, seven}, nil},
		{"body before UID", []string{
			"* 1 FETCH (BODY[] " + literal("five") + " UID 5 RFC822.SIZE 4)",
			"* 2 FETCH (RFC822.SIZE 5 BODY[] " + literal("seven") + " FLAGS (\\Seen) UID 7)",
		}, []got{five, seven}, nil},
		{"body before UID of one not asked for", []string{
			"* 9 FETCH (BODY[] " + literal("nine") + " UID 9)", plain5, plain7,
		}, []got{five, seven}, nil},
		{"nothing", nil, nil, []uint32{5, 7}},
		{"one missing", []string{plain7}, []got{seven}, []uint32{5}},
		{"other order", []string{plain7, plain5}, []got{seven, five}, nil},
		{"others too", []string{
			"* 8 FETCH (UID 8 BODY[] " + literal("eight") + ")", plain5,
			"* 9 FETCH (UID 6 BODY[] " + literal("six") + ")", plain7,
		}, []got{five, seven}, nil},
		{"others only", []string{"* 8 FETCH (UID 8 BODY[] " + literal("eight") + ")"}, nil, []uint32{5, 7}},
		{"twice", []string{plain5, plain5, plain7, plain5}, []got{five, seven}, nil},
		{"flags of one of them before it", []string{`* 1 FETCH (UID 5 FLAGS (\Seen))`, plain5, plain7}, []got{five, seven}, nil},
		{"flags of one of them after it", []string{plain5, `* 1 FETCH (FLAGS (\Seen))`, plain7}, []got{five, seven}, nil},
		{"no body", []string{"* 1 FETCH (UID 5 FLAGS ())", plain7}, []got{seven}, []uint32{5}},
		{"NIL body", []string{"* 1 FETCH (UID 5 BODY[] NIL)", plain7}, []got{seven}, []uint32{5}},
		{"empty mail", []string{"* 1 FETCH (UID 5 BODY[] {0}", ")", plain7}, []got{{5, "", 0, false}, seven}, nil},
		{"empty quoted", []string{`* 1 FETCH (UID 5 BODY[] "")`, plain7}, []got{{5, "", 0, false}, seven}, nil},
		{"quoted body", []string{`* 1 FETCH (BODY[] "fi\"(e{4}" UID 5)`, plain7}, []got{{5, `fi"(e{4}`, 8, false}, seven}, nil},
		{"two bodies in one", []string{
			"* 1 FETCH (UID 5 BODY[] " + literal("five") + " BODY[] " + literal("other") + ")", plain7,
		}, []got{five, seven}, nil},
		{"wrong RFC822.SIZE", []string{"* 1 FETCH (UID 5 RFC822.SIZE 999 BODY[] " + literal("five") + ")", plain7},
			[]got{{5, "five", 999, false}, seven}, nil},
		{"lower case and spaces", []string{
			"* 1 fetch ( uid 5  rfc822.size 4 body[] " + literal("five") + " )", plain7,
		}, []got{five, seven}, nil},
		{"no RFC822.SIZE", []string{"* 1 FETCH (UID 5 BODY[] " + literal("five") + ")", plain7}, []got{five, seven}, nil},
		{"items not asked for", []string{
			`* 1 FETCH (X-GM-LABELS (\Inbox "a (b") MODSEQ (123) INTERNALDATE "rubbish" UID 5 EMAILID (M1) X-N 7 ` +
				`ENVELOPE ("x" {3}`, `)") (("a" NIL {2}`, `((` + ` "c"))) BODY[] ` + literal("five") + ` THREADID NIL)`,
			plain7,
		}, []got{five, seven}, nil},
		{"unknown item with a literal", []string{"* 1 FETCH (UID 5 X-NOTE {6}", ") UID  BODY[] " + literal("five") + ")", plain7},
			[]got{five, seven}, nil},
		{"odd flags", []string{`* 1 FETCH (UID 5 FLAGS (\Seen a]b "q" $Junk %) BODY[] ` + literal("five") + ")", plain7},
			[]got{five, seven}, nil},
		{"unknown responses", []string{
			"", "* XYZZY nothing happens", "* ESEARCH (TAG \"x\") UID ALL 1:5", "* 4 RECENT", "* 99999999999 EXISTS",
			"* VANISHED (EARLIER) 1:3", plain5, "* LIST () \"/\" \"&bad-utf7\"", "* XDATA {4}", "abc\r def", "rubbish", "*", "* ",
			`* OK [Error="busy (really)"] hm`, "* OK [PERMANENTFLAGS (\\*] x)] y", "* OK", "* NO [ALERT] disk at 98%",
			"* OK [UIDNEXT rubbish] x", "* STATUS x (y", "* 3 EXPUNGE", plain7, "* 12 EXISTS",
		}, []got{five, seven}, nil},
		{"some were removed", []string{plain7, "NO [EXPUNGEISSUED] Some messages no longer exist"}, []got{seven}, []uint32{5}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, _ string) {
				for _, line := range test.lines {
					if strings.HasPrefix(line, "NO ") {
						c.send(c.tag + " " + line)
						return
					}
					c.send(line)
				}
				c.ok("done")
			}}}).open()
			for range 2 { // the connection must be as good as before
				mails, missing, err := fetch(t.Context(), s, 5, 7)
				if err != nil {
					t.Fatal(err)
				}
				// What comes late, because its UID did, may be handed over in any order.
				order := func(a, b got) int { return int(a.UID) - int(b.UID) }
				slices.SortFunc(mails, order)
				slices.SortFunc(test.mails, order)
				if !reflect.DeepEqual(mails, test.mails) || !reflect.DeepEqual(missing, test.missing) {
					t.Errorf("got %v, missing %v; want %v, %v", mails, missing, test.mails, test.missing)
				}
			}
		})
	}
}

// TestFetchCut cuts the connection at every byte of an answer: each mail is
// either handed over whole, or named in the error with what arrived of it.
func TestFetchCut(t *testing.T) {
	one, two := "1234567", "abcdefghij"
	answer := "* 1 FETCH (UID 5 BODY[] " + literal(one) + ")\r\n* 2 FETCH (UID 7 BODY[] " + literal(two) + ")\r\n"
	began := strings.Index(answer, two)
	for n := range len(answer) {
		s := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, _ string) {
			c.raw(answer[:n])
			c.hangUp()
		}}}).open()
		mails, missing, err := fetch(t.Context(), s, 5, 7)
		e := failure(t, err)
		if e.Step != mail.StepFetch || !e.Temporary || !errors.Is(err, io.EOF) {
			t.Errorf("cut at %d: %v", n, err)
		}
		if len(mails)+len(missing) != 2 {
			t.Errorf("cut at %d: %v and missing %v are not two mails", n, mails, missing)
		}
		for _, m := range mails {
			if m.Text != one && m.Text != two {
				t.Errorf("cut at %d: mail %d is %q", n, m.UID, m.Text)
			}
		}
		broken := (*Interrupted)(nil)
		if len(missing) == 0 {
			if errors.As(err, &broken) {
				t.Errorf("cut at %d, after all mails: %v", n, err)
			}
			continue
		}
		if !errors.As(err, &broken) {
			t.Fatalf("cut at %d: %v is not Interrupted", n, err)
		}
		want := Interrupted{UID: missing[0]}
		if n >= began {
			want.Started, want.Offset = true, int64(n-began)
		} else if first := strings.Index(answer, one); n >= first && len(mails) == 0 {
			want.Started, want.Offset = true, int64(n-first)
		}
		if broken.UID != want.UID || broken.Started != want.Started || broken.Offset != want.Offset {
			t.Errorf("cut at %d: %+v, want %+v", n, *broken, want)
		}
	}
}

// TestFetchCutBeforeUID names the mail by elimination.
func TestFetchCutBeforeUID(t *testing.T) {
	s := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, _ string) {
		c.raw("* 1 FETCH (BODY[] {10}\r\nabc")
		c.hangUp()
	}}}).open()
	_, missing, err := fetch(t.Context(), s, 5)
	broken := (*Interrupted)(nil)
	if !errors.As(err, &broken) || broken.UID != 5 || broken.Offset != 3 || !broken.Started || len(missing) != 1 {
		t.Errorf("%v, missing %v", err, missing)
	}
}

// TestFetchCutInTheRest: also what is read only to be thrown away has to come.
func TestFetchCutInTheRest(t *testing.T) {
	server := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, _ string) {
		c.raw("* 1 FETCH (UID 5 BODY[] {5000000}\r\n" + strings.Repeat("x", 2000000))
		c.hangUp()
	}}})
	for _, max := range []int64{100, 1500000, 0} {
		set := server.settings()
		set.MaxSize = max
		s, err := openIMAP(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		mails, _, err := fetch(t.Context(), s, 5)
		broken := (*Interrupted)(nil)
		if !errors.As(err, &broken) || broken.UID != 5 || broken.Offset != 2000000 || len(mails) != 0 {
			t.Errorf("max_size %d: %v, %v", max, mails, err)
		}
		if files, err := os.ReadDir(set.SpoolDir); err != nil || len(files) != 0 {
			t.Errorf("max_size %d: left in the spool: %v, %v", max, files, err)
		}
	}
}

// TestFetchSilence: a server that falls silent is left after IdleTimeout; one
// that dribbles is not, however long the mail takes.
func TestFetchSilence(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	server := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, args string) {
		if strings.HasPrefix(args, "7 ") {
			c.raw("* 1 FETCH (UID 7 BODY[] {10}\r\nabc")
			<-release
			return
		}
		c.raw("* 1 FETCH (UID 5 BODY[] {10}\r\n")
		pace := time.NewTicker(60 * time.Millisecond)
		defer pace.Stop()
		for range 10 {
			<-pace.C
			c.raw("x")
		}
		c.send(")")
		c.ok("done")
	}}})
	set := server.settings()
	set.IdleTimeout = 300 * time.Millisecond
	s, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if mails, _, err := fetch(t.Context(), s, 5); err != nil || mails[0].Text != "xxxxxxxxxx" {
		t.Errorf("dribbling: %v, %v", mails, err)
	}
	_, missing, err := fetch(t.Context(), s, 7)
	broken, timeout := (*Interrupted)(nil), net.Error(nil)
	if !errors.As(err, &broken) || broken.UID != 7 || broken.Offset != 3 || len(missing) != 1 {
		t.Errorf("silent: %v", err)
	}
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v is no time-out", err)
	}
	if e := failure(t, err); e.Step != mail.StepFetch || !e.Temporary {
		t.Errorf("silent: %+v", e)
	}
}

// TestFetchRefused keeps what came before the refusal, and the connection.
func TestFetchRefused(t *testing.T) {
	first := true
	s := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, _ string) {
		c.send("* 1 FETCH (UID 5 BODY[] " + literal("five") + ")")
		if first {
			first = false
			c.no("[SERVERBUG] Internal error. Refer to log")
			return
		}
		c.ok("done")
	}}}).open()
	mails, missing, err := fetch(t.Context(), s, 5, 7)
	e := failure(t, err)
	if e.Code != "SERVERBUG" || e.Text != "Internal error. Refer to log" || !e.Temporary || e.Step != mail.StepFetch {
		t.Errorf("%+v", e)
	}
	if broken := (*Interrupted)(nil); errors.As(err, &broken) {
		t.Errorf("a refusal is no interruption: %v", err)
	}
	if len(mails) != 1 || !reflect.DeepEqual(missing, []uint32{7}) {
		t.Errorf("%v, missing %v", mails, missing)
	}
	if mails, _, err := fetch(t.Context(), s, 5); err != nil || len(mails) != 1 {
		t.Errorf("afterwards: %v, %v", mails, err)
	}
}

// TestFetchCallerFails: the caller's error comes back as it is, and the
// session goes on.
func TestFetchCallerFails(t *testing.T) {
	s := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, _ string) {
		c.send("* 1 FETCH (UID 5 BODY[] "+literal("five")+")", "* 1 FETCH (UID 7 BODY[] "+literal("seven")+")")
		c.ok("done")
	}}}).open()
	full := errors.New("disk full")
	calls := 0
	missing, err := s.Fetch(t.Context(), []Listed{{UID: 5}, {UID: 7}}, func(r *mail.Raw) error {
		r.Close()
		calls++
		return full
	})
	if err != full || calls != 1 || !reflect.DeepEqual(missing, []uint32{7}) {
		t.Errorf("%v after %d calls, missing %v", err, calls, missing)
	}
	if mails, _, err := fetch(t.Context(), s, 5, 7); err != nil || len(mails) != 2 {
		t.Errorf("afterwards: %v, %v", mails, err)
	}
}

// TestSpool: a mail above 1 MB lies in a file that is ours alone, until Close.
func TestSpool(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", memoryLimit/16) + "!"
	server := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, _ string) {
		c.send("* 1 FETCH (UID 5 BODY[] "+literal(big)+")", "* 1 FETCH (UID 7 BODY[] "+literal("seven")+")")
		c.ok("done")
	}}})
	set := server.settings()
	s, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Fetch(t.Context(), []Listed{{UID: 5}, {UID: 7}}, func(r *mail.Raw) error {
		files, err := os.ReadDir(set.SpoolDir)
		if err != nil || len(files) != 1 && r.UID == 5 || len(files) != 0 && r.UID == 7 {
			t.Errorf("mail %d: %v in the spool, %v", r.UID, files, err)
		}
		if r.UID == 5 {
			if info, err := files[0].Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 || info.Size() != int64(len(big)) {
				t.Errorf("spool file %v, %v", info, err)
			}
			text, err := io.ReadAll(r.Open())
			if err != nil || string(text) != big {
				t.Errorf("spooled %d bytes, %v", len(text), err)
			}
		}
		r.Close()
		r.Close()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(set.SpoolDir); err != nil || len(files) != 0 {
		t.Errorf("left in the spool: %v, %v", files, err)
	}
}

// TestSpoolFails: that this machine cannot keep a mail is neither the mail's
// fault nor the server's, and ends nothing but this call.
func TestSpoolFails(t *testing.T) {
	big := strings.Repeat("x", memoryLimit+1)
	server := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, args string) {
		if strings.HasPrefix(args, "7 ") {
			c.send("* 1 FETCH (UID 7 BODY[] " + literal("seven") + ")")
		} else {
			c.send("* 1 FETCH (UID 5 BODY[] " + literal(big) + ")")
		}
		c.ok("done")
	}}})
	set := server.settings()
	set.SpoolDir += "/missing"
	s, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, missing, err := fetch(t.Context(), s, 5)
	if e := (*mail.Error)(nil); !errors.Is(err, os.ErrNotExist) || errors.As(err, &e) || len(missing) != 1 {
		t.Errorf("%v, missing %v", err, missing)
	}
	if mails, _, err := fetch(t.Context(), s, 7); err != nil || len(mails) != 1 {
		t.Errorf("afterwards: %v, %v", mails, err)
	}
}

// TestMaxSize: of a larger mail only the beginning is asked for; and only the
// beginning is kept where the server's sizes were wrong.
func TestMaxSize(t *testing.T) {
	text := strings.Repeat("line\r\n", 100)
	server := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, args string) {
		uids, items, _ := strings.Cut(args, " ")
		partial := strings.Contains(items, "BODY.PEEK[]<0.200>")
		for uid := range strings.SplitSeq(uids, ",") {
			section, body := "BODY[]", text
			if partial {
				section, body = "BODY[]<0>", text[:200]
			}
			if uid == "8" {
				body = "short after all"
			}
			c.send("* 1 FETCH (UID " + uid + " " + section + " " + literal(body) + ")")
		}
		c.ok("done")
	}}})
	set := server.settings()
	set.MaxSize = 200
	s, err := openIMAP(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var mails []got
	missing, err := s.Fetch(t.Context(), []Listed{{UID: 5, Size: 600}, {UID: 6, Size: 10}, {UID: 8, Size: 600}}, collect(&mails))
	want := []got{{6, text[:200], 600, true}, {5, text[:200], 600, true}, {8, "short after all", 600, false}}
	if err != nil || missing != nil || !reflect.DeepEqual(mails, want) {
		t.Errorf("%v, missing %v, %v; want %v", mails, missing, err, want)
	}
	if got := server.received("UID FETCH"); len(got) != 2 || strings.Contains(got[0], "<") || !strings.Contains(got[1], "<0.200>") {
		t.Errorf("asked %q", got)
	}
}
