//go:build bench && linux

package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	idleGoal = 30 // MB
	peakGoal = 80 // MB, while a mail with an attachment of 50 MB arrives
)

// TestBenchMemory (make bench-memory) measures the resident memory of the
// program as it is installed: idle with one mailbox, and its peak while a mail
// with an attachment of 50 MB is taken and passed on to the agents.
func TestBenchMemory(t *testing.T) {
	o := newOffice(t, func(s *officeSettings) { s.MaxSize = "100MB" }) // 50 MB are 68 MB on the way
	pid := o.program()
	s := o.readStore()
	o.eventually("the mailbox is polled", func(ctx context.Context) (bool, error) {
		health, err := s.HealthAll(ctx)
		for _, h := range health {
			if strings.HasPrefix(h.Subject, "mailbox:") && h.State == "ok" {
				return true, err
			}
		}
		return false, err
	})
	quiet := time.NewTimer(10 * time.Second)
	<-quiet.C
	idle := memory(t, pid, "VmRSS")

	forgetPeak(t, pid)
	if err := o.hosts.Deliver("support@mail.test", hugeMail(50<<20)); err != nil {
		t.Fatal(err)
	}
	o.eventually("the mail is a request", func(ctx context.Context) (bool, error) {
		_, err := s.RequestByKey(ctx, "SUP-1")
		return err == nil, nil
	})
	taking := memory(t, pid, "VmHWM")
	o.inbox("aki@mail.test", 1)
	o.inbox("ben@mail.test", 1)
	passing := memory(t, pid, "VmHWM")
	passed, err := o.hosts.Mailbox("aki@mail.test", "INBOX")
	if err != nil {
		t.Fatal(err)
	}

	quiet.Reset(10 * time.Second)
	<-quiet.C
	fmt.Printf("\nresident memory in MB:\n")
	fmt.Printf("  idle                                   %5.1f  (goal: below %d)\n", idle, idleGoal)
	fmt.Printf("  peak while a 50 MB attachment is taken %5.1f  (goal: below %d)\n", taking, peakGoal)
	fmt.Printf("  peak until two agents have it too      %5.1f  (their mail is of %.1f MB)\n", passing, float64(len(passed[0]))/(1<<20))
	fmt.Printf("  idle again, after 10 s                 %5.1f\n\n", memory(t, pid, "VmRSS"))
	if idle >= idleGoal || taking >= peakGoal {
		t.Error("the goal is missed")
	}
}

// program builds helpdesk and runs it; it ends with the test.
func (o *office) program() (pid int) {
	o.t.Helper()
	path := filepath.Join(o.dir, "helpdesk")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "helpdesk")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		o.t.Fatalf("building: %v\n%s", err, out)
	}
	cmd := exec.Command(path, "run", "-c", o.configPath())
	log, err := cmd.StderrPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	ready, done := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			o.t.Log(lines.Text())
			if strings.Contains(lines.Text(), "The page is at") {
				ready <- true
			}
		}
		close(ready)
	}()
	o.t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			o.t.Error(err)
		}
		<-done
		if err := cmd.Wait(); err != nil {
			o.t.Errorf("helpdesk run ended with: %v", err)
		}
	})
	if !<-ready {
		o.t.Fatal("helpdesk run did not start")
	}
	return cmd.Process.Pid
}

// memory reads a size from /proc/PID/status, in MB (2^20 bytes).
func memory(t *testing.T, pid int, field string) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == field+":" {
			kb, err := strconv.Atoi(words[1])
			if err != nil {
				t.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	t.Fatalf("no %s in %s", field, status)
	return 0
}

// forgetPeak lets VmHWM begin anew (proc(5), clear_refs).
func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o200); err != nil {
		t.Fatal(err)
	}
}

// hugeMail has one attachment of random bytes, which no compression helps.
func hugeMail(size int) []byte {
	var random [32]byte
	content := make([]byte, size)
	rand.NewChaCha8(random).Read(content) // never fails
	var b bytes.Buffer
	b.WriteString("From: Taro <taro@customer.test>\r\nTo: support@mail.test\r\nSubject: The film\r\nMessage-ID: <film@customer.test>\r\n" +
		"Date: Sat, 21 Nov 2026 12:00:00 +0900\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHere it is.\r\n" +
		"--b\r\nContent-Type: video/mp4\r\nContent-Disposition: attachment; filename=film.mp4\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	writeBase64(&b, content)
	b.WriteString("--b--\r\n")
	return b.Bytes()
}
