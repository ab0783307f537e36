package config

import (
	"testing"
	"time"
)

func hoursOf(hours, holidays []string, zone string) Hours {
	d := Desk{Hours: hours, Holidays: holidays, Timezone: zone}
	return d.OfficeHours()
}

// at is a time on the wall clock of a zone.
func at(t *testing.T, zone, s string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	when, err := time.ParseInLocation("2006-01-02 15:04", s, loc)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestHoursInside(t *testing.T) {
	week := hoursOf([]string{"mon-fri 09:00-12:00", "Mon, Wed 13:00 - 17:30", "土曜日 10:00-11:00"}, []string{"2026-12-25", "01-01"}, "Asia/Tokyo")
	for s, want := range map[string]bool{
		"2026-11-23 09:00": true, "2026-11-23 08:59": false, "2026-11-23 11:59": true, "2026-11-23 12:00": false, "2026-11-23 17:29": true, // a Monday
		"2026-11-24 14:00": false, "2026-11-25 14:00": true, "2026-11-28 10:30": true, "2026-11-29 10:30": false,
		"2026-12-25 10:00": false, "2027-12-24 10:00": true, "2027-01-01 10:00": false, "2029-01-01 10:00": false, "2029-01-02 10:00": true,
	} {
		if when := at(t, "Asia/Tokyo", s); week.Inside(when) != want || week.Inside(when.UTC()) != want {
			t.Errorf("%s: inside is %v", s, !want)
		}
	}
	if now := at(t, "UTC", "2026-11-22 03:00"); !(Hours{}).Inside(now) || hoursOf(nil, []string{"11-22"}, "UTC").Inside(now) || !hoursOf(nil, []string{"11-23"}, "UTC").Inside(now) {
		t.Error("without hours every hour counts, but on holidays")
	}
}

func TestHoursBetween(t *testing.T) {
	week := []string{"mon-fri 09:00-17:30"}
	for _, test := range []struct {
		hours, holidays []string
		zone            string
		from, to        string
		want            time.Duration
	}{
		{nil, nil, "Asia/Tokyo", "2026-11-20 16:30", "2026-11-23 10:00", 65*time.Hour + 30*time.Minute},
		{week, nil, "Asia/Tokyo", "2026-11-20 16:30", "2026-11-23 10:00", 2 * time.Hour}, // over a weekend
		{week, nil, "Asia/Tokyo", "2026-11-20 10:00", "2026-11-20 10:45", 45 * time.Minute},
		{week, nil, "Asia/Tokyo", "2026-11-20 18:00", "2026-11-23 08:00", 0},
		{week, nil, "Asia/Tokyo", "2026-11-23 10:00", "2026-11-20 10:00", 0}, // the wrong way round
		{week, []string{"2026-11-23"}, "Asia/Tokyo", "2026-11-20 16:30", "2026-11-24 10:00", 2 * time.Hour},
		{week, []string{"11-23"}, "Asia/Tokyo", "2026-11-20 16:30", "2026-11-24 10:00", 2 * time.Hour},
		{week, nil, "Asia/Tokyo", "2026-11-16 00:00", "2026-11-30 00:00", 10*8*time.Hour + 10*30*time.Minute},
		{[]string{"mon 09:00-12:00", "mon 11:00-13:00 15:00-16:00"}, nil, "UTC", "2026-11-23 00:00", "2026-11-24 00:00", 5 * time.Hour}, // what overlaps counts once
		{[]string{"sat-mon 22:00-24:00", "sun-tue 0:00-2:00"}, nil, "UTC", "2026-11-21 12:00", "2026-11-24 12:00", 12 * time.Hour},
		{nil, []string{"2026-11-23"}, "UTC", "2026-11-22 12:00", "2026-11-24 12:00", 24 * time.Hour},

		{[]string{"mon-sun 00:00-24:00"}, nil, "Europe/Berlin", "2026-03-28 12:00", "2026-03-29 12:00", 23 * time.Hour}, // summer time begins
		{[]string{"mon-sun 00:00-24:00"}, nil, "Europe/Berlin", "2026-10-24 12:00", "2026-10-25 12:00", 25 * time.Hour}, // and ends
		{[]string{"sun 01:00-04:00"}, nil, "Europe/Berlin", "2026-03-29 00:00", "2026-03-29 12:00", 2 * time.Hour},
		{[]string{"sun 01:00-04:00"}, nil, "Europe/Berlin", "2026-10-25 00:00", "2026-10-25 12:00", 4 * time.Hour},
		{week, nil, "Europe/Berlin", "2026-03-27 16:30", "2026-03-30 10:00", 2 * time.Hour},
		{week, nil, "America/Santiago", "2026-09-04 16:30", "2026-09-07 10:00", 2 * time.Hour}, // Sunday has no midnight
		{[]string{"sun 09:00-10:00"}, nil, "America/Santiago", "2026-09-05 12:00", "2026-09-06 12:00", time.Hour},
		{[]string{"fri-sat 09:00-10:00"}, nil, "Pacific/Apia", "2011-12-29 12:00", "2011-12-31 12:00", time.Hour}, // a Friday was left out
	} {
		h := hoursOf(test.hours, test.holidays, test.zone)
		from, to := at(t, test.zone, test.from), at(t, test.zone, test.to)
		if got := h.Between(from.UTC(), to.UTC()); got != test.want {
			t.Errorf("%v %v %s: from %s to %s are %v, want %v", test.hours, test.holidays, test.zone, test.from, test.to, got, test.want)
		}
	}
}

// The desk's time zone counts, not that of the times.
func TestHoursInAnotherZone(t *testing.T) {
	h := hoursOf([]string{"mon-fri 09:00-17:00"}, nil, "Asia/Tokyo")
	if got := h.Between(at(t, "UTC", "2026-11-23 00:00"), at(t, "America/New_York", "2026-11-22 22:00")); got != 3*time.Hour {
		t.Errorf("%v", got)
	}
	if system := hoursOf([]string{"mon-fri 09:00-17:00"}, nil, ""); !system.Inside(time.Date(2026, 11, 23, 9, 0, 0, 0, time.Local)) {
		t.Error("without a time zone it is the system's")
	}
}

func TestParseHours(t *testing.T) {
	for _, s := range []string{"mon-fri 09:00-17:30", "MONDAY 9:00-24:00", "mon,wed 09:00-12:00 13:00-17:00", "mon, wed 09:00-12:00, 13:00-17:00", "mon – fri 09:00–17:30",
		"月-金 9:00-17:30", "月曜〜金曜 09：00〜17：30", "日 10:00-12:00", "日曜日、土 10:00-12:00", "sat-tue 00:00-24:00"} {
		if days, spans, err := parseHours(s); err != nil || len(days) == 0 || len(spans) == 0 {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", "mon", "09:00-17:00", "mon-fri", "mon-fri 9-17", "mon-fri 17:00-09:00", "mon 09:00-09:00", "mon 09:00-24:01", "mon 09:60-10:00", "mon 25:00-26:00",
		"someday 09:00-17:00", "mon-someday 09:00-17:00", "mon- 09:00-17:00", "mon-fri 09:00", "mon 09:00-17:00-18:00"} {
		if days, spans, err := parseHours(s); err == nil {
			t.Errorf("%q is %v %v", s, days, spans)
		}
	}
}
