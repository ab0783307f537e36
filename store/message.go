package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"helpdesk/mail"
)

const messageColumns = `SELECT id, request_id, ledger_id, kind, from_name, from_address, at, message_id, verified, reason, attachments,
	reply, reply_bytes, text FROM messages `

func scanMessage(r *row) Message {
	m := Message{
		ID: r.int(), RequestID: r.int(), LedgerID: r.int(), Kind: r.text(), From: mail.Address{Name: r.text(), Address: r.text()},
		At: r.time(), MessageID: r.text(), Verified: r.bool(), Reason: r.text(),
	}
	var files []attachment
	r.json(&files)
	m.Attachments = make([]mail.Attachment, len(files))
	for i, f := range files {
		m.Attachments[i] = mail.Attachment(f)
	}
	m.Reply, m.Text = r.replyAndText()
	return m
}

// replyAndText reads reply, reply_bytes and text.
func (r *row) replyAndText() (reply, text string) {
	derived := r.values[r.next] == nil
	reply, n := r.text(), r.int()
	text = r.text()
	if derived && n <= int64(len(text)) {
		reply = text[:n]
	}
	return reply, text
}

// attachment is mail.Attachment with all fields in its JSON.
type attachment struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"`
	Inline    bool   `json:"inline,omitempty"`
	ContentID string `json:"cid,omitempty"`
	Part      int    `json:"part"`
}

// Message returns one message.
func (v *View) Message(ctx context.Context, id int64) (Message, error) {
	return one(ctx, v, scanMessage, messageColumns+"WHERE id = ?", id)
}

// Messages returns a request's conversation, oldest first.
func (v *View) Messages(ctx context.Context, requestID int64) ([]Message, error) {
	return list(ctx, v, scanMessage, messageColumns+"WHERE request_id = ? ORDER BY id", requestID)
}

// RequestsByMessageIDs returns in which requests mails with these Message-IDs
// are, in no order.
func (v *View) RequestsByMessageIDs(ctx context.Context, ids []string) ([]MessageRequest, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	hashes := make([]int64, len(ids))
	for i, id := range ids {
		hashes[i] = messageHash(id)
	}
	numbers, err := jsonList(hashes)
	if err != nil {
		return nil, err
	}
	found, err := list(ctx, v, func(r *row) MessageRequest {
		return MessageRequest{MessageID: r.text(), RequestID: r.int()}
	}, "SELECT message_id, request_id FROM messages WHERE message_hash IN (SELECT value FROM json_each(?)) AND message_hash <> 0", numbers)
	return slices.DeleteFunc(found, func(m MessageRequest) bool { return !slices.Contains(ids, m.MessageID) }), err
}

// messageHash is what Message-IDs are looked up by: a quarter of the index
// that they would take themselves. What is found is compared in full.
func messageHash(id string) int64 {
	if id == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(id))
	return int64(binary.BigEndian.Uint64(sum[:8]) | 1) // never the 0 of "none"
}

// AddMessage adds a message to its request, sets its ID, and At when it is
// zero; the request's last change is then no earlier.
func (t *Tx) AddMessage(m *Message) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("adding a message: %w", err)
		}
	}()
	if m.At.IsZero() {
		m.At = t.now
	}
	files := ""
	if len(m.Attachments) > 0 {
		all := make([]attachment, len(m.Attachments))
		for i, a := range m.Attachments {
			all[i] = attachment(a)
		}
		b, err := json.Marshal(all)
		if err != nil {
			return fmt.Errorf("writing the attachments as JSON: %w", err)
		}
		files = string(b)
	}
	// Most replies are how the text begins: then the length says it all.
	var reply any
	if !strings.HasPrefix(m.Text, m.Reply) {
		reply = m.Reply
	}
	if m.ID, err = t.next("message"); err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO messages (id, request_id, ledger_id, kind, from_name, from_address, at, message_id, message_hash, verified,
		reason, attachments, reply, reply_bytes, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		m.ID, m.RequestID, m.LedgerID, m.Kind, m.From.Name, m.From.Address, millis(m.At), m.MessageID, messageHash(m.MessageID),
		flag(m.Verified), m.Reason, files, reply, int64(len(m.Reply)), m.Text)
	if err != nil {
		return err
	}
	if at, ok := t.updated[m.RequestID]; ok && !m.At.After(at) {
		return nil
	}
	n, err := t.exec("UPDATE requests SET updated = max(updated, ?) WHERE id = ?", millis(m.At), m.RequestID)
	if err == nil && n == 0 {
		err = fmt.Errorf("request %d: %w", m.RequestID, ErrNotFound)
	}
	return err
}
