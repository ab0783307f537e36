package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"helpdesk/daemon/desk"
	"helpdesk/store"
	"helpdesk/ui"
)

// What the administrator is told beside the alarms. All of it goes through the
// outbox, by a relay that works; while none does it waits to be said.

const (
	fuseBlip        = time.Minute    // a fuse that holds for less is no news
	fuseEvery       = 24 * time.Hour // the least time between two mails about a fuse
	quarantineEvery = time.Hour      // the same about mails that could not be taken
	quarantineList  = 20             // how many of these a mail lists
)

// tell queues a mail to the administrator, together with the record that says
// so; neither while no relay works.
func (h *housekeeping) tell(ctx context.Context, event string, args map[string]string, record houseRecord) error {
	r := h.alarms.relayFor(nil)
	if r == nil {
		return nil // it is tried again at the next look
	}
	now := h.now()
	next := now
	if event == desk.EventFuse {
		next = now.Add(-fuseEvery) // ahead of all the mail that it is about
	}
	_, domain, _ := strings.Cut(r.settings.Address, "@")
	line := store.OutboxLine{
		DeskID: r.settings.ID, Event: event, To: h.admin, Args: args, State: store.OutboxWaiting, CreatedAt: now, NextAt: next,
		MessageID: h.signer.MessageID(desk.Token{Agent: true, MessageID: now.UnixMilli(), Event: event}, h.admin, domain),
	}
	if err := h.keep(ctx, record, func(tx *store.Tx) error { return tx.Queue(&line) }); err != nil {
		return fmt.Errorf("queueing a mail to the administrator: %w", err)
	}
	h.queued()
	return nil
}

// tellFuse says that a fuse holds mail back.
func (h *housekeeping) tellFuse(ctx context.Context) error {
	now := h.now()
	if h.admin.Address == "" || !h.notify.Fuse || now.Sub(h.record.Fuse) < fuseEvery && !ahead(h.record.Fuse, now) {
		return nil
	}
	for _, subject := range slices.Sorted(maps.Keys(h.fuses)) {
		f := h.fuses[subject]
		since := f.holds()
		if since.IsZero() || now.Sub(since) < fuseBlip {
			continue
		}
		counts, err := h.store.OutboxCounts(ctx)
		if err != nil {
			return fmt.Errorf("counting the outbox: %w", err)
		}
		record := h.record
		record.Fuse = now
		return h.tell(ctx, desk.EventFuse, map[string]string{
			"relay": subject, "limit": strconv.Itoa(f.perMinute), "since": since.Format(time.RFC3339), "waiting": strconv.FormatInt(counts.Waiting, 10),
		}, record)
	}
	return nil
}

// tellQuarantine says which mails could not be taken since the last time.
func (h *housekeeping) tellQuarantine(ctx context.Context) error {
	now := h.now()
	if h.admin.Address == "" || !h.notify.Quarantine || now.Sub(h.record.Quarantined) < quarantineEvery && !ahead(h.record.Quarantined, now) {
		return nil
	}
	entries, err := h.store.Entries(ctx, store.EntryFilter{Outcome: desk.Quarantined, Limit: 10 * quarantineList})
	if err != nil {
		return fmt.Errorf("reading mails that could not be taken: %w", err)
	}
	var ids []int64
	for _, e := range entries {
		if e.ID > h.record.Quarantine {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	record := h.record
	record.Quarantine, record.Quarantined = ids[0], now // the newest is first
	more := max(0, len(ids)-quarantineList)
	list, err := json.Marshal(ids[:len(ids)-more])
	if err != nil {
		return fmt.Errorf("listing mails that could not be taken: %w", err)
	}
	return h.tell(ctx, desk.EventQuarantine, map[string]string{"entries": string(list), "more": strconv.Itoa(more)}, record)
}

// newsText puts a mail about the fuse or the quarantine into words.
func (d *daemon) newsText(ctx context.Context, line store.OutboxLine) (desk.News, error) {
	n := desk.News{Language: d.Config.Language, Link: d.pageLink}
	if line.Event == desk.EventFuse {
		n.Relay, n.Limit, n.Waiting = d.partName(line.Args["relay"]), line.Args["limit"], line.Args["waiting"]
		if since, err := time.Parse(time.RFC3339, line.Args["since"]); err == nil {
			n.Since = d.clock(since)
		}
		return n, nil
	}
	var ids []int64
	if err := json.Unmarshal([]byte(line.Args["entries"]), &ids); err != nil {
		return n, fmt.Errorf("reading what outbox line %d says: %w", line.ID, err)
	}
	if more := line.Args["more"]; more != "0" {
		n.More = more
	}
	words := ui.WordsIn(d.Config.Language)
	for _, id := range ids {
		e, err := d.store.Entry(ctx, id)
		if err != nil {
			continue // its line has expired while this mail waited
		}
		n.Mails = append(n.Mails, desk.NewsMail{
			ID: e.ID, Desk: e.Desk, From: e.From.Address, Subject: e.Subject, Seen: d.clock(e.SeenAt), Why: words.Rule(e.Rule),
		})
	}
	return n, nil
}
