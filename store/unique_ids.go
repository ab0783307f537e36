package store

import (
	"errors"
	"fmt"
	"time"
)

// uniqueIDsKept is how long a unique-id is remembered that is not listed any more.
const uniqueIDsKept = 400 * 24 * time.Hour

// UniqueIDs are the numbers of a POP3 mailbox's unique-ids.
type UniqueIDs struct {
	UIDValidity uint32   // of all of them; it grows when the server names all mails anew
	Next        uint32   // the number that the next new id gets
	UIDs        []uint32 // of the ids that were given, in their order
}

// UniqueID is a unique-id as a POP3 server lists it.
type UniqueID struct {
	ID   string
	Size int64 // of the mail
}

// NumberUniqueIDs returns the numbers of the unique-ids that a POP3 server
// lists, each once, and gives numbers to new ones. A number is never given twice.
//
// When not one of the ids is known although others were listed before, and we
// did not delete those, the server has begun to name its mails in another way
// (it was replaced, or restored): UIDValidity grows, the old ids are forgotten,
// and the mails have to be recognised by their headers. With partial this is
// not concluded: the server lists a part of its mails at a time, each time
// another one.
//
// Ids are forgotten by two rules. One whose mail we deleted is forgotten as soon as a
// listing is without it: from then on the server may give it to another mail
// (RFC 1939 section 7), which must not be taken for the old one; as long as it
// is listed the server has not deleted it, and it is not taken again. The same
// holds for a mail whose deletion nobody confirmed, because the connection
// broke: with another size it is another mail, which must not be deleted
// instead. Any other is forgotten when it was not listed for uniqueIDsKept: it may have
// been left out only, and would come twice. If such a mail does come again
// later, it is known by its fingerprint or header hash, but for one with
// neither Message-ID nor Date.
func (t *Tx) NumberUniqueIDs(mailboxID int64, mails []UniqueID, partial bool) (UniqueIDs, error) {
	u := UniqueIDs{UIDValidity: 1, Next: 1, UIDs: make([]uint32, len(mails))}
	top, err := one(t.ctx, t.View, func(r *row) [2]uint32 { return [2]uint32{r.uint32(), r.uint32()} },
		"SELECT uidvalidity, uid FROM unique_ids WHERE mailbox_id = ? AND uid > 0 ORDER BY uid DESC LIMIT 1", mailboxID)
	if err == nil {
		u.UIDValidity, u.Next = top[0], top[1]+1
	} else if !errors.Is(err, ErrNotFound) {
		return u, fmt.Errorf("reading the numbers of unique-ids: %w", err)
	}
	known, err := t.knownUniqueIDs(mailboxID, mails)
	if err != nil {
		return u, err
	}
	if len(known) == 0 && len(mails) > 0 && !partial {
		if err := t.renameUniqueIDs(mailboxID, &u); err != nil {
			return u, err
		}
	}
	unconfirmed, err := t.unconfirmed(mailboxID, u.UIDValidity)
	if err != nil {
		return u, err
	}
	var outdated []string
	for i, m := range mails {
		k, ok := known[m.ID]
		if ok && (k.seen == 0 || m.Size > 0 && unconfirmed[k.uid]) {
			if ok, err = t.sameSize(mailboxID, u.UIDValidity, k.uid, m.Size); err != nil {
				return u, err
			}
		}
		if ok {
			if u.UIDs[i] = k.uid; k.seen > 0 && k.seen < t.day() {
				outdated = append(outdated, m.ID)
			}
			continue
		}
		if _, err := t.exec("INSERT OR REPLACE INTO unique_ids (mailbox_id, unique_id, uidvalidity, uid, seen) VALUES (?, ?, ?, ?, ?)",
			mailboxID, m.ID, int64(u.UIDValidity), int64(u.Next), t.day()); err != nil {
			return u, fmt.Errorf("numbering the unique-id %s: %w", m.ID, err)
		}
		u.UIDs[i] = u.Next
		u.Next++
	}
	return u, t.ageUniqueIDs(mailboxID, known, outdated, u.Next-1, partial)
}

// unconfirmed are the numbers of mails that the server was, or is, to be told to
// delete.
func (t *Tx) unconfirmed(mailboxID int64, uidvalidity uint32) (map[uint32]bool, error) {
	uids, err := list(t.ctx, t.View, (*row).uint32, "SELECT uid FROM pending WHERE mailbox_id = ? AND uidvalidity = ?", mailboxID, int64(uidvalidity))
	if err != nil {
		return nil, fmt.Errorf("reading which mails are to be deleted: %w", err)
	}
	set := make(map[uint32]bool, len(uids))
	for _, uid := range uids {
		set[uid] = true
	}
	return set, nil
}

// sameSize reports whether a mail had that size when it was taken.
func (t *Tx) sameSize(mailboxID int64, uidvalidity, uid uint32, size int64) (bool, error) {
	was, err := one(t.ctx, t.View, (*row).int, "SELECT size FROM positions WHERE mailbox_id = ? AND uidvalidity = ? AND uid = ?",
		mailboxID, int64(uidvalidity), int64(uid))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, fmt.Errorf("reading the size of a deleted mail: %w", err)
	}
	return err == nil && was == size, nil
}

// knownID is a unique-id that has a number.
type knownID struct {
	id   string
	uid  uint32
	seen int64
}

func scanKnownID(r *row) knownID { return knownID{id: r.text(), uid: r.uint32(), seen: r.int()} }

// knownUniqueIDs looks up those that have a number.
func (t *Tx) knownUniqueIDs(mailboxID int64, mails []UniqueID) (map[string]knownID, error) {
	ids := make([]string, len(mails))
	for i, m := range mails {
		ids[i] = m.ID
	}
	wanted, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	found, err := list(t.ctx, t.View, scanKnownID, `SELECT unique_id, uid, seen FROM unique_ids
		WHERE mailbox_id = ? AND unique_id IN (SELECT value FROM json_each(?))`, mailboxID, wanted)
	if err != nil {
		return nil, fmt.Errorf("looking up unique-ids: %w", err)
	}
	known := make(map[string]knownID, len(found))
	for _, k := range found {
		known[k.id] = k
	}
	return known, nil
}

// renameUniqueIDs begins a new UIDValidity, if ids are known that should have
// been listed.
func (t *Tx) renameUniqueIDs(mailboxID int64, u *UniqueIDs) error {
	_, err := one(t.ctx, t.View, (*row).uint32, "SELECT uid FROM unique_ids WHERE mailbox_id = ? AND seen > 0 LIMIT 1", mailboxID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = t.exec("DELETE FROM unique_ids WHERE mailbox_id = ? AND uid > 0", mailboxID)
	}
	if err != nil {
		return fmt.Errorf("forgetting unique-ids: %w", err)
	}
	u.UIDValidity++
	return nil
}

// ageUniqueIDs notes which were listed today, once a day, and forgets what may
// be forgotten; never the highest number, which says what comes next.
func (t *Tx) ageUniqueIDs(mailboxID int64, listed map[string]knownID, outdated []string, highest uint32, partial bool) error {
	if len(outdated) > 0 {
		ids, err := jsonList(outdated)
		if err == nil {
			_, err = t.exec("UPDATE unique_ids SET seen = ? WHERE mailbox_id = ? AND unique_id IN (SELECT value FROM json_each(?))", t.day(), mailboxID, ids)
		}
		if err != nil {
			return fmt.Errorf("noting which unique-ids are listed: %w", err)
		}
	}
	if _, err := t.exec("DELETE FROM unique_ids WHERE mailbox_id = ? AND seen > 0 AND seen < ? AND uid < ?",
		mailboxID, dayNumber(t.now.Add(-uniqueIDsKept)), int64(highest)); err != nil {
		return fmt.Errorf("forgetting old unique-ids: %w", err)
	}
	if partial {
		return nil // that it is not listed says nothing
	}
	deleted, err := list(t.ctx, t.View, scanKnownID, `SELECT unique_id, uid, seen FROM unique_ids INDEXED BY unique_ids_by_seen
		WHERE mailbox_id = ? AND seen = 0 ORDER BY +uid`, mailboxID)
	if err != nil {
		return fmt.Errorf("reading the unique-ids of deleted mails: %w", err)
	}
	for _, k := range deleted {
		if _, ok := listed[k.id]; ok || k.id == "" && k.uid == highest {
			continue
		}
		forget := "DELETE FROM unique_ids WHERE mailbox_id = ? AND uid = ?"
		if k.uid == highest { // no mail has the empty id
			forget = "UPDATE unique_ids SET unique_id = '' WHERE mailbox_id = ? AND uid = ?"
		}
		if _, err := t.exec(forget, mailboxID, int64(k.uid)); err != nil {
			return fmt.Errorf("forgetting the unique-id of a deleted mail: %w", err)
		}
	}
	return nil
}

// DeletedUniqueIDs keeps that the server has confirmed the deletion of mails.
func (t *Tx) DeletedUniqueIDs(mailboxID int64, uids []uint32) error {
	numbers, err := jsonList(uids)
	if err == nil {
		_, err = t.exec("UPDATE unique_ids INDEXED BY unique_ids_by_uid SET seen = 0 WHERE mailbox_id = ? AND uid IN (SELECT value FROM json_each(?))", mailboxID, numbers)
	}
	if err != nil {
		return fmt.Errorf("keeping that mails are deleted: %w", err)
	}
	return nil
}
