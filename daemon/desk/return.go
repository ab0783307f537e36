package desk

import (
	"context"
	"fmt"
	"strings"

	"helpdesk/mail"
)

// What follows when a mail of ours comes back, and when its address is heard of again.

// reached lifts the suspension of an address from which an answer to our mail
// comes, a customer's or an agent's: it arrived there.
func (c *carrying) reached(ctx context.Context) error {
	ours := first(c.f.Refs, func(r Ref) bool { return r.By == ByCustomerToken })
	if p := proven(c.f); p != nil && p.token != nil {
		ours = p.token
	}
	if c.f.Mail.Automatic != "" || c.f.Mail.FromUnsure || ours == nil {
		return nil
	}
	from := c.f.Mail.From.Key()
	suspended, err := c.tx.SuspendedAt(ctx, from)
	if err != nil {
		return fmt.Errorf("looking up suspended addresses: %w", err)
	}
	if !suspended {
		return nil
	}
	if err := c.tx.Unsuspend(from); err != nil {
		return fmt.Errorf("lifting the suspension of %s: %w", from, err)
	}
	return nil
}

// returned marks the outbox line that came back, and suspends its address.
func (c *carrying) returned(entryID int64) error {
	b := c.f.Mail.Bounce
	if c.f.Bounce == nil || b == nil {
		return nil
	}
	if b.Permanent {
		if err := c.tx.MarkReturned(c.f.Bounce.ID, CauseBounced, returnWords(b)); err != nil {
			return err
		}
	}
	if c.d.Suspend != "" {
		if err := c.tx.Suspend(c.d.Suspend, entryID, b.Status); err != nil {
			return fmt.Errorf("suspending %s: %w", c.d.Suspend, err)
		}
	}
	return nil
}

// CauseBounced is why a line of the outbox failed that the relay had accepted.
const CauseBounced = "bounced"

func returnWords(b *mail.Bounce) string {
	return strings.TrimSpace(b.Status + " " + clip(b.Diagnostic, 500))
}

// bounced tells agents, with their next digest only, that an answer came back
// for good.
func (c *carrying) bounced(ctx context.Context) error {
	b, line := c.f.Mail.Bounce, c.f.Bounce
	if b == nil || !b.Permanent || line == nil || line.Event != EventAnswered {
		return nil
	}
	c.args = map[string]string{"address": line.To.Address, "words": returnWords(b)}
	return c.toAgents(ctx, EventBounced, c.responsible())
}
