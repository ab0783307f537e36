package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/mail/diagnose"
	"helpdesk/store"
	"helpdesk/ui"
)

// status is what works, what does not, and how much there is of everything.
func (d *daemon) status(ctx context.Context) (ui.Status, error) {
	s := ui.Status{Version: d.Version, OK: d.super.healthy(), Since: d.started, Desks: []ui.DeskStatus{}, Warnings: []string{}}
	for _, r := range d.desks {
		one := ui.DeskStatus{
			Key: r.settings.Key, Name: r.settings.Name,
			Mailbox: d.part(r.mailbox()),
			Relay:   d.sending(r),
		}
		if len(r.conf.Closed) > 0 {
			one.Mailbox = closed(r.conf, d.Config.Language)
		}
		for _, part := range []ui.PartStatus{one.Mailbox, one.Relay} {
			s.OK = s.OK && part.State != stateFailing && part.State != stateStopped
		}
		if subject := r.canary(); subject != "" {
			canary := d.part(subject)
			one.Canary = &canary
			s.OK = s.OK && canary.State != stateFailing
		}
		var err error
		if one.Observed, err = d.observedOf(ctx, r); err != nil {
			return s, err
		}
		if one.Import, err = d.importOf(ctx, r); err != nil {
			return s, err
		}
		s.Desks = append(s.Desks, one)
	}
	var err error
	if s.Outbox, err = d.store.OutboxCounts(ctx); err != nil {
		return s, fmt.Errorf("counting the outbox: %w", err)
	}
	counts, err := d.store.Counts(ctx)
	if err != nil {
		return s, fmt.Errorf("counting the ledger: %w", err)
	}
	for _, c := range counts {
		s.Ledger.Total += c.Total
		s.Ledger.Today += c.Today
		switch c.Outcome {
		case desk.Skipped:
			s.Ledger.Skipped += c.Total
		case desk.Quarantined:
			s.Ledger.Quarantined += c.Total
		case desk.Held:
			s.Ledger.Held += c.Total
		}
	}
	if err := d.reconciled(ctx, &s); err != nil {
		return s, err
	}
	s.Warnings = append(s.Warnings, d.warnings()...)
	lost, err := d.lostAnswers(ctx)
	if err != nil {
		return s, err
	}
	s.Warnings = append(s.Warnings, lost...)
	suspended, err := d.suspended(ctx)
	if err != nil {
		return s, err
	}
	s.Warnings = append(s.Warnings, suspended...)
	ends, err := d.forecasts(ctx)
	if err != nil {
		return s, err
	}
	s.Warnings = append(s.Warnings, ends...)
	s.OK = s.OK && len(lost) == 0
	return s, nil
}

// part is the state of a mailbox or relay in words.
func (d *daemon) part(subject string) ui.PartStatus {
	return d.words(subject, d.health.shown(subject, d.provider(subject)))
}

// sending is the state of a desk's relay. A relay that works for others and
// refuses this desk's sender does not work for this desk.
func (d *daemon) sending(r *runningDesk) ui.PartStatus {
	p := d.part(r.relay)
	if sender := d.part(senderOf(r.settings.ID)); p.State == stateOK && (broken(sender.State) || sender.Title != "") {
		return sender
	}
	return p
}

// faultStatus explains a fault in our own configuration or the files it names.
func faultStatus(fault *config.Fault, lang string) ui.PartStatus {
	return ui.PartStatus{State: stateFailing, Cause: "configuration", Title: fault.Key + ": " + fault.Reason(lang), Remedy: []string{fault.Remedy(lang)}}
}

// lostFor is how long an answer that did not reach its customer is called to mind.
const lostFor = 7 * 24 * time.Hour

// lostAnswers says which answers of agents did not reach their customers:
// whoever wrote one believes that it did.
func (d *daemon) lostAnswers(ctx context.Context) ([]string, error) {
	lines, err := d.store.Outbox(ctx, store.OutboxFilter{State: store.OutboxFailed, Limit: 100})
	if err != nil {
		return nil, fmt.Errorf("reading failed mail: %w", err)
	}
	var keys []string
	for _, l := range lines {
		if l.Event == desk.EventAnswered && d.Now().Sub(l.CreatedAt) < lostFor && !slices.Contains(keys, l.Request) {
			keys = append(keys, l.Request)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, nil
	case d.Config.Language == config.Japanese:
		return []string{fmt.Sprintf("次の依頼への回答がお客様に届いていません: %s。理由は「送信できなかったメール」をご覧ください（ログインが必要です）。別の方法でお客様に連絡してください。", strings.Join(keys, "、"))}, nil
	}
	return []string{fmt.Sprintf("The answer to these requests did not reach the customer: %s. Why is said below Mail that could not be sent (after signing in). Please reach the customer another way.", strings.Join(keys, ", "))}, nil
}

// reconciled adds up the comparisons of the mailboxes with the ledger. The time
// is that of the oldest one: all that the figures say is known since then.
func (d *daemon) reconciled(ctx context.Context, s *ui.Status) error {
	for _, r := range d.desks {
		last, err := reconciliation(ctx, d.store, r.settings.ID)
		if err != nil {
			return err
		}
		if last.At.IsZero() {
			continue
		}
		s.Ledger.Unaccounted += int64(last.Unaccounted)
		if s.Ledger.ReconciledAt.IsZero() || last.At.Before(s.Ledger.ReconciledAt) {
			s.Ledger.ReconciledAt = last.At
		}
	}
	return nil
}

// suspended says that some addresses get no mail since a short while. Which
// ones is said where only people who signed in can read it.
func (d *daemon) suspended(ctx context.Context) ([]string, error) {
	list, err := d.store.Suspensions(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the suspended addresses: %w", err)
	}
	list = slices.DeleteFunc(list, func(one store.Suspension) bool { return d.Now().Sub(one.At) >= lostFor })
	if len(list) == 0 {
		return nil, nil
	}
	return []string{ui.WordsIn(d.Config.Language).Count("status.gets-nothing", int64(len(list)))}, nil
}

// closed is the state of a mailbox that a fault of the configuration keeps closed.
func closed(c *config.Desk, lang string) ui.PartStatus {
	p := ui.PartStatus{State: stateStopped, Cause: "configuration", Title: "The configuration of this desk has a fault"}
	if lang == config.Japanese {
		p.Title = "この窓口の設定に誤りがあります"
	}
	for i := range c.Closed {
		p.Remedy = append(p.Remedy, c.Closed[i].Text(lang))
	}
	return p
}

// warnings are sentences about what works and still wants attention.
func (d *daemon) warnings() []string {
	lang := d.Config.Language
	ja := lang == config.Japanese
	list := d.alarms.warnings(lang)
	for _, faults := range [][]config.Fault{d.Config.Warnings, d.Config.Forecast(d.Now())} {
		for i := range faults {
			list = append(list, faults[i].Text(lang))
		}
	}
	list = append(list, d.certs.warnings(d.Now(), d.partName, lang)...)
	for _, r := range d.desks {
		if r.collector == nil || r.collector.refused.any() == nil {
			continue
		}
		words := diagnose.Explain(r.collector.refused.any(), r.conf.Mailbox.Provider())
		text := fmt.Sprintf("%s: the mail server does not let helpdesk mark, move or delete mail that was taken (after = %q). No mail is lost, and it is tried again. The server says: %s", r.settings.Name, r.settings.After, words.ServerText)
		if ja {
			text = fmt.Sprintf("%s: 受け付けたメールに印を付ける・移動する・削除する操作（after = %q）を、メールサーバーが拒否しています。メールは失われておらず、自動的に再試行します。サーバーの応答: %s", r.settings.Name, r.settings.After, words.ServerText)
		}
		list = append(list, text)
	}
	for _, one := range d.deliver {
		if one.fuse.pause() <= 0 {
			continue
		}
		text := fmt.Sprintf("More than %d mails wanted to go out within a minute. The rest waits and follows bit by bit; nothing is lost. The limit is max_per_minute in [relay].", one.fuse.perMinute)
		if ja {
			text = fmt.Sprintf("1分間の送信数が上限（%d通）に達したため、残りのメールは順番を待っています。失われるメールはありません。上限は [relay] の max_per_minute で変更できます。", one.fuse.perMinute)
		}
		list = append(list, text)
	}
	return list
}
