package command

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestPasswordIsNotShown types a password on a terminal: the terminal shows
// what is typed before and after it, and the password not.
func TestPasswordIsNotShown(t *testing.T) {
	master, terminal := openTerminal(t)
	// What is typed when the prompt is there: a terminal shows it as it comes.
	answers := map[string]string{"User name": "typed-user\n", "Password": "typed-password\n", "Your name": "typed-name\n"}
	i := &initer{e: &env{stdin: terminal, stdout: terminal}}
	done := make(chan []byte, 1)
	go func() {
		var seen bytes.Buffer
		chunk := make([]byte, 256)
		for {
			n, err := master.Read(chunk)
			seen.Write(chunk[:n])
			for prompt, answer := range answers {
				if strings.Contains(strings.ToLower(seen.String()), strings.ToLower(prompt)) && strings.HasSuffix(seen.String(), ": ") {
					_, _ = io.WriteString(master, answer)
					delete(answers, prompt)
				}
			}
			if err != nil {
				done <- seen.Bytes()
				return
			}
		}
	}()
	user, err1 := i.ask(t.Context(), question{key: "ask-user"})
	password, err2 := i.ask(t.Context(), question{key: "ask-password", secret: true})
	name, err3 := i.ask(t.Context(), question{key: "ask-name"})
	terminal.Close()
	seen := string(<-done)
	if user != "typed-user" || password != "typed-password" || name != "typed-name" || err1 != nil || err2 != nil || err3 != nil {
		t.Errorf("%q %q %q %v %v %v", user, password, name, err1, err2, err3)
	}
	if strings.Contains(seen, "typed-password") || !strings.Contains(seen, "typed-user") || !strings.Contains(seen, "typed-name") {
		t.Errorf("on the terminal:\n%s", seen)
	}
}
