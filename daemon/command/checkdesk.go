package command

import (
	"fmt"
	"slices"
	"strings"

	"helpdesk/daemon/config"
)

// deskLines says in short plain lines what a desk will do.
type deskLines struct {
	b    *strings.Builder
	d    *config.Desk
	lang string
}

// describe writes what a desk will do.
func describe(b *strings.Builder, c *config.Config, d *config.Desk, lang string) {
	l := deskLines{b, d, lang}
	fmt.Fprintf(b, l.pick("\n%s (%s)\n", "\n%s(%s)\n"), d.Name, d.Key)
	l.mode()
	l.line(l.pick("Address", "アドレス"), strings.Join(append([]string{d.Address}, d.Aliases...), ", "))
	l.mailbox()
	l.sender()
	l.people()
	l.agents(c)
	l.requests()
	l.course()
	if off := d.Notify.Off(); len(off) > 0 {
		l.line(l.pick("Not sent", "送信しない通知"), strings.Join(off, ", "))
	}
	if d.Notify.Templates != "" {
		l.line(l.pick("Own texts", "独自の文面"), d.Notify.Templates)
	}
}

func (l *deskLines) pick(en, ja string) string {
	if l.lang == config.Japanese {
		return ja
	}
	return en
}

func (l *deskLines) line(name, value string) {
	fmt.Fprintf(l.b, "  %s: %s\n", name, value)
}

func (l *deskLines) mode() {
	if l.d.Mode == config.ModeObserve {
		l.line(l.pick("Mode", "動作"), l.pick("observe; the mailbox is only looked at, nothing is changed or sent", "observe(確認のみ。メールボックスは変更せず、何も送信しません)"))
		return
	}
	l.line(l.pick("Mode", "動作"), "live")
}

func (l *deskLines) mailbox() {
	m := &l.d.Mailbox
	where := fmt.Sprintf(l.pick("%s at %s (%s), folder %s", "%[2]s の %[1]s(%[3]s)、フォルダー %[4]s"), m.Username, m.Addr(), strings.ToUpper(m.Protocol), m.Folder)
	if m.Protocol == config.POP3 {
		where = fmt.Sprintf(l.pick("%s at %s (POP3)", "%[2]s の %[1]s(POP3)"), m.Username, m.Addr())
	}
	l.line(l.pick("Mailbox", "メールボックス"), where)
	after := map[string]string{
		config.AfterKeep:   l.pick("stays as it is", "そのままにします"),
		config.AfterSeen:   l.pick("is marked as read", "既読にします"),
		config.AfterMove:   fmt.Sprintf(l.pick("is moved to %s", "%s に移動します"), m.MoveTo),
		config.AfterDelete: l.pick("is deleted there", "サーバーから削除します"),
	}
	then := m.After
	if l.d.Mode == config.ModeObserve {
		then = config.AfterKeep
	}
	l.line(l.pick("Mail that was taken", "受け付けたメール"), after[then])
	old := map[string]string{
		config.BacklogSkip:    l.pick("is left alone", "受け付けません"),
		config.BacklogImport:  l.pick("becomes requests, and nobody is written to", "依頼として取り込みます(通知は送りません)"),
		config.BacklogProcess: l.pick("is taken like new mail, and answered", "新着メールと同じように受け付け、通知を送ります"),
	}
	l.line(l.pick("Old mail at the first start", "初回起動時の既存メール"), old[m.Backlog])
}

// sender says whose name mail to customers has, and where their answers go.
func (l *deskLines) sender() {
	d := l.d
	relay := "[relay]"
	if d.OwnRelay {
		relay = "[desk.relay]"
	}
	places := func(key string) map[config.Origin]string {
		return map[config.Origin]string{
			config.FromDesk:  fmt.Sprintf(l.pick("%s of the desk", "窓口の %s"), key),
			config.FromRelay: fmt.Sprintf(l.pick("%s in %s", "%[2]s の %[1]s"), key, relay),
		}
	}
	from, reply := places("from"), places("reply_to")
	from[config.FromAddress] = l.pick("the desk's address", "窓口のアドレス")
	reply[config.FromAddress] = l.pick("not set; answers go to the sender", "指定なし。送信元と同じ")
	sender, answers := d.Sender(), d.ReplyAddress()
	if answers.Address == "" {
		answers = sender
	}
	l.line(l.pick("Sender (From)", "送信元 (From)"), fmt.Sprintf("%s <%s> (%s)", sender.Name, sender.Address, from[d.SenderOrigin()]))
	l.line(l.pick("Answers to (Reply-To)", "返信先 (Reply-To)"), fmt.Sprintf("%s (%s)", answers.Address, reply[d.ReplyOrigin()]))
	own := func(a string) bool { return strings.EqualFold(a, answers.Address) }
	if !own(d.Address) && !slices.ContainsFunc(d.Aliases, own) {
		fmt.Fprintf(l.b, l.pick("    %s is no address of this desk: see that its mail arrives in the mailbox, and add it to aliases.\n",
			"    %s はこの窓口のアドレスではありません。このアドレス宛てのメールがメールボックスに届くようにし、aliases に追加してください。\n"), answers.Address)
	}
	if !d.Relay.Enabled {
		l.line(l.pick("Relay", "中継サーバー"), l.pick("switched off; nothing is sent", "使用しません。何も送信しません"))
		return
	}
	l.line(l.pick("Relay", "中継サーバー"), d.Relay.Addr())
}

func (l *deskLines) people() {
	d := l.d
	who := l.pick("everybody", "誰でも")
	if !d.PublicSignup {
		who = l.pick("customers whom you added", "登録済みのお客様")
		if len(d.CustomerDomains) > 0 {
			who += l.pick(", and everybody at ", "と、次のドメイン: ") + strings.Join(d.CustomerDomains, ", ")
		}
		switch {
		case d.AnswerUnknown:
			who += l.pick("; mail of others is held, and they are told so once a week at most", "。それ以外のメールは保留し、送信者に最大で週 1 回お知らせします")
		default:
			who += l.pick("; mail of others is held", "。それ以外のメールは保留します")
		}
	}
	l.line(l.pick("Who may write", "受け付ける相手"), who)
	if len(d.Allow) > 0 {
		l.line(l.pick("Always let in", "常に受け付ける相手"), strings.Join(d.Allow, ", "))
	}
	if len(d.Block) > 0 {
		l.line(l.pick("Never let in", "常に拒否する相手"), strings.Join(d.Block, ", "))
	}
	automatic := l.pick("ignored", "受け付けません")
	if d.Automatic == config.AutomaticKeep {
		automatic = l.pick("becomes a request without an answer", "依頼にしますが、返信はしません")
	}
	l.line(l.pick("Automatic mail", "自動送信メール"), automatic)
}

func (l *deskLines) agents(c *config.Config) {
	var names []string
	for _, email := range l.d.Agents {
		names = append(names, fmt.Sprintf("%s <%s>", c.AgentName(email), email))
	}
	if len(names) == 0 {
		names = []string{l.pick("nobody", "なし")}
	}
	l.line(l.pick("Agents", "担当者"), strings.Join(names, ", "))
}

func (l *deskLines) requests() {
	t := l.d.Type()
	var fields []string
	for _, f := range t.Fields {
		if !f.Visible {
			continue
		}
		words := f.Name
		if len(f.Choices) > 0 {
			words += " (" + strings.Join(f.Choices, "/") + ")"
		}
		if f.Default != "" {
			words += " = " + f.Default
		}
		fields = append(fields, words)
	}
	l.line(l.pick("A mail becomes", "依頼種別"), fmt.Sprintf(l.pick("%s, with %s", "%s(項目: %s)"), t.Name, strings.Join(fields, ", ")))
}

// course says what happens in time.
func (l *deskLines) course() {
	d := l.d
	closing := fmt.Sprintf(l.pick("a reply opens it again for %s", "解決後 %s 以内の返信で再開"), d.Reopen)
	if d.AutoClose > 0 {
		closing = fmt.Sprintf(l.pick("after %s without a word of the customer; ", "お客様の返信が %s なければ自動で解決。"), d.AutoClose) + closing
	}
	l.line(l.pick("Resolved", "解決"), closing)
	if d.Remind > 0 {
		hours := strings.Join(d.Hours, "; ")
		if hours == "" {
			hours = l.pick("every hour counts", "24 時間")
		}
		zone := d.Timezone
		if zone == "" {
			zone = l.pick("this machine's time", "このコンピューターの時刻")
		}
		free := ""
		if len(d.Holidays) > 0 {
			free = l.pick(", not on ", "、休日: ") + strings.Join(d.Holidays, ", ")
		}
		l.line(l.pick("Agents are reminded", "担当者への催促"), fmt.Sprintf(l.pick("after %s (%s; %s)%s", "%s 後(%s、%s)%s"), d.Remind, hours, zone, free))
	}
}
