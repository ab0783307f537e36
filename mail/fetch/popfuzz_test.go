package fetch

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzPOPBody: whatever a server sends in answer to RETR, what comes out does
// not depend on how the network cuts it, and a mail that was stuffed as
// RFC 1939 section 3 says comes out as it was, with nothing read beyond it.
func FuzzPOPBody(f *testing.F) {
	for _, seed := range []string{"", ".", "..", "a\r\n.b\r\n", "\r\n.\r\n", "\n.\n", ".\r", "a\r", strings.Repeat("x", 40_000) + "\r\n.\r\nb", "a\r\n\r\n..\r\n"} {
		f.Add([]byte(seed))
	}
	read := func(r io.Reader) (string, string, error) {
		w := newPOPWire(r)
		var out bytes.Buffer
		err := w.body(func(piece []byte) error { out.Write(piece); return nil })
		rest, _ := io.ReadAll(w.in)
		return out.String(), string(rest), err
	}
	f.Fuzz(func(t *testing.T, mail []byte) {
		whole, rest, err := read(bytes.NewReader(mail))
		slow, slowRest, slowErr := read(iotest.OneByteReader(bytes.NewReader(mail)))
		if whole != slow || rest != slowRest || (err == nil) != (slowErr == nil) {
			t.Errorf("%q: %q %q %v, byte by byte %q %q %v", mail, whole, rest, err, slow, slowRest, slowErr)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%q: %v", mail, err)
		}
		if !bytes.HasSuffix(mail, []byte("\r\n")) {
			mail = append(mail, "\r\n"...)
		}
		stuffed := strings.ReplaceAll("\r\n"+string(mail), "\r\n.", "\r\n..")[2:]
		got, rest, err := read(strings.NewReader(stuffed + ".\r\n+OK next\r\n"))
		if got != string(mail) || rest != "+OK next\r\n" || err != nil {
			t.Errorf("%q came out as %q with the rest %q, %v", mail, got, rest, err)
		}
	})
}

// FuzzPOPLines: no reply and no listing makes the reader panic or grow beyond
// its bounds.
func FuzzPOPLines(f *testing.F) {
	for _, seed := range []string{"+OK\r\n1 a\r\n.\r\n", "-ERR [IN-USE] x\r\n", "+OK [\r\n", "-ERR []\r\n", "+ok\n.\n", "-ERR [A]B]\r\n", "+OK\r\n..\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		w := newPOPWire(bytes.NewReader(text))
		line, r, err := w.status()
		if len(line) > popLine || len(r.text) > len(line) || strings.ContainsAny(r.code, " []") || err == nil && r.ok != strings.EqualFold(line[:3], "+OK") {
			t.Errorf("%q: %q, %+v, %v", text, line, r, err)
		}
		_ = w.block(func(line string) {
			if len(line) > popLine || strings.Contains(line, "\n") {
				t.Errorf("a line of %d bytes", len(line))
			}
		})
		var fields int
		for field := range headerFields(text) {
			if fields += len(field); len(field) == 0 {
				t.Errorf("%q: an empty field", text)
			}
		}
		if fields > len(text) || len(chosenFields(text)) > 3*len(text)+10 {
			t.Errorf("%q: more comes out than went in", text)
		}
	})
}
