package daemon

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"helpdesk/daemon/control"
)

// KeyFile is the name of the file in data_dir that holds the key of the saved
// OAuth2 tokens: a copy of the database alone signs in nowhere.
const KeyFile = "oauth.key"

// errKey says that saved tokens cannot be opened any more. Only signing in
// again helps.
var (
	errKeyMissing = errors.New("the file " + KeyFile + " in data_dir is missing, and without it the saved sign-in cannot be read")
	errKeyOther   = errors.New("the file " + KeyFile + " in data_dir is another one than the sign-in was saved with")
	errSealed     = errors.New("the saved sign-in is damaged")
)

// lostKey reports whether err is one of those.
func lostKey(err error) bool {
	return errors.Is(err, errKeyMissing) || errors.Is(err, errKeyOther) || errors.Is(err, errSealed)
}

// tokenKey seals what the store keeps of OAuth2 with AES-256-GCM. A sealed text
// is a version, a hint that tells the key, a nonce and the cipher text, and is
// bound to the account that it was made for.
type tokenKey struct {
	dataDir string
	mu      sync.Mutex // held while the key is looked for and made: a second one would take the place of the first
}

const (
	sealVersion = 1
	hintSize    = 4
	nonceSize   = 12
	keySize     = 32
)

func (k *tokenKey) path() string { return filepath.Join(k.dataDir, KeyFile) }

// read reads the key; the error is errKeyMissing where there is none.
func (k *tokenKey) read() ([]byte, error) {
	text, err := os.ReadFile(k.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errKeyMissing
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key of the saved sign-ins: %w", err)
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != keySize {
		return nil, errKeyOther
	}
	return key, nil
}

// readOrMake reads the key, or makes it where there is none.
func (k *tokenKey) readOrMake() ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.read()
	if errors.Is(err, errKeyMissing) || errors.Is(err, errKeyOther) {
		return k.make()
	}
	return key, err
}

// make writes a new key, which replaces one that cannot be one.
func (k *tokenKey) make() ([]byte, error) {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making the key of the saved sign-ins: %w", err)
	}
	if err := k.write(key); err != nil {
		return nil, fmt.Errorf("writing the key of the saved sign-ins: %w", err)
	}
	return key, nil
}

// write puts the key in place at once, complete and on the disk: what is sealed
// with it must not outlive it. On Windows the file has data_dir's access list.
func (k *tokenKey) write(key []byte) error {
	next := k.path() + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = control.GiveToOwner(k.dataDir, next)
	}
	if err == nil {
		err = os.Rename(next, k.path())
	}
	return err
}

func (k *tokenKey) gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing the key of the saved sign-ins: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("preparing the key of the saved sign-ins: %w", err)
	}
	return gcm, nil
}

func hint(key []byte) []byte {
	sum := sha256.Sum256(append([]byte("helpdesk key hint\x00"), key...))
	return sum[:hintSize]
}

// seal encrypts plain for an account. The key is made where there is none.
func (k *tokenKey) seal(account string, plain []byte) ([]byte, error) {
	key, err := k.readOrMake()
	if err != nil {
		return nil, err
	}
	gcm, err := k.gcm(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, nonceSize)
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("sealing a sign-in: %w", err)
	}
	head := append([]byte{sealVersion}, hint(key)...)
	return gcm.Seal(append(head, nonce...), nonce, plain, sealedFor(account)), nil
}

// open decrypts what seal made for the account.
func (k *tokenKey) open(account string, sealed []byte) ([]byte, error) {
	key, err := k.read()
	if err != nil {
		return nil, err
	}
	if len(sealed) < 1+hintSize+nonceSize || sealed[0] != sealVersion {
		return nil, errSealed
	}
	if !bytes.Equal(sealed[1:1+hintSize], hint(key)) {
		return nil, errKeyOther
	}
	gcm, err := k.gcm(key)
	if err != nil {
		return nil, err
	}
	rest := sealed[1+hintSize:]
	plain, err := gcm.Open(nil, rest[:nonceSize], rest[nonceSize:], sealedFor(account))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

func sealedFor(account string) []byte { return []byte("helpdesk oauth2 token\x00" + account) }
