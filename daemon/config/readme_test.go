package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The configurations in the READMEs load without a fault.
func TestReadmes(t *testing.T) {
	for _, name := range []string{"README.md", "README.ja.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(text), "```toml\n")
		example, _, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Fatalf("%s shows no configuration", name)
		}
		dir := t.TempDir()
		write(t, filepath.Join(dir, "helpdesk.toml"), example, 0o600)
		write(t, filepath.Join(dir, "password.txt"), "secret\n", 0o600)
		c, faults, err := Load(filepath.Join(dir, "helpdesk.toml"), os.LookupEnv)
		if err != nil || len(faults) > 0 || len(c.Desks) != 1 {
			t.Errorf("%s: %v %v", name, faults, err)
		}
	}
}
