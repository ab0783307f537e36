package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/ui"
)

func (e *env) runCommand() *cobra.Command {
	asService := false
	c := &cobra.Command{
		Use:   "run",
		Short: "Run in the foreground until Ctrl-C",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asService {
				out, err := daemon.ServiceOutput()
				if err != nil {
					return err
				}
				e.stderr = out // what people can read later
			}
			c, err := e.loadConfig()
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(c.Desks, func(d config.Desk) bool { return len(d.Closed) == 0 }) {
				return &failure{exitConfig, errPrinted} // no desk is left to run
			}
			if asService {
				return daemon.RunService(cmd.Context(), func(ctx context.Context) error { return e.run(ctx, c, nil) })
			}
			return e.run(cmd.Context(), c, func(i daemon.Info) {
				fmt.Fprintln(e.stderr, ui.WordsIn(c.Language).Text("cli.page-at", "url", i.PageURL))
			})
		},
	}
	c.Flags().BoolVar(&asService, "service", false, "the operating system's service manager starts it")
	return c
}

// run runs the daemon until ctx ends. ready, nil for a service, is told when it
// answers; a person at a terminal then sees how far an import of old mail is.
func (e *env) run(ctx context.Context, c *config.Config, ready func(daemon.Info)) error {
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer stop()
	return daemon.Run(ctx, daemon.Options{Config: c, Version: version(), Logger: e.logger(), Ready: func(i daemon.Info) {
		if ready == nil {
			return
		}
		ready(i)
		imports := slices.ContainsFunc(c.Desks, func(d config.Desk) bool { return d.Mailbox.Backlog == config.BacklogImport })
		if imports && onTerminal(e.stderr) {
			watcher.Go(func() { e.watchImport(watching, ui.WordsIn(c.Language), i.Status, time.Second) })
		}
	}})
}

// calmLooks is how often in a row nothing must be under way before an import
// is taken to be over that was never seen: it may be about to begin.
const calmLooks = 10

// watchImport writes a line that changes in its place while old mail is
// imported, and ends when all of it is.
func (e *env) watchImport(ctx context.Context, words ui.Words, ask func(context.Context) (ui.Status, error), every time.Duration) {
	again := time.NewTicker(every)
	defer again.Stop()
	for wide, calm := 0, 0; calm < calmLooks; {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		status, err := ask(ctx)
		if err != nil {
			continue // the page says what is wrong
		}
		line, busy := importLine(words, status)
		if calm++; busy {
			calm = 0
		}
		over := !busy && wide > 0
		if over {
			line = words.Text("import.finished")
		}
		if line == "" {
			continue
		}
		line = cut(line, screen-1) // a broken line could not be written over
		fmt.Fprintf(e.stderr, "\r%s%s", line, strings.Repeat(" ", max(0, wide-columns(line))))
		if wide = columns(line); over {
			fmt.Fprintln(e.stderr)
			return
		}
	}
}

// importLine says how far the imports of the desks are. busy is true while
// there is more to come: also while a mailbox could not be reached.
func importLine(words ui.Words, s ui.Status) (line string, busy bool) {
	var parts []string
	for _, d := range s.Desks {
		if p := d.Import; p != nil {
			parts = append(parts, d.Key+" "+bar(p)+" "+words.Text("import.progress", "done", words.Number(int64(p.Done)), "total", words.Number(int64(p.Total))))
		}
		busy = busy || d.Import != nil || d.Mailbox.State == "waiting" || d.Mailbox.State == "failing"
	}
	return strings.Join(parts, "  "), busy
}

// bar shows progress in twenty places.
func bar(p *ui.Progress) string {
	const places = 20
	done := places
	if p.Total > 0 {
		done = min(places, places*p.Done/p.Total)
	}
	return "[" + strings.Repeat("#", done) + strings.Repeat(".", places-done) + "]"
}
