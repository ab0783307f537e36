package mail

import (
	"strings"
	"time"
)

// ReceivedAt is when the mailbox's own server received a mail: the date of the
// topmost Received field (RFC 5321 section 4.4), which no sender can choose.
// It is zero when there is none, or none that can be read.
func ReceivedAt(block []byte) time.Time {
	for _, f := range blockHeader(block) {
		if !strings.EqualFold(f.name, "Received") {
			continue
		}
		value := unfold(f.value)
		at, ok := parseDate(value[strings.LastIndexByte(value, ';')+1:])
		if !ok || !strings.Contains(value, ";") {
			return time.Time{}
		}
		return at
	}
	return time.Time{}
}
