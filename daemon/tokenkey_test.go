package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"helpdesk/mail/connect"
	"helpdesk/mail/loopback"
)

// A lost or exchanged key file is a sign-in lost, and said so.
func TestKeyFileLost(t *testing.T) {
	s := newSignIns(t, loopback.OAuthOptions{})
	s.authorize()
	path := filepath.Join(s.dir, KeyFile)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	sealed, _, err := s.store.Token(t.Context(), s.account.ID)
	if err != nil || strings.Contains(string(sealed), "access-") || strings.Contains(string(sealed), "refresh-") {
		t.Errorf("the store has %q, %v", sealed, err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[error]func() error{
		errKeyMissing: func() error { return os.Remove(path) },
		errKeyOther:   func() error { return os.WriteFile(path, []byte(strings.Repeat("ab", 32)), 0o600) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		s.start()
		if e := s.refused(connect.OAuthKeyLost); !errors.Is(e, want) || e.Temporary {
			t.Errorf("%v: %v", want, e)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.token() // it was put back

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.refused(connect.OAuthKeyLost)
	s.authorize()
	s.start()
	s.token()

	// A damaged row, and one of another account.
	key := &tokenKey{dataDir: s.dir}
	other, err := key.seal("other", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range [][]byte{nil, {1}, other, append(other[:len(other)-1:len(other)-1], other[len(other)-1]^1)} {
		if _, err := key.open(s.account.ID, row); !errors.Is(err, errSealed) {
			t.Errorf("%x: %v", row, err)
		}
	}
	if plain, err := key.open("other", other); err != nil || string(plain) != "{}" {
		t.Errorf("%q %v", plain, err)
	}
}

// Accounts that are saved at the same moment, the first time, share one key.
func TestKeyIsMadeOnce(t *testing.T) {
	for range 20 {
		key := &tokenKey{dataDir: t.TempDir()}
		var all sync.WaitGroup
		sealed := make([][]byte, 8)
		for i := range sealed {
			all.Go(func() {
				var err error
				if sealed[i], err = key.seal("account", []byte("{}")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, s := range sealed {
			if _, err := key.open("account", s); err != nil {
				t.Fatal(err)
			}
		}
	}
}
