package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"os"
	"strings"

	"golang.org/x/text/width"

	"helpdesk/daemon/config"
)

// question is one thing that is asked, unless a flag has answered it.
type question struct {
	key      string   // of init_words.toml
	pairs    []string // for its placeholders
	flag     string   // answers it without asking
	given    string   // by the flag; "": not given
	standard string   // what Enter alone means; "": nothing does, unless optional
	optional bool     // nothing is an answer
	secret   bool     // not shown while it is typed, and taken as it is

	check func(answer string) (string, error) // tidies the answer, or says what is wrong
}

// ask returns the answer. What a person writes wrongly is asked again; a wrong
// flag is an error.
func (i *initer) ask(ctx context.Context, q question) (string, error) {
	if q.check == nil {
		q.check = func(answer string) (string, error) { return answer, nil }
	}
	if q.given != "" {
		return q.check(q.given)
	}
	if i.yes {
		if q.standard != "" {
			return q.check(q.standard)
		}
		if q.optional {
			return "", nil
		}
		return "", i.ended(q)
	}
	for {
		prompt := i.text(q.key, q.pairs...)
		if q.standard != "" {
			prompt += " [" + q.standard + "]"
		}
		show := func() {}
		if q.secret {
			show = i.hide() // before the prompt: some people type fast
		}
		fmt.Fprint(i.e.stdout, printable(prompt)+": ")
		answer, err := i.readLine(ctx)
		show()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = i.ended(q)
			}
			return "", err
		}
		if !q.secret {
			answer = strings.TrimSpace(width.Fold.String(answer)) // a Japanese keyboard writes ｙ and ＠ where one forgets to switch
		}
		switch {
		case answer != "":
		case q.standard != "":
			answer = q.standard
		case q.optional:
			return "", nil
		default:
			i.say("not-empty")
			continue
		}
		tidy, err := q.check(answer)
		if err == nil {
			return tidy, nil
		}
		i.print(err.Error())
	}
}

func (i *initer) ended(q question) error {
	return i.wrong("input-ended", "question", i.text(q.key, q.pairs...), "flag", q.flag)
}

// hide keeps what is typed from being shown, where it is typed on a terminal.
func (i *initer) hide() (show func()) {
	file, ok := i.e.stdin.(*os.File)
	if !ok {
		return func() {}
	}
	undo, err := hideInput(file)
	if err != nil {
		return func() {} // a file or a pipe
	}
	return func() {
		undo()
		fmt.Fprintln(i.e.stdout) // the person's Enter was not shown either
	}
}

// readLine reads one line of the input. Reading cannot be broken off: when ctx
// ends first, the goroutine stays behind until the program does.
func (i *initer) readLine(ctx context.Context) (string, error) {
	if i.e.lines == nil {
		i.e.lines = bufio.NewReader(i.e.stdin)
	}
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := i.e.lines.ReadString('\n')
		if err == io.EOF && text != "" {
			err = nil
		}
		read <- line{strings.TrimRight(text, "\r\n"), err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case l := <-read:
		return l.text, l.err
	}
}

// confirm asks a question with yes or no; Enter is yes.
func (i *initer) confirm(ctx context.Context, key string) (bool, error) {
	answer, err := i.ask(ctx, question{key: key, flag: "--yes", standard: "y", check: func(answer string) (string, error) {
		switch strings.ToLower(answer) {
		case "y", "yes", "はい", "ハイ":
			return "y", nil
		case "n", "no", "いいえ":
			return "n", nil
		}
		return "", i.wrong("not-choice", "choices", "y, n")
	}})
	return answer == "y", err
}

// choice accepts one of some words.
func (i *initer) choice(words ...string) func(string) (string, error) {
	return func(answer string) (string, error) {
		for _, w := range words {
			if strings.EqualFold(answer, w) {
				return w, nil
			}
		}
		return "", i.wrong("not-choice", "choices", strings.Join(words, ", "))
	}
}

// address accepts an e-mail address.
func (i *initer) address(answer string) (string, error) {
	parsed, err := netmail.ParseAddress(answer)
	if err != nil {
		return "", i.wrong("not-address", "value", answer)
	}
	return parsed.Address, nil
}

// askAgents asks who answers.
func (i *initer) askAgents(ctx context.Context) error {
	for _, flag := range i.agentFlags {
		if err := i.addAgent(flag); err != nil {
			return err
		}
	}
	if len(i.Agents) > 0 {
		if i.nameFlag != "" {
			i.Agents[0].Name = i.nameFlag
		}
		return nil
	}
	name, err := i.ask(ctx, question{key: "ask-name", flag: "--name", given: i.nameFlag})
	if err != nil {
		return err
	}
	_, err = i.ask(ctx, question{key: "ask-agents", flag: "--agent", check: func(answer string) (string, error) {
		i.Agents = nil
		for _, one := range strings.FieldsFunc(answer, func(r rune) bool { return r == ',' || r == '、' || r == ';' }) {
			if err := i.addAgent(strings.TrimSpace(one)); err != nil {
				return "", err
			}
		}
		if len(i.Agents) == 0 {
			return "", i.wrong("not-address", "value", answer)
		}
		return answer, nil
	}})
	if err == nil {
		i.Agents[0].Name = name
	}
	return err
}

// addAgent takes "Aki <aki@example.com>", or an address, of which the name is made.
func (i *initer) addAgent(written string) error {
	parsed, err := netmail.ParseAddress(written)
	if err != nil {
		return i.wrong("not-address", "value", written)
	}
	if strings.EqualFold(parsed.Address, i.Address) {
		return i.wrong("agent-is-desk", "value", parsed.Address)
	}
	for _, a := range i.Agents {
		if strings.EqualFold(a.Email, parsed.Address) {
			return nil
		}
	}
	name := parsed.Name
	if name == "" {
		name, _, _ = strings.Cut(parsed.Address, "@")
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	i.Agents = append(i.Agents, config.Agent{Name: name, Email: parsed.Address})
	return nil
}
