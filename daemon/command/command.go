// Package command is the command line, one file for each command: flags, one
// call, errors with a hint of what to do. Exit codes: 0 fine, 1 failed,
// 2 wrong use, 3 wrong configuration, 4 a server could not be reached or
// refused us.
package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/daemon/control"
	"helpdesk/mail"
	"helpdesk/mail/provider"
	"helpdesk/store"
	"helpdesk/ui"
)

// Exit codes.
const (
	exitFailed = 1
	exitUse    = 2
	exitConfig = 3
	exitServer = 4
)

// Version is set when a release is built (-ldflags "-X …").
var Version = ""

// version is Version, or what the Go tool knows of the source it built.
func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

// env is what all commands share.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	configPath     string
	asJSON         bool

	network *provider.Network // what init looks for servers in; nil: the internet
	lines   *bufio.Reader     // stdin, for questions; see initer.readLine
}

// failure is an error with an exit code of its own. What is empty inside was
// printed already.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// errPrinted says that the reason was printed already.
var errPrinted = errors.New("")

// Execute runs the command line and returns the exit code.
func Execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return (&env{stdin: stdin, stdout: stdout, stderr: stderr}).execute(ctx, args)
}

func (e *env) execute(ctx context.Context, args []string) int {
	root := e.root()
	root.SetArgs(wordsLast(args))
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if text := e.text(err); text != "" {
		fmt.Fprintln(e.stderr, "helpdesk:", text)
	}
	var f *failure
	var server *mail.Error
	switch {
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &server):
		return exitServer
	}
	return exitFailed
}

// text is what went wrong, in the configuration's language where the error
// knows it.
func (e *env) text(err error) string {
	var spoken interface{ Text(lang string) string }
	if errors.As(err, &spoken) {
		return spoken.Text(config.FileLanguage(e.configFile()))
	}
	return err.Error()
}

func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "helpdesk",
		Short:         "An e-mail service desk for small offices",
		Long:          "helpdesk turns the mail of a support mailbox into requests, notifies the agents,\nand sends their answers to the customers. Begin with: helpdesk demo",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.Args = wrongUse(cobra.NoArgs)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVarP(&e.configPath, "config", "c", "", "the configuration file (default: helpdesk.toml here, else "+systemConfig()+")")
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(
		e.runCommand(), e.demoCommand(), e.initCommand(), e.checkCommand(), e.testCommand(), e.parseCommand(), e.statusCommand(), e.ledgerCommand(),
		e.whyCommand(), e.retryCommand(), e.liveCommand(), e.requestsCommand(), e.showCommand(), e.replyCommand(), e.resolveCommand(), e.reopenCommand(),
		e.exportCommand(), e.customersCommand(), e.outboxCommand(), e.openCommand(), e.authorizeCommand(), e.explainCommand(), e.versionCommand(),
	)
	root.AddCommand(e.serviceCommands()...)
	for _, c := range root.Commands() {
		c.Args = wrongUse(c.Args)
	}
	return root
}

// systemConfig is where an installed helpdesk has its configuration.
func systemConfig() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramData"), "helpdesk", "helpdesk.toml")
	}
	return "/etc/helpdesk/helpdesk.toml"
}

// configFile is the file that -c names, or the one that is found.
func (e *env) configFile() string {
	if e.configPath != "" {
		return e.configPath
	}
	if _, err := os.Stat("helpdesk.toml"); err == nil {
		return "helpdesk.toml"
	}
	return systemConfig()
}

// loadConfig reads the configuration and prints its faults. Faults that close
// only a desk are no error.
func (e *env) loadConfig() (*config.Config, error) {
	c, faults, err := config.Load(e.configFile(), os.LookupEnv)
	if err != nil {
		return nil, &failure{exitConfig, err}
	}
	if err := config.Print(e.stderr, faults, config.FileLanguage(e.configFile())); err != nil {
		return nil, err
	}
	if config.Refused(faults) {
		return nil, &failure{exitConfig, errPrinted}
	}
	return c, nil
}

// place is where a running or stopped helpdesk keeps its things.
type place struct{ dataDir, language string }

// locate finds the data, also where the configuration has faults: `check` and
// `run` name those, other commands answer what they are asked.
func (e *env) locate() (place, error) {
	dir, language, err := config.Locate(e.configFile(), os.LookupEnv)
	if err != nil {
		return place{}, &failure{exitConfig, err}
	}
	return place{dir, language}, nil
}

// openStore opens the database to read. The daemon may run or not.
func (e *env) openStore(ctx context.Context) (*store.Store, place, error) {
	p, err := e.locate()
	if err != nil {
		return nil, p, err
	}
	path := filepath.Join(p.dataDir, daemon.DatabaseFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, p, errors.New(ui.WordsIn(p.language).Text("cli.no-database", "dir", p.dataDir))
	}
	s, err := store.OpenReadOnly(ctx, path, store.Options{})
	if err != nil {
		return nil, p, fmt.Errorf("opening the database: %w", err)
	}
	return s, p, nil
}

// dial reaches the running daemon.
func (e *env) dial(p place) (*control.Client, error) {
	client, err := control.Dial(p.dataDir)
	if errors.Is(err, control.ErrNotRunning) {
		return nil, errors.New(ui.WordsIn(p.language).Text("cli.not-running"))
	}
	return client, err
}

// logger writes to stderr for a person who watches, one line an event.
func (e *env) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// when writes a time for a table.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}
