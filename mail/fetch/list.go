package fetch

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"helpdesk/mail"
)

// Listed is a mail as a listing shows it.
type Listed struct {
	UID   uint32
	Size  int64 // bytes, as the server states it (RFC822.SIZE); it may be wrong
	Flags []string
}

// List returns the mails whose UID is from or above, ascending and each once.
// A server answers `UID FETCH n:*` with the last mail even if that is below n
// (RFC 9051 section 6.4.9); the client leaves it out. Mails of equal flags share one
// slice of them: do not write to it.
func (s *imapSession) List(ctx context.Context, from uint32) ([]Listed, error) {
	from = max(from, 1)
	var list []Listed
	shared := map[string][]string{}
	err := s.run(ctx, mail.StepList, func() error {
		s.wire.heard.readNews()
		set := imap.UIDSet{imap.UIDRange{Start: imap.UID(from)}} // Stop 0 is "*"
		cmd := s.client.Fetch(set, &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true})
		return each(cmd, noBodies(), func(r received) {
			r.drop()
			key := strings.Join(r.flags, " ")
			if _, ok := shared[key]; !ok {
				shared[key] = r.flags
			}
			list = append(list, Listed{UID: r.uid, Size: max(r.size, 0), Flags: shared[key]})
		})
	})
	if isRefusal(err) && s.State().Messages == 0 {
		err = nil // some servers call "1:*" of an empty folder an error
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b Listed) int { return cmp.Compare(a.UID, b.UID) })
	return slices.CompactFunc(list, func(a, b Listed) bool { return a.UID == b.UID }), nil
}

// Limits of a command: some servers take no line above 8 kB, and one that
// moves many thousand mails at once is silent for minutes.
const (
	maxRanges = 300
	maxMails  = 1000
)

// uidSets makes sets of UIDs, ascending, that each fit into a command.
func uidSets(mails []Listed) []imap.UIDSet {
	uids := make([]imap.UID, 0, len(mails))
	for _, m := range mails {
		if m.UID != 0 { // which would mean "*"
			uids = append(uids, imap.UID(m.UID))
		}
	}
	slices.Sort(uids)
	var sets []imap.UIDSet
	var set imap.UIDSet
	n := 0
	for _, uid := range slices.Compact(uids) {
		if len(set) == maxRanges || n == maxMails {
			sets, set, n = append(sets, set), nil, 0
		}
		set.AddNum(uid)
		n++
	}
	if n > 0 {
		sets = append(sets, set)
	}
	return sets
}
