package mail

import "strings"

// bounceSubjects begin or fill the subjects of the free-form bounces, lower case.
var bounceSubjects = []string{
	"undelivered mail", "[bounce]", "delivery status", "error sending your mail", "could not send message", "returned message", "olevererbart", "ikke leveret", "kan niet worden", "配信に失敗", "配信不可", "送信できません", "配送失敗", "送达失败", "傳遞失敗", "mail delivery status", "report: non-delivery", "undeliverable", "undeliver", "delivery status notification", "delivery failure", "delivery failed", "delivery has failed", "delivery notification", "delivery report", "delivery problem", "delivery error",
	"mail delivery failed", "mail delivery failure", "mail delivery problem", "mail delivery error", "mail could not be delivered", "message could not be delivered", "could not be delivered", "returned mail", "returned to sender", "mail returned", "message returned",
	"failure notice", "failure delivery", "mail system error", "mail failure", "nondeliverable", "non-deliverable", "non delivery", "non-delivery", "nondelivery", "not deliverable", "not delivered", "user unknown", "unknown user", "rejected mail", "message status - undeliverable", "warning: message", "warning: could not send", "delayed mail", "message delayed", "delivery delayed", "delivery delay", "message you sent blocked", "permanent delivery failure", "failed delivery", "unable to deliver", "mail error", "mdaemon notification", "mdaemon warning", "email delivery error", "considered unsolicited bulk email", "banned or dangerous",
	"unzustellbar", "nicht zugestellt", "zustellung fehlgeschlagen", "mailzustellung", "zustellungsfehler", "non remis", "échec de la remise", "échec de remise", "non distribué", "no se puede entregar", "no entregado", "mensaje no entregado", "error de entrega", "notificación de estado de entrega", "mancato recapito", "non recapitabile", "consegna non riuscita", "não entregue", "não foi possível entregar", "falha na entrega", "onbestelbaar", "niet bezorgd", "kan inte levereras", "kunne ikke leveres", "ei voitu toimittaa", "nie dostarczono", "niedostarczona", "nedoručiteln", "недоставлен", "не доставлено", "не удалось доставить", "未配信", "配信不能", "配信できません", "配信エラー", "配達不能", "送信エラー", "メールが届き", "届きませんでした", "无法送达", "未送达", "退信", "投递失败", "無法傳遞", "無法投遞", "배달되지 않음", "반송", "teslim edilemedi", "không gửi được", "不達", "宛先不明",
}

// bouncePhrases are sentences of mail servers, lower case; with the sender of
// a mail system one is enough.
var bouncePhrases = []string{
	"could not be delivered", "couldn't be delivered", "was not delivered", "wasn't delivered", "cannot be delivered", "can't be delivered", "could not deliver", "unable to deliver", "was undeliverable", "undeliverable to", "delivery to the following recipient", "has failed to these recipients", "the following address(es) failed", "the following addresses had", "did not reach the following recipient", "not delivered to", "failed to deliver", "delivery has failed", "delivery failed", "permanent error", "permanent fatal errors", "transient non-fatal errors", "user unknown", "unknown user", "no such user", "not a valid user", "mailbox unavailable", "mailbox full", "mailbox exceeds", "mailbox not found", "over quota", "quota exceeded", "recipient rejected", "returned to sender", "returned mail", "this is the qmail-send program", "this message was created automatically by mail delivery software", "i wasn't able to deliver", "sorry, no mailbox here by that name", "no message collected", "transcript of session follows", "is not accepting mail", "invalid recipient", "unrouteable address", "unrouteable mail domain", "retry timeout exceeded", "address rejected", "does not exist", "message not delivered", "rejected your message", "could not be sent", "mail server rejected", "blocked by our", "has been blocked", "message was blocked", "message is too large", "delivery error report", "reason(s) why this mail message did not succeed",
	"次のあて先へのメッセージはエラーのため送信できませんでした", "次の宛先へのメッセージはエラーのため送信できませんでした", "送信できませんでした", "配信できませんでした", "届けられませんでした", "に到達できません", "宛先のメールアドレス", "konnte nicht zugestellt werden", "n'a pas pu être remis", "n'a pas été remis", "no se pudo entregar", "non è stato possibile consegnare", "não pôde ser entregue", "не может быть доставлено", "не удалось доставить", "无法投递", "無法送達", "nie mogła zostać dostarczona",
}

// looksBounced judges a mail without a standard status by sender, return path,
// subject and text. One sign alone is never enough: people forward bounces and
// write about them.
func looksBounced(m *Message, h header, reports []*node) bool {
	if h.has("X-Failed-Recipients") {
		return true
	}
	for _, r := range reports {
		if r.typ == "message/disposition-notification" || r.typ == "message/feedback-report" {
			return false
		}
	}
	ct := parseParams(h.get("Content-Type"))
	if ct.value == "multipart/report" && strings.EqualFold(ct.plain("report-type"), "delivery-status") && len(reports) > 0 && isMailSystem(m.From) {
		return true
	}
	system := isMailSystem(m.From)
	null := m.ReturnPath == "<>"
	subject := strings.ToLower(m.Subject)
	report := ct.value == "multipart/report" && strings.EqualFold(ct.plain("report-type"), "delivery-status")
	if !system && !null && m.From.Address != "" && !report {
		return len(m.InReplyTo) == 0 && containsAny(subject, bounceSubjects) && !strings.HasPrefix(subject, "re:") && !strings.HasPrefix(subject, "fw") && carriesOriginal(m, reports)
	}
	head := strings.ToLower(m.Text[:min(len(m.Text), 4000)])
	bySubject := containsAny(subject, bounceSubjects) && !strings.HasPrefix(subject, "re:") && !strings.HasPrefix(subject, "fw")
	byText := containsAny(head, bouncePhrases)
	switch {
	case report && (bySubject || byText):
		return true
	case system && (bySubject || byText):
		return !autoReplySubject(m.Subject) || byText && bySubject
	case null && (bySubject || byText && serverWords(head)):
		return !autoReplySubject(m.Subject)
	case m.From.Address == "" && byText && serverWords(head):
		return true
	}
	return false
}

// carriesOriginal says whether a mail tells in a server's words of a failure
// and brings the mail that failed: what the servers without a known sender do.
func carriesOriginal(m *Message, reports []*node) bool {
	notice, copied := splitCopy(m.Text)
	attached := copied != ""
	for _, r := range reports {
		attached = attached || r.kind == kindMail || strings.Contains(r.typ, "header")
	}
	head := strings.ToLower(notice[:min(len(notice), 4000)])
	return attached && containsAny(head, bouncePhrases) && serverWords(head)
}

func containsAny(s string, list []string) bool {
	for _, p := range list {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// serverWords says whether a text holds what only servers write: a reply code
// or the name of a step of SMTP.
func serverWords(s string) bool {
	if enhancedStatus(s) != "" || strings.Contains(s, "smtp") || strings.Contains(s, "rcpt to") || strings.Contains(s, "mailbox") || strings.Contains(s, "not a valid user") || strings.Contains(s, "no such user") {
		return true
	}
	return replyCode(s) != ""
}

// replyCode finds an SMTP reply code of failure as a word of its own.
func replyCode(s string) string {
	for i := 0; i+3 <= len(s); i++ {
		if (s[i] == '5' || s[i] == '4') && s[i+1] >= '0' && s[i+1] <= '7' && isDigit(s[i+2]) &&
			(i == 0 || s[i-1] == ' ' || s[i-1] == '\n' || s[i-1] == ':' || s[i-1] == '#' || s[i-1] == '(' || s[i-1] == '"' || s[i-1] == '\t') &&
			(i+3 == len(s) || s[i+3] == ' ' || s[i+3] == '-' || s[i+3] == '#' || s[i+3] == ':' || s[i+3] == '\n') {
			return s[i : i+3]
		}
	}
	return ""
}

// isMailSystem says whether the sender is a mail server.
func isMailSystem(from Address) bool {
	local, _, _ := strings.Cut(from.Key(), "@")
	switch local {
	case "mailer-daemon", "postmaster", "mailerdaemon", "mail-daemon", "maildaemon", "mailer_daemon", "mdaemon", "bounce", "bounces", "microsoftexchange", "mailsystem", "mail-system", "mmdf", "daemon", "smtp", "mailadmin", "mail.daemon", "post_master", "post-master", "mail_daemon", "mailerdeamon", "mailer-deamon":
		return true
	}
	if strings.HasPrefix(local, "microsoftexchange") || strings.HasPrefix(local, "mailer-daemon") || strings.HasPrefix(local, "postmaster") || strings.HasPrefix(local, "bounce") || strings.HasSuffix(local, "-daemon") {
		return true
	}
	name := strings.ToLower(from.Name)
	return strings.Contains(name, "mail delivery") || strings.Contains(name, "mailer-daemon") || strings.Contains(name, "mail administrator") || strings.Contains(name, "system administrator") || strings.Contains(name, "postmaster") || strings.Contains(name, "delivery subsystem") || strings.Contains(name, "mail deliver system") || strings.Contains(name, "interscan") || strings.Contains(name, "microsoft outlook") && strings.HasPrefix(local, "microsoft")
}

// completeFromText fills what the standard form did not say from the notice's
// words and from the fields that some servers add.
func completeFromText(b *Bounce, m *Message, h header, notice string) {
	if b.Recipient == "" {
		b.Recipient = failedRecipient(m, h, notice)
	}
	if b.Diagnostic == "" {
		b.Diagnostic = serverLine(notice, b.Recipient)
	}
	if b.Status == "" {
		b.Status = enhancedStatus(b.Diagnostic)
	}
	if b.Status == "" {
		b.Status = enhancedStatus(notice)
	}
	code := replyCode(b.Diagnostic)
	if code == "" {
		code = replyCode(notice)
	}
	if b.Status == "" {
		b.Status = meantStatus(strings.ToLower(b.Diagnostic+"\n"+notice[:min(len(notice), 4000)]), code)
	}
	if b.Status == "" {
		b.Permanent = b.Permanent || code == "" || code[0] == '5'
	}
}

// meantStatus is the enhanced status that a free text (in lower case) means, ""
// when it says nothing plain. code is a reply code or status: its class counts.
func meantStatus(text, code string) string {
	class := "5"
	if strings.HasPrefix(code, "4") {
		class = "4"
	}
	switch {
	case containsAny(text, []string{"user unknown", "unknown user", "no such user", "not a valid user", "no mailbox here by that name", "does not exist", "unknown recipient", "recipient unknown", "user not found", "not listed in", "no such recipient", "mailbox not found", "unknown address", "no such address", "invalid recipient", "no account by that name", "doesn't have a", "not our customer", "user doesn't exist", "no such mailbox", "not known", "address unknown", "unrecognised or-name", "unrecognized or-name", "存在しない", "存在しません", "宛先不明", "見つかりません"}):
		return class + ".1.1"
	case containsAny(text, []string{"mailbox full", "mailbox is full", "over quota", "overquota", "quota exceeded", "exceeds allowed size", "exceeded storage", "mailbox size limit", "account is full", "容量", "空き容量"}):
		return class + ".2.2"
	case containsAny(text, []string{"host unknown", "domain not found", "unrouteable mail domain", "no such domain", "no such host", "host or domain name not found", "name or service not known", "couldn't find any host", "unknown host", "domain does not exist"}):
		return class + ".1.2"
	case containsAny(text, []string{"too large", "too big", "size limit", "maximum size", "exceeds size", "exceeds the maximum"}):
		return class + ".3.4"
	case containsAny(text, []string{"disabled", "deactivated", "inactive", "suspended", "account closed"}):
		return class + ".2.1"
	case containsAny(text, []string{"spam", "blocked", "blacklist", "block list", "policy", "not accepting mail from your", "relaying denied", "unable to relay", "relay access denied", "rejected by"}):
		return class + ".7.1"
	}
	return ""
}

// failedRecipient finds the address that could not be reached.
func failedRecipient(m *Message, h header, notice string) string {
	if list, _ := parseAddresses(h.get("X-Failed-Recipients"), ""); len(list) > 0 && list[0].Address != "" {
		return list[0].Address
	}
	own := map[string]bool{m.From.Key(): true}
	for _, a := range m.To {
		own[a.Key()] = true
	}
	lower := strings.ToLower(notice)
	for _, mark := range [...]string{"final-recipient:", "original-recipient:", "rcpt to:", "rcpt to ", "recipient:", "undeliverable to", "was not delivered to", "could not be delivered to", "delivery to the following recipient", "the following address", "failed to these recipients", "did not reach the following", "following recipients", "following recipient", "you sent mail to", "failed to deliver to", "message to"} {
		if i := strings.Index(lower, mark); i >= 0 && i < len(notice) {
			if a := firstAddress(notice[i:min(len(notice), i+600)], own); a != "" {
				return a
			}
		}
	}
	// Postfix and qmail put <address>: at the beginning of a line.
	for rest := notice; rest != ""; {
		line, after, _ := strings.Cut(rest, "\n")
		if strings.HasPrefix(line, "<") && strings.Contains(line, ">:") || strings.HasPrefix(line, "<") && strings.HasSuffix(strings.TrimSpace(line), ">") {
			if a := firstAddress(line, nil); a != "" {
				return a
			}
		}
		rest = after
	}
	return firstAddress(notice, own)
}

// firstAddress finds the first address in a text that is not one of those.
func firstAddress(s string, not map[string]bool) string {
	for from := 0; from < len(s); {
		at := strings.IndexByte(s[from:], '@')
		if at < 0 {
			return ""
		}
		at += from
		i, j := at, at+1
		for i > 0 && at-i < 80 && isAddressByte(s[i-1]) {
			i--
		}
		for j < len(s) && j-at < 200 && (isLetter(s[j]) || isDigit(s[j]) || s[j] == '.' || s[j] == '-') {
			j++
		}
		addr := strings.TrimRight(s[i:j], ".-")
		if i < at && strings.Contains(addr[at-i:], ".") || i < at && len(addr) > at-i+1 {
			if !not[strings.ToLower(addr)] {
				return addr
			}
		}
		from = j
	}
	return ""
}

func isAddressByte(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte(".!#$%&*+-/=?^_`{|}~", c) >= 0
}

// serverLine finds the server's words in a notice: the lines from the one with
// a reply code, or the paragraph that names the recipient.
func serverLine(notice, recipient string) string {
	lines := strings.Split(notice[:min(len(notice), 16<<10)], "\n")
	for i, l := range lines {
		if replyCode(l) == "" && enhancedStatus(l) == "" {
			continue
		}
		return paragraphFrom(lines, i)
	}
	for i, l := range lines {
		if recipient != "" && strings.Contains(l, recipient) {
			text := paragraphFrom(lines, i)
			if i+2 < len(lines) && strings.Trim(text, " <>:") == recipient {
				for j := i + 1; j < len(lines); j++ {
					if l := strings.TrimSpace(lines[j]); l != "" && !(len(l) < 20 && strings.HasSuffix(l, ":")) { // "because:"
						return paragraphFrom(lines, j)
					}
				}
			}
			return text
		}
	}
	for i, l := range lines {
		if strings.TrimSpace(l) != "" {
			return paragraphFrom(lines, i)
		}
	}
	return ""
}

// paragraphFrom joins the lines from i to the next empty one, six at most.
func paragraphFrom(lines []string, i int) string {
	var out []string
	for ; i < len(lines) && len(out) < 6 && strings.TrimSpace(lines[i]) != ""; i++ {
		out = append(out, lines[i])
	}
	return flatLine(strings.Join(out, " "))
}
