package store

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNumberUniqueIDs goes through the life of a maildrop: each step is what a
// session lists and the numbers that the mails have.
func TestNumberUniqueIDs(t *testing.T) {
	type step struct {
		what    string
		days    int // that pass before
		deleted []uint32
		partial bool
		listed  string // ids; "id/7" has another size than the others, "id!" is to be deleted
		want    []uint32
		next    uint32
		uidval  uint32
	}
	for name, steps := range map[string][]step{
		"new mail": {
			{"an empty maildrop", 0, nil, false, "", nil, 1, 1},
			{"the first mails", 0, nil, false, "a b", []uint32{1, 2}, 3, 1},
			{"in another order, with a new one", 0, nil, false, "c b a", []uint32{3, 2, 1}, 4, 1},
			{"one is gone, and comes back", 0, nil, false, "b c", []uint32{2, 3}, 4, 1},
			{"", 0, nil, false, "a b c", []uint32{1, 2, 3}, 4, 1},
		},
		"the ids are others": {
			{"", 0, nil, false, "a b", []uint32{1, 2}, 3, 1},
			{"no id is known", 0, nil, false, "x y z", []uint32{3, 4, 5}, 6, 2},
			{"it goes on", 0, nil, false, "y z q", []uint32{4, 5, 6}, 7, 2},
			{"and back", 0, nil, false, "a b", []uint32{7, 8}, 9, 3},
		},
		"an empty maildrop is no other one": {
			{"", 0, nil, false, "a", []uint32{1}, 2, 1},
			{"", 0, nil, false, "", nil, 2, 1},
			{"the mail is still there", 0, nil, false, "a b", []uint32{1, 2}, 3, 1},
		},
		"mails that we deleted are not missed": {
			{"", 0, nil, false, "a b", []uint32{1, 2}, 3, 1},
			{"", 0, []uint32{1, 2}, false, "c", []uint32{3}, 4, 1},
			{"", 0, []uint32{3}, false, "", nil, 4, 1},
			{"", 0, nil, false, "d", []uint32{4}, 5, 1},
		},
		"a part at a time": {
			{"", 0, nil, true, "a b", []uint32{1, 2}, 3, 1},
			{"", 0, nil, true, "c d", []uint32{3, 4}, 5, 1},
			{"", 0, []uint32{4}, true, "a", []uint32{1}, 5, 1},
			{"a deleted one that was only left out", 0, nil, true, "d", []uint32{4}, 5, 1},
		},
		"the server does not delete": {
			{"", 0, nil, false, "a b", []uint32{1, 2}, 3, 1},
			{"it is still listed", 0, []uint32{1}, false, "a b", []uint32{1, 2}, 3, 1},
			{"", 0, nil, false, "a b", []uint32{1, 2}, 3, 1},
		},
		"an id is given again": {
			{"", 0, nil, false, "a b", []uint32{1, 2}, 3, 1},
			{"to a mail of another size, at once", 0, []uint32{2}, false, "a b/7", []uint32{1, 3}, 4, 1},
			{"", 0, []uint32{1}, false, "b/7", []uint32{3}, 4, 1},
			{"to one of the same size, after it was gone", 0, nil, false, "a b/7", []uint32{4, 3}, 5, 1},
			{"also that of the last number", 0, []uint32{4, 3}, false, "", nil, 5, 1},
			{"", 0, nil, false, "a b/7", []uint32{5, 6}, 7, 1},
		},
		"an id is given again before the deletion was confirmed": {
			{"a! is to be deleted", 0, nil, false, "a! b", []uint32{1, 2}, 3, 1},
			{"it still lies there", 0, nil, false, "a! b", []uint32{1, 2}, 3, 1},
			{"another mail of another size", 0, nil, false, "a/7 b/7", []uint32{3, 2}, 4, 1},
		},
		"ids are forgotten late": {
			{"", 0, nil, false, "a b c", []uint32{1, 2, 3}, 4, 1},
			{"", 300, nil, false, "a", []uint32{1}, 4, 1},
			{"remembered", 99, nil, false, "a b", []uint32{1, 2}, 4, 1},
			{"", 200, nil, false, "a", []uint32{1}, 4, 1},
			{"the last number is never given twice", 3, nil, false, "a d", []uint32{1, 4}, 5, 1},
			{"c was not listed for 502 days", 0, nil, false, "a b c d", []uint32{1, 2, 5, 4}, 6, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, clock := open(t)
			for i, step := range steps {
				clock.add(time.Duration(step.days) * 24 * time.Hour)
				write(t, s, func(tx *Tx) error {
					if err := tx.DeletedUniqueIDs(1, step.deleted); err != nil {
						return err
					}
					var mails []UniqueID
					pending := map[int]string{}
					for i, id := range strings.Fields(step.listed) {
						id, other, _ := strings.Cut(id, "/")
						id, toDelete := strings.CutSuffix(id, "!")
						if toDelete {
							pending[i] = "delete"
						}
						mails = append(mails, UniqueID{id, int64(100 + len(other))})
					}
					u, err := tx.NumberUniqueIDs(1, mails, step.partial)
					if err != nil {
						return err
					}
					if !slices.Equal(u.UIDs, step.want) || u.Next != step.next || u.UIDValidity != step.uidval {
						t.Errorf("step %d, %s: %+v, want %v, %d, %d", i, step.what, u, step.want, step.next, step.uidval)
					}
					for j, uid := range u.UIDs { // the mail is taken
						if err := tx.AddPosition(Position{MailboxID: 1, UIDValidity: u.UIDValidity, UID: uid, LedgerID: 1, Size: mails[j].Size, Pending: pending[j]}); err != nil {
							return err
						}
					}
					other, err := tx.NumberUniqueIDs(2, []UniqueID{{"a", 1}}, false)
					if err == nil && !slices.Equal(other.UIDs, []uint32{1}) {
						t.Errorf("step %d: another mailbox has %+v", i, other)
					}
					return err
				})
			}
		})
	}
}
