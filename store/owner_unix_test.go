//go:build unix

package store

import (
	"os"
	"syscall"
	"testing"
)

// checkOwner fails when a file of the database belongs to somebody else than
// the test's service user.
func checkOwner(t *testing.T, path string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 12345 {
			t.Errorf("helpdesk.db%s belongs to user %d", suffix, uid)
		}
	}
}
