package mail

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

// Sizes of a Thread-Index, in bytes (MS-OXOMSG section 2.2.1.3).
const (
	indexHead  = 22  // time and GUID of the conversation
	indexChild = 5   // one for each answer
	indexMost  = 522 // longer ones get no child any more
)

// AnswerThread reads by what Outlook and Exchange know the conversation of a
// mail, and gives it as it stands in an answer written at at: the topic,
// and the mail's own index and five bytes more (MS-OXOMSG sections 2.2.1.3 and
// 2.2.1.5). Each is "" where the mail has none, as only their programs write
// them. The error is the reader's.
func AnswerThread(raw io.Reader, at time.Time) (topic, index string, err error) {
	data, err := io.ReadAll(io.LimitReader(raw, windowSize))
	if err != nil {
		return "", "", fmt.Errorf("reading the header of the mail: %w", err)
	}
	h := blockHeader(data)
	topic = oneLine(decodeWords(h.first("Thread-Topic"), ""), maxSubjectRunes)
	value := strings.TrimRight(strings.Join(strings.Fields(h.first("Thread-Index")), ""), "=")
	old, err := base64.RawStdEncoding.DecodeString(value)
	if err != nil || len(old) < indexHead || (len(old)-indexHead)%indexChild != 0 || old[0] != 1 {
		return topic, "", nil // no index that Outlook would take
	}
	if len(old) < indexMost {
		old = append(old, childOf(old, at)...)
	}
	return topic, base64.StdEncoding.EncodeToString(old), nil
}

// childOf is the block for an answer: how long after the conversation began it
// was written, in one of two units, and a byte that may be anything.
func childOf(index []byte, at time.Time) []byte {
	const epoch = 116444736000000000 // 1970 as a FILETIME: 100 ns since 1601
	began := binary.BigEndian.Uint64(append(append([]byte{}, index[:6]...), 0, 0))
	after := uint64(max(epoch+at.UnixNano()/100-int64(began), 0))
	delta := uint32(after >> 18 & 0x7fffffff)
	if after >= 1<<49 { // more than 1.7 years
		delta = 1<<31 | uint32(after>>23&0x7fffffff)
	}
	return append(binary.BigEndian.AppendUint32(nil, delta), byte(len(index)))
}
