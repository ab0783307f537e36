package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // Windows and small systems have no time zones of their own
)

// Hours are the hours in which an office works. The zero value works always.
type Hours struct {
	week     map[time.Weekday][]span // nil: every day, from midnight to midnight
	holidays map[string]bool         // as "2026-12-25", or "12-25" for each year
	zone     *time.Location          // nil: the system's
}

// span is a part of a day, in minutes since midnight as a clock on the wall shows them.
type span struct{ from, to int }

// Reasons for a text that is no part of Hours.
var (
	errBadHours   = errors.New("no office hours")
	errBadHoliday = errors.New("no day")
	errBadZone    = errors.New("no time zone")
)

// OfficeHours are the hours, holidays and time zone of the desk. What Validate
// finds fault with is left out.
func (d *Desk) OfficeHours() Hours {
	var h Hours
	for _, s := range d.Hours {
		days, spans, err := parseHours(s)
		if err != nil {
			continue
		}
		if h.week == nil {
			h.week = map[time.Weekday][]span{}
		}
		for _, day := range days {
			h.week[day] = merged(append(h.week[day], spans...))
		}
	}
	for _, s := range d.Holidays {
		if s, err := parseHoliday(s); err == nil {
			if h.holidays == nil {
				h.holidays = map[string]bool{}
			}
			h.holidays[s] = true
		}
	}
	if zone, err := parseZone(d.Timezone); err == nil {
		h.zone = zone
	}
	return h
}

// Inside reports whether the office works at t.
func (h Hours) Inside(t time.Time) bool {
	t = h.local(t)
	for _, s := range h.on(t) {
		if from, to := s.on(t); !t.Before(from) && t.Before(to) {
			return true
		}
	}
	return false
}

// Between is how much office time lies between two times; 0 when to is not
// after from. An hour that a change to summer time leaves out is not counted,
// one that is there twice counts twice.
func (h Hours) Between(from, to time.Time) time.Duration {
	if h.week == nil && len(h.holidays) == 0 {
		return max(0, to.Sub(from))
	}
	from, to = h.local(from), h.local(to)
	var sum time.Duration
	for day := from; ; {
		for _, s := range h.on(day) {
			begin, end := s.on(day)
			if begin.Before(from) {
				begin = from
			}
			if end.After(to) {
				end = to
			}
			sum += max(0, end.Sub(begin))
		}
		y, m, d := day.Date()
		day = time.Date(y, m, d+1, 12, 0, 0, 0, day.Location()) // noon is in every day, midnight is not
		if y, m, d = day.Date(); !time.Date(y, m, d, 0, 0, 0, 0, day.Location()).Before(to) {
			return sum
		}
	}
}

func (h Hours) local(t time.Time) time.Time {
	if h.zone == nil {
		return t.Local()
	}
	return t.In(h.zone)
}

// on are the office hours of the day of t.
func (h Hours) on(t time.Time) []span {
	if h.holidays[t.Format(time.DateOnly)] || h.holidays[t.Format("01-02")] {
		return nil
	}
	if h.week == nil {
		return []span{{0, 24 * 60}}
	}
	return h.week[t.Weekday()]
}

// on is the span in the day of t. A change to summer time in it makes it shorter.
func (s span) on(t time.Time) (from, to time.Time) {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, s.from, 0, 0, t.Location()), time.Date(y, m, d, 0, s.to, 0, 0, t.Location())
}

// merged joins spans that touch or overlap, so that no minute counts twice.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := spans[:1]
	for _, s := range spans[1:] {
		if last := &out[len(out)-1]; s.from <= last.to {
			last.to = max(last.to, s.to)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// parseHours reads "mon-fri 09:00-17:30", "mon,wed 09:00-12:00 13:00-17:00" or
// "月-金 9:00-17:30". A week may go round its end, as "sat-mon"; a day may not.
func parseHours(s string) ([]time.Weekday, []span, error) {
	joined := regexp.MustCompile(`\s*([,-])\s*`).ReplaceAllString(strings.NewReplacer("–", "-", "〜", "-", "~", "-", "、", ",", "：", ":").Replace(strings.ToLower(s)), "$1")
	parts := strings.Fields(joined)
	if len(parts) < 2 {
		return nil, nil, fmt.Errorf("%q: %w", s, errBadHours)
	}
	var days []time.Weekday
	for _, item := range strings.Split(parts[0], ",") {
		first, last, isRange := strings.Cut(item, "-")
		from, ok := weekday(first)
		to := from
		if isRange && ok {
			to, ok = weekday(last)
		}
		if !ok {
			return nil, nil, fmt.Errorf("%q: %w", s, errBadHours)
		}
		for day := from; ; day = (day + 1) % 7 {
			days = append(days, day)
			if day == to {
				break
			}
		}
	}
	var spans []span
	for _, item := range strings.FieldsFunc(strings.Join(parts[1:], ","), func(r rune) bool { return r == ',' }) {
		begin, end, _ := strings.Cut(item, "-")
		from, ok := clock(begin)
		to, ok2 := clock(end)
		if !ok || !ok2 || from >= to {
			return nil, nil, fmt.Errorf("%q: %w", s, errBadHours)
		}
		spans = append(spans, span{from, to})
	}
	return days, spans, nil
}

func weekday(s string) (time.Weekday, bool) {
	s = strings.TrimSuffix(strings.TrimSuffix(s, "日"), "曜")
	if s == "" { // 日 alone
		return time.Sunday, true
	}
	for day := time.Sunday; day <= time.Saturday; day++ {
		name := strings.ToLower(day.String())
		if s == name[:3] || s == name || s == string([]rune("日月火水木金土")[day]) {
			return day, true
		}
	}
	return 0, false
}

// clock reads 9:00 or 24:00, in minutes since midnight.
func clock(s string) (int, bool) {
	m := regexp.MustCompile(`^([0-9]{1,2}):([0-5][0-9])$`).FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	hour, _ := strconv.Atoi(m[1]) // both are digits
	minute, _ := strconv.Atoi(m[2])
	return 60*hour + minute, 60*hour+minute <= 24*60
}

// parseHoliday reads "2026-12-25", or "12-25" for each year.
func parseHoliday(s string) (string, error) {
	s = strings.TrimSpace(s)
	_, err := time.Parse(time.DateOnly, s)
	if len(s) == len("01-02") {
		_, err = time.Parse(time.DateOnly, "2000-"+s) // a leap year
	}
	if err != nil {
		return "", fmt.Errorf("%q: %w", s, errBadHoliday)
	}
	return s, nil
}

// parseZone reads a name of the IANA time zone database; "" is the system's.
func parseZone(name string) (*time.Location, error) {
	if name == "" {
		return nil, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("%q: %w", name, errBadZone)
	}
	return zone, nil
}
