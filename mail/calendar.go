package mail

import (
	"strings"
	"time"
)

// invitation makes one readable line of a text/calendar part (RFC 5545):
// what, when and where. "" when it holds no event, or one that the mail's own
// text already names.
func invitation(data []byte, mailText string) string {
	text, _ := decodeCharset("", data)
	text = strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "").Replace(text)
	method, inEvent := "", false
	var summary, start, end, place string
	for len(text) > 0 {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		line = strings.TrimRight(line, "\r")
		name, value, ok := strings.Cut(line, ":")
		if !ok || len(line) > 4000 {
			continue
		}
		name, attrs, _ := strings.Cut(name, ";")
		name = strings.ToUpper(name)
		switch {
		case name == "METHOD":
			method = strings.ToUpper(strings.TrimSpace(value))
		case name == "BEGIN" && strings.EqualFold(value, "VEVENT"):
			inEvent = true
		case name == "END" && strings.EqualFold(value, "VEVENT"):
			text = ""
		case !inEvent:
		case name == "SUMMARY":
			summary = icsText(value)
		case name == "LOCATION":
			place = icsText(value)
		case name == "DTSTART":
			start = icsTime(value, attrs)
		case name == "DTEND":
			end = icsTime(value, attrs)
		}
	}
	if start == "" && summary == "" || summary != "" && strings.Contains(strings.ToLower(mailText), strings.ToLower(summary)) {
		return ""
	}
	return invitationLine(method, summary, start, end, place)
}

func invitationLine(method, summary, start, end, place string) string {
	word := "Event"
	switch method {
	case "REQUEST":
		word = "Invitation"
	case "CANCEL":
		word = "Cancelled"
	case "REPLY":
		word = "Answer to invitation"
	}
	line := "[" + word + ": " + summary
	if start != "" {
		line += ", " + start
		if end != "" && end != start {
			line += " – " + end
		}
	}
	if place != "" {
		line += ", " + place
	}
	return line + "]"
}

// icsText undoes the escapes of a text value (RFC 5545 section 3.3.11).
func icsText(s string) string {
	s = strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(s)
	return strings.Join(strings.Fields(strings.Map(printable, s)), " ")
}

// icsTime writes 20260106T100000Z as 2026-01-06 10:00 UTC; the zone is named
// as the invitation names it.
func icsTime(value, attrs string) string {
	value = strings.TrimSpace(value)
	zone := ""
	if i := strings.Index(strings.ToUpper(attrs), "TZID="); i >= 0 {
		zone, _, _ = strings.Cut(attrs[i+5:], ";")
		zone = " " + strings.Trim(zone, "\"")
	}
	if t, err := time.Parse("20060102T150405Z", value); err == nil {
		return t.Format("2006-01-02 15:04") + " UTC"
	}
	if t, err := time.Parse("20060102T150405", value); err == nil {
		return t.Format("2006-01-02 15:04") + zone
	}
	if t, err := time.Parse("20060102", value); err == nil {
		return t.Format("2006-01-02")
	}
	return ""
}
