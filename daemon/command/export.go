package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"helpdesk/store"
	"helpdesk/ui"
)

// exporter is one run of `helpdesk export`.
type exporter struct {
	store    *store.Store
	words    ui.Words
	filter   store.RequestFilter
	from, to time.Time // requests that were made in this time; zero: no bound
	messages bool      // with the conversations
}

func (e *env) exportCommand() *cobra.Command {
	x := &exporter{}
	var format, desk, since, until, file string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write requests with all their fields, for a spreadsheet or another program",
		Long: "Writes requests as CSV, which spreadsheets open, or as JSON for other programs.\n" +
			"In CSV, text that a spreadsheet would run as a formula begins with an apostrophe.",
		Example: "  helpdesk export --since 2026-11-01 -o november.csv",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := errors.Join(oneOf("format", format, "csv", "json"), oneOf("state", x.filter.State, store.StateOpen, store.StateWaiting, store.StateResolved)); err != nil {
				return err
			}
			if err := x.between(since, until, time.Now()); err != nil {
				return err
			}
			var p place
			if x.store, p, err = e.openStore(cmd.Context()); err != nil {
				return err
			}
			defer x.store.Close()
			x.words = ui.WordsIn(p.language)
			if x.filter.DeskID, err = deskID(cmd.Context(), x.store, x.words, desk); err != nil {
				return err
			}
			write := x.csv
			if format == "json" {
				write = x.json
			}
			return e.writeOut(file, func(w io.Writer) error { return write(cmd.Context(), w) })
		},
	}
	c.Flags().StringVar(&format, "format", "csv", "csv or json")
	c.Flags().StringVar(&desk, "desk", "", "only those of this desk")
	c.Flags().StringVar(&x.filter.State, "state", "", "only those that are open, waiting or resolved")
	c.Flags().StringVar(&x.filter.Query, "search", "", "only those with these words in subject, text or people")
	c.Flags().StringVar(&since, "since", "", "only those received since a day, as 2026-11-01, or for a time, as 30d")
	c.Flags().StringVar(&until, "until", "", "only those received until a day (and on it)")
	c.Flags().BoolVar(&x.messages, "messages", false, "with the conversation: in CSV a row for each message")
	c.Flags().StringVarP(&file, "output", "o", "", "the file to write (default: standard output)")
	return c
}

// between reads the bounds of time.
func (x *exporter) between(since, until string, now time.Time) (err error) {
	if since != "" {
		if x.from, err = pointInTime(since, now, false); err != nil {
			return err
		}
	}
	if until != "" {
		x.to, err = pointInTime(until, now, true)
	}
	return err
}

// exportPage is how many requests are read at once.
const exportPage = 200

// each gives the requests to fn, newest first.
func (x *exporter) each(ctx context.Context, fn func(store.Request) error) error {
	filter := x.filter
	filter.Limit = exportPage
	for {
		list, err := x.store.Requests(ctx, filter)
		if err != nil {
			return fmt.Errorf("reading the requests: %w", err)
		}
		for _, r := range list {
			if !x.from.IsZero() && r.Created.Before(x.from) || !x.to.IsZero() && !r.Created.Before(x.to) {
				continue
			}
			if err := fn(r); err != nil {
				return err
			}
		}
		if len(list) < exportPage {
			return nil
		}
		filter.Before = list[len(list)-1].ID
	}
}

// json writes an array of what `helpdesk show --json` prints; without the
// conversations "messages" is how many there are, as in `helpdesk requests`.
func (x *exporter) json(ctx context.Context, w io.Writer) error {
	before := "[\n  "
	err := x.each(ctx, func(r store.Request) error {
		full, err := completeRequest(ctx, x.store, r, x.messages)
		if err != nil {
			return err
		}
		var value any = full
		if !x.messages {
			value = struct {
				*shown
				Messages int `json:"messages"`
			}{full, r.Messages}
		}
		b, err := json.MarshalIndent(value, "  ", "  ")
		if err != nil {
			return fmt.Errorf("writing %s: %w", r.Key, err)
		}
		if _, err := fmt.Fprintf(w, "%s%s", before, b); err != nil {
			return err
		}
		before = ",\n  "
		return nil
	})
	if err != nil {
		return err
	}
	end := "\n]\n"
	if before == "[\n  " {
		end = "[]\n"
	}
	_, err = io.WriteString(w, end)
	return err
}

// fieldNames are the names of all fields that the requests have.
func (x *exporter) fieldNames(ctx context.Context) ([]string, error) {
	var names []string
	err := x.each(ctx, func(r store.Request) error {
		for name := range r.Fields {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// writeOut writes to a file that only its owner can read, or to standard
// output. A file is complete or not there: a half one could be taken for whole.
func (e *env) writeOut(path string, write func(io.Writer) error) (err error) {
	if path == "" || path == "-" {
		return write(e.stdout)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".helpdesk-*") // readable by its owner only
	if err != nil {
		return fmt.Errorf("making %s: %w", path, err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
