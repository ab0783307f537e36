package mail

import (
	"strings"
	"time"
	"unicode/utf8"
)

// dateParts is what the words of a date line say.
type dateParts struct {
	numbers          []datePart // numbers that are neither year, clock nor zone, in order
	year, month, day int
	hour, min, sec   int
	clock, pm, am    bool
	dotted           bool // day.month.year
	yearFirst        bool // ISO 8601
	zone             *time.Location
}

type datePart struct{ value, digits int }

// parseDate reads a date as RFC 5322 section 3.3 and the wild write it: names
// of days, zones and months in any place, two-digit years, ISO 8601, ctime,
// AM and PM, missing seconds and zones. ok is false when no day is found.
func parseDate(s string) (time.Time, bool) {
	if len(s) > 200 {
		s = s[:200]
	}
	var d dateParts
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '(':
			_, i, _ = addressComment(s, i)
		case isDigit(c):
			i = d.number(s, i)
		case (c == '+' || c == '-') && d.clock && i+1 < len(s) && isDigit(s[i+1]):
			i = d.offset(s, i)
		case isLetter(c):
			j := i
			for j < len(s) && isLetter(s[j]) {
				j++
			}
			d.word(s[i:j])
			i = j
		case c >= 0x80:
			_, n := utf8.DecodeRuneInString(s[i:])
			i += n
		default:
			i++
		}
	}
	return d.time()
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// digits reads up to nine digits.
func digits(s string, i int) (value, end int) {
	for end = i; end < len(s) && isDigit(s[end]); end++ {
		if end-i < 9 {
			value = value*10 + int(s[end]-'0')
		}
	}
	return value, end
}

// number reads a number or a clock time.
func (d *dateParts) number(s string, i int) int {
	v, end := digits(s, i)
	if end < len(s) && (s[end] == ':' || s[end] == '.' && isClock(s, i, end)) && !d.clock && v < 25 && end+1 < len(s) && isDigit(s[end+1]) {
		return d.time24(s, v, end)
	}
	n := end - i
	switch {
	case n == 8 && d.year == 0 && v > 19000101: // 20250106
		d.year, d.month, d.day = v/10000, v/100%100, v%100
	case n >= 4 && v >= 1900 && v < 2200 && d.year == 0:
		d.year = v
		d.yearFirst = len(d.numbers) == 0
	case n == 3 && d.year == 0 && v >= 100 && v < 200: // years since 1900
		d.year = 1900 + v
	case n <= 2:
		d.dotted = d.dotted || end < len(s) && s[end] == '.'
		d.numbers = append(d.numbers, datePart{v, n})
	}
	return end
}

// isClock tells 10.30.00 and "… 2025 10.30" from the day 10.3.2025.
func isClock(s string, i, end int) bool {
	_, e := digits(s, end+1)
	if e-end-1 != 2 {
		return false
	}
	if e < len(s) && s[e] == '.' {
		_, e2 := digits(s, e+1)
		return e2-e-1 == 2 && (e2 == len(s) || s[e2] != '.') && i > 8
	}
	return i > 8
}

func (d *dateParts) time24(s string, hour, i int) int {
	sep := s[i]
	d.clock, d.hour = true, hour
	d.min, i = digits(s, i+1)
	if i+1 < len(s) && (s[i] == sep || s[i] == ':') && isDigit(s[i+1]) {
		d.sec, i = digits(s, i+1)
		if i+1 < len(s) && (s[i] == '.' || s[i] == ',') && isDigit(s[i+1]) {
			_, i = digits(s, i+1) // fractions of a second
		}
	}
	return i
}

// offset reads +0900, +09:00, +9 or -05.
func (d *dateParts) offset(s string, i int) int {
	sign := 1
	if s[i] == '-' {
		sign = -1
	}
	v, end := digits(s, i+1)
	n := end - i - 1
	if n == 4 && s[i] == '-' && v >= 1970 && v < 2100 && d.year == 0 { // 10:00-2025
		d.year = v
		return end
	}
	h, m := v, 0
	switch {
	case n >= 3:
		h, m = v/100, v%100
	case end+2 < len(s) && s[end] == ':' && isDigit(s[end+1]):
		m, end = digits(s, end+1)
	}
	if h <= 15 && m < 60 {
		d.zone = zoneOf(sign * (h*3600 + m*60))
	}
	return end
}

func zoneOf(offset int) *time.Location {
	if offset == 0 {
		return time.UTC
	}
	return time.FixedZone("", offset)
}

var englishMonths = [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

// word reads the name of a month, a zone or a half of the day.
func (d *dateParts) word(w string) {
	if len(w) > 1 && strings.EqualFold(w, "pm") {
		d.pm = true
		return
	}
	if strings.EqualFold(w, "am") {
		d.am = true
		return
	}
	if d.month == 0 && len(w) >= 3 {
		lower := strings.ToLower(w)
		for i, name := range englishMonths {
			if strings.HasPrefix(name, lower) {
				d.month = i + 1
				return
			}
		}
	}
	if d.clock && d.zone == nil {
		if h, ok := namedZone(w); ok {
			d.zone = zoneOf(h * 1800)
		}
	}
}

// namedZone returns the half hours east of Greenwich of the zones that occur
// (RFC 5322 section 4.3, and others that programs write).
func namedZone(w string) (int, bool) {
	switch strings.ToUpper(w) {
	case "GMT", "UTC", "UT", "Z", "WET":
		return 0, true
	case "EST", "CDT":
		return -10, true
	case "EDT":
		return -8, true
	case "CST", "MDT":
		return -12, true
	case "MST", "PDT":
		return -14, true
	case "PST":
		return -16, true
	case "BST", "CET", "MET", "WEST", "MEZ":
		return 2, true
	case "CEST", "EET", "MEST", "MESZ":
		return 4, true
	case "EEST", "MSK":
		return 6, true
	case "IST":
		return 11, true
	case "JST", "KST":
		return 18, true
	case "AEST":
		return 20, true
	}
	return 0, false
}

// time decides which number is which.
func (d *dateParts) time() (time.Time, bool) {
	n := d.numbers
	take := func() int { v := n[0].value; n = n[1:]; return v }
	switch {
	case d.month == 0 && d.year > 0 && len(n) >= 2 && d.day == 0: // 2025-01-06, 06.01.2025, 1/6/2025
		a, b := take(), take()
		d.month, d.day = a, b
		if a > 12 || d.dotted && !d.yearFirst && b <= 12 {
			d.month, d.day = b, a
		}
	case d.month == 0 && d.year == 0 && len(n) >= 3: // 06/01/25
		d.day, d.month, d.year = take(), take(), take()
		if d.month > 12 {
			d.day, d.month = d.month, d.day
		}
	}
	if d.day == 0 && len(n) > 0 {
		d.day = take()
	}
	if d.year == 0 && len(n) > 0 {
		d.year = take()
	}
	switch {
	case d.year < 50:
		d.year += 2000
	case d.year < 100:
		d.year += 1900
	}
	if d.pm && d.hour < 12 {
		d.hour += 12
	} else if d.am && d.hour == 12 {
		d.hour = 0
	}
	if d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31 || d.hour > 24 || d.min > 59 || d.sec > 61 || d.year == 2000 && len(d.numbers) == 0 && d.day == 0 {
		return time.Time{}, false
	}
	if d.zone == nil {
		d.zone = time.UTC
	}
	return time.Date(d.year, time.Month(d.month), d.day, d.hour, d.min, d.sec, 0, d.zone), true
}
