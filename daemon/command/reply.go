package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"helpdesk/store"
	"helpdesk/ui"
)

// longestReply bounds what is read as an answer, in bytes.
const longestReply = 1 << 20

func (e *env) replyCommand() *cobra.Command {
	act := ui.Act{Name: ui.ActReply}
	note, resolve := false, false
	c := &cobra.Command{
		Use:   "reply KEY",
		Short: "Answer the customer of a request, or add a note",
		Long: "Sends an answer to the customer of a request and to those in copy. The text is that of\n" +
			"--message, else standard input; on a terminal an editor opens ($VISUAL, $EDITOR).",
		Example: "  helpdesk reply SUP-12 -m \"The printer works again.\" --resolve",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if note && resolve {
				return wrong("note-and-resolve")
			}
			s, place, err := e.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			words := ui.WordsIn(place.language)
			r, err := readRequest(cmd.Context(), s, words, args[0])
			if err != nil {
				return err
			}
			if act.Text, err = e.written(cmd.Context(), words, r, act.Text); err != nil {
				return err
			}
			if strings.TrimSpace(act.Text) == "" {
				return errors.New(words.Text("cli.empty-reply"))
			}
			switch act.Key = r.Key; {
			case note:
				act.Name = ui.ActNote
			case resolve:
				act.Name = ui.ActResolve
			}
			return e.act(cmd.Context(), act)
		},
	}
	c.Flags().StringVarP(&act.Text, "message", "m", "", "the text; - reads standard input")
	c.Flags().StringVar(&act.Agent, "as", "", "the agent who answers, by name or address (default: whose request it is)")
	c.Flags().BoolVar(&note, "note", false, "only a note for agents, nothing is sent to the customer")
	c.Flags().BoolVar(&resolve, "resolve", false, "and mark the request as resolved")
	return c
}

// written is the text of an answer: what a flag says, standard input, or what
// a person writes in an editor.
func (e *env) written(ctx context.Context, words ui.Words, r *shown, flag string) (string, error) {
	if flag != "" && flag != "-" {
		return flag, nil
	}
	if flag == "" && onTerminal(e.stdin) {
		return e.edited(ctx, words, r)
	}
	text, err := io.ReadAll(io.LimitReader(e.stdin, longestReply+1))
	if err != nil {
		return "", fmt.Errorf("reading the answer from standard input: %w", err)
	}
	if len(text) > longestReply {
		return "", &failure{exitFailed, &misuse{slug: "long-answer"}}
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

// onTerminal reports whether a person types what is read, or sees what is
// written.
func onTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// scissors is the line in the editor from which on nothing is sent.
const scissors = "# ---------------------------------------------------------------- >8 ---"

// edited opens an editor with the end of the conversation below the scissors.
func (e *env) edited(ctx context.Context, words ui.Words, r *shown) (text string, err error) {
	f, err := os.CreateTemp("", "helpdesk-"+r.Key+"-*.txt")
	if err != nil {
		return "", fmt.Errorf("making a file for the editor: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	var b strings.Builder
	fmt.Fprintf(&b, "\n\n%s\n# %s\n", scissors, words.Text("cli.below-scissors", "key", r.Key, "person", printable(person(r.Requester))))
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if r.Messages[i].Kind != store.KindCustomer {
			continue
		}
		var last strings.Builder
		writeMessage(&last, words, &r.Messages[i], false)
		for line := range strings.SplitSeq(strings.TrimSpace(last.String()), "\n") {
			fmt.Fprintf(&b, "# %s\n", line)
		}
		break
	}
	if _, err = f.WriteString(b.String()); err != nil {
		return "", errors.Join(fmt.Errorf("writing the file for the editor: %w", err), f.Close())
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("writing the file for the editor: %w", err)
	}
	editor := editorCommand(os.LookupEnv)
	if editor == nil {
		return "", errors.New(words.Text("cli.no-editor"))
	}
	cmd := exec.CommandContext(ctx, editor[0], append(editor[1:], f.Name())...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.stdin, e.stdout, e.stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running the editor %s: %w (nothing was sent)", editor[0], err)
	}
	return readEdited(f.Name())
}

// readEdited is what stands above the scissors.
func readEdited(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading what was written: %w", err)
	}
	defer f.Close()
	var lines []string
	scanner := bufio.NewScanner(io.LimitReader(f, longestReply))
	scanner.Buffer(nil, longestReply)
	for scanner.Scan() {
		line := strings.TrimSuffix(strings.TrimPrefix(scanner.Text(), "\ufeff"), "\r")
		if strings.TrimSpace(line) == scissors {
			break
		}
		lines = append(lines, line)
	}
	if err := scanner.Err(); err != nil {
		return "", fmt.Errorf("reading what was written: %w", err)
	}
	return strings.TrimSpace(strings.Join(lines, "\n")), nil
}

// editorCommand is the person's editor with its arguments, nil where none is found.
func editorCommand(lookup func(string) (string, bool)) []string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		set, _ := lookup(name)
		if set = strings.TrimSpace(set); set == "" {
			continue
		}
		if path, err := exec.LookPath(strings.Trim(set, `"`)); err == nil {
			return []string{path} // a path may have spaces
		}
		return strings.Fields(set)
	}
	usual := []string{"sensible-editor", "nano", "vi"}
	if runtime.GOOS == "windows" {
		usual = []string{"notepad.exe"}
	}
	for _, name := range usual {
		if path, err := exec.LookPath(name); err == nil {
			return []string{path}
		}
	}
	return nil
}
