package loopback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Deliver puts a mail into a user's INBOX exactly as it is, as a local delivery
// agent does: no header is added, and a waiting IDLE is told.
func (h *Hosts) Deliver(address string, raw []byte) error {
	dir := h.maildir(address, "INBOX")
	now := time.Now()
	// S and W spare Dovecot the reading of each mail to learn its size; W counts line ends as CRLF.
	wire := len(raw) + bytes.Count(raw, []byte("\n")) - bytes.Count(raw, []byte("\r\n"))
	name := fmt.Sprintf("%d.M%dQ%d.test,S=%d,W=%d", now.Unix(), now.Nanosecond()/1000, h.delivered.Add(1), len(raw), wire)
	tmp := filepath.Join(dir, "tmp", name)
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return fmt.Errorf("delivering to %s: %w", address, err)
	}
	if err := os.Chown(tmp, h.uid, h.gid); err != nil {
		return fmt.Errorf("delivering to %s: %w", address, err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, "new", name)); err != nil {
		return fmt.Errorf("delivering to %s: %w", address, err)
	}
	return nil
}

// Mailbox returns the mails of a folder as they were delivered, oldest first;
// none when there is no such folder.
func (h *Hosts) Mailbox(address, folder string) ([][]byte, error) {
	const attempts = 100 // Dovecot renames files while we read: start again
	var err error
	for range attempts {
		var mails [][]byte
		if mails, err = readMaildir(h.maildir(address, folder)); !errors.Is(err, fs.ErrNotExist) {
			return mails, err
		}
	}
	return nil, fmt.Errorf("reading %s of %s: %w", folder, address, err)
}

// WaitMailbox reads the folder until it has n mails or more; when ctx ends
// first it returns the mails there are and the error of ctx.
func (h *Hosts) WaitMailbox(ctx context.Context, address, folder string, n int) ([][]byte, error) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		mails, err := h.Mailbox(address, folder)
		if err != nil || len(mails) >= n {
			return mails, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return mails, fmt.Errorf("waiting for %d mails in %s of %s, %d are there: %w", n, folder, address, len(mails), ctx.Err())
		}
	}
}

// NewUIDValidity makes Dovecot forget the folder's UIDs: at the next SELECT it
// has a higher UIDVALIDITY and all mails have new UIDs. A session that has the
// folder open is thrown out by Dovecot.
func (h *Hosts) NewUIDValidity(address, folder string) error {
	dir := h.maildir(address, folder)
	files, err := filepath.Glob(filepath.Join(dir, "dovecot.index*"))
	if err != nil {
		return fmt.Errorf("forgetting the UIDs of %s: %w", address, err)
	}
	// dovecot-uidvalidity stays: from it Dovecot knows which value is a new one.
	for _, file := range append(files, filepath.Join(dir, "dovecot-uidlist")) {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forgetting the UIDs of %s: %w", address, err)
		}
	}
	return nil
}

// maildir is where Dovecot keeps a folder (Maildir++: a folder below another is
// one with a dot). Names beyond ASCII are not supported.
func (h *Hosts) maildir(address, folder string) string {
	user, domain, _ := strings.Cut(strings.ToLower(address), "@")
	dir := filepath.Join(h.Dir, "mail", domain, user)
	if strings.EqualFold(folder, "INBOX") {
		return dir
	}
	return filepath.Join(dir, "."+strings.ReplaceAll(folder, h.delimiter, "."))
}

func readMaildir(dir string) ([][]byte, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var paths []string
	// A mail that goes from new to cur meanwhile is in both lists, and one of the names is gone.
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			paths = append(paths, filepath.Join(dir, sub, e.Name()))
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return slices.Compare(arrival(a), arrival(b)) })
	mails := make([][]byte, 0, len(paths))
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		mails = append(mails, raw)
	}
	return mails, nil
}

// arrival reads seconds, microseconds and our counter from a Maildir file name
// such as 1763752000.M123456Q7.test,S=12 or Dovecot's 1763752000.M123456P99.host.
func arrival(path string) []int {
	seconds, rest, _ := strings.Cut(filepath.Base(path), ".")
	unique, _, _ := strings.Cut(rest, ".")
	times := []int{0}
	times[0], _ = strconv.Atoi(seconds) // a file of another make sorts first
	for _, field := range strings.FieldsFunc(unique, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(field)
		times = append(times, n)
	}
	return times
}
