// Package control is how a command reaches the running daemon: a loopback port
// with a token, both named in data_dir/control, which only its owner can read.
// It also holds the lock on data_dir, by which there is one daemon for it.
//
// The lock is the operating system's (flock, LockFileEx): it ends with the
// process, however that ends. The file data_dir/lock stays; what it says names
// the holder for people and means nothing by itself.
package control

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lockFile is the name of the lock in data_dir.
const lockFile = "lock"

// HeldError says that another process has the lock on data_dir.
type HeldError struct {
	DataDir string
	PID     int    // 0 when it could not be read
	Command string // as "helpdesk run"; "" when it could not be read
}

// Error is Text in English.
func (e *HeldError) Error() string { return e.Text("en") }

// Text says who has the lock and what to do, in lang ("en" or "ja").
func (e *HeldError) Text(lang string) string {
	who := e.Command
	if lang == "ja" {
		if who == "" {
			who = "別のプロセス"
		}
		if e.PID > 0 {
			who += fmt.Sprintf("(プロセス番号 %d)", e.PID)
		}
		return fmt.Sprintf("%s は %s が使用中です。先に終了させるか(サービスの場合は helpdesk stop)、設定ファイルで別の data_dir を指定してください。", e.DataDir, who)
	}
	if who == "" {
		who = "another process"
	}
	if e.PID > 0 {
		who += fmt.Sprintf(" (process %d)", e.PID)
	}
	return fmt.Sprintf("%s is in use by %s. Stop that first (helpdesk stop, if it is the service), or set another data_dir in the configuration.", e.DataDir, who)
}

// Lock is the exclusive lock on a data_dir.
type Lock struct{ file *os.File }

// errHeld is what the systems' lockExclusive returns when someone has the lock.
var errHeld = errors.New("the lock is held")

// AcquireLock takes the lock on dataDir, which it makes when it is missing. It
// does not wait: when someone else has the lock the error is a *HeldError.
func AcquireLock(dataDir string) (*Lock, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("making data_dir: %w", err)
	}
	path := filepath.Join(dataDir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking data_dir: %w (run this as the service's user or as administrator)", err)
	}
	l := &Lock{f}
	if err := lockExclusive(f); err != nil {
		if errors.Is(err, errHeld) {
			err = heldBy(dataDir, f)
		} else {
			err = fmt.Errorf("locking data_dir: %w", err)
		}
		return nil, errors.Join(err, f.Close())
	}
	if err := l.sign(dataDir, path); err != nil {
		return nil, errors.Join(fmt.Errorf("locking data_dir: %w", err), l.Release())
	}
	return l, nil
}

// sign writes who has the lock, and leaves the file to the owner of data_dir:
// a command that an administrator runs must not lock the service out.
func (l *Lock) sign(dataDir, path string) error {
	if err := giveToOwner(dataDir, path); err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	name := "helpdesk"
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		name += " " + os.Args[1]
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+" "+name+"\n"), 0)
	return err
}

// Release gives the lock back. The file stays: were it removed, two processes
// could each lock a file of that name.
func (l *Lock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("unlocking data_dir: %w", err)
	}
	return nil
}

func heldBy(dataDir string, f *os.File) error {
	e := &HeldError{DataDir: dataDir}
	b, err := io.ReadAll(io.LimitReader(f, 200))
	if err != nil {
		return e
	}
	pid, name, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	if n, err := strconv.Atoi(pid); err == nil {
		e.PID, e.Command = n, name
	}
	return e
}
