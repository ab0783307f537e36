package desk

import "time"

// sampleTime is the time in samples.
func sampleTime() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 0, time.Local) }

func sampleAlarms(language string) []any {
	failing := AlarmPart{
		Name: "Support: mailbox", Server: "imap.example.com:993", Since: "2026-11-21 09:30", Title: "The password was refused", Text: "The server does not know it.",
		Remedy: []string{"1. Look.", "2. Mend."}, Words: "NO [AUTHENTICATIONFAILED] <no>",
	}
	working := failing
	working.Until, working.Untold = "2026-11-21 10:30", true
	return []any{
		Alarm{Language: language, Failing: []AlarmPart{failing}, Working: []AlarmPart{working}, Link: "https://helpdesk.example.com"},
		Alarm{Language: language, Working: []AlarmPart{{Name: "relay", Since: "2026-11-21 09:30", Until: "2026-11-21 10:30", Title: "out of reach"}}},
	}
}

func sampleWeeks(s *Settings, language string) []any {
	full := WeeklyDesk{
		Name: s.Name, Mails: 140, New: 42, Answers: 61, Resolved: 39, Open: 5, Waiting: 3, Held: 2, Quarantined: 1,
		Oldest: "SUP-12", FirstAnswer: "2:10", Failed: 1, Unaccounted: 1,
	}
	return []any{
		Weekly{Language: language, From: "2026-11-14", Until: "2026-11-20", Desks: []WeeklyDesk{full, {Name: "Shop"}}, Failures: []string{"Support"}, Link: "https://helpdesk.example.com"},
		Weekly{Language: language, From: "2026-11-14", Until: "2026-11-20", Desks: []WeeklyDesk{{Name: s.Name}}},
	}
}

func sampleNews(s *Settings, language string) []any {
	return []any{
		News{
			Language: language, Link: "https://helpdesk.example.com", Relay: "smtp.example.com", Limit: "60", Waiting: "240", Since: "09:30",
			Mails: []NewsMail{{ID: 7, Desk: s.Name, From: "山田 太郎", Subject: "複合機", Seen: "09:30", Why: "broken"}}, More: "3",
		},
		News{Language: language, Relay: "smtp.example.com", Limit: "60", Waiting: "1", Since: "09:30", Mails: []NewsMail{{ID: 7, Desk: s.Name, From: "a@example.com", Subject: "x", Seen: "09:30", Why: "broken"}}},
	}
}
