package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/daemon/control"
	"helpdesk/mail"
	"helpdesk/store"
	"helpdesk/ui"
)

// testLimit bounds the test of one part.
const testLimit = 6 * time.Minute

// tester is one run of `helpdesk test`.
type tester struct {
	e         *env
	to        string
	roundTrip bool

	config *config.Config
	words  ui.Words
	daemon *control.Client // nil: none is running
	trials *daemon.Trials
}

func (e *env) testCommand() *cobra.Command {
	t := &tester{e: e}
	c := &cobra.Command{
		Use:   "test [DESK|relay]",
		Short: "Test mailboxes and relays stage by stage, and explain what is wrong",
		Long: "Tests what helpdesk.toml says now, also where a running helpdesk has older settings.\n" +
			"DESK is a desk's key, name or address: its mailbox and its relay are tested; relay: every relay; without one: all of them.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), args) },
	}
	c.Flags().StringVar(&t.to, "to", "", "send a test message to this address")
	c.Flags().BoolVar(&t.roundTrip, "round-trip", false, "send a mail from the desk to itself, find it in the mailbox and remove it")
	c.Flags().BoolVar(&e.asJSON, "json", false, "as JSON")
	return c
}

// run tests one part after the other; the first failure does not keep the
// others from being tested.
func (t *tester) run(ctx context.Context, args []string) error {
	if t.to != "" {
		address, err := ui.TypedAddress(t.to)
		if err != nil {
			return &failure{exitUse, fmt.Errorf("--to %s: that is no e-mail address that mail can be sent to", t.to)}
		}
		t.to = address
	}
	var err error
	if t.config, err = t.e.loadConfig(); err != nil {
		return err
	}
	t.words = ui.WordsIn(t.config.Language)
	orders, err := t.orders(args)
	if err != nil {
		return err
	}
	t.daemon, err = control.Dial(t.config.DataDir)
	notRunning := errors.Is(err, control.ErrNotRunning)
	if err != nil && !notRunning && !errors.Is(err, os.ErrPermission) { // whoever may not talk to it may test
		return err
	}
	s, err := t.store(ctx)
	if err != nil {
		return err
	}
	if s != nil {
		defer s.Close()
	}
	tokens := &heldTokens{e: t.e, config: t.config}
	defer func() {
		if err := tokens.close(); err != nil {
			t.e.logger().Error("closing the saved sign-ins", "error", err)
		}
	}()
	if t.trials, err = daemon.NewTrials(ctx, daemon.TrialOptions{Config: t.config, Version: version(), Store: s, Found: t.tellDaemon, Token: tokens.of}); err != nil {
		return err
	}
	code, results := 0, []*testResult{}
	for _, o := range orders {
		r, err := t.one(ctx, o)
		if r != nil {
			results = append(results, r)
		}
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		code = max(code, exitOf(err))
	}
	if t.e.asJSON {
		err = printJSON(t.e.stdout, results)
	} else if notRunning {
		_, err = fmt.Fprintf(t.e.stdout, "\n%s\n", t.words.Text("test.note.not-running"))
	}
	if err == nil && code != 0 {
		err = &failure{code, errPrinted}
	}
	return err
}

// exitOf is the exit code of a failure; of two the higher one counts.
func exitOf(err error) int {
	var server *mail.Error
	var fault *config.Fault
	var own *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &server):
		return exitServer
	case errors.As(err, &fault):
		return exitConfig
	}
	return exitFailed
}

// orders says what is tested, and in which order.
func (t *tester) orders(args []string) ([]ui.TestOrder, error) {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	var mailboxes, relays []ui.TestOrder
	for i := range t.config.Desks {
		c := &t.config.Desks[i]
		own := strings.EqualFold(name, c.Key) || strings.EqualFold(name, c.Name) || strings.EqualFold(name, c.Address)
		if name != "" && name != "relay" && !own {
			continue
		}
		if name != "relay" {
			mailboxes = append(mailboxes, ui.TestOrder{Part: daemon.MailboxPart(c), RoundTrip: t.roundTrip})
		}
		relay := ui.TestOrder{Part: daemon.RelayPart(c), To: t.to}
		if !slices.Contains(relays, relay) && (!t.roundTrip || t.to != "") {
			relays = append(relays, relay)
		}
	}
	orders := append(mailboxes, relays...)
	if len(orders) > 0 {
		return orders, nil
	}
	if name == "relay" {
		return nil, &failure{exitUse, errors.New("--round-trip is for a desk: name one, or none for all")}
	}
	return nil, &failure{exitUse, fmt.Errorf("there is no desk %q in %s; use its key, name or address, or relay", name, t.e.configFile())}
}

// store opens the database where a mail is to be sent: its marks are signed
// with the key there, by which a running helpdesk knows them.
func (t *tester) store(ctx context.Context) (*store.Store, error) {
	path := filepath.Join(t.config.DataDir, daemon.DatabaseFile)
	if _, err := os.Stat(path); t.to == "" && !t.roundTrip || errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	s, err := store.OpenReadOnly(ctx, path, store.Options{})
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	return s, nil
}

// tellDaemon has a running helpdesk use what was just seen to work.
func (t *tester) tellDaemon(ctx context.Context, part string, err error) {
	found, ok := daemon.NewTested(part, err)
	if t.daemon == nil || !ok {
		return
	}
	if err := t.daemon.Call(ctx, "POST", daemon.TestedPath, found, nil); err != nil && ctx.Err() == nil {
		fmt.Fprintln(t.e.stderr, "helpdesk:", fmt.Errorf("telling the running helpdesk: %w", err))
	}
}

// testResult is one element of `helpdesk test --json`.
type testResult struct {
	Part       string          `json:"part"`
	Server     string          `json:"server"`
	OK         bool            `json:"ok"`
	Stages     []*ui.TestStage `json:"stages"`
	Cause      string          `json:"cause"`
	Title      string          `json:"title"`
	Text       string          `json:"text"`
	Remedy     []string        `json:"remedy"`
	ServerText string          `json:"server_text"`
	Links      []string        `json:"links"`
	Notes      []string        `json:"notes"`
}

// one tests one part. What is switched off is said and is no failure.
func (t *tester) one(ctx context.Context, o ui.TestOrder) (*testResult, error) {
	targets := t.trials.Targets()
	target := targets[slices.IndexFunc(targets, func(x ui.Target) bool { return x.Part == o.Part })]
	if target.Off || o.RoundTrip && !target.Trips {
		if !t.e.asJSON {
			fmt.Fprintf(t.e.stdout, "%s: %s\n", o.Part, t.words.Text("test.off"))
		}
		if strings.HasPrefix(o.Part, "mailbox:") {
			return nil, &failure{exitConfig, errPrinted} // closed by a fault, which was printed
		}
		return nil, nil
	}
	r := &testResult{Part: o.Part, Server: target.Server, OK: true, Stages: []*ui.TestStage{}, Remedy: []string{}, Links: []string{}, Notes: []string{}}
	p := &testPrinter{w: t.e.stdout, words: t.words, now: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	err := t.trials.Run(ctx, o, func(e ui.TestEvent) {
		r.add(e, t.words)
		if !t.e.asJSON {
			p.tell(e)
		}
	})
	r.OK = err == nil
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		fmt.Fprintf(t.e.stderr, "helpdesk: %s. %s\n", t.words.Text("test.too-long.title"), t.words.Text("test.too-long.remedy"))
		return r, &failure{exitServer, errPrinted}
	}
	return r, err
}

func (r *testResult) add(e ui.TestEvent, words ui.Words) {
	switch {
	case e.Stage != nil:
		r.Stages = append(r.Stages, e.Stage)
	case e.Note != nil:
		r.Notes = append(r.Notes, words.TestNote(*e.Note))
	case e.Trouble != nil:
		r.Cause, r.Title, r.Text, r.ServerText = e.Trouble.Cause, e.Trouble.Title, e.Trouble.Text, e.Trouble.ServerText
		r.Remedy, r.Links = append(r.Remedy, e.Trouble.Remedy...), append(r.Links, e.Trouble.Links...)
	}
}
