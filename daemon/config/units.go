package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span of the configuration, written as "30s", "5m", "4h",
// "14d" or several of them in a row, as "1h30m".
type Duration time.Duration

// Size is a number of bytes, written as "500kB", "50MB" or "1GB". A kB has
// 1024 bytes here: the larger reading, so that no mail is cut that would fit
// by the other one.
type Size int64

// Reasons for a text that is no Duration or Size.
var (
	errNoUnit   = errors.New("no unit")
	errBadUnits = errors.New("not a number with a unit")
)

type unit struct {
	name string
	size int64
}

func durationUnits() []unit {
	return []unit{{"d", int64(24 * time.Hour)}, {"h", int64(time.Hour)}, {"m", int64(time.Minute)}, {"s", int64(time.Second)}}
}

func sizeUnits() []unit {
	return []unit{{"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}}
}

// ParseDuration reads "30s", "5m", "4h", "14d", "1h30m", and "0", which is off.
func ParseDuration(s string) (Duration, error) {
	if strings.TrimSpace(s) == "0" {
		return 0, nil
	}
	n, err := parseUnits(s, durationUnits())
	return Duration(n), err
}

// ParseSize reads "500kB", "50MB", "1GB"; upper and lower case are the same.
func ParseSize(s string) (Size, error) {
	n, err := parseUnits(s, sizeUnits())
	return Size(n), err
}

// parseUnits adds up number-unit pairs. Spaces between them are allowed; a
// number without a unit, a sign, a fraction and a value beyond int64 are not.
func parseUnits(s string, units []unit) (int64, error) {
	var total int64
	rest := strings.TrimSpace(s)
	if rest == "" {
		return 0, fmt.Errorf("%q: %w", s, errBadUnits)
	}
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q: %w", s, errBadUnits)
		}
		rest = strings.TrimLeft(rest[digits:], " ")
		if rest == "" {
			return 0, fmt.Errorf("%q: %w", s, errNoUnit)
		}
		u, ok := leadingUnit(rest, units)
		if !ok || n > (math.MaxInt64-total)/u.size {
			return 0, fmt.Errorf("%q: %w", s, errBadUnits)
		}
		total += n * u.size
		rest = strings.TrimLeft(rest[len(u.name):], " ")
	}
	return total, nil
}

func leadingUnit(s string, units []unit) (unit, bool) {
	for _, u := range units {
		if len(s) >= len(u.name) && strings.EqualFold(s[:len(u.name)], u.name) {
			return u, true
		}
	}
	return unit{}, false
}

// String writes d as ParseDuration reads it, in as few units as possible.
func (d Duration) String() string {
	if d == 0 {
		return "0"
	}
	return formatUnits(int64(d), durationUnits(), time.Duration(d).String())
}

// MarshalText is String, for JSON.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String writes s as ParseSize reads it.
func (s Size) String() string {
	return formatUnits(int64(s), sizeUnits(), strconv.FormatInt(int64(s), 10)+" bytes")
}

// MarshalText is String, for JSON.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// formatUnits uses the largest unit that divides n; else says n in other words.
func formatUnits(n int64, units []unit, other string) string {
	for _, u := range units {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return other
}
