package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"helpdesk/mail"
	"helpdesk/store"
)

// Bounds of one digest. What is beyond them comes in another one.
const (
	maxDigestLines = 500
	maxHeldSenders = 500
)

// Digests puts all notices of a desk that wait for it into one mail for each
// agent, and tells agents whose mail is held because too much of it came.
// queued is true when there is such a mail to send. All of it is one
// transaction: a notice is in one digest, whenever the process ends.
func (t *Taker) Digests(ctx context.Context, s *Settings) (queued bool, err error) {
	if s.Silent || s.Muted[EventDigest] {
		return false, nil // they wait until mail is sent again
	}
	err = t.Store.Write(ctx, func(tx *store.Tx) error {
		queued = false
		lines, err := tx.DigestLines(ctx, s.ID)
		if err != nil {
			return fmt.Errorf("reading notices for the digest: %w", err)
		}
		d := &digests{queue: queue{t: t, tx: tx, s: s}}
		if d.held, d.upTo, err = t.heldSenders(ctx, tx, s); err != nil {
			return err
		}
		if err := d.queueAll(ctx, lines); err != nil {
			return err
		}
		queued = d.queued
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("making digests for %s: %w", s.Key, err)
	}
	return queued, nil
}

// digests are those of one desk.
type digests struct {
	queue
	held []heldSender
	upTo int64 // ledger line up to which held mail was counted
	n    int64 // how many there are
}

// queueAll makes the digests of all agents. Notices to somebody who is no
// agent any more come to nobody.
func (d *digests) queueAll(ctx context.Context, lines []store.OutboxLine) error {
	of := make(map[string][]int64)
	var order []mail.Address
	add := func(a mail.Address) {
		if _, there := of[a.Key()]; !there {
			of[a.Key()], order = nil, append(order, a)
		}
	}
	if len(d.held) > 0 {
		for _, a := range d.s.Agents {
			add(a)
		}
	}
	for _, l := range lines {
		add(l.To)
		of[l.To.Key()] = append(of[l.To.Key()], l.ID)
	}
	for _, to := range order {
		if agent, ok := d.s.Agent(to); ok {
			to = agent
		}
		if err := d.queueOf(ctx, to, of[to.Key()]); err != nil {
			return err
		}
	}
	return nil
}

// queueOf makes the digests of one agent: as many as the lines need.
func (d *digests) queueOf(ctx context.Context, to mail.Address, ids []int64) error {
	if _, agent := d.s.Agent(to); !agent {
		return d.tx.Digested(ids, 0)
	}
	held := d.held
	for len(ids) > 0 || len(held) > 0 {
		part, senders := ids[:min(len(ids), maxDigestLines)], held[:min(len(held), maxHeldSenders)]
		ids, held = ids[len(part):], held[len(senders):]
		line, err := d.digest(to, part, senders)
		if err != nil {
			return err
		}
		if err := d.put(ctx, &line); err != nil {
			return err
		}
		if err := d.tx.Digested(part, line.ID); err != nil {
			return fmt.Errorf("noting what the digest brings: %w", err)
		}
	}
	return nil
}

func (d *digests) digest(to mail.Address, ids []int64, held []heldSender) (store.OutboxLine, error) {
	line := d.line(EventDigest, to, true)
	line.Args = make(map[string]string)
	if len(ids) > 0 {
		words := make([]string, len(ids))
		for i, id := range ids {
			words[i] = itoa(id)
		}
		line.Args["lines"] = strings.Join(words, " ")
	}
	if len(held) > 0 {
		words, err := json.Marshal(held)
		if err != nil {
			return line, fmt.Errorf("writing whose mail is held: %w", err)
		}
		line.Args["held"] = string(words)
	}
	// No request and no message make it its own: the first notice in it does, or
	// up to where held mail was counted.
	d.n++
	id := Token{Agent: true, MessageID: -d.upTo*1000 - d.n, Event: EventDigest}
	if len(ids) > 0 {
		id.MessageID = ids[0]
	}
	line.MessageID = d.t.Signer.MessageID(id, to, d.domain())
	return line, nil
}

// heldSenders counts by sender the mail that was held since the last digest
// because too much of it came, up to a line of the ledger.
func (t *Taker) heldSenders(ctx context.Context, tx *store.Tx, s *Settings) (senders []heldSender, upTo int64, err error) {
	key := "digest-held:" + itoa(s.ID) // up to which ledger line agents were told
	words, _, err := tx.Meta(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("reading what the last digest brought: %w", err)
	}
	told, _ := strconv.ParseInt(words, 10, 64) // 0 where there was none
	upTo = told
	at := make(map[string]int)
	for {
		held, err := tx.HeldFrom(ctx, s.ID, RuleRate, nil, upTo, 1000)
		if err != nil {
			return nil, 0, fmt.Errorf("reading held mail: %w", err)
		}
		if len(held) == 0 {
			break
		}
		for _, e := range held {
			upTo = e.ID
			i, there := at[e.From.Key()]
			if !there {
				i = len(senders)
				at[e.From.Key()], senders = i, append(senders, heldSender{Address: e.From.Address, Name: e.From.Name})
			}
			senders[i].Count++
		}
	}
	if upTo == told {
		return nil, upTo, nil
	}
	slices.SortStableFunc(senders, func(a, b heldSender) int { return b.Count - a.Count })
	return senders, upTo, tx.SetMeta(key, itoa(upTo))
}
