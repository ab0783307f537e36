//go:build !windows

package control

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// refused says that nobody listens on the port.
func refused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }

func lockExclusive(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			return errHeld
		case !errors.Is(err, unix.EINTR):
			return err
		}
	}
}

// giveToOwner makes path belong to the owner of folder, when we are root.
func giveToOwner(folder, path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s has no owner", folder)
	}
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}

// ownerOnly does nothing: the mode 0600 does it.
func ownerOnly(string) error { return nil }
