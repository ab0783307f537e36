package fetch

import (
	"bytes"
	"iter"
	"strings"
)

// headerEnd is where the empty line behind the header ends, -1 if it has not
// come yet.
func headerEnd(b []byte) int {
	for i := 0; i < len(b); {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return -1
		}
		if len(bytes.TrimRight(b[i:i+j], "\r")) == 0 {
			return i + j + 1
		}
		i += j + 1
	}
	return -1
}

// headerFields are the fields of a header with the lines that continue them,
// up to the empty line. Whatever is no field goes with the one before.
func headerFields(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if i := headerEnd(b); i >= 0 {
			b = b[:i]
		}
		start := 0
		for i := 0; i < len(b); {
			end := bytes.IndexByte(b[i:], '\n')
			if end < 0 {
				end = len(b) - i - 1
			}
			if line := b[i : i+end+1]; i > start && (len(bytes.TrimRight(line, "\r\n")) == 0 || line[0] != ' ' && line[0] != '\t') {
				if !yield(b[start:i]) {
					return
				}
				start = i
			}
			i += end + 1
		}
		if start < len(b) && len(bytes.TrimRight(b[start:], "\r\n")) > 0 {
			yield(b[start:])
		}
	}
}

// fieldName is the name of a header field, in lower case.
func fieldName(field []byte) string {
	name, _, _ := bytes.Cut(field, []byte(":"))
	return strings.ToLower(strings.TrimSpace(string(name)))
}

// chosenFields are the fields that Headers hands over, as an IMAP server would
// cut them out.
func chosenFields(header []byte) []byte {
	var out []byte
	for field := range headerFields(header) {
		switch fieldName(field) {
		case "message-id", "date", "from", "subject":
			out = append(append(out, bytes.TrimRight(field, "\r\n")...), "\r\n"...)
		}
	}
	return append(out, "\r\n"...)
}
