package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/mail"
	"helpdesk/mail/connect"
	"helpdesk/mail/fetch"
	"helpdesk/mail/loopback"
	"helpdesk/store"
)

// line is a connection between us and a real server, on which a test may act:
// it sees each line and drops it, passes it on or cuts the connection.
type line struct {
	t      *testing.T
	listen net.Listener

	mu     sync.Mutex
	server string
	said   func(ours string) verdict   // asked about each line of ours; nil: all pass
	heard  func(theirs string) verdict // asked about each line of the server
}

type verdict int

const (
	pass verdict = iota
	drop
	cut
)

func newLine(t *testing.T, server string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, listen: listener, server: server}
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	})
	go l.serve()
	return l
}

func (l *line) port() int { return l.listen.Addr().(*net.TCPAddr).Port }

// set changes what happens to the lines.
func (l *line) set(said, heard func(string) verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said, l.heard = said, heard
}

func (l *line) serve() {
	for {
		in, err := l.listen.Accept()
		if err != nil {
			return // closed
		}
		l.mu.Lock()
		server := l.server
		l.mu.Unlock()
		out, err := net.Dial("tcp", server)
		if err != nil {
			l.t.Error(err)
			in.Close()
			return
		}
		both := func() { in.Close(); out.Close() }
		go func() { defer both(); l.carry(out, in, func() func(string) verdict { return l.said }) }()
		go func() { defer both(); l.carry(in, out, func() func(string) verdict { return l.heard }) }()
	}
}

func (l *line) carry(to io.Writer, from io.Reader, asked func() func(string) verdict) {
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadString('\n')
		l.mu.Lock()
		ask := asked()
		l.mu.Unlock()
		v := pass
		if ask != nil && text != "" {
			v = ask(text)
		}
		if v == cut {
			return
		}
		if v == pass {
			if _, err := io.WriteString(to, text); err != nil {
				return // one of the two hung up
			}
		}
		if err != nil {
			return
		}
	}
}

// saying is a verdict about each line that has all of some words in it.
func saying(v verdict, words ...string) func(string) verdict {
	return func(text string) verdict {
		for _, word := range words {
			if !strings.Contains(text, word) {
				return pass
			}
		}
		return v
	}
}

// intake is a collector with a real store and a real server, whose clock the
// test sets.
type intake struct {
	t      *testing.T
	c      *collector
	store  *store.Store
	server *loopback.Server
	line   *line
	set    fetch.Settings

	mu   sync.Mutex
	time time.Time
}

func (i *intake) now() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.time
}

func (i *intake) later(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.time = i.time.Add(d)
}

// newIntake starts with an empty mailbox of UIDVALIDITY 100. All mail is taken,
// also that of before the first start.
func newIntake(t *testing.T, after string) *intake {
	t.Helper()
	i := &intake{t: t, time: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	i.line = newLine(t, "")
	i.serverWith(100)
	var err error
	if i.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "helpdesk.db"), store.Options{Now: i.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.store.Close(); err != nil {
			t.Error(err)
		}
	})
	signer, err := desk.NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	s := &desk.Settings{
		Key: "SUP", Name: "Support", Address: "support@example.com", Sender: mail.Address{Address: "support@example.com"},
		After: after, MoveTo: "Helpdesk", Type: desk.RequestType{Name: "Email request"}, PublicSignup: true,
	}
	if err := i.store.Write(t.Context(), func(tx *store.Tx) error {
		d, err := tx.EnsureDesk(s.Address, s.Key, s.Name)
		s.ID = d.ID
		return err
	}); err != nil {
		t.Fatal(err)
	}
	i.set = fetch.Settings{
		Login: connect.Login{Username: "support@example.com", Password: "secret"}, MaxSize: 50 << 20, SpoolDir: t.TempDir(), Folder: "INBOX",
		Settings: connect.Settings{Protocol: "imap", Host: "127.0.0.1", Port: i.line.port(), Security: connect.Plain, IdleTimeout: 30 * time.Second},
	}
	log := slog.New(slog.DiscardHandler)
	i.c = &collector{
		desk: s, settings: func() (fetch.Settings, error) { return i.set, nil }, poll: time.Hour, process: true,
		store: i.store, taker: &desk.Taker{Store: i.store, Signer: signer, Now: i.now}, health: newHealth(i.store, i.now, log),
		now: i.now, log: log, subject: "mailbox:1", breaks: map[uint32]breakage{}, taken: func(bool) {},
	}
	i.c.account = newTestAccount("mailbox:1", i.store, i.now, wait)
	return i
}

// serverWith puts a fresh server in the place of the present one: one whose
// empty mailbox has a UIDVALIDITY of the test's choice.
func (i *intake) serverWith(uidvalidity int64) {
	i.t.Helper()
	server, err := loopback.Start(loopback.Options{Now: func() time.Time { return time.Unix(uidvalidity-1, 0) }})
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			i.t.Error(err)
		}
	})
	server.AddUser("support@example.com", "secret")
	i.server = server
	i.line.mu.Lock()
	i.line.server = server.IMAP.String()
	i.line.mu.Unlock()
}

// deliver puts a mail with this subject into the mailbox.
func (i *intake) deliver(subject string) {
	i.t.Helper()
	i.deliverRaw(dated(subject, "20 Nov 2026", "text"))
}

func (i *intake) deliverRaw(raw string) {
	i.t.Helper()
	if err := i.server.Deliver("support@example.com", []byte(strings.ReplaceAll(raw, "\n", "\r\n"))); err != nil {
		i.t.Fatal(err)
	}
}

func dated(subject, day, text string) string {
	return fmt.Sprintf("From: taro@customer.test\nTo: support@example.com\nSubject: %s\nDate: %s 12:00:00 +0900\nMessage-ID: <%x@c>\n\n%s\n", subject, day, subject, text)
}

// visit runs a session until it comes to rest, with all done, and waits for
// news. It returns why the session failed, if it did.
func (i *intake) visit() error {
	ctx, cancel := context.WithTimeout(i.t.Context(), 30*time.Second)
	defer cancel()
	i.line.mu.Lock()
	said := i.line.said
	i.line.said = func(text string) verdict {
		if strings.Contains(text, "IDLE") {
			cancel()
		}
		if said == nil {
			return pass
		}
		return said(text)
	}
	i.line.mu.Unlock()
	err := i.c.session(ctx)
	i.line.mu.Lock()
	i.line.said = said
	i.line.mu.Unlock()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil // by us
	}
	return err
}

// rested is a visit that must not fail.
func (i *intake) rested() {
	i.t.Helper()
	if err := i.visit(); err != nil {
		i.t.Fatalf("the session failed: %v", err)
	}
}

// fails is a visit that must fail.
func (i *intake) fails() {
	i.t.Helper()
	if err := i.visit(); err == nil || errors.Is(err, context.DeadlineExceeded) {
		i.t.Fatalf("the session ended with %v, want a failure", err)
	}
}

// ledger is what was taken, oldest first, as "outcome subject".
func (i *intake) ledger() []string {
	i.t.Helper()
	entries, err := i.store.Entries(i.t.Context(), store.EntryFilter{Limit: 1000})
	if err != nil {
		i.t.Fatal(err)
	}
	slices.Reverse(entries)
	lines := make([]string, len(entries))
	for n, e := range entries {
		lines[n] = strings.TrimSpace(e.Outcome + " " + e.Subject)
	}
	return lines
}

func (i *intake) wantLedger(want ...string) {
	i.t.Helper()
	if got := i.ledger(); !slices.Equal(got, want) {
		i.t.Errorf("the ledger holds %q, want %q", got, want)
	}
}

// left is how many mails lie in the mailbox.
func (i *intake) left() int {
	i.t.Helper()
	mails, err := i.server.Messages("support@example.com", "INBOX")
	if err != nil {
		i.t.Fatal(err)
	}
	return len(mails)
}

// A batch that the store rolled back is not told to the server: with after =
// "delete" the mails would be lost.
func TestCollectTellsOnlyWhatIsCommitted(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "delete")
	i.deliver("one")
	i.deliver("two")
	i.c.fetch = i.set
	s, err := fetch.Open(t.Context(), i.set)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	box, err := i.c.begin(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	// The second mail is one of those whose text is read when it is stored,
	// and its file cannot be read then.
	path := filepath.Join(t.TempDir(), "spool")
	content := strings.ReplaceAll(dated("two", "20 Nov 2026", strings.Repeat("0123456789abcdef\n", 100_000)), "\n", "\r\n")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	one := strings.ReplaceAll(dated("one", "20 Nov 2026", "text"), "\n", "\r\n")
	p := i.c.startPipeline(t.Context(), box)
	var batch []*pending
	for n, raw := range []*mail.Raw{
		{Content: strings.NewReader(one), Length: int64(len(one))},
		{Content: file, Length: int64(len(content))},
	} {
		raw.UIDValidity, raw.UID, raw.Size, raw.Close = box.UIDValidity, uint32(n+1), raw.Length, func() {}
		in, err := i.c.taker.Prepare(raw)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, &pending{raw: raw, in: in})
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	p.takeBatch(batch)
	if err := i.c.tell(t.Context(), s, box, p.committed()); err != nil {
		t.Fatal(err)
	}
	if err := p.stop(); err == nil {
		t.Error("the pipeline does not say that the store failed")
	}
	i.wantLedger()
	if n := i.left(); n != 2 {
		t.Errorf("%d of 2 mails are left on the server", n)
	}
	i.rested()
	i.wantLedger("request one", "request two")
}

// After a batch that the store rolled back nothing of later batches is taken:
// the order of the mailbox is kept.
func TestCollectStopsAfterARollback(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "delete")
	i.deliver("one")
	i.rested()
	raw := dated("two", "20 Nov 2026", "text")
	in, err := i.c.taker.Prepare(&mail.Raw{UIDValidity: 100, UID: 2, Size: int64(len(raw)), Length: int64(len(raw)), Content: strings.NewReader(raw), Close: func() {}})
	if err != nil {
		t.Fatal(err)
	}
	box, err := i.store.MailboxByID(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	p := i.c.startPipeline(t.Context(), box)
	full := errors.New("the disk is full")
	p.takeBatch([]*pending{{raw: in.Raw, err: full}})
	p.takeBatch([]*pending{{raw: in.Raw, in: in}})
	if err := p.stop(); !errors.Is(err, full) {
		t.Errorf("the pipeline ended with %v, want %v", err, full)
	}
	i.wantLedger("request one")
}

// A UIDVALIDITY that comes back after another one means other mails under the
// same numbers: none of them is taken for one that was there before.
func TestUIDValidityComesBack(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "keep")
	i.deliver("X")
	i.rested()
	i.serverWith(200)
	i.deliver("Y")
	i.rested()
	i.serverWith(100)
	i.deliver("Z")
	i.rested()
	i.wantLedger("request X", "request Y", "request Z")
}

// What was to be told of a mail is not told of another one that has its number
// when the UIDVALIDITY comes back: nothing is deleted that was not taken.
func TestStaleActsAreForgotten(t *testing.T) {
	for _, c := range []struct {
		name  string
		there bool
	}{
		{"the other mail is there when we come", true},
		{"the other mail comes later", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newIntake(t, "delete")
			i.deliver("X")
			i.line.set(saying(cut, "UID STORE"), nil)
			i.fails() // X is taken, and the server was not told
			i.wantLedger("request X")
			i.line.set(nil, nil)
			i.serverWith(200)
			i.rested()
			i.serverWith(100)
			if !c.there {
				i.rested()
			}
			i.deliver("Z")
			i.line.set(saying(cut, "BODY"), nil)
			i.fails()
			if n := i.left(); n != 1 {
				t.Fatal("Z was deleted before it was taken")
			}
			i.line.set(nil, nil)
			i.rested()
			i.wantLedger("request X", "request Z")
			if n := i.left(); n != 0 {
				t.Errorf("%d mails are left, Z was taken and is to be deleted", n)
			}
		})
	}
}

// A server that was restored from a backup gives numbers again: what came after
// the restore is taken, what it has kept is not taken twice.
func TestServerRestoredFromBackup(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "keep")
	var want []string
	for n := range 5 {
		i.deliver(fmt.Sprint("old ", n))
		want = append(want, fmt.Sprint("request old ", n))
	}
	i.rested()
	i.serverWith(100)
	i.deliver("old 0")
	i.deliver("old 1")
	i.deliver("new")
	i.rested()
	i.wantLedger(append(want, "request new")...)
}

// Mails without Message-ID and Date are known again after the mailbox was
// numbered anew, each once: one more of the same words is a new mail.
func TestBareMailsNumberedAnew(t *testing.T) {
	t.Parallel()
	const bare = "From: door@customer.test\nSubject: Alarm\n\nThe door is open.\n"
	i := newIntake(t, "keep")
	i.deliverRaw(bare)
	i.rested()
	i.deliverRaw(bare)
	if err := i.server.ChangeUIDValidity("support@example.com", "INBOX"); err != nil {
		t.Fatal(err)
	}
	i.rested()
	i.wantLedger("request Alarm", "request Alarm")
	if err := i.server.ChangeUIDValidity("support@example.com", "INBOX"); err != nil {
		t.Fatal(err)
	}
	i.rested()
	i.wantLedger("request Alarm", "request Alarm")
}

// What the server was still to be told is told of the mails' new numbers.
func TestPendingActsGetNewNumbers(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "delete")
	i.deliver("one")
	i.rested()
	i.deliver("two")
	i.line.set(saying(cut, "UID STORE"), nil)
	i.fails()
	i.line.set(nil, nil)
	if n := i.left(); n != 1 {
		t.Fatalf("%d mails are left, want the second", n)
	}
	if err := i.server.ChangeUIDValidity("support@example.com", "INBOX"); err != nil {
		t.Fatal(err)
	}
	i.rested()
	i.wantLedger("request one", "request two")
	if n := i.left(); n != 0 {
		t.Error("the mail that was to be deleted is still there")
	}
	for _, uidvalidity := range []uint32{100, 101} {
		if pending, err := i.store.Pending(t.Context(), 1, uidvalidity); err != nil || len(pending) != 0 {
			t.Errorf("under %d the server is still to be told %+v, %v", uidvalidity, pending, err)
		}
	}
}

// Old mail is not answered, also when the mailbox is numbered anew before all
// of it was recorded; a mail of after the first start is.
func TestFirstStartCutOffAndNumberedAnew(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "keep")
	i.c.process = false
	i.deliver("old 1")
	i.deliverRaw("From: taro@customer.test\nSubject: old 2\n\nI have no date.\n")
	i.line.set(saying(cut, "HEADER.FIELDS"), nil)
	i.fails()
	i.wantLedger()
	i.line.set(nil, nil)
	i.deliverRaw(dated("new", "22 Nov 2026", "text"))
	if err := i.server.ChangeUIDValidity("support@example.com", "INBOX"); err != nil {
		t.Fatal(err)
	}
	i.rested()
	i.wantLedger("skipped old 1", "skipped old 2", "request new")
	if lines, err := i.store.Outbox(t.Context(), store.OutboxFilter{}); err != nil || len(lines) != 1 {
		t.Errorf("%d mails were queued, %v; want that of the new mail only", len(lines), err)
	}
}

// Where the server does not tell UIDNEXT, the mail that lies there at the first
// start is old all the same, and what comes after it is new.
func TestFirstStartWithoutUIDNext(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "keep")
	i.c.process = false
	i.deliver("old")
	i.line.set(nil, saying(drop, "UIDNEXT"))
	i.rested()
	i.deliver("new")
	i.rested()
	i.wantLedger("skipped old", "request new")
}

// A folder for large mails that is missing is our fault: no mail is set
// aside because of it, and all are taken when it is there again.
func TestMissingSpoolSetsNothingAside(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "delete")
	i.set.SpoolDir = filepath.Join(t.TempDir(), "gone")
	i.deliverRaw(dated("large", "20 Nov 2026", strings.Repeat("0123456789abcdef\n", 100_000)))
	for n := range 2 * breaksBefore {
		i.deliver(fmt.Sprint("small ", n)) // others come through meanwhile
		i.fails()
	}
	if got := i.ledger(); slices.Contains(got, "quarantined") {
		t.Errorf("the ledger holds %q", got)
	}
	if err := os.Mkdir(i.set.SpoolDir, 0o700); err != nil {
		t.Fatal(err)
	}
	i.rested()
	if got := i.ledger(); !slices.Contains(got, "request large") || len(got) != 2*breaksBefore+1 {
		t.Errorf("the ledger holds %q", got)
	}
}

// A server that hands out no mail at all is ill, and none of the mails is: none
// is set aside, however long it lasts.
func TestOutageAtFetchSetsNothingAside(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "keep")
	for n := range 3 {
		i.deliver(fmt.Sprint("mail ", n))
	}
	i.line.set(saying(cut, "UID FETCH", "BODY"), nil)
	for range 4 * breaksBefore {
		i.fails()
	}
	i.wantLedger()
	i.line.set(nil, nil)
	i.rested()
	got := i.ledger()
	slices.Sort(got)
	if want := []string{"request mail 0", "request mail 1", "request mail 2"}; !slices.Equal(got, want) {
		t.Errorf("the ledger holds %q, want %q", got, want)
	}
}

var asked = regexp.MustCompile(`UID FETCH (\S+) .*BODY`)

// A mail at which the connection breaks before its first byte is found out and
// set aside when others come through, and keeps nobody away.
func TestMailThatBreaksTheFetchIsSetAside(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "delete")
	i.secondMailBreaks()
	visits := 0
	for i.visit() != nil {
		if visits++; visits > 10 {
			break
		}
	}
	i.wantLedger("request mail 1", "request mail 3", "quarantined")
}

// secondMailBreaks delivers three mails, of which the second breaks the
// connection of each command that asks for it.
func (i *intake) secondMailBreaks() {
	for n := range 3 {
		i.deliver(fmt.Sprint("mail ", n+1))
	}
	i.line.set(func(text string) verdict {
		if m := asked.FindStringSubmatch(text); m != nil && m[1] != "1" && m[1] != "3" {
			return cut
		}
		return pass
	}, nil)
}

// A mail that breaks off again and again is tried ever more seldom, on the same
// ledger line, and is taken on that line when it comes whole.
func TestBrokenMailIsTriedMoreAndMoreSeldom(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "keep")
	i.deliverRaw(dated("mail", "20 Nov 2026", "a line\nTHE-LINE-BREAKS-HERE\nthe end"))
	breaks := saying(cut, "THE-LINE-BREAKS-HERE")
	var pauses []time.Duration
	for range 3 {
		i.line.set(nil, breaks)
		for range breaksWithin {
			i.fails()
		}
		i.rested()
		i.wantLedger("quarantined")
		positions, err := i.store.Positions(t.Context(), 1, 100, 1)
		if err != nil || len(positions) != 1 {
			t.Fatalf("the positions are %+v, %v", positions, err)
		}
		pauses = append(pauses, positions[0].RetryAt.Sub(i.now()))
		i.later(positions[0].RetryAt.Sub(i.now()))
	}
	if want := []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour}; !slices.Equal(pauses, want) {
		t.Errorf("the pauses are %v, want %v", pauses, want)
	}
	i.line.set(nil, nil)
	i.rested()
	i.wantLedger("request mail")
}

// Where the connection is lost at IDLE again and again, the mailbox is polled
// instead.
func TestIdleIsGivenUp(t *testing.T) {
	t.Parallel()
	i := newIntake(t, "keep")
	i.c.poll = time.Millisecond
	i.line.set(saying(cut, "IDLE"), nil)
	for range idleLosses {
		var lost *mail.Error
		if err := i.c.session(t.Context()); !errors.As(err, &lost) || lost.Step != mail.StepIdle {
			t.Fatalf("the session ended with %v, want a connection lost at IDLE", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	i.line.set(func(text string) verdict {
		if strings.Contains(text, "NOOP") {
			cancel()
		}
		return saying(cut, "IDLE")(text)
	}, nil)
	if err := i.c.session(ctx); !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("the session that should poll ended with %v", err)
	}
}
