package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"helpdesk/daemon/config"
	"helpdesk/mail/diagnose"
	"helpdesk/mail/provider"
)

// longestPaste bounds what is read from standard input, in bytes. An error has
// a line or a page; diagnose looks at its beginning.
const longestPaste = 1 << 20

func (e *env) explainCommand() *cobra.Command {
	var h diagnose.Hints
	var port int
	var preset, lang string
	c := &cobra.Command{
		Use:   "explain [TEXT]",
		Short: "Explain a mail server's error: why it happened and what to do",
		Long:  "explain says what an error of a mail server, of a network or of another mail program\nmeans, and what to do about it. Without TEXT it reads standard input. The more it is\ntold of the circumstances, the better: the same words mean different things at\ndifferent providers.",
		Example: `  helpdesk explain --protocol imap --host imap.gmail.com "NO [AUTHENTICATIONFAILED] Invalid credentials"
  helpdesk explain < error.txt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkExplain(cmd, &h, port, lang); err != nil {
				return &failure{exitUse, err}
			}
			text, err := e.pasted(args, h.Host)
			if err != nil {
				return err
			}
			if strings.TrimSpace(text) == "" && h.Host == "" {
				return &failure{exitUse, errors.New(`there is nothing to explain: write the error after the command in quotation marks, as in helpdesk explain "535 5.7.8 …"`)}
			}
			d := diagnose.Explain(diagnose.Read(text, h), preset)
			if lang == "" {
				lang = config.FileLanguage(e.configFile())
			}
			if e.asJSON {
				return printJSON(e.stdout, explained(d, lang))
			}
			_, err = io.WriteString(e.stdout, explanation(d, lang))
			return err
		},
	}
	c.Flags().StringVar(&h.Protocol, "protocol", "", "imap, pop3, smtp or oauth; net or tls where it came no further")
	c.Flags().StringVar(&h.Host, "host", "", "the server that it happened with")
	c.Flags().IntVar(&port, "port", 0, "its port")
	c.Flags().StringVar(&h.Auth, "auth", "", "how the sign-in was made: password or oauth2")
	c.Flags().StringVar(&preset, "provider", "", "the mail provider, as preset names it in helpdesk.toml (default: told by the host)")
	c.Flags().StringVar(&lang, "lang", "", "en or ja (default: the language of the configuration)")
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

// checkExplain judges the flags and completes the hints by the port.
func checkExplain(cmd *cobra.Command, h *diagnose.Hints, port int, lang string) error {
	h.Protocol = strings.ToLower(h.Protocol)
	for _, f := range []struct {
		flag, value string
		known       []string
	}{
		{"protocol", h.Protocol, []string{"", "imap", "pop3", "smtp", "oauth", "net", "tls"}},
		{"auth", h.Auth, []string{"", "password", "oauth2"}},
		{"lang", lang, []string{"", "en", "ja"}},
	} {
		if !slices.Contains(f.known, f.value) {
			return fmt.Errorf("--%s cannot be %q: write one of %s", f.flag, f.value, strings.Join(f.known[1:], ", "))
		}
	}
	if !cmd.Flags().Changed("port") {
		return nil
	}
	if port < 1 || port > 65535 {
		return fmt.Errorf("--port cannot be %d: write a number from 1 to 65535", port)
	}
	h.Port = strconv.Itoa(port)
	return nil
}

// pasted is the text to explain: the arguments, else standard input.
func (e *env) pasted(args []string, host string) (string, error) {
	if len(args) > 0 && !slices.Equal(args, []string{"-"}) {
		return strings.Join(args, " "), nil
	}
	if _, foreign := provider.RelayOfOtherProduct(host); foreign && len(args) == 0 {
		return "", nil // its name says it all: do not wait for words
	}
	if f, ok := e.stdin.(*os.File); ok && len(args) == 0 && host != "" {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return "", nil // a terminal, and someone asks for the host alone
		}
	}
	text, err := io.ReadAll(io.LimitReader(e.stdin, longestPaste))
	if err != nil {
		return "", fmt.Errorf("reading the error from standard input: %w", err)
	}
	return string(text), nil
}

// explainedJSON is a stable interface, see the documentation of the command.
type explainedJSON struct {
	Cause      string   `json:"cause"`
	Title      string   `json:"title"`
	Text       string   `json:"text"`
	Remedy     []string `json:"remedy"`
	Retry      string   `json:"retry"`
	Concerns   string   `json:"concerns"`
	Provider   string   `json:"provider"`
	ServerText string   `json:"server_text"`
	Links      []string `json:"links"`
}

func explained(d diagnose.Diagnosis, lang string) explainedJSON {
	w := d.In(lang)
	return explainedJSON{
		Cause: d.Cause, Title: w.Title, Text: w.Text, Remedy: w.Remedy, Retry: d.Retry, Concerns: d.Concerns,
		Provider: d.Provider, ServerText: d.ServerText, Links: append([]string{}, d.Links...),
	}
}

// explanation is what a person reads.
func explanation(d diagnose.Diagnosis, lang string) string {
	said, more := "The words:", "More about it:"
	if lang == config.Japanese {
		said, more = "元の応答:", "詳しい情報:"
	}
	var b strings.Builder
	w := d.In(lang)
	fmt.Fprintf(&b, "%s\n\n%s\n\n", w.Title, w.Text)
	for i, step := range w.Remedy {
		fmt.Fprintf(&b, "%d. %s\n", i+1, step)
	}
	fmt.Fprintf(&b, "\n%s\n", w.Again)
	if d.ServerText != "" {
		fmt.Fprintf(&b, "\n%s\n", said)
		for line := range strings.Lines(d.ServerText) {
			fmt.Fprintf(&b, "  %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if len(d.Links) > 0 {
		fmt.Fprintf(&b, "\n%s\n", more)
		for _, link := range d.Links {
			fmt.Fprintf(&b, "  %s\n", link)
		}
	}
	return b.String()
}

// wordsLast puts the words of a POP3 server behind the flags: "-ERR …" looks
// like one. Only explain takes such words.
func wordsLast(args []string) []string {
	isWords := func(arg string) bool { return strings.HasPrefix(strings.ToUpper(arg), "-ERR") }
	if !slices.Contains(args, "explain") || slices.Contains(args, "--") || !slices.ContainsFunc(args, isWords) {
		return args
	}
	var flags, words []string
	for _, arg := range args {
		if isWords(arg) {
			words = append(words, arg)
		} else {
			flags = append(flags, arg)
		}
	}
	return append(append(flags, "--"), words...)
}
