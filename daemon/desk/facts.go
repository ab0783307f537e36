package desk

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	f := &Facts{Mail: m, Desk: s, Sender: sender(s, m), Now: t.Now()}
	f.Own = slices.ContainsFunc(m.Loop, func(v string) bool { return t.Signer.OwnLoop(s.ID, v) })
	for _, v := range m.Loop {
		if sent, ok := t.Signer.OwnProbe(s.ID, v); ok {
			f.Probe = sent
		}
		if sent, ok := t.Signer.OwnPlus(s.ID, v); ok {
			f.Probe, f.Plus = sent, true
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
	if f.Refs, err = t.refs(ctx, tx, s, m); err != nil {
		return nil, err
	}
	if _, agent := s.Agent(m.From); agent {
		if err := t.agentFacts(ctx, tx, f); err != nil {
			return nil, err
		}
	}
	if err := t.senderFacts(ctx, tx, f); err != nil {
		return nil, err
	}
	if m.Automatic != "" {
		return f, nil // never answered: what was sent to the sender does not matter
	}
	return f, t.answerFacts(ctx, tx, f)
}

// senderFacts looks up who the sender is to this desk: what a rule needs that
// may come to its turn, no more.
func (t *Taker) senderFacts(ctx context.Context, tx *store.Tx, f *Facts) (err error) {
	for _, a := range authors(f) {
		if f.Blocked || !usable(a) {
			continue
		}
		if f.Blocked, err = tx.BlockedAt(ctx, f.Desk.ID, a.Key()); err != nil {
			return fmt.Errorf("looking up blocked addresses: %w", err)
		}
	}
	if limit := f.Desk.Limits.Mails; limit > 0 && proven(f) == nil {
		last, err := tx.NthNewest(ctx, f.Desk.ID, f.Mail.From.Key(), limit)
		if err != nil {
			return fmt.Errorf("counting the sender's mail: %w", err)
		}
		f.OverRate = last.After(f.Now.Add(-time.Hour))
	}
	if known(f) || !usable(f.Sender) {
		return nil
	}
	if f.Known, err = tx.KnownAt(ctx, f.Desk.ID, f.Sender.Key()); err != nil {
		return fmt.Errorf("looking up the customer: %w", err)
	}
	return nil
}

// answerFacts looks up what automatic mail the sender got, where they may get any.
func (t *Taker) answerFacts(ctx context.Context, tx *store.Tx, f *Facts) (err error) {
	key := f.Sender.Key()
	if f.Suspended, err = tx.SuspendedAt(ctx, key); err != nil {
		return fmt.Errorf("looking up suspended addresses: %w", err)
	}
	if f.Suspended || !answerable(f) {
		return nil
	}
	if f.AutomaticDay, err = tx.AutomaticSince(ctx, key, f.Now.Add(-24*time.Hour)); err != nil {
		return fmt.Errorf("counting automatic mail: %w", err)
	}
	if f.AutomaticDay > 0 {
		if f.AutomaticHour, err = tx.AutomaticSince(ctx, key, f.Now.Add(-time.Hour)); err != nil {
			return fmt.Errorf("counting automatic mail: %w", err)
		}
	}
	if f.Desk.Limits.AutomaticInAll > 0 {
		if f.AutomaticInAll, err = tx.AutomaticInAll(ctx, f.Now.Add(-time.Hour)); err != nil {
			return fmt.Errorf("counting automatic mail: %w", err)
		}
	}
	if f.Desk.AnswerUnknown && !known(f) {
		told, err := tx.EventsSince(ctx, EventHeld, key, f.Now.Add(-heldPause))
		if err != nil {
			return fmt.Errorf("counting automatic mail: %w", err)
		}
		f.HeldSince = told > 0
	}
	return nil
}

// heldPause is how long a sender whom we do not know waits for another answer.
const heldPause = 7 * 24 * time.Hour

// agentFacts looks up what an agent's mail is checked by: whether it answers a
// digest or another mail of ours that belongs to no request, and, where
// commands stand among its last lines, which such lines the customers of the
// conversation wrote.
func (t *Taker) agentFacts(ctx context.Context, tx *store.Tx, f *Facts) error {
	for _, id := range slices.Concat(f.Mail.InReplyTo, f.Mail.References[max(0, len(f.Mail.References)-maxRefs):]) {
		token, agent, ok := t.Signer.Read(id, f.Desk.Agents)
		f.Digest = f.Digest || ok && token.Agent && token.RequestID == 0 && !ToAdmin(token.Event) && agent.Key() == f.Mail.From.Key()
	}
	lines := strings.Split(f.Mail.Reply, "\n")
	p := proven(f)
	if _, last := commandLines(lines); p == nil || last == len(lines) {
		return nil
	}
	ref := p.token
	if ref == nil {
		ref = first(f.Refs, anyRef)
	}
	if ref == nil {
		return nil
	}
	const quoted = 20 // mails of the customer, the newest ones: an answer quotes few
	for id, i := int64(math.MaxInt64), 0; i < quoted; i++ {
		var err error
		if id, err = tx.CustomerMessageBefore(ctx, ref.RequestID, id); errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading %s: %w", ref.Key, err)
		}
		m, err := tx.Message(ctx, id)
		if err != nil {
			return fmt.Errorf("reading %s: %w", ref.Key, err)
		}
		f.Theirs = append(f.Theirs, commandsIn(m.Text)...)
	}
	return nil
}

// sender is who asks. It is the author, save where that is a form on the
// office's own web site or a no-reply address, which name the person in
// Reply-To, or where there is no From line. Only From gives a right to a
// conversation: no mail provider checks the others.
func sender(s *Settings, m *mail.Message) mail.Address {
	if _, agent := s.Agent(m.From); agent {
		if f := passedOn(m); f != nil && !m.FromUnsure && dmarcPass(m, s.AuthservID) && usable(f.From) && !s.Ours(f.From) {
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

// passedOn is the mail that this one passes on, nil where it answers: what an
// answer quotes may hold a mail that its writer had passed on.
func passedOn(m *mail.Message) *mail.Forwarded {
	if answerPrefix.MatchString(m.Subject) {
		return nil
	}
	return m.Forwarded
}

// answerPrefix is what mail programs put before the subject of an answer.
var answerPrefix = regexp.MustCompile(`^\s*(?i:re|aw|antw|sv|vs|odp|ynt|回复|回覆|答复|返信)\s*([\[(]\d+[\])])?\s*[:：]`)

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
		if l.State == store.OutboxWaiting && l.Attempts == 0 {
			continue // who got a mail of that Message-ID cannot stop what others are still to get
		}
		if l.To.Key() == recipient || len(lines) == 1 {
			return &l, nil
		}
	}
	return nil, nil
}

// refs lists the conversations that a mail points to, the nearest first:
// In-Reply-To, then References from the last to the first, then the address it
// was sent to, then the subject.
func (t *Taker) refs(ctx context.Context, tx *store.Tx, s *Settings, m *mail.Message) ([]Ref, error) {
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
	for _, a := range sentTo(m) {
		if id, ok := t.Signer.ReadAddress(a, s); ok && len(refs) < maxRefs {
			refs = append(refs, Ref{RequestID: id, By: ByCustomerToken})
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
	return t.complete(ctx, tx, s, m.From, refs)
}

// sentTo are the addresses that a mail was written or delivered to.
func sentTo(m *mail.Message) []mail.Address {
	to := slices.Concat(m.To, m.Cc)
	for _, address := range m.DeliveredTo {
		to = append(to, mail.Address{Address: address})
	}
	return to
}

// complete adds to refs what is known of their requests, and drops those to
// requests of other desks or that are gone. One to a request that became part
// of another one is to that. No two are alike.
func (t *Taker) complete(ctx context.Context, tx *store.Tx, s *Settings, from mail.Address, refs []Ref) ([]Ref, error) {
	kept := refs[:0]
	var persons []string // all addresses of the sender; looked up once
	for _, ref := range refs {
		request, err := tx.RequestByID(ctx, ref.RequestID)
		if err == nil {
			request, err = t.merged(ctx, tx, request)
		}
		if errors.Is(err, store.ErrNotFound) || err == nil && (request.DeskID != s.ID || request.MergedInto != 0) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("reading request %d: %w", ref.RequestID, err)
		}
		ref.RequestID, ref.Key = request.ID, request.Key
		if slices.ContainsFunc(kept, func(k Ref) bool {
			return k.RequestID == ref.RequestID && k.By == ref.By && k.Agent.Key() == ref.Agent.Key()
		}) {
			continue
		}
		if persons == nil && from.Address != "" {
			if persons, err = tx.PersonKeys(ctx, from.Key()); err != nil {
				return nil, fmt.Errorf("looking up who %s is: %w", from.Address, err)
			}
		}
		participants, err := tx.Participants(ctx, ref.RequestID)
		if err != nil {
			return nil, fmt.Errorf("reading participants of %s: %w", request.Key, err)
		}
		ref.Part = slices.ContainsFunc(participants, func(p store.Participant) bool { return slices.Contains(persons, p.Key()) })
		ref.Asks = slices.Contains(persons, request.Requester.Key())
		ref.Unreachable = !slices.ContainsFunc(participants, func(p store.Participant) bool { return usable(p.Address) && !s.Ours(p.Address) })
		ref.Closed = !request.ClosedAt.IsZero() || request.State == store.StateResolved && s.Reopen > 0 && t.Now().Sub(request.ResolvedAt) > s.Reopen
		kept = append(kept, ref)
	}
	return kept, nil
}
