package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"helpdesk/store"
)

// What desks observe lies in stores of their own (see observer): whoever is to
// be forgotten is forgotten there, too.

// observedFiles are the stores of all desks that observe or did, of those too
// that are not in the configuration any more.
func observedFiles(dataDir string) ([]string, error) {
	files, err := os.ReadDir(dataDir)
	if err != nil {
		return nil, fmt.Errorf("looking for what was observed: %w", err)
	}
	var paths []string
	for _, f := range files {
		if ok, _ := filepath.Match("observe-*.db", f.Name()); ok { // the pattern is right
			paths = append(paths, filepath.Join(dataDir, f.Name()))
		}
	}
	return paths, nil
}

// forgetObserved forgets a person, by any of these addresses (keys), in all
// that desks observed. The program's own store has forgotten the person before:
// what is made anew from now on does not know them.
func (a *Acts) forgetObserved(ctx context.Context, keys []string) error {
	paths, err := observedFiles(a.dataDir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		forget := forgetInFile
		if o := a.observers[path]; o != nil {
			forget = o.forget
		}
		if err := forget(ctx, path, keys); err != nil {
			return fmt.Errorf("forgetting a person in what was observed: %w", err)
		}
	}
	return nil
}

// forget forgets a person in what is observed now. What the last run left and
// this one did not replace yet is removed: it is made anew.
func (o *observer) forget(ctx context.Context, path string, keys []string) error {
	o.making.Lock()
	defer o.making.Unlock()
	shadow := o.store()
	if shadow == nil {
		return removeObserved(path)
	}
	err := forgetIn(ctx, shadow, keys)
	if errors.Is(err, store.ErrClosed) {
		return nil // the observation ended meanwhile, with the program: the next start makes it anew
	}
	return err
}

// forgetInFile forgets a person in a store that nobody has open.
func forgetInFile(ctx context.Context, path string, keys []string) error {
	s, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(forgetIn(ctx, s, keys), s.Close())
}

// forgetIn leaves no byte of a person in a store.
func forgetIn(ctx context.Context, s *store.Store, keys []string) error {
	if err := s.Write(ctx, func(tx *store.Tx) error {
		for _, key := range keys {
			if _, err := tx.ForgetPerson(ctx, key); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return s.Scrub(ctx)
}

// tidyObserved removes what desks observed that are not in the configuration
// any more: it has people's mail in it.
func (d *daemon) tidyObserved() error {
	paths, err := observedFiles(d.Config.DataDir)
	if err != nil {
		return err
	}
	there := make(map[string]bool)
	for _, r := range d.desks {
		there[ObservePath(d.Config.DataDir, r.settings.ID)] = true
	}
	for _, path := range paths {
		if there[path] {
			continue
		}
		if err := removeObserved(path); err != nil {
			return err
		}
	}
	return nil
}
