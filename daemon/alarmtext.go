package daemon

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/desk"
	"helpdesk/store"
	"helpdesk/ui"
)

// alarmText puts a mail to the administrator into the words of the page.
func (d *daemon) alarmText(line store.OutboxLine) (desk.Alarm, error) {
	var list []telling
	if err := json.Unmarshal([]byte(line.Args["parts"]), &list); err != nil {
		return desk.Alarm{}, fmt.Errorf("reading what outbox line %d says: %w", line.ID, err)
	}
	words := desk.Alarm{Language: d.Config.Language, Link: d.pageLink}
	for _, one := range list {
		p := desk.AlarmPart{Name: d.partName(one.Subject), Server: one.Failure.Server, Since: d.clock(one.Since), Untold: one.What == tellBoth}
		told := d.words(one.Subject, one.Failure)
		p.Title, p.Text, p.Words = told.Title, told.Text, told.ServerText
		for i, step := range told.Remedy {
			p.Remedy = append(p.Remedy, fmt.Sprintf("%d. %s", i+1, step))
		}
		if one.What == tellFailing {
			words.Failing = append(words.Failing, p)
			continue
		}
		p.Until = d.clock(one.Until)
		words.Working = append(words.Working, p)
	}
	return words, nil
}

// clock writes a time as the clock on the wall shows it.
func (d *daemon) clock(t time.Time) string {
	return t.In(d.Now().Location()).Format("2006-01-02 15:04")
}

// words explains a state of a part: the fault of our own files where there is
// one, else what the server said.
func (d *daemon) words(subject string, h store.Health) ui.PartStatus {
	lang := d.Config.Language
	for _, r := range d.desks {
		if r.mailbox() == subject && len(r.conf.Closed) > 0 {
			return closed(r.conf, lang)
		}
	}
	p := ui.Part(h, d.provider(subject), lang)
	if fault := d.health.fault(subject); fault != nil {
		of := faultStatus(fault, lang)
		p.Cause, p.Title, p.Text, p.ServerText, p.Remedy = of.Cause, of.Title, "", "", of.Remedy
	}
	if h.State == stateStopped && h.Step != "" && d.health.fault(subject) == nil { // by a server's answer, not by a fault
		p.Remedy = append(p.Remedy, stoppedWords(lang))
	}
	return p
}

// stoppedWords say how a part goes on that is not tried any more.
func stoppedWords(lang string) string {
	if lang == config.Japanese {
		return "アカウントがロックされないよう、ログインを停止しています。テストが成功するか、ログインし直すとすぐに、パスワードのファイルを変更すると1分以内に再開します。"
	}
	return "So that the account is not locked, helpdesk does not sign in any more. It goes on at once when a test succeeds or the account is signed in again, and within a minute when the password's file changes."
}

// provider is the slug of the provider that a part's server belongs to, or "".
func (d *daemon) provider(subject string) string {
	if d.alarms != nil {
		for _, w := range d.alarms.parts {
			if w.subject == subject {
				return w.provider
			}
		}
	}
	return ""
}

// partName is what a person calls a part: "Support: mailbox".
func (d *daemon) partName(subject string) string {
	ja := d.Config.Language == config.Japanese
	kind, _, _ := strings.Cut(subject, ":")
	name := map[string][2]string{"mailbox": {"mailbox", "メールボックス"}, "relay": {"sending", "送信"}, "sender": {"sender address", "差出人アドレス"}, "canary": {"round trip", "往復テスト"}}[kind]
	var desks []string
	for _, w := range d.alarms.parts {
		if w.subject == subject {
			for _, r := range w.desks {
				desks = append(desks, r.settings.Name)
			}
		}
	}
	if ja {
		return strings.Join(desks, "、") + "の" + name[1]
	}
	return strings.Join(desks, ", ") + ": " + name[0]
}

// warnings are sentences about mail to the administrator that is not told or
// did not arrive.
func (a *alarms) warnings(lang string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ja := lang == config.Japanese
	var list []string
	n := len(a.record.Sent)
	if late := a.record.Line != "" && n > 0 && a.now().Sub(a.record.Sent[n-1]) >= alarmEvery; a.noRelay || late {
		text := "%s could not be told by mail that something does not work, because no mail can be sent at the moment. The mail follows as soon as it can."
		if ja {
			text = "現在メールを送信できないため、障害を管理者（%s）にメールでお知らせできていません。送信できるようになり次第お知らせします。"
		}
		list = append(list, fmt.Sprintf(text, a.admin.Address))
	}
	if a.record.Lost != "" {
		text := "The last mail to %s about what does not work was not delivered: %s. Check the address behind admin in helpdesk.toml."
		if ja {
			text = "管理者（%s）への障害通知が届きませんでした: %s。helpdesk.toml の admin のアドレスを確認してください。"
		}
		list = append(list, fmt.Sprintf(text, a.admin.Address, a.record.Lost))
	}
	return list
}
