package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
)

// Secret is a password. It never shows itself: every form of printing gives
// "***". string(s) is the password.
type Secret string

// String hides the password; an empty one is shown as empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// Format hides the password from every verb of fmt, %x and %#v included.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'q' || f.Flag('#') {
		fmt.Fprintf(f, "%q", s.String())
		return
	}
	fmt.Fprint(f, s.String())
}

// MarshalText hides the password from JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the password from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Env looks up an environment variable, as os.LookupEnv does.
type Env func(name string) (string, bool)

// maxPasswordFile bounds what is read of a password file, in bytes.
const maxPasswordFile = 64 << 10

// ResolvePassword returns the password from whichever key is set: the text
// itself, the file's content without its last line end, or what the
// environment said when the configuration was loaded. A file is read anew each
// time, so that a changed one counts at the next connection. The error is a
// *Fault that names file or variable and the remedy; it never holds the password.
func (s *Server) ResolvePassword() (string, error) {
	switch {
	case s.PasswordFile != "":
		return readPasswordFile(s.PasswordFile)
	case s.PasswordEnv != "" && s.FromEnv == "":
		return "", &Fault{Key: "password_env", Value: s.PasswordEnv, Code: "password-env"}
	case s.PasswordEnv != "":
		return string(s.FromEnv), nil
	}
	return string(s.Password), nil
}

func readPasswordFile(path string) (string, error) {
	return readSecretFile("password_file", "password-file", path)
}

// readSecretFile reads a file whose one line is a password or the like. Its
// faults are of key and have codes that begin with code.
func readSecretFile(key, code, path string) (string, error) {
	fault := func(code, why string) error {
		return &Fault{Key: key, Value: path, Code: code, Args: map[string]string{"why": why}}
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fault("file-missing", "")
	}
	if err != nil {
		return "", fault(code, reason(err))
	}
	if info.IsDir() || info.Size() > maxPasswordFile {
		return "", fault(code+"-odd", "")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fault(code, reason(err))
	}
	text := strings.TrimPrefix(string(b), "\ufeff") // Windows Notepad begins files with it
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		return "", fault(code+"-empty", "")
	}
	if strings.ContainsAny(text, "\r\n") {
		return "", fault(code+"-odd", "")
	}
	return text, nil
}
