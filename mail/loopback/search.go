package loopback

import (
	"bytes"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// matches reports whether a mail fits all criteria of a SEARCH (RFC 9051
// section 6.4.4). Texts are compared with the mail's bytes as they stand,
// encoded words and parts are not decoded. The folder is locked by the caller.
func (c *imapSession) matches(m *stored, seq uint32, want *imap.SearchCriteria) bool {
	for _, set := range want.SeqNum {
		if !c.within(set)(seq, m.uid) {
			return false
		}
	}
	for _, set := range want.UID {
		if !c.within(set)(seq, m.uid) {
			return false
		}
	}
	lacks := func(flag imap.Flag) bool { return !m.has(flag) }
	if slices.ContainsFunc(want.Flag, lacks) || slices.ContainsFunc(want.NotFlag, m.has) {
		return false
	}
	size := int64(len(m.raw))
	if want.Larger > 0 && size <= want.Larger || want.Smaller > 0 && size >= want.Smaller {
		return false
	}
	if !between(m.at, want.Since, want.Before) || !matchesText(m.raw, want) {
		return false
	}
	for i := range want.Not {
		if c.matches(m, seq, &want.Not[i]) {
			return false
		}
	}
	for i := range want.Or {
		if !c.matches(m, seq, &want.Or[i][0]) && !c.matches(m, seq, &want.Or[i][1]) {
			return false
		}
	}
	return true
}

func matchesText(raw []byte, want *imap.SearchCriteria) bool {
	header, body := split(raw)
	if !want.SentSince.IsZero() || !want.SentBefore.IsZero() {
		sent, err := mail.ParseDate(headerValue(header, "Date"))
		if err != nil || !between(sent, want.SentSince, want.SentBefore) {
			return false
		}
	}
	for _, field := range want.Header {
		lines := fields(header, []string{field.Key}, true)
		if len(lines) == 0 || !contains(lines, field.Value) {
			return false
		}
	}
	for _, text := range want.Body {
		if !contains(body, text) {
			return false
		}
	}
	for _, text := range want.Text {
		if !contains(raw, text) {
			return false
		}
	}
	return true
}

// between compares dates without regard to time and zone, as SEARCH does.
func between(t, since, before time.Time) bool {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return (since.IsZero() || !day.Before(since)) && (before.IsZero() || day.Before(before))
}

func contains(text []byte, part string) bool {
	return bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(part)))
}

func headerValue(header []byte, name string) string {
	line := fields(header, []string{name}, true)
	_, value, _ := bytes.Cut(line, []byte(":"))
	return strings.TrimSpace(string(value))
}
