//go:build bench

package daemon_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	benchMails  = 5000
	benchRounds = 3
)

// intakeRound is how long each took for the same mailbox.
type intakeRound struct{ drain, mbsync, mbsyncNoFsync, helpdesk time.Duration }

// TestBenchIntake (make bench-intake) measures how fast mail is taken from
// Dovecot into an empty store, beside what the mailbox can give at all and
// beside mbsync, which only copies. Everything reads the same mailbox in the
// same round; medians are compared.
func TestBenchIntake(t *testing.T) {
	rounds := make([]intakeRound, benchRounds)
	for i := range rounds {
		if !t.Run(fmt.Sprintf("round %d", i+1), func(t *testing.T) { rounds[i] = benchRound(t) }) {
			return
		}
		fmt.Printf("round %d: drain %v, mbsync %v, mbsync FSync no %v, helpdesk %v\n", i+1,
			rounds[i].drain, rounds[i].mbsync, rounds[i].mbsyncNoFsync, rounds[i].helpdesk)
	}
	rate := func(took func(intakeRound) time.Duration) float64 {
		slices.SortFunc(rounds, func(a, b intakeRound) int { return int(took(a) - took(b)) })
		return benchMails / took(rounds[len(rounds)/2]).Seconds()
	}
	drain := rate(func(r intakeRound) time.Duration { return r.drain })
	mbsync := rate(func(r intakeRound) time.Duration { return r.mbsync })
	noFsync := rate(func(r intakeRound) time.Duration { return r.mbsyncNoFsync })
	helpdesk := rate(func(r intakeRound) time.Duration { return r.helpdesk })
	fmt.Printf("\n%d mails of 2-10 kB from Dovecot on loopback, median of %d rounds:\n", benchMails, benchRounds)
	fmt.Printf("  bare UID FETCH 1:* drain  %7.0f mails/s\n", drain)
	fmt.Printf("  mbsync, its default       %7.0f mails/s\n", mbsync)
	fmt.Printf("  mbsync, FSync no          %7.0f mails/s\n", noFsync)
	fmt.Printf("  helpdesk                  %7.0f mails/s  = %.2f of mbsync (goal: above 1), %.2f of mbsync without fsync (goal: 0.5), %.2f of the drain\n\n",
		helpdesk, helpdesk/mbsync, helpdesk/noFsync, helpdesk/drain)
	if helpdesk <= mbsync || helpdesk < noFsync/2 {
		t.Error("the goal is missed")
	}
}

func benchRound(t *testing.T) (r intakeRound) {
	t.Helper()
	o := newOffice(t, func(s *officeSettings) {
		s.Backlog, s.RelayUser, s.RelaySecurity = "process", "", "none"
		s.IMAPSecurity = "none" // as for the others: nobody's TLS is measured
	})
	o.set.IMAPHost, o.set.IMAPPort = split(t, o.hosts.IMAP)
	o.set.RelayHost, o.set.RelayPort = split(t, closedPort(t)) // notifications are queued, and stay so
	o.writeConfig()
	mails := newMailMaker(1)
	for range benchMails {
		if err := o.hosts.Deliver("support@mail.test", mails.next()); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, o.hosts.IMAP) // Dovecot's index and the page cache are warm from here on
	r.drain = timed(func() { drain(t, o.hosts.IMAP) })
	r.mbsync = timed(func() { mbsync(t, o.hosts.IMAP, "") })
	r.mbsyncNoFsync = timed(func() { mbsync(t, o.hosts.IMAP, "FSync no") })
	r.helpdesk = timed(func() { benchIntake(o) })
	o.stop()
	return r
}

// benchIntake runs the daemon until all mails are requests.
func benchIntake(o *office) {
	o.t.Helper()
	o.start()
	o.eventually("all mails are requests", func(ctx context.Context) (bool, error) {
		counts, err := o.info.Store.Counts(ctx)
		if err != nil {
			return false, err
		}
		var total, requests int64
		for _, c := range counts {
			total += c.Total
			if c.Outcome == "request" {
				requests = c.Total
			}
		}
		if total != requests {
			return false, fmt.Errorf("%d of %d mails did not become requests: %v", total-requests, total, counts)
		}
		return requests == benchMails, nil
	})
}

func timed(do func()) time.Duration {
	started := time.Now()
	do()
	return time.Since(started).Round(time.Millisecond)
}

// closedPort is an address of loopback where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// drain reads the whole INBOX as fast as the server gives it and throws it away.
func drain(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "1 LOGIN support@mail.test secret\r\n2 SELECT INBOX\r\n3 UID FETCH 1:* (UID BODY.PEEK[])\r\n"); err != nil {
		t.Fatal(err)
	}
	mails := 0
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "3 ") {
			break
		}
		_, size, ok := strings.Cut(strings.TrimSuffix(line, "}\r\n"), "BODY[] {")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(size)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Discard(n); err != nil {
			t.Fatal(err)
		}
		mails++
	}
	if mails != benchMails {
		t.Fatalf("the drain saw %d mails, want %d", mails, benchMails)
	}
}

// mbsync copies the INBOX into a new Maildir.
func mbsync(t *testing.T, addr, option string) {
	t.Helper()
	dir := t.TempDir()
	host, port := split(t, addr)
	config := fmt.Sprintf(`%s
IMAPAccount bench
Host %s
Port %s
User support@mail.test
Pass secret
SSLType None
AuthMechs LOGIN

IMAPStore far
Account bench

MaildirStore near
Path %[4]s/
Inbox %[4]s/INBOX

Channel bench
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
`, option, host, port, dir)
	path := filepath.Join(dir, "mbsyncrc")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mbsync", "-q", "-c", path, "bench").CombinedOutput(); err != nil {
		t.Fatalf("mbsync: %v\n%s", err, out)
	}
	mails := 0
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, "INBOX", sub))
		if err != nil {
			t.Fatal(err)
		}
		mails += len(entries)
	}
	if mails != benchMails {
		t.Fatalf("mbsync copied %d mails, want %d", mails, benchMails)
	}
}
