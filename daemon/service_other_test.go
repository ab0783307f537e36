//go:build !windows

package daemon

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"helpdesk/daemon/config"
)

func TestServiceUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give folders away")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("there is no user nobody")
	}
	dir := t.TempDir()
	if got, err := serviceUser(dir, false); got != nil || err != nil {
		t.Errorf("a folder of root: %v %v", got, err)
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if got, err := serviceUser(dir, false); err != nil || got == nil || got.Uid != nobody.Uid {
		t.Errorf("a folder of nobody: %v %v", got, err)
	}
	made := filepath.Join(dir, "new", "data")
	if _, err := serviceUser(made, false); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data_dir was not made: %v %v", info, err)
	}
}

func TestReadableBy(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	path := filepath.Join(t.TempDir(), "helpdesk.toml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		uid, gid int
		mode     os.FileMode
		want     bool
	}{
		{0, 0, 0o600, false}, {0, 0, 0o640, false}, {0, 0, 0o644, true}, {0, 65534, 0o640, true}, {0, 65534, 0o600, false}, {65534, 0, 0o600, true},
	} {
		if err := errors.Join(os.Chown(path, test.uid, test.gid), os.Chmod(path, test.mode)); err != nil {
			t.Fatal(err)
		}
		err := readableBy(nobody, path)
		var e *ServiceError
		if (err == nil) != test.want || err != nil && (!errors.As(err, &e) || e.Code != serviceUnreadable) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestDefine(t *testing.T) {
	dir := t.TempDir()
	c := config.Default()
	c.DataDir = filepath.Join(dir, "data")
	s, err := define("/opt/helpdesk/helpdesk", "/etc/helpdesk/helpdesk.toml", c)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := s.Option["SystemdScript"].(string)
	if !strings.Contains(text, `ReadWritePaths="`+c.DataDir+`"`) || !strings.Contains(text, `ExecStart="/opt/helpdesk/helpdesk" run --service --config "/etc/helpdesk/helpdesk.toml"`) {
		t.Error(text)
	}
	if strings.Contains(text, "PrivateTmp") != !within(dir, "/tmp") {
		t.Error("a data_dir in /tmp would be hidden")
	}
	if strings.Join(s.Arguments, " ") != "run --service --config /etc/helpdesk/helpdesk.toml" || s.Executable != "/opt/helpdesk/helpdesk" {
		t.Errorf("%+v", s)
	}
}
