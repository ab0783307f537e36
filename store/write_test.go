package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"helpdesk/mail"
)

// group commits functions as one group, as if they had waited together.
func group(s *Store, fns ...func(*Tx) error) []error {
	jobs := make([]*job, len(fns))
	for i, fn := range fns {
		jobs[i] = &job{ctx: s.writer.ctx, fn: fn, done: make(chan error, 1)}
	}
	s.writer.commit(jobs)
	errs := make([]error, len(fns))
	for i, j := range jobs {
		errs[i] = <-j.done
	}
	return errs
}

func setMeta(key string) func(*Tx) error {
	return func(tx *Tx) error { return tx.SetMeta(key, "yes") }
}

// kept returns which of the keys are in the database, seen by a reader.
func kept(t *testing.T, s *Store, keys ...string) []string {
	t.Helper()
	found := []string{}
	for _, k := range keys {
		if _, ok, err := s.Meta(t.Context(), k); err != nil {
			t.Fatal(err)
		} else if ok {
			found = append(found, k)
		}
	}
	return found
}

var errFault = errors.New("this mail is at fault")

func TestGroupKeepsTheOthers(t *testing.T) {
	fail := func(key string) func(*Tx) error {
		return func(tx *Tx) error { return errors.Join(tx.SetMeta(key, "no"), errFault) }
	}
	boom := func(key string) func(*Tx) error {
		return func(tx *Tx) error {
			if err := tx.SetMeta(key, "no"); err != nil {
				return err
			}
			panic("boom")
		}
	}
	for _, c := range []struct {
		name string
		fns  []func(*Tx) error
		kept string
		bad  []int
	}{
		{"all good", []func(*Tx) error{setMeta("a"), setMeta("b"), setMeta("c")}, "a b c", nil},
		{"first fails", []func(*Tx) error{fail("a"), setMeta("b"), setMeta("c")}, "b c", []int{0}},
		{"second fails", []func(*Tx) error{setMeta("a"), fail("b"), setMeta("c")}, "a c", []int{1}},
		{"last fails", []func(*Tx) error{setMeta("a"), setMeta("b"), fail("c")}, "a b", []int{2}},
		{"only one, fails", []func(*Tx) error{fail("a")}, "", []int{0}},
		{"all fail", []func(*Tx) error{fail("a"), fail("b"), fail("c")}, "", []int{0, 1, 2}},
		{"first panics", []func(*Tx) error{boom("a"), setMeta("b")}, "b", []int{0}},
		{"second panics", []func(*Tx) error{setMeta("a"), boom("b"), setMeta("c")}, "a c", []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := open(t)
			for i, err := range group(s, c.fns...) {
				var panicked *PanicError
				switch bad := slices.Contains(c.bad, i); {
				case bad && !errors.Is(err, errFault) && !errors.As(err, &panicked):
					t.Errorf("function %d: %v, want its own fault", i, err)
				case bad && Unavailable(err):
					t.Errorf("function %d: its fault is called the storage's: %v", i, err)
				case !bad && err != nil:
					t.Errorf("function %d: %v", i, err)
				case panicked != nil && (panicked.Value != "boom" || !strings.Contains(string(panicked.Stack), "write_test.go")):
					t.Errorf("function %d: %v\n%s", i, panicked, panicked.Stack)
				}
			}
			if is := strings.Join(kept(t, s, "a", "b", "c"), " "); is != c.kept {
				t.Errorf("kept %q, want %q", is, c.kept)
			}
		})
	}
}

// TestGroupTakesBackCounters lets a function fail that has used sequences,
// counters and addresses: the next one starts from what is in the database.
func TestGroupTakesBackCounters(t *testing.T) {
	s, _ := open(t)
	add := func(fail bool) func(*Tx) error {
		return func(tx *Tx) error {
			key, err := tx.NextKey("SUP")
			if err != nil {
				return err
			}
			r := Request{DeskID: 1, Key: key}
			if err := tx.AddRequest(&r); err != nil {
				return err
			}
			e := Entry{DeskID: 1, Outcome: "request", RequestID: r.ID, From: mail.Address{Address: "a@b"}}
			if err := tx.AddEntry(&e); err != nil {
				return err
			}
			if fail {
				return errFault
			}
			return nil
		}
	}
	errs := group(s, add(false), add(true), add(false), add(true))
	if errs[0] != nil || errs[1] == nil || errs[2] != nil || errs[3] == nil {
		t.Fatal(errs)
	}
	write(t, s, add(false))
	all := got[[]Request](t)(s.Requests(t.Context(), RequestFilter{}))
	if len(all) != 3 || all[0].Key != "SUP-3" || all[2].Key != "SUP-1" {
		t.Errorf("requests %+v", all)
	}
	if c := got[[]Count](t)(s.Counts(t.Context())); len(c) != 1 || c[0].Total != 3 || c[0].Today != 3 {
		t.Errorf("counted %+v", c)
	}
}

func TestGroupSeesEarlierParts(t *testing.T) {
	s, _ := open(t)
	var order []string
	see := func(name string, want ...string) func(*Tx) error {
		return func(tx *Tx) error {
			order = append(order, name)
			for _, k := range want {
				if _, ok, err := tx.Meta(tx.ctx, k); err != nil || !ok {
					return fmt.Errorf("%s does not see %s: %w", name, k, err)
				}
			}
			return tx.SetMeta(name, "yes")
		}
	}
	for i, err := range group(s, see("a"), see("b", "a"), see("c", "a", "b")) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if !slices.Equal(order, []string{"a", "b", "c"}) {
		t.Errorf("ran in the order %v", order)
	}
}

// TestCommitFails uses a foreign key that is looked at when the transaction
// ends: everyone in the group must hear of it.
func TestCommitFails(t *testing.T) {
	s, _ := open(t)
	write(t, s, func(tx *Tx) error {
		return tx.conn.script(tx.ctx, "CREATE TABLE child (id INTEGER REFERENCES desks (id) DEFERRABLE INITIALLY DEFERRED)")
	})
	orphan := func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO child VALUES (99)")
		return err
	}
	for i, err := range group(s, setMeta("a"), orphan, setMeta("b")) {
		if err == nil || !strings.Contains(err.Error(), "committing") {
			t.Errorf("function %d of a group that was not committed got %v", i, err)
		}
	}
	if is := kept(t, s, "a", "b"); len(is) != 0 {
		t.Errorf("kept %v", is)
	}
	for i, err := range group(s, setMeta("a"), setMeta("b")) {
		if err != nil {
			t.Errorf("after that, function %d: %v", i, err)
		}
	}
	if is := kept(t, s, "a", "b"); len(is) != 2 {
		t.Errorf("after that kept %v", is)
	}
}

// TestFullDisk fills the database up to a limit in the middle of a group.
func TestFullDisk(t *testing.T) {
	s, _ := open(t)
	pages := pragma(t, s, "page_count")
	limit := func(tx *Tx) error { return tx.conn.script(tx.ctx, "PRAGMA max_page_count = "+pages) }
	big := func(ignore bool) func(*Tx) error {
		return func(tx *Tx) error {
			err := tx.SetMeta("big", strings.Repeat("x", 1<<20))
			if err == nil {
				return errors.New("a full disk took 1 MB")
			}
			if ignore {
				if err := tx.SetMeta("more", "no"); err == nil {
					return errors.New("the transaction went on after a failure of the storage")
				}
				if _, _, err := tx.Meta(tx.ctx, "more"); err == nil {
					return errors.New("reading went on after a failure of the storage")
				}
				return nil
			}
			return err
		}
	}
	for _, ignore := range []bool{false, true} {
		write(t, s, limit)
		errs := group(s, setMeta("a"), big(ignore), setMeta("c"))
		for i, err := range errs[:2] {
			if !Unavailable(err) {
				t.Errorf("function %d of a group whose disk was full got %v", i, err)
			}
		}
		// The connection was opened again, and with that the limit is gone.
		if errs[2] != nil {
			t.Errorf("the function after it: %v", errs[2])
		}
		if is := kept(t, s, "a", "big", "more", "c"); !slices.Equal(is, []string{"c"}) {
			t.Errorf("kept %v", is)
		}
		write(t, s, func(tx *Tx) error { _, err := tx.exec("DELETE FROM meta"); return err })
	}
	if check := pragma(t, s, "integrity_check"); check != "ok" {
		t.Error(check)
	}
}

func TestUnavailable(t *testing.T) {
	s, _ := open(t)
	broken := func(sql ...string) error {
		return s.Write(t.Context(), func(tx *Tx) error {
			for _, q := range sql {
				if err := tx.conn.script(tx.ctx, q); err != nil {
					return err
				}
			}
			return nil
		})
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	text := filepath.Join(t.TempDir(), "text.db")
	if err := writeFile(text, strings.Repeat("this is no database\n", 1000)); err != nil {
		t.Fatal(err)
	}
	_, notDB := Open(t.Context(), text, Options{})
	_, noFolder := Open(t.Context(), filepath.Join(t.TempDir(), "no", "such", "folder.db"), Options{})
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"read only", broken("PRAGMA query_only = 1", "DELETE FROM meta"), true},
		{"constraint", broken("INSERT INTO meta VALUES ('a', '1')", "INSERT INTO meta VALUES ('a', '2')"), false},
		{"bad SQL", broken("SELEC"), false},
		{"too big", s.Write(t.Context(), func(tx *Tx) error {
			_, err := tx.exec("INSERT INTO meta VALUES ('a', zeroblob(3000000000))")
			return err
		}), false},
		{"cancelled", s.Write(cancelled, setMeta("a")), true},
		{"cancelled read", func() error { _, err := s.Desks(cancelled); return err }(), true},
		{"closed", ErrClosed, true},
		{"no database", notDB, true},
		{"no folder", noFolder, true},
		{"not found", ErrNotFound, false},
		{"panic", &PanicError{Value: "x"}, false},
		{"none", nil, false},
	} {
		if c.want && c.err == nil || c.name != "none" && c.err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if Unavailable(c.err) != c.want {
			t.Errorf("%s: Unavailable is %v for %v", c.name, !c.want, c.err)
		}
		if wrapped := fmt.Errorf("doing: %w", c.err); c.err != nil && Unavailable(wrapped) != c.want {
			t.Errorf("%s: wrapped it is not recognised", c.name)
		}
	}
	write(t, s, setMeta("a"))
}

// TestLocked has another process's write lock in the way.
func TestLocked(t *testing.T) {
	s, _ := open(t)
	write(t, s, func(tx *Tx) error { return tx.SetMeta("a", "b") })
	other := rawConn(t, s.writer.path)
	defer other.close()
	if err := other.script(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := s.writer.conn.script(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), setMeta("c")); !Unavailable(err) {
		t.Errorf("against a lock: %v", err)
	}
	if v, _, err := s.Meta(t.Context(), "a"); err != nil || v != "b" {
		t.Errorf("reading against a lock: %q, %v", v, err)
	}
	if err := other.script(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	write(t, s, setMeta("c"))
}

func TestTxIsOver(t *testing.T) {
	s, _ := open(t)
	var leaked *Tx
	write(t, s, func(tx *Tx) error { leaked = tx; return nil })
	if err := leaked.SetMeta("a", "b"); !errors.Is(err, errOver) {
		t.Errorf("writing with a Tx that is over: %v", err)
	}
	if _, _, err := leaked.Meta(t.Context(), "a"); !errors.Is(err, errOver) {
		t.Errorf("reading with a Tx that is over: %v", err)
	}
}

func TestReadingInTxIgnoresTheCaller(t *testing.T) {
	s, _ := open(t)
	write(t, s, func(tx *Tx) error {
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := tx.Desks(cancelled)
		return err
	})
}

// TestManyWriters writes from many goroutines: everyone's own work is there
// when its Write returns, and nothing else.
func TestManyWriters(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for i := range 25 {
				key := fmt.Sprintf("%d.%d", g, i)
				err := s.Write(ctx, func(tx *Tx) error {
					if err := tx.SetMeta(key, "yes"); err != nil {
						return err
					}
					if i%5 == 4 {
						return errFault
					}
					return nil
				})
				if (i%5 == 4) != errors.Is(err, errFault) {
					t.Errorf("%s: %v", key, err)
				}
				if _, ok, err := s.Meta(ctx, key); err != nil || ok != (i%5 != 4) {
					t.Errorf("%s is there: %v, %v", key, ok, err)
				}
			}
		})
	}
	all.Wait()
}

// TestCloseAnswersEveryone closes while writers wait.
func TestCloseAnswersEveryone(t *testing.T) {
	s, _ := open(t)
	begun, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	var first error
	all.Go(func() {
		first = s.Write(t.Context(), func(tx *Tx) error {
			close(begun)
			<-release
			return tx.SetMeta("first", "yes")
		})
	})
	<-begun
	for range 8 {
		all.Go(func() {
			if err := s.Write(t.Context(), setMeta("other")); err != nil && !errors.Is(err, ErrClosed) {
				t.Errorf("a write that waited: %v", err)
			}
		})
	}
	all.Go(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	close(release)
	all.Wait()
	if first != nil {
		t.Errorf("the write under way: %v", first)
	}
}
