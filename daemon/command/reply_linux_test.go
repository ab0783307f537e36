package command

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"helpdesk/mail"
)

// On a terminal an editor opens: it is shown whom it is for, and what it leaves
// above the line is the answer.
func TestReplyInEditor(t *testing.T) {
	_, terminal := openTerminal(t)
	f := newFilled(t, "ja")
	f.request("SAL", mail.Address{Name: "山田太郎", Address: "taro@customer.test"}, "見積もり", "おいくらですか。", nil)
	shown := filepath.Join(t.TempDir(), "shown")
	script := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncp \"$1\" "+shown+"\nprintf '100円です。\\n' | cat - "+shown+" > \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", script)
	var out, errs bytes.Buffer
	if code := Execute(t.Context(), []string{"-c", f.path, "reply", "SAL-1"}, terminal, &out, &errs); code != 0 {
		t.Fatalf("%d %s %s", code, out.String(), errs.String())
	}
	wantAll(t, readFile(t, shown), "山田太郎", "# おいくらですか。", "SAL-1")
	if got, _ := f.messages("SAL-1"); len(got) != 2 || got[1] != "agent: 100円です。" {
		t.Errorf("%q", got)
	}
	// An editor that fails, or leaves nothing, sends nothing.
	for script, want := range map[string]string{"false": "false", "true": "何も送信していません"} {
		t.Setenv("VISUAL", script)
		errs.Reset()
		if code := Execute(t.Context(), []string{"-c", f.path, "reply", "SAL-1"}, terminal, &out, &errs); code != exitFailed {
			t.Errorf("%s: exit code %d", script, code)
		}
		wantAll(t, errs.String(), want)
	}
	if got, _ := f.messages("SAL-1"); len(got) != 2 {
		t.Errorf("%q", got)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if onTerminal(null) || !onTerminal(terminal) {
		t.Error("the empty device is taken for a person")
	}
}
