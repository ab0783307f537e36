package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const deskColumns = "SELECT id, address, key, name FROM desks "

func scanDesk(r *row) Desk {
	return Desk{ID: r.int(), Address: r.text(), Key: r.text(), Name: r.text()}
}

// Desks returns all desks that ever were, oldest first.
func (v *View) Desks(ctx context.Context) ([]Desk, error) {
	return list(ctx, v, scanDesk, deskColumns+"ORDER BY id")
}

// DeskByID returns one desk.
func (v *View) DeskByID(ctx context.Context, id int64) (Desk, error) {
	return one(ctx, v, scanDesk, deskColumns+"WHERE id = ?", id)
}

// EnsureDesk returns the desk with this address, which it adds or whose key and
// name it updates.
func (t *Tx) EnsureDesk(address, key, name string) (Desk, error) {
	address = strings.ToLower(strings.TrimSpace(address))
	_, err := t.exec(`INSERT INTO desks (address, key, name) VALUES (?, ?, ?)
		ON CONFLICT (address) DO UPDATE SET key = excluded.key, name = excluded.name`, address, key, name)
	if err != nil {
		return Desk{}, fmt.Errorf("keeping the desk %s: %w", address, err)
	}
	return one(t.ctx, t.View, scanDesk, deskColumns+"WHERE address = ?", address)
}

const mailboxColumns = `SELECT id, desk_id, protocol, host, username, folder,
	opened_at, uidvalidity, skip_below, skip_done, next_uid, import_total, import_done FROM mailboxes `

func scanMailbox(r *row) Mailbox {
	return Mailbox{
		ID: r.int(), DeskID: r.int(), Protocol: r.text(), Host: r.text(), Username: r.text(), Folder: r.text(),
		OpenedAt: r.time(), UIDValidity: r.uint32(), SkipBelow: r.uint32(), SkipDone: r.bool(), NextUID: r.uint32(),
		ImportTotal: int(r.int()), ImportDone: int(r.int()),
	}
}

// MailboxByID returns one mailbox.
func (v *View) MailboxByID(ctx context.Context, id int64) (Mailbox, error) {
	return one(ctx, v, scanMailbox, mailboxColumns+"WHERE id = ?", id)
}

// EnsureMailbox returns a desk's mailbox of this host, user and folder, which
// it adds when it is new. firstTime is true until SaveMailbox has kept a time
// in OpenedAt: the first start is the first opening that succeeds.
func (t *Tx) EnsureMailbox(deskID int64, protocol, host, username, folder string) (m Mailbox, firstTime bool, err error) {
	const same = mailboxColumns + "WHERE desk_id = ? AND protocol = ? AND host = ? AND username = ? AND folder = ?"
	host = strings.ToLower(host)
	m, err = one(t.ctx, t.View, scanMailbox, same, deskID, protocol, host, username, folder)
	if errors.Is(err, ErrNotFound) {
		_, err = t.exec(`INSERT INTO mailboxes (desk_id, protocol, host, username, folder,
			opened_at, uidvalidity, skip_below, skip_done, next_uid) VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, 0)`,
			deskID, protocol, host, username, folder)
		if err == nil {
			m, err = one(t.ctx, t.View, scanMailbox, same, deskID, protocol, host, username, folder)
		}
	}
	if err != nil {
		return Mailbox{}, false, fmt.Errorf("keeping the mailbox of %s at %s: %w", username, host, err)
	}
	return m, m.OpenedAt.IsZero(), nil
}

// SaveMailbox keeps how far a mailbox has been read.
func (t *Tx) SaveMailbox(m Mailbox) error {
	n, err := t.exec(`UPDATE mailboxes SET opened_at = ?, uidvalidity = ?, skip_below = ?, skip_done = ?, next_uid = ?,
		import_total = ?, import_done = ? WHERE id = ?`,
		millis(m.OpenedAt), int64(m.UIDValidity), int64(m.SkipBelow), flag(m.SkipDone), int64(m.NextUID),
		int64(m.ImportTotal), int64(m.ImportDone), m.ID)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("keeping the state of mailbox %d: %w", m.ID, err)
	}
	return nil
}

const healthColumns = `SELECT subject, state, since, last_poll, next_poll, step, protocol, server,
	code, enhanced, text, temporary, err, auth FROM health `

func scanHealth(r *row) Health {
	return Health{
		Subject: r.text(), State: r.text(), Since: r.time(), LastPoll: r.time(), NextPoll: r.time(),
		Step: r.text(), Protocol: r.text(), Server: r.text(), Code: r.text(), Enhanced: r.text(),
		Text: r.text(), Temporary: r.bool(), Err: r.text(), Auth: r.text(),
	}
}

// HealthAll returns the last known state of every part, by subject.
func (v *View) HealthAll(ctx context.Context) ([]Health, error) {
	return list(ctx, v, scanHealth, healthColumns+"ORDER BY subject")
}

// PutHealth keeps the state of a part in the place of its last one.
func (t *Tx) PutHealth(h Health) error {
	_, err := t.exec("INSERT OR REPLACE INTO health VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		h.Subject, h.State, millis(h.Since), millis(h.LastPoll), millis(h.NextPoll), h.Step, h.Protocol, h.Server,
		h.Code, h.Enhanced, h.Text, flag(h.Temporary), h.Err, h.Auth)
	if err != nil {
		return fmt.Errorf("keeping the state of %s: %w", h.Subject, err)
	}
	return nil
}

// Meta returns a value kept by SetMeta and whether there is one.
func (v *View) Meta(ctx context.Context, key string) (value string, ok bool, err error) {
	value, err = one(ctx, v, (*row).text, "SELECT value FROM meta WHERE key = ?", key)
	if errors.Is(err, ErrNotFound) {
		return "", false, nil
	}
	return value, err == nil, err
}

// SetMeta keeps a value under a key.
func (t *Tx) SetMeta(key, value string) error {
	if _, err := t.exec("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value); err != nil {
		return fmt.Errorf("keeping %s: %w", key, err)
	}
	return nil
}

// SuspendedAt reports whether nothing is to be sent to an address.
func (v *View) SuspendedAt(ctx context.Context, address string) (bool, error) {
	_, err := one(ctx, v, (*row).int, "SELECT at FROM suspended WHERE key = ?", addressKey(address))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Suspend keeps that nothing is to be sent to an address, because of the bounce
// of a ledger line with an enhanced status code.
func (t *Tx) Suspend(address string, ledgerID int64, status string) error {
	_, err := t.exec("INSERT OR REPLACE INTO suspended VALUES (?, ?, ?, ?)", addressKey(address), ledgerID, status, millis(t.now))
	if err != nil {
		return fmt.Errorf("suspending %s: %w", address, err)
	}
	return nil
}

// Unsuspend takes Suspend back.
func (t *Tx) Unsuspend(address string) error {
	if _, err := t.exec("DELETE FROM suspended WHERE key = ?", addressKey(address)); err != nil {
		return fmt.Errorf("taking back the suspension of %s: %w", address, err)
	}
	return nil
}

// day returns the number of the day that it is now, where the desk is.
func (v *View) day() int64 { return dayNumber(v.now()) }
