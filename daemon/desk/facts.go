package desk

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"helpdesk/mail"
	"helpdesk/store"
)

// maxRefs bounds how many Message-IDs of a mail are looked up: the nearest
// ones name the conversation, a header with thousands is no conversation.
const maxRefs = 50

var subjectKey = regexp.MustCompile(`(?i)\[\s*([A-Z][A-Z0-9]{0,9}-[0-9]{1,12})\s*\]`)

// facts looks up what deciding needs to know of a mail.
func (t *Taker) facts(ctx context.Context, tx *store.Tx, s *Settings, box store.Mailbox, m *mail.Message) (*Facts, error) {
	f := &Facts{Mail: m, Desk: s, Sender: sender(s, m)}
	f.Own = slices.ContainsFunc(m.Loop, func(v string) bool { return t.Signer.OwnLoop(s.ID, v) })
	for _, v := range m.Loop {
		if sent, ok := t.Signer.OwnProbe(s.ID, v); ok {
			f.Probe = sent
		}
	}
	var err error
	if f.Duplicate, err = duplicateOf(ctx, tx, s, m); err != nil {
		return nil, err
	}
	if !m.Generated || !m.Date.IsZero() { // else From and Subject alone would tell
		if f.Skipped, _, err = tx.SkippedByHash(ctx, box.ID, m.HeaderHash); err != nil {
			return nil, fmt.Errorf("looking up old mail: %w", err)
		}
	}
	if m.Bounce != nil && m.Bounce.OriginalMessageID != "" {
		if f.Bounce, err = bounceLine(ctx, tx, m.Bounce); err != nil {
			return nil, err
		}
	}
	if f.Refs, err = t.refs(ctx, tx, s, m.From, m); err != nil {
		return nil, err
	}
	if m.Automatic != "" {
		return f, nil // never answered: what was sent to the sender does not matter
	}
	now := t.Now()
	if f.AutomaticDay, err = tx.AutomaticSince(ctx, f.Sender.Key(), now.Add(-24*time.Hour)); err != nil {
		return nil, fmt.Errorf("counting automatic mail: %w", err)
	}
	if f.AutomaticDay > 0 {
		if f.AutomaticHour, err = tx.AutomaticSince(ctx, f.Sender.Key(), now.Add(-time.Hour)); err != nil {
			return nil, fmt.Errorf("counting automatic mail: %w", err)
		}
	}
	if f.Suspended, err = tx.SuspendedAt(ctx, f.Sender.Key()); err != nil {
		return nil, fmt.Errorf("looking up suspended addresses: %w", err)
	}
	return f, nil
}

// sender is who asks. It is the author, save where that is a form on the
// office's own web site or a no-reply address, which name the person in
// Reply-To, or where there is no From line. Only From gives a right to a
// conversation: no mail provider checks the others.
func sender(s *Settings, m *mail.Message) mail.Address {
	if _, agent := s.Agent(m.From); agent {
		if f := m.Forwarded; f != nil && dmarcPass(m, s.AuthservID) && usable(f.From) && !s.Ours(f.From) {
			return f.From // an agent passes on what a customer wrote
		}
		return m.From
	}
	if len(m.ReplyTo) == 1 && (noReply(m.From) || sameDomain(m.From, s.Address)) && usable(m.ReplyTo[0]) && !s.Ours(m.ReplyTo[0]) {
		return m.ReplyTo[0]
	}
	if path := (mail.Address{Address: m.ReturnPath}); !usable(m.From) && usable(path) && !s.Ours(path) {
		return path
	}
	return m.From
}

// usable reports whether mail can be sent to an address.
func usable(a mail.Address) bool {
	local, domain, ok := strings.Cut(a.Address, "@")
	return ok && local != "" && domain != ""
}

func sameDomain(a mail.Address, address string) bool {
	_, one, ok := strings.Cut(a.Key(), "@")
	_, other, _ := strings.Cut(strings.ToLower(address), "@")
	return ok && one == other
}

// noReply reports whether nobody reads mail to an address.
func noReply(a mail.Address) bool {
	local, _, _ := strings.Cut(a.Key(), "@")
	local = strings.NewReplacer("-", "", "_", "", ".", "").Replace(local)
	return strings.HasPrefix(local, "noreply") || strings.HasPrefix(local, "donotreply") || local == "mailerdaemon"
}

// duplicateOf finds the ledger line of the same content in this desk. A mail
// with neither Message-ID nor Date is told from another of the same words only
// by its position, which the collector carries over when a mailbox is numbered anew.
func duplicateOf(ctx context.Context, tx *store.Tx, s *Settings, m *mail.Message) (int64, error) {
	id, ok, err := tx.EntryByFingerprint(ctx, s.ID, m.Fingerprint)
	if err != nil {
		return 0, fmt.Errorf("looking up the fingerprint: %w", err)
	}
	if !ok {
		return 0, nil
	}
	if m.Generated && m.Date.IsZero() {
		return 0, nil
	}
	return id, nil
}

// bounceLine finds which of our mails came back. Customers and participants
// share a Message-ID, so the recipient tells their lines apart.
func bounceLine(ctx context.Context, tx *store.Tx, b *mail.Bounce) (*store.OutboxLine, error) {
	lines, err := tx.OutboxByMessageID(ctx, b.OriginalMessageID)
	if err != nil {
		return nil, fmt.Errorf("looking up the mail that came back: %w", err)
	}
	recipient := mail.Address{Address: b.Recipient}.Key()
	for _, l := range lines {
		if l.To.Key() == recipient || len(lines) == 1 {
			return &l, nil
		}
	}
	return nil, nil
}

// refs lists the conversations that a mail points to, the nearest first:
// In-Reply-To, then References from the last to the first, then the subject.
func (t *Taker) refs(ctx context.Context, tx *store.Tx, s *Settings, from mail.Address, m *mail.Message) ([]Ref, error) {
	ids := slices.Clone(m.InReplyTo)
	for i := len(m.References) - 1; i >= 0; i-- {
		if !slices.Contains(ids, m.References[i]) {
			ids = append(ids, m.References[i])
		}
	}
	ids = ids[:min(len(ids), maxRefs)]
	var refs []Ref
	var foreign []string // not made by us: looked up among the mails we took
	for _, id := range ids {
		token, agent, ok := t.Signer.Read(id, s.Agents)
		switch {
		case ok && token.Agent:
			refs = append(refs, Ref{RequestID: token.RequestID, By: ByAgentToken, Agent: agent})
		case ok:
			refs = append(refs, Ref{RequestID: token.RequestID, By: ByCustomerToken})
		default:
			foreign = append(foreign, id)
		}
	}
	if len(foreign) > 0 {
		known, err := tx.RequestsByMessageIDs(ctx, foreign)
		if err != nil {
			return nil, fmt.Errorf("looking up Message-IDs: %w", err)
		}
		for _, k := range known {
			refs = append(refs, Ref{RequestID: k.RequestID, By: ByMessageID})
		}
	}
	for _, match := range subjectKey.FindAllStringSubmatch(m.Subject, 3) {
		request, err := tx.RequestByKey(ctx, match[1])
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("looking up %s: %w", match[1], err)
		}
		refs = append(refs, Ref{RequestID: request.ID, By: BySubject})
	}
	return t.complete(ctx, tx, s, from, refs)
}

// complete adds key and the sender's part to refs, and drops those to
// requests of other desks or that are gone.
func (t *Taker) complete(ctx context.Context, tx *store.Tx, s *Settings, from mail.Address, refs []Ref) ([]Ref, error) {
	kept := refs[:0]
	for _, ref := range refs {
		request, err := tx.RequestByID(ctx, ref.RequestID)
		if errors.Is(err, store.ErrNotFound) || (err == nil && request.DeskID != s.ID) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("reading request %d: %w", ref.RequestID, err)
		}
		ref.Key = request.Key
		participants, err := tx.Participants(ctx, ref.RequestID)
		if err != nil {
			return nil, fmt.Errorf("reading participants of %s: %w", request.Key, err)
		}
		ref.Part = from.Address != "" && slices.ContainsFunc(participants, func(p store.Participant) bool { return p.Key() == from.Key() })
		ref.Unreachable = !slices.ContainsFunc(participants, func(p store.Participant) bool { return usable(p.Address) })
		kept = append(kept, ref)
	}
	return kept, nil
}
