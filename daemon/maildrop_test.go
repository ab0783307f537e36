package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/mail/fetch"
	"helpdesk/store"
)

// A maildrop is a POP3 server in the place of intake's, one session after the
// other, with the faults that a test wants.
type maildrop struct {
	*intake
	listen net.Listener

	mu      sync.Mutex
	mails   []dropped
	part    int                   // lists so many at a time, of those not read whole yet, as Gmail does; 0: all
	act     func(line string) int // asked about each command; nil: all is done
	log     []string              // commands
	nothing bool                  // QUIT is answered, and deletes nothing
}

type dropped struct {
	id, text string
	read     bool
}

// What becomes of a command.
const (
	popDo     = iota
	popHang   // hang up before it
	popDoHang // do it and hang up without an answer
)

func newMaildrop(t *testing.T, after string) *maildrop {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &maildrop{intake: newIntake(t, after), listen: listener}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { d.talk(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); all.Wait() })
	d.set.Protocol, d.set.Port, d.set.Folder, d.set.Delete = "pop3", listener.Addr().(*net.TCPAddr).Port, "", after == "delete"
	return d
}

// talk is a session.
func (d *maildrop) talk(conn net.Conn) {
	defer conn.Close()
	d.mu.Lock()
	part := d.part
	var listed []dropped
	for _, m := range d.mails {
		if part == 0 || !m.read && len(listed) < part {
			listed = append(listed, m)
		}
	}
	d.mu.Unlock()
	say := func(lines ...string) { _, _ = conn.Write([]byte(strings.Join(lines, "\r\n") + "\r\n")) }
	greeting := "+OK ready"
	if part > 0 {
		greeting = "+OK Gpop ready for requests"
	}
	say(greeting)
	in := bufio.NewReader(conn)
	deleted := map[string]bool{}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		d.mu.Lock()
		d.log = append(d.log, line)
		verdict := popDo
		if d.act != nil {
			verdict = d.act(line)
		}
		d.mu.Unlock()
		if verdict == popHang {
			return
		}
		answer := d.answer(line, listed, deleted)
		if verdict == popDoHang {
			return
		}
		say(answer...)
		if line == "QUIT" {
			return
		}
	}
}

func (d *maildrop) answer(line string, listed []dropped, deleted map[string]bool) []string {
	fields := append(strings.Fields(line), "", "")
	i, _ := strconv.Atoi(fields[1])
	answer := []string{"+OK"}
	switch fields[0] {
	case "CAPA":
		return append(answer, "UIDL", "TOP", "USER", ".")
	case "STAT":
		return []string{fmt.Sprintf("+OK %d 0", len(listed))}
	case "LIST", "UIDL":
		for n, m := range listed {
			what := m.id
			if fields[0] == "LIST" {
				what = strconv.Itoa(len(m.text))
			}
			answer = append(answer, fmt.Sprint(n+1, " ", what))
		}
		return append(answer, ".")
	case "RETR", "TOP":
		text := listed[i-1].text
		if fields[0] == "TOP" {
			text = text[:strings.Index(text, "\r\n\r\n")+2] // header only
		}
		if fields[0] == "RETR" {
			d.mark(listed[i-1].id)
		}
		return append(answer, text+".")
	case "DELE":
		deleted[listed[i-1].id] = true
	case "QUIT":
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.nothing {
			d.mails = slices.DeleteFunc(d.mails, func(m dropped) bool { return deleted[m.id] })
		}
	}
	return answer
}

func (d *maildrop) mark(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.mails {
		d.mails[i].read = d.mails[i].read || d.mails[i].id == id
	}
}

func (d *maildrop) drop(id, raw string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mails = append(d.mails, dropped{id: id, text: strings.ReplaceAll(raw, "\n", "\r\n")})
}

// change is for what a test changes while the server runs.
func (d *maildrop) change(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn()
}

func (d *maildrop) on(act func(line string) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.act = act
}

// at is a verdict about each command that begins so.
func at(verdict int, prefix string) func(string) int {
	return func(line string) int {
		if strings.HasPrefix(line, prefix) {
			return verdict
		}
		return popDo
	}
}

// said is how many commands began so.
func (d *maildrop) said(prefix string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range d.log {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// ids are those that lie there.
func (d *maildrop) ids() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for _, m := range d.mails {
		ids = append(ids, m.id)
	}
	return strings.Join(ids, " ")
}

// rename gives all mails other ids.
func (d *maildrop) rename() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.mails {
		d.mails[i].id = "new-" + d.mails[i].id
	}
}

// poll is a session from the login to the moment when it would wait.
func (d *maildrop) poll() error {
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	d.c.sparing = d.now().Add(time.Hour)
	if err := d.c.session(ctx); !errors.Is(err, errSparing) {
		return err
	}
	return nil
}

func (d *maildrop) polled() {
	d.t.Helper()
	if err := d.poll(); err != nil {
		d.t.Fatalf("the session failed: %v", err)
	}
}

func (d *maildrop) pollFails() {
	d.t.Helper()
	if err := d.poll(); err == nil || errors.Is(err, context.DeadlineExceeded) {
		d.t.Fatalf("the session ended with %v, want a failure", err)
	}
}

func (d *maildrop) wantIDs(want string) {
	d.t.Helper()
	if got := d.ids(); got != want {
		d.t.Errorf("in the maildrop lie %q, want %q", got, want)
	}
}

// Mail is taken once and left, or deleted, in one session for each poll.
func TestMaildrop(t *testing.T) {
	for _, after := range []string{"keep", "delete"} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			d := newMaildrop(t, after)
			d.drop("a", dated("one", "20 Nov 2026", "text"))
			d.drop("b", dated("two", "20 Nov 2026", "text"))
			d.polled()
			d.drop("c", dated("three", "20 Nov 2026", "text"))
			d.polled()
			d.polled()
			d.wantLedger("request one", "request two", "request three")
			if n := d.said("PASS"); n != 3 {
				t.Errorf("%d logins in 3 polls", n)
			}
			if want := map[string]string{"keep": "a b c", "delete": ""}[after]; d.ids() != want || d.said("RETR") != 3 {
				t.Errorf("left are %q after %d RETR", d.ids(), d.said("RETR"))
			}
		})
	}
}

// What was ignored, or could not be read, is not deleted.
func TestMaildropKeepsWhatWasNotTaken(t *testing.T) {
	t.Parallel()
	d := newMaildrop(t, "delete")
	d.drop("bulk", "Precedence: bulk\nAuto-Submitted: auto-generated\n"+dated("newsletter", "20 Nov 2026", "buy"))
	d.drop("a", dated("one", "20 Nov 2026", "text"))
	d.polled()
	d.polled()
	d.wantLedger("ignored newsletter", "request one")
	d.wantIDs("bulk")
	if n := d.said("DELE"); n != 1 {
		t.Errorf("%d mails were marked as deleted", n)
	}
}

// A connection that is lost on the way to QUIT's answer loses no mail and makes
// none come twice, whether the server has deleted or not.
func TestMaildropLostBetweenCommitAndQuit(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(string) int
		left string
	}{
		"before DELE":                {at(popHang, "DELE"), "a b"},
		"after DELE":                 {at(popDoHang, "DELE 2"), "a b"},
		"before QUIT":                {at(popHang, "QUIT"), "a b"},
		"QUIT is done, not answered": {at(popDoHang, "QUIT"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newMaildrop(t, "delete")
			d.drop("a", dated("one", "20 Nov 2026", "text"))
			d.drop("b", dated("two", "20 Nov 2026", "text"))
			d.on(c.act)
			d.pollFails()
			d.wantIDs(c.left)
			d.wantLedger("request one", "request two")
			d.on(nil)
			d.drop("c", dated("three", "20 Nov 2026", "text"))
			d.polled()
			d.wantIDs("")
			d.wantLedger("request one", "request two", "request three")
			if n := d.said("RETR"); n != 3 {
				t.Errorf("%d RETR for 3 mails", n)
			}
			if pending, err := d.store.Pending(t.Context(), 1, 1); err != nil || len(pending) != 0 {
				t.Errorf("the server is still to be told %+v, %v", pending, err)
			}
			if pending, err := d.store.Pending(t.Context(), 1, 2); err != nil || len(pending) != 0 {
				t.Errorf("the server is still to be told %+v, %v", pending, err)
			}
		})
	}
}

// A server that says that it deleted, and did not, is not read over and over,
// not even the mails that nothing but their place tells from each other; and a
// mail that gets the id of one that is gone is taken.
func TestMaildropIDsOfDeletedMails(t *testing.T) {
	t.Parallel()
	const bare = "From: door@customer.test\nSubject: Alarm\n\nThe door is open.\n"
	d := newMaildrop(t, "delete")
	d.change(func() { d.nothing = true })
	d.drop("a", bare)
	d.polled()
	d.polled()
	d.wantLedger("request Alarm")
	d.change(func() { d.nothing, d.mails = false, nil })
	d.polled()
	d.drop("a", bare)
	d.polled()
	d.wantLedger("request Alarm", "request Alarm")
	d.wantIDs("")
}

// A server that names all mails anew, as after a restore or a move to another
// program, makes none come twice and none be lost; what is still to be deleted is.
func TestMaildropNamedAnew(t *testing.T) {
	const bare = "From: door@customer.test\nSubject: Alarm\n\nThe door is open.\n"
	t.Run("keep", func(t *testing.T) {
		t.Parallel()
		d := newMaildrop(t, "keep")
		d.c.process = false
		d.drop("a", dated("old", "20 Nov 2026", "text"))
		d.polled()
		d.drop("b", bare)
		d.drop("c", dated("two", "22 Nov 2026", "text"))
		d.polled()
		d.wantLedger("skipped old", "request Alarm", "request two")
		d.rename()
		d.change(func() { d.mails[0], d.mails[1] = d.mails[1], d.mails[0] }) // it is not the first that proves anything
		d.drop("d", dated("three", "22 Nov 2026", "text"))
		read := d.said("RETR")
		d.polled()
		d.polled()
		d.wantLedger("skipped old", "request Alarm", "request two", "request three")
		if n := d.said("RETR") - read; n != 1 {
			t.Errorf("%d mails were read again", n-1)
		}
	})
	t.Run("without proof", func(t *testing.T) { // someone emptied the maildrop, and the next alarm came
		t.Parallel()
		d := newMaildrop(t, "keep")
		d.drop("a", bare)
		d.polled()
		d.change(func() { d.mails = nil })
		d.drop("b", bare)
		d.polled()
		d.wantLedger("request Alarm", "request Alarm")
	})
	t.Run("delete", func(t *testing.T) {
		t.Parallel()
		d := newMaildrop(t, "delete")
		d.drop("a", dated("one", "20 Nov 2026", "text"))
		d.on(at(popHang, "QUIT"))
		d.pollFails()
		d.on(nil)
		d.rename()
		d.polled()
		d.wantLedger("request one")
		d.wantIDs("")
	})
}

// A first start at a server that lists a part of its mails at a time: no old
// mail is answered, whenever it comes to light, and every new one is.
func TestMaildropFirstStartAtGmail(t *testing.T) {
	t.Parallel()
	received := func(at, raw string) string {
		return "Received: by 2002:a05:6a10:0:0:0:0 with SMTP id x;\n        " + at + "\n" + raw
	}
	d := newMaildrop(t, "keep")
	d.c.process = false
	d.change(func() { d.part = 2 })
	d.drop("o1", received("Fri, 20 Nov 2026 09:00:00 +0000", dated("old 1", "20 Nov 2026", "text")))
	d.drop("o2", received("Fri, 20 Nov 2026 09:00:00 +0000", dated("old 2", "20 Nov 2026", "text")))
	d.drop("o3", received("Fri, 20 Nov 2026 09:00:00 +0000", dated("old 3", "25 Nov 2099", "text"))) // the sender's clock is wrong
	d.drop("o4", dated("old 4", "18 Nov 2026", "text"))                                              // imported, without Received
	d.drop("o5", received("Sat, 21 Nov 2026 11:00:00 +0000", dated("old 5", "21 Nov 2026", "text"))) // an hour before
	d.polled()
	d.wantLedger("skipped old 1", "skipped old 2")
	d.later(time.Minute)
	d.drop("n1", received("Sat, 21 Nov 2026 12:00:30 +0000", dated("new 1", "1 Jan 1990", "text")))  // the sender's clock is wrong
	d.drop("n2", received("Sat, 21 Nov 2026 11:59:30 +0000", dated("new 2", "21 Nov 2026", "text"))) // the server's clock is a little slow
	d.drop("n3", "From: taro@customer.test\nSubject: new 3\n\nI have no date.\n")
	for range 5 {
		d.polled()
	}
	got := d.ledger()
	slices.Sort(got)
	want := []string{"request new 1", "request new 2", "request new 3", "skipped old 1", "skipped old 2", "skipped old 3", "skipped old 4", "skipped old 5"}
	if !slices.Equal(got, want) {
		t.Errorf("the ledger holds %q, want %q", got, want)
	}
	lines, err := d.store.Outbox(t.Context(), store.OutboxFilter{})
	if err != nil || len(lines) != 3 {
		t.Errorf("%d mails were queued, %v; want those for the new mails", len(lines), err)
	}
}

// At such a server the next look follows soon while there is news, and not
// without end; elsewhere it does not.
func TestMaildropLooksAgain(t *testing.T) {
	t.Parallel()
	d := newMaildrop(t, "keep")
	d.change(func() { d.part = 2 })
	for i := range 5 {
		d.drop(fmt.Sprint("m", i), dated(fmt.Sprint("mail ", i), "20 Nov 2026", "text"))
	}
	var pauses []time.Duration
	for range 4 {
		d.polled()
		s := opened(t, d)
		pauses = append(pauses, d.c.rest(s))
	}
	if want := []time.Duration{againSoon, againSoon, againSoon, time.Hour}; !slices.Equal(pauses, want) {
		t.Errorf("rests of %v, want %v", pauses, want)
	}
	d.c.news, d.c.again = 1, againMost
	if rest := d.c.rest(opened(t, d)); rest != time.Hour {
		t.Errorf("after %d looks the next follows after %s", againMost, rest)
	}
	d.change(func() { d.part = 0 })
	d.c.again = 0
	if rest := d.c.rest(opened(t, d)); rest != time.Hour {
		t.Errorf("at another server the next look follows after %s", rest)
	}
}

func opened(t *testing.T, d *maildrop) fetch.Session {
	t.Helper()
	s, err := fetch.Open(t.Context(), d.set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A mail at which the connection breaks is set aside, and the others are taken.
func TestMaildropMailThatBreaks(t *testing.T) {
	t.Parallel()
	d := newMaildrop(t, "delete")
	for i := range 3 {
		d.drop(fmt.Sprint("m", i), dated(fmt.Sprint("mail ", i), "20 Nov 2026", "text"))
	}
	d.on(at(popHang, "RETR 2"))
	n := 0
	for ; d.poll() != nil; n++ {
		if n > 20 {
			t.Fatal("the maildrop does not come to rest")
		}
		i := slices.Index(strings.Fields(d.ids()), "m1") // numbers move when mails are deleted
		d.on(at(popHang, fmt.Sprint("RETR ", i+1)))
	}
	got := d.ledger()
	slices.Sort(got)
	if want := []string{"quarantined", "request mail 0", "request mail 2"}; !slices.Equal(got, want) {
		t.Errorf("the ledger holds %q, want %q", got, want)
	}
	d.wantIDs("m1")
	d.on(nil)
	d.later(2 * time.Hour)
	d.polled()
	d.wantIDs("")
}

// A provider that counts log-ins is logged in to again once after a failure, and
// then not sooner than it allows.
func TestMaildropLoginsApart(t *testing.T) {
	t.Parallel()
	d := newMaildrop(t, "keep")
	d.c.logins = 15 * time.Minute
	d.c.attempts.worked = true
	d.drop("a", dated("one", "20 Nov 2026", "text"))
	d.on(at(popHang, "RETR 1"))
	var pauses []time.Duration
	for range 4 {
		err := d.poll()
		if err == nil {
			t.Fatal("the session did not fail")
		}
		next := d.c.failed(t.Context(), err)
		pauses = append(pauses, next.Sub(d.now()))
		d.later(next.Sub(d.now()))
	}
	if pauses[0] >= time.Minute || pauses[1] < 14*time.Minute || pauses[2] < 15*time.Minute || pauses[3] < 15*time.Minute {
		t.Errorf("tried again after %v", pauses)
	}
	if n := d.said("PASS"); n != 4 {
		t.Errorf("%d log-ins, want 4", n)
	}
}

// Where the connection breaks in the middle of a maildrop, what was committed is
// not read again.
func TestMaildropCutInTheMiddle(t *testing.T) {
	t.Parallel()
	d := newMaildrop(t, "delete")
	for i := range 4 {
		d.drop(fmt.Sprint("m", i), dated(fmt.Sprint("mail ", i), "20 Nov 2026", "text"))
	}
	d.on(at(popHang, "RETR 3"))
	d.pollFails()
	d.wantLedger("request mail 0", "request mail 1")
	d.wantIDs("m0 m1 m2 m3")
	d.on(nil)
	d.polled()
	d.wantLedger("request mail 0", "request mail 1", "request mail 2", "request mail 3")
	d.wantIDs("")
	if n := d.said("RETR"); n != 5 {
		t.Errorf("%d RETR, want 5", n)
	}
}
