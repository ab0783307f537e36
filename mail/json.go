package mail

import (
	"encoding/json"
	"time"
)

// MarshalJSON writes an unknown date as null.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	return json.Marshal(struct {
		plain
		Date *time.Time `json:"date"`
	}{plain(m), known(m.Date)})
}

// MarshalJSON writes an unknown date as null.
func (f Forwarded) MarshalJSON() ([]byte, error) {
	type plain Forwarded
	return json.Marshal(struct {
		plain
		Date *time.Time `json:"date"`
	}{plain(f), known(f.Date)})
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
