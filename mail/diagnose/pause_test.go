package diagnose

import (
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"Request is throttled. Suggested Backoff Time: 89117 milliseconds":                                89117 * time.Millisecond,
		"BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds\n* BYE Connection closed.": 299961 * time.Millisecond,
		"-ERR Exceeded the login limit for a 15 minute period. Reduce the frequency of requests.":         15 * time.Minute,
		"4.7.0 Too many login attempts, please try again in 10 minutes":                                   10 * time.Minute,
		"450 4.2.0 <a@b.test>: Recipient address rejected: Greylisted for 300 seconds":                    5 * time.Minute,
		"451 4.7.1 Greylisting in action, please come back in 00:04:47":                                   4*time.Minute + 47*time.Second,
		"Sending limit reached. Retry after 2 hours.":                                                     2 * time.Hour,
		"Please wait at least 90 secs before trying to log in":                                            90 * time.Second,
		"送信数の上限に達しました。15分後に再試行してください。":                                                                    15 * time.Minute,
		"try again in 99999999999999999999 minutes":                                                       24 * time.Hour,
		"try again in 400 hours":      24 * time.Hour,
		"Please try again later":      0,
		"try again in 0 minutes":      0,
		"421 4.7.0 try again, closed": 0,
		"Your message of 12 minutes of silence and 5 attachments is refused":                                0,
		"552 5.7.0 review our 5.7.0 guidelines. l9-20020a170906a40900b00992b510089asm3696733ejz.84 - gsmtp": 0,
		"Too many connections from 10.0.0.5 (limit 10 m)":                                                   0,
		"": 0,
	} {
		if got := Pause(text); got != want {
			t.Errorf("%q asks for %s, want %s", text, got, want)
		}
	}
}
