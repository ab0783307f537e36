package ui

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"helpdesk/mail"
	"helpdesk/store"
)

const (
	// nearLooked is how many of the newest mails are looked through for near
	// addresses, beside the customers.
	nearLooked = 2000
	// nearShown is how many near addresses are shown.
	nearShown = 5
	// nearSpelling is how many letters two addresses may differ in for one to
	// be taken for a slip of the other.
	nearSpelling = 3
)

// near finds addresses that were seen and that a person may have meant: of
// nearly the same spelling, the same name elsewhere, others of the same domain.
func (w *why) near(ctx context.Context) ([]string, error) {
	key := mail.Address{Address: w.Address}.Key()
	local, domain, _ := strings.Cut(key, "@")
	var seen []string
	for _, query := range []string{"@" + domain, local + "@"} {
		customers, err := w.store.Customers(ctx, store.CustomerFilter{Query: query, Limit: nearLooked})
		if err != nil {
			return nil, fmt.Errorf("looking for near addresses: %w", err)
		}
		for _, c := range customers {
			seen = append(seen, c.Key())
		}
	}
	entries, err := w.store.Entries(ctx, store.EntryFilter{Limit: nearLooked})
	if err != nil {
		return nil, fmt.Errorf("looking for near addresses: %w", err)
	}
	for _, e := range entries {
		seen = append(seen, e.From.Key())
	}
	slices.Sort(seen)
	kinds := make([][]string, nearSpelling+3) // the nearest first
	for _, address := range slices.Compact(seen) {
		otherLocal, otherDomain, _ := strings.Cut(address, "@")
		switch d := distance(key, address); {
		case address == key || address == "":
		case d <= nearSpelling:
			kinds[d] = append(kinds[d], address)
		case otherLocal == local:
			kinds[nearSpelling+1] = append(kinds[nearSpelling+1], address)
		case otherDomain == domain:
			kinds[nearSpelling+2] = append(kinds[nearSpelling+2], address)
		}
	}
	var found []string
	for i, some := range kinds {
		if i > nearSpelling && len(some) > nearShown {
			continue // info@ everywhere, half the country at one provider: says nothing
		}
		found = append(found, some...)
	}
	return found[:min(len(found), nearShown)], nil
}

// distance is how many letters have to be put in, taken out or changed to make
// b of a (Levenshtein).
func distance(a, b string) int {
	if d := len(a) - len(b); d > nearSpelling || d < -nearSpelling {
		return nearSpelling + 1 // more is of no interest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost = 1 + min(corner, row[j], row[j+1])
			}
			corner, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
