//go:build !windows

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/kardianos/service"

	"helpdesk/daemon/config"
)

// RunService runs run as the service manager wants it: until ctx ends, which
// SIGTERM does, and not much longer.
func RunService(ctx context.Context, run func(ctx context.Context) error) error {
	return bounded(ctx, serviceGrace, run)
}

// ServiceOutput is where a service writes what people should be able to read
// later: systemd keeps what goes to standard error.
func ServiceOutput() (io.Writer, error) { return os.Stderr, nil }

func isAdmin() bool { return os.Geteuid() == 0 }

func adminHint(lang string) string {
	if lang == config.Japanese {
		return "sudo を付けて実行してください。"
	}
	return "Run it with sudo."
}

func serviceLogHint(lang string) string {
	if lang == config.Japanese {
		return "詳しくは journalctl -u helpdesk で確認できます。"
	}
	return "See more with: journalctl -u helpdesk"
}

// stopService stops it; the service manager waits at most TimeoutStopSec.
func stopService(s service.Service) error { return s.Stop() }

func afterInstall() error { return nil }

// define says how the service is to run. Systems without systemd take the
// library's own script, with the same program and arguments.
func define(program, configPath string, c *config.Config) (service.Config, error) {
	standard := c.DataDir == config.Default().DataDir
	runAs, err := serviceUser(c.DataDir, standard)
	if err != nil {
		return service.Config{}, err
	}
	if runAs != nil {
		if err := readableBy(runAs, configPath); err != nil {
			return service.Config{}, err
		}
	}
	u := unit{Program: program, Config: configPath, DataDir: c.DataDir, StateDir: standard}
	if runAs != nil {
		u.User = runAs.Username
	}
	for _, path := range []string{program, configPath, c.DataDir} {
		u.Home = u.Home || within(path, "/home") || within(path, "/root")
		u.Temp = u.Temp || within(path, "/tmp") || within(path, "/var/tmp")
	}
	return service.Config{
		Executable: program,
		Arguments:  []string{"run", "--service", "--config", configPath},
		UserName:   u.User,
		Option:     service.KeyValue{"SystemdScript": u.text()},
	}, nil
}

// serviceUser is who the service runs as, nil for root: the owner of a
// data_dir that is there; else the user helpdesk, if the machine has one, who
// is then given the data_dir. Passwords are in files that only their owner can
// read, so a user made up by systemd (DynamicUser) could not start it.
func serviceUser(dataDir string, standard bool) (*user.User, error) {
	dedicated, err := user.Lookup("helpdesk")
	var unknown user.UnknownUserError
	if err != nil && !errors.As(err, &unknown) {
		return nil, fmt.Errorf("looking for the user helpdesk: %w", err)
	}
	info, err := os.Stat(dataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && standard:
		return dedicated, nil // systemd makes it
	case errors.Is(err, fs.ErrNotExist):
		return dedicated, makeDataDir(dataDir, dedicated)
	case err != nil:
		return nil, fmt.Errorf("looking at data_dir: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("looking at data_dir: %s has no owner", dataDir)
	}
	if owner.Uid == 0 {
		if standard {
			return dedicated, nil // systemd hands it over
		}
		return nil, nil
	}
	found, err := user.LookupId(strconv.FormatUint(uint64(owner.Uid), 10))
	if err != nil {
		return nil, fmt.Errorf("looking for the owner of data_dir: %w", err)
	}
	return found, nil
}

func makeDataDir(dataDir string, owner *user.User) error {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return fmt.Errorf("making data_dir: %w", err)
	}
	if owner == nil {
		return nil
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return fmt.Errorf("making data_dir: %w", err)
	}
	gid, err := strconv.Atoi(owner.Gid)
	if err != nil {
		return fmt.Errorf("making data_dir: %w", err)
	}
	return os.Chown(dataDir, uid, gid)
}

// readableBy checks what people forget: a configuration that root wrote for
// itself, and a service that runs as another.
func readableBy(u *user.User, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("looking at the configuration: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	groups, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("looking for the groups of %s: %w", u.Username, err)
	}
	mode := info.Mode().Perm()
	if mode&0o004 != 0 || u.Uid == strconv.FormatUint(uint64(owner.Uid), 10) && mode&0o400 != 0 {
		return nil
	}
	for _, g := range groups {
		if g == strconv.FormatUint(uint64(owner.Gid), 10) && mode&0o040 != 0 {
			return nil
		}
	}
	return &ServiceError{Code: serviceUnreadable, Action: "install", Path: path, User: u.Username}
}
