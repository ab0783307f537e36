package store

import (
	"cmp"
	"context"
	"slices"
)

// HeldFrom returns the held ledger lines with a rule, of a desk (0: any), from
// one of these addresses (keys; none: from anybody), oldest first, at most
// limit, ids above after.
func (v *View) HeldFrom(ctx context.Context, deskID int64, rule string, keys []string, after int64, limit int) ([]Entry, error) {
	_, n := page(0, limit)
	if len(keys) > 0 {
		wanted, err := jsonList(keys)
		if err != nil {
			return nil, err
		}
		return list(ctx, v, scanEntry, entryColumns+`WHERE e.from_id IN (SELECT id FROM addresses WHERE key IN (SELECT value FROM json_each(?)))
			AND e.outcome = 'held' AND e.rule = ? AND e.id > ? AND (? = 0 OR e.desk_id = ?) ORDER BY e.id LIMIT ?`,
			wanted, rule, after, deskID, deskID, n)
	}
	desks := []int64{deskID}
	if deskID == 0 {
		all, err := list(ctx, v, (*row).int, "SELECT id FROM desks")
		if err != nil {
			return nil, err
		}
		desks = all
	}
	held := []Entry{}
	for _, desk := range desks {
		some, err := list(ctx, v, scanEntry, entryColumns+"WHERE e.desk_id = ? AND e.outcome = 'held' AND e.rule = ? AND e.id > ? ORDER BY e.id LIMIT ?",
			desk, rule, after, n)
		if err != nil {
			return nil, err
		}
		held = append(held, some...)
	}
	slices.SortFunc(held, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	return held[:min(n, int64(len(held)))], nil
}
