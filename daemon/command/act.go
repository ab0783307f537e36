package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
	"helpdesk/store"
	"helpdesk/ui"
)

// readConfig reads the configuration for a command that changes something. Its
// faults are printed only where they refuse it: those of single desks are
// `check`'s matter.
func (e *env) readConfig() (*config.Config, error) {
	c, faults, err := config.Load(e.configFile(), os.LookupEnv)
	if err != nil {
		return nil, &failure{exitConfig, err}
	}
	if config.Refused(faults) {
		return nil, errors.Join(&failure{exitConfig, errPrinted}, config.Print(e.stderr, faults, config.FileLanguage(e.configFile())))
	}
	return c, nil
}

// act has something done by the running daemon, or in its place, and says what
// came of it. Where something could not be done the exit code is 1.
func (e *env) act(ctx context.Context, acts ...ui.Act) error {
	c, err := e.readConfig()
	if err != nil {
		return err
	}
	words := ui.WordsIn(c.Language)
	var said []string // that helpdesk does not run is told once
	failed := false
	for _, act := range acts {
		answer, err := daemon.DoAct(ctx, c, act)
		if err != nil {
			return err
		}
		for _, r := range answer.Done {
			text := printable(words.Act(r))
			out := e.stdout
			if r.Bad {
				out, failed = e.stderr, true
			}
			if slices.Contains(said, text) {
				continue
			}
			said = append(said, text)
			if _, err := fmt.Fprintln(out, text); err != nil {
				return err
			}
		}
	}
	if failed {
		return &failure{exitFailed, errPrinted}
	}
	return nil
}

// wantDatabase is for acts on what is there already: where helpdesk never ran
// they have nothing to do, and would only leave an empty database behind.
func wantDatabase(dataDir string, words ui.Words) error {
	_, err := os.Stat(filepath.Join(dataDir, daemon.DatabaseFile))
	if errors.Is(err, os.ErrNotExist) {
		return errors.New(words.Text("cli.no-database", "dir", dataDir))
	}
	if err != nil {
		return fmt.Errorf("looking for the database: %w", err)
	}
	return nil
}

// actOnExisting is act where there must be a database.
func (e *env) actOnExisting(ctx context.Context, acts ...ui.Act) error {
	p, err := e.locate()
	if err != nil {
		return err
	}
	if err := wantDatabase(p.dataDir, ui.WordsIn(p.language)); err != nil {
		return err
	}
	return e.act(ctx, acts...)
}

// confirmed asks a question whose answer must be yes, or はい.
func (e *env) confirmed(ctx context.Context, words ui.Words, question string) (bool, error) {
	if _, err := fmt.Fprint(e.stdout, question+" "+words.Text("cli.yes-or-no")+" "); err != nil {
		return false, err
	}
	line, err := readLine(ctx, bufio.NewReader(e.stdin))
	if ctx.Err() != nil {
		return false, err
	}
	yes := slices.Contains([]string{"y", "yes", "はい"}, strings.ToLower(line))
	if !yes {
		_, err = fmt.Fprintln(e.stdout, words.Text("cli.nothing-done"))
		return false, err
	}
	return true, nil
}

// deskID finds a desk of the store by its key, name or address; "" is all, 0.
func deskID(ctx context.Context, s *store.Store, words ui.Words, name string) (int64, error) {
	if name == "" {
		return 0, nil
	}
	desks, err := s.Desks(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the desks: %w", err)
	}
	var keys []string
	for _, d := range desks {
		if strings.EqualFold(d.Key, name) || strings.EqualFold(d.Name, name) || strings.EqualFold(d.Address, name) {
			return d.ID, nil
		}
		keys = append(keys, d.Key)
	}
	return 0, &failure{exitUse, errors.New(words.Text("cli.no-desk", "desk", name, "desks", strings.Join(keys, ", ")))}
}

// pointInTime reads "3d" as three days ago, "2026-11-22" as the beginning of
// that day here, or as its end, and "2026-11-22 15:04".
func pointInTime(text string, now time.Time, endOfDay bool) (time.Time, error) {
	text = strings.TrimSpace(text)
	if d, err := config.ParseDuration(text); err == nil {
		return now.Add(-time.Duration(d)), nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	day, err := time.ParseInLocation("2006-01-02", text, now.Location())
	if err != nil {
		return time.Time{}, wrong("time", "text", text)
	}
	if endOfDay {
		day = day.AddDate(0, 0, 1)
	}
	return day, nil
}

// oneOf refuses a value that is none of those known.
func oneOf(flag, value string, known ...string) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	return wrong("one-of", "flag", "--"+flag, "value", value, "known", strings.Join(known, ", "))
}

// lately writes a time for a narrow column: the year only where it is another one.
func lately(t time.Time) string {
	now := time.Now()
	switch {
	case t.IsZero():
		return ""
	case t.In(now.Location()).Year() != now.Year():
		return t.Local().Format("2006-01-02")
	}
	return t.Local().Format("01-02 15:04")
}
