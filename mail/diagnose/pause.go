package diagnose

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// longestPause bounds what a server can ask for: whatever it says, it is asked
// again within a day.
const longestPause = 24 * time.Hour

// pauses are the ways in which servers say how long to wait. The number is the
// first group, its unit the second.
var pauses = [...]*regexp.Regexp{
	// Exchange: "Request is throttled. Suggested Backoff Time: 89117 milliseconds"
	regexp.MustCompile(`(?i)back-?off(?: time)?\W{0,3}(\d+)\s*` + timeUnits),
	// "try again in 5 minutes", "Greylisted, please retry after 300 seconds", "wait 15 mins before", "come back in 00:04:47"
	regexp.MustCompile(`(?i)\b(?:again|retry|wait|back|later|greylist(?:ed|ing)?|for)\b[^.;\d]{0,40}?\b(\d+)\s*` + timeUnits),
	regexp.MustCompile(`(?i)\b(?:again|retry|wait|back)\b[^.;\d]{0,30}?\b(\d+:\d\d:\d\d)()`),
	// Outlook.com: "Exceeded the login limit for a 15 minute period"
	regexp.MustCompile(`(?i)\b(\d+)[- ]?` + timeUnits + ` (?:period|interval|window)`),
	// "15分後に再試行してください", "300秒お待ちください"
	regexp.MustCompile(`(\d+) ?(秒|分|時間)(?:後|間|ほど|以上|お待ち|経)`),
}

const timeUnits = `(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h)\b`

// Pause is how long a server asks to be left in peace in its own words, at most
// a day; 0 where it does not say.
func Pause(text string) time.Duration {
	for _, p := range pauses {
		m := p.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		if n := span(m[1], strings.ToLower(m[2])); n > 0 {
			return min(n, longestPause)
		}
	}
	return 0
}

// span reads "5" of a unit, or "00:04:47".
func span(number, unit string) time.Duration {
	if h, rest, clock := strings.Cut(number, ":"); clock {
		m, s, _ := strings.Cut(rest, ":")
		return span(h, "h") + span(m, "min") + span(s, "s")
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return longestPause // more digits than a year has seconds
	}
	d := time.Duration(n)
	switch {
	case strings.HasPrefix(unit, "mil"), strings.HasPrefix(unit, "ms"):
		return d * time.Millisecond
	case strings.HasPrefix(unit, "m"), unit == "分":
		return d * time.Minute
	case strings.HasPrefix(unit, "h"), unit == "時間":
		return d * time.Hour
	}
	return d * time.Second
}
