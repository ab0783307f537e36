package desk

// limit takes back the right to automatic mail where the sender may get none,
// where a cap is reached or the address is suspended, and says so. An agent's
// is not withheld because customers got much.
func (d *Decision) limit(f *Facts) {
	if !d.Answer {
		return
	}
	reached := func(n, limit int) bool { return limit > 0 && n >= limit }
	reason := silence(f)
	switch limits := f.Desk.Limits; {
	case reason != "":
	case f.Suspended:
		reason = "suspended"
	case d.Outcome == Held && f.HeldSince:
		reason = "told"
	case reached(f.AutomaticHour, limits.AutomaticHour):
		reason = "cap-hour"
	case reached(f.AutomaticDay, limits.AutomaticDay):
		reason = "cap-day"
	case d.Outcome != Note && reached(f.AutomaticInAll, limits.AutomaticInAll):
		reason = "cap-in-all"
	}
	if reason != "" {
		d.Answer = false
		d.arg("no_answer", reason)
	}
}

// silence is why the sender gets no automatic mail whatever becomes of theirs,
// "" where nothing forbids it. Spam and mail that fails DMARC may bear anybody's
// name; a list would spread the answer; a mail without a usable sender has
// nobody to answer; our own addresses and programs would answer us; nobody
// waits for an answer to old mail.
func silence(f *Facts) string {
	m := f.Mail
	switch {
	case f.Quiet:
		return "quiet"
	case f.Old:
		return "old"
	case !usable(f.Sender):
		return "no-sender"
	case f.Desk.Ours(f.Sender):
		return "ours"
	case noReply(f.Sender):
		return "no-reply"
	case m.Automatic != "":
		return "automatic"
	case m.ReturnPath == "<>":
		return "null-sender"
	case m.Spam:
		return "spam"
	case m.List:
		return "list"
	case dmarcFail(m) && ownToken(f) == nil: // who has an agent's own token is told why it did not do
		return "dmarc"
	}
	return ""
}

func answerable(f *Facts) bool { return silence(f) == "" }
