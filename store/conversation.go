package store

import "context"

// CustomerMessageIDs returns the Message-IDs of what customers wrote in a
// request, oldest first.
func (v *View) CustomerMessageIDs(ctx context.Context, requestID int64) ([]string, error) {
	return list(ctx, v, (*row).text, "SELECT message_id FROM messages WHERE request_id = ? AND kind = 'customer' AND message_id <> '' ORDER BY id", requestID)
}

// CustomerMessageBefore returns the id of the last message of a customer in a
// request before another message; ErrNotFound when there is none.
func (v *View) CustomerMessageBefore(ctx context.Context, requestID, before int64) (int64, error) {
	return one(ctx, v, (*row).int, "SELECT id FROM messages WHERE request_id = ? AND kind = 'customer' AND id < ? ORDER BY id DESC LIMIT 1", requestID, before)
}

// NewestMessage returns the id of the newest message of a request; ErrNotFound
// when there is none.
func (v *View) NewestMessage(ctx context.Context, requestID int64) (int64, error) {
	return one(ctx, v, (*row).int, "SELECT id FROM messages WHERE request_id = ? ORDER BY id DESC LIMIT 1", requestID)
}

// ForgetPositions drops positions that are no longer true, and what the server
// was to be told of them: its UIDs belong to other mails now.
func (t *Tx) ForgetPositions(mailboxID int64, uidvalidity uint32, uids []uint32) error {
	numbers, err := jsonList(uids)
	if err != nil {
		return err
	}
	for _, table := range []string{"positions", "pending"} {
		if _, err := t.exec("DELETE FROM "+table+" WHERE mailbox_id = ? AND uidvalidity = ? AND uid IN (SELECT value FROM json_each(?))",
			mailboxID, int64(uidvalidity), numbers); err != nil {
			return err
		}
	}
	return nil
}
