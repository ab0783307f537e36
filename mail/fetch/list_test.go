package fetch

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"helpdesk/mail"
)

func TestList(t *testing.T) {
	tests := []struct {
		name  string
		from  uint32
		lines []string
		asked string
		want  []Listed
	}{
		{"all", 0, []string{`* 1 FETCH (UID 3 FLAGS (\Seen \Deleted) RFC822.SIZE 5000000000)`, `* 2 FETCH (UID 9 FLAGS () RFC822.SIZE 7)`},
			"1:*", []Listed{{3, 5000000000, []string{`\Seen`, `\Deleted`}}, {9, 7, nil}}},
		{"the last mail below from", 100, []string{`* 2 FETCH (UID 9 FLAGS (\Seen) RFC822.SIZE 7)`}, "100:*", nil},
		{"nothing", 100, nil, "100:*", nil},
		{"other order, twice, no size", 3, []string{
			"* 5 FETCH (RFC822.SIZE 5 UID 50)", "* 4 FETCH (UID 40)", "* 5 FETCH (RFC822.SIZE 5 UID 50)", "* 1 FETCH (FLAGS ())", "* 7 EXISTS",
		}, "3:*", []Listed{{40, 0, nil}, {50, 5, nil}}},
		{"a body nobody asked for", 3, []string{"* 5 FETCH (UID 50 RFC822.SIZE 5 BODY[] " + literal("12345") + ")"}, "3:*", []Listed{{50, 5, nil}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": does(append(test.lines, "OK done")...)}})
			got, err := server.open().List(t.Context(), test.from)
			if err != nil || !slices.EqualFunc(got, test.want, func(a, b Listed) bool { return reflect.DeepEqual(a, b) }) {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
			asked := server.received("UID FETCH " + test.asked + " ")
			if len(asked) != 1 || !strings.Contains(asked[0], "UID") || strings.Contains(asked[0], "BODY") {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

// TestListRefused: "1:*" of an empty folder is an error to some servers, which
// is none to us; of a folder with mails it is one.
func TestListRefused(t *testing.T) {
	refuses := does("BAD Error in IMAP command UID FETCH: Invalid uidset")
	empty := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": refuses, "SELECT": does("* 0 EXISTS", "OK done")}})
	if got, err := empty.open().List(t.Context(), 1); err != nil || len(got) != 0 {
		t.Errorf("empty folder: %v, %v", got, err)
	}
	full := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": refuses}})
	_, err := full.open().List(t.Context(), 1)
	if e := failure(t, err); e.Step != mail.StepList || e.Text != "Error in IMAP command UID FETCH: Invalid uidset" {
		t.Errorf("%+v", e)
	}
}

func TestHeaders(t *testing.T) {
	server := serve(t, &script{on: map[string]func(*client, string){"UID FETCH": func(c *client, args string) {
		set, _, _ := strings.Cut(args, " ")
		for r := range strings.SplitSeq(set, ",") {
			var from, to int
			if n, _ := fmt.Sscanf(r, "%d:%d", &from, &to); n == 1 {
				to = from
			}
			for uid := from; uid <= to; uid++ {
				c.send(fmt.Sprintf(`* 1 FETCH (UID %d RFC822.SIZE %d BODY[HEADER.FIELDS ("Message-ID" DATE from "SUB]JECT")] %s)`,
					uid, uid+1000, literal(fmt.Sprintf("Subject: %d\r\n\r\n", uid))))
			}
		}
		c.ok("done")
	}}})
	uids := []uint32{2}
	for uid := uint32(10); len(uids) < 2*headerChunk+10; uid++ {
		uids = append(uids, uid)
	}
	var got []uint32
	err := server.open().Headers(t.Context(), uids, func(uid uint32, size int64, header []byte) error {
		if want := fmt.Sprintf("Subject: %d\r\n\r\n", uid); string(header) != want || size != int64(uid)+1000 {
			t.Errorf("mail %d: %q, size %d", uid, header, size)
		}
		got = append(got, uid)
		return nil
	})
	if err != nil || !reflect.DeepEqual(got, uids) {
		t.Errorf("%d headers, %v", len(got), err)
	}
	asked := server.received("UID FETCH")
	if len(asked) != 3 || !strings.Contains(asked[0], `BODY.PEEK[HEADER.FIELDS ("MESSAGE-ID" "DATE" "FROM" "SUBJECT")]`) {
		t.Errorf("asked %q", asked)
	}
}

func TestUIDSets(t *testing.T) {
	var odd, all []Listed
	for uid := uint32(1); uid <= 2500; uid++ {
		all = append(all, Listed{UID: uid})
		if uid%2 == 1 && len(odd) < 2*maxRanges+1 {
			odd = append(odd, Listed{UID: uid})
		}
	}
	for name, test := range map[string]struct {
		mails []Listed
		sets  int
		first string
	}{
		"none":    {nil, 0, ""},
		"mixed":   {[]Listed{{UID: 9}, {UID: 1}, {UID: 2}, {UID: 9}, {UID: 3}}, 1, "1:3,9"},
		"single":  {all, 3, "1:1000"},
		"ranges":  {odd, 3, ""},
		"highest": {[]Listed{{UID: 1<<32 - 1}, {UID: 1<<32 - 2}}, 1, "4294967294:4294967295"},
	} {
		sets := uidSets(test.mails)
		if len(sets) != test.sets || test.first != "" && sets[0].String() != test.first {
			t.Errorf("%s: %d sets %v", name, len(sets), sets)
		}
		seen := map[imap.UID]bool{}
		for _, set := range sets {
			for uid := range members(set) {
				seen[uid] = true
			}
		}
		for _, m := range test.mails {
			if !seen[imap.UID(m.UID)] {
				t.Fatalf("%s: %d is in no set", name, m.UID)
			}
		}
	}
}
