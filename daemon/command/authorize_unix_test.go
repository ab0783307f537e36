//go:build unix

package command

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"helpdesk/mail/loopback"
)

// What an administrator's command leaves in data_dir belongs to the service.
func TestAuthorizeLeavesFilesToTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	s := newAuthorizer(t, loopback.OAuthOptions{})
	path := oauthConfig(t, s, "en", "")
	dir := filepath.Join(filepath.Dir(path), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 12345, 23456); err != nil {
		t.Fatal(err)
	}
	code, said, errs := callAs(t, func(said string) string {
		if link := linkOnScreen.FindString(said); link != "" && strings.HasSuffix(said, "> ") {
			return redirectOf(t, link) + "\n"
		}
		return ""
	}, "authorize", "SUP", "--paste", "-c", path)
	if code != 0 {
		t.Fatalf("%d\n%s\n%s", code, said, errs)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 12345 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: user %d, %v", f.Name(), owner, info.Mode())
		}
	}
}
